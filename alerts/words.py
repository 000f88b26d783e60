"""Words for counts, subjects, days and headlines: plain, and never more than was seen."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.metrics import METRICS

Entry = Mapping[str, Any]
"""One subject's look inside an alert, as `alerts.incidents.episodes.entry` snapshots it (JSON types only)."""

_CLASSES = {
    "vip_military": "military VIP aircraft",
    "vip": "VIP aircraft",
    "military": "military aircraft",
    "state": "state aircraft",
    "government": "government aircraft",
    "government_kp": "North Korean government aircraft",
    "air_koryo": "Air Koryo aircraft",
    "transport": "heavy transport aircraft",
    "tanker": "tanker aircraft",
    "cargo": "freighters",
    "kinzhal_carrier": "carrier of the Kinzhal system",
    "dark": "ships without a transponder signal",
}
_QUALIFIERS = {"=": "", "~=": "about ", ">=": "at least ", "<=": "at most "}


def subject(name: str, site_names: Mapping[str, str] | None = None) -> str:
    """A subject as a reader would say it: `military VIP aircraft`, `traffic with Knevichi`."""
    prefix, _, rest = name.partition(":")
    match prefix:
        case "class":
            return _CLASSES.get(rest, rest.replace("_", " "))
        case "type" | "ship" | "train":
            return rest
        case "link":
            return f"traffic with {(site_names or {}).get(rest, rest)}"
        case "operator":
            return f"operator {rest}"
        case "icao24":
            return f"aircraft with ICAO address {rest.upper()}"
    return f"{prefix} {rest}".strip()


def is_doubtful(entry: Entry) -> bool:
    """Whether what was counted may be nothing at all: a flight that was lost on the way."""
    return bool(entry["value"]) and entry["low"] == 0


def count(entry: Entry, metric: str) -> str:
    """A count with its qualifier and what is doubtful of it: `about 73 railcars`."""
    return bare_count(entry, metric) + (" (not confirmed)" if is_doubtful(entry) else "")


def bare_count(entry: Entry, metric: str) -> str:
    """A count with its qualifier, `about 73 railcars`, and without a word of doubt."""
    if is_doubtful(entry):
        return METRICS[metric].count(entry["value"])
    return _QUALIFIERS.get(entry["qualifier"], "") + METRICS[metric].count(entry["value"])


def own_count(procedure: str, data_from: Sequence[str]) -> str:
    """Who counted where no publisher did, and from whose data."""
    return f"counted by sitewatch ({procedure}){f' from {listed(data_from)}' if data_from else ''}"


def local_day(at: datetime | str, timezone: str) -> str:
    """The site's own calendar day."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(ZoneInfo(timezone)):%Y-%m-%d}"


def period(entry: Entry, timezone: str) -> str:
    """When it was, no finer than the source said: a day, days, a month, or a minute in UTC."""
    start = datetime.fromisoformat(entry["period_start"])
    end = datetime.fromisoformat(entry["period_end"])
    if entry["precision"] in {"minute", "hour"}:
        return f"on {local_day(start, timezone)} at {start:%H:%M} UTC"
    first = local_day(start, timezone)
    last = local_day(max(start, end - timedelta(microseconds=1)), timezone)
    return f"on {first}" if first == last else f"from {first} to {last}"


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def capital(text: str) -> str:
    """Begin with a capital letter, leaving the rest alone."""
    return text[:1].upper() + text[1:]


def headline(
    place: tuple[str, str], metric: str, entries: Sequence[Entry], rule: str, details: Mapping[str, Any]
) -> str:
    """One line that says what, where, when and why it is unusual; `place` is the site's name and time zone."""
    site_name, timezone = place
    what = _what(metric, entries)
    why = _why(rule, details)
    return f"{capital(what)} at {site_name} {period(entries[0], timezone)}: {why}"


def _what(metric: str, entries: Sequence[Entry]) -> str:
    said = [subject(entry["subject"], entry.get("site_names")) for entry in entries if entry["subject"]]
    # Two sources may tell of the same.
    names = list(dict.fromkeys(said))
    if not names:
        return count(entries[0], metric)
    if len(names) == 1:
        return f"{names[0]}: {count(entries[0], metric)}"
    return f"{METRICS[metric].many} of {len(names)} kinds ({listed(names)})"


def _why(rule: str, details: Mapping[str, Any]) -> str:
    return _seen(rule, details) or _reckoned(rule, details) or "more than history says is normal"


def _reckoned(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that expect a number."""
    match rule:
        case "absence" if details.get("silent_looks"):
            return f"none in {details['silent_looks']} usable looks, where {details['expected']:.3g} were expected"
        case "step" if details.get("rate_ratio"):
            return f"about {details['rate_ratio']:.2g} times the usual rate since {details['since'][:10]}"
    if "expected" in details and "low" in details:
        return f"expected {details['expected']:.3g} (95 %: {details['low']:.3g}–{details['high']:.3g})"
    return ""


def _seen(rule: str, details: Mapping[str, Any]) -> str:
    """Why, by the rules that ask what was ever seen."""
    match rule:
        case "record" if details.get("ratio"):
            return f"{details['ratio']:g} times the highest known before ({details['threshold']:g})"
        case "first_ever":
            return "never seen there before"
        case "first_since" if details.get("last_seen_words"):
            return f"the first since {details['last_seen_words'].removeprefix('in ').removeprefix('on ')}"
        case "watchlist":
            return "on the watch list" if details.get("n") else "on the watch list, no history there"
    return ""


def units(missing: int, what: str) -> str:
    """What is missing, in the singular for one: `event in two spans`."""
    if missing != 1:
        return what
    return what.replace("looks", "look").replace("events", "event").replace("days", "day")
