"""The observation model: which looks count, what zero means, how dispersed a series is.

Everywhere in this package: arrays `[series, time]`, oldest look first, NaN = not observed, exposure beside it
(share of a look or period really observed, 0 to 1). The rules judge the last column against those before it.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.special import BoolArray, FloatArray, IntArray
from db.records import Measure, SeriesKind
from db.records.counts import LARGEST_COUNT

EXPOSURE_GATES: dict[SeriesKind, float] = {"stock": 0.3, "flow": 0.5}
"""Least exposure at which a zero means something and a look belongs to a baseline."""

DAYS_A_YEAR = 365.25
DAYS_A_WEEK = 7
LONGEST_SPAN_DAYS = 30.0
"""A snapshot stands for the time since the one before it, but for no more than this."""

_PRIOR_DISPERSION = 2.0
_PRIOR_LOOKS = 10.0
_CAUTION = 0.35
_LEAST_MEAN = 0.02
_HIGH_SHARE, _CAP_SPREADS, _CAP_EVENTS = 0.95, 6.0, 10.0


@dataclass(frozen=True, slots=True)
class Looks:
    """A batch of series in order of time, cleaned by `clean_looks`."""

    counts: FloatArray
    exposure: FloatArray
    kind: SeriesKind
    member: BoolArray
    """Looks that belong to baselines: a count, seen with enough exposure."""
    faults: BoolArray
    """Looks left out because count or exposure cannot be true (negative, infinite, above the largest, share > 1)."""

    @property
    def seen(self) -> BoolArray:
        """Looks with a count: members, and positive counts of badly exposed looks, which mean "at least"."""
        return np.isfinite(self.counts)

    @property
    def today(self) -> FloatArray:
        """The newest look's counts."""
        return self.counts[:, -1]

    @property
    def today_exposure(self) -> FloatArray:
        """The newest look's exposure."""
        return self.exposure[:, -1]

    @property
    def past(self) -> "Looks":
        """All but the newest look."""
        return self.window(slice(None, -1))

    def window(self, columns: slice) -> "Looks":
        """The looks of these columns."""
        return Looks(
            self.counts[:, columns],
            self.exposure[:, columns],
            self.kind,
            self.member[:, columns],
            self.faults[:, columns],
        )

    def rows(self, rows: slice | BoolArray | IntArray) -> "Looks":
        """The looks of these series."""
        return Looks(self.counts[rows], self.exposure[rows], self.kind, self.member[rows], self.faults[rows])


@dataclass(frozen=True, slots=True)
class Occasions:
    """Which columns of a batch are no ordinary days; the batch shares one calendar."""

    which: IntArray
    """[time]: 0 on ordinary days, else the number of an occasion: Easter Monday, the day before it."""
    sorts: IntArray
    """[occasions + 1]: the sort of each occasion by its number: holidays, days before and after, on working days or at weekends."""

    def newest(self, columns: int) -> "Occasions":
        """Those of the newest columns."""
        return Occasions(self.which[max(0, len(self.which) - columns) :], self.sorts)


@dataclass(frozen=True)
class Series:
    """S series in order of time with the judged look last: what every rule is asked about."""

    days: FloatArray
    """When the looks were, [time], in days before the judged one (0 or less)."""
    looks: Looks
    daily: bool = False
    """Columns are consecutive days."""
    period_days: float = 0.0
    """The length of a look."""
    alike: bool = False
    """No look says how much was seen, so all are taken as alike."""
    today: date | None = None
    """The calendar day of the judged look, for anniversaries; without it they are 52 weeks apart."""
    measure: Measure = "count"
    """Counts have laws of their own; anything else is judged by how its values lie."""
    adds_up: bool = True
    """Whether a look that saw half shows half of a continuous measure."""
    occasions: Occasions | None = None
    """Of days: which are no ordinary ones; None: nothing is known of it."""

    @property
    def weekday(self) -> IntArray:
        """A number of the day of the week: the judged day is 0."""
        return np.mod(np.rint(self.days), DAYS_A_WEEK).astype(np.int64)

    @cached_property
    def looks_so_far(self) -> FloatArray:
        """Usable looks a year as of each look, [series, time]: of the last year, or on average, if those are more.

        After a pause looks come as before, and a promise spread over the few of the last year would be broken.
        """
        days, member = self.days, self.looks.member
        seen = np.cumsum(np.pad(member, ((0, 0), (1, 0))), axis=1)
        first = np.searchsorted(days, days - DAYS_A_YEAR, side="right")
        elapsed = days - days[0]
        recent = (seen[:, 1:] - seen[:, first]) * (DAYS_A_YEAR / np.clip(elapsed, 1.0, DAYS_A_YEAR))
        average = seen[:, 1:] / (np.maximum(elapsed, DAYS_A_YEAR) / DAYS_A_YEAR)
        looks: FloatArray = np.maximum(1.0, np.maximum(recent, average))
        return looks

    @property
    def a_year(self) -> FloatArray:
        """Usable looks a year, [series], which a promise is spread over; cloudy winters keep it."""
        looks: FloatArray = self.looks_so_far[:, -1]
        return looks

    @property
    def kind(self) -> str:
        """The class whose past scores these series share: `flow, daily`."""
        measured = "" if self.measure == "count" else ", measured"
        return f"{self.looks.kind}, {'daily' if self.daily else 'by look'}{measured}"

    def newest(self, columns: int) -> Self:
        """The newest columns alone."""
        part = slice(max(0, len(self.days) - columns), None)
        occasions = None if self.occasions is None else self.occasions.newest(columns)
        return replace(self, days=self.days[part], looks=self.looks.window(part), occasions=occasions)


def clean_looks(
    counts: ArrayLike,
    exposure: ArrayLike | None = None,
    *,
    kind: SeriesKind = "flow",
    largest: float = LARGEST_COUNT,
) -> Looks:
    """Clean a batch: what cannot be true and zeros without enough exposure become "not observed".

    A positive count is never discarded for want of exposure, but only looks at or above the gate belong to
    baselines. Looks of unknown exposure are like badly exposed ones; without `exposure` every look counts as whole. One
    series may be given as a flat array.
    """
    y = np.array(counts, dtype=np.float64, ndmin=2)
    if y.shape[1] == 0:
        # No look at all is one look that saw nothing, so that every rule has a newest look to answer about.
        y, exposure = np.full((len(y), 1), np.nan), None
    e = np.ones_like(y) if exposure is None else np.array(np.broadcast_to(exposure, y.shape), np.float64)
    with np.errstate(invalid="ignore"):
        false_count = (y < 0) | (y > largest)
        false_share = (e < 0) | (e > 1)
        faults = (false_count & ~np.isnan(y)) | (false_share & ~np.isnan(y))
        y = np.where(faults, np.nan, y)
        e = np.where(false_share, np.nan, e)
        exposed = e >= EXPOSURE_GATES[kind]
        y = np.where((y == 0) & ~exposed, np.nan, y)
    member = np.isfinite(y) & exposed
    return Looks(y, e, kind, member, faults)


def merge_near_looks(
    times_s: ArrayLike, counts: ArrayLike, exposure: ArrayLike, within_s: float = 3600.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Make looks that begin within an hour of the first of them one look: the clearest, in order of time.

    Equal clearness keeps the larger count, so that the order of arrival changes nothing; an unknown
    exposure is the least clear, and a look without count gives way to any with one. Identical repeats vanish.
    """
    t, y, e = (np.atleast_1d(np.asarray(values, np.float64)) for values in (times_s, counts, exposure))
    order = np.lexsort((-_last_if_nan(y), -_last_if_nan(e), t))
    t, y, e = t[order], y[order], e[order]
    group = np.zeros(t.size, dtype=np.int64)
    start = 0
    for i in range(1, t.size):
        if t[i] - t[start] > within_s:
            start = i
        group[i] = start
    # Within a group: with a count first, then the clearest, then the largest, then the earliest.
    best = np.lexsort((t, -_last_if_nan(y), -_last_if_nan(e), np.isnan(y), group))
    first = np.ones(t.size, dtype=bool)
    first[1:] = group[best][1:] != group[best][:-1]
    kept = best[first]
    return t[kept], y[kept], e[kept]


def _last_if_nan(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), -np.inf, values)


@dataclass(frozen=True, slots=True)
class EventRate:
    """What a series' usable past says: `events` S = Σy + ½ in `exposure` Σe over n looks, λ = S/Σe, φ shrunk."""

    n: IntArray
    events: FloatArray
    exposure: FloatArray
    per_exposure: FloatArray
    dispersion: FloatArray

    def parts(self) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """All that is known, in order."""
        return self.n, self.events, self.exposure, self.per_exposure, self.dispersion

    @property
    def cautious_dispersion(self) -> FloatArray:
        """The dispersion with a margin for how little n looks say of it."""
        return cautious(self.dispersion, self.n, self.events / np.maximum(self.n, 1))


def learn_rate(past: Looks, weights: FloatArray | None = None, scale: FloatArray | None = None) -> EventRate:
    """Learn rate and shrunk dispersion from member looks.

    `scale` multiplies a look's exposure (a day-of-week factor), `weights` ≤ 1 weigh past surges down.
    """
    used = past.member.astype(np.float64)
    weight = used if weights is None else used * weights
    e = np.where(past.member, past.exposure, 0.0)
    if scale is not None:
        e = e * np.where(past.member, scale, 1.0)
    y = np.where(past.member, past.counts, 0.0)
    n = past.member.sum(axis=1)
    events = (weight * y).sum(axis=1) + 0.5
    exposure = (weight * e).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(exposure > 0, events / exposure, np.nan)
        mean = rate[:, None] * e
        part = np.where(past.member, weight * (y - mean) ** 2 / mean, 0.0)
        dispersion = shrink_dispersion(part.sum(axis=1), n)
    return EventRate(n, events, exposure, rate, np.where(n > 0, dispersion, np.nan))


def shrink_dispersion(pearson: FloatArray, n: IntArray) -> FloatArray:
    """φ = (Σ(y-μ)²/μ + 10·2)/(n - 1 + 10): ten looks of prior with variance twice the mean. Below 1 is allowed."""
    shrunk: FloatArray = (pearson + _PRIOR_LOOKS * _PRIOR_DISPERSION) / (np.maximum(n, 1) - 1 + _PRIOR_LOOKS)
    return shrunk


def cautious(dispersion: FloatArray, n: IntArray, mean: FloatArray) -> FloatArray:
    """φ and a third of its standard error from n looks of a negative binomial with this mean.

    A tail is convex in φ: an estimate that is right on average alarms too often, because what it loses where it falls
    short outweighs what it gains elsewhere. The variance of one look's (y-μ)²/μ is 2φ² + φ(6φ² - 6φ + 1)/μ. Half a
    standard error is measured: with it short histories and long ones come closest to what is promised.
    """
    phi = np.minimum(dispersion, LARGEST_COUNT)
    skewed = phi * np.maximum(6.0 * phi**2 - 6.0 * phi + 1.0, 0.0)
    one_look = 2.0 * phi**2 + skewed / np.maximum(mean, _LEAST_MEAN)
    margin: FloatArray = _CAUTION * np.sqrt(one_look / (n + _PRIOR_LOOKS))
    return dispersion + margin


def cap_outliers(past: Looks, scale: FloatArray | float = 1.0) -> Looks:
    """Cap counts far beyond a series' own upper range, so that one giant outlier blinds no rule for years.

    The cap on count per exposure is q95 + 6·(q95 - median) + 10, quantiles taken from below and never the
    maximum itself: a step or a season stays, a single defect or surge shrinks to the edge of the ordinary. `scale`
    [series, time] is the level of each look.
    """
    n = past.member.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.sort(np.where(past.member, past.counts / (past.exposure * scale), np.inf), axis=1)
    if rates.shape[1] == 0:
        return past
    high = np.clip(np.minimum(np.floor(_HIGH_SHARE * (n - 1)), n - 2), 0, None).astype(np.int64)
    middle = np.clip((n - 1) // 2, 0, None)
    q95 = np.take_along_axis(rates, high[:, None], axis=1)
    q50 = np.take_along_axis(rates, middle[:, None], axis=1)
    with np.errstate(invalid="ignore"):
        cap = q95 + _CAP_SPREADS * (q95 - q50) + _CAP_EVENTS
        counts = np.where(past.member, np.minimum(past.counts, cap * past.exposure * scale), past.counts)
    return Looks(counts, past.exposure, past.kind, past.member, past.faults)
