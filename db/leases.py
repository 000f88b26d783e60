"""The lease that says which running service schedules: one row with an owner, an expiry and a fencing token.

Two services that both believe to lead do no harm (polls, observations and deliveries are keyed, so a
second try changes nothing); the lease keeps them from asking every feed twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, select

from db.moments import lies_ahead
from db.schema import lease
from db.upsert import insert_ignore

LEADER_LEASE = "leader"
_LONGEST_QUEUE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a lease until when; `token` grows with every change of holder."""

    name: str
    owner: str
    token: int
    expires_at: datetime


def lease_holder(connection: Connection, name: str = LEADER_LEASE) -> Lease | None:
    """The newest holder, expired or not; None where nobody ever held it or the last one let it go."""
    row = connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
    return Lease(row.name, row.owner, row.token, row.expires_at) if row and row.owner else None


def is_alive(held: Lease | None, now: datetime, ttl_s: float) -> bool:
    """Whether a lease's holder beats: one that expires later than a beat could make it was written by a wrong clock."""
    return held is not None and lies_ahead(held.expires_at, now, timedelta(seconds=ttl_s))


def take_lease(
    connection: Connection,
    owner: str,
    now: datetime,
    ttl_s: float,
    name: str = LEADER_LEASE,
    *,
    dead: Lease | None = None,
) -> Lease | None:
    """Take the lease if it is free, expired or already one's own; None while another holds it.

    `dead` is what was seen of a holder that has not beaten since: it counts as free, whenever it says it expires.
    """
    until = now + timedelta(seconds=ttl_s)
    if insert_ignore(connection, lease, [{"name": name, "owner": owner, "token": 1, "expires_at": until}]):
        return Lease(name, owner, 1, until)
    # One conditional update decides between two services that try at the same moment.
    free = (lease.c.owner == "") | (lease.c.owner == owner) | (lease.c.expires_at <= now)
    if dead is not None:
        free |= _still(dead) & (lease.c.expires_at == dead.expires_at)
    row = connection.execute(
        lease.update()
        .where(lease.c.name == name, free)
        .values(owner=owner, token=lease.c.token + 1, expires_at=until)
        .returning(lease.c.token)
    ).one_or_none()
    return Lease(name, owner, row.token, until) if row else None


def renew_lease(connection: Connection, held: Lease, now: datetime, ttl_s: float) -> Lease | None:
    """Move the expiry on; None if another has taken the lease since (a late renewal of a free one is fine)."""
    until = now + timedelta(seconds=ttl_s)
    changed = connection.execute(lease.update().where(_still(held)).values(expires_at=until)).rowcount
    return Lease(held.name, held.owner, held.token, until) if changed else None


def book_moment(connection: Connection, name: str, now: datetime, spacing_s: float) -> datetime:
    """Book the next moment that lies `spacing_s` after every other one booked under this name, and give it."""
    insert_ignore(connection, lease, [{"name": name, "owner": "", "token": 0, "expires_at": now}])
    query = select(lease.c.expires_at).where(lease.c.name == name).with_for_update()
    free_at: datetime = connection.execute(query).scalar_one()
    if free_at > now + _LONGEST_QUEUE:
        # The clock was set back.
        free_at = now + timedelta(seconds=spacing_s)
    at = max(now, free_at)
    until = at + timedelta(seconds=spacing_s)
    connection.execute(lease.update().where(lease.c.name == name).values(expires_at=until))
    return at


def release_lease(connection: Connection, held: Lease, now: datetime) -> bool:
    """Let go, so that a waiting service takes over at once; False if it was lost already."""
    update = lease.update().where(_still(held)).values(owner="", expires_at=now)
    return connection.execute(update).rowcount == 1


def _still(held: Lease) -> ColumnElement[bool]:
    return and_(lease.c.name == held.name, lease.c.owner == held.owner, lease.c.token == held.token)
