"""Silences: for some time no messages about one site, or one metric there. Alerts are still recorded."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from db.schema import silence


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence; `metric` '' is every metric of the site."""

    id: int
    site_id: str
    metric: str
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: str


def add_silence(
    connection: Connection,
    site_id: str,
    metric: str,
    starts_at: datetime,
    ends_at: datetime,
    *,
    reason: str = "",
    by: str = "",
) -> Silence:
    """Store a silence; `ends_at` must lie after `starts_at`."""
    values = {
        "site_id": site_id,
        "metric": metric,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "reason": reason,
        "created_by": by,
    }
    number = connection.execute(silence.insert().values(**values).returning(silence.c.id)).scalar_one()
    return Silence(number, site_id, metric, starts_at, ends_at, reason, by)


def silences(connection: Connection, now: datetime) -> list[Silence]:
    """Those in force or still to come, the first to end first."""
    query = select(silence).where(silence.c.ends_at > now).order_by(silence.c.ends_at, silence.c.id)
    return [Silence(*row) for row in connection.execute(query)]


def lift_silences(connection: Connection, site_id: str, metric: str, now: datetime) -> int:
    """End what silences this site (and metric; '' every one of them) now; give how many that were."""
    named = (silence.c.site_id == site_id) & (silence.c.ends_at > now)
    if metric:
        named &= silence.c.metric == metric
    # One that has not begun cannot end now: it never was.
    unborn = connection.execute(silence.delete().where(named, silence.c.starts_at >= now)).rowcount
    return unborn + connection.execute(silence.update().where(named).values(ends_at=now)).rowcount


def drop_unborn_silences(connection: Connection, now: datetime) -> int:
    """Drop silences that begin in the future: every one begins when it is made, so a wrong clock made them."""
    return connection.execute(silence.delete().where(silence.c.starts_at > now)).rowcount
