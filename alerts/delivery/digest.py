"""The weekly "still watching": real alerts are rare, so silence must be told from sleep. And a day's alerts in one message."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alerts.attribution import alert_attributions, each_once, one_cell
from alerts.channels import Link
from alerts.delivery.messages import event_words
from alerts.delivery.notices import enqueue_notice, notice_payload
from alerts.routing import Routing
from alerts.rules.combined import false_alarm_chance
from alerts.words import local_day, numbered, rounded_number
from db.alerts import alert_by_id, alert_events
from db.blindness import blind_periods
from db.deliveries import delivery_by_identity, enqueue, gathered, mark_bundled
from db.engine import Connection, Engine, reading, writing
from db.records import Alert, AlertEvent, BlindPeriod, Delivery
from db.said import chained, phrase, phrase_n, spaced
from db.weeks import Week, read_week

WEEK = timedelta(days=7)
DAY = timedelta(days=1)


def enqueue_weekly_digest(engine: Engine, sites: int, channels: Sequence[str], now: datetime) -> bool:
    """Owe the digest of the last whole ISO week, once; False where it was owed before or nothing ran then."""
    until = _monday(now)
    since = until - WEEK
    with reading(engine) as connection:
        week = read_week(connection, since, until, sites, false_alarm_chance)
        blind = [each for each in blind_periods(connection, since=since) if each.since < until]
    if not week.providers and not week.looks:
        return False
    payload = digest_payload(week, blind)
    year, number, _ = since.isocalendar()
    with writing(engine) as connection:
        return enqueue_notice(
            connection,
            f"digest:{year}-W{number:02}",
            channels,
            reason="digest",
            payload=payload,
            now=now,
        )


def enqueue_daily_digests(
    engine: Engine,
    sites: int,
    routing: Routing,
    channels: Sequence[str],
    now: datetime,
    *,
    public_url: str | None = None,
) -> int:
    """Owe every channel that wants one its digest of the day that ended last, once, with the alerts that waited for it.

    Give how many; where nothing ran and nothing waited there is none.
    """
    owed = 0
    for channel in channels:
        until = routing.policy(channel).daily_slot(now)
        if until is None:
            continue
        with reading(engine) as connection:
            if delivery_by_identity(connection, _daily_identity(until, channel)):
                continue
            day = read_week(connection, until - DAY, until, sites, false_alarm_chance)
            blind = [each for each in blind_periods(connection, since=until - DAY) if each.since < until]
        with writing(engine) as connection:
            owed += _owe_daily(connection, channel, day, blind, now, public_url=public_url)
    return owed


def _daily_identity(until: datetime, channel: str) -> str:
    return f"daily:{until.isoformat()}:{channel}"


def _owe_daily(
    connection: Connection,
    channel: str,
    day: Week,
    blind: Sequence[BlindPeriod],
    now: datetime,
    *,
    public_url: str | None,
) -> bool:
    waited = gathered(connection, channel, day.until)
    if not (waited or day.providers or day.looks):
        return False
    identity = _daily_identity(day.until, channel)
    told = [each for row in waited if (each := _told(connection, row))]
    owed = enqueue(
        connection,
        identity=identity,
        kind="notice",
        channel=channel,
        reason="daily",
        payload=daily_payload(channel, day, blind, told, public_url),
        now=now,
    )
    if owed:
        mark_bundled(connection, waited, identity)
    return owed


def _told(connection: Connection, row: Delivery) -> tuple[Alert, AlertEvent] | None:
    alert = alert_by_id(connection, row.alert_id or "")
    life = alert_events(connection, row.alert_id or "")
    event = next((each for each in life if each.seq == row.event_seq), None)
    return None if alert is None or event is None else (alert, event)


def daily_payload(
    channel: str,
    day: Week,
    blind: Sequence[BlindPeriod],
    told: Sequence[tuple[Alert, AlertEvent]],
    public_url: str | None,
) -> dict[str, object]:
    """Say in words what a day brought, the alerts that waited for it first. Pure."""
    alerts = {alert.id: alert for alert, _ in told}
    news = numbered(len(alerts), "alert") if alerts else phrase("Nothing unusual for this channel")
    data = one_cell(each_once(said for alert in alerts.values() for said in alert_attributions(alert)))
    return notice_payload(
        subject=phrase("[sitewatch] Daily digest, {until}", until=local_day(day.until, "UTC")),
        headline=phrase(
            "{news}; {sites} watched, {looks} in a day",
            news=news,
            sites=numbered(day.sites, "site"),
            looks=numbered(day.looks, "look"),
        ),
        paragraphs=(*(_line(*each) for each in told), *_paragraphs(replace(day, opened=()), blind)),
        status=phrase("Daily digest"),
        thread=f"daily:{channel}",
        links=[
            Link(each.site_name, f"{public_url}/alerts/{each.id}") for each in alerts.values() if public_url
        ],
        footer=phrase("Data: {data}", data=data) if data else "",
    )


def _line(alert: Alert, event: AlertEvent) -> str:
    said = event.details.get("headline", alert.headline)
    told = phrase("{status}: {said}.", status=event_words(event), said=said)
    why = "" if event.kind == "opened" or event.reason == said else event.reason
    return spaced([told, why, phrase("(alert {id})", id=alert.id)])


def _monday(now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def digest_payload(week: Week, blind: Sequence[BlindPeriod]) -> dict[str, object]:
    """Say in words what a week brought. Pure."""
    last = week.until - timedelta(days=1)
    unusual = numbered(len(week.opened), "alert") if week.opened else phrase("nothing unusual")
    providers = [each for each in week.providers if each.failed < each.polls]
    return notice_payload(
        subject=phrase(
            "[sitewatch] Still watching, {since} to {last}",
            since=local_day(week.since, "UTC"),
            last=local_day(last, "UTC"),
        ),
        headline=(
            phrase(
                "Still watching: {figures}",
                figures=chained(
                    ", ",
                    [
                        numbered(week.sites, "site"),
                        numbered(week.looks, "look"),
                        numbered(len(providers), "working provider"),
                        unusual,
                    ],
                ),
            )
            if week.chance is None
            else phrase(
                "Still watching: {figures}; chance alone would have given {alarms}",
                figures=chained(
                    ", ",
                    [
                        numbered(week.sites, "site"),
                        numbered(week.looks, "look"),
                        numbered(len(providers), "working provider"),
                        unusual,
                    ],
                ),
                alarms=_chance(week.chance),
            )
        ),
        paragraphs=tuple(_paragraphs(week, blind)),
        status=phrase("Digest"),
        thread=f"digest:{week.since:%Y}",
    )


def _paragraphs(week: Week, blind: Sequence[BlindPeriod]) -> Iterator[str]:
    without = week.looks - week.counted
    yield (
        phrase(
            "{looks} were recorded; {counted} gave a count and {without} did not (cloud, no coverage, or not counted yet: no zero).",
            looks=numbered(week.looks, "look"),
            counted=week.counted,
            without=without,
        )
    )
    for headline in week.opened:
        yield phrase("Alert: {headline}", headline=headline)
    if week.closed:
        yield phrase_n("{n} alert closed.", "{n} alerts closed.", week.closed)
    if week.chance is None:
        yield phrase("No rule had enough history of its own to say what chance alone would give.")
    else:
        yield (
            phrase(
                "Chance alone would have given {chance} among the {looks} that could be judged by our own history.",
                chance=_chance(week.chance),
                looks=numbered(week.judged, "look"),
            )
        )
    if week.unusual:
        yield phrase("Unusual, but not enough for an alert:")
        yield from week.unusual
    if week.placed:
        yield phrase("Counted where there are too few looks to say what is usual:")
        yield from week.placed
    for each in week.providers:
        polls = numbered(each.polls, "poll")
        if each.failed:
            yield phrase(
                "{provider}: {polls}, {failed} of them failed.",
                provider=each.provider,
                polls=polls,
                failed=each.failed,
            )
        else:
            yield phrase("{provider}: {polls}, all answered.", provider=each.provider, polls=polls)
    if blind:
        names = sorted({each.site_id for each in blind})
        yield phrase("Blind for a time: {names}. That time has no counts.", names=", ".join(names))


def _chance(alarms: float) -> str:
    return (
        numbered(1, "alarm")
        if (said := rounded_number(alarms)) == "1"
        else phrase("{number} alarms", number=said)
    )
