"""STAC item search: what is asked, how pages are followed, what is believed, and real answers of real catalogues."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point, box
from shapely.geometry import shape

from db.records import Scene
from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedError, Fetched
from monitor.feeds.stac import SITES_AT_ONCE, StacFeed
from monitor.feeds.stac_items import RADAR_SENSOR, ItemReader
from monitor.sites import Site
from monitor.sites.geometry import GeometryError, circle, footprint_outline
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.fake_feeds import NOON, Handler, client, stac_provider
from tests.kit.feed_contract import stac_item, stac_page

SITES: Sequence[Site] = (QUIET_FIELD,)
ROOT = "https://stac.example/v1"


def feed(handler: Handler, **options: str) -> StacFeed:
    return StacFeed(stac_provider(options=options), client(handler, "test.stac"))


def answering(*pages: bytes, **options: str) -> tuple[StacFeed, list[httpx.Request]]:
    """A feed that gets these pages in order, and the requests that it makes."""
    left = list(pages)
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=left.pop(0))

    return feed(handler, **options), asked


def fetch(
    asked: StacFeed, sites: Sequence[Site] = SITES, since: datetime | None = None, now: datetime = NOON
) -> Fetched:
    return asked.fetch(asked.scopes(sites)[0], sites, purpose="data", now=now, since=since)


def found(*items: Any, sites: Sequence[Site] = SITES, **more: Any) -> Fetched:
    return fetch(answering(stac_page(*items, **more))[0], sites)


def only(item: dict[str, Any]) -> Scene:
    (scene,) = found(item).scenes
    return scene


def next_link(**more: Any) -> dict[str, Any]:
    return {"rel": "next", "href": f"{ROOT}/search", **more}


def numbered(number: int, **properties: Any) -> dict[str, Any]:
    return {**stac_item(**properties), "id": f"S2B_{number:03}"}


NO_CODE: dict[str, Any] = {"grid:code": None}
"""For footprints that are drawn for other sites."""


def around(site: Site, reach_deg: float = 0.5) -> dict[str, Any]:
    west, south, east, north = site.geometry.bounds
    ring = [
        [west - reach_deg, south - reach_deg],
        [east + reach_deg, south - reach_deg],
        [east + reach_deg, north + reach_deg],
        [west - reach_deg, north + reach_deg],
        [west - reach_deg, south - reach_deg],
    ]
    return {"type": "Polygon", "coordinates": [ring]}


def test_it_is_a_feed() -> None:
    made: Feed = answering()[0]
    assert not made.watches
    assert made.canary(made.scopes(SITES)[0]) is None


# --- the question -------------------------------------------------------------------------------


def test_asked_are_collections_outlines_and_a_closed_window_and_nothing_else() -> None:
    asked, requests = answering(stac_page())
    fetch(asked)
    assert [(request.method, str(request.url)) for request in requests] == [("POST", f"{ROOT}/search")]
    body = json.loads(requests[0].content)
    assert set(body) == {"collections", "intersects", "datetime", "limit"}
    assert body["collections"] == ["sentinel-2-l2a"]
    assert body["datetime"] == "2023-05-03T12:00:00Z/2023-08-01T11:50:00Z"
    assert body["limit"] == 100
    assert shape(body["intersects"]).covers(QUIET_FIELD.geometry)
    assert requests[0].extensions["sitewatch"] == {"provider": "test.stac", "purpose": "data"}


def test_each_search_reaches_back_before_the_last_one() -> None:
    asked, requests = answering(stac_page(), stac_page(), overlap_days="3", lag_minutes="30")
    fetch(asked, since=NOON - timedelta(hours=1))
    # A clock that was set back must not lead to a window that ends before it begins.
    fetch(asked, since=NOON + timedelta(days=9))
    windows = [json.loads(request.content)["datetime"] for request in requests]
    assert windows == [
        "2023-07-29T11:00:00Z/2023-08-01T11:30:00Z",
        "2023-07-29T12:00:00Z/2023-08-01T11:30:00Z",
    ]


def test_options_are_heard() -> None:
    asked, requests = answering(
        stac_page(), collections="sentinel-2-l2a, sentinel-1-grd", limit="7", initial_days="1"
    )
    fetch(asked)
    body = json.loads(requests[0].content)
    assert body["collections"] == ["sentinel-2-l2a", "sentinel-1-grd"]
    assert body["limit"] == 7
    assert body["datetime"].startswith("2023-07-31T12:00:00Z/")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"collections": " , "}, "the option collections names none"),
        ({"limit": "0"}, "limit must be a whole number from 1 to 10000"),
        ({"limit": "10001"}, "limit must be"),
        ({"max_pages": "many"}, "max_pages must be"),
        ({"overlap_days": "-1"}, "overlap_days must be"),
        ({"lag_minutes": "1.5"}, "lag_minutes must be"),
        ({"initial_days": "²"}, "initial_days must be"),
    ],
)  # fmt: skip
def test_a_bad_option_stops_the_start(options: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        answering(**options)


def test_outlines_of_all_sites_go_into_one_question() -> None:
    asked, requests = answering(stac_page())
    assert [scope.site_ids for scope in asked.scopes(CAST)] == [tuple(sorted(site.id for site in CAST))]
    fetch(asked, CAST)
    outline = shape(json.loads(requests[0].content)["intersects"])
    assert outline.is_valid
    for site in CAST:
        assert outline.buffer(1e-9).covers(site.geometry)
    west, _, east, _ = outline.bounds
    assert (west, east) == (-180, 180)
    assert len(outline.__geo_interface__["coordinates"]) == 5


def test_many_sites_are_asked_about_in_groups() -> None:
    many = [replace(QUIET_FIELD, id=f"site-{number:02}") for number in range(45)]
    planned = answering()[0].scopes(many)
    assert [len(scope.site_ids) for scope in planned] == [20, 20, 5]


def test_a_site_that_moves_is_searched_for_from_the_start() -> None:
    before = answering()[0].scopes([QUIET_FIELD])[0].key
    moved = replace(QUIET_FIELD, geometry=DONUT_BASE.geometry)
    assert answering()[0].scopes([moved])[0].key != before
    assert answering(collections="sentinel-1-grd")[0].scopes([QUIET_FIELD])[0].key != before


# --- pages --------------------------------------------------------------------------------------


def test_pages_are_followed_even_over_an_empty_one() -> None:
    asked, requests = answering(
        stac_page(numbered(1), links=[next_link(method="POST", body={"next": "a"})]),
        stac_page(links=[{"rel": "root"}, "?", next_link(method="POST", body={"next": "b"}, merge=True)]),
        stac_page(numbered(2)),
    )
    fetched = fetch(asked)
    assert [scene.item_id for scene in fetched.scenes] == ["S2B_001", "S2B_002"]
    assert (fetched.item_count, len(fetched.bodies)) == (2, 3)
    first, second, third = (json.loads(request.content) for request in requests)
    # Not merged: the link's body alone; merged: laid over what was asked first.
    assert second == {"next": "a"}
    assert third == {**first, "next": "b"}


def test_a_next_link_by_get_and_one_that_is_relative() -> None:
    asked, requests = answering(
        stac_page(links=[next_link(href=f"{ROOT}/search?token=next:1")]),
        stac_page(links=[next_link(href="/v1/search?token=next:2", method="get")]),
        stac_page(),
    )
    fetch(asked)
    assert [(request.method, request.url.query) for request in requests[1:]] == [
        ("GET", b"token=next:1"),
        ("GET", b"token=next:2"),
    ]
    assert requests[1].content == b""


def test_a_post_link_without_a_body_repeats_the_question() -> None:
    asked, requests = answering(
        stac_page(links=[next_link(method="POST", href=f"{ROOT}/search?page=2")]), stac_page()
    )
    fetch(asked)
    assert requests[1].content == requests[0].content


def test_headers_of_a_link_are_sent_except_those_that_are_ours() -> None:
    theirs = {
        "X-Page": "2",
        "Host": "evil.example",
        "User-Agent": "Mozilla",
        "authorization": "x",
        "Cookie": "a=b",
    }
    link = next_link(method="POST", body={"p": 2}, headers={**theirs, "Content-Length": "0", "X-Bad": 7})
    asked, requests = answering(stac_page(links=[link]), stac_page())
    fetch(asked)
    sent = requests[1].headers
    assert sent["x-page"] == "2"
    assert sent["host"] == "stac.example"
    assert sent["user-agent"].startswith("sitewatch/")
    assert "authorization" not in sent
    assert "cookie" not in sent
    assert "x-bad" not in sent


@pytest.mark.parametrize(
    "href",
    ["https://evil.example/search", "ftp://stac.example/v1/search", "//evil.example/search", "file:///etc/passwd", "https://stac.example@evil.example/", "http://[",
     "https://stac.example:99999999/", "https://stac.example.evil.example/v1/search"],
)  # fmt: skip
def test_the_next_page_is_on_the_same_server_or_not_asked(href: str) -> None:
    asked, requests = answering(stac_page(numbered(1), links=[next_link(href=href)]))
    with pytest.raises(FeedError, match="next page"):
        fetch(asked)
    assert len(requests) == 1


@pytest.mark.parametrize("refused", [405, 501])
def test_a_server_that_takes_no_post_is_asked_by_get_from_then_on(refused: int) -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(refused if request.method == "POST" else 200, content=stac_page(numbered(1)))

    searched = feed(handler)
    many = [
        replace(QUIET_FIELD, id=f"round-{n}", geometry=circle(n, n, 4000.0)) for n in range(SITES_AT_ONCE)
    ]
    for _ in range(2):
        searched.fetch(searched.scopes(many)[0], many, purpose="data", now=NOON, since=None)
    assert [request.method for request in asked] == ["POST", "GET", "GET"]
    query = asked[1].url.params
    assert query["collections"] == "sentinel-2-l2a"
    assert query["datetime"].endswith("/2023-08-01T11:50:00Z")
    outline = shapely.from_geojson(query["intersects"])
    assert all(outline.contains(site.geometry) for site in many)
    assert len(str(asked[1].url)) < 6_000, "servers take some 8,000 characters"


@pytest.mark.parametrize("status", [400, 404, 500])
def test_no_other_refusal_is_asked_again_by_get(status: int) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(status)

    with pytest.raises(FeedError):
        fetch(feed(handler))
    assert asked == ["POST"]


def test_a_repeated_link_ends_the_search() -> None:
    link = next_link(method="POST", body={"next": "again"})
    asked, requests = answering(*[stac_page(numbered(1), links=[link])] * 3)
    assert fetch(asked).item_count == 1
    assert len(requests) == 2


def test_endless_pages_are_a_failure() -> None:
    pages = [stac_page(links=[next_link(method="POST", body={"next": number})]) for number in range(9)]
    asked, requests = answering(*pages, max_pages="5")
    with pytest.raises(FeedError, match="more than 5 pages"):
        fetch(asked)
    assert len(requests) == 5


@pytest.mark.parametrize("body", [{"a": 10**400}, {"a": "\ud800"}, {"a": [[[[[]]]]]}])
def test_a_link_that_cannot_be_sent_back_is_a_failure_at_most(body: Any) -> None:
    page = stac_page(links=[next_link(method="POST", body=body)]).replace(b"1" + b"0" * 400, b"1e999")
    asked, _ = answering(page, stac_page())
    try:
        assert fetch(asked).item_count == 0
    except FeedError as error:
        assert "cannot be written" in error.reason  # noqa: PT017 - either ending is right


def test_an_item_on_two_pages_counts_once_and_the_later_word_holds() -> None:
    asked, _ = answering(
        stac_page(numbered(1, **{"eo:cloud_cover": 90}), links=[next_link(method="POST", body={"p": 2})]),
        stac_page(numbered(1, **{"eo:cloud_cover": 20})),
    )
    fetched = fetch(asked)
    assert fetched.item_count == 1
    assert [scene.cloud_share for scene in fetched.scenes] == [0.2]


def test_a_catalogue_that_gives_fewer_than_it_has_is_noted() -> None:
    asked, _ = answering(
        stac_page(numbered(1), numberMatched=37), stac_page(numbered(1), context={"matched": 1})
    )
    assert fetch(asked).rejected["missing from the answer"] == 36
    assert "missing from the answer" not in fetch(asked).rejected


# --- one item -----------------------------------------------------------------------------------


def test_everything_of_an_item_arrives() -> None:
    scene = only(stac_item())
    assert scene == Scene(
        provider="test.stac",
        collection="sentinel-2-l2a",
        item_id="S2B_19FCC_20230731_0_L2A",
        site_id="quiet-field",
        look_key="sentinel-2b:GS2B_20230731T142029_033417:quiet-field",
        platform="sentinel-2b",
        acquired_at=datetime(2023, 7, 31, 14, 20, 33, 123000, tzinfo=UTC),
        covered_share=1.0,
        recorded_at=NOON,
        sensor="msi",
        published_at=datetime(2023, 7, 31, 18, 1, 0, 500000, tzinfo=UTC),
        updated_at=datetime(2023, 7, 31, 18, 1, 0, 500000, tzinfo=UTC),
        cloud_share=0.125,
        footprint=scene.footprint,
        links={
            "self": "https://feed.example/collections/sentinel-2-l2a/items/S2B_19FCC",
            "thumbnail": "https://feed.example/preview.jpg",
        },
        properties=scene.properties,
    )
    assert scene.footprint is not None
    assert shape(dict(scene.footprint)).equals(shape(stac_item()["geometry"]))
    assert scene.properties["grid:code"] == "MGRS-19FCC"


def test_radar_sees_through_cloud_and_is_dated_by_its_start() -> None:
    radar = stac_item(
        **{
            "datetime": "2023-07-31T14:20:12Z",
            "start_datetime": "2023-07-31 14:20:02.256207+00:00",
            "end_datetime": "2023-07-31T14:20:22Z",
            "sar:instrument_mode": "IW",
            "s2:datatake_id": None,
            "s1:datatake_id": 491390,
            "platform": "SENTINEL-1A",
            "eo:cloud_cover": 50,
        }
    )
    scene = only(radar)
    assert (scene.sensor, scene.cloud_share, scene.platform) == (RADAR_SENSOR, None, "sentinel-1a")
    assert scene.look_key == "sentinel-1a:491390:quiet-field"
    assert scene.acquired_at == datetime(2023, 7, 31, 14, 20, 2, 256207, tzinfo=UTC)


def test_a_product_of_many_days_is_dated_by_its_nominal_time() -> None:
    item = stac_item(start_datetime="2023-07-01T00:00:00Z", end_datetime="2023-07-31T00:00:00Z")
    assert only(item).acquired_at.day == 31


@pytest.mark.parametrize("cloud", [-1, 101, None, "20", True])
def test_cloud_that_is_not_known_is_not_zero(cloud: Any) -> None:
    assert only(stac_item(**{"eo:cloud_cover": cloud})).cloud_share is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"collection": "sentinel-1-grd"}, "another collection"),
        ({"id": "<script>"}, "unusable id"),
        ({"id": ""}, "unusable id"),
        ({"properties": None}, "no properties"),
        ({"properties": {"datetime": None}}, "no time of acquisition"),
        ({"properties": {"datetime": "2023-07-31T14:20:33"}}, "no time of acquisition"),
        ({"properties": {"datetime": "2023-05-01T00:00:00Z"}}, "outside the time"),
        ({"properties": {"datetime": "2023-08-01T13:00:00Z"}}, "outside the time"),
        ({"geometry": None}, "no outline"),
        ({"geometry": {"type": "Point", "coordinates": [-70.6, -51.9]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 10**400]] * 4]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 95], [0, 0]]]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1e308, 0], [9, 9], [0, 0]]]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1e9, 0], [9, 9], [0, 0]]]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0], [9, 0], [9, 9], [0, 0]]]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [["ab", [9, 0], [9, 9], [0, 0]]]}}, "unusable outline"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0]] * 100_001]}}, "unusable outline"),
        ({"geometry": around(DONUT_BASE), "properties": stac_item(**NO_CODE)["properties"]}, "outside the sites"),
        ({"geometry": around(DONUT_BASE)}, "an outline that its grid code refutes"),
    ],
)  # fmt: skip
def test_what_the_server_should_not_have_sent_is_counted_not_kept(
    changes: dict[str, Any], reason: str
) -> None:
    fetched = found({**stac_item(), **changes})
    assert fetched.scenes == ()
    assert fetched.item_count == 1
    assert fetched.rejected == {reason: 1}


def test_things_that_are_no_items_are_counted() -> None:
    fetched = found(None, 7, [], {"id": 1, "collection": "x"}, numbered(1), numberMatched=5)
    assert fetched.rejected["no item"] == 4
    assert "missing from the answer" not in fetched.rejected
    assert len(fetched.scenes) == 1


@pytest.mark.parametrize(
    "href", ["http://stac.example/v1/search", "https://stac.example:443/v1/search", "http://stac.example:80/v1/search",
             "http://stac.example:8080/v1/search", "https://stac.example:8443/v1/search",
             "https://me:secret@stac.example/v1/search"]
)  # fmt: skip
def test_a_link_that_is_written_for_the_inside_of_a_proxy_is_asked_where_the_first_page_was(
    href: str,
) -> None:
    asked, requests = answering(stac_page(numbered(1), links=[next_link(href=href)]), stac_page(numbered(2)))
    assert fetch(asked).item_count == 2
    assert {str(request.url) for request in requests} == {"https://stac.example/v1/search"}


def test_an_outline_drawn_round_the_earth_is_refused() -> None:
    ring = [
        [-179.0, -80.0],
        [0.0, -80.0],
        [179.0, -80.0],
        [179.0, 80.0],
        [0.0, 80.0],
        [-179.0, 80.0],
        [-179.0, -80.0],
    ]
    fetched = found(stac_item() | {"geometry": {"type": "Polygon", "coordinates": [ring]}})
    assert (fetched.scenes, fetched.rejected) == ((), {"an outline round the earth": 1})


@pytest.mark.parametrize("site", [BUSY_PORT, DONUT_BASE, QUIET_FIELD], ids=lambda site: site.id)
def test_the_covered_share_is_that_of_the_site(site: Site) -> None:
    west, south, east, north = site.geometry.bounds
    middle = (south + north) / 2
    half = stac_item(**NO_CODE) | {
        "geometry": json.loads(json.dumps(around(site)).replace(str(north + 0.5), str(middle)))
    }
    (scene,) = found(half, sites=[site]).scenes
    assert scene.covered_share == pytest.approx(0.5, abs=0.02)
    assert west < east


@pytest.mark.parametrize(
    "rings",
    [
        [[[179.5, -17.3], [180.5, -17.3], [180.5, -16.3], [179.5, -16.3], [179.5, -17.3]]],
        [[[179.5, -17.3], [-179.5, -17.3], [-179.5, -16.3], [179.5, -16.3], [179.5, -17.3]]],
        [[[-180.5, -17.3], [-179.5, -17.3], [-179.5, -16.3], [-180.5, -16.3], [-180.5, -17.3]]],
    ],
)
def test_a_footprint_across_180_degrees_is_read_however_it_is_written(rings: Any) -> None:
    item = {**stac_item(**NO_CODE), "geometry": {"type": "Polygon", "coordinates": rings}}
    (scene,) = found(item, sites=[DATELINE_STRIP, QUIET_FIELD]).scenes
    assert scene.site_id == DATELINE_STRIP.id
    assert scene.covered_share == pytest.approx(1)


def test_the_hole_of_a_site_is_no_part_of_it() -> None:
    town = box(-150.019, 65.4951, -149.981, 65.5049)
    item = {**stac_item(**NO_CODE), "geometry": json.loads(json.dumps(town.__geo_interface__))}
    fetched = found(item, sites=[DONUT_BASE])
    assert fetched.scenes == ()
    assert fetched.rejected["outside the sites"] == 1


def test_a_tile_that_only_touches_a_site_does_not_show_it() -> None:
    west, south, east, _ = QUIET_FIELD.geometry.bounds
    below = box(west - 1, south - 1, east + 1, south)
    item = {**stac_item(**NO_CODE), "geometry": json.loads(json.dumps(below.__geo_interface__))}
    assert found(item).rejected == {"outside the sites": 1}


def test_a_scene_without_any_usable_name_of_its_platform() -> None:
    item = {**stac_item(platform="<b>", constellation=None), "collection": "c" * 50}
    asked, _ = answering(stac_page(item), collections="c" * 50)
    assert fetch(asked).scenes[0].platform == "unknown"


def test_one_item_shows_many_sites() -> None:
    near = replace(QUIET_FIELD, id="next-door")
    fetched = found(stac_item(), sites=[QUIET_FIELD, near, BUSY_PORT])
    assert [scene.site_id for scene in fetched.scenes] == ["next-door", "quiet-field"]
    assert fetched.item_count == 1
    assert {scene.look_key.rsplit(":", 1)[0] for scene in fetched.scenes} == {
        "sentinel-2b:GS2B_20230731T142029_033417"
    }


# --- one pass, one look -------------------------------------------------------------------------


def look_key(**properties: Any) -> str:
    return only(stac_item(**properties)).look_key


def test_a_reprocessed_copy_is_the_same_look() -> None:
    assert look_key() == look_key(**{"s2:datatake_id": "GS2B_20230731T142029_033417_N05.11"})
    assert look_key() == look_key(platform="Sentinel-2B")
    assert look_key() != look_key(platform="sentinel-2a")
    assert look_key() != look_key(**{"s2:datatake_id": "GS2B_20230731T142029_033418_N05.09"})


@pytest.mark.parametrize("datatake", [None, "", "<b>", True, ["x"]])
def test_without_a_datatake_scenes_of_the_same_minutes_are_one_pass(datatake: Any) -> None:
    keys = {
        look_key(**{"s2:datatake_id": datatake, "datetime": f"2023-07-31T14:{minute}Z"})
        for minute in ("20:58.100", "21:05.400", "39:59")
    }
    assert keys == {"sentinel-2b:20230731T1420:quiet-field"}
    assert look_key(**{"s2:datatake_id": datatake, "datetime": "2023-07-31T14:40:00Z"}) not in keys


@pytest.mark.parametrize("path", ["033", 33, "33"])
def test_landsat_rows_of_one_path_are_one_pass(path: Any) -> None:
    rows = {
        look_key(
            **{
                "s2:datatake_id": None,
                "platform": "landsat-8",
                "landsat:wrs_path": path,
                "datetime": f"2023-07-31T{at}Z",
            }
        )
        for at in ("14:39:58", "14:40:22")
    }
    assert rows == {"landsat-8:wrs-033-20230731:quiet-field"}


@given(st.text(max_size=30))
def test_a_look_key_holds_nothing_hostile(text: str) -> None:
    key = look_key(platform=text, constellation=text, instruments=[text], **{"s2:datatake_id": text})
    assert key.isascii()
    assert key.isprintable()
    assert not set(key) & set("<>&\"'` ")


# --- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("href", "kept"),
    [
        ("https://a.example/x.jpg", "https://a.example/x.jpg"),
        ("https://a.example/p?collection=c&item=i", "https://a.example/p?collection=c&item=i"),
        ("https://a.example/x.jpg?sv=1&sig=SECRET&se=2026", "https://a.example/x.jpg"),
        ("https://a.example/x.jpg?X-Amz-Signature=SECRET", "https://a.example/x.jpg"),
        ("s3://bucket/x.jpg", ""),
        ("javascript:alert(1)", ""),
        ("https://u:p@a.example/", ""),
        ("https://a.example/a b", ""),
        ("https://a.example/\x00", ""),
        ("https://[", ""),
        ("/relative.jpg", ""),
        ("https://a.example/" + "x" * 3000, ""),
        (7, ""),
    ],
)  # fmt: skip
def test_only_unsigned_web_addresses_are_kept(href: Any, kept: str) -> None:
    item = {**stac_item(), "assets": {"thumbnail": {"href": href}, "visual": {"href": href}, "x": 1}}
    item["links"] = [{"rel": "self", "href": href}, 3]
    links = only(item).links
    assert links == ({"self": kept, "thumbnail": kept, "visual": kept} if kept else {})


@pytest.mark.parametrize(
    ("own", "href", "kept"),
    [
        ("https://a.example/c/items/i", "./B04.tif", "https://a.example/c/items/B04.tif"),
        ("https://a.example/c/items/i", "/files/B04.tif", "https://a.example/files/B04.tif"),
        ("https://a.example/c/items/i.json?sig=SECRET", "B04.tif", "https://a.example/c/items/B04.tif"),
        ("https://a.example/c/items/i", "https://b.example/B04.tif", "https://b.example/B04.tif"),
        ("https://a.example/c/items/i", "s3://bucket/B04.tif", ""),
        ("./i.json", "./B04.tif", ""),
    ],
)
def test_a_relative_address_of_a_file_begins_at_its_item(own: str, href: str, kept: str) -> None:
    """The standard allows it, and catalogues of one's own often have it."""
    item = {**stac_item(), "assets": {"red": {"href": href}}, "links": [{"rel": "self", "href": own}]}
    assert only(item).links.get("red", "") == kept


def test_the_first_preview_that_a_person_can_open_is_kept() -> None:
    assets = {"thumbnail": {"href": "s3://x/y.jpg"}, "rendered_preview": {"href": "https://a.example/p.png"}}
    assert only({**stac_item(), "assets": assets}).links["thumbnail"] == "https://a.example/p.png"


# --- real answers -------------------------------------------------------------------------------


def site_at(lon: float, lat: float) -> Site:
    return Site("here", "Here", "port", box(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01), ZoneInfo("UTC"))


@pytest.mark.shared
def test_a_recorded_search_whose_filter_was_lost(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "stac/earthsearch-recorded-2025-07-31.json").read_text())
    exchanges = [each for each in recorded["exchanges"] if "features" in each["response"]]
    pages = [json.dumps(each["response"]).encode() for each in exchanges]
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(
            200, content=pages[len(requests) - 1] if len(requests) <= len(pages) else stac_page()
        )

    tile = next(
        item
        for each in exchanges
        for item in each["response"]["features"]
        if item["id"] == "S2B_24MVV_20250731_0_L2A"
    )
    middle = shape(tile["geometry"]).representative_point()
    earth_search = StacFeed(
        stac_provider(base_url="https://earth-search.aws.element84.com/v1"), client(handler, "earth-search")
    )
    sites = [site_at(middle.x, middle.y)]
    fetched = fetch(earth_search, sites, now=datetime(2025, 7, 31, 16, tzinfo=UTC))
    # Two recorded pages lead on to a third; the radar scenes and far tiles of the lost filter are not believed.
    assert [json.loads(request.content) for request in requests[1:]] == [
        each["response"]["links"][0]["body"] for each in exchanges
    ]
    assert [scene.item_id for scene in fetched.scenes] == ["S2B_24MVV_20250731_0_L2A"]
    (scene,) = fetched.scenes
    assert scene.look_key == "sentinel-2b:GS2B_20250731T130249_043879:here"
    assert scene.cloud_share == pytest.approx(0.34760532)
    assert scene.published_at is not None
    assert timedelta(minutes=67) <= scene.published_at - scene.acquired_at <= timedelta(minutes=103)
    assert fetched.rejected["another collection"] >= 1
    assert fetched.rejected["missing from the answer"] > 1_000_000


@pytest.fixture(scope="module")
def real_items(shared_data: Path) -> list[dict[str, Any]]:
    lines = gzip.decompress((shared_data / "stac/real-items.ndjson.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines]


def middle_of(geometry: dict[str, Any]) -> Point:
    try:
        return footprint_outline(geometry).representative_point()
    except GeometryError:
        return Point(0, 0)


def read_all(items: Sequence[dict[str, Any]]) -> tuple[list[Scene], ItemReader]:
    """Read each item over a site in its own middle."""
    scenes: list[Scene] = []
    collections = sorted({item["collection"] for item in items})
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    begins = datetime(1970, 1, 2, tzinfo=UTC)
    total = ItemReader("real", collections, [], begins=begins, ends=ends, now=ends)
    for item in items:
        middle = middle_of(item["geometry"])
        reader = ItemReader(
            "real", collections, [site_at(middle.x, middle.y)], begins=begins, ends=ends, now=ends
        )
        scenes += reader.read(item)
        total.rejected += reader.rejected
    return scenes, total


@pytest.mark.shared
def test_every_real_item_is_read_or_refused_for_a_reason(real_items: list[dict[str, Any]]) -> None:
    scenes, reader = read_all(real_items)
    assert len(real_items) == 1334
    assert len(scenes) + sum(reader.rejected.values()) == 1334
    assert set(reader.rejected) <= {
        "unusable outline",
        "an outline round the earth",
        "no time of acquisition",
        "unusable id",
        "outside the time",
    }
    assert len(scenes) > 1300
    for scene in scenes:
        assert 0 < scene.covered_share <= 1
        assert scene.cloud_share is None or 0 <= scene.cloud_share <= 1
        json.dumps([scene.properties, scene.links, scene.footprint], allow_nan=False)
        assert all(href.startswith("http") and "sig=" not in href for href in scene.links.values())


@pytest.mark.shared
def test_real_tiles_and_copies_of_one_pass_share_their_look(real_items: list[dict[str, Any]]) -> None:
    scenes, _ = read_all(real_items)
    radar = [scene for scene in scenes if scene.collection.startswith("sentinel-1")]
    assert {scene.sensor for scene in radar} == {RADAR_SENSOR}
    assert all(scene.cloud_share is None for scene in radar)
    copies = [scene for scene in scenes if "GS2B_20250731T130249_043879" in scene.look_key]
    assert len({scene.collection for scene in copies}) == 3
    assert {scene.look_key for scene in copies} == {"sentinel-2b:GS2B_20250731T130249_043879:here"}
    landsat = [scene for scene in scenes if scene.collection == "landsat-8-c2-l2"]
    assert len(landsat) == 716
    assert all(":wrs-" in scene.look_key for scene in landsat)
