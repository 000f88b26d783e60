"""What share of the default series can be judged after 1, 30 and 365 days of default polling.

Run: python -m benchmarks.baselines_judgeable ../shared/data
Flight series get one closed day a day, well observed, where a feed hears aircraft at the site at all. Imagery series
get the real cadence and clear shares of Sentinel-2 scenes at 15 airports, from 20 start days in 2018 and 2019, for the
case that somebody or some detector counts every usable scene: sitewatch itself records scenes and counts nothing in them.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from alerts.baselines.budget import BUDGETED_RULES
from alerts.baselines.model import EXPOSURE_GATES, merge_near_looks
from alerts.judging.forecast import series_baseline
from alerts.judging.verdicts import KnownHistory
from alerts.metrics import METRICS
from alerts.watch import SiteWatch
from benchmarks.baselines_data import Scenes, aircraft
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.flights.looks import COUNTED_METRICS
from monitor.sites.load import load_sites
from monitor.sites.watching import site_watches

AFTER_DAYS = (1, 30, 365)
STARTS = 20
_FIRST = datetime(2018, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_SITES = Path(__file__).resolve().parents[1] / "sites.geojson"


@dataclass(frozen=True, slots=True)
class Share:
    """Of the default series: flight series where feeds hear the site, and imagery series where scenes are counted."""

    days: int
    flights: float
    imagery: float
    usable_looks: float
    """Median usable looks of an imagery series."""


def default_series(sites: Path = _SITES) -> list[tuple[SiteWatch, str]]:
    """Every metric of every shipped site with a rule under the promise."""
    watches = site_watches(load_sites(sites).by_id.values(), {})
    return [
        (watch, metric)
        for watch in watches.values()
        for metric, found in watch.metrics.items()
        if found.rules.keys() & BUDGETED_RULES
    ]


def flight_looks(metric: str, days: int) -> list[Observation]:
    """One closed day a day, nine tenths of it observed, with a busy count."""
    key = SeriesKey("site", "", metric, "", "adsb:1")
    return [_look(key, _FIRST + n * _DAY, _DAY, 4.0 + n % 3, 0.9) for n in range(days)]


def scene_looks(scenes: Scenes, start: datetime, days: int) -> list[Observation]:
    """The usable scenes of so many days, as counts of a stock."""
    key = SeriesKey("site", "", "railcars", "", "detector:1@10m")
    times = np.array([moment.timestamp() for moment in scenes.times])
    at, counts, exposure = merge_near_looks(times, scenes.counts, scenes.exposure)
    within = (
        (at >= start.timestamp())
        & (at < (start + days * _DAY).timestamp())
        & (exposure >= EXPOSURE_GATES["stock"])
    )
    return [
        _look(key, datetime.fromtimestamp(when, UTC), timedelta(0), count, share)
        for when, count, share in zip(at[within], counts[within], exposure[within], strict=True)
    ]


def _look(key: SeriesKey, start: datetime, length: timedelta, value: float, exposure: float) -> Observation:
    kind = METRICS[key.metric].kind
    precision = "day" if kind == "flow" or length else "minute"
    return Observation(
        key,
        kind,
        start,
        start + length,
        start.isoformat(),
        float(value),
        start + length,
        start + length,
        exposure=float(exposure),
        precision=precision,  # type: ignore[arg-type] # one of two of its texts
    )


def judgeable(looks: Sequence[Observation], kind: str, now: datetime) -> bool:
    """Whether a site of this kind could judge its next look."""
    if not looks:
        return False
    watch = next(each for each, _ in default_series() if each.kind == kind)
    return series_baseline(looks[0].series, KnownHistory(now, looks), watch, RULES).judgeable


def shares(data: Path) -> Iterator[Share]:
    """The shares after each length of polling."""
    airports = aircraft(data)
    starts = [_FIRST + n * (365 * _DAY / STARTS) for n in range(STARTS)]
    for days in AFTER_DAYS:
        seen = [(scene_looks(scenes, start, days), start) for scenes in airports for start in starts]
        imagery = [judgeable(looks, "railhead", start + days * _DAY) for looks, start in seen]
        flights = [
            judgeable(flight_looks(metric, days), "airport", _FIRST + days * _DAY)
            for metric in COUNTED_METRICS
        ]
        usable = float(np.median([len(looks) for looks, _ in seen]))
        yield Share(days, float(np.mean(flights)), float(np.mean(imagery)), usable)


def main() -> None:
    """Print the table."""
    series = default_series()
    flights = sum(metric in COUNTED_METRICS for _, metric in series)
    heard = sum(metric in COUNTED_METRICS and not watch.site_id.startswith("kp-") for watch, metric in series)
    imagery = len(series) - flights
    print(
        f"{len(series)} default series: {flights} of flights ({heard} outside North Korea), {imagery} of imagery"
    )
    print(
        "after days | flights, where heard | imagery, if counted | of all: flights outside North Korea | with every scene counted"
    )
    for each in shares(Path(sys.argv[1])):
        only = each.flights * heard / len(series)
        print(
            f"{each.days:>10} | {each.flights:>19.0%} | {each.imagery:>18.0%} (median {each.usable_looks:g} usable) | "
            f"{only:.0%} | {only + each.imagery * imagery / len(series):.0%}"
        )


if __name__ == "__main__":
    main()
