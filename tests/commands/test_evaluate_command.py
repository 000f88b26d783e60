"""`sitewatch evaluate` on tracks in files: archives of traces and recorded answers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.backfill.recorded_tracks import read_tracks
from monitor.cli import app
from monitor.errors import InputError
from tests.kit.cast import CAST_GEOJSON, QUIET_FIELD
from tests.kit.flying import NOON, Pilot


def trace(pilot: Pilot) -> str:
    rows = [
        [
            (fix.at - NOON).total_seconds(),
            fix.lat,
            fix.lon,
            "ground" if fix.on_ground else fix.altitude_ft,
            fix.ground_speed_kt,
            None,
            0,
            fix.vertical_rate_fpm,
            None,
            "adsb_icao",
        ]
        for fix in pilot.fixes
    ]
    return json.dumps({"icao": pilot.icao24, "timestamp": NOON.timestamp(), "trace": rows})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "traces" / "01").mkdir(parents=True)
    landed = Pilot(QUIET_FIELD, icao24="150001").approach(from_nm=40, kt=170).roll_out().park(9000)
    passed = Pilot(QUIET_FIELD, icao24="150002", east_nm=60, height_ft=33_000).fly(1200, kt=430)
    for pilot in (landed, passed):
        (tmp_path / "traces" / "01" / f"trace_full_{pilot.icao24}.json").write_text(trace(pilot))
    (tmp_path / "sites.geojson").write_text(json.dumps(CAST_GEOJSON))
    return tmp_path


def test_few_flights_are_not_measured_and_the_figures_are_there(folder: Path) -> None:
    arguments = ["evaluate", str(folder), "--sites", str(folder / "sites.geojson"), "--mask-km", "25"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    assert "not measured" in told.stdout
    assert f"Data: the tracks in {folder}, under the terms that they came with" in told.stdout
    found = json.loads(CliRunner().invoke(app, [*arguments, "--below-ft", "3000", "--json"]).stdout)
    assert set(found["cells"]) == {"25 km around", "below 3000 ft"}
    cell = found["cells"]["25 km around"]
    assert (cell["flights"], cell["measured"]) == (2, False)
    assert (cell["arrivals"]["hits"], cell["arrivals"]["of"], cell["false_visits"]["hits"]) == (1, 1, 0)


def test_without_a_mask_it_says_what_to_give(folder: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(folder)])
    assert isinstance(result.exception, InputError)
    assert "--mask-km" in str(result.exception)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nothing.ndjson", "", "holds no tracks"),
        ("bad.ndjson", "{}\n", "line 1"),
        ("trace_full_150001.json", "[]", "cannot be used"),
        (None, "", "no file or folder"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, name: str | None, content: str, words: str) -> None:
    path = tmp_path / (name or "missing")
    if name:
        path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_tracks(path)


def test_recorded_answers_are_read_in_seconds_and_in_milliseconds(tmp_path: Path) -> None:
    plane = {"hex": "150001", "lat": 1.0, "lon": 2.0, "alt_baro": 100, "seen_pos": 1}
    lines = [
        {"now": NOON.timestamp() * 1000, "ac": [plane]},
        {"now": NOON.timestamp() + 60, "aircraft": [plane]},
    ]
    path = tmp_path / "answers.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    track = read_tracks(path)["150001"]
    assert [(fix.at - NOON).total_seconds() for fix in track] == [-1, 59]


def test_a_csv_table_is_read_row_by_row_and_its_faults_are_named(tmp_path: Path) -> None:
    table = tmp_path / "tracks.csv"
    head = "time,address,latitude,longitude,altitude,speed,track,on ground\n"
    table.write_text(
        head
        + "2023-08-01T12:00:00Z,15521F,39.2,125.6,1200,140,350,false\n1690891260,15521f,39.21,125.61,,,,true\n"
        + "1690891320,15521f,39.22,125.62,,,,\n"
    )
    (track,) = read_tracks(table).values()
    assert [fix.at.minute for fix in track] == [0, 1, 2]
    assert [fix.on_ground for fix in track] == [False, True, None]
    assert (track[0].altitude_ft, track[0].ground_speed_kt, track[1].altitude_ft) == (1200.0, 140.0, None)
    table.write_text(head + "noon,15521f,39.2,125.6,,,,\n")
    with pytest.raises(InputError, match="line 2"):
        read_tracks(table)
    table.write_text("time,address\n")
    with pytest.raises(InputError, match="latitude, longitude"):
        read_tracks(table)
