"""Vessels on real Sentinel-2 looks at ports, found by the code that runs, against boxes drawn by people.

Run: python -m benchmarks.imagery_vessels ../shared/data/imagery            (each port held out in turn; needs scikit-learn)
     python -m benchmarks.imagery_vessels ../shared/data/imagery --shipped  (the shipped coefficients: for other ports)
Intervals are 95 %, of ports drawn with replacement. The naive rival: near infrared more than four robust deviations above
water, within the closed mask of water, 4 to 900 pixels.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.imagery_vessels_ports import Port, away_from_quays, f1, hull_within, matched, read_ports
from benchmarks.imagery_vessels_train import Held, Trained, cross_validate, prepare
from monitor.imagery.vessels import find_vessels
from monitor.imagery.vessels_model import HeldOutPorts, true_count, vessel_model
from monitor.imagery.vessels_objects import QUAY_M, Box, open_candidates, quay_candidates
from monitor.imagery.vessels_water import ANY, Water, read_water

Tally = tuple[int, int, int]
"""Right, found, labelled."""


def naive(port: Port, water: Water) -> list[Box]:
    """The rival: one threshold on one band, the brightest first."""
    nir = port.window.reflectance[3]
    level = np.median(nir[water.open_water])
    deviation = 1.4826 * np.median(np.abs(nir[water.open_water] - level))
    closed = ndimage.binary_closing(np.pad(water.open_water, 20), _disk(8))[20:-20, 20:-20]
    labels, _ = ndimage.label(closed & (nir > level + 4 * deviation), structure=ANY)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        mask = labels[rows, columns] == number
        if 4 <= mask.sum() <= 900:
            inner_rows, inner_columns = np.nonzero(mask)
            box = Box(
                columns.start,
                rows.start,
                columns.stop,
                rows.stop,
                columns.start + inner_columns.mean() + 0.5,
                rows.start + inner_rows.mean() + 0.5,
            )
            found.append((float(nir[rows, columns][mask].mean()), box))
    return [box for _, box in sorted(found, key=lambda each: -each[0])]


def _disk(radius: int) -> npt.NDArray[np.bool_]:
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(rows * rows + columns * columns <= radius * radius, np.bool_)


def tallies(
    boxes: Sequence[Box], port: Port, water: Water, away: npt.NDArray[np.bool_], overlap: float = 0.0
) -> tuple[Tally, Tally]:
    """Over all vessels, and over those away from quays (finds away from quays that are no vessel at a quay)."""
    vessel = matched(boxes, port.boxes, overlap)
    height, width = water.wet.shape
    far = np.array(
        [water.land_m[min(int(box.y), height - 1), min(int(box.x), width - 1)] >= QUAY_M for box in boxes],
        np.bool_,
    )
    right = int(sum(away[at] for at in vessel if at >= 0))
    of_open = right + int(((vessel < 0) & far).sum())
    return (int((vessel >= 0).sum()), len(boxes), len(away)), (right, of_open, int(away.sum()))


def line(name: str, counts: Sequence[Tally]) -> str:
    """One row: F1 with its interval, recall, precision, and the numbers behind them."""
    table = np.array(counts)
    draws = np.random.default_rng(0).integers(0, len(table), (4000, len(table)))
    low, high = np.percentile([f1(*table[draw].sum(axis=0)) for draw in draws], [2.5, 97.5])
    right, found, labelled = map(int, table.sum(axis=0))
    return (
        f"{name:44s} F1 {f1(right, found, labelled):.2f} [{low:.2f}, {high:.2f}]  recall {right / labelled:.2f}  "
        f"precision {right / max(1, found):.2f}  ({right} right of {found} found, {labelled} labelled)"
    )


def coverage(trained: Trained) -> str:
    """How many labelled vessels have a candidate at all: what no classifier can win back."""
    hit = np.zeros(2, int)
    for name, each in trained.grounds.items():
        network = trained.networks[frozenset({name})]
        likeness = each.likeness(network)
        candidates = open_candidates(each.water, likeness) + quay_candidates(each.water, likeness)
        covered = np.any([hull_within(one.box, each.port.boxes) for one in candidates], axis=0)
        hit += (int((covered & each.away).sum()), int((covered & ~each.away).sum()))
    away = sum(int(each.away.sum()) for each in trained.grounds.values())
    moored = sum(int((~each.away).sum()) for each in trained.grounds.values())
    return f"candidates cover {hit[0]} of {away} vessels away from quays, {hit[1]} of {moored} at quays"


def held_out_report(trained: Trained, held: Mapping[str, Mapping[str, Held]]) -> str:
    """All figures of ports held out."""
    ours: dict[str, list[Tally]] = {"all": [], "away": [], "all .3": [], "away .3": []}
    rival: dict[str, list[Tally]] = {"all": [], "away": []}
    rows = []
    for name, each in trained.grounds.items():
        boxes = [*held["open"][name].boxes, *held["quay"][name].boxes]
        whole, away = tallies(boxes, each.port, each.water, each.away)
        ours["all"].append(whole)
        ours["away"].append(away)
        for kind, tally in zip(
            ("all .3", "away .3"), tallies(boxes, each.port, each.water, each.away, 0.3), strict=True
        ):
            ours[kind].append(tally)
        for kind, tally in zip(
            ("all", "away"),
            tallies(naive(each.port, each.water), each.port, each.water, each.away),
            strict=True,
        ):
            rival[kind].append(tally)
        rows.append(f"  {name:12s} all {whole}  away {away}")
    return "\n".join(
        [
            coverage(trained),
            "(right, found, labelled) at ports held out:",
            *rows,
            line("ours, all vessels", ours["all"]),
            line("ours, away from quays", ours["away"]),
            line("naive, all vessels", rival["all"]),
            line("naive, away from quays", rival["away"]),
            line("ours, all, boxes sharing .3 of their union", ours["all .3"]),
            line("ours, away, boxes sharing .3 of their union", ours["away .3"]),
            interval_report(ours["away"], trained),
        ]
    )


def interval_report(away: Sequence[Tally], trained: Trained) -> str:
    """Whether the interval of a count holds the number labelled, from what the other ports showed."""
    table, held, said = np.array(away), 0, []
    for at, name in enumerate(trained.grounds):
        others = np.delete(table, at, axis=0)
        low, high = true_count(int(table[at, 1]), HeldOutPorts(*others.T))
        held += low <= table[at, 2] <= high
        said.append(f"{name} {table[at, 2]} in {low}–{high}")
    return f"the interval holds the labelled number at {held} of {len(table)} ports: {'; '.join(said)}"


def shipped_report(ports: Sequence[Port]) -> str:
    """The coefficients that the program ships, at ports that they may not know, with the naive rival."""
    ours: list[tuple[Tally, Tally]] = []
    rival: list[tuple[Tally, Tally]] = []
    rows = []
    lengths: list[tuple[float, float]] = []
    for port in ports:
        water = read_water(port.window)
        away = away_from_quays(port, water)
        found = find_vessels(port.window)
        boxes = [
            Box(each.left, each.top, each.right, each.bottom, each.x, each.y)
            for each in (*found.away, *found.moored)
        ]
        ours.append(tallies(boxes, port, water, away))
        rival.append(tallies(naive(port, water), port, water, away))
        sides = port.boxes[~away, 2:] - port.boxes[~away, :2]
        lengths.append(
            (found.moored_length_m, float(sides.max(axis=1, initial=0).sum() * port.window.pixel_m))
        )
        rows.append(
            f"  {port.name:12s} all {ours[-1][0]}  away {ours[-1][1]}  said {found.low}–{found.high} away; "
            f"{lengths[-1][0]:.0f} m at quays, labelled boxes {lengths[-1][1]:.0f} m"
        )
    return "\n".join(
        [
            f"shipped coefficients ({vessel_model().version}), (right, found, labelled):",
            *rows,
            line("ours, all vessels", [each[0] for each in ours]),
            line("ours, away from quays", [each[1] for each in ours]),
            line("naive, all vessels", [each[0] for each in rival]),
            line("naive, away from quays", [each[1] for each in rival]),
        ]
    )


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    warnings.simplefilter("ignore")
    ports = read_ports(Path(arguments[0]))
    if "--shipped" in arguments[1:]:
        print(shipped_report(ports))
        return
    trained = prepare(ports)
    print(held_out_report(trained, cross_validate(trained)))


if __name__ == "__main__":
    main(sys.argv[1:])
