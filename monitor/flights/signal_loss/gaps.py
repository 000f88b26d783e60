"""Losses of signal: from the last reliable report of an aircraft to the first one after it, within the sky asked about."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from db.records import Fix
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.tracks.kinematics import apart_nm, seconds_between
from monitor.sites.geodesy import SECONDS_PER_HOUR, course_deg, destination, great_circle_nm

SIGNAL_LOST_AFTER = timedelta(minutes=5)
"""So long must an aircraft be silent, and twice as long as it was in the hour before."""
LOOKED_AT_FOR = timedelta(minutes=30)
"""So long is it asked where a silent aircraft went; later only of one that is awaited, until it is heard again."""
RELIABLE_REPORTS = 3
RELIABLE_S = 30.0
"""A report that stands alone may be a ghost: these many, over so long, make a flight."""
_NOTICED = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_MOVED_S = 60.0
_AROUND_S = 180.0
_MOVED_NM = 0.5
_STILL_NM = 0.03
_FULL_TURN_DEG = 360.0
_LITTLE = timedelta(minutes=2)
_LATELY = timedelta(hours=2)
_MAY_HAVE_LANDED = timedelta(minutes=45)
_LEG_S = 60.0
_ENOUGH_NM = 80.0
"""On a shorter way turns after the take-off weigh too much."""


@dataclass(frozen=True, slots=True)
class GapEnd:
    """One end of a gap: the report, and how the aircraft moved there as far as its reports tell."""

    fix: Fix
    course_deg: float | None
    rate_fpm: float | None
    airborne: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A loss of signal; `back` is None while it is open."""

    lost: GapEnd
    back: GapEnd | None
    longest_before: timedelta
    """The longest silence in the hour before: how densely the aircraft was heard."""
    detour: float = 1.0
    """How many times longer the way of the two hours before was than the farthest point on it is away: 1 is straight."""

    @property
    def id(self) -> str:
        """A name that stays: aircraft, time and place of the last report."""
        fix = self.lost.fix
        text = f"{fix.icao24}|{fix.at:%Y-%m-%dT%H:%M:%S}|{fix.lat:.3f}|{fix.lon:.3f}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def length(self, now: datetime) -> timedelta:
        """How long it lasted, or has lasted so far."""
        return (self.back.fix.at if self.back else now) - self.lost.fix.at

    @property
    def settled_after(self) -> timedelta:
        """How long this aircraft must be silent before the silence means anything."""
        return max(SIGNAL_LOST_AFTER, 2 * self.longest_before)

    @property
    def noticed_after(self) -> timedelta:
        """How long this aircraft must be missed while it is still in the area asked about: two reports and a minute."""
        return max(_NOTICED, 2 * self.longest_before)


@dataclass(frozen=True, slots=True)
class TrackSegment:
    """Reports without a loss of signal between them."""

    fixes: tuple[Fix, ...]

    @property
    def reliable(self) -> bool:
        """Whether it is more than a ghost: enough reports over enough time."""
        return (
            len(self.fixes) >= RELIABLE_REPORTS
            and seconds_between(self.fixes[0], self.fixes[-1]) >= RELIABLE_S
        )


def split_segments(fixes: Sequence[Fix]) -> list[TrackSegment]:
    """Split the believed reports of one aircraft where it fell silent, and leave out what may be ghosts."""
    return [leg for leg in map(TrackSegment, _split(fixes)) if leg.reliable]


def gaps(fixes: Sequence[Fix]) -> list[Gap]:
    """Give every loss of signal in the believed reports of one aircraft; the last is open."""
    flown = split_segments(fixes)
    backs = [*map(segment_start, flown[1:]), None]
    return [
        Gap(_end(leg), back, _longest(leg.fixes), _detour([each.fixes for each in flown[: n + 1]]))
        for n, (leg, back) in enumerate(zip(flown, backs, strict=False))
    ]


def _detour(legs: Sequence[Sequence[Fix]]) -> float:
    """Measure the way of the last two hours in flight against how far it led; in a silence it flew on as fast as before."""
    last = legs[-1][-1]
    way_nm = farthest_nm = 0.0
    later = last
    for fix in (each for leg in reversed(legs) for each in reversed(leg)):
        seconds = seconds_between(fix, later)
        if seconds < _LEG_S:
            continue
        silent = later.at - fix.at
        if fix.on_ground or last.at - fix.at > _LATELY or silent > _MAY_HAVE_LANDED:
            break
        flown_nm = apart_nm(fix, later)
        if silent >= SIGNAL_LOST_AFTER:
            flown_nm = max(flown_nm, (fix.ground_speed_kt or 0.0) * seconds / SECONDS_PER_HOUR)
        way_nm += flown_nm
        farthest_nm = max(farthest_nm, apart_nm(fix, last))
        later = fix
    return way_nm / max(farthest_nm, 1.0) if way_nm >= _ENOUGH_NM else 1.0


def last_before_silence(fixes: Sequence[Fix]) -> list[Fix]:
    """Give the reports of one aircraft, in order, after each of which it was not heard for `SIGNAL_LOST_AFTER`."""
    found = [one for one, other in pairwise(fixes) if other.at - one.at >= SIGNAL_LOST_AFTER]
    return [*found, *fixes[-1:]]


def segment_start(leg: TrackSegment) -> GapEnd:
    """How an aircraft moved when it was first heard."""
    first = leg.fixes[0]
    around = [fix for fix in leg.fixes if seconds_between(first, fix) <= _AROUND_S]
    soon = next((fix for fix in around if seconds_between(first, fix) >= _MOVED_S), around[-1])
    return _moving(first, (first, soon), (first, around[-1]))


def _end(leg: TrackSegment) -> GapEnd:
    last = leg.fixes[-1]
    around = [fix for fix in leg.fixes if seconds_between(fix, last) <= _AROUND_S]
    late = next((fix for fix in reversed(around) if seconds_between(fix, last) >= _MOVED_S), around[0])
    end = _moving(last, (late, last), (around[0], last))
    return replace(end, airborne=False) if _stands(around) else end


def _stands(around: Sequence[Fix]) -> bool:
    """Whether it did not move for its last minute: then it is on the ground, whatever it says of its height."""
    last = around[-1]
    minute = [fix for fix in around if seconds_between(fix, last) <= 2 * _MOVED_S]
    still = all(apart_nm(fix, last) < _STILL_NM for fix in minute)
    return still and seconds_between(minute[0], last) >= _MOVED_S


def _moving(fix: Fix, way: tuple[Fix, Fix], climb: tuple[Fix, Fix]) -> GapEnd:
    """Take the course from the minute next to the end, as flights turn, and the climb from three."""
    first, last = way
    moved = seconds_between(first, last) >= _MOVED_S and apart_nm(first, last) >= _MOVED_NM
    course = course_deg(first.lat, first.lon, last.lat, last.lon) if moved else fix.track_deg
    if moved and fix is last:
        course = (course_deg(last.lat, last.lon, first.lat, first.lon) + 180) % 360
    rate, (low, high) = fix.vertical_rate_fpm, climb
    seconds = seconds_between(low, high)
    if low.altitude_ft is not None and high.altitude_ft is not None and seconds >= _MOVED_S:
        rate = (high.altitude_ft - low.altitude_ft) / seconds * 60
    return GapEnd(fix, course, rate, airborne=fix.on_ground is not True)


def _split(fixes: Sequence[Fix]) -> Iterator[tuple[Fix, ...]]:
    leg: list[Fix] = []
    for fix in fixes:
        silent = leg and fix.at - leg[-1].at
        if silent and silent >= SIGNAL_LOST_AFTER and silent >= 2 * _longest(leg):
            yield tuple(leg)
            leg = []
        leg.append(fix)
    if leg:
        yield tuple(leg)


def _longest(leg: Sequence[Fix]) -> timedelta:
    """Give the longest silence in the last hour of a leg."""
    longest = timedelta(0)
    for earlier, later in zip(reversed(leg[:-1]), reversed(leg[1:]), strict=True):
        if leg[-1].at - earlier.at > _HOUR:
            break
        longest = max(longest, later.at - earlier.at)
    return longest


def flies_out(lost: GapEnd, scope: str, performance: Performance, within: timedelta) -> bool:
    """Whether an aircraft that flew on as before would have left the asked area in this time.

    `scope` is a poll's: `circle:LAT,LON,NM` or `box:SOUTH,WEST,NORTH,EAST`; any other has no edge.
    """
    if lost.course_deg is None:
        return False
    speed_kt = lost.fix.ground_speed_kt or performance.cruise_kt
    way_nm = speed_kt * within.total_seconds() / SECONDS_PER_HOUR
    return not asks_about(scope, *destination(lost.fix.lat, lost.fix.lon, lost.course_deg, way_nm))


def flew_in(first: GapEnd, scope: str, performance: Performance) -> bool:
    """Whether an aircraft first heard there may have come into the asked area a little before."""
    if first.course_deg is None:
        return False
    speed_kt = first.fix.ground_speed_kt or performance.cruise_kt
    way_nm = speed_kt * _LITTLE.total_seconds() / SECONDS_PER_HOUR
    return not asks_about(scope, *destination(first.fix.lat, first.fix.lon, first.course_deg, -way_nm))


def asks_about(scope: str, lat: float, lon: float) -> bool:
    """Whether a position lies in the area that a poll asked about."""
    kind, _, text = scope.partition(":")
    numbers = [float(part) for part in text.split(",")] if text and kind in {"circle", "box"} else []
    if kind == "circle" and numbers:
        return great_circle_nm(numbers[0], numbers[1], lat, lon) <= numbers[2]
    if kind == "box" and numbers:
        south, west, north, east = numbers
        return south <= lat <= north and (lon - west) % _FULL_TURN_DEG <= (east - west) % _FULL_TURN_DEG
    return True
