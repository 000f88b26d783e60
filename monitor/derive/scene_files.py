"""The files of one scene, read in part: each opened once, from known hosts alone, with what it cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from db.records import Scene
from monitor.derive.pictures import check_link, damaged_words
from monitor.feeds import FeedClient
from monitor.feeds.ranges import RangeBudget, RemoteFile
from monitor.imagery.geotiff import GeoTiff
from monitor.imagery.windows import Raster, RasterError

_Found = TypeVar("_Found")


@dataclass(slots=True)
class SceneFiles:
    """Reads the files of a scene, from these hosts, each within this budget; `spent` bytes in so many `requests`."""

    client: FeedClient
    scene: Scene
    hosts: Sequence[str]
    budget: RangeBudget
    spent: int = 0
    requests: int = 0
    _open: dict[str, RemoteFile] = field(default_factory=dict)

    def read(self, name: str, use: Callable[[Raster], _Found], *, again: bool = False) -> _Found:
        """Open one file and give what is made of it; what came is kept if it is read `again`. Raises RasterError and FeedError."""
        link = self.scene.links.get(name)
        if not link:
            raise RasterError(f"the catalogue links no file of the band {name}")
        check_link(link, self.hosts)
        remote = self._open.pop(name, None) or RemoteFile(self.client, link, self.budget)
        before = remote.spent, remote.requests
        try:
            with damaged_words(remote):
                found = use(GeoTiff(remote.open, remote.fetch, remote.keep_only))
        finally:
            self.spent += remote.spent - before[0]
            self.requests += remote.requests - before[1]
        if again:
            self._open[name] = remote
        return found
