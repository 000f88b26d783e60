"""The doctor finds what is wrong, says how to mend it, and changes nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import open_engine, writing
from db.leases import take_lease
from db.migrate import migrate
from db.provider_states import note_failure
from monitor.feeds.authorities import authorities
from monitor.runtime.doctor import CheckResult, disk_finding, run_checks
from tests.kit.authority import Authority
from tests.kit.fake_feeds import aircraft, v2_body
from tests.kit.program import answering, closed_port, run, write_settings

pytestmark = pytest.mark.long

NOW = datetime.now(UTC)


@contextmanager
def provider(clock_off: timedelta = timedelta(0), date: str | None = None) -> Iterator[int]:
    """A server that answers 404 to everything, as a provider does at its base URL, by its own clock."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", date or format_datetime(datetime.now(UTC) + clock_off))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SITEWATCH_CONFIG", "SITEWATCH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    write_settings(tmp_path, 9)
    return tmp_path


def findings(*, network: bool = False) -> dict[str, CheckResult]:
    return {each.check: each for each in run_checks(lambda: datetime.now(UTC), network=network)}


def database(folder: Path) -> str:
    (folder / "var").mkdir()
    return f"sqlite:///{folder}/var/sitewatch.db"


def test_a_fresh_place_is_sound_and_stays_untouched(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    found = findings()
    assert {each.state for each in found.values()} == {"ok", "warning"}
    assert "the first start makes it" in found["database"].found
    assert sorted(folder.rglob("*")) == before


def test_everything_that_is_wrong_says_how_to_mend_it(folder: Path) -> None:
    (folder / "sites.geojson").write_text("{}")
    (folder / "history" / "published.csv").unlink()
    for each in findings().values():
        assert (each.mend != "") == (each.state != "ok"), each
    assert findings()["sites"].state == "broken"
    assert findings()["history"].state == "warning"


def test_bad_settings_are_the_only_finding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITEWATCH_PORT", "x")
    (only,) = findings().values()
    assert (only.check, only.state) == ("settings", "broken")
    assert "SITEWATCH_PORT" in only.found


def test_files_of_authorities_are_looked_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Authority(folder)
    (until,) = [each.not_after for each in authorities(ours.file)]
    settings = (folder / "sitewatch.toml").read_text()
    (folder / "sitewatch.toml").write_text(
        f"{settings}\nca_file = {str(folder / 'gone.pem')!r}\n"
        f"[channels.desk]\nkind = 'slack'\nwebhook_url = 'https://hooks.example/x'\nca_file = {str(ours.file)!r}\n"
    )
    monkeypatch.setenv("SITEWATCH_CA_FILE", str(ours.certificate().chain))

    def looked(now: datetime) -> dict[str, CheckResult]:
        return {each.check: each for each in run_checks(lambda: now, network=False)}

    found = looked(until - timedelta(days=31))
    assert found["ca_file"].state == "ok"
    assert "vouch for one server each" in found["ca_file"].found
    assert found["channels.desk.ca_file"].found.endswith(f"is trusted: Newsroom CA, until {until:%Y-%m-%d}.")
    assert looked(until - timedelta(days=29))["channels.desk.ca_file"].state == "warning"
    expired = looked(until)["channels.desk.ca_file"]
    assert expired.state == "broken"
    assert "has expired: Newsroom CA" in expired.found
    assert "new certificate" in expired.mend
    broken = looked(until)["providers.earth-search.ca_file"]
    assert broken.state == "broken"
    assert "gone.pem cannot be used: No such file" in broken.found
    assert broken.mend


def test_no_site_at_all_is_a_warning(folder: Path) -> None:
    (folder / "sites.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert findings()["sites"].state == "warning"


def test_a_database_that_is_a_folder_is_broken(folder: Path) -> None:
    (folder / "var" / "sitewatch.db").mkdir(parents=True)
    assert findings()["database"].state == "broken"


def test_an_empty_database_is_filled_by_the_first_start(folder: Path) -> None:
    database(folder)
    (folder / "var" / "sitewatch.db").touch()
    assert "the first start fills it" in findings()["database"].found
    assert "service" not in findings()


@pytest.mark.parametrize(
    ("revision", "state", "words"),
    [(None, "ok", "up to date"), ("9999", "broken", "newer sitewatch")],
)
def test_the_version_of_the_database_is_told(
    folder: Path, revision: str | None, state: str, words: str
) -> None:
    engine = open_engine(database(folder))
    migrate(engine)
    if revision:
        with writing(engine) as connection:
            connection.execute(text("update alembic_version set version_num = :new"), {"new": revision})
    engine.dispose()
    found = findings()["database"]
    assert found.state == state
    assert words in found.found


def test_a_service_that_watches_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITEWATCH_LEASE_S", "600")
    engine = open_engine(database(folder))
    migrate(engine)
    assert findings()["service"].state == "warning"
    with writing(engine) as connection:
        assert take_lease(connection, "machine, process 7", datetime.now(UTC), 600)
    engine.dispose()
    assert findings()["service"] == CheckResult("service", "ok", "A service is watching: machine, process 7.")


def test_a_database_server_is_asked_for_its_clock(
    folder: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", postgres_url)
    assert findings()["database"].state == "ok"
    assert findings()["clock"].state == "ok"


def test_a_database_server_that_is_not_there_is_broken_and_its_password_unseen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as port:
        monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"postgresql://me:secretpart@127.0.0.1:{port}/watch")
        found = findings()["database"]
    assert found.state == "broken"
    assert "secretpart" not in found.found


def test_channels_are_put_together_but_nothing_is_sent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["channels"].state == "warning"
    monkeypatch.setenv("SITEWATCH_SLACK_WEBHOOK_URL", "https://hooks.example/services/T0/B0/verysecretpart")
    assert findings()["channels"] == CheckResult(
        "channels", "ok", "slack, log; “sitewatch alerts test” tries them."
    )
    toml = (folder / "sitewatch.toml").read_text()
    (folder / "sitewatch.toml").write_text(f'{toml}\n[channels.slack]\nkind = "log"\n')
    assert findings()["channels"].state == "broken"
    assert "set twice" in findings()["channels"].found


def test_links_need_the_public_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["links"].state == "warning"
    monkeypatch.setenv("SITEWATCH_PUBLIC_URL", "https://watch.example")
    assert "links" not in findings()


def test_a_provider_of_an_unknown_kind_is_broken(folder: Path) -> None:
    toml = (folder / "sitewatch.toml").read_text()
    (folder / "sitewatch.toml").write_text(toml.replace("base_url", 'kind = "carrier pigeon"\nbase_url', 1))
    found = findings()["provider adsb.lol"]
    assert found.state == "broken"
    assert "readsb" in found.found


def test_without_providers_nothing_is_watched(folder: Path) -> None:
    (folder / "sitewatch.toml").write_text(
        '[providers."adsb.lol"]\nenabled = false\n[providers.earth-search]\nenabled = false\n'
    )
    assert findings()["providers"].state == "warning"


def test_a_provider_that_answers_anything_is_reachable(folder: Path) -> None:
    with provider() as port:
        write_settings(folder, port)
        found = findings(network=True)
    assert found["provider adsb.lol"].state == "ok"
    assert "HTTP 404" in found["provider adsb.lol"].found
    assert found["clock"].state == "ok"


def test_a_provider_that_refuses_the_connection_is_broken(folder: Path) -> None:
    with closed_port() as port:
        write_settings(folder, port)
        found = findings(network=True)["provider adsb.lol"]
    assert found.state == "broken"
    assert "never a zero" in found.mend


@pytest.mark.parametrize(
    ("off", "state"), [(timedelta(minutes=-2), "warning"), (timedelta(hours=1), "broken")]
)
def test_a_clock_that_is_wrong_is_found_by_the_providers_date(
    folder: Path, off: timedelta, state: str
) -> None:
    with provider(off) as port:
        write_settings(folder, port)
        assert findings(network=True)["clock"].state == state


@pytest.mark.parametrize("date", ["yesterday", "Thu, 05 Oct 2023 12:00:00 -0000"])
def test_an_odd_date_does_not_stop_the_doctor(folder: Path, date: str) -> None:
    with provider(date=date) as port:
        write_settings(folder, port)
        assert findings(network=True)["provider adsb.lol"].state == "ok"


def test_the_command_ends_with_1_if_something_is_broken_and_0_if_not(folder: Path) -> None:
    well = run(folder, "doctor", "--offline")
    assert well.returncode == 0, well.stderr
    assert "WARNING channels" in well.stdout
    ill = run(folder, "doctor", "--json", SITEWATCH_PORT="x")
    assert ill.returncode == 1
    assert json.loads(ill.stdout)["ok"] is False


@pytest.mark.parametrize(
    ("free", "state"), [(2 * 1024**3, "ok"), (500 * 1024**2, "warning"), (1024**2, "broken")]
)
def test_a_disk_that_fills_up_is_told_before_it_is_full(free: int, state: str) -> None:
    assert disk_finding(Path("/srv"), free).state == state


OWN = """
[providers.receiver]
enabled = true
base_url = "http://127.0.0.1:{port}/data/aircraft.json"
options = {{ lat = "{lat}", lon = "{lon}", range_nm = "120" }}
"""


def own_receiver(folder: Path, port: int, lat: float, lon: float) -> None:
    """Watch the cast by adsb.lol and by a receiver of one's own that is said to stand there."""
    write_settings(folder, port)
    with (folder / "sitewatch.toml").open("a") as settings:
        settings.write(OWN.format(port=port, lat=lat, lon=lon))


@pytest.mark.parametrize(
    ("place", "state", "said"),
    [
        ((-51.9, -70.6), "broken", "none of the 40 aircraft that it heard lies there"),
        ((48.7, 2.4), "warning", "No site lies within the range"),
    ],
    ids=["elsewhere", "no site in range"],
)
def test_a_receiver_is_held_against_its_settings(
    folder: Path, place: tuple[float, float], state: str, said: str
) -> None:
    heard = [aircraft(f"4ca1{each:02x}", 48.7, 2.4) for each in range(40)]
    with answering(lambda: v2_body(*heard, now=datetime.now(UTC))) as port:
        own_receiver(folder, port, *place)
        found = findings(network=True)["provider receiver"]
        assert (found.state, said in found.found) == (state, True), found


def test_what_the_last_polls_were_worth_is_said_without_the_network(folder: Path) -> None:
    engine = open_engine(database(folder))
    migrate(engine)
    with writing(engine) as connection:
        note_failure(connection, "adsb.lol", NOW, error="It stands elsewhere.", counts=True)
    engine.dispose()
    found = findings()["polls of adsb.lol"]
    assert (found.state, found.found) == ("warning", "It stands elsewhere.")
    assert "sitewatch poll adsb.lol" in found.mend
