"""A detector of the user's own: its card, what comes out of it as boxes, and which boxes are one object.

Known are the outputs of the YOLO family as exported to ONNX: axis-aligned (v5: rows of box, objectness, classes; v8: columns of box and
classes), oriented (v8: columns of box, classes, angle), and rows that are whole objects already (box, score, class, perhaps angle).
"""

import ast
import hashlib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from scipy import special
from shapely import Polygon, STRtree

Outputs = npt.NDArray[np.float32]
DETECTOR_METHOD = "detector"
LEAST_SCORE, SAME_OBJECT = 0.25, 0.45
"""Below that score nothing is an object; boxes of one class that share so much of their union are one."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,38}[a-z0-9]")
_AXIS_ALIGNED, _ORIENTED = 4, 5
_WHOLE_OBJECT, _WHOLE_ORIENTED = 6, 7
_MOST_WHOLE = 1_000
_SURE = 0.95
_LARGEST_TILE, _SMALLEST_TILE = 4_096, 64


class DetectorError(Exception):
    """A model, its card or an image cannot be used; the text says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a user says of a model: its name, how well it finds things, and which of its classes each metric counts."""

    name: str
    recall: float
    precision: float
    metrics: Mapping[str, Sequence[str]]
    classes: Sequence[str] = ()
    """Only where the model itself does not name them."""
    tile_px: int = 1_024
    """Only where the model takes tiles of any size."""


def read_card(text: str) -> ModelCard:
    """Read a card (TOML); raises DetectorError with all its faults."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DetectorError(f"the card is no TOML: {error}") from None
    faults = list(_card_faults(given))
    if faults:
        raise DetectorError(f"the card cannot be used: {'; '.join(faults)}")
    return ModelCard(
        given["name"],
        float(given["recall"]),
        float(given["precision"]),
        {metric: tuple(names) for metric, names in given["metrics"].items()},
        tuple(given.get("classes", ())),
        given.get("tile_px", 1_024),
    )


def _card_faults(given: Mapping[str, Any]) -> Iterator[str]:
    known = ("name", "recall", "precision", "metrics", "classes", "tile_px")
    yield from (f"{key} is not known; a card has {', '.join(known)}" for key in given if key not in known)
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield 'name needs 2 to 40 small letters, digits, - and . (name = "planes-2026")'
    for key in ("recall", "precision"):
        value = given.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            yield f"{key} needs a number above 0 and at most 1, as it was measured or is stated"
    metrics = given.get("metrics")
    if not isinstance(metrics, dict) or not metrics or not all(_are_names(each) for each in metrics.values()):
        yield 'metrics needs the classes that each counts ([metrics] aircraft_present = ["plane"])'
    if "classes" in given and not _are_names(given["classes"]):
        yield "classes needs a list of names, in the model's order"
    tile = given.get("tile_px", 1_024)
    if (
        isinstance(tile, bool)
        or not isinstance(tile, int)
        or not _SMALLEST_TILE <= tile <= _LARGEST_TILE
        or tile % 32
    ):
        yield f"tile_px needs a whole number of {_SMALLEST_TILE} to {_LARGEST_TILE} that 32 divides"


def _are_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)


def model_digest(model: bytes) -> str:
    """The SHA-256 of a model, by which its counts are known."""
    return hashlib.sha256(model).hexdigest()


def detector_procedure(card: ModelCard, digest: str) -> str:
    """How the counts of a model are known: another file of weights is another way of seeing."""
    return f"{DETECTOR_METHOD}:{card.name}:sha256-{digest}"


def class_names(metadata: Mapping[str, str], card: ModelCard) -> tuple[str, ...]:
    """What the model calls its classes, in its own order; raises DetectorError where nobody says."""
    said = metadata.get("names", "")
    found: object = None
    if said:
        try:
            found = ast.literal_eval(said)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise DetectorError("the model's own list of classes (metadata `names`) cannot be read") from None
    if isinstance(found, dict):
        found = [found.get(place) for place in range(len(found))]
    names = found if isinstance(found, list | tuple) else card.classes
    if not names:
        raise DetectorError(
            "the model does not name its classes (metadata `names`): write them into its card, classes = […]"
        )
    if not all(isinstance(each, str) and each for each in names):
        raise DetectorError("the model's own list of classes (metadata `names`) has gaps")
    if card.classes and tuple(card.classes) != tuple(names):
        raise DetectorError(f"the card says other classes than the model, which has {', '.join(names)}")
    unknown = {each for some in card.metrics.values() for each in some} - set(names)
    if unknown:
        raise DetectorError(
            f"the card counts {', '.join(sorted(unknown))}, and the model knows {', '.join(names)}"
        )
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Boxes:
    """Objects, one a row: centre, size and angle (radians) in pixels, score, and place of the class."""

    rows: npt.NDArray[np.float64]
    """(object, 5): x, y, width, height, angle."""
    scores: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.int_]

    def taken(self, which: npt.NDArray[Any]) -> "Boxes":
        """Some of them."""
        return Boxes(self.rows[which], self.scores[which], self.kinds[which])

    def shapes(self) -> list[Polygon]:
        """Their outlines."""
        return [_outline(each) for each in self.rows.tolist()]


NO_BOXES = Boxes(np.zeros((0, 5)), np.zeros(0), np.zeros(0, int))


def boxes_of(output: Outputs, classes: int, task: str = "") -> Boxes:
    """Read one tile's output with so many classes; raises DetectorError for a layout that is not known.

    `task` is what the model says of itself (`detect`, `obb`), '' where it says nothing.
    """
    if output.ndim != 3 or output.shape[0] != 1:  # noqa: PLR2004 - batch, and two axes
        raise DetectorError(
            f"the model's output has the shape {tuple(output.shape)}, and one picture's objects (1, …, …) are expected"
        )
    table = output[0].astype(np.float64)
    rows, columns = table.shape
    found = (
        _whole_objects(table, classes, task)
        if columns in (_WHOLE_OBJECT, _WHOLE_ORIENTED) and rows <= _MOST_WHOLE
        else None
    )
    if found is None and columns == _ORIENTED + classes and rows > columns and task != "obb":
        kept = table[:, 5:] * table[:, 4:5]
        found = _scored(np.column_stack([table[:, :4], np.zeros(rows)]), kept)
    if found is None and rows == _AXIS_ALIGNED + classes and task != "obb":
        found = _scored(np.column_stack([table[:4].T, np.zeros(columns)]), table[4:].T)
    if found is None and rows == _ORIENTED + classes and task != "detect":
        found = _scored(np.column_stack([table[:4].T, table[-1]]), table[4:-1].T)
    if found is None:
        raise DetectorError(
            f"the model's output has the shape {tuple(output.shape)}, which fits no known layout for {classes} classes. Export it for "
            "ONNX as a detector or an oriented detector of the YOLO family, and check the classes of its card"
        )
    good = (
        np.isfinite(found.rows).all(axis=1) & (found.rows[:, 2:4] > 0).all(axis=1) & np.isfinite(found.scores)
    )
    return found.taken(good & (found.scores >= LEAST_SCORE))


def _scored(rows: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> Boxes:
    kinds = scores.argmax(axis=1)
    return Boxes(rows, scores[np.arange(len(scores)), kinds], kinds)


def _whole_objects(table: npt.NDArray[np.float64], classes: int, task: str) -> Boxes | None:
    """Rows of objects that the model has sorted out itself: corners where they are upright, else centre, size and angle."""
    oriented = table.shape[1] == _WHOLE_ORIENTED
    if task and oriented != (task == "obb"):
        return None
    kinds = table[:, 5]
    used = table[:, 4] > 0
    if not np.isin(kinds[used], np.arange(classes)).all():
        return None
    if oriented:
        rows = np.column_stack([table[:, :4], table[:, 6]])
    else:
        low, high = table[:, :2], table[:, 2:4]
        rows = np.column_stack([(low + high) / 2, high - low, np.zeros(len(table))])
    return Boxes(rows, table[:, 4], np.nan_to_num(kinds).astype(int))


def moved_boxes(boxes: Boxes, right: float, down: float, scale: float = 1.0) -> Boxes:
    """Boxes of a tile as boxes of the picture; a tile that was enlarged `scale` times is made small again."""
    rows = boxes.rows.copy()
    rows[:, :4] /= scale
    rows[:, 0] += right
    rows[:, 1] += down
    return Boxes(rows, boxes.scores, boxes.kinds)


def all_boxes(some: Sequence[Boxes]) -> Boxes:
    """All of these."""
    found = [each for each in some if len(each.scores)]
    if not found:
        return NO_BOXES
    return Boxes(
        np.concatenate([each.rows for each in found]),
        np.concatenate([each.scores for each in found]),
        np.concatenate([each.kinds for each in found]),
    )


def single_objects(boxes: Boxes) -> Boxes:
    """Every object once: of boxes of one class that share much of their union the surest, across tiles as within one.

    A box that an object's edge at a tile's border has cut lies inside the whole one of the next tile, and goes with it.
    """
    shapes = boxes.shapes()
    order = sorted(range(len(shapes)), key=lambda place: (-boxes.scores[place], place))
    tree = STRtree(shapes)
    dropped: set[int] = set()
    kept = []
    for place in order:
        if place in dropped:
            continue
        kept.append(place)
        for other in tree.query(shapes[place]).tolist():
            if (
                other != place
                and other not in dropped
                and boxes.kinds[other] == boxes.kinds[place]
                and _are_one(shapes[place], shapes[other])
            ):
                dropped.add(other)
    return boxes.taken(np.array(sorted(set(kept) - dropped), int))


_INSIDE = 0.8


def _are_one(one: Polygon, other: Polygon) -> bool:
    both = one.intersection(other).area
    return bool(
        both > SAME_OBJECT * (one.area + other.area - both) or both > _INSIDE * min(one.area, other.area)
    )


def _outline(row: Sequence[float]) -> Polygon:
    x, y, width, height, angle = row
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(-width, -height), (width, -height), (width, height), (-width, height)]
    return Polygon([(x + (a * cos - b * sin) / 2, y + (a * sin + b * cos) / 2) for a, b in corners])


def count_interval(found: int, recall: float, precision: float) -> tuple[int, int]:
    """How many things there are, 95 %, where so many were found: some finds are none, and some things were not found."""
    tail = (1 - _SURE) / 2
    right_low, right_high = (_right_at(each, found, precision) for each in (tail, 1 - tail))
    # Of every thing there a share is found, so that many are missed beside each that was.
    missed_low, missed_high = (
        _missed_at(each, max(1, right), recall)
        for each, right in ((tail, right_low), (1 - tail, right_high + 1))
    )
    return right_low + (missed_low if right_low else 0), right_high + missed_high


# By way of scipy.special: scipy.stats, which has both as `ppf`, would take a tenth of the memory of an idle service.
def _right_at(share: float, found: int, precision: float) -> int:
    """How many of so many finds are right, at this share of the binomial law."""
    return int(np.searchsorted(special.bdtr(np.arange(found + 1), found, precision), share))


def _missed_at(share: float, right: int, recall: float) -> int:
    """How many are missed until so many are found, at this share of the negative binomial law."""
    most = 16
    while special.nbdtr(most, right, recall) < share:
        most *= 2
    return int(np.searchsorted(special.nbdtr(np.arange(most + 1), right, recall), share))


@dataclass(frozen=True, slots=True)
class TrialPair:
    """One look that the model and a person counted, neither knowing of the other."""

    counted: float
    low: float
    high: float
    analyst: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What a blind trial says of a model; `passed` lets its counts be judged."""

    pairs: int
    inside: int
    passed: bool
    words: str


LEAST_PAIRS, LEAST_OCCUPIED, LEAST_INSIDE = 12, 4, 0.8


def blind_trial(pairs: Sequence[TrialPair]) -> Trial:
    """Hold a model's counts against those of people: it passes where they mostly lie in its interval and it beats the middle count."""
    inside = sum(each.low <= each.analyst <= each.high for each in pairs)
    occupied = sum(each.analyst > 0 for each in pairs)
    if len(pairs) < LEAST_PAIRS or occupied < LEAST_OCCUPIED:
        words = (
            f"{len(pairs)} looks were counted by it and by a person, {occupied} of them with something there; {LEAST_PAIRS} and "
            f"{LEAST_OCCUPIED} are needed"
        )
        return Trial(len(pairs), inside, False, words)
    counts = np.array([each.analyst for each in pairs])
    error = float(np.abs(np.array([each.counted for each in pairs]) - counts).mean())
    naive = float(np.abs(np.median(counts) - counts).mean())
    words = (
        f"in {len(pairs)} looks the person's count lay in its interval {inside} times; it was {error:.2f} beside it on average, and always "
        f"saying {np.median(counts):g} would be {naive:.2f}"
    )
    return Trial(len(pairs), inside, inside >= LEAST_INSIDE * len(pairs) and error < naive, words)


def inside_of(boxes: Boxes, transform: Any, area: shapely.Geometry) -> npt.NDArray[np.bool_]:
    """Which boxes have their centre in a shape, in the picture's own coordinates."""
    if not len(boxes.scores):
        return np.zeros(0, bool)
    points = [transform @ (float(x), float(y)) for x, y in boxes.rows[:, :2]]
    return np.asarray(shapely.intersects_xy(area, [x for x, _ in points], [y for _, y in points]))
