"""What the service does unasked: pictures of sites once there are scenes, and one word when they fail or work again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from db.cutouts import newest_cutout
from db.engine import reading
from db.records import Cutout
from monitor import pipeline
from monitor.bootstrap import App, build
from monitor.service import jobs_of
from monitor.settings import Settings, SettingsError
from tests.cast import QUIET_FIELD, write_cast
from tests.fake_feeds import Asked
from tests.feed_contract import stac_item, stac_page
from tests.pictures import cog, noise, origin_of, ranged, utm_of

NOW = datetime(2026, 7, 6, 12, 30, tzinfo=UTC)
TILES = "sentinel-cogs.s3.us-west-2.amazonaws.com"
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@dataclass
class Web:
    """Earth Search with one clear scene over Quiet Field, and the file of that scene, for as long as it is there."""

    file: bytes
    gone: bool = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request as they do."""
        if request.url.host != TILES:
            return httpx.Response(200, content=stac_page(self._item()))
        if self.gone:
            return httpx.Response(404)
        status, headers, body = ranged(self.file)(Asked("GET", request.url.path, request.headers, b""))
        return httpx.Response(status, headers=headers, content=body)

    @staticmethod
    def _item() -> dict[str, object]:
        taken = f"{NOW - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
        item = stac_item(datetime=taken, created=taken, updated=taken)
        return {**item, "assets": {"visual": {"href": f"https://{TILES}/TCI.tif"}}}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    epsg = utm_of(QUIET_FIELD)
    path = tmp_path_factory.mktemp("tile") / "TCI.tif"
    return Web(cog(path, noise(1200, 1200), origin_of(QUIET_FIELD, epsg), epsg).read_bytes())


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Put a program together that asks Earth Search alone, which `answer` plays."""
    made: list[App] = []

    def program(answer: Callable[[httpx.Request], httpx.Response], **values: object) -> App:
        settings = Settings.model_validate(
            {
                "database_url": f"sqlite:///{tmp_path / 'test.db'}",
                "sites_file": write_cast(tmp_path),
                "history_file": tmp_path / "none.csv",
                "providers": {"adsb.lol": {"enabled": False}},
                **values,
            }
        )
        app = build(settings, transport=httpx.MockTransport(answer))
        made.append(app)
        pipeline.start(app, NOW)
        return app

    yield program
    for each in made:
        each.close()


def kept(app: App) -> Cutout | None:
    with reading(app.engine) as connection:
        return newest_cutout(connection, "quiet-field")


def work(app: App, job_id: str, hastened: list[str]) -> None:
    (job,) = [each for each in jobs_of(app, "me", hastened.append) if each.id == job_id]
    job.work(NOW)


def test_the_first_scenes_bring_the_pictures_forward(make: Callable[..., App], web: Web) -> None:
    app = make(web)
    hastened: list[str] = []
    work(app, "pictures", hastened)
    assert (hastened, kept(app)) == ([], None), "there is no scene yet"
    work(app, "poll earth-search", hastened)
    assert hastened == ["pictures"]
    work(app, "pictures", hastened)
    picture = kept(app)
    assert picture is not None
    assert picture.attribution == "Contains modified Copernicus Sentinel data 2026"
    assert hastened == ["pictures"], "nothing more is due, so the next hour is soon enough"


def test_pictures_that_fail_are_told_once_and_once_that_they_work_again(
    make: Callable[..., App], web: Web
) -> None:
    app = make(web)
    pipeline.poll(app, NOW)
    later = [NOW + timedelta(hours=hours) for hours in (0, 1, 3, 7)]
    with capture_logs() as logs:
        web.gone = True
        assert [report.made for at in later[:3] for report in pipeline.picture(app, at)] == [False] * 3
        web.gone = False
        assert [report.made for report in pipeline.picture(app, later[3])] == [True]
    told = [(each["event"], each["what"]) for each in logs if "what" in each]
    assert told == [("failing", "pictures"), ("works again", "pictures")]
    assert "404" in next(each["error"] for each in logs if each["event"] == "failing")


def test_a_host_of_pictures_that_cannot_be_one_stops_the_start(make: Callable[..., App], web: Web) -> None:
    with pytest.raises(SettingsError, match="picture_hosts must name hosts"):
        make(web, providers={"earth-search": {"options": {"picture_hosts": "https://tiles.example"}}})
