"""Position reports and visits."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from db.records.base import Evidence, Json

VisitState = Literal[
    "lost_toward",
    "presumed",
    "present",
    "confirmed",
    "departed",
    "through_flight",
    "diverted",
    "withdrawn",
]


@dataclass(frozen=True, slots=True)
class Fix:
    """One position report: one aircraft at one time and place (ft, kt, °, ft/min; WGS 84).

    `icao24` is lower-case hexadecimal; a leading `~` marks an address that is not ICAO's.
    `on_ground` is None where the report does not say.
    """

    provider: str
    icao24: str
    at: datetime
    received_at: datetime
    lat: float
    lon: float
    on_ground: bool | None = None
    altitude_ft: float | None = None
    altitude_geom_ft: float | None = None
    ground_speed_kt: float | None = None
    track_deg: float | None = None
    vertical_rate_fpm: float | None = None
    source: str = ""
    nic: int | None = None
    nac_p: int | None = None
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    db_flags: int = 0
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One aircraft's stay at one site, in one version; confidence 1 (weak) to 4 (both sides seen)."""

    visit_id: str
    version: int
    site_id: str
    icao24: str
    state: VisitState
    confidence: int
    arrived_at: datetime | None
    departed_at: datetime | None
    first_fix_at: datetime | None
    last_fix_at: datetime | None
    recorded_at: datetime
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    subjects: tuple[str, ...] = ()
    candidates: Json = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
