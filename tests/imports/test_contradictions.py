"""What of a file cannot all be true is said, row by row; what may be true is left alone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from monitor.bootstrap import rule_defaults
from monitor.imports import check_file, import_file
from monitor.sites.reload import SitesFile
from tests.kit.cast import CAST_BY_ID

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEADER = "site_id,start,end,precision,metric,subject,value,comparator,low,high,exposure,published,publisher,url,note\n"
BY = "A,https://example.org/a,"


def findings(tmp_path: Path, *rows: str) -> list[str]:
    path = tmp_path / "counts.csv"
    path.write_text(HEADER + "".join(f"busy-port,{row}\n" for row in rows), encoding="utf-8")
    faults, said = check_file(path, CAST_BY_ID, NOW)
    assert faults == []
    return said


def test_what_ships_contradicts_nothing_and_every_row_has_an_address_or_says_that_it_has_none() -> None:
    sites = SitesFile(ROOT / "sites.geojson", rule_defaults()).sites.by_id
    assert check_file(ROOT / "history" / "published.csv", sites, NOW) == ([], [])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        # A zero over a counted day, of the same ships or of all.
        (
            (
                f"2024-02-12,2024-03-10,window,ships_present,,0,=,,,0.5,,{BY}",
                "2024-03-10,,,ships_present,,1,=,,,,,B,https://b.example,",
            ),
            "row 2 and row 3: none from 2024-02-12 to 2024-03-10, and 1 ship present on 2024-03-10",
        ),
        (
            (
                f"2024-03-10,,,ships_present,,0,=,,,,,{BY}",
                f"2024-03-10,,,ships_present,ship:Lady R,1,=,,,,,{BY}",
            ),
            "A period that saw some is no zero",
        ),
        # A zero over weeks that nobody says were looked at.
        (
            (f"2024-02-12,2024-03-10,window,ships_present,,0,=,,,,,{BY}",),
            "none in 28 days, and nobody says how much",
        ),
        (
            (f"2024-03-10,,,ships_present,,0,=,,,,,{BY}None after the ship Maia.",),
            "while its note names some",
        ),
        # Time told more exactly than it is known.
        (
            (f"2024-01-06T03:00Z,,minute,arrivals,,1,=,,,,,{BY}Taken as Korean time.",),
            "told to the minute, while its note says that the time zone is assumed",
        ),
        (
            (f"2024-01-06T03:00Z,,hour,arrivals,,1,=,,,,,{BY}The source states no time zone.",),
            "told to the hour",
        ),
        # Two counts of one day that leave each other no room.
        (
            (
                f"2024-03-10,,,containers,,10,=,,,,,{BY}",
                "2024-03-10,,,containers,,300,=,,,,,B,https://b.example,",
            ),
            "10 containers and 300 containers on 2024-03-10. Both cannot be true",
        ),
        (
            (
                f"2024-03-10,,,containers,,10,=,8,12,,,{BY}",
                "2024-03-10,,,containers,,20,~=,15,25,,,B,https://b.example,",
            ),
            "Both cannot be true",
        ),
        # A part that is more than the whole.
        (
            (f"2024-03,,,ship_calls,,2,=,,,,,{BY}", "2024-03-10,,,ship_calls,,5,>=,,,,,B,https://b.example,"),
            "at least 5 ship calls on 2024-03-10, and only 2 ship calls",
        ),
        # A count outside a published limit.
        (
            (
                f"2024-01-01,2024-06-30,window,containers,,20,max,,,,2024-07-01,{BY}",
                f"2024-03-10,,,containers,,73,~=,,,,,{BY}",
            ),
            "at most 20 in a window that holds about 73 containers on 2024-03-10",
        ),
        (
            (
                f"2024-01-01,2024-06-30,window,containers,,0,none_before,,,,2024-07-01,{BY}",
                f"2024-03-10,,,containers,,1,>=,,,,,{BY}",
            ),
            "at most 0 in a window that holds at least 1 container",
        ),
        (
            (f"2024-01-01,2024-06-30,window,ship_calls,,3,=,,,,2024-02-01,{BY}",),
            "published before its period had ended",
        ),
        (("2024-03-10,,,containers,,1,=,,,,,Ministry,,",), "it names Ministry and no address"),
    ],
)
def test_a_contradiction_names_its_rows(tmp_path: Path, rows: tuple[str, ...], words: str) -> None:
    (said,) = findings(tmp_path, *rows)
    assert words in said


@pytest.mark.parametrize(
    "rows",
    [
        (f"2024-03-09,,,ships_present,,0,=,,,,,{BY}", f"2024-03-10,,,ships_present,,1,=,,,,,{BY}"),
        (
            f"2024-03-10T01:00Z,,,ships_present,,0,=,,,,,{BY}",
            f"2024-03-10T05:00Z,,,ships_present,,1,=,,,,,{BY}",
        ),
        (
            f"2024-03-10,,,ships_present,ship:Maia,0,=,,,,,{BY}",
            f"2024-03-10,,,ships_present,ship:Lady R,1,=,,,,,{BY}",
        ),
        (f"2024-02-12,2024-03-10,window,ships_present,,0,=,,,0.4,,{BY}",),
        # A correction of the same look is no contradiction.
        (
            f"2024-03-10,,,containers,,300,=,,,,2024-03-10,{BY}",
            f"2024-03-10,,,containers,,0,=,,,,2024-03-12,{BY}",
        ),
        (
            f"2024-03-10,,,containers,,70,~=,,,,,{BY}",
            "2024-03-10,,,containers,,73,=,,,,,B,https://b.example,",
        ),
        (f"2024-03,,,ship_calls,,25,>=,,,,,{BY}", "2024-03-10,,,ship_calls,,5,>=,,,,,B,https://b.example,"),
        (
            f"2024-01-01,2024-06-30,window,containers,,20,max,,,,2024-07-01,{BY}",
            f"2024-07-10,,,containers,,73,~=,,,,,{BY}",
        ),
        (f"2024-01-06T03:00Z,,minute,arrivals,,1,=,,,,,{BY}At 12:00 Korean time.",),
        ("2024-03-10,,,containers,,1,=,,,,,Ministry,,No address of it is known.",),
        (f"2024-03-10,,,ships_present,,1,=,,,,2024-03-10,{BY}",),
    ],
)
def test_what_may_all_be_true_is_left_alone(tmp_path: Path, rows: tuple[str, ...]) -> None:
    assert findings(tmp_path, *rows) == []


def test_an_import_says_it_too_and_imports_what_a_person_must_decide(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    rows = (f"2024-03-10,,,ships_present,,0,=,,,,,{BY}", "2024-03-10,,,ships_present,,1,=,,,,,B,,")
    path.write_text(HEADER + "".join(f"busy-port,{row}\n" for row in rows), encoding="utf-8")
    report = import_file(engine, path, CAST_BY_ID, NOW)
    assert report.stored == 2
    assert [each for each in report.notices if "A period that saw some is no zero" in each]
    assert not [each for each in report.notices if "no address" in each]


def test_a_file_with_many_findings_lists_the_first(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    days = [f"2024-01-{day:02d}" for day in range(1, 21)]
    rows = [
        row
        for day in days
        for row in (f"{day},,,ships_present,,0,=,,,,,{BY}", f"{day},,,ships_present,,1,=,,,,,B,,")
    ]
    path.write_text(HEADER + "".join(f"busy-port,{row}\n" for row in rows), encoding="utf-8")
    notices = import_file(engine, path, CAST_BY_ID, NOW).notices
    assert len(notices) == 11
    assert "There are 10 more such rows: “sitewatch observations check” lists all." in notices


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "counts.xlsx"
    path.write_bytes(b"PK\x03\x04")
    faults, said = check_file(path, CAST_BY_ID, NOW)
    assert faults
    assert said == []
