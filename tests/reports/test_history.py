"""A history says what was counted and how it is known; silence is told in words and is not zero."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from db.declared import record_declared, record_notes
from db.engine import reading, writing
from db.observations import record
from db.records import DeclaredBaseline, Evidence, Note, Observation, Precision, SeriesKey, Statistic
from monitor.reports.history import (
    HistoryQuery,
    SiteHistory,
    count_words,
    exposure_words,
    first_url,
    interval_words,
    looks_words,
    period_words,
    read_history,
    source_words,
    statement_words,
    status_words,
)
from tests.kit.cast import BUSY_PORT, DATELINE_STRIP, QUIET_FIELD

DAY = timedelta(days=1)
OCTOBER_5 = datetime(2023, 10, 4, 22, tzinfo=UTC)
LOOK = Observation(
    series=SeriesKey("busy-port", "", "railcars", "", "published"),
    kind="stock",
    period_start=OCTOBER_5,
    period_end=OCTOBER_5 + DAY,
    look_key="a",
    value=73,
    qualifier="~=",
    result_time=OCTOBER_5 + DAY,
    recorded_at=OCTOBER_5 + 2 * DAY,
    publisher="Analysts",
    evidence=(
        Evidence("import", "counts.csv", "row 2"),
        Evidence("url", "https://example.org/a", "Analysts"),
    ),
)
BASELINE = DeclaredBaseline(
    key="max",
    series=LOOK.series,
    statistic="max",
    value=20,
    window_start=OCTOBER_5 - 1825 * DAY,
    window_end=OCTOBER_5 - 18 * DAY,
    precision="window",
    result_time=OCTOBER_5 + DAY,
    recorded_at=OCTOBER_5 + 2 * DAY,
)
NOTE = Note(
    key="note",
    site_id="busy-port",
    metric="railcars",
    subject="",
    starts_at=OCTOBER_5 - 17 * DAY,
    ends_at=OCTOBER_5,
    precision="window",
    result_time=OCTOBER_5 + DAY,
    recorded_at=OCTOBER_5 + 2 * DAY,
    text="rising",
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    ore = replace(LOOK, series=replace(LOOK.series, subject="class:ore"), value=3.0)
    with writing(engine) as connection:
        record(connection, [LOOK, ore, replace(LOOK, look_key="later", period_start=OCTOBER_5 + 9 * DAY,
                                               period_end=OCTOBER_5 + 10 * DAY, value=0.0)])  # fmt: skip
        record_declared(connection, [BASELINE])
        record_notes(connection, [NOTE])
    return engine


def ask(engine: Engine, query: HistoryQuery) -> SiteHistory:
    with reading(engine) as connection:
        return read_history(connection, BUSY_PORT, query)


def test_all_that_is_known_comes_back(filled: Engine) -> None:
    found = ask(filled, HistoryQuery())
    assert ([each.value for each in found.looks], found.declared, found.notes) == (
        [73, 3, 0],
        (BASELINE,),
        (NOTE,),
    )
    assert not found.empty


def test_a_subject_of_no_text_means_the_counts_of_all(filled: Engine) -> None:
    found = ask(filled, HistoryQuery("railcars", subject=""))
    assert [each.value for each in found.looks] == [73, 0]
    ore = ask(filled, HistoryQuery("railcars", subject="class:ore"))
    assert ([each.value for each in ore.looks], ore.declared, ore.notes) == ([3], (), ())


def test_since_and_until_limit_looks_and_notes_but_not_baselines(filled: Engine) -> None:
    later = ask(filled, HistoryQuery(since=OCTOBER_5 + 2 * DAY))
    assert ([each.value for each in later.looks], later.declared, later.notes) == ([0], (BASELINE,), ())
    before = ask(filled, HistoryQuery(until=OCTOBER_5))
    assert (before.looks, before.declared, before.notes) == ((), (BASELINE,), (NOTE,))
    assert ask(filled, HistoryQuery(until=OCTOBER_5 - 18 * DAY)).notes == ()


@pytest.mark.parametrize("query", [HistoryQuery(as_of=OCTOBER_5), HistoryQuery(as_recorded=OCTOBER_5 + DAY)])
def test_what_was_not_known_then_is_not_shown(filled: Engine, query: HistoryQuery) -> None:
    assert ask(filled, query).empty


def test_another_metric_or_site_is_empty(filled: Engine) -> None:
    assert ask(filled, HistoryQuery("containers")).empty
    with reading(filled) as connection:
        assert read_history(connection, QUIET_FIELD, HistoryQuery()).empty


@pytest.mark.parametrize(
    ("change", "count", "interval", "status"),
    [
        ({}, "73 (about)", "", "counted"),
        ({"qualifier": ">=", "low": 70.0}, "73 (at least)", "from 70", "counted"),
        ({"qualifier": "<=", "high": 75.5}, "73 (at most)", "up to 75.5", "counted"),
        ({"qualifier": "=", "low": 0.0, "high": 80.0}, "73", "0 to 80", "counted"),
        ({"value": 1e6, "qualifier": "="}, "1000000", "", "counted"),
        ({"value": 0.0, "qualifier": "="}, "0", "", "none seen"),
        ({"value": None}, "–", "", "no count"),
        ({"value": None, "assessable": False}, "–", "", "not assessable"),
        (
            {"value": None, "assessable": False, "exposure_parts": {"cloud_fraction": 0.9}},
            "–",
            "",
            "not assessable: cloud 90%",
        ),
        ({"value": None, "assessable": False, "note": "Fog."}, "–", "", "not assessable: Fog"),
        ({"closed": False}, "73 (about)", "", "counted, period still running"),
        ({"announced": True}, "73 (about)", "", "counted, announced"),
    ],
    ids=str,
)
def test_words_for_a_look(change: dict[str, object], count: str, interval: str, status: str) -> None:
    look = replace(LOOK, **change)  # type: ignore[arg-type]
    assert (count_words(look), interval_words(look), status_words(look)) == (count, interval, status)


@pytest.mark.parametrize(
    ("statistic", "value", "n_looks", "words", "behind"),
    [
        ("max", 20.0, None, "at most 20", "not published"),
        ("none_before", 0.0, None, "none seen before", "not published"),
        ("last_seen", None, None, "last seen then", "not published"),
        ("share", 49.0, 109, "seen in 49 of 109 looks", "109"),
        ("max", None, 5, "at most ?", "5"),
    ],
)
def test_words_for_a_statement(
    statistic: Statistic, value: float | None, n_looks: int | None, words: str, behind: str
) -> None:
    baseline = replace(BASELINE, statistic=statistic, value=value, n_looks=n_looks)
    assert (statement_words(baseline), looks_words(baseline)) == (words, behind)


@pytest.mark.parametrize(
    ("length", "precision", "words"),
    [
        (DAY, "day", "2023-10-05"),
        (2 * DAY, "day", "2023-10-05 to 2023-10-06"),
        (timedelta(minutes=1), "minute", "2023-10-05 00:00"),
        (timedelta(hours=1), "hour", "2023-10-05 00 h"),
        (27 * DAY, "month", "2023-10"),
        (30 * DAY, "month", "2023-10 to 2023-11"),
        (timedelta(hours=2), "window", "2023-10-05 00:00 to 2023-10-05 01:59"),
        (timedelta(), "window", "2023-10-05 00:00"),
        (DAY, "window", "2023-10-05"),
        (30 * DAY, "window", "2023-10-05 to 2023-11-03"),
    ],
)
def test_words_for_a_period(length: timedelta, precision: Precision, words: str) -> None:
    assert period_words(OCTOBER_5, OCTOBER_5 + length, precision, BUSY_PORT.timezone) == words


def test_periods_are_told_in_the_sites_own_days() -> None:
    fiji = period_words(OCTOBER_5, OCTOBER_5 + timedelta(minutes=1), "minute", DATELINE_STRIP.timezone)
    south = period_words(OCTOBER_5, OCTOBER_5 + timedelta(minutes=1), "minute", QUIET_FIELD.timezone)
    assert (fiji, south) == ("2023-10-05 10:00", "2023-10-04 19:00")


def test_words_for_sources_and_exposure() -> None:
    assert source_words("Analysts", "a newspaper") == "Analysts (via a newspaper)"
    assert source_words("Analysts", "") == "Analysts"
    assert source_words("", "a newspaper") == "a newspaper"
    assert (exposure_words(None), exposure_words(0.256), exposure_words(0.0)) == ("unknown", "26%", "0%")
    assert first_url(LOOK) == "https://example.org/a"
    assert first_url(replace(LOOK, evidence=())) == ""
