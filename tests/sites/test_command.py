"""`sitewatch sites` as a person or a script uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.commands.sites import sites_app
from monitor.errors import InputError
from monitor.sites.load import load_sites
from tests.kit.cast import CAST_GEOJSON, write_cast

BROKEN = Path(__file__).parent / "broken"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command against the cast's sites file, named by the settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEWATCH_SITES_FILE", str(write_cast(tmp_path)))

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(sites_app, list(words))

    return invoke


@pytest.fixture
def sites_file(tmp_path: Path) -> Path:
    return tmp_path / "sites.geojson"


def document(result: Result) -> Any:
    """The one JSON document on stdout."""
    assert result.stderr == ""
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    """What an unusable request says; the program's main gives it exit code 2."""
    assert isinstance(result.exception, InputError), result.exception
    assert result.stdout == ""
    return str(result.exception)


def test_the_list_names_every_site(run: Run) -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["site", "name"]
    assert [line.split()[0] for line in lines[1:5]] == [
        "quiet-field",
        "busy-port",
        "dateline-strip",
        "donut-base",
    ]
    assert lines[-1].startswith("Data: ")


def test_the_list_as_json(run: Run) -> None:
    items = document(run("list", "--json"))["items"]
    assert [item["id"] for item in items] == ["quiet-field", "busy-port", "dateline-strip", "donut-base"]
    assert items[1] == {
        "id": "busy-port",
        "name": "Busy Port",
        "kind": "port",
        "timezone": "Europe/Oslo",
        "codes": {"unlocode": "XXBSY"},
        "areas": [
            {"id": "pier-1", "name": "Pier 1", "kind": "pier", "located": True},
            {"id": "pier-2", "name": "Pier 2", "kind": "pier", "located": False},
        ],
        "watchlist": [],
        "watchlist_reasons": {},
        "links": [],
        "precision": "approximate",
        "area_km2": pytest.approx(20.78, abs=0.01),
    }


def test_an_empty_list_says_how_to_add_a_site(run: Run, sites_file: Path) -> None:
    sites_file.write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    assert "sitewatch sites add" in run("list").stdout
    assert document(run("list", "--json")) == {"items": [], "attribution": []}


def test_a_site_is_shown_with_what_is_watched_there(run: Run) -> None:
    result = run("show", "donut-base")
    assert result.exit_code == 0
    for words in (
        "donut-base  Donut Base",
        "kind: airbase",
        "codes: icao XDNT",
        "elevation: 550 ft",
        "watch list: type:Tu-160, class:kinzhal_carrier",
        "belongs with: quiet-field",
        "notes: The town in the middle is not part of the base.",
        "middle: 65.5000, -150.0000, within 1.9 NM",
    ):
        assert words in result.stdout
    assert "arrivals" in result.stdout
    assert "Pier 2 (pier-2, not yet located)" in run("show", "busy-port").stdout


def test_a_site_is_shown_under_the_settings_in_force(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sitewatch.toml").write_text(
        '[watch.airbase.arrivals]\nsubjects = ["class:vip_military"]\nrules = { tail = { alpha = 0.01 } }\n',
        encoding="utf-8",
    )
    shown = document(run("show", "donut-base", "--json"))
    assert shown["watch"]["arrivals"]["subjects"] == ["class:vip_military"]
    assert shown["watch"]["arrivals"]["rules"]["tail"] == {"alpha": 0.01}
    assert shown["feature"] == CAST_GEOJSON["features"][3]
    assert shown["circle"]["radius_nm"] == pytest.approx(1.926, abs=0.01)
    assert "tail (alpha 0.01)" in run("show", "donut-base").stdout


def test_an_unknown_site_is_refused_with_a_guess(run: Run) -> None:
    assert 'Did you mean "donut-base"?' in refusal(run("show", "donutbase"))


def test_a_sound_file_passes_the_check(run: Run, sites_file: Path) -> None:
    assert run("check").stdout == f"{sites_file}: 4 sites, no faults.\n"
    assert document(run("check", "--json")) == {
        "file": str(sites_file),
        "ok": True,
        "sites": 4,
        "faults": [],
        "notes": [],
    }


def test_every_fault_of_a_broken_file_is_told(run: Run) -> None:
    path = str(BROKEN / "properties-missing.geojson")
    text = refusal(run("check", "--file", path))
    assert text.startswith(f"{path} has 4 faults:")
    assert text.count("\n") == 4

    result = run("check", "--file", path, "--json")
    assert result.exit_code == 2
    told = document(result)
    assert (told["ok"], told["sites"]) == (False, None)
    assert [fault["feature"] for fault in told["faults"]] == ["quiet-field"] * 4
    assert told["faults"][0].keys() == {"feature", "path", "problem", "mend"}


def test_a_parameter_that_its_rule_does_not_have_is_a_fault(run: Run, sites_file: Path) -> None:
    told = json.loads(sites_file.read_text(encoding="utf-8"))
    told["features"][1]["properties"]["watch"] = {"ship_calls": {"rules": {"record": {"min_look": 5}}}}
    sites_file.write_text(json.dumps(told), encoding="utf-8")
    assert 'rules.record.min_look: the rule has no such parameter. Did you mean "min_looks"?' in refusal(
        run("check")
    )


def test_an_airport_is_added_by_its_code(run: Run, sites_file: Path) -> None:
    result = run("add", "--airport", "ZKPY", "--id", "kp-sunan")
    assert result.stdout == f"Added kp-sunan to {sites_file}, which now has 5 sites.\n"
    assert load_sites(sites_file).by_id["kp-sunan"].codes["iata"] == "FNJ"


def test_a_round_site_is_added_south_and_west(run: Run, sites_file: Path) -> None:
    result = run(
        *("add", "--lat", "-51.7", "--lon", "-70.3", "--radius", "900", "--id", "west-pier"),
        *("--name", "West Pier", "--kind", "port", "--json"),
    )
    assert document(result) == {"file": str(sites_file), "added": ["west-pier"], "sites": 5, "notes": []}
    assert load_sites(sites_file).by_id["west-pier"].timezone.key == "America/Argentina/Rio_Gallegos"


def test_sites_are_added_from_a_file_to_another_file(run: Run, tmp_path: Path, sites_file: Path) -> None:
    new = tmp_path / "new.geojson"
    result = run("add", str(sites_file), "--file", str(new))
    assert result.stdout.startswith("Added quiet-field, busy-port, dateline-strip, donut-base to")
    assert load_sites(new).sites == load_sites(sites_file).sites


def test_a_site_is_replaced_only_when_that_is_said(run: Run) -> None:
    words = ("add", "--airport", "ZKPY", "--id", "donut-base")
    assert "--replace" in refusal(run(*words))
    assert run(*words, "--replace").exit_code == 0


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ((), "Say one thing to add"),
        (("x.geojson", "--airport", "ZKPY"), "Say one thing to add"),
        (("--airport", "ZKPY", "--lat", "1"), "Say one thing to add"),
        (("x.geojson", "--radius", "5"), "does not exist"),
        (("--lat", "1"), "needs --name, --kind, --lon, --radius"),
        (("--lon", "1", "--lat", "1", "--id", "a", "--name", "A", "--kind", "port"), "needs --radius"),
        (("nowhere.geojson",), "does not exist"),
        (("lfpg",), "If the airport Charles de Gaulle International Airport is meant, write --airport LFPG"),
        (("--airport", "QQQQ"), "no airport"),
        (("--airport", "ZKPY", "--kind", "airprt"), 'Did you mean "airport"?'),
    ],
)
def test_an_addition_that_makes_no_sense_is_refused(
    run: Run, sites_file: Path, words: tuple[str, ...], answer: str
) -> None:
    before = sites_file.read_bytes()
    assert answer in refusal(run("add", *words))
    assert sites_file.read_bytes() == before


def test_a_site_is_removed(run: Run, sites_file: Path) -> None:
    assert (
        run("remove", "busy-port").stdout == f"Removed busy-port from {sites_file}, which now has 3 sites.\n"
    )
    assert document(run("remove", "dateline-strip", "--json")) == {
        "file": str(sites_file),
        "removed": ["dateline-strip"],
        "sites": 2,
    }
    assert "--unlink" in refusal(run("remove", "donut-base"))
    assert run("remove", "donut-base", "--unlink").stdout.endswith("now has 1 site.\n")
    assert [site.links for site in load_sites(sites_file)] == [()]


def test_a_wrong_option_is_wrong_usage(run: Run) -> None:
    assert run("list", "--jsn").exit_code == 2
