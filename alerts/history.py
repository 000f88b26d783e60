"""The history that one look is judged against, as it was knowable. Pure."""

from collections.abc import Sequence
from datetime import datetime

from alerts.verdict import History
from db.records import DeclaredBaseline, Observation

SECONDS_A_DAY = 86_400


def history_of(
    look: Observation,
    known: Sequence[Observation],
    declared: Sequence[DeclaredBaseline],
    as_of: datetime,
) -> History:
    """Choose from what was known of the look's site, area and metric what its rules may see.

    `known` holds the newest revision of each look that was knowable at `as_of`, `declared` likewise.
    """
    before = [
        each for each in known if each.period_end <= look.period_start and each.usable and not each.announced
    ]
    same = [each for each in before if each.series.subject == look.series.subject]
    return History(
        as_of=as_of,
        looks=tuple(each for each in same if each.series == look.series),
        sightings=tuple(same),
        declared=tuple(each for each in declared if each.series.subject == look.series.subject),
        observed_days=sum(_observed_days(each) for each in before if not each.series.subject),
    )


def _observed_days(look: Observation) -> float:
    if look.kind != "flow":
        return 0.0
    length_s = (look.period_end - look.period_start).total_seconds()
    return (look.exposure or 0.0) * length_s / SECONDS_A_DAY
