"""An alert about Busy Port in the database, and messages owed about it."""

from collections.abc import Iterable
from datetime import datetime

from db.deliveries import enqueue
from db.engine import Connection
from db.schema import alert, alert_event


def store_alert(connection: Connection, number: int, now: datetime) -> None:
    """An open alert `alert-NUMBER` with the event of its opening."""
    key = f"alert-{number}"
    connection.execute(
        alert.insert().values(
            id=key,
            fingerprint=key,
            site_id="busy-port",
            site_name="Busy Port",
            metric="railcars",
            subjects=[],
            rule="record",
            rules=["record"],
            status="open",
            phenomenon_time=now,
            opened_at=now,
            last_look_at=now,
            baseline={},
            headline=f"About {number} railcars",
            details={},
            incident_id=key,
            events=1,
        )
    )
    store_event(connection, number, 1, "opened", now)


def store_event(connection: Connection, number: int, seq: int, kind: str, now: datetime) -> None:
    """One event of that alert."""
    values = {"alert_id": f"alert-{number}", "seq": seq, "kind": kind, "at": now, "recorded_at": now}
    connection.execute(alert_event.insert().values(**values, details={}))


def owe_event(
    connection: Connection, number: int, channels: Iterable[str], now: datetime, *, seq: int = 1
) -> set[str]:
    """Owe an event of that alert to each channel; give the identities of the messages."""
    owed = {f"alert-{number}:{seq}:{channel}": channel for channel in channels}
    for identity, channel in owed.items():
        enqueue(
            connection,
            identity=identity,
            kind="alert",
            channel=channel,
            alert_id=f"alert-{number}",
            event_seq=seq,
            now=now,
        )
    return set(owed)
