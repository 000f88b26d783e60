"""Reports that are not believed are counted and explained; hours in which they cannot be trusted are degraded."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from db.coverage import coverage, rejected_counts
from db.engine import reading
from db.records import Fix
from monitor.flights.tracks.integrity import REJECTION_REASONS, believed_track, jammed
from monitor.flights.words import rejected_words as told
from tests.kit.cast import DONUT_BASE, QUIET_FIELD
from tests.kit.flying import NOON, Pilot, World

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)
FIELDS = (QUIET_FIELD, DONUT_BASE)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, FIELDS)


def counts(world: World) -> dict[str, int]:
    with reading(world.engine) as connection:
        return rejected_counts(connection, NOON - HOUR, NOON + 2 * HOUR).get("adsb.lol", {})


def degraded(world: World, site_id: str = QUIET_FIELD.id) -> list[bool]:
    with reading(world.engine) as connection:
        return [each.degraded for each in coverage(connection, site_id, NOON, NOON + HOUR)]


def put_on_the_field(number: int, start_s: float) -> list[Fix]:
    """An aircraft that flies elsewhere and is suddenly said to stand on the field."""
    pilot = Pilot(QUIET_FIELD, icao24=f"15{number:04x}", east_nm=38, north_nm=number, height_ft=30_000)
    pilot.fly(120, kt=30)
    false = Pilot(QUIET_FIELD, icao24=pilot.icao24, at=pilot.at, north_nm=0.1 * number)
    false.wait(seconds=start_s).park(600)
    return [*pilot.fixes, *false.fixes]


def test_arrivals_that_never_approached_are_not_believed_and_the_hour_is_degraded(world: World) -> None:
    world.live([fix for number in range(4) for fix in put_on_the_field(number, 10 * number)])
    assert world.visits() == []
    assert degraded(world) == [True]
    assert degraded(world, DONUT_BASE.id) == [False]
    assert counts(world)["twin"] > 100


def test_one_broken_transponder_degrades_nothing(world: World) -> None:
    world.live(put_on_the_field(1, 0))
    assert world.visits() == []
    assert degraded(world) == [False]


def test_a_misread_address_beside_the_true_one_makes_no_visit(world: World) -> None:
    true = Pilot(QUIET_FIELD, icao24="15521f").approach(from_nm=20).roll_out().park(600)
    heard = [replace(fix, callsign="RFF7091") for fix in true.fixes]
    # One bit off, now and then, from the same replies.
    twin = [replace(fix, icao24="15521d") for fix in heard[::4]]
    world.live([*heard, *twin])
    assert [visit.icao24 for visit in world.visits()] == ["15521f"]
    assert counts(world)["misread"] >= 1


def test_two_aircraft_whose_addresses_differ_by_one_bit_are_two(world: World) -> None:
    first = Pilot(QUIET_FIELD, icao24="15521f").approach(from_nm=20).roll_out().park(1200)
    second = Pilot(QUIET_FIELD, icao24="15521d", at=NOON + timedelta(minutes=5)).approach(from_nm=20)
    flown = [*first.fixes, *(replace(fix, callsign="RFF7092") for fix in second.roll_out().park(300).fixes)]
    world.live([replace(fix, callsign=fix.callsign or "RFF7091") for fix in flown])
    assert {visit.icao24 for visit in world.visits()} == {"15521f", "15521d"}


def test_what_begins_with_a_jump_is_believed_once_it_has_outlived_the_rest() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=38, height_ft=30_000).fly(120, kt=30)
    parked = Pilot(QUIET_FIELD, at=pilot.at).park(3500)
    assert believed_track([*pilot.fixes, *parked.fixes]).fixes == tuple(pilot.fixes)
    parked.park(600)
    assert believed_track([*pilot.fixes, *parked.fixes]).fixes == tuple(parked.fixes)


def test_every_rejected_report_is_counted_once(world: World) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600)
    bad = replace(pilot.fixes[20], lat=pilot.fixes[20].lat + 2)
    ahead = replace(pilot.fixes[30], at=pilot.fixes[30].at + HOUR, received_at=pilot.fixes[30].received_at)
    pilot.fixes[20] = bad
    world.live(pilot.fixes)
    world.poll(pilot.at + timedelta(seconds=40), [ahead])
    world.derive(pilot.at + timedelta(seconds=40))
    assert counts(world) == {"future": 1, "teleport": 1}


def test_jamming_around_a_place_degrades_its_hour(world: World) -> None:
    sound = [Pilot(QUIET_FIELD, icao24=f"e0{n:04x}", north_nm=n, height_ft=30_000) for n in range(9)]
    poor = [Pilot(QUIET_FIELD, icao24=f"e1{n:04x}", north_nm=-n, height_ft=30_000) for n in range(3)]
    reports = [pilot.fly(60, kt=430, nic=8, nac_p=9) for pilot in sound]
    reports += [pilot.fly(60, kt=430, nic=0, nac_p=0) for pilot in poor]
    world.live([fix for pilot in reports for fix in pilot.fixes])
    assert degraded(world) == [True]
    assert degraded(world, DONUT_BASE.id) == [False]
    assert counts(world)["low_integrity"] == 18


@pytest.mark.parametrize(
    ("poor", "sound", "is_jammed"), [(2, 0, False), (3, 0, True), (3, 17, False), (3, 16, True)]
)
def test_a_few_poor_receivers_among_many_are_no_jamming(poor: int, sound: int, is_jammed: bool) -> None:
    fixes = [
        Pilot(QUIET_FIELD, icao24=f"e0{n:04x}").report(
            ground=False, kt=430, nac_p=0 if n < poor else 9, nic=8
        )
        for n in range(poor + sound)
    ]
    assert jammed(fixes) is is_jammed
    assert not jammed([replace(fix, source="other") for fix in fixes])


def test_every_reason_has_words() -> None:
    assert told({"twin": 3, "future": 1}) == (
        f"Not believed in the last day: 3 × {REJECTION_REASONS['twin']}; 1 × {REJECTION_REASONS['future']}."
    )
    assert told({}) == ""
