"""Items of single radar bursts, as OPERA lists them: their names alone say which track they are of and which satellite flew it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shapely.geometry.base import BaseGeometry

BURST_PROPERTY = "opera:burst_id"
ORBIT_PROPERTY = "sat:relative_orbit"
_NAME = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T(?P<track>\d{3})-\d{6}-IW[1-3])_\d{8}T\d{6}Z_\d{8}T\d{6}Z_S1(?P<satellite>[A-D])_\d+_v\d+\.\d+"
)
_DEGREES_AN_HOUR = 15.0
_LAST_TRACK = 175


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst: `name` says track, number and swath, and so from where it was seen."""

    name: str
    track: int
    platform: str

    @property
    def properties(self) -> dict[str, Any]:
        """What a scene of it keeps."""
        return {ORBIT_PROPERTY: self.track, BURST_PROPERTY: self.name}

    def is_refuted(self, properties: Mapping[str, Any]) -> bool:
        """Whether the item says another track than its name."""
        return bool(properties.get(ORBIT_PROPERTY, self.track) != self.track)

    def pass_text(self, at: datetime, footprint: BaseGeometry) -> str:
        """The same text for every burst of one pass: track and day, a day by the sun, for no pass is near its midnight."""
        local = at + timedelta(hours=float(footprint.representative_point().x) / _DEGREES_AN_HOUR)
        return f"T{self.track:03}-{local:%Y%m%d}"


def burst_of(item_id: str) -> Burst | None:
    """Read the name of an item; None where it is none of a burst."""
    said = _NAME.fullmatch(item_id)
    if said is None or not 1 <= int(said["track"]) <= _LAST_TRACK:
        return None
    return Burst(said["burst"], int(said["track"]), f"sentinel-1{said['satellite'].lower()}")
