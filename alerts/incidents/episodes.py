"""The life of an alert: opened, amended, corroborated, then resolved, withdrawn or lapsed. Pure.

An alert is an episode about one group: at a stock one subject (or everything on the watch list), at a
flow of events one day's events. It is told when it opens and when it changes, not while it lasts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from alerts.incidents.changes import (
    change_sentence,
    is_confirmed,
    is_news,
    new_publishers,
    revisions,
    seen_sentences,
)
from alerts.incidents.findings import (
    Finding,
    alert_threshold,
    is_back,
    is_event,
    is_low,
    is_of_same_time,
    look_snapshot,
    merge_entries,
    most_severe,
    newest_start,
    same_look,
    snapshot_look_id,
    still_unusual,
    weakest_certainty,
)
from alerts.incidents.headline import entry_count, headline
from alerts.incidents.incidents import incident_begun_by
from alerts.incidents.witnesses import contradicting, disputes, otherwise, source, told, unheard, witnesses
from alerts.metrics import metric_named
from alerts.rules.contract import Verdict
from alerts.rules.series import certain_count
from alerts.watch import SiteWatch
from alerts.words import capital, digits, local_day, numbered
from db.records import Alert, AlertEvent, EventKind, Observation
from db.records.provenance import made_words
from db.said import chained, listing, phrase, spaced

HESITATES = "hesitates"
"""The key in an alert's details that says, by subject, since when counts were ordinary without being back."""
HINDSIGHT = "hindsight"
"""The key in an alert's details that says since when more is known of the time before it."""
_EVER = frozenset({"record", "first_ever", "first_since"})
_EVER_SAID = ("threshold", "last_seen")


@dataclass(frozen=True, slots=True)
class JudgementTime:
    """When the judged fact was knowable, and when this database records the judgement."""

    at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class EpisodeContext:
    """What judging needs beside findings: how strong each rule is, what the sites are called, how providers are named."""

    strengths: Mapping[str, int]
    site_names: Mapping[str, str]
    attributions: Mapping[str, str] = field(default_factory=dict)

    def snapshots(self, looks: Sequence[Observation]) -> list[dict[str, Any]]:
        """Snapshots of looks of which no rule is said to have fired, with the number that was written."""
        plain = self.entries([Finding(each, ()) for each in looks])
        return [{**each, "value": look.value} for each, look in zip(plain, looks, strict=True)]

    def entries(self, findings: Sequence[Finding]) -> list[dict[str, Any]]:
        """Snapshots of findings."""
        return [look_snapshot(each, self.site_names, self.attributions) for each in findings]


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One change of one alert: its new state, the event to append (None: only refreshed), whether people are told."""

    alert: Alert
    event: AlertEvent | None
    tell: bool = False


def group_of(finding: Finding, site: SiteWatch) -> str:
    """The part of the fingerprint below site and metric."""
    look = finding.look
    if all(each.details.get("side") == "low" for each in finding.fired):
        # What is missing lasts, and is another story than what is there too much.
        return f"low:{look.series.subject}"
    if metric_named(look.series.metric).event:
        return f"@{local_day(look.period_start, site.timezone)}"
    if any(each.rule == "watchlist" for each in finding.fired):
        return "watchlist"
    return look.series.subject


def fingerprint(look: Observation, group: str) -> str:
    """What makes two exceedances one episode."""
    return f"{look.series.site_id}/{look.series.area}/{look.series.metric}/{group}"


def open_episode(
    findings: Sequence[Finding],
    site: SiteWatch,
    episode_context: EpisodeContext,
    moment: JudgementTime,
    others: Sequence[Observation] = (),
) -> AlertChange:
    """Open an episode with the findings of one group at one moment; `others` are looks at the same time."""
    entries = episode_context.entries(findings)
    first = findings[0].look
    group = group_of(findings[0], site)
    mark = fingerprint(first, group)
    identity = blake2b(
        f"{mark}|{first.series.subject}|{first.series.procedure}|{first.period_start.isoformat()}"
        f"|{first.look_key}|{first.revision}".encode(),
        digest_size=8,
    ).hexdigest()
    blank = Alert(
        id=f"al_{identity}",
        fingerprint=mark,
        site_id=site.site_id,
        site_name=site.name,
        area=first.series.area,
        metric=first.series.metric,
        group_key=group,
        subjects=(),
        rule="",
        rules=(),
        status="open",
        phenomenon_time=first.period_start,
        opened_at=moment.at,
        closed_at=None,
        last_look_at=moment.at,
        value=None,
        peak=None,
        baseline={},
        headline="",
        confidence="",
        details={"timezone": site.timezone, "gone": [], "others": episode_context.snapshots(others)},
        incident_id=incident_begun_by(f"al_{identity}"),
        events=0,
    )
    alert = _with_entries(blank, entries, episode_context)
    alert = replace(alert, value=alert.peak)
    return _step(alert, "opened", moment, alert.headline, findings[0].look, tell=True)


def amend_episode(
    alert: Alert,
    findings: Sequence[Finding],
    episode_context: EpisodeContext,
    moment: JudgementTime,
    others: Sequence[Observation] = (),
) -> AlertChange | None:
    """Add further findings to an alert (open, or closed about an event that is over); None where nothing is new."""
    entries = merge_entries(alert.details["entries"], episode_context.entries(findings))
    beside = [*alert.details.get("others", ()), *episode_context.snapshots(others)]
    after = _with_entries(_beside(_back(alert, findings), beside), entries, episode_context)
    after = replace(after, last_look_at=max(alert.last_look_at, moment.at))
    look = findings[-1].look
    revised = revisions(alert, after)
    if is_news(alert, after):
        said = spaced([revised, change_sentence(alert, after)])
        return _step(after, "amended", moment, said, look, tell=True, corrects=bool(revised))
    if disputed := _new_disputes(alert, after):
        said = spaced([revised, disputed])
        return _step(after, "amended", moment, said, look, tell=True, corrects=bool(revised))
    if revised:
        return _step(
            after,
            "amended",
            moment,
            spaced([revised, after.headline]),
            look,
            tell=True,
            corrects=True,
        )
    if added := new_publishers(alert, after):
        said = phrase("Also reported by {who}.", who=listing(added))
        return _step(after, "corroborated", moment, said, look, tell=False)
    if better := _known_better(alert, after):
        return _step(after, "amended", moment, better, look, tell=True)
    refreshed = replace(_back(alert, findings), last_look_at=after.last_look_at)
    return None if refreshed == alert else AlertChange(refreshed, None)


def _known_better(before: Alert, after: Alert) -> str:
    """What is known better now of the same counts, '' where nothing is."""
    confirmed = (
        [phrase("Now confirmed: {headline}", headline=after.headline)] if is_confirmed(before, after) else []
    )
    return spaced([*confirmed, *seen_sentences(before, after)])


def resolve_or_withdraw(
    alert: Alert,
    finding: Finding,
    episode_context: EpisodeContext,
    moment: JudgementTime,
) -> AlertChange | None:
    """Let a look that is not unusual change an alert: withdraw what it corrects, resolve what it ends."""
    look = finding.look
    entries = alert.details["entries"]
    kept = [each for each in entries if not same_look(each, look)]
    if len(kept) < len(entries):
        return _correct(alert, kept, look, episode_context, moment)
    disputed = _dispute(alert, look, episode_context, moment)
    if disputed is not None:
        return disputed
    watching = alert.status == "open" and not is_event(alert)
    if not (watching and look.usable and not look.announced and _about(alert, look)):
        return None
    refreshed = replace(alert, last_look_at=max(alert.last_look_at, moment.at))
    unusual = look.period_start <= newest_start(entries) or still_unusual(alert, look)
    if unusual or not (is_back(alert, look) or _second_ordinary(alert, look)):
        refreshed = _hesitating(refreshed, look, unusual=unusual)
        return None if refreshed == alert else AlertChange(refreshed, None)
    gone = sorted({*alert.details["gone"], look.series.subject})
    if not set(alert.subjects or ("",)) <= set(gone):
        details = {**alert.details, "gone": gone}
        return AlertChange(replace(refreshed, details=details), None)
    parts = {
        "count": digits(certain_count(look)),
        "day": local_day(look.period_start, alert.details["timezone"]),
        "threshold": digits(alert_threshold(alert)),
    }
    reason = (
        phrase("Back to {count} on {day}, more than {threshold}.", **parts)
        if is_low(alert)
        else phrase("Back to {count} on {day}, not above {threshold}.", **parts)
    )
    # What was over before it became known is one message, not two.
    return _close(refreshed, "resolved", moment, reason, look, tell=moment.at > alert.opened_at)


def _second_ordinary(alert: Alert, look: Observation) -> bool:
    """Whether an earlier look since the newest unusual one was ordinary too."""
    first = alert.details.get(HESITATES, {}).get(look.series.subject)
    since = newest_start(alert.details["entries"])
    return first is not None and since < datetime.fromisoformat(first) < look.period_start


def _hesitating(alert: Alert, look: Observation, *, unusual: bool) -> Alert:
    """The alert with the first look that was ordinary and no more than that; with `unusual`, this one is not.

    A stock that stands at its threshold would otherwise end and open its alert look by look.
    """
    marks = dict(alert.details.get(HESITATES, {}))
    subject, start = look.series.subject, look.period_start.isoformat()
    known = marks.get(subject)
    if unusual and known is not None and known <= start:
        del marks[subject]
    elif not unusual and (
        known is None
        or start < known
        or datetime.fromisoformat(known) <= newest_start(alert.details["entries"])
    ):
        marks[subject] = start
    details = {name: value for name, value in alert.details.items() if name != HESITATES}
    return replace(alert, details={**details, HESITATES: marks} if marks else details)


def lapse_episode(alert: Alert, lapse_after: timedelta, recorded_at: datetime) -> AlertChange:
    """Close an alert that no usable look has touched for `lapse_after`: outcome unknown, not resolved."""
    moment = JudgementTime(alert.last_look_at + lapse_after, recorded_at)
    reason = phrase(
        "No usable look for {days}: the outcome is unknown.", days=numbered(lapse_after.days, "day")
    )
    # One past event (an arrival) leaves nobody waiting for an outcome.
    return _close(alert, "lapsed", moment, reason, None, tell=not is_event(alert))


def unresolve(alert: Alert, look: Observation, moment: JudgementTime) -> AlertChange | None:
    """Say of a resolved alert that its outcome is unknown, where the count by which it ended is corrected and ends nothing."""
    if look.usable and not still_unusual(alert, look):
        return None
    day = local_day(look.period_start, alert.details["timezone"])
    reason = phrase(
        "The count for {day}, by which it had ended, was taken back or corrected: the outcome is unknown.",
        day=day,
    )
    return _close(alert, "lapsed", moment, reason, look, tell=True, corrects=True)


def _correct(
    alert: Alert,
    kept: list[dict[str, Any]],
    look: Observation,
    episode_context: EpisodeContext,
    moment: JudgementTime,
) -> AlertChange | None:
    before = next(each for each in alert.details["entries"] if same_look(each, look))
    day = local_day(look.period_start, alert.details["timezone"])
    now_says = digits(look.value) if look.value is not None else phrase("no count")
    reason = phrase(
        "The count for {day} was corrected from {before} to {now}.",
        day=day,
        before=digits(before["value"]),
        now=now_says,
    )
    if kept:
        after = _with_entries(alert, kept, episode_context)
        return _step(after, "amended", moment, reason, look, tell=True, corrects=True)
    if alert.status == "withdrawn":
        return None
    return _close(alert, "withdrawn", moment, reason, look, tell=True)


def reconsider(
    alert: Alert,
    verdicts: Mapping[tuple[str, ...], Sequence[Verdict]],
    episode_context: EpisodeContext,
    moment: JudgementTime,
) -> AlertChange:
    """Say an open alert again by what is known now of the time before it, or take it back where that was no less.

    `verdicts` are those of today on the alert's looks, by `snapshot_look_id`. Only what rules say of all that was ever seen is
    taken from them: a level that was unusual for its time stays so.
    """
    details = {name: value for name, value in alert.details.items() if name != HINDSIGHT}
    before = replace(alert, details=details)
    entries, changed = [], []
    for each in details["entries"]:
        rules, said = _reread(each["rules"], verdicts.get(snapshot_look_id(each), ()))
        changed += said
        if rules:
            entries.append({**each, "rules": rules})
    if not entries:
        reason = spaced([phrase("It is not unusual by what is known now."), *dict.fromkeys(changed)])
        return _close(before, "withdrawn", moment, reason, None, tell=True)
    after = _with_entries(before, entries, episode_context)
    if not changed:
        return AlertChange(after, None)
    reason = spaced([phrase("More is known now of what was before."), *dict.fromkeys(changed)])
    return _step(after, "amended", moment, reason, None, tell=True, corrects=True)


def _reread(
    rules: Mapping[str, Mapping[str, Any]], verdicts: Sequence[Verdict]
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """What the rules say now, and the sentences that are not what they were."""
    now, said = dict(rules), []
    for each in verdicts:
        if each.rule not in _EVER or each.rule not in rules or each.status != "evaluated":
            continue
        holds = each.exceeded or any(each.details.get(name) for name in ("is_record", "is_first"))
        if holds:
            now[each.rule] = {"reason": each.reason, "details": dict(each.details)}
        else:
            del now[each.rule]
        if not holds or any(
            each.details.get(name) != rules[each.rule]["details"].get(name) for name in _EVER_SAID
        ):
            said.append(each.reason)
    return now, said


def _beside(alert: Alert, others: Sequence[Mapping[str, Any]]) -> Alert:
    return replace(alert, details={**alert.details, "others": list(others)})


def _new_disputes(before: Alert, after: Alert) -> str:
    """What people are told of witnesses that contradict others and agree with none, as far as they are much apart."""
    known = disputes(before)
    found = [pair for key, pair in disputes(after).items() if key not in known]
    return spaced(told(unheard(found, witnesses(before)), after.metric))


def _dispute(
    alert: Alert, look: Observation, episode_context: EpisodeContext, moment: JudgementTime
) -> AlertChange | None:
    """Let a look that is not unusual contradict the counts of an alert, or no longer do so."""
    before = alert.details.get("others", [])
    if not any(is_of_same_time(each, look) for each in alert.details["entries"]):
        return None
    (snapshot,) = episode_context.snapshots([look])
    beside = [each for each in before if not same_look(each, look)]
    if look.usable and not look.announced:
        beside.append(snapshot)
    after = _with_entries(_beside(alert, beside), alert.details["entries"], episode_context)
    now = after.details["others"]
    if [(snapshot_look_id(each), each["value"]) for each in now] == [
        (snapshot_look_id(each), each["value"]) for each in before
    ]:
        return None
    after = replace(after, last_look_at=max(alert.last_look_at, moment.at))
    watching = alert.status == "open" or is_event(alert)
    reason = _new_disputes(alert, after)
    if reason:
        return _step(after, "amended", moment, reason, look, tell=watching)
    if len(now) < len(before):
        reason = phrase(
            "{source} no longer contradicts it: {count}.",
            source=capital(source(snapshot)),
            count=entry_count(snapshot, alert.metric),
        )
        return _step(after, "amended", moment, reason, look, tell=watching)
    return AlertChange(after, None)


def _with_entries(alert: Alert, entries: list[dict[str, Any]], episode_context: EpisodeContext) -> Alert:
    rules = sorted(
        {name for each in entries for name in each["rules"]},
        key=lambda rule: -episode_context.strengths.get(rule, 0),
    )
    leading = next(each for each in entries if rules[0] in each["rules"])
    said = leading["rules"][rules[0]]
    baseline = {"reason": said["reason"], **said["details"], **_placed(leading)}
    others = contradicting(entries, alert.details.get("others", ()))
    return replace(
        alert,
        subjects=tuple(dict.fromkeys(each["subject"] for each in entries if each["subject"])),
        rule=rules[0],
        rules=tuple(rules),
        peak=max(each["value"] for each in entries),
        baseline=baseline,
        confidence=weakest_certainty(entries),
        headline=chained(
            "; ",
            [
                headline(
                    (alert.site_name, alert.details["timezone"]), alert.metric, entries, rules[0], baseline
                ),
                *otherwise(entries, others, alert.metric),
            ],
        ),
        details={**alert.details, "entries": entries, "others": others, "severity": most_severe(entries)},
    )


def _placed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Where the leading count stood among those before it; alerts of earlier versions say nothing of it."""
    return {name: entry[name] for name in ("beside", "recent") if entry.get(name)}


def _back(alert: Alert, findings: Sequence[Finding]) -> Alert:
    gone = set(alert.details["gone"]) - {each.look.series.subject for each in findings}
    return replace(alert, details={**alert.details, "gone": sorted(gone)})


def _about(alert: Alert, look: Observation) -> bool:
    procedures = {each["procedure"] for each in alert.details["entries"]}
    return (
        look.series.area == alert.area
        and look.series.metric == alert.metric
        and look.series.subject in (alert.subjects or ("",))
        and look.series.procedure in procedures
    )


def _close(
    alert: Alert,
    status: Literal["resolved", "withdrawn", "lapsed"],
    moment: JudgementTime,
    reason: str,
    look: Observation | None,
    *,
    tell: bool,
    corrects: bool = False,
) -> AlertChange:
    reason = _said_of(reason, look)
    details = {**alert.details, "closing": reason}
    closed = replace(alert, status=status, closed_at=moment.at, details=details)
    # What is withdrawn was told and does not hold.
    corrects = corrects or status == "withdrawn"
    return _step(closed, status, moment, reason, look, tell=tell, corrects=corrects)


def _said_of(reason: str, look: Observation | None) -> str:
    """A reason, with what must be known of the look behind it where nobody recorded that."""
    made = "" if look is None else made_words(look.data_from)
    return reason if not made or reason.endswith(made) else spaced([reason, made])


def _step(
    alert: Alert,
    kind: EventKind,
    moment: JudgementTime,
    reason: str,
    look: Observation | None,
    *,
    tell: bool,
    corrects: bool = False,
) -> AlertChange:
    seq = alert.events + 1
    reason = reason if kind == "opened" else _said_of(reason, look)
    event = AlertEvent(
        alert_id=alert.id,
        seq=seq,
        kind=kind,
        at=moment.at,
        recorded_at=moment.recorded_at,
        reason=reason,
        value=None if look is None else look.value,
        observation=None if look is None else look.key,
        details={"headline": alert.headline, **({"corrects": True} if corrects else {})},
    )
    return AlertChange(replace(alert, events=seq), event, tell)
