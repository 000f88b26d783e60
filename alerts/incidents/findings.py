"""Findings: looks with what the rules said of them, and their snapshots inside an alert. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.attribution import Attributions
from alerts.metrics import metric_named
from alerts.rules.among import NOWHERE, Placing
from alerts.rules.contract import Verdict
from alerts.rules.series import certain_count
from alerts.words import quoted_note
from db.records import Alert, Observation
from db.records.provenance import made_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One look with what every rule said of it."""

    look: Observation
    verdicts: tuple[Verdict, ...]
    placing: Placing = NOWHERE
    """Where the count stood among those known before it."""

    @property
    def fired(self) -> tuple[Verdict, ...]:
        """The verdicts that exceeded."""
        return tuple(each for each in self.verdicts if each.exceeded)

    @property
    def judged(self) -> bool:
        """Whether at least one rule could judge the look as ordinary or not."""
        return any(each.status == "evaluated" for each in self.verdicts)


def look_snapshot(
    finding: Finding, site_names: Mapping[str, str], attributions: Mapping[str, str]
) -> dict[str, Any]:
    """A snapshot of one finding in JSON types, so that a message never needs another table.

    `attributions` says how each provider wants to be named.
    """
    look = finding.look
    return {
        "subject": look.series.subject,
        "procedure": look.series.procedure,
        "value": certain_count(look),
        "low": look.low,
        "high": look.high,
        "qualifier": look.qualifier,
        "exposure": look.exposure,
        "period_start": look.period_start.isoformat(),
        "period_end": look.period_end.isoformat(),
        "precision": look.precision,
        "result_time": look.result_time.isoformat(),
        "undated": look.undated,
        "look_key": look.look_key,
        "revision": look.revision,
        "closed": look.closed,
        "publisher": look.publisher,
        "via": look.via,
        "data_from": list(look.data_from),
        "attributions": [
            each
            for each in Attributions(attributions).look(look)
            if not look.publisher or look.publisher in attributions
        ],
        "certainty": look.certainty,
        "note": quoted_note(look.note, look.publisher, look.via),
        "evidence": [{"kind": each.kind, "ref": each.ref, "text": each.text} for each in look.evidence],
        "beside": finding.placing.beside,
        "recent": finding.placing.recent,
        "site_names": dict(site_names),
        "rules": {
            each.rule: {"reason": each.reason, "details": dict(each.details)} for each in finding.fired
        },
    }


def most_severe(entries: Sequence[Mapping[str, Any]]) -> str:
    """`urgent` where any rule says so; rules outside the promise only notify."""
    said = {rule["details"].get("severity") for each in entries for rule in each["rules"].values()}
    return "urgent" if "urgent" in said else "notify"


def weakest_certainty(entries: Iterable[Mapping[str, Any]]) -> str:
    """The least certain of what was stated, empty where nothing was."""
    order = ("low", "medium", "high")
    said = [each["certainty"] for each in entries if each["certainty"] in order]
    return min(said, key=order.index, default="")


def newest_start(entries: Iterable[Mapping[str, Any]]) -> datetime:
    """When the newest look of an alert began."""
    return max(datetime.fromisoformat(each["period_start"]) for each in entries)


def merge_entries(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lay newer snapshots over older ones, look by look."""
    merged = {snapshot_look_id(each): each for each in old}
    merged.update({snapshot_look_id(each): each for each in new})
    return list(merged.values())


def snapshot_look_id(each: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Name the look that a snapshot is of."""
    return (each["subject"], each["procedure"], each["period_start"], each["look_key"])


def same_look(each: Mapping[str, Any], look: Observation) -> bool:
    """Whether a snapshot is of this look, in whichever revision."""
    return snapshot_look_id(each) == (
        look.series.subject,
        look.series.procedure,
        look.period_start.isoformat(),
        look.look_key,
    )


def rests_on(alert: Alert, look: Observation) -> bool:
    """Whether an alert rests on this very revision of a look."""
    entries = alert.details["entries"]
    return any(same_look(each, look) and each["revision"] == look.revision for each in entries)


def is_less_recorded(look: Observation, alert: Alert) -> bool:
    """Whether a look that nobody recorded stands against an alert that rests on recorded data: it settles nothing."""
    found = {made_of(each.get("data_from", ())) for each in alert.details["entries"]}
    return made_of(look.data_from) != "recorded" and "recorded" in found


def is_of_same_time(each: Mapping[str, Any], look: Observation) -> bool:
    """Whether a snapshot's period and a look's have a part in common; texts of times in UTC sort as the times do."""
    starts, ends = str(each["period_start"]), str(each["period_end"])
    return starts < look.period_end.isoformat() and look.period_start.isoformat() < ends


def is_event(alert: Alert) -> bool:
    """Whether the alert is about something that happened once, so that nothing can end it."""
    return metric_named(alert.metric).event and alert.group_key.startswith("@")


def is_low(alert: Alert) -> bool:
    """Whether too few were seen."""
    return alert.baseline.get("side") == "low"


def alert_threshold(alert: Alert) -> float:
    """The last ordinary count above which, or the last unusual count up to which, the alert holds."""
    return float(alert.baseline.get("threshold", 0.0))


def still_unusual(alert: Alert, look: Observation) -> bool:
    """Whether a look's count would still be what the alert is about."""
    if is_low(alert):
        return certain_count(look) <= alert_threshold(alert)
    return certain_count(look) > alert_threshold(alert)


def is_back(alert: Alert, look: Observation) -> bool:
    """Whether a count ends an alert by itself: no nearer to what was unusual than to what was expected.

    Where nothing was expected (a record, a listed subject), every count that is not unusual does.
    """
    expected = _expected(alert)
    if expected is None:
        return True
    middle = (expected + alert_threshold(alert)) / 2
    return certain_count(look) >= middle if is_low(alert) else certain_count(look) <= middle


def _expected(alert: Alert) -> float | None:
    """What the rules had expected of the newest look in the alert that they expected anything of.

    What was expected of a whole silence is no number for one look: the first sighting ends it.
    """
    entries = sorted(alert.details["entries"], key=lambda each: str(each["period_start"]), reverse=True)
    said = (rule["details"] for each in entries for rule in each["rules"].values())
    known = (each["expected"] for each in said if "silent_looks" not in each and "expected" in each)
    return next((float(each) for each in known if each is not None), None)
