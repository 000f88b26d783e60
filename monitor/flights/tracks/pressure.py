"""Local pressure, read off aircraft that send both heights: it corrects those near by that send pressure altitude alone.

A pressure altitude is measured from 1,013 hPa, so that it is off by 27 feet for each hectopascal of weather, the same for
everybody around. Who sends the geometric height as well tells by how much.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from db.records import Fix
from monitor.flights.places import positions
from monitor.sites.geodesy import NM_PER_DEGREE, wrap_longitudes

_BELOW_FT = 10_000.0
"""Above it what the temperature adds outgrows what is known."""
_WITHIN_FT = 4_000.0
_WITHIN_NM = 60.0
_AT_LEAST = 3
_NEWEST_S = 120.0


def with_geometric_heights(fixes: Sequence[Fix]) -> tuple[Fix, ...]:
    """Give the reports of one answer, low ones without a geometric height with that which the others' pairs of heights tell.

    Needs three aircraft with both heights within 60 NM, 4,000 ft and 2 minutes; without them a report stays as it is.
    """
    pairs = [fix for fix in fixes if _is_low(fix) and fix.altitude_geom_ft is not None]
    if len(pairs) < _AT_LEAST:
        return tuple(fixes)
    lat, lon = positions(pairs)
    at = np.array([fix.at.timestamp() for fix in pairs])
    height = np.array([fix.altitude_ft for fix in pairs], dtype=np.float64)
    above = np.array([fix.altitude_geom_ft for fix in pairs], dtype=np.float64) - height

    def corrected(fix: Fix) -> Fix:
        if not _is_low(fix) or fix.altitude_geom_ft is not None or fix.altitude_ft is None:
            return fix
        east = wrap_longitudes(lon - fix.lon) * np.cos(np.radians(fix.lat))
        near = np.hypot(lat - fix.lat, east) * NM_PER_DEGREE <= _WITHIN_NM
        near &= np.abs(height - fix.altitude_ft) <= _WITHIN_FT
        near &= np.abs(at - fix.at.timestamp()) <= _NEWEST_S
        if near.sum() < _AT_LEAST:
            return fix
        return replace(fix, altitude_geom_ft=float(fix.altitude_ft + np.median(above[near])))

    return tuple(map(corrected, fixes))


def _is_low(fix: Fix) -> bool:
    return fix.altitude_ft is not None and not fix.on_ground and fix.altitude_ft <= _BELOW_FT
