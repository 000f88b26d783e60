"""Scenes that polls brought become looks of the metric `passes`; called for a batch of polls within its transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from db.engine import Connection
from db.imagery import scenes
from db.observations import looks, record
from db.records import Scene
from monitor.imagery.looks import METRIC, passes
from monitor.sites import Site

_AROUND = timedelta(days=1)


def derive_scenes(
    connection: Connection, poll_ids: Collection[int], sites: Mapping[str, Site], now: datetime
) -> int:
    """Store the looks of every pass that these polls brought a scene of; give how many are new or revised."""
    brought = scenes(connection, poll_ids=poll_ids)
    stored = 0
    for site_id, look_key in sorted({(scene.site_id, scene.look_key) for scene in brought}):
        if site_id in sites:
            whole = scenes(connection, site_id=site_id, look_key=look_key)
            starts = _known_starts(connection, site_id, whole)
            made = passes(sites[site_id], whole, recorded_at=now, known_starts=starts)
            stored += len(record(connection, made))
    return stored


def _known_starts(connection: Connection, site_id: str, whole: Collection[Scene]) -> dict[str, datetime]:
    times = [scene.acquired_at for scene in whole]
    since, until = min(times) - _AROUND, max(times) + _AROUND
    known = looks(connection, site_id=site_id, metric=METRIC.name, area="", since=since, until=until)
    return {look.look_key: look.period_start for look in known}
