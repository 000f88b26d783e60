"""How good told probabilities are: reliability by bins, Brier's score and the log score, with intervals over aircraft."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.flights.evaluation.losses import JudgedLoss
from monitor.flights.evaluation.scoring import Share

BINS = (0.0, 0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 1.0)
EVERY_PLACE, _PLACE = "every place", "place:"
_FLOOR = 1e-3
"""No statement counts as surer than this: odds are told in thousandths."""
_DRAWS, _SEED = 1_000, 1
_LOW, _HIGH = 2.5, 97.5


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with the probability that it was given, and whether it came true."""

    icao24: str
    probability: float
    true: bool

    @property
    def log_score(self) -> float:
        """The surprise in bits: 0 for certain and right."""
        said = self.probability if self.true else 1 - self.probability
        return -math.log2(min(max(said, _FLOOR), 1.0))

    @property
    def brier(self) -> float:
        """The squared error."""
        return (self.probability - self.true) ** 2


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Statements that were told about as likely as each other: how likely on average, and how many came true."""

    low: float
    high: float
    told: float
    true: Share


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; aircraft are drawn again, with all that belongs to each."""

    value: float
    low: float
    high: float
    number: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class ScoredOdds:
    """How good one kind of statement is, and how good each rival's is on the same losses."""

    name: str
    statements: tuple[Statement, ...]
    rivals: dict[str, tuple[Statement, ...]]

    @property
    def is_one_place(self) -> bool:
        """Whether it is about a single place."""
        return self.name.startswith(_PLACE)

    @property
    def bins(self) -> list[ReliabilityBin]:
        """The reliability diagram."""
        return reliability(self.statements)

    @property
    def log_score(self) -> Estimate:
        """The mean surprise in bits; less is better."""
        return mean_of([(each.icao24, each.log_score) for each in self.statements])

    @property
    def brier(self) -> Estimate:
        """The mean squared error; less is better."""
        return mean_of([(each.icao24, each.brier) for each in self.statements])

    def ahead_of(self, rival: str) -> Estimate:
        """How much worse a rival's log score is than the rule's on the same losses; above 0 the rule is better."""
        pairs = zip(self.statements, self.rivals[rival], strict=True)
        return mean_of([(mine.icao24, theirs.log_score - mine.log_score) for mine, theirs in pairs])


def calibrations(losses: Sequence[JudgedLoss]) -> Iterator[ScoredOdds]:
    """Weigh all places together, each place, each region, and whether it landed at all; what is not known is left out."""
    names = list(dict.fromkeys(name for loss in losses for name in loss.odds))
    places = [name for name in names if name.startswith(_PLACE)]
    if len(places) > 1:
        yield _calibration(EVERY_PLACE, losses, places)
    for name in names:
        found = _calibration(name, losses, [name])
        if found.statements:
            yield found


def _calibration(title: str, losses: Sequence[JudgedLoss], names: Sequence[str]) -> ScoredOdds:
    known = [
        (loss, name) for loss in losses for name in names if name in loss.odds and loss.true(name) is not None
    ]
    rivals = list(dict.fromkeys(rival for loss, _ in known for rival in loss.rivals))
    return ScoredOdds(
        title,
        tuple(Statement(loss.icao24, loss.odds[name], bool(loss.true(name))) for loss, name in known),
        {
            rival: tuple(
                Statement(loss.icao24, loss.rivals[rival][name], bool(loss.true(name)))
                for loss, name in known
            )
            for rival in rivals
        },
    )


def reliability(statements: Iterable[Statement], edges: Sequence[float] = BINS) -> list[ReliabilityBin]:
    """Sort statements into bins by their probability; empty bins are left out."""
    binned: list[list[Statement]] = [[] for _ in edges[1:]]
    for each in statements:
        place = int(np.searchsorted(edges, each.probability, side="right")) - 1
        binned[min(max(place, 0), len(binned) - 1)].append(each)
    return [
        ReliabilityBin(
            edges[n],
            edges[n + 1],
            sum(each.probability for each in of) / len(of),
            Share(sum(each.true for each in of), len(of)),
        )
        for n, of in enumerate(binned)
        if of
    ]


def mean_of(values: Sequence[tuple[str, float]]) -> Estimate:
    """Give the mean of values that belong to aircraft; one aircraft's values are no independent cases."""
    if not values:
        return Estimate(math.nan, math.nan, math.nan, 0)
    _, owner = np.unique([icao24 for icao24, _ in values], return_inverse=True)
    sums = np.bincount(owner, weights=[value for _, value in values])
    numbers = np.bincount(owner)
    drawn = np.random.default_rng(_SEED).integers(len(sums), size=(_DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / numbers[drawn].sum(axis=1), [_LOW, _HIGH])
    return Estimate(float(sums.sum() / numbers.sum()), float(low), float(high), len(values))


def ratio_difference(
    one: Sequence[tuple[str, float]], other: Sequence[tuple[str, float]]
) -> tuple[float, float]:
    """Give the 95 % interval of one mean less another, of values that belong to the same aircraft but need not be as many."""
    names = {icao24: n for n, icao24 in enumerate(sorted({icao24 for icao24, _ in (*one, *other)}))}
    drawn = np.random.default_rng(_SEED).integers(len(names), size=(_DRAWS, len(names)))
    means = []
    for values in (one, other):
        owner = np.array([names[icao24] for icao24, _ in values], dtype=np.intp)
        sums, numbers = np.zeros(len(names)), np.zeros(len(names))
        np.add.at(sums, owner, [value for _, value in values])
        np.add.at(numbers, owner, 1.0)
        of = numbers[drawn].sum(axis=1)
        means.append(np.where(of > 0, sums[drawn].sum(axis=1) / np.maximum(of, 1), np.nan))
    apart = means[0] - means[1]
    if not np.isfinite(apart).any():
        return -1.0, 1.0
    low, high = np.nanpercentile(apart, [_LOW, _HIGH])
    return float(low), float(high)
