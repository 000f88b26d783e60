"""Which visits of one aircraft are the two ends of one flight: the traffic between watched sites."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from db.records import Visit
from monitor.flights.places import Place
from monitor.flights.signal_loss.performance import performance_of
from monitor.sites.geodesy import great_circle_nm

_SLACK = timedelta(hours=1)
_DETOUR = 1.6
_ENDS = {"arrivals": "origin", "departures": "destination"}


def links_of(visit: Visit, metric: str) -> tuple[str, ...]:
    """Give the subject for the other end of the flight that a visit adds to a metric, if it is known."""
    site_id = visit.flight_ends.get(_ENDS.get(metric, ""))
    return (f"link:{site_id}",) if site_id else ()


def linked_visits(visits: Sequence[Visit], places: Mapping[str, Place]) -> list[Visit]:
    """Write origin and destination into the visits of one aircraft that one flight joins; give those that changed.

    A flight joins two visits where no longer time lies between them than the way takes with a detour.
    """
    ordered = sorted(
        (visit for visit in visits if visit.is_counted and visit.site_id in places and visit.icao24),
        key=lambda each: each.came_at,
    )
    found = {visit.visit_id: visit for visit in ordered}
    for one, other in pairwise(ordered):
        if _is_one_flight(one, other, places):
            left, came = found[one.visit_id], found[other.visit_id]
            found[one.visit_id] = _with(left, "destination", other.site_id)
            found[other.visit_id] = _with(came, "origin", one.site_id)
    return [visit for visit in found.values() if visit not in ordered]


def _is_one_flight(one: Visit, other: Visit, places: Mapping[str, Place]) -> bool:
    left, came = one.departed_at, other.arrived_at
    if one.site_id == other.site_id or left is None or came is None or one.state == "present":
        return False
    here, there = places[one.site_id], places[other.site_id]
    distance = great_circle_nm(here.lat, here.lon, there.lat, there.lon)
    flight = performance_of(one.type_code or other.type_code).flight(distance)
    return timedelta(0) < came - left <= _DETOUR * flight + _SLACK


def _with(visit: Visit, key: str, site_id: str) -> Visit:
    if visit.candidates.get(key) == site_id:
        return visit
    return replace(visit, candidates={**visit.candidates, key: site_id})
