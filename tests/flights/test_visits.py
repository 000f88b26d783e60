"""Stories of single aircraft: from position reports to visits, with every trap on the way."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Visit
from monitor.flights.visits import belongs_to
from monitor.sites import Site
from tests.kit.cast import BUSY_PORT, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.flying import AIRLINER, NOON, Pilot, never_watched, read

FIELDS = (QUIET_FIELD, DATELINE_STRIP)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def only(visits: list[Visit]) -> Visit:
    assert len(visits) == 1, [(each.state, each.arrived_at, each.departed_at) for each in visits]
    return visits[0]


def told(visit: Visit) -> str:
    return " ".join(each.text for each in visit.evidence)


@pytest.mark.parametrize("site", FIELDS, ids=lambda site: site.id)
def test_a_landing_that_the_ground_reports_is_an_arrival(site: Site) -> None:
    pilot = Pilot(site).land()
    visit = only(read(pilot.fixes, site))
    first_on_ground = next(fix.at for fix in pilot.fixes if fix.on_ground)
    assert (visit.state, visit.confidence) == ("present", 4)
    assert visit.arrived_at == first_on_ground
    assert visit.departed_at is None
    assert "on the ground inside the site" in told(visit)


def test_a_visit_carries_the_intervals_in_which_it_must_have_begun_and_ended() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(1800).take_off()
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert visit.arrived_at is not None
    assert visit.departed_at is not None
    second = timedelta(seconds=10)
    assert visit.arrived_between == (visit.arrived_at - second, visit.arrived_at)
    assert visit.departed_between == (visit.departed_at - second, visit.departed_at)
    here = only(read(Pilot(QUIET_FIELD).park(60).fixes, QUIET_FIELD))
    assert (here.arrived_between, here.departed_between) == (None, None)


@pytest.mark.parametrize("site", FIELDS, ids=lambda site: site.id)
def test_a_take_off_ends_the_visit(site: Site) -> None:
    pilot = Pilot(site).land().park(1800).take_off()
    visit = only(read(pilot.fixes, site))
    last_on_ground = max(fix.at for fix in pilot.fixes if fix.on_ground)
    assert (visit.state, visit.confidence) == ("departed", 4)
    assert visit.departed_at == last_on_ground + timedelta(seconds=10)
    assert visit.last_fix_at == visit.departed_at


def test_the_hole_of_a_base_is_not_the_base() -> None:
    # The town lies 0.9 miles north of the runway, inside the outer ring.
    base = Pilot(DONUT_BASE)
    base.park(60)
    town = Pilot(DONUT_BASE, north_nm=0.9)
    town.park(60)
    assert only(read(base.fixes, DONUT_BASE)).state == "present"
    assert read(town.fixes, DONUT_BASE) == []


def test_an_aircraft_first_seen_on_the_ground_has_not_been_seen_to_arrive() -> None:
    visit = only(read(Pilot(QUIET_FIELD).park(60).fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence, visit.arrived_at) == ("present", 4, None)
    assert visit.first_fix_at == NOON + timedelta(seconds=10)
    assert "arrival was not observed" in told(visit)


def test_one_ground_report_is_not_enough() -> None:
    pilot = Pilot(QUIET_FIELD).approach().roll_out(ground_speed_kt=20)
    assert read(pilot.fixes[:-2], QUIET_FIELD) == []


def test_a_flickering_ground_flag_is_one_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land()
    for _ in range(5):
        pilot.fly(18, kt=0, ground=False).park(20)
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert visit.state == "present"


def test_a_parked_aircraft_that_claims_to_be_at_39000_ft_has_not_left() -> None:
    pilot = Pilot(QUIET_FIELD).land()
    pilot.fly(90, kt=0, ground=False, altitude_ft=39_025.0, ground_speed_kt=None)
    pilot.taxi(60)
    assert only(read(pilot.fixes, QUIET_FIELD)).state == "present"
    left = only(read(pilot.take_off().fixes, QUIET_FIELD))
    assert left.departed_at == max(fix.at for fix in pilot.fixes if fix.on_ground) + timedelta(seconds=10)


def test_a_speed_that_stays_at_that_of_the_landing_does_not_hide_the_ground() -> None:
    pilot = Pilot(QUIET_FIELD).approach()
    for kt in (120, 80, 40, 10, 10, 10):
        pilot.fly(10, kt=kt, ground=True, ground_speed_kt=148.0)
    pilot.park(60, ground_speed_kt=148.0)
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence) == ("present", 4)


def test_a_ground_flag_at_cruise_is_not_believed() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=8, height_ft=33_000)
    pilot.fly(300, kt=430, ground=True)
    assert read(pilot.fixes, QUIET_FIELD) == []


def test_a_ground_flag_high_above_the_ellipsoid_is_not_believed() -> None:
    hovering = Pilot(QUIET_FIELD).park(60, altitude_geom_ft=1500.0)
    assert read(hovering.fixes, QUIET_FIELD) == []
    # The geoid lies up to 280 ft above the ellipsoid.
    parked = Pilot(QUIET_FIELD).park(60, altitude_geom_ft=120.0 + 280)
    assert only(read(parked.fixes, QUIET_FIELD)).state == "present"


def test_an_unknown_altitude_is_never_low() -> None:
    # The path of a landing, but no report gives an altitude or says "ground".
    pilot = Pilot(QUIET_FIELD).approach(altitude_ft=None, vertical_rate_fpm=None, on_ground=None)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_a_ground_report_without_speed_and_height_still_counts() -> None:
    pilot = Pilot(QUIET_FIELD).approach()
    pilot.roll_out().park(60, ground_speed_kt=None)
    assert only(read(pilot.fixes, QUIET_FIELD)).arrived_at is not None


def test_altitudes_below_the_sea_are_normal_at_touchdown() -> None:
    pilot = Pilot(DATELINE_STRIP)
    pilot.approach(end_ft=-100).roll_out().taxi()
    assert only(read(pilot.fixes, DATELINE_STRIP)).confidence == 4


def test_an_overflight_is_no_visit() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=20, height_ft=33_000).fly(600, kt=430)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_a_track_that_ends_at_cruise_names_no_airport() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=20, height_ft=33_000).fly(160, kt=430)
    assert pilot.east_nm < 2
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_a_go_around_is_no_visit() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=60).climb(240)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_a_touch_and_go_adds_no_visit() -> None:
    # A light aircraft touches slowly enough to be believed on the ground for a moment.
    pilot = Pilot(QUIET_FIELD).approach(kt=90)
    pilot.fly(20, kt=60, ground=True)
    assert only(read(pilot.fixes, QUIET_FIELD)).state == "present"
    pilot.fly(180, kt=90, fpm=700)
    assert read(pilot.fixes, QUIET_FIELD) == []


def test_a_morning_of_circuits_is_the_visit_of_the_last_landing() -> None:
    pilot = Pilot(QUIET_FIELD)
    for _ in range(4):
        pilot.approach(kt=90, from_nm=3).fly(20, kt=60, ground=True).fly(150, kt=90, fpm=600)
        # Downwind, base and final, beside the field.
        pilot.north_nm, pilot.east_nm = 1.5, -2.0
        pilot.fly(180, kt=-90)
    assert read(pilot.fixes, QUIET_FIELD) == []
    pilot.approach(kt=90, from_nm=3).taxi(60)
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at) == ("present", pilot.at - timedelta(seconds=50))


def test_being_towed_over_the_field_and_beyond_its_outline_is_no_departure() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600)
    pilot.fly(600, kt=6, ground=True)
    pilot.north_nm = 1.4
    pilot.park(900, ground_speed_kt=None)
    pilot.north_nm = 0.0
    assert only(read(pilot.park(300).fixes, QUIET_FIELD)).state == "present"


def test_taxiing_adds_no_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600).taxi(300).park(600).taxi(300)
    assert only(read(pilot.fixes, QUIET_FIELD)).state == "present"


def test_a_high_speed_taxi_is_no_departure() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    pilot.fly(20, kt=95, ground=False, vertical_rate_fpm=0).fly(20, kt=-95, ground=False, vertical_rate_fpm=0)
    pilot.park(60)
    assert only(read(pilot.fixes, QUIET_FIELD)).state == "present"


def test_a_parked_aircraft_silent_for_36_hours_is_one_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    silent = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 30 * HOUR))
    assert silent.state == "present"
    visit = only(read(pilot.wait(hours=36).park(60).take_off().fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence) == ("departed", 4)
    assert visit.departed_at is not None
    assert visit.departed_at - silent.first_fix_at > 36 * HOUR if silent.first_fix_at else False


def test_an_aircraft_that_left_unheard_is_bounded_not_guessed() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    last = pilot.at
    pilot.wait(hours=5)
    pilot.east_nm, pilot.height_ft = -43, 35_000
    visit = only(read(pilot.fly(120, kt=430).fixes, QUIET_FIELD))
    assert (visit.state, visit.departed_at) == ("departed", None)
    after, before = visit.candidates["departed_between"]
    assert after == last.isoformat(timespec="seconds")
    # 43 miles at 430 kt are six minutes.
    assert (
        before
        == (last + 5 * HOUR + timedelta(seconds=10) - 6 * MINUTE).isoformat(timespec="seconds")[:16]
        + before[16:]
    )
    assert "left at an unknown time" in told(visit)


def test_an_aircraft_found_on_another_field_has_left_this_one() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300).wait(hours=4)
    there = Pilot(DONUT_BASE, at=pilot.at + 20 * HOUR).park(60)
    here, elsewhere = read([*pilot.fixes, *there.fixes], QUIET_FIELD, DONUT_BASE)
    assert (here.site_id, here.state, here.departed_at) == ("quiet-field", "departed", None)
    assert (elsewhere.site_id, elsewhere.state) == ("donut-base", "present")
    assert elsewhere.arrived_at is not None
    assert elsewhere.candidates["arrived_between"][0] == pilot.fixes[-1].at.isoformat(timespec="seconds")


def test_an_aircraft_found_on_an_unwatched_field_has_left_this_one() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300).wait(hours=2)
    pilot.east_nm = 40
    visit = only(read(pilot.park(60).fixes, QUIET_FIELD))
    assert (visit.state, visit.candidates["departure"]) == ("departed", "elsewhere")
    assert "Next heard on the ground 40 NM away" in told(visit)


def test_an_apron_just_outside_the_outline_is_not_elsewhere() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    pilot.north_nm = 1.5
    assert only(read(pilot.park(600).fixes, QUIET_FIELD)).state == "present"


def test_climbing_inside_a_large_site_is_leaving_it() -> None:
    pilot = Pilot(DONUT_BASE, north_nm=0.0).land().park(300)
    pilot.east_nm = 1.2
    pilot.fly(80, kt=90, fpm=700)
    visit = only(read(pilot.fixes, DONUT_BASE))
    assert abs(pilot.east_nm) < 1.25
    assert visit.state == "departed"


def test_no_sites_no_visits() -> None:
    assert read(Pilot(QUIET_FIELD).land().fixes) == []


def test_a_landing_lost_on_the_approach_is_an_arrival_of_confidence_3() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + 9 * MINUTE) == []
    visit = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 10 * MINUTE))
    assert (visit.state, visit.confidence) == ("present", 3)
    assert visit.arrived_at == pilot.fixes[-1].at
    assert "No report from the ground confirmed the landing" in told(visit)


def test_a_helicopter_that_hovered_down_on_the_field_has_arrived() -> None:
    """It never says that it is on the ground, and at the end it neither sinks nor points anywhere."""
    pilot = Pilot(QUIET_FIELD, every_s=5).approach(from_nm=2, end_ft=100, kt=90)
    pilot.east_nm, pilot.north_nm = 0.1, 0.0
    down = pilot.fly(5, kt=20, fpm=-300).at
    pilot.fly(60, kt=10, fpm=30)
    visit = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    assert (visit.state, visit.confidence) == ("present", 3)
    assert visit.arrived_at is not None
    assert down <= visit.arrived_at <= down + MINUTE
    # One that hovers over the field at 1,000 ft and falls silent has not.
    pilot = Pilot(QUIET_FIELD, every_s=5, east_nm=2, height_ft=1_000).fly(80, kt=90)
    pilot.east_nm = 0.1
    assert read(pilot.fly(60, kt=10).fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE) == []


def test_silence_of_a_failing_feed_is_no_landing() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR, watched=never_watched) == []


def test_a_signal_lost_while_rolling_is_an_arrival_of_confidence_3() -> None:
    pilot = Pilot(QUIET_FIELD).approach()
    touchdown = pilot.fly(10, kt=120, ground=True).at
    visit = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    assert (visit.confidence, visit.arrived_at) == (3, touchdown)
    assert "rolling on the ground" in told(visit)


def test_a_lost_landing_tells_nothing_that_was_not_reported() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    pilot.fixes[-1] = replace(pilot.fixes[-1], altitude_ft=None, ground_speed_kt=None)
    visit = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    assert "in the air, descending towards the site" in told(visit)


def test_too_fast_for_a_landing() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=700, kt=300, from_nm=20)
    assert read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR) == []


def test_without_the_elevation_of_the_field_silence_proves_nothing() -> None:
    unknown = replace(QUIET_FIELD, elevation_ft=None)
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    assert read(pilot.fixes, unknown, now=pilot.at + HOUR) == []
    assert only(read(pilot.roll_out().taxi().fixes, unknown)).confidence == 4


def test_rates_of_descent_stand_in_for_altitudes() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    fixes = [
        fix
        if fix is pilot.fixes[-4]
        else replace(fix, altitude_ft=None)
        if fix.at > pilot.at - MINUTE
        else fix
        for fix in pilot.fixes
    ]
    assert only(read(fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE)).confidence == 3
    level = [replace(fix, vertical_rate_fpm=0.0, altitude_ft=900.0) for fix in pilot.fixes]
    assert read(level, QUIET_FIELD, now=pilot.at + 11 * MINUTE) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"north_nm": 3.0}, "it points past the field"),
        ({"height_ft": 6000.0}, "it is too high"),
    ],
)
def test_a_descent_that_does_not_lead_to_the_field_is_no_landing(change: dict[str, float], why: str) -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=700)
    moved = [
        replace(
            fix,
            lat=fix.lat + change.get("north_nm", 0) / 60,
            altitude_ft=(fix.altitude_ft or 0) + change.get("height_ft", 0),
        )
        for fix in pilot.fixes
    ]
    assert only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + HOUR)).confidence == 3
    assert read(moved, QUIET_FIELD, now=pilot.at + HOUR) == [], why


def test_a_lost_landing_that_the_ground_confirms_later_is_one_visit_of_confidence_4() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250).wait(minutes=25)
    last = pilot.fixes[-1].at
    pilot.east_nm = pilot.height_ft = 0
    visit = only(read(pilot.park(60).fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence, visit.arrived_at) == ("present", 4, last)


def test_what_follows_an_outage_on_the_approach_may_prove_the_landing() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    last = pilot.at
    pilot.wait(minutes=50)
    pilot.east_nm = pilot.height_ft = 0
    parked = only(
        read(
            [*pilot.fixes, *Pilot(QUIET_FIELD, at=pilot.at).park(60).fixes],
            QUIET_FIELD,
            watched=never_watched,
        )
    )
    assert (parked.state, parked.confidence, parked.arrived_at) == ("present", 4, last)
    pilot.east_nm, pilot.height_ft = -0.8, 300
    gone = only(read(pilot.climb().fixes, QUIET_FIELD, watched=never_watched))
    assert (gone.state, gone.confidence, gone.arrived_at) == ("departed", 4, last)


def test_an_aircraft_lost_on_the_approach_and_back_at_cruise_soon_had_not_landed() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    assert only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE)).state == "present"
    pilot.wait(minutes=14)
    pilot.east_nm, pilot.height_ft = -30, 20_000
    assert read(pilot.fly(120, kt=400).fixes, QUIET_FIELD) == []


def test_a_lost_landing_and_first_reports_of_the_climb_are_both_sides() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250).wait(minutes=50)
    pilot.east_nm, pilot.height_ft = -0.8, 300
    visit = only(read(pilot.climb().fixes, QUIET_FIELD))
    assert (visit.state, visit.confidence) == ("departed", 4)
    assert visit.departed_at == min(fix.at for fix in pilot.fixes if fix.at > NOON + 40 * MINUTE)


@pytest.mark.parametrize("site", FIELDS, ids=lambda site: site.id)
def test_a_departure_may_be_all_that_is_seen(site: Site) -> None:
    pilot = Pilot(site, east_nm=-0.8, height_ft=300).climb()
    visit = only(read(pilot.fixes, site))
    assert (visit.state, visit.confidence, visit.arrived_at) == ("departed", 3, None)
    assert visit.departed_at == pilot.fixes[0].at


def test_a_climb_of_unknown_height_is_no_departure() -> None:
    pilot = Pilot(QUIET_FIELD, east_nm=-0.8, height_ft=300).climb(altitude_ft=None, on_ground=None)
    assert read(pilot.fixes, QUIET_FIELD) == []


def test_one_report_from_the_runway_and_the_climb_are_a_departure() -> None:
    pilot = Pilot(QUIET_FIELD)
    pilot.park(10).climb()
    visit = only(read(pilot.fixes, QUIET_FIELD))
    assert (visit.state, visit.arrived_at, visit.departed_at) == ("departed", None, pilot.fixes[1].at)


def test_a_track_that_begins_in_descent_has_not_taken_off_here() -> None:
    pilot = Pilot(QUIET_FIELD).approach(from_nm=3, end_ft=300)
    assert read(pilot.fixes, QUIET_FIELD) == []


def test_a_single_ghost_never_ends_a_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300).wait(hours=2)
    pilot.east_nm, pilot.height_ft = -60, 35_000
    pilot.report(ground=False, kt=430)
    pilot.wait(hours=1)
    pilot.east_nm, pilot.height_ft = 0, 0
    assert only(read(pilot.park(60).fixes, QUIET_FIELD)).state == "present"


def test_addresses_that_are_not_icaos_make_no_visits() -> None:
    pilot = Pilot(QUIET_FIELD, icao24="~15521f").land().park(600)
    assert read(pilot.fixes, QUIET_FIELD) == []


def test_the_same_aircraft_from_two_providers_is_one_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300).take_off()
    late = timedelta(seconds=1.5)
    other = [
        replace(fix, provider="adsb.fi", at=fix.at + late, received_at=fix.received_at + late)
        for fix in pilot.fixes
    ]
    once, twice = only(read(pilot.fixes, QUIET_FIELD)), only(read([*pilot.fixes, *other], QUIET_FIELD))
    assert (twice.visit_id, twice.arrived_at, twice.departed_at) == (
        once.visit_id,
        once.arrived_at,
        once.departed_at,
    )


def test_the_next_landing_is_another_visit() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(1200).take_off(400).wait(hours=3).land()
    first, second = read(pilot.fixes, QUIET_FIELD)
    assert (first.state, second.state) == ("departed", "present")
    assert first.visit_id != second.visit_id


def test_a_port_has_no_aircraft_of_its_own() -> None:
    assert not BUSY_PORT.flies


def test_a_visit_says_who_it_was() -> None:
    pilot = Pilot(
        QUIET_FIELD, values={"type_code": "IL62", "registration": "RA-86559", "callsign": "RFF7051"}
    )
    visit = only(read(pilot.land().fixes, QUIET_FIELD))
    assert (visit.icao24, visit.registration, visit.callsign) == ("15521f", "RA-86559", "RFF7051")
    assert set(visit.subjects) == {
        *("class:military", "class:vip", "class:vip_military"),
        *("icao24:15521f", "operator:RFF", "type:IL62"),
    }


def test_the_callsign_is_that_of_the_flight_that_came() -> None:
    pilot = Pilot(QUIET_FIELD, icao24=AIRLINER, values={"callsign": "AFR12"}).land()
    pilot.values["callsign"] = "AFR13"
    visit = only(read(pilot.park(60).take_off().fixes, QUIET_FIELD))
    assert (visit.callsign, visit.subjects) == ("AFR12", ("operator:AFR",))


@pytest.mark.parametrize("flag", [4, 8, 12])
def test_an_aircraft_that_asked_not_to_be_named_is_counted_without_a_name(flag: int) -> None:
    values = {"db_flags": flag, "callsign": "AFR12", "registration": "F-GUGK", "type_code": "A318"}
    visit = only(read(Pilot(QUIET_FIELD, values=values).land().fixes, QUIET_FIELD))
    assert (visit.icao24, visit.callsign, visit.registration, visit.type_code) == ("", "", "", "")
    assert visit.subjects == ()
    assert "15521f" not in str(visit)
    assert belongs_to(visit, "15521f")
    assert not belongs_to(visit, AIRLINER)


# --- later data ---------------------------------------------------------------------------------


def test_reading_again_gives_the_same_visit_under_the_same_id() -> None:
    pilot = Pilot(QUIET_FIELD).land()
    first = only(read(pilot.fixes, QUIET_FIELD))
    pilot.park(600).take_off()
    second = only(read(pilot.fixes, QUIET_FIELD, known=[first]))
    assert (second.visit_id, second.state) == (first.visit_id, "departed")


def test_earlier_reports_that_come_late_keep_the_id_and_add_the_arrival() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(120)
    late = [fix for fix in pilot.fixes if fix.at > pilot.at - 2 * MINUTE]
    first = only(read(late, QUIET_FIELD))
    assert first.arrived_at is None
    second = only(read(pilot.fixes, QUIET_FIELD, known=[first]))
    assert second.visit_id == first.visit_id
    assert second.arrived_at is not None
    assert belongs_to(replace(second, icao24=""), second.icao24)


def test_a_visit_that_later_reports_refute_is_withdrawn() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    presumed = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    pilot.wait(seconds=40).climb(240)
    withdrawn = only(read(pilot.fixes, QUIET_FIELD, known=[presumed], now=pilot.at + HOUR))
    assert (withdrawn.visit_id, withdrawn.state) == (presumed.visit_id, "withdrawn")
    again = read(pilot.fixes, QUIET_FIELD, known=[withdrawn], now=pilot.at + 2 * HOUR)
    assert again == []


def test_a_visit_older_than_the_track_is_continued() -> None:
    pilot = Pilot(QUIET_FIELD).land().park(300)
    begun = only(read(pilot.fixes, QUIET_FIELD))
    pilot.wait(hours=60)
    since = pilot.at
    recent = Pilot(QUIET_FIELD, at=since).park(60).take_off()
    ended = only(read(recent.fixes, QUIET_FIELD, known=[begun], since=since))
    assert (ended.visit_id, ended.state, ended.arrived_at) == (begun.visit_id, "departed", begun.arrived_at)
    assert ended.evidence[0] == begun.evidence[0]
    again = only(read(recent.fixes, QUIET_FIELD, known=[ended], since=since))
    assert replace(again, recorded_at=ended.recorded_at) == ended


def test_a_lost_landing_older_than_the_track_is_continued_too() -> None:
    pilot = Pilot(QUIET_FIELD).approach(end_ft=250)
    begun = only(read(pilot.fixes, QUIET_FIELD, now=pilot.at + 11 * MINUTE))
    recent = Pilot(QUIET_FIELD, at=NOON + 50 * HOUR, east_nm=-0.8, height_ft=300).climb()
    ended = only(read(recent.fixes, QUIET_FIELD, known=[begun], since=NOON + 49 * HOUR))
    assert (ended.visit_id, ended.state, ended.confidence) == (begun.visit_id, "departed", 4)
    assert ended.departed_at == recent.fixes[0].at


def test_visits_of_another_procedure_are_left_alone() -> None:
    pilot = Pilot(QUIET_FIELD).land()
    other = replace(only(read(pilot.fixes, QUIET_FIELD)), visit_id="imagery", candidates={})
    assert [each.visit_id for each in read(pilot.fixes, QUIET_FIELD, known=[other])] != ["imagery"]


@given(cut=st.integers(min_value=1, max_value=200), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(cut: int, shuffle: Random) -> None:
    pilot = Pilot(QUIET_FIELD).land().park(600).take_off()
    fixes = list(pilot.fixes)
    shuffle.shuffle(fixes)
    known = read(fixes[:cut], QUIET_FIELD)
    live = [each for each in read(fixes, QUIET_FIELD, known=known) if each.state != "withdrawn"]
    straight = only(read(pilot.fixes, QUIET_FIELD))
    assert [(each.arrived_at, each.departed_at, each.state) for each in live] == [
        (straight.arrived_at, straight.departed_at, straight.state)
    ]
