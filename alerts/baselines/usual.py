"""What the judged look of a series should show (R2): counts by day of the week, or by season and trend; else as measured."""

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from alerts.baselines import nb
from alerts.baselines.model import Looks, Series
from alerts.baselines.special import FloatArray, IntArray
from alerts.baselines.tail import (
    Expectation,
    Tail,
    TailSide,
    attainable_tail_chance,
    judge_windows,
    probabilities,
)
from alerts.baselines.tail_daily import daily_expectation
from alerts.baselines.tail_measured import usual_measure
from alerts.baselines.tail_weekly import SeasonOptions, seasonal_expectation

DAILY_COLUMNS = 400
"""What the daily expectation looks at: a year of weekday factors and the weeks it leaves out."""
_DAYS, _LOOKS, _SNAPSHOT = (1, 3), (1, 2), (1,)


class Usual(Protocol):
    """What the judged look of S series should show, by a law of counts or as measured; each answer is [series]."""

    @property
    def windows(self) -> tuple[int, ...]:
        """The sums of newest looks that share the promise; 1 is the look alone."""

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


@dataclass(frozen=True, slots=True)
class UsualCount:
    """What the judged look of S series should show, and the sums of newest looks that share its promise."""

    looks: Looks
    """The looks, or the newest of them."""
    expectation: Expectation
    windows: tuple[int, ...]
    factors: FloatArray | None
    """The usual level of the newest days [series, longest window], None where all are alike."""

    def of_today(self) -> tuple[FloatArray, FloatArray]:
        """Mean and size of the judged look alone."""
        _, _, mean, size = probabilities(self.looks, self.expectation, 1, self._factors(1))
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
        """Judge the newest look, and for flows the sums of the newest ones."""
        return judge_windows(self.looks, self.expectation, self.windows, self.factors)

    def attainable(self, alpha: FloatArray, side: TailSide = "high") -> FloatArray:
        """The real chance of an alarm by the judged look, which whole counts keep below `alpha`."""
        chance = attainable_tail_chance(alpha / len(self.windows), *self.of_today(), side)
        return len(self.windows) * chance

    def most_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The largest count today that no window takes for unusual at `alpha`."""
        each = alpha / len(self.windows)
        mean, size = self.of_today()
        least = nb.quantile(each, mean, size)
        for window in self.windows[1:]:
            _, _, together, spread = probabilities(
                self.looks, self.expectation, window, self._factors(window)
            )
            part = self.looks.window(slice(-min(window, self.looks.counts.shape[1]), None)).past
            before = np.where(part.member, part.counts, 0.0).sum(axis=1)
            least = np.minimum(least, nb.quantile(each, together, spread) - before)
        # A sum counts only where today is itself above its expectation.
        return np.maximum(least, np.floor(mean))

    def least_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The smallest count today that is not unusual at `alpha`."""
        return nb.quantile(1.0 - alpha / len(self.windows), *self.of_today())

    def _factors(self, window: int) -> FloatArray:
        return np.ones((1, window)) if self.factors is None else self.factors[:, -window:]


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
    stock = series.looks.kind == "stock"
    windows = _SNAPSHOT if stock else _DAYS if series.daily else _LOOKS
    if not series.daily:
        return UsualCount(
            series.looks, seasonal_expectation(series.looks, series.days, season), windows, None
        )
    recent = series.newest(DAILY_COLUMNS)
    expectation, factors = daily_expectation(recent.looks, recent.weekday, window=max(windows))
    young = np.flatnonzero(expectation.needs > 0)
    if young.size:
        plain = seasonal_expectation(series.looks.rows(young), series.days, season)
        for entry in fields(Expectation):
            getattr(expectation, entry.name)[young] = getattr(plain, entry.name)
        factors[young] = 1.0
    return UsualCount(recent.looks, expectation, windows, factors)
