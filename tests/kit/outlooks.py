"""What is known beside an aircraft's reports, as a test wants it: nothing, but what it names."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from monitor.flights.places import Place
from monitor.flights.signal_loss.corridors import KnownFlight, corridors_of
from monitor.flights.signal_loss.hearing import GROUND_BAND, Hearing, cells_of, hearing_of
from monitor.flights.signal_loss.posterior import Outlook
from monitor.flights.signal_loss.prior import Habit, History


def outlook(
    *,
    habits: Iterable[Habit] = (),
    traffic: Mapping[str, int] | None = None,
    flown: Sequence[KnownFlight] = (),
    emerged: Mapping[str, int] | None = None,
    hearing: Hearing | None = None,
    others: Sequence[Place] = (),
    regions: Sequence[Place] = (),
    origin: str = "",
    hinted: frozenset[str] = frozenset(),
    entered: bool = False,
    scope: str = "",
    feed_works: bool | Callable[[], bool] = True,
) -> Outlook:
    """Give an outlook in which nothing is known but what is given."""
    works = feed_works if callable(feed_works) else lambda: bool(feed_works)
    return Outlook(
        history=lambda _at: History(tuple(habits), traffic or {}),
        corridors=lambda _end: corridors_of(flown),
        emerged=lambda _end: emerged or {},
        hearing=lambda _fix: hearing or Hearing({}, {}),
        watched=lambda gap, until: (until - gap.lost.fix.at).total_seconds() if works() else 0.0,
        scope=lambda _fix: scope,
        others=lambda _end: others,
        origin=lambda _at: origin,
        hinted=lambda _at: hinted,
        entered=lambda _end: entered,
        regions=regions,
    )


def heard_on_the_ground(places: Sequence[Place], aircraft: int = 400) -> Hearing:
    """Others were heard on the ground all over these places."""
    cells = []
    for place in places:
        steps = np.arange(-0.1, 0.11, 0.02)
        rows = sorted({int(each) for each in cells_of(place.lat + steps)})
        columns = sorted({int(each) for each in cells_of(place.lon + 2 * steps)})
        cells += [(row, column, GROUND_BAND, aircraft) for row in rows for column in columns]
    return hearing_of(cells)
