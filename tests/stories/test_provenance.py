"""What a scenario reconstructed or invented says so in every way out, and comes into no watch."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.delivery.compose import compose_within
from db.alerts import alerts
from db.deliveries import deliveries
from db.engine import reading
from monitor.app import App
from monitor.cli import app as command_line
from monitor.replay.run import run_scenario
from monitor.replay.scenario import ScenarioError, load_scenario
from monitor.web.app import create_app
from tests.kit.web_rig import Browser

pytestmark = [pytest.mark.long, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[2]
TRACK = ROOT / "scenarios" / "turnaround-il62m"
NOW = datetime(2024, 12, 1, tzinfo=UTC)
REAL = ("airplanes.live", "adsb.lol", "adsb.fi", "OpenSky", "Earth Search")
COUNTED = """site_id,start,end,metric,value,comparator,published,publisher
kp-tumangang,2019-11-01,2024-11-01,railcars,20,max,2024-11-02,Real Desk
"""
MADE_UP = """site_id,start,metric,value,published,publisher
kp-tumangang,2024-11-29,railcars,300,2024-11-30,Other Desk
"""
PARTS = """
[[observations]]
file = "counted.csv"
provenance = "recorded"
origin = "Counts that a test takes for recorded."

[[observations]]
file = "invented.csv"
provenance = "invented"
origin = "Counts that a test invents."
"""
INVENTED = "This rests on data that were invented for a scenario, and is no record."
RECONSTRUCTED = "This rests on data that were reconstructed for a scenario, and is no record."
BANNER = (
    "This is the replay of a scenario, “An Il-62M at Sunan for about an hour, November 2024”, and no watch."
)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A reconstructed track, a recorded maximum and an invented count above it, replayed into a file; and what was said."""
    folder = tmp_path_factory.mktemp("made")
    scenario = folder / "scenario"
    shutil.copytree(TRACK, scenario)
    (scenario / "counted.csv").write_text(COUNTED)
    (scenario / "invented.csv").write_text(MADE_UP)
    text = (
        (scenario / "scenario.toml").read_text().replace("../../sites.geojson", str(ROOT / "sites.geojson"))
    )
    text = text.replace("end = 2024-11-28T06:00:00Z", "end = 2024-11-30T06:00:00Z")
    (scenario / "scenario.toml").write_text(text + PARTS)
    (scenario / "expected.json").unlink()
    result = CliRunner().invoke(
        command_line, ["replay", str(scenario), "--database", str(folder / "made.db")]
    )
    assert result.exit_code == 0, result.output
    return folder / "made.db", result.stdout


@pytest.fixture(scope="module")
def database(replayed: tuple[Path, str]) -> Path:
    """The file."""
    return replayed[0]


@pytest.fixture
def command(database: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, set to that database as any other is."""
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", f"sqlite:///{database}")
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(ROOT / "sites.geojson"))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(ROOT / "history" / "published.csv"))
    return CliRunner()


@pytest.fixture(scope="module")
def opened(database: Path) -> Iterator[App]:
    """The program on that database under the default configuration, which knows nothing of the scenario's providers."""
    from monitor.bootstrap import build_app
    from monitor.config.settings import Settings

    settings = Settings.model_validate(
        {
            "database_url": f"sqlite:///{database}",
            "sites_file": ROOT / "sites.geojson",
            "history_file": ROOT / "history" / "published.csv",
        }
    )
    with closing(build_app(settings)) as app:
        yield app


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/alerts",
        "/feeds",
        "/sites/kp-sunan",
        "/sites/kp-tumangang?metric=railcars",
        "/add-site",
        "/alerts/{kp-sunan}",
        "/alerts/{kp-tumangang}",
        "/nothing-here",
    ],
)
def test_every_page_says_that_it_is_no_watch(opened: App, path: str) -> None:
    with reading(opened.engine) as connection:
        ids = {f"{{{each.site_id}}}": each.id for each in alerts(connection)}
    for name, value in ids.items():
        path = path.replace(name, value)
    page = Browser(create_app(opened, lambda: NOW)).get(path).text
    assert BANNER in page
    assert not any(f"from {name}" in page for name in REAL)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("observations?site=kp-sunan", "reconstructed-flights"),
        ("observations?site=kp-sunan&format=csv", "reconstructed for a scenario"),
        ("observations?site=kp-sunan&format=geojson", "reconstructed-flights"),
        ("observations?site=kp-tumangang", "Other Desk (invented)"),
        ("observations?site=kp-tumangang&format=csv", "Other Desk (invented)"),
        ("observations?site=kp-tumangang&format=geojson", "Other Desk (invented)"),
        ("visits?site=kp-sunan", "reconstructed-flights"),
        ("visits?site=kp-sunan&format=csv", "reconstructed-flights"),
        ("visits?site=kp-sunan&format=geojson", "reconstructed-flights"),
        ("alerts", "Invented: 300 railcars"),
        ("alerts", "Reconstructed: "),
        ("alerts?format=csv", "Invented: 300 railcars"),
        ("alerts?format=geojson", "Reconstructed: "),
    ],
)
def test_every_format_of_the_api_names_what_was_made(opened: App, path: str, words: str) -> None:
    answer = Browser(create_app(opened, lambda: NOW)).get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    assert words in answer.text
    assert not any(name in answer.text for name in REAL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["history", "kp-sunan", "arrivals", "--format", "table"], "reconstructed-flights"),
        (["history", "kp-sunan", "arrivals", "--format", "csv"], "reconstructed-flights"),
        (["history", "kp-sunan", "arrivals", "--format", "json"], "reconstructed-flights"),
        (["history", "kp-sunan", "arrivals", "--format", "geojson"], "reconstructed-flights"),
        (["history", "kp-tumangang", "railcars", "--format", "table"], "Other Desk (invented)"),
        (["history", "kp-tumangang", "railcars", "--format", "csv"], "Other Desk (invented)"),
        (["visits", "kp-sunan"], "(reconstructed-flights)"),
        (["visits", "kp-sunan", "--json"], "(reconstructed-flights)"),
        (["alerts", "list"], "Invented: 300 railcars"),
        (["alerts", "list", "--json"], "Invented: 300 railcars"),
        (["status"], "Tumangang"),
    ],
)
def test_every_command_that_reads_says_what_was_made(
    command: CliRunner, arguments: list[str], words: str
) -> None:
    result = command.invoke(command_line, arguments)
    assert result.exit_code == 0, result.output
    assert words in result.stdout
    assert BANNER in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--once"],
        ["poll"],
        ["observations", "import", str(ROOT / "history" / "published.csv")],
        ["backfill", "adsb.lol-archive", "--from", "2024-01-01", "--to", "2024-01-01"],
    ],
)
def test_nothing_that_is_watched_comes_to_stand_beside_it(command: CliRunner, arguments: list[str]) -> None:
    result = command.invoke(command_line, arguments)
    assert result.exit_code == 1, result.output
    assert "holds the replay of a scenario" in str(result.exception)


def test_no_replay_comes_into_a_database_that_watches(database: Path) -> None:
    with pytest.raises(ScenarioError, match="holds something already"):
        run_scenario(TRACK, f"sqlite:///{database}")


def test_messages_say_it_first_and_an_invented_count_settles_no_recorded_alert(opened: App) -> None:
    with reading(opened.engine) as connection:
        told = {each.id: each for each in alerts(connection)}
        messages = [compose_within(connection, each, None) for each in deliveries(connection)]
    assert {each.site_id for each in told.values()} == {"kp-sunan", "kp-tumangang"}
    assert messages
    for message in messages:
        made = RECONSTRUCTED if "Sunan" in message.headline else INVENTED
        assert message.paragraphs[0] == made
        assert message.headline.startswith(("Reconstructed: ", "Invented: "))
    by_radio = next(each for each in messages if "Sunan" in each.headline)
    assert "reconstructed for a scenario, not recorded: The track is" in dict(by_radio.facts)["Data"]


def test_the_replay_says_it_on_the_console(replayed: tuple[Path, str]) -> None:
    for said in (
        "This replays “An Il-62M at Sunan for about an hour, November 2024”.",
        "  counted.csv: recorded. Counts that a test takes for recorded.",
        "  invented.csv: invented. Counts that a test invents.",
        "  flights.ndjson: reconstructed. The track is reconstructed",
        "Invented: 300 railcars at Tumangang",
        "Reconstructed: Military VIP aircraft",
    ):
        assert said in replayed[1]


def write(folder: Path, more: str, **files: str) -> Path:
    text = 'title = "t"\nstart = 2023-01-01T00:00:00Z\nend = 2023-01-02T00:00:00Z\nsites = "sites.geojson"\n'
    (folder / "scenario.toml").write_text(text + more)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


LINE = '{"at": "2023-01-01T00:00:00Z", "provider": "%s", "purpose": "data", "status": 200, "body": ""}'
MADE = '[[recordings]]\nfile = "polls.ndjson"\nprovenance = "%s"\norigin = "Made for a test."\n'


@pytest.mark.parametrize(
    ("more", "provider", "words"),
    [
        ('observations = ["a.csv"]\n', "", "a file must say what it is: write .*provenance"),
        ('[[recordings]]\nfile = "polls.ndjson"\n', "adsb.lol", "recordings.0.provenance: Field required"),
        (MADE % "reconstructed", "adsb.lol", "must not bear a provider's name: call it reconstructed-NAME"),
        (MADE % "invented", "reconstructed-flights", "call it invented-NAME"),
        (MADE % "recorded", "invented-flights", "keeps the name of the provider that was asked"),
        (MADE % "invented" + '[providers."adsb.lol"]\n', "invented-a", "no answer of adsb.lol was recorded"),
        (
            MADE % "invented" + '[providers."invented-adsb.lol"]\nkind = "readsb"\n',
            "invented-adsb.lol",
            "of adsb.lol, who did not send this",
        ),
        (MADE % "invented" + "[providers.invented-a]\n", "invented-a", "must say its kind"),
        (
            MADE % "invented" + '[providers.invented-a]\nkind = "readsb"\nattribution = "airplanes.live"\n',
            "invented-a",
            "must not set attribution",
        ),
    ],
)
def test_a_scenario_that_does_not_say_what_it_made_is_refused(
    tmp_path: Path, more: str, provider: str, words: str
) -> None:
    with pytest.raises(ScenarioError, match=words):
        load_scenario(write(tmp_path, more, polls_ndjson=LINE % provider))
