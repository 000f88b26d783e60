"""The invented sky of a scenario: listed and read like a real one, the same each time, and never taken for a picture of a place."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from rasterio.io import MemoryFile

from db.records.provenance import provenance_of
from monitor.imagery.codes import BANDS
from monitor.replay.run import run_scenario
from monitor.replay.scenario import ScenarioError, load_scenario
from monitor.replay.sky import HOST, LISTED_AFTER, InventedSky, SkyPass, sky_passes
from monitor.sites.load import load_sites
from scenarios.passes import RISES, SHIPPED_SEED, rows

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "railhead-2023"
SITE = load_sites(FOLDER / "sites.geojson").by_id["kp-tumangang"]
AT = datetime(2023, 5, 2, 2, 16, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


CLEAR = SkyPass(AT, "invented-sentinel-2a", 0.0, 0.0, 0.0, True, 0, 1)


def sky(*passes: SkyPass) -> InventedSky:
    return InventedSky(SITE, "sidings", 7, passes or (CLEAR,))


def search(of: InventedSky, now: datetime, datetime_asked: str | None = None) -> list[dict[str, Any]]:
    asked = httpx.Request("POST", f"https://{HOST}/search", json={"datetime": datetime_asked})
    found: list[dict[str, Any]] = of.search(asked, now).json()["features"]
    return found


def band(of: InventedSky, name: str) -> np.ndarray[Any, Any]:
    (item,) = search(of, AT + timedelta(days=1))
    answer = of.file(httpx.Request("GET", item["assets"][name]["href"]))
    with MemoryFile(answer.content) as memory, memory.open() as raster:
        return np.asarray(raster.read(1))


def test_a_pass_is_listed_some_hours_later_in_the_time_that_is_asked_about() -> None:
    assert search(sky(), AT + LISTED_AFTER - timedelta(minutes=1)) == []
    (item,) = search(sky(), AT + LISTED_AFTER)
    assert item["id"].startswith("INVENTED_")
    assert item["properties"]["platform"].startswith("invented-")
    later = AT + timedelta(days=9)
    assert (
        search(sky(), later, f"{AT + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}/{later:%Y-%m-%dT%H:%M:%SZ}") == []
    )


def test_its_files_come_in_parts_and_are_the_same_each_time() -> None:
    (item,) = search(sky(), AT + timedelta(days=1))
    assert set(item["assets"]) == {"scl", "visual", *BANDS}
    href = item["assets"]["red"]["href"]
    whole = sky().file(httpx.Request("GET", href)).content
    part = sky().file(httpx.Request("GET", href, headers={"Range": "bytes=100-199"}))
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    beyond = sky().file(httpx.Request("GET", href, headers={"Range": f"bytes={len(whole)}-{len(whole) + 9}"}))
    assert beyond.status_code == 416
    assert sky().file(httpx.Request("GET", href.replace("INVENTED", "NONE"))).status_code == 404


def test_trains_clouds_and_snow_show_in_the_pixels() -> None:
    def of(**changes: Any) -> InventedSky:
        return sky(replace(CLEAR, **changes))

    empty, full = band(of(), "nir").astype(float), band(of(wagons=65), "nir").astype(float)
    assert (np.abs(empty - full) > 100).sum() > 50
    assert (band(of(wagons=65), "nir") == full).all(), "a rake that stays stands where it stood"
    assert (band(of(wagons=65, rake=2), "nir") != full).any(), "another one elsewhere"
    assert (band(of(cloud=1.0), "scl") == 9).all()
    half = band(of(cloud=0.5), "scl")
    assert 0.1 < (half == 9).mean() < 0.6
    assert (half == 3).any()
    assert (band(of(thin=0.5), "scl") == 4).all(), "no mask tells of thin cloud"
    assert (band(of(thin=0.5), "blue").astype(float) - band(of(), "blue") > 200).mean() > 0.3
    assert (band(of(snow=1.0), "scl") == 11).all()


def test_the_passes_on_disk_are_those_that_the_script_writes() -> None:
    written = [
        (each.at.isoformat(), str(each.wagons), str(each.rake)) for each in sky_passes(FOLDER / "passes.csv")
    ]
    made = rows(SHIPPED_SEED, RISES)
    assert written == [
        (row["at"], row["wagons"], row["rake"]) for row in sorted(made, key=lambda row: row["at"])
    ]


def test_what_stands_there_in_quiet_times_is_never_more_than_was_published() -> None:
    for seed in range(20):
        quiet = [int(row["wagons"]) for row in rows(seed, RISES) if row["at"] < RISES.isoformat()]
        assert max(quiet) <= 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({'provider = "invented-passes"': 'provider = "passes"'}, "say so, and name it"),
        ({"invented-passes": "catalogue"}, "lists invented pixels"),
        (
            {
                '[[skies]]\nfile = "passes.csv"\nprovenance = "invented"': '[[skies]]\nfile = "passes.csv"\nprovenance = "recorded"'
            },
            "say so",
        ),
    ],
    ids=["no such provider", "a provider's name that does not say it", "called recorded"],
)
def test_invented_pixels_say_so(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    text = (FOLDER / "scenario.toml").read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    for name in ("passes.csv", "published.csv", "sites.geojson"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    (tmp_path / "scenario.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=words):
        load_scenario(tmp_path)


@pytest.mark.parametrize(
    ("file", "body", "words"),
    [
        ("passes.csv", "at,platform\n2023-05-02T02:16:00,x\n", "is no list of passes"),
        ("scenario.toml", 'area = "transshipment-yard"', "is not drawn there: draw it"),
    ],
)
def test_a_sky_that_cannot_be_is_told(tmp_path: Path, file: str, body: str, words: str) -> None:
    for name in ("scenario.toml", "passes.csv", "published.csv", "sites.geojson"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    if file == "scenario.toml":
        body = (FOLDER / file).read_text(encoding="utf-8").replace('area = "sidings"', body)
    (tmp_path / file).write_text(body, encoding="utf-8")
    with pytest.raises(ScenarioError, match=words):
        run_scenario(tmp_path, f"sqlite:///{tmp_path}/x.db")


def test_nobody_takes_it_for_a_catalogue() -> None:
    scenario = load_scenario(FOLDER)
    assert [provenance_of(each.provider) for each in scenario.skies] == ["invented"]
    assert any("every pixel are invented" in each.origin for each in scenario.mark.parts)
