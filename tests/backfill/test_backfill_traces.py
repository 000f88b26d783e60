"""Traces of readsb's globe_history: every detail of the format, every layout of an archive, and what is kept."""

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Fix
from monitor.backfill.archive import Part, _Joined, find_parts
from monitor.backfill.filtering import SLOT_S, ReportFilter, TraceVeil, unpack_fixes
from monitor.backfill.recorded_tracks import read_tracks
from monitor.backfill.traces import Trace, TraceError, read_trace
from monitor.errors import InputError
from monitor.feeds import NO_AIRCRAFT
from monitor.flights.tracks.classes import default_classes
from tests.kit.archives import DAY, LOST, MIDNIGHT, flights, tar_of, trace, write_folder
from tests.kit.cast import CAST, DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import VIP, Pilot

DAY_S = (MIDNIGHT.timestamp(), MIDNIGHT.timestamp() + 86_400)
BASE = MIDNIGHT.timestamp() + 3600
DETAILS: dict[str, Any] = {
    "type": "adsb_icao",
    "flight": "RFF7092 ",
    "nic": 8,
    "nac_p": 9,
    "alt_geom": 30_150,
}
ROW: list[Any] = [
    10.5,
    40.1,
    127.2,
    30_000,
    431.5,
    171.2,
    0,
    -64,
    DETAILS,
    "adsb_icao",
    30_150,
    -64,
    280,
    0.1,
]


def read(*rows: Any, **header: Any) -> Trace:
    document = {
        "icao": "15521F",
        "r": "RA-86559",
        "t": "IL62",
        "dbFlags": 1,
        "timestamp": BASE,
        "trace": list(rows),
    }
    return read_trace(json.dumps({**document, **header}).encode(), "trace_full_15521f.json", DAY_S)


def reports(*rows: Any, **header: Any) -> list[Fix]:
    found = read(*rows, **header)
    return list(found.fixes("archive", MIDNIGHT, range(len(found.rows))))


def test_a_row_becomes_a_report() -> None:
    assert reports(ROW) == [
        Fix(
            provider="archive",
            icao24="15521f",
            at=datetime(2023, 8, 1, 1, 0, 10, 500000, tzinfo=UTC),
            received_at=MIDNIGHT,
            lat=40.1,
            lon=127.2,
            on_ground=False,
            altitude_ft=30_000,
            altitude_geom_ft=30_150,
            ground_speed_kt=431.5,
            track_deg=171.2,
            vertical_rate_fpm=-64,
            source="adsb_icao",
            nic=8,
            nac_p=9,
            callsign="RFF7092",
            registration="RA-86559",
            type_code="IL62",
            db_flags=1,
        )
    ]


def changed(**columns: Any) -> list[Any]:
    names = ("at", "lat", "lon", "alt", "gs", "track", "flags", "rate", "details", "source", "geom")
    values = list(ROW)
    for name, value in columns.items():
        values[names.index(name)] = value
    return values


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (changed(alt="ground"), {"on_ground": True, "altitude_ft": None, "track_deg": None}),
        (changed(alt=None), {"on_ground": None, "altitude_ft": None}),
        (changed(flags=8), {"on_ground": False, "altitude_ft": None, "altitude_geom_ft": 30_000}),
        (changed(flags=1 | 2 | 4), {"altitude_ft": 30_000, "vertical_rate_fpm": -64}),
        (changed(source="mlat"), {"source": "mlat", "nic": None, "nac_p": None}),
        (changed(source=None), {"source": "adsb_icao", "nic": 8}),
        (changed(details=None), {"callsign": "", "nic": None, "source": "adsb_icao"}),
        (changed(alt=-75), {"altitude_ft": -75, "on_ground": False}),
        (ROW[:9], {"source": "adsb_icao", "altitude_geom_ft": None}),
        (ROW[:8], {"source": "", "callsign": ""}),
    ],
)
def test_every_detail_of_a_row(row: list[Any], said: Mapping[str, Any]) -> None:
    (fix,) = reports(row)
    assert {name: getattr(fix, name) for name in said} == said


def test_rows_come_in_the_order_of_time_and_each_moment_once() -> None:
    early = changed(at=-600.0, lat=41.0)
    found = read(ROW, changed(lat=39.0), early)
    assert found.lat.tolist() == [41.0, 40.1]
    assert found.rejected["the same moment twice"] == 1


def test_a_callsign_holds_until_another_comes() -> None:
    later = changed(at=20.0, details=None)
    other = changed(at=30.0, details={"flight": "RFF1"})
    assert [fix.callsign for fix in reports(ROW, later, other)] == ["RFF7092", "RFF7092", "RFF1"]
    found = read(ROW, later, other)
    assert [fix.callsign for fix in found.fixes("archive", MIDNIGHT, [1])] == ["RFF7092"]
    assert found.callsigns == {"RFF7092", "RFF1"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (7, "not a row"),
        ([1, 2, 3], "not a row"),
        (changed(lat=None), "no position"),
        (changed(lon=190), "no position"),
        (changed(lon=10**400), "no position"),
        (changed(lat=True), "no position"),
        (changed(lat="40.1"), "no position"),
        (changed(at="now"), "no position"),
        (changed(at=86_400), "outside the day"),
        (changed(at=-3600.5), "outside the day"),
    ],
)
def test_a_row_that_cannot_be_used_is_counted(row: Any, reason: str) -> None:
    found = read(ROW, row)
    assert len(found.rows) == 1
    assert {name: count for name, count in found.rejected.items() if count} == {reason: 1}


def test_an_address_that_is_not_icaos_keeps_its_mark() -> None:
    assert read(ROW, icao="~15521f").icao24 == "~15521f"


def test_a_day_without_a_report_is_a_trace_too() -> None:
    assert len(read().at_s) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"icao": "15521f", "timestamp": 1, "trace": 1}',
        b'{"icao": "x", "timestamp": 1, "trace": []}',
        b"\x1f\x8bnonsense",
        gzip.compress(b'{"icao": "15521f"}')[:-9],
    ],
    # Compressed bytes hold the time, and would name the same test otherwise in each process.
    ids=["empty", "list", "object", "no-rows", "bad-address", "no-gzip", "cut-gzip"],
)
def test_what_is_no_trace_says_so(body: bytes) -> None:
    with pytest.raises(TraceError):
        read_trace(body, "trace_full_15521f.json", DAY_S)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, len(ROW) - 1), JSON)
def test_any_part_of_a_row_can_be_anything(index: int, value: Any) -> None:
    row = list(ROW)
    row[index] = value
    for fix in reports(row):
        assert -90 <= fix.lat <= 90
        assert all(text.isascii() and text.isprintable() for text in (fix.callsign, fix.source))


# --- layouts ------------------------------------------------------------------------------------


FILES = {
    "trace_full_15521f.json": b"one",
    "trace_full_~a1201f.json": b"two",
    "trace_full_3950c7.json": b"three",
}


def contents(parts: list[Part]) -> dict[str, dict[str, bytes]]:
    return {part.name: dict(part.read()) for part in parts}


EXPECTED = {
    "1f": {"trace_full_15521f.json": b"one", "trace_full_~a1201f.json": b"two"},
    "c7": {"trace_full_3950c7.json": b"three"},
}


@pytest.mark.parametrize(
    "under", ["2023/08/01", "globe_history/2023/08/01", "2023.08.01", "2023-08-01", "v2023.08.01-planes-readsb-prod-0", "."]
)  # fmt: skip
def test_a_day_is_found_in_every_usual_folder(tmp_path: Path, under: str) -> None:
    write_folder(tmp_path, FILES, under)
    (tmp_path / under / "traces/1f/notes.txt").write_text("not a trace")
    assert contents(find_parts(tmp_path, DAY)) == EXPECTED


def test_a_folder_without_subfolders_is_one_part(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    for name, body in FILES.items():
        (tmp_path / "traces" / name).write_bytes(body)
    assert contents(find_parts(tmp_path, DAY)) == {"traces": FILES}


def test_a_tar_is_read_whole_or_in_pieces(tmp_path: Path) -> None:
    whole = tar_of(FILES.items())
    path = tmp_path / "v2023.08.01-planes-readsb-prod-0.tar"
    path.write_bytes(whole)
    assert contents(find_parts(tmp_path, DAY)) == EXPECTED
    path.unlink()
    # Cut so that headers and contents lie across the edges.
    for number, start in enumerate(range(0, len(whole), 700)):
        piece = f"{path.name}.{chr(97 + number // 26)}{chr(97 + number % 26)}"
        (tmp_path / piece).write_bytes(whole[start : start + 700])
    assert contents(find_parts(tmp_path, DAY)) == EXPECTED


def test_production_is_read_unless_it_is_much_smaller(tmp_path: Path) -> None:
    staging = tmp_path / "v2023.08.01-planes-readsb-staging-0.tar"
    prod = tmp_path / "v2023.08.01-planes-readsb-prod-0.tar"
    staging.write_bytes(tar_of({**FILES, "trace_full_000000.json": b"x"}.items()))
    prod.write_bytes(tar_of(FILES.items()))
    assert contents(find_parts(tmp_path, DAY)) == EXPECTED
    staging.write_bytes(tar_of({**FILES, "trace_full_000000.json": b"x" * 90_000}.items()))
    assert "00" in contents(find_parts(tmp_path, DAY))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no traces of 2023-08-01"):
        find_parts(tmp_path, DAY)
    with pytest.raises(InputError, match="There is no folder"):
        find_parts(tmp_path / "nowhere", DAY)
    (tmp_path / "v2023.08.01-planes-readsb-prod-0.tar").write_bytes(tar_of(FILES.items())[:700] + b"x" * 900)
    with pytest.raises(InputError, match="cannot be read as a tar"):
        find_parts(tmp_path, DAY)


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5), st.integers(0, 60), st.integers(0, 60))
def test_joined_files_read_like_one(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], at: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    for number, body in enumerate(bodies):
        (folder / str(number)).write_bytes(body)
    with _Joined([str(folder / str(number)) for number in range(len(bodies))]) as joined:
        joined.seek(at)
        assert joined.read(size) == b"".join(bodies)[at : at + size]
        assert joined.seek(0, io.SEEK_END) == sum(map(len, bodies))


# --- what is kept -------------------------------------------------------------------------------


def read_part(tmp_path: Path, files: dict[str, bytes], day: date = DAY) -> Any:
    folder = tmp_path / "1f"
    folder.mkdir(exist_ok=True)
    for name, body in files.items():
        (folder / name).write_bytes(body)
    part = Part("1f", files=tuple(str(folder / name) for name in sorted(files)))
    report_filter = ReportFilter("archive", tuple(CAST), default_classes(), TraceVeil(b"key"))
    return report_filter.read_part(part, day, MIDNIGHT)


@pytest.mark.parametrize(
    "document",
    [
        {"t": "GND"},
        {"t": "SERV"},
        {"icao": "000000"},
        {"icao": "ffffff"},
        {"source": "adsb_icao_nt"},
        {"category": "C2"},
    ],
    ids=str,
)
def test_an_archive_holds_vehicles_and_nobodys_addresses_too(
    tmp_path: Path, document: dict[str, str]
) -> None:
    """Three service cars and masts of a day are counted under one reason, and nothing of them is kept."""
    fixes = Pilot(QUIET_FIELD, "4ca7b6").park(600).fixes
    if source := document.get("source"):
        fixes = [replace(fix, source=source) for fix in fixes]
    more: dict[str, Any] = {key: text for key, text in document.items() if key in {"t", "icao"}}
    if category := document.get("category"):
        rows = json.loads(gzip.decompress(trace(fixes)))["trace"]
        rows[3][8] = {"category": category}
        more["trace"] = rows
    part = read_part(tmp_path, {"trace_full_4ca7b6.json": trace(fixes, **more)})
    assert unpack_fixes(part) == []
    assert part.rejected == {NO_AIRCRAFT: 1}
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "trace_full_4ca7b6.json").write_bytes(trace(fixes, **more))
    with pytest.raises(InputError, match="holds no tracks"):
        read_tracks(tmp_path / "alone")


def test_reports_near_sites_and_of_watched_aircraft_are_kept(tmp_path: Path) -> None:
    part = read_part(tmp_path, {**flights(), "trace_full_000000.json": b"not a trace"})
    kept = {fix.icao24 for fix in unpack_fixes(part)}
    # The bomber far away is told by its type, the airliner over nowhere is not kept.
    assert kept == {"15521f", "3950c7", LOST, "c88123", "151111"}
    assert (part.aircraft, part.fixes, part.rejected["not a trace"]) == (6, len(unpack_fixes(part)), 1)
    assert len(part.heard) == 287
    assert set(part.nearby) == {"quiet-field", "dateline-strip"}
    noon = str(12 * 3600 // SLOT_S)
    assert part.nearby["quiet-field"][noon] == 1
    assert part.heard[noon] == 3


def test_packing_loses_nothing(tmp_path: Path) -> None:
    fixes = (
        Pilot(QUIET_FIELD, VIP, values={"callsign": "RFF1", "nic": 8, "nac_p": 9, "db_flags": 1}).land().fixes
    )
    body = trace(fixes)
    part = read_part(tmp_path, {"trace_full_15521f.json": body})
    whole = read_trace(body, "x", DAY_S)
    assert unpack_fixes(part) == list(whole.fixes("archive", MIDNIGHT, range(len(whole.rows))))


def test_far_from_every_site_one_report_in_twenty_seconds_is_enough(tmp_path: Path) -> None:
    pilot = Pilot(QUIET_FIELD, VIP, every_s=5, east_nm=30, height_ft=20_000)
    far = [replace(fix, on_ground=False) for fix in pilot.fly(100, kt=100).fixes]
    assert len(unpack_fixes(read_part(tmp_path, {"trace_full_15521f.json": trace(far)}))) in {5, 6}
    near = Pilot(QUIET_FIELD, VIP, every_s=5, east_nm=5, height_ft=2_000).fly(100, kt=100).fixes
    assert len(unpack_fixes(read_part(tmp_path, {"trace_full_15521f.json": trace(near)}))) == 20


@pytest.mark.parametrize("east_nm", [-39.0, 39.0, -41.5, 41.5])
@pytest.mark.parametrize("site", [QUIET_FIELD, DATELINE_STRIP], ids=lambda site: site.id)
def test_near_is_forty_miles_also_across_the_antimeridian(tmp_path: Path, site: Any, east_nm: float) -> None:
    fixes = Pilot(site, "a12345", east_nm=east_nm, height_ft=9_000, every_s=30).fly(90, kt=1).fixes
    part = read_part(tmp_path, {"trace_full_a12345.json": trace(fixes)})
    assert bool(part.fixes) == (abs(east_nm) < 40.5)


def test_another_day_is_not_kept(tmp_path: Path) -> None:
    part = read_part(tmp_path, flights(), DAY + timedelta(days=1))
    assert (part.fixes, part.heard) == (0, {})
    assert part.rejected["outside the day"] > 100
