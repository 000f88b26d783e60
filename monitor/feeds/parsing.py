"""Reading foreign JSON without trusting it: finite numbers, plain text, times with a zone."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.feeds import Answer, FeedError

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
_LONGEST_NUMBER = 400
_LONGEST_WORDS, _ERRORS_NESTED = 200, 2
# Texts are matched first, so that nothing inside them is changed.
_PRINTED_NAN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:inf(?:inity)?|nan)\b', re.IGNORECASE | re.DOTALL)
_WORDS = ("message", "msg", "error_description", "error", "detail", "details", "description", "reason")
_ALL_WELL = {"", "No error", "OK", "ok", "success"}


def parse_json(body: bytes, where: str, not_a_number: float | None = None) -> Any:
    """Read a JSON document or raise FeedError; what only one field of it breaks becomes `not_a_number` or a sign there.

    So does NaN, as other programs print it too; a byte that is no UTF-8 becomes a replacement character; endless
    nesting and endless numbers are refused.
    """

    def constant(_name: str) -> float | None:
        return not_a_number

    try:
        try:
            return json.loads(body, parse_constant=constant)
        except (ValueError, RecursionError):
            # Once more, and slower: one byte of one callsign must not cost the whole sky.
            text = _PRINTED_NAN.sub(_as_nan, body.decode(json.detect_encoding(body), "replace"))
            return json.loads(text, parse_constant=constant, parse_int=_whole, strict=False)
    except (ValueError, RecursionError) as error:
        what = "is empty" if not body.strip() else f"cannot be read as JSON ({_short(error)})"
        raise FeedError(
            f"{where}: the answer {what}. The provider has a fault, or base_url is wrong.", body=body
        ) from None


def _as_nan(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else "NaN"


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= _LONGEST_NUMBER else None


def words_of(document: object, answer: Answer) -> str:
    """What a provider says in words, such as " It says: Rate limit exceeded.", without secrets; '' where it says nothing."""
    if not isinstance(document, dict):
        return ""
    said = next((text for text in _texts(document) if text.strip(" .") not in _ALL_WELL), "")
    line = " ".join("".join(each if each.isprintable() else " " for each in answer.quote(said)).split())
    return f" It says: {line[:_LONGEST_WORDS].rstrip('.')}." if line else ""


def _texts(document: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """The messages of a document, also of the errors that it lists: `{"error": {"message": …}}`, `{"detail": [{"msg": …}]}`."""
    for key in _WORDS:
        found = document.get(key)
        if isinstance(found, str):
            yield found
        elif depth < _ERRORS_NESTED:
            for each in found if isinstance(found, list) else [found]:
                if isinstance(each, dict):
                    yield from _texts(each, depth + 1)


def words_in(body: bytes) -> str:
    """The same of a refusal's body, out of which secrets were taken already."""
    try:
        return words_of(parse_json(body, ""), Answer(0, body, {}, ""))
    except FeedError:
        return ""


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
