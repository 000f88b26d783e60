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
    local_day,
    numbered,
    rounded_number,
    subject_phrase,
    times_words,
    when_words,
)
from db.records.provenance import made_of
from db.said import Said, chained, numeral, phrase

WORTH_A_RATIO = 1.5
"""From here on it is said how many times another a number is: below, “1.05 times” would tell as much as “more”."""
Entry = Mapping[str, Any]
"""One subject's look inside an alert, as `alerts.incidents.findings.look_snapshot` snapshots it (JSON types only)."""


def headline(
    place: tuple[str, str], metric: str, entries: Sequence[Entry], rule: str, details: Mapping[str, Any]
) -> str:
    """One line that says what, where, when and why it is unusual; `place` is the site's name and time zone."""
    site_name, timezone = place
    said = phrase(
        "{what} at {site} {when}: {why}",
        what=capital(_what(metric, entries)),
        site=site_name,
        when=entry_when(entries[0], timezone),
        why=_why(rule, details),
    )
    return chained("", [mark, said]) if (mark := made_mark(entries)) else said


def made_mark(entries: Sequence[Entry]) -> str:
    """What stands before all else where looks rest on data that nobody recorded; '' where all were recorded."""
    found = [made_of(each.get("data_from", ())) for each in entries]
    made = [each for each in found if each != "recorded"]
    if not made:
        return ""
    if len(made) < len(found):
        return phrase("Partly invented: ") if made[0] == "invented" else phrase("Partly reconstructed: ")
    return phrase("Invented: ") if made[0] == "invented" else phrase("Reconstructed: ")


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
        return phrase(
            "{many} of {number} kinds ({names})",
            many=metric_named(metric).many,
            number=len(names),
            names=listed(names),
        )
    first = entries[0]
    counted = entry_count(first, metric)
    if is_doubtful(first):
        counted = phrase("{count} (not confirmed)", count=counted)
    return chained(": ", [names[0], counted]) if names else counted


def _why(rule: str, details: Mapping[str, Any]) -> str:
    return _seen(rule, details) or _reckoned(rule, details) or phrase("more than history says is normal")


def _reckoned(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that expect a number."""
    match rule:
        case "absence" if details.get("silent_looks"):
            return phrase(
                "none in {looks}, where {expected} were expected",
                looks=numbered(details["silent_looks"], "usable look"),
                expected=rounded_number(details["expected"]),
            )
        case "step" if details.get("rate_ratio"):
            return phrase(
                "about {much} the usual rate since {since}",
                much=times_words(details["rate_ratio"]),
                since=local_day(details["since"][:10], "UTC"),
            )
    if "expected" in details and "low" in details:
        band = phrase(
            "{low}–{high}", low=rounded_number(details["low"]), high=rounded_number(details["high"])
        )
        return phrase(
            "expected {expected} (95 %: {band})", expected=rounded_number(details["expected"]), band=band
        )
    return ""


def _seen(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that ask what was ever seen."""
    match rule:
        case "record" if details.get("ratio"):
            threshold = digits(details["threshold"])
            if details["ratio"] < WORTH_A_RATIO:
                return phrase("more than the highest known before ({threshold})", threshold=threshold)
            return phrase(
                "{ratio} times the highest known before ({threshold})",
                ratio=numeral(f"{details['ratio']:g}"),
                threshold=threshold,
            )
        case "first_ever":
            return phrase("never seen there before")
        case "first_since" if details.get("last_seen_words"):
            return phrase("the first since {when}", when=_bare(details["last_seen_words"]))
        case "watchlist":
            return (
                phrase("on the watch list")
                if details.get("n")
                else phrase("on the watch list, no history there")
            )
    return ""


def _bare(when: str) -> str:
    """When it was, without the word that a sentence puts before it."""
    if isinstance(when, Said) and when.made[0] == "say" and len(when.made[2]) == 1:
        (inner,) = when.made[2].values()
        return Said(when.removeprefix("in ").removeprefix("on "), inner) if isinstance(inner, list) else inner
    return when.removeprefix("in ").removeprefix("on ")
