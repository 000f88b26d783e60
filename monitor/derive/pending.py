"""The derive step: what polls brought becomes visits and looks, which are written with the tick that says so.

Each batch is reckoned on a view of the database that holds nobody up. One short transaction then writes all that came of it and
ticks its polls off, or nothing where another process was faster: a kill leaves a batch derived or not begun.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import structlog

from db.drafts import DerivingDraft, StaleDraftError
from db.engine import Engine, reading, writing
from db.flights import underived_polls
from db.records import Poll
from monitor.derive.days import changed_looks, close_ended
from monitor.derive.detections import looks_of_detections
from monitor.derive.scenes import looks_of_scenes
from monitor.derive.tracks import TrackReader, changes_by_site
from monitor.flights.places import Place, places_of, regions_of
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Classes
from monitor.sites import Site

_log = structlog.get_logger()
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
    engine: Engine,
    sites: Sequence[Site],
    now: datetime,
    *,
    classes: Classes | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DeriveReport:
    """Derive every finished poll that waits; may be repeated or killed at any point.

    `stop` is asked between batches: the rest waits.
    """
    places, regions = places_of(sites), regions_of(sites)
    known = default_classes() if classes is None else classes
    done, waiting = DeriveReport(), _something_waits(engine)
    while waiting and not stop():
        with reading(engine) as connection:
            polls = underived_polls(connection, limit=_AT_ONCE)
            batch = [poll for poll in polls if poll.started_at - polls[0].started_at < POLL_BATCH_SPAN]
            draft = DerivingDraft(connection, now)
            if not batch:
                break
            found = _reckon(draft, batch, (places, regions), sites, classes=known)
        try:
            with writing(engine) as connection:
                looks = draft.store(connection, [poll.id for poll in batch])
        except StaleDraftError:
            _log.info("derived anew, as another process wrote meanwhile", polls=len(batch))
            continue
        done += DeriveReport(len(batch), found, looks)
        waiting = len(batch) < len(polls) or len(polls) == _AT_ONCE
    return done


def close_days(
    engine: Engine, sites: Sequence[Site], now: datetime, *, stop: Callable[[], bool] = lambda: False
) -> DeriveReport:
    """Close the local days that ended, a few in each transaction: final counts with their exposure.

    `stop` is asked between days: the rest waits.
    """
    return DeriveReport(looks=close_ended(engine, [site for site in sites if site.flies], now, stop))


def _something_waits(engine: Engine) -> bool:
    with reading(engine) as connection:
        return bool(underived_polls(connection, limit=1))


def _reckon(
    draft: DerivingDraft,
    batch: Sequence[Poll],
    where: tuple[Sequence[Place], Sequence[Place]],
    sites: Sequence[Site],
    *,
    classes: Classes,
) -> int:
    """Draft what these polls bring; give the number of new versions of visits."""
    at = max(poll.finished_at or poll.started_at for poll in batch)
    places, regions = where
    changes = TrackReader(draft, places, regions, classes, draft.now).derive(batch, at)
    flying = {place.id: place.site for place in (*places, *regions)}
    for site_id, changed in changes_by_site(changes).items():
        draft.record_looks(changed_looks(draft, flying[site_id], changed, at))
    by_id = {site.id: site for site in sites}
    poll_ids = [poll.id for poll in batch]
    draft.record_looks(list(looks_of_scenes(draft.connection, poll_ids, by_id, draft.now)))
    draft.record_looks(list(looks_of_detections(draft.connection, poll_ids, by_id, draft.now)))
    return len(changes)
