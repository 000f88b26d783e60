"""Which position reports are worth storing: those near a site, and those of watched aircraft anywhere."""

from collections.abc import Callable, Sequence

from db.records import Fix
from monitor.flights.classes import default_classes
from monitor.flights.identity import Aircraft, Classes
from monitor.flights.matching import HALF_TURN_DEG, NM_PER_DEGREE, Place, places_of
from monitor.sites import Site

NEAR_NM = 40.0


def keep_fix(sites: Sequence[Site], classes: Classes | None = None) -> Callable[[Fix], bool]:
    """Make the test that says of a report whether to store it: within 40 NM of a site, or of a watched class."""
    places = places_of(sites)
    known = default_classes() if classes is None else classes

    def keep(fix: Fix) -> bool:
        return any(_near(place, fix) for place in places) or known.watches(
            Aircraft(fix.icao24, fix.callsign, fix.registration, fix.type_code, fix.db_flags)
        )

    return keep


def _near(place: Place, fix: Fix) -> bool:
    """Like `Place.near`, for one report: arrays of one would cost more than they save."""
    turned = (fix.lon - place.lon + HALF_TURN_DEG) % (2 * HALF_TURN_DEG) - HALF_TURN_DEG
    x, y = turned * place.east_scale, (fix.lat - place.lat) * NM_PER_DEGREE
    west, south, east, north = place.bounds
    return west - NEAR_NM <= x <= east + NEAR_NM and south - NEAR_NM <= y <= north + NEAR_NM
