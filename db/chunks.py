"""Long lists reach the database in parts: both databases bound how many values one statement may hold."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

CHUNK = 400
"""SQLite takes 500 rows in a list of rows, and each may have a dozen values of the 32,766 of a statement."""

T = TypeVar("T")


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Give the items in order, at most `CHUNK` at a time."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
