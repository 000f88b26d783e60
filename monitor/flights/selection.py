"""Which reports matter: those worth storing, and the aircraft whose visits they can have changed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from db.records import Fix, Visit
from monitor.flights.places import Place, grid_of, places_of, positions, sets_of
from monitor.flights.stays import APRON_NM
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.ground import STILL_KT
from monitor.flights.tracks.identity import Aircraft, Classes, is_icao
from monitor.flights.tracks.phases import height_ft
from monitor.flights.visits import belongs_to
from monitor.sites import Site

ENDS_WITHIN_NM = 10.0
"""Beyond it no end of a flight is looked for: five miles, and as many as a jet flies between two polls."""
_SINKS_WITHIN_NM = 20.0
_CLIMBED_FT = 7_000.0
_RISING_FPM = 200.0
_CLIMB_OUT = timedelta(minutes=10)
STORED_WITHIN_NM = 40.0
_TOUCH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Triage:
    """The aircraft to read, and the open visits whose aircraft were merely heard again on the ground."""

    read: frozenset[str]
    heard: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One new report and the places around it."""

    fix: Fix
    inside: frozenset[str]
    near: tuple[Place, ...]
    apron: frozenset[str]


def triage(fixes: Sequence[Fix], places: Sequence[Place], known: Sequence[Visit]) -> Triage:
    """Sort the aircraft of new reports; `known` are the visits of these aircraft."""
    read: set[str] = set()
    heard: list[Visit] = []
    named: dict[str, list[Visit]] = defaultdict(list)
    for visit in known:
        named[visit.icao24].append(visit)
    for icao24, sightings in _sightings(fixes, places).items():
        mine = [*named[icao24], *(visit for visit in named[""] if belongs_to(visit, icao24))]
        still = next((visit for visit in mine if visit.state == "present"), None)
        if still is None:
            if any(_may_begin(each, mine) for each in sightings):
                read.add(icao24)
        elif not all(_is_parked(each, still) for each in sightings):
            read.add(icao24)
        elif (later := _heard_again(sightings, still)) is not None:
            heard.append(later)
    return Triage(frozenset(read), tuple(heard))


def ends_near(last: Sequence[Fix], places: Sequence[Place]) -> list[Fix]:
    """Choose the last reports of silent aircraft that lie near a place, whatever altitude they give.

    A lost signal often ends in a report with a misread altitude.
    """
    every = tuple(places)
    near, _ = grid_of(every, ENDS_WITHIN_NM).near(*positions(last))
    far, index = grid_of(every, _SINKS_WITHIN_NM).near(*positions(last))
    # Of a slow feed the last report on the approach comes from further away.
    sinking = {
        n for n, place in zip(far.tolist(), index.tolist(), strict=True) if _sinks(last[n], every[place])
    }
    return [last[n] for n in sorted(sinking | set(near.tolist()))]


def _sinks(fix: Fix, place: Place) -> bool:
    height = height_ft(fix, place)
    rate = fix.vertical_rate_fpm
    return height is not None and height < _CLIMBED_FT and rate is not None and rate < 0


def _may_begin(sighting: _Sighting, mine: Sequence[Visit]) -> bool:
    fix = sighting.fix
    if not sighting.near:
        return False
    if any(visit.last_fix_at and fix.at <= visit.last_fix_at for visit in mine):
        return True
    if fix.on_ground:
        return bool(sighting.inside)
    if sighting.inside and fix.ground_speed_kt is not None and fix.ground_speed_kt < STILL_KT:
        # It may stand there, though its flag never says so.
        return True
    if any(
        visit.departed_at and visit.departed_at <= fix.at <= visit.departed_at + _CLIMB_OUT for visit in mine
    ):
        return False
    rising = fix.vertical_rate_fpm is None or fix.vertical_rate_fpm > _RISING_FPM
    return rising and any(_is_low(fix, place) for place in sighting.near)


def _is_low(fix: Fix, place: Place) -> bool:
    """Whether the height may be that of a minute after take-off."""
    height = height_ft(fix, place)
    return height is None or height < _CLIMBED_FT


def _is_parked(sighting: _Sighting, visit: Visit) -> bool:
    fix = sighting.fix
    if visit.last_fix_at is not None and fix.at <= visit.last_fix_at:
        return False
    if fix.on_ground:
        # Without a ground report so far, this one confirms the landing.
        return visit.site_id in sighting.apron and bool(visit.candidates.get("grounded"))
    still = fix.ground_speed_kt is not None and fix.ground_speed_kt < STILL_KT
    return still and visit.site_id in sighting.inside


def _heard_again(sightings: Sequence[_Sighting], visit: Visit) -> Visit | None:
    times = [each.fix.at for each in sightings if each.fix.on_ground and visit.site_id in each.inside]
    if not times or (visit.last_fix_at is not None and max(times) - visit.last_fix_at < _TOUCH):
        return None
    return replace(visit, last_fix_at=max(times))


def _sightings(fixes: Sequence[Fix], places: Sequence[Place]) -> dict[str, list[_Sighting]]:
    counted = [fix for fix in fixes if is_icao(fix.icao24)]
    if not counted:
        return {}
    lat, lon = positions(counted)
    every = tuple(places)
    near = sets_of(grid_of(every, ENDS_WITHIN_NM), lat, lon)
    found: dict[str, list[_Sighting]] = defaultdict(list)
    for n, fix in enumerate(counted):
        around = tuple(every[index] for index in near[n])
        here = lat[n : n + 1], lon[n : n + 1]
        inside = frozenset(place.id for place in around if place.contains(*here)[0])
        apron = frozenset(place.id for place in around if place.distance_nm(*here)[0] < APRON_NM)
        found[fix.icao24].append(_Sighting(fix, inside, around, apron))
    return found


def worth_storing(sites: Sequence[Site], fixes: Sequence[Fix], classes: Classes | None = None) -> list[bool]:
    """Say of each report whether to store it: within 40 NM of a site, or of a watched class."""
    known = default_classes() if classes is None else classes
    return [
        bool(near) or known.watches(_aircraft(fix))
        for fix, near in zip(fixes, _near(sites, fixes), strict=True)
    ]


def _near(sites: Sequence[Site], fixes: Sequence[Fix]) -> NDArray[np.bool_]:
    near = np.zeros(len(fixes), dtype=np.bool_)
    if fixes:
        which, _ = grid_of(places_of(sites), STORED_WITHIN_NM).near(*positions(fixes))
        near[which] = True
    return near


def _aircraft(fix: Fix) -> Aircraft:
    return Aircraft(fix.icao24, fix.callsign, fix.registration, fix.type_code, fix.db_flags)
