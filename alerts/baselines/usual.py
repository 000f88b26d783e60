"""What the judged look of a series should show (R2): counts by day of the week, or by season and trend; else as measured."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from alerts.baselines import nb
from alerts.baselines.model import Looks, Series
from alerts.baselines.occasions import occasion_effects
from alerts.baselines.special import FloatArray, IntArray
from alerts.baselines.tail import (
    MOST_IN_TURN,
    NEWEST_DAYS,
    NEWEST_LOOKS,
    Expectation,
    Tail,
    TailSide,
    attainable_tail_chance,
    judge_newest,
    predicted,
    spent_in_turn,
    stake,
)
from alerts.baselines.tail_daily import daily_expectation
from alerts.baselines.tail_measured import usual_measure
from alerts.baselines.tail_weekly import SeasonOptions, seasonal_expectation

DAILY_COLUMNS = 400
"""What the daily expectation looks at: a year of weekday factors and the weeks it leaves out."""


class Usual(Protocol):
    """What the judged look of S series should show, by a law of counts or as measured; each answer is [series]."""

    @property
    def needs(self) -> IntArray:
        """Usable looks still missing."""

    def expected(self) -> FloatArray:
        """What is expected."""

    def band(self) -> tuple[FloatArray, FloatArray]:
        """Between these lie 95 of a hundred looks."""

    def judge(self) -> Tail:
        """Judge the newest look."""

    def attainable(self, alpha: FloatArray, side: TailSide = "high") -> FloatArray:
        """The real chance of an alarm by the judged look."""

    def most_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The largest count or value that is not unusual."""

    def least_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The smallest that is not unusual."""


class _Edge(NamedTuple):
    """Where what is usual today ends, each [series]."""

    stake: FloatArray
    staked: FloatArray
    """The promise of this look times its stake."""
    bound: FloatArray
    """More than so many have at most that chance."""
    at_least: FloatArray
    """The chance of so many or more."""
    more: FloatArray


@dataclass(frozen=True, slots=True)
class UsualCount:
    """What the judged look of S series should show, and how many looks before it say how closely to watch."""

    looks: Looks
    """The looks, or the newest of them."""
    expectation: Expectation
    newest: int
    """Looks judged together, the judged one among them."""
    factors: FloatArray | None
    """The usual level of the newest days [series, newest], None where all are alike."""

    def of_today(self) -> tuple[FloatArray, FloatArray]:
        """Mean and size of the judged look alone."""
        _, mean, size = predicted(self.looks, self.expectation, 1, self._factors()[:, -1:])
        return mean, size

    @property
    def needs(self) -> IntArray:
        """Usable looks still missing."""
        return self.expectation.needs

    def expected(self) -> FloatArray:
        """The mean."""
        return self.of_today()[0]

    def band(self) -> tuple[FloatArray, FloatArray]:
        """Between these lie 95 of a hundred looks."""
        mean, size = self.of_today()
        return nb.quantile(0.975, mean, size), nb.quantile(0.025, mean, size)

    def judge(self) -> Tail:
        """Judge the newest look."""
        return judge_newest(self.looks, self.expectation, self.newest, self.factors)

    def attainable(self, alpha: FloatArray, side: TailSide = "high") -> FloatArray:
        """The real chance of an alarm by the judged look: what whole counts leave over is spent in turn, up to a point."""
        mean, size = self.of_today()
        if side == "low":
            return attainable_tail_chance(alpha, mean, size, side)
        edge = self._edge(alpha)
        between = np.maximum(edge.at_least - edge.more, 1e-300)
        turns = np.clip((edge.staked - edge.more) / between, 0.0, 1.0)
        within = (edge.bound > mean) & (edge.at_least <= MOST_IN_TURN * edge.staked)
        chance = edge.more + np.where(within, turns * (edge.at_least - edge.more), 0.0)
        return np.where(alpha > 0, chance / edge.stake, 0.0)

    def most_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The largest count today that is not unusual at `alpha`."""
        mean, _ = self.of_today()
        edge = self._edge(alpha)
        told = edge.bound > np.maximum(mean, 0.0)
        told &= spent_in_turn(self.looks, edge.at_least, edge.more) <= edge.staked
        # Only what is itself above its expectation counts.
        return np.maximum(np.where(told, edge.bound - 1.0, edge.bound), np.floor(mean))

    def least_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The smallest count today that is not unusual at `alpha`."""
        return nb.quantile(1.0 - alpha, *self.of_today())

    def _edge(self, alpha: FloatArray) -> _Edge:
        mean, size = self.of_today()
        times = stake(self.looks, self.expectation, self.newest, self._factors())
        staked = np.clip(alpha * times, 1e-300, 0.5)
        bound = nb.quantile(staked, mean, size)
        at_least, more = nb.sf(np.maximum(bound, 1.0), mean, size), nb.sf(bound + 1.0, mean, size)
        return _Edge(times, staked, bound, at_least, more)

    def _factors(self) -> FloatArray:
        return np.ones((1, self.newest)) if self.factors is None else self.factors[:, -self.newest :]


def usual_of_series(series: Series, longest_years: float = 10.0) -> Usual:
    """Expect counts by the law of counts, and what is measured by how its values lie."""
    if series.measure == "continuous":
        return usual_measure(series, longest_years)
    return usual_count(series, longest_years)


def usual_count(series: Series, longest_years: float = 10.0) -> UsualCount:
    """Expect by the newest eight weeks at the day's usual level for daily looks, else by season and trend.

    Until there are four weeks of daily looks, all of them together give one level.
    """
    season = SeasonOptions(longest_years=longest_years)
    newest = NEWEST_DAYS if series.daily and series.looks.kind == "flow" else NEWEST_LOOKS[series.looks.kind]
    if not series.daily:
        return UsualCount(series.looks, seasonal_expectation(series.looks, series.days, season), newest, None)
    recent = series.newest(DAILY_COLUMNS)
    expectation, factors = daily_expectation(
        recent.looks, recent.weekday, window=newest, occasions=recent.occasions
    )
    young = np.flatnonzero(expectation.needs > 0)
    if young.size:
        plain = seasonal_expectation(series.looks.rows(young), series.days, season)
        expectation.put(young, plain)
        factors[young] = 1.0
    if series.occasions is not None and series.occasions.which[-newest:].any():
        effects = occasion_effects(series.looks, series.occasions, expectation.dispersion, newest)
        factors = factors * effects.factor
        expectation = replace(expectation, se_log=np.hypot(expectation.se_log, effects.se_log[:, -1]))
    return UsualCount(recent.looks, expectation, newest, factors)
