"""How often an aircraft is really delivered: what windows in reports and silences are measured by."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

NO_CADENCE_S = 660.0
"""Reports further apart than this follow each other across a silence: they say nothing of a cadence."""
SLOW_S = 40.0
"""Where reports come no faster, one of them weighs what two do elsewhere: an aircraft changes its state between them."""
_BEFORE, _AFTER = 6, 3


def delivered_interval_s(times: Sequence[datetime]) -> float:
    """Give the usual time between these reports of one aircraft (their median gap), 0 where there are too few to tell.

    A provider's interval is what it promises; what of it arrives depends on the receivers, its limits and on how many
    other circles share them. So it is read off the reports, whoever brought them.
    """
    return _usual_s([(after - before).total_seconds() for before, after in pairwise(times)])


def delivered_intervals_s(times: Sequence[datetime]) -> list[float]:
    """Give for each report how often its aircraft was delivered around it, from the reports before it and the next few."""
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    return [_usual_s(gaps[max(0, n - _BEFORE) : n + _AFTER]) for n in range(len(times))]


def _usual_s(gaps: Sequence[float]) -> float:
    known = sorted(gap for gap in gaps if gap <= NO_CADENCE_S)
    middle = len(known) // 2
    if not known:
        return 0.0
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
