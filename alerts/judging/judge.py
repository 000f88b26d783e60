"""Judging: each look that waits gets its verdicts, alert changes and deliveries, in one transaction.

Looks are judged in the order in which they became knowable, each as of that moment, so that a backlog
(the first start, an import, a long stop) says just what would have been said at the time. Verdicts are reckoned
on a view of the database that holds nobody up; only what came of them is written in a transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from alerts.incidents.episodes import (
    Desk,
    Moment,
    Step,
    advance,
    fingerprint,
    group_of,
    lapse,
    open_alert,
    settle,
)
from alerts.incidents.findings import Finding, is_event
from alerts.judging.archive import Archive
from alerts.judging.recalibration import calibration_at, keep_calibration
from alerts.judging.verdicts import Known, Scores, context_of, verdicts_on
from alerts.rules.contract import Rule, Verdict
from alerts.watch import SiteWatch
from db.alerts import alerts_at, append_event, insert_alert, newest_alert, open_since, silenced, update_alert
from db.declared import declared
from db.deliveries import enqueue
from db.engine import Connection, Engine, reading, writing
from db.evaluations import record_evaluations, unjudged, verdicts
from db.observations import looks
from db.records import Alert, AlertEvent, DeliveryState, Evaluation, Observation
from db.rule_states import keep_state, states
from db.sites import site_changes

BATCH = 500


@dataclass(frozen=True, slots=True)
class Bench:
    """All that judging needs beside the database and the clock.

    `channels` are owed a message for each told change, unless its fact was knowable before
    `now - too_old` or before `not_before`: such verdicts are kept and marked as not sent.
    """

    watches: Mapping[str, SiteWatch]
    rules: Mapping[str, Rule]
    channels: Sequence[str]
    too_old: timedelta
    not_before: datetime | None = None
    attributions: Mapping[str, str] = field(default_factory=dict)
    """How each provider wants to be named where its data are passed on."""

    @property
    def desk(self) -> Desk:
        """What the episodes need of it."""
        return Desk(
            {name: rule.strength for name, rule in self.rules.items()},
            {site_id: watch.name for site_id, watch in self.watches.items()},
            self.attributions,
        )


@dataclass(slots=True)
class JudgeReport:
    """What one run of judging did."""

    judged: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """Headlines or reasons of what people are owed now."""

    def add(self, step: Step, *, owed: bool) -> None:
        """Count one change."""
        if step.event is None:
            return
        self.changes[step.event.kind] = self.changes.get(step.event.kind, 0) + 1
        if owed:
            self.told.append(f"{step.event.kind}: {step.alert.headline}")


def judge_pending(
    engine: Engine, bench: Bench, now: datetime, stop: Callable[[], bool] = lambda: False
) -> JudgeReport:
    """Judge every look that waits, then lapse what nobody has seen for too long; `stop` ends it between two places."""
    report, archive = JudgeReport(), Archive()
    while waiting := _waiting(engine, now):
        for (result_time, *_), group in groupby(waiting, key=lambda each: (each.result_time, *_place(each))):
            if stop():
                return report
            sitting = _Sitting(engine, bench, Moment(result_time, now), report, archive)
            sitting.lapse_due()
            sitting.judge(list(group))
    _Sitting(engine, bench, Moment(now, now), report, archive).lapse_due()
    return report


def _waiting(engine: Engine, now: datetime) -> list[Observation]:
    with reading(engine) as connection:
        waiting = unjudged(connection, now, BATCH)
    if len(waiting) < BATCH:
        return waiting
    # All looks of one moment are judged together: leave a possibly cut last moment for the next round.
    last = waiting[-1].result_time
    whole = [each for each in waiting if each.result_time < last]
    return whole or waiting


def _place(look: Observation) -> tuple[str, str, str]:
    return (look.series.site_id, look.series.area, look.series.metric)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """One moment's judgements of one place: reckoned first, then written by a `_Clerk`."""

    engine: Engine
    bench: Bench
    moment: Moment
    report: JudgeReport
    archive: Archive

    def judge(self, waiting: list[Observation]) -> None:
        """Judge looks of one place that became knowable at the same moment."""
        with reading(self.engine) as connection:
            calibration = calibration_at(connection, self.moment.at)
            findings = list(self._findings(connection, waiting, calibration.scores))
        with writing(self.engine) as connection:
            if calibration.is_new:
                keep_calibration(connection, calibration, self.moment.at)
            _Clerk(connection, self.bench, self.moment, self.report).record(findings)

    def lapse_due(self) -> None:
        """Close what no usable look has touched for too long."""
        with reading(self.engine) as connection:
            due = list(self._lapsing(connection))
        if due:
            with writing(self.engine) as connection:
                clerk = _Clerk(connection, self.bench, self.moment, self.report)
                for alert, after in self._lapsing(connection):
                    clerk.apply(lapse(alert, after, self.moment.recorded_at))

    def _lapsing(self, connection: Connection) -> Iterator[tuple[Alert, timedelta]]:
        watches = self.bench.watches
        shortest = min((watch.lapse_after_days for watch in watches.values()), default=None)
        if shortest is None:
            return
        for alert in open_since(connection, self.moment.at - timedelta(days=shortest)):
            watch = watches.get(alert.site_id)
            after = timedelta(days=watch.lapse_after_days if watch else shortest)
            if alert.last_look_at + after <= self.moment.at:
                yield alert, after

    def _findings(
        self, connection: Connection, waiting: list[Observation], scores: Scores
    ) -> Iterator[Finding]:
        site_id, _, metric = _place(waiting[0])
        site = self.bench.watches.get(site_id)
        watch = site.metrics.get(metric) if site else None
        if site is None or watch is None:
            yield from (Finding(look, ()) for look in waiting)
            return
        known = self._known(connection, waiting, scores)
        context = context_of(site, metric, known)
        for look in waiting:
            yield Finding(look, verdicts_on(look, known, site, self.bench.rules, context))

    def _known(self, connection: Connection, waiting: list[Observation], scores: Scores) -> Known:
        at = self.moment.at
        if not _may_tell(waiting):
            # Every rule refuses such looks without asking history, and most hours of most places are blind.
            return Known(at)
        site_id, area, metric = _place(waiting[0])
        latest = max(look.period_start for look in waiting)
        stated = declared(connection, site_id, metric, as_of=at)
        return Known(
            at,
            self.archive.looks(connection, (site_id, area, metric), latest, at),
            [each for each in stated if each.series.area == area],
            site_changes(connection, [site_id]),
            states(connection, site_id, area, metric),
            scores,
        )


def _may_tell(waiting: Iterable[Observation]) -> bool:
    return any(look.usable and not look.announced for look in waiting)


@dataclass(frozen=True, slots=True)
class _Clerk:
    """Writes what was found about one place at one moment, inside one transaction."""

    connection: Connection
    bench: Bench
    moment: Moment
    report: JudgeReport

    def record(self, findings: list[Finding]) -> None:
        """Write the verdicts and what follows from them; what another has judged meanwhile is left to it."""
        judged = verdicts(self.connection, [each.look.key for each in findings])
        findings = [each for each in findings if each.look.key not in judged]
        if not findings:
            return
        record_evaluations(
            self.connection, [each for one in findings for each in _evaluations(one, self.moment)]
        )
        self._keep_states(findings)
        self.report.judged += len(findings)
        site = self.bench.watches.get(findings[0].look.series.site_id)
        if site is not None:
            self._change_alerts(site, findings)

    def _keep_states(self, findings: list[Finding]) -> None:
        for finding in findings:
            for verdict in finding.verdicts:
                if verdict.state is not None:
                    keep_state(
                        self.connection,
                        finding.look.series,
                        verdict.rule,
                        verdict.state,
                        self.moment.recorded_at,
                    )

    def _change_alerts(self, site: SiteWatch, findings: list[Finding]) -> None:
        groups = _grouped(findings, site)
        for group, members in groups.items():
            current = newest_alert(self.connection, fingerprint(members[0].look, group))
            if current is not None and _continues(current):
                self.apply(advance(current, members, self.bench.desk, self.moment))
            else:
                self.apply(open_alert(members, site, self.bench.desk, self.moment))
        for finding in findings:
            self._settle(finding, group_of(finding, site) if finding.fired else None)
        for members in groups.values():
            self._settle_by_later_looks(members)

    def _settle(self, finding: Finding, own_group: str | None = None) -> None:
        """Let a look settle the alerts that it did not raise itself."""
        for alert in alerts_at(self.connection, *_place(finding.look)):
            if alert.group_key != own_group:
                self.apply(settle(alert, finding, self.bench.desk, self.moment))

    def _settle_by_later_looks(self, members: list[Finding]) -> None:
        """Let looks that were known before a late report of an earlier time say how it went on."""
        site_id, area, metric = _place(members[0].look)
        newest = max(each.look.period_start for each in members)
        later = looks(
            self.connection, site_id=site_id, area=area, metric=metric, since=newest, as_of=self.moment.at
        )
        for look in later:
            if look.period_start > newest and look.result_time < self.moment.at:
                self._settle(Finding(look, ()))

    def apply(self, step: Step | None) -> None:
        """Write one change of an alert, and owe its message to each channel."""
        if step is None:
            return
        if step.event is None:
            update_alert(self.connection, step.alert)
            return
        if step.event.kind == "opened":
            insert_alert(self.connection, step.alert)
        else:
            update_alert(self.connection, step.alert)
        append_event(self.connection, step.event)
        state = self._owe(step.alert, step.event) if step.tell else None
        self.report.add(step, owed=state == "queued")

    def _owe(self, alert: Alert, event: AlertEvent) -> DeliveryState:
        state, reason = self._state(alert, event)
        for channel in self.bench.channels:
            enqueue(
                self.connection,
                identity=f"{alert.id}:{event.seq}:{channel}",
                kind="alert",
                channel=channel,
                alert_id=alert.id,
                event_seq=event.seq,
                reason=reason,
                payload={},
                state=state,
                now=self.moment.recorded_at,
            )
        return state

    def _state(self, alert: Alert, event: AlertEvent) -> tuple[DeliveryState, str]:
        now, since = self.moment.recorded_at, self.bench.not_before
        if event.at < now - self.bench.too_old:
            return "too_old", f"Known since {event.at:%Y-%m-%d}, too long ago to be sent as news."
        if since is not None and event.at < since:
            return "too_old", f"Known since {event.at:%Y-%m-%d}, before the watch began."
        quiet = silenced(self.connection, alert.site_id, alert.metric, now)
        if quiet is not None:
            return "silenced", f"Silenced: {quiet or 'no reason given'}."
        return "queued", event.reason


def _evaluations(finding: Finding, moment: Moment) -> Iterator[Evaluation]:
    none = Verdict("", "no_rule", exceeded=False, reason="No rule watches this metric here.")
    for verdict in finding.verdicts or (none,):
        yield Evaluation(
            observation=finding.look.key,
            rule=verdict.rule,
            status=verdict.status,
            exceeded=verdict.exceeded,
            details={"reason": verdict.reason, **verdict.details},
            as_of=moment.at,
            recorded_at=moment.recorded_at,
        )


def _grouped(findings: Iterable[Finding], site: SiteWatch) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for each in findings:
        if each.fired:
            groups.setdefault(group_of(each, site), []).append(each)
    return groups


def _continues(alert: Alert) -> bool:
    # One past event stays one alert even when a source reports it after the alert was closed.
    return alert.status == "open" or (is_event(alert) and alert.status != "withdrawn")
