"""What may be asked of looks, visits and alerts, at one site or at all: read by command line, API and pages alike. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

SiteArea = tuple[str, str]
"""A site's id, and the id of one of its areas; empty for the whole site."""
GeoBox = tuple[float, float, float, float]
"""West, south, east and north: degrees of WGS 84, not across 180°."""


@dataclass(frozen=True, slots=True)
class LookFilter:
    """Which looks are asked for; what is left at None takes all. `since` and `until` overlap the period."""

    site_ids: Collection[str] | None = None
    area: str | None = None
    metric: str | None = None
    subjects: Collection[str] | None = None
    """One of these; the empty one is the counts of all."""
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None
    as_recorded: datetime | None = None
    places: Collection[SiteArea] | None = None


@dataclass(frozen=True, slots=True)
class VisitFilter:
    """Which visits are asked for; what is left at None takes all. Those that touch [since, until) come.

    By a name of its own (`icao24`, `registration`, `callsign`) only an aircraft is found that was watched when it came:
    nobody else can be followed from place to place, however new a visit is.
    """

    site_ids: Collection[str] | None = None
    icao24: str | None = None
    registration: str | None = None
    callsign: str | None = None
    type_codes: Collection[str] | None = None
    """One of these ICAO type designators."""
    subjects: Collection[str] = ()
    """Counted under each of these."""
    state: str | None = None
    least_confidence: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def by_name(self) -> bool:
        """Whether one aircraft is asked for by what only it is called."""
        return not (self.icao24 is None and self.registration is None and self.callsign is None)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are asked for; those that were open at some time in [since, until)."""

    site_ids: Collection[str] | None = None
    metric: str | None = None
    subjects: Collection[str] | None = None
    """About one of these; the empty one is the counts of all."""
    status: str | None = None
    alert_ids: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    places: Collection[SiteArea] | None = None


@dataclass(frozen=True, slots=True)
class DetectionFilter:
    """Which detections are asked for, at these sites; what else is left at None takes all. Seen in [since, until)."""

    site_ids: Collection[str]
    metric: str | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    boxes: Collection[GeoBox] | None = None
    """Within one of these."""
