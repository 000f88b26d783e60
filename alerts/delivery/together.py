"""What several alerts with a cause in common say as one message: what they share, and each of them. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from alerts.attribution import alert_attributions, each_once, one_cell
from alerts.channels import Link, Message
from alerts.delivery.messages import EVENT_WORDS, FOOTER
from alerts.incidents.causes import WRONG_A_DAY, common, together_words
from alerts.metrics import metric_named
from alerts.odds import frequency_word, one_in
from alerts.words import listed, numbered, rounded_number
from db.records import Alert, AlertEvent, Delivery, SharedCause
from db.records.provenance import made_words

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
        subject=f"[sitewatch] Several alarms at once: {metric_named(cause.metric).many}, {cause.day}",
        status="Update" if news and others else EVENT_WORDS[kind],
        headline=cause.headline
        if news
        else f"{EVENT_WORDS[kind]} at {len(told)} of {len(cause.alert_ids)}: {cause.headline}",
        paragraphs=tuple(_paragraphs(cause, told, others, news=news)),
        urgent=_urgent(alerts),
        created_at=max(event.recorded_at for _, event in told),
        facts=(*_facts(cause, alerts), ("Data", one_cell(data))),
        links=tuple(_links(cause, alerts, public_url)),
        footer=f"{FOOTER} Cause {cause.id}.",
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
        yield f"{together_words(cause)}{_one_source(everything)}"
    for alert, event in told[:_MOST_LISTED]:
        yield f"{alert.headline}." if news else f"{alert.site_name}: {event.reason}"
    if left := len(told) - _MOST_LISTED:
        yield from [f"And {numbered(left, 'more alert')}."] if left > 0 else []
    if news and others:
        before = [each.site_name for each in others[:_MOST_LISTED]]
        more = f" and {len(others) - len(before)} more" if len(others) > len(before) else ""
        yield f"Told of before: {', '.join(before) + more if more else listed(before)}."


def _one_source(alerts: Sequence[Alert]) -> str:
    """That all rest on the same data, where they do."""
    shared = common(_data_from(each) for each in alerts)
    return (
        f" All of them rest on data from {listed(shared)}: a fault there would look the same."
        if shared
        else ""
    )


def _data_from(alert: Alert) -> list[str]:
    return [name for each in alert.details["entries"] for name in each.get("data_from", ())]


def _facts(cause: SharedCause, alerts: Sequence[Alert]) -> Iterator[tuple[str, str]]:
    figures: Any = cause.details
    if _urgent(alerts):
        yield "Severity", "urgent"
    yield "Alarmed", f"{figures['alarmed']} of {figures['judged']} {figures['noun']}"
    yield "Expected by chance", rounded_number(figures["expected"])
    less = one_in(WRONG_A_DAY, "day").removeprefix("about ")
    yield "By chance", f"{frequency_word(WRONG_A_DAY)}, less than {less}"
    if figures["occasion"]:
        yield "That day", figures["occasion"]


def _links(cause: SharedCause, alerts: Sequence[Alert], public_url: str | None) -> Iterator[Link]:
    if public_url:
        yield Link("All of these alerts, with their evidence", f"{public_url}/alerts?cause={quote(cause.id)}")
        for each in alerts:
            yield Link(each.site_name, f"{public_url}/alerts/{each.id}")
