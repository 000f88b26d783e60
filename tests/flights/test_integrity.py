"""Which reports are believed, and under which reason the others are counted."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from db.records import Fix
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.tracks.integrity import Track, believed_track, misread, spoofed_addresses
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import NOON, Pilot, read

SECOND = timedelta(seconds=1)


def cruise(seconds: float = 300, **values: Any) -> list[Fix]:
    return Pilot(QUIET_FIELD, east_nm=20, height_ft=33_000).fly(seconds, kt=430, **values).fixes


def dropped(track: Track) -> dict[str, int]:
    """How many reports were rejected, by reason."""
    return dict(Counter(reason for _, reason in track.rejected))


def shifted(fix: Fix, degrees: float) -> Fix:
    return replace(fix, lat=fix.lat + degrees)


def test_a_sound_track_is_kept_whole() -> None:
    track = believed_track(cruise())
    assert list(track.fixes) == cruise()
    assert dropped(track) == {}


def test_reports_are_put_in_order() -> None:
    assert list(believed_track(cruise()[::-1]).fixes) == cruise()


def test_no_report_is_no_track() -> None:
    assert believed_track([]).fixes == ()


def test_an_address_that_is_not_icaos_is_no_aircraft() -> None:
    assert dropped(believed_track([replace(fix, icao24="~15521f") for fix in cruise(20)])) == {"not_icao": 2}


def test_a_report_from_the_future_is_dropped() -> None:
    first, *rest = cruise(30)
    ahead = replace(first, at=first.received_at + timedelta(minutes=5) + SECOND)
    track = believed_track([ahead, *rest])
    assert (list(track.fixes), dropped(track)) == (rest, {"future": 1})


def test_a_late_report_is_as_good_as_any() -> None:
    late = [replace(fix, received_at=fix.at + 61 * SECOND) for fix in cruise(30)]
    assert list(believed_track(late).fixes) == late


def test_one_transmission_told_twice_is_one_report() -> None:
    fixes = cruise(30)
    again = [replace(fix, at=fix.at + SECOND / 10, provider="adsb.fi") for fix in fixes]
    assert dropped(believed_track([*fixes, *fixes, *again])) == {"repeat": 6}


def test_a_position_that_stands_still_at_speed_is_frozen() -> None:
    fixes = cruise(60)
    last = fixes[-1]
    frozen = [replace(last, at=last.at + 10 * n * SECOND, on_ground=n > 2) for n in range(1, 5)]
    track = believed_track([*fixes, *frozen])
    assert (list(track.fixes), dropped(track)) == (fixes, {"frozen": 4})


def test_a_parked_aircraft_stands_still_and_is_believed() -> None:
    assert len(believed_track(Pilot(QUIET_FIELD).park(600).fixes).fixes) == 60


def test_a_jump_is_dropped() -> None:
    fixes = cruise(300)
    fixes[10] = shifted(fixes[10], 1.0)
    track = believed_track(fixes)
    assert dropped(track) == {"teleport": 1}
    assert len(track.fixes) == 29


def test_a_wrong_first_report_does_not_condemn_the_rest() -> None:
    first, *rest = cruise(300)
    track = believed_track([shifted(first, 3.0), *rest])
    assert (list(track.fixes), dropped(track)) == (rest, {"teleport": 1})


def test_two_aircraft_under_one_address_are_two_tracks_and_the_longer_stays() -> None:
    fixes = cruise(300)
    other = [replace(shifted(fix, 5.0), at=fix.at + 3 * SECOND) for fix in fixes[5:12]]
    track = believed_track([*fixes, *other])
    assert (list(track.fixes), dropped(track)) == (fixes, {"twin": 7})


def test_a_clock_that_is_set_right_in_flight_does_not_cut_the_flight_in_two() -> None:
    """As recordings have it: a receiver's clock is 25 s ahead, then it is right, and the aircraft seems to leap back."""
    pilot = Pilot(QUIET_FIELD, every_s=1).take_off(120, fpm=2200).fly(600, kt=386)
    wrong = [replace(fix, at=fix.at - timedelta(seconds=25)) for fix in pilot.fixes]
    right = pilot.fly(4000, kt=386).fixes[len(wrong) :]
    leap = [fix for fix in right if fix.at > wrong[-1].at]
    shifted = [*wrong, *(replace(fix, at=fix.at - timedelta(seconds=50)) for fix in right[25:])]
    for fixes in ([*wrong, *leap], shifted):
        track = believed_track(fixes)
        assert track.fixes[0] == wrong[0]
        assert track.fixes[-1].at == fixes[-1].at
        assert sum(dropped(track).values()) <= 2


def test_a_leap_to_another_level_or_far_away_is_another_aircraft_still() -> None:
    pilot = Pilot(QUIET_FIELD, every_s=1, east_nm=60, height_ft=33_000).fly(1200, kt=430)
    for moved in ({"altitude_ft": 20_000.0, "north": 0.1}, {"altitude_ft": 33_000.0, "north": 0.5}):
        fixes = [
            replace(fix, lat=fix.lat + moved["north"], altitude_ft=moved["altitude_ft"]) if n >= 800 else fix
            for n, fix in enumerate(pilot.fixes)
        ]
        assert dropped(believed_track(fixes)) == {"twin": 400}


def test_a_leap_on_the_ground_and_back_leaves_one_aircraft() -> None:
    """For ten seconds it is put 2.4 NM away; what follows is the aircraft that was there before, not that ghost's."""
    pilot = Pilot(QUIET_FIELD, every_s=1).park(600)
    ghost = slice(200, 210)
    fixes = list(pilot.fixes)
    fixes[ghost] = [replace(fix, lat=fix.lat + 0.04) for fix in fixes[ghost]]
    assert dropped(believed_track(fixes[:200])).get("twin", 0) == 0
    assert dropped(believed_track(fixes))["twin"] <= 10
    assert believed_track(fixes).fixes[-1].at > fixes[-5].at


def test_crossing_the_antimeridian_is_no_jump() -> None:
    fixes = Pilot(DATELINE_STRIP, east_nm=20, height_ft=30_000).fly(300, kt=430).fixes
    assert min(fix.lon for fix in fixes) < -179
    assert max(fix.lon for fix in fixes) > 179
    assert dropped(believed_track(fixes)) == {}


def test_fast_is_allowed_up_to_900_kt() -> None:
    fast = Pilot(QUIET_FIELD, east_nm=60, height_ft=33_000).fly(300, kt=890).fixes
    assert dropped(believed_track(fast)) == {}


def test_a_misread_altitude_is_forgotten_and_the_report_stays() -> None:
    fixes = Pilot(QUIET_FIELD).approach().fixes
    fixes[-2] = replace(fixes[-2], altitude_ft=25_275.0)
    track = believed_track(fixes)
    assert dropped(track) == {"altitude_jump": 1}
    assert (len(track.fixes), track.fixes[-2].altitude_ft) == (len(fixes), None)


def test_a_steep_climb_is_no_misread_altitude() -> None:
    fixes = Pilot(QUIET_FIELD, height_ft=200).climb(300, fpm=9000).fixes
    assert dropped(believed_track(fixes)) == {}


@pytest.mark.parametrize("source", ["mlat", "tisb_icao"])
def test_computed_positions_need_three_that_agree(source: str) -> None:
    few = cruise(20, source=source)
    assert dropped(believed_track(few)) == {"few_ranged": 2}
    assert dropped(believed_track(cruise(30, source=source))) == {}
    far_apart = cruise(900, source=source)[::20]
    assert dropped(believed_track(far_apart)) == {"few_ranged": len(far_apart)}


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({"source": "adsb_icao", "nic": 8, "nac_p": 9}, {}),
        ({"source": "adsb_icao", "nic": 0, "nac_p": 0}, {"low_integrity": 3}),
        ({"source": "adsb_icao", "nic": 8, "nac_p": 5}, {"low_integrity": 3}),
        ({"source": "adsb_icao", "nic": 3, "nac_p": 9}, {"low_integrity": 3}),
        # The first version of transponders gives no nac_p.
        ({"source": "adsb_icao", "nic": 0, "nac_p": None}, {}),
        ({"source": "other", "nic": 0, "nac_p": 0}, {}),
        ({"source": "adsb_icao", "nic": 0, "nac_p": 9, "on_ground": True}, {}),
    ],
)
def test_accuracy_is_judged_where_the_transponder_gives_it(
    values: dict[str, object], reasons: dict[str, int]
) -> None:
    assert dropped(believed_track([replace(fix, **values) for fix in cruise(30)])) == reasons  # type: ignore[arg-type]


def crowd(number: int, *, ground: bool, spread: float = 0.0) -> list[Fix]:
    return [
        Fix(
            "adsb.lol",
            f"15{n:04x}",
            NOON,
            NOON,
            55.5915 + spread * n,
            37.2615,
            on_ground=ground,
            ground_speed_kt=0.0 if ground else 250.0,
        )
        for n in range(number)
    ]


def test_many_aircraft_on_one_point_are_spoofed() -> None:
    assert spoofed_addresses(crowd(4, ground=False)) == {"150000", "150001", "150002", "150003"}
    assert len(spoofed_addresses(crowd(5, ground=True))) == 5


def test_a_full_apron_is_not_spoofed() -> None:
    assert spoofed_addresses(crowd(30, ground=True, spread=0.0005)) == frozenset()
    assert spoofed_addresses(crowd(4, ground=True)) == frozenset()
    assert spoofed_addresses(crowd(3, ground=False)) == frozenset()


def test_aircraft_that_follow_each_other_down_one_approach_are_not_spoofed() -> None:
    one_after_the_other = [
        replace(fix, at=fix.at + timedelta(seconds=60 * n)) for n, fix in enumerate(crowd(8, ground=False))
    ]
    assert spoofed_addresses(one_after_the_other) == frozenset()
    together = [*one_after_the_other, *crowd(4, ground=False)]
    assert spoofed_addresses(together) == {"150000", "150001", "150002", "150003"}


def test_one_aircraft_heard_often_on_one_point_is_not_a_crowd() -> None:
    assert spoofed_addresses(Pilot(QUIET_FIELD).park(600).fixes) == frozenset()


@pytest.mark.parametrize("late_s", [240, -90])
def test_a_clock_that_is_minutes_wrong_is_set_right_by_another_provider(late_s: int) -> None:
    """Both hear the landing and the take-off; the second dates its reports wrong."""
    pilot = Pilot(QUIET_FIELD).land().park(1800).take_off()
    right = pilot.fixes
    wrong = [
        replace(
            fix, provider="adsb.fi", at=fix.at - timedelta(seconds=late_s - 3), received_at=fix.received_at
        )
        for fix in right[::2]
    ]
    (alone,) = read(right, QUIET_FIELD)
    (both,) = read([*right, *wrong], QUIET_FIELD)
    assert alone.arrived_at is not None
    assert alone.departed_at is not None
    assert both.arrived_at is not None
    assert both.departed_at is not None
    assert abs(both.arrived_at - alone.arrived_at) <= timedelta(seconds=15)
    assert abs(both.departed_at - alone.departed_at) <= timedelta(seconds=15)
    assert dropped(believed_track([*right, *wrong]))["clock"] == len(wrong)


@pytest.mark.parametrize("late_s", [240, 300, 420, -120, -240])
@pytest.mark.parametrize("heard", ["all", "the approach"])
def test_a_wrong_clock_is_told_at_the_cadence_of_the_default_provider_too(late_s: int, heard: str) -> None:
    """A minute apart, no report of the one lies near one of the other: what lies between two counts."""
    pilot = Pilot(QUIET_FIELD).approach(from_nm=25).roll_out().taxi(300).park(3000).take_off(600)
    right = pilot.fixes[::6]
    wrong = [
        replace(fix, provider="adsb.fi", at=fix.at - timedelta(seconds=late_s))
        for fix in pilot.fixes[3::6]
        if heard == "all" or not fix.on_ground
    ]
    (alone,) = read(pilot.fixes, QUIET_FIELD)
    (both,) = read([*right, *wrong], QUIET_FIELD)
    for told, truth in ((both.arrived_at, alone.arrived_at), (both.departed_at, alone.departed_at)):
        assert told is not None
        assert truth is not None
        assert abs(told - truth) <= timedelta(seconds=60)
    assert dropped(believed_track([*right, *wrong]))["clock"] == len(wrong)


@pytest.mark.parametrize("later", [timedelta(hours=5), timedelta(days=1), timedelta(minutes=15)])
def test_who_flies_the_same_way_again_and_is_heard_by_another_then_has_flown_twice(later: timedelta) -> None:
    first = [replace(fix, provider="adsb.lol") for fix in Pilot(QUIET_FIELD).land().fixes]
    again = [
        replace(fix, at=fix.at + later, received_at=fix.received_at + later, provider="airplanes.live")
        for fix in first
    ]
    assert "clock" not in dropped(believed_track([*first, *again]))


def test_two_sound_providers_keep_their_clocks() -> None:
    fixes = Pilot(QUIET_FIELD).land().fixes
    other = [replace(fix, provider="adsb.fi", at=fix.at + timedelta(seconds=4)) for fix in fixes]
    assert "clock" not in dropped(believed_track([*fixes, *other]))


@pytest.mark.parametrize("told", [480.0, None])
def test_a_helicopter_at_480_kt_is_not_believed(told: float | None) -> None:
    values = {"type_code": "MI8", "ground_speed_kt": told}
    fixes = Pilot(QUIET_FIELD, east_nm=40, height_ft=2_000, values=values).fly(300, kt=480).fixes
    track = believed_track(fixes)
    assert dropped(track)["too_fast"] >= len(fixes) - 4
    slow = Pilot(QUIET_FIELD, east_nm=20, height_ft=2_000, values={"type_code": "MI8"}).fly(300, kt=140).fixes
    assert dropped(believed_track(slow)) == {}
    jet = (
        Pilot(QUIET_FIELD, east_nm=40, height_ft=30_000, values={"type_code": "IL62"}).fly(300, kt=480).fixes
    )
    assert dropped(believed_track(jet)) == {}


@pytest.mark.parametrize(
    ("type_code", "kt"), [("C172", 400.0), ("AN26", 640.0), ("AT72", 700.0), ("KA52", 330.0)]
)
def test_no_type_is_believed_faster_than_it_flies(type_code: str, kt: float) -> None:
    values = {"type_code": type_code}
    fast = Pilot(QUIET_FIELD, east_nm=40, height_ft=9_000, values=values).fly(300, kt=kt).fixes
    assert dropped(believed_track(fast))["too_fast"] == len(fast)
    usual = Pilot(QUIET_FIELD, east_nm=40, height_ft=9_000, values=values)
    assert dropped(believed_track(usual.fly(300, kt=performance_of(type_code).cruise_kt).fixes)) == {}


def test_an_aircraft_one_bit_off_with_its_own_registration_is_no_misreading() -> None:
    """RA-86555 and RA-86559, one callsign, side by side; the second is heard less often."""
    first = Pilot(QUIET_FIELD, "15521f", values={"callsign": "RSD71"}).land().park(1200).fixes
    own = [replace(fix, icao24="15521b", registration="RA-86555") for fix in first[::4]]
    named = [replace(fix, registration="RA-86559") for fix in first]
    assert not misread(own[-1], [*named, *own])
    # Without registrations: a stand away from the other.
    parked = [replace(fix, registration="", lat=fix.lat + 0.001) for fix in own if fix.on_ground]
    assert not misread(parked[-1], [*first, *parked])
    # On the very spot, a quarter as often, under the same name: read wrong.
    ghost = [replace(fix, registration="") for fix in own]
    assert misread(ghost[-1], [*first, *ghost])


@pytest.mark.parametrize("values", [{"type_code": "GND"}, {"source": "adsb_icao_nt"}])
def test_a_vehicle_is_no_aircraft_whatever_it_was_stored_as(values: dict[str, Any]) -> None:
    car = Pilot(QUIET_FIELD, values=values).park(600).fixes
    assert dropped(believed_track(car)) == {"no_aircraft": len(car)}
    assert read(car, QUIET_FIELD) == []
