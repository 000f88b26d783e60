"""How far the pixels of each site are read, what that costs, and which measures may be judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.engine import Connection
from db.pixels import PixelSummary, bytes_read_on, measures_decided, pixel_summaries
from monitor.sites import Site

_MB = 1024 * 1024
_NOTHING = PixelSummary(0, 0, None)


@dataclass(frozen=True, slots=True)
class SitePixels:
    """One site: passes read, those clear enough to measure, measures that are judged and those that are not."""

    site_id: str
    passes: int
    clear: int
    judged: int
    refused: int
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class PixelStatus:
    """All sites, and the bytes read on this day (UTC) of those that may be."""

    sites: tuple[SitePixels, ...]
    read_bytes: int
    most_bytes: int
    words: str


def pixel_status(connection: Connection, sites: Sequence[Site], mb_a_day: int, now: datetime) -> PixelStatus:
    """Read how far it is."""
    ids = [site.id for site in sites]
    known, decided = pixel_summaries(connection, ids), measures_decided(connection, ids)
    found = tuple(_site(each, known.get(each, _NOTHING), *decided.get(each, (0, 0))) for each in ids)
    read = bytes_read_on(connection, f"{now:%Y-%m-%d}")
    words = f"Read today (UTC): {read / _MB:,.1f} MB of at most about {mb_a_day:,} MB (imagery_mb_a_day)."
    return PixelStatus(found, read, mb_a_day * _MB, words)


def _site(site_id: str, read: PixelSummary, judged: int, decided: int) -> SitePixels:
    return SitePixels(site_id, read.passes, read.clear, judged, decided - judged, read.read_at)
