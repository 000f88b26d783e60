"""Visits become looks: arrivals, departures and aircraft present, by local day of the site."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.metrics import METRICS
from alerts.words import utc
from db.records import Evidence, Observation, Qualifier, SeriesKey, Visit
from db.records.provenance import made_words
from monitor.flights.coverage import Exposure
from monitor.flights.links import links_of
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.sites import Site

COUNTED_METRICS = ("arrivals", "departures", "aircraft_present")
DAY_EXPOSURE_GATE = 0.5
"""A zero needs at least this share of the day observed; what was seen is never dropped."""
CLOSE_DAY_AFTER = timedelta(minutes=30)
"""A day ends for good this long after its midnight, when late landings have been told from silences."""
PRESENT_UNHEARD = timedelta(hours=48)
"""A parked aircraft that has not been heard for so long is no longer counted as present."""
_NAMED_VISITS = 20

Interval = tuple[datetime, datetime]
Story = Callable[[str, Sequence[Visit], Site], str]
"""Tells in sentences of the visits behind a site's count of a metric; the note of its look."""


@dataclass(frozen=True, slots=True)
class DayState:
    """How far a day has come: `at` is the time of the newest evidence, `now` the time of recording."""

    at: datetime
    now: datetime
    exposure: Exposure
    closed: bool
    providers: tuple[str, ...] = ()


def local_date(timezone: ZoneInfo, at: datetime) -> date:
    """Give the day of a site's own calendar."""
    return at.astimezone(timezone).date()


def day_period(timezone: ZoneInfo, day: date) -> Interval:
    """Give the beginning and end of a site's day, in UTC; it may last 23 or 25 hours."""
    following = day + timedelta(days=1)
    return _midnight(timezone, day), _midnight(timezone, following)


def _midnight(timezone: ZoneInfo, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone).astimezone(UTC)


def day_looks(
    site: Site,
    day: date,
    visits: Sequence[Visit],
    known: Sequence[Observation],
    state: DayState,
    *,
    story: Story,
) -> list[Observation]:
    """Count one day of one site and give the looks that differ from `known`, its newest revisions.

    There is a look for each subject that was seen; a zero only for subject '' of a closed day, and as the
    correction of a count that no longer holds.
    """
    period = day_period(site.timezone, day)
    there = [visit for visit in visits if visit.is_counted]
    newest = {(each.series.metric, each.series.subject): each for each in known}
    counted = {
        (metric, subject): _count(metric, who, period, state.at)
        for metric in COUNTED_METRICS
        for subject, who in _by_subject(there, metric).items()
    }
    wanted = {key for key, seen in counted.items() if seen} | set(newest)
    if state.closed:
        wanted |= {(metric, "") for metric in COUNTED_METRICS}
    looks = (
        look_of_day(site, day, key, counted.get(key, []), state=state, earlier=newest.get(key), story=story)
        for key in sorted(wanted)
    )
    return [
        look
        for look in looks
        if (earlier := newest.get((look.series.metric, look.series.subject))) is None
        or not look.same_finding(earlier)
    ]


def changed_days(
    timezone: ZoneInfo, before: Sequence[Visit], after: Sequence[Visit], at: datetime
) -> set[date]:
    """Say which days of a site count differently after its visits changed."""
    old, new = _contributions(timezone, before, at), _contributions(timezone, after, at)
    return {day for day in old.keys() | new.keys() if old.get(day) != new.get(day)}


def stay_interval(visit: Visit, at: datetime) -> Interval | None:
    """Give from when to when an aircraft is held to have been there, as known at `at`."""
    start = visit.arrived_at or visit.first_fix_at
    end = visit.departed_at
    if visit.is_inferred:
        # What was heard lies outside an inferred stay: only its estimates count.
        start, end = visit.arrived_at or end, end or visit.arrived_at
    if start is None:
        return None
    if end is None:
        last = visit.last_fix_at or start
        end = min(last + PRESENT_UNHEARD, at)
        bounds = visit.candidates.get("departed_between")
        if visit.state != "present" and bounds:
            end = min(end, datetime.fromisoformat(bounds[1]))
    return start, max(start, end)


def _by_subject(visits: Sequence[Visit], metric: str) -> dict[str, list[Visit]]:
    grouped: dict[str, list[Visit]] = defaultdict(list)
    grouped[""] = list(visits)
    for visit in visits:
        for subject in (*visit.subjects, *links_of(visit, metric)):
            grouped[subject].append(visit)
    return grouped


def _count(metric: str, visits: Sequence[Visit], period: Interval, at: datetime) -> list[Visit]:
    """Give the visits that make up a day's count."""
    if metric == "arrivals":
        return [visit for visit in visits if visit.arrived_at and period[0] <= visit.arrived_at < period[1]]
    if metric == "departures":
        return [visit for visit in visits if visit.departed_at and period[0] <= visit.departed_at < period[1]]
    # Presence is a snapshot of what was heard; an inferred stay is told by its arrival, departure and length.
    return _most_at_once([visit for visit in visits if not visit.is_inferred], period, at)


def _most_at_once(visits: Sequence[Visit], period: Interval, at: datetime) -> list[Visit]:
    """Give the largest set of aircraft that were there at one time of the day (the earliest, if several)."""
    events: list[tuple[datetime, int, int]] = []
    for n, visit in enumerate(visits):
        interval = _clipped(stay_interval(visit, at), period)
        if interval is not None:
            events += [(interval[0], 0, n), (interval[1], 1, n)]
    there: set[int] = set()
    most: set[int] = set()
    for _, leaving, n in sorted(events):
        if leaving:
            there.discard(n)
        else:
            there.add(n)
            most = set(there) if len(there) > len(most) else most
    return [visits[n] for n in sorted(most)]


def _clipped(interval: Interval | None, period: Interval) -> Interval | None:
    if interval is None or interval[0] >= period[1]:
        return None
    # A stay that ends at midnight does not reach into the next day.
    if interval[1] < period[0] or (interval[1] == period[0] and interval[0] < period[0]):
        return None
    return max(interval[0], period[0]), min(interval[1], period[1])


def look_of_day(
    site: Site,
    day: date,
    key: tuple[str, str],
    seen: Sequence[Visit],
    *,
    state: DayState,
    earlier: Observation | None,
    story: Story,
) -> Observation:
    """Make one look of a day from the visits seen in it; none seen is a zero only where the day was watched."""
    metric, subject = key
    start, end = day_period(site.timezone, day)
    well_watched = (
        state.closed and state.exposure.share is not None and state.exposure.share >= DAY_EXPOSURE_GATE
    )
    # On a running day "at least 0" corrects a count that no longer holds.
    counts = bool(seen) or well_watched or not state.closed
    sure = sum(visit.is_here for visit in seen)
    qualifier: Qualifier = "=" if well_watched or not counts else ">="
    if sure < len(seen):
        qualifier = "~="
    look = Observation(
        series=SeriesKey(site.id, "", metric, subject, ADSB_PROCEDURE),
        kind=METRICS[metric].kind,
        period_start=start,
        period_end=end,
        look_key=day.isoformat(),
        value=float(len(seen)) if counts else None,
        low=float(sure) if sure < len(seen) else None,
        qualifier=qualifier,
        assessable=counts,
        result_time=_result_time(end, state, earlier),
        recorded_at=state.now,
        closed=state.closed,
        origin=", ".join(state.providers),
        certainty=_certainty(seen),
        evidence=tuple(_evidence(metric, seen)),
        note=" ".join(
            filter(
                None,
                (
                    made_words(state.providers) if counts else "",
                    story(metric, seen, site) if counts else _why_no_count(state.exposure),
                ),
            )
        ),
    )
    # The running day's exposure is computed where it is read, not stored.
    if not state.closed:
        return look
    return replace(look, exposure=state.exposure.share, exposure_parts=state.exposure.parts)


def _result_time(end: datetime, state: DayState, earlier: Observation | None) -> datetime:
    """Give when the count was knowable: as it is seen, at the end of the day, or when later data came."""
    if not state.closed or (earlier is not None and earlier.closed):
        return state.at
    return end if earlier is None else max(end, earlier.result_time)


def _evidence(metric: str, seen: Sequence[Visit]) -> Iterator[Evidence]:
    """Name the visits behind a count; who they were stays in the visits, which may be made nameless."""
    for visit in seen[:_NAMED_VISITS]:
        when = visit.departed_at if metric == "departures" else visit.arrived_at or visit.first_fix_at
        verb = "left" if metric == "departures" else "arrived" if visit.arrived_at else "first seen there"
        clock = "" if when is None else f" {utc(when)}"
        yield Evidence("visit", visit.visit_id, f"{verb}{clock}, confidence {visit.confidence} of 4")
        yield from visit.seen_from_above
    if len(seen) > _NAMED_VISITS:
        yield Evidence("note", "", f"and {len(seen) - _NAMED_VISITS} more visits")


def _certainty(seen: Sequence[Visit]) -> str:
    """Grade a count by the weakest of the inferred visits in it; what was heard needs no grade."""
    weakest = min((visit.confidence for visit in seen if visit.is_inferred), default=None)
    return "" if weakest is None else {1: "low", 2: "medium", 3: "medium"}.get(weakest, "high")


def _why_no_count(exposure: Exposure) -> str:
    if exposure.share is None:
        return "No coverage: the feeds heard no aircraft near the site, so silence says nothing."
    return f"Only {exposure.share:.0%} of the day was observed: too little to call it zero."


def _contributions(
    timezone: ZoneInfo, visits: Sequence[Visit], at: datetime
) -> Mapping[date, list[tuple[object, ...]]]:
    """Say what each visit adds to each day, in a form that can be compared."""
    found: dict[date, list[tuple[object, ...]]] = defaultdict(list)
    for visit in sorted(visits, key=lambda each: each.visit_id):
        interval = stay_interval(visit, at)
        if interval is None or not visit.is_counted:
            continue
        day = local_date(timezone, interval[0])
        while day <= local_date(timezone, interval[1]):
            period = day_period(timezone, day)
            within = [
                moment if moment and period[0] <= moment < period[1] else None
                for moment in (visit.arrived_at, visit.departed_at)
            ]
            sure, links = visit.is_here, [links_of(visit, metric) for metric in COUNTED_METRICS]
            seen = visit.seen_from_above
            found[day].append(
                (visit.visit_id, visit.subjects, sure, links, seen, *within, _clipped(interval, period))
            )
            day += timedelta(days=1)
    return found
