"""A count that was told is corrected: whoever was told is told, once, and nobody else."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from alerts.delivery.compose import compose
from alerts.judging.judge import JudgingContext, judge_pending
from alerts.routing import Matcher, Route, Routing
from db.alerts import alert_events, alerts
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import record_observations
from db.records import AlertEvent, Delivery, Observation
from db.silences import add_silence
from monitor.bootstrap import RULES
from tests.alerts.test_routing import TOO_OLD, WATCHES, quiet_year, surge
from tests.kit.builders import DAY, at, look
from tests.kit.kills import killed_at

CHANNELS = ("rail", "mail")


def context(routing: Routing = Routing()) -> JudgingContext:  # noqa: B008 - it cannot change
    return JudgingContext(WATCHES, RULES, CHANNELS, TOO_OLD, routing=routing)


def know(engine: Engine, *looks: Observation) -> None:
    with writing(engine) as connection:
        record_observations(connection, looks)


def corrected(value: float | None, known: str) -> Observation:
    return replace(surge(), value=value, revision=2, result_time=at(known), recorded_at=at(known))


def life(engine: Engine) -> list[AlertEvent]:
    with reading(engine) as connection:
        first = alerts(connection)[0]
        return alert_events(connection, first.id)


def owed(engine: Engine, *states: str) -> list[Delivery]:
    with reading(engine) as connection:
        return [each for each in deliveries(connection) if not states or each.state in states]


@pytest.mark.parametrize(
    ("value", "kind", "status", "words"),
    [
        (70, "amended", "Correction", "The count for 2023-06-01 was corrected from 73 to 70."),
        (95, "amended", "Correction", "The count for 2023-06-01 was corrected from 73 to 95."),
        (4, "withdrawn", "Withdrawn", "The count for 2023-06-01 was corrected from 73 to 4."),
        (None, "withdrawn", "Withdrawn", "The count for 2023-06-01 was corrected from 73 to no count."),
    ],
)
def test_a_corrected_count_is_told_with_both_numbers(
    engine: Engine, value: float | None, kind: str, status: str, words: str
) -> None:
    know(engine, *quiet_year(), surge())
    judge_pending(engine, context(), at("2023-06-02"))
    know(engine, corrected(value, "2023-06-03"))
    judge_pending(engine, context(), at("2023-06-03"))
    told = life(engine)[-1]
    assert (told.kind, told.corrects) == (kind, True)
    message = compose(engine, owed(engine)[-1], None)
    assert message.status == status
    assert words in " ".join(message.paragraphs)


def test_a_correction_reaches_whoever_was_told_over_silences_age_and_other_routes(engine: Engine) -> None:
    only_rail = Routing((Route("rail", ("rail",)), Route("never", ("mail",), Matcher(kind=("port",)))))
    only_mail = Routing((Route("mail", ("mail",)), Route("never", ("rail",), Matcher(kind=("port",)))))
    know(engine, *quiet_year(), surge())
    judge_pending(engine, context(only_rail), at("2023-06-02"))
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", at("2023-06-02"), at("2023-09-01"), reason="", by="Kim")
    # Known in June, and here only in August.
    know(engine, corrected(4, "2023-06-03"))
    judge_pending(engine, context(only_mail), at("2023-08-01"))
    last = {each.channel: each.state for each in owed(engine) if each.event_seq == 2}
    assert last == {"rail": "queued", "mail": "too_old"}


def test_whoever_was_told_nothing_is_told_no_correction(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", at("2023-05-01"), at("2023-09-01"), reason="", by="Kim")
    know(engine, *quiet_year(), surge())
    judge_pending(engine, context(), at("2023-06-02"))
    know(engine, corrected(4, "2023-06-03"))
    judge_pending(engine, context(), at("2023-06-03"))
    assert owed(engine, "queued") == []


def test_a_second_publisher_with_a_corrected_count_is_not_told_as_a_mere_echo(engine: Engine) -> None:
    know(engine, *quiet_year(), surge())
    judge_pending(engine, context(), at("2023-06-02"))
    other = replace(
        look("2023-06-01", 72, procedure="other"),
        publisher="Yard Notes",
        result_time=at("2023-06-03"),
        recorded_at=at("2023-06-03"),
    )
    know(engine, corrected(71, "2023-06-03"), other)
    judge_pending(engine, context(), at("2023-06-03"))
    assert any(each.corrects for each in life(engine))


def test_the_end_of_an_alert_that_is_corrected_away_is_told(engine: Engine) -> None:
    know(engine, *quiet_year(), surge(), look("2023-06-05", 2))
    judge_pending(engine, context(), at("2023-06-06"))
    assert life(engine)[-1].kind == "resolved"
    end = replace(
        look("2023-06-05", 60), revision=2, result_time=at("2023-06-07"), recorded_at=at("2023-06-07")
    )
    know(engine, end)
    judge_pending(engine, context(), at("2023-06-07"))
    assert (life(engine)[-1].kind, life(engine)[-1].corrects) == ("lapsed", True)


def test_over_kills_at_every_statement_each_channel_is_owed_the_correction_once(
    sqlite_engine: Engine,
) -> None:
    know(sqlite_engine, *quiet_year(), surge())
    judge_pending(sqlite_engine, context(), at("2023-06-02"))
    know(sqlite_engine, corrected(4, "2023-06-03"))
    for statement in range(1, 400):
        if not killed_at(
            sqlite_engine, statement, lambda: judge_pending(sqlite_engine, context(), at("2023-06-03"))
        ):
            break
    else:
        pytest.fail("judging never came to its end")
    assert statement > 5
    for later in range(3):
        judge_pending(sqlite_engine, context(), at("2023-06-03") + later * DAY / 2 + timedelta(hours=1))
    told = Counter(each.channel for each in owed(sqlite_engine) if each.event_seq == 2)
    assert told == {"rail": 1, "mail": 1}
    assert [each.kind for each in life(sqlite_engine)] == ["opened", "withdrawn"]
