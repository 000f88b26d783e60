"""Pictures of sites from real files on a real server: made once, kept with their source, failures told in words."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import Engine

from db.cutouts import cutout_failures, newest_cutout
from db.engine import open_engine, reading, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from db.records import Cutout, Scene, SceneFailure
from monitor.config.clock import monotonic_s, utc_now
from monitor.config.settings import SettingsError
from monitor.derive.pictures import (
    PICTURE_BUDGET,
    PICTURE_CAPS,
    PICTURES_KEPT_A_SITE,
    CutoutReport,
    picture_hosts,
    refresh_cutouts,
)
from monitor.feeds import FeedClient
from monitor.feeds.http import Caps, GuardedClient
from monitor.imagery.cutout import outline_digest
from monitor.sites import Site
from monitor.sites.geometry import circle
from tests.kit.cast import BUSY_PORT, CAST, CAST_BY_ID, QUIET_FIELD
from tests.kit.fake_feeds import NOON, USER_AGENT, Asked, Loopback, Reply, client, stac_provider
from tests.kit.pictures import ToLoopback, cog, noise, origin_of, ranged, serving, utm_of

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
HOST = "sentinel-cogs.s3.us-west-2.amazonaws.com"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Answer = Callable[[Asked], Reply | None]


def body_for(site: Site) -> bytes:
    """A tile of noise that holds the site."""
    return _body(site.id)


@cache
def _body(site_id: str) -> bytes:
    site = CAST_BY_ID[site_id]
    epsg = utm_of(site)
    with TemporaryDirectory() as folder:
        path = cog(Path(folder) / "TCI.tif", noise(1200, 1200), origin_of(site, epsg), epsg)
        return path.read_bytes()


def scene(site: Site = QUIET_FIELD, day: int = 1, **changes: Any) -> Scene:
    """A clear scene so many days before noon, whose picture is at /SITE/DAY.tif."""
    values: dict[str, Any] = {
        "provider": "earth-search",
        "collection": "sentinel-2-l2a",
        "item_id": f"S2B_{site.id}_{day}",
        "site_id": site.id,
        "look_key": f"sentinel-2b:GS2B_{day}:{site.id}",
        "platform": "sentinel-2b",
        "acquired_at": NOON - day * DAY,
        "covered_share": 1.0,
        "recorded_at": NOON - day * DAY + HOUR,
        "cloud_share": 0.05,
        "links": {"visual": f"https://{HOST}/{site.id}/{day}.tif"},
    }
    return Scene(**{**values, **changes})


def store(engine: Engine, *found: Scene) -> None:
    with writing(engine) as connection:
        assert insert_scenes(connection, found) == len(found)


def by_site(asked: Asked) -> Reply:
    """Serve each site's own tile."""
    site = next(site for site in CAST if f"/{site.id}/" in asked.path)
    return ranged(body_for(site))(asked)


@contextmanager
def web(reply: Answer, **options: Any) -> Iterator[tuple[GuardedClient, Loopback, ToLoopback]]:
    """A server, and the guarded client whose requests end there."""
    with serving(reply) as (server, transport):
        yield client(transport, "pictures", **{"caps": PICTURE_CAPS, **options}), server, transport


def refresh(
    engine: Engine,
    web_client: FeedClient,
    sites: Sequence[Site] = CAST,
    now: datetime = NOON,
    limit: int = 99,
) -> list[CutoutReport]:
    return refresh_cutouts(engine, sites, web_client, now, limit=limit)


def kept(engine: Engine, site: Site = QUIET_FIELD) -> Cutout | None:
    with reading(engine) as connection:
        return newest_cutout(connection, site.id)


def failures(engine: Engine, site: Site = QUIET_FIELD) -> list[SceneFailure]:
    with reading(engine) as connection:
        return cutout_failures(connection, site.id)


# --- pictures -----------------------------------------------------------------------------------


def test_the_newest_clear_scene_becomes_a_picture_that_says_where_it_is_from(engine: Engine) -> None:
    store(engine, scene(day=3), scene(day=2), scene(day=1, cloud_share=0.9))
    with web(by_site) as (pictures, server, _):
        (report,) = refresh(engine, pictures)
        assert (report.site_id, report.item_id, report.made) == ("quiet-field", "S2B_quiet-field_2", True)
        assert report.text == "Quiet Field: picture of 2023-07-30 12:00 UTC by sentinel-2b."
        assert {asked.path for asked in server.asked} == {"/quiet-field/2.tif"}
        assert report.requests == len(server.asked) <= 4
        assert report.spent_bytes < len(body_for(QUIET_FIELD)) / 2
    found = kept(engine)
    assert found is not None
    image = Image.open(io.BytesIO(found.png))
    assert image.size == (found.width_px, found.height_px)
    assert image.info == {
        "Title": "Quiet Field, 2023-07-30 12:00 UTC",
        "Copyright": "Contains modified Copernicus Sentinel data 2023",
        "Source": "earth-search/sentinel-2-l2a/S2B_quiet-field_2",
    }
    assert replace(found, png=b"", bounds={}) == Cutout(
        site_id="quiet-field",
        provider="earth-search",
        collection="sentinel-2-l2a",
        item_id="S2B_quiet-field_2",
        scene_version=1,
        platform="sentinel-2b",
        acquired_at=NOON - 2 * DAY,
        png=b"",
        width_px=found.width_px,
        height_px=found.height_px,
        metres_per_pixel=5.0,
        bounds={},
        shown_share=1.0,
        outline=outline_digest(QUIET_FIELD),
        attribution="Contains modified Copernicus Sentinel data 2023",
        made_at=NOON,
    )
    assert failures(engine) == []


def test_what_has_a_picture_is_not_asked_for_again(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene(day=3), scene(day=2))
    with web(by_site) as (pictures, server, _):
        assert len(refresh(sqlite_engine, pictures)) == 1
        before = len(server.asked)
        assert refresh(sqlite_engine, pictures, now=NOON + HOUR) == []
        assert len(server.asked) == before


def test_a_newer_scene_replaces_the_picture_and_the_oldest_are_dropped(engine: Engine) -> None:
    with web(by_site) as (pictures, _, _):
        for day in range(PICTURES_KEPT_A_SITE + 2, 1, -1):
            store(engine, scene(day=day))
            assert [report.made for report in refresh(engine, pictures)] == [True]
    found = kept(engine)
    assert found is not None
    assert found.acquired_at == NOON - 2 * DAY
    with reading(engine) as connection:
        left = connection.exec_driver_sql("select count(*) from cutout").scalar_one()
    assert left == PICTURES_KEPT_A_SITE


def test_a_site_drawn_anew_gets_a_new_picture_of_the_same_scene(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene())
    drawn_anew = replace(QUIET_FIELD, geometry=circle(-51.9, -70.6, 800))
    with web(by_site) as (pictures, _, _):
        refresh(sqlite_engine, pictures)
        (report,) = refresh(sqlite_engine, pictures, [drawn_anew], NOON + HOUR)
        assert report.made
        assert refresh(sqlite_engine, pictures, [drawn_anew], NOON + 2 * HOUR) == []
    found = kept(sqlite_engine)
    assert found is not None
    assert found.outline == outline_digest(drawn_anew)


def test_the_sites_that_waited_longest_come_first(sqlite_engine: Engine) -> None:
    for site in CAST:
        store(sqlite_engine, scene(site, day=2))
    with web(by_site) as (pictures, _, _):
        first = refresh(sqlite_engine, pictures, limit=2)
        store(sqlite_engine, scene(BUSY_PORT, day=1), scene(QUIET_FIELD, day=1))
        second = refresh(sqlite_engine, pictures, limit=2, now=NOON + HOUR)
        third = refresh(sqlite_engine, pictures, limit=9, now=NOON + 2 * HOUR)
    assert [[report.site_id for report in run] for run in (first, second, third)] == [
        ["quiet-field", "busy-port"],
        ["dateline-strip", "donut-base"],
        ["quiet-field", "busy-port"],
    ]


def test_pictures_are_made_in_a_thread_of_a_scheduler(sqlite_engine: Engine) -> None:
    store(sqlite_engine, *(scene(site) for site in CAST))
    with web(by_site) as (pictures, _, _), ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(refresh, sqlite_engine, pictures, [site]) for site in CAST]
        assert [report.made for run in runs for report in run.result()] == [True] * 4


def test_the_database_is_free_while_a_picture_is_read(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene())

    def reply(asked: Asked) -> Reply:
        with writing(sqlite_engine) as connection:
            connection.exec_driver_sql("delete from lease")
        return by_site(asked)

    with web(reply) as (pictures, _, _):
        assert [report.made for report in refresh(sqlite_engine, pictures)] == [True]


# --- failures -----------------------------------------------------------------------------------


def not_a_picture(asked: Asked) -> Reply:
    return ranged(b"<html>Sign in</html>")(asked)


def cut_short(asked: Asked) -> Reply:
    status, headers, body = by_site(asked)
    return status, {**headers, "Content-Length": str(len(body) + 10), "Connection": "close"}, body


def damaged(asked: Asked) -> Reply:
    body = body_for(QUIET_FIELD)
    return ranged(body[:8000] + bytes(len(body) - 8000))(asked)


def elsewhere(asked: Asked) -> Reply:
    return ranged(body_for(BUSY_PORT))(asked)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            lambda _: (403, {}, b"<Error/>"),
            f"{HOST} answered 403: the picture is not there, or not for everybody.",
        ),
        (lambda _: (404, {}, b""), f"{HOST} answered 404: the picture is not there, or not for everybody."),
        (lambda _: (500, {}, b"oops"), f"{HOST} answered 500 Internal Server Error."),
        (lambda _: (799, {}, b"oops"), f"{HOST} answered 799 (no known status)."),
        (lambda _: None, "the connection broke off, or what came was not HTTP."),
        (lambda _: (301, {"Location": "https://elsewhere.example/a.tif"}, b""), "redirected to another host"),
        (cut_short, "the connection broke off"),
        (not_a_picture, "the file is damaged, or it is no GeoTIFF."),
        (damaged, "the file is damaged, or it is no GeoTIFF."),
        (elsewhere, "the site lies outside this picture."),
    ],
    ids=["403", "404", "500", "799", "hangs up", "redirect", "cut short", "HTML", "damaged", "elsewhere"],
)
def test_a_picture_that_cannot_be_read_is_a_reason_in_words(
    reply: Answer, words: str, sqlite_engine: Engine
) -> None:
    store(sqlite_engine, scene())
    with web(reply) as (pictures, _, _):
        (report,) = refresh(sqlite_engine, pictures)
    assert not report.made
    assert report.text.startswith("Quiet Field: no picture from the scene of 2023-07-31: ")
    assert words in report.text
    assert kept(sqlite_engine) is None
    (failure,) = failures(sqlite_engine)
    assert words in failure.reason
    assert (failure.attempts, failure.failed_at, failure.not_before) == (1, NOON, NOON + HOUR)


def test_a_server_without_ranges_is_refused_where_the_file_is_large(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene())
    body = bytes(PICTURE_BUDGET.size + 1)
    with web(lambda _: (200, {}, body)) as (pictures, server, _):
        (report,) = refresh(sqlite_engine, pictures)
        assert f"the answer is larger than {PICTURE_BUDGET.size} bytes" in report.text
        assert (report.requests, report.spent_bytes, len(server.asked)) == (1, 0, 1)


def test_a_server_that_drips_is_left(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene())
    over = threading.Event()

    def wait(_: Asked) -> Reply | None:
        over.wait(20)
        return None

    with web(wait, caps=Caps(read_s=0.1, total_s=0.1)) as (pictures, _, _):
        (report,) = refresh(sqlite_engine, pictures)
        over.set()
    assert "no answer in time" in report.text


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (f"http://{HOST}/a.tif", "its link is not https."),
        ("https://pictures.example/a.tif", "its link leads to pictures.example"),
        ("https://amazonaws.com.pictures.example/a.tif", "its link leads to amazonaws.com.pictures.example"),
        ("https://notamazonaws.com/a.tif", "add it to the provider's option picture_hosts."),
    ],
)
def test_links_to_other_places_are_not_followed(link: str, words: str, sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene(links={"visual": link}))
    with web(by_site) as (pictures, server, _):
        (report,) = refresh(sqlite_engine, pictures)
        assert server.asked == []
    assert words in report.text


def test_the_operator_says_which_hosts_pictures_come_from(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene(links={"visual": "https://tiles.stac.example/quiet-field/1.tif"}))
    named = stac_provider(name="earth-search", options={"picture_hosts": ".Stac.Example, other.example"})
    hosts = picture_hosts([named, stac_provider(name="b")])
    assert hosts == {
        "earth-search": ("stac.example", "other.example"),
        "b": ("amazonaws.com", "element84.com"),
    }
    with web(by_site) as (pictures, _, transport):
        (report,) = refresh_cutouts(sqlite_engine, CAST, pictures, NOON, limit=1, hosts=hosts)
        assert report.made
        assert set(transport.hosts) == {"tiles.stac.example"}


@pytest.mark.parametrize("option", ["", " , ", "https://a.example", "*.example", "a.example:443"])
def test_bad_hosts_stop_the_start(option: str) -> None:
    with pytest.raises(SettingsError, match=r"test\.stac: the option picture_hosts must name hosts"):
        picture_hosts([stac_provider(options={"picture_hosts": option})])


def test_no_connection_is_made_to_networks_of_the_machine(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene(links={"visual": "https://inside.amazonaws.com/a.tif"}))
    direct = GuardedClient(
        name="pictures",
        user_agent=USER_AGENT,
        monotonic=monotonic_s,
        clock=utc_now,
        resolver=lambda _host, _port: ["169.254.169.254"],
    )
    (report,) = refresh(sqlite_engine, direct)
    assert "not on the public internet" in report.text


# --- trying again -------------------------------------------------------------------------------


def test_a_failure_is_tried_again_ever_later_until_it_works(engine: Engine) -> None:
    store(engine, scene())
    fails = True

    def reply(asked: Asked) -> Reply:
        return (500, {}, b"") if fails else by_site(asked)

    with web(reply) as (pictures, _, _):
        now, waits = NOON, []
        for attempts in range(1, 10):
            assert [report.made for report in refresh(engine, pictures, now=now)] == [False]
            (failure,) = failures(engine)
            assert failure.attempts == attempts
            waits.append((failure.not_before - now) / HOUR)
            assert refresh(engine, pictures, now=failure.not_before - timedelta(seconds=1)) == []
            now = failure.not_before
        assert waits == [1, 2, 4, 8, 16, 32, 48, 48, 48]
        fails = False
        assert [report.made for report in refresh(engine, pictures, now=now)] == [True]
    assert failures(engine) == []
    assert kept(engine) is not None


def test_an_older_scene_stands_in_meanwhile(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene(day=1), scene(day=2), scene(day=3))

    def reply(asked: Asked) -> Reply:
        return (404, {}, b"") if asked.path == "/quiet-field/1.tif" else by_site(asked)

    with web(reply) as (pictures, _, _):
        runs = [
            refresh(sqlite_engine, pictures, now=NOON + minute * timedelta(minutes=1)) for minute in range(3)
        ]
    assert [[report.made for report in run] for run in runs] == [[False], [True], []]
    found = kept(sqlite_engine)
    assert found is not None
    assert found.acquired_at == NOON - 2 * DAY


def test_a_server_that_asks_for_a_pause_gets_it(sqlite_engine: Engine) -> None:
    store(sqlite_engine, *(scene(site) for site in CAST))
    with web(lambda _: (503, {"Retry-After": "86400"}, b"")) as (pictures, server, _):
        (report,) = refresh(sqlite_engine, pictures)
        assert len(server.asked) == 1
    assert f"{HOST} answered 503 Service Unavailable." in report.text
    (failure,) = failures(sqlite_engine, CAST_BY_ID[report.site_id])
    assert failure.not_before == NOON + DAY


def test_failures_of_scenes_too_old_to_show_are_forgotten(sqlite_engine: Engine) -> None:
    store(sqlite_engine, scene())
    with web(lambda _: (404, {}, b"")) as (pictures, _, _):
        refresh(sqlite_engine, pictures)
        assert refresh(sqlite_engine, pictures, now=NOON + 90 * DAY) == []
    assert failures(sqlite_engine) == []


# --- hostile files ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path_factory.mktemp('one') / 'one.db'}")
    migrate(opened)
    store(opened, scene())
    yield opened
    opened.dispose()


@settings(max_examples=40)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1400), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.integers(0, 40_000) | st.none(),
)
def test_a_damaged_file_is_a_failure_or_a_picture_and_nothing_else(
    changes: list[tuple[int, int]], end: int | None, one_database: Engine
) -> None:
    body = bytearray(body_for(QUIET_FIELD)[:end])
    for offset, value in changes:
        if offset < len(body):
            body[offset] = value

    def reply(request: httpx.Request) -> httpx.Response:
        status, headers, part = ranged(bytes(body))(Asked("GET", "", dict(request.headers), b""))
        return httpx.Response(status, headers=headers, content=part)

    with writing(one_database) as connection:
        connection.exec_driver_sql("delete from cutout")
        connection.exec_driver_sql("delete from cutout_failure")
    (report,) = refresh(one_database, client(reply, "pictures"))
    found = kept(one_database)
    assert report.made == (found is not None) == (failures(one_database) == [])
    if found is not None:
        assert np.asarray(Image.open(io.BytesIO(found.png))).any()
