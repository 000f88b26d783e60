"""Detections of others: a declared mapping, every row checked again, and identities that survive a re-export."""

import io
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import shapely

from monitor.bootstrap import FEEDS
from monitor.config.settings import SettingsError
from monitor.feeds import FeedError, Fetched, Provider
from monitor.sites import Site
from tests.kit.cast import BUSY_PORT, CAST, QUIET_FIELD
from tests.kit.fake_feeds import NOON, client

URL = "https://feed.example/api"
PORT = BUSY_PORT.geometry.representative_point()
PIER = next(each for each in BUSY_PORT.areas if each.geometry is not None)


def provider(kind: str, **options: str) -> Provider:
    return Provider("test", kind, URL, 600, "own", "us", options=options, credentials={"token": "k" * 20})


def read(kind: str, body: bytes, sites: tuple[Site, ...] = (BUSY_PORT,), **options: str) -> Fetched:
    handler = lambda _: httpx.Response(200, content=body)  # noqa: E731
    feed = FEEDS[kind](provider(kind, **options), client(handler, name="test"))
    return feed.fetch(feed.scopes(sites)[0], sites, purpose="data", now=NOON, since=None)


def feature(
    place: Any = None, feature_id: Any = None, geometry: Any = None, **properties: Any
) -> dict[str, Any]:
    lon, lat = place or (PORT.x, PORT.y)
    said = {"time": "2023-08-01T10:30:00Z", "class": "ship", **properties}
    made = {
        "type": "Feature",
        "geometry": geometry or {"type": "Point", "coordinates": [lon, lat]},
        "properties": said,
    }
    return made if feature_id is None else {**made, "id": feature_id}


def collection(*features: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode()


def found(*features: Mapping[str, Any], sites: tuple[Site, ...] = (BUSY_PORT,), **options: str) -> Fetched:
    return read("detections_file", collection(*features), sites, **options)


def test_a_detection_is_counted_where_it_lies_and_in_the_areas_that_hold_it() -> None:
    pier = PIER.geometry.representative_point() if PIER.geometry is not None else PORT
    inside, outside = (
        found(feature((pier.x, pier.y)), feature((19.9, 69.9))).detections,
        found(feature((19.9, 69.9))),
    )
    assert [(each.site_id, each.metric, each.areas, each.amount) for each in inside] == [
        ("busy-port", "ships_present", (PIER.id,), 1.0)
    ]
    assert outside.detections == ()
    assert outside.rejected == {"elsewhere": 1}


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"time": None}, "without a time"),
        ({"time": ""}, "without a time"),
        ({"time": "yesterday"}, "of a time that cannot be read"),
        ({"time": True}, "of a time that cannot be read"),
        ({"time": 12}, "of a time that cannot be read"),
        ({"time": "2023-08-01T10:30:00"}, "of a time without a zone"),
        ({"time": "2023-08-01"}, "of a date without a zone"),
        ({"time": "2023-08-03T10:30:00Z"}, "in the future"),
        ({"time": "2003-08-03T10:30:00Z"}, "before the window"),
        ({"class": None}, "without a class"),
        ({"class": "cloud"}, "of a class that is no metric"),
        ({"class": "<b>ship</b>"}, "of a class that is no plain text"),
        ({"count": "many"}, "of a count that is no number"),
        ({"count": -1}, "of a count that cannot be"),
        ({"count": 1.5}, "of a count that cannot be"),
        ({"score": "high"}, "of a score that is no number"),
        ({"score": 0.2}, "below the least score"),
        ({"score": None}, "without a score"),
    ],
)
def test_a_row_that_cannot_be_believed_is_counted_by_its_reason(
    properties: dict[str, Any], reason: str
) -> None:
    fetched = found(feature(**{"score": 0.9, **properties}), count="count", score="score", least_score="0.5")
    assert fetched.detections == ()
    assert fetched.rejected == {reason: 1}


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"type": "Point", "coordinates": []}, "without a place"),
        ({"type": "Point", "coordinates": [1e9, 0]}, "of a place that cannot be"),
        ({"type": "Point", "coordinates": [PORT.y, PORT.x]}, "its latitude and longitude are swapped"),
        ({"type": "Nonsense"}, "without a place"),
        ("nowhere", "without a place"),
    ],
)
def test_a_place_that_cannot_be_is_told_apart_from_one_elsewhere(geometry: Any, reason: str) -> None:
    assert found(feature(geometry=geometry)).rejected == {reason: 1}
    bare = {**feature(), "geometry": None}
    assert found(bare).rejected == {"without a place": 1}


@pytest.mark.parametrize(
    "time",
    [
        "2023-08-01T10:30:00Z",
        "2023-08-01 12:30:00+02:00",
        1690885800,
        1690885800000,
        "1690885800",
        "2023-08-01T10:30:00.000Z",
    ],
)
def test_times_in_every_usual_form_are_one_instant(time: Any) -> None:
    (seen,) = found(feature(time=time)).detections
    assert seen.at.isoformat() == "2023-08-01T10:30:00+00:00"


def test_a_clock_time_is_read_in_the_zone_that_is_declared() -> None:
    (seen,) = found(feature(time="2023-08-01T12:30:00"), zone="+02:00").detections
    assert seen.at.hour == 10
    (day,) = found(feature(time="2023-07-31"), zone="UTC").detections
    assert (day.precision, day.look_key) == ("day", "day-2023-07-31")


def test_rows_without_identity_survive_a_re_export_with_one_more_row_on_top() -> None:
    def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "id": number} for number, row in enumerate(rows)]

    rows = [feature((PORT.x + n / 1e4, PORT.y)) for n in range(5)]
    before = found(*numbered(rows)).detections
    after = found(*numbered([feature((PORT.x, PORT.y + 1e-4)), *rows])).detections
    assert len({each.detection_id for each in before}) == 5
    assert [each.detection_id for each in after[1:]] == [each.detection_id for each in before]


def test_an_identity_that_is_declared_or_a_name_holds_whatever_else_changes() -> None:
    one = found(feature(feature_id="vessel-7", score=0.5)).detections[0]
    other = found(feature((PORT.x, PORT.y + 1e-4), feature_id="vessel-7", score=0.6)).detections[0]
    assert one.detection_id == other.detection_id
    declared = [found(feature(number=number), id="number").detections[0].detection_id for number in (7, 7, 8)]
    assert declared[0] == declared[1] != declared[2]


def test_what_is_listed_twice_is_one() -> None:
    fetched = found(feature(), feature())
    assert len(fetched.detections) == 1
    assert fetched.rejected == {"listed twice": 1}


def test_classes_become_metrics_as_declared_and_others_are_left_out() -> None:
    fetched = found(
        feature(**{"class": "Cargo Ship"}),
        feature(**{"class": "buoy"}),
        classes="cargo ship:ships_present, rail car:railcars",
    )
    assert [(each.metric, each.detected_class) for each in fetched.detections] == [
        ("ships_present", "Cargo Ship")
    ]
    assert fetched.rejected == {"of a class that is not asked for": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"classes": "ship"},
        {"classes": "ship:submarines"},
        {"metric": "submarines"},
        {"least_score": "high"},
        {"zone": "Nowhere/Else"},
        {"margin_m": "wide"},
    ],
)
def test_a_mapping_that_cannot_be_used_stops_the_start(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="test"):
        read("detections_file", collection(), (BUSY_PORT,), **options)


def test_only_a_source_that_states_all_it_saw_gives_more_than_a_lower_bound() -> None:
    (alone,) = found(feature()).detections
    (counted,) = found(feature(count=0), count="count").detections
    (scened,) = found(feature(scene="S2A_1"), scene="scene").detections
    assert (alone.whole, alone.amount) == (False, 1.0)
    assert (counted.whole, counted.amount) == (True, 0.0)
    assert (scened.whole, scened.amount) == (True, 1.0)


def test_a_footprint_that_saw_nothing_says_so_of_every_area_that_it_covers() -> None:
    footprint = shapely.geometry.mapping(BUSY_PORT.geometry.buffer(0.01))
    (seen,) = found(feature(geometry=footprint, count=0), count="count").detections
    assert (seen.areas, seen.coverage) == ((PIER.id,), 1.0)
    (some,) = found(feature(geometry=footprint, count=3), count="count").detections
    assert some.areas == (), "three somewhere in the port are not three at the pier"


def test_a_snapshot_has_its_hour_and_a_flow_its_local_day() -> None:
    (ship,) = found(feature()).detections
    assert (ship.look_key, ship.precision) == ("hour-20230801T10", "hour")
    (call,) = found(feature(), metric="ship_calls").detections
    assert (call.look_key, call.precision) == ("day-2023-08-01", "day")
    assert call.look_end - call.look_start == timedelta(days=1)


CSV = "time;class;lat;lon\n2023-08-01T10:30:00Z;ship;{lat};{lon}\n"


def test_a_table_at_an_address_is_read_with_its_own_delimiter_and_columns() -> None:
    body = CSV.format(lat=PORT.y, lon=PORT.x).encode("utf-8-sig")
    assert len(read("detections_file", body, lat="lat", lon="lon").detections) == 1
    with pytest.raises(FeedError, match="no table with the columns latitude, longitude, time, class"):
        read("detections_file", body)
    with pytest.raises(FeedError, match="breaks off"):
        read("detections_file", body[:-3], lat="lat", lon="lon")
    with pytest.raises(FeedError, match="not as many cells"):
        read("detections_file", body + b"2023;ship\n", lat="lat", lon="lon")
    comma = CSV.format(lat=str(PORT.y).replace(".", ","), lon=PORT.x).encode()
    assert read("detections_file", comma, lat="lat", lon="lon").rejected == {"without a place": 1}


def test_error_text_under_a_good_status_is_no_empty_table() -> None:
    with pytest.raises(FeedError, match="no table"):
        read("detections_file", b"Service under maintenance.\n")
    with pytest.raises(FeedError, match="no GeoJSON FeatureCollection"):
        read("detections_file", b'{"error": "quota"}')


@pytest.mark.parametrize(
    "more",
    [
        {"exceededTransferLimit": True},
        {"properties": {"exceededTransferLimit": True}},
        {"links": [{"rel": "next", "href": "https://feed.example/api?page=2"}]},
    ],
)
def test_one_page_of_a_longer_answer_is_no_file(more: Mapping[str, Any]) -> None:
    """Servers cut silently at some number of features; half of the ships must not become a count."""
    with pytest.raises(FeedError, match="one page of 1 features, and the server has more"):
        read("detections_file", collection(feature(), **more))


def test_a_file_may_be_one_feature_or_a_list_of_them() -> None:
    one, other = feature(), feature(time="2023-08-01T10:40:00Z")
    for said, ships in (([one, other], 2), (one, 1), ([], 0)):
        body = b"\xef\xbb\xbf" + json.dumps(said).encode()
        if ships:
            assert len(read("detections_file", body).detections) == ships
        else:
            with pytest.raises(FeedError, match="no GeoJSON"):
                read("detections_file", body)


def test_coordinates_of_another_system_are_refused() -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    with pytest.raises(FeedError, match="another system"):
        read("detections_file", collection(feature(), crs=crs))
    fine = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert read("detections_file", collection(feature(), crs=fine)).detections


def test_a_geoparquet_file_is_read_and_one_that_is_none_refused() -> None:
    import geopandas

    rows = {"time": ["2023-08-01T10:30:00Z"] * 2, "class": ["ship", "plane"], "n": [2, 3]}
    frame = geopandas.GeoDataFrame(rows, geometry=[PORT, PORT], crs="EPSG:4326")
    packed = io.BytesIO()
    frame.to_parquet(packed)
    fetched = read("detections_file", packed.getvalue(), count="n")
    assert [(each.metric, each.amount) for each in fetched.detections] == [
        ("ships_present", 2.0),
        ("aircraft_present", 3.0),
    ]
    metric = io.BytesIO()
    frame.to_crs("EPSG:3857").to_parquet(metric)
    with pytest.raises(FeedError, match="not longitude and latitude"):
        read("detections_file", metric.getvalue())
    for damaged in (packed.getvalue()[:200], b"PAR1 and then nothing"):
        with pytest.raises(FeedError, match="damaged"):
            read("detections_file", damaged)


def test_a_server_of_features_is_asked_box_by_box_in_crs84_and_checked_again() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        page = len(asked)
        links = (
            [{"rel": "next", "href": f"http://feed.example/api/items?page={page + 1}"}] if page < 3 else []
        )
        untimed = {**feature(feature_id="untimed"), "properties": {"class": "ship"}}
        every = [feature(feature_id=f"ship-{page}", datetime="2023-08-01T10:30:00Z"), untimed]
        return httpx.Response(200, content=collection(*every, links=links, numberMatched=9))

    feed = FEEDS["ogc_features"](provider("ogc_features"), client(answer, name="test"))
    fetched = feed.fetch(feed.scopes([BUSY_PORT])[0], [BUSY_PORT], purpose="data", now=NOON, since=None)
    west, south, east, north = map(float, asked[0].params["bbox"].split(","))
    assert (west, south, east, north) == pytest.approx(BUSY_PORT.geometry.bounds, abs=1e-4)
    assert asked[0].params["datetime"] == "2023-05-03T12:00:00Z/.."
    assert [each.path for each in asked[1:]] == ["/api/items"] * 2
    assert {each.scheme for each in asked} == {"https"}
    assert len(fetched.detections) == 3
    assert fetched.rejected == {"without a time": 3, "missing from the answer": 3}


def test_a_next_page_on_another_server_is_not_asked() -> None:
    links = [{"rel": "next", "href": "https://elsewhere.example/items"}]
    with pytest.raises(FeedError, match=r"another server \('elsewhere\.example'\)"):
        read("ogc_features", collection(feature(datetime="2023-08-01T10:30:00Z"), links=links))


def test_a_site_across_180_degrees_is_asked_about_on_both_sides() -> None:
    feed = FEEDS["ogc_features"](provider("ogc_features"), client(lambda _: httpx.Response(200), name="test"))
    boxes = [scope.box for scope in feed.scopes(CAST) if scope.site_ids == ("dateline-strip",)]
    assert len(boxes) == 2
    assert all(box is not None and box[1] < box[3] for box in boxes)


def test_items_of_a_catalogue_are_detections_of_their_collection() -> None:
    item = {
        **feature(feature_id="item-1", datetime="2023-08-01T10:30:00Z"),
        "collection": "gms_vessel_detection",
    }
    fetched = read("stac_detections", collection(item), classes="gms_vessel_detection:ships_present")
    assert [(each.metric, each.detected_class) for each in fetched.detections] == [
        ("ships_present", "gms_vessel_detection")
    ]


def visit(**fields: Any) -> dict[str, Any]:
    place = {"position": {"lat": PORT.y, "lon": PORT.x}}
    return {"id": "v1", "type": "port_visit", "start": "2023-07-28T10:30:00.000Z", **place, **fields}


def test_port_visits_are_calls_by_ships_that_send_ais_and_never_a_zero() -> None:
    body = json.dumps(
        {"entries": [visit(), visit(id="v2"), visit(id="v3", type="gap")], "nextOffset": None}
    ).encode()
    fetched = read("gfw_port_visits", body)
    assert [(each.metric, each.look_key, each.whole) for each in fetched.detections] == [
        ("ship_calls", "day-2023-07-28", False)
    ] * 2
    assert "nothing counted is not no ship" in fetched.detections[0].remark
    assert fetched.rejected == {"no port visit": 1}
    assert read("gfw_port_visits", b'{"entries": [], "nextOffset": null}').detections == ()


def test_port_visits_are_read_offset_by_offset() -> None:
    offsets: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        offsets.append(request.url.params["offset"])
        assert request.headers["authorization"] == f"Bearer {'k' * 20}"
        assert json.loads(request.content)["datasets"] == ["public-global-port-visits-events:latest"]
        number = len(offsets)
        following = 100 * number if number < 3 else None
        return httpx.Response(201, json={"entries": [visit(id=f"v{number}")], "nextOffset": following})

    feed = FEEDS["gfw_port_visits"](provider("gfw_port_visits"), client(answer, name="test"))
    fetched = feed.fetch(feed.scopes([BUSY_PORT])[0], [BUSY_PORT], purpose="data", now=NOON, since=None)
    assert offsets == ["0", "100", "200"]
    assert len(fetched.detections) == 3


@pytest.mark.parametrize("kind", ["firms", "gfw_port_visits"])
def test_without_a_key_nothing_is_asked(kind: str) -> None:
    asked: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500)

    bare = Provider("test", kind, URL, 600, "own", "us")
    feed = FEEDS[kind](bare, client(refuse, name="test"))
    with pytest.raises(FeedError, match=r"token_file") as caught:
        feed.fetch(feed.scopes([QUIET_FIELD])[0], [QUIET_FIELD], purpose="data", now=NOON, since=None)
    assert caught.value.ours
    assert asked == []
