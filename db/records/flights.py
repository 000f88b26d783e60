"""Position reports and visits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from db.records.base import SEEN_FROM_ABOVE, Evidence, JsonMapping

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


PRESENT_STATES = frozenset({"present", "departed", "confirmed"})
"""States in which an aircraft is held to have been at the site."""
AWAITED_STATES = frozenset({"lost_toward", "presumed"})
"""States in which it may be there: counted, with a lower bound that leaves it out."""
INFERRED = "inferred"
"""The key of a visit's candidates that says how it was inferred: `lost` on the way here, or only `emerged`."""
_ONLY_REGION = "only_region"
_FLIGHT_ENDS = ("origin", "destination")
TimeBounds = tuple[datetime, datetime]
"""The earliest and the latest time at which something can have happened."""


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
    candidates: JsonMapping = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()

    @property
    def began_at(self) -> datetime:
        """The first that is known of it: what lists of visits go by."""
        return self.first_fix_at or self.arrived_at or self.departed_at or self.recorded_at

    @property
    def is_here(self) -> bool:
        """Whether the aircraft is held to be or to have been at the site."""
        return self.state in PRESENT_STATES

    @property
    def is_awaited(self) -> bool:
        """Whether it was lost on the way and may be at the site."""
        return self.state in AWAITED_STATES

    @property
    def is_awaited_near(self) -> bool:
        """Whether it is awaited here or at a neighbour, and nothing tells which."""
        return self.is_awaited and self.is_undecided

    @property
    def is_counted(self) -> bool:
        """Whether it is here or awaited here; who may as well have gone to a neighbour is awaited at neither."""
        return self.is_here or (self.is_awaited and not self.is_undecided)

    @property
    def is_undecided(self) -> bool:
        """Whether the aircraft is lost somewhere near the site, and may as well have gone to a neighbour of it."""
        return bool(self.candidates.get("undecided"))

    @property
    def is_inferred(self) -> bool:
        """Whether nobody heard this visit: it rests on a loss of signal."""
        return INFERRED in self.candidates

    @property
    def came_at(self) -> datetime:
        """When it arrived, or the first that is known of it."""
        return self.arrived_at or self.first_fix_at or self.recorded_at

    @property
    def seen_from_above(self) -> tuple[Evidence, ...]:
        """What pictures of the place say of it."""
        return tuple(each for each in self.evidence if each.kind == SEEN_FROM_ABOVE)

    @property
    def flight_ends(self) -> JsonMapping:
        """The watched sites at the other ends of the flights that brought and took it: `origin`, `destination`."""
        return {key: self.candidates[key] for key in _FLIGHT_ENDS if key in self.candidates}

    @property
    def site(self) -> str | None:
        """The site where it was; None where only the region is known, whose id `site_id` then is."""
        return None if _ONLY_REGION in self.candidates else self.site_id

    @property
    def region(self) -> str:
        """The region where it was, as the sites file declares it; empty where the site lies in none."""
        return str(self.candidates.get("region", ""))

    @property
    def places(self) -> tuple[JsonMapping, ...]:
        """The odds of an inferred visit: places (`site`, `name`, `watched`, `probability`, `away_nm`), best first."""
        return tuple(self.candidates.get("places", ()))

    @property
    def arrived_between(self) -> TimeBounds | None:
        """The interval in which it must have arrived; None where its arrival was not observed."""
        return _bounds(self.candidates.get("arrived_between"))

    @property
    def departed_between(self) -> TimeBounds | None:
        """The interval in which it must have left; None while it is not known to have."""
        return _bounds(self.candidates.get("departed_between"))

    @property
    def gap(self) -> JsonMapping:
        """The loss of signal behind it; empty where there is none."""
        found: JsonMapping = self.candidates.get("gap") or {}
        return found

    @property
    def lost_at(self) -> datetime | None:
        """When the signal was lost; None where only the departure was heard, or nothing was lost."""
        told = self.gap.get("lost_at")
        return None if told is None else datetime.fromisoformat(told)


def _bounds(stamps: Sequence[str] | None) -> TimeBounds | None:
    return None if stamps is None else (datetime.fromisoformat(stamps[0]), datetime.fromisoformat(stamps[1]))
