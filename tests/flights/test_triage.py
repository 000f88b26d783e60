"""Which tracks are read again after a poll: those that may have changed a visit, and no others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from db.records import Fix, Visit
from monitor.flights.places import places_of
from monitor.flights.selection import triage
from tests.kit.cast import CAST, QUIET_FIELD
from tests.kit.flying import NOON, VIP, Pilot, read

PLACES = places_of(CAST)
MINUTE = timedelta(minutes=1)


def read_again(fixes: Sequence[Fix], *known: Visit) -> bool:
    return bool(triage(fixes, PLACES, by_aircraft(*known)).read)


def by_aircraft(*known: Visit) -> dict[str, list[Visit]]:
    return {visit.icao24: [each for each in known if each.icao24 == visit.icao24] for visit in known}


def pilot(**values: Any) -> Pilot:
    return Pilot(QUIET_FIELD, **values)


def parked_visit() -> Visit:
    (visit,) = read(pilot().land().fixes, QUIET_FIELD)
    return visit


def later(**values: Any) -> Pilot:
    return pilot(at=NOON + timedelta(hours=1), **values)


@pytest.mark.parametrize(
    ("fixes", "why"),
    [
        (pilot().park(10).fixes, "it is on the ground inside a site"),
        (pilot(height_ft=400).climb(10).fixes, "it may have taken off"),
        (pilot(height_ft=400).climb(10, altitude_ft=None).fixes, "its altitude is not known"),
        (pilot(height_ft=400).climb(10, vertical_rate_fpm=None).fixes, "it may be climbing"),
    ],
)
def test_without_a_visit_the_two_ends_of_a_flight_are_read(fixes: list[Fix], why: str) -> None:
    assert read_again(fixes), why


@pytest.mark.parametrize(
    ("fixes", "why"),
    [
        (pilot().approach().fixes, "an approach proves nothing before it ends"),
        (pilot(height_ft=20_000).climb(10).fixes, "it passes above"),
        (pilot(east_nm=30).park(10).fixes, "it stands far away"),
        (pilot(north_nm=1.5).park(10).fixes, "it stands beside the site"),
        (pilot(icao24=f"~{VIP}").park(10).fixes, "it has no address of ICAO's"),
        ([], "nothing came"),
    ],
)
def test_what_cannot_begin_a_visit_is_not_read(fixes: list[Fix], why: str) -> None:
    assert not read_again(fixes), why


def test_a_parked_aircraft_is_heard_and_not_read() -> None:
    chosen = triage(later().park(60).fixes, PLACES, by_aircraft(parked_visit()))
    assert chosen.read == frozenset()
    assert [visit.last_fix_at for visit in chosen.heard] == [NOON + timedelta(hours=1, minutes=1)]


def test_an_aircraft_heard_a_moment_ago_is_not_noted_again() -> None:
    visit = replace(parked_visit(), last_fix_at=NOON + timedelta(minutes=59, seconds=30))
    assert triage(later().park(10).fixes, PLACES, by_aircraft(visit)).heard == ()


@pytest.mark.parametrize(
    ("fixes", "again"),
    [
        (later().park(30).fixes, False),
        (later().fly(10, kt=0, ground=False).fixes, False),
        (later(north_nm=1.5).park(10).fixes, False),
        (later(height_ft=800).climb(10).fixes, True),
        (later(east_nm=-30, height_ft=30_000).climb(10).fixes, True),
        (later(north_nm=5.0).park(10).fixes, True),
        (pilot(at=NOON - MINUTE).park(10).fixes, True),
    ],
    ids=["parked", "flicker", "apron outside", "climbing", "far away", "other field", "late report"],
)
def test_an_open_visit_is_read_again_when_its_aircraft_may_have_left(fixes: list[Fix], again: bool) -> None:
    assert read_again(fixes, parked_visit()) is again


def test_the_first_ground_report_after_a_lost_landing_is_read() -> None:
    lost = pilot().approach(end_ft=250)
    (visit,) = read(lost.fixes, QUIET_FIELD, now=lost.at + 11 * MINUTE)
    assert read_again(later().park(10).fixes, visit)


def test_a_climb_after_a_known_departure_is_not_read_again() -> None:
    departed = pilot().land().park(300).take_off(80)
    (visit,) = read(departed.fixes, QUIET_FIELD)
    seen = departed.at
    onward = [fix for fix in departed.climb(20, fpm=1000).fixes if fix.at > seen]
    assert not read_again(onward, visit)
    assert read_again(onward)
