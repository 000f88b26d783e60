"""What an alert says: who reports it, what was counted, what is normal, how sure it is, what is unknown. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from alerts.attribution import alert_attributions, one_cell
from alerts.channels import Link, Message
from alerts.incidents.headline import Entry, entry_count, entry_when, is_doubtful
from alerts.incidents.incidents import incident_words
from alerts.incidents.witnesses import disputes
from alerts.metrics import metric_named
from alerts.odds import odds, times_a_year, without_odds
from alerts.words import (
    capital,
    digits,
    exposure_words,
    listed,
    local_day,
    looks_behind,
    own_count,
    quoted_note,
    rounded_number,
    rule_words,
    subject_phrase,
)
from db.records import Alert, AlertEvent, Delivery
from db.records.counts import remark
from db.records.provenance import made_words

EVENT_WORDS = {
    "opened": "New",
    "amended": "Update",
    "corroborated": "Also reported",
    "acknowledged": "Acknowledged",
    "resolved": "Resolved",
    "withdrawn": "Withdrawn",
    "lapsed": "Outcome unknown",
}
CORRECTION = "Correction"
_VISITS = 3
_CLOSING = frozenset({"resolved", "withdrawn", "lapsed"})
FOOTER = "sitewatch repeats what was published or heard, with its source; it adds no claim of its own."


def compose_alert(
    alert: Alert,
    event: AlertEvent,
    delivery: Delivery,
    public_url: str | None,
    others: Sequence[Alert] = (),
) -> Message:
    """Compose the message about one event of an alert, from the alert's current state; `others` are of the same incident."""
    said = "" if event.kind == "opened" else f"{event_words(event)}: "
    return Message(
        identity=delivery.identity,
        thread=alert.incident_id,
        subject=f"[sitewatch] {said}{alert.headline}",
        status=event_words(event),
        headline=alert.headline,
        paragraphs=(*_made(alert), *_paragraphs(alert, event), *incident_words(others)),
        created_at=event.recorded_at,
        facts=tuple(_facts(alert)),
        links=tuple(_links(alert, public_url)),
        footer=f"{FOOTER} Alert {alert.id}.",
    )


def event_words(event: AlertEvent) -> str:
    """What an event is called."""
    return CORRECTION if event.corrects and event.kind == "amended" else EVENT_WORDS[event.kind]


def _paragraphs(alert: Alert, event: AlertEvent) -> Iterator[str]:
    if event.kind in _CLOSING:
        yield event.reason
        opened = local_day(alert.opened_at, alert.details["timezone"])
        holds = " It no longer holds." if event.kind == "withdrawn" else ""
        yield f"What was said on {opened}: {alert.headline}.{holds}"
        return
    if event.kind != "opened":
        yield f"{event_words(event)}: {event.reason}"
    entries = alert.details["entries"]
    others = alert.details.get("others", ())
    alone = len(entries) == 1 and not others
    for each in entries:
        yield f"{capital(_known(each, alert) if alone else _reported(each, alert))}."
    for each in others:
        yield f"But {_reported(each, alert)}."
    yield from dict.fromkeys(
        said for each in entries if (said := placed(each, "" if alone else entry_count(each, alert.metric)))
    )
    if disputes(alert):
        yield "These sources contradict each other, and which of them is right is not known from this."
    yield from _reasons_of(entries, alert)
    for note in dict.fromkeys(
        quoted_note(said, each["publisher"], each["via"])
        for each in entries
        if (said := remark(each["note"]))
    ):
        yield f"From the record: {note}"
    if unknown := metric_named(alert.metric).unknown:
        yield unknown
    if alert.status != "open":
        yield f"Since then: {alert.details['closing']}"


def placed(entry: Entry, count: str) -> str:
    """Where a count stood among the earlier ones, as known then, for a sentence; '' where nothing was known.

    `count` is said first, unless it is ''. What `record` says of the highest before is not said twice.
    """
    said = "record" in entry["rules"] and "beside" in entry and "highest" in entry["beside"]
    told = [entry.get("recent")] if said else [entry.get("beside"), entry.get("recent")]
    words = "; ".join(filter(None, told))
    if not words:
        return ""
    return f"{capital(count)}: {words}." if count else f"{capital(words)}."


def _made(alert: Alert) -> Iterator[str]:
    """The sentence about data that nobody recorded."""
    looks = [*alert.details["entries"], *alert.details.get("others", ())]
    if said := made_words(name for each in looks for name in each.get("data_from", ())):
        yield said


def _reported(entry: Entry, alert: Alert) -> str:
    zone = alert.details["timezone"]
    asides = [subject_phrase(entry["subject"], entry["site_names"])] if entry["subject"] else []
    if is_doubtful(entry):
        asides.append("not confirmed")
    what = entry_count(entry, alert.metric) + (f" ({', '.join(asides)})" if asides else "") + _bounds(entry)
    return f"{_source(entry)}: {what} {entry_when(entry, zone)}; {_since(entry, zone)}"


def _known(entry: Entry, alert: Alert) -> str:
    """What the headline does not say of the only count there is: from whom it is, and since when it is known."""
    return f"{_source(entry)}{_bounds(entry)}; {_since(entry, alert.details['timezone'])}"


def _bounds(entry: Entry) -> str:
    if entry["low"] is None or entry["high"] is None:
        return ""
    return f", between {digits(entry['low'])} and {digits(entry['high'])}"


def _since(entry: Entry, zone: str) -> str:
    day = local_day(entry["result_time"], zone)
    if entry.get("undated"):
        return f"date of publication not known, at the earliest {day}"
    return f"known since {day}"


def _source(entry: Entry) -> str:
    if not entry["publisher"]:
        return own_count(entry["procedure"], entry.get("data_from", ()))
    via = f" (reached us via {entry['via']})" if entry["via"] else ""
    return f"according to {entry['publisher']}{via}"


def _reasons_of(entries: Sequence[Entry], alert: Alert) -> Iterator[str]:
    """Why each entry is unusual, rule by rule; what comes by chance equally seldom is said once, first among the facts."""
    odds_told, reasons_told = {_odds(alert.baseline)}, set[str]()
    for entry in entries:
        for rule, said in sorted(entry["rules"].items(), key=lambda item: alert.rules.index(item[0])):
            words = said["details"].get("by_chance", "")
            reason = without_odds(said["reason"], words) if words in odds_told else said["reason"]
            several = len(entries) > 1 and entry["subject"]
            name = f", {subject_phrase(entry['subject'], entry['site_names'])}" if several else ""
            told = f"Why it is unusual ({rule_words(rule)}{name}): {reason}"
            # Two sources of one count give the same reasons.
            if told not in reasons_told:
                yield told
            odds_told.add(words)
            reasons_told.add(told)


def _facts(alert: Alert) -> Iterator[tuple[str, str]]:
    baseline = alert.baseline
    if alert.details.get("severity") == "urgent":
        yield "Severity", "urgent"
    if alert.peak is not None and len(alert.details["entries"]) > 1:
        yield "Counted", digits(alert.peak)
    yield from _usual(baseline)
    yield from _behind(baseline, alert.details["timezone"])
    yield from _chance(baseline)
    entries = alert.details["entries"]
    yield "Exposure", _exposure(entries)
    yield "Certainty", alert.confidence or "not stated"
    yield "Rules", listed([rule_words(rule) for rule in alert.rules])
    yield "Data", one_cell(alert_attributions(alert))


def _exposure(entries: Sequence[Entry]) -> str:
    known = [each["exposure"] for each in entries if each["exposure"] is not None]
    if known:
        return f"{exposure_words(min(known))} observed"
    if any(each["publisher"] for each in entries):
        return "not published"
    if any(_moment(each, "result_time") < _moment(each, "period_end") for each in entries):
        return "not known yet, the period was still running"
    return "not known: hardly any other aircraft was heard near"


def _moment(entry: Entry, name: str) -> datetime:
    return datetime.fromisoformat(entry[name])


def _usual(baseline: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was expected, and up to where; the headline says of what it exceeds where nothing was expected."""
    if "expected" in baseline:
        band = f" (95 %: {digits(baseline['low'])}–{digits(baseline['high'])})" if "low" in baseline else ""
        yield "Expected", f"{rounded_number(baseline['expected'])}{band}"
    threshold = baseline.get("threshold")
    if threshold and ("expected" in baseline or baseline.get("side") == "low"):
        words = "Unusual up to" if baseline.get("side") == "low" else "Usual up to"
        yield words, digits(threshold)


def _behind(baseline: Mapping[str, Any], zone: str) -> Iterator[tuple[str, str]]:
    """What history stands behind it."""
    declared, threshold = baseline.get("declared"), baseline.get("threshold")
    if declared and (not threshold or threshold == declared["value"]):
        yield "Baseline by", declared["publisher"] or "unnamed"
        yield "Looks behind it", looks_behind(declared["n"])
    elif "n" in baseline:
        yield "Usable earlier looks", str(baseline["n"])
    if "window" in baseline:
        yield "Window", " to ".join(local_day(each, zone) for each in baseline["window"])


def _chance(baseline: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if words := _odds(baseline):
        yield "By chance", words
    elif baseline.get("chance_a_year"):
        yield "By chance", times_a_year(baseline["chance_a_year"])
    if "promised_a_year" in baseline:
        yield "False alarms promised", f"{times_a_year(baseline['promised_a_year'])} by this rule here"


def _odds(baseline: Mapping[str, Any]) -> str:
    """How often chance alone does it; alerts of earlier versions hold the odds as a number."""
    if not baseline.get("odds"):
        return ""
    return str(baseline.get("by_chance") or odds(1 / baseline["odds"], n=baseline.get("n")))


def _visits(alert: Alert, public_url: str) -> Iterator[Link]:
    """Link the aircraft visits that were counted, each once, to where the site's page tells them."""
    told = {
        each["ref"]: each["text"]
        for entry in alert.details["entries"]
        for each in entry["evidence"]
        if each["kind"] == "visit"
    }
    for ref, text in list(told.items())[:_VISITS]:
        yield Link(f"Visit: {text}", f"{public_url}/sites/{quote(alert.site_id)}#visit-{quote(ref)}")


def _links(alert: Alert, public_url: str | None) -> Iterator[Link]:
    if public_url:
        yield Link("Alert and evidence", f"{public_url}/alerts/{alert.id}")
        yield from _visits(alert, public_url)
    seen = set()
    for entry in alert.details["entries"]:
        for evidence in entry["evidence"]:
            url = evidence["ref"]
            if evidence["kind"] == "url" and url.startswith(("http://", "https://")) and url not in seen:
                seen.add(url)
                yield Link(entry["publisher"] or "Source", url)
    url = (alert.baseline.get("declared") or {}).get("url", "")
    if url.startswith(("http://", "https://")) and url not in seen:
        yield Link("Source of the baseline", url)
