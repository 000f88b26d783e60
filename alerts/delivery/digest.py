"""The weekly "still watching": real alerts are rare, so silence must be told from sleep."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from alerts.delivery.notices import enqueue_notice, notice_payload
from alerts.rules.combined import false_alarm_chance
from alerts.words import numbered, rounded_number
from db.blindness import blind_periods
from db.engine import Engine, reading, writing
from db.records import BlindPeriod
from db.weeks import Week, read_week

WEEK = timedelta(days=7)


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
            connection, f"digest:{year}-W{number:02}", channels, reason="digest", payload=payload, now=now
        )


def _monday(now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=midnight.weekday())


def digest_payload(week: Week, blind: Sequence[BlindPeriod]) -> dict[str, object]:
    """Say in words what a week brought. Pure."""
    last = week.until - timedelta(days=1)
    unusual = numbered(len(week.opened), "alert") if week.opened else "nothing unusual"
    chance = "" if week.chance is None else f"; chance alone would have given {_chance(week.chance)}"
    providers = [each for each in week.providers if each.failed < each.polls]
    return notice_payload(
        subject=f"[sitewatch] Still watching, {week.since:%Y-%m-%d} to {last:%Y-%m-%d}",
        headline=(
            f"Still watching: {numbered(week.sites, 'site')}, {numbered(week.looks, 'look')}, "
            f"{numbered(len(providers), 'working provider')}, {unusual}{chance}"
        ),
        paragraphs=tuple(_paragraphs(week, blind)),
        status="Digest",
        thread=f"digest:{week.since:%Y}",
    )


def _paragraphs(week: Week, blind: Sequence[BlindPeriod]) -> Iterator[str]:
    without = week.looks - week.counted
    yield (
        f"{numbered(week.looks, 'look')} were recorded; {week.counted} gave a count and {without} did not "
        "(cloud, no coverage, or not counted yet: no zero)."
    )
    for headline in week.opened:
        yield f"Alert: {headline}"
    if week.closed:
        yield f"{numbered(week.closed, 'alert')} closed."
    if week.chance is None:
        yield "No rule had enough history of its own to say what chance alone would give."
    else:
        yield (
            f"Chance alone would have given {_chance(week.chance)} among the {numbered(week.judged, 'look')} that could be judged "
            "by our own history."
        )
    if week.unusual:
        yield "Unusual, but not enough for an alert:"
        yield from week.unusual
    for each in week.providers:
        failed = f", {each.failed} of them failed" if each.failed else ", all answered"
        yield f"{each.provider}: {numbered(each.polls, 'poll')}{failed}."
    if blind:
        names = sorted({each.site_id for each in blind})
        yield f"Blind for a time: {', '.join(names)}. That time has no counts."


def _chance(alarms: float) -> str:
    return numbered(1, "alarm") if (said := rounded_number(alarms)) == "1" else f"{said} alarms"
