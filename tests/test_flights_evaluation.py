"""Taking reports away and reading again: what is still found, on real and on labelled synthetic flights."""

from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.flights_far import far
from benchmarks.flights_paris import places, polls, tracks
from monitor.flights.evaluation import ENOUGH, below_ft, evaluate, evaluate_all, within_km
from monitor.flights.matching import place_of
from monitor.flights.synthetic import LABELS, flights, world_of
from tests.cast import QUIET_FIELD
from tests.flying import CLASSES, Pilot


def test_of_synthetic_flights_visits_are_found_and_flights_past_are_not() -> None:
    found = {label: share for label, (share, _) in far(200, 20).items()}
    assert (found["visit"].hits, found["visit"].of) == (20, 20)
    assert (found["through"].hits, found["through"].of) == (0, 20)
    # Landing next door and circling for hours may look like a visit: the document says so.
    assert 0 < found["elsewhere"].hits < 20
    assert 0 < found["patrol"].hits < 20


def test_what_may_have_been_elsewhere_is_told_with_less_confidence_than_what_was_here() -> None:
    graded = {label: told for label, (_, told) in far(200, 20).items()}
    assert graded["visit"]["confirmed (4)"] > graded["visit"].total() / 2
    assert graded["elsewhere"]["confirmed (4)"] <= graded["elsewhere"].total() / 10
    assert graded["elsewhere"]["presumed (2)"] > 0


def test_far_out_a_history_of_visits_and_gates_finds_what_is_doubted_without_it() -> None:
    unknown, known = (far(700, 10, known=each)["visit"][0] for each in (False, True))
    assert unknown.hits < 5 < known.hits


def test_synthetic_flights_are_the_same_for_the_same_seed_and_silent_in_the_dark() -> None:
    world = world_of(place_of(QUIET_FIELD), 100, 1)
    made = list(flights(world, 3, 1))
    assert made == list(flights(world, 3, 1))
    assert made != list(flights(world, 3, 2))
    assert {flight.label for flight in made} == set(LABELS)
    # The way in is straight: nothing is heard nearer than the circle's edge.
    dark = within_km(world.place, 99 * 1.852)
    assert not any(dark(fix) for flight in made for fix in flight.fixes)


def test_a_masked_landing_is_presumed_and_a_flight_past_is_not() -> None:
    place = place_of(QUIET_FIELD)
    landed = Pilot(QUIET_FIELD, icao24="150001").approach(from_nm=40, kt=170).roll_out().taxi().park(9000)
    passed = Pilot(QUIET_FIELD, icao24="150002", east_nm=60, height_ft=33_000).fly(1200, kt=430)
    cell = evaluate(
        {"150001": landed.fixes, "150002": passed.fixes}, [place], place, within_km(place, 25), CLASSES
    )
    assert (cell.arrivals.hits, cell.arrivals.of, cell.precision.of) == (1, 1, 1)
    assert (cell.false_visits.hits, cell.false_visits.of) == (0, 1)
    assert abs(cell.errors_s[0]) < 600
    assert (cell.flights, cell.measured) == (2, False)
    both = cell + cell
    assert (both.arrivals.of, both.errors_s) == (2, cell.errors_s * 2)
    assert ENOUGH == 200


def test_an_altitude_takes_away_the_ground_too() -> None:
    pilot = Pilot(QUIET_FIELD).approach(from_nm=40, kt=170).roll_out().park(60)
    mask = below_ft(3000)
    left = [fix for fix in pilot.fixes if not mask(fix)]
    assert left == [fix for fix in pilot.fixes if not fix.on_ground and (fix.altitude_ft or 0) >= 3000]
    assert max(fix.at for fix in left) < pilot.at - timedelta(minutes=3)


@pytest.mark.shared
def test_orly_is_found_whole_when_ten_kilometres_around_it_are_dark(shared_data: Path) -> None:
    fields = places(shared_data)
    by_aircraft = tracks([fix for _, fixes in polls(shared_data) for fix in fixes or ()])
    orly = fields[0]
    cell = evaluate_all(by_aircraft, [orly], lambda place: within_km(place, 10), CLASSES)
    assert (cell.arrivals.hits, cell.arrivals.of, cell.precision.hits, cell.precision.of) == (27, 27, 27, 27)
    assert cell.false_visits.hits == 0
