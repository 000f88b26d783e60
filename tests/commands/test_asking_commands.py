"""`sitewatch visits`, `history` and `alerts list` across sites, as a person runs them."""

import csv
import io
import json
from pathlib import Path

import pytest

from db.engine import open_engine, writing
from db.flights import record_visits
from db.migrate import migrate
from monitor.cli import main
from tests.kit.web_rig import rig, tell_story
from tests.web.test_asking import PRIVATE, stay


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a filled database, where commands are run."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    opened = open_engine(url)
    migrate(opened)
    with rig(opened, tmp_path) as ready:
        tell_story(ready.app)
        with writing(opened) as connection:
            record_visits(connection, [*(stay(number) for number in range(3)), stay(9, **PRIVATE)])
    opened.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(tmp_path / "sites.geojson"))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    return tmp_path


Said = pytest.CaptureFixture[str]


def ran(said: Said, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    told = said.readouterr()
    assert not ended.value.code, told.err
    return told.out


def refused(said: Said, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    return " ".join(said.readouterr().err.split())


@pytest.mark.usefixtures("folder")
def test_visits_of_a_type_anywhere_as_text_and_as_files(capsys: Said) -> None:
    text = ran(capsys, "visits", "--type", "Il-62M")
    assert "All sites: 4 observed visits." in text
    assert "Quiet Field: RA-86559" in text
    assert "Donut Base: RA-86559" in text
    table = list(csv.DictReader(io.StringIO(ran(capsys, "visits", "--type", "IL62", "--format", "csv"))))
    assert [each["site_id"] for each in table] == ["quiet-field", *["donut-base"] * 3]
    features = json.loads(ran(capsys, "visits", "--class", "vip_military", "--format", "geojson"))["features"]
    assert len(features) == 4
    newest = json.loads(ran(capsys, "visits", "--type", "IL62", "--limit", "1", "--json"))
    assert [each["visit_id"] for each in newest["visits"]] == ["donut-base:002"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "name", [("--address", "3c6dd2"), ("--registration", "D-CABC"), ("--callsign", "DCABC")]
)
def test_nobody_is_followed_by_name_unless_watched(capsys: Said, name: tuple[str, str]) -> None:
    assert "is not found by its name" in ran(capsys, "visits", *name)
    assert json.loads(ran(capsys, "visits", "--registration", "RA-86559", "--json"))["visits"]


@pytest.mark.usefixtures("folder")
def test_counts_of_all_sites_and_by_month(capsys: Said) -> None:
    text = ran(capsys, "history", "--metric", "containers")
    assert "Busy Port (busy-port)" in text
    whole = json.loads(ran(capsys, "history", "--json"))
    assert [each["site"] for each in whole["sites"]] == ["quiet-field", "busy-port", "donut-base"]
    table = list(
        csv.DictReader(
            io.StringIO(ran(capsys, "history", "--by", "month", "--metric", "containers", "--format", "csv"))
        )
    )
    assert [(each["period"], each["value"]) for each in table][:2] == [("2022-11", "8"), ("2022-12", "")]
    text = ran(capsys, "history", "busy-port", "containers", "--by", "year")
    assert "A dash is no count: nobody watched then. It is not zero." in text
    assert "2 of 2 days" not in text


@pytest.mark.usefixtures("folder")
def test_alerts_of_a_time_and_a_metric(capsys: Said) -> None:
    def listed(*words: str) -> list[str]:
        return [
            each["site_id"] for each in json.loads(ran(capsys, "alerts", "list", *words, "--json"))["items"]
        ]

    assert listed() == ["donut-base", "busy-port", "quiet-field"]
    assert listed("--metric", "containers", "--since", "2023-10") == ["busy-port"]
    assert listed("--until", "2023-09") == ["quiet-field"]
    assert listed("--site", "donut-base", "--subject", "type:Tu-160") == ["donut-base"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("visits", "--type", "Zeppelin NT"), "--type:"),
        (("visits", "--since", "2023-10", "--until", "2023-09"), "--since and --until contradict each other"),
        (
            ("history", "--class", "vip", "--operator", "KOR"),
            "--operator and --class: a count has one subject",
        ),
        (("history", "containers"), "containers is a metric, and the site stands first"),
        (("history", "busy-port", "containers", "--metric", "arrivals"), "cannot both be meant"),
        (("alerts", "list", "--metric", "container"), 'Did you mean "containers"?'),
        (("alerts", "list", "--since", "banana"), '--since: "banana" is not understood'),
        (("visits", "--status", "gone"), "--status:"),
        (("visits", "--json", "--format", "csv"), "cannot both be meant"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(
    capsys: Said, words: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, *words)
