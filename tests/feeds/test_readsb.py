"""The readsb family: real recordings, hostile answers, and circles anywhere on the globe."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import box

from db.records import Fix
from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedError, Fetched, Scope
from monitor.feeds.circles import Circle, enclosing_circle, merge_near_circles
from monitor.feeds.readsb import ReadsbFeed
from monitor.flights.tracks.surface import is_surface
from monitor.sites import Site
from monitor.sites.geodesy import great_circle_nm
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.fake_feeds import NOON, Handler, aircraft, client, readsb_provider, recorded_http, v2_body

PYONGYANG = Scope("circle:39.2241,125.6700,40", ("pyongyang",), 39.2241, 125.67, 40)
PARIS_START = datetime(2021, 10, 7, 12, tzinfo=UTC)


def feed(handler: Handler, **changes: Any) -> ReadsbFeed:
    return ReadsbFeed(readsb_provider(**changes), client(handler))


def answering(body: bytes, **changes: Any) -> ReadsbFeed:
    return feed(lambda _: httpx.Response(200, content=body), **changes)


def fetch(asked: ReadsbFeed, *, scope: Scope = PYONGYANG, now: datetime = NOON) -> Fetched:
    return asked.fetch(scope, (), purpose="data", now=now, since=None)


def one(**changes: Any) -> Fix:
    """The only fix of an answer with one aircraft."""
    (fix,) = fetch(answering(v2_body(aircraft(**changes)))).fixes
    return fix


def refused(item: Any) -> dict[str, int]:
    fetched = fetch(answering(v2_body(item)))
    assert fetched.fixes == ()
    assert fetched.item_count == 1
    return dict(fetched.rejected)


def test_it_is_a_feed() -> None:
    made: Feed = answering(v2_body())
    assert made.watches


# --- one aircraft -------------------------------------------------------------------------------


def test_every_field_of_an_aircraft_arrives() -> None:
    assert one() == Fix(
        provider="test.readsb",
        icao24="15521f",
        at=NOON - timedelta(seconds=1.5),
        received_at=NOON,
        lat=39.2241,
        lon=125.67,
        on_ground=False,
        altitude_ft=4_000.0,
        altitude_geom_ft=4_150.0,
        ground_speed_kt=210.0,
        track_deg=171.5,
        vertical_rate_fpm=-832.0,
        source="adsb_icao",
        nic=8,
        nac_p=9,
        callsign="RSD86",
        registration="RA-86559",
        type_code="IL62",
        db_flags=0,
    )


def test_nothing_but_address_and_position_is_needed() -> None:
    bare = {"hex": "15521f", "lat": 39.2241, "lon": 125.67, "seen_pos": 0}
    (fix,) = fetch(answering(v2_body(bare))).fixes
    assert fix == Fix("test.readsb", "15521f", NOON, NOON, 39.2241, 125.67)


@pytest.mark.parametrize(
    ("altitude", "on_ground", "altitude_ft"),
    [("ground", True, None), (-75, False, -75.0), (0, False, 0.0), (None, None, None), ("low", None, None)],
)
def test_a_missing_altitude_is_never_a_low_one(
    altitude: object, on_ground: bool | None, altitude_ft: float | None
) -> None:
    fix = one(alt_baro=altitude)
    assert (fix.on_ground, fix.altitude_ft) == (on_ground, altitude_ft)


def test_other_names_for_track_and_climb() -> None:
    fix = one(track=None, calc_track=90, baro_rate=None, geom_rate=640)
    assert (fix.track_deg, fix.vertical_rate_fpm) == (90.0, 640.0)


@pytest.mark.parametrize("source", ["other", "mlat", "tisb_icao", "adsc", "mode_s"])
def test_integrity_is_read_from_adsb_only(source: str) -> None:
    fix = one(type=source, nic=0, nac_p=0)
    assert (fix.nic, fix.nac_p, fix.source) == (None, None, source)


@pytest.mark.parametrize("source", ["adsb_icao", "adsr_icao", "adsb_other"])
def test_adsb_integrity_is_kept(source: str) -> None:
    assert one(type=source, nic=0, nac_p=3).nic == 0


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"mlat": ["lat", "lon", "track"], "tisb": []}, "mlat"),
        ({"mlat": [], "tisb": ["lat", "lon"]}, "tisb_icao"),
        ({"mlat": [], "tisb": []}, ""),
        ({"mlat": "lat", "tisb": None}, ""),
    ],
)
def test_the_older_names_of_dump1090_are_read(fields: dict[str, Any], source: str) -> None:
    old = {"hex": "e06486", "lat": 39.2, "lon": 125.6, "seen_pos": 1.0, "seen": 0.5, "nucp": 7}
    moving = {**old, "altitude": 4000, "speed": 156, "vert_rate": -640, "track": 140, **fields}
    standing = {**old, "hex": "e0c001", "altitude": "ground", "speed": 0}
    fix, grounded = fetch(answering(v2_body(moving, standing))).fixes
    assert (fix.altitude_ft, fix.on_ground, fix.ground_speed_kt) == (4000, False, 156)
    assert (fix.vertical_rate_fpm, fix.source, fix.nic) == (-640, source, None)
    assert (grounded.on_ground, grounded.altitude_ft, grounded.ground_speed_kt) == (True, None, 0)


def test_an_address_that_is_not_icaos_stays_apart() -> None:
    fetched = fetch(answering(v2_body(aircraft("~15521f"), aircraft("15521F"))))
    assert [fix.icao24 for fix in fetched.fixes] == ["~15521f", "15521f"]


@pytest.mark.parametrize(
    "hex_code", ["", "15521", "15521ff", "15521g", "~~5521f", "<b>", None, 15521, "15521f\n", "１5521f"]
)
def test_a_bad_address_is_refused(hex_code: Any) -> None:
    assert refused(aircraft(hex_code)) == {"no valid address": 1}


HOSTILE = ["<script>", "=1+1", "a\nb", "RSD\x0086", "RSD86;--", "„RSD“", "X" * 40, "<!channel>", "&amp;"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("key", "field"),
    [("flight", "callsign"), ("r", "registration"), ("t", "type_code"), ("type", "source")],
)
def test_hostile_text_is_dropped_and_counted_but_the_aircraft_is_kept(
    text: str, key: str, field: str
) -> None:
    fetched = fetch(answering(v2_body({**aircraft(), key: text})))
    assert getattr(fetched.fixes[0], field) == ""
    assert fetched.rejected == {f"unusable {key}": 1}


@pytest.mark.parametrize("registration", ["54+01", "N123AB", "RA-86559", "ZS-CAR/A", "05-5140"])
def test_real_registrations_are_kept(registration: str) -> None:
    assert one(r=registration).registration == registration


@given(st.text(max_size=12))
def test_text_that_passes_is_safe_everywhere(text: str) -> None:
    assume(not is_surface(source=text, type_code=text, category=None))
    fix = one(flight=text, r=text, t=text, type=text)
    for kept in (fix.callsign, fix.registration, fix.type_code, fix.source):
        assert not set(kept) & set("<>&=@\t\r\n\x00\"'`;|")
        assert kept.isascii()
        assert not kept or kept[0].isalnum() or kept[0] == "_"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seen_pos": 60.1}, "stale position"),
        ({"seen_pos": None}, "position without age"),
        ({"seen_pos": "1"}, "position without age"),
        ({"seen_pos": -301}, "time in the future"),
        ({"lat": None}, "no position"),
        ({"lat": None, "rr_lat": 39.2, "rr_lon": 125.7}, "no position"),
        ({"lat": 143.0}, "impossible position"),
        ({"lon": 181}, "impossible position"),
        ({"lat": "39"}, "impossible position"),
        ({"lat": True}, "impossible position"),
        ({"lat": 10**400}, "impossible position"),
        ({"lat": 52.0}, "outside the circle"),
        ({"lat": None, "lastPosition": {"lat": 39.2, "lon": 125.7, "seen_pos": 61}}, "stale position"),
    ],
)  # fmt: skip
def test_a_position_that_cannot_be_believed_is_counted_not_kept(changes: dict[str, Any], reason: str) -> None:
    assert refused(aircraft(**changes)) == {reason: 1}


def test_a_position_just_fresh_enough_is_kept() -> None:
    assert one(seen_pos=60).at == NOON - timedelta(seconds=60)
    last = {"lat": 39.2, "lon": 125.7, "seen_pos": 59}
    assert one(lat=None, lon=None, lastPosition=last).at == NOON - timedelta(seconds=59)


def test_the_age_limit_of_positions_can_be_set() -> None:
    strict = answering(v2_body(aircraft(seen_pos=20)), options={"max_position_age_s": "15"})
    assert fetch(strict).rejected == {"stale position": 1}


@pytest.mark.parametrize("item", [None, 7, "15521f", [], [1, 2]])
def test_things_that_are_no_aircraft_are_counted(item: Any) -> None:
    assert refused(item) == {"not an object": 1}


def test_the_same_aircraft_twice_counts_once() -> None:
    fetched = fetch(answering(v2_body(aircraft(), aircraft(lat=39.3))))
    assert [fix.lat for fix in fetched.fixes] == [39.2241]
    assert fetched.rejected == {"the same aircraft twice": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["hex", "type", "flight", "r", "t", "alt_baro", "alt_geom", "gs", "track", "baro_rate", "lat", "lon", "nic",
     "nac_p", "seen_pos", "seen", "dbFlags", "lastPosition"]
)  # fmt: skip


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_value_of_any_field_breaks_the_reader(changes: dict[str, Any]) -> None:
    try:
        fetched = fetch(answering(v2_body({**aircraft(), **changes})))
    except FeedError as error:
        assert "receivers have stopped" in error.reason  # noqa: PT017 - either outcome is right
        return
    assert len(fetched.fixes) + sum(fetched.rejected.values()) >= 1
    for fix in fetched.fixes:
        assert abs(fix.lat) <= 90
        assert abs(fix.lon) <= 180
        assert NOON - timedelta(seconds=60) <= fix.at <= NOON + timedelta(minutes=5)


# --- the answer as a whole ----------------------------------------------------------------------


def test_an_empty_circle_is_an_answer() -> None:
    fetched = fetch(answering(v2_body()))
    assert (fetched.item_count, fetched.fixes, fetched.feed_time) == (0, (), NOON)


def test_the_second_envelope_counts_in_seconds() -> None:
    body = json.dumps({"now": NOON.timestamp(), "messages": 7, "aircraft": [aircraft()]}).encode()
    fetched = fetch(answering(body))
    assert fetched.feed_time == NOON
    assert fetched.fixes[0].icao24 == "15521f"


@pytest.mark.parametrize(
    "document",
    [
        {"now": 1690891200000},
        {"ac": None, "now": 1690891200000},
        {"ac": {}, "now": 1690891200000},
        {"ac": "", "now": 1690891200000},
        {"msg": "No error", "total": 0},
        [], 7, "x", True,
    ],
)  # fmt: skip
def test_an_answer_without_a_list_has_failed(document: Any) -> None:
    with pytest.raises(FeedError, match="no list of aircraft") as caught:
        fetch(answering(json.dumps(document).encode()))
    assert caught.value.body


@pytest.mark.parametrize("now", [None, "1690891200000", True, -1, 0, 1e300, 10**400])
def test_an_answer_without_time_has_failed(now: Any) -> None:
    with pytest.raises(FeedError, match="does not say its time"):
        fetch(answering(json.dumps({"ac": [], "now": now}).encode()))


@pytest.mark.parametrize(("age_s", "fails"), [(120, False), (121, True), (-300, False), (-301, True)])
def test_a_frozen_or_fast_clock_has_failed(age_s: int, fails: bool) -> None:
    asked = answering(v2_body(aircraft(), now=NOON - timedelta(seconds=age_s)))
    if not fails:
        assert fetch(asked).fixes
        return
    with pytest.raises(FeedError, match="the feed's clock is"):
        fetch(asked)


def test_a_feed_whose_receivers_have_stopped_has_failed() -> None:
    with pytest.raises(FeedError, match="heard no aircraft for 130 s, though it lists 2"):
        fetch(answering(v2_body(aircraft(seen=150), aircraft("15521e", seen=130))))
    assert fetch(answering(v2_body(aircraft(seen=150), aircraft("15521e", seen=3)))).fixes


def test_the_age_limit_of_the_feed_can_be_set() -> None:
    asked = answering(v2_body(now=NOON - timedelta(seconds=200)), options={"max_age_s": "240"})
    assert fetch(asked).item_count == 0


# --- questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "base_url", "asked"),
    [
        ({}, "https://api.example/v2/", "https://api.example/v2/point/39.2241/125.6700/40"),
        ({"path_style": "point"}, "https://api.example/v2", "https://api.example/v2/point/39.2241/125.6700/40"),
        (
            {"path_style": "lat_lon_dist"},
            "https://api.example/api/v2/",
            "https://api.example/api/v2/lat/39.2241/lon/125.6700/dist/40",
        ),
        (
            {"path_style": "readsb", "lat": "39", "lon": "126"},
            "http://192.168.1.5:8042",
            "http://192.168.1.5:8042/?circle=39.2241,125.6700,40",
        ),
        (
            {"path_style": "aircraft_json", "lat": "39", "lon": "126"},
            "http://192.168.1.5/data/aircraft.json",
            "http://192.168.1.5/data/aircraft.json",
        ),
    ],
)  # fmt: skip
def test_each_style_of_path(options: dict[str, str], base_url: str, asked: str) -> None:
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, content=v2_body())

    fetch(feed(handler, options=options, base_url=base_url))
    assert urls == [asked]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path_style": "area"}, "path_style 'area' is not known. Use one of point, lat_lon_dist"),
        ({"margin_nm": "far"}, "margin_nm must be a number"),
        ({"merge_nm": "inf"}, "merge_nm must be a number"),
        ({"max_age_s": ""}, "max_age_s must be a number"),
        ({"path_style": "readsb"}, "the option lat must be a number"),
        ({"path_style": "aircraft_json", "lat": "39"}, "the option lon must be a number"),
        ({"canaries": "37.469,126.451"}, "canaries must look like"),
        ({"canaries": "a,b,c"}, "canaries must look like"),
    ],
)
def test_a_bad_option_stops_the_start(options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        answering(b"", options=options)


# --- planning -----------------------------------------------------------------------------------


def site(name: str, lat: float, lon: float, kind: str = "airport", half_deg: float = 0.01) -> Site:
    shape = box(lon - half_deg, lat - half_deg, lon + half_deg, lat + half_deg)
    return Site(name, name, kind, shape, ZoneInfo("UTC"))


def covers(scope: Scope, lat: float, lon: float) -> bool:
    assert scope.lat is not None
    assert scope.lon is not None
    assert scope.radius_nm is not None
    return great_circle_nm(scope.lat, scope.lon, lat, lon) <= scope.radius_nm


def test_only_sites_where_aircraft_come_and_go_are_asked_about() -> None:
    planned = answering(b"").scopes(CAST)
    assert sorted(name for scope in planned for name in scope.site_ids) == [
        DATELINE_STRIP.id,
        DONUT_BASE.id,
        QUIET_FIELD.id,
    ]
    assert not answering(b"").scopes([BUSY_PORT])
    assert not answering(b"").scopes([])


def test_a_site_across_180_degrees_gets_a_circle_there() -> None:
    (scope,) = answering(b"").scopes([DATELINE_STRIP])
    assert scope.lat == pytest.approx(-16.8, abs=0.001)
    assert abs(scope.lon or 0) == pytest.approx(180, abs=0.001)
    assert scope.radius_nm == 202
    assert covers(scope, -16.8, 179.99)
    assert covers(scope, -16.8, -179.99)


def test_near_sites_share_a_circle_and_far_ones_do_not() -> None:
    sunan, wonsan, knevichi = (
        site("sunan", 39.22, 125.67),
        site("wonsan", 39.17, 127.49),
        site("uhww", 43.4, 132.15),
    )
    planned = answering(b"").scopes([knevichi, wonsan, sunan])
    assert [scope.site_ids for scope in planned] == [("sunan", "wonsan"), ("uhww",)]
    assert planned == answering(b"").scopes([sunan, knevichi, wonsan])
    alone = answering(b"", options={"merge_nm": "41"}).scopes([sunan, wonsan])
    assert [scope.site_ids for scope in alone] == [("sunan",), ("wonsan",)]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-89.5, 89.5), st.floats(-179.9, 179.9), st.sampled_from([0.0001, 0.01, 0.05])),
        min_size=1,
        max_size=8,
    )
)
def test_every_corner_of_every_site_lies_in_its_circle_with_the_margin(
    places: list[tuple[float, float, float]],
) -> None:
    sites = [site(f"s{index}", lat, lon, half_deg=half) for index, (lat, lon, half) in enumerate(places)]
    planned = answering(b"").scopes(sites)
    assert sorted(name for scope in planned for name in scope.site_ids) == sorted(each.id for each in sites)
    by_id = {each.id: each for each in sites}
    for scope in planned:
        assert scope.radius_nm is not None
        assert scope.radius_nm <= 250
        for name in scope.site_ids:
            for lon, lat in by_id[name].geometry.exterior.coords:  # type: ignore[union-attr]
                assert great_circle_nm(scope.lat or 0, scope.lon or 0, lat, lon) + 40 <= scope.radius_nm + 1


@given(
    st.tuples(st.floats(-89, 89), st.floats(-180, 180), st.floats(0, 100)),
    st.tuples(st.floats(-89, 89), st.floats(-180, 180), st.floats(0, 100)),
)
def test_the_joint_circle_holds_both(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> None:
    one_circle, two = Circle(*first), Circle(*second)
    joint = enclosing_circle(one_circle, two)
    for each in (one_circle, two):
        assert joint.distance_nm(each.lat, each.lon) + each.radius_nm <= joint.radius_nm + 1e-3
    assert joint.radius_nm <= one_circle.distance_nm(two.lat, two.lon) + one_circle.radius_nm + two.radius_nm


def test_merging_prefers_the_nearest_group() -> None:
    groups = merge_near_circles(
        [("a", Circle(0, 0, 40)), ("b", Circle(0, 10, 40)), ("c", Circle(0, 9, 40))], 200
    )
    assert [names for _, names in groups] == [("a",), ("b", "c")]


def test_a_site_wider_than_any_circle_fails_loudly_and_alone() -> None:
    sea = site("sea", 40, 131, half_deg=4)
    (scope,) = answering(v2_body()).scopes([sea])
    with pytest.raises(FeedError, match=r"at most 250 NM is needed\. Make the site smaller \(sea\)"):
        fetch(answering(v2_body()), scope=scope)


def test_a_receiver_of_ones_own_covers_what_it_reaches() -> None:
    sites = [site("near", 48.7, 2.4), site("far", 39.2, 125.7)]
    options = {"lat": "48.8", "lon": "2.3", "range_nm": "150"}
    (whole,) = answering(b"", options={**options, "path_style": "aircraft_json"}).scopes(sites)
    assert whole == Scope("receiver", ("near",))
    (circle,) = answering(b"", options={**options, "path_style": "readsb"}).scopes(sites)
    assert circle.site_ids == ("near",)
    assert not answering(b"", options={**options, "path_style": "aircraft_json"}).scopes(sites[1:])
    assert answering(b"", options={**options, "path_style": "readsb"}).canary(circle) is None


def test_the_canary_is_a_busy_circle_elsewhere() -> None:
    asked = answering(b"")
    incheon = asked.canary(PYONGYANG)
    assert incheon == Scope("circle:37.4690,126.4510,41", (), 37.469, 126.451, 41)
    around_incheon = replace(PYONGYANG, radius_nm=200)
    assert asked.canary(around_incheon) == Scope("circle:40.0800,116.5850,41", (), 40.08, 116.585, 41)
    assert asked.canary(PYONGYANG) == incheon
    everywhere = answering(b"", options={"canaries": "39.2,125.7,10"})
    assert everywhere.canary(PYONGYANG) is not None
    assert answering(b"", options={"canaries": ""}).canary(PYONGYANG) is None


# --- real recordings ----------------------------------------------------------------------------


@pytest.mark.shared
def test_an_afternoon_at_orly(shared_data: Path) -> None:
    orly = Scope("circle:48.7200,2.3700,30", ("orly",), 48.72, 2.37, 30)
    path = shared_data / "adsb/paris-2021-10-07-v2-polls.ndjson.gz"
    bodies = gzip.decompress(path.read_bytes()).splitlines()
    seen: set[str] = set()
    rejected: dict[str, int] = {}
    failed = 0
    times: list[datetime] = []
    for body in bodies:
        now = datetime.fromtimestamp(json.loads(body)["now"] / 1000, UTC)
        try:
            fetched = fetch(answering(body), scope=orly, now=now)
        except FeedError as error:
            assert "receivers have stopped" in error.reason  # noqa: PT017 - counted below
            failed += 1
            continue
        assert fetched.feed_time is not None
        times.append(fetched.feed_time)
        seen |= {fix.icao24 for fix in fetched.fixes}
        for reason, count in fetched.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
        assert all(fix.nic is None and fix.source == "other" for fix in fetched.fixes)
        assert all(timedelta(0) <= now - fix.at <= timedelta(seconds=60) for fix in fetched.fixes)
    assert len(bodies) == 1085
    # Only the first answer lists nothing but aircraft that were last heard more than two minutes before.
    assert failed == 1
    # The type of a few is the text "None".
    assert set(rejected) == {"stale position", "unusable t"}
    assert len(seen) > 200
    assert times == sorted(times)


@pytest.mark.shared
def test_a_real_empty_circle(shared_data: Path) -> None:
    body = (shared_data / "adsb/adsblol_v2_point_empty_ZKPY.json").read_bytes()
    fetched = fetch(answering(body), now=datetime.fromtimestamp(1795296949, UTC))
    assert (fetched.item_count, dict(fetched.rejected)) == (0, {})


@pytest.mark.shared
def test_a_real_receiver_file(shared_data: Path) -> None:
    body = (shared_data / "adsb/readsb_aircraft.json").read_bytes()
    options = {"path_style": "aircraft_json", "lat": "48.8", "lon": "2.3"}
    fetched = fetch(
        answering(body, options=options),
        scope=Scope("receiver", ("x",)),
        now=datetime.fromtimestamp(1795296949, UTC),
    )
    assert fetched.item_count == len(json.loads(body)["aircraft"])
    assert fetched.rejected == {"stale position": 1, "no position": 1, "unusable t": 1}
    assert len(fetched.fixes) == fetched.item_count - 2
    tra = next(fix for fix in fetched.fixes if fix.icao24 == "48520a")
    assert (tra.callsign, tra.nac_p, tra.altitude_geom_ft) == ("TRA89M", 9, 38_250.0)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        ("adsblol_v2_422.http", 422, "Input should be less than or equal to 90"),
        ("readsb_bad_circle.http", 400, "400 Bad Request"),
    ],
)
def test_real_refusals(shared_data: Path, file: str, status: int, said: str) -> None:
    with pytest.raises(FeedError, match=said) as caught:
        fetch(feed(lambda _: recorded_http(shared_data / "adsb" / file)))
    assert caught.value.status == status
