"""Long lists reach the database in parts: both databases bound how many values one statement may hold."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

KEYS_PER_STATEMENT = 400
"""SQLite takes 500 rows in a list of rows, and each may have a dozen values of the 32,766 of a statement."""

ChunkItemT = TypeVar("ChunkItemT")


def chunks(items: Sequence[ChunkItemT], most: int = KEYS_PER_STATEMENT) -> Iterator[Sequence[ChunkItemT]]:
    """Give the items in order, at most so many at a time."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
