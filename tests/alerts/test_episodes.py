"""The life of an alert on a timeline: opened once, told when it changes, closed once."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

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
)
from alerts.incidents.findings import Finding
from alerts.rules.contract import Verdict
from alerts.watch import SiteWatch
from db.records import Alert, Observation
from tests.kit.builders import at, look

YARD = SiteWatch("busy-port", "Busy Port", "port", "Asia/Pyongyang", watchlist=("type:Tu-160",))
DESK = EpisodeContext({"record": 30, "first_since": 20, "watchlist": 10}, {"busy-port": "Busy Port"})


def moment(day: str) -> JudgementTime:
    return JudgementTime(at(day), at(day))


def unusual(seen: Observation, *rules: str, threshold: float = 20) -> Finding:
    details = {
        "threshold": threshold,
        "ratio": round((seen.value or 0) / threshold, 2) if threshold else None,
    }
    return Finding(
        seen,
        tuple(
            Verdict(rule, "evaluated", exceeded=True, reason=f"{rule} fired.", details=details)
            for rule in rules
        ),
    )


def ordinary(seen: Observation) -> Finding:
    verdict = Verdict("record", "evaluated", exceeded=False, reason="Nothing new.", details={"threshold": 20})
    return Finding(seen, (verdict,))


def opened(*findings: Finding, day: str = "2023-10-06") -> AlertChange:
    return open_episode(list(findings), YARD, DESK, moment(day))


def settled(alert: Alert, seen: Observation, day: str) -> AlertChange | None:
    return resolve_or_withdraw(alert, ordinary(seen), DESK, moment(day))


def test_one_opening_carries_value_rule_and_headline() -> None:
    local_day: dict[str, Any] = {"period_start": at("2023-10-04T15:00"), "period_end": at("2023-10-05T15:00")}
    seen = look("2023-10-05", 73, qualifier="~=", **local_day)
    step = opened(unusual(seen, "record"))
    assert step.tell
    assert (step.alert.status, step.alert.value, step.alert.rule) == ("open", 73, "record")
    assert step.alert.headline == (
        "About 73 railcars at Busy Port on 2023-10-05: 3.65 times the highest known before (20)"
    )
    assert step.event is not None
    assert (step.event.seq, step.event.kind, step.event.observation) == (
        1,
        "opened",
        seen.key,
    )


def test_the_same_findings_open_the_same_alert() -> None:
    finding = unusual(look("2023-10-05", 73), "record")
    assert opened(finding).alert.id == opened(finding).alert.id
    assert opened(finding).alert.id != opened(unusual(look("2023-10-06", 73), "record")).alert.id


def test_the_strongest_rule_leads_and_all_are_named() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "watchlist", "record", "first_since")).alert
    assert (alert.rule, alert.rules) == ("record", ("record", "first_since", "watchlist"))


def test_several_listed_subjects_of_one_look_are_one_group() -> None:
    findings = [
        unusual(look("2023-09-16", 1, "aircraft_present", f"type:{name}"), "watchlist", threshold=0)
        for name in ("Tu-160", "Tu-95MS", "Tu-22M3")
    ]
    assert {group_of(each, YARD) for each in findings} == {"watchlist"}
    alert = opened(*findings).alert
    assert alert.subjects == ("type:Tu-160", "type:Tu-95MS", "type:Tu-22M3")
    assert "3 kinds (Tu-160, Tu-95MS and Tu-22M3)" in alert.headline


def test_events_are_grouped_by_the_sites_own_day() -> None:
    late = look("2023-07-30", 1, "arrivals", period_start=at("2023-07-30T15:00"))
    assert group_of(unusual(late, "record"), YARD) == "@2023-07-31"
    assert fingerprint(late, "@2023-07-31") == "busy-port//arrivals/@2023-07-31"


def test_a_higher_count_is_told_a_like_one_only_refreshes() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    quiet = amend_episode(alert, [unusual(look("2023-10-09", 75), "record")], DESK, moment("2023-10-10"))
    assert quiet is not None
    assert (quiet.event, quiet.tell, quiet.alert.last_look_at) == (None, False, at("2023-10-10"))
    grown = amend_episode(alert, [unusual(look("2023-10-09", 120), "record")], DESK, moment("2023-10-10"))
    assert grown is not None
    assert (grown.tell, grown.alert.peak, grown.alert.value) == (True, 120, 73)


def test_a_day_that_goes_on_is_no_correction() -> None:
    running = replace(look("2023-10-05", 3, "arrivals"), closed=False, qualifier=">=")
    alert = opened(unusual(running, "record")).alert
    more = replace(running, value=5.0, revision=2)
    grown = amend_episode(alert, [unusual(more, "record")], DESK, moment("2023-10-06"))
    assert grown is not None
    assert grown.event is not None
    assert not grown.event.corrects
    assert "corrected" not in grown.event.reason
    less = amend_episode(alert, [unusual(replace(more, value=2.0), "record")], DESK, moment("2023-10-06"))
    assert less is not None
    assert less.event is not None
    assert less.event.corrects


def test_a_second_publisher_corroborates_quietly() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    other = look("2023-10-05", 73, publisher="Second Desk", look_key="other")
    step = amend_episode(alert, [unusual(other, "record")], DESK, moment("2023-10-08"))
    assert step is not None
    assert step.event is not None
    assert (step.event.kind, step.tell) == ("corroborated", False)
    assert step.event.reason == "Also reported by Second Desk."


def test_a_retelling_does_not_corroborate() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    retold = look("2023-10-05", 73, via="A Newspaper", look_key="other")
    step = amend_episode(alert, [unusual(retold, "record")], DESK, moment("2023-10-08"))
    assert step is not None
    assert step.event is None


def test_a_correction_withdraws_and_is_told() -> None:
    alert = opened(unusual(look("2024-07-10", 300), "record"), day="2024-07-10").alert
    step = settled(alert, look("2024-07-10", 30, revision=2), "2024-07-12")
    assert step is not None
    assert step.event is not None
    assert (step.alert.status, step.tell, step.alert.closed_at) == ("withdrawn", True, at("2024-07-12"))
    assert "corrected from 300 to 30" in step.event.reason


def test_a_correction_of_one_of_two_looks_amends() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    both = amend_episode(alert, [unusual(look("2023-10-09", 120), "record")], DESK, moment("2023-10-10"))
    assert both is not None
    step = settled(both.alert, look("2023-10-09", 12, revision=2), "2023-10-11")
    assert step is not None
    assert (step.alert.status, step.alert.peak, step.tell) == ("open", 73, True)


def test_a_count_back_below_the_threshold_resolves() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    above = settled(alert, look("2023-10-20", 40), "2023-10-21")
    assert above is not None
    assert (above.alert.status, above.event) == ("open", None)
    below = settled(above.alert, look("2023-11-02", 9), "2023-11-03")
    assert below is not None
    assert (below.alert.status, below.tell, below.alert.closed_at) == ("resolved", True, at("2023-11-03"))


def test_an_older_look_resolves_nothing() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    step = settled(alert, look("2023-09-01", 3), "2023-10-21")
    assert step is not None
    assert step.alert.status == "open"


def test_what_saw_nothing_resolves_nothing_and_keeps_nothing_alive() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    for blind in (
        look("2023-11-02", None),
        look("2023-11-02", None, assessable=False),
        look("2023-11-02", 0, assessable=False),
    ):
        assert settled(alert, blind, "2023-11-03") is None


def test_another_procedure_resolves_nothing() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    assert settled(alert, look("2023-11-02", 9, procedure="yard-detector:1@10m"), "2023-11-03") is None


def test_all_listed_subjects_must_be_gone_before_it_is_over() -> None:
    names = ("type:Tu-160", "type:Tu-95MS")
    findings = [
        unusual(look("2023-09-16", 1, "aircraft_present", name), "watchlist", threshold=0) for name in names
    ]
    alert = opened(*findings).alert
    one = settled(alert, look("2023-09-20", 0, "aircraft_present", names[0]), "2023-09-21")
    assert one is not None
    assert one.alert.status == "open"
    back = amend_episode(
        one.alert,
        [unusual(look("2023-09-22", 1, "aircraft_present", names[0]), "watchlist", threshold=0)],
        DESK,
        moment("2023-09-23"),
    )
    assert back is not None
    assert back.alert.details["gone"] == []
    both = settled(one.alert, look("2023-09-20", 0, "aircraft_present", names[1]), "2023-09-21")
    assert both is not None
    assert both.alert.status == "resolved"


def test_an_arrival_is_not_resolved_by_a_day_without_one() -> None:
    alert = opened(unusual(look("2023-07-31", 1, "arrivals"), "record", threshold=0)).alert
    assert settled(alert, look("2023-08-05", 0, "arrivals"), "2023-08-06") is None


def test_after_ninety_days_without_a_look_the_outcome_is_unknown() -> None:
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    step = lapse_episode(alert, timedelta(days=90), at("2024-02-01"))
    assert (step.alert.status, step.alert.closed_at) == ("lapsed", at("2024-01-04"))
    assert step.tell
    assert step.event is not None
    assert "unknown" in step.event.reason


def test_a_fact_that_arrives_late_and_is_over_is_told_once() -> None:
    alert = opened(unusual(look("2024-06-17", 258), "record"), day="2024-08-08").alert
    step = settled(alert, look("2024-07-10", 12), "2024-08-08")
    assert step is not None
    assert (step.alert.status, step.tell) == ("resolved", False)


def stood_at_the_threshold(*counts: float) -> list[str]:
    """How an alert about 45 with a threshold of 40, 20 expected, stands after each of these weekly counts."""
    finding = unusual(look("2023-10-01", 45), "tail", threshold=40)
    (said,) = finding.fired
    finding = Finding(finding.look, (replace(said, details={**said.details, "expected": 20.0}),))
    alert = opened(finding, day="2023-10-02").alert
    stood: list[str] = []
    for number, count in enumerate(counts, start=1):
        day = f"{at('2023-10-01') + number * timedelta(days=7):%Y-%m-%d}"
        step = settled(alert, look(day, count), day) if alert.status == "open" else None
        alert = step.alert if step else alert
        stood.append(alert.status)
    return stood


def test_a_stock_at_its_threshold_does_not_end_its_alert_look_by_look() -> None:
    assert stood_at_the_threshold(39, 41, 38, 41, 39, 42) == ["open"] * 6


def test_two_ordinary_looks_in_a_row_end_an_alert_and_so_does_one_that_is_clearly_back() -> None:
    assert stood_at_the_threshold(39, 41, 38, 39) == ["open", "open", "open", "resolved"]
    assert stood_at_the_threshold(30) == ["resolved"]
    assert stood_at_the_threshold(31) == ["open"]


def test_every_step_counts_its_events() -> None:
    times: list[datetime] = []
    alert = opened(unusual(look("2023-10-05", 73), "record")).alert
    for day, value in (("2023-10-10", 100), ("2023-10-15", 200), ("2023-10-20", 300)):
        step = amend_episode(alert, [unusual(look(day, value), "record")], DESK, moment(day))
        assert step is not None
        assert step.event is not None
        assert step.event.seq == step.alert.events == alert.events + 1
        times.append(step.event.at)
        alert = step.alert
    assert times == sorted(times)
