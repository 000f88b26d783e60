"""The derive step: what polls brought becomes visits and looks, each batch in one transaction, then it is ticked off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from db.engine import Connection, Engine, reading, writing
from db.flights import mark_derived, underived_polls
from db.records import Poll
from monitor.derive.days import close_ended, record_changed
from monitor.derive.scenes import derive_scenes
from monitor.derive.tracks import TrackReader, changes_by_site
from monitor.flights.places import Place, places_of, regions_of
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Classes
from monitor.sites import Site

_AT_ONCE = 100
POLL_BATCH_SPAN = timedelta(minutes=1)
"""Polls that waited are derived together as far as they began within this time, oldest first."""


@dataclass(frozen=True, slots=True)
class DeriveReport:
    """What one run did: polls ticked off, new versions of visits, new revisions of looks."""

    polls: int = 0
    visits: int = 0
    looks: int = 0

    def __add__(self, other: Self) -> "DeriveReport":
        return DeriveReport(self.polls + other.polls, self.visits + other.visits, self.looks + other.looks)


def derive_pending(
    engine: Engine, sites: Sequence[Site], now: datetime, *, classes: Classes | None = None
) -> DeriveReport:
    """Derive every finished poll that waits; may be repeated or killed at any point."""
    places, regions = places_of(sites), regions_of(sites)
    known = default_classes() if classes is None else classes
    done, waiting = DeriveReport(), _something_waits(engine)
    while waiting:
        with writing(engine) as connection:
            polls = underived_polls(connection, limit=_AT_ONCE)
            batch = [poll for poll in polls if poll.started_at - polls[0].started_at < POLL_BATCH_SPAN]
            done += _derive_batch(connection, batch, places, regions, classes=known, now=now)
            done += _derive_scenes(connection, batch, sites, now)
            mark_derived(connection, [poll.id for poll in batch])
        waiting = len(batch) < len(polls) or len(polls) == _AT_ONCE
    return done


def close_days(engine: Engine, sites: Sequence[Site], now: datetime) -> DeriveReport:
    """Close the local days that ended, each in its own transaction: final counts with their exposure."""
    return DeriveReport(looks=close_ended(engine, [site for site in sites if site.flies], now))


def _something_waits(engine: Engine) -> bool:
    with reading(engine) as connection:
        return bool(underived_polls(connection, limit=1))


def _derive_batch(
    connection: Connection,
    batch: Sequence[Poll],
    places: Sequence[Place],
    regions: Sequence[Place],
    *,
    classes: Classes,
    now: datetime,
) -> DeriveReport:
    if not batch:
        return DeriveReport()
    at = max(poll.finished_at or poll.started_at for poll in batch)
    changes = TrackReader(connection, places, regions, classes, now).derive(batch, at)
    sites = {place.id: place.site for place in (*places, *regions)}
    looks = sum(
        record_changed(connection, sites[site_id], changed, at, now)
        for site_id, changed in changes_by_site(changes).items()
    )
    return DeriveReport(len(batch), len(changes), looks)


def _derive_scenes(
    connection: Connection, batch: Sequence[Poll], sites: Sequence[Site], now: datetime
) -> DeriveReport:
    by_id = {site.id: site for site in sites}
    return DeriveReport(looks=derive_scenes(connection, [poll.id for poll in batch], by_id, now))
