"""What is known of each provider's health: a cache over its polls."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from db.moments import CLOCK_SKEW, lies_ahead
from db.records import ProviderState
from db.schema import provider_state
from db.upsert import upsert

LONGEST_OWN_WAIT_S = 900
"""The longest that a provider is left alone without a wish of its own."""
_LONGEST_WAIT = timedelta(days=7)
"""A provider's own wish; more is not taken from any answer."""
BackOff = Callable[[int], float]
"""How many seconds to leave a provider alone after so many failed slots on end."""


def provider_states(connection: Connection) -> dict[str, ProviderState]:
    """Every provider that was ever asked, by name."""
    rows = connection.execute(select(provider_state).order_by(provider_state.c.provider)).mappings()
    return {row["provider"]: ProviderState(**row) for row in rows}


def read_state(connection: Connection, provider: str, now: datetime) -> ProviderState:
    """One provider's state as far as it can be believed now, `unknown` before its first poll."""
    query = select(provider_state).where(provider_state.c.provider == provider)
    row = connection.execute(query).mappings().one_or_none()
    return _believed(ProviderState(**row), now) if row else ProviderState(provider, "unknown", now)


def _believed(state: ProviderState, now: datetime) -> ProviderState:
    """The state without what a clock that was ahead wrote: waits beyond their longest, and what has not happened yet."""
    retry_at = _wait(state, state.retry_at, _LONGEST_WAIT, now)
    longest_own = timedelta(seconds=LONGEST_OWN_WAIT_S)
    not_before = retry_at
    if state.not_before != state.retry_at:
        not_before = _wait(state, state.not_before, longest_own, now) or retry_at
    return replace(
        state,
        not_before=not_before,
        retry_at=retry_at,
        last_ok_at=None if _unborn(state.last_ok_at, now) else state.last_ok_at,
        failing_since=now if _unborn(state.failing_since, now) else state.failing_since,
    )


def _wait(state: ProviderState, until: datetime | None, longest: timedelta, now: datetime) -> datetime | None:
    if until is None or until <= now:
        return until
    return until if not _unborn(state.updated_at, now) and lies_ahead(until, now, longest) else None


def _unborn(at: datetime | None, now: datetime) -> bool:
    return at is not None and at > now + CLOCK_SKEW


def note_good(connection: Connection, provider: str, now: datetime, feed_time: datetime | None) -> None:
    """A poll for data succeeded: the provider is well, whatever was before."""
    before = read_state(connection, provider, now)
    # Another scope may just have been told to wait.
    retry_at = before.retry_at if before.retry_at and before.retry_at > now else None
    _write(
        connection,
        before,
        now,
        health="ok",
        not_before=retry_at,
        retry_at=retry_at,
        last_ok_at=now,
        failing_since=None,
        last_error=None,
        failures=0,
        feed_time=feed_time or before.feed_time,
    )


def note_failure(
    connection: Connection,
    provider: str,
    now: datetime,
    *,
    error: str | None,
    counts: bool,
    back_off: BackOff | None = None,
    retry_after_s: float | None = None,
    disable: bool = False,
) -> None:
    """A poll failed; `counts` is False where the slot went well otherwise or its failure is counted already."""
    before = read_state(connection, provider, now)
    failures = before.failures + counts
    retry_at = before.retry_at if retry_after_s is None else now + timedelta(seconds=retry_after_s)
    own = before.not_before
    if counts:
        own = now + timedelta(seconds=back_off(failures) if back_off else 0)
    health = before.health
    if disable:
        health = "disabled"
    elif counts and health != "disabled":
        health = "failing"
    _write(
        connection,
        before,
        now,
        health=health,
        not_before=max((each for each in (own, retry_at) if each), default=None),
        retry_at=retry_at,
        failing_since=before.failing_since or (now if health in ("failing", "disabled") else None),
        last_error=error,
        failures=failures,
    )


def note_partial(
    connection: Connection, provider: str, now: datetime, error: str, failing_since: datetime | None
) -> None:
    """A provider answers for some places only: it is asked as before, and is not well; since when is carried on."""
    before = read_state(connection, provider, now)
    if before.health == "ok":
        same = {name: getattr(before, name) for name in ("not_before", "retry_at", "failures")}
        since = failing_since or now
        _write(connection, before, now, **same, health="failing", failing_since=since, last_error=error)


def note_credits(
    connection: Connection, provider: str, credits_left: Mapping[str, Any], now: datetime
) -> None:
    """Remember what a provider's ledger says."""
    before = read_state(connection, provider, now)
    if before.credits != credits_left:
        names = ("not_before", "retry_at", "failing_since", "last_error", "failures")
        same = {name: getattr(before, name) for name in names}
        _write(connection, before, now, **same, credits=dict(credits_left))


def _write(connection: Connection, before: ProviderState, now: datetime, **changes: Any) -> None:
    row = {
        "provider": before.provider,
        "health": before.health,
        "last_ok_at": before.last_ok_at,
        "feed_time": before.feed_time,
        "credits": before.credits,
        "updated_at": now,
        **changes,
    }
    upsert(connection, provider_state, row, ["provider"])
