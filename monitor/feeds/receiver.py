"""Whether what one's own receiver hears agrees with where the settings say that it stands and how far it hears. Pure.

Three things refute the settings: the receiver says itself that it stands elsewhere; nobody heard is where it could
be heard from; what is heard ends far short of a site. Few aircraft refute nothing: the silence of a night is none.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile
from operator import or_
from typing import Any, Protocol

from db.records import Fix, HeardAt
from monitor.feeds.aircraft import AircraftReader
from monitor.feeds.circles import Circle
from monitor.feeds.parsing import feed_instant, json_number
from monitor.flights.takeoff_landing import LANDING_BELOW_FT
from monitor.sites.geodesy import course_deg, destination, great_circle_nm

FARTHEST_NM = 430.0
"""No antenna hears farther; readsb itself takes 800 km for impossible."""
_USUAL_NM = 250.0
"""How far cruising aircraft are heard where nothing stands in the way."""
_NM_PER_ROOT_FT = 1.23
"""The distance to the radio horizon, in NM, is this times the root of the height in feet (4/3 earth)."""
_BY_CHANCE = 0.001
_MOST_INSIDE = 0.9
"""However far a receiver is said to hear, this share of what it hears is expected within, and no more."""
_MANY, _MOST = 10, 0.5
_SAME_PLACE_NM = 10.0
"""readsb rounds the place that it shows, on request, to a tenth of a degree at most."""
_WELL_SHORT = 0.8
_MOST_KEPT = 500
_PARTS_OF_A_DEGREE, _STEP_FT = 100, 100
_NOT_DIRECT = ("tisb", "adsr", "adsc")
"""Sources that come from the ground or from space, not from the aircraft itself."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One's own receiver as the settings have it; `stated` is where it says itself that it stands (lat, lon), if it does.

    `heard` is every position in the answer, also outside its range.
    """

    provider: str
    reach: Circle
    stated: tuple[float, float] | None
    heard: tuple[HeardAt, ...]


class Earlier(Protocol):
    """What a receiver heard before, in the last day."""

    def answers(self) -> Sequence[Sequence[HeardAt]]:
        """Give one answer of each hour, newest first."""
        ...

    def apart(self) -> Sequence[Sequence[HeardAt]]:
        """Give those of them that lie so far apart that whoever flew in one has gone in the next."""
        ...


class _Nothing:
    def answers(self) -> Sequence[Sequence[HeardAt]]:
        return ()

    def apart(self) -> Sequence[Sequence[HeardAt]]:
        return ()


NOTHING_EARLIER: Earlier = _Nothing()
"""For whoever holds one answer against the settings, and no more."""


def heard_in(body: bytes, provider: str) -> tuple[HeardAt, ...]:
    """Give the places of whoever was heard directly, in an answer as it came; what cannot be read is left out."""
    try:
        page = json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        return ()
    return tuple(
        _place_of(fix) for fix in _positions(page, provider) if not fix.source.startswith(_NOT_DIRECT)
    )


def to_keep(reach: Circle, heard: Sequence[HeardAt]) -> tuple[HeardAt, ...]:
    """Give the places that are kept of an answer: coarser, each once, from the nearest to the farthest and not too many."""
    places = sorted(set(heard), key=lambda place: _by_distance(reach, place))
    step = max(1, -(-len(places) // _MOST_KEPT))
    return tuple(places[: len(places) - 1 : step] + places[-1:])


def _by_distance(reach: Circle, place: HeardAt) -> tuple[float, float, float, float]:
    """Order places; over one spot a height that is not known comes first, for it cannot be compared."""
    height = -math.inf if place.height_ft is None else place.height_ft
    return _distance(reach, place), place.lat, place.lon, height


def _place_of(fix: Fix) -> HeardAt:
    height = 0.0 if fix.on_ground else fix.altitude_ft
    rounded = None if height is None else round(height / _STEP_FT) * float(_STEP_FT)
    lat, lon = (round(each * _PARTS_OF_A_DEGREE) / _PARTS_OF_A_DEGREE for each in (fix.lat, fix.lon))
    return HeardAt(lat, lon, rounded)


def _positions(page: Any, provider: str) -> tuple[Fix, ...]:
    listed = (page.get("aircraft") or page.get("ac")) if isinstance(page, dict) else None
    clock = json_number(page.get("now"), 1, 1e13) if isinstance(listed, list) else None
    if clock is None or not isinstance(listed, list):
        return ()
    at = feed_instant(clock)
    reader = AircraftReader(provider, feed_time=at, received_at=at, max_age_s=math.inf, circle=None)
    return reader.read(listed)


def misplaced(receiver: Receiver, earlier: Earlier) -> str:
    """Why the settings cannot be right about where a receiver stands, '' where nothing speaks against them."""
    reach = receiver.reach
    said = (
        f"{receiver.provider}: the settings say that it stands at {_place_words(reach.lat, reach.lon)} and hears "
        f"{reach.radius_nm:g} NM, but "
    )
    if receiver.stated and reach.distance_nm(*receiver.stated) > _SAME_PLACE_NM:
        away = f"{_place_words(*receiver.stated)}, {reach.distance_nm(*receiver.stated):,.0f} NM away"
        return said + f"its own receiver.json says {away}. {_mend(receiver.provider, reach, receiver.stated)}"
    heard = _elsewhere(receiver, earlier)
    if nobody := _nobody_in_range(reach, heard):
        return said + nobody + _mend(receiver.provider, reach, _middle(heard))
    return said + crowd if (crowd := _of_many_receivers(receiver)) else ""


def _elsewhere(receiver: Receiver, earlier: Earlier) -> list[HeardAt]:
    """Where everybody was who was heard since somebody was in range; nobody, where somebody is now.

    Who stands on the ground would be counted anew with each answer, so a place counts as often as in the one that has most there.
    """
    reach = receiver.reach
    if _anybody_within(reach, receiver.heard):
        return []
    heard = Counter(receiver.heard)
    if not receiver.heard or not _nobody_in_range(reach, receiver.heard):
        since = takewhile(lambda answer: not _anybody_within(reach, answer), earlier.answers())
        apart = set(map(tuple, earlier.apart()))
        for answer in since:
            if tuple(answer) in apart:
                heard |= Counter(answer)
    return list(heard.elements())


def _anybody_within(reach: Circle, heard: Iterable[HeardAt]) -> bool:
    return any(_distance(reach, place) <= reach.radius_nm for place in heard)


def _nobody_in_range(reach: Circle, heard: Sequence[HeardAt]) -> str:
    """What is said where so many were heard elsewhere that it is no chance; one heard from beyond any horizon is enough."""
    if not heard:
        return ""
    impossible = all(_distance(reach, place) > FARTHEST_NM for place in heard)
    # Were they spread evenly as far as an antenna hears, so many would be within the range.
    share = min(_MOST_INSIDE, (reach.radius_nm / _USUAL_NM) ** 2)
    if not impossible and (1 - share) ** len(heard) > _BY_CHANCE:
        return ""
    middle = _middle(heard)
    them = "the one aircraft" if len(heard) == 1 else f"none of the {len(heard):,} aircraft"
    lies = "does not lie there" if len(heard) == 1 else "lies there"
    where = "it is" if len(heard) == 1 else "they are"
    return (
        f"{them} that it heard {lies}: {where} around {_place_words(*middle)}, "
        f"{reach.distance_nm(*middle):,.0f} NM away. "
    )


def _of_many_receivers(receiver: Receiver) -> str:
    heard = receiver.heard
    far = sum(_distance(receiver.reach, place) > FARTHEST_NM for place in heard)
    if len(heard) < _MANY or far <= _MOST * len(heard):
        return ""
    return (
        f"{far:,} of the {len(heard):,} aircraft that it lists are more than {FARTHEST_NM:.0f} NM from there, which no "
        "antenna hears: what answers is a network of receivers. Set base_url to your own receiver, or ask the "
        "network as one, by path_style point or lat_lon_dist (docs/sources.md). Until then nothing counts as watched by it."
    )


def _mend(provider: str, reach: Circle, really: tuple[float, float]) -> str:
    guess = next((words for words, place in _slips(reach) if _near(place, really)), "")
    return (
        f"{guess}Set lat and lon of [providers.{provider!r}] options to where the antenna stands, and range_nm to how "
        "far it hears. Until then nothing counts as watched by it; what it hears is kept."
    )


def _slips(reach: Circle) -> Iterator[tuple[str, tuple[float, float]]]:
    """The ways in which a place is written down wrongly, with the place that was meant."""
    lat, lon = reach.lat, reach.lon
    if abs(lon) <= 90.0:  # noqa: PLR2004 - a latitude
        yield "lat and lon look swapped. ", (lon, lat)
    yield "The sign of lat looks wrong. ", (-lat, lon)
    yield "The sign of lon looks wrong. ", (lat, -lon)
    yield "The signs of lat and lon look wrong. ", (-lat, -lon)


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return great_circle_nm(*one, *other) <= _USUAL_NM


def out_of_hearing(receiver: Receiver, earlier: Earlier, places: Mapping[str, Circle]) -> dict[str, str]:
    """Which of these places are farther than anything that is heard shows, with the reason: not watched at low heights.

    An aircraft at height h that is heard at a distance shows that lower ones are heard as much nearer as the horizon
    is. Were landings at the place heard, each aircraft could be heard up to some distance; over that disc the shares of
    that distance, squared, are even between 0 and 1, and that all of n are small has a chance that can be reckoned.
    What was heard earlier is read only where this answer shows too little.
    """
    reach = receiver.reach
    away = {name: reach.distance_nm(place.lat, place.lon) for name, place in places.items()}
    now = _distances(reach, receiver.heard)
    still = [name for name in places if _shown(now, away[name]) < _WELL_SHORT]
    if not still:
        return {}
    heard = [*now, *(each for answer in earlier.answers() for each in _distances(reach, answer))]
    n = reduce(or_, map(Counter, (receiver.heard, *earlier.apart()))).total()
    farthest = max((distance for distance, _ in heard), default=0.0)
    shown = {name: _shown(heard, away[name]) for name in still}
    return {
        name: (
            f"{receiver.provider} is not known to hear what flies low at {name}, {away[name]:,.0f} NM from the antenna: "
            f"of {n:,} aircraft in the last day the farthest was {farthest:,.0f} NM away. The place does not count as "
            f"watched by it. Set range_nm of [providers.{receiver.provider!r}] options to how far the antenna hears."
        )
        for name in still
        if shown[name] < _WELL_SHORT and shown[name] ** (2 * n) < _BY_CHANCE
    }


def _shown(heard: Iterable[tuple[float, float]], away_nm: float) -> float:
    """The largest share of the distance from which an aircraft could be heard, were low ones heard so far away."""
    low = away_nm - _horizon_nm(LANDING_BELOW_FT)
    return max(
        (
            distance / could
            for distance, height in heard
            if (could := low + _horizon_nm(max(height, LANDING_BELOW_FT))) > 0
        ),
        default=0.0,
    )


def _horizon_nm(height_ft: float) -> float:
    return _NM_PER_ROOT_FT * math.sqrt(height_ft)


def _distances(reach: Circle, answer: Iterable[HeardAt]) -> list[tuple[float, float]]:
    """Distance and height of whoever was heard; beyond any horizon nothing was heard from there."""
    return [
        (distance, place.height_ft)
        for place in answer
        if place.height_ft is not None and (distance := _distance(reach, place)) <= FARTHEST_NM
    ]


def _distance(reach: Circle, place: HeardAt) -> float:
    return reach.distance_nm(place.lat, place.lon)


def _middle(heard: Sequence[HeardAt]) -> tuple[float, float]:
    """The middle of places on the globe, whatever meridian they lie around."""
    lat, lon = heard[0].lat, heard[0].lon
    for count, place in enumerate(heard[1:], start=2):
        course = course_deg(lat, lon, place.lat, place.lon)
        lat, lon = destination(lat, lon, course, great_circle_nm(lat, lon, place.lat, place.lon) / count)
    return lat, lon


def _place_words(lat: float, lon: float) -> str:
    """A place in words, to a hundredth of a degree."""
    return f"{abs(lat):.2f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.2f}° {'E' if lon >= 0 else 'W'}"
