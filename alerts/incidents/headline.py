"""The one line that says what an alert is about, and the words for the looks inside it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.metrics import metric_named
from alerts.words import (
    capital,
    count_words,
    digits,
    listed,
    numbered,
    rounded_number,
    subject_phrase,
    times_words,
    when_words,
)
from db.records.provenance import made_of

WORTH_A_RATIO = 1.5
"""From here on it is said how many times another a number is: below, “1.05 times” would tell as much as “more”."""
Entry = Mapping[str, Any]
"""One subject's look inside an alert, as `alerts.incidents.findings.look_snapshot` snapshots it (JSON types only)."""


def headline(
    place: tuple[str, str], metric: str, entries: Sequence[Entry], rule: str, details: Mapping[str, Any]
) -> str:
    """One line that says what, where, when and why it is unusual; `place` is the site's name and time zone."""
    site_name, timezone = place
    what = _what(metric, entries)
    why = _why(rule, details)
    return f"{made_mark(entries)}{capital(what)} at {site_name} {entry_when(entries[0], timezone)}: {why}"


def made_mark(entries: Sequence[Entry]) -> str:
    """What stands before all else where looks rest on data that nobody recorded; '' where all were recorded."""
    found = [made_of(each.get("data_from", ())) for each in entries]
    made = [each for each in found if each != "recorded"]
    if not made:
        return ""
    return f"{capital(made[0])}: " if len(made) == len(found) else f"Partly {made[0]}: "


def is_doubtful(entry: Entry) -> bool:
    """Whether what was counted may be nothing at all: a flight that was lost on the way."""
    return bool(entry["value"]) and entry["low"] == 0


def entry_count(entry: Entry, metric: str) -> str:
    """A count with its qualifier, `about 73 railcars`; one that is doubtful has none, for its doubt is told beside it."""
    return count_words(entry["value"], "=" if is_doubtful(entry) else entry["qualifier"], metric)


def entry_when(entry: Entry, timezone: str) -> str:
    """When the look was, for a sentence."""
    start, end = (datetime.fromisoformat(entry[name]) for name in ("period_start", "period_end"))
    return when_words(start, end, entry["precision"], timezone)


def _what(metric: str, entries: Sequence[Entry]) -> str:
    said = [
        subject_phrase(entry["subject"], entry.get("site_names")) for entry in entries if entry["subject"]
    ]
    # Two sources may tell of the same.
    names = list(dict.fromkeys(said))
    if len(names) > 1:
        return f"{metric_named(metric).many} of {len(names)} kinds ({listed(names)})"
    first = entries[0]
    counted = entry_count(first, metric) + (" (not confirmed)" if is_doubtful(first) else "")
    return f"{names[0]}: {counted}" if names else counted


def _why(rule: str, details: Mapping[str, Any]) -> str:
    return _seen(rule, details) or _reckoned(rule, details) or "more than history says is normal"


def _reckoned(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that expect a number."""
    match rule:
        case "absence" if details.get("silent_looks"):
            return (
                f"none in {numbered(details['silent_looks'], 'usable look')}, where "
                f"{rounded_number(details['expected'])} were expected"
            )
        case "step" if details.get("rate_ratio"):
            return f"about {times_words(details['rate_ratio'])} the usual rate since {details['since'][:10]}"
    if "expected" in details and "low" in details:
        band = f"{rounded_number(details['low'])}–{rounded_number(details['high'])}"
        return f"expected {rounded_number(details['expected'])} (95 %: {band})"
    return ""


def _seen(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that ask what was ever seen."""
    match rule:
        case "record" if details.get("ratio"):
            much = f"{details['ratio']:g} times" if details["ratio"] >= WORTH_A_RATIO else "more than"
            return f"{much} the highest known before ({digits(details['threshold'])})"
        case "first_ever":
            return "never seen there before"
        case "first_since" if details.get("last_seen_words"):
            return f"the first since {details['last_seen_words'].removeprefix('in ').removeprefix('on ')}"
        case "watchlist":
            return "on the watch list" if details.get("n") else "on the watch list, no history there"
    return ""
