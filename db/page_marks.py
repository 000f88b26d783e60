"""Whether anything changed that a page shows: a few numbers that are cheap to read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Engine, Select, func, select

from db.engine import reading
from db.imports import imports_begun_and_ended
from db.schema import alert_event, cutout, delivery, observation, poll, site_version, visit_version

PageMarks = Mapping[str, str]
"""A text for each topic, which differs when something was added there."""


def _newest(recorded_at: Column[Any]) -> Select[Any, int]:
    """When something was recorded last, and how much was recorded at that very moment: counting all would take ever longer."""
    last = select(func.max(recorded_at)).scalar_subquery()
    return select(func.max(recorded_at), func.count()).where(recorded_at == last)


_QUERIES = {
    "alerts": _newest(alert_event.c.recorded_at),
    # What an import brings was recorded before it is seen.
    "looks": select(func.max(observation.c.recorded_at), imports_begun_and_ended()),
    "visits": _newest(visit_version.c.recorded_at),
    # Found from the newest on, by the key.
    "feeds": select(poll.c.id).where(poll.c.outcome.is_not(None)).order_by(poll.c.id.desc()).limit(1),
    "messages": select(
        select(func.max(delivery.c.id)).scalar_subquery(),
        select(func.max(delivery.c.sent_at)).scalar_subquery(),
    ),
    "pictures": select(func.max(cutout.c.made_at)),
    "sites": _newest(site_version.c.recorded_at),
}


def read_marks(engine: Engine) -> PageMarks:
    """Read the marks of now."""
    with reading(engine) as connection:
        return {name: str(connection.execute(query).first()) for name, query in _QUERIES.items()}
