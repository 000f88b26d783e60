"""What the service does unasked: pictures of sites once there are scenes, and one word when they fail or work again."""

import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from alerts.delivery.notices import notice_payload
from alerts.delivery.worker import LONGEST
from db.channel_states import channel_failed
from db.cutouts import newest_cutout
from db.deliveries import claim, dead_letters, enqueue, requeue_dead
from db.engine import reading, writing
from db.records import Cutout
from db.schema import delivery
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.cli import main
from monitor.config.settings import Settings, SettingsError, load_settings
from monitor.ops.job_health import JobHealth
from monitor.ops.memory import limit_memory
from monitor.runtime.doctor import CheckResult, _deadman
from monitor.runtime.service import Service, jobs_of, run_once
from tests.kit.cast import QUIET_FIELD, write_cast
from tests.kit.fake_feeds import Asked, Loopback, loopback
from tests.kit.fakes.slack import FakeSlack
from tests.kit.feed_contract import stac_item, stac_page
from tests.kit.pictures import cog, noise, origin_of, ranged, utm_of
from tests.kit.program import closed_port, environment

NOW = datetime(2026, 7, 6, 12, 30, tzinfo=UTC)
TILES = "sentinel-cogs.s3.us-west-2.amazonaws.com"
pytestmark = [pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"), pytest.mark.long]


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
        app = build_app(settings, transport=httpx.MockTransport(answer))
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
    (job,) = [each for each in jobs_of(app, "me", hastened.append, threading.Event()) if each.id == job_id]
    job.work(NOW)


def test_the_first_scenes_bring_the_pictures_forward(make: Callable[..., App], web: Web) -> None:
    app = make(web)
    hastened: list[str] = []
    work(app, "pictures", hastened)
    assert (hastened, kept(app)) == ([], None), "there is no scene yet"
    work(app, "poll earth-search", hastened)
    assert hastened == ["pictures", "pixels"]
    work(app, "pictures", hastened)
    picture = kept(app)
    assert picture is not None
    assert picture.attribution == "Contains modified Copernicus Sentinel data 2026"
    assert hastened == ["pictures", "pixels"], "nothing more is due, so the next hour is soon enough"


def test_pictures_that_fail_are_told_once_and_once_that_they_work_again(
    make: Callable[..., App], web: Web
) -> None:
    app = make(web)
    pipeline.poll(app, NOW)
    later = [NOW + timedelta(hours=hours) for hours in (0, 1, 3, 7)]
    with capture_logs() as logs:
        web.gone = True
        assert [report.made for at in later[:3] for report in pipeline.make_pictures(app, at)] == [False] * 3
        web.gone = False
        assert [report.made for report in pipeline.make_pictures(app, later[3])] == [True]
    told = [(each["event"], each["what"]) for each in logs if "what" in each]
    assert told == [("failing", "pictures"), ("works again", "pictures")]
    assert "404" in next(each["error"] for each in logs if each["event"] == "failing")


def test_a_host_of_pictures_that_cannot_be_one_stops_the_start(make: Callable[..., App], web: Web) -> None:
    with pytest.raises(SettingsError, match="picture_hosts must name hosts"):
        make(web, providers={"earth-search": {"options": {"picture_hosts": "https://tiles.example"}}})


# --- the dead-man ping

PAYLOAD = notice_payload(subject="s", headline="h", paragraphs=("p",), status="Test", thread="t")
PINGED = "/ping/4c0ffee0-secret"


@contextmanager
def outside(*statuses: int) -> Iterator[tuple[str, Loopback]]:
    """Somebody who waits for signs of life, and answers with these statuses in turn."""
    answers = iter(statuses)
    with loopback(lambda _: (next(answers), {}, b"")) as server:
        yield f"{server.url}{PINGED}", server


def waiting(make: Callable[..., App], web: Web, url: str, **values: object) -> App:
    return make(web, deadman_url=url, allowed_networks=["127.0.0.0/8"], **values)


def test_a_sign_of_life_is_given_and_its_failure_told_once_without_the_address(
    make: Callable[..., App], web: Web
) -> None:
    with outside(200, 404, 500, 200) as (url, server), capture_logs() as logs:
        app = waiting(make, web, url)
        words = [pipeline.sign_of_life(app, [], NOW) for _ in range(4)]
    assert words[0] == words[3] == "Taken (HTTP 200)."
    assert "404 Not Found" in words[1]
    assert [asked.path for asked in server.asked] == [PINGED] * 4
    told = [each for each in logs if "what" in each]
    assert [(each["event"], each["what"]) for each in told] == [
        ("failing", "dead-man ping"),
        ("works again", "dead-man ping"),
    ]
    with closed_port() as port:
        app = waiting(make, web, f"http://127.0.0.1:{port}{PINGED}")
        refused = pipeline.sign_of_life(app, [], NOW)
    assert "Connection refused" in refused
    assert "secret" not in f"{words}{told}{refused}{app.settings!r}"


def test_no_sign_of_life_is_given_while_something_ails(make: Callable[..., App], web: Web) -> None:
    with outside(200) as (url, server), capture_logs() as logs:
        app = waiting(make, web, url)
        assert "“judge” hangs" in pipeline.sign_of_life(app, ["the job “judge” hangs"], NOW)
        with writing(app.engine) as connection:
            enqueue(
                connection,
                identity="x",
                kind="notice",
                channel="log",
                payload=PAYLOAD,
                now=NOW - timedelta(minutes=61),
            )
        assert "nobody sends it" in pipeline.sign_of_life(app, [], NOW)
        with writing(app.engine) as connection:
            channel_failed(
                connection,
                "log",
                not_before=NOW,
                error="full",
                now=NOW - timedelta(minutes=61),
                longest=LONGEST.rest,
            )
        assert "the channel “log” fails since" in pipeline.sign_of_life(app, [], NOW)
        assert server.asked == []
        pipeline.deliver(app, lambda: NOW, "me")
        assert pipeline.sign_of_life(app, [], NOW) == "Taken (HTTP 200)."
    told = [each["event"] for each in logs if each.get("what") == "signs of life, withheld"]
    assert told == ["failing", "works again"]


def test_a_channel_that_is_configured_no_more_does_not_stop_the_signs_of_life(
    make: Callable[..., App], web: Web
) -> None:
    with outside(200) as (url, _):
        app = waiting(make, web, url)
        with writing(app.engine) as connection:
            enqueue(connection, identity="x", kind="notice", channel="left", now=NOW - timedelta(days=2))
        assert pipeline.sign_of_life(app, [], NOW) == "Taken (HTTP 200)."


MINUTE = timedelta(minutes=1)


def test_the_vital_jobs_are_well_once_each_has_run_and_ill_when_one_hangs_fails_or_rests() -> None:
    vitals = JobHealth({"poll": 60, "judge": 10})
    assert vitals.ailments(NOW) is None
    for job in ("poll", "judge", "pictures"):
        vitals.began(job, NOW)
    vitals.ended("poll", NOW, well=True)
    assert vitals.ailments(NOW + MINUTE) is None, "judging has not run yet"
    assert vitals.ailments(NOW + 11 * MINUTE) == ["the job “judge” hangs since 2026-07-06 12:30 UTC"]
    vitals.ended("judge", NOW + 11 * MINUTE, well=True)
    assert vitals.ailments(NOW + 11 * MINUTE) == [], "pictures that hang ail nobody"
    assert vitals.ailments(NOW + 13 * MINUTE) == ["the job “poll” has not run since 2026-07-06 12:30 UTC"]
    vitals.ended("poll", NOW + 13 * MINUTE, well=False)
    assert vitals.ailments(NOW + 13 * MINUTE) == ["the job “poll” fails"]
    vitals.start_over()
    assert vitals.ailments(NOW + 13 * MINUTE) is None


def test_a_service_pings_after_its_first_whole_round(make: Callable[..., App], web: Web) -> None:
    with outside(200) as (url, server):
        app = waiting(make, web, url)
        service = Service(app, lambda _: None)
        service._ping(NOW)
        assert server.asked == []
        for job in ("poll earth-search", "judge", "deliver"):
            service.jobs._vitals.ended(job, NOW, well=True)
        service._ping(NOW)
        assert len(server.asked) == 1


def test_the_doctor_tries_the_ping(
    make: Callable[..., App], web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_ALLOWED_NETWORKS", "127.0.0.0/8")

    def found(*, network: bool = True) -> CheckResult:
        settings = load_settings()
        return _deadman(settings, network=network)

    assert found().state == "warning"
    with outside(200, 404) as (url, server):
        monkeypatch.setenv("SITEWATCH_DEADMAN_URL", url)
        assert found(network=False).state == "ok"
        assert server.asked == []
        assert found() == CheckResult("dead man", "ok", "The ping was taken (HTTP 200): one sign of life.")
        refused = found()
    assert (refused.state, "404" in refused.found, "secret" in str(refused)) == ("broken", True, False)


# --- dead letters


def test_what_was_given_up_is_owed_again_unless_it_is_too_old(engine: Engine) -> None:
    owed = [("log", 1, "dead"), ("log", 9, "dead"), ("log", 1, "sent"), ("slack", 1, "dead")]
    with writing(engine) as connection:
        for number, (channel, days, state) in enumerate(owed):
            created = NOW - timedelta(days=days)
            enqueue(
                connection, identity=f"{number}", kind="notice", channel=channel, payload=PAYLOAD, now=created
            )
            connection.execute(
                delivery.update().where(delivery.c.identity == f"{number}").values(state=state, attempts=12)
            )
        assert requeue_dead(connection, ["log"], NOW - timedelta(days=7), NOW) == 1
        assert dead_letters(connection, ["log"]) == 1
    claimed = claim(engine, "me", NOW, {"log": 0, "slack": 0}, LONGEST)
    assert claimed is not None
    assert (claimed.identity, claimed.attempts) == ("0", 1)
    assert claim(engine, "me", NOW, {"log": 0, "slack": 0}, LONGEST) is None


def test_the_command_says_what_is_owed_again(
    make: Callable[..., App], web: Web, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make(web)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", app.settings.database_url.get_secret_value())
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(app.sites_file.path))
    with writing(app.engine) as connection:
        enqueue(
            connection, identity="x", kind="notice", channel="log", payload=PAYLOAD, now=datetime.now(UTC)
        )
        connection.execute(delivery.update().values(state="dead"))
    with pytest.raises(SystemExit) as ended:
        main(["alerts", "resend"])
    assert ended.value.code == 0
    assert "1 message is owed again." in capsys.readouterr().out
    report = pipeline.deliver(app, lambda: datetime.now(UTC), "me")
    assert report.count("sent") == 1


# --- a single run


@dataclass
class Clock:
    """A clock that moves by being waited for."""

    now: datetime = NOW
    waits: int = 0

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """The same as a number that grows."""
        return self.now.timestamp()

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)
        self.waits += 1


def owe(app: App, number: int, not_before: datetime = NOW) -> None:
    with writing(app.engine) as connection:
        for each in range(number):
            identity = f"{each}:{not_before}"
            enqueue(
                connection, identity=identity, kind="notice", channel="slack", payload=PAYLOAD, now=NOW, not_before=not_before
            )  # fmt: skip


def test_a_single_run_waits_for_each_turn_of_a_channel_and_sends_all_that_is_due(
    make: Callable[..., App], web: Web
) -> None:
    clock, said = Clock(), list[str]()
    with FakeSlack(rate_limited=True, clock=clock.seconds) as slack, outside(200) as (url, _):
        app = waiting(make, web, url, slack_webhook_url=slack.url)
        owe(app, 5)
        owe(app, 2, NOW + timedelta(hours=1))
        run_once(app, said.append, clock, clock.wait)
        assert (len(slack.accepted), slack.refused) == (5, [])
    assert clock.waits == 4
    assert clock.now - NOW < timedelta(seconds=10)
    assert sum("waited for" in line for line in said) == 1
    assert any(line.startswith("Picture: Quiet Field: picture of 2026-07-04") for line in said)
    assert said[-2:] == [
        "Dead-man ping: Taken (HTTP 200).",
        "Done once: 5 messages sent. 2 messages still owed, for the next run or a running service.",
    ]


def test_a_single_run_does_not_wait_for_ever(make: Callable[..., App], web: Web) -> None:
    clock, said = Clock(), list[str]()
    with closed_port() as port:
        slack = f"http://127.0.0.1:{port}/services/T0/B0/secretpart"
        app = make(web, slack_webhook_url=slack, allowed_networks=["127.0.0.0/8"])
        owe(app, 3)
        run_once(app, said.append, clock, clock.wait)
    assert clock.now - NOW <= timedelta(minutes=2)
    assert said[-1].endswith("0 messages sent. 3 messages still owed, for the next run or a running service.")


@pytest.mark.parametrize(("library", "done"), [(("glibc", "2.36"), True), (("", ""), False)])
def test_freed_memory_is_given_back_where_the_library_can(
    library: tuple[str, str], done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if done and platform.libc_ver()[0] != "glibc":
        pytest.skip("this machine's C library is not glibc")
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert limit_memory() == done


def test_a_service_loads_no_tables_and_no_plots() -> None:
    code = (
        "import sys, monitor.runtime.service, monitor.runtime.serving; "
        "print([name for name in ('pandas', 'geopandas', 'matplotlib', 'dask') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout.strip() == "[]", "each takes dozens of megabytes"
