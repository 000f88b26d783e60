"""Small checks of JSON values, shared by every part of a site: each notes its faults and gives what is usable."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from monitor.sites.faults import Spot, did_you_mean, printable_value

ID_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
ID_RULE = "Use lower-case letters, digits and hyphens, at most 64, as in kp-sunan"
LONG_TEXT = 4000
SHORT_TEXT = 160


def known_keys(spot: Spot, value: Mapping[str, Any], known: Collection[str]) -> None:
    """Note each key that nobody reads; keys beginning `x-` are the author's own."""
    for key in value:
        if key not in known and not key.startswith("x-"):
            advice = did_you_mean(key, known)
            spot.at(key).fault(
                "this key is not known",
                f"{advice}{'' if advice.endswith('?') else '.'} A key of your own must begin with x-",
            )


def required(spot: Spot, value: Mapping[str, Any], key: str, mend: str) -> Any:
    """The value of a key that must be there, or None with a fault."""
    if value.get(key) is None:
        spot.at(key).fault("it is missing", mend)
        return None
    return value[key]


def text(spot: Spot, value: Any, *, longest: int = SHORT_TEXT, blank: bool = False) -> str:
    """A text without control characters; line breaks are allowed in long texts."""
    if not isinstance(value, str):
        spot.fault(f"it is {printable_value(value)}, not a text", "Write it in quotation marks")
        return ""
    if not blank and not value.strip():
        spot.fault("it is empty", "Write what it is, or leave the key out")
    if len(value) > longest:
        spot.fault(f"it has {len(value)} characters", f"Cut it to {longest}")
    allowed = "\n\t" if longest == LONG_TEXT else ""
    if not all(c.isprintable() or c in allowed for c in value):
        spot.fault("it holds control characters", "Remove them")
    return value


def identifier(spot: Spot, value: Any) -> str:
    """An id, or '' with a fault."""
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        spot.fault(f"{printable_value(value)} is not an id", ID_RULE)
        return ""
    return value


def required_id(spot: Spot, value: Mapping[str, Any], example: str) -> str:
    """The `id` of an object, or '' with a fault."""
    found = required(spot, value, "id", f"Give it a short id, as in {example}")
    return "" if found is None else identifier(spot.at("id"), found)


def required_text(spot: Spot, value: Mapping[str, Any], key: str, mend: str) -> str:
    """A short text that must be there, or '' with a fault."""
    found = required(spot, value, key, mend)
    return "" if found is None else text(spot.at(key), found)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_within(spot: Spot, value: Any, low: float, high: float) -> float | None:
    """A number within bounds, or None with a fault."""
    if not is_number(value):
        spot.fault(f"it is {printable_value(value)}, not a number", "Write a number without quotation marks")
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None  # noted already, with every other number of the file that is not finite
    if not low <= value <= high:
        spot.fault(f"{printable_value(value)} is out of range", f"Give a number from {low:g} to {high:g}")
        return None
    return float(value)


def mapping(spot: Spot, value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one with a fault."""
    if isinstance(value, dict):
        return value
    spot.fault(f"it is {printable_value(value)}, not an object", "Write it in braces: {…}")
    return {}


def items(spot: Spot, value: Any) -> Iterator[tuple[Spot, Any]]:
    """Each item of a list with its own spot; nothing, and a fault, where it is no list."""
    if not isinstance(value, list):
        spot.fault(f"it is {printable_value(value)}, not a list", "Write it in brackets: […]")
        return
    for index, item in enumerate(value):
        yield spot.at(index), item


def objects(spot: Spot, value: Any, known: Collection[str]) -> Iterator[tuple[Spot, Mapping[str, Any]]]:
    """Each object of a list of objects with these keys."""
    for here, item in items(spot, value):
        entry = mapping(here, item)
        known_keys(here, entry, known)
        if isinstance(item, dict):
            yield here, {key: part for key, part in entry.items() if part is not None}


def choice(spot: Spot, value: Any, known: Collection[str]) -> str:
    """One of the known words, or '' with a fault."""
    if isinstance(value, str) and value in known:
        return value
    spot.fault(
        f"{printable_value(value)} is not known", did_you_mean(value if isinstance(value, str) else "", known)
    )
    return ""


def no_repeats(spot: Spot, found: Sequence[str], what: str) -> None:
    """Note ids that stand twice."""
    for value in sorted({value for value in found if value and found.count(value) > 1}):
        spot.fault(f"{what} {printable_value(value)} stands twice", "Keep one of them or give one another id")


def date_or_time(spot: Spot, value: Any) -> datetime | None:
    """A date, a month (`2020-02`) or an instant with its offset; None with a fault otherwise."""
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d\d(-\d\d)?", value):
                day = date.fromisoformat(value if len(value) > len("2020-02") else f"{value}-01")
                return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the site's own zone is not known here
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed
    spot.fault(
        f"{printable_value(value)} is not a date or a time with its offset",
        "Write 2023-10-05, or 2023-10-05T01:24:00Z",
    )
    return None
