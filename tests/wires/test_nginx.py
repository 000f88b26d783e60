"""Feeds and pictures through a real nginx with a certificate of its own authority: ranges, tags, gzip and limits."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.cutouts import newest_cutout
from db.engine import reading, writing
from db.imagery import insert_scenes
from db.records import Scene
from monitor.bootstrap import build_feed
from monitor.config.clock import monotonic_s, utc_now
from monitor.config.settings import ProviderSettings, Settings
from monitor.derive.pictures import PICTURE_CAPS, refresh_cutouts
from monitor.feeds import TOO_OFTEN, Feed, FeedError, Fetched
from monitor.feeds.authorities import trusting
from monitor.feeds.http import Caps, GuardedClient
from monitor.feeds.providers import configured_providers
from monitor.feeds.ranges import BLOCK_BYTES, HEAD_BYTES, RemoteFile
from tests.kit.authority import Authority
from tests.kit.cast import CAST, QUIET_FIELD
from tests.kit.fake_feeds import USER_AGENT, Asked, Reply, aircraft, loopback
from tests.kit.pictures import cog, noise, origin_of, utm_of
from tests.kit.real_servers import HOST, Nginx, nginx

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
LOCATIONS = """
    location /weak/ { alias WWW/pictures/; etag off; add_header ETag 'W/"one"'; }
    location /whole/ { alias WWW/pictures/; max_ranges 0; }
    location /limited/ { alias WWW/feed/; limit_req zone=slow; limit_req_status 429; }
    location /busy/ { alias WWW/feed/; limit_req zone=slower; }
    location /feed/ { alias WWW/feed/; gzip on; gzip_types application/json; gzip_min_length 0; }
    location /re-api/ {
        gzip on; gzip_types application/json; gzip_min_length 0;
        proxy_http_version 1.1;
        proxy_max_temp_file_size 0;
        proxy_set_header Connection $http_connection;
        proxy_set_header Host $http_host;
        proxy_pass http://127.0.0.1:READSB/$is_args$args;
    }
"""
LIMITS = """
    limit_req_zone $binary_remote_addr zone=slow:1m rate=1r/m;
    limit_req_zone $binary_remote_addr zone=slower:1m rate=1r/m;
"""
SKY = [
    aircraft("15521f", lat=QUIET_FIELD.geometry.centroid.y, lon=QUIET_FIELD.geometry.centroid.x),
    aircraft("3c6444", lat=-51.0, lon=-70.0, flight="DLH123"),
]
DOUBLE = r"[+-]?\d+(?:\.\d+)?"
CIRCLE = re.compile(rf"GET [^? ]*\?circle=({DOUBLE}),({DOUBLE}),({DOUBLE}) HTTP/1\.1")
"""The query of readsb's api.c, as it splits it: no escapes, one of its requests, three numbers between commas."""


@dataclass(frozen=True)
class House:
    """A newsroom's own nginx, its authority, and what stood behind it was asked."""

    server: Nginx
    authority: Authority
    readsb_asked: list[Asked]

    @property
    def pictures(self) -> Path:
        return self.server.folder / "www" / "pictures"

    def sky(self, listed: list[dict[str, Any]] = SKY) -> None:
        """Write what a receiver writes beside its web server."""
        document = {"now": time.time(), "messages": 1_000, "aircraft": listed}
        written = self.server.folder / "www" / "feed" / "aircraft.json.new"
        written.write_text(json.dumps(document))
        written.rename(written.with_suffix(""))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("nginx")
    for name in ("pictures", "feed"):
        (folder / "www" / name).mkdir(parents=True)
    authority = Authority(folder)
    certificate = authority.certificate()
    with loopback(like_readsb) as behind:
        locations = LOCATIONS.replace("WWW", f"{folder}/www").replace("READSB", str(behind.port))
        with nginx(folder, locations, chain=certificate.chain, key=certificate.key, http=LIMITS) as server:
            yield House(server, authority, behind.asked)


def like_readsb(asked: Asked) -> Reply:
    """What readsb answers to a request line of its own grammar, and 400 to any other."""
    if not CIRCLE.fullmatch(f"GET {asked.path} HTTP/1.1"):
        return 400, {"Connection": "close"}, b""
    document = {"now": time.time(), "aircraft": SKY, "resultCount": len(SKY), "ptime": 0.1}
    return 200, {"Content-Type": "application/json", "Connection": "close"}, json.dumps(document).encode()


@contextmanager
def asking(house: House, caps: Caps = PICTURE_CAPS, *, trusted: bool = True) -> Iterator[GuardedClient]:
    client = GuardedClient(
        name="pictures",
        user_agent=USER_AGENT,
        monotonic=monotonic_s,
        clock=utc_now,
        allowed_networks=("127.0.0.0/8",),
        tls=trusting([house.authority.file] if trusted else []),
        caps=caps,
    )
    yield client
    client.close()


@contextmanager
def receiver(house: House, path: str, **changes: Any) -> Iterator[Feed]:
    """A receiver of one's own behind that nginx, set up as a person does it."""
    options = {"path_style": "aircraft_json", "lat": "-51.9", "lon": "-70.6", "range_nm": "250"}
    provider = ProviderSettings(
        enabled=True,
        base_url=f"{house.server.url}{path}",
        options={**options, **changes.pop("options", {})},
        **{"ca_file": house.authority.file, **changes},
    )
    settings = Settings(allowed_networks=("127.0.0.0/8",), providers={"receiver": provider})
    with ExitStack() as stack:
        clients: list[GuardedClient] = []
        named = next(each for each in configured_providers(settings) if each.name == "receiver")
        feed = build_feed(named, settings, clients)
        for client in clients:
            stack.callback(client.close)
        yield feed


def fetch(feed: Feed) -> Fetched:
    (scope,) = feed.scopes([QUIET_FIELD])
    return feed.fetch(scope, [QUIET_FIELD], purpose="data", now=utc_now(), since=None)


# --- a receiver ---------------------------------------------------------------------------------


def test_a_receiver_is_read_over_tls_by_its_own_authority_and_packed(house: House) -> None:
    house.sky([*SKY, *(aircraft(f"{number:06x}") for number in range(1, 200))])
    with receiver(house, "/feed/aircraft.json") as feed:
        found = fetch(feed)
    assert {fix.icao24 for fix in found.fixes} >= {"15521f", "3c6444"}
    sent = int(house.server.asked[-1].split()[-1])
    assert house.server.asked[-1].startswith("GET /feed/aircraft.json HTTP/1.1 200 ")
    assert sent < len(found.bodies[0]) / 2


def test_without_the_authority_s_file_the_poll_says_what_to_do(house: House) -> None:
    house.sky()
    with receiver(house, "/feed/aircraft.json", ca_file=None) as feed, pytest.raises(FeedError) as caught:
        fetch(feed)
    assert "certificate that cannot be trusted" in caught.value.reason
    assert "set ca_file" in caught.value.reason


def test_readsb_behind_nginx_gets_its_own_grammar_letter_for_letter(house: House) -> None:
    """With the location of readsb's own README-api; nginx hands the query on as it came."""
    house.readsb_asked.clear()
    with receiver(house, "/re-api", options={"path_style": "readsb"}) as feed:
        found = fetch(feed)
    assert {fix.icao24 for fix in found.fixes} == {"15521f", "3c6444"}
    said = CIRCLE.fullmatch(f"GET {house.readsb_asked[0].path} HTTP/1.1")
    assert said is not None
    lat, lon, radius = map(float, said.groups())
    assert (lat, lon) == pytest.approx((-51.9, -70.6), abs=0.01)
    assert 0 < radius <= 250
    assert house.server.asked[-1].startswith(
        f"GET /re-api/?circle={said[1]},{said[2]},{said[3]} HTTP/1.1 200"
    )


def test_escaped_commas_would_be_refused_there(house: House) -> None:
    with asking(house) as client, pytest.raises(FeedError) as caught:
        client.request("GET", f"{house.server.url}/re-api/", purpose="data", params={"circle": "1,2,3"})
    assert caught.value.status == 400


@pytest.mark.parametrize(("path", "status"), [("/limited/", TOO_OFTEN), ("/busy/", 503)])
def test_a_limit_of_nginx_without_retry_after_is_told_as_one(house: House, path: str, status: int) -> None:
    house.sky()
    with receiver(house, f"{path}aircraft.json") as feed:
        assert fetch(feed).fixes
        with pytest.raises(FeedError) as caught:
            fetch(feed)
    assert caught.value.status == status
    assert caught.value.retry_after_s is None
    assert caught.value.ends_round == (status == TOO_OFTEN)


def test_a_page_that_is_not_there_shows_the_words_of_nginx(house: House) -> None:
    with receiver(house, "/feed/nothing.json") as feed, pytest.raises(FeedError) as caught:
        fetch(feed)
    assert caught.value.status == 404
    assert "404 Not Found" in caught.value.reason


# --- pictures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture(house: House) -> Path:
    """A real COG of some 4 MB that holds Quiet Field."""
    epsg = utm_of(QUIET_FIELD)
    return cog(house.pictures / "TCI.tif", noise(1200, 1200), origin_of(QUIET_FIELD, epsg), epsg)


def test_parts_of_a_file_come_as_they_stand(house: House, picture: Path) -> None:
    body, before = picture.read_bytes(), len(house.server.asked)
    with asking(house) as client:
        file = RemoteFile(client, f"{house.server.url}/pictures/TCI.tif")
        file.fetch([(0, HEAD_BYTES), (len(body) - 10, 10), (40 * BLOCK_BYTES, 3)])
        assert file.failure is None
        assert file.size == len(body)
        assert file.read(0, 1000) == body[:1000]
        assert file.read(len(body) - 10, 99) == body[-10:]
        assert file.read(40 * BLOCK_BYTES - 5, 10) == body[40 * BLOCK_BYTES - 5 : 40 * BLOCK_BYTES + 5]
    assert {line.split()[3] for line in house.server.asked[before:]} == {"206"}


@pytest.mark.parametrize("path", ["/weak/TCI.tif", "/pictures/TCI.tif"])
def test_weak_and_strong_tags_both_name_one_version(house: House, picture: Path, path: str) -> None:
    with asking(house) as client:
        file = RemoteFile(client, f"{house.server.url}{path}")
        assert file.size == picture.stat().st_size
        assert len(file.read(50 * BLOCK_BYTES, 100)) == 100
        assert file.failure is None
        assert file.requests == 2


def test_a_file_that_is_replaced_while_it_is_read_is_noticed(house: House, tmp_path: Path) -> None:
    path = house.pictures / "changing.bin"
    path.write_bytes(b"a" * (20 * BLOCK_BYTES))
    with asking(house) as client:
        file = RemoteFile(client, f"{house.server.url}/pictures/changing.bin")
        assert file.read(0, 3) == b"aaa"
        path.write_bytes(b"b" * (20 * BLOCK_BYTES))
        os.utime(path, (1, 1))
        assert file.read(15 * BLOCK_BYTES, 3) == b""
    assert file.failure is not None
    assert "the file changed while it was read" in file.failure.reason


def test_a_file_of_no_bytes_is_told_and_a_small_one_read(house: House) -> None:
    (house.pictures / "empty.bin").write_bytes(b"")
    (house.pictures / "small.bin").write_bytes(b"abc")
    with asking(house) as client:
        small = RemoteFile(client, f"{house.server.url}/pictures/small.bin")
        assert small.read(0, 9) == b"abc"
        empty = RemoteFile(client, f"{house.server.url}/pictures/empty.bin")
        assert empty.read(0, 9) == b""
        beyond = {"Range": "bytes=10-20"}
        with pytest.raises(FeedError) as caught:
            client.request("GET", f"{house.server.url}/pictures/small.bin", purpose="data", headers=beyond)
    assert caught.value.status == 416


def test_a_server_without_ranges_gives_a_small_file_whole_and_a_large_one_not_at_all(
    house: House, picture: Path
) -> None:
    with asking(house) as client:
        whole = RemoteFile(client, f"{house.server.url}/whole/TCI.tif")
        assert whole.read(100, 10) == picture.read_bytes()[100:110]
    with asking(house, Caps(body_bytes=1024 * 1024)) as client:
        large = RemoteFile(client, f"{house.server.url}/whole/TCI.tif")
        assert large.read(0, 10) == b""
        assert large.failure is not None
        assert "larger than" in large.failure.reason


def test_a_part_is_given_only_while_the_file_is_the_one_that_was_meant(house: House, picture: Path) -> None:
    """If-Range, as nginx keeps it: a strong tag that still holds gives the part, another the whole file."""
    url = f"{house.server.url}/pictures/TCI.tif"
    with asking(house) as client:
        part = {"Range": "bytes=0-9"}
        first = client.request("GET", url, purpose="data", headers=part, accept=(206,))
        tag = first.headers["etag"]
        assert not tag.startswith("W/")
        again = client.request("GET", url, purpose="data", headers={**part, "If-Range": tag}, accept=(206,))
        assert again.body == first.body
        other = client.request("GET", url, purpose="data", headers={**part, "If-Range": '"x"'}, accept=(200,))
        assert len(other.body) == picture.stat().st_size


def scene(house: House, link: str) -> Scene:
    now = utc_now()
    return Scene(
        provider="earth-search",
        collection="sentinel-2-l2a",
        item_id="S2B_quiet-field_1",
        site_id=QUIET_FIELD.id,
        look_key="sentinel-2b:one:quiet-field",
        platform="sentinel-2b",
        acquired_at=now - timedelta(days=1),
        covered_share=1.0,
        recorded_at=now,
        cloud_share=0.05,
        links={"visual": f"{house.server.url}{link}"},
    )


@pytest.mark.parametrize("link", ["/pictures/TCI.tif", "/weak/TCI.tif", "/whole/TCI.tif"])
def test_a_picture_is_made_from_a_catalogue_of_one_s_own(
    house: House, picture: Path, link: str, sqlite_engine: Engine
) -> None:
    with writing(sqlite_engine) as connection:
        assert insert_scenes(connection, [scene(house, link)]) == 1
    with asking(house) as own, asking(house, trusted=False) as public:
        (report,) = refresh_cutouts(
            sqlite_engine,
            CAST,
            public,
            utc_now() + timedelta(hours=1),
            limit=9,
            hosts={"earth-search": (HOST,)},
            clients={"earth-search": own},
        )
    assert report.made, report.text
    with reading(sqlite_engine) as connection:
        assert newest_cutout(connection, QUIET_FIELD.id) is not None


def test_a_picture_whose_server_is_not_trusted_says_so(
    house: House, picture: Path, sqlite_engine: Engine
) -> None:
    with writing(sqlite_engine) as connection:
        insert_scenes(connection, [scene(house, "/pictures/TCI.tif")])
    with asking(house, trusted=False) as public:
        (report,) = refresh_cutouts(
            sqlite_engine,
            CAST,
            public,
            utc_now() + timedelta(hours=1),
            limit=9,
            hosts={"earth-search": (HOST,)},
        )
    assert not report.made
    assert "certificate that cannot be trusted" in report.text
