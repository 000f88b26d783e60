"""Hindsight: open alerts of which an earlier look or a statement became known late are judged again by what is known now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts.incidents.episodes import HINDSIGHT, AlertChange, EpisodeContext, JudgementTime, reconsider
from alerts.incidents.findings import same_look, snapshot_look_id
from alerts.judging.archive import LookHistoryCache
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.rules.contract import Rule, Verdict
from alerts.watch import SiteWatch
from db.alerts import alert_events, alerts
from db.declared import declared, declared_where_alerts_are_open
from db.engine import Connection
from db.observations import looks
from db.records import Alert, DeclaredBaseline, Observation
from db.sites import site_changes

_HEEDED = "statements"
"""In an alert's details: the revisions of the statements by which it was last judged again."""
_NEXT = timedelta(microseconds=1)


def flagged(alert: Alert, judged: Sequence[Observation], at: datetime) -> Alert | None:
    """The alert with a note that more is known since of the time before it, or None where nothing is."""
    if not any(_is_before(each, alert) for each in judged):
        return None
    since = max(at, alert.opened_at, *_since(alert)).isoformat()
    return replace(alert, details={**alert.details, HINDSIGHT: since})


def judged_again(
    connection: Connection,
    watches: Mapping[str, SiteWatch],
    rules: Mapping[str, Rule],
    *,
    episode_context: EpisodeContext,
    archive: LookHistoryCache,
    now: datetime,
) -> Iterator[tuple[Alert, AlertChange]]:
    """What becomes of the open alerts that carry such a note, by all that is known now."""
    stated = declared_where_alerts_are_open(connection, now)
    for alert in alerts(connection, status="open"):
        site = watches.get(alert.site_id)
        about = [each for each in stated if _is_about(each, alert)]
        late = _unheeded(connection, alert, about) if about else []
        if site is not None and (late or HINDSIGHT in alert.details):
            verdicts = _verdicts(connection, alert, site, rules=rules, archive=archive, now=now)
            # News of when the last of it was knowable, and not of the day on which it was loaded.
            at = max(alert.opened_at, *_since(alert), *(each.result_time for each in late))
            step = reconsider(alert, verdicts, episode_context, JudgementTime(at, now))
            yield alert, replace(step, alert=_heeding(step.alert, about))


def _is_about(stated: DeclaredBaseline, alert: Alert) -> bool:
    """Whether a statement is about the time before one of the counts of an alert."""
    place = (stated.series.site_id, stated.series.area, stated.series.metric)
    return place == (alert.site_id, alert.area, alert.metric) and any(
        stated.series.subject == each["subject"]
        and stated.window_start < datetime.fromisoformat(each["period_start"])
        for each in alert.details["entries"]
    )


def _unheeded(
    connection: Connection, alert: Alert, about: Sequence[DeclaredBaseline]
) -> list[DeclaredBaseline]:
    """The statements that nobody knew when the alert was last judged."""
    if _HEEDED in alert.details:
        return [each for each in about if _revision(each) not in alert.details[_HEEDED]]
    opened = alert_events(connection, alert.id)[0]
    return [each for each in about if each.result_time > opened.at or each.recorded_at > opened.recorded_at]


def _heeding(alert: Alert, about: Sequence[DeclaredBaseline]) -> Alert:
    return replace(alert, details={**alert.details, _HEEDED: [_revision(each) for each in about]})


def _revision(stated: DeclaredBaseline) -> str:
    return f"{stated.key}#{stated.revision}"


def _verdicts(
    connection: Connection,
    alert: Alert,
    site: SiteWatch,
    *,
    rules: Mapping[str, Rule],
    archive: LookHistoryCache,
    now: datetime,
) -> dict[tuple[str, ...], Sequence[Verdict]]:
    place = (alert.site_id, alert.area, alert.metric)
    counted = list(_looks(connection, alert, now))
    latest = max((each.period_start for each in counted), default=alert.phenomenon_time)
    stated = declared(connection, alert.site_id, alert.metric, as_of=now)
    known = KnownHistory(
        now,
        archive.looks(connection, place, latest, now),
        [each for each in stated if each.series.area == alert.area],
        site_changes(connection, [alert.site_id]),
        histories=archive.histories(connection, alert.site_id, now),
    )
    context = context_of(site, alert.metric, known)
    return {_name(each): verdicts_on(each, known, site, rules, context) for each in counted}


def _since(alert: Alert) -> list[datetime]:
    return [datetime.fromisoformat(alert.details[HINDSIGHT])] if HINDSIGHT in alert.details else []


def _is_before(look: Observation, alert: Alert) -> bool:
    return (
        alert.status == "open"
        and not look.announced
        and any(_precedes(look, each) for each in alert.details["entries"])
    )


def _precedes(look: Observation, entry: Mapping[str, Any]) -> bool:
    begins = datetime.fromisoformat(entry["period_start"])
    return look.series.subject == entry["subject"] and look.period_end <= begins


def _looks(connection: Connection, alert: Alert, now: datetime) -> Iterator[Observation]:
    """Read the looks that an alert rests on, as they are known now."""
    for entry in alert.details["entries"]:
        start = datetime.fromisoformat(entry["period_start"])
        found = looks(
            connection,
            site_id=alert.site_id,
            metric=alert.metric,
            area=alert.area,
            subject=entry["subject"],
            procedure=entry["procedure"],
            since=start,
            until=start + _NEXT,
            as_of=now,
        )
        yield from (each for each in found if same_look(entry, each))


def _name(look: Observation) -> tuple[str, str, str, str]:
    return snapshot_look_id(
        {
            "subject": look.series.subject,
            "procedure": look.series.procedure,
            "period_start": look.period_start.isoformat(),
            "look_key": look.look_key,
        }
    )
