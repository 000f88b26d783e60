"""Scenes that polls brought become looks of the metric `passes`; for one batch of polls."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from db.engine import Connection
from db.imagery import scenes
from db.observations import looks
from db.pixels import shares_of_pass
from db.records import Observation, Scene
from monitor.imagery.looks import PASSES_METRIC, pass_looks
from monitor.sites import Site

_AROUND = timedelta(days=1)


def looks_of_scenes(
    connection: Connection, poll_ids: Collection[int], sites: Mapping[str, Site], now: datetime
) -> Iterator[Observation]:
    """Give the looks of every pass that these polls brought a scene of."""
    brought = scenes(connection, poll_ids=poll_ids)
    for site_id, look_key in sorted({(scene.site_id, scene.look_key) for scene in brought}):
        if site_id in sites:
            whole = scenes(connection, site_id=site_id, look_keys=[look_key])
            starts = known_starts(connection, site_id, whole)
            read = shares_of_pass(connection, site_id, look_key)
            pixels = {look_key: read} if read else None
            yield from pass_looks(sites[site_id], whole, recorded_at=now, known_starts=starts, pixels=pixels)


def known_starts(connection: Connection, site_id: str, whole: Collection[Scene]) -> dict[str, datetime]:
    """Under which period start the passes of these scenes were stored before, by look key."""
    times = [scene.acquired_at for scene in whole]
    since, until = min(times) - _AROUND, max(times) + _AROUND
    known = looks(connection, site_id=site_id, metric=PASSES_METRIC.name, area="", since=since, until=until)
    return {look.look_key: look.period_start for look in known}
