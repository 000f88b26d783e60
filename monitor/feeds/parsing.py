"""Reading foreign JSON without trusting it: finite numbers, plain text, times with a zone."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from monitor.feeds import FeedError

ICAO24 = re.compile(r"[0-9a-f]{6}")
CALLSIGN_PATTERN = re.compile(r"[A-Z0-9]{1,8}")
REGISTRATION_PATTERN = re.compile(r"[A-Z0-9][A-Z0-9+./ -]{0,15}")
TYPE_PATTERN = re.compile(r"[A-Z0-9]{1,4}")
OPERATOR_PATTERN = re.compile(r"[A-Z]{3}")
FEED_CLOCK_AHEAD = timedelta(minutes=5)
"""A time further ahead of the clock than this is a fault of somebody's clock."""
_LAST_SECOND = 1e11
"""Larger numbers are milliseconds (this is the year 5138 in seconds, 1973 in milliseconds)."""
_YEARS = range(1970, 2200)
_LONGEST_TIME = 40


def parse_json(body: bytes, where: str) -> Any:
    """Read a JSON document or raise FeedError; NaN, endless nesting and endless numbers are refused."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = "is empty" if not body.strip() else f"cannot be read as JSON ({_short(error)})"
        raise FeedError(
            f"{where}: the answer {what}. The provider has a fault, or base_url is wrong.", body=body
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]


def json_number(value: object, low: float, high: float) -> float | None:
    """A finite number within bounds, or None; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Comparing first keeps huge integers from overflowing a float.
    return float(value) if low <= value <= high and math.isfinite(value) else None


def json_integer(value: object, low: int, high: int) -> int | None:
    """A whole number within bounds, or None."""
    found = json_number(value, low, high)
    return int(found) if found is not None and found.is_integer() else None


def json_text(value: object, pattern: re.Pattern[str]) -> str | None:
    """Text without padding that fits the pattern wholly; '' where there is none, None where it does not fit."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if not text or pattern.fullmatch(text) else None


def json_instant(value: object) -> datetime | None:
    """An RFC 3339 time as aware UTC, or None; one without a zone is not believed."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    if parsed.tzinfo is None or parsed.year not in _YEARS:
        return None
    return parsed.astimezone(UTC)


def feed_instant(since_1970: float) -> datetime:
    """The time of a feed's own clock in milliseconds or in seconds: the magnitude tells which."""
    in_ms = since_1970 > _LAST_SECOND
    since = timedelta(milliseconds=since_1970) if in_ms else timedelta(seconds=since_1970)
    return datetime.fromtimestamp(0, UTC) + since
