"""One series' looks as arrays: from records to what `alerts.baselines` judges. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alerts.baselines.model import Series, clean_looks, merge_near_looks
from alerts.baselines.special import FloatArray
from alerts.metrics import metric_named
from alerts.occasions import HolidayCalendar
from db.records import HOUR_S, Observation
from db.said import numeral, phrase

DAY_S = 86_400.0
_DAYS_A_WEEK = 7
_DAILY_WINDOW, _DAILY_LEAST = 56, 28
_ALIKE = 0.5
"""Periods of a flow may differ by so much of their length and still be compared."""


@dataclass(frozen=True, slots=True)
class PastLooks:
    """Earlier looks as arrays, by time: counts, and exposure NaN where it is unknown or the count is a bound."""

    start_s: FloatArray
    end_s: FloatArray
    counts: FloatArray
    exposure: FloatArray
    bounds: FloatArray
    """1 where the count is only a lower or an upper bound."""


def certain_count(look: Observation) -> float:
    """What was surely there; a value known only as an upper bound proves nothing."""
    if look.value is None or look.qualifier == "<=":
        return look.low or 0.0
    return look.value


def middle_of_look(look: Observation) -> datetime:
    """The middle of a look's period, which tells its day by every clock."""
    return look.period_start + (look.period_end - look.period_start) / 2


def look_fault(look: Observation) -> str:
    """What of a look cannot be true, "" if nothing: a count is 0 to the metric's most, a share observed 0 to 1."""
    metric = metric_named(look.series.metric)
    for count in (look.value, look.low):
        if count is not None and not 0 <= count <= metric.most:
            number = numeral(f"{count:g}")
            return (
                phrase("a count of {number}", number=number)
                if metric.counted
                else phrase("a value of {number}", number=number)
            )
    for share in (look.exposure, look.detectability):
        if share is not None and not 0 <= share <= 1:
            return phrase("a share of {share} observed", share=numeral(f"{share:g}"))
    return ""


def past_looks(looks: Sequence[Observation], implied: Sequence[Observation] = ()) -> PastLooks:
    """Read earlier looks into arrays.

    `implied` are looks of the same procedure that would have shown the subject and did not: they count as zero.
    """
    rows = [_row(look, certain_count(look)) for look in looks] + [_row(look, 0.0) for look in implied]
    rows.sort()
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return PastLooks(*(table[:, column] for column in range(5)))


def _row(look: Observation, count: float) -> tuple[float, float, float, float, float]:
    bound = look.qualifier in (">=", "<=")
    return (
        look.period_start.timestamp(),
        look.period_end.timestamp(),
        count,
        exposure_of(look),
        float(bound),
    )


def exposure_of(look: Observation) -> float:
    """Share of period or area really observed times what such a sensor detects; NaN where unknown.

    A source that says it looked saw all of it; a bound is no measurement of anything that can be shared out.
    """
    if look.qualifier in (">=", "<="):
        return np.nan
    if look.exposure is None:
        return 1.0 if look.assessable else np.nan
    return look.exposure * (1.0 if look.detectability is None else look.detectability)


def series_of(look: Observation, past: PastLooks, calendar: HolidayCalendar) -> Series:
    """Lay the judged look behind its past: one look an hour, periods of like length, days on the place's calendar."""
    metric = metric_named(look.series.metric)
    start = look.period_start.timestamp()
    length = max(look.period_end.timestamp() - start, 1.0)
    like = past.start_s < start
    if look.kind == "flow":
        lengths = np.maximum(past.end_s - past.start_s, 1.0)
        like &= np.abs(np.log(lengths / length)) <= np.log1p(_ALIKE)
    else:
        # The same opportunity as today's look: a second tile of one pass.
        like &= past.start_s < start - HOUR_S
    counts = np.append(past.counts[like], certain_count(look))
    exposure = np.append(past.exposure[like], exposure_of(look))
    bounds = np.append(past.bounds[like], float(look.qualifier in (">=", "<=")))
    alike = bool(np.isnan(exposure[bounds == 0]).all())
    exposure = np.where((bounds == 0) & alike, 1.0, exposure)
    days = (np.append(past.start_s[like], start) - start) / DAY_S
    daily = _is_daily(look, days)
    if daily:
        days, counts, exposure = _on_calendar(days, counts, exposure)
    elif look.kind == "stock":
        earlier = merge_near_looks(days[:-1], counts[:-1], exposure[:-1], HOUR_S / DAY_S)
        days, counts, exposure = (
            np.append(part, last) for part, last in zip(earlier, (0.0, counts[-1], exposure[-1]), strict=True)
        )
    return Series(
        days,
        clean_looks(counts, exposure, kind=look.kind, largest=metric.most),
        daily=daily,
        period_days=length / DAY_S,
        alike=alike,
        today=look.period_start.date(),
        measure=metric.measure,
        adds_up=metric.adds_up,
        occasions=calendar.occasions(middle_of_look(look), len(days)) if daily else None,
    )


def _is_daily(look: Observation, days: FloatArray) -> bool:
    recent = np.unique(np.rint(days[days > -_DAILY_WINDOW - _DAYS_A_WEEK]))
    return look.precision == "day" and len(recent) > _DAILY_LEAST


def _on_calendar(
    days: FloatArray, counts: FloatArray, exposure: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Columns are days; two rows of one day keep the better seen one, then the larger."""
    day = np.rint(days).astype(np.int64)
    order = np.lexsort((counts, np.nan_to_num(exposure, nan=-1.0), day))
    width = int(-day[0]) + 1 if len(day) else 1
    y, e = np.full((2, width), np.nan)
    column = day[order] + width - 1
    y[column], e[column] = counts[order], exposure[order]
    # Today's look is the judged one, whatever else is known of today.
    y[-1], e[-1] = counts[-1], exposure[-1]
    return np.arange(1 - width, 1, dtype=np.float64), y, e
