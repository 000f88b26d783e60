"""Judging as stories on a timeline, on both databases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from alerts.delivery.digest import enqueue_weekly_digest
from alerts.delivery.messages import compose_alert
from alerts.judging.judge import JudgeReport, JudgingContext, judge_pending
from alerts.judging.recalibration import calibration_at, keep_calibration
from alerts.watch import SiteWatch, merge_watch
from db import schema
from db.alerts import acknowledge, alert_events, alerts
from db.declared import record_declared
from db.deliveries import deliveries
from db.engine import open_engine, reading, writing
from db.evaluations import record_evaluations, unjudged
from db.migrate import migrate
from db.observations import record_observations
from db.records import Alert, AlertEvent, DeclaredBaseline, Delivery, Evaluation, Observation
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS
from tests.kit.builders import DAY, at, look, stated
from tests.kit.reading import evaluations

pytestmark = pytest.mark.long

PORT = SiteWatch(
    "busy-port",
    "Busy Port",
    "railhead",
    "UTC",
    watchlist=("class:vip_military", "type:Tu-160", "type:Tu-95MS"),
    metrics=merge_watch(KINDS["railhead"].watch, KINDS["airport"].watch),
)
BENCH = JudgingContext({"busy-port": PORT}, RULES, ("slack", "email"), too_old=timedelta(days=7))
OWED = Delivery(1, "a:1:log", "alert", "log", "queued", at("2022-03-09"), at("2022-03-09"))
MAX_20 = stated("max", 20, ("2018-10-06", "2023-09-18"), known="2022-01-01")


def store(engine: Engine, *looks: Observation, declared: Sequence[DeclaredBaseline] = ()) -> None:
    with writing(engine) as connection:
        record_declared(connection, declared)
        record_observations(connection, looks)


def judge(engine: Engine, day: str, judging_context: JudgingContext = BENCH) -> JudgeReport:
    return judge_pending(engine, judging_context, at(day))


def all_alerts(engine: Engine) -> list[Alert]:
    with reading(engine) as connection:
        return alerts(connection)


def life(engine: Engine, alert: Alert) -> list[str]:
    with reading(engine) as connection:
        return [each.kind for each in alert_events(connection, alert.id)]


def owed(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        query = select(schema.delivery.c.state, func.count()).group_by(schema.delivery.c.state)
        return {row[0]: row[1] for row in connection.execute(query)}


def test_quiet_weeks_a_burst_one_alert_two_messages(engine: Engine) -> None:
    store(engine, *[look(f"2023-09-{n:02}", 3 + n % 5) for n in range(1, 29)])
    assert judge(engine, "2023-10-01").judged == 28
    assert all_alerts(engine) == []
    store(engine, look("2023-10-05", 73))
    report = judge(engine, "2023-10-06")
    (alert,) = all_alerts(engine)
    assert (alert.status, alert.rule, alert.value) == ("open", "record", 73)
    assert alert.baseline["odds"] == 29
    assert report.told == [f"opened: {alert.headline}"]
    assert owed(engine) == {"queued": 2}


def weekly(values: Sequence[float], metric: str = "railcars") -> list[Observation]:
    return [
        look(f"{at('2021-01-04') + 7 * n * DAY:%Y-%m-%d}", value, metric, exposure=1.0)
        for n, value in enumerate(values)
    ]


def test_an_alert_places_its_count_among_those_known_then_and_keeps_to_it(engine: Engine) -> None:
    store(engine, *weekly([3, 5, 4, 6, 2] * 12), look("2021-06-01", 40, qualifier="~="))
    store(engine, *weekly([0] * 60 + [30])[60:])
    judge(engine, "2022-03-09", replace(BENCH, too_old=timedelta(days=9999)))
    (alert,) = [each for each in all_alerts(engine) if each.value == 30]
    beside = "the most since the about 40 of June 2021, more than in 60 of 61 earlier looks"
    assert alert.baseline["beside"] == beside
    assert alert.baseline["recent"] == "the last five looks show 2 to 6"
    event = AlertEvent(alert.id, 1, "opened", at("2022-03-09"), at("2022-03-09"))
    assert "the last five looks show 2 to 6." in str(compose_alert(alert, event, OWED, None))
    # What becomes known later of the time before changes nothing of what was said.
    store(engine, look("2021-08-02", 900, known="2022-04-01"))
    judge(engine, "2022-04-02")
    again = next(each for each in all_alerts(engine) if each.id == alert.id)
    assert [each["beside"] for each in again.details["entries"] if each["value"] == 30] == [beside]


def test_a_burst_says_value_expected_interval_n_window_exposure_and_odds(engine: Engine) -> None:
    store(engine, *weekly([3, 5, 4, 6, 2] * 12), *weekly([0] * 60 + [73])[60:])
    judge(engine, "2022-03-09", replace(BENCH, too_old=timedelta(days=9999)))
    (alert,) = all_alerts(engine)
    assert (alert.rule, set(alert.rules)) == ("record", {"record", "tail"})
    assert alert.details["severity"] == "urgent"
    text = str(
        compose_alert(
            alert, AlertEvent(alert.id, 1, "opened", at("2022-03-09"), at("2022-03-09")), OWED, None
        )
    )
    for words in (
        "expected 4",
        "95 %",
        "60 usable looks since 2021-01-04",
        "at 100% exposure",
        "by chance",
        "1 look in",
    ):
        assert words in text


def test_a_silence_opens_an_alert_that_the_next_sighting_ends(engine: Engine) -> None:
    store(engine, *weekly([6, 8, 7, 9] * 15 + [0, 0, 0, 7]))
    judge(engine, "2023-01-01")
    (low,) = [each for each in all_alerts(engine) if each.group_key == "low:"]
    assert (low.rule, low.status, low.value) == ("absence", "resolved", 0)
    assert life(engine, low)[0] == "opened"
    assert "0 railcars" in low.headline
    assert "none in" in low.headline


def test_a_quiet_airfield_falls_silent_and_is_told_once(engine: Engine) -> None:
    days = [
        look(
            f"{at('2023-01-01') + n * DAY:%Y-%m-%d}",
            5 + n % 3 if n < 90 else 0,
            "arrivals",
            exposure=1.0,
            procedure="adsb/x:1",
        )
        for n in range(100)
    ]
    store(engine, *days)
    judge(engine, "2023-05-01")
    told = [each for each in all_alerts(engine) if each.rule == "absence"]
    assert [(each.group_key, each.status) for each in told] == [("low:", "open")]


def test_step_keeps_its_state_in_a_row_and_only_waiting_series_are_touched(engine: Engine) -> None:
    store(engine, *weekly([3, 5, 4, 6] * 12), *weekly([1, 2] * 10, "containers"))
    judge(engine, "2022-01-01")
    with reading(engine) as connection:
        before = {
            row.metric: row.state
            for row in connection.execute(select(schema.rule_state).where(schema.rule_state.c.rule == "step"))
        }
    assert before["railcars"]["columns"] == 47
    store(engine, *weekly([0] * 48 + [4])[48:])
    judge(engine, "2022-01-10")
    with reading(engine) as connection:
        after = {
            row.metric: row.state
            for row in connection.execute(select(schema.rule_state).where(schema.rule_state.c.rule == "step"))
        }
    assert after["railcars"]["columns"] == 48
    assert after["containers"] == before["containers"]


def test_a_class_that_has_judged_for_half_a_year_sets_its_own_bound(engine: Engine) -> None:
    days = [look(f"{at('2022-01-01') + n * DAY:%Y-%m-%d}", 4, "arrivals") for n in range(190)]
    store(engine, *days)
    with writing(engine) as connection:
        details = {"class": "flow, daily", "reason": "As usual."}
        record_evaluations(
            connection,
            [
                Evaluation(
                    each.key,
                    "tail",
                    "evaluated",
                    False,
                    {**details, "score": n / 100},
                    each.result_time,
                    each.result_time,
                )
                for n, each in enumerate(days)
            ],
        )
        assert calibration_at(connection, at("2022-06-30")).scores == {}
        fresh = calibration_at(connection, at("2022-07-08"))
        keep_calibration(connection, fresh, at("2022-07-08"))
        later = calibration_at(connection, at("2022-07-08T23:00"))
    assert (fresh.is_new, later.is_new) == (True, False)
    found, again = (each.scores["tail", "flow, daily"] for each in (fresh, later))
    # The newest two days are left out.
    assert (found.n, found.top[0]) == (185, 1.84)
    assert found == again
    assert found.bound(np.array([0.01]))[0] == 1.84
    assert np.isnan(found.bound(np.array([0.001]))[0])


def test_judging_again_changes_nothing(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-06")
    before = all_alerts(engine)
    again = judge(engine, "2023-10-06")
    assert (again.judged, again.changes) == (0, {})
    assert all_alerts(engine) == before
    assert owed(engine) == {"queued": 2}


def test_a_wrong_count_is_withdrawn_and_forgotten_by_the_record(engine: Engine) -> None:
    store(engine, look("2024-07-10", 300, known="2024-07-10"), declared=(MAX_20,))
    judge(engine, "2024-07-10")
    store(engine, look("2024-07-10", 12, known="2024-07-12"))
    judge(engine, "2024-07-12")
    (wrong,) = all_alerts(engine)
    assert (wrong.status, life(engine, wrong)) == ("withdrawn", ["opened", "withdrawn"])
    store(engine, look("2024-07-20", 90, known="2024-07-21"))
    judge(engine, "2024-07-21")
    later = [each for each in all_alerts(engine) if each.status == "open"]
    assert [each.baseline["threshold"] for each in later] == [20]


def test_a_corrected_count_that_is_still_unusual_is_told_and_stays_open(engine: Engine) -> None:
    store(engine, look("2024-07-10", 300, known="2024-07-10"), declared=(MAX_20,))
    judge(engine, "2024-07-10")
    store(engine, look("2024-07-10", 30, known="2024-07-12"))
    judge(engine, "2024-07-12")
    (alert,) = all_alerts(engine)
    assert (alert.status, alert.peak, life(engine, alert)) == ("open", 30, ["opened", "amended"])
    assert owed(engine) == {"queued": 4}


def test_a_look_that_saw_nothing_neither_raises_nor_resolves(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-06")
    store(engine, *[look(f"2023-10-{n:02}", None, assessable=False) for n in range(7, 20)])
    judge(engine, "2023-10-25")
    (alert,) = all_alerts(engine)
    assert (alert.status, alert.last_look_at) == ("open", at("2023-10-06"))


def test_an_alert_nobody_can_follow_lapses_and_the_next_one_opens_anew(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-06")
    judge(engine, "2024-03-01")
    store(engine, look("2024-06-17", 258))
    judge(engine, "2024-06-18")
    first, second = all_alerts(engine)
    assert (first.status, first.closed_at) == ("lapsed", at("2024-01-04"))
    assert (second.status, second.baseline["threshold"]) == ("open", 73)


def test_a_late_report_of_what_is_over_says_so_at_once(engine: Engine) -> None:
    store(engine, look("2024-07-10", 12), declared=(MAX_20,))
    judge(engine, "2024-07-11")
    store(engine, look("2024-06-17", 258, known="2024-08-08"))
    judge(engine, "2024-08-08")
    (alert,) = all_alerts(engine)
    assert (alert.status, life(engine, alert)) == ("resolved", ["opened", "resolved"])
    assert owed(engine) == {"queued": 2}


def test_old_news_is_kept_and_not_sent(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2026-01-01")
    assert owed(engine) == {"too_old": 4}
    (alert,) = all_alerts(engine)
    assert (alert.opened_at, alert.status) == (at("2023-10-06"), "lapsed")


def test_what_was_known_before_the_watch_began_is_not_sent(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-07", replace(BENCH, not_before=at("2023-10-07")))
    assert owed(engine) == {"too_old": 2}


def test_a_silence_keeps_messages_back_but_not_the_alert(engine: Engine) -> None:
    with writing(engine) as connection:
        row = {
            "site_id": "busy-port",
            "starts_at": at("2023-10-01"),
            "ends_at": at("2023-11-01"),
            "reason": "maintenance",
        }
        connection.execute(schema.silence.insert(), row)
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-06")
    assert owed(engine) == {"silenced": 2}
    assert len(all_alerts(engine)) == 1


def test_several_listed_types_of_one_look_are_one_alert(engine: Engine) -> None:
    store(
        engine,
        *[
            look("2023-09-16", 1, "aircraft_present", f"type:{name}", qualifier=">=")
            for name in ("Tu-160", "Tu-95MS")
        ],
    )
    judge(engine, "2023-09-17")
    (alert,) = all_alerts(engine)
    assert alert.subjects == ("type:Tu-160", "type:Tu-95MS")
    assert "no history" in alert.headline


def test_each_arrival_is_its_own_alert(engine: Engine) -> None:
    store(engine, *[look(f"2023-09-{n}", 1, "arrivals", "class:vip_military") for n in (11, 26)])
    judge(engine, "2023-10-01")
    assert [each.phenomenon_time for each in all_alerts(engine)] == [at("2023-09-11"), at("2023-09-26")]


def test_too_little_history_is_said_and_not_silent(engine: Engine) -> None:
    store(engine, look("2022-11-29", 8))
    judge(engine, "2022-12-01")
    with reading(engine) as connection:
        said = {
            each.rule: (each.status, each.details["reason"]) for each in evaluations(connection, "busy-port")
        }
    assert said["record"] == ("cannot_tell", "Too little history: 0 usable earlier looks, needs 20 more.")
    assert said["watchlist"][0] == "evaluated"


def test_looks_of_unwatched_sites_and_metrics_do_not_wait_for_ever(engine: Engine) -> None:
    store(engine, look("2023-10-05", 9, site_id="nowhere"), look("2023-10-05", 9, "ships_present"))
    judge(engine, "2023-10-06")
    with reading(engine) as connection:
        assert unjudged(connection, at("2023-10-07"), 10) == []


def test_a_count_of_the_future_waits(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73, known="2023-10-06"), declared=(MAX_20,))
    assert judge(engine, "2023-10-05").judged == 0
    assert judge(engine, "2023-10-06").judged == 1


def test_a_declared_maximum_counts_only_once_it_was_published(engine: Engine) -> None:
    late = stated("max", 20, ("2018-10-06", "2022-10-01"), known="2023-10-06")
    store(engine, look("2022-11-30", 33), declared=(late,))
    judge(engine, "2024-01-01")
    assert all_alerts(engine) == []


def test_an_acknowledgement_is_an_attribute(engine: Engine) -> None:
    store(engine, look("2023-10-05", 73), declared=(MAX_20,))
    judge(engine, "2023-10-06")
    (alert,) = all_alerts(engine)
    with writing(engine) as connection:
        acknowledge(connection, alert.id, "night desk", at("2023-10-07"))
        seen = acknowledge(connection, alert.id, "day desk", at("2023-10-08"))
    assert seen is not None
    assert (seen.status, seen.acknowledged_by, life(engine, seen)) == (
        "open",
        "night desk",
        ["opened", "acknowledged"],
    )
    with writing(engine) as connection:
        assert acknowledge(connection, "al_none", "desk", at("2023-10-08")) is None


COUNTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 120), st.integers(0, 3)), max_size=25)


@settings(max_examples=12, deadline=None)
@given(counts=COUNTS)
def test_a_backlog_says_what_would_have_been_said_at_the_time(counts: list[tuple[int, int, int]]) -> None:
    looks = [
        look(
            f"{(at('2023-01-01') + day * DAY):%Y-%m-%d}",
            value,
            result_time=at("2023-01-01") + (day + 1 + delay) * DAY,
        )
        for day, value, delay in counts
    ]
    lives = [_judged_daily(looks), _judged_at_the_end(looks)]
    assert lives[0] == lives[1]


def _judged_daily(looks: list[Observation]) -> list[tuple[str, str, datetime]]:
    engine = open_engine("sqlite://")
    migrate(engine)
    for when in sorted({each.result_time for each in looks}):
        store(engine, *[each for each in looks if each.result_time == when], declared=(MAX_20,))
        judge_pending(engine, BENCH, when)
    return _whole_life(engine)


def _judged_at_the_end(looks: list[Observation]) -> list[tuple[str, str, datetime]]:
    engine = open_engine("sqlite://")
    migrate(engine)
    ordered = sorted(looks, key=lambda each: each.result_time)
    store(engine, *ordered, declared=(MAX_20,))
    judge_pending(engine, BENCH, max((each.result_time for each in looks), default=at("2023-01-01")))
    return _whole_life(engine)


def _whole_life(engine: Engine) -> list[tuple[str, str, datetime]]:
    with reading(engine) as connection:
        found = [
            (alert.id, event.kind, event.at)
            for alert in alerts(connection)
            for event in alert_events(connection, alert.id)
        ]
    engine.dispose()
    return sorted(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_changes_no_rules_word(tmp_path: Path, seed: int) -> None:
    every: dict[str, dict[str, object]] = {name: {} for name in RULES}
    site = replace(PORT, metrics=merge_watch({"railcars": {"rules": every}}))
    counts = [n * 7 % 40 % 9 for n in range(45)] + [30]
    seen = [
        look(f"2023-0{1 + n // 28}-{1 + n % 28:02}", count, known="2023-06-01", exposure=1.0)
        for n, count in enumerate(counts)
    ]
    shuffled = Random(seed).sample(seen, len(seen))
    said = []
    for name, arrived in (("in order", seen), ("shuffled", shuffled)):
        engine = open_engine(f"sqlite:///{tmp_path / name}.db")
        migrate(engine)
        for each in arrived:
            store(engine, each)
        judge_pending(
            engine, JudgingContext({"busy-port": site}, RULES, (), timedelta(days=7)), at("2023-06-02")
        )
        with reading(engine) as connection:
            said.append(evaluations(connection, "busy-port"))
        engine.dispose()
    assert len(said[0]) == len(RULES) * len(seen)
    assert any(each.exceeded for each in said[0])
    assert said[0] == said[1]


def test_the_year_after_the_record_is_read_out_in_the_digest_though_no_rule_can_judge_it(
    engine: Engine,
) -> None:
    """20, 73 and 258 railcars, then 60, 150 and 12: none is a record, and so few looks do not say what is usual; 0 is told."""
    counts = (
        ("2022-11-04", 20, "="),
        ("2023-10-05", 73, "~="),
        ("2024-06-17", 258, "~="),
        ("2025-02-03", 60, "="),
        ("2025-04-07", 150, "="),
        ("2025-06-02", 12, "="),
        ("2025-08-04", 0, "="),
    )
    said = {}
    for day, value, qualifier in counts:
        store(engine, look(day, value, qualifier=qualifier))
        judge_pending(engine, BENCH, at(day) + DAY)
        assert enqueue_weekly_digest(engine, 1, ("slack",), at(day) + DAY * 8)
        with reading(engine) as connection:
            paragraphs = deliveries(connection)[-1].payload["paragraphs"]
        said[value] = [each for each in paragraphs if each.startswith("Busy Port: ")]
    told = [each.headline for each in all_alerts(engine) if "2025" in each.headline]
    assert told == ["0 railcars at Busy Port on 2025-08-04: none in 1 usable look, where 96 were expected"]
    assert said[150] == [
        (
            "Busy Port: 150 railcars on 2025-04-07: between the about 73 of October 2023 and the about 258 of June 2024; the last "
            "four looks show 20 to 258. Counted by Harbour Watch."
        )
    ]
    assert said[60][0].startswith("Busy Port: 60 railcars on 2025-02-03: about as many as the about 73 of")
    assert "fewer than were ever counted here before" in said[12][0]


def test_counts_of_a_detector_and_looks_of_long_ago_do_not_fill_the_digest(engine: Engine) -> None:
    for day, value in (("2022-11-04", 20), ("2023-10-05", 73)):
        store(engine, look(day, value, recorded_at=at("2025-02-04")))
        store(engine, look(day, value, procedure="detector:1", recorded_at=at("2025-02-04")))
    store(engine, look("2025-02-03", 30, procedure="detector:1"))
    judge(engine, "2025-02-04")
    assert enqueue_weekly_digest(engine, 1, ("slack",), at("2025-02-10"))
    with reading(engine) as connection:
        assert "too few looks" not in str(deliveries(connection)[-1].payload["paragraphs"])
