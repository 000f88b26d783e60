"""What radar shows of a site: numbers and pixels of one pass, what they cost, and which measures may be judged."""

from dataclasses import dataclass, field
from datetime import datetime

from db.records.base import JsonMapping


@dataclass(frozen=True, slots=True)
class RadarLook:
    """One part of what was learned of one radar pass over one site.

    `part` is `zone:AREA` for numbers of one area that a service reckoned (`zone:` the whole site, `zone:~` the ground around
    it), or the name of a burst whose pixels were read. `drawn` is a digest of what was drawn then. `numbers` holds what
    `monitor.imagery.radar.ZoneNumbers` has; `codes` packed pixels, decibels in one byte a polarisation.
    """

    site_id: str
    look_key: str
    part: str
    provider: str
    collection: str
    item_id: str
    relative_orbit: int
    orbit_state: str
    acquired_at: datetime
    drawn: str
    numbers: JsonMapping
    codes: bytes | None = field(repr=False)
    epsg: int
    fault: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class UnitsSpent:
    """What one provider has charged in one month (UTC, as 2026-11), and until when it is to be left alone.

    `estimated` is what was reckoned beforehand for the same requests: both together say what the next one will cost.
    """

    provider: str
    month: str
    units: float = 0.0
    estimated: float = 0.0
    requests: int = 0
    not_before: datetime | None = None
    words: str = ""
    """Why it is left alone."""


@dataclass(frozen=True, slots=True)
class RadarAdmission:
    """What one radar measure has shown that it can do in one area, seen from one orbit, and whether it may be judged."""

    site_id: str
    area: str
    metric: str
    procedure: str
    outline: str
    """A digest of what was drawn when this was learned."""
    admitted: bool
    looks: int
    words: str
    figures: JsonMapping
    decided_at: datetime
