"""How often the feeds would be asked once a site is added, and what that adds in requests a day. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.words import every
from monitor.feeds import Feed, Scope
from monitor.feeds.options import requests_a_day, turns
from monitor.sites import Site


@dataclass(frozen=True, slots=True)
class Asking:
    """What one feed would do for a new site; the requests are those of a whole day, for all sites together."""

    feed: str
    words: str
    limits: str
    before: int
    after: int


def askings(feeds: Iterable[Feed], sites: Sequence[Site], added: Sequence[Site]) -> tuple[Asking, ...]:
    """Compare each feed's plan for the sites there are with its plan for these and the added ones."""
    together = [*(site for site in sites if site.id not in {each.id for each in added}), *added]
    names = {site.id: site.name for site in together}
    return tuple(
        asking
        for feed in feeds
        for asking in _asking(feed, feed.scopes(list(sites)), feed.scopes(together), added, names)
    )


def _asking(
    feed: Feed,
    before: Sequence[Scope],
    after: Sequence[Scope],
    added: Sequence[Site],
    names: Mapping[str, str],
) -> Iterator[Asking]:
    provider = feed.provider
    ids = {site.id for site in added}
    new = [scope for scope in after if ids & set(scope.site_ids)]
    if not new:
        return
    slots = turns(provider, len(after))
    cadence_s = provider.interval_s * slots
    requests = [requests_a_day(feed.provider, len(scopes)) for scopes in (before, after)]
    shared = sorted({names[name] for scope in new for name in scope.site_ids if name not in ids})
    words = f"asks about it every {every(cadence_s)}"
    if slots > 1:
        words += ", one place after the other"
    elif shared:
        words += f", together with {', '.join(shared[:3])}{' and others' if len(shared) > 3 else ''}"  # noqa: PLR2004
    yield Asking(provider.name, words, provider.limits, *requests)
