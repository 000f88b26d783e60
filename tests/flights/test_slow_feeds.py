"""What a slow, deaf or mistaken source leaves of a landing and a take-off, and what is still told of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from shapely.affinity import translate
from sqlalchemy import Engine

from db.records import Fix, Visit
from monitor.flights.tracks.pressure import with_geometric_heights
from monitor.flights.words import cadence_words
from monitor.sites import Site
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import NOON, Pilot, World, read

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FIVE_MINUTES_S = 300
FAR_FIELD = replace(
    QUIET_FIELD,
    id="far-field",
    name="Far Field",
    geometry=translate(QUIET_FIELD.geometry, yoff=5),
    runways=tuple(
        {**runway, "ends": [[lon, lat + 5] for lon, lat in runway["ends"]]} for runway in QUIET_FIELD.runways
    ),
)


def only(visits: list[Visit]) -> Visit:
    assert len(visits) == 1, [(each.state, each.arrived_at, each.departed_at) for each in visits]
    return visits[0]


def thinned(fixes: list[Fix], every_s: float, *, late_s: float = 0.0, phase_s: float = 0.0) -> list[Fix]:
    """The reports that polls so far apart bring; each comes up to `late_s` later than the one before says."""
    random, kept = Random(5), []
    due = fixes[0].at + timedelta(seconds=phase_s)
    for fix in fixes:
        if fix.at >= due:
            kept.append(fix)
            due = fix.at + timedelta(seconds=every_s + late_s * random.random())
    return kept


def flight(site: Site = QUIET_FIELD, *, ground: bool, every_s: float = 10) -> Pilot:
    """Comes in, stays for an hour and leaves; without ground reports it is heard down to 150 ft."""
    pilot = Pilot(site, every_s=every_s).approach(from_nm=25, end_ft=20 if ground else 150)
    if ground:
        pilot.roll_out().taxi(300).park(3000).take_off(600)
    else:
        pilot.wait(minutes=60)
        pilot.east_nm, pilot.height_ft = -0.8, 300
        pilot.climb(600)
    return pilot


@pytest.mark.parametrize("ground", [True, False], ids=["ground reported", "deaf below 150 ft"])
@pytest.mark.parametrize(("every_s", "late_s"), [(10, 0), (30, 0), (60, 0), (60, 10), (90, 0)])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.7])
def test_a_visit_is_found_at_the_cadence_that_is_really_polled(
    every_s: float, late_s: float, phase: float, *, ground: bool
) -> None:
    whole = flight(ground=ground)
    true = only(read(whole.fixes, QUIET_FIELD, now=whole.at + HOUR))
    fixes = thinned(whole.fixes, every_s, late_s=late_s, phase_s=phase * every_s)
    visit = only(read(fixes, QUIET_FIELD, now=whole.at + HOUR))
    for told, truth, bounds in (
        (visit.arrived_at, true.arrived_at, visit.arrived_between),
        (visit.departed_at, true.departed_at, visit.departed_between),
    ):
        assert told is not None
        assert truth is not None
        assert bounds is not None
        assert abs(told - truth) <= 2 * MINUTE
        assert bounds[0] <= told <= bounds[1]


@pytest.mark.parametrize("phase_s", range(0, FIVE_MINUTES_S, 60))
def test_every_five_minutes_is_enough_where_the_ground_is_reported(phase_s: int) -> None:
    whole = flight(ground=True)
    true = only(read(whole.fixes, QUIET_FIELD))
    visit = only(
        read(thinned(whole.fixes, FIVE_MINUTES_S, phase_s=phase_s), QUIET_FIELD, now=whole.at + HOUR)
    )
    assert visit.arrived_at is not None
    assert true.arrived_at is not None
    assert abs(visit.arrived_at - true.arrived_at) <= 3 * MINUTE


def test_a_slow_feed_that_misses_an_answer_has_not_lost_the_aircraft() -> None:
    """At one answer in five minutes ten minutes without a report are one that is missing."""
    pilot = Pilot(QUIET_FIELD, every_s=300, east_nm=60, height_ft=15_000).fly(1200, kt=180, fpm=-600)
    fixes = [*pilot.fixes[:-1], replace(pilot.fixes[-1], at=pilot.at + 5 * MINUTE)]
    assert read(fixes, QUIET_FIELD, now=fixes[-1].at + 10 * MINUTE) == []


def test_the_hole_at_touchdown_bounds_the_arrival_and_does_not_date_it() -> None:
    whole = Pilot(QUIET_FIELD).approach(from_nm=12)
    touchdown = whole.at
    whole.roll_out().taxi(600)
    hole = [fix for fix in whole.fixes if not touchdown - MINUTE < fix.at < touchdown + 4 * MINUTE]
    visit = only(read(hole, QUIET_FIELD))
    assert visit.arrived_at is not None
    assert visit.arrived_between is not None
    assert abs(visit.arrived_at - touchdown) <= MINUTE
    first_ground = next(fix.at for fix in hole if fix.on_ground)
    assert visit.arrived_between == (max(fix.at for fix in hole if not fix.on_ground), first_ground)


@pytest.mark.parametrize("minutes", [18, 22, 26])
def test_a_short_turnaround_heard_down_to_60_ft_is_a_visit(minutes: int) -> None:
    """It is lost just above the runway and heard again on its way, too far for its first climb to be seen."""
    pilot = Pilot(QUIET_FIELD).approach(end_ft=60).wait(minutes=minutes)
    pilot.east_nm, pilot.height_ft = -14, 7_000
    visit = only(read(pilot.climb(300).fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at is not None) == ("departed", True)


@pytest.mark.parametrize(("away_nm", "minutes"), [(51, 7), (30, 9), (20, 7), (12, 5), (8, 2)])
def test_a_take_off_of_the_same_address_far_away_is_no_departure_here(away_nm: float, minutes: int) -> None:
    """Nor is one that it could just have flown to: what is so low there, and climbs, has left another field."""
    pilot = Pilot(QUIET_FIELD).land().park(300)
    last = pilot.at
    twin = Pilot(QUIET_FIELD, at=last + minutes * MINUTE, east_nm=-away_nm, height_ft=300)
    visits = read([*pilot.fixes, *twin.climb(300).fixes], QUIET_FIELD)
    assert [visit.departed_at for visit in visits] == [None]


def test_who_left_unheard_and_is_first_heard_on_the_climb_from_another_field_has_left_that_one() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    there = Pilot(FAR_FIELD, at=pilot.at + 48 * HOUR, east_nm=-1.5, height_ft=900).climb(300)
    stay, other = read([*pilot.fixes, *there.fixes], QUIET_FIELD, FAR_FIELD)
    assert (stay.site_id, stay.state, stay.departed_at) == (QUIET_FIELD.id, "departed", None)
    assert (other.site_id, other.arrived_at, other.departed_at is not None) == (FAR_FIELD.id, None, True)


@pytest.mark.parametrize("fpm", [0, 1_500])
def test_who_is_heard_again_on_its_way_after_some_minutes_has_left(fpm: float) -> None:
    """A helicopter that flies low and level, and a jet as high as its climb from here would have brought it."""
    pilot = Pilot(QUIET_FIELD).land().park(300).wait(minutes=5)
    pilot.east_nm, pilot.height_ft = -12, max(600.0, fpm * 5)
    visit = only(read(pilot.fly(240, kt=140, fpm=fpm).fixes, QUIET_FIELD))
    assert (visit.state, visit.departed_at is not None) == ("departed", True)


def test_a_tow_out_and_back_is_the_same_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600)
    for kt, ground_s in ((12, 900), (0, 600), (-12, 900), (0, 300)):
        pilot.fly(ground_s, kt=kt, ground=True)
    assert only(read(pilot.fixes, QUIET_FIELD)).state == "present"
    # Towed in silence, and heard parked there.
    pilot = Pilot(QUIET_FIELD).land().park(600).wait(minutes=40)
    pilot.north_nm = 3.0
    pilot.park(600).wait(minutes=40)
    pilot.north_nm = 0.0
    assert only(read(pilot.park(300).fixes, QUIET_FIELD)).state == "present"


@pytest.mark.parametrize(("every_s", "rolling"), [(10, 4), (15, 3), (20, 2), (30, 1)])
def test_a_take_off_roll_is_enough_for_a_departure(every_s: float, rolling: int) -> None:
    pilot = Pilot(QUIET_FIELD, every_s=every_s, east_nm=0.5)
    for kt in (60, 100, 130, 140)[:rolling] if rolling > 1 else (100,):
        pilot.fly(every_s, kt=kt, ground=True)
    rolled = pilot.at
    visit = only(read(pilot.climb(180).fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at) == ("departed", None)
    assert visit.departed_at == rolled + timedelta(seconds=every_s)


@pytest.mark.parametrize(
    ("height_ft", "away_nm", "kt", "fpm"),
    [(2_200, 2.6, 150, 1_900), (2_900, 3.5, 180, 2_500), (4_300, 4.5, 220, 3_500), (3_600, 4.5, 150, 1_900)],
)
def test_a_take_off_first_heard_high_is_one_where_its_climb_leads_back_to_the_runway(
    height_ft: float, away_nm: float, kt: float, fpm: float
) -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=-away_nm, height_ft=height_ft).fly(180, kt=kt, fpm=fpm)
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at) == ("departed", None)
    assert visit.departed_between is not None
    # As high there after a climb from far away, it has not come from here.
    shallow = Pilot(QUIET_FIELD, east_nm=-2.6, height_ft=2_200).fly(180, kt=150, fpm=300)
    assert read(shallow.fixes, QUIET_FIELD) == []


def test_a_stuck_ground_flag_that_passes_at_70_kt_is_no_stay() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=6).fly(600, kt=70, ground=True)
    assert pilot.east_nm < -5
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_a_misread_altitude_of_a_slow_feed_hides_no_landing() -> None:
    whole = Pilot(QUIET_FIELD).approach(from_nm=12, end_ft=100)
    fixes = thinned(whole.fixes, 45)
    fixes[-1] = replace(fixes[-1], altitude_ft=(fixes[-1].altitude_ft or 0) + 3_600)
    assert only(read(fixes, QUIET_FIELD, now=whole.at + HOUR)).state == "present"


@pytest.mark.parametrize("source", ["mlat", "adsb_icao"])
@pytest.mark.parametrize("every_s", [10, 30])
@pytest.mark.parametrize("taxi_s", [90, 330], ids=["inside", "to an apron beyond the outline"])
def test_who_never_says_ground_and_is_heard_throughout_makes_one_visit(
    source: str, every_s: float, taxi_s: float
) -> None:
    """MLAT knows no ground flag, and old transponders say "airborne" at the gate."""
    random = Random(3)
    pilot = Pilot(QUIET_FIELD, every_s=every_s, values={"source": source}).approach(from_nm=9)
    for kt in (120, 90, 50):
        pilot.fly(every_s, kt=kt, ground=False)
    pilot.east_nm = 0.3
    pilot.fly(taxi_s, kt=15, ground=False).fly(900, kt=0, ground=False).fly(every_s, kt=15, ground=False)
    left = pilot.at
    pilot.fly(2 * every_s, kt=90, ground=False).climb(300)
    fixes = [
        replace(fix, lat=fix.lat + random.gauss(0, 0.0003), lon=fix.lon + random.gauss(0, 0.0003))
        if source == "mlat"
        else fix
        for fix in pilot.fixes
    ]
    visit = only(read(fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence) == ("departed", 4)
    assert visit.departed_at is not None
    assert abs(visit.departed_at - left) <= 2 * MINUTE


def test_a_landing_lost_by_a_slow_feed_is_kept_when_the_aircraft_taxies_out_the_next_day() -> None:
    """Nothing says “ground”, and the reports of the taxi are too few to be sure by themselves."""
    pilot = Pilot(QUIET_FIELD, every_s=65).approach(from_nm=15).wait(hours=15)
    pilot.east_nm = pilot.height_ft = 0.0
    pilot.fly(200, kt=20, ground=None, altitude_ft=None)
    pilot.east_nm = 0.3
    left = pilot.at
    pilot.climb(600)
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at is not None) == ("departed", True)
    assert visit.departed_at is not None
    assert abs(visit.departed_at - left) <= 2 * MINUTE


def test_one_leap_while_it_stands_does_not_date_the_departure() -> None:
    pilot = Pilot(QUIET_FIELD).approach().fly(30, kt=60, ground=False)
    pilot.east_nm = 0.2
    pilot.fly(600, kt=0, ground=False)
    leapt = len(pilot.fixes)
    pilot.fly(400, kt=0, ground=False)
    left = pilot.fly(20, kt=90, ground=False).at
    pilot.climb(300)
    fixes = pilot.fixes
    fixes[leapt] = replace(fixes[leapt], lat=fixes[leapt].lat + 0.005)
    visit = only(read(fixes, QUIET_FIELD))
    assert visit.departed_at is not None
    assert abs(visit.departed_at - left) <= MINUTE


@pytest.mark.parametrize("hpa", [970, 1013, 1040])
@pytest.mark.parametrize("geometric", [True, False], ids=["alt_geom", "pressure alone"])
@pytest.mark.parametrize("geoid_ft", [0.0, 150.0, -200.0])
def test_a_helicopter_comes_down_in_any_weather(hpa: float, geoid_ft: float, *, geometric: bool) -> None:
    weather_ft = (1013.25 - hpa) * 27.3
    pilot = Pilot(QUIET_FIELD, every_s=5).approach(from_nm=3, end_ft=100, kt=90)
    pilot.east_nm, pilot.north_nm = 0.1, 0.0
    down = pilot.fly(5, kt=20, fpm=-300).at
    pilot.fly(60, kt=8, fpm=0)
    fixes = [
        replace(
            fix,
            altitude_ft=(fix.altitude_ft or 0.0) + weather_ft,
            altitude_geom_ft=(fix.altitude_ft or 0.0) + geoid_ft if geometric else None,
        )
        for fix in pilot.fixes
    ]
    visit = only(read(fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    assert visit.state == "present"
    assert visit.arrived_at is not None
    assert abs(visit.arrived_at - down) <= MINUTE


@pytest.mark.parametrize("hpa", [970, 1013, 1040])
def test_a_landing_lost_on_the_approach_is_found_in_any_weather(hpa: float) -> None:
    weather_ft = (1013.25 - hpa) * 27.3
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    fixes = [replace(fix, altitude_ft=(fix.altitude_ft or 0.0) + weather_ft) for fix in pilot.fixes]
    assert only(read(fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE)).state == "present"


@pytest.mark.parametrize("hpa", [970, 1013, 1040])
@pytest.mark.parametrize("every_s", [5, 30])
def test_who_has_no_flag_at_all_and_is_no_jet_has_arrived(hpa: float, every_s: float) -> None:
    """Where neither flag nor GPS height is told, 90 kt outside the outline are flight."""
    weather_ft = (1013.25 - hpa) * 27.3
    pilot = Pilot(QUIET_FIELD, every_s=every_s).approach(from_nm=6, end_ft=60, kt=90)
    down = pilot.at
    pilot.east_nm = 0.1
    pilot.fly(every_s, kt=20, fpm=-100)
    pilot.height_ft = 0
    pilot.fly(300, kt=0)
    fixes = [
        replace(fix, on_ground=None, altitude_ft=(fix.altitude_ft or 0.0) + weather_ft) for fix in pilot.fixes
    ]
    visit = only(read(fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    assert visit.arrived_at is not None
    assert abs(visit.arrived_at - down) <= 2 * MINUTE


def test_hovering_over_the_field_is_no_landing_where_the_height_is_known() -> None:
    pilot = Pilot(QUIET_FIELD, every_s=5, east_nm=2, height_ft=2_500).fly(80, kt=90, fpm=-1_100)
    pilot.east_nm = 0.1
    pilot.fly(60, kt=10)
    assert pilot.height_ft > 900
    fixes = [replace(fix, altitude_geom_ft=fix.altitude_ft) for fix in pilot.fixes]
    assert read(fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE) == []


def test_what_drifts_slowly_over_the_field_has_not_landed() -> None:
    """A balloon or a hovering helicopter goes up and down; what stands does not."""
    pilot = Pilot(QUIET_FIELD, east_nm=0.6, height_ft=900)
    for fpm in (120, -120, 150, -150, 120, -120, 150):
        pilot.fly(60, kt=8, fpm=fpm, vertical_rate_fpm=None)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE) == []


def test_reports_of_a_slow_feed_are_as_far_apart_as_asked() -> None:
    fixes = thinned(flight(ground=True).fixes, 60, late_s=10)
    gaps = [(after.at - before.at).total_seconds() for before, after in pairwise(fixes)]
    assert min(gaps) >= 60
    assert fixes[0].at >= NOON


@pytest.mark.parametrize(("every_s", "silence"), [(60, 12), (300, 15)])
def test_a_landing_that_a_slow_provider_lost_is_told_live(
    sqlite_engine: Engine, every_s: int, silence: int
) -> None:
    """Its answers are some seconds further apart than asked: that is no hole in which nobody watched."""
    world = World(sqlite_engine, [QUIET_FIELD], interval_s=every_s, step_s=every_s + 2)
    pilot = Pilot(QUIET_FIELD, every_s=every_s + 2, east_nm=30, height_ft=9_500)
    while pilot.height_ft > 318 * every_s / 60 * 140 / 60 + 100:
        pilot.fly(every_s + 2, kt=140, fpm=-742)
    world.live(pilot.fixes, pilot.at + silence * MINUTE + timedelta(seconds=2 * every_s))
    assert [(each.state, each.arrived_at is not None) for each in world.visits()] == [("present", True)]


def test_who_answers_too_seldom_for_a_measure_is_told() -> None:
    assert cadence_words(None) == cadence_words(60.0) == cadence_words(90.0) == ""
    assert "Answers 300 s apart" in cadence_words(300.0)
    assert "take-offs" in cadence_words(300.0)


def neighbour(number: int, at: datetime, weather_ft: float, geoid_ft: float = 0.0) -> Fix:
    """Another aircraft in the same answer, which sends both heights."""
    height_ft = 1_000.0 * number + 500
    return replace(
        Pilot(QUIET_FIELD, f"39000{number}", at=at, east_nm=8.0 * number, height_ft=height_ft).report(
            ground=False, kt=200
        ),
        altitude_ft=height_ft + (QUIET_FIELD.elevation_ft or 0) + weather_ft,
        altitude_geom_ft=height_ft + (QUIET_FIELD.elevation_ft or 0) + geoid_ft,
    )


@pytest.mark.parametrize("hpa", [970, 1013, 1040])
def test_the_heights_of_others_tell_who_hovers_from_who_has_landed(hpa: float) -> None:
    """By its pressure altitude alone a helicopter that hangs at 1,100 ft in high pressure may as well be on the field."""
    weather_ft = (1013.25 - hpa) * 27.3
    pilot = Pilot(QUIET_FIELD, every_s=5, east_nm=2, height_ft=2_600).fly(80, kt=90, fpm=-1_100)
    pilot.east_nm = 0.1
    pilot.fly(60, kt=10)
    fixes = [replace(fix, altitude_ft=(fix.altitude_ft or 0) + weather_ft) for fix in pilot.fixes]
    answers = [[fix, *(neighbour(number, fix.at, weather_ft, 90.0) for number in (1, 2, 3))] for fix in fixes]
    corrected = [with_geometric_heights(answer)[0] for answer in answers]
    assert all(
        each.altitude_geom_ft is not None
        and fix.altitude_ft is not None
        and abs(each.altitude_geom_ft - (fix.altitude_ft - weather_ft + 90)) < 1
        for each, fix in zip(corrected, fixes, strict=True)
    )
    assert read(corrected, QUIET_FIELD, now=pilot.at + 11 * MINUTE) == []


def test_too_few_neighbours_correct_nothing() -> None:
    fix = Pilot(QUIET_FIELD, height_ft=500).report(ground=False, kt=100)
    answer = [fix, *(neighbour(number, NOON, 800.0) for number in (1, 2))]
    assert with_geometric_heights(answer) == tuple(answer)
    late = [fix, *(neighbour(number, NOON - 5 * MINUTE, 800.0) for number in (1, 2, 3))]
    assert with_geometric_heights(late) == tuple(late)


def test_who_never_says_ground_is_told_live_while_it_stands_there(sqlite_engine: Engine) -> None:
    world = World(sqlite_engine, [QUIET_FIELD])
    pilot = Pilot(QUIET_FIELD, every_s=20).approach(from_nm=8).fly(40, kt=60, ground=False)
    pilot.east_nm = 0.2
    pilot.fly(100, kt=10, ground=False).fly(400, kt=0, ground=False)
    world.live(pilot.fixes)
    assert [(each.state, each.arrived_at is not None) for each in world.visits()] == [("present", True)]
    count = len(pilot.fixes)
    pilot.fly(40, kt=90, ground=False).climb(240)
    world.live(pilot.fixes[count:])
    assert [(each.state, each.confidence) for each in world.visits()] == [("departed", 4)]


def test_a_take_off_roll_is_told_live(sqlite_engine: Engine) -> None:
    """Three reports of the roll, 15 s apart, are all that is heard from the ground."""
    world = World(sqlite_engine, [QUIET_FIELD], step_s=15)
    pilot = Pilot(QUIET_FIELD, every_s=15, east_nm=0.6)
    for kt in (40, 90, 130):
        pilot.fly(15, kt=kt, ground=True)
    pilot.climb(240)
    world.live(pilot.fixes)
    assert [(each.state, each.departed_at is not None) for each in world.visits()] == [("departed", True)]
