"""How long judging takes on records in SQLite: a backlog of five years of days, then polls that bring one look each.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_judging [days]
The default rules of an airport, arrivals alone, in a fresh database on disk.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from alerts.judging.judge import JudgingContext, judge_pending
from alerts.watch import SiteWatch, merge_watch
from db.engine import open_engine, writing
from db.migrate import migrate
from db.observations import record_observations
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS

DAYS, POLLS = 1_826, 30
_START = datetime(2020, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_KEY = SeriesKey("site", "", "arrivals", "", "adsb:1")


def days(count: int) -> list[Observation]:
    """Closed days of a flow: mean 4, weekends quieter, three quarters of each to all of it observed."""
    rng = np.random.default_rng(3)
    exposure = rng.uniform(0.75, 1.0, count)
    mean = 4.0 * np.where(np.arange(count) % 7 < 5, 1.15, 0.6) * exposure
    values = rng.negative_binomial(mean, 0.5)
    return [
        Observation(
            _KEY,
            "flow",
            _START + n * _DAY,
            _START + (n + 1) * _DAY,
            str(n),
            float(value),
            _START + (n + 1) * _DAY,
            _START + (n + 1) * _DAY,
            precision="day",
            exposure=float(share),
        )
        for n, (value, share) in enumerate(zip(values.tolist(), exposure.tolist(), strict=True))
    ]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def _store(engine: Engine, looks: list[Observation]) -> None:
    with writing(engine) as connection:
        record_observations(connection, looks)


def main() -> None:
    """Print both times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else DAYS
    watch = merge_watch({"arrivals": KINDS["airport"].watch["arrivals"]})
    site = SiteWatch("site", "Site", "airport", "UTC", metrics=watch)
    judging_context = JudgingContext({"site": site}, RULES, (), too_old=timedelta(days=7))
    looks = days(count + POLLS)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate(engine)
        _store(engine, looks[:count])
        now = _START + count * _DAY
        wall, processor = timed(lambda: judge_pending(engine, judging_context, now))
        print(
            f"backlog of {count} looks: {wall:.1f} s, {processor:.1f} s of processor time, {wall / count * 1e3:.1f} ms a look"
        )
        polls = []
        for look in looks[count:]:
            _store(engine, [look])
            now = look.result_time
            polls.append(timed(lambda: judge_pending(engine, judging_context, now)))  # noqa: B023 - called at once
        wall, processor = np.median(np.array(polls), axis=0)
        print(
            f"a poll that brings one look to {count} days: {wall * 1e3:.0f} ms, {processor * 1e3:.0f} ms of processor time"
        )
        engine.dispose()


if __name__ == "__main__":
    main()
