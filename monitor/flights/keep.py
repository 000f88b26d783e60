"""Which position reports are worth storing: those near a site, and those of watched aircraft anywhere."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.records import Fix
from monitor.flights.grid import grid_of
from monitor.flights.places import places_of, positions
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Aircraft, Classes
from monitor.sites import Site

NEAR_NM = 40.0


def kept(sites: Sequence[Site], fixes: Sequence[Fix], classes: Classes | None = None) -> list[bool]:
    """Say of each report whether to store it: within 40 NM of a site, or of a watched class."""
    known = default_classes() if classes is None else classes
    return [
        bool(near) or known.watches(_aircraft(fix))
        for fix, near in zip(fixes, _near(sites, fixes), strict=True)
    ]


def _near(sites: Sequence[Site], fixes: Sequence[Fix]) -> NDArray[np.bool_]:
    near = np.zeros(len(fixes), dtype=np.bool_)
    if fixes:
        which, _ = grid_of(places_of(sites), NEAR_NM).near(*positions(fixes))
        near[which] = True
    return near


def _aircraft(fix: Fix) -> Aircraft:
    return Aircraft(fix.icao24, fix.callsign, fix.registration, fix.type_code, fix.db_flags)
