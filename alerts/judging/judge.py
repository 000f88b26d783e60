"""Judging: each look that waits gets its verdicts, alert changes and deliveries, in one transaction.

Looks are judged in the order in which they became knowable, each as of that moment, so that a backlog
(the first start, an import, a long stop) says just what would have been said at the time. Verdicts are reckoned
on a view of the database that holds nobody up; only what came of them is written in a transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from alerts.baselines.budget import TAIL_ALTERNATIVES
from alerts.incidents.causes import GATHER_FOR
from alerts.incidents.episodes import (
    AlertChange,
    EpisodeContext,
    JudgementTime,
    amend_episode,
    fingerprint,
    group_of,
    lapse_episode,
    open_episode,
    resolve_or_withdraw,
    unresolve,
)
from alerts.incidents.findings import Finding, is_event, is_less_recorded, rests_on
from alerts.incidents.incidents import INCIDENT_WINDOW, joined_incident, neighbours
from alerts.judging import hindsight
from alerts.judging.archive import LookHistoryCache
from alerts.judging.gathering import gather
from alerts.judging.recalibration import Calibration, calibration_at, keep_calibration
from alerts.judging.verdicts import KnownHistory, context_of, placing_of, verdicts_on
from alerts.routing import Routing, alert_facts
from alerts.rules import HUMAN_METHODS, method_of
from alerts.rules.among import Placing
from alerts.rules.contract import Rule, Verdict
from alerts.watch import SiteWatch
from alerts.words import named, placed_words, subject_phrase
from db.alerts import (
    alert_by_id,
    alert_events,
    alerts_at,
    alerts_near,
    append_event,
    insert_alert,
    newest_alert,
    open_since,
    silenced,
    update_alert,
)
from db.declared import declared
from db.deliveries import channels_told, enqueue
from db.engine import Connection, Engine, reading, writing
from db.evaluations import record_evaluations, unjudged, verdicts
from db.observations import looks
from db.records import Alert, AlertEvent, DeliveryState, Evaluation, Observation
from db.rule_states import read_rule_states, store_rule_state
from db.said import chained, phrase, spaced
from db.sites import site_changes

LOOKS_PER_BATCH = 500


@dataclass(frozen=True, slots=True)
class JudgingContext:
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
    routing: Routing = field(default_factory=Routing)
    """Which of the channels are told of what."""

    @property
    def episode_context(self) -> EpisodeContext:
        """What the episodes need of it."""
        return EpisodeContext(
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

    def add(self, step: AlertChange, *, owed: bool) -> None:
        """Count one change."""
        if step.event is None:
            return
        self.changes[step.event.kind] = self.changes.get(step.event.kind, 0) + 1
        if owed:
            self.told.append(f"{step.event.kind}: {step.alert.headline}")


def judge_pending(
    engine: Engine, judging_context: JudgingContext, now: datetime, stop: Callable[[], bool] = lambda: False
) -> JudgeReport:
    """Judge every look that waits, then lapse what nobody has seen for too long; `stop` ends it between two places."""
    report, archive = JudgeReport(), LookHistoryCache()
    while waiting := _waiting(engine, now):
        for result_time, looks_of_moment in groupby(waiting, key=lambda each: each.result_time):
            sitting = _JudgingRound(engine, judging_context, JudgementTime(result_time, now), report, archive)
            sitting.lapse_due()
            for _, group in groupby(looks_of_moment, key=_place):
                if stop():
                    return report
                sitting.judge(list(group))
    last = _JudgingRound(engine, judging_context, JudgementTime(now, now), report, archive)
    last.judge_again()
    last.lapse_due()
    gather(engine, judging_context.watches, now)
    return report


def _waiting(engine: Engine, now: datetime) -> list[Observation]:
    with reading(engine) as connection:
        waiting = unjudged(connection, now, LOOKS_PER_BATCH)
    if len(waiting) < LOOKS_PER_BATCH:
        return waiting
    # All looks of one moment are judged together: leave a possibly cut last moment for the next round.
    last = waiting[-1].result_time
    whole = [each for each in waiting if each.result_time < last]
    return whole or waiting


def _place(look: Observation) -> tuple[str, str, str]:
    return (look.series.site_id, look.series.area, look.series.metric)


@dataclass(frozen=True, slots=True)
class _JudgingRound:
    """One moment's judgements, place by place: reckoned first, then written by a `_Clerk`."""

    engine: Engine
    judging_context: JudgingContext
    moment: JudgementTime
    report: JudgeReport
    archive: LookHistoryCache

    def judge(self, waiting: list[Observation]) -> None:
        """Judge looks of one place that became knowable at the same moment."""
        with reading(self.engine) as connection:
            # Every rule refuses other looks without asking history, and most hours of most places are blind.
            calibration = calibration_at(connection, self.moment.at) if _may_tell(waiting) else None
            findings = list(self._findings(connection, waiting, calibration))
        with writing(self.engine) as connection:
            if calibration is not None and calibration.is_new:
                keep_calibration(connection, calibration, self.moment.at)
            _Clerk(connection, self.judging_context, self.moment, self.report).record(findings)

    def lapse_due(self) -> None:
        """Close what no usable look has touched for too long."""
        with reading(self.engine) as connection:
            due = list(self._lapsing(connection))
        if due:
            with writing(self.engine) as connection:
                clerk = _Clerk(connection, self.judging_context, self.moment, self.report)
                for alert, after in self._lapsing(connection):
                    clerk.apply(lapse_episode(alert, after, self.moment.recorded_at))

    def _lapsing(self, connection: Connection) -> Iterator[tuple[Alert, timedelta]]:
        watches = self.judging_context.watches
        shortest = min((watch.lapse_after_days for watch in watches.values()), default=None)
        if shortest is None:
            return
        for alert in open_since(connection, self.moment.at - timedelta(days=shortest)):
            watch = watches.get(alert.site_id)
            after = timedelta(days=watch.lapse_after_days if watch else shortest)
            if alert.last_look_at + after <= self.moment.at:
                yield alert, after

    def judge_again(self) -> None:
        """Judge open alerts again by what is known by now of the time before them."""
        judging_context = self.judging_context
        with reading(self.engine) as connection:
            again = list(
                hindsight.judged_again(
                    connection,
                    judging_context.watches,
                    judging_context.rules,
                    episode_context=judging_context.episode_context,
                    archive=self.archive,
                    now=self.moment.at,
                )
            )
        if again:
            with writing(self.engine) as connection:
                clerk = _Clerk(connection, judging_context, self.moment, self.report)
                for before, step in again:
                    # One that has changed meanwhile is judged again next time.
                    if alert_by_id(connection, before.id) == before:
                        clerk.apply(step)

    def _findings(
        self, connection: Connection, waiting: list[Observation], calibration: Calibration | None
    ) -> Iterator[Finding]:
        site_id, _, metric = _place(waiting[0])
        site = self.judging_context.watches.get(site_id)
        watch = site.metrics.get(metric) if site else None
        if site is None or watch is None:
            yield from (Finding(look, ()) for look in waiting)
            return
        known = self._known(connection, waiting, calibration)
        context = context_of(site, metric, known)
        for look in waiting:
            said = verdicts_on(look, known, site, self.judging_context.rules, context)
            told = any(each.exceeded for each in said)
            if told or _left_to_readers(look, said):
                place = placing_of(look, known, site.timezone)
                yield Finding(look, said if told else _placed(look, said, place, site), place)
            else:
                yield Finding(look, said)

    def _known(
        self, connection: Connection, waiting: list[Observation], calibration: Calibration | None
    ) -> KnownHistory:
        at = self.moment.at
        if calibration is None:
            return KnownHistory(at)
        site_id, area, metric = _place(waiting[0])
        latest = max(look.period_start for look in waiting)
        stated = declared(connection, site_id, metric, as_of=at)
        return KnownHistory(
            at,
            self.archive.looks(connection, (site_id, area, metric), latest, at),
            [each for each in stated if each.series.area == area],
            site_changes(connection, [site_id]),
            read_rule_states(connection, site_id, area, metric),
            calibration.scores,
            self.archive.histories(connection, site_id, at),
        )


def _left_to_readers(look: Observation, said: Sequence[Verdict]) -> bool:
    """Whether people counted where no rule knows what is usual: readers get to know where the count stands, and judge."""
    by_people = method_of(look.series.procedure) in HUMAN_METHODS
    judged = any(each.rule in TAIL_ALTERNATIVES and each.status != "cannot_tell" for each in said)
    return by_people and look.usable and not look.announced and bool(said) and not judged


def _placed(
    look: Observation, said: tuple[Verdict, ...], place: Placing, site: SiteWatch
) -> tuple[Verdict, ...]:
    """These verdicts, the first with a sentence on where the count stands; the digest reads it out."""
    if not place.beside:
        return said
    subject = look.series.subject
    where = (
        phrase("{place} ({subject})", place=place.words, subject=subject_phrase(subject))
        if subject
        else place.words
    )
    words = chained(": ", [site.name, placed_words(look, where, site.timezone)])
    source = phrase("Counted by {publisher}.", publisher=named(look.publisher)) if look.publisher else ""
    words = spaced([words, source])
    return (replace(said[0], details={**said[0].details, "placed": words}), *said[1:])


def _may_tell(waiting: Iterable[Observation]) -> bool:
    return any(look.usable and not look.announced for look in waiting)


@dataclass(frozen=True, slots=True)
class _Clerk:
    """Writes what was found about one place at one moment, inside one transaction."""

    connection: Connection
    judging_context: JudgingContext
    moment: JudgementTime
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
        site = self.judging_context.watches.get(findings[0].look.series.site_id)
        if site is not None:
            self._change_alerts(site, findings)

    def _keep_states(self, findings: list[Finding]) -> None:
        for finding in findings:
            for verdict in finding.verdicts:
                if verdict.state is not None:
                    store_rule_state(
                        self.connection,
                        finding.look.series,
                        verdict.rule,
                        verdict.state,
                        self.moment.recorded_at,
                    )

    def _change_alerts(self, site: SiteWatch, findings: list[Finding]) -> None:
        self._flag_earlier([each.look for each in findings])
        for finding in findings:
            # What is taken back must not hold up, as already told, what is counted in its place.
            if finding.look.revision > 1 and not finding.look.usable:
                self._settle(finding)
        groups = _grouped(findings, site)
        for group, members in groups.items():
            current = newest_alert(self.connection, fingerprint(members[0].look, group))
            if current is not None and _continues(current):
                self.apply(
                    amend_episode(
                        current,
                        members,
                        self.judging_context.episode_context,
                        self.moment,
                        self._beside(members),
                    )
                )
            else:
                self.apply(self._opened(members, site))
        for finding in findings:
            self._settle(finding, group_of(finding, site) if finding.fired else None)
            if finding.look.revision > 1:
                self._unresolve(finding.look)
        for members in groups.values():
            self._settle_by_later_looks(members)

    def _opened(self, members: list[Finding], site: SiteWatch) -> AlertChange:
        step = open_episode(
            members, site, self.judging_context.episode_context, self.moment, self._beside(members)
        )
        at = step.alert.phenomenon_time
        near = alerts_near(
            self.connection,
            neighbours(site, self.judging_context.watches),
            at - INCIDENT_WINDOW,
            at + INCIDENT_WINDOW,
        )
        return replace(step, alert=joined_incident(step.alert, near))

    def _flag_earlier(self, judged: list[Observation]) -> None:
        for alert in alerts_at(self.connection, *_place(judged[0])):
            if flagged := hindsight.flagged(alert, judged, self.moment.at):
                update_alert(self.connection, flagged)

    def _beside(self, members: list[Finding]) -> list[Observation]:
        """The other looks at the time of these, that may contradict them."""
        site_id, area, metric = _place(members[0].look)
        found = looks(
            self.connection,
            site_id=site_id,
            area=area,
            metric=metric,
            since=min(each.look.period_start for each in members),
            until=max(each.look.period_end for each in members),
            as_of=self.moment.at,
        )
        return [each for each in found if each.usable and not each.announced]

    def _settle(self, finding: Finding, own_group: str | None = None) -> None:
        """Let a look settle the alerts that it did not raise itself."""
        for alert in alerts_at(self.connection, *_place(finding.look)):
            if is_less_recorded(finding.look, alert):
                continue
            # A late report asks again what later looks say, and an alert may rest on one of those.
            if alert.group_key != own_group and not rests_on(alert, finding.look):
                self.apply(
                    resolve_or_withdraw(alert, finding, self.judging_context.episode_context, self.moment)
                )

    def _unresolve(self, look: Observation) -> None:
        """Let a corrected count no longer end what an earlier revision of it ended."""
        for alert in alerts_at(self.connection, *_place(look)):
            if alert.status == "resolved":
                by = alert_events(self.connection, alert.id)[-1].observation
                if by is not None and replace(by, revision=look.revision) == look.key:
                    self.apply(unresolve(alert, look, self.moment))

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

    def apply(self, step: AlertChange | None) -> None:
        """Write one change of an alert, and owe its message to each channel."""
        if step is None:
            return
        if step.event is None:
            update_alert(self.connection, step.alert)
            return
        if step.event.kind == "opened":
            insert_alert(self.connection, step.alert)
            append_event(self.connection, step.event)
        else:
            # In this order, for the event keeps what the alert was before it.
            append_event(self.connection, step.event)
            update_alert(self.connection, step.alert)
        state = self._owe(step.alert, step.event) if step.tell else None
        self.report.add(step, owed=state == "queued")

    def _owe(self, alert: Alert, event: AlertEvent) -> DeliveryState:
        state, reason = self._state(alert, event)
        context = self.judging_context
        facts = alert_facts(alert, context.watches.get(alert.site_id))
        told = channels_told(self.connection, alert.id)
        for each in context.routing.decide(context.channels, facts, told):
            enqueue(
                self.connection,
                identity=f"{alert.id}:{event.seq}:{each.channel}",
                kind="alert",
                channel=each.channel,
                alert_id=alert.id,
                event_seq=event.seq,
                reason=reason,
                payload={"why": each.why},
                # Who was told something wrong is told so, however late, and though the site be silenced since.
                state=each.within("queued" if event.corrects and each.channel in told else state),
                now=self.moment.recorded_at,
                pressing=each.pressing,
                # Until the round is over: others may tell of the same.
                not_before=self.moment.recorded_at + GATHER_FOR,
            )
        return state

    def _state(self, alert: Alert, event: AlertEvent) -> tuple[DeliveryState, str]:
        now, since = self.moment.recorded_at, self.judging_context.not_before
        if event.at < now - self.judging_context.too_old:
            return "too_old", f"Known since {event.at:%Y-%m-%d}, too long ago to be sent as news."
        if since is not None and event.at < since:
            return "too_old", f"Known since {event.at:%Y-%m-%d}, before the watch began."
        quiet = silenced(self.connection, alert.site_id, alert.metric, now)
        if quiet is not None:
            return "silenced", f"Silenced: {quiet or 'no reason given'}."
        return "queued", event.reason


def _evaluations(finding: Finding, moment: JudgementTime) -> Iterator[Evaluation]:
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
