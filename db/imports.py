"""An import that is under way: stored in many short transactions, and seen by nobody until the last one.

All that it stores is recorded at one moment, which the lease `import` names as long as it lasts. Readers leave out what
was recorded at that moment; one short transaction lets the lease go, and all of it is there at once. What a process
that was killed left behind stays unseen, and is dropped by whoever imports next, or by the service.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ScalarSelect,
    Table,
    Text,
    cast,
    delete,
    exists,
    select,
    update,
)

from db.chunks import KEYS_PER_STATEMENT
from db.engine import reading, sole_importer, writing
from db.holders import WaitHandler, own_name
from db.keys import delete_keys
from db.schema import SERIES_KEY, declared_baseline, lease, note, observation, series
from db.upsert import insert_ignore

_NAME = "import"
IMPORTED_TABLES = (observation, declared_baseline, note)
_INSTANT = timedelta(microseconds=1)
_UNDER_WAY = (lease.c.name == _NAME, lease.c.owner != "")


class ImportOvertakenError(Exception):
    """Another importer dropped what this one had stored: it was taken for dead."""


@dataclass(frozen=True, slots=True)
class ImportTurn:
    """One import's turn: all that it stores must be recorded at `moment`."""

    moment: datetime
    owner: str
    token: int

    def hold(self, connection: Connection) -> None:
        """Make sure, in each transaction of the import, that the turn is still held; raises ImportOvertakenError."""
        self._change(connection, {"token": self.token})

    def end(self, connection: Connection) -> None:
        """Let everybody see what was stored; raises ImportOvertakenError."""
        self._change(connection, {"owner": ""})

    def _change(self, connection: Connection, values: dict[str, object]) -> None:
        ours = (*_UNDER_WAY, lease.c.owner == self.owner, lease.c.token == self.token)
        if connection.execute(update(lease).where(*ours).values(**values)).rowcount != 1:
            raise ImportOvertakenError(
                "Another import took this one for dead and dropped what it had stored; nothing was imported."
            )


def released(table: Table) -> ColumnElement[bool]:
    """Whether a row of an import can be seen: the import has ended."""
    return table.c.recorded_at.not_in(select(lease.c.expires_at).where(*_UNDER_WAY))


def imports_begun_and_ended() -> ScalarSelect[str]:
    """A text that differs once an import has begun and once it has ended."""
    return select(lease.c.owner + cast(lease.c.token, Text)).where(lease.c.name == _NAME).scalar_subquery()


@contextmanager
def import_turn(engine: Engine, at: datetime, waiting: WaitHandler = lambda: None) -> Iterator[ImportTurn]:
    """Import alone; at the end all is seen at once, after any error nothing is there.

    The moment is `at`, or a few microseconds later where something was recorded just then.
    """
    with sole_importer(engine, waiting):
        drop_unfinished(engine)
        with writing(engine) as connection:
            turn = _begin(connection, at)
        try:
            yield turn
            with writing(engine) as connection:
                turn.end(connection)
        except ImportOvertakenError:
            raise
        except BaseException:
            drop_unfinished(engine)
            raise


def drop_unfinished(engine: Engine) -> int:
    """Drop what an import left behind that did not end, in short transactions; give the number of rows.

    Only for the holder of `sole_importer`, or of a database that nobody else has.
    """
    dropped = 0
    while (moment := _left_behind(engine)) is not None:
        with writing(engine) as connection:
            now = sum(_drop_some(connection, table, moment) for table in IMPORTED_TABLES)
            if not now:
                _forget_empty_series(connection)
                connection.execute(update(lease).where(*_UNDER_WAY).values(owner=""))
        dropped += now
    return dropped


def drop_abandoned(engine: Engine) -> int:
    """Drop what an import left behind that was killed, unless one is under way; give the number of rows."""
    if _left_behind(engine) is None:
        return 0
    try:
        with sole_importer(engine, _leave_alone):
            return drop_unfinished(engine)
    except _UnderWayError:
        return 0


class _UnderWayError(Exception):
    """Somebody imports."""


def _leave_alone() -> None:
    raise _UnderWayError


def _left_behind(engine: Engine) -> datetime | None:
    with reading(engine) as connection:
        return connection.execute(select(lease.c.expires_at).where(*_UNDER_WAY)).scalar_one_or_none()


def _begin(connection: Connection, at: datetime) -> ImportTurn:
    moment = at
    while _is_taken(connection, moment):
        moment += _INSTANT
    owner = own_name()
    insert_ignore(connection, lease, [{"name": _NAME, "owner": "", "token": 0, "expires_at": moment}])
    ours = update(lease).where(lease.c.name == _NAME)
    token = connection.execute(
        ours.values(owner=owner, token=lease.c.token + 1, expires_at=moment).returning(lease.c.token)
    ).scalar_one()
    return ImportTurn(moment, owner, token)


def _is_taken(connection: Connection, moment: datetime) -> bool:
    return any(
        connection.execute(select(table.c.revision).where(table.c.recorded_at == moment).limit(1)).first()
        for table in IMPORTED_TABLES
    )


def _drop_some(connection: Connection, table: Table, moment: datetime) -> int:
    key: Sequence[ColumnElement[object]] = tuple(table.primary_key.columns)
    query = select(*key).where(table.c.recorded_at == moment).limit(KEYS_PER_STATEMENT)
    some = [tuple(row) for row in connection.execute(query)]
    return delete_keys(connection, table, some)


def _forget_empty_series(connection: Connection) -> None:
    """Drop series of which nothing is known: their spelling would bind those to come."""
    looks = exists().where(*(observation.c[name] == series.c[name] for name in SERIES_KEY))
    connection.execute(delete(series).where(~looks))
