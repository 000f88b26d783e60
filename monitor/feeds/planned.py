"""What a feed plans is kept: the same sites are planned once, and not at every poll and every page."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from monitor.feeds import Scope
from monitor.sites import Site

_KEPT = 8
"""Plans of each feed: of all sites, and of some that are asked for or about to be added."""
FeedT = TypeVar("FeedT")
Planner = Callable[[FeedT, Sequence[Site]], Sequence[Scope]]


def kept_plan(plan: Planner[FeedT]) -> Planner[FeedT]:
    """Keep what a feed's `scopes` gives for the very same sites, as one reading of the sites file made them."""
    name = "_kept_plans"

    @wraps(plan)
    def planned(feed: FeedT, sites: Sequence[Site]) -> Sequence[Scope]:
        plans: OrderedDict[tuple[int, ...], tuple[Any, ...]] = feed.__dict__.setdefault(name, OrderedDict())
        key = tuple(map(id, sites))
        found = plans.get(key)
        if found is None:
            # The sites are held with their plan, so that no other ones can have their places in memory.
            found = tuple(sites), tuple(plan(feed, sites))
            plans[key] = found
            while len(plans) > _KEPT:
                plans.pop(next(iter(plans)), None)
        return found[1]  # type: ignore[no-any-return]

    return planned
