"""One verdict from several rules: the yearly budget of false alarms, split among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.answers import EVALUATED, Answers
from alerts.baselines.special import BoolArray, FloatArray

SHARES: Mapping[str, float] = {
    "record": 0.10,
    "tail": 0.40,
    "first_since": 0.10,
    "absence": 0.15,
    "step": 0.25,
}
"""R1, R2, R5, R6 and R7; other rules have no share of the promise."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined answer about S series."""

    fires: BoolArray
    strongest: tuple[str, ...]
    """For each series the rule with the smallest p relative to its share, "" where none was evaluated."""
    p: FloatArray
    """The smallest p over its share of the budget: at most what all rules together give by chance."""
    fired: tuple[tuple[str, ...], ...]


def combine(answers: Sequence[Answers], shares: Mapping[str, float | FloatArray] = SHARES) -> Verdict:
    """Combine by p over share (one, or one a series): with every alpha F·share/L that is one threshold F/L for all.

    Rules fire by their own alpha (and conditions such as "a record" or "first crossing"), so the verdict fires
    where any does.
    """
    weighed = [(each, shares.get(each.rule, 0.0)) for each in answers]
    used = [(each, share) for each, share in weighed if np.all(np.asarray(share) > 0)]
    series = len(answers[0].p)
    if not used:
        nothing = np.zeros(series, dtype=bool)
        return Verdict(nothing, ("",) * series, np.full(series, np.nan), ((),) * series)
    relative = np.stack([np.where(each.status == EVALUATED, each.p / share, np.inf) for each, share in used])
    fires = np.stack([each.fires for each, _ in used])
    # Among rules that fired the strongest is named; others may have a small p without news (a stretch goes on).
    ranked = np.where(fires.any(axis=0) & ~fires, np.inf, relative)
    best = ranked.argmin(axis=0)
    lowest = relative.min(axis=0)
    names = [each.rule for each, _ in used]
    strongest = np.where(np.isfinite(ranked.min(axis=0)), np.array(names)[best], "")
    fired: list[tuple[str, ...]] = [()] * series
    for row in np.flatnonzero(fires.any(axis=0)):
        fired[row] = tuple(name for name, hit in zip(names, fires[:, row], strict=True) if hit)
    p = np.where(np.isfinite(lowest), np.minimum(1.0, lowest), np.nan)
    any_fires = np.asarray(fires.any(axis=0))
    return Verdict(any_fires, tuple(strongest.tolist()), p, tuple(fired))


def split(
    false_alarms_a_year: float, looks_a_year: ArrayLike, shares: Mapping[str, float] = SHARES
) -> dict[str, FloatArray]:
    """Each rule's alpha a look: F·share/L, at most a half."""
    looks = np.maximum(np.asarray(looks_a_year, np.float64), 1e-9)
    return {name: np.minimum(0.5, false_alarms_a_year * share / looks) for name, share in shares.items()}
