"""What putting looks in their place costs in false changes: run `python -m benchmarks.imagery_shifts [SEEDS]`.

The two real years in which nothing was built. Each look is laid up to half a pixel beside the others in a direction of its own, in
frequencies, so that nothing is blurred; then it is put right by the code that runs live, and measured. Beside it stand steep edges left out
of every look that was moved, nothing put right, and the series as it came. Intervals are 95 %, of dates drawn with replacement.
"""

import math
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.imagery_changes import PER_INDEX, ZERO_INDEX, alarms_of, measured, observations, site, squares
from benchmarks.imagery_world import PIXELS, track
from monitor.derive.pixels import ORDINARY_PX, Reference, codes_in_place
from monitor.imagery.classes import widened
from monitor.imagery.codes import BANDS, MISSING, Codes, decode, encode
from monitor.imagery.grid import Bools, PixelGrid, Zone
from monitor.imagery.measures import LEAST_SHARE, TRACK, measure
from monitor.imagery.shift import WORTH_MENDING_PX
from monitor.imagery.study import KeptLook

GRID = PixelGrid(32633, 465_181, 5_080_255, 101, 100)
FARTHEST_PX = 0.5
_CLOUDY, _LEAST_CLEAR, _NEWEST, _EDGE_PX = 100, 0.3, 9, 20
_DRAWS = 2_000
Numbers = NDArray[np.uint16]
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


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    zones, lines = squares(GRID, 25, 20), tracks()
    print(
        "| rule | looks of zones of 4 ha | of them say that something changed | pixels judged | pixels said to have left | alarms a year (95 %), promised | lines: looks told | say that something stands |"
    )
    print("|---|---|---|---|---|---|---|---|")
    cases: list[tuple[str, Rule, float, int]] = [("as it came, not moved", as_it_came, 0.0, 1)]
    cases += [("as it came, through the rule that runs", RULES[next(iter(RULES))], 0.0, 1)]
    cases += [(name, rule, FARTHEST_PX, seeds) for name, rule in RULES.items()]
    for name, rule, farthest, runs in cases:
        print(_row(name, [series(rule, farthest, seed) for seed in range(runs)], zones, lines), flush=True)


def _row(name: str, runs: Sequence[Sequence[KeptLook]], zones: Sequence[Zone], lines: Sequence[Zone]) -> str:
    areas: dict[str, list[bool]] = {}
    stands: dict[str, list[bool]] = {}
    judged, left, owed = 0, 0, []
    for kept in runs:
        said, shown = measured(kept, zones)
        owed += [list(observations(each)) for each in said]
        for place, (one, look) in enumerate(shown):
            found = look.departure
            judged += int(found.seen.sum())
            left += int(found.left.sum())
            told = [each.found[place][1].value for each in said]
            areas.setdefault(one.key, []).extend(value > 0 for value in told if value is not None)
            along = [
                each
                for each in (measure(look, line, TRACK) for line in lines)
                if each.seen_share >= LEAST_SHARE
            ]
            stands.setdefault(one.key, []).extend(each.value > 0 for each in along if each.value is not None)
    alarms = alarms_of(owed, site())
    cells = [_share(areas), f"{judged:,} | {left / max(1, judged):.5f}", alarms.cells, _share(stands)]
    return f"| {name} | " + " | ".join(cells) + " |"


def _share(by_date: dict[str, list[bool]]) -> str:
    """How many, and the share with its interval."""
    told = np.array([[sum(each), len(each)] for each in by_date.values()])
    rng = np.random.default_rng(3)
    drawn = told[rng.integers(len(told), size=(_DRAWS, len(told)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(1, drawn[:, 1]), [0.025, 0.975])
    right, looks = told.sum(axis=0)
    return f"{looks:,} ({len(told)} dates) | {right / max(1, looks):.3f} ({low:.3f}–{high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
