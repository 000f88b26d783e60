"""What in a changed alert is worth telling: one version of it compared with the next. Pure."""

from collections.abc import Mapping
from typing import Any

from alerts.incidents.findings import is_event, snapshot_look_id
from alerts.incidents.headline import is_doubtful
from alerts.words import digits, local_day
from db.records import SEEN_FROM_ABOVE, Alert
from db.said import phrase, spaced
from db.spelling import folded

PEAK_GROWTH = 1.25
"""A stock's new peak is told again when it passes the last told one by this factor."""


def revisions(before: Alert, after: Alert) -> str:
    """The sentences that say which counts that were told now have another value; '' where none has."""
    known = {snapshot_look_id(each): each for each in before.details["entries"]}
    zone = after.details["timezone"]
    return spaced(
        phrase(
            "The count for {day} was corrected from {before} to {now}.",
            day=local_day(each["period_start"], zone),
            before=digits(told["value"]),
            now=digits(each["value"]),
        )
        for each in after.details["entries"]
        if (told := known.get(snapshot_look_id(each), each))["value"] != each["value"]
        and not _went_on(told, each)
    )


def _went_on(told: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a day that was still running has more by now: what was told of it holds."""
    return not told.get("closed", True) and now["value"] > told["value"]


def is_confirmed(before: Alert, after: Alert) -> bool:
    """Whether a count that might have been nothing is now known to stand."""
    doubted = {snapshot_look_id(each) for each in before.details["entries"] if is_doubtful(each)}
    return any(
        snapshot_look_id(each) in doubted and not is_doubtful(each) for each in after.details["entries"]
    )


def seen_sentences(before: Alert, after: Alert) -> list[str]:
    """What pictures newly say of a visit that was told, and that one which said something no longer counts."""
    known = {snapshot_look_id(each): _seen(each) for each in before.details["entries"]}
    found, gone = [], False
    for each in after.details["entries"]:
        earlier, now = known.get(snapshot_look_id(each)), _seen(each)
        if earlier is not None:
            found += [text for text in now if text not in earlier]
            gone = gone or (bool(earlier) and not now)
    said = list(dict.fromkeys(found))
    return said or ([_GONE] if gone else [])


_GONE = phrase("What a picture said of it no longer counts: the picture was corrected or taken back.")


def _seen(entry: Mapping[str, Any]) -> list[str]:
    return [each["text"] for each in entry["evidence"] if each["kind"] == SEEN_FROM_ABOVE]


def is_news(before: Alert, after: Alert) -> bool:
    """Whether there is a new subject, a stronger rule, or a count so much higher that people want to hear of it."""
    if set(after.subjects) - set(before.subjects) or after.rule != before.rule:
        return True
    grown, told = after.peak or 0.0, before.peak or 0.0
    return grown > told if is_event(after) else grown >= told * PEAK_GROWTH and grown > told


def change_sentence(before: Alert, after: Alert) -> str:
    """The sentence that tells it."""
    if before.peak != after.peak:
        return phrase(
            "Now {now}, before {before}. {headline}",
            now=digits(after.peak or 0.0),
            before=digits(before.peak or 0.0),
            headline=after.headline,
        )
    return after.headline


def new_publishers(before: Alert, after: Alert) -> list[str]:
    """Who reports it now and did not before, however their names are spelled; a reteller is none of them."""
    known = {folded(each["publisher"]) for each in before.details["entries"]}
    found = {folded(name): name for each in after.details["entries"] if (name := each["publisher"])}
    return sorted(name for key, name in found.items() if key not in known)
