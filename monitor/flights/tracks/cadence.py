"""How often an aircraft is really delivered: what windows in reports and silences are measured by."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

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
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    known = [gap for gap in gaps if gap <= NO_CADENCE_S]
    return median(known) if known else 0.0


def delivered_intervals_s(times: Sequence[datetime]) -> list[float]:
    """Give for each report how often its aircraft was delivered around it, from the reports before it and the next few."""
    return [delivered_interval_s(times[max(0, n - _BEFORE) : n + _AFTER + 1]) for n in range(len(times))]
