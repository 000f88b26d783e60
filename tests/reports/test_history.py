"""A history says what was counted and how it is known; silence is told in words and is not zero."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from db.declared import record_declared, record_notes
from db.engine import reading, writing
from db.observations import record_observations
from db.records import DeclaredBaseline, Evidence, Note, Observation, SeriesKey
from monitor.reports.history import HistoryQuery, SiteHistory, first_url, read_history
from tests.kit.cast import BUSY_PORT, QUIET_FIELD

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
        record_observations(connection, [LOOK, ore, replace(LOOK, look_key="later", period_start=OCTOBER_5 + 9 * DAY,
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
    found = ask(filled, HistoryQuery("railcars", subjects=[""]))
    assert [each.value for each in found.looks] == [73, 0]
    ore = ask(filled, HistoryQuery("railcars", subjects=["class:ore"]))
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


def test_the_first_address_is_the_one_to_follow() -> None:
    assert first_url(LOOK) == "https://example.org/a"
    assert first_url(replace(LOOK, evidence=())) == ""
