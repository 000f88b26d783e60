"""Taking reports away and reading again: what is still found, on real and on labelled synthetic flights."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.flights_attainable import attainable
from benchmarks.flights_coverage import kept_sections
from benchmarks.flights_far import Told, far
from benchmarks.flights_paris import places, polls, tracks
from benchmarks.flights_reliability import HARD, look_alikes, mixed, real, real_in_region, through_told
from benchmarks.flights_routes import measure_routes
from benchmarks.flights_synthetic import LABELS, MEASURED, flights, world_of
from monitor.flights.evaluation.landing_fields import landing_fields
from monitor.flights.evaluation.masking import below_ft, evaluate_place, evaluate_places, within_km
from monitor.flights.evaluation.recording import NEVER
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import place_of
from monitor.sites.geodesy import great_circle_nm
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import CLASSES, Pilot


def test_without_a_history_visits_are_told_flights_past_are_not_and_no_look_alike_is_certain() -> None:
    told = [told for km in (100.0, 700.0) for told in far(km, 2, 8)]
    found = Counter(each.label for each in told if each.grade or each.region_grade)
    assert found["visit"] >= 0.9 * 32
    assert found["through"] == 0
    alike = look_alikes(told)
    # The bar is five in a thousand.
    assert (alike.hits, alike.of) == (0, 96)
    # As many as the mix says: half of them landed at the place, a quarter next door, a quarter circled.
    hard = mixed(told, HARD)
    assert Counter(each.label for each in hard) == {"visit": 32, "elsewhere": 16, "patrol": 16}
    sure = real_in_region(each for each in hard if each.region_grade == "confirmed (4)")
    assert sure.of >= 5
    assert sure.hits == sure.of


def test_flights_past_count_as_told_at_the_place_or_in_the_region_alone() -> None:
    def passed(grade: str, region_grade: str) -> Told:
        return Told(100.0, False, "through", 0, grade, region_grade, 0.0, 0.0)

    past = [passed("", ""), passed("presumed (2)", ""), passed("", "confirmed (3)")]
    landed = replace(passed("confirmed (4)", ""), label="elsewhere")
    found = through_told([*past, landed])
    assert (found.hits, found.of) == (2, 3)


def test_a_section_that_is_kept_says_so_once() -> None:
    document = "# Accuracy\n\n## Real long flights\n\nforty\n\n## Far from all coverage: made up\n\nfar\n\n## Measured on\n\nx\n"
    once = kept_sections(document, ["real"])["real"]
    again = kept_sections("# Accuracy\n" + "\n".join(once), ["real"])["real"]
    for lines in (once, again):
        text = "\n".join(lines)
        assert text.startswith("\n## Real long flights\n")
        assert text.endswith("forty")
        assert text.count("not made anew") == 1
    with pytest.raises(KeyError):
        kept_sections(document, ["nothing"])


def test_with_a_history_the_place_is_told_and_no_look_alike_is_certain() -> None:
    told = [told for km in (100.0, 700.0) for told in far(km, 2, 8, known=True)]
    assert sum(each.label == "visit" and bool(each.grade) for each in told) >= 0.6 * 32
    assert not any(each.label == "through" and (each.grade or each.region_grade) for each in told)
    assert look_alikes(told).hits == 0
    hard = mixed(told, HARD)
    sure = real(each for each in hard if each.grade == "confirmed (4)")
    assert sure.hits == sure.of


def test_made_up_flights_are_the_same_for_the_same_seed_and_silent_inside_the_ragged_edge() -> None:
    world = world_of(place_of(QUIET_FIELD), 100, 1)
    made = list(flights(world, 5, 1))
    assert made == list(flights(world, 5, 1))
    assert made != list(flights(world, 5, 2))
    assert {flight.label for flight in made} == set(LABELS)
    away = [
        great_circle_nm(fix.lat, fix.lon, world.place.lat, world.place.lon)
        for flight in made
        for fix in flight.fixes
    ]
    # The edge reaches in by a quarter, and single flights are heard a little farther in.
    assert min(away) > 100 * 0.75 * 0.85
    reports = [fix for flight in made for fix in flight.fixes]
    turned = {round(fix.track_deg or 0) for fix in reports if fix.icao24 == "100000"}
    assert len(turned) > 2, "ways bend"
    assert len({fix.callsign[:3] for fix in reports}) >= 3, "several airlines fly"
    for flight in made:
        if flight.arrived_at is not None and flight.departed_at is not None:
            assert max(fix.at for fix in flight.fixes if fix.at < flight.departed_at) < flight.arrived_at
            assert min(fix.at for fix in flight.fixes if fix.at > flight.arrived_at) > flight.departed_at


@pytest.mark.shared
def test_made_up_flights_turn_as_the_first_half_of_the_recording_does(shared_data: Path) -> None:
    routes = measure_routes(shared_data)
    measured = {name: (len(routes.cases()[name]), deciles) for name, deciles in routes.deciles().items()}
    assert {name: measured[name] for name in MEASURED} == dict(MEASURED)


@pytest.mark.shared
def test_a_judge_that_knows_the_other_flights_tells_what_is_left_of_orlys_arrivals(shared_data: Path) -> None:
    by_aircraft = tracks([fix for _, fixes in polls(shared_data) for fix in fixes or ()])
    truth = Truth(by_aircraft, places(shared_data), CLASSES)
    orly = next(place for place in truth.places if place.id == "lfpo")
    recall, precision = attainable(truth, orly, within_km(orly, 20), NEVER)
    assert (recall.hits, recall.of) == (27, 27)
    assert precision.of - precision.hits <= 1
    # Nothing is left of a flight that is taken away whole.
    assert attainable(truth, orly, lambda _fix: True, NEVER)[0].hits == 0


def test_a_masked_landing_is_presumed_and_a_flight_past_is_not() -> None:
    place = place_of(QUIET_FIELD)
    landed = Pilot(QUIET_FIELD, icao24="150001").approach(from_nm=40, kt=170).roll_out().taxi().park(9000)
    passed = Pilot(QUIET_FIELD, icao24="150002", east_nm=60, height_ft=33_000).fly(1200, kt=430)
    cell = evaluate_place(
        {"150001": landed.fixes, "150002": passed.fixes},
        [place],
        place,
        within_km(place, 25),
        CLASSES,
        name="25 km",
        judge=True,
    )
    assert (cell.arrivals.hits, cell.arrivals.of, cell.precision.of) == (1, 1, 1)
    assert (cell.false_visits.hits, cell.false_visits.of) == (0, 1)
    assert abs(cell.errors_s[0]) < 600
    assert [(each.side, each.kind, each.matched) for each in cell.events] == [
        ("true", "arrival", True),
        ("told", "arrival", True),
    ]
    # The landing was judged once its silence had lasted; the one that passed was never out of hearing.
    (loss,) = cell.losses
    assert (loss.icao24, loss.place, loss.landed, loss.stage, loss.mask) == (
        "150001",
        place.id,
        True,
        "lost",
        "25 km",
    )
    assert loss.odds[f"place:{place.id}"] > 0.5
    both = cell + cell
    assert (both.arrivals.of, both.errors_s, len(both.losses)) == (2, cell.errors_s * 2, 2)


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


@pytest.mark.shared
def test_the_fields_at_which_a_recording_lands_are_found_without_a_sites_file(shared_data: Path) -> None:
    by_aircraft = tracks([fix for _, fixes in polls(shared_data) for fix in fixes or ()])
    found = {site.id: site for site in landing_fields(by_aircraft)}
    assert {"lfpo", "lfpg", "lfpb"} <= found.keys()
    assert len(found["lfpo"].runways) >= 3
