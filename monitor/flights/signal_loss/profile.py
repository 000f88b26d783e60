"""Whether height and climb at an end of a gap are those of a flight to a place: the vertical side of the test."""

import math

from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import End
from monitor.flights.signal_loss.likelihood import away_nm
from monitor.flights.tracks.phases import height_ft

GLIDE_FT_PER_NM = 318.0
"""A path of 3°, on which airliners come down and above which most climb out."""
STEEP_FPM = 300.0
_LOW_FT = 6_000.0
_FITS, _LEAST = 4.0, 0.1
_LEVEL_SHARE = 0.5
_USUAL, _FARTHER, _NEARER = 1.2, 0.35, 0.9
"""The usual distance as a share of that on which the height is lost, and how far (in logarithms) it varies."""
_SLACK_FT, _SLACK_NM = 500.0, 10.0
_PATH_FT, _UNDER_PATH, _ABOVE_PATH = 150.0, 0.35, 0.25
_BEGUN, _LATE = 0.9, 0.25
_NOT_DOWN = 0.03
_CLIMBS_NEAR, _CLIMBS, _CLIMBS_FAR = 0.05, 0.25, 0.5
_NEAR_NM, _FAR_NM = 80.0, 200.0


def profile(end: End, place: Place, *, outbound: bool) -> float:
    """Weigh height and rate of climb: above 1 where they are those of a flight there, below 1 where they are not.

    A flight comes down about 3° before its field and climbs away from it. Who is past the point where the descent
    begins and still level will fly on; who climbs so near has just left another field. Outbound is the mirror image.
    """
    height, away = height_ft(end.fix, place), away_nm(end, place)
    sinking = (end.rate_fpm or 0.0) * (1 if outbound else -1)
    if sinking < -STEEP_FPM:
        return _CLIMBS_NEAR if away < _NEAR_NM else _CLIMBS if away < _FAR_NM else _CLIMBS_FAR
    if height is None or end.rate_fpm is None:
        return 1.0
    if sinking > STEEP_FPM:
        return _descending(away, height)
    return _LEVEL_SHARE * _descending(away, height) if height < _LOW_FT else _level(away, height)


def on_path(way_nm: float, height_ft: float) -> float:
    """Weigh a height by the way that is left to a runway: 1 on a path of 3°, less above it and far below it."""
    ratio = max(way_nm, 1.0) / ((max(0.0, height_ft) + _PATH_FT) / GLIDE_FT_PER_NM)
    off = math.log(ratio)
    return math.exp(-((off / (_UNDER_PATH if off > 0 else _ABOVE_PATH)) ** 2) / 2)


def _descending(away: float, height_ft: float) -> float:
    """Weigh a descent by how far the place is against the way on which that height is lost at 3°.

    Few begin so early that a long way is left below the path; many fly a longer way than the straight one.
    """
    ratio = max(away, 1.0) / ((max(0.0, height_ft) + _SLACK_FT) / GLIDE_FT_PER_NM)
    off = math.log(ratio / _USUAL)
    return max(_LEAST, _FITS * math.exp(-((off / (_FARTHER if off > 0 else _NEARER)) ** 2) / 2))


def _level(away: float, height_ft: float) -> float:
    """Weigh level flight: past the point where the descent begins it says that the flight goes on."""
    ratio = away / (height_ft / GLIDE_FT_PER_NM + _SLACK_NM)
    if ratio >= _BEGUN:
        return 1.0
    share = max(0.0, (ratio - _LATE) / (_BEGUN - _LATE))
    return math.exp((1 - share) * math.log(_NOT_DOWN))
