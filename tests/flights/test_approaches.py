"""The way to a runway, what airports kinds of flights go to, and who is on the ground whatever its report says."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from db.records import Fix, Visit
from db.records.claims import FlightClaim
from monitor.flights.evaluation.recording import StudyContext, TrackRecording
from monitor.flights.places import place_of
from monitor.flights.signal_loss.approaches import approach_ratio, shortest_ways_nm
from monitor.flights.signal_loss.candidates import unwatched_airports_around
from monitor.flights.signal_loss.corridors import KnownFlight, corridors_of, state_of
from monitor.flights.signal_loss.gaps import Gap, GapEnd, flies_out, gaps
from monitor.flights.signal_loss.outlook import known_flights, outlook_of
from monitor.flights.signal_loss.performance import Trade, performance_of
from monitor.flights.signal_loss.posterior import Posterior, Question, posterior_of
from monitor.flights.signal_loss.prior import History, Landing, flight_history
from monitor.flights.tracks.identity import Aircraft
from monitor.flights.tracks.integrity import Track
from monitor.sites.airlines import airline_service
from monitor.sites.geodesy import destination
from tests.kit.flying import CLASSES, NOON, one_runway
from tests.kit.outlooks import outlook

PARIS = (48.8, 2.5)
FIELD = one_runway({})
ROISSY, BOURGET = (
    next(
        each
        for each in unwatched_airports_around(GapEnd(Fix("", "", NOON, NOON, *PARIS), None, None, True), ())
        if each.id == code
    )
    for code in ("LFPG", "LFPB")
)


def end(
    away_nm: float,
    bearing: float,
    flown: float | None,
    height_ft: float | None,
    rate_fpm: float | None = -900.0,
    *,
    kt: float = 250.0,
    type_code: str = "",
) -> GapEnd:
    """An aircraft so far from the field, seen from it at a bearing, flying on a course."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    fix = Fix(
        "feed", "39bda1", NOON, NOON, lat, lon, altitude_ft=height_ft, ground_speed_kt=kt, track_deg=flown, type_code=type_code
    )  # fmt: skip
    return GapEnd(fix, flown, rate_fpm, airborne=True)


def ratio(*where: float | None) -> float:
    found = approach_ratio(end(*where), FIELD)  # type: ignore[arg-type]
    assert found is not None
    return found


def way(course: float, to_x: float, to_y: float, to_course: float) -> float:
    found = shortest_ways_nm(np.zeros(2), np.array(course), np.array([to_x, to_y]), np.array(to_course))
    return float(found)


def test_the_shortest_way_is_straight_or_turns_on_standard_circles() -> None:
    assert way(0, 10, 0, 0) == pytest.approx(10)
    # Half a turn of 2 NM to the opposite course 4 NM beside, and 6 NM straight before it.
    assert way(0, 0, 4, math.pi) == pytest.approx(2 * math.pi)
    assert way(0, -6, 4, math.pi) == pytest.approx(6 + 2 * math.pi)
    # Straight back to where it came from: a turn each way, the same left as right.
    assert way(0, -10, 0, 0) == pytest.approx(10 + 4 * math.pi)
    assert way(0, 7, 5, 1) == pytest.approx(way(0, 7, -5, -1))
    # Never shorter than the straight line, whatever the courses.
    assert all(way(a, 9, 5, b) >= math.hypot(9, 5) - 1e-9 for a in range(7) for b in range(7))


def test_who_can_join_a_final_at_the_height_that_belongs_there_is_bound_for_it() -> None:
    base_leg, away = ratio(10, 60, 180, 4_000), ratio(10, 60, 60, 4_000)
    assert base_leg > max(1, 1.4 * away)
    # On the line itself it is told still better, and both directions of the runway count.
    assert ratio(7, 90, 270, 2_200) > 3 * base_leg
    assert ratio(7, 270, 90, 2_200) == pytest.approx(ratio(7, 90, 270, 2_200), rel=0.05)
    # Three times too high for the way that is left, or climbing, it goes on.
    assert ratio(10, 60, 180, 12_000) < base_leg / 3
    assert ratio(10, 60, 180, 4_000, 1_500) < base_leg / 20


def test_downwind_it_flies_away_from_the_field_and_is_bound_for_it() -> None:
    # 5 NM beside the runway, abeam of it and past it, on the course opposite to the landing.
    assert ratio(5, 0, 90, 5_000) > 3 * ratio(5, 0, 330, 5_000)
    assert ratio(9, 40, 90, 5_000) > ratio(9, 40, 40, 5_000)


@pytest.mark.parametrize(
    "lost",
    [end(20, 0, None, 5_000), end(20, 0, 180, None), end(20, 0, 180, 5_000, None)],
    ids=["course", "height", "rate"],
)
def test_without_course_height_or_rate_a_runway_says_nothing(lost: GapEnd) -> None:
    assert approach_ratio(lost, FIELD) is None
    assert approach_ratio(end(20, 0, 180, 5_000), place_of(replace(FIELD.site, runways=()))) is None


def test_the_table_knows_which_airports_have_scheduled_flights_and_are_large() -> None:
    paris, bourget = airline_service("LFPG"), airline_service("LFPB")
    assert paris is not None
    assert bourget is not None
    assert (paris.scheduled, paris.large) == (True, True)
    assert (bourget.scheduled, bourget.large) == (False, False)
    assert airline_service("") is None


def between(type_code: str, subjects: frozenset[str]) -> dict[str, float]:
    """What is said of an aircraft that is lost as near to Le Bourget as to Charles-de-Gaulle, and leads to neither."""
    middle = (BOURGET.lat + ROISSY.lat) / 2, (BOURGET.lon + ROISSY.lon) / 2
    fix = Fix("feed", "39bda1", NOON, NOON, *destination(*middle, 200, 40), altitude_ft=11_000, ground_speed_kt=300, track_deg=20)  # fmt: skip
    gap = Gap(GapEnd(fix, 20, -800, airborne=True), None, timedelta(seconds=10))
    question = Question(
        gap, [BOURGET, ROISSY], outlook(), performance_of(type_code), subjects, "", NOON + timedelta(minutes=10)
    )  # fmt: skip
    return {each.place.id: each.probability for each in posterior_of(question).places}


def test_airlines_go_where_scheduled_flights_go_and_business_keeps_away_from_large_airports() -> None:
    airliner, jet = between("A320", frozenset({"operator:AFR"})), between("F2TH", frozenset({"operator:NJE"}))
    assert airliner["LFPG"] > 10 * airliner["LFPB"]
    assert jet["LFPB"] > 3 * jet["LFPG"]
    # An airliner that flies for no airline, and a type of no trade, may go to either.
    for open_ in (between("A320", frozenset()), between("IL62", frozenset({"operator:RFF"}))):
        assert 0.3 < open_["LFPB"] / open_["LFPG"] < 3


def landed(type_code: str, callsign: str, to: str, *, claimed: bool = False) -> Landing:
    return Landing(NOON, to, Aircraft("39bda9", callsign, type_code=type_code), claimed=claimed)


def test_only_landings_of_its_own_trade_are_its_traffic() -> None:
    landings = [*[landed("A320", "AFR1", "big")] * 30, *[landed("F2TH", "NJE1", "small")] * 10]
    for type_code, traffic in (
        ("C56X", {"small": 10}),
        ("B738", {"big": 30}),
        ("IL62", {"big": 30, "small": 10}),
    ):
        history = flight_history((), Aircraft("39bda1", type_code=type_code), frozenset(), "", landings)
        assert history.traffic == traffic
    # Busier places get more of what the geometry gives them, and the geometry stays.
    shares = History((), {"a": 90, "b": 10}).landing_shares({"a": 0.1, "b": 0.5, "c": 0.4})
    assert shares["a"] + shares["b"] == pytest.approx(0.6)
    assert shares["a"] / shares["b"] == pytest.approx(0.1 / 0.5 * 95 / 15)


def test_a_list_of_flights_tells_where_an_operator_lands_and_not_whether() -> None:
    lists = [landed("A320", "TVF22LK", "lfpo", claimed=True)] * 6
    history = flight_history((), Aircraft("39ceb1", "TVF051"), frozenset(), "", lists)
    shares = history.landing_shares({"lfpo": 0.5, "lfpg": 0.5})
    assert shares["lfpo"] > 0.8
    assert history.flying_on(0.5, ["lfpo", "lfpg"]) == 0.5
    # What was heard is counted by its visit, not again as a landing; another operator says nothing.
    heard = [landed("A320", "TVF22LK", "lfpo")] * 6
    for aircraft, told in ((Aircraft("39ceb1", "TVF051"), heard), (Aircraft("39ceb1", "AFR1"), lists)):
        assert flight_history((), aircraft, frozenset(), "", told).habits == ()


DAY = timedelta(days=1)


def stay(days: int) -> Visit:
    """A visit that was heard from end to end, so many days before."""
    came = NOON - days * DAY
    left = came + timedelta(hours=2)
    return Visit(f"v{days}", 1, LISTED.id, "39bda9", "departed", 4, came, left, came, left, left, type_code="A320", callsign="TVF22LK")  # fmt: skip


def claim(provider: str, days: int, minutes: float = 0.0) -> FlightClaim:
    """What a list tells of a flight that landed so many days before, and took off again two hours later."""
    came = NOON - days * DAY + timedelta(minutes=minutes)
    return FlightClaim(
        provider, f"{days}", came, "39bda9", "TVF22LK", type_code="A320", origin="XXQF", destination="XXQF",
        landed_at=came, took_off_at=came + timedelta(hours=2),
    )  # fmt: skip


LISTED = one_runway({"icao": "XXQF"})


def test_a_landing_counts_once_whoever_tells_of_it() -> None:
    # Two were heard and listed, one is in two lists alone, minutes apart.
    heard = [stay(3), stay(2)]
    lists = [claim("one", 3, 4), claim("one", 2, -3), claim("one", 1), claim("other", 1, 5)]
    setting = StudyContext(visits={LISTED.id: heard}, claims=lists)
    recording = TrackRecording({}, [LISTED], CLASSES, setting)
    lost = replace(end(25, 0, 180, 9_000, type_code="A320").fix, callsign="TVF051")
    known = outlook_of(Track((lost,), ()), [LISTED], CLASSES, recording.until(NOON)).history(NOON)
    assert known.traffic == {LISTED.id: 3}
    (operator,) = known.habits
    assert operator.claimed == {LISTED.id: 1}


def test_a_departure_counts_once_whoever_tells_of_it() -> None:
    # Each take-off was heard two minutes after the list says so; two of its silences followed.
    lists = [claim("one", 3, -2), claim("one", 2, -2), claim("other", 2, 3)]
    track = [
        replace(end(25, 0, 0, 9_000, 900, type_code="A320").fix, icao24="39bda9", at=NOON - days * DAY + timedelta(hours=2, minutes=9))
        for days in (3, 2)
    ]  # fmt: skip
    setting = StudyContext(visits={LISTED.id: [stay(3), stay(2)]}, claims=lists)
    readers = TrackRecording({"39bda9": track}, [LISTED], CLASSES, setting).until(NOON)
    flown = known_flights([stay(3), stay(2)], [LISTED], end(25, 0, 180, 9_000), readers)
    assert [(each.icao24, each.to) for each in flown] == [("39bda9", "")] * 2


def test_business_aircraft_on_the_same_way_say_little_of_an_airliner() -> None:
    lost = end(25, 0, 180, 9_000, type_code="A320")
    states = np.array([state_of(lost.fix, lost.course_deg, lost.rate_fpm)])
    trades: tuple[Trade, ...] = ("airline", "business", "")
    flown = {trade: corridors_of([KnownFlight("a", "f", states, trade)]) for trade in trades}
    assert flown["airline"].alike(lost)["f"] == flown[""].alike(lost)["f"] == pytest.approx(1)
    assert flown["business"].alike(lost)["f"] < 0.2


def reports(*points: tuple[float, float, float, float | None, bool | None]) -> list[Fix]:
    """Reports of (seconds, NM east of the field, knots, feet, on the ground)."""
    return [
        Fix(
            "feed", "39bda1", NOON + timedelta(seconds=s), NOON + timedelta(seconds=s),
            *destination(FIELD.lat, FIELD.lon, 90, nm), altitude_ft=feet, ground_speed_kt=kt, on_ground=ground,
        )
        for s, nm, kt, feet, ground in points
    ]  # fmt: skip


def test_who_does_not_move_for_a_minute_is_on_the_ground_whatever_it_says_of_its_height() -> None:
    standing = reports(*[(10.0 * n, 0.2, 0.0, 39_025.0, False) for n in range(12)])
    moving = reports(*[(10.0 * n, 9 - n / 2, 180.0, 2_000.0, False) for n in range(12)])
    assert [gap.lost.airborne for gap in gaps(standing)] == [False]
    assert [gap.lost.airborne for gap in gaps(moving)] == [True]
    # Two reports of one moment and one point say nothing of standing still.
    assert [
        gap.lost.airborne
        for gap in gaps([*moving, replace(moving[-1], at=moving[-1].at + timedelta(seconds=9))])
    ] == [True]


def heard_again(kt: float, height_ft: float) -> Posterior:
    lost = end(11, 80, 250, 3_050)
    back = end(0.4, 90, 90, height_ft, 0.0, kt=kt)
    back = replace(back, fix=replace(back.fix, at=NOON + timedelta(minutes=11)))
    gap = Gap(lost, back, timedelta(seconds=10))
    return posterior_of(
        Question(gap, [FIELD], outlook(), performance_of("PC12"), frozenset(), "", back.fix.at)
    )


def test_who_is_heard_again_too_slow_to_fly_has_landed_there_whatever_its_height() -> None:
    rolling = heard_again(60, 39_000)
    assert rolling.landed > 0.9
    assert rolling.places[0].place is FIELD
    assert heard_again(400, 39_000).landed < 0.1


def test_who_should_have_been_heard_for_a_minute_more_has_fallen_silent_though_it_flies_out() -> None:
    scope, steady = f"circle:{FIELD.lat},{FIELD.lon},30", performance_of("A320")
    inside, at_the_edge = end(14, 0, 0, 5_000), end(29, 0, 0, 5_000)
    for lost, before_s, out in ((inside, 10, False), (at_the_edge, 10, True), (inside, 150, True)):
        gap = Gap(lost, None, timedelta(seconds=before_s))
        assert flies_out(lost, scope, steady, gap.noticed_after) is out
