"""A silence holds for its time, for one metric or all, and can be lifted."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from db.alerts import silenced
from db.engine import reading, writing
from db.silences import add_silence, drop_unborn_silences, lift_silences, silences

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def in_force(engine: Engine, at: datetime, metric: str = "ships_present") -> str | None:
    with reading(engine) as connection:
        return silenced(connection, "busy-port", metric, at)


def test_a_silence_of_one_metric_leaves_the_others_loud(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "containers", NOON, NOON + DAY, reason="exercise", by="ann")
    assert in_force(engine, NOON, "containers") == "exercise"
    assert in_force(engine, NOON) is None


def test_a_silence_of_a_site_covers_every_metric_until_it_ends(engine: Engine) -> None:
    with writing(engine) as connection:
        made = add_silence(connection, "busy-port", "", NOON, NOON + DAY, reason="exercise", by="ann")
        assert silences(connection, NOON) == [made]
        assert silences(connection, NOON + DAY) == []
    assert in_force(engine, NOON + DAY / 2) == "exercise"
    assert in_force(engine, NOON + DAY) is None


def test_lifting_ends_what_is_in_force_and_what_is_to_come(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", NOON, NOON + DAY)
        add_silence(connection, "busy-port", "containers", NOON + 2 * DAY, NOON + 3 * DAY)
        add_silence(connection, "quiet-field", "", NOON, NOON + DAY)
        assert lift_silences(connection, "busy-port", "", NOON + DAY / 2) == 2
        assert [each.site_id for each in silences(connection, NOON + DAY / 2)] == ["quiet-field"]
    assert in_force(engine, NOON + DAY / 2) is None


def test_lifting_one_metric_leaves_the_rest_silent(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", NOON, NOON + DAY, reason="all")
        add_silence(connection, "busy-port", "containers", NOON, NOON + DAY)
        assert lift_silences(connection, "busy-port", "containers", NOON + DAY / 2) == 1
    assert in_force(engine, NOON + DAY / 2, "containers") == "all"


def test_a_silence_that_ends_before_it_begins_is_refused(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as connection:
        add_silence(connection, "busy-port", "", NOON, NOON)


def test_a_silence_that_begins_in_the_future_was_made_by_a_wrong_clock(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", NOON, NOON + DAY, reason="all")
        add_silence(connection, "quiet-field", "", NOON + 3 * DAY, NOON + 4 * DAY)
        assert drop_unborn_silences(connection, NOON) == 1
        assert [each.site_id for each in silences(connection, NOON)] == ["busy-port"]
