"""Stored moments in the future, believed only so far: what lies further ahead was written by a clock that was wrong."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_

CLOCK_SKEW = timedelta(minutes=1)
"""So far may the clocks of two machines lie apart: what was written later than that was written by a wrong one."""


def lies_ahead(at: datetime | None, now: datetime, longest: timedelta) -> bool:
    """Whether a stored moment is still to come; never, where it is further ahead than its longest lawful wait."""
    return at is not None and now < at <= now + longest


def has_come(at: ColumnElement[datetime], now: datetime, longest: timedelta) -> ColumnElement[bool]:
    """The same in SQL, turned round: no moment is stored, it has come, or it cannot be believed."""
    return or_(at.is_(None), at <= now, at > now + longest)
