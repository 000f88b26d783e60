"""A watched site and its areas; loading and checking are in `load`, adding in `add`, shapes in `geometry`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from alerts.watch import WatchSpec


@dataclass(frozen=True, slots=True)
class Area:
    """A named part of a site; `geometry` None means named but not yet located (never invent a shape)."""

    id: str
    name: str
    kind: str
    geometry: BaseGeometry | None


@dataclass(frozen=True, slots=True)
class Site:
    """A watched place, as checked from sites.geojson (WGS 84, degrees, lon/lat).

    A site across the antimeridian is a MultiPolygon of parts within ±180°. `watch` is the site's own
    layer, still to be merged over settings and kind. `feature` is the GeoJSON feature as written.

    `runways` hold `name`, `ends` ([[lon, lat], [lon, lat]]), `length_ft`, `width_ft`, `closed`; `gates`, where
    tracks towards the site are usually lost, hold `id`, `name`, `point` ([lon, lat]) and `radius_nm`; `changes`
    hold `what`, `effect` (break, exclude or note), `starts_at`, `ends_at` and `note`; `declared_baselines` are
    rows of import columns without `site_id`. docs/sites.md says which of these are required.
    """

    id: str
    name: str
    kind: str
    geometry: Polygon | MultiPolygon
    timezone: ZoneInfo
    codes: Mapping[str, str] = field(default_factory=dict)
    areas: tuple[Area, ...] = ()
    watch: WatchSpec = field(default_factory=dict)
    watchlist: tuple[str, ...] = ()
    watchlist_reasons: Mapping[str, str] = field(default_factory=dict)
    """Why single aircraft are listed, in the author's words, by subject."""
    declared_baselines: tuple[Mapping[str, Any], ...] = ()
    gates: tuple[Mapping[str, Any], ...] = ()
    links: tuple[str, ...] = ()
    elevation_ft: float | None = None
    runways: tuple[Mapping[str, Any], ...] = ()
    changes: tuple[Mapping[str, Any], ...] = ()
    false_alarms_per_site_year: Mapping[str, float | Mapping[str, float]] | float | None = None
    tell_clear_pictures: float | None = None
    """From which clear share of the site on a new picture of it is told; None: nobody said, infinite: never."""
    precision: str = ""
    notes: str = ""
    source: str = ""
    feature: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def flies(self) -> bool:
        """Whether aircraft come and go here, so that flight feeds are asked about it."""
        return self.kind in FLIGHT_KINDS

    @property
    def is_region(self) -> bool:
        """Whether this is a set of places and the ground between them: no feed is asked about it."""
        return self.kind == REGION_KIND


REGION_KIND = "region"
FLIGHT_KINDS = frozenset({"airport", "airbase", "factory"})
"""Kinds with a runway of their own; the factory among the seeds is an aircraft plant on an airfield."""
