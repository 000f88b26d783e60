"""The rules as they run on records: backtests of simulated series, the realised rate beside the promise.

Run: python -m benchmarks.baselines_pipeline [series]
Weekly flows of mixed level, five years each, judged look by look by the default rules of a railhead with one metric and
half an alarm a year: episodes by any rule, and by each, pooled over all series.
"""

import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np

from alerts.backtest.replay import replay_series
from alerts.backtest.summary import summarise
from alerts.baselines.calibrate import rate_interval
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch, merge_watch
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS

WEEKS = 261
_START = datetime(2020, 1, 6, tzinfo=UTC)
_WEEK = timedelta(days=7)
_LENGTH = timedelta(minutes=1)
_KEY = SeriesKey("site", "", "railcars", "", "detector:1@10m")


def site() -> SiteWatch:
    """A railhead where railcars alone are watched, so that they have the whole budget."""
    watch = merge_watch({"railcars": KINDS["railhead"].watch["railcars"]})
    return SiteWatch("site", "Site", "railhead", "UTC", metrics=watch)


def looks(level: float, rng: np.random.Generator) -> list[Observation]:
    """Five years of weekly looks with a season, dispersion 2 and changing exposure."""
    exposure = rng.uniform(0.35, 1.0, WEEKS)
    mean = level * np.exp(0.4 * np.cos(2 * np.pi * np.arange(WEEKS) / 52.18)) * exposure
    counts = rng.negative_binomial(mean, 0.5)
    return [
        Observation(
            _KEY,
            "stock",
            _START + n * _WEEK,
            _START + n * _WEEK + _LENGTH,
            str(n),
            float(count),
            _START + n * _WEEK + _LENGTH,
            _START + n * _WEEK + _LENGTH,
            precision="minute",
            exposure=float(share),
        )
        for n, (count, share) in enumerate(zip(counts.tolist(), exposure.tolist(), strict=True))
    ]


def main() -> None:
    """Print the pooled rates."""
    series = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 40
    rng = np.random.default_rng(17)
    alarms: Counter[str] = Counter()
    promised: dict[str, float] = defaultdict(float)
    attainable: dict[str, float] = defaultdict(float)
    years = 0.0
    for number in range(series):
        level = (0.5, 2.0, 8.0, 30.0)[number % 4]
        own = looks(level, rng)
        judged = list(replay_series(own, KnownHistory(_START), _KEY, site(), RULES))
        found = summarise(judged)
        years += found.site_years
        for each in (found.verdict, *found.rules):
            alarms[each.rule] += each.false_episodes
            promised[each.rule] += each.promised_a_year * found.site_years
            if each.attainable_a_year is not None:
                attainable[each.rule] += each.attainable_a_year * found.site_years
    print(f"{series} series, {years:.0f} site-years")
    print(f"{'rule':<12}{'episodes':>9}{'a year':>8}{'95 %':>16}{'promised':>10}{'attainable':>12}")
    for rule, promise in promised.items():
        if promise > 0:
            low, high = rate_interval(alarms[rule], years)
            print(
                f"{rule:<12}{alarms[rule]:>9}{alarms[rule] / years:>8.3f}{f'[{low:.3f}, {high:.3f}]':>16}"
                f"{promise / years:>10.3f}"
                + (f"{attainable[rule] / years:>12.3f}" if rule in attainable else f"{'–':>12}")
            )


if __name__ == "__main__":
    main()
