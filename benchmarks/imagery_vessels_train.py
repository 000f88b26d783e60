"""Train the classifier of vessels on labelled ports, and measure it on ports it was not trained on.

Run: python -m benchmarks.imagery_vessels_train ../shared/data/imagery [monitor/imagery/vessels.json]
With a second argument the coefficients are written there; without it the run only measures. Needs scikit-learn.

Each port is held out in turn. All that is chosen is chosen among the other ports: the network of pixels, the scorers, and
the thresholds, each of which is set where the scorers of still fewer ports find most of a port that they do not know. The
maps that the scorers at quays learn from come from networks that knew neither the port mapped nor the port held out.
"""

import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from benchmarks.imagery_vessels_ports import (
    Boxes,
    Port,
    away_from_quays,
    f1,
    hull_within,
    matched,
    overlaps,
    read_ports,
)
from monitor.imagery.grid import Bools, Floats32
from monitor.imagery.vessels_model import Scorer, apart, measured, read_tree
from monitor.imagery.vessels_objects import Box, HullCandidate, open_candidates, quay_candidates
from monitor.imagery.vessels_pixels import PixelNetwork, looked_at, pixel_measures, smoothed_map
from monitor.imagery.vessels_water import Water, read_water

HIDDEN = (24, 12)
PIXELS_A_PORT = 15000
"""Pixels that are no vessel, drawn from each port."""
OTHERS_A_PORT = 600
"""Candidates that are no vessel, drawn from each port."""
FITS, DOUBTFUL, DOUBTFUL_WEIGHT = 0.3, 0.1, 0.3
"""A candidate with its hull in a labelled box that shares this much with it is a vessel; above the second it may be one."""
LABEL_WEIGHT = 8.0
LARGER, LARGER_WEIGHT, LONGEST_M = (1.5, 2.0, 3.0), 0.3, 350.0
"""Few large vessels lie away from quays on so few looks, large piers and booms do: each vessel is shown enlarged as well."""
LENGTHS = ("length", "breadth", "half length", "half breadth")
AREAS = ("area", "half area", "visible sum", "nir sum", "swir sum")
TREES, LEAVES = 40, 24
THRESHOLDS = np.arange(0.05, 0.95, 0.02)
OPEN = (
    *("area", "length", "breadth", "elongation", "fill", "level", "land", "hull shift"),
    *(f"{band} {what}" for band in ("visible", "nir", "swir") for what in ("most", "mean", "sum")),
    *("swir to visible", "nir to visible", "blue to red", "edge", "outer edge", "noise", "over noise"),
    *("wet ring", "wet outer", "half area", "half length", "half breadth", "half elongation"),
    *("hull most", "hull swir"),
)
QUAY = (
    *("area", "length", "breadth", "elongation", "fill", "land", "wet", "wet ring", "wet outer", "level"),
    *("likeness", "likeness most", "likeness low", "likeness ring", "likeness ring most", "likeness outer"),
    *("likeness drop", "visible mean", "nir mean", "swir to visible", "nir to visible", "blue to red"),
    *(
        f"tone {tone} {what}"
        for tone in ("visible", "swir/nir", "swir/visible")
        for what in ("beside", "varies")
    ),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """A port made ready: its water, the measures of the pixels asked about [n, measures], and which lie in boxes."""

    port: Port
    water: Water
    names: tuple[str, ...]
    where: Bools
    rows: Floats32
    labelled: npt.NDArray[np.bool_]
    away: npt.NDArray[np.bool_]

    def likeness(self, network: PixelNetwork) -> Floats32:
        """The network's map of this port."""
        return smoothed_map(self.where, network.probability(self.rows), self.water.pixel_m)


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates of one port, measured, and how well each fits a labelled vessel."""

    candidates: list[HullCandidate]
    rows: Floats32
    right: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finds:
    """What one kind found at one port, the surest first: scores, and the labelled vessel of each (−1: none)."""

    boxes: list[Box]
    scores: npt.NDArray[np.float64]


def ground(port: Port) -> Ground:
    """Measure each pixel once."""
    water = read_water(port.window)
    where = looked_at(water)
    named = [(name, values[where]) for name, values in pixel_measures(water)]
    inside = np.zeros(where.shape, np.bool_)
    for left, top, right, bottom in port.boxes.astype(int):
        inside[max(0, top) : bottom, max(0, left) : right] = True
    names, columns = zip(*named, strict=True)
    return Ground(
        port, water, names, where, np.stack(columns, 1), inside[where], away_from_quays(port, water)
    )


def fit_network(grounds: Sequence[Ground]) -> PixelNetwork:
    """The network of pixels: those in labelled boxes against a draw of the others."""
    rng = np.random.default_rng(0)
    rows, right = [], []
    for each in grounds:
        others = np.flatnonzero(~each.labelled)
        drawn = rng.choice(others, min(PIXELS_A_PORT, len(others)), replace=False)
        taken = np.concatenate([np.flatnonzero(each.labelled), drawn])
        rows.append(each.rows[taken])
        right.append(each.labelled[taken])
    table = np.concatenate(rows)
    mean, deviation = table.mean(axis=0), table.std(axis=0) + 1e-6
    fitted = MLPClassifier(
        HIDDEN, alpha=1, max_iter=12, learning_rate_init=3e-3, batch_size=512, random_state=0
    )
    fitted.fit((table - mean) / deviation, np.concatenate(right))
    layers = [
        (np.asarray(weights, np.float32), np.asarray(offsets, np.float32))
        for weights, offsets in zip(fitted.coefs_, fitted.intercepts_, strict=True)
    ]
    return PixelNetwork(grounds[0].names, mean, deviation, layers)


def pool(candidates: list[HullCandidate], names: Sequence[str], boxes: Boxes) -> Pool:
    """Hold candidates against the labelled boxes; each vessel weighs the same, however many candidates fit it."""
    right, weight = np.zeros(len(candidates), np.bool_), np.ones(len(candidates))
    vessel = np.full(len(candidates), -1)
    for at, each in enumerate(candidates):
        shared, hull = overlaps(each.box, boxes), hull_within(each.box, boxes)
        best = int(np.argmax(np.where(hull, shared + 1, shared)))
        right[at] = hull[best] and shared[best] >= FITS
        vessel[at] = best
        if not right[at] and shared.max() >= DOUBTFUL:
            weight[at] = DOUBTFUL_WEIGHT
    for each_vessel in np.unique(vessel[right]):
        same = right & (vessel == each_vessel)
        weight[same] = LABEL_WEIGHT / same.sum()
    others = np.flatnonzero(~right)
    if len(others) > OTHERS_A_PORT:
        drawn = np.random.default_rng(0).choice(others, OTHERS_A_PORT, replace=False)
        left_out = np.setdiff1d(others, drawn)
        weight[left_out] = 0
    return Pool(candidates, measured(candidates, names), right, weight)


def fit_scorer(pools: Sequence[Pool], names: Sequence[str]) -> Scorer:
    """A logistic curve with all products, and a few small trees. Only vessels away from quays are shown enlarged."""
    larger = LARGER if names == OPEN else ()
    shown = [each for one in pools for each in _shown(one, names, larger)]
    rows, right, weight = (np.concatenate(each) for each in zip(*shown, strict=True))
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    near = np.clip((rows - mean) / deviation, -4, 4)
    upper = np.triu_indices(len(names))
    table = np.hstack([near, near[:, upper[0]] * near[:, upper[1]]])
    middle, spread = table.mean(axis=0), table.std(axis=0) + 1e-6
    curve = LogisticRegression(C=0.002, max_iter=200).fit((table - middle) / spread, right, weight)
    slopes = curve.coef_[0] / spread
    products = np.zeros((len(names), len(names)), np.float32)
    products[upper] = slopes[len(names) :]
    forest = ExtraTreesClassifier(
        TREES, max_leaf_nodes=LEAVES, min_samples_leaf=5, max_features=0.6, random_state=0
    ).fit(rows, right, weight)
    offset = float(curve.intercept_[0] - slopes @ middle)
    trees = [read_tree(stored_tree(each.tree_)) for each in forest.estimators_]
    return Scorer(
        tuple(names), mean, deviation, offset, slopes[: len(names)].astype(np.float32), products, trees
    )


def _shown(
    one: Pool, names: Sequence[str], larger: Sequence[float]
) -> Iterator[tuple[Floats32, npt.NDArray[np.bool_], npt.NDArray[np.float64]]]:
    """What of a pool is learned from: measures, which are vessels, and their weights; vessels also enlarged."""
    used = one.weight > 0
    yield one.rows[used], one.right[used], one.weight[used]
    for times in larger:
        large = one.right & (one.rows[:, names.index("length")] + np.log(times) <= np.log(LONGEST_M))
        rows = one.rows[large].copy()
        for name in set(names) & {*LENGTHS, *AREAS}:
            rows[:, names.index(name)] += np.log(times) * (2 if name in AREAS else 1)
        yield rows, np.ones(len(rows), np.bool_), LARGER_WEIGHT * one.weight[large]


def stored_tree(fitted: Any) -> dict[str, list[Any]]:
    """A tree of scikit-learn as `monitor.imagery.vessels_model.read_tree` reads it."""
    share = fitted.value[:, 0, :]
    found = {
        "feature": np.maximum(fitted.feature, -1),
        "threshold": fitted.threshold,
        "left": np.maximum(fitted.children_left, 0),
        "right": np.maximum(fitted.children_right, 0),
        "value": share[:, 1] / share.sum(axis=1),
    }
    return {name: _rounded(values) for name, values in found.items()}


def finds(scorer: Scorer, pooled: Pool) -> Finds:
    """All that a scorer takes at any threshold that may be chosen."""
    scores = scorer.scores(pooled.candidates)
    kept = apart(pooled.candidates, scores, THRESHOLDS[0])
    return Finds([pooled.candidates[at].box for at in kept], scores[kept])


def tally(found: Finds, each: Ground, *, away: bool, threshold: float) -> tuple[int, int, int]:
    """Right, found and labelled of one kind; a find that is a labelled vessel of the other kind counts for neither."""
    kept = [box for box, score in zip(found.boxes, found.scores, strict=True) if score >= threshold]
    vessel = matched(kept, each.port.boxes)
    of_kind = each.away == away
    right = int(sum(of_kind[at] for at in vessel if at >= 0))
    return right, int((vessel < 0).sum()) + right, int(of_kind.sum())


def best_threshold(held: Iterable[tuple[Finds, Ground]], *, away: bool) -> float:
    """Where the harmonic mean over ports is highest, smoothed over five neighbours."""
    cases = list(held)
    curve = [
        f1(*np.sum([tally(found, each, away=away, threshold=at) for found, each in cases], axis=0))
        for at in THRESHOLDS
    ]
    smooth = np.convolve(np.pad(curve, 2, mode="edge"), np.ones(5) / 5, "valid")
    return float(THRESHOLDS[int(np.argmax(smooth))])


Pools = Callable[[str, frozenset[str]], Pool]
"""Candidates of a port, made without knowledge of these ports."""


@dataclass(frozen=True, slots=True)
class Held:
    """A kind at a port that it does not know: what it found, and the threshold that the other ports chose."""

    finds: Finds
    threshold: float

    @property
    def boxes(self) -> list[Box]:
        """What is taken."""
        return [
            box
            for box, score in zip(self.finds.boxes, self.finds.scores, strict=True)
            if score >= self.threshold
        ]


def hold_out(
    grounds: Mapping[str, Ground], pools: Pools, names: Sequence[str], *, away: bool
) -> dict[str, Held]:
    """Each port in turn."""
    held = {}
    for port in grounds:
        print(f"holding out {port}", file=sys.stderr, flush=True)
        others = [name for name in grounds if name != port]
        without = frozenset({port})
        inner = []
        for left in others:
            scorer = fit_scorer([pools(name, without) for name in others if name != left], names)
            inner.append((finds(scorer, pools(left, without)), grounds[left]))
        scorer = fit_scorer([pools(name, without) for name in others], names)
        held[port] = Held(finds(scorer, pools(port, frozenset())), best_threshold(inner, away=away))
    return held


@dataclass(frozen=True, slots=True)
class Trained:
    """Ports made ready, and how candidates of them come about."""

    grounds: dict[str, Ground]
    open_pools: Pools
    quay_pools: Pools
    networks: dict[frozenset[str], PixelNetwork]


def prepare(ports: Sequence[Port]) -> Trained:
    """Measure the ports, and train a network without each one and each two of them."""
    grounds = {port.name: ground(port) for port in ports}
    names = list(grounds)
    networks = {
        frozenset(pair): fit_network([grounds[name] for name in names if name not in pair])
        for pair in combinations_with_replacement(names, 2)
    }

    @cache
    def open_pool(port: str) -> Pool:
        each = grounds[port]
        found = open_candidates(each.water, np.zeros(each.where.shape, np.float32))
        return pool(found, OPEN, each.port.boxes)

    @cache
    def quay_pool(port: str, without: frozenset[str]) -> Pool:
        each = grounds[port]
        found = quay_candidates(each.water, each.likeness(networks[without | {port}]))
        return pool(found, QUAY, each.port.boxes)

    return Trained(grounds, lambda port, _: open_pool(port), quay_pool, networks)


def train(trained: Trained, held: Mapping[str, Mapping[str, Held]]) -> dict[str, Any]:
    """The coefficients from all ports, with what held-out ports showed."""
    grounds = trained.grounds
    nobody: frozenset[str] = frozenset()
    stored: dict[str, Any] = {"network": _stored_network(fit_network(list(grounds.values())))}
    for kind, pools, names, away in (
        ("open", trained.open_pools, OPEN, True),
        ("quay", trained.quay_pools, QUAY, False),
    ):
        scorer = fit_scorer([pools(name, nobody) for name in grounds], names)
        cases = [(each.finds, grounds[name]) for name, each in held[kind].items()]
        ports = {
            name: dict(
                zip(
                    ("right", "found", "labelled"),
                    tally(each.finds, grounds[name], away=away, threshold=each.threshold),
                    strict=True,
                )
            )
            for name, each in held[kind].items()
        }
        stored[kind] = {
            "threshold": round(best_threshold(cases, away=away), 2),
            "ports": ports,
            "scorer": stored_scorer(scorer),
        }
    return stored


def _rounded(values: Any) -> Any:
    """Four digits are more than ports agree on."""
    if isinstance(values, np.ndarray):
        return _rounded(values.tolist())
    if isinstance(values, list):
        return [_rounded(each) for each in values]
    return float(f"{values:.4g}") if isinstance(values, float) else values


def _stored_network(network: PixelNetwork) -> dict[str, Any]:
    return {
        "names": list(network.names),
        "mean": _rounded(network.mean),
        "deviation": _rounded(network.deviation),
        "layers": [
            {"weights": _rounded(weights), "offsets": _rounded(offsets)}
            for weights, offsets in network.layers
        ],
    }


def stored_scorer(scorer: Scorer) -> dict[str, Any]:
    """As `monitor.imagery.vessels_model.read_scorer` reads it."""
    return {
        "names": list(scorer.names),
        "mean": _rounded(scorer.mean),
        "deviation": _rounded(scorer.deviation),
        "offset": _rounded(scorer.offset),
        "linear": _rounded(scorer.linear),
        "products": _rounded(scorer.products[np.triu_indices(len(scorer.names))]),
        "trees": [
            {
                what: _rounded(getattr(tree, what))
                for what in ("feature", "threshold", "left", "right", "value")
            }
            for tree in scorer.trees
        ],
    }


def written(stored: Mapping[str, Any], version: str) -> str:
    """The file: one line a group of numbers, so that a change can be read."""
    text = json.dumps({"version": version, **stored}, indent=1)
    return _short_lists(text) + "\n"


def _short_lists(text: str) -> str:
    """Lists of numbers on one line each."""
    lines: list[str] = []
    for line in text.splitlines():
        inner = line.strip()
        joins = lines and (lines[-1].endswith(("[", ", ")) and not inner.startswith(("{", "[", '"')))
        if joins and (inner[:1] in "-0123456789]"):
            lines[-1] += inner + (" " if inner.endswith(",") and inner[:1] != "]" else "")
        else:
            lines.append(line)
    return "\n".join(line.rstrip() for line in lines)


def cross_validate(trained: Trained) -> dict[str, dict[str, Held]]:
    """Both kinds at each port that they do not know."""
    return {
        "open": hold_out(trained.grounds, trained.open_pools, OPEN, away=True),
        "quay": hold_out(trained.grounds, trained.quay_pools, QUAY, away=False),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and write the coefficients where asked."""
    from benchmarks.imagery_vessels import held_out_report  # noqa: PLC0415 (the report imports this module)

    warnings.simplefilter("ignore", ConvergenceWarning)
    trained = prepare(read_ports(Path(arguments[0])))
    held = cross_validate(trained)
    print(held_out_report(trained, held))
    if len(arguments) > 1:
        stored = train(trained, held)
        version = hashlib.sha256(json.dumps(stored).encode()).hexdigest()[:8]
        Path(arguments[1]).write_text(written(stored, version), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
