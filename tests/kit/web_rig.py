"""The page over the cast of sites and a database, with a story to show and a clock that stands still."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from matplotlib.image import imsave
from pydantic import SecretStr
from sqlalchemy import Engine

from db.cutouts import store_cutout
from db.declared import record_declared, record_notes
from db.engine import writing
from db.flights import record_visits
from db.imagery import insert_scenes
from db.observations import record_observations
from db.provider_states import note_failure, note_good
from db.records import CoverageHour, Cutout, DeclaredBaseline, Evidence, Note, Observation, Scene, Visit
from db.schema import coverage_hour, poll
from db.sites import record_sites
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.web.app import create_app
from monitor.web.files import BUILT_FOLDER
from tests.kit.builders import at, look, series, stated
from tests.kit.cast import write_cast

NOW = at("2023-10-07T12:00")
TOKEN = "a-token-of-32-letters-for-testing"


class Browser:
    """A browser without scripts: it keeps cookies, follows nothing and fills in forms."""

    def __init__(self, page: FastAPI, base_url: str = "http://127.0.0.1") -> None:
        self._page, self._base_url = page, base_url
        self.cookies = httpx.Cookies()
        self.headers = {"accept": "text/html"}

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Open an address."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a form."""
        return self.request("POST", path, **options)

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Send anything."""
        return asyncio.run(self._send(method, path, headers={**self.headers, **(headers or {})}, **options))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._page, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url=self._base_url, cookies=self.cookies
        ) as client:
            response = await client.request(method, path, **options)
            self.cookies = client.cookies
            return response

    def form_token(self, path: str) -> str:
        """Read the token that the forms of a page carry."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]


@dataclass(frozen=True)
class Rig:
    """The program, its page and a browser without scripts."""

    app: App
    page: FastAPI
    client: Browser


@contextmanager
def rig(
    engine: Engine,
    folder: Path,
    *,
    token: str | None = None,
    now: datetime = NOW,
    built: Path = BUILT_FOLDER,
    **values: Any,
) -> Iterator[Rig]:
    """Put the page together over the cast and an opened database; nothing leaves this machine."""
    settings = Settings.model_validate(
        {
            "sites_file": write_cast(folder),
            "history_file": folder / "none.csv",
            "public_url": "http://watch.example",
            "api_token": SecretStr(token) if token else None,
            **values,
        }
    )
    app = build_app(settings)
    app.engine.dispose()
    app = replace(app, engine=engine)
    with writing(engine) as connection:
        record_sites(connection, app.sites_file.sites.features, now)
    page = create_app(app, lambda: now, built)
    yield Rig(app, page, Browser(page))
    page.state.version.close()
    page.state.late.app.engine.dispose()
    for each in app.clients:
        each.close()


def containers(day: str, value: float | None, **fields: Any) -> Observation:
    """A count of containers at Busy Port."""
    link = Evidence("url", f"https://harbour.example/{day}", "")
    return look(day, value, "containers", **{"evidence": (link,), **fields})


STORY: Sequence[Observation] = (
    containers("2022-11-04", 3),
    containers("2022-11-18", 5, low=4, high=6),
    containers("2022-11-30", 8),
    containers("2023-10-05", 73, qualifier="~=", note="Covered by tarps."),
    containers("2023-10-06", None, assessable=False),
    look("2023-07-31", 1, "arrivals", "class:vip_military", site_id="quiet-field"),
    look("2023-10-06", 1, "aircraft_present", "type:Tu-160", site_id="donut-base", qualifier=">="),
    look("2023-10-06", 1, "aircraft_present", "class:kinzhal_carrier", site_id="donut-base", qualifier=">="),
)
DECLARED: Sequence[DeclaredBaseline] = (
    stated("max", 20, ("2018-10-06", "2023-09-17"), "containers", url="https://yards.example/five-years"),
    replace(
        stated("last_seen", 1, ("2019-06-01T03:00", "2019-08-01T03:00"), "arrivals", "class:vip_military"),
        series=series("arrivals", "class:vip_military", site_id="quiet-field"),
        precision="month",
    ),
)


def tell_story(app: App, now: datetime = NOW) -> None:
    """Fill the database: counts, baselines, a note, a visit, what the feeds heard; then judge.

    Nearly every test of the page begins so: on SQLite the same story is told once and copied from then on.
    """
    if app.engine.dialect.name != "sqlite":
        tell_anew(app, now)
        return
    kept = Path(_TOLD.name) / f"{now:%Y%m%dT%H%M%S} {' '.join(app.channels)}.db"
    with closing(app.engine.raw_connection()) as raw:
        opened = raw.driver_connection
        assert isinstance(opened, sqlite3.Connection)
        if kept.exists():
            with closing(sqlite3.connect(kept)) as source:
                source.backup(opened)
        else:
            tell_anew(app, now)
            opened.execute("vacuum into ?", (str(kept),))


_TOLD = TemporaryDirectory(prefix="sitewatch-told-", ignore_cleanup_errors=True)


def tell_anew(app: App, now: datetime = NOW) -> None:
    """The same, written statement by statement."""
    with writing(app.engine) as connection:
        record_declared(connection, DECLARED)
        record_observations(connection, STORY)
        record_notes(connection, [_note()])
        record_visits(connection, [_visit()])
        connection.execute(coverage_hour.insert(), [asdict(each) for each in _hours(now)])
        connection.execute(poll.insert(), list(_polls(app, now)))
        note_good(connection, "adsb.lol", now, now)
        note_failure(connection, "earth-search", now, error="It answered HTTP 503.", counts=True)
        insert_scenes(connection, [_scene(now)])
        store_cutout(connection, picture(now), keep=3)
    pipeline.judge(app, now)


def picture(now: datetime, **fields: Any) -> Cutout:
    """A made-up picture of Quiet Field, two days old."""
    values: dict[str, Any] = {
        "site_id": "quiet-field",
        "provider": "earth-search",
        "collection": "sentinel-2-l2a",
        "item_id": "S2B_TEST",
        "scene_version": 1,
        "platform": "sentinel-2b",
        "acquired_at": now - timedelta(days=2),
        "png": png(480, 300),
        "width_px": 480,
        "height_px": 300,
        "metres_per_pixel": 10.0,
        "bounds": {},
        "shown_share": 1.0,
        "outline": "0123456789abcdef",
        "attribution": "Contains modified Copernicus Sentinel data 2023",
        "made_at": now,
    }
    return Cutout(**{**values, **fields})


def png(width: int, height: int) -> bytes:
    """A green field with a grey strip."""
    pixels = np.full((height, width, 3), (88, 104, 70), dtype=np.uint8)
    pixels[height // 2 - 4 : height // 2 + 4, width // 6 : -width // 6] = 150
    packed = BytesIO()
    imsave(packed, pixels, format="png")
    return packed.getvalue()


def _hours(now: datetime) -> Iterator[CoverageHour]:
    """A day in which the flight feed answered everywhere and heard aircraft at one site only."""
    for site_id, reports in {"quiet-field": 0, "dateline-strip": 0, "donut-base": 6}.items():
        for hour in range(1, 25):
            yield CoverageHour("adsb.lol", site_id, now - timedelta(hours=hour), 3600, 3600, False, reports)


def _polls(app: App, now: datetime) -> Iterator[dict[str, Any]]:
    """The newest answers of the flight feed, with 143 aircraft around Donut Base and none elsewhere."""
    for scope in app.feeds["adsb.lol"].scopes(list(app.sites.values())):
        heard = 143 if "donut-base" in scope.site_ids else 0
        yield {
            "provider": "adsb.lol",
            "scope": scope.key,
            "slot": 1,
            "purpose": "data",
            "sequence": 0,
            "started_at": now - timedelta(minutes=1),
            "finished_at": now - timedelta(minutes=1),
            "outcome": "ok" if heard else "empty",
            "item_count": heard,
        }


def _note() -> Note:
    return Note(
        key="trend",
        site_id="busy-port",
        metric="containers",
        subject="",
        starts_at=at("2023-09-18"),
        ends_at=at("2023-10-05"),
        precision="window",
        result_time=at("2023-10-06"),
        recorded_at=at("2023-10-06"),
        publisher="Harbour Watch",
        url="https://harbour.example/trend",
        text="Rising, no numbers published.",
    )


def _visit() -> Visit:
    return Visit(
        visit_id="quiet-field:15521f:1",
        version=1,
        site_id="quiet-field",
        icao24="15521f",
        state="presumed",
        confidence=2,
        arrived_at=at("2023-07-31T05:00"),
        departed_at=None,
        first_fix_at=at("2023-07-31T01:00"),
        last_fix_at=at("2023-07-31T05:00"),
        recorded_at=at("2023-08-01"),
        type_code="IL62",
        registration="RA-86559",
        subjects=("class:vip_military",),
        evidence=(Evidence("note", "", "Last heard 40 NM away, descending."),),
    )


def _scene(now: datetime) -> Scene:
    return Scene(
        provider="earth-search",
        collection="sentinel-2-l2a",
        item_id="S2A_TEST",
        site_id="busy-port",
        look_key="pass-1",
        platform="sentinel-2a",
        acquired_at=now - timedelta(days=2),
        covered_share=1.0,
        recorded_at=now,
        cloud_share=0.1,
    )
