"""How a flight joins the final approach of a runway: the way that is left, and how well course, height and descent fit it.

A way is the shortest one that can be flown from a position and course to the line of a runway, some miles before it: turns
of a standard radius and straight legs between them (Dubins 1957). Both directions of every runway are weighed.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.flights.signal_loss.geometry import (
    CLIMBS_NEAR,
    FITS,
    GLIDE_FT_PER_NM,
    LEVEL_SHARE,
    LOW_FT,
    STEEP_DESCENT_FPM,
)
from monitor.sites.geodesy import Floats

_TURN_NM = 2.0
"""The radius of a turn at 250 kt and 25° of bank."""
_FINALS_NM = (5.0, 8.0, 12.0)
"""So far before the runway flights join its line, one as often as another."""
_LINE_NM, _ALIGNED_DEG, _BESIDE_NM = 20.0, 15.0, 1.0
_ALIGNED = 4.0
"""Who is on the line of a runway is more often there for it than elsewhere."""
_DIRECT, _DETOUR_NM = 0.7, 0.5
"""So many go the shortest way, with hardly a mile to spare."""
_VECTORED, _VECTORED_NM = 0.15, 6.0
"""So many are led about by controllers, and so many miles it costs them."""
_DOWNWIND, _DOWNWIND_DEG, _DOWNWIND_DENSITY = 0.15, 20.0, 9.0
"""So many fly on past the runway on the opposite course, to turn back behind others."""
_DOWNWIND_BESIDE_NM, _DOWNWIND_PAST_NM = (2.0, 12.0), (-8.0, 25.0)
_LOW, _LOWER_A_NM = 0.1, 0.006
"""Flights are lower than the way left allows at 3°, in logarithms, and the more so the farther out."""
_ABOVE, _BELOW = 0.45, 0.35
_SLACK_FT = 150.0
_STRAY = 0.025
_SHARPER = 2.0
"""Averaged over directions and finals the fit is too flat: of 69 places told with 0.5 to 0.7 62 were right (first half)."""
_LEVEL_HIGH = 0.3
"""Level flight above 6,000 ft says so much less than a descent: it is usual on the way in as on the way past."""
Point = tuple[float, float]
_COURSES_DEG = np.arange(0.0, 360.0, 10.0)


def approach_ratio(end: GapEnd, place: Place) -> float | None:
    """Say how many times likelier course, height and descent are of a flight on its way to a runway of a place than of any.

    None where no runway, or no course, height or rate of climb is known.
    """
    altitude = end.fix.altitude_ft if end.fix.altitude_ft is not None else end.fix.altitude_geom_ft
    directions = _directions(place)
    if end.course_deg is None or altitude is None or place.elevation_ft is None or end.rate_fpm is None:
        return None
    if not directions:
        return None
    height_ft = max(0.0, altitude - place.elevation_ft)
    fit = _fit(end, place, end.course_deg, height_ft, directions)
    return float((fit * _vertical(end.rate_fpm, height_ft)) ** _SHARPER)


def _vertical(rate_fpm: float, height_ft: float) -> float:
    if rate_fpm > STEEP_DESCENT_FPM:
        return CLIMBS_NEAR
    if rate_fpm < -STEEP_DESCENT_FPM:
        return FITS
    return FITS * (LEVEL_SHARE if height_ft < LOW_FT else _LEVEL_HIGH)


def _fit(
    end: GapEnd, place: Place, course_deg: float, height_ft: float, directions: Sequence[tuple[Point, Point]]
) -> float:
    near, far = (np.array([pair[side] for pair in directions] * len(_FINALS_NM)) for side in (0, 1))
    finals = np.repeat(_FINALS_NM, len(directions))[:, np.newaxis]
    x, y = (float(each[0]) for each in place.plane(np.array([end.fix.lat]), np.array([end.fix.lon])))
    courses = np.concatenate([[course_deg], _COURSES_DEG])
    ways = _ways((x, y), courses, near, far, finals)
    spare = ways - ways.min(axis=1, keepdims=True)
    downwind = _DOWNWIND_DENSITY * _downwind((x, y), course_deg, near, far)
    course = (
        _DIRECT * _share(spare, _DETOUR_NM) + _VECTORED * _share(spare, _VECTORED_NM) + _DOWNWIND * downwind
    )
    off = np.log((height_ft + _SLACK_FT) / (GLIDE_FT_PER_NM * ways[:, 0])) + _LOW + _LOWER_A_NM * ways[:, 0]
    height = np.exp(-((off / np.where(off > 0, _ABOVE, _BELOW)) ** 2) / 2)
    aligned = np.where(_on_line((x, y), courses[:1], near, far)[:, 0], _ALIGNED, 1.0)
    return float(np.mean(course * np.maximum(height, _STRAY) * aligned))


def _downwind(here: Point, course_deg: float, near: Floats, far: Floats) -> Floats:
    along = _along(near, far)
    to = near - np.array(here)
    before = (to * along).sum(axis=1)
    beside = np.abs(to[:, 0] * along[:, 1] - to[:, 1] * along[:, 0])
    turned = np.abs((course_deg - np.degrees(np.arctan2(along[:, 0], along[:, 1]))) % 360 - 180)
    there = (before >= _DOWNWIND_PAST_NM[0]) & (before <= _DOWNWIND_PAST_NM[1])
    there &= (beside >= _DOWNWIND_BESIDE_NM[0]) & (beside <= _DOWNWIND_BESIDE_NM[1])
    found: Floats = (there & (turned <= _DOWNWIND_DEG)).astype(np.float64)
    return found


def _along(near: Floats, far: Floats) -> Floats:
    """Give the direction in which each runway is landed on, of length 1."""
    found: Floats = (far - near) / np.linalg.norm(far - near, axis=1, keepdims=True)
    return found


def _share(spare: Floats, usual_nm: float) -> Floats:
    """Give the density of the first course among all others, by the way that each costs more than the best."""
    weights = np.exp(-spare / usual_nm)
    found: Floats = weights[:, 0] / weights[:, 1:].mean(axis=1)
    return found


def _ways(here: Point, courses_deg: Floats, near: Floats, far: Floats, finals_nm: Floats) -> Floats:
    """Give the way to each near end by each course, in NM: by the final approach, or straight in where it is on it."""
    along = _along(near, far)
    gate = near - finals_nm * along
    ways = finals_nm + shortest_ways_nm(
        np.array(here),
        np.radians(90 - courses_deg),
        gate[:, np.newaxis],
        np.arctan2(along[:, 1], along[:, 0])[:, np.newaxis],
    )
    before = ((near - np.array(here)) * along).sum(axis=1, keepdims=True)
    straight_in: Floats = np.where(
        _on_line(here, courses_deg, near, far) & (before < finals_nm), np.maximum(before, 1.0), ways
    )
    return straight_in


def _on_line(here: Point, courses_deg: Floats, near: Floats, far: Floats) -> NDArray[np.bool_]:
    along = _along(near, far)
    to = near - np.array(here)
    before = (to * along).sum(axis=1, keepdims=True)
    beside = to[:, :1] * along[:, 1:] - to[:, 1:] * along[:, :1]
    turned = np.abs((courses_deg - np.degrees(np.arctan2(along[:, :1], along[:, 1:])) + 180) % 360 - 180)
    found: NDArray[np.bool_] = (
        (before > 0) & (before <= _LINE_NM) & (np.abs(beside) <= _BESIDE_NM) & (turned <= _ALIGNED_DEG)
    )
    return found


def shortest_ways_nm(here: Floats, course: Floats, there: Floats, course_there: Floats) -> Floats:
    """Give the shortest way from here on a course to a point on another (angles in radians, from the east)."""
    apart = (there - here) / _TURN_NM
    straight, bearing = np.hypot(apart[..., 0], apart[..., 1]), np.arctan2(apart[..., 1], apart[..., 0])
    a, b = course - bearing, course_there - bearing
    sin_a, sin_b, cos_a, cos_b, cos_ab = np.sin(a), np.sin(b), np.cos(a), np.cos(b), np.cos(a - b)
    found = []
    for one, other in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
        # The centres of the two turns, seen from each other; left is 1.
        if one == other:
            squared = 2 + straight**2 - 2 * cos_ab + 2 * one * straight * (sin_a - sin_b)
            leg = np.sqrt(np.maximum(squared, 0))
            heading = np.arctan2(one * (cos_b - cos_a), straight + one * (sin_a - sin_b))
        else:
            squared = straight**2 - 2 + 2 * cos_ab + 2 * one * straight * (sin_a + sin_b)
            leg = np.sqrt(np.maximum(squared, 0))
            heading = np.arctan2(-one * (cos_a + cos_b), straight + one * (sin_a + sin_b)) - np.arctan2(
                -2.0 * one, leg
            )
        turns = (one * (heading - a)) % (2 * math.pi) + (other * (b - heading)) % (2 * math.pi)
        found.append(np.where(squared >= 0, turns + leg, np.inf))
    ways: Floats = _TURN_NM * np.min(found, axis=0)
    return ways


def _directions(place: Place) -> list[tuple[Point, Point]]:
    """Give both directions of each runway as two points in the place's plane, the end that is landed on first."""
    pairs = [runway["ends"] for runway in place.site.runways if runway.get("ends")]
    found = []
    for ends in pairs:
        x, y = place.plane(np.array([end[1] for end in ends]), np.array([end[0] for end in ends]))
        first, second = (float(x[0]), float(y[0])), (float(x[1]), float(y[1]))
        found += [(first, second), (second, first)] if first != second else []
    return found
