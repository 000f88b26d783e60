"""Where a lost aircraft may have gone: course, height, runways, other airports, and what others say of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from shapely import box

from db.records import Fix, Visit
from monitor.flights.places import Place, place_of
from monitor.flights.signal_loss.candidates import unwatched_airports_around
from monitor.flights.signal_loss.corridors import FLEW_ON, KnownFlight, corridors_of, state_of
from monitor.flights.signal_loss.estimates import approach_side, on_approach
from monitor.flights.signal_loss.gaps import Gap, GapEnd, flew_in, gaps, last_before_silence
from monitor.flights.signal_loss.geometry import (
    course_ratio,
    vertical_ratio,
)
from monitor.flights.signal_loss.hearing import hearing_of
from monitor.flights.signal_loss.performance import Performance, performance_of
from monitor.flights.signal_loss.posterior import Outlook, Posterior, Question, emerged_from, posterior_of
from monitor.flights.signal_loss.prior import Habit, History, flight_history
from monitor.flights.tracks.identity import Aircraft
from monitor.sites.geodesy import destination
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import NOON, one_runway
from tests.kit.outlooks import heard_on_the_ground, outlook

FIELD = one_runway({"icao": "XXQF"})
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


def judged(
    lost: GapEnd,
    given: Outlook,
    back: GapEnd | None = None,
    hours: float = 0.2,
    *,
    type_of: Performance = IL62,
    places: tuple[Place, ...] = (FIELD,),
) -> Posterior:
    gap = Gap(lost, back, timedelta(seconds=30))
    return posterior_of(Question(gap, places, given, type_of, frozenset(), "", NOON + timedelta(hours=hours)))


def chance(posterior: Posterior, name: str = FIELD.id) -> float:
    """How likely one place is."""
    return next((each.probability for each in posterior.places if each.place.id == name), 0.0)


def question(back: GapEnd, given: Outlook) -> Question:
    return Question(Gap(back, None, timedelta(0)), [FIELD], given, IL62, frozenset(), "", NOON)


def away(*nm: float) -> np.ndarray:
    return np.array(nm)


def other(away_nm: float, bearing: float) -> Place:
    """Another airport, seen from the field."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    return replace(
        FIELD, site=replace(FIELD.site, id="XXOT", name="Other", codes={"icao": "XXOT"}), lat=lat, lon=lon
    )


def test_far_out_the_course_tells_much_and_near_by_little_and_no_course_is_impossible() -> None:
    straight, aside, across = course_ratio(away(0, 35, 150), away(200, 200, 200), outbound=False)
    assert straight > 5
    assert 0 < across < aside < 1
    near = course_ratio(away(0, 35, 150), away(12, 12, 12), outbound=False)
    assert straight > near[0] > near[1] > near[2] > across
    # Whatever the distance, it is a density: over all courses it is that of any flight.
    for nm in (5, 20, 60, 300):
        every = course_ratio(np.linspace(0, 180, 20_001), np.full(20_001, float(nm)), outbound=False)
        assert every.mean() == pytest.approx(1.0, abs=0.02)


def test_a_descent_to_the_field_fits_and_level_flight_above_it_does_not() -> None:
    def vertical(of: GapEnd, nm: float, *, outbound: bool = False) -> float:
        return float(vertical_ratio(of, away(0.0), away(nm), outbound=outbound)[0])

    descending = vertical(end(60, 0, 180, 16_000, -1500), 60)
    assert descending > 2
    assert vertical(end(25, 0, 180, 33_000), 25) < 0.1
    assert vertical(end(60, 0, 180, 16_000, 1500), 60) < 0.1
    # On the way out it is the mirror image; before the descent begins level flight says nothing.
    assert vertical(end(60, 0, 0, 16_000, 1500), 60, outbound=True) == pytest.approx(descending)
    assert vertical(end(300, 0, 180, 33_000), 300) == 1.0
    assert vertical(end(60, 0, 180, None, -1500), 60) == 1.0
    assert vertical_ratio(end(60, 0, 180, 16_000, -1500), away(np.nan), away(60), outbound=False)[0] == 1.0


def test_all_answers_add_up_to_one() -> None:
    lost, back = end(135, 0, 180, 33_000), end(135, 0, 0, 33_000)
    later = replace(back, fix=replace(back.fix, at=NOON + timedelta(hours=3)))
    for found in (judged(lost, outlook(others=[other(20, 90)])), judged(lost, outlook(), later)):
        assert found.landed + found.flew_on + found.circled == pytest.approx(1.0)
        assert sum(each.probability for each in found.places) <= found.landed + 0.01


def test_airports_that_nobody_watches_take_their_share() -> None:
    lost = end(135, 0, 180, 33_000)
    shared = judged(lost, outlook(others=[other(20, 90)]))
    assert [each.place.id for each in shared.places] == [FIELD.id, "XXOT"]
    assert [each.watched for each in shared.places] == [True, False]
    assert chance(shared) < chance(judged(lost, outlook()))
    # Where a landing would have been heard it has not landed.
    heard = outlook(others=[other(20, 90)], hearing=heard_on_the_ground([other(20, 90)]))
    assert chance(judged(lost, heard), "XXOT") < 0.1 * chance(shared, "XXOT")


def test_however_many_airports_there_are_a_climbing_flight_goes_on() -> None:
    crowd = [
        replace(other(60.0 + 7 * n, 17.0 * n), site=replace(FIELD.site, id=f"o{n}", codes={}))
        for n in range(80)
    ]
    assert judged(end(30, 0, 0, 15_000, 2_000), outlook(others=crowd)).flew_on > 0.5


def test_a_destination_that_another_service_names_counts_twentyfold() -> None:
    lost, others = end(250, 0, 180, 33_000), [other(20, 90)]
    plain = chance(judged(lost, outlook(others=others)))
    assert chance(judged(lost, outlook(others=others, hinted=frozenset({"XXQF"})))) > plain
    assert chance(judged(lost, outlook(others=others, hinted=frozenset({"ZBAA"})))) < plain


def test_what_became_of_earlier_flights_of_its_kind_raises_and_lowers_the_belief() -> None:
    lost = end(250, 0, 180, 33_000)
    new, used, passed = (
        chance(judged(lost, outlook(habits=habits)))
        for habits in ([], [Habit(10, {FIELD.id: 7}, 0)], [Habit(10, {}, 7)])
    )
    assert passed < new < used


def test_two_earlier_flights_of_a_scheduled_number_make_it_nearly_certain() -> None:
    lost, rival = end(250, 0, 190, 33_000), [other(40, 90)]
    seen = Visit(
        "a", 1, FIELD.id, "7277a9", "confirmed", 3, NOON, None, NOON, NOON, NOON, callsign="KOR272"
    )  # fmt: skip
    flight = Aircraft("7277cf", "KOR272")
    history = flight_history([seen, replace(seen, visit_id="b")], flight, frozenset(), "")
    assert chance(judged(lost, outlook(others=rival))) < 0.7
    assert chance(judged(lost, outlook(others=rival, habits=history.habits))) > 0.9
    # Another number of the same airline says far less, and the number stays when only the flight's own evidence counts.
    assert flight_history([seen], replace(flight, callsign="KOR151"), frozenset(), "").habits == ()
    assert history.of_number.habits == history.habits


def test_history_backs_off_from_the_flight_number_to_the_class() -> None:
    visit = Visit(
        "a",
        1,
        "f",
        "15521f",
        "confirmed",
        4,
        NOON,
        None,
        NOON,
        NOON,
        NOON,
        subjects=("class:vip_military", "operator:RFF"),
    )
    states = ("present", "confirmed", "withdrawn", "through_flight", "diverted", "lost_toward")
    visits = [replace(visit, visit_id=state, state=state) for state in states]  # type: ignore[arg-type]
    kinds = frozenset({"class:vip_military"})
    (habit,) = flight_history(visits, Aircraft("15521b"), kinds, "").habits
    assert (habit.landed, habit.flew_on) == ({"f": 2}, 2)
    assert flight_history(visits, Aircraft("15521b"), frozenset({"class:airliner"}), "") == History()
    shares = History((Habit(10.0, {"f": 10}, 0), Habit(0.1, {"g": 2}, 0))).landing_shares(
        {"f": 0.5, "g": 0.5}
    )
    assert shares["g"] > 0.95
    assert sum(shares.values()) == pytest.approx(1.0)


def test_traffic_shares_out_what_known_places_have_together_and_no_more() -> None:
    base = {"big": 0.2, "small": 0.2, "unknown": 0.6}
    shares = History((), {"big": 90, "small": 10}).landing_shares(base)
    assert shares["big"] > 4 * shares["small"]
    assert shares["unknown"] == 0.6
    assert sum(shares.values()) == pytest.approx(1.0)


def state(lost: GapEnd) -> np.ndarray:
    return state_of(lost.fix, lost.course_deg, lost.rate_fpm)[np.newaxis]


def test_earlier_flights_that_fell_silent_in_a_like_state_tell_where_it_went() -> None:
    # A way that bends: the course leads past the field, but those who flew it landed there.
    lost, rival = end(25, 0, 140, 9_000, 0), [other(40, 90)]
    bent = [KnownFlight("a", FIELD.id, state(end(25.2, 0.5, 142, 9_200, 100))) for _ in range(8)]
    alone = judged(lost, outlook(others=rival))
    assert chance(judged(lost, outlook(others=rival, flown=bent))) > 0.8 > chance(alone)
    gone = [replace(each, to=FLEW_ON) for each in bent]
    assert judged(lost, outlook(others=rival, flown=gone)).landed < 0.5
    # Elsewhere in the sky they say nothing.
    far = judged(end(25, 120, 300, 9_000, -800), outlook(others=rival, flown=bent))
    assert far.places == judged(end(25, 120, 300, 9_000, -800), outlook(others=rival)).places
    assert corridors_of([]).alike(lost) == {}


def test_what_is_not_known_of_a_state_is_one_step_and_each_flight_counts_once() -> None:
    lost = end(25, 0, 140, 9_000, -800)
    known = corridors_of([KnownFlight("a", "f", np.repeat(state(lost), 5, axis=0))])
    assert known.alike(lost) == {"f": pytest.approx(1.0)}
    bare = state_of(replace(lost.fix, altitude_ft=None, ground_speed_kt=None), None, None)[np.newaxis]
    assert 0 < corridors_of([KnownFlight("a", "f", bare)]).alike(lost)["f"] < 0.2


def test_a_loss_is_the_last_report_before_five_minutes_of_silence() -> None:
    first = end(25, 0, 140, 9_000).fix
    minutes = (0, 1, 2, 8, 9)
    track = [replace(first, at=NOON + timedelta(minutes=each)) for each in minutes]
    assert [fix.at for fix in last_before_silence(track)] == [track[2].at, track[4].at]
    assert last_before_silence([]) == []


def test_who_must_have_landed_has_and_who_is_refuelled_may_circle() -> None:
    lost = end(250, 0, 180, 33_000)
    early, late = judged(lost, outlook()), judged(lost, outlook(), hours=20)
    assert early.landed < late.landed == pytest.approx(1.0)
    bomber = judged(lost, outlook(), type_of=performance_of("T160"), hours=20)
    assert bomber.landed < 1
    assert bomber.circled > early.circled


def _flown(courses: Sequence[float], *, minutes: float = 10, start: Fix | None = None) -> list[Fix]:
    """A report a minute on each course for so long, at 420 kt."""
    fix = start or end(80, 0, courses[0], 20_000).fix
    track = [fix]
    for course in courses:
        for _ in range(int(minutes)):
            lat, lon = destination(fix.lat, fix.lon, course, 7.0)
            fix = replace(fix, at=fix.at + timedelta(minutes=1), lat=lat, lon=lon, track_deg=course)
            track.append(fix)
    return track


def test_who_went_to_and_fro_before_it_was_lost_more_often_circles_than_lands() -> None:
    straight, circling = _flown([180] * 6), _flown([0, 90, 180, 270] * 3 + [180])
    (bound,), (patrol,) = gaps(straight), gaps(circling)
    assert bound.detour == pytest.approx(1.0, abs=0.05)
    assert patrol.detour > 4
    # Half of the circles unheard are circles all the same, and a landing ends the count.
    heard = [fix for n, fix in enumerate(circling) if n % 40 < 20]
    assert gaps(heard)[-1].detour > 3
    parked = [replace(fix, on_ground=True, ground_speed_kt=0) for fix in _flown([0], start=circling[-1])]
    assert gaps([*circling, *parked, *_flown([180], start=parked[-1], minutes=20)])[
        -1
    ].detour == pytest.approx(1.0, abs=0.05)
    # A hold before the landing is no patrol.
    held = [*straight, *_flown([270, 0, 90, 180], minutes=2, start=straight[-1])[1:]]
    assert gaps(held)[-1].detour < 1.3
    lost = end(60, 0, 180, 16_000, -1500)
    seen = [
        posterior_of(
            Question(
                Gap(lost, None, timedelta(seconds=30), gap.detour),
                (FIELD,),
                outlook(),
                performance_of("P8"),
                frozenset(),
                "",
                NOON + timedelta(minutes=12),
            )
        )
        for gap in (bound, patrol)
    ]
    assert seen[1].circled > 5 * seen[0].circled
    assert seen[1].landed < 0.7 * seen[0].landed


def test_where_flying_on_would_be_heard_a_silence_says_that_it_landed() -> None:
    lost = end(80, 0, 180, 30_000)
    ahead = [
        destination(lost.fix.lat, lost.fix.lon, course, nm)
        for course in range(130, 231, 5)
        for nm in range(0, 220, 3)
    ]
    cells = [(int(lat // 0.05), int(lon // 0.05), 30, 30) for lat, lon in ahead]
    heard = judged(lost, outlook(hearing=hearing_of(cells)))
    assert heard.flew_on < 0.2 * judged(lost, outlook()).flew_on
    # Out of the area that is asked about nobody is heard.
    narrow = f"circle:{lost.fix.lat},{lost.fix.lon},8"
    assert judged(lost, outlook(hearing=hearing_of(cells), scope=narrow)).flew_on > 3 * heard.flew_on


def test_a_stay_that_the_silence_leaves_no_time_for_is_no_stay() -> None:
    lost, back = end(135, 0, 180, 33_000), end(135, 0, 0, 33_000)
    soon = replace(back, fix=replace(back.fix, at=NOON + timedelta(minutes=50)))
    later = replace(back, fix=replace(back.fix, at=NOON + timedelta(minutes=120)))
    assert judged(lost, outlook(), soon).circled > 0.9
    assert chance(judged(lost, outlook(), later)) > 0.8
    # On the other side after the time of a straight flight it flew through.
    beyond = end(135, 180, 180, 33_000)
    through = replace(beyond, fix=replace(beyond.fix, at=NOON + timedelta(minutes=37)))
    assert judged(lost, outlook(), through).flew_on > 0.95


def test_a_region_has_its_places_and_the_ground_between_them() -> None:
    lat, lon = FIELD.lat, FIELD.lon
    country = place_of(
        replace(
            QUIET_FIELD,
            id="land",
            kind="region",
            geometry=box(lon - 3, lat - 3, lon + 3, lat + 1.5),
            gates=(),
        )
    )
    twin = replace(other(30, 200), site=replace(FIELD.site, id="twin", codes={}))
    found = judged(end(135, 0, 185, 33_000), outlook(regions=[country]), places=(FIELD, twin))
    there = sum(each.probability for each in found.places)
    assert found.regions["land"] > there > max(each.probability for each in found.places)
    assert {each.region for each in found.places} == {"land"}
    assert found.landed >= found.regions["land"]


def test_a_departure_shows_itself_by_its_climb_but_not_where_a_flight_enters_the_area() -> None:
    climbing = end(20, 90, 90, 7_000, 2_000)

    def found(back: GapEnd, given: Outlook) -> str:
        best = emerged_from(question(back, given), back)
        return "" if best is None else best.place.id

    assert found(climbing, outlook()) == FIELD.id
    assert found(climbing, outlook(entered=True)) == ""
    assert found(climbing, outlook(hearing=heard_on_the_ground([FIELD]))) == ""
    assert found(end(20, 90, 90, 33_000), outlook()) == ""
    assert found(end(30, 90, 270, 9_000, 2_000), outlook()) == ""
    # Where three came back before, it is no chance either.
    far = end(140, 90, 90, 33_000)
    assert (found(far, outlook()), found(far, outlook(emerged={FIELD.id: 3}))) == ("", FIELD.id)
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
