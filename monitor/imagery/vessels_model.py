"""The classifier of vessels: its coefficients, what they were measured to be worth, and how they are applied. Pure.

`vessels.json` beside this file is written by `benchmarks/imagery_vessels_train.py` and by nobody's hand.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.imagery.grid import Floats32
from monitor.imagery.vessels_objects import HullCandidate
from monitor.imagery.vessels_pixels import PixelNetwork

COEFFICIENTS = "vessels.json"
_DRAWS = 4000
_SPREAD = (2.5, 97.5)
_SHARED_M = 0.25
"""Two boxes that share more than this of their union are one vessel."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A decision tree: `feature` is −1 in a leaf, whose `value` is the share of vessels; one entry a node."""

    feature: npt.NDArray[np.int64]
    threshold: Floats32
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    value: Floats32

    def probability(self, rows: Floats32) -> Floats32:
        """Of each row [n, features]: [n]."""
        node = np.zeros(len(rows), np.int64)
        while (asked := self.feature[node] >= 0).any():
            at = node[asked]
            goes_left = rows[asked, self.feature[at]] <= self.threshold[at]
            node[asked] = np.where(goes_left, self.left[at], self.right[at])
        return self.value[node]


@dataclass(frozen=True, slots=True)
class Scorer:
    """The mean of a logistic curve in all measures and their products, and of a few small trees.

    The curve reads `rows` standardised and clipped: `linear` [n], `products` [n, n] above the diagonal and on it.
    """

    names: tuple[str, ...]
    mean: Floats32
    deviation: Floats32
    offset: float
    linear: Floats32
    products: Floats32
    trees: Sequence[Tree]

    def scores(self, candidates: Sequence[HullCandidate]) -> Floats32:
        """How sure each candidate is a vessel, 0 to 1, [n]."""
        if not candidates:
            return np.zeros(0, np.float32)
        rows = measured(candidates, self.names)
        near = np.clip((rows - self.mean) / self.deviation, -_FARTHEST, _FARTHEST)
        curve = self.offset + near @ self.linear + np.einsum("ni,ij,nj->n", near, self.products, near)
        logistic = 1 / (1 + np.exp(-np.clip(curve, -30, 30)))
        forest = np.mean([tree.probability(rows) for tree in self.trees], axis=0)
        return np.asarray((logistic + forest) / 2, np.float32)


_FARTHEST = 4.0
"""Deviations beyond which a measure says no more: ports not yet seen must not run away with a square."""


@dataclass(frozen=True, slots=True)
class HeldOutPorts:
    """What one kind of vessel was found with at ports that had no part in the training: one row a port."""

    right: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    labelled: npt.NDArray[np.int64]

    @property
    def recall(self) -> float:
        """Of the labelled vessels, the share found."""
        return float(self.right.sum() / max(1, self.labelled.sum()))

    @property
    def precision(self) -> float:
        """Of what was found, the share that is labelled."""
        return float(self.right.sum() / max(1, self.found.sum()))


@dataclass(frozen=True, slots=True)
class Kind:
    """How candidates away from quays, or at them, are scored; those above `threshold` are taken."""

    scorer: Scorer
    threshold: float
    measured: HeldOutPorts

    def taken(self, candidates: Sequence[HullCandidate]) -> list[tuple[HullCandidate, float]]:
        """Those taken with their scores, the surest first, no vessel twice."""
        scores = self.scorer.scores(candidates)
        return [(candidates[at], float(scores[at])) for at in apart(candidates, scores, self.threshold)]


@dataclass(frozen=True, slots=True)
class VesselModel:
    """All coefficients. `version` changes with every training and is part of the procedure's name."""

    version: str
    network: PixelNetwork
    open: Kind
    quay: Kind


def measured(candidates: Sequence[HullCandidate], names: Sequence[str]) -> Floats32:
    """The named measures of candidates, [n, len(names)]."""
    return np.array([[each.measures[name] for name in names] for each in candidates], np.float32)


def apart(candidates: Sequence[HullCandidate], scores: Floats32, least: float) -> list[int]:
    """Which are taken, the surest first: none whose box holds the hull of a surer one, or shares much with it."""
    order = [int(at) for at in np.argsort(-scores, kind="stable") if scores[at] >= least]
    boxes = np.array([_numbers(each) for each in candidates], np.float64).reshape(-1, 6)
    kept: list[int] = []
    for at in order:
        if not kept or not _same(boxes[kept], boxes[at]).any():
            kept.append(at)
    return kept


def _numbers(candidate: HullCandidate) -> tuple[float, ...]:
    box = candidate.box
    return box.left, box.top, box.right, box.bottom, box.x, box.y


def _same(kept: npt.NDArray[np.float64], box: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    wide = np.clip(np.minimum(kept[:, 2], box[2]) - np.maximum(kept[:, 0], box[0]), 0, None)
    high = np.clip(np.minimum(kept[:, 3], box[3]) - np.maximum(kept[:, 1], box[1]), 0, None)
    areas = (kept[:, 2] - kept[:, 0]) * (kept[:, 3] - kept[:, 1])
    union = areas + (box[2] - box[0]) * (box[3] - box[1]) - wide * high
    in_kept = (
        (kept[:, 0] <= box[4]) & (box[4] <= kept[:, 2]) & (kept[:, 1] <= box[5]) & (box[5] <= kept[:, 3])
    )
    in_box = (box[0] <= kept[:, 4]) & (kept[:, 4] <= box[2]) & (box[1] <= kept[:, 5]) & (kept[:, 5] <= box[3])
    return np.asarray((wide * high > _SHARED_M * union) | in_kept | in_box, np.bool_)


def true_count(found: int, measured_at: HeldOutPorts) -> tuple[int, int]:
    """How many vessels stand behind `found` detections: 95 % of what measured ports allow.

    Each draw takes as many ports as there are, with replacement, so that ports differ as they did; then how many
    detections are right, and how many vessels were missed beside them (any number is as likely beforehand). Zero found is
    not zero there.
    """
    rng = np.random.default_rng(len(measured_at.right))
    ports = rng.integers(0, len(measured_at.right), (_DRAWS, len(measured_at.right)))
    right, taken, labelled = (
        each[ports].sum(axis=1) for each in (measured_at.right, measured_at.found, measured_at.labelled)
    )
    precision = rng.beta(right + 0.5, taken - right + 0.5)
    recall = rng.beta(right + 0.5, labelled - right + 0.5)
    true = rng.binomial(found, precision)
    there = true + rng.negative_binomial(true + 1, recall)
    low, high = np.percentile(there, _SPREAD)
    return int(low), int(np.ceil(high))


@cache
def vessel_model() -> VesselModel:
    """The coefficients that the program ships."""
    return read_model(json.loads(files(__package__).joinpath(COEFFICIENTS).read_text(encoding="utf-8")))


def read_model(stored: Mapping[str, Any]) -> VesselModel:
    """Coefficients from what `benchmarks/imagery_vessels_train.py` wrote."""
    network = stored["network"]
    return VesselModel(
        version=stored["version"],
        network=PixelNetwork(
            tuple(network["names"]),
            _floats(network["mean"]),
            _floats(network["deviation"]),
            [(_floats(each["weights"]), _floats(each["offsets"])) for each in network["layers"]],
        ),
        open=_kind(stored["open"]),
        quay=_kind(stored["quay"]),
    )


def _kind(stored: Mapping[str, Any]) -> Kind:
    ports = stored["ports"].values()
    return Kind(
        read_scorer(stored["scorer"]),
        float(stored["threshold"]),
        HeldOutPorts(*(np.array([port[what] for port in ports]) for what in ("right", "found", "labelled"))),
    )


def read_scorer(stored: Mapping[str, Any]) -> Scorer:
    """A scorer from its stored lists; of the products those on and above the diagonal are stored, row by row."""
    names = tuple(stored["names"])
    products = np.zeros((len(names), len(names)), np.float32)
    products[np.triu_indices(len(names))] = stored["products"]
    return Scorer(
        names,
        _floats(stored["mean"]),
        _floats(stored["deviation"]),
        float(stored["offset"]),
        _floats(stored["linear"]),
        products,
        [read_tree(each) for each in stored["trees"]],
    )


def read_tree(stored: Mapping[str, Any]) -> Tree:
    """A tree from its stored lists."""
    return Tree(
        np.array(stored["feature"]),
        _floats(stored["threshold"]),
        np.array(stored["left"]),
        np.array(stored["right"]),
        _floats(stored["value"]),
    )


def _floats(values: Iterable[Any]) -> Floats32:
    return np.array(values, np.float32)
