"""Tiny ONNX models whose right answer is known: they look at nothing, or at the brightest pixels, and say boxes by construction."""

from collections.abc import Sequence
from typing import Any

import numpy as np

ROWS = Sequence[Sequence[float]]


def model(
    rows: ROWS,
    *,
    layout: str = "v8",
    names: str | None = "{0: 'plane', 1: 'ship'}",
    shape: Sequence[Any] = (1, 3, 64, 64),
    kind: int = 1,
    task: str = "",
    lit: bool = False,
) -> bytes:
    """A model of `layout` that says these objects: x, y, width, height, angle, score, class.

    With `lit` the score of each is multiplied with how bright the pixel at its centre is: an object where something shines.
    """
    from onnx import TensorProto, helper, numpy_helper

    table = np.array(rows, np.float32).reshape(-1, 7)
    constant = _table(table, layout)
    nodes, fixed = [], [numpy_helper.from_array(constant, "said")]
    if lit:
        # The red pixel at each centre, as many numbers as there are objects.
        places = np.array([[0, 0, int(y), int(x)] for x, y in table[:, :2]], np.int64)
        fixed.append(numpy_helper.from_array(places, "places"))
        fixed.append(numpy_helper.from_array(_mask(table, layout), "mask"))
        fixed.append(numpy_helper.from_array(1 - _mask(table, layout), "rest"))
        shaped = np.array([1, 1, len(table)] if layout.startswith("v8") else [1, len(table), 1], np.int64)
        fixed.append(numpy_helper.from_array(shaped, "shaped"))
        nodes = [
            helper.make_node("GatherND", ["images", "places"], ["bright"]),
            helper.make_node("Reshape", ["bright", "shaped"], ["light"]),
            helper.make_node("Mul", ["light", "mask"], ["lit"]),
            helper.make_node("Add", ["lit", "rest"], ["factor"]),
            helper.make_node("Mul", ["said", "factor"], ["output0"]),
        ]
    else:
        zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
        fixed.append(zero)
        nodes = [
            helper.make_node("ReduceMax", ["images"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "zero"], ["nothing"]),
            helper.make_node("Add", ["said", "nothing"], ["output0"]),
        ]
    graph = helper.make_graph(
        nodes,
        "said",
        [helper.make_tensor_value_info("images", kind, list(shape))],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(constant.shape))],
        fixed,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (("names", names), ("task", task or None)):
        if value is not None:
            made.metadata_props.add(key=key, value=value)
    return bytes(made.SerializeToString())


def _scores(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    scores = np.zeros((len(table), 2), np.float32)
    scores[np.arange(len(table)), table[:, 6].astype(int)] = table[:, 5]
    return scores


def _table(table: np.ndarray[Any, Any], layout: str) -> np.ndarray[Any, Any]:
    """The objects as a model of this layout writes them; rows that say nothing fill it up."""
    box, scores = table[:, :4], _scores(table)
    if layout == "v5":
        ones = np.ones((len(table), 1), np.float32)
        return np.column_stack([box, ones, scores])[np.newaxis].astype(np.float32)
    if layout == "v8":
        return np.column_stack([box, scores]).T[np.newaxis].astype(np.float32)
    if layout == "v8-obb":
        return np.column_stack([box, scores, table[:, 4]]).T[np.newaxis].astype(np.float32)
    corners = np.column_stack([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2])
    if layout == "whole":
        return np.column_stack([corners, table[:, 5], table[:, 6]])[np.newaxis].astype(np.float32)
    return np.column_stack([box, table[:, 5], table[:, 6], table[:, 4]])[np.newaxis].astype(np.float32)


def _mask(table: np.ndarray[Any, Any], layout: str) -> np.ndarray[Any, Any]:
    """1 where a score stands."""
    shaped = np.zeros_like(_table(table, layout))
    if layout == "v8":
        shaped[:, 4:] = 1
    elif layout == "v8-obb":
        shaped[:, 4:-1] = 1
    elif layout == "v5":
        shaped[..., 5:] = 1
    else:
        shaped[..., 4] = 1
    return shaped
