"""Detections that a catalogue serves as STAC items: each item is one object, or what was found in one scene."""

from collections.abc import Sequence
from datetime import datetime

from db.records import Purpose
from db.records.detections import Detection
from monitor.feeds import FeedClient, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of
from monitor.feeds.features import features_of, id_of, properties_of, shape_of
from monitor.feeds.stac import StacFeed
from monitor.sites import Site


class StacDetectionsFeed(StacFeed):
    """Searches as `StacFeed` does; without the option `class` the collection is the class.

    Options: those of `StacFeed` and the mapping of `monitor.feeds.detections`.
    """

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        super().__init__(provider, client)
        self._mapping = mapping_of(provider, time="datetime", **{"class": "collection"})

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Search a window that reaches back before the last search, following pages."""
        begins, ends = self.window(now, since)
        reader = DetectionReader(self.provider.name, self._mapping, sites, begins=begins, now=now)
        found: list[Detection] = []
        bodies: list[bytes] = []
        status, read = 0, 0
        for answer, _page in self.pages(sites, begins, ends, scope, purpose):
            status = answer.status
            bodies.append(answer.body)
            _, items = features_of(answer, f"{self.provider.name} {scope.key}")
            read += len(items)
            for item in items:
                said = {"collection": item.get("collection"), **properties_of(item)}
                found += reader.read(said, shape_of(item), id_of(item))
        return Fetched(tuple(bodies), status, read, detections=tuple(found), rejected=dict(reader.rejected))
