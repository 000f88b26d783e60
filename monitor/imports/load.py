"""Importing a file of counts: checked wholly first, then stored a few rows at a time, and seen once all are there.

What the rows are about is found out on a view of the database that holds nobody up; a transaction only writes. Until
the last one nobody sees any of it, so a kill leaves nothing, and nobody judges half a file (`db.imports`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from db import observations
from db.chunks import chunks
from db.declared import record_declared, record_notes
from db.engine import Connection, Engine, reading, writing
from db.imports import ImportTurn, import_turn
from db.moves import date_look
from db.records import DeclaredBaseline, Note, Observation
from db.records.counts import remark
from db.records.revisions import in_force
from db.spelling import spelled
from monitor.imports.columns import ID_COLUMN
from monitor.imports.contradictions import LabelledRecord, contradictions, without_address
from monitor.imports.faults import FAULTS_KEPT, ImportFault, UnreadableFile
from monitor.imports.fields import ImportClock
from monitor.imports.identity import is_name, look_identities
from monitor.imports.known import MOVES_AT_ONCE, Known
from monitor.imports.mapped import mapped_rows
from monitor.imports.mapping import TableMapping
from monitor.imports.periods import is_day
from monitor.imports.rows import ImportedRecord, parse_row
from monitor.imports.sources import RawRow, Rows, open_rows
from monitor.imports.tables import is_workbook, workbook_rows
from monitor.sites import Site

ROWS_AT_ONCE = 50
"""Rows of one transaction: other writers wait for no more."""
ROWS_COMPARED = 10_000
"""A larger file is compared with itself only where that is asked for: as records it would not fit into memory."""
_FINDINGS_SHOWN = 10
_PLANNED_SHOWN = 20
_TOLD_EVERY = 1_000
ImportedT = TypeVar("ImportedT", Observation, DeclaredBaseline, Note)
ImportProgress = Callable[[str, int], None]
"""Called with "checked" or "stored" and the number of rows so far, or "waiting" where another import is under way."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: new looks, new revisions, rows that said nothing new, and every fault."""

    stored: int = 0
    revised: int = 0
    unchanged: int = 0
    declared: int = 0
    notes: int = 0
    faults: tuple[ImportFault, ...] = ()
    notices: tuple[str, ...] = field(default=(), compare=False)
    """What is no fault and yet worth knowing, in sentences."""
    zones: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Whose days bare dates were taken for, with the number of rows."""


def import_file(
    engine: Engine,
    path: Path,
    sites: Mapping[str, Site],
    now: datetime,
    *,
    skip_bad: bool = False,
    zone: str = "",
    mapping: TableMapping | None = None,
    progress: ImportProgress | None = None,
) -> ImportReport:
    """Import a CSV, GeoJSON or Excel file, by a mapping or in the import columns; with a fault nothing is stored, unless `skip_bad` leaves bad rows out.

    What it brings was knowable by `now` at the latest, since now it is recorded. `zone` says whose days bare dates
    are where a row does not, '' the site's own.
    """
    clock = ImportClock(now, latest=now, zone=zone)
    opened = partial(rows_of_file, path, sites, mapping)
    return _import(engine, opened, sites, clock, skip_bad=skip_bad, progress=progress)


def rows_of_file(path: Path, sites: Mapping[str, Site], mapping: TableMapping | None = None) -> Rows:
    """What reads the rows of a file, by a mapping or in the import columns; raises UnreadableFile."""
    if mapping is not None:
        return mapped_rows(path, mapping, sites)
    return workbook_rows(path) if is_workbook(path) else open_rows(path)


@dataclass(frozen=True, slots=True)
class PlannedSeries:
    """What a file would bring to one series: how many looks, over which time, between which counts."""

    site_id: str
    area: str
    metric: str
    subject: str
    rows: int
    begins: str
    ends: str
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """What an import would store: its first records, every series, and every fault."""

    rows: int
    first: tuple[ImportedRecord, ...] = ()
    series: tuple[PlannedSeries, ...] = ()
    faults: tuple[ImportFault, ...] = ()
    notices: tuple[str, ...] = ()


def plan_import(
    path: Path,
    sites: Mapping[str, Site],
    now: datetime,
    *,
    zone: str = "",
    mapping: TableMapping | None = None,
) -> PlannedImport:
    """Say what importing a file would store, by all the checks of an import, and store nothing."""
    clock = ImportClock(now, latest=now, zone=zone)
    try:
        rows = rows_of_file(path, sites, mapping)
        check = _check(rows, sites, clock, lambda _stage, _rows: None)
        good = [each.record for each in _good(rows, sites, clock, check)]
    except UnreadableFile as error:
        return PlannedImport(0, faults=error.faults)
    by_series: dict[tuple[str, str, str, str], list[ImportedRecord]] = {}
    for record in good:
        by_series.setdefault(_series_of(record), []).append(record)
    return PlannedImport(
        len(good),
        tuple(good[:_PLANNED_SHOWN]),
        tuple(_planned(key, records) for key, records in sorted(by_series.items())),
        tuple(check.faults),
        (*rows.notices, *check.notices()),
    )


def _series_of(record: ImportedRecord) -> tuple[str, str, str, str]:
    if isinstance(record, Note):
        return record.site_id, record.area, record.metric, record.subject
    return record.series.site_id, record.series.area, record.series.metric, record.series.subject


def _planned(key: tuple[str, str, str, str], records: Sequence[ImportedRecord]) -> PlannedSeries:
    values = [each.value for each in records if not isinstance(each, Note) and each.value is not None]
    days = [(each.written_start, each.written_end) for each in records]
    lowest, highest = (min(values), max(values)) if values else (None, None)
    begins, ends = min(first for first, _ in days), max(last for _, last in days)
    return PlannedSeries(*key, len(records), begins, ends, lowest, highest)


def import_row(engine: Engine, row: RawRow, sites: Mapping[str, Site], now: datetime) -> ImportReport:
    """Import one row that a person gave, by the same checks and with the same identity as one of a file."""
    clock = ImportClock(now, latest=now)
    return _import(engine, lambda: Rows(lambda: iter([row])), sites, clock, skip_bad=False, progress=None)


def check_file(
    path: Path,
    sites: Mapping[str, Site],
    now: datetime,
    zone: str = "",
    mapping: TableMapping | None = None,
) -> tuple[list[ImportFault], list[str]]:
    """Every fault of a file, and every sentence about rows that contradict each other or have no address; stores nothing."""
    rows: list[LabelledRecord] = []
    faults: list[ImportFault] = []
    try:
        for raw in rows_of_file(path, sites, mapping)():
            parsed = parse_row(raw, sites, ImportClock(now, latest=now, zone=zone))
            if isinstance(parsed, tuple):
                faults += parsed
            else:
                rows.append(LabelledRecord(raw.label, parsed))
    except UnreadableFile as error:
        return list(error.faults), []
    return faults, [*contradictions(rows), *without_address(rows)]


def load_published(engine: Engine, path: Path, sites: Mapping[str, Site], now: datetime) -> ImportReport:
    """Load the published facts; harmless at every start. A clock in the past (a replay) is no fault here.

    Facts about sites that are no longer watched are left out.
    """
    return _import(engine, lambda: open_rows(path), sites, ImportClock(now), skip_bad=True, progress=None)


def withdraw_published(
    engine: Engine, path: Path, sites: Mapping[str, Site], now: datetime
) -> list[tuple[Observation, str]]:
    """Take back the counts of a file of mistakes, where they are stored and in force; give each with the reason.

    They were never true, so that no `--as-of` shows them any more; alerts that rest on them are judged again.
    """
    try:
        parsed = [parse_row(raw, sites, ImportClock(now)) for raw in open_rows(path)()]
    except UnreadableFile:
        return []
    mistakes = [each for each in parsed if isinstance(each, Observation)]
    with reading(engine) as connection:
        settled = _of(Known(connection, sites).settled_in_place(connection, mistakes) or (), Observation)
        stored = list(zip(settled, observations.known_revisions(connection, settled), strict=True))
    taken_back = [
        (said, remark(each.note))
        for each, revisions in stored
        if revisions and (said := in_force(revisions, Observation.same_finding)).value == each.value
    ]
    if taken_back:
        with writing(engine) as connection:
            observations.record_observations(
                connection, [_taken_back(said, why, now) for said, why in taken_back]
            )
    return taken_back


def _taken_back(said: Observation, why: str, now: datetime) -> Observation:
    return replace(
        said, value=None, low=None, high=None, qualifier="=", assessable=False, note=why, recorded_at=now
    )


def _import(
    engine: Engine,
    opened: Callable[[], Rows],
    sites: Mapping[str, Site],
    clock: ImportClock,
    *,
    skip_bad: bool,
    progress: ImportProgress | None,
) -> ImportReport:
    say = progress or (lambda _stage, _rows: None)
    try:
        rows = opened()
        check = _check(rows, sites, clock, say)
    except UnreadableFile as error:
        return ImportReport(faults=error.faults)
    faults = tuple(check.faults)
    if faults and not skip_bad:
        return ImportReport(faults=faults)
    done: Counter[str] = Counter()
    with import_turn(engine, clock.recorded_at, lambda: say("waiting", 0)) as turn:
        with reading(engine) as connection:
            known = Known(connection, sites)
        clock = replace(clock, recorded_at=turn.moment)
        for chunk in _chunks(_good(rows, sites, clock, check)):
            for part in _stored(engine, turn, chunk, clock, known):
                done.update(part)
                say("stored", done["rows"])
    return ImportReport(
        done["stored"],
        done["revised"],
        done["unchanged"],
        done["declared"],
        done["notes"],
        faults,
        notices=(*rows.notices, *check.notices(), *known.notices()),
        zones=dict(check.zones),
    )


@dataclass(slots=True)
class _Checked:
    """What the first pass found: the bad rows, and what is known of the good ones."""

    faults: list[ImportFault] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    seen: dict[int, tuple[int, str]] = field(default_factory=dict)
    dated: set[int] = field(default_factory=set)
    undated: set[int] = field(default_factory=set)
    compared: list[LabelledRecord] = field(default_factory=list)
    zones: Counter[str] = field(default_factory=Counter)
    row_numbers: int = 0

    def notices(self) -> Iterator[str]:
        """What a person should know of ids, and of rows that contradict each other."""
        if self.row_numbers:
            one = "The id of one row is a bare number"
            ids = one if self.row_numbers == 1 else f"The ids of {self.row_numbers} rows are bare numbers"
            yield f"{ids}, as exports number their rows, and no name: such a look is known by its source and period."
        if len(self.compared) <= ROWS_COMPARED:
            said = contradictions(self.compared)
            yield from said[:_FINDINGS_SHOWN]
            if len(said) > _FINDINGS_SHOWN:
                yield f"There are {len(said) - _FINDINGS_SHOWN} more such rows: “sitewatch observations check” lists all."


def _check(rows: Rows, sites: Mapping[str, Site], clock: ImportClock, say: ImportProgress) -> _Checked:
    # The file is read twice rather than kept: a large one would not fit into memory as records, and
    # checking inside the transaction would keep every other writer waiting.
    check = _Checked()
    count = 0
    for count, raw in enumerate(rows(), start=1):
        parsed = parse_row(raw, sites, clock)
        faults = parsed if isinstance(parsed, tuple) else _repeats(check, parsed, raw)
        if not isinstance(parsed, tuple):
            _note(check, parsed, raw, sites)
        if not faults and not isinstance(parsed, tuple) and len(check.compared) <= ROWS_COMPARED:
            check.compared.append(LabelledRecord(raw.label, parsed))
        if faults:
            check.bad.add(raw.number)
            check.faults += faults[: FAULTS_KEPT - len(check.faults)]
        if count % _TOLD_EVERY == 0:
            say("checked", count)
    say("checked", count)
    return check


def _note(check: _Checked, record: ImportedRecord, raw: RawRow, sites: Mapping[str, Site]) -> None:
    site_id = record.site_id if isinstance(record, Note) else record.series.site_id
    if is_day(record.written_start) or is_day(record.written_end):
        check.zones[record.zone or sites[site_id].timezone.key] += 1
    if raw.cells.get(ID_COLUMN) and not is_name(spelled(raw.cells[ID_COLUMN])):
        check.row_numbers += 1


def _repeats(check: _Checked, record: ImportedRecord, raw: RawRow) -> tuple[ImportFault, ...]:
    """Find a row that contradicts an earlier one about the same look, known at the same time."""
    (check.dated if _dated(raw) else check.undated).add(hash(_thing(record, raw)))
    # Hashes, since a large file has more keys than one wants to keep.
    identity, says = hash((_thing(record, raw), record.result_time)), hash(_says(record))
    earlier_says, earlier_label = check.seen.setdefault(identity, (says, raw.label))
    if earlier_says == says:
        return ()
    mend = (
        "Delete one of them; for a correction give each its time in published, for two things give each an id that is "
        "more than a number"
    )
    return (ImportFault(raw.label, "", f"it contradicts {earlier_label} about the same look", mend),)


def _thing(record: ImportedRecord, raw: RawRow) -> object:
    if isinstance(record, Observation):
        if raw.exported:
            return record.series, record.period_start, record.look_key
        return next(look_identities(record, ("", "")))
    return record.key


def _says(record: ImportedRecord) -> tuple[object, ...]:
    if isinstance(record, Observation):
        bounds = record.value, record.low, record.high, record.qualifier
        return *bounds, record.assessable, record.announced
    if isinstance(record, Note):
        return record.text, record.announced
    return record.value, record.n_looks


@dataclass(frozen=True, slots=True)
class _Good:
    record: ImportedRecord
    dated: bool
    """Whether the file says when it, or a correction of it, was published."""
    dates: bool
    """Whether the file says when it was published, and nowhere speaks of the same look without a date."""
    exported: bool
    """Whether it has the very key under which it is, or was, stored."""


def _good(rows: Rows, sites: Mapping[str, Site], clock: ImportClock, check: _Checked) -> Iterator[_Good]:
    for raw in rows():
        parsed = () if raw.number in check.bad else parse_row(raw, sites, clock)
        if not isinstance(parsed, tuple):
            thing, dated = hash(_thing(parsed, raw)), _dated(raw)
            yield _Good(
                parsed,
                dated=dated or thing in check.dated,
                dates=dated and thing not in check.undated,
                exported=raw.exported,
            )


def _dated(raw: RawRow) -> bool:
    return bool(raw.cells.get("published", "").strip())


def _chunks(records: Iterator[_Good]) -> Iterator[list[_Good]]:
    while chunk := list(islice(records, ROWS_AT_ONCE)):
        yield chunk


def store_records(
    connection: Connection, records: Sequence[ImportedRecord], sites: Mapping[str, Site]
) -> Counter[str]:
    """Store checked records of any kind; count what was new."""
    return _store(connection, Known(connection, sites).settled(connection, records))


def _store(connection: Connection, records: Sequence[ImportedRecord]) -> Counter[str]:
    looks = observations.record_observations(connection, _of(records, Observation))
    declared = record_declared(connection, _of(records, DeclaredBaseline))
    notes = record_notes(connection, _of(records, Note))
    new = len(looks) + len(declared) + len(notes)
    return Counter(
        rows=len(records),
        stored=sum(each.revision == 1 for each in looks),
        revised=sum(each.revision > 1 for each in looks),
        declared=len(declared),
        notes=len(notes),
        unchanged=len(records) - new,
    )


def _stored(
    engine: Engine, turn: ImportTurn, rows: Sequence[_Good], clock: ImportClock, known: Known
) -> Iterator[Counter[str]]:
    """Store some rows in short transactions; count what each of them brought."""
    with reading(engine) as connection:
        settled = known.settled_in_place(connection, _unsettled(rows))
        under = None if settled is None else _under(rows, settled)
        owed = None if under is None else _owed(connection, under, clock)
        dated = [] if under is None else list(_dated_now(connection, under))
    if owed is not None:
        with writing(engine) as connection:
            turn.hold(connection)
            _date(connection, dated)
            done = _store(connection, owed)
        yield _with_known(done, len(rows))
        return
    for some in chunks(rows, MOVES_AT_ONCE):
        with writing(engine) as connection:
            turn.hold(connection)
            under = _under(some, known.settled(connection, _unsettled(some)))
            owed = _owed(connection, under, clock)
            _date(connection, list(_dated_now(connection, under)))
            done = _store(connection, owed)
        yield _with_known(done, len(some))


def _with_known(done: Counter[str], rows: int) -> Counter[str]:
    """The same count with the rows that were not even owed."""
    left_out = rows - done["rows"]
    return done + Counter(rows=left_out, unchanged=left_out)


def _unsettled(rows: Sequence[_Good]) -> list[ImportedRecord]:
    return [each.record for each in rows if not each.exported]


def _under(rows: Sequence[_Good], settled: Sequence[ImportedRecord]) -> list[_Good]:
    found = iter(settled)
    return [each if each.exported else replace(each, record=next(found)) for each in rows]


def _owed(connection: Connection, rows: Sequence[_Good], clock: ImportClock) -> list[ImportedRecord]:
    """The rows that may say something new."""
    undated = [each.record for each in rows if isinstance(each.record, Observation) and not each.dated]
    others = [each.record for each in rows if each.dated or not isinstance(each.record, Observation)]
    return [*others, *_corrections(connection, undated, clock)]


def _dated_now(connection: Connection, rows: Sequence[_Good]) -> Iterator[tuple[Observation, Observation]]:
    """What is stored as undated and is said again with its date, each with what says so: it was not known before that."""
    looks = _of([each.record for each in rows if each.dates], Observation)
    for each, revisions in zip(looks, observations.known_revisions(connection, looks), strict=True):
        for known in revisions:
            if known.undated and each.result_time > known.result_time and each.same_finding(known):
                yield known, each


def _date(connection: Connection, dated: Sequence[tuple[Observation, Observation]]) -> None:
    for known, each in dated:
        date_look(connection, known, each)


def _corrections(
    connection: Connection, undated: Sequence[Observation], clock: ImportClock
) -> Iterator[Observation]:
    """Leave out what was said before; a correction that gives no date is known from now on, not all along."""
    known = observations.known_revisions(connection, undated)
    for each, revisions in zip(undated, known, strict=True):
        if not revisions:
            yield each
        elif clock.latest is None:
            current = in_force(revisions, Observation.same_finding)
            # The midnight after, at which it was knowable, hangs on the zone.
            if not each.same_finding(current):
                yield replace(
                    each, result_time=max(each.result_time, current.result_time), note=remark(each.note)
                )
        elif not any(each.same_finding(earlier) for earlier in revisions):
            yield replace(each, result_time=max(each.period_start, clock.latest), note=remark(each.note))


def _of(records: Sequence[ImportedRecord], kind: type[ImportedT]) -> list[ImportedT]:
    return [each for each in records if isinstance(each, kind)]
