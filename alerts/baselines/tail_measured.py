"""R2 for what is measured (metres, square metres, megawatts): how likely so much, by a shifted logarithm and ranks.

No law of counts holds for a length or an area: many looks show nothing, the rest is skewed, neighbours are alike. So the
chance of anything at all is counted in ranks; what is there is brought near symmetry by log(value + shift), its middle and
spread are learnt robustly, and Student's t says the tail, wider for few looks and for looks that repeat each other.
"""

from dataclasses import dataclass

import numpy as np

from alerts.baselines.answers import answer_by_p
from alerts.baselines.model import DAYS_A_YEAR, Looks, Series
from alerts.baselines.record import independent_share
from alerts.baselines.special import BoolArray, FloatArray, IntArray, student_quantile, student_sf
from alerts.baselines.tail import TAIL_LEAST_LOOKS, Tail, TailSide

_SHIFT = 0.3
"""The shift, in medians of what is there: below it the scale is nearly that of the values, above it their logarithm."""
_MAD_TO_SD, _CUT_SD = 1.4826, 3.0
_UPPER_DECILE, _UPPER_DECILE_SD = 0.9, 1.2816
_LEAST_SPREAD = 0.05
"""Nothing repeats to less than a twentieth."""
_MOST_DEGREES = 10.0
_MEDIAN_VARIANCE = 1.57
"""Of a median over that of a mean."""
_LEAST_PRESENT = 5
"""With fewer looks that show anything, all that is known is how seldom they do."""
_SEASON_YEARS, _SEASON_LOOKS, _REWEIGHTED = 1.5, 24, 3


@dataclass(frozen=True, slots=True)
class UsualMeasure:
    """What the judged look of S series should show, each [series]."""

    today: FloatArray
    """What it shows; NaN where it was not observed."""
    scale: FloatArray
    """How much of the place it saw: what adds up is expected in that proportion."""
    present: FloatArray
    """The chance of anything at all."""
    centre: FloatArray
    spread: FloatArray
    """Of log(value + shift) where anything is there: the middle in this season, and the predictive spread."""
    shift: FloatArray
    degrees: FloatArray
    known: BoolArray
    """Whether enough looks showed something to say how much is usual."""
    share_below: FloatArray
    """The share of usable earlier looks that showed less."""
    n: IntArray
    needs: IntArray
    observed: BoolArray
    member: BoolArray
    """Whether it was seen well enough for “so little” to mean anything."""

    def chance_of(self, value: FloatArray) -> FloatArray:
        """P(so much or more), [series]; 1 for nothing."""
        t = (np.log(np.maximum(value, 0.0) / self.scale + self.shift) - self.centre) / self.spread
        part = np.where(self.known, student_sf(t, self.degrees), 1.0)
        chance: FloatArray = np.where(value > 0, self.present * part, 1.0)
        return np.where(np.isnan(value), np.nan, chance)

    def quantile(self, tail: FloatArray | float) -> FloatArray:
        """The value that is exceeded with this chance; ∞ where history cannot say."""
        within = np.asarray(tail) / self.present
        t = student_quantile(np.minimum(within, 1.0 - 1e-12), self.degrees)
        value = np.maximum(np.exp(self.centre + self.spread * t) - self.shift, 0.0) * self.scale
        value = np.where(self.known, value, np.inf)
        found: FloatArray = np.where(within >= 1.0, 0.0, value)
        return found

    def expected(self) -> FloatArray:
        """As much as half the looks would show."""
        return self.quantile(0.5)

    def band(self) -> tuple[FloatArray, FloatArray]:
        """Between these lie 95 of a hundred looks."""
        return self.quantile(0.975), self.quantile(0.025)

    def most_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The largest value that is not unusual at `alpha`."""
        return self.quantile(alpha)

    def least_ordinary(self, alpha: FloatArray) -> FloatArray:
        """The smallest value that is not unusual at `alpha`."""
        return self.quantile(1.0 - alpha)

    def attainable(self, alpha: FloatArray, side: TailSide = "high") -> FloatArray:
        """The real chance of an alarm: all of `alpha`, unless it is asked of looks of which too little is known."""
        if side == "low":
            nothing = 1.0 - self.present
            return np.where(self.known & (nothing <= alpha), alpha, 0.0)
        return np.where(self.known, alpha, np.where(self.present <= alpha, self.present, 0.0))

    def judge(self) -> Tail:
        """Judge the look on both sides; below its middle it is never unusually much, nor above it unusually little."""
        high, middle = self.chance_of(self.today), self.expected()
        low = np.where(self.known, np.maximum(1.0 - high, 0.0), 1.0)
        # Nothing at all is as rare as the looks that show nothing.
        low = np.where(self.today > 0, np.maximum(low, 1.0 - self.present), 1.0 - self.present)
        with np.errstate(invalid="ignore"):
            p_high = np.where(self.today > np.where(self.known, middle, 0.0), high, 1.0)
            p_low = np.where(self.known & self.member & (self.today < middle), low, 1.0)
        unknown = np.isnan(self.today)
        p_high, p_low = (np.where(unknown, np.nan, each) for each in (p_high, p_low))
        nothing = np.full(self.today.shape, np.nan)
        settled = answer_by_p("tail", p_high, observed=self.observed, needs=self.needs)
        return Tail(settled, p_high, p_low, p_high, middle, nothing, np.ones_like(p_high), nothing, self.n)


def usual_measure(series: Series, longest_years: float) -> UsualMeasure:
    """Learn from the usable looks of the last years what the judged look should show."""
    looks = series.looks
    with np.errstate(invalid="ignore", divide="ignore"):
        values = looks.counts / looks.exposure if series.adds_up else looks.counts
    recent = series.days >= series.days[-1] - longest_years * DAYS_A_YEAR
    member = (looks.member & recent)[:, :-1]
    past = np.where(member, values[:, :-1], np.nan)
    today = looks.today
    seen_well = looks.member[:, -1]
    # Seen badly or nobody knows how well, a look shows at least so much: it is compared with whole ones.
    scale = np.where(seen_well & series.adds_up, looks.today_exposure, 1.0)
    there = member & (np.nan_to_num(past) > 0)
    n, k = member.sum(axis=1), there.sum(axis=1)
    shift = _SHIFT * _row_quantile(np.where(there, past, np.nan), 0.5)
    shift = np.where(np.isnan(shift), 1.0, shift)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(there, np.log(past + shift[:, None]), np.nan)
    fitted, centre = _middle(z, there, series.days[:-1] - series.days[-1], k)
    rest = z - fitted
    spread = _spread(rest, k)
    worth = np.maximum(k * _independent(rest, there, looks), 2.0)
    with np.errstate(invalid="ignore"):
        below = (member & (past < (today / scale)[:, None])).sum(axis=1)
    return UsualMeasure(
        today=today,
        scale=scale,
        present=(k + 1.0) / (n + 2.0),
        centre=np.where(k > 0, centre, 0.0),
        spread=spread * np.sqrt(worth / (worth - 1.0) * (1.0 + _MEDIAN_VARIANCE / worth)),
        shift=shift,
        degrees=np.clip(worth - 1.0, 1.0, _MOST_DEGREES),
        known=k >= _LEAST_PRESENT,
        share_below=below / np.maximum(n, 1),
        n=n,
        needs=np.maximum(0, TAIL_LEAST_LOOKS - n).astype(np.int64),
        observed=looks.seen[:, -1],
        member=seen_well,
    )


def _row_quantile(values: FloatArray, share: float) -> FloatArray:
    """The quantile of each row's known values; NaN where there is none."""
    n = np.isfinite(values).sum(axis=1)
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    place = share * np.maximum(n - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    first, second = (np.take_along_axis(ordered, each[:, None], axis=1)[:, 0] for each in (low, high))
    with np.errstate(invalid="ignore"):
        found = first + (place - low) * (second - first)
    return np.where(n > 0, found, np.nan)


def _middle(z: FloatArray, there: BoolArray, days: FloatArray, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """The middle at each look and at the judged one: a median, or a robust yearly wave where history holds enough."""
    middle = _row_quantile(z, 0.5)
    fitted, centre = np.repeat(middle[:, None], z.shape[1], axis=1), middle.copy()
    oldest = np.min(np.where(there, days, 0.0), axis=1, initial=0.0)
    for row in np.flatnonzero((-oldest >= _SEASON_YEARS * DAYS_A_YEAR) & (k >= _SEASON_LOOKS)):
        at = there[row]
        wave = _wave(days)
        coefficients = _robust_fit(wave[at], z[row, at])
        fitted[row], centre[row] = wave @ coefficients, float(coefficients[0] + coefficients[1])
    return fitted, centre


def _wave(days: FloatArray) -> FloatArray:
    """A level and one wave a year, its first column 1 on the judged day."""
    angle = 2.0 * np.pi * days / DAYS_A_YEAR
    return np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)


def _robust_fit(design: FloatArray, z: FloatArray) -> FloatArray:
    """Least squares in which what lies far off counts for less (Huber's weights)."""
    weight = np.ones_like(z)
    coefficients: FloatArray = np.zeros(design.shape[1])
    for _ in range(_REWEIGHTED):
        normal = design.T @ (design * weight[:, None])
        coefficients = np.asarray(
            np.linalg.solve(normal + 1e-9 * np.eye(len(normal)), design.T @ (weight * z)), np.float64
        )
        rest = np.abs(z - design @ coefficients)
        sd = max(_MAD_TO_SD * float(np.median(rest)), _LEAST_SPREAD)
        weight = np.minimum(1.0, 1.345 * sd / np.maximum(rest, 1e-12))
    return coefficients


def _spread(rest: FloatArray, k: IntArray) -> FloatArray:
    """The larger of a standard deviation with far values cut and the upper decile's: a skewed tail is upwards."""
    mad = _MAD_TO_SD * _row_quantile(np.abs(rest), 0.5)
    cut = np.where(mad > 0, _CUT_SD * mad, np.inf)[:, None]
    with np.errstate(invalid="ignore"):
        near = np.where(np.isfinite(rest), np.clip(rest, -cut, cut), 0.0)
    sd = np.sqrt((near**2).sum(axis=1) / np.maximum(k - 1, 1))
    upper = _row_quantile(rest, _UPPER_DECILE) / _UPPER_DECILE_SD
    spread: FloatArray = np.maximum.reduce([sd, np.nan_to_num(upper), np.full(len(sd), _LEAST_SPREAD)])
    return spread


def _independent(rest: FloatArray, there: BoolArray, looks: Looks) -> FloatArray:
    """How much of an independent look each is worth."""
    whole = np.where(there, rest, np.nan)
    return independent_share(Looks(whole, np.ones_like(whole), looks.kind, there, np.zeros_like(there)))
