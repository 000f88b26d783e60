"""Fits put together: designs less one column, and batches whose series were fitted on different designs."""

from dataclasses import fields, replace

import numpy as np

from alerts.baselines.glm import GlmFit
from alerts.baselines.special import BoolArray, FloatArray


def without_column(design: FloatArray, column: int) -> FloatArray:
    """The design less one column."""
    return np.delete(design, column, axis=1)


def coefficients_without(whole: GlmFit, column: int) -> FloatArray:
    """About what the coefficients [S, P - 1] become without one column: the constrained least of its quadratic form."""
    along = whole.covariance[:, :, column] / whole.covariance[:, column, column][:, None]
    return np.delete(whole.coefficients - along * whole.coefficients[:, column][:, None], column, axis=1)


def with_column(part: GlmFit, column: int) -> GlmFit:
    """The fit of a design that lacked `column`, written on the whole design with the coefficient 0."""
    covariance = np.insert(np.insert(part.covariance, column, 0.0, axis=1), column, 0.0, axis=2)
    return replace(
        part, coefficients=np.insert(part.coefficients, column, 0.0, axis=1), covariance=covariance
    )


def overlay(base: GlmFit, part: GlmFit, rows: BoolArray) -> GlmFit:
    """The base with the chosen series taken from `part`, which holds those alone."""
    mixed = {}
    for entry in fields(GlmFit):
        values = getattr(base, entry.name).copy()
        values[rows] = getattr(part, entry.name)
        mixed[entry.name] = values
    return GlmFit(**mixed)


def joined(one: GlmFit, other: GlmFit, first: BoolArray) -> GlmFit:
    """The fits of two parts of the series in one order: `first` [series] says which of all belong to `one`."""
    mixed = {}
    for entry in fields(GlmFit):
        values = getattr(one, entry.name)
        whole = np.empty((len(first), *values.shape[1:]), values.dtype)
        whole[first], whole[~first] = values, getattr(other, entry.name)
        mixed[entry.name] = whole
    return GlmFit(**mixed)
