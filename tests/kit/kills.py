"""A process that is killed as it sends its n-th statement."""

import re
from collections.abc import Callable

from sqlalchemy import Engine, event


class Killed(BaseException):
    """The process ends here."""


def killed_at(engine: Engine, number: int, work: Callable[[], object], touching: str = "") -> bool:
    """Whether `work` was killed at its n-th statement, of those that match `touching`; else it ran to its end."""
    count = 0

    def strike(*given: object) -> None:
        nonlocal count
        if re.search(touching, str(given[2]), re.IGNORECASE):
            count += 1
            if count == number:
                raise Killed

    event.listen(engine, "before_cursor_execute", strike)
    try:
        work()
    except Killed:
        return True
    finally:
        event.remove(engine, "before_cursor_execute", strike)
    return False
