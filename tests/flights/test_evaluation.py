"""Taking reports away and reading again: what is still found, on real and on labelled synthetic flights."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.flights_attainable import attainable
from benchmarks.flights_far import far
from benchmarks.flights_paris import places, polls, tracks
from benchmarks.flights_reliability import HARD, mixed, real
from benchmarks.flights_synthetic import LABELS, flights, world_of
from monitor.flights.evaluation.masking import (
    LEAST_FLIGHTS,
    below_ft,
    evaluate_place,
    evaluate_places,
    within_km,
)
from monitor.flights.evaluation.recording import NEVER
from monitor.flights.places import place_of
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import CLASSES, Pilot


def test_of_synthetic_flights_visits_are_found_and_flights_past_are_not() -> None:
    found = Counter(each.label for each in far(200, 4, 5) if each.grade)
    assert found["visit"] >= 18
    assert found["through"] == 0
    # Landing next door and circling for hours may look like a visit: the document says so.
    assert 0 < found["elsewhere"] < 20
    assert 0 < found["patrol"] < 20


def test_what_may_have_been_elsewhere_is_told_with_less_confidence_than_what_was_here() -> None:
    graded = Counter((each.label, each.grade) for each in far(200, 4, 10))
    assert graded["visit", "confirmed (4)"] >= 4
    assert graded["visit", "confirmed (3)"] >= 20
    assert graded["elsewhere", "confirmed (4)"] <= 1
    assert graded["elsewhere", "presumed (2)"] > graded["elsewhere", "confirmed (3)"]


def test_a_history_makes_a_visit_likelier_but_no_flight_on_the_usual_way_certain() -> None:
    told = [each for km in (100.0, 300.0) for each in far(km, 12, 10, known=True)]
    hard = mixed(told, HARD)
    assert {label: sum(each.label == label for each in hard) for label in HARD} == {
        "visit": 240,
        "elsewhere": 120,
        "patrol": 120,
        "through": 0,
    }
    sure = real(each for each in hard if each.grade == "confirmed (4)")
    likely = real(each for each in hard if each.grade == "confirmed (3)")
    assert sure.of > 20
    assert (sure.value or 0) >= 0.95
    assert (likely.value or 0) >= 0.8


def test_far_out_a_history_of_visits_and_gates_finds_what_is_doubted_without_it() -> None:
    unknown, known = (
        sum(each.label == "visit" and bool(each.grade) for each in far(700, 2, 5, known=know))
        for know in (False, True)
    )
    assert unknown < 5 < known


def test_synthetic_flights_are_the_same_for_the_same_seed_and_silent_in_the_dark() -> None:
    world = world_of(place_of(QUIET_FIELD), 100, 1)
    made = list(flights(world, 3, 1))
    assert made == list(flights(world, 3, 1))
    assert made != list(flights(world, 3, 2))
    assert {flight.label for flight in made} == set(LABELS)
    # The way in is straight: nothing is heard nearer than the circle's edge.
    dark = within_km(world.place, 99 * 1.852)
    assert not any(dark(fix) for flight in made for fix in flight.fixes)


def test_a_judge_that_knows_the_other_flights_tells_what_is_left_of_orlys_arrivals() -> None:
    by_aircraft, fields = tracks([fix for _, fixes in polls() for fix in fixes or ()]), places()
    orly = next(place for place in fields if place.id == "lfpo")
    recall, precision = attainable(by_aircraft, fields, orly, within_km(orly, 20), NEVER)
    assert (recall.hits, recall.of) == (27, 27)
    assert precision.of - precision.hits <= 1
    # Nothing is left of a flight that is taken away whole.
    assert attainable(by_aircraft, fields, orly, lambda _fix: True, NEVER)[0].hits == 0


def test_a_masked_landing_is_presumed_and_a_flight_past_is_not() -> None:
    place = place_of(QUIET_FIELD)
    landed = Pilot(QUIET_FIELD, icao24="150001").approach(from_nm=40, kt=170).roll_out().taxi().park(9000)
    passed = Pilot(QUIET_FIELD, icao24="150002", east_nm=60, height_ft=33_000).fly(1200, kt=430)
    cell = evaluate_place(
        {"150001": landed.fixes, "150002": passed.fixes}, [place], place, within_km(place, 25), CLASSES
    )
    assert (cell.arrivals.hits, cell.arrivals.of, cell.precision.of) == (1, 1, 1)
    assert (cell.false_visits.hits, cell.false_visits.of) == (0, 1)
    assert abs(cell.errors_s[0]) < 600
    assert (cell.flights, cell.measured) == (2, False)
    both = cell + cell
    assert (both.arrivals.of, both.errors_s) == (2, cell.errors_s * 2)
    assert LEAST_FLIGHTS == 200


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
    cell = evaluate_places(by_aircraft, [orly], lambda place: within_km(place, 10), CLASSES)
    assert (cell.arrivals.hits, cell.arrivals.of, cell.precision.hits, cell.precision.of) == (27, 27, 27, 27)
    assert cell.false_visits.hits == 0
