"""Witnesses that contradict each other are both told, and an open alert says what is known now of the time before it."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerts.delivery.compose import compose
from alerts.incidents.episodes import EpisodeContext
from alerts.incidents.witnesses import contradict
from alerts.judging.judge import JudgeReport, JudgingContext, judge_pending
from alerts.watch import SiteWatch, merge_watch
from db.alerts import alert_events, alerts
from db.declared import record_declared
from db.deliveries import deliveries
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import record_observations
from db.records import Alert, Observation
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS
from tests.kit.builders import DAY, at, look, stated

pytestmark = pytest.mark.untraced

PORT = SiteWatch("busy-port", "Busy Port", "railhead", "UTC", metrics=merge_watch(KINDS["railhead"].watch))
BENCH = JudgingContext({"busy-port": PORT}, RULES, ("log",), too_old=timedelta(days=7))
MAX_20 = stated("max", 20, ("2018-10-06", "2023-09-18"), known="2022-01-01")
DAY_73 = "2023-10-05"


def store(engine: Engine, *looks: Observation) -> None:
    with writing(engine) as connection:
        record_declared(connection, [MAX_20])
        record_observations(connection, looks)


def judge(engine: Engine, day: str) -> JudgeReport:
    return judge_pending(engine, BENCH, at(day))


def the_alert(engine: Engine) -> Alert:
    with reading(engine) as connection:
        (found,) = alerts(connection)
    return found


def life(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        return [(each.kind, each.reason) for each in alert_events(connection, the_alert(engine).id)]


def by(publisher: str, value: float, known: str = "2023-10-06", **fields: Any) -> Observation:
    """One publisher's count of the day."""
    return look(DAY_73, value, known=known, publisher=publisher, look_key=publisher, **fields)


def message(engine: Engine) -> str:
    """The last message that is owed, as it would be composed now."""
    alert = the_alert(engine)
    with reading(engine) as connection:
        owed = [each for each in deliveries(connection) if each.alert_id == alert.id]
    told = compose(engine, owed[-1], None)
    return "\n".join([told.headline, *told.paragraphs])


@pytest.mark.parametrize("order", list(permutations([6.0, 60.0])))
@pytest.mark.parametrize("together", [True, False])
def test_two_publishers_who_contradict_each_other_are_both_told(
    engine: Engine, order: Sequence[float], together: bool
) -> None:
    names = {6.0: "Second Desk", 60.0: "Harbour Watch"}
    for number, value in enumerate(order):
        known = f"2023-10-0{6 + (0 if together else number)}"
        store(engine, by(names[value], value, known=known))
        if not together:
            judge(engine, known)
    judge(engine, "2023-10-08")
    alert = the_alert(engine)
    assert alert.headline == (
        "60 railcars at Busy Port on 2023-10-05: 3 times the highest known before (20); "
        "but 6 railcars according to Second Desk"
    )
    said = message(engine)
    assert "According to Harbour Watch: 60 railcars on 2023-10-05" in said
    assert "But according to Second Desk: 6 railcars on 2023-10-05" in said
    assert "These sources contradict each other" in said
    assert alert.status == "open"


def test_a_contradiction_that_becomes_known_later_is_told_once(engine: Engine) -> None:
    store(engine, by("Harbour Watch", 60))
    assert len(judge(engine, "2023-10-06").told) == 1
    store(engine, by("Second Desk", 6, known="2023-10-07"))
    assert len(judge(engine, "2023-10-07").told) == 1
    assert life(engine)[1:] == [
        ("amended", "Second Desk and Harbour Watch contradict each other: 6 railcars and 60 railcars."),
    ]
    store(engine, by("Second Desk", 6, known="2023-10-08", certainty="high"))
    store(engine, look("2023-10-06", 60, known="2023-10-09"))
    assert judge(engine, "2023-10-09").told == []


def test_a_contradiction_that_is_taken_back_is_told(engine: Engine) -> None:
    store(engine, by("Harbour Watch", 60), by("Second Desk", 6))
    judge(engine, "2023-10-06")
    store(engine, by("Second Desk", 60, known="2023-10-08"))
    judge(engine, "2023-10-08")
    alert = the_alert(engine)
    assert "but 6" not in alert.headline
    assert "But according to" not in message(engine)
    store(engine, by("Third Desk", 5, known="2023-10-09"))
    judge(engine, "2023-10-09")
    store(engine, by("Third Desk", 5, known="2023-10-10", assessable=False))
    judge(engine, "2023-10-10")
    assert "but 5" not in the_alert(engine).headline
    assert life(engine)[-1][0] == "amended"


def test_two_unusual_counts_that_differ_are_no_corroboration(engine: Engine) -> None:
    store(engine, by("Harbour Watch", 60))
    judge(engine, "2023-10-06")
    store(engine, by("Second Desk", 30, known="2023-10-07"))
    assert len(judge(engine, "2023-10-07").told) == 1
    assert life(engine)[-1] == (
        "amended",
        "Second Desk and Harbour Watch contradict each other: 30 railcars and 60 railcars.",
    )
    store(engine, by("Third Desk", 59, known="2023-10-08"))
    assert judge(engine, "2023-10-08").told == []
    assert life(engine)[-1] == ("corroborated", "Also reported by Third Desk.")


def test_a_publisher_spelled_otherwise_is_no_second_one(engine: Engine) -> None:
    store(engine, by("Harbour Watch", 60))
    judge(engine, "2023-10-06")
    for number, name in enumerate(["Harbour\u00a0Watch", "harbour watch", "Harbour\u200b Watch"]):
        store(engine, by(name, 60, known=f"2023-10-0{number + 7}"))
        judge(engine, f"2023-10-0{number + 7}")
    assert [kind for kind, _ in life(engine)] == ["opened"]


def snapshot(seen: Observation) -> dict[str, object]:
    (found,) = EpisodeContext({}, {}).snapshots([seen])
    return found


@pytest.mark.parametrize(
    ("other", "contradicts"),
    [
        (by("B", 6), True),
        (by("B", 60), False),
        (by("A", 6), False),
        (by("a\u00a0", 6), False),
        (by("B", 6, qualifier=">="), False),
        (by("B", 61, qualifier=">="), True),
        (by("B", 70, qualifier="<="), False),
        (by("B", 55, qualifier="~="), False),
        (by("B", 30, qualifier="~="), True),
        (by("B", 50, low=40, high=65), False),
        (by("B", 50, low=40, high=59), True),
        (by("B", 6, subject="class:dark"), False),
        (by("B", 6, procedure="cfar"), False),
        (by("B", 6, procedure="analyst@SkySat"), True),
        (look("2023-10-06", 6, publisher="B"), False),
        (by("B", 6, period_start=at("2023-10-05T10:00"), period_end=at("2023-10-05T10:01")), True),
        (by("B", 6, period_start=at("2023-10-01"), period_end=at("2023-11-01")), False),
    ],
)
def test_what_contradicts(other: Observation, contradicts: bool) -> None:
    one = snapshot(by("A", 60))
    assert contradict(one, snapshot(other)) is contradicts
    assert contradict(snapshot(other), one) is contradicts


def counts(*values: float, until: str = "2023-10-01", **fields: Any) -> list[Observation]:
    """One look a day before a day, by one analyst."""
    first = at(until) - len(values) * DAY
    return [look(f"{first + number * DAY:%Y-%m-%d}", value, **fields) for number, value in enumerate(values)]


YEAR = [float(3 + number * 7 % 15) for number in range(60)]
"""From 3 to 17."""


def test_an_earlier_look_that_becomes_known_late_is_said(engine: Engine) -> None:
    with writing(engine) as connection:
        record_observations(connection, [*counts(*YEAR), look(DAY_73, 73)])
    judge(engine, "2023-10-06")
    assert "highest known before (17)" in the_alert(engine).headline
    with writing(engine) as connection:
        record_observations(connection, [look("2023-10-02", 20, known="2023-10-08")])
    report = judge(engine, "2023-10-08")
    assert "3.65 times the highest known before (20)" in the_alert(engine).headline
    kind, reason = life(engine)[-1]
    assert kind == "amended"
    assert reason.startswith(
        "More is known now of what was before. 73 railcars: more than the highest known before, 20"
    )
    assert len(report.told) == 1
    assert judge(engine, "2023-10-09").told == []
    assert "highest known before, 20" in message(engine)
    assert "highest known before, 17" not in message(engine)
    # And back, where the late look is corrected.
    with writing(engine) as connection:
        record_observations(connection, [look("2023-10-02", 2, known="2023-10-10")])
    judge(engine, "2023-10-10")
    assert "highest known before (17)" in the_alert(engine).headline


@pytest.mark.parametrize(
    "known", ["2022-01-01", "2023-10-08"], ids=["published long ago", "published just now"]
)
def test_a_statement_that_becomes_known_late_is_said(engine: Engine, known: str) -> None:
    """It comes alone: no look waits with it."""
    with writing(engine) as connection:
        record_observations(connection, [*counts(*YEAR), look(DAY_73, 73)])
    judge(engine, "2023-10-06")
    assert "highest known before (17)" in the_alert(engine).headline
    late = stated("max", 30, ("2018-10-06", "2023-09-18"), known=known, recorded_at=at("2023-10-08"))
    with writing(engine) as connection:
        record_declared(connection, [late])
    report = judge(engine, "2023-10-08")
    assert "highest known before (30)" in the_alert(engine).headline
    kind, reason = life(engine)[-1]
    assert kind == "amended"
    assert reason.startswith(
        "More is known now of what was before. 73 railcars: more than the highest known before, 30"
    )
    assert len(report.told) == 1
    assert "highest known before, 17" not in message(engine)
    # Said once, until the publisher corrects it.
    assert judge(engine, "2023-10-09").told == []
    corrected = stated("max", 36, ("2018-10-06", "2023-09-18"), known="2023-10-10")
    with writing(engine) as connection:
        record_declared(connection, [corrected])
    assert len(judge(engine, "2023-10-10").told) == 1
    assert "highest known before (36)" in the_alert(engine).headline


def test_a_late_statement_of_more_takes_the_alert_back(engine: Engine) -> None:
    store(engine, look(DAY_73, 73))
    judge(engine, "2023-10-06")
    with writing(engine) as connection:
        record_declared(connection, [stated("max", 90, ("2020-01-01", "2023-09-18"), known="2023-10-07")])
    report = judge(engine, "2023-10-07")
    assert (the_alert(engine).status, len(report.told)) == ("withdrawn", 1)
    assert life(engine)[-1][1].startswith(
        "It is not unusual by what is known now. 73 railcars: not more than"
    )


@pytest.mark.parametrize(
    "other",
    [
        stated("max", 10, ("2020-01-01", "2023-09-18"), known="2023-10-07"),
        stated("max", 90, ("2020-01-01", "2023-09-18"), subject="class:x", known="2023-10-07"),
        stated("max", 90, ("2020-01-01", "2023-09-18"), metric="locomotives", known="2023-10-07"),
        stated("max", 90, ("2023-10-06", "2023-10-07"), known="2023-10-07"),
        stated("max", 90, ("2020-01-01", "2023-09-18"), known="2023-12-07"),
    ],
    ids=["less", "another subject", "another metric", "of the time after", "not knowable yet"],
)
def test_a_statement_about_something_else_or_less_tells_nothing(engine: Engine, other: Any) -> None:
    store(engine, look(DAY_73, 73))
    judge(engine, "2023-10-06")
    before = the_alert(engine)
    with writing(engine) as connection:
        record_declared(connection, [other])
    assert judge(engine, "2023-10-08").told == []
    assert (the_alert(engine).headline, [kind for kind, _ in life(engine)]) == (before.headline, ["opened"])


def test_a_lower_look_that_becomes_known_late_changes_nothing(engine: Engine) -> None:
    store(engine, look("2023-09-28", 19), look(DAY_73, 73))
    judge(engine, "2023-10-06")
    before = the_alert(engine)
    store(engine, look("2023-09-29", 3, known="2023-10-08"))
    assert judge(engine, "2023-10-08").told == []
    assert the_alert(engine).headline == before.headline
    assert [kind for kind, _ in life(engine)] == ["opened"]


def test_an_alert_is_taken_back_where_it_was_no_record_by_what_is_known_now(engine: Engine) -> None:
    store(engine, look(DAY_73, 73))
    judge(engine, "2023-10-06")
    store(engine, look("2023-09-30", 80, known="2023-10-05T06:00", announced=True))
    judge(engine, "2023-10-07")
    assert the_alert(engine).status == "open"
    with writing(engine) as connection:
        record_declared(connection, [stated("max", 90, ("2023-09-18", "2023-10-01"), known="2023-10-07")])
    store(engine, look("2023-09-30", 15, known="2023-10-08", look_key="late"))
    judge(engine, "2023-10-08")
    alert = the_alert(engine)
    assert alert.status == "withdrawn"
    assert life(engine)[-1][1].startswith(
        "It is not unusual by what is known now. 73 railcars: not more than"
    )


def test_what_was_knowable_long_ago_is_not_sent_as_news(engine: Engine) -> None:
    store(engine, look("2023-09-25", 17), look(DAY_73, 73))
    judge(engine, "2023-10-06")
    store(engine, look("2023-09-28", 30, known="2023-10-07"))
    report = judge_pending(engine, BENCH, at("2023-12-01"))
    assert report.told == []
    assert "(30)" in the_alert(engine).headline


@settings(deadline=None, max_examples=12)
@given(order=st.permutations(range(len(YEAR) + 2)), cuts=st.sets(st.integers(1, len(YEAR)), max_size=3))
def test_history_in_any_order_ends_with_the_same_words(order: Sequence[int], cuts: set[int]) -> None:
    engine = open_engine("sqlite://")
    migrate(engine)
    history = [*counts(*YEAR), look("2023-10-02", 20), look(DAY_73, 73)]
    for first, last in pairwise([0, *sorted(cuts), len(order)]):
        with writing(engine) as connection:
            record_observations(connection, [history[number] for number in order[first:last]])
        judge_pending(engine, BENCH, at("2023-10-07"))
    with reading(engine) as connection:
        opened = [each for each in alerts(connection, status="open") if each.peak == 73]
    # With fewer than 20 looks before it nothing is called a record; the tail may speak alone.
    for alert in (each for each in opened if "record" in each.rules):
        assert alert.baseline["threshold"] == 20
        assert "the highest known before, 20" in alert.baseline["reason"]
    # Where the count itself comes before its history, nothing can be told of it.
    assert opened or order.index(len(YEAR) + 1) < max(cuts, default=0)
    engine.dispose()
