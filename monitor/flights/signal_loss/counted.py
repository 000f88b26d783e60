"""Which visits are counted: of aircraft that are or were here, and of those that are awaited here."""

from db.records import Visit
from monitor.flights.signal_loss.records import is_undecided

HERE = frozenset({"present", "departed", "confirmed"})
"""States in which an aircraft is held to have been here."""
AWAITED = frozenset({"lost_toward", "presumed"})
"""States in which it may be here: counted, with a lower bound that leaves it out."""


def is_counted(visit: Visit) -> bool:
    """Whether it is here or awaited here; who may as well have gone to a neighbour is awaited at neither."""
    return visit.state in HERE or (visit.state in AWAITED and not is_awaited_near(visit))


def is_awaited_near(visit: Visit) -> bool:
    """Whether it is awaited here or at a neighbour, and nothing tells which."""
    return visit.state in AWAITED and is_undecided(visit)
