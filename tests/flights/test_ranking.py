"""Where a lost aircraft may have gone: course, height, runways, other airports, and what others say of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from shapely import Polygon

from db.records import Fix, Visit
from monitor.flights.places import Place, place_of
from monitor.flights.signal_loss.candidates import unwatched_airports_around
from monitor.flights.signal_loss.estimates import approach_side, on_approach
from monitor.flights.signal_loss.gaps import Gap, GapEnd, flew_in
from monitor.flights.signal_loss.likelihood import (
    course_likelihood,
    glide_path_likelihood,
    is_on_final,
    leads_to,
    vertical_likelihood,
    way_to_runway_nm,
)
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.ranking import Candidate, Outlook, emerged_from, past_of, rank
from monitor.sites.geodesy import destination
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import NOON
from tests.kit.outlooks import outlook

RUNWAY = {"name": "09/27", "ends": [list(reversed(destination(40, 60, course, 1))) for course in (270, 90)]}
FIELD = place_of(
    replace(
        QUIET_FIELD,
        geometry=Polygon([destination(40, 60, course, 1.5)[::-1] for course in (45, 135, 225, 315)]),
        runways=(RUNWAY,),
        elevation_ft=0.0,
        codes={"icao": "XXQF"},
    )
)
IL62 = performance_of("IL62")


def end(
    away_nm: float, bearing: float, flown: float, height_ft: float | None, rate_fpm: float | None = 0.0
) -> GapEnd:
    """An aircraft so far from the field, seen from it at a bearing, flying on a course."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    fix = Fix(
        "adsb.lol",
        "15521f",
        NOON,
        NOON,
        lat,
        lon,
        on_ground=False,
        altitude_ft=height_ft,
        ground_speed_kt=450,
        track_deg=flown,
    )
    return GapEnd(fix, flown, rate_fpm, airborne=True)


def ranked(lost: GapEnd, given: Outlook, back: GapEnd | None = None, hours: float = 1) -> list[Candidate]:
    gap = Gap(lost, back, timedelta(seconds=30))
    return rank(gap, [FIELD], given, IL62, now=NOON + timedelta(hours=hours))


def other(away_nm: float, bearing: float) -> Place:
    """Another airport, seen from the field."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    return replace(
        FIELD, site=replace(FIELD.site, id="XXOT", name="Other", codes={"icao": "XXOT"}), lat=lat, lon=lon
    )


def test_far_out_only_the_straight_way_leads_there_and_near_by_any_may() -> None:
    assert leads_to(end(200, 0, 180, 33_000), FIELD)
    assert not leads_to(end(200, 0, 215, 33_000), FIELD)
    assert leads_to(end(20, 0, 215, 5_000), FIELD)
    assert course_likelihood(end(200, 0, 180, 33_000), FIELD, outbound=False) == 1.0
    assert course_likelihood(end(200, 0, 200, 33_000), FIELD, outbound=False) < course_likelihood(
        end(200, 0, 190, 33_000), FIELD, outbound=False
    )


def test_a_descent_to_the_field_fits_and_level_flight_above_it_does_not() -> None:
    descending = vertical_likelihood(end(60, 0, 180, 16_000, -1500), FIELD, outbound=False)
    level = vertical_likelihood(end(25, 0, 180, 33_000), FIELD, outbound=False)
    climbing = vertical_likelihood(end(60, 0, 180, 16_000, 1500), FIELD, outbound=False)
    assert descending > 2
    assert level < 0.1
    assert climbing < 0.1
    # On the way out it is the mirror image; before the descent begins level flight says nothing.
    assert vertical_likelihood(end(60, 0, 0, 16_000, 1500), FIELD, outbound=True) == pytest.approx(descending)
    assert vertical_likelihood(end(300, 0, 180, 33_000), FIELD, outbound=False) == 1.0
    assert vertical_likelihood(end(60, 0, 180, None, -1500), FIELD, outbound=False) == 1.0


@pytest.mark.parametrize(
    ("lost", "way_nm", "final"),
    [
        (end(10, 90, 270, 3_000), 9, True),
        (end(10, 270, 90, 3_000), 9, True),
        (end(10, 60, 180, 3_000), 13, False),  # base leg: 5 NM to the centreline, 7.7 NM along it
        (end(10, 90, 90, 3_000), None, False),  # flying away
        (end(10, 0, 0, 3_000), None, False),
        (end(60, 90, 270, 18_000), None, False),  # too far for a final approach
    ],
)
def test_the_way_to_a_runway_is_straight_in_or_by_joining_the_final(
    lost: GapEnd, way_nm: float | None, final: bool
) -> None:
    way = way_to_runway_nm(lost, FIELD)
    assert way == (None if way_nm is None else pytest.approx(way_nm, abs=0.5))
    assert is_on_final(lost, FIELD) is final


def test_a_height_fits_the_way_that_is_left_on_three_degrees() -> None:
    assert glide_path_likelihood(10, 3_000) > 0.9
    assert glide_path_likelihood(10, 9_000) < 0.1 > glide_path_likelihood(30, 3_000)


def test_of_two_fields_the_one_whose_final_is_joined_is_likelier() -> None:
    plain = place_of(replace(FIELD.site, runways=()))
    base_leg = end(10, 60, 180, 3_000, -600)
    gap = Gap(base_leg, None, timedelta(seconds=30))
    with_runway = rank(gap, [FIELD], outlook(), IL62, now=NOON)[0].probability
    without = rank(gap, [plain], outlook(), IL62, now=NOON)[0].probability
    assert with_runway > without


def test_airports_that_nobody_watches_take_their_share() -> None:
    lost = end(135, 0, 180, 33_000)
    alone = ranked(lost, outlook())[0]
    shared = ranked(lost, outlook(others=[other(20, 90)]))
    assert [each.place.id for each in shared] == [FIELD.id, "XXOT"]
    assert [each.watched for each in shared] == [True, False]
    assert shared[0].probability < alone.probability
    # One on the straight way, nearer, with the field well aside, is likelier.
    aside = end(135, 0, 200, 33_000)
    assert ranked(aside, outlook(others=[other(60, 0)]))[0].place.id == FIELD.id
    assert not any(
        each.place.id == "XXOT"
        for each in ranked(lost, outlook(others=[other(20, 90)], covered=lambda p: p.id == "XXOT"))
    )


def test_a_destination_that_another_service_names_counts_tenfold() -> None:
    lost, others = end(250, 0, 180, 33_000), [other(20, 90)]
    plain = ranked(lost, outlook(others=others))[0].probability
    assert ranked(lost, outlook(others=others, hinted=frozenset({"XXQF"})))[0].probability > plain
    assert ranked(lost, outlook(others=others, hinted=frozenset({"ZBAA"})))[0].probability < plain


def test_what_became_of_earlier_flights_of_its_kind_raises_and_lowers_the_belief() -> None:
    lost = end(250, 0, 180, 33_000)
    new, used, passed = (
        ranked(lost, given)[0].probability
        for given in (outlook(), outlook(before={FIELD.id: 7}), outlook(passed={FIELD.id: 7}))
    )
    assert passed < new < used
    visit = Visit(
        "a", 1, "f", "15521f", "present", 4, NOON, None, NOON, NOON, NOON, subjects=("class:vip_military",)
    )
    states = ("present", "confirmed", "withdrawn", "through_flight", "diverted", "lost_toward")
    visits = [replace(visit, state=state) for state in states]  # type: ignore[arg-type]
    assert past_of(visits, frozenset({"class:vip_military"})) == (2, 2)
    assert past_of(visits, frozenset({"class:airliner"})) == (0, 0)


def test_who_must_have_landed_may_less_be_anywhere_and_who_is_refuelled_more() -> None:
    lost = end(250, 0, 180, 33_000)
    early, late = (ranked(lost, outlook(), hours=hours)[0].probability for hours in (1, 20))
    assert early < late
    gap = Gap(lost, None, timedelta(seconds=30))
    bomber = rank(gap, [FIELD], outlook(), performance_of("T160"), now=NOON + timedelta(hours=1))[0]
    assert bomber.probability < early


def test_a_stay_that_the_silence_leaves_no_time_for_is_no_candidate() -> None:
    lost, back = end(135, 0, 180, 33_000), end(135, 0, 0, 33_000)
    soon = replace(back, fix=replace(back.fix, at=NOON + timedelta(minutes=50)))
    later = replace(back, fix=replace(back.fix, at=NOON + timedelta(minutes=120)))
    assert ranked(lost, outlook(), soon) == []
    assert ranked(lost, outlook(), later)[0].place.id == FIELD.id


def test_a_departure_shows_itself_by_its_climb_but_not_where_a_flight_enters_the_area() -> None:
    climbing = end(20, 90, 90, 7_000, 2_000)
    found = emerged_from(climbing, [FIELD], outlook())
    assert found is not None
    assert found.place.id == FIELD.id
    assert emerged_from(climbing, [FIELD], outlook(entered=True)) is None
    assert emerged_from(climbing, [FIELD], outlook(covered=lambda _place: True)) is None
    assert emerged_from(end(20, 90, 90, 33_000), [FIELD], outlook()) is None
    assert emerged_from(end(30, 90, 270, 9_000, 2_000), [FIELD], outlook()) is None
    assert flew_in(climbing, f"circle:{FIELD.lat},{FIELD.lon},50", IL62) is False
    assert flew_in(end(49, 270, 90, 7_000), f"circle:{FIELD.lat},{FIELD.lon},50", IL62) is True


def test_a_field_is_heard_on_the_side_that_others_were_heard_on() -> None:
    west, south, east, north = approach_side(FIELD, end(100, 90, 270, 30_000).fix)
    assert (west, round(east, 1)) == (0.0, round(FIELD.bounds[2] + 2, 1))
    assert south < 0 < north
    assert approach_side(FIELD, end(100, 180, 0, 30_000).fix)[3] == 0.0
    strip = place_of(DATELINE_STRIP)
    beyond = replace(end(1, 0, 0, 0).fix, lat=strip.lat, lon=(strip.lon + 1 + 180) % 360 - 180)
    assert approach_side(strip, beyond)[0] == 0.0


def test_only_who_is_bound_for_a_field_is_left_to_the_approach() -> None:
    assert on_approach(end(5, 90, 270, 2_000), [FIELD])
    assert not on_approach(end(5, 90, 180, 2_000), [FIELD])
    assert not on_approach(end(5, 90, 270, 9_000), [FIELD])


def test_the_airports_around_leave_out_the_sites_themselves() -> None:
    orly = Fix("x", "15521f", NOON, NOON, 48.72, 2.37)
    around = [place.id for place in unwatched_airports_around(GapEnd(orly, 0.0, 0.0, airborne=True), [])]
    assert {"LFPO", "LFPG", "LFPB"} <= set(around)
    site = replace(FIELD, lat=48.7253, lon=2.3594)
    assert "LFPO" not in [
        each.id for each in unwatched_airports_around(GapEnd(orly, 0.0, 0.0, airborne=True), [site])
    ]


def test_a_field_near_by_is_weighed_even_where_the_track_leads_away_from_it() -> None:
    # On the downwind leg of a field behind it, 21 NM from the watched one and far off the direct way to either.
    lost = end(21, 0, 110, 5_000, -1_500)
    lat, lon = destination(lost.fix.lat, lost.fix.lon, 250, 15)
    behind = replace(
        FIELD, site=replace(FIELD.site, id="behind", name="Behind", runways=()), lat=lat, lon=lon
    )
    assert not leads_to(lost, behind)
    found = {each.place.id: each for each in ranked(lost, outlook(others=(behind,)))}
    assert found["behind"].own > 0.05
    assert found[FIELD.id].probability < 0.9
    # From afar nobody flies away from where he goes.
    far = end(300, 0, 110, 33_000)
    assert {each.place.id for each in ranked(far, outlook(others=(behind,)))} == set()
