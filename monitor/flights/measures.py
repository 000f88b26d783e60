"""What visits tell beside counts: how long each stay was, and how many visitors of a day had not been here before."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from alerts.metrics import METRICS
from db.records import Evidence, Observation, SeriesKey, Visit
from monitor.flights.visits import ADSB_PROCEDURE

STAY_METRIC = "stay_h"
NEW_VISITORS_METRIC = "new_visitors"
NEW_VISITOR_AFTER = timedelta(days=365)
"""A visitor that has not been here for so long is new."""
_HOUR = timedelta(hours=1)


def stay_looks(visit: Visit, known: Sequence[Observation], at: datetime, now: datetime) -> list[Observation]:
    """Give the length of a stay under each of its subjects, as far as it differs from `known`.

    A stay whose ends are not both known has no length; one that was told before and no longer holds is taken back.
    """
    # Late reports may move the arrival, and with it the beginning of the look.
    newest = {(each.series.subject, each.period_start): each for each in known}
    wanted = {(each.series.subject, each.period_start): each for each in _lengths(visit, at, now)}
    taken_back = [
        _look(visit, each.series.subject, None, at=at, now=now, period=(each.period_start, each.period_end))
        for key, each in newest.items()
        if key not in wanted and each.value is not None
    ]
    changed = [
        each
        for key, each in wanted.items()
        if (before := newest.get(key)) is None or not each.same_finding(before)
    ]
    return [*changed, *taken_back]


def new_visitors(arrived: Sequence[Visit], earlier: Sequence[Visit]) -> list[Visit]:
    """Choose the first arrival of each watched aircraft that had no visit here in the year before.

    The address of an aircraft that nobody watches is forgotten, so that nobody can say whether it is new.
    """
    found: dict[str, Visit] = {}
    for visit in sorted(arrived, key=lambda each: each.came_at):
        if f"icao24:{visit.icao24}" in visit.subjects and not any(_was_here(each, visit) for each in earlier):
            found.setdefault(visit.icao24, visit)
    return list(found.values())


def _was_here(earlier: Visit, visit: Visit) -> bool:
    left = earlier.departed_at or earlier.last_fix_at or earlier.came_at
    return (
        earlier.icao24 == visit.icao24
        and earlier.visit_id != visit.visit_id
        and earlier.is_here
        and visit.came_at - NEW_VISITOR_AFTER <= left <= visit.came_at
    )


def _lengths(visit: Visit, at: datetime, now: datetime) -> Iterator[Observation]:
    came, left = visit.arrived_at, visit.departed_at
    if not visit.is_here or came is None or left is None or left < came:
        return
    hours = round((left - came) / _HOUR, 1)
    for subject in ("", *visit.subjects):
        yield _look(visit, subject, hours, at=at, now=now, period=(came, left))


def _look(
    visit: Visit,
    subject: str,
    hours: float | None,
    *,
    at: datetime,
    now: datetime,
    period: tuple[datetime, datetime],
) -> Observation:
    return Observation(
        series=SeriesKey(visit.site_id, "", STAY_METRIC, subject, ADSB_PROCEDURE),
        kind=METRICS[STAY_METRIC].kind,
        period_start=period[0],
        period_end=period[1],
        look_key=visit.visit_id,
        value=hours,
        qualifier="~=" if visit.is_inferred else "=",
        assessable=hours is not None,
        result_time=at,
        recorded_at=now,
        precision="minute",
        evidence=(Evidence("visit", visit.visit_id, f"confidence {visit.confidence} of 4"),),
        note="" if hours is not None else "The stay that was measured no longer holds.",
    )
