"""A flight feed and a catalogue on loopback that answer as the real ones do, at real speed.

Around every circle that is asked for fly the aircraft of the Paris recording, moved there: about 20 at a time, far more
than are heard around most of the shipped sites. Over every site lies a scene every two and a half days, each a real
item of Earth Search moved there. Without the recordings aircraft fly in circles and items are bare.
"""

import copy
import gzip
import json
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitor.sites import Site

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDING = DATA / "adsb" / "paris-2021-10-07-v2-polls.ndjson.gz"
ITEMS = DATA / "stac" / "real-items.ndjson.gz"
PARIS = (48.72, 2.37)
STEP_S = 10
EVERY = timedelta(hours=60)
"""How often a satellite passes over a site."""
_HALF_TILE_DEG = 0.6


@dataclass
class Feed:
    """What both servers know; `asked` counts the requests."""

    sites: Sequence[Site]
    polls: list[list[dict[str, Any]]] = field(default_factory=lambda: list(recorded()))
    items: list[dict[str, Any]] = field(default_factory=lambda: list(_real_items()))
    began: float = field(default_factory=time.time)
    asked: int = 0

    def aircraft(self, lat: float, lon: float) -> bytes:
        """The aircraft of this moment of the recording, around another place."""
        now = time.time()
        listed = self.polls[int(now - self.began) // STEP_S % len(self.polls)]
        east = math.cos(math.radians(PARIS[0])) / math.cos(math.radians(lat))
        moved = [_moved(each, lat - PARIS[0], lon, east) for each in listed]
        head = {
            "msg": "No error",
            "now": int(now * 1000),
            "total": len(moved),
            "ctime": int(now * 1000),
            "ptime": 0,
        }
        return json.dumps({"ac": moved, **head}).encode()

    def search(self, asked: dict[str, Any]) -> bytes:
        """One page of the scenes over the sites in a window of time."""
        since, until = (datetime.fromisoformat(each) for each in asked["datetime"].split("/"))
        found = [item for site in self.sites for item in self._scenes(site, since, until)]
        start, limit = int(asked.get("token", 0)), int(asked["limit"])
        following = {"rel": "next", "method": "POST", "href": asked["href"], "merge": True}
        links = [{**following, "body": {"token": start + limit}}] if start + limit < len(found) else []
        page = found[start : start + limit]
        return json.dumps({"type": "FeatureCollection", "features": page, "links": links}).encode()

    def _scenes(self, site: Site, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        middle = site.geometry.centroid
        step = EVERY.total_seconds()
        number = math.ceil((since.timestamp() - len(site.id) * 3600) / step)
        while (at := datetime.fromtimestamp(number * step + len(site.id) * 3600, UTC)) < until:
            yield _over(self.items[number % len(self.items)], site.id, middle.x, middle.y, at)
            number += 1


def _moved(each: dict[str, Any], north: float, lon: float, east: float) -> dict[str, Any]:
    if "lat" not in each:
        return each
    return {
        **each,
        "lat": round(each["lat"] + north, 5),
        "lon": round(lon + (each["lon"] - PARIS[1]) * east, 5),
    }


def _over(item: dict[str, Any], name: str, lon: float, lat: float, at: datetime) -> dict[str, Any]:
    west, south, east, north = (
        lon - _HALF_TILE_DEG, lat - _HALF_TILE_DEG, lon + _HALF_TILE_DEG, lat + _HALF_TILE_DEG
    )  # fmt: skip
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    taken, listed = (f"{each:%Y-%m-%dT%H:%M:%S.%fZ}" for each in (at, at + timedelta(hours=4)))
    moved = copy.deepcopy(item)
    moved["id"] = f"{item['id']}_{name}_{at:%Y%m%d}"
    moved["geometry"], moved["bbox"] = {"type": "Polygon", "coordinates": [ring]}, [west, south, east, north]
    moved["properties"] |= {"datetime": taken, "created": listed, "updated": listed}
    moved["properties"]["s2:datatake_id"] = f"GS2B_{at:%Y%m%dT%H%M%S}_{name}"
    return moved


def recorded() -> Iterator[list[dict[str, Any]]]:
    """The aircraft of each ten seconds of the recording."""
    if not RECORDING.exists():
        yield from (_invented(step) for step in range(360))
        return
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["ac"]


def _invented(step: int) -> list[dict[str, Any]]:
    return [
        {
            "hex": f"a{number:05x}", "type": "adsb_icao", "flight": f"TST{number}", "alt_baro": 2_000 * number + 500,
            "gs": 250.0, "track": 90.0, "baro_rate": 0, "nic": 8, "nac_p": 9, "seen": 0.5, "seen_pos": 0.5,
            "lat": PARIS[0] + 0.3 * math.sin(step / 20 + number), "lon": PARIS[1] + 0.4 * math.cos(step / 20 + number),
        }
        for number in range(20)
    ]  # fmt: skip


def _real_items() -> Iterator[dict[str, Any]]:
    if not ITEMS.exists():
        yield {
            "type": "Feature", "stac_version": "1.0.0", "id": "S2B", "collection": "sentinel-2-l2a", "assets": {},
            "links": [], "properties": {"platform": "sentinel-2b", "eo:cloud_cover": 12.5},
        }  # fmt: skip
        return
    with gzip.open(ITEMS, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            item = item.get("item", item)
            if item.get("collection") == "sentinel-2-l2a" and "earth-search" in json.dumps(item["links"]):
                yield item


@contextmanager
def serving(feed: Feed) -> Iterator[int]:
    """Both on one port of loopback: circles by GET, searches by POST."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            *_, lat, lon, _radius = self.path.split("/")
            self._answer(feed.aircraft(float(lat), float(lon)))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            here = f"http://{self.headers['Host']}{self.path}"
            self._answer(feed.search({**asked, "href": here}))

        def _answer(self, body: bytes) -> None:
            feed.asked += 1
            packed = gzip.compress(body, 5)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
