"""Visits as rows: what the API, the command line and every file give of one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from alerts.attribution import each_once, one_cell
from db.records import Visit
from monitor.reports.tables import Table, point_of
from monitor.sites import Site

VISIT_CELLS: Mapping[str, type] = {
    "visit_id": str,
    "version": int,
    "site_id": str,
    "site": str,
    "region": str,
    "places": str,
    "icao24": str,
    "state": str,
    "confidence": int,
    "arrived_at": datetime,
    "departed_at": datetime,
    "arrived_between": str,
    "departed_between": str,
    "first_fix_at": datetime,
    "last_fix_at": datetime,
    "callsign": str,
    "registration": str,
    "type_code": str,
    "subjects": str,
    "candidates": str,
    "evidence": str,
    "recorded_at": datetime,
    "attribution": str,
}
"""What the cells of each column hold; lists and objects become text."""


def visit_fields(each: Visit, sources: Iterable[str]) -> dict[str, Any]:
    """One visit with what follows from its candidates."""
    return {
        "visit_id": each.visit_id,
        "version": each.version,
        "site_id": each.site_id,
        "site": each.site,
        "region": each.region or None,
        "places": [dict(place) for place in each.places],
        "icao24": each.icao24,
        "state": each.state,
        "confidence": each.confidence,
        "arrived_at": each.arrived_at,
        "departed_at": each.departed_at,
        "arrived_between": each.arrived_between,
        "departed_between": each.departed_between,
        "first_fix_at": each.first_fix_at,
        "last_fix_at": each.last_fix_at,
        "callsign": each.callsign,
        "registration": each.registration,
        "type_code": each.type_code,
        "subjects": list(each.subjects),
        "candidates": dict(each.candidates),
        "evidence": [asdict(item) for item in each.evidence],
        "recorded_at": each.recorded_at,
        "attribution": one_cell(sources),
    }


def visit_table(
    visits: Sequence[Visit], sources: Mapping[str, Sequence[str]], sites: Mapping[str, Site]
) -> Table:
    """Visits as a table, each with a point inside its site; `sources` by visit id."""
    return Table(
        VISIT_CELLS,
        [visit_fields(each, sources[each.visit_id]) for each in visits],
        [point_of(sites[each.site_id]) if each.site_id in sites else None for each in visits],
        each_once(said for each in visits for said in sources[each.visit_id]),
    )
