"""Births by day in the states of the US, 1969 to 1988: what `tail` tells with and without their holidays.

Run: python -m benchmarks.baselines_holidays FILE [year …]
FILE is the frame `Birthdays` of the R package mosaicData (columns state, year, month, day, births), pickled as Python packages of
R's data sets do, or a CSV of it. Nobody here made these counts: 51 series of 20 to 1,070 a day, fewer on holidays and at weekends. Every
day of the given years is judged on both sides by what lies up to five years, and up to one year, before it; half an
alarm a series-year is promised. On occasions (holidays and the days beside them) and every ninth other day half as much again is planted.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from alerts.baselines.budget import FalseAlarmPromise
from alerts.baselines.engine import TwoSided, judge_series
from alerts.baselines.model import DAYS_A_YEAR, Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.occasions import HolidayCalendar, occasion_in

YEARS = (1974, 1978, 1982, 1986)
HISTORIES = (1_826, 365)
_RULES: Mapping[str, Mapping[str, object]] = {"tail": {"sides": "both", "longest_years": 10.0}}
_PLANTED, _EVERY = 1.5, 9
_COUNTRY = "US"


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of one day at all places."""

    day: datetime
    occasion: str
    high: BoolArray
    low: BoolArray
    found: BoolArray | None
    """Of half as much again; None where nothing was planted."""


def births(file: Path) -> tuple[datetime, FloatArray]:
    """The first day, and the counts [state, day]."""
    rows = pd.read_csv(file) if file.suffix == ".csv" else pd.read_pickle(file, compression="xz")
    rows["on"] = pd.to_datetime(rows[["year", "month", "day"]], errors="coerce")
    table = rows.dropna(subset=["on"]).pivot_table(
        index="on", columns="state", values="births", aggfunc="sum", fill_value=0
    )
    return table.index[0].to_pydatetime().replace(tzinfo=UTC), table.to_numpy(float).T


def told(
    first: datetime, counts: FloatArray, year: int, history: int, calendar: HolidayCalendar
) -> Iterator[Told]:
    """Judge every day of a year."""
    for column in range(counts.shape[1]):
        day = first + timedelta(days=column)
        if day.year != year:
            continue
        known = counts[:, max(0, column - history) : column + 1]
        low, high = _fires(known, day, calendar)
        occasion = occasion_in(day.date(), _COUNTRY)
        found = None
        if occasion or column % _EVERY == 0:
            more = known.copy()
            more[:, -1] = np.round(more[:, -1] * _PLANTED)
            found = _fires(more, day, calendar)[1]
        yield Told(day, occasion, high, low, found)


def _fires(counts: FloatArray, day: datetime, calendar: HolidayCalendar) -> tuple[BoolArray, BoolArray]:
    width = counts.shape[1]
    series = Series(
        np.arange(1.0 - width, 1.0),
        clean_looks(counts),
        daily=True,
        period_days=1.0,
        occasions=calendar.occasions(day, width),
    )
    ruling = judge_series(series, FalseAlarmPromise(), _RULES).rulings["tail"]
    low = ruling.of(TwoSided).low
    return ruling.fires & low, ruling.fires & ~low


def table(days: list[Told], series: int) -> str:
    """High and low alarms a series-year on occasions and other days, the worst day, and what was found of what was planted."""
    years = len(days) * series / DAYS_A_YEAR
    parts = []
    for name, some in (
        ("occasions", [each for each in days if each.occasion]),
        ("other days", [each for each in days if not each.occasion]),
    ):
        high, low = (sum(int(getattr(each, side).sum()) for each in some) for side in ("high", "low"))
        caught = float(np.mean([each.found for each in some if each.found is not None]))
        parts.append(
            f"{name}: {high / years:.2f} high, {low / years:.2f} low ({high + low}), planted {caught:.2f}"
        )
    worst = max(days, key=lambda each: int((each.high | each.low).sum()))
    return (
        f"{years:.0f} series-years; {'; '.join(parts)}; most on one day {(worst.high | worst.low).sum()} "
        f"({worst.day:%Y-%m-%d} {worst.occasion})"
    )


def main() -> None:
    """Print a line for each length of history, without and with holidays."""
    first, counts = births(Path(sys.argv[1]))
    years = [int(each) for each in sys.argv[2:]] or list(YEARS)
    for history in HISTORIES:
        for name, calendar in (("without", HolidayCalendar()), ("with holidays", HolidayCalendar(_COUNTRY))):
            days = [each for year in years for each in told(first, counts, year, history, calendar)]
            print(f"{history} days before, {name}: {table(days, len(counts))}", flush=True)


if __name__ == "__main__":
    main()
