"""What feeds of flights share: codes of the sites' airports, and words and times of claims read without trust."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from monitor.feeds.parsing import ICAO24, json_instant, json_number, json_text
from monitor.flights.tracks.surface import NOBODY
from monitor.sites import Site

AIRPORT_PATTERN = re.compile(r"[A-Z0-9]{2,4}")
CANARY_AIRPORT = "RKSI"
"""Incheon, where somebody lands at any hour: what a canary asks about."""
_LONGEST_NAIVE = 19


def sites_by_airport(sites: Sequence[Site]) -> dict[str, tuple[str, ...]]:
    """Give the sites that stand for each airport code (ICAO), sorted by code; sites without one cannot be asked for."""
    found: dict[str, list[str]] = {}
    for site in sites:
        code = site.codes.get("icao", "").upper()
        if site.flies and AIRPORT_PATTERN.fullmatch(code):
            found.setdefault(code, []).append(site.id)
    return {code: tuple(sorted(names)) for code, names in sorted(found.items())}


def matching_text(item: Mapping[str, object], key: str, pattern: re.Pattern[str]) -> str:
    """A text of an item that fits its pattern, in capitals, or ''."""
    value = item.get(key)
    return json_text(value.upper() if isinstance(value, str) else value, pattern) or ""


def claimed_icao24(value: object) -> str:
    """An ICAO 24-bit address in lower case, or ''."""
    text = json_text(value.lower() if isinstance(value, str) else None, ICAO24) or ""
    return "" if text in NOBODY else text


def epoch_instant(value: object) -> datetime | None:
    """A time given in seconds since 1970, or None."""
    seconds = json_number(value, 1, 1e11)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def utc_instant(value: object) -> datetime | None:
    """An ISO time; one without a zone is UTC (Flightradar24 writes both)."""
    if isinstance(value, str) and len(value) == _LONGEST_NAIVE:
        return json_instant(f"{value}Z")
    return json_instant(value)
