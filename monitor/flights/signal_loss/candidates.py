"""Gates: where tracks towards a site usually end. Learnt from earlier losses; a site's own gates replace them."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.records import Visit
from monitor.flights.geodesy import great_circle_nm
from monitor.sites import Site

RADIUS_NM = 30.0
MIN_LOSSES = 3
"""Fewer losses at one place are no habit."""
_LEARNT_FROM = frozenset({"lost_toward", "presumed", "present", "confirmed", "departed"})


@dataclass(frozen=True, slots=True)
class Gate:
    """A circle in which the signal of aircraft bound for a site is usually lost, and comes back."""

    name: str
    lat: float
    lon: float
    radius_nm: float
    losses: int = 0
    """How many losses it was learnt from; 0 where the sites file says it."""

    def holds(self, lat: float, lon: float) -> bool:
        """Whether a position lies in it."""
        return great_circle_nm(self.lat, self.lon, lat, lon) <= self.radius_nm


def gates_of(site: Site, visits: Sequence[Visit]) -> tuple[Gate, ...]:
    """Give the gates that the sites file names, else those learnt from earlier losses of this site's visits."""
    if site.gates:
        return tuple(
            Gate(
                str(each.get("name") or each["id"]),
                float(each["point"][1]),
                float(each["point"][0]),
                float(each["radius_nm"]),
            )
            for each in site.gates
        )
    return _learn([visit for visit in visits if visit.site_id == site.id])


def _learn(visits: Sequence[Visit]) -> tuple[Gate, ...]:
    """Gather the places at which inferred visits lost their signal; three within 30 NM on two days make a gate."""
    left = sorted(
        (gap["lost_at"], float(gap["lost"][0]), float(gap["lost"][1]))
        for visit in visits
        if visit.state in _LEARNT_FROM and (gap := visit.candidates.get("gap")) and gap.get("lost")
    )
    found: list[Gate] = []
    while left:
        _, lat, lon = left[0]
        near = [each for each in left if great_circle_nm(lat, lon, each[1], each[2]) <= RADIUS_NM]
        left = [each for each in left if each not in near]
        days = {at[:10] for at, _, _ in near}
        if len(near) >= MIN_LOSSES and len(days) > 1:
            lat, lon = (sum(each[n] for each in near) / len(near) for n in (1, 2))
            found.append(Gate(f"learnt gate {len(found) + 1}", lat, lon, RADIUS_NM, len(near)))
    return tuple(found)
