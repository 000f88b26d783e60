"""Tracks from files: traces of globe_history, polls of the readsb family (one a file or one a line), and tables.

A file is told by what it holds, whatever its name; a folder may hold any of them, and all files in it are read.
"""

import gzip
import io
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from db.records import Fix
from monitor.backfill.traces import TraceError, read_trace
from monitor.backfill.track_tables import Faults, TableColumns, columns_of, table_fixes, track_rows
from monitor.errors import InputError
from monitor.feeds.aircraft import AircraftReader
from monitor.feeds.options import MAX_POSITION_AGE_S
from monitor.feeds.parsing import feed_instant

TrackFormat = Literal["traces", "polls", "table"]
_EVER_S = (0.0, 1e11)
_GZIP = b"\x1f\x8b"
_SUFFIXES = (".json", ".ndjson", ".jsonl", ".csv", ".tsv", ".txt")
_HEAD = 4096
_EXPECTED = (
    "Expected are traces of readsb (trace_full_*.json), its polls (aircraft.json or answers of the v2 interface, one a file "
    "or one a line), or a table (CSV, or a JSON list of records); each may be gzipped, and a folder may hold many."
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are to be read where their own words do not say it."""

    form: TrackFormat | None = None
    """What every file is; None tells it of each by what it holds."""
    altitude_unit: str = ""
    """The unit of a table's altitudes, against what its titles say."""
    speed_unit: str = ""


@dataclass(slots=True)
class RecordedTracks:
    """Every track by aircraft and time, and how it was read."""

    tracks: dict[str, list[Fix]] = field(default_factory=dict)
    files: Counter[TrackFormat] = field(default_factory=Counter)
    columns: dict[str, TableColumns] = field(default_factory=dict)
    """What was taken from which column, by the name of the first file with such columns."""
    faults: Faults = field(default_factory=Faults)

    def sentences(self) -> Iterator[str]:
        """Tell what was read, in which units, and what was left out."""
        reports = sum(map(len, self.tracks.values()))
        files = ", ".join(f"{number} of {form}" for form, number in sorted(self.files.items()))
        yield f"Read {reports:,} reports of {len(self.tracks):,} aircraft from {sum(self.files.values()):,} files ({files})."
        for name, columns in self.columns.items():
            yield f"{name}: {columns}. A time without a zone is UTC."
        yield from self.faults.sentences()


def read_tracks(path: Path, reading: Reading | None = None) -> RecordedTracks:
    """Read every track of a folder or file; raises InputError that says what is expected where nothing can be read."""
    how, found = reading or Reading(), RecordedTracks()
    tracks: dict[str, list[Fix]] = defaultdict(list)
    for file in _files(path):
        name = str(file.relative_to(path)) if file != path else file.name
        body = _unpacked(file)
        form = how.form or _form(body)
        if form is None:
            if file == path:
                raise InputError(f"{path} holds neither traces nor polls nor a table. {_EXPECTED}")
            found.faults.add("it holds neither a trace nor a poll nor a table", name)
            continue
        found.files[form] += 1
        try:
            for fix in _READERS[form](body, name, how, found):
                tracks[fix.icao24].append(fix)
        except InputError as error:
            # Beside tracks other files may lie.
            if file == path:
                raise
            found.faults.add(f"{error}", name)
    if not tracks:
        why = " ".join(found.faults.sentences())
        raise InputError(f"{path} holds no tracks. {why or _EXPECTED}")
    found.tracks = {icao24: sorted(track, key=lambda fix: fix.at) for icao24, track in tracks.items()}
    return found


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        every = (each for each in path.rglob("*") if each.is_file())
        return sorted(each for each in every if _known(each.name))
    if not path.is_file():
        raise InputError(f"There is no file or folder {path}.")
    return [path]


def _known(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(_SUFFIXES)


def _unpacked(file: Path) -> bytes:
    body = file.read_bytes()
    if not body.startswith(_GZIP):
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{file} is gzipped and broken: it cannot be unpacked.") from None


def _form(body: bytes) -> TrackFormat | None:
    """Tell what a file is by how it begins."""
    head = body[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"{"):
        # A trace says whose it is and since when before its rows; a poll says when it was.
        return "traces" if b'"trace"' in body and b'"icao"' in body else "polls"
    if head.startswith(b"["):
        return "polls" if b'"aircraft"' in head or b'"ac"' in head else "table"
    first = head.split(b"\n", 1)[0]
    return "table" if any(mark in first for mark in (b",", b";", b"\t", b"|")) else None


def _trace(body: bytes, name: str, _how: Reading, found: RecordedTracks) -> Iterator[Fix]:
    try:
        trace = read_trace(body, name, _EVER_S)
    except TraceError as error:
        found.faults.add(f"a trace cannot be used: {error}", name)
        return
    if trace.rows and not trace.is_no_aircraft:
        last = datetime.fromtimestamp(float(trace.at_s[-1]), UTC)
        yield from trace.fixes("archive", last, range(len(trace.rows)))


def _polls(body: bytes, name: str, _how: Reading, found: RecordedTracks) -> Iterator[Fix]:
    for where, answer in _answers(body, name):
        try:
            now = feed_instant(float(answer["now"]))
            listed = answer["ac"] if "ac" in answer else answer["aircraft"]
        except (ValueError, KeyError, TypeError, OverflowError):
            found.faults.add("this is no answer of the readsb family", where)
            continue
        if not isinstance(listed, list):
            found.faults.add("this answer lists no aircraft", where)
            continue
        reader = AircraftReader(
            "recording", feed_time=now, received_at=now, max_age_s=MAX_POSITION_AGE_S, circle=None
        )
        yield from reader.read(listed)


def _answers(body: bytes, name: str) -> Iterator[tuple[str, Any]]:
    """Give each answer of a file, one a line or one in all, and where it stands; what is no JSON comes as nothing."""
    try:
        whole = json.loads(body)
    except ValueError:
        for number, line in enumerate(body.splitlines(), 1):
            if line.strip():
                yield f"{name}, line {number}", _json(line)
        return
    several = whole if isinstance(whole, list) else [whole]
    yield from (
        (name if whole is not several else f"{name}, answer {n}", each) for n, each in enumerate(several, 1)
    )


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _table(body: bytes, name: str, how: Reading, found: RecordedTracks) -> Iterator[Fix]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
    if text.lstrip().startswith("["):
        rows, line = _records(text, name), "record"
        titles = list(dict.fromkeys(title for _, row in rows for title in row))
        yield from table_fixes(rows, _columns(titles, name, how, found), name, found.faults, line=line)
        return
    titles, read = track_rows(io.StringIO(text, newline=""), name)
    yield from table_fixes(read, _columns(titles, name, how, found), name, found.faults)


def _records(text: str, name: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        listed = json.loads(text)
    except ValueError:
        raise InputError(f"{name} begins as a JSON list of records and cannot be read as JSON.") from None
    return [(number, row) for number, row in enumerate(listed, 1) if isinstance(row, dict)]


def _columns(titles: Sequence[str], name: str, how: Reading, found: RecordedTracks) -> TableColumns:
    columns = columns_of(titles, name)
    units = dict(columns.units)
    if how.altitude_unit:
        units |= {what: how.altitude_unit for what in ("altitude", "geometric altitude") if what in units}
    if how.speed_unit and "speed" in units:
        units["speed"] = how.speed_unit
    columns = replace(columns, units=units)
    if columns not in found.columns.values():
        found.columns[name] = columns
    return columns


_READERS: dict[TrackFormat, Callable[[bytes, str, Reading, RecordedTracks], Iterator[Fix]]] = {
    "traces": _trace,
    "polls": _polls,
    "table": _table,
}
