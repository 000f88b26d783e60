"""Telling that a site is blind, or that a provider refuses us: alerts about ourselves, as silence is not quiet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.delivery.notices import enqueue_notice, notice_payload
from alerts.words import listed, utc
from db.blindness import begin_period, end_period, open_periods, watched_until
from db.engine import Connection, Engine, writing
from db.provider_states import provider_states
from db.records import BlindPeriod
from db.said import phrase


@dataclass(frozen=True, slots=True)
class BlindReport:
    """The sites that went blind, and those that are watched again, in this round."""

    began: Sequence[BlindPeriod] = ()
    ended: Sequence[BlindPeriod] = ()


def notify_blindness(
    engine: Engine, names: Mapping[str, str], channels: Sequence[str], after: timedelta, now: datetime
) -> BlindReport:
    """Note the sites (id → name) that no feed has watched for `after`, and those that recovered; tell each once."""
    with writing(engine) as connection:
        lasting = open_periods(connection)
        until = watched_until(connection, names, now)
        began = [
            period
            for site_id, at in until.items()
            if site_id not in lasting and now - at >= after
            if begin_period(connection, period := BlindPeriod(site_id, at, now))
        ]
        ended = [
            period
            for site_id, period in lasting.items()
            if until.get(site_id, period.since) > period.since
            if end_period(connection, period, until[site_id])
        ]
        _tell(connection, names, channels, began, now, blind=True)
        _tell(connection, names, channels, ended, now, blind=False)
    return BlindReport(tuple(began), tuple(ended))


def notify_refusals(
    engine: Engine, providers: Collection[str], channels: Sequence[str], now: datetime
) -> None:
    """Tell once of each provider that refuses this program: it is not asked again until a person acts."""
    with writing(engine) as connection:
        for name, state in provider_states(connection).items():
            if name not in providers or state.health != "disabled":
                continue
            since = state.failing_since or state.updated_at
            payload = _refused(name, since, state.last_error or "")
            enqueue_notice(
                connection,
                f"refused:{name}:{since.isoformat()}",
                channels,
                reason="refused",
                payload=payload,
                now=now,
            )


def notify_low_disk(engine: Engine, words: str, channels: Sequence[str], now: datetime) -> None:
    """Tell that there is little room left, once in each week in which that is so."""
    year, week, _ = now.isocalendar()
    payload = notice_payload(
        subject=phrase("[sitewatch] The disk is nearly full"),
        headline=phrase("The disk is nearly full"),
        paragraphs=(words,),
        status=phrase("Nearly full"),
        thread=f"room:{year}-{week}",
    )
    with writing(engine) as connection:
        enqueue_notice(
            connection,
            f"room:{year}-{week}",
            channels,
            reason="room",
            payload=payload,
            now=now,
        )


def _tell(
    connection: Connection,
    names: Mapping[str, str],
    channels: Sequence[str],
    periods: Sequence[BlindPeriod],
    now: datetime,
    *,
    blind: bool,
) -> None:
    # In the order of the sites file, which databases do not know.
    order = {site_id: place for place, site_id in enumerate(names)}
    by_start: dict[datetime, list[BlindPeriod]] = {}
    for period in sorted(periods, key=lambda each: (order.get(each.site_id, len(order)), each.site_id)):
        by_start.setdefault(period.since, []).append(period)
    for since, group in by_start.items():
        who = listed([names.get(each.site_id, each.site_id) for each in group])
        payload = _blind(who, since) if blind else _seeing(who, since)
        reason = "blind" if blind else "seeing"
        identity = f"{reason}:{since.isoformat()}:{_mark(group)}"
        enqueue_notice(connection, identity, channels, reason=reason, payload=payload, now=now)


def _mark(group: Sequence[BlindPeriod]) -> str:
    return ",".join(sorted(each.site_id for each in group))


def _blind(who: str, since: datetime) -> dict[str, object]:
    return notice_payload(
        subject=phrase("[sitewatch] Blind since {since}", since=utc(since)),
        headline=phrase("Blind since {since}: {who}", since=utc(since), who=who),
        paragraphs=(
            phrase(
                "Since then no flight feed has answered for these sites, or sitewatch did not run. What flies there now is not seen."
            ),
            phrase(
                "No counts are made for this time: it is not a quiet time, and it raises, lowers and resolves no alert."
            ),
            phrase(
                "“sitewatch status” shows which feed fails and why; “sitewatch doctor” says how to mend it."
            ),
        ),
        status=phrase("Blind"),
        thread=f"blind:{since.isoformat()}",
    )


def _seeing(who: str, since: datetime) -> dict[str, object]:
    return notice_payload(
        subject=phrase("[sitewatch] Blind since {since}", since=utc(since)),
        headline=phrase("Watched again: {who}", who=who),
        paragraphs=(
            phrase("A feed answers again. The time since {since} stays without counts.", since=utc(since)),
        ),
        status=phrase("Seeing again"),
        thread=f"blind:{since.isoformat()}",
    )


def _refused(provider: str, since: datetime, error: str) -> dict[str, object]:
    return notice_payload(
        subject=phrase("[sitewatch] {provider} refuses this program", provider=provider),
        headline=phrase("{provider} refuses this program and is not asked any more", provider=provider),
        paragraphs=(
            error,
            phrase(
                "It was asked last at {since}. What only {provider} watches is not seen from then on.",
                since=utc(since),
                provider=provider,
            ),
            phrase(
                "Read its terms first. “sitewatch poll {provider}” asks it again, and goes on if it answers.",
                provider=provider,
            ),
        ),
        status=phrase("Refused"),
        thread=f"refused:{provider}:{since.isoformat()}",
    )
