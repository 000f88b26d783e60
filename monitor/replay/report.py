"""What a replay ended with, as the JSON of the command, and how it differs from what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.attribution import alert_attributions, each_once
from alerts.delivery.messages import compose_alert
from alerts.words import local_day
from db.alerts import alert_events, alerts
from db.deliveries import deliveries
from db.engine import Engine, reading
from db.flights import visits
from db.observations import count_recorded, count_undated
from db.records import Alert, AlertEvent, Delivery, JsonMapping, TimeBounds, Visit


def replay_report(engine: Engine) -> dict[str, Any]:
    """Everything that the scenario led to, alerts in order of opening."""
    with reading(engine) as connection:
        found = alerts(connection)
        lives = {each.id: alert_events(connection, each.id) for each in found}
        owed = deliveries(connection)
        recorded, undated = count_recorded(connection), count_undated(connection)
        stays = visits(connection)
    return {
        "alerts": [_alert(each, lives[each.id]) for each in found],
        "observations": recorded,
        "undated": undated,
        "visits": [_visit(each) for each in stays],
        "deliveries": [_delivery(each) for each in owed],
        "attribution": each_once(said for each in found for said in alert_attributions(each)),
    }


def _alert(alert: Alert, life: Sequence[AlertEvent]) -> dict[str, Any]:
    return {
        "id": alert.id,
        "site": alert.site_id,
        "metric": alert.metric,
        "subjects": list(alert.subjects),
        "rule": alert.rule,
        "rules": list(alert.rules),
        "phenomenon_time": _time(alert.phenomenon_time),
        "phenomenon_day": local_day(alert.phenomenon_time, alert.details["timezone"]),
        "opened_at": _time(alert.opened_at),
        "closed_at": _time(alert.closed_at),
        "status": alert.status,
        "value": alert.value,
        "peak": alert.peak,
        "baseline": dict(alert.baseline),
        "headline": alert.headline,
        "confidence": alert.confidence,
        "events": [{"kind": each.kind, "at": _time(each.at), "reason": each.reason} for each in life],
        "message": _message(alert, life[0]),
    }


def _message(alert: Alert, event: AlertEvent) -> str:
    """The opening message in plain text, as a channel gets it."""
    nobody = Delivery(0, alert.id, "alert", "", "queued", event.recorded_at, event.recorded_at)
    message = compose_alert(alert, event, nobody, None)
    return "\n".join([message.headline, *message.paragraphs])


def _visit(visit: Visit) -> dict[str, Any]:
    return {
        "site": visit.site,
        "region": visit.region or None,
        "places": [dict(each) for each in visit.places],
        "icao24": visit.icao24,
        "arrived_at": _time(visit.arrived_at),
        "departed_at": _time(visit.departed_at),
        "arrived_between": _times(visit.arrived_between),
        "departed_between": _times(visit.departed_between),
        "state": visit.state,
        "confidence": visit.confidence,
        "version": visit.version,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "alert": delivery.alert_id,
        "channel": delivery.channel,
        "identity": delivery.identity,
        "state": delivery.state,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _times(bounds: TimeBounds | None) -> list[str | None] | None:
    return None if bounds is None else [_time(each) for each in bounds]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One alert of `expected.json`."""

    fields: JsonMapping

    def differences(self, got: JsonMapping) -> Iterator[str]:
        for name in ("site", "metric", "phenomenon_day", "value", "status"):
            if name in self.fields and got[name] != self.fields[name]:
                yield f"{name} is {got[name]!r}, expected {self.fields[name]!r}"
        if sorted(got["subjects"]) != sorted(self._subjects()):
            yield f"subjects are {got['subjects']}, expected {self._subjects()}"
        if sorted(got["rules"]) != sorted(self.fields["rules"]):
            yield f"rules are {got['rules']}, expected {self.fields['rules']}"
        for words in self.fields.get("must_say", ()):
            if words not in got["message"]:
                yield f"the message does not say {words!r}"
        for words in self.fields.get("must_not_say", ()):
            if words in got["message"]:
                yield f"the message says {words!r}"

    def _subjects(self) -> list[str]:
        several = self.fields.get("subjects")
        return list(several) if several is not None else [each for each in [self.fields["subject"]] if each]


def differences(got: JsonMapping, expected: JsonMapping) -> list[str]:
    """Say in words how a report differs from an `expected.json`; empty where it does not."""
    told = [each for each in got["alerts"] if each["status"] != "withdrawn"]
    wanted = [_Wanted(each) for each in expected["alerts"]]
    found = [
        f"alert {number} ({want.fields['site']}, {want.fields['metric']}): {difference}"
        for number, (want, have) in enumerate(zip(wanted, told, strict=False), 1)
        for difference in want.differences(have)
    ]
    found += [f"an alert that was not expected: {extra['headline']}" for extra in told[len(wanted) :]]
    found += [f"an alert is missing: {dict(missing.fields)}" for missing in wanted[len(told) :]]
    found += [
        f"no lapsed alert fits {dict(each)}" for each in expected.get("lapsed", ()) if not _lapsed(each, got)
    ]
    withdrawn = sum(each["status"] == "withdrawn" for each in got["alerts"])
    if withdrawn != len(expected.get("withdrawn", ())):
        found.append(f"{withdrawn} alerts were withdrawn, expected {len(expected.get('withdrawn', ()))}")
    return found


def _lapsed(wanted: JsonMapping, got: JsonMapping) -> bool:
    return any(
        each["status"] == "lapsed"
        and (each["site"], each["metric"], each["value"])
        == (wanted["site"], wanted["metric"], wanted["value"])
        and each["closed_at"] < wanted["before"]
        for each in got["alerts"]
    )
