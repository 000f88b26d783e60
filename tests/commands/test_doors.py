"""The doors as a newcomer uses them: a yard from Google Earth, a colleague's workbook, a token for a program."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from openpyxl import Workbook
from shapely import box

from tests.kit.in_process import Answer, in_process
from tests.kit.program import closed_port, write_settings

Sitewatch = Callable[..., Answer]


@pytest.fixture
def sitewatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Sitewatch]:
    """Run one command in this process, in a folder with default settings."""
    for name in ("SITEWATCH_CONFIG", "SITEWATCH_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with closed_port() as port, in_process(capsys) as command:
        write_settings(tmp_path, port)
        yield command


MAPPING = """
[site]
column = "Yard"
[time]
column = "Date"
[[count]]
column = "Wagons"
metric = "railcars"
[constants]
publisher = "A colleague"
"""


def test_a_newcomer_adds_a_yard_and_imports_a_colleagues_table(sitewatch: Sitewatch, tmp_path: Path) -> None:
    yard = box(130.64, 42.41, 130.66, 42.42)
    gpd.GeoDataFrame({"name": ["Tumangang yard"]}, geometry=[yard], crs=4326).to_file(
        "yard.kml", driver="LIBKML"
    )
    added = sitewatch("sites", "add", "yard.kml", "--kind", "railhead")
    assert (added.code, added.err) == (0, "")
    assert added.out.startswith("Added tumangang-yard to ")
    book = Workbook()
    assert book.active is not None
    for row in (
        ["Yard", "Date", "Wagons"],
        ["Tumangang Yard", date(2023, 10, 5), 73],
        ["Tumangang Yard", date(2023, 10, 6), None],
    ):
        book.active.append(row)
    book.save("wagons.xlsx")
    Path("mapping.toml").write_text(MAPPING, encoding="utf-8")
    words = ("observations", "import", "wagons.xlsx", "--map", "mapping.toml")
    tried = sitewatch(*words, "--dry-run")
    assert tried.code == 0, tried.err
    assert "tumangang-yard" in tried.out
    assert "73" in tried.out
    assert "A dry run: 1 row of wagons.xlsx would be stored; nothing was." in tried.out
    assert not Path("var/sitewatch.db").exists()
    done = sitewatch(*words)
    assert "1 new look" in done.out
    assert "Left out: 1 count, where the cell is empty" in done.out
    items = sitewatch("history", "tumangang-yard", "railcars", "--format", "json").json["looks"]
    assert [(each["value"], each["publisher"]) for each in items] == [(73, "A colleague")]
    planned = sitewatch(*words, "--dry-run", "--json").json
    assert planned["first"][0]["value"] == "73"
    assert planned["series"][0]["highest"] == 73


def test_a_first_mapping_is_printed(sitewatch: Sitewatch, tmp_path: Path) -> None:
    Path("a.csv").write_text("Day,Railcars\n2023-10-05,7\n", encoding="utf-8")
    answer = sitewatch("observations", "map", "a.csv")
    assert answer.code == 0
    assert 'metric = "railcars"' in answer.out
    Path("a.csv").write_bytes(b"\x89PNG\xff")
    assert sitewatch("observations", "map", "a.csv").code == 2


def test_faults_of_a_table_end_a_dry_run_with_2(sitewatch: Sitewatch, tmp_path: Path) -> None:
    Path("a.csv").write_text("Yard,Date,Wagons\nNowhere,05/10/2023,7\n", encoding="utf-8")
    Path("mapping.toml").write_text(MAPPING, encoding="utf-8")
    answer = sitewatch("observations", "import", "a.csv", "--map", "mapping.toml", "--dry-run")
    assert answer.code == 2
    assert '"Nowhere" is not a watched site' in answer.err
    assert sitewatch("observations", "check", "a.csv", "--map", "mapping.toml").code == 1
    Path("mapping.toml").write_text("[tim]", encoding="utf-8")
    assert 'Did you mean "time"?' in sitewatch("observations", "import", "a.csv", "--map", "mapping.toml").err


def test_a_place_in_the_south_is_no_option(sitewatch: Sitewatch) -> None:
    words = ("--radius", "900", "--name", "South Quay", "--kind", "port")
    for place in ("-51.9, -70.6", "-51.91,-70.61", "-51°54' -70°36'"):
        answer = sitewatch("sites", "add", place, *words, "--replace", "--json")
        assert answer.json["added"] == ["south-quay"]
    assert "swapped" in sitewatch("sites", "add", "13.4, 52.5", *words).err
    assert sitewatch("sites", "add", "13.4, 52.5", *words, "--as-written", "--id", "at-sea").code == 0


def test_tokens_are_made_listed_and_revoked(sitewatch: Sitewatch) -> None:
    assert "There is no sitewatch database yet" in sitewatch("tokens", "list").err
    made = sitewatch("tokens", "add", "yard-detector", "--scope", "write", "--for", "30d")
    assert made.code == 0
    token = made.out.strip()
    assert token.startswith("sw_")
    assert "may read, bring in counts, acknowledge and silence until" in made.err
    assert "in force. Revoke it first" in sitewatch("tokens", "add", "yard-detector").err
    listed: list[dict[str, Any]] = sitewatch("tokens", "list", "--json").json["items"]
    assert [(each["name"], each["scope"], each["in_force"], each["last_used_at"]) for each in listed] == [
        ("yard-detector", "write", True, None)
    ]
    assert token.split("_")[1] == listed[0]["prefix"]
    shown = sitewatch("tokens", "list").out
    assert token[:11] in shown
    assert token not in shown + json.dumps(listed)
    assert sitewatch("tokens", "revoke", "yard-detector").code == 0
    assert "No token in force is called" in sitewatch("tokens", "revoke", "yard-detector").err
    assert "revoked" in sitewatch("tokens", "list").out
    second = sitewatch("tokens", "add", "yard-detector", "--json").json
    assert second["scope"] == "read"
    assert sitewatch("tokens", "revoke", second["token"][3:11], "--json").json == {"revoked": 1}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("x", "--scope", "all"), "is not a scope"),
        (("",), "Give it a name"),
        (("x" * 81,), "Give it a name"),
        (("x", "--for", "ever"), "is not a length of time"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    sitewatch: Sitewatch, words: tuple[str, ...], answer: str
) -> None:
    refused = sitewatch("tokens", "add", *words)
    assert refused.code == 2
    assert answer in refused.err
