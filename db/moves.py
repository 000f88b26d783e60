"""Moving looks and statements whose days turn out to begin at another instant: what they say and what was told stay.

A day is known by its date as written. Where the zone of a site is corrected, or its rules are, the same day has
other bounds; its revisions, verdicts and alerts move with it, so that nobody judges or tells it again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, Table, select, update

from db.alerts import alerts_at, update_alert
from db.observations import length_us, note_longest
from db.records import Alert, DeclaredBaseline, Note, Observation, Precision, SeriesKey
from db.schema import SERIES_KEY, alert, alert_event, declared_baseline, evaluation, note, observation

_LOOK = (*SERIES_KEY, "period_start", "look_key")


@dataclass(frozen=True, slots=True)
class PeriodBounds:
    """The right bounds of a period, whose days they are ('' the site's), and the zone by which alerts say them."""

    start: datetime
    end: datetime
    zone: str
    site_zone: str

    def known(self, result_time: datetime, old: tuple[datetime, datetime]) -> datetime:
        """When a statement was knowable: at the same end of its period, or at its own time."""
        if result_time in old:
            return (self.start, self.end)[old.index(result_time)]
        return max(result_time, self.start)


@dataclass(frozen=True, slots=True)
class WrittenLook:
    """A look by its key, with its bounds and the days or times that were written."""

    series: SeriesKey
    period_start: datetime
    look_key: str
    period_end: datetime
    precision: Precision
    written: tuple[str, str]

    @classmethod
    def of(cls, look: Observation) -> Self:
        """The same of a whole record."""
        written = (look.written_start, look.written_end)
        return cls(look.series, look.period_start, look.look_key, look.period_end, look.precision, written)


def looks_by_day(connection: Connection, site_id: str) -> list[WrittenLook]:
    """Read the imported looks of a site whose days are the site's own."""
    table = observation.c
    names = (*_LOOK, "period_end", "precision", "written_start", "written_end")
    query = select(*(table[name] for name in names)).distinct()
    query = query.where(table.site_id == site_id, table.written_start != "", table.zone == "")
    return [
        WrittenLook(
            SeriesKey(*row[:5]), row.period_start, row.look_key, row.period_end, row.precision, row[-2:]
        )
        for row in connection.execute(query)
    ]


def counted_by_day(
    connection: Connection, site_id: str, procedure: str, metrics: Collection[str]
) -> list[WrittenLook]:
    """Read the daily looks of a site by a procedure of our own: they are known by their date, as if it were written."""
    table = observation.c
    names = (*_LOOK, "period_end", "precision")
    query = select(*(table[name] for name in names)).distinct()
    query = query.where(
        table.site_id == site_id,
        table.procedure == procedure,
        table.metric.in_(sorted(metrics)),
        table.precision == "day",
        table.written_start == "",
    )
    return [
        WrittenLook(
            SeriesKey(*row[:5]),
            row.period_start,
            row.look_key,
            row.period_end,
            row.precision,
            (row.look_key, row.look_key),
        )
        for row in connection.execute(query)
    ]


def move_look(connection: Connection, look: WrittenLook, bounds: PeriodBounds) -> bool:
    """Move a look with all its revisions, verdicts and alerts; False where another look stands there already."""
    table = observation.c
    old = _where(look, look.period_start)
    if look.period_start != bounds.start:
        there = select(table.look_key).where(*_same(observation, _where(look, bounds.start)))
        if connection.execute(there.limit(1)).first() is not None:
            return False
    moved = {"period_start": bounds.start, "period_end": bounds.end, "zone": bounds.zone}
    here = select(table.revision, table.period_end, table.result_time).where(*_same(observation, old))
    latest: datetime | None = None
    for revision, end, result_time in connection.execute(
        here.order_by(table.result_time, table.revision)
    ).all():
        known = bounds.known(result_time, (look.period_start, end))
        # The end of a day that moved to an earlier hour may lie before what was seen in it, and is still the later word.
        known = latest = known if latest is None else max(known, latest)
        connection.execute(
            update(observation)
            .where(*_same(observation, old), table.revision == revision)
            .values(**moved, result_time=known)
        )
    connection.execute(update(evaluation).where(*_same(evaluation, old)).values(period_start=bounds.start))
    note_longest(connection, {look.series: length_us(bounds.start, bounds.end)})
    _move_alerts(connection, look, bounds)
    return True


def date_look(connection: Connection, known: Observation, dated: Observation) -> None:
    """Say of a stored revision without a date of publication when it was published, now that somebody does."""
    key = {**{name: getattr(known.series, name) for name in SERIES_KEY}, "period_start": known.period_start}
    connection.execute(
        update(observation)
        .where(
            *_same(observation, {**key, "look_key": known.look_key}),
            observation.c.revision == known.revision,
        )
        .values(result_time=dated.result_time, note=dated.note)
    )


def move_statement(connection: Connection, statement: DeclaredBaseline | Note, bounds: PeriodBounds) -> None:
    """Move the window of a declared baseline, or the period of a note, in all its revisions."""
    table, first, last = _columns(statement)
    here = select(table.c.revision, table.c[first], table.c[last], table.c.result_time).where(
        table.c.key == statement.key
    )
    for revision, start, end, result_time in connection.execute(here).all():
        connection.execute(
            update(table)
            .where(table.c.key == statement.key, table.c.revision == revision)
            .values(
                {
                    first: bounds.start,
                    last: bounds.end,
                    "zone": bounds.zone,
                    "result_time": bounds.known(result_time, (start, end)),
                }
            )
        )


def _columns(statement: DeclaredBaseline | Note) -> tuple[Table, str, str]:
    if isinstance(statement, Note):
        return note, "starts_at", "ends_at"
    return declared_baseline, "window_start", "window_end"


def _where(look: WrittenLook, period_start: datetime) -> dict[str, Any]:
    series = {name: getattr(look.series, name) for name in SERIES_KEY}
    return {**series, "period_start": period_start, "look_key": look.look_key}


def _same(table: Table, key: Mapping[str, Any]) -> list[Any]:
    return [table.c[name] == key[name] for name in _LOOK]


def _move_alerts(connection: Connection, look: WrittenLook, bounds: PeriodBounds) -> None:
    series = look.series
    place = (alert.c.site_id == series.site_id, alert.c.area == series.area, alert.c.metric == series.metric)
    connection.execute(
        update(alert_event)
        .where(
            alert_event.c.alert_id.in_(select(alert.c.id).where(*place)),
            alert_event.c.subject == series.subject,
            alert_event.c.procedure == series.procedure,
            alert_event.c.period_start == look.period_start,
            alert_event.c.look_key == look.look_key,
        )
        .values(period_start=bounds.start)
    )
    for each in alerts_at(connection, series.site_id, series.area, series.metric, withdrawn=True):
        if (moved := _moved_alert(each, look, bounds)) is not None:
            update_alert(connection, moved)


def _moved_alert(each: Alert, look: WrittenLook, bounds: PeriodBounds) -> Alert | None:
    entries: Sequence[Mapping[str, Any]] = each.details["entries"]
    mine = [_is_of(entry, look) for entry in entries]
    if not any(mine):
        return None
    moved = [
        _moved_entry(entry, look, bounds) if of_it else entry
        for entry, of_it in zip(entries, mine, strict=True)
    ]
    began = bounds.start if each.phenomenon_time == look.period_start else each.phenomenon_time
    details = {**each.details, "entries": moved, "timezone": bounds.site_zone}
    return replace(each, phenomenon_time=began, details=details)


def _is_of(entry: Mapping[str, Any], look: WrittenLook) -> bool:
    return (entry["subject"], entry["procedure"], entry["period_start"], entry["look_key"]) == (
        look.series.subject,
        look.series.procedure,
        look.period_start.isoformat(),
        look.look_key,
    )


def _moved_entry(entry: Mapping[str, Any], look: WrittenLook, bounds: PeriodBounds) -> dict[str, Any]:
    old = (look.period_start, datetime.fromisoformat(entry["period_end"]))
    known = bounds.known(datetime.fromisoformat(entry["result_time"]), old)
    return {
        **entry,
        "period_start": bounds.start.isoformat(),
        "period_end": bounds.end.isoformat(),
        "result_time": known.isoformat(),
    }
