"""`sitewatch alerts explain`, `export` and `verify`, as a person runs them."""

import json
from pathlib import Path

import pytest

from db.alerts import alerts
from db.engine import open_engine, reading
from db.migrate import migrate
from monitor.cli import main
from tests.kit.web_rig import rig, tell_story


@pytest.fixture
def alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with a filled database, where commands are run; gives an alert's id."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    opened = open_engine(url)
    migrate(opened)
    with rig(opened, tmp_path) as ready:
        tell_story(ready.app)
    with reading(opened) as connection:
        found = alerts(connection)[0].id
    opened.dispose()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(tmp_path / "sites.geojson"))
    monkeypatch.setenv("SITEWATCH_HISTORY_FILE", str(tmp_path / "none.csv"))
    return found


def ran(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_an_export_says_how_to_check_it_and_the_check_says_that_all_is_well(
    alert: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert ran("alerts", "export", alert) == 0
    said = capsys.readouterr().out
    assert f"sitewatch alerts verify {alert}.zip" in said
    digest = said.split()[-1]
    assert ran("alerts", "verify", f"{alert}.zip") == 0
    checked = capsys.readouterr().out
    assert digest in checked
    assert "verdicts in the same words" in checked
    assert ran("alerts", "export", alert) == 2
    assert "is there already" in capsys.readouterr().err
    assert ran("alerts", "export", alert, "--to", "nowhere/x.zip") == 2


def test_a_folder_and_json_say_the_same(alert: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("alerts", "export", alert, "--folder", "--to", "kept", "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert ran("alerts", "verify", "kept", "--json") == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["digest"], checked["faults"]) == (written["digest"], [])


def test_a_bundle_that_was_changed_ends_with_1_and_says_where(
    alert: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("alerts", "export", alert, "--folder", "--to", "kept") == 0
    (Path("kept") / "message.txt").write_text("Nothing happened.", encoding="utf-8")
    capsys.readouterr()
    assert ran("alerts", "verify", "kept") == 1
    told = capsys.readouterr()
    assert "message.txt was changed" in told.out
    assert "is not as it was exported" in told.err
    (Path("kept") / "alert.json").unlink()
    assert ran("alerts", "verify", "kept") == 1
    assert "It is no whole bundle" in capsys.readouterr().out
    Path("text.zip").write_text("no zip", encoding="utf-8")
    assert ran("alerts", "verify", "text.zip") == 1
    assert ran("alerts", "verify", "missing.zip") == 2


def test_explaining_names_each_channel_and_why(alert: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("alerts", "explain", alert) == 0
    said = capsys.readouterr().out
    assert "Not sent. Known since 2023-08-01, too long ago to be sent as news." in said
    assert ran("alerts", "explain", alert, "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {each["channel"] for each in items} == {"log"}
