"""How far the loading of archived days has come: parts that were read, and days that were played."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, select, update

from db.records.claims import BackfillPart
from db.schema import backfill_day, backfill_part
from db.upsert import insert_ignore, upsert

BackfillDayState = Literal["reading", "recording", "done"]
_PART = tuple(each.name for each in fields(BackfillPart))


@dataclass(frozen=True, slots=True)
class BackfillDay:
    """One archived day; `plan` says for which sites and classes it was read."""

    provider: str
    day: str
    plan: str
    state: BackfillDayState
    begun_at: datetime
    finished_at: datetime | None = None
    aircraft: int | None = None
    fixes: int | None = None


def backfill_days(connection: Connection, provider: str) -> dict[str, BackfillDay]:
    """Read the days that were begun, by date."""
    rows = connection.execute(select(backfill_day).where(backfill_day.c.provider == provider)).mappings()
    return {row["day"]: BackfillDay(**row) for row in rows}


def begin_day(connection: Connection, provider: str, day: str, plan: str, now: datetime) -> BackfillDay:
    """Begin a day, or take up one that was begun under the same plan; another plan begins it anew."""
    before = backfill_days(connection, provider).get(day)
    if before is not None and before.plan == plan:
        return before
    _forget_parts(connection, provider, day)
    begun = BackfillDay(provider, day, plan, "reading", now)
    row = {name: getattr(begun, name) for name in BackfillDay.__dataclass_fields__}
    upsert(connection, backfill_day, row, ["provider", "day"])
    return begun


def store_part(connection: Connection, part: BackfillPart) -> bool:
    """Store a part that was read; False where it is there already."""
    return bool(insert_ignore(connection, backfill_part, [{name: getattr(part, name) for name in _PART}]))


def parts_read(connection: Connection, provider: str, day: str) -> set[str]:
    """Read the names of the parts of a day that are there."""
    where = (backfill_part.c.provider == provider, backfill_part.c.day == day)
    return set(connection.execute(select(backfill_part.c.part).where(*where)).scalars())


def stored_parts(connection: Connection, provider: str, day: str) -> list[BackfillPart]:
    """Read the parts of a day, by name."""
    where = (backfill_part.c.provider == provider, backfill_part.c.day == day)
    rows = connection.execute(select(backfill_part).where(*where).order_by(backfill_part.c.part)).mappings()
    return [BackfillPart(**row) for row in rows]


def all_read(connection: Connection, provider: str, day: str) -> None:
    """Say that every part of a day is there, so that it can be played."""
    _set(connection, provider, day, {"state": "recording"})


def finish_day(
    connection: Connection, provider: str, day: str, now: datetime, *, aircraft: int, fixes: int, plan: str
) -> None:
    """Say that a day was played, under which plan, and drop its parts: their reports are stored as such now."""
    done = {"state": "done", "finished_at": now, "aircraft": aircraft, "fixes": fixes, "plan": plan}
    _set(connection, provider, day, done)
    _forget_parts(connection, provider, day)


def _set(connection: Connection, provider: str, day: str, values: Mapping[str, Any]) -> None:
    where = (backfill_day.c.provider == provider, backfill_day.c.day == day)
    connection.execute(update(backfill_day).where(*where).values(**values))


def _forget_parts(connection: Connection, provider: str, day: str) -> None:
    where = (backfill_part.c.provider == provider, backfill_part.c.day == day)
    connection.execute(delete(backfill_part).where(*where))
