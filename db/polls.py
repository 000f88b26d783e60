"""Polls: begun before the request, finished with everything it brought in one transaction.

A poll is known by (provider, scope, slot, purpose, sequence). One that was begun and never finished (its
process was killed) has no outcome; after `POLL_LOST_AFTER` it counts as lost: nothing was observed by it, and
its slot may be asked again under the next sequence.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from db.chunks import chunks
from db.coverage import accrue, drop_unborn_hours
from db.detections import insert_detections
from db.extracts import answer_digest, store_extracts
from db.flight_claims import insert_claims, insert_estimates
from db.flights import drop_unborn_fixes, insert_fixes
from db.imagery import insert_scenes
from db.keys import key_table
from db.moments import CLOCK_SKEW
from db.provider_states import BackOff, note_failure, note_good
from db.records import Extract, Fix, Outcome, Poll, Purpose, Scene
from db.records.claims import EstimatedPosition, FlightClaim
from db.records.detections import Detection
from db.schema import poll
from db.upsert import insert_ignore

POLL_LOST_AFTER = timedelta(minutes=5)
LOST_POLL_ERROR = "lost: the program was stopped before the answer was stored"
UNBORN = "not believed: it was begun under a clock that was ahead"
GOOD_OUTCOMES: tuple[Outcome, ...] = ("ok", "empty")
_TOO_OFTEN = 429
_ENDED = poll.c.outcome.is_not(None), or_(poll.c.error.is_(None), poll.c.error != UNBORN)
_COLUMNS = tuple(poll.c[each.name] for each in fields(Poll))


@dataclass(frozen=True, slots=True)
class PollKey:
    """What is asked of whom in which slot and why."""

    provider: str
    scope: str
    slot: int
    purpose: Purpose = "data"

    @property
    def where(self) -> tuple[ColumnElement[bool], ...]:
        """The condition that finds every sequence of it."""
        return (
            poll.c.provider == self.provider,
            poll.c.scope == self.scope,
            poll.c.slot == self.slot,
            poll.c.purpose == self.purpose,
        )


@dataclass(frozen=True, slots=True)
class PollResult:
    """How a poll ended, with everything to be stored of it.

    `nearby` names the sites that were being watched by it, with the number of reports near each; a
    catalogue, which watches nothing, leaves it empty.
    """

    outcome: Outcome
    http_status: int | None = None
    item_count: int | None = None
    feed_time: datetime | None = None
    error: str | None = None
    bodies: tuple[bytes, ...] = ()
    """The answer as it came, of which the hash and the size are kept."""
    extracts: tuple[Extract, ...] = ()
    fixes: tuple[Fix, ...] = ()
    scenes: tuple[Scene, ...] = ()
    detections: tuple[Detection, ...] = ()
    claims: tuple[FlightClaim, ...] = ()
    estimates: tuple[EstimatedPosition, ...] = ()
    nearby: Mapping[str, int] = field(default_factory=dict)
    unheard: frozenset[str] = frozenset()
    """Which of these were asked about and not watched all the same: they are out of hearing."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Into how many scopes a site is divided, where it is (a box each side of 180°)."""
    retry_after_s: float | None = None
    disable: bool = False
    ours: bool = False
    """Whether this machine was at fault: nothing was seen, and the provider is not blamed."""


def next_sequence(connection: Connection, key: PollKey, now: datetime, *, force: bool = False) -> int | None:
    """The sequence under which a slot may be asked (again), None where it was asked or is being asked.

    `force` asks again what was finished, but never what another process is asking right now.
    """
    query = select(poll.c.sequence, poll.c.outcome, poll.c.started_at, poll.c.error).where(*key.where)
    earlier = connection.execute(query.order_by(poll.c.sequence)).all()
    if any(row.outcome is None and row.started_at > now - POLL_LOST_AFTER for row in earlier):
        return None
    if any(row.outcome is not None and row.error != UNBORN for row in earlier) and not force:
        return None
    return earlier[-1].sequence + 1 if earlier else 0


def start_poll(connection: Connection, key: PollKey, sequence: int, now: datetime) -> int | None:
    """Begin a poll and give its id, None where it was begun already (by this or another process)."""
    row = {
        "provider": key.provider,
        "scope": key.scope,
        "slot": key.slot,
        "purpose": key.purpose,
        "sequence": sequence,
        "started_at": now,
    }
    if not insert_ignore(connection, poll, [row]):
        return None
    query = select(poll.c.id).where(*key.where, poll.c.sequence == sequence)
    return int(connection.execute(query).scalar_one())


def record_poll(
    connection: Connection,
    poll_id: int,
    result: PollResult,
    *,
    interval_s: int,
    now: datetime,
    lasts_s: int | None = None,
    back_off: BackOff | None = None,
) -> bool:
    """Finish a poll with all that it brought; False (and nothing is written) where it was finished already.

    The poll stands for `lasts_s` of observed time from the start of its slot, `interval_s` if not given. After a
    failure the provider is held back by `back_off`, if there is one, and by its own wish.
    """
    started = connection.execute(
        select(*_COLUMNS).where(poll.c.id == poll_id, poll.c.outcome.is_(None)).with_for_update()
    ).one_or_none()
    if started is None:
        return False
    begun = Poll(*started)
    sha256, size = _store_answer(connection, begun, result, now)
    connection.execute(
        update(poll)
        .where(poll.c.id == poll_id)
        .values(
            finished_at=now,
            outcome=result.outcome,
            http_status=result.http_status,
            item_count=result.item_count,
            feed_time=result.feed_time,
            error=result.error,
            answer_sha256=sha256,
            answer_size=size,
            # A failed poll has nothing that waits to become visits or looks, unless somebody was heard all the same.
            derived=result.outcome == "failed" and not result.fixes,
        )
    )
    if begun.purpose == "data":
        begins = datetime.fromtimestamp(begun.slot * interval_s, UTC)
        _account(connection, begun, result, begins, lasts_s or interval_s)
    _note_health(connection, begun, result, back_off, now)
    return True


def _store_answer(
    connection: Connection, begun: Poll, result: PollResult, now: datetime
) -> tuple[str, int] | tuple[None, None]:
    # A canary proves that the provider is alive; nobody watches the place that it asks about.
    if begun.purpose != "data":
        return None, None
    insert_fixes(connection, [replace(each, poll_id=begun.id) for each in result.fixes])
    insert_scenes(connection, [replace(each, poll_id=begun.id) for each in result.scenes])
    insert_detections(connection, [replace(each, poll_id=begun.id) for each in result.detections])
    insert_claims(connection, [replace(each, poll_id=begun.id) for each in result.claims])
    insert_estimates(connection, [replace(each, poll_id=begun.id) for each in result.estimates])
    store_extracts(connection, begun.id, result.extracts, now)
    return answer_digest(result.bodies)


def _account(connection: Connection, begun: Poll, result: PollResult, begins: datetime, lasts_s: int) -> None:
    # A slot is watched once, however often it was asked.
    again = _others(connection, begun, poll.c.outcome.in_(GOOD_OUTCOMES), poll.c.scope == begun.scope)
    good = result.outcome in GOOD_OUTCOMES and not again
    accrue(
        connection,
        begun.provider,
        result.nearby,
        parts=result.parts,
        begins=begins,
        lasts_s=lasts_s,
        observed=result.nearby.keys() - result.unheard if good else (),
    )


def _note_health(
    connection: Connection, begun: Poll, result: PollResult, back_off: BackOff | None, now: datetime
) -> None:
    if result.outcome in GOOD_OUTCOMES:
        if begun.purpose == "data":
            note_good(connection, begun.provider, now, result.feed_time)
        return
    if result.ours:
        return
    note_failure(
        connection,
        begun.provider,
        now,
        error=result.error,
        back_off=back_off,
        # The health is that of the slot: one good answer makes it good, and it fails only once.
        counts=begun.purpose == "data" and not _others(connection, begun, poll.c.outcome.is_not(None)),
        retry_after_s=result.retry_after_s,
        disable=result.disable,
    )


def _others(connection: Connection, begun: Poll, *where: ColumnElement[bool]) -> bool:
    """Whether another data poll of the same slot ended so."""
    query = select(poll.c.id).where(
        poll.c.provider == begun.provider,
        poll.c.slot == begun.slot,
        poll.c.purpose == "data",
        poll.c.id != begun.id,
        *where,
    )
    return connection.execute(query.limit(1)).first() is not None


def answered_since(connection: Connection, provider: str, slot: int, since: datetime) -> bool:
    """Whether the provider gave a non-empty answer to anything in this slot or later, begun since then."""
    query = select(poll.c.id).where(
        poll.c.provider == provider,
        poll.c.started_at >= since,
        poll.c.slot >= slot,
        poll.c.outcome == "ok",
    )
    return connection.execute(query.limit(1)).first() is not None


def last_good_poll(connection: Connection, provider: str, scope: str) -> Poll | None:
    """The newest poll for data of this scope that did not fail."""
    return last_good_polls(connection, provider, [scope]).get(scope)


def last_good_polls(connection: Connection, provider: str, scopes: Collection[str]) -> dict[str, Poll]:
    """The newest poll for data of each of these scopes that did not fail, by scope; asked in one."""
    return _newest(connection, provider, scopes, poll.c.outcome.in_(GOOD_OUTCOMES))


def last_heeded_polls(connection: Connection, provider: str, scopes: Collection[str]) -> dict[str, Poll]:
    """The newest poll for data of each scope that was answered or failed by itself, not one that was turned away."""
    heeded = or_(poll.c.http_status.is_(None), poll.c.http_status != _TOO_OFTEN)
    return _newest(connection, provider, scopes, *_ENDED, heeded)


def last_finished_polls(connection: Connection, provider: str, scopes: Collection[str]) -> dict[str, Poll]:
    """The newest poll for data of each scope that ended, however it did."""
    return _newest(connection, provider, scopes, *_ENDED)


def _newest(
    connection: Connection, provider: str, scopes: Collection[str], *where: ColumnElement[bool]
) -> dict[str, Poll]:
    if not scopes:
        return {}
    asked = key_table(connection, [poll.c.scope], [(each,) for each in scopes])
    there = poll.alias("there")
    newest = (
        select(poll.c.id)
        .where(poll.c.provider == provider, poll.c.scope == asked.c.key_0, poll.c.purpose == "data", *where)
        .order_by(poll.c.started_at.desc(), poll.c.id.desc())
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )
    query = (
        select(*(there.c[each.name] for each in _COLUMNS))
        .select_from(asked)
        .join(there, there.c.id == newest)
    )
    return {found.scope: found for found in (Poll(*row) for row in connection.execute(query))}


def last_turned_away(
    connection: Connection, providers: Collection[str], since: datetime, limit: int
) -> list[Poll]:
    """The newest polls of these providers, begun since then, that were told that we ask too often; newest first."""
    query = (
        select(*_COLUMNS)
        .where(poll.c.provider.in_(providers), poll.c.started_at >= since, poll.c.http_status == _TOO_OFTEN)
        .order_by(poll.c.started_at.desc(), poll.c.id.desc())
        .limit(limit)
    )
    return [Poll(*row) for row in connection.execute(query)]


def let_through(
    connection: Connection, providers: Collection[str], since: datetime, until: datetime
) -> list[datetime]:
    """When the requests of these providers that were answered well were begun in [since, until], whatever they were for."""
    query = select(poll.c.started_at).where(
        poll.c.provider.in_(providers),
        poll.c.started_at >= since,
        poll.c.started_at <= until,
        poll.c.outcome.in_(GOOD_OUTCOMES),
    )
    return list(connection.execute(query.order_by(poll.c.started_at)).scalars())


def unborn_polls(connection: Connection, provider: str, now: datetime) -> list[int]:
    """The ids of this provider's polls that were begun under a clock that was ahead."""
    unborn = select(poll.c.id).where(poll.c.provider == provider, poll.c.started_at > now + CLOCK_SKEW)
    return list(connection.execute(unborn).scalars())


def disown_unborn(connection: Connection, provider: str, now: datetime) -> int:
    """Take back what a clock that was ahead wrote of this provider's polls; give the number of polls.

    They answered nothing that is asked now: their slots may be asked when they come, the hours to come are not
    watched yet, and reports of a time to come were heard at another.
    """
    ids = unborn_polls(connection, provider, now)
    if not ids:
        return 0
    drop_unborn_hours(connection, provider, now)
    drop_unborn_fixes(connection, ids, now + CLOCK_SKEW)
    values = {"started_at": now, "finished_at": now, "outcome": "failed", "error": UNBORN, "derived": True}
    for some in chunks(ids):
        connection.execute(update(poll).where(poll.c.id.in_(some)).values(**values))
    return len(ids)


def polls(
    connection: Connection,
    *,
    provider: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    purpose: Purpose | None = None,
    limit: int | None = None,
) -> list[Poll]:
    """Polls begun in [since, until), newest first."""
    wanted = [
        *([] if provider is None else [poll.c.provider == provider]),
        *([] if since is None else [poll.c.started_at >= since]),
        *([] if until is None else [poll.c.started_at < until]),
        *([] if purpose is None else [poll.c.purpose == purpose]),
    ]
    query = select(*_COLUMNS).where(and_(True, *wanted)).order_by(poll.c.started_at.desc(), poll.c.id.desc())
    return [Poll(*row) for row in connection.execute(query.limit(limit))]


def poll_by_id(connection: Connection, poll_id: int) -> Poll | None:
    """One poll, None where there is none with this number."""
    row = connection.execute(select(*_COLUMNS).where(poll.c.id == poll_id)).one_or_none()
    return None if row is None else Poll(*row)


def providers_of(connection: Connection, poll_ids: Collection[int]) -> dict[int, str]:
    """Who answered each of these polls, by poll id."""
    found: dict[int, str] = {}
    for some in chunks(sorted(poll_ids)):
        query = select(poll.c.id, poll.c.provider).where(poll.c.id.in_(some))
        found.update((row.id, row.provider) for row in connection.execute(query))
    return found


def requests_since(connection: Connection, since: datetime) -> dict[str, int]:
    """How many requests of every purpose were begun since then, by provider."""
    # Grouped by the bare column, SQLite would go through the whole table in its order.
    name = poll.c.provider.concat("")
    query = select(name, func.count()).where(poll.c.started_at >= since).group_by(name)
    return {provider: number for provider, number in connection.execute(query)}  # noqa: C416 - rows are not pairs to mypy
