"""Writes the invented passes of the scenarios railhead-2023 and demo: `python -m scenarios.passes [FOLDER SEED RISE]`.

When satellites pass, what cloud and snow hide, how many wagons stand there. The figures and where each comes from stand in
scenarios/railhead-2023/README.md; they were fixed before any pass was measured. Neither the passes nor the trains were seen by anybody.
"""

import csv
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FOLDER, DEMO, FILE = HERE / "railhead-2023", HERE / "demo", "passes.csv"
COLUMNS = ("at", "platform", "cloud", "thin", "snow", "refined", "wagons", "rake")
BEGINS, ENDS = datetime(2022, 3, 1, 2, 16, tzinfo=UTC), datetime(2023, 11, 1, tzinfo=UTC)
SHIPPED_SEED = 1
RISES = datetime(2023, 6, 5, tzinfo=UTC)
"""The invented day of the shipped scenario, four months before anybody wrote of it."""
SAID_TO_RISE = datetime(2023, 9, 18, tzinfo=UTC)
"""The day from which the publisher says that it rose."""
GROWS_FOR = timedelta(days=17)
ORBIT_EVERY, OTHER_ORBIT_AFTER, OTHER_ORBIT_SHARE = timedelta(days=5), timedelta(days=2), 0.4
_CLEAR = {12: 0.60, 3: 0.45, 6: 0.28, 9: 0.58}
"""The share of passes that are clear, by the month in which a season begins."""
_OVERCAST, _THIN = 0.5, 0.15
_SNOWY = {11: 0.15, 12: 0.5, 1: 0.5, 2: 0.5, 3: 0.15}
_UNREFINED = 0.1
_RAKE_DAYS = 5.0
_EMPTY, _QUIET_MEAN, _QUIET_MOST = 0.25, 6.0, 20
_MANY, _MANY_SD, _MANY_LEAST, _AWAY = 73.0, 12.0, 45.0, 0.15


def rows(seed: int, rises: datetime) -> Iterator[dict[str, str]]:
    """Each pass as a row."""
    rng = np.random.default_rng([seed, 1])
    rake, wagons, before = 0, _standing(rng, BEGINS, rises), BEGINS
    for number, at in enumerate(_times(rng)):
        goes = at >= rises > before or rng.random() < 1 - math.exp(
            -(at - before) / timedelta(days=_RAKE_DAYS)
        )
        if goes:
            rake, wagons = rake + 1, _standing(rng, at, rises)
        before = at
        cloud = _cloud(rng, at)
        snowy = rng.random() < _SNOWY.get(at.month, 0.0)
        yield {
            "at": at.isoformat(),
            "platform": f"invented-sentinel-2{'ab'[number % 2]}",
            "cloud": f"{cloud:.2f}",
            "thin": f"{rng.uniform(0.1, 0.6) if 0 < cloud < 1 and rng.random() < _THIN else 0:.2f}",
            "snow": f"{rng.uniform(0.2, 1.0) if snowy else 0:.2f}",
            "refined": "no" if rng.random() < _UNREFINED else "yes",
            "wagons": str(wagons),
            "rake": str(rake),
        }


def _times(rng: np.random.Generator) -> Iterator[datetime]:
    at = BEGINS
    while at < ENDS:
        yield at
        if rng.random() < OTHER_ORBIT_SHARE:
            yield at + OTHER_ORBIT_AFTER
        at += ORBIT_EVERY


def _cloud(rng: np.random.Generator, at: datetime) -> float:
    """The share of the site under cloud; a pass that is not clear is overcast, or cloudy in part."""
    if rng.random() < _CLEAR[(at.month // 3 * 3) or 12]:
        return float(rng.uniform(0, 0.2)) if rng.random() < _OVERCAST else 0.0
    return 1.0 if rng.random() < _OVERCAST else float(rng.uniform(0.2, 1.0))


def _standing(rng: np.random.Generator, at: datetime, rises: datetime) -> int:
    """How many wagons a rake has that comes now."""
    few = 0 if rng.random() < _EMPTY else min(_QUIET_MOST, int(rng.geometric(1 / _QUIET_MEAN)))
    many = max(_MANY_LEAST, rng.normal(_MANY, _MANY_SD))
    away = rng.random() < _AWAY
    if at < rises or away:
        return few
    grown = min(1.0, (at - rises) / GROWS_FOR)
    return round(_QUIET_MOST + grown * (many - _QUIET_MOST))


def write(folder: Path, seed: int, rises: datetime) -> None:
    """Write the passes of one seed into a folder."""
    with (folder / FILE).open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(seed, rises))


def main() -> None:
    """Write the shipped files, or that of another seed and rise."""
    if not sys.argv[1:]:
        write(FOLDER, SHIPPED_SEED, RISES)
        write(DEMO, SHIPPED_SEED, SAID_TO_RISE)
        return
    folder, seed, rise = sys.argv[1:]
    write(Path(folder), int(seed), datetime.fromisoformat(rise))


if __name__ == "__main__":
    main()
