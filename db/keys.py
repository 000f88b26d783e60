"""Rows by keys of several columns, found by an index on either database."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, tuple_


def any_key(
    columns: Sequence[ColumnElement[Any]], keys: Collection[Sequence[Any]], narrowed_by: Sequence[str]
) -> ColumnElement[bool]:
    """Whether the columns hold one of the keys; `narrowed_by` names those of them that an index begins with.

    SQLite reads the whole table for a list of rows of values. What each column alone may hold leads it to the index;
    all columns alone would have it try each value with each.
    """
    alone = [
        column.in_({key[place] for key in keys})
        for place, column in enumerate(columns)
        if getattr(column, "name", "") in narrowed_by
    ]
    return and_(*alone, tuple_(*columns).in_(keys))
