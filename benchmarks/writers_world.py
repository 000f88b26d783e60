"""Eighty sites within reach of one receiver, the receiver on loopback, and a large file to import beside it.

The aircraft are those of the Paris recording at their own places, played round and round; without the recording they
fly in circles (footprint_feed.py). One site is Orly, where they land; the others lie on a grid of eight by ten.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.footprint_feed import PARIS, STEP_S, recorded

SITES = 80
POLL_S = 5
PROVIDER = "roof"
_ROWS, _COLUMNS = 8, 10
_APART_DEG = 0.25
_HALF_DEG = 0.02
_HISTORY_DAYS = 2_500
_UNHEARD = 30
_AIRCRAFT = "/data/aircraft.json"


def site_id(number: int) -> str:
    """What a site is called."""
    return f"place-{number:02}"


def write_sites(path: Path) -> None:
    """Eighty airports, their outlines invented; the first is around the runways of Orly."""
    features = []
    for number in range(SITES):
        row, column = divmod(number, _COLUMNS)
        lat = PARIS[0] + (row - _ROWS // 2) * _APART_DEG
        lon = PARIS[1] + (column - _COLUMNS // 2) * _APART_DEG
        if (row, column) == (_ROWS // 2, _COLUMNS // 2):
            lat, lon = PARIS
        west, south, east, north = (lon - _HALF_DEG, lat - _HALF_DEG, lon + _HALF_DEG, lat + _HALF_DEG)
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        properties = {"name": f"Place {number:02}", "kind": "airport", "timezone": "Europe/Paris", "precision": "coarse", "source": "invented", "elevation_ft": 290}  # fmt: skip
        features.append(
            {
                "type": "Feature",
                "id": site_id(number),
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": properties,
            }
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def write_settings(folder: Path, port: int, smtp_port: int) -> None:
    """A folder in which the service has one receiver, polled every five seconds, and a mailbox; all else is default."""
    write_sites(folder / "sites.geojson")
    (folder / "sitewatch.toml").write_text(
        f"""
allowed_networks = ["127.0.0.0/8"]
port = 0
smtp_host = "127.0.0.1"
smtp_port = {smtp_port}
smtp_security = "none"
email_from = "watch@watch.example"
email_to = ["desk@watch.example"]
[providers."adsb.lol"]
enabled = false
[providers.earth-search]
enabled = false
[providers.{PROVIDER}]
kind = "readsb"
base_url = "http://127.0.0.1:{port}{_AIRCRAFT}"
interval_s = {POLL_S}
licence = "own"
attribution = "our own receiver"
options = {{ path_style = "aircraft_json", lat = "{PARIS[0]}", lon = "{PARIS[1]}", range_nm = "200" }}
""",
        encoding="utf-8",
    )


def write_counts(path: Path, rows: int, batch: int = 0, metric: str = "aircraft_present") -> None:
    """A file of so many counts over all sites, years of days by several sources."""
    last = date(2024, 1, 1)
    with path.open("w", encoding="utf-8") as file:
        file.write("site_id,start,metric,value,published,publisher,url\n")
        for number in range(rows):
            place, count = number % SITES, number // SITES
            day, source = last - timedelta(days=count % _HISTORY_DAYS), count // _HISTORY_DAYS
            file.write(
                f"{site_id(place)},{day},{metric},{(count * 7 + place) % 20},,"
                f"Analysts {batch}.{source},https://counts.example/{number}\n"
            )


class Receiver:
    """What a receiver shows at a moment; `answered` counts the questions, `now` may be any clock."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        # Its first minutes repeat what was heard before it began.
        self._polls = list(recorded())[_UNHEARD:]
        self._now = now
        self._began = now()
        self.answered: Counter[int] = Counter()

    def aircraft(self) -> bytes:
        """The document `aircraft.json`."""
        now = self._now()
        self.answered[int(now.timestamp()) // POLL_S] += 1
        passed_s = (now - self._began).total_seconds()
        listed = self._polls[int(passed_s) // STEP_S % len(self._polls)]
        # The recording is one of every ten seconds: what is shown again in between is that much older.
        aged = [_aged(each, passed_s % STEP_S) for each in listed]
        return json.dumps({"now": now.timestamp(), "messages": len(aged), "aircraft": aged}).encode()


def _aged(each: dict[str, Any], by_s: float) -> dict[str, Any]:
    return {**each, **{name: each[name] + by_s for name in ("seen", "seen_pos") if name in each}}


@contextmanager
def receiving(receiver: Receiver) -> Iterator[int]:
    """The receiver on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # What a receiver may show beside is not there, and no answer to a poll.
            if not self.path.startswith(_AIRCRAFT):
                self.send_error(404)
                return
            body = receiver.aircraft()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
