"""The kinds of site, each with the metrics and rules that it watches unless settings or the site say otherwise."""

from dataclasses import dataclass
from typing import Any

from alerts.watch import WatchSpec
from db.said import phrase_as


@dataclass(frozen=True, slots=True)
class SiteKind:
    """A kind of site: what people call it, and its default watch."""

    name: str
    label: str
    watch: WatchSpec


_FIRSTS: dict[str, Any] = {"record": {}, "first_ever": {}, "first_since": {}, "watchlist": {}}
_JUDGED: dict[str, Any] = {"rules": {**_FIRSTS, "tail": {}, "absence": {}, "step": {}, "rate_change": {}}}
_MEASURED: dict[str, Any] = {"rules": {**_FIRSTS, "tail": {}}}
"""For what has a unit: the other rules rest on laws of counts."""

_GROUND: WatchSpec = {"changed_area_m2": _MEASURED, "new_area_m2": _MEASURED}
_OPEN_GROUND: WatchSpec = {**_GROUND, "bright_target_m2": _MEASURED}
_AIRFIELD: WatchSpec = {
    "arrivals": _JUDGED,
    "departures": {"rules": {"record": {}, "tail": {}}},
    # Arrivals already say that nothing comes any more.
    "aircraft_present": {"rules": {**_FIRSTS, "tail": {}, "step": {}, "rate_change": {}}},
    **_OPEN_GROUND,
}
_RAIL: WatchSpec = {
    "railcars": _JUDGED,
    "locomotives": _JUDGED,
    "containers": _JUDGED,
    "occupied_track_m": _MEASURED,
    **_OPEN_GROUND,
}
_PORT: WatchSpec = {
    "ships_present": _JUDGED,
    "ship_calls": _JUDGED,
    "containers": _JUDGED,
    "container_stack_length_m": _MEASURED,
    "occupied_berth_m": _MEASURED,
    **_OPEN_GROUND,
}

KINDS = {
    kind.name: kind
    for kind in (
        SiteKind("airport", phrase_as("kind", "airport"), _AIRFIELD),
        SiteKind("airbase", phrase_as("kind", "air base"), _AIRFIELD),
        SiteKind("railhead", phrase_as("kind", "railhead"), _RAIL),
        SiteKind("rail_crossing", phrase_as("kind", "rail crossing"), _RAIL),
        SiteKind("port", phrase_as("kind", "port"), _PORT),
        SiteKind("naval_base", phrase_as("kind", "naval base"), _PORT),
        SiteKind(
            "factory", phrase_as("kind", "factory"), {**_AIRFIELD, "vehicles": _JUDGED, "railcars": _JUDGED}
        ),
        SiteKind("launch_site", phrase_as("kind", "launch site"), {"vehicles": _JUDGED, **_OPEN_GROUND}),
        # What landed at a named place is counted there; here only what landed somewhere in the region.
        SiteKind("region", phrase_as("kind", "region"), {"arrivals": {"rules": {"watchlist": {}}}}),
    )
}
"""Every kind by name. A new kind is one entry here and one line in docs/sites.md."""
