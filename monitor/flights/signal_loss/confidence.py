"""How surely an aircraft that was lost and heard again was at a place: confidence 2 to 4."""

from collections.abc import Sequence
from datetime import datetime

from monitor.flights.signal_loss.gaps import Gap
from monitor.flights.signal_loss.likelihood import points_along, vertical_likelihood
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.ranking import (
    LIKELY_PROBABILITY,
    SURE_PROBABILITY,
    UNLIKELY_PROBABILITY,
    Candidate,
)

DOUBTFUL, LIKELIEST, CERTAIN = 2, 3, 4
"""It was there or somewhere else; likelier there than anywhere else; nothing else fits as well."""
_APART, _FAR_APART = 4.0, 16.0
"""How many times likelier than each other named place the flight's own evidence must make it."""


def confidence_of(
    gap: Gap,
    best: Candidate,
    ranked: Sequence[Candidate],
    performance: Performance,
    *,
    both: bool,
    now: datetime,
) -> int:
    """Grade a stay; `both` says that the tracks at the two ends lead to the place and away from it.

    A history makes a place likelier, but never by itself tells it from its rivals: on a usual way others fly as
    well. For that the flight's own evidence must do, and for certainty it must also say that it landed.
    """
    if (
        best.probability < LIKELY_PROBABILITY
        or best.own < UNLIKELY_PROBABILITY
        or not _stands_apart(best, ranked, _APART)
    ):
        return DOUBTFUL
    landed = performance.outlasted_by(gap.length(now)) or _went_down(gap, best)
    sure = both and landed and _is_straight(gap, best) and _stands_apart(best, ranked, _FAR_APART)
    return CERTAIN if sure and best.probability >= SURE_PROBABILITY else LIKELIEST


def _is_straight(gap: Gap, best: Candidate) -> bool:
    """Whether the track leads to the place and from it; near a field much else is possible, but proves nothing."""
    assert gap.back is not None
    return points_along(gap.lost, best.place, outbound=False) and points_along(
        gap.back, best.place, outbound=True
    )


def _stands_apart(best: Candidate, ranked: Sequence[Candidate], factor: float) -> bool:
    return all(best.own >= factor * each.own for each in ranked if each is not best)


def _went_down(gap: Gap, best: Candidate) -> bool:
    """Whether height and climb at the two ends together are more those of a landing there than of flying on."""
    assert gap.back is not None
    heights = vertical_likelihood(gap.lost, best.place, outbound=False) * vertical_likelihood(
        gap.back, best.place, outbound=True
    )
    return heights > 1
