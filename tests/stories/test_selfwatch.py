"""Watching over itself: blind sites and the weekly digest are told once, and never as quiet."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from alerts.delivery.blindness import BlindReport, notify_blindness
from alerts.delivery.digest import digest_payload, enqueue_weekly_digest
from alerts.delivery.notices import compose_notice
from alerts.rules.combined import false_alarm_chance
from db import schema
from db.blindness import blind_periods
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import record_observations
from db.records import BlindPeriod
from db.weeks import ProviderWeek, Week, read_week
from tests.kit.builders import at, look

NAMES = {"quiet-field": "Quiet Field", "busy-port": "Busy Port"}
AFTER = timedelta(hours=6)


def know_sites(engine: Engine, day: str = "2023-01-01") -> None:
    with writing(engine) as connection:
        for site_id in NAMES:
            row = {
                "site_id": site_id,
                "version": 1,
                "digest": "x",
                "removed": False,
                "feature": {},
                "recorded_at": at(day),
            }
            connection.execute(schema.site_version.insert(), row)


def watch_hour(engine: Engine, site_id: str, hour: str, observed_s: int) -> None:
    row = {
        "provider": "adsb.lol",
        "site_id": site_id,
        "hour": at(hour),
        "expected_s": 3600,
        "observed_s": observed_s,
    }
    with writing(engine) as connection:
        connection.execute(schema.coverage_hour.insert(), row)


def round_at(engine: Engine, moment: str) -> BlindReport:
    return notify_blindness(engine, NAMES, ("slack", "email"), AFTER, at(moment))


def owed(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [compose_notice(each).headline for each in deliveries(connection) if each.channel == "slack"]


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(engine: Engine) -> None:
    know_sites(engine)
    for site_id in NAMES:
        watch_hour(engine, site_id, "2023-01-01T10:00", 3600)
        watch_hour(engine, site_id, "2023-01-01T11:00", 0)
    assert round_at(engine, "2023-01-01T16:59") == BlindReport()
    began = round_at(engine, "2023-01-01T17:00").began
    assert [(each.site_id, each.since) for each in began] == [
        ("busy-port", at("2023-01-01T11:00")),
        ("quiet-field", at("2023-01-01T11:00")),
    ]
    assert round_at(engine, "2023-01-01T20:00") == BlindReport()
    assert owed(engine) == ["Blind since 2023-01-01 11:00 UTC: Quiet Field and Busy Port"]
    watch_hour(engine, "busy-port", "2023-01-02T03:00", 60)
    ended = round_at(engine, "2023-01-02T03:10").ended
    assert [(each.site_id, each.since) for each in ended] == [("busy-port", at("2023-01-01T11:00"))]
    assert owed(engine)[1:] == ["Watched again: Busy Port"]
    with reading(engine) as connection:
        lasting = [each.site_id for each in blind_periods(connection) if each.ended_at is None]
    assert lasting == ["quiet-field"]


def test_a_site_that_was_never_watched_is_blind_since_it_is_known(engine: Engine) -> None:
    know_sites(engine, "2023-01-05")
    assert {each.since for each in round_at(engine, "2023-01-06").began} == {at("2023-01-05")}


def test_the_notice_never_calls_it_quiet(engine: Engine) -> None:
    know_sites(engine)
    round_at(engine, "2023-01-03")
    with reading(engine) as connection:
        text = " ".join(compose_notice(deliveries(connection)[0]).paragraphs)
    assert "not a quiet time" in text
    assert "No counts are made" in text


def test_the_digest_comes_once_a_week(engine: Engine) -> None:
    with writing(engine) as connection:
        record_observations(
            connection,
            [
                look("2023-10-04", 5, recorded_at=at("2023-10-04")),
                look("2023-10-05", None, recorded_at=at("2023-10-05")),
            ],
        )
    assert enqueue_weekly_digest(engine, 14, ("slack",), at("2023-10-09T00:05"))
    assert not enqueue_weekly_digest(engine, 14, ("slack",), at("2023-10-12"))
    with reading(engine) as connection:
        (only,) = deliveries(connection)
    message = compose_notice(only)
    assert message.headline == "Still watching: 14 sites, 2 looks, 0 working providers, nothing unusual"
    assert message.subject == "[sitewatch] Still watching, 2023-10-02 to 2023-10-08"
    assert "1 gave a count and 1 did not" in message.paragraphs[0]


def test_the_past_that_was_loaded_in_a_week_is_no_look_of_that_week(engine: Engine) -> None:
    """52 published facts come with the first start."""
    with writing(engine) as connection:
        record_observations(
            connection, [look("2019-06-30", 1, recorded_at=at("2023-10-04"), result_time=at("2019-07-02"))]
        )
    assert not enqueue_weekly_digest(engine, 14, ("slack",), at("2023-10-09T00:05"))


def test_chance_is_added_up_over_looks_each_counted_once(engine: Engine) -> None:
    judged = [
        ("2023-10-04", 1, "record", {"n": 9}),
        ("2023-10-05", 1, "record", {"n": 9}),
        ("2023-10-05", 2, "record", {"n": 9}),
        ("2023-10-05", 2, "tail", {"chance": 0.05}),
        ("2023-10-06", 1, "record", {"n": 9, "declared": "at most 20"}),
    ]
    with writing(engine) as connection:
        for day, revision, rule, details in judged:
            connection.execute(
                schema.evaluation.insert().values(
                    site_id="quiet-field", area="", metric="arrivals", subject="", procedure="adsb", period_start=at(day),
                    look_key=day, revision=revision, rule=rule, status="evaluated", exceeded=False, details=details,
                    as_of=at(day), recorded_at=at(day),
                )
            )  # fmt: skip
    with reading(engine) as connection:
        week = read_week(connection, at("2023-10-02"), at("2023-10-09"), 3, false_alarm_chance)
    assert week.judged == 2
    assert week.chance == pytest.approx(0.25)


def test_a_site_is_blind_since_the_last_answer_not_since_the_end_of_that_hour(engine: Engine) -> None:
    know_sites(engine)
    state = {
        "provider": "adsb.lol",
        "health": "failing",
        "last_ok_at": at("2023-01-01T11:19"),
        "updated_at": at("2023-01-01"),
    }
    with writing(engine) as connection:
        connection.execute(schema.provider_state.insert(), state)
    for site_id in NAMES:
        watch_hour(engine, site_id, "2023-01-01T11:00", 1200)
    assert round_at(engine, "2023-01-01T17:18") == BlindReport()
    assert {each.since for each in round_at(engine, "2023-01-01T17:19").began} == {at("2023-01-01T11:19")}


def test_a_program_that_did_not_run_tells_no_digest(engine: Engine) -> None:
    assert not enqueue_weekly_digest(engine, 14, ("slack",), at("2023-10-09"))
    with reading(engine) as connection:
        assert connection.execute(select(schema.delivery)).all() == []


def test_the_digest_says_what_chance_alone_would_give() -> None:
    week = Week(
        at("2023-10-02"),
        at("2023-10-09"),
        sites=3,
        looks=12,
        counted=9,
        providers=[ProviderWeek("adsb.lol", 100, 7), ProviderWeek("earth-search", 7, 7)],
        opened=["73 railcars"],
        closed=1,
        judged=4,
        chance=0.31,
        unusual=["busy-port, 2023-10-04: Twice the quarter before."],
    )
    blind = [BlindPeriod("busy-port", at("2023-10-03"), at("2023-10-03"))]
    text = str(digest_payload(week, blind)["paragraphs"])
    for words in (
        "Twice the quarter before.",
        "Chance alone would have given 0.31 alarms among the 4 looks",
        "100 polls, 7 of them failed",
        "Alert: 73 railcars",
        "Blind for a time: busy-port",
    ):
        assert words in text
    assert "3 sites, 12 looks, 1 working provider, 1 alert; chance alone would have given 0.31 alarms" in str(
        digest_payload(week, [])["headline"]
    )
