"""`sitewatch imagery` as a person or a script uses it, and what the page of a site says of measures."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import structlog
from shapely import box
from typer.testing import CliRunner, Result

from db.engine import Engine, open_engine, reading, writing
from db.imagery import insert_scenes
from db.migrate import migrate
from db.pixels import add_bytes_read, store_pixel_looks
from db.records import PixelLook, Scene
from monitor.commands.imagery import imagery_app
from monitor.config.clock import utc_now
from monitor.errors import WorkFailed
from monitor.imagery.codes import encode_reflectance
from monitor.imagery.grid import site_grid
from monitor.imagery.kept import packed
from monitor.web.views.imagery_view import measurable
from tests.kit.cast import QUIET_FIELD, write_cast
from tests.kit.pictures import utm_of

Run = Callable[..., Result]
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
FIRST = datetime(2023, 5, 1, 14, tzinfo=UTC)
_GRID = site_grid(QUIET_FIELD, utm_of(QUIET_FIELD))


def store_passes(engine: Engine, count: int, cloudy: int = 0) -> None:
    """Passes whose pixels were read, the last of them under cloud."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.2, (5, *_GRID.shape))
    held = np.ones(_GRID.shape, bool)
    with writing(engine) as connection:
        for number in range(count):
            at = FIRST + timedelta(days=4 * number)
            clear = number < count - cloudy
            codes = encode_reflectance((base + rng.normal(0, 0.005, base.shape)).astype(np.float32), held)
            key = f"sentinel-2b:{number}:{QUIET_FIELD.id}"
            source = ("earth-search", "sentinel-2-l2a", f"S2B_{number}")
            scene = Scene(*source, QUIET_FIELD.id, key, "sentinel-2b", at, 1.0, at, sensor="msi")
            classes = packed(np.full((_GRID.height // 2, _GRID.width // 2), 4, np.uint8))
            shares = {"": {"covered": 1.0, "clear": float(clear)}}
            pixels = packed(codes) if clear else None
            look = PixelLook(
                QUIET_FIELD.id, key, *source, "sentinel-2b", "msi", at, _GRID.digest, _GRID.epsg, classes, pixels, None,
                shares, {}, "" if clear else "too little of it is clear", 1_000_000, at,
            )  # fmt: skip
            insert_scenes(connection, [scene])
            store_pixel_looks(connection, [look])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'var' / 'sitewatch.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def run(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(write_cast(tmp_path)))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    yield lambda *words: CliRunner().invoke(imagery_app, list(words))
    structlog.reset_defaults()


def printed(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def page(engine: Engine) -> tuple[str, ...]:
    with reading(engine) as connection:
        return measurable(connection, QUIET_FIELD)


def test_a_study_says_what_can_be_measured_and_draws_it(run: Run, engine: Engine, tmp_path: Path) -> None:
    assert page(engine) == ("Not measurable here yet: no pass has been read.",)
    store_passes(engine, 20, cloudy=1)
    assert page(engine) == (
        "Not measurable here yet: 19 of 20 passes read were clear, and 16 clear ones are needed before anything can be said.",
    )
    said = printed(run("study", "quiet-field", "--plot", str(tmp_path / "plots")))
    assert "Quiet Field: 20 passes read, 19 of them clear enough to measure." in said
    assert "Changed ground over the whole site: measurable here from 19 clear looks" in said
    assert "earth-search" in said or "Copernicus" in said
    assert (tmp_path / "plots" / "quiet-field-changed_area_m2.png").read_bytes().startswith(b"\x89PNG")
    assert page(engine)[0].startswith(
        "Changed ground over the whole site: measurable here from 19 clear looks"
    )
    told = json.loads(printed(run("study", "quiet-field", "--json")))
    assert (told["passes"], told["clear"]) == (20, 19)
    assert {each["metric"] for each in told["measures"]} == {"changed_area_m2", "new_area_m2"}
    assert told["attribution"]
    assert all(each in said for each in told["attribution"])


def test_without_a_clear_pass_a_study_says_what_to_do(run: Run, engine: Engine) -> None:
    nothing = run("study", "quiet-field")
    assert isinstance(nothing.exception, WorkFailed)
    assert "no pass has been read yet" in str(nothing.exception)
    store_passes(engine, 2, cloudy=2)
    cloudy = run("study", "quiet-field")
    assert isinstance(cloudy.exception, WorkFailed)
    assert "none of the 2 passes read was clear" in str(cloudy.exception)


def test_the_status_says_how_far_it_is_and_what_it_costs(run: Run, engine: Engine) -> None:
    store_passes(engine, 3, cloudy=1)
    with writing(engine) as connection:
        add_bytes_read(connection, f"{utc_now():%Y-%m-%d}", 3 * 1024 * 1024, 7)
        add_bytes_read(connection, f"{utc_now():%Y-%m-%d}", 1024 * 1024, 1)
    said = printed(run("status"))
    assert "Read today (UTC): 4.0 MB of at most about 2,000 MB (imagery_mb_a_day)." in said
    line = next(line for line in said.splitlines() if line.startswith("quiet-field"))
    assert line.split() == ["quiet-field", "3", "2", "0", "0"]
    told = json.loads(printed(run("status", "--json")))
    assert told["read_bytes"] == 4 * 1024 * 1024


def test_of_a_site_that_is_too_large_the_page_says_so(engine: Engine) -> None:
    west, south, east, north = QUIET_FIELD.geometry.bounds
    large = replace(QUIET_FIELD, id="large", geometry=box(west - 0.1, south - 0.05, east + 0.1, north + 0.05))
    with reading(engine) as connection:
        (said,) = measurable(connection, large)
    assert said.startswith("Not measurable here: it is larger than 12 km")


def test_reading_says_that_nothing_is_due(run: Run) -> None:
    assert printed(run("read")).startswith("Nothing was read: no pass is due")
