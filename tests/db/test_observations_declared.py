"""Declared baselines and notes are kept as revisions, and read as they were knowable."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from db.declared import declared, notes, record_declared, record_notes
from db.engine import reading, writing
from db.records import DeclaredBaseline, Note, SeriesKey

DAY = timedelta(days=1)
PUBLISHED = datetime(2023, 10, 6, tzinfo=UTC)
AT_MOST_20 = DeclaredBaseline(
    key="max-20",
    series=SeriesKey("busy-port", "pier-1", "railcars", "", "published"),
    statistic="max",
    value=20,
    window_start=datetime(2018, 10, 6, tzinfo=UTC),
    window_end=datetime(2023, 9, 18, tzinfo=UTC),
    precision="window",
    result_time=PUBLISHED,
    recorded_at=PUBLISHED,
    publisher="Analysts",
    via="a newspaper",
    url="https://example.org/a",
    certainty="high",
    note="number of looks not published",
)
RISING = Note(
    key="rising",
    site_id="busy-port",
    area="pier-1",
    metric="railcars",
    subject="",
    starts_at=datetime(2023, 9, 18, tzinfo=UTC),
    ends_at=PUBLISHED,
    precision="window",
    result_time=PUBLISHED,
    recorded_at=PUBLISHED,
    publisher="Analysts",
    certainty="high",
    text="rising",
)


def test_a_declared_baseline_comes_back_as_recorded_and_only_once(engine: Engine) -> None:
    with writing(engine) as connection:
        assert record_declared(connection, [AT_MOST_20, AT_MOST_20]) == [AT_MOST_20]
        assert record_declared(connection, [replace(AT_MOST_20, result_time=PUBLISHED + DAY)]) == []
    with reading(engine) as connection:
        assert declared(connection, "busy-port") == [AT_MOST_20]
        assert declared(connection, "busy-port", "railcars") == [AT_MOST_20]
        assert declared(connection, "busy-port", "containers") == []
        assert declared(connection, "quiet-field") == []


def test_a_declared_baseline_is_not_knowable_before_its_publication(engine: Engine) -> None:
    with writing(engine) as connection:
        record_declared(connection, [AT_MOST_20])
    with reading(engine) as connection:
        assert declared(connection, "busy-port", as_of=PUBLISHED - DAY) == []
        assert declared(connection, "busy-port", as_of=PUBLISHED) == [AT_MOST_20]


def test_a_changed_value_or_number_of_looks_is_a_revision(engine: Engine) -> None:
    counted = replace(AT_MOST_20, n_looks=109, result_time=PUBLISHED + DAY, recorded_at=PUBLISHED + 2 * DAY)
    higher = replace(counted, value=22.0, result_time=PUBLISHED + 2 * DAY)
    with writing(engine) as connection:
        stored = record_declared(connection, [higher, counted, AT_MOST_20])
    assert [(each.revision, each.value, each.n_looks) for each in stored] == [
        (1, 20, None),
        (2, 20, 109),
        (3, 22, 109),
    ]
    with reading(engine) as connection:
        assert [each.value for each in declared(connection, "busy-port")] == [22]
        assert declared(connection, "busy-port", as_of=PUBLISHED + DAY) == [replace(counted, revision=2)]
        early = declared(connection, "busy-port", as_recorded=PUBLISHED + DAY)
    assert early == [AT_MOST_20]


def test_declared_baselines_come_in_order_of_their_windows(engine: Engine) -> None:
    earlier = replace(AT_MOST_20, key="zz", window_start=AT_MOST_20.window_start - DAY)
    with writing(engine) as connection:
        record_declared(connection, [AT_MOST_20, earlier])
    with reading(engine) as connection:
        assert [each.key for each in declared(connection, "busy-port")] == ["zz", "max-20"]


def test_many_baselines_in_one_call(engine: Engine) -> None:
    many = [replace(AT_MOST_20, key=f"{n:04}") for n in range(501)]
    with writing(engine) as connection:
        assert len(record_declared(connection, many)) == 501
        assert record_declared(connection, many) == []


def test_a_note_comes_back_as_recorded_and_its_text_may_be_mended(engine: Engine) -> None:
    mended = replace(RISING, text="rising since the 18th", recorded_at=PUBLISHED + DAY)
    with writing(engine) as connection:
        assert record_notes(connection, [RISING]) == [RISING]
        assert record_notes(connection, [RISING]) == []
        assert record_notes(connection, [mended]) == [replace(mended, revision=2)]
    with reading(engine) as connection:
        assert notes(connection, "busy-port") == [replace(mended, revision=2)]
        assert notes(connection, "busy-port", "railcars", as_recorded=PUBLISHED) == [RISING]
        assert notes(connection, "busy-port", "containers") == []
        assert notes(connection, "busy-port", as_of=PUBLISHED - DAY) == []
