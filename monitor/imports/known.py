"""Which stored looks and statements the rows of an import are about, and moving those whose days begin elsewhere now."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from itertools import islice

from db.chunks import chunks
from db.declared import every_declared, every_note
from db.engine import Connection, Engine, reading, sole_importer, writing
from db.moves import PeriodBounds, WrittenLook, looks_by_day, move_look, move_statement
from db.observations import series_at, written_looks
from db.records import DeclaredBaseline, Note, Observation, SeriesKey
from db.spelling import tidy
from monitor.imports import values
from monitor.imports.identity import (
    LookIdentity,
    about_the_same,
    look_identities,
    look_name,
    series_like,
    statement_identity,
)
from monitor.imports.periods import Period, rewritten
from monitor.imports.rows import OF_A_PERIOD, OF_AN_ID, ImportedRecord
from monitor.sites import Site

_NAMED = 3
MOVES_AT_ONCE = 20
"""Each takes several statements, since verdicts and alerts move with it."""


def _every_statement(connection: Connection, site_ids: Sequence[str]) -> dict[str, DeclaredBaseline | Note]:
    """One revision of each declared baseline and note, by key."""
    found: dict[str, DeclaredBaseline | Note] = {}
    found.update((each.key, each) for each in every_declared(connection, site_ids))
    found.update((each.key, each) for each in every_note(connection, site_ids))
    return found


class Known:
    """What is stored of the sites of one import, asked chunk by chunk, each in a transaction of its own."""

    def __init__(self, connection: Connection, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._series: dict[SeriesKey, SeriesKey] = {}
        for key in series_at(connection, sorted(sites)):
            self._series.setdefault(series_like(key), key)
            self._series[key] = key
        self._statements: _Statements | None = None
        self._others: dict[str, None] = {}

    def settled(self, connection: Connection, records: Sequence[ImportedRecord]) -> list[ImportedRecord]:
        """The records under the keys by which what they are about is stored; what begins elsewhere now is moved."""
        return self._settled(_Settling(connection, may_move=True), records)

    def settled_in_place(
        self, connection: Connection, records: Sequence[ImportedRecord]
    ) -> list[ImportedRecord] | None:
        """The same for a connection that only reads; None where something is to be moved first."""
        settling = _Settling(connection, may_move=False)
        found = self._settled(settling, records)
        return None if settling.must_move else found

    def _in_series(self, looks: Iterable[Observation]) -> list[Observation]:
        """The looks in the series that are there already, where only the spelling differs."""
        found = []
        for look in looks:
            like = series_like(look.series)
            key = self._series.get(look.series) or self._series.setdefault(like, look.series)
            found.append(look if key == look.series else replace(look, series=key))
        return found

    def _settled(self, settling: "_Settling", records: Sequence[ImportedRecord]) -> list[ImportedRecord]:
        looks = iter(self._looks(settling, [each for each in records if isinstance(each, Observation)]))
        return [
            next(looks) if isinstance(each, Observation) else self._statement(settling, each)
            for each in records
        ]

    def notices(self) -> Iterator[str]:
        """What a person should know of the rows so far."""
        if self._others:
            some = "; ".join(islice(self._others, _NAMED))
            more = f"; and {len(self._others) - _NAMED} more" if len(self._others) > _NAMED else ""
            yield (
                "The same source counts the same site, metric, subject and period under another id already. Each was "
                f"stored as a look of its own: {some}{more}."
            )

    def _looks(self, settling: "_Settling", looks: Sequence[Observation]) -> Iterator[Observation]:
        if not looks:
            return
        asked = [(each, list(look_identities(each, self._days(each)))) for each in self._in_series(looks)]
        wanted = [identity for _, identities in asked for identity in identities]
        stored = _Shelf(_read(settling.connection, wanted))
        for look, identities in asked:
            there = stored.find(identities, look)
            if there is None:
                self._tell_others(stored, look)
                stored.add(look)
                yield look
            else:
                yield self._in_place(settling, stored, there, look)

    def _in_place(
        self, settling: "_Settling", stored: "_Shelf", there: Observation, look: Observation
    ) -> Observation:
        """The look in the place of the stored one, which is moved where its days begin elsewhere."""
        same = (there.written_start, there.written_end) in {
            (look.written_start, look.written_end),
            self._days(look),
        }
        bounds = (there.period_start, there.period_end), (look.period_start, look.period_end)
        at = there.period_start
        if bounds[0] != bounds[1] and (same or at != look.period_start):
            right = PeriodBounds(
                look.period_start, look.period_end, look.zone, self._sites[look.series.site_id].timezone.key
            )
            if settling.move_look(WrittenLook.of(there), right):
                stored.moved(there, look)
                at = look.period_start
        return replace(look, series=there.series, look_key=there.look_key, period_start=at)

    def _tell_others(self, stored: "_Shelf", look: Observation) -> None:
        for other in stored.about_the_same(look):
            name = look_name(other)[-1] or "its period"
            label = next((each.text for each in look.evidence if each.kind == "import"), look.look_key)
            what = " ".join(filter(None, (look.series.site_id, look.series.metric, look.series.subject)))
            self._others[f"{label} ({what}, {look.written_start}; there as {name})"] = None
            break

    def _days(self, look: Observation) -> tuple[str, str]:
        period = Period(look.period_start, look.period_end, look.precision)
        return period.as_days(self._zone(look.series.site_id, look.zone))

    def _zone(self, site_id: str, zone: str) -> tzinfo:
        return values.zone(zone)[1] or self._sites[site_id].timezone

    def _statement(self, settling: "_Settling", record: DeclaredBaseline | Note) -> DeclaredBaseline | Note:
        if self._statements is None:
            self._statements = _Statements(settling.connection, sorted(self._sites))
        there = self._statements.find(record)
        if there is None:
            return record
        if _bounds(there) != _bounds(record) and _written(there) == _written(record):
            site = self._sites[_site_id(record)]
            right = PeriodBounds(*_bounds(record), record.zone, site.timezone.key)
            if not settling.move_statement(there, right):
                return record
        known = (
            max(record.result_time, there.result_time)
            if _says(there) == _says(record)
            else record.result_time
        )
        found = replace(record, key=there.key, result_time=known)
        self._statements.keep(found)
        return found


@dataclass(slots=True)
class _Settling:
    """One chunk's settling: a connection that may write, so that things are moved, or one that notes that they must be."""

    connection: Connection
    may_move: bool
    must_move: bool = False

    def move_look(self, look: WrittenLook, right: PeriodBounds) -> bool:
        if self.may_move:
            return move_look(self.connection, look, right)
        self.must_move = True
        return False

    def move_statement(self, statement: DeclaredBaseline | Note, right: PeriodBounds) -> bool:
        if self.may_move:
            move_statement(self.connection, statement, right)
        self.must_move |= not self.may_move
        return self.may_move


def _read(connection: Connection, identities: Sequence[LookIdentity]) -> list[Observation]:
    return written_looks(
        connection,
        sorted({series.site_id for series, _, _ in identities}),
        sorted({series.metric for series, _, _ in identities}),
        sorted({period[0] for _, _, period in identities}),
    )


class _Shelf:
    """Stored looks by identity, one record of each."""

    def __init__(self, looks: Iterable[Observation]) -> None:
        self._by_identity: dict[LookIdentity, list[Observation]] = defaultdict(list)
        self._by_topic: dict[tuple[object, ...], list[Observation]] = defaultdict(list)
        seen = set()
        for look in looks:
            key = (look.series, look.period_start, look.look_key)
            if key not in seen:
                seen.add(key)
                self.add(look)

    def add(self, look: Observation) -> None:
        """Put a look there."""
        self._by_identity[self._identity(look)].append(look)
        self._by_topic[about_the_same(look)].append(look)

    def find(self, identities: Iterable[LookIdentity], look: Observation) -> Observation | None:
        """The stored look of the first identity that has any; of several, the one of the same time."""
        for identity in identities:
            if there := self._by_identity.get(identity):
                return next((each for each in there if each.period_start == look.period_start), there[-1])
        return None

    def moved(self, before: Observation, after: Observation) -> None:
        """Note that a look has other bounds now."""
        there = self._by_identity[self._identity(before)]
        there[there.index(before)] = replace(
            before, period_start=after.period_start, period_end=after.period_end, zone=after.zone
        )

    def about_the_same(self, look: Observation) -> list[Observation]:
        """The looks of the same source at the same thing for the same period, whatever they are called."""
        return self._by_topic.get(about_the_same(look), [])

    @staticmethod
    def _identity(look: Observation) -> LookIdentity:
        return next(look_identities(look, ("", "")))


class _Statements:
    """Stored declared baselines and notes, by key, and those that older versions keyed, by what they say."""

    def __init__(self, connection: Connection, site_ids: Sequence[str]) -> None:
        self._by_key = _every_statement(connection, site_ids)
        self._older: dict[tuple[object, ...], list[DeclaredBaseline | Note]] = defaultdict(list)
        for each in self._by_key.values():
            if not each.key.rpartition("/")[2].startswith((OF_AN_ID, OF_A_PERIOD)):
                self._older[statement_identity(each)].append(each)

    def find(self, record: DeclaredBaseline | Note) -> DeclaredBaseline | Note | None:
        """The stored statement that a record repeats or corrects."""
        if record.key in self._by_key:
            return self._by_key[record.key]
        older = self._older.get(statement_identity(record), [])
        there = next(
            (each for each in older if _says(each) == _says(record)), older[0] if len(older) == 1 else None
        )
        if there is not None:
            older.remove(there)
            # Further rows of the same import are about the same.
            self._by_key[record.key] = there
        return there

    def keep(self, record: DeclaredBaseline | Note) -> None:
        """Note the bounds that a statement has now."""
        self._by_key[record.key] = record


def move_days(engine: Engine, sites: Iterable[Site]) -> int:
    """Move the looks and statements whose days begin elsewhere by the sites' clocks now; give how many there were.

    A few at a time, so that nobody waits long for them; an import under way is waited for.
    """
    return sum(_move_site(engine, site) for site in sites if any(_all_astray(engine, site)))


def _move_site(engine: Engine, site: Site) -> int:
    moved = 0
    with sole_importer(engine):
        looks, statements = _all_astray(engine, site)
        for some_looks in chunks(looks, MOVES_AT_ONCE):
            with writing(engine) as connection:
                moved += sum(move_look(connection, look, bounds) for look, bounds in some_looks)
        for some in chunks(statements, MOVES_AT_ONCE):
            with writing(engine) as connection:
                for statement, bounds in some:
                    move_statement(connection, statement, bounds)
    return moved + len(statements)


def _all_astray(
    engine: Engine, site: Site
) -> tuple[list[tuple[WrittenLook, PeriodBounds]], list[tuple[DeclaredBaseline | Note, PeriodBounds]]]:
    with reading(engine) as connection:
        looks = list(_astray(looks_by_day(connection, site.id), site))
        listed = _every_statement(connection, [site.id]).values()
        return looks, list(_statements_astray(listed, site))


def _astray(looks: Iterable[WrittenLook], site: Site) -> Iterator[tuple[WrittenLook, PeriodBounds]]:
    for look in looks:
        right = rewritten(look.written, look.precision, site.timezone)
        if right is not None and (right.start, right.end) != (look.period_start, look.period_end):
            yield look, PeriodBounds(right.start, right.end, "", site.timezone.key)


def _statements_astray(
    statements: Iterable[DeclaredBaseline | Note], site: Site
) -> Iterator[tuple[DeclaredBaseline | Note, PeriodBounds]]:
    for each in statements:
        right = None if each.zone else rewritten(_written(each), each.precision, site.timezone)
        if right is not None and (right.start, right.end) != _bounds(each):
            yield each, PeriodBounds(right.start, right.end, "", site.timezone.key)


def _bounds(each: DeclaredBaseline | Note) -> tuple[datetime, datetime]:
    return (each.starts_at, each.ends_at) if isinstance(each, Note) else (each.window_start, each.window_end)


def _written(each: DeclaredBaseline | Note) -> tuple[str, str]:
    return each.written_start, each.written_end


def _site_id(each: DeclaredBaseline | Note) -> str:
    return each.site_id if isinstance(each, Note) else each.series.site_id


def _says(each: DeclaredBaseline | Note) -> tuple[object, ...]:
    return (tidy(each.text), each.announced) if isinstance(each, Note) else (each.value, each.n_looks)
