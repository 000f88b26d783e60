"""Which revision of a record is in force, and whether a statement makes a new one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar


class Revised(Protocol):
    """A record of which later statements become further revisions."""

    @property
    def result_time(self) -> datetime:
        """When this revision was knowable."""
        ...

    @property
    def revision(self) -> int:
        """Its place in the order of recording."""
        ...


R = TypeVar("R", bound=Revised)
Same = Callable[[R, R], bool]


def in_force(revisions: Sequence[R], same: Same[R]) -> R:
    """Choose the newest finding, in its earliest statement.

    Newest goes by result time, then by recording: a correction that arrived before what it corrects
    still corrects it.
    """
    ordered = sorted(revisions, key=lambda each: (each.result_time, each.revision))
    chosen = ordered[0]
    for each in ordered[1:]:
        if not same(each, chosen):
            chosen = each
    return chosen


def next_revision(known: Sequence[R], new: R, same: Same[R]) -> int | None:
    """Give the number that a new statement gets, or None where it says what was in force at its own time."""
    earlier = [each for each in known if each.result_time <= new.result_time]
    if earlier and same(in_force(earlier, same), new):
        return None
    return 1 + max((each.revision for each in known), default=0)
