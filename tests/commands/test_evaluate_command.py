"""`sitewatch evaluate` on tracks in files: traces, polls and tables; what is told of them, and of another version."""

import csv
import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from db.records import Fix
from monitor.backfill.recorded_tracks import Reading, read_tracks
from monitor.cli import app
from monitor.errors import InputError, WorkFailed
from tests.kit.cast import CAST_GEOJSON, QUIET_FIELD
from tests.kit.flying import NOON, Pilot

ROOT = Path(__file__).resolve().parents[2]


def landed() -> Pilot:
    return Pilot(QUIET_FIELD, icao24="150001").approach(from_nm=40, kt=170).roll_out().park(3000)


def passed() -> Pilot:
    return Pilot(QUIET_FIELD, icao24="150002", east_nm=60, height_ft=33_000).fly(1200, kt=430)


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


def polls(fixes: list[Fix]) -> list[str]:
    """As a script that saves aircraft.json has them: one answer for each time."""
    return [
        json.dumps(
            {
                "now": fix.at.timestamp(),
                "aircraft": [
                    {
                        "hex": fix.icao24,
                        "lat": fix.lat,
                        "lon": fix.lon,
                        "seen_pos": 0,
                        "alt_baro": "ground" if fix.on_ground else fix.altitude_ft,
                        "gs": fix.ground_speed_kt,
                        "track": fix.track_deg,
                    }
                ],
            }
        )
        for fix in fixes
    ]


def table(rows: list[list[Any]], titles: str) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([titles.split(","), *rows])
    return text.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "traces" / "01").mkdir(parents=True)
    for pilot in (landed(), passed()):
        (tmp_path / "traces" / "01" / f"trace_full_{pilot.icao24}.json").write_text(trace(pilot))
    (tmp_path / "sites.geojson").write_text(json.dumps(CAST_GEOJSON))
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        "evaluate",
        str(folder / "traces"),
        "--sites",
        str(folder / "sites.geojson"),
        "--mask-km",
        "25",
        *more,
    ]


def test_figures_scores_and_the_reliability_diagram_are_told_with_their_numbers(folder: Path) -> None:
    picture = folder / "reliability.png"
    told = CliRunner().invoke(app, arguments(folder, "--plot", str(picture)))
    assert told.exit_code == 0, told.output
    assert "1/1 = 1.000 (0.21–1.00)" in told.stdout
    assert "log score (bits)" in told.stdout
    assert "better than nearest field ahead by (bits)" in told.stdout
    assert "told │, true ●" in told.stdout
    assert f"Data: the tracks in {folder / 'traces'}, under the terms that they came with" in told.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = json.loads(CliRunner().invoke(app, arguments(folder, "--below-ft", "3000", "--json")).stdout)
    assert set(found["cells"]) == {"25 km around", "below 3000 ft"}
    cell = found["cells"]["25 km around"]
    assert (cell["arrivals"]["hits"], cell["arrivals"]["of"], cell["false_visits"]["hits"]) == (1, 1, 0)
    scores = {each["said"]: each for each in found["scores"]}
    assert scores["landed"]["statements"] == 2
    assert scores["landed"]["reliability"][-1]["hits"] == 2
    assert {"nearest field ahead", "base rate", "nearest-neighbour vote"} == set(
        scores["landed"]["better_than_bits"]
    )


def test_two_runs_are_compared_flight_by_flight(folder: Path) -> None:
    mine = CliRunner().invoke(app, arguments(folder, "--json")).stdout
    document = json.loads(mine)
    # The other version missed the arrival, and was less sure of it.
    for event in document["events"]:
        event["matched"] = False
    document["events"] = [event for event in document["events"] if event["side"] == "true"]
    for loss in document["losses"]:
        loss["odds"] = dict.fromkeys(loss["odds"], 0.1)
    document["sitewatch"] = "before"
    (folder / "before.json").write_text(json.dumps(document))
    (folder / "now.json").write_text(mine)
    for first in (arguments(folder), ["evaluate", str(folder / "now.json")]):
        told = CliRunner().invoke(app, [*first, "--against", str(folder / "before.json")])
        assert told.exit_code == 0, told.output
        assert "both 0, only this 1, only the other 0, neither 0; difference +1.000" in told.stdout
        assert "landed at all" in told.stdout
        assert "this is better" in told.stdout
    found = json.loads(
        CliRunner().invoke(app, arguments(folder, "--against", str(folder / "before.json"), "--json")).stdout
    )
    assert found["comparison"]["paired"] is True
    assert found["comparison"]["found"][0]["only_this"] == 1


def test_a_version_that_tells_totals_alone_is_compared_by_them(folder: Path) -> None:
    before = {"tracks": 2, "cells": {"25 km around": {"arrivals": {"hits": 0, "of": 1}, "measured": False}}}
    (folder / "before.json").write_text(json.dumps(before))
    told = CliRunner().invoke(app, arguments(folder, "--against", str(folder / "before.json")))
    assert told.exit_code == 0, told.output
    assert "tells totals alone" in told.stdout
    assert "arrivals, 25 km around: 1/1" in told.stdout


def test_the_source_of_another_version_is_run_on_the_same_tracks(folder: Path) -> None:
    source = folder / "other"
    (source / "monitor").mkdir(parents=True)
    (source / "monitor" / "__init__.py").write_text("")
    (source / "monitor" / "cli.py").write_text(
        "import json, sys\n"
        "def main():\n"
        "    assert sys.argv[1] == 'evaluate' and '--json' in sys.argv and '--mask-km' in sys.argv, sys.argv\n"
        "    print(json.dumps({'cells': {'25 km around': {'arrivals': {'hits': 1, 'of': 1}}}}))\n"
    )
    told = CliRunner().invoke(app, arguments(folder, "--against", str(source)))
    assert told.exit_code == 0, told.output
    assert "arrivals, 25 km around: 1/1 = 1.000 (0.21–1.00), other 1/1" in told.stdout
    (source / "monitor" / "cli.py").write_text("def main():\n    raise SystemExit('no such option')\n")
    failed = CliRunner().invoke(app, arguments(folder, "--against", str(source)))
    assert isinstance(failed.exception, WorkFailed)
    assert "no such option" in str(failed.exception)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--against", "{folder}"], "git worktree add"),
        (["--against", "{folder}/sites.geojson"], "lacks “cells”"),
        (["--airports"], "not both"),
    ],
)
def test_what_cannot_be_compared_or_asked_is_said(folder: Path, more: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments(folder, *(each.format(folder=folder) for each in more)))
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)


def test_without_a_mask_it_says_what_to_give(folder: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(folder)])
    assert isinstance(result.exception, InputError)
    assert "--mask-km" in str(result.exception)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nothing.ndjson", "", "neither traces nor polls nor a table"),
        ("bad.ndjson", '{"a": 1}\n', "no answer of the readsb family"),
        ("trace_full_150001.json", "[]", "has no column for time"),
        ("notes.txt", "Nothing here.", "neither traces nor polls nor a table"),
        ("broken.csv.gz", "\x1f\x8b no", "cannot be unpacked"),
        (None, "", "no file or folder"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, name: str | None, content: str, words: str) -> None:
    path = tmp_path / (name or "missing")
    if name:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=words):
        read_tracks(path)


def test_recorded_answers_are_read_in_seconds_and_in_milliseconds(tmp_path: Path) -> None:
    plane = {"hex": "150001", "lat": 1.0, "lon": 2.0, "alt_baro": 100, "seen_pos": 1}
    lines = [
        {"now": NOON.timestamp() * 1000, "ac": [plane]},
        {"now": NOON.timestamp() + 60, "aircraft": [plane]},
        {"now": NOON.timestamp() + 90, "aircraft": None},
    ]
    path = tmp_path / "answers.ndjson"
    path.write_text("\n".join([*map(json.dumps, lines), "{broken"]))
    read = read_tracks(path)
    assert [(fix.at - NOON).total_seconds() for fix in read.tracks["150001"]] == [-1, 59]
    told = " ".join(read.sentences())
    assert "answers.ndjson, line 3" in told
    assert "answers.ndjson, line 4" in told


def test_one_track_is_the_same_from_traces_polls_and_tables(tmp_path: Path) -> None:
    """A landing written in each form that other programs write, in a folder of its own, comes out as the same reports."""
    pilot = landed()
    fixes = [fix for fix in pilot.fixes if fix.altitude_ft is not None or fix.on_ground][::5]
    kept = replace_fixes(pilot, fixes)
    forms: dict[str, dict[str, bytes]] = {
        "traces": {"trace_full_150001.json": gzip.compress(trace(kept).encode())},
        "polls": {f"aircraft-{n}.json": line.encode() for n, line in enumerate(polls(fixes))},
        "lines": {"polls.ndjson.gz": gzip.compress("\n".join(polls(fixes)).encode())},
        "opensky": {"states.csv": opensky(fixes).encode()},
        "semicolons": {"export.txt": semicolons(fixes).encode("utf-8-sig")},
        "records": {"records.json": records(fixes).encode()},
    }
    expected = [(fix.icao24, round(fix.lat, 4), round(fix.lon, 4), fix.on_ground) for fix in fixes]
    for name, files in forms.items():
        (tmp_path / name).mkdir()
        for file, body in files.items():
            (tmp_path / name / file).write_bytes(body)
        (track,) = read_tracks(tmp_path / name).tracks.values()
        assert [
            (fix.icao24, round(fix.lat, 4), round(fix.lon, 4), fix.on_ground) for fix in track
        ] == expected, name
        for mine, given in zip(track, fixes, strict=True):
            assert abs(mine.at - given.at) < timedelta(milliseconds=2), name
            if not given.on_ground:
                assert mine.altitude_ft == pytest.approx(given.altitude_ft, abs=1), name
                assert mine.ground_speed_kt == pytest.approx(given.ground_speed_kt, abs=0.1), name


def replace_fixes(pilot: Pilot, fixes: list[Fix]) -> Any:
    class Kept:
        icao24 = pilot.icao24

    kept = Kept()
    kept.fixes = fixes  # type: ignore[attr-defined]
    return kept


def opensky(fixes: list[Fix]) -> str:
    rows = [
        [
            fix.at.timestamp(),
            fix.icao24,
            fix.lat,
            fix.lon,
            "" if fix.ground_speed_kt is None else fix.ground_speed_kt * 1852 / 3600,
            "",
            fix.on_ground,
            "" if fix.altitude_ft is None else fix.altitude_ft * 0.3048,
        ]
        for fix in fixes
    ]
    return table(rows, "time,icao24,lat,lon,velocity,heading,onground,baroaltitude")


def semicolons(fixes: list[Fix]) -> str:
    rows = [
        ";".join(
            [
                fix.at.isoformat(" "),
                fix.icao24.upper(),
                str(fix.lat),
                str(fix.lon),
                "ground" if fix.on_ground else str((fix.altitude_ft or 0) * 0.3048),
                "" if fix.ground_speed_kt is None else str(fix.ground_speed_kt * 1.852),
                "" if fix.on_ground is None else str(int(fix.on_ground)),
            ]
        )
        for fix in fixes
    ]
    return "\r\n".join(["Date time;Hex;Latitude;Longitude;Altitude (m);Speed (km/h);On ground", *rows])


def records(fixes: list[Fix]) -> str:
    rows = [
        {
            "timestamp": int(fix.at.timestamp() * 1000),
            "icao24": fix.icao24,
            "latitude": fix.lat,
            "longitude": fix.lon,
            "altitude": fix.altitude_ft,
            "groundspeed": fix.ground_speed_kt,
            "onground": fix.on_ground,
        }
        for fix in fixes
    ]
    return json.dumps(rows)


HEAD = "time,address,latitude,longitude,altitude,speed,track,on ground\n"


def test_bad_rows_are_left_out_and_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(
        HEAD
        + "2023-08-01T12:00:00Z,15521F,39.2,125.6,1200,140,350,false\n"
        + "noon,15521f,39.2,125.6,,,,\n"
        + "1690891260,15521f,39.21,125.61,,,,true\n"
        + "1690891261,15521f,97,125.61,,,,true\n"
        + "1690891262,nobody,39.2,125.61,,,,true\n"
        + "1690891263,000000,39.2,125.61,,,,true\n"
        + "1690891264,15521f,,,,,,\n"
        + "1690891265,15521f,39.2,125.61,400000,,,\n"
        + "1690891266,15521f,39.2,125.61,,,,perhaps\n"
        + "1690891320,15521f,39.22,125.62,,,,\n"
    )
    read = read_tracks(path)
    (track,) = read.tracks.values()
    assert [fix.at.minute for fix in track] == [0, 1, 2]
    assert [fix.on_ground for fix in track] == [False, True, None]
    assert (track[0].altitude_ft, track[0].ground_speed_kt, track[1].altitude_ft) == (1200.0, 140.0, None)
    told = list(read.sentences())
    assert "altitude from “altitude” in ft, speed from “speed” in kt" in told[1]
    for reason, line in {
        "its time is neither": 3,
        "its latitude lies beyond": 5,
        "its address is not six": 6,
        "its address is nobody's": 7,
        "it has no position": 8,
        "its altitude is none": 9,
        "is neither true nor false": 10,
    }.items():
        (sentence,) = [each for each in told if reason in each]
        assert f"line {line}" in sentence


def test_vehicles_and_masts_of_a_table_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    rows = [
        ("15521f", "A5", "IL62"),
        ("3950c7", "C1", ""),
        ("3950c8", "17", ""),
        ("3950c9", "", "GND"),
        ("3950ca", "3", ""),
    ]
    path.write_text(
        "time,address,latitude,longitude,category,typecode\n"
        + "".join(
            f"169089126{n},{who},39.2,125.6,{category},{kind}\n"
            for n, (who, category, kind) in enumerate(rows)
        )
    )
    read = read_tracks(path)
    assert sorted(read.tracks) == ["15521f", "3950ca"]
    (told,) = [each for each in read.sentences() if "no aircraft" in each]
    assert "3" in told


def test_what_a_table_lacks_is_named_with_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("time,address,place,name\n1690891260,15521f,x,y\n")
    with pytest.raises(
        InputError, match=r"latitude .*longitude .*Its columns are time, address, place, name"
    ):
        read_tracks(path)
    path.write_text(HEAD + "noon,15521f,39.2,125.6,,,,\n")
    with pytest.raises(InputError, match="line 2"):
        read_tracks(path)
    path.write_text(HEAD.replace("altitude", "altitude (kt)") + "1690891260,15521f,39.2,125.6,,,,\n")
    with pytest.raises(InputError, match="no unit of altitude"):
        read_tracks(path)


def test_a_unit_that_is_said_beats_the_title(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(HEAD + "1690891260,1551df,39.2,125.6,1000,100,,\n")
    ((fix,),) = read_tracks(path, Reading("table", "m", "m/s")).tracks.values()
    assert fix.altitude_ft == pytest.approx(3280.8, abs=0.1)
    assert fix.ground_speed_kt == pytest.approx(194.4, abs=0.1)


@pytest.mark.shared
def test_real_files_of_others_are_read(shared_data: Path) -> None:
    read = read_tracks(shared_data / "adsb")
    assert len(read.tracks) > 200
    assert sum(map(len, read.tracks.values())) > 19_000
    # Labels lie beside the tracks: they are no table of positions, and that is said.
    assert any("paris-2021-10-07-lfpo-events.json" in each for each in read.faults.sentences())
