"""Whether predictions were right on the whole: randomised PIT, coverage of bands, power by injected surges. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alerts.backtest.replay import ReplayedLook
from alerts.backtest.summary import exposure_class
from alerts.baselines import nb
from alerts.baselines.model import clean_looks
from alerts.baselines.special import FloatArray, normal_sf
from alerts.baselines.tail import Expectation, judge_newest
from alerts.baselines.tail_measured import UsualMeasure
from alerts.baselines.usual import Usual, UsualCount, usual_of_series
from alerts.occasions import HolidayCalendar
from alerts.odds import odds
from alerts.rules.series import past_looks, series_of
from alerts.words import numbered
from db.records import Observation

PIT_DECILES = 10
COVERAGE_BANDS = (0.5, 0.9, 0.99)
INJECTED_SURGES: tuple[tuple[str, float, float], ...] = (
    ("×2", 1.0, 0.0),
    ("×3", 2.0, 0.0),
    ("+5", 0.0, 5.0),
    ("+20", 0.0, 20.0),
)
"""What a surge adds to a look: so many times its expectation, and so many more at full exposure."""
SURGE_LENGTHS_DAYS = (1, 3, 14)
_LEAST_TOLD = 50
"""Five looks a decile, below which χ² is no measure of evenness."""
_UNEVEN = 0.05


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """Randomised PIT by deciles with the χ² p of their evenness, and how many looks fell inside each band."""

    n: int
    deciles: tuple[int, ...]
    p: float | None
    coverage: Mapping[str, float]


def check_calibration(judged: Sequence[ReplayedLook], seed: int) -> CalibrationCheck:
    """Compare every look with what `tail` predicted of it before it was seen."""
    told = [
        said.details
        for each in judged
        if (said := each.said("tail")) is not None
        and said.status == "evaluated"
        and "expected" in said.details
    ]
    if not told:
        return CalibrationCheck(0, (0,) * PIT_DECILES, None, {})
    if "pit" in told[0]:
        return _measured_calibration(told, seed)
    rows = [(each["value"], each["expected"], each.get("size", math.inf)) for each in told]
    y, mean, size = np.array(rows, dtype=np.float64).T
    below = np.where(y > 0, nb.cdf(np.maximum(y - 1.0, 0.0), mean, size), 0.0)
    upto = nb.cdf(y, mean, size)
    pit = below + np.random.default_rng(seed).random(len(y)) * (upto - below)
    counts = np.histogram(pit, bins=PIT_DECILES, range=(0.0, 1.0))[0]
    coverage = {}
    for band in COVERAGE_BANDS:
        low, high = (nb.quantile(tail, mean, size) for tail in ((1 + band) / 2, (1 - band) / 2))
        coverage[f"{band:.0%}"] = round(float(((y >= low) & (y <= high)).mean()), 4)
    return CalibrationCheck(len(y), tuple(counts.tolist()), chi_square_p(counts.astype(np.float64)), coverage)


def _measured_calibration(told: Sequence[Mapping[str, Any]], seed: int) -> CalibrationCheck:
    """The same of what is measured; a look that shows nothing may lie anywhere among those that do."""
    y, pit, present = np.array(
        [(each["value"], each["pit"], each["present"]) for each in told], dtype=np.float64
    ).T
    drawn = np.random.default_rng(seed).random(len(y))
    pit = np.where(y > 0, pit, drawn * (1.0 - present))
    counts = np.histogram(pit, bins=PIT_DECILES, range=(0.0, 1.0))[0]
    coverage = {
        f"{band:.0%}": round(float((np.abs(pit - 0.5) <= band / 2).mean()), 4) for band in COVERAGE_BANDS
    }
    return CalibrationCheck(len(y), tuple(counts.tolist()), chi_square_p(counts.astype(np.float64)), coverage)


def chi_square_p(counts: FloatArray) -> float:
    """P of so uneven counts, χ² by Wilson and Hilferty's cube root (good to 1e-3)."""
    expected = counts.sum() / len(counts)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    df = len(counts) - 1
    z = ((statistic / df) ** (1 / 3) - (1 - 2 / (9 * df))) / math.sqrt(2 / (9 * df))
    return float(normal_sf(z))


def fit_words(found: CalibrationCheck) -> str:
    """Whether predictions fitted, and how they did not: too low, too high, too narrow or too wide."""
    if found.p is None or found.n < _LEAST_TOLD:
        return f"{numbered(found.n, 'look')} are too few to say whether predictions fit."
    chance = odds(found.p, "series")
    if found.p >= _UNEVEN:
        return f"Predictions fit: no more uneven than chance makes a series that is predicted rightly ({chance})."
    return f"Predictions do not fit: {_misfit(found)}. So uneven by chance: {chance}."


def _misfit(found: CalibrationCheck) -> str:
    third = 3
    low, high = sum(found.deciles[:third]) / found.n, sum(found.deciles[-third:]) / found.n
    # The difference of two shares of three tenths each, twice its standard error.
    if abs(high - low) > 2 * math.sqrt(0.6 / found.n):
        return "counts were higher than predicted" if high > low else "counts were lower than predicted"
    if (found.deciles[0] + found.deciles[-1]) / found.n > 2 / PIT_DECILES:
        return "counts swing more than predicted, so the bands are too narrow"
    return "counts swing less than predicted, so the bands are too wide"


@dataclass(frozen=True, slots=True)
class DetectionPower:
    """How often a surge of one size and length is caught by `tail`, and how soon."""

    surge: str
    days: int
    starts: int
    caught: float
    at_first_look: float
    median_delay_looks: float | None
    median_delay_days: float | None
    by_exposure: Mapping[str, float]


def detection_power(
    looks: Sequence[Observation],
    judged: Sequence[ReplayedLook],
    calendar: HolidayCalendar,
    *,
    starts: int,
    seed: int,
    progress: Callable[[float], None] = lambda _share: None,
) -> list[DetectionPower]:
    """Inject surges at random usable looks that could be judged, each start with every size and length.

    `looks` are the newest revisions of the series, in order of time. Expectations are those of the unchanged
    history: how a surge of many looks comes to be expected is not played. `progress` is told the share of the starts that is done.
    """
    bench = _InjectedSeries(looks, judged, calendar)
    if not bench.usable:
        return []
    rng = np.random.default_rng(seed)
    chosen = rng.choice(bench.usable, size=min(starts, len(bench.usable)), replace=False)
    found: dict[tuple[str, int], list[tuple[int, float, str]]] = {}
    for done, start in enumerate(sorted(chosen.tolist())):
        progress(done / len(chosen))
        for surge, days, hit, delay in bench.inject(start, rng):
            found.setdefault((surge, days), []).append((hit, delay, bench.exposure(start)))
    return [_power(surge, days, rows) for (surge, days), rows in found.items()]


def _power(surge: str, days: int, rows: Sequence[tuple[int, float, str]]) -> DetectionPower:
    hits = [each for each in rows if each[0] >= 0]
    groups: dict[str, list[bool]] = {}
    for hit, _, exposure in rows:
        groups.setdefault(exposure, []).append(hit >= 0)
    return DetectionPower(
        surge=surge,
        days=days,
        starts=len(rows),
        caught=round(len(hits) / len(rows), 4),
        at_first_look=round(sum(each[0] == 0 for each in rows) / len(rows), 4),
        median_delay_looks=float(np.median([each[0] for each in hits])) if hits else None,
        median_delay_days=round(float(np.median([each[1] for each in hits])), 2) if hits else None,
        by_exposure={name: round(float(np.mean(each)), 4) for name, each in sorted(groups.items())},
    )


class _InjectedSeries:
    """The series' looks with their expectations, worked out once each."""

    def __init__(
        self, looks: Sequence[Observation], judged: Sequence[ReplayedLook], calendar: HolidayCalendar
    ) -> None:
        self._calendar = calendar
        self._looks = [each for each in looks if each.usable and not each.announced]
        self._past = past_looks(self._looks)
        self._bounds = {
            (each.look.period_start, each.look.look_key): float(said.details["alpha"])
            for each in judged
            if (said := each.said("tail")) is not None and said.status == "evaluated"
        }
        self._usual: dict[int, Usual] = {}
        self.usable = [n for n, each in enumerate(self._looks) if self._key(each) in self._bounds]

    @staticmethod
    def _key(look: Observation) -> tuple[Any, str]:
        return (look.period_start, look.look_key)

    def exposure(self, start: int) -> str:
        """How well the first look of a surge was seen."""
        return exposure_class(self._looks[start].exposure)

    def inject(self, start: int, rng: np.random.Generator) -> Iterator[tuple[str, int, int, float]]:
        """For each size and length: the index of the first look that catches it (-1: none) and its delay in days."""
        began = self._looks[start].period_start
        within = [
            n
            for n in range(start, len(self._looks))
            if (self._looks[n].period_start - began).total_seconds() < max(SURGE_LENGTHS_DAYS) * 86_400
        ]
        kinds = [(surge, days) for surge in self._surges(start) for days in SURGE_LENGTHS_DAYS]
        added = np.zeros((len(kinds), len(within)))
        hit = np.full(len(kinds), -1)
        delay = np.full(len(kinds), np.nan)
        for column, n in enumerate(within):
            what = self._expect(n)
            elapsed = (self._looks[n].period_start - began).total_seconds() / 86_400
            for row, ((_, times, more), days) in enumerate(kinds):
                if elapsed < days:
                    added[row, column] = self._extra(what, times, more, rng)
            bound = self._bounds.get(self._key(self._looks[n]))
            if bound is None:
                continue
            fires = _fires(what, added[:, : column + 1], bound) & (added[:, column] > 0)
            new = fires & (hit < 0)
            hit[new], delay[new] = column, elapsed
        for row, ((surge, _, _), days) in enumerate(kinds):
            yield surge, days, int(hit[row]), float(delay[row])

    def _surges(self, start: int) -> list[tuple[str, float, float]]:
        """So many more of a measure means nothing without its unit: there only multiples are planted."""
        counted = isinstance(self._expect(start), UsualCount)
        return [each for each in INJECTED_SURGES if counted or each[1]]

    def _expect(self, n: int) -> Usual:
        if n not in self._usual:
            self._usual[n] = usual_of_series(series_of(self._looks[n], self._past, self._calendar))
        return self._usual[n]

    @staticmethod
    def _extra(what: Usual, times: float, more: float, rng: np.random.Generator) -> float:
        """What a surge adds to one look at its exposure, of counts by chance round its mean."""
        if not isinstance(what, UsualCount):
            middle = float(what.expected()[0])
            return times * middle if np.isfinite(middle) else 0.0
        shown = what.looks.today_exposure[0]
        factor = 1.0 if what.factors is None else float(what.factors[0, -1])
        exposure = 1.0 if np.isnan(shown) else float(shown)
        mean = float(what.expectation.rate[0]) * factor * exposure
        return float(rng.poisson(times * mean + more * exposure)) if np.isfinite(mean) else 0.0


def _fires(what: Usual, added: FloatArray, alpha: float) -> Any:
    """Whether `tail` fires on the newest look under each surge, rows of `added` [kinds, looks up to now]."""
    if isinstance(what, UsualMeasure):
        return np.array([float(what.chance_of(what.today + each)[0]) <= alpha for each in added[:, -1]])
    if not isinstance(what, UsualCount):
        raise TypeError(f"no surge can be added to {type(what).__name__}")
    looks = what.looks
    counts = np.repeat(looks.counts, len(added), axis=0)
    columns = min(what.newest, added.shape[1], counts.shape[1])
    counts[:, -columns:] += added[:, -columns:]
    exposure = np.repeat(looks.exposure, len(added), axis=0)
    rows = clean_looks(counts, exposure, kind=looks.kind)
    known, times = what.expectation, len(added)
    repeated = Expectation(
        np.repeat(known.rate, times),
        np.repeat(known.dispersion, times),
        np.repeat(known.se_log, times),
        np.repeat(known.n, times),
        np.repeat(known.needs, times),
    )
    told = judge_newest(rows, repeated, what.newest, what.factors)
    return told.answers.evaluated & (told.in_turn <= alpha)
