"""What several alerts with a cause in common say as one message: what they share, and each of them. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import quote

from alerts.attribution import alert_attributions, each_once, one_cell
from alerts.channels import Link, Message
from alerts.delivery.messages import EVENT_WORDS, FOOTER
from alerts.incidents.causes import WRONG_A_DAY, common, together_words
from alerts.metrics import metric_named
from alerts.odds import frequency_word, rarer_than
from alerts.words import listed, rounded_number
from db.records import Alert, AlertEvent, Delivery, SharedCause
from db.records.provenance import made_words
from db.said import chained, grouped, moment, phrase, phrase_n, spaced

ToldEvent = tuple[Alert, AlertEvent]
"""An alert with what happened to it."""
_MOST_LISTED = 18
"""So many alerts stand in a message by their headlines; the page has all."""


def compose_together(
    cause: SharedCause,
    told: Sequence[ToldEvent],
    others: Sequence[Alert],
    delivery: Delivery,
    public_url: str | None,
) -> Message:
    """Compose the message about the same change of several alerts; `others` of the cause were told of before."""
    kind = told[0][1].kind
    news = kind == "opened"
    alerts = [alert for alert, _ in told]
    data = each_once(said for each in (*alerts, *others) for said in alert_attributions(each))
    return Message(
        identity=delivery.identity,
        thread=cause.id,
        # The same whatever comes later, for mails of one thread keep one subject.
        subject=phrase(
            "[sitewatch] Several alarms at once: {many}, {day}",
            many=metric_named(cause.metric).many,
            day=moment(
                cause.day, datetime.combine(date.fromisoformat(cause.day), time(12), UTC), "UTC", "day"
            ),
        ),
        status=phrase("Update") if news and others else EVENT_WORDS[kind],
        headline=cause.headline
        if news
        else phrase(
            "{status} at {told} of {all}: {headline}",
            status=EVENT_WORDS[kind],
            told=len(told),
            all=len(cause.alert_ids),
            headline=cause.headline,
        ),
        paragraphs=tuple(_paragraphs(cause, told, others, news=news)),
        urgent=_urgent(alerts),
        created_at=max(event.recorded_at for _, event in told),
        facts=(*_facts(cause, alerts), (phrase("Data"), one_cell(data))),
        links=tuple(_links(cause, alerts, public_url)),
        footer=spaced([FOOTER, phrase("Cause {id}.", id=cause.id)]),
    )


def _urgent(alerts: Sequence[Alert]) -> bool:
    return any(each.details.get("severity") == "urgent" for each in alerts)


def _paragraphs(
    cause: SharedCause, told: Sequence[ToldEvent], others: Sequence[Alert], *, news: bool
) -> Iterator[str]:
    everything = [*(alert for alert, _ in told), *others]
    if said := made_words(name for each in everything for name in _data_from(each)):
        yield said
    if news:
        yield spaced([together_words(cause), _one_source(everything)])
    for alert, event in told[:_MOST_LISTED]:
        yield (
            phrase("{headline}.", headline=alert.headline)
            if news
            else phrase("{site_name}: {reason}", site_name=alert.site_name, reason=event.reason)
        )
    if left := len(told) - _MOST_LISTED:
        yield from [phrase_n("And {n} more alert.", "And {n} more alerts.", left)] if left > 0 else []
    if news and others:
        before = [each.site_name for each in others[:_MOST_LISTED]]
        left = len(others) - len(before)
        names = [*before, *([phrase("{n} more", n=grouped(left))] if left else [])]
        yield phrase("Told of before: {names}.", names=listed(names))


def _one_source(alerts: Sequence[Alert]) -> str:
    """That all rest on the same data, where they do."""
    shared = common(_data_from(each) for each in alerts)
    return (
        phrase(
            "All of them rest on data from {shared}: a fault there would look the same.",
            shared=listed(shared),
        )
        if shared
        else ""
    )


def _data_from(alert: Alert) -> list[str]:
    return [name for each in alert.details["entries"] for name in each.get("data_from", ())]


def _facts(cause: SharedCause, alerts: Sequence[Alert]) -> Iterator[tuple[str, str]]:
    figures: Any = cause.details
    if _urgent(alerts):
        yield phrase("Severity"), phrase("urgent")
    yield (
        phrase("Alarmed"),
        phrase(
            "{alarmed} of {judged} {noun}",
            alarmed=figures["alarmed"],
            judged=figures["judged"],
            noun=figures["noun"],
        ),
    )
    yield phrase("Expected by chance"), rounded_number(figures["expected"])
    words = [frequency_word(WRONG_A_DAY), rarer_than(WRONG_A_DAY, "day")]
    yield phrase("By chance"), chained(", ", words)
    if figures["occasion"]:
        yield phrase("That day"), figures["occasion"]


def _links(cause: SharedCause, alerts: Sequence[Alert], public_url: str | None) -> Iterator[Link]:
    if public_url:
        yield Link(
            phrase("All of these alerts, with their evidence"),
            f"{public_url}/alerts?cause={quote(cause.id)}",
        )
        for each in alerts:
            yield Link(each.site_name, f"{public_url}/alerts/{each.id}")
