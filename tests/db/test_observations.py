"""What is recorded is kept as revisions; what is read is what was knowable, whatever the order of arrival."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from db import observations
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.records import Evidence, Observation, SeriesKey
from db.schema import metadata
from db.schema import series as series_table
from tests.kit.reading import revisions

RAILCARS = SeriesKey("donut-base", "", "railcars", "", "published")
DAY = timedelta(days=1)
JULY_10 = datetime(2024, 7, 10, tzinfo=UTC)
WRONG = Observation(
    series=RAILCARS,
    kind="stock",
    period_start=JULY_10,
    period_end=JULY_10 + DAY,
    look_key="2024-07-10",
    value=300,
    result_time=JULY_10,
    recorded_at=JULY_10,
    qualifier="~=",
    publisher="Analysts",
    exposure=0.5,
    exposure_parts={"cloud_fraction": 0.5},
    evidence=(Evidence("url", "https://example.org/a", "the report"),),
)
CORRECTED = replace(WRONG, value=30.0, result_time=JULY_10 + 2 * DAY, recorded_at=JULY_10 + 3 * DAY)


def store(engine: Engine, *new: Observation) -> list[Observation]:
    with writing(engine) as connection:
        return observations.record_observations(connection, new)


def read(
    engine: Engine, as_of: datetime | None = None, as_recorded: datetime | None = None
) -> list[Observation]:
    with reading(engine) as connection:
        return observations.looks(connection, site_id="donut-base", as_of=as_of, as_recorded=as_recorded)


def test_a_look_comes_back_as_it_was_recorded(engine: Engine) -> None:
    assert store(engine, WRONG) == [WRONG]
    assert read(engine) == [WRONG]


def test_saying_the_same_again_stores_nothing(engine: Engine) -> None:
    store(engine, WRONG)
    later = replace(WRONG, recorded_at=JULY_10 + DAY, result_time=JULY_10 + DAY, via="a reteller")
    assert store(engine, later, later) == []


@pytest.mark.parametrize(
    "change",
    [
        {"value": 30.0},
        {"value": None},
        {"low": 20.0},
        {"high": 400.0},
        {"qualifier": ">="},
        {"assessable": False},
        {"closed": False},
        {"announced": True},
    ],
    ids=str,
)
def test_a_changed_finding_is_another_revision(engine: Engine, change: dict[str, object]) -> None:
    changed = replace(WRONG, **change)  # type: ignore[arg-type]
    assert [each.revision for each in store(engine, WRONG, changed)] == [1, 2]
    assert read(engine) == [changed.revised(2)]


def test_a_correction_keeps_what_was_said_before(engine: Engine) -> None:
    store(engine, WRONG)
    assert store(engine, CORRECTED) == [CORRECTED.revised(2)]
    with reading(engine) as connection:
        kept = revisions(connection, RAILCARS, JULY_10, "2024-07-10")
    assert kept == [WRONG, CORRECTED.revised(2)]


def test_as_of_shows_what_was_knowable(engine: Engine) -> None:
    store(engine, WRONG, CORRECTED)
    assert read(engine, as_of=JULY_10 - DAY) == []
    assert [each.value for each in read(engine, as_of=JULY_10)] == [300]
    assert [each.value for each in read(engine, as_of=JULY_10 + 2 * DAY)] == [30]


def test_as_recorded_shows_what_this_database_knew(engine: Engine) -> None:
    store(engine, WRONG, CORRECTED)
    later = JULY_10 + 30 * DAY
    assert [each.value for each in read(engine, as_of=later, as_recorded=JULY_10 + 2 * DAY)] == [300]
    assert [each.value for each in read(engine, as_of=later, as_recorded=JULY_10 + 3 * DAY)] == [30]


def test_a_correction_that_arrives_first_still_corrects(engine: Engine) -> None:
    store(engine, CORRECTED)
    store(engine, WRONG)
    assert [each.value for each in read(engine)] == [30]
    assert [each.value for each in read(engine, as_of=JULY_10 + DAY)] == [300]


def test_a_finding_is_known_since_its_earliest_statement(engine: Engine) -> None:
    store(engine, replace(WRONG, result_time=JULY_10 + DAY))
    store(engine, WRONG)
    assert [(each.value, each.result_time, each.revision) for each in read(engine)] == [(300, JULY_10, 2)]


def test_importing_a_count_with_its_correction_twice_stores_nothing_new(engine: Engine) -> None:
    assert len(store(engine, WRONG, CORRECTED)) == 2
    assert store(engine, WRONG, CORRECTED) == []


def test_many_writers_of_one_look_never_choose_the_same_revision(engine: Engine) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda value: store(engine, replace(WRONG, value=float(value))), range(12)))
    with reading(engine) as connection:
        kept = revisions(connection, RAILCARS, JULY_10, "2024-07-10")
    assert [each.revision for each in kept] == list(range(1, 13))
    assert sorted(each.value or 0.0 for each in kept) == [float(value) for value in range(12)]


def test_no_count_and_zero_stay_apart(engine: Engine) -> None:
    zero = replace(WRONG, value=0.0, look_key="zero")
    cloud = replace(WRONG, value=None, assessable=False, look_key="cloud")
    store(engine, zero, cloud)
    assert {each.look_key: each.value for each in read(engine)} == {"zero": 0.0, "cloud": None}
    assert {each.look_key: each.usable for each in read(engine)} == {"zero": True, "cloud": False}


def test_filters_choose_series(engine: Engine) -> None:
    others = [
        replace(RAILCARS, area="yard"),
        replace(RAILCARS, metric="containers"),
        replace(RAILCARS, subject="class:ore"),
        replace(RAILCARS, procedure="cfar:1"),
        replace(RAILCARS, site_id="busy-port"),
    ]
    store(engine, WRONG, *(replace(WRONG, series=key) for key in others))
    with reading(engine) as connection:
        exact = observations.looks(
            connection, site_id="donut-base", metric="railcars", area="", subject="", procedure="published"
        )
        everything = observations.looks(connection, site_id="donut-base")
    assert [each.series for each in exact] == [RAILCARS]
    assert len(everything) == 5


def test_since_and_until_take_what_overlaps(engine: Engine) -> None:
    store(
        engine,
        *(
            replace(WRONG, period_start=JULY_10 + n * DAY, period_end=JULY_10 + (n + 1) * DAY)
            for n in range(5)
        ),
    )
    store(engine, replace(WRONG, look_key="instant", period_start=JULY_10 + DAY, period_end=JULY_10 + DAY))
    with reading(engine) as connection:
        found = observations.looks(
            connection, site_id="donut-base", since=JULY_10 + DAY, until=JULY_10 + 3 * DAY
        )
    assert [(each.period_start - JULY_10).days for each in found] == [1, 1, 2]


def test_looks_come_in_order_of_period_then_key(engine: Engine) -> None:
    later = replace(WRONG, period_start=JULY_10 + DAY, period_end=JULY_10 + 2 * DAY, look_key="a")
    store(engine, later, replace(WRONG, look_key="z"), replace(WRONG, look_key="b"))
    assert [each.look_key for each in read(engine)] == ["b", "z", "a"]


def test_many_looks_in_one_call(engine: Engine) -> None:
    many = [replace(WRONG, look_key=f"{n:04}", value=float(n)) for n in range(1_201)]
    assert len(store(engine, *many)) == 1_201
    assert store(engine, *many) == []
    assert len(read(engine)) == 1_201


def test_the_series_row_carries_the_kind(engine: Engine) -> None:
    arrivals = replace(WRONG, series=replace(RAILCARS, metric="arrivals"), kind="flow")
    store(engine, WRONG, arrivals)
    store(engine, replace(WRONG, look_key="again"))
    with reading(engine) as connection:
        rows = connection.execute(select(series_table.c.metric, series_table.c.kind).order_by("metric")).all()
    assert [tuple(row) for row in rows] == [("arrivals", "flow"), ("railcars", "stock")]


def test_nothing_is_stored_for_nothing(engine: Engine) -> None:
    assert store(engine) == []
    assert read(engine) == []


Statement = tuple[float, int, str]
VALUES = st.sampled_from([0.0, 1.0, 2.0, 73.0])
WHEN = st.integers(0, 20)
STATEMENTS = st.lists(
    st.tuples(VALUES, WHEN, st.sampled_from("ab")), min_size=1, max_size=8, unique_by=lambda each: each[1:]
)
CHANGING = st.lists(
    st.tuples(VALUES, WHEN), max_size=4, unique_by=(lambda each: each[0], lambda each: each[1])
)


@pytest.fixture(scope="module")
def property_engine() -> Iterator[Engine]:
    """Held in memory: a hundred examples on a disk would mostly measure the disk."""
    opened = open_engine("sqlite://")
    migrate(opened)
    yield opened
    opened.dispose()


def emptied(engine: Engine) -> Engine:
    with writing(engine) as connection:
        for table in (metadata.tables["observation"], metadata.tables["series"]):
            connection.execute(table.delete())
    return engine


def statement(value: float, day: int, key: str) -> Observation:
    return replace(WRONG, value=value, result_time=JULY_10 + day * DAY, look_key=key)


def all_readings(engine: Engine) -> list[list[tuple[str, float | None, datetime]]]:
    return [
        [(each.look_key, each.value, each.result_time) for each in read(engine, as_of=JULY_10 + day * DAY)]
        for day in range(-1, 22)
    ]


@settings(deadline=None, max_examples=40)
@given(statements=STATEMENTS, data=st.data())
def test_the_order_in_a_batch_changes_nothing_that_is_read(
    property_engine: Engine, statements: list[Statement], data: st.DataObject
) -> None:
    looks = [statement(*each) for each in statements]
    shuffled = data.draw(st.permutations(looks))
    store(emptied(property_engine), *looks)
    first = all_readings(property_engine)
    store(emptied(property_engine), *shuffled)
    assert all_readings(property_engine) == first


@settings(deadline=None, max_examples=40)
@given(statements=CHANGING, data=st.data())
def test_the_order_of_arrival_changes_nothing_that_is_read(
    property_engine: Engine, statements: list[tuple[float, int]], data: st.DataObject
) -> None:
    looks = [statement(value, day, "a") for value, day in statements]
    store(emptied(property_engine), *looks)
    first = all_readings(property_engine)
    emptied(property_engine)
    for each in data.draw(st.permutations(looks)):
        store(property_engine, each)
    assert all_readings(property_engine) == first


@settings(deadline=None, max_examples=40)
@given(statements=STATEMENTS)
def test_recording_again_stores_nothing(property_engine: Engine, statements: list[Statement]) -> None:
    looks = [statement(*each) for each in statements]
    assert store(emptied(property_engine), *looks)
    first = all_readings(property_engine)
    assert store(property_engine, *looks) == []
    assert all_readings(property_engine) == first


def test_a_series_opened_elsewhere_is_no_obstacle(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'two.db'}"
    first, second = open_engine(url), open_engine(url)
    migrate(first)
    assert len(store(first, WRONG)) == 1
    assert store(second, WRONG) == []
    first.dispose()
    second.dispose()
