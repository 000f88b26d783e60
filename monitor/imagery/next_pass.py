"""When satellites are due over a site again, from when they came: each flies its track anew after whole days."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.words import utc
from db.records import Scene
from db.said import chained, phrase
from monitor.imagery.looks import PASS_EXPOSURE_GATE
from monitor.imagery.orbits import FlownPasses

PASS_WINDOW = timedelta(days=60)
REPEAT_CYCLES_DAYS = (
    (re.compile(r"sentinel-1[a-d]"), 12),
    (re.compile(r"(invented-)?sentinel-2[a-d]"), 10),
    (re.compile(r"landsat-[89]"), 16),
)
"""Days after which a satellite flies the same track again (ESA's and USGS's mission pages)."""
_SAME_TRACK = timedelta(minutes=45)
"""Neighbouring tracks over one place are at least an orbit of some 100 minutes apart; tiles of one pass, less."""
_ORBITS = 143
_DATATAKE = re.compile(r"GS(2[AB])_(\d{4})\d{4}T\d{6}_(\d{6})")
_OFFSETS = {"2A": 3, "2B": -26}
_LAST_YEAR_OF_2A = 2024


@dataclass(frozen=True, slots=True)
class NextPass:
    """One satellite due over one site; `basis` says in words what that rests on."""

    platform: str
    at: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class SeenPass:
    """One pass that a catalogue listed and that showed enough of the site, whatever the cloud."""

    platform: str
    at: datetime
    repeat: timedelta
    """After so long the same satellite flies the same track again."""
    track: str
    """Its name, '' where nobody says."""
    look_key: str = ""

    def is_same_track(self, other: "SeenPass") -> bool:
        """Whether both are of one satellite on one track, so that one follows from the other."""
        if self.platform != other.platform:
            return False
        apart = (self.at - other.at) % self.repeat
        return min(apart, self.repeat - apart) < _SAME_TRACK


def next_passes(scenes: Iterable[Scene], now: datetime, flown: Sequence[FlownPasses] = ()) -> list[NextPass]:
    """The next pass of each satellite and track that was seen in the last 60 days, the soonest first.

    `scenes` are newest versions over one site; times are good to a minute where the catalogue's are. Of satellites with
    orbit elements that hold (`flown`) those say it, whether one was seen or not. Empty means that nobody can tell yet: no
    scene, or only of satellites whose repeat is not known.
    """
    by_elements = [each for each in flown if each.since <= now <= each.until]
    newest: list[SeenPass] = []
    for seen in reversed(seen_passes(scenes, now)):
        if not any(seen.is_same_track(other) for other in newest):
            newest.append(seen)
    ours = {each.platform for each in by_elements}
    found = [_next(seen, now) for seen in newest if seen.platform not in ours]
    found += [
        NextPass(
            each.platform,
            due.at,
            phrase(
                "by the orbit elements of {satellite} of {when}",
                satellite=each.platform,
                when=utc(each.epoch),
            ),
        )
        for each in by_elements
        for due in each.passes
        if due.sure and due.at > now
    ]
    return sorted(found, key=lambda each: (each.at, each.platform))


def next_pass_sentence(passes: Sequence[NextPass]) -> str:
    """Say in a sentence when the next pass is due, or that nobody can tell."""
    if not passes:
        return phrase(
            "Cannot tell yet when the next pass is due: no usable scene in the last {days} days.",
            days=PASS_WINDOW.days,
        )
    first = passes[0]
    return phrase(
        "The next pass is due about {when}, {basis}. Cloud may hide the site.",
        when=utc(first.at),
        basis=first.basis,
    )


def seen_passes(scenes: Iterable[Scene], now: datetime) -> list[SeenPass]:
    """The passes of the last 60 days by satellites whose repeat is known, by time; one for each look."""
    tiles: dict[str, list[Scene]] = {}
    for scene in scenes:
        if now - PASS_WINDOW <= scene.acquired_at <= now:
            tiles.setdefault(scene.look_key, []).append(scene)
    found = []
    for some in tiles.values():
        first = min(some, key=lambda scene: scene.acquired_at)
        days = _repeat_days(first.platform)
        if days and sum(scene.covered_share for scene in some) >= PASS_EXPOSURE_GATE:
            track = next((named for scene in some if (named := _track(scene))), "")
            found.append(
                SeenPass(first.platform, first.acquired_at, timedelta(days=days), track, first.look_key)
            )
    return sorted(found, key=lambda each: (each.at, each.look_key))


def _repeat_days(platform: str) -> int | None:
    return next((days for name, days in REPEAT_CYCLES_DAYS if name.fullmatch(platform)), None)


def _next(seen: SeenPass, now: datetime) -> NextPass:
    times = (now - seen.at) // seen.repeat + 1
    days = seen.repeat.days
    by = chained(", ", [seen.platform, seen.track]) if seen.track else seen.platform
    parts = {"days": times * days, "when": utc(seen.at), "by": by}
    basis = (
        phrase("{days} days after {when} by {by}", **parts)
        if times == 1
        else phrase(
            "{days} days ({times} times {repeat}) after {when} by {by}", times=times, repeat=days, **parts
        )
    )
    return NextPass(seen.platform, seen.at + times * seen.repeat, basis)


def _track(scene: Scene) -> str:
    """The name of the track: what the catalogue says, else what the number of the orbit says."""
    told = scene.properties.get("sat:relative_orbit")
    if isinstance(told, int) and not isinstance(told, bool):
        return phrase("orbit {number}", number=str(told))
    path = scene.properties.get("landsat:wrs_path")
    if path is not None:
        return phrase("path {number}", number=str(int(path))) if str(path).isdecimal() else ""
    orbit = relative_orbit(str(scene.properties.get("s2:datatake_id", "")))
    return phrase("orbit {number}", number=str(orbit)) if orbit else ""


def relative_orbit(datatake: str) -> int | None:
    """The relative orbit of a Sentinel-2 datatake, from its absolute one; None where the two are not in step.

    Sentinel-2A was moved along its orbit in 2025, and Sentinel-2C has no number here that was checked.
    """
    said = _DATATAKE.match(datatake)
    if said is None or (said[1] == "2A" and int(said[2]) > _LAST_YEAR_OF_2A):
        return None
    return (int(said[3]) + _OFFSETS[said[1]] - 1) % _ORBITS + 1
