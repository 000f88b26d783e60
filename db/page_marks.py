"""Whether anything changed that a page shows: a few numbers that are cheap to read."""

from collections.abc import Mapping

from sqlalchemy import Engine, func, select

from db.engine import reading
from db.imports import imports_begun_and_ended
from db.schema import alert_event, cutout, delivery, observation, poll, site_version, visit_version

PageMarks = Mapping[str, str]
"""A text for each topic, which differs when something was added there."""

_QUERIES = {
    "alerts": select(func.count(), func.max(alert_event.c.recorded_at)).select_from(alert_event),
    # What an import brings was recorded before it is seen.
    "looks": select(func.max(observation.c.recorded_at), imports_begun_and_ended()),
    "visits": select(func.max(visit_version.c.recorded_at)),
    # Found from the newest on, by the key.
    "feeds": select(poll.c.id).where(poll.c.outcome.is_not(None)).order_by(poll.c.id.desc()).limit(1),
    "messages": select(func.max(delivery.c.id), func.max(delivery.c.sent_at)),
    "pictures": select(func.max(cutout.c.made_at)),
    "sites": select(func.count(), func.max(site_version.c.recorded_at)).select_from(site_version),
}


def read_marks(engine: Engine) -> PageMarks:
    """Read the marks of now."""
    with reading(engine) as connection:
        return {name: str(connection.execute(query).first()) for name, query in _QUERIES.items()}
