"""Whom to ask next: how many places a slot has room for by what the provider lets through, which come first, and which lack answers."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from db.engine import Connection
from db.polls import (
    last_finished_polls,
    last_good_polls,
    last_heeded_polls,
    last_turned_away,
    let_through,
)
from db.provider_states import read_state
from db.records import Poll
from monitor.feeds import Provider, Scope
from monitor.feeds.options import rotation_slots
from monitor.flights.coverage import POLL_WORTH_S

DOUBLES_AFTER_SLOTS = 60
"""What a provider let through until it was asked too often is its limit; twice as much is tried after so many slots."""
REMEMBERED_SLOTS = 6 * DOUBLES_AFTER_SLOTS
LIMIT_OVER_S = 60
"""Limits are given by the minute at the least; shorter slots are taken together."""
_SAME_ROUND = timedelta(seconds=1)
_LONGEST_REST = timedelta(days=7)
_REFUSALS = 20
"""So many of the newest are read back to one before which something was let through."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def learnt_room(connection: Connection, sharing: Sequence[Provider], now: datetime) -> float | None:
    """How many requests the first of these providers may send in a slot, by what it was told; None where nothing was said.

    All that share a limit count together and have equal parts of it. What was let through until the newest refusal,
    over the slot of that and a minute at the least, is the limit.
    """
    names = [each.name for each in sharing]
    over = {each.name: max(each.interval_s, LIMIT_OVER_S) for each in sharing}
    intervals = {each.name: each.interval_s for each in sharing}
    oldest = now - timedelta(seconds=REMEMBERED_SLOTS * max(over.values()))
    for refused in last_turned_away(connection, names, oldest, _REFUSALS):
        over_s, interval_s = over[refused.provider], intervals[refused.provider]
        ends = datetime.fromtimestamp((refused.slot + 1) * interval_s, UTC)
        since = ends - timedelta(seconds=over_s)
        good = let_through(connection, names, since, refused.started_at + _SAME_ROUND)
        if good and now - since < timedelta(seconds=REMEMBERED_SLOTS * over_s):
            # What was not asked before was not refused, either: the limit is learnt from the first that passed.
            asked_s = math.ceil((ends - good[0]).total_seconds() / interval_s) * interval_s
            rate = len(good) / min(over_s, asked_s) / len(names)
            slots_since = max(0.0, (now - since).total_seconds() // over_s)
            return rate * sharing[0].interval_s * 2 ** (slots_since / DOUBLES_AFTER_SLOTS)
    return None


def slots_needed(provider: Provider, scopes: int, room: float | None) -> int:
    """How many slots it takes to ask for so many places once: by the options, and by what the provider lets through."""
    needed = rotation_slots(provider, scopes)
    if room is None:
        return needed
    # A room of two and a half is one for two: the half lets nothing through.
    return max(needed, math.ceil(scopes / (int(room) if room >= 1 else room)))


def must_wait(connection: Connection, sharing: Sequence[Provider], room: float | None, now: datetime) -> bool:
    """Whether there is no room yet in this slot, as a request fits in only every few of them."""
    if room is None or room >= 1:
        return False
    apart = timedelta(seconds=sharing[0].interval_s / room)
    return bool(let_through(connection, [sharing[0].name], now - apart + _SAME_ROUND, now))


def resting(
    connection: Connection, sharing: Sequence[Provider], now: datetime
) -> tuple[str, datetime] | None:
    """Which other provider under the same limit was told to ask less often and when it may be asked again, if it rests."""
    others = [each.name for each in sharing[1:]]
    found = last_turned_away(connection, others, now - _LONGEST_REST, _REFUSALS) if others else []
    for refused in {each.provider: each for each in found}.values():
        until = read_state(connection, refused.provider, now).retry_at
        if until is not None and until > now:
            return refused.provider, until
    return None


def in_turn(
    connection: Connection, provider: Provider, scopes: Sequence[Scope], after_slot: int
) -> list[Scope]:
    """The scopes that were not heeded after this slot, in the order in which they are to be asked: the longest wait first."""
    last = last_heeded_polls(connection, provider.name, {scope.key for scope in scopes})
    due = [scope for scope in scopes if scope.key not in last or last[scope.key].slot <= after_slot]
    return sorted(due, key=lambda scope: last[scope.key].started_at if scope.key in last else _LONG_AGO)


def troubled(
    connection: Connection, provider: Provider, scopes: Sequence[Scope], slots: int, now: datetime
) -> list[tuple[Scope, Poll]]:
    """The scopes that were not answered for longer than their turn takes, each with its newest poll, which failed."""
    patience = timedelta(seconds=max(POLL_WORTH_S, 2 * slots * provider.interval_s))
    ended = last_finished_polls(connection, provider.name, {scope.key for scope in scopes})
    failed = {key: newest for key, newest in ended.items() if newest.outcome == "failed"}
    good = last_good_polls(connection, provider.name, failed)
    long_ago = {key for key in failed if key not in good or good[key].started_at < now - patience}
    return [(scope, failed[scope.key]) for scope in scopes if scope.key in long_ago]
