"""Simulated daily flows: alarms delivered against one promised a site-year, and three-day triplings caught.

Run: python -m benchmarks.baselines_daily [sites]
Days have weekday and holiday levels and negative binomial noise. Each rule's scores are judged against the past
scores of its own class (sites of one mean level), as alerts do, with the p that the engine of verdicts gives. All rules judge the same series, so R2 is compared with
the best EARS surge by surge.
"""

import sys
from dataclasses import dataclass

import numpy as np

from alerts.baselines.budget import ClassScores, FalseAlarmPromise
from alerts.baselines.calibrate import LEFT_OUT_DAYS, WARM_UP_DAYS, WINDOW_DAYS
from alerts.baselines.engine import judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray, IntArray
from benchmarks.baselines_study import asked

YEARS = 4
LEVELS = (0.2, 1.0, 5.0, 20.0)
_WEEKDAY = np.array([1.1, 1.1, 1.1, 1.1, 1.2, 0.7, 0.7])
_TRIPLING_DAYS = 3
_BETWEEN = 45
RULES = {"R2": "tail", "C1": "ears_c1", "C2": "ears_c2", "C3": "ears_c3"}
_FIRST_DAY, _COLUMNS = 60, 420
"""From when on days are judged, and how many columns the engine is given: more than any of these rules looks at."""


@dataclass(frozen=True, slots=True)
class Result:
    """One rule at one level."""

    level: float
    rule: str
    alarms_a_year: float
    hits: FloatArray
    """[surges, sites] 1 where one of its days alarmed."""

    @property
    def caught(self) -> float:
        """Share of the surges caught."""
        return float(self.hits.mean())


def simulate(
    level: float, sites: int, rng: np.random.Generator, years: int = YEARS, phi: float = 2.0
) -> tuple[FloatArray, FloatArray]:
    """Counts and means [sites, days]: weekdays, quiet days over New Year, a busy festival week in spring."""
    days = np.arange(int(years * DAYS_A_YEAR))
    of_year = days % 365
    holiday = np.where(
        (of_year >= 357) | (of_year <= 1), 0.4, np.where((of_year >= 100) & (of_year < 105), 1.5, 1.0)
    )
    mean = np.broadcast_to(level * _WEEKDAY[days % 7] * holiday, (sites, len(days)))
    return _noise(mean, phi, rng), np.array(mean)


def _noise(mean: FloatArray, phi: float, rng: np.random.Generator) -> FloatArray:
    return rng.negative_binomial(mean / (phi - 1.0), 1.0 / phi).astype(np.float64)


def inject(counts: FloatArray, mean: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Triple three days every 45 days or so after the first year and a half; gives counts and start days."""
    first = int(1.5 * DAYS_A_YEAR)
    starts = np.arange(first, counts.shape[1] - _BETWEEN, _BETWEEN) + rng.integers(0, 20)
    tripled = counts.copy()
    for start in starts.tolist():
        days = slice(start, start + _TRIPLING_DAYS)
        tripled[:, days] += _noise(2.0 * mean[:, days], 2.0, rng)
    return tripled, starts


def scores(counts: FloatArray, rule: str) -> FloatArray:
    """A rule's score (-log₁₀ p) of every day, [sites, days]."""
    out = np.full(counts.shape, np.nan)
    rules = asked(RULES[rule])
    for day in range(_FIRST_DAY, counts.shape[1]):
        known = counts[:, max(0, day + 1 - _COLUMNS) : day + 1]
        series = Series(np.arange(1.0 - known.shape[1], 1.0), clean_looks(known), daily=True, period_days=1.0)
        p = judge_series(series, FalseAlarmPromise(), rules).rulings[RULES[rule]].answers.p
        out[:, day] = -np.log10(np.maximum(p, 1e-300))
    return out


@dataclass(frozen=True, slots=True)
class Rolling:
    """Alarms of a class day by day, with the bound of each day (infinite while warming up)."""

    alarm: BoolArray
    bounds: FloatArray


def rolling(scored: FloatArray, false_alarms_a_year: float) -> Rolling:
    """Judge each day of [sites, days] against the class's scores of the past 365 days less the newest two.

    The first 180 days only warm up.
    """
    days = scored.shape[1]
    bounds = np.full(days, np.inf)
    alpha = np.array([false_alarms_a_year / DAYS_A_YEAR])
    for day in range(WARM_UP_DAYS, days):
        window = scored[:, max(0, day - WINDOW_DAYS) : max(0, day - LEFT_OUT_DAYS)].ravel()
        known = np.sort(window[~np.isnan(window)])[::-1]
        bounds[day] = np.nan_to_num(
            ClassScores(len(known), tuple(known.tolist())).bound(alpha)[0], nan=np.inf
        )
    with np.errstate(invalid="ignore"):
        return Rolling(scored > bounds, bounds)


def study(
    sites: int = 20, seed: int = 7, levels: tuple[float, ...] = LEVELS, years: int = YEARS
) -> list[Result]:
    """All rules at all levels, at one promised alarm a site-year."""
    rng = np.random.default_rng(seed)
    results: list[Result] = []
    for level in levels:
        counts, mean = simulate(level, sites, rng, years)
        tripled, starts = inject(counts, mean, rng)
        results.extend(_judge(level, rule, counts, tripled, starts) for rule in RULES)
    return results


def _judge(level: float, rule: str, counts: FloatArray, tripled: FloatArray, starts: IntArray) -> Result:
    judged = rolling(scores(counts, rule), 1.0)
    began = WARM_UP_DAYS + 60
    years = counts.shape[0] * (counts.shape[1] - began) / DAYS_A_YEAR
    delivered = float(judged.alarm[:, began:].sum()) / years
    with np.errstate(invalid="ignore"):
        over = scores(tripled, rule) > judged.bounds
    hits = [over[:, start : start + _TRIPLING_DAYS].any(axis=1) for start in starts.tolist()]
    return Result(level, rule, delivered, np.array(hits, np.float64))


def table(results: list[Result]) -> list[str]:
    """Lines to print."""
    lines = [f"{'mean a day':>10}{'rule':>6}{'alarms a site-year':>20}{'triplings caught':>18}"]
    lines += [
        f"{each.level:>10g}{each.rule:>6}{each.alarms_a_year:>20.2f}{each.caught:>18.3f}" for each in results
    ]
    for level in dict.fromkeys(each.level for each in results):
        own, *others = (each for each in results if each.level == level)
        best = max(others, key=lambda each: each.caught)
        apart = own.hits - best.hits
        # Surges of one day share the class's bound, so days are the independent parts.
        error = float(apart.mean(axis=1).std(ddof=1) / np.sqrt(len(apart)))
        lines.append(
            f"{level:>10g}  R2 catches {apart.mean():+.4f} more than {best.rule}, the best EARS (standard error {error:.4f}, "
            f"{apart.size} surges)"
        )
    return lines


def main() -> None:
    """Print the table."""
    print("\n".join(table(study(int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 60))))


if __name__ == "__main__":
    main()
