"""Records of what others say of aircraft and flights: registers, claimed flights, estimated positions, back-fill."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

UNNAMED_FLAGS = 4 | 8
"""PIA and LADD: aircraft whose operators asked not to be shown."""


@dataclass(frozen=True, slots=True)
class KnownAircraft:
    """What an aircraft database says of one address; `operator` is ICAO's three letters, never an owner.

    `flags` are those of tar1090-db: 1 military, 2 interesting, 4 PIA, 8 LADD.
    """

    icao24: str
    registration: str = ""
    type_code: str = ""
    operator: str = ""
    flags: int = 0


@dataclass(frozen=True, slots=True)
class FlightClaim:
    """What a provider says of a flight: from where to where, and when. Airports are ICAO codes.

    `estimated` means that the provider guessed the airports from where the track began and ended; `quality`
    holds what it says about the guess. `actual_destination` is where it says that the flight landed.
    """

    provider: str
    flight_id: str
    received_at: datetime
    icao24: str = ""
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    operator: str = ""
    origin: str = ""
    destination: str = ""
    actual_destination: str = ""
    took_off_at: datetime | None = None
    landed_at: datetime | None = None
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    ended: bool | None = None
    estimated: bool = False
    quality: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class EstimatedPosition:
    """Where a provider reckons an aircraft to be that nobody hears: extrapolated, never counted (ft, kt, °)."""

    provider: str
    icao24: str
    at: datetime
    received_at: datetime
    lat: float
    lon: float
    altitude_ft: float | None = None
    ground_speed_kt: float | None = None
    track_deg: float | None = None
    callsign: str = ""
    registration: str = ""
    type_code: str = ""
    origin: str = ""
    destination: str = ""
    eta: datetime | None = None
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class BackfillPart:
    """One part of an archived day that was read: what was kept of it and when the archive heard anything.

    `heard` and `nearby` count reports by slot of the day (`nearby` by site); `body` packs the reports kept.
    """

    provider: str
    day: str
    part: str
    aircraft: int
    fixes: int
    heard: Mapping[str, int]
    nearby: Mapping[str, Mapping[str, int]]
    rejected: Mapping[str, int]
    body: bytes
    read_at: datetime
