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
from db.said import chained, phrase, phrase_as, spaced

EVENT_WORDS = {
    "opened": phrase("New"),
    "amended": phrase("Update"),
    "corroborated": phrase("Also reported"),
    "acknowledged": phrase("Acknowledged"),
    "resolved": phrase("Resolved"),
    "withdrawn": phrase("Withdrawn"),
    "lapsed": phrase("Outcome unknown"),
}
CORRECTION = phrase("Correction")
_CERTAINTIES = {
    "low": phrase_as("certainty", "low"),
    "medium": phrase_as("certainty", "medium"),
    "high": phrase_as("certainty", "high"),
}
_VISITS = 3
_CLOSING = frozenset({"resolved", "withdrawn", "lapsed"})
FOOTER = phrase(
    "sitewatch repeats what was published or heard, with its source; it adds no claim of its own."
)


def compose_alert(
    alert: Alert,
    event: AlertEvent,
    delivery: Delivery,
    public_url: str | None,
    others: Sequence[Alert] = (),
) -> Message:
    """Compose the message about one event of an alert, from the alert's current state; `others` are of the same incident."""
    said = (
        alert.headline
        if event.kind == "opened"
        else phrase("{status}: {said}", status=event_words(event), said=alert.headline)
    )
    return Message(
        identity=delivery.identity,
        thread=alert.incident_id,
        subject=chained(" ", ["[sitewatch]", said]),
        status=event_words(event),
        headline=alert.headline,
        paragraphs=(*_made(alert), *_paragraphs(alert, event), *incident_words(others)),
        created_at=event.recorded_at,
        facts=tuple(_facts(alert)),
        links=tuple(_links(alert, public_url)),
        footer=spaced([FOOTER, phrase("Alert {id}.", id=alert.id)]),
    )


def event_words(event: AlertEvent) -> str:
    """What an event is called."""
    return CORRECTION if event.corrects and event.kind == "amended" else EVENT_WORDS[event.kind]


def _paragraphs(alert: Alert, event: AlertEvent) -> Iterator[str]:
    if event.kind in _CLOSING:
        yield event.reason
        opened = local_day(alert.opened_at, alert.details["timezone"])
        holds = phrase("It no longer holds.") if event.kind == "withdrawn" else ""
        told = phrase("What was said on {day}: {headline}.", day=opened, headline=alert.headline)
        yield spaced([told, holds])
        return
    if event.kind != "opened":
        yield phrase("{status}: {said}", status=event_words(event), said=event.reason)
    entries = alert.details["entries"]
    others = alert.details.get("others", ())
    alone = len(entries) == 1 and not others
    for each in entries:
        yield phrase("{said}.", said=capital(_known(each, alert) if alone else _reported(each, alert)))
    for each in others:
        yield phrase("But {reported}.", reported=_reported(each, alert))
    yield from dict.fromkeys(
        said for each in entries if (said := placed(each, "" if alone else entry_count(each, alert.metric)))
    )
    if disputes(alert):
        yield phrase(
            "These sources contradict each other, and which of them is right is not known from this."
        )
    yield from _reasons_of(entries, alert)
    for note in dict.fromkeys(
        quoted_note(said, each["publisher"], each["via"])
        for each in entries
        if (said := remark(each["note"]))
    ):
        yield phrase("From the record: {note}", note=note)
    if unknown := metric_named(alert.metric).unknown:
        yield unknown
    if alert.status != "open":
        yield phrase("Since then: {closing}", closing=alert.details["closing"])


def placed(entry: Entry, count: str) -> str:
    """Where a count stood among the earlier ones, as known then, for a sentence; '' where nothing was known.

    `count` is said first, unless it is ''. What `record` says of the highest before is not said twice.
    """
    said = "record" in entry["rules"] and "beside" in entry and "highest" in entry["beside"]
    told = [entry.get("recent")] if said else [entry.get("beside"), entry.get("recent")]
    known = [each for each in told if each]
    if not known:
        return ""
    words = chained("; ", known)
    return (
        phrase("{count}: {words}.", count=capital(count), words=words)
        if count
        else phrase("{said}.", said=capital(words))
    )


def _made(alert: Alert) -> Iterator[str]:
    """The sentence about data that nobody recorded."""
    looks = [*alert.details["entries"], *alert.details.get("others", ())]
    if said := made_words(name for each in looks for name in each.get("data_from", ())):
        yield said


def _reported(entry: Entry, alert: Alert) -> str:
    zone = alert.details["timezone"]
    asides = [subject_phrase(entry["subject"], entry["site_names"])] if entry["subject"] else []
    if is_doubtful(entry):
        asides.append(phrase("not confirmed"))
    what = entry_count(entry, alert.metric)
    if asides:
        what = phrase("{what} ({asides})", what=what, asides=chained(", ", asides))
    return phrase(
        "{source}: {what} {when}; {since}",
        source=_source(entry),
        what=_bounded(what, entry),
        when=entry_when(entry, zone),
        since=_since(entry, zone),
    )


def _known(entry: Entry, alert: Alert) -> str:
    """What the headline does not say of the only count there is: from whom it is, and since when it is known."""
    return chained("; ", [_bounded(_source(entry), entry), _since(entry, alert.details["timezone"])])


def _bounded(said: str, entry: Entry) -> str:
    """What is said, with between which numbers the true one lies, where that is known."""
    if entry["low"] is None or entry["high"] is None:
        return said
    return phrase(
        "{said}, between {low} and {high}", said=said, low=digits(entry["low"]), high=digits(entry["high"])
    )


def _since(entry: Entry, zone: str) -> str:
    day = local_day(entry["result_time"], zone)
    if entry.get("undated"):
        return phrase("date of publication not known, at the earliest {day}", day=day)
    return phrase("known since {day}", day=day)


def _source(entry: Entry) -> str:
    if not entry["publisher"]:
        return own_count(entry["procedure"], entry.get("data_from", ()))
    if entry["via"]:
        return phrase(
            "according to {publisher} (reached us via {via})", publisher=entry["publisher"], via=entry["via"]
        )
    return phrase("according to {publisher}", publisher=entry["publisher"])


def _reasons_of(entries: Sequence[Entry], alert: Alert) -> Iterator[str]:
    """Why each entry is unusual, rule by rule; what comes by chance equally seldom is said once, first among the facts."""
    odds_told, reasons_told = {_odds(alert.baseline)}, set[str]()
    for entry in entries:
        for rule, said in sorted(entry["rules"].items(), key=lambda item: alert.rules.index(item[0])):
            words = said["details"].get("by_chance", "")
            reason = without_odds(said["reason"], words) if words in odds_told else said["reason"]
            which = [rule_words(rule)]
            if len(entries) > 1 and entry["subject"]:
                which.append(subject_phrase(entry["subject"], entry["site_names"]))
            told = phrase("Why it is unusual ({which}): {reason}", which=chained(", ", which), reason=reason)
            # Two sources of one count give the same reasons.
            if told not in reasons_told:
                yield told
            odds_told.add(words)
            reasons_told.add(told)


def _facts(alert: Alert) -> Iterator[tuple[str, str]]:
    baseline = alert.baseline
    if alert.details.get("severity") == "urgent":
        yield phrase("Severity"), phrase("urgent")
    if alert.peak is not None and len(alert.details["entries"]) > 1:
        yield phrase("Counted"), digits(alert.peak)
    yield from _usual(baseline)
    yield from _behind(baseline, alert.details["timezone"])
    yield from _chance(baseline)
    entries = alert.details["entries"]
    yield phrase("Exposure"), _exposure(entries)
    yield phrase("Certainty"), certainty_words(alert.confidence)
    yield phrase("Rules"), listed([rule_words(rule) for rule in alert.rules])
    yield phrase("Data"), one_cell(alert_attributions(alert))


def _exposure(entries: Sequence[Entry]) -> str:
    known = [each["exposure"] for each in entries if each["exposure"] is not None]
    if known:
        return phrase("{share} observed", share=exposure_words(min(known)))
    if any(each["publisher"] for each in entries):
        return phrase("not published")
    if any(_moment(each, "result_time") < _moment(each, "period_end") for each in entries):
        return phrase("not known yet, the period was still running")
    return phrase("not known: hardly any other aircraft was heard near")


def _moment(entry: Entry, name: str) -> datetime:
    return datetime.fromisoformat(entry[name])


def _usual(baseline: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was expected, and up to where; the headline says of what it exceeds where nothing was expected."""
    if "expected" in baseline:
        expected = rounded_number(baseline["expected"])
        if "low" in baseline:
            expected = phrase(
                "{expected} (95 %: {low}–{high})",
                expected=expected,
                low=digits(baseline["low"]),
                high=digits(baseline["high"]),
            )
        yield phrase("Expected"), expected
    threshold = baseline.get("threshold")
    if threshold and ("expected" in baseline or baseline.get("side") == "low"):
        words = phrase("Unusual up to") if baseline.get("side") == "low" else phrase("Usual up to")
        yield words, digits(threshold)


def _behind(baseline: Mapping[str, Any], zone: str) -> Iterator[tuple[str, str]]:
    """What history stands behind it."""
    declared, threshold = baseline.get("declared"), baseline.get("threshold")
    if declared and (not threshold or threshold == declared["value"]):
        yield phrase("Baseline by"), declared["publisher"] or phrase("unnamed")
        yield phrase("Looks behind it"), looks_behind(declared["n"])
    elif "n" in baseline:
        yield phrase("Usable earlier looks"), str(baseline["n"])
    if "window" in baseline:
        yield phrase("Window"), _window(baseline["window"], zone)


def _window(window: Sequence[str], zone: str) -> str:
    begins, ends = (local_day(each, zone) for each in window)
    return phrase("{begins} to {ends}", begins=begins, ends=ends)


def certainty_words(certainty: str) -> str:
    """How certain a source is, as it said; that it did not where it did not."""
    return _CERTAINTIES.get(certainty, certainty) or phrase("not stated")


def _chance(baseline: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if words := _odds(baseline):
        yield phrase("By chance"), words
    elif baseline.get("chance_a_year"):
        yield phrase("By chance"), times_a_year(baseline["chance_a_year"])
    if "promised_a_year" in baseline:
        yield (
            phrase("False alarms promised"),
            phrase("{often} by this rule here", often=times_a_year(baseline["promised_a_year"])),
        )


def _odds(baseline: Mapping[str, Any]) -> str:
    """How often chance alone does it; alerts of earlier versions hold the odds as a number."""
    if not baseline.get("odds"):
        return ""
    known: str = baseline.get("by_chance") or odds(1 / baseline["odds"], n=baseline.get("n"))
    return known


def _visits(alert: Alert, public_url: str) -> Iterator[Link]:
    """Link the aircraft visits that were counted, each once, to where the site's page tells them."""
    told = {
        each["ref"]: each["text"]
        for entry in alert.details["entries"]
        for each in entry["evidence"]
        if each["kind"] == "visit"
    }
    for ref, text in list(told.items())[:_VISITS]:
        yield Link(
            phrase("Visit: {text}", text=text),
            f"{public_url}/sites/{quote(alert.site_id)}#visit-{quote(ref)}",
        )


def _links(alert: Alert, public_url: str | None) -> Iterator[Link]:
    if public_url:
        yield Link(phrase("Alert and evidence"), f"{public_url}/alerts/{alert.id}")
        yield from _visits(alert, public_url)
    seen = set()
    for entry in alert.details["entries"]:
        for evidence in entry["evidence"]:
            url = evidence["ref"]
            if evidence["kind"] == "url" and url.startswith(("http://", "https://")) and url not in seen:
                seen.add(url)
                yield Link(entry["publisher"] or phrase("Source"), url)
    url = (alert.baseline.get("declared") or {}).get("url", "")
    if url.startswith(("http://", "https://")) and url not in seen:
        yield Link(phrase("Source of the baseline"), url)
