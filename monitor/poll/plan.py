"""Whom to ask next: how many places a slot has room for by what the provider lets through, which come first, and which lack answers."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from db.engine import Connection
from db.polls import last_finished_poll, last_good_poll, last_heeded_poll, last_turned_away
from db.records import Poll
from monitor.feeds import Provider, Scope
from monitor.feeds.options import rotation_slots
from monitor.flights.coverage import POLL_WORTH_S

DOUBLES_AFTER_SLOTS = 60
"""What a provider let through until it was asked too often is its limit; twice as much is tried after so many slots."""
REMEMBERED_SLOTS = 6 * DOUBLES_AFTER_SLOTS
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def slots_needed(connection: Connection, provider: Provider, scopes: int, slot: int, now: datetime) -> int:
    """How many slots it takes to ask for so many places once: by the options, and by what the provider lets through."""
    needed = rotation_slots(provider, scopes)
    if needed >= scopes:
        return needed
    remembered = timedelta(seconds=REMEMBERED_SLOTS * provider.interval_s)
    refused = last_turned_away(connection, provider.name, now - remembered)
    if refused is None:
        return needed
    since, let_through = refused
    room = int(let_through * 2 ** ((slot - since) / DOUBLES_AFTER_SLOTS))
    return max(needed, math.ceil(scopes / room))


def in_turn(
    connection: Connection, provider: Provider, scopes: Sequence[Scope], after_slot: int
) -> list[Scope]:
    """The scopes that were not heeded after this slot, in the order in which they are to be asked: the longest wait first."""
    heeded = {scope.key: last_heeded_poll(connection, provider.name, scope.key) for scope in scopes}
    last = {key: found for key, found in heeded.items() if found is not None}
    due = [scope for scope in scopes if scope.key not in last or last[scope.key].slot <= after_slot]
    return sorted(due, key=lambda scope: last[scope.key].started_at if scope.key in last else _LONG_AGO)


def troubled(
    connection: Connection, provider: Provider, scopes: Sequence[Scope], slots: int, now: datetime
) -> list[tuple[Scope, Poll]]:
    """The scopes that were not answered for longer than their turn takes, each with its newest poll, which failed."""
    patience = timedelta(seconds=max(POLL_WORTH_S, 2 * slots * provider.interval_s))
    found = []
    for scope in scopes:
        newest = last_finished_poll(connection, provider.name, scope.key)
        if newest is None or newest.outcome != "failed":
            continue
        good = last_good_poll(connection, provider.name, scope.key)
        if good is None or good.started_at < now - patience:
            found.append((scope, newest))
    return found
