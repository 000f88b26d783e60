"""What putting looks in their place costs in false changes: run `python -m benchmarks.imagery_shifts [SEEDS]`.

The two real years in which nothing was built. Each look is laid up to half a pixel beside the others in a direction of its own, in
frequencies, so that nothing is blurred; then it is put right by the code that runs live, and measured. Beside it stand steep edges left out
of every look that was moved, nothing put right, and the series as it came. Intervals are 95 %, of dates drawn with replacement.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.imagery_changes import PER_INDEX, ZERO_INDEX, alarms_of, measured, observations, site, squares
from benchmarks.imagery_world import PIXELS, track
from db.records import Observation
from monitor.derive.pixels import ORDINARY_PX, Reference, codes_in_place
from monitor.imagery.classes import widened
from monitor.imagery.codes import BANDS, MISSING, Codes, decode, encode
from monitor.imagery.grid import Bools, PixelGrid, Zone
from monitor.imagery.measures import TRACK, measure
from monitor.imagery.shift import WORTH_MENDING_PX
from monitor.imagery.study import KeptLook

GRID = PixelGrid(32633, 465_181, 5_080_255, 101, 100)
FARTHEST_PX = 0.5
_CLOUDY, _LEAST_CLEAR, _NEWEST, _EDGE_PX = 100, 0.3, 9, 20
_DRAWS = 2_000
Numbers = NDArray[np.uint16]
Key = tuple[int, str, str]
Rule = Callable[[Numbers, Bools, Sequence[Codes]], Codes | None]


def put_right(
    numbers: Numbers, clear: Bools, before: Sequence[Codes], *, edges_until_px: float
) -> Codes | None:
    """Laid on the looks before it, as the service does."""
    reference = Reference(before[-_NEWEST:]) if before else None
    return codes_in_place(numbers, 0, clear, reference, edges_until_px)[0]


def as_it_came(numbers: Numbers, clear: Bools, _before: Sequence[Codes]) -> Codes:
    """Left where it lies."""
    return encode(numbers, 0, clear)


RULES: dict[str, Rule] = {
    f"put right, edges left out beyond {ORDINARY_PX:g} px (what runs)": partial(
        put_right, edges_until_px=ORDINARY_PX
    ),
    f"put right, edges left out beyond {WORTH_MENDING_PX:g} px (before)": partial(
        put_right, edges_until_px=WORTH_MENDING_PX
    ),
    "not put right": as_it_came,
}


def laid_beside(picture: NDArray[np.float64], south: float, east: float) -> NDArray[np.float64]:
    """The picture moved by a part of a pixel, each frequency turned by its own angle; it goes on as in a mirror."""
    wide = np.pad(picture, _EDGE_PX, mode="symmetric")
    down, right = np.fft.fftfreq(wide.shape[0])[:, np.newaxis], np.fft.fftfreq(wide.shape[1])
    turned = np.fft.fft2(wide) * np.exp(-2j * math.pi * (down * south + right * east))
    inner = slice(_EDGE_PX, -_EDGE_PX)
    return np.real(np.fft.ifft2(turned))[inner, inner]


def series(rule: Rule, farthest_px: float, seed: int) -> list[KeptLook]:
    """The real looks, each laid beside the others by up to so much, and treated by this rule."""
    data = np.load(PIXELS / "ndvi-two-years.npz")
    rng = np.random.default_rng(seed)
    kept: list[KeptLook] = []
    before: list[Codes] = []
    for at, index, cloud in zip(data["times"], data["ndvi"], data["cloud_probability"], strict=True):
        size, angle = farthest_px * math.sqrt(rng.random()), 2 * math.pi * rng.random()
        clear = ~widened(cloud > _CLOUDY, 3)
        if clear.mean() < _LEAST_CLEAR:
            continue
        shown = (
            laid_beside(index / 10_000, size * math.sin(angle), size * math.cos(angle))
            if size
            else index / 10_000
        )
        codes = rule(_numbers(shown), clear, before)
        if codes is not None:
            before.append(codes)
            when = datetime.fromisoformat(str(at)).replace(tzinfo=UTC)
            kept.append(KeptLook(str(at), when, lambda codes=codes: codes[:1]))  # type: ignore[misc]
    return kept


def _numbers(index: NDArray[np.float64]) -> Numbers:
    """One band as the five that a file has: numbers of which codes are made that stand for the index."""
    codes = np.clip(index * PER_INDEX + ZERO_INDEX, 1, MISSING - 1).astype(np.float32)
    return np.repeat(np.rint(decode(codes) * 10_000).astype(np.uint16)[np.newaxis], len(BANDS), axis=0)


def tracks() -> list[Zone]:
    """Lines across the fields, along rows, columns and both diagonals; nothing ever stands on them."""
    ends = [
        ((5, 25), (95, 25)),
        ((5, 75), (95, 75)),
        ((25, 5), (25, 95)),
        ((75, 5), (75, 95)),
        ((8, 8), (92, 92)),
        ((8, 92), (92, 8)),
    ]
    return [track(GRID, f"line-{number}", points) for number, points in enumerate(ends)]


@dataclass(slots=True)
class Told:
    """What one rule told of all series: by seed, date and zone whether something is said to have changed, or to stand."""

    areas: dict[Key, bool] = field(default_factory=dict)
    stands: dict[Key, bool] = field(default_factory=dict)
    judged: int = 0
    left: int = 0
    owed: list[list[Observation]] = field(default_factory=list)


def told_by(rule: Rule, farthest_px: float, seeds: int, zones: Sequence[Zone], lines: Sequence[Zone]) -> Told:
    """Treat and measure the series of every seed by one rule."""
    told = Told()
    for seed in range(seeds):
        said, shown = measured(series(rule, farthest_px, seed), zones)
        told.owed += [list(observations(each)) for each in said]
        for place, (one, look) in enumerate(shown):
            told.judged += int(look.departure.seen.sum())
            told.left += int(look.departure.left.sum())
            for each in said:
                value = each.found[place][1].value
                if value is not None:
                    told.areas[seed, one.key, each.zone.name] = value > 0
            for line in lines:
                value = measure(look, line, TRACK).value
                if value is not None:
                    told.stands[seed, one.key, line.name] = value > 0
    return told


def main() -> None:
    """Print the tables."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    zones, lines = squares(GRID, 25, 20), tracks()
    runs = next(iter(RULES))
    cases = {
        "as it came, not moved": (as_it_came, 0.0, 1),
        "as it came, through the rule that runs": (RULES[runs], 0.0, 1),
        **{name: (rule, FARTHEST_PX, seeds) for name, rule in RULES.items()},
    }
    found = {}
    print(
        "| rule | zones of 4 ha: looks | say that something changed | pixels judged | of them said to have left | zone-years | promised | alarms a year | lines: looks | say that something stands |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, (rule, farthest, runs_of) in cases.items():
        found[name] = one = told_by(rule, farthest, runs_of, zones, lines)
        alarms = alarms_of(one.owed, site()).cells
        share = one.left / max(1, one.judged)
        print(
            f"| {name} | {_share(one.areas)} | {one.judged:,} | {share:.5f} | {alarms} | {_share(one.stands)} |",
            flush=True,
        )
    print(
        "\n| beside the rule that runs, on looks that both tell | zones: looks | this, that | difference | lines: looks | this, that | difference |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in list(RULES)[1:]:
        cells = [
            _beside(one, other)
            for one, other in (
                (found[runs].areas, found[name].areas),
                (found[runs].stands, found[name].stands),
            )
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


def _by_date(told: Mapping[Key, bool]) -> NDArray[np.int64]:
    """For each date how many of them are so, and how many there are."""
    dates: dict[str, list[bool]] = {}
    for (_, date, _), so in told.items():
        dates.setdefault(date, []).append(so)
    return np.array([[sum(each), len(each)] for _, each in sorted(dates.items())])


def _share(told: Mapping[Key, bool]) -> str:
    """How many, and the share that is so with its interval."""
    counts = _by_date(told)
    low, high = np.quantile(_drawn(counts), [0.025, 0.975])
    so, looks = counts.sum(axis=0)
    return f"{looks:,} ({len(counts)} dates) | {so / max(1, looks):.3f} ({low:.3f}–{high:.3f})"


def _beside(one: Mapping[Key, bool], other: Mapping[Key, bool]) -> str:
    """The shares of both on what both tell, and their difference with its interval."""
    both = one.keys() & other.keys()
    ours, theirs = (_by_date({key: told[key] for key in both}) for told in (one, other))
    low, high = np.quantile(_drawn(ours) - _drawn(theirs), [0.025, 0.975])
    first, second = (each[:, 0].sum() / max(1, each[:, 1].sum()) for each in (ours, theirs))
    return f"{len(both):,} | {first:.3f}, {second:.3f} | {first - second:+.3f} ({low:+.3f} to {high:+.3f})"


def _drawn(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share in each of many draws of dates, the same draws for all."""
    rng = np.random.default_rng(3)
    drawn = counts[rng.integers(len(counts), size=(_DRAWS, len(counts)))].sum(axis=1)
    return np.asarray(drawn[:, 0] / np.maximum(1, drawn[:, 1]))


if __name__ == "__main__":
    sys.exit(main())
