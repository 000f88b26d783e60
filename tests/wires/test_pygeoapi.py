"""What a real OGC API Features server (pygeoapi) gives is imported as counts and as sites, and a page is told as one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine
from typer.testing import CliRunner

from monitor.cli import app as program
from monitor.config.clock import monotonic_s, utc_now
from monitor.feeds.http import GuardedClient
from monitor.imports import ImportReport, import_file
from monitor.sites.load import load_sites
from tests.kit.cast import CAST_BY_ID
from tests.kit.fake_feeds import USER_AGENT
from tests.kit.real_servers import pygeoapi

COUNTS = 25
RUNNER = CliRunner()


def count(number: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": f"count-{number}",
        "geometry": {"type": "Point", "coordinates": [-70.6, -51.9]},
        "properties": {
            "site_id": "quiet-field",
            "start": f"2023-07-{number + 1:02}",
            "metric": "aircraft_present",
            "value": number,
            "publisher": "Harbour Watch",
        },
    }


def place(number: int) -> dict[str, Any]:
    west, south = 10 + number / 10, 50
    return {
        "type": "Feature",
        "id": f"place-{number}",
        "geometry": {
            "type": "Polygon",
            "coordinates": [
                [
                    [west, south],
                    [west + 0.02, south],
                    [west + 0.02, south + 0.01],
                    [west, south + 0.01],
                    [west, south],
                ]
            ],
        },
        "properties": {"name": f"Place {number}", "kind": "railhead", "operator": "none"},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pygeoapi")
    collections = {
        "counts": [count(number) for number in range(COUNTS)],
        "places": [place(n) for n in range(12)],
    }
    with pygeoapi(folder, collections) as url:
        yield url


@pytest.fixture
def saved(server: str, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Ask the server, and save what it gives as a person does."""
    client = GuardedClient(
        name="a person",
        user_agent=USER_AGENT,
        monotonic=monotonic_s,
        clock=utc_now,
        allowed_networks=("127.0.0.0/8",),
    )

    def save(question: str) -> Path:
        path = tmp_path / "saved.geojson"
        path.write_bytes(client.request("GET", f"{server}/collections/{question}", purpose="data").body)
        return path

    yield save
    client.close()


def imported(engine: Engine, path: Path) -> ImportReport:
    return import_file(engine, path, CAST_BY_ID, utc_now())


def test_all_counts_of_a_collection_are_imported_without_a_word_of_pages(
    saved: Callable[[str], Path], engine: Engine
) -> None:
    path = saved("counts/items?f=json&limit=1000")
    report = imported(engine, path)
    assert (report.stored, report.faults, report.notices) == (COUNTS, (), ())
    again = imported(engine, path)
    assert (again.stored, again.unchanged) == (0, COUNTS)


@pytest.mark.parametrize(("query", "rows"), [("", 10), ("&offset=20", 5)])
def test_one_page_of_a_collection_is_told_as_one(
    saved: Callable[[str], Path], sqlite_engine: Engine, query: str, rows: int
) -> None:
    path = saved(f"counts/items?f=json{query}")
    report = imported(sqlite_engine, path)
    assert report.stored == rows
    (notice,) = report.notices
    assert notice.startswith(f"The file holds {rows} of the {COUNTS} features that the server has")


def test_one_feature_of_the_server_is_no_collection_and_told_as_that(
    saved: Callable[[str], Path], sqlite_engine: Engine
) -> None:
    path = saved("counts/items/count-3?f=json")
    (fault,) = imported(sqlite_engine, path).faults
    assert "FeatureCollection" in str(fault)


@pytest.mark.parametrize(("query", "sites"), [("&limit=1000", 12), ("", 10)])
def test_sites_come_from_such_a_server_too(
    saved: Callable[[str], Path], tmp_path: Path, query: str, sites: int
) -> None:
    path = saved(f"places/items?f=json{query}")
    own = tmp_path / "sites.geojson"
    own.write_text('{"type": "FeatureCollection", "features": []}')
    done = RUNNER.invoke(program, ["sites", "add", str(path), "--file", str(own)])
    assert done.exit_code == 0, done.output
    found = load_sites(own, {})
    assert len(found) == sites
    assert ("of the 12 features that the server has" in " ".join(done.output.split())) == (sites < 12)
    assert shapely.is_valid(found.by_id["place-3"].geometry)
