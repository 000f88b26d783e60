"""Read the shared recordings that the baseline benchmarks and tests compare with."""

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
FIRST_WEEK, LAST_WEEK = 576, 624
"""The evaluated weeks, counted from 1."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """The 420 series of the odd scenarios: null version, outbreak version, and the number R knows them by."""

    number: NDArray[np.int64]
    null: FloatArray
    outbreak: FloatArray
    start: NDArray[np.int64]
    end: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FromR:
    """One method's answers, [variant, series, week], in the order of `Simulated`."""

    alarm: FloatArray
    bound: FloatArray
    p: FloatArray


def simulated(data: Path) -> Simulated:
    """Read the simulated series (weeks 1 to 624)."""
    with gzip.open(data / "baselines" / "simulated-odd-scenarios.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    null = np.array([[float(row[f"y{week}"]) for week in range(1, LAST_WEEK + 1)] for row in rows])
    added = np.array([[float(row[f"o{week}"]) for week in range(FIRST_WEEK, LAST_WEEK + 1)] for row in rows])
    outbreak = null.copy()
    outbreak[:, FIRST_WEEK - 1 :] += added
    number = np.array([20 * (int(row["scenario"]) - 1) + int(row["rep"]) for row in rows])
    start, end = (np.array([int(row[name]) for row in rows]) for name in ("ob_start", "ob_end"))
    return Simulated(number, null, outbreak, start, end)


def from_r(data: Path, series: Simulated) -> dict[str, FromR]:
    """Read every method's answers of R's surveillance."""
    place = {number: row for row, number in enumerate(series.number.tolist())}
    shape = (3, 2, len(place), LAST_WEEK - FIRST_WEEK + 1)
    tables: dict[str, FloatArray] = defaultdict(lambda: np.full(shape, np.nan))
    with gzip.open(data / "baselines" / "r-surveillance-results-odd-scenarios.csv.gz", "rt") as file:
        reader = csv.reader(file)
        next(reader)
        for number, variant, method, week, *values, _ms in reader:
            at = (int(variant), place[int(number)], int(week) - FIRST_WEEK)
            table = tables[method]
            for part, value in enumerate(values):
                if value not in ("", "NA"):
                    table[(part, *at)] = float(value)
    return {method: FromR(*table) for method, table in tables.items()}


@dataclass(frozen=True, slots=True)
class Scenes:
    """One airport's Sentinel-2 scenes: aircraft in flight, with the share of the frame really seen."""

    airport: str
    times: tuple[datetime, ...]
    counts: FloatArray
    exposure: FloatArray


def aircraft(data: Path) -> list[Scenes]:
    """Read the 15 airports' scenes, in order of time."""
    grouped: dict[str, list[tuple[datetime, float, float]]] = defaultdict(list)
    with gzip.open(data / "counts" / "sentinel2-aircraft-15-airports.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["time_utc"]).astimezone(UTC)
            share = float(row["blocks_observed"]) / float(row["blocks_total"])
            grouped[row["airport_iata"]].append((at, float(row["aircraft"]), share))
    return [
        Scenes(
            airport,
            tuple(at for at, _, _ in sorted(rows)),
            np.array([count for _, count, _ in sorted(rows)]),
            np.array([share for _, _, share in sorted(rows)]),
        )
        for airport, rows in sorted(grouped.items())
    ]
