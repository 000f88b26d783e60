"""What was asked plainly before gives the same now that it is found by marks, lengths and series; on random looks."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, and_, delete, event, select

from db.engine import open_engine, reading, writing
from db.evaluations import record_evaluations, unjudged
from db.migrate import alembic_config, migrate
from db.moves import PeriodBounds, WrittenLook, move_look
from db.observations import READ_OBSERVATIONS, looks, observation_from_row, record_observations
from db.pages import look_id, look_page, newest_counts, series_summaries
from db.records import Evaluation, LookFilter, Observation, SeriesKey
from db.records.revisions import in_force
from db.schema import SERIES_KEY, evaluation, observation, series
from tests.kit.builders import at, look

BEGIN = at("2024-01-01")
DAY = timedelta(days=1)
EVER = BEGIN + 10_000 * DAY


@st.composite
def random_looks(draw: st.DrawFn) -> list[Observation]:
    """Looks of two sites and metrics, some long, some of them corrected, some without a count, known in any order."""
    found = []
    for number in range(draw(st.integers(1, 25))):
        day, length = draw(st.integers(0, 30)), draw(st.sampled_from([0, 1, 1, 1, 7, 300]))
        start = BEGIN + day * DAY
        known = BEGIN + draw(st.integers(0, 60)) * DAY
        value = draw(st.sampled_from([None, 0.0, 1.0, 5.0]))
        made = look(f"{start:%Y-%m-%d}", value, draw(st.sampled_from(["ships_present", "arrivals"])))
        key = replace(
            made.series,
            site_id=draw(st.sampled_from(["busy-port", "quiet-field"])),
            subject=draw(st.sampled_from(["", "type:A"])),
        )
        found.append(
            replace(
                made,
                series=key,
                period_start=start,
                period_end=start + length * DAY,
                look_key=draw(st.sampled_from([f"{start:%Y-%m-%d}", "scene"])),
                result_time=known,
                recorded_at=known + number * timedelta(seconds=1),
            )
        )
    return found


@contextmanager
def filled(template: Path, found: list[Observation]) -> Iterator[Connection]:
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{shutil.copy(template, Path(folder) / 'random.db')}")
        with writing(engine) as connection:
            for each in found:
                record_observations(connection, [each])
            yield connection
        engine.dispose()


def plainly(
    connection: Connection,
    site_ids: list[str],
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
) -> list[Observation]:
    """Every revision is read and chosen from, as the first version of the program did."""
    by_look: dict[object, list[Observation]] = defaultdict(list)
    for row in connection.execute(READ_OBSERVATIONS):
        each = observation_from_row(row)
        if (
            each.series.site_id in site_ids
            and (since is None or each.period_end > since or each.period_start >= since)
            and (until is None or each.period_start < until)
            and (as_of is None or each.result_time <= as_of)
        ):
            by_look[look_id(each)].append(each)
    chosen = [in_force(each, Observation.same_finding) for each in by_look.values()]
    return sorted(chosen, key=lambda each: (each.period_start, each.look_key, each.series))


moments = st.none() | st.integers(-5, 70).map(lambda number: BEGIN + number * DAY)
some_examples = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@some_examples
@given(found=random_looks(), limits=st.tuples(moments, moments, moments), size=st.integers(1, 7))
def test_looks_and_pages_of_any_stretch_are_those_that_reading_all_would_give(
    migrated_sqlite: Path,
    found: list[Observation],
    limits: tuple[datetime | None, datetime | None, datetime | None],
    size: int,
) -> None:
    since, until, as_of = limits
    with filled(migrated_sqlite, found) as connection:
        for site_id in ("busy-port", "quiet-field"):
            told = looks(connection, site_id=site_id, since=since, until=until, as_of=as_of)
            assert told == plainly(connection, [site_id], since, until, as_of)
        wanted = LookFilter(since=since, until=until, as_of=as_of)
        paged: list[Observation] = []
        while page := look_page(connection, wanted, look_id(paged[-1]) if paged else None, size):
            paged += page
        whole = plainly(connection, ["busy-port", "quiet-field"], since, until, as_of)
        # A page chooses among all revisions that were knowable, by look.
        assert [look_id(each) for each in paged] == sorted(
            (look_id(each) for each in whole), key=lambda each: (each[0], each[1], each[2])
        )
        assert {look_id(each): each for each in paged} == {look_id(each): each for each in whole}


@some_examples
@given(found=random_looks())
def test_the_ends_of_each_series_are_those_of_all_its_looks(
    migrated_sqlite: Path, found: list[Observation]
) -> None:
    with filled(migrated_sqlite, found) as connection:
        rows = [observation_from_row(row) for row in connection.execute(READ_OBSERVATIONS)]
        by_series: dict[SeriesKey, list[Observation]] = defaultdict(list)
        for each in rows:
            by_series[each.series].append(each)
        told = {each.key: each for each in series_summaries(connection)}
        assert told.keys() == by_series.keys()
        for key, summary in told.items():
            starts = [row.period_start for row in by_series[key]]
            counted = [row.period_start for row in by_series[key] if row.value is not None]
            assert (summary.first_at, summary.newest_at) == (min(starts), max(starts))
            assert summary.newest_counted_at == max(counted, default=None)
        here = series_summaries(connection, ["busy-port"])
        assert here == [each for key, each in told.items() if key.site_id == "busy-port"]
        for key, newest in newest_counts(connection, told.values()).items():
            of_site = looks(connection, site_id=key.site_id, metric=key.metric, subject=key.subject, area="")
            counts = [each for each in of_site if each.series == key and each.value is not None]
            assert newest == counts[-1]


def waiting_plainly(connection: Connection) -> list[Observation]:
    """Every look without a verdict, by an anti-join over all of them."""
    names = (*SERIES_KEY, "period_start", "look_key", "revision")
    same = and_(*(observation.c[name] == evaluation.c[name] for name in names))
    query = READ_OBSERVATIONS.outerjoin(evaluation, same).where(evaluation.c.rule.is_(None))
    order = (observation.c.result_time, *(observation.c[name] for name in names))
    return [observation_from_row(row) for row in connection.execute(query.order_by(*order))]


@some_examples
@given(found=random_looks(), judged=st.lists(st.integers(0, 24), max_size=20))
def test_what_waits_is_what_has_no_verdict(
    migrated_sqlite: Path, found: list[Observation], judged: list[int]
) -> None:
    with filled(migrated_sqlite, found) as connection:
        for number in judged:
            waiting = unjudged(connection, EVER, 100)
            assert waiting == waiting_plainly(connection)
            if number < len(waiting):
                record_evaluations(connection, verdicts_on(waiting[number]))
        moved = looks(connection, site_id="busy-port")
        for each in moved[:1]:
            bounds = PeriodBounds(each.period_start + DAY / 24, each.period_end + 400 * DAY, "", "UTC")
            move_look(connection, WrittenLook.of(each), bounds)
        assert unjudged(connection, EVER, 100) == waiting_plainly(connection)
        assert looks(connection, site_id="busy-port", since=BEGIN + 200 * DAY) == plainly(
            connection, ["busy-port"], BEGIN + 200 * DAY, None, None
        )


def verdicts_on(of: Observation) -> list[Evaluation]:
    return [
        Evaluation(
            of.key, rule, "evaluated", exceeded=False, details={}, as_of=of.result_time, recorded_at=EVER
        )
        for rule in ("record", "tail")
    ]


def test_waiting_looks_are_read_by_their_mark_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        record_observations(
            connection, [look(f"2024-01-{day:02}", day, "ships_present") for day in range(1, 29)]
        )
        for each in unjudged(connection, EVER, 27):
            record_evaluations(connection, verdicts_on(each))
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with reading(engine) as connection:
        assert len(unjudged(connection, EVER, 100)) == 1
    assert not [each for each in asked if "evaluation" in each]


def test_an_upgrade_has_wait_what_has_no_verdict_and_measures_every_series(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for url in (f"sqlite:///{tmp_path / 'old.db'}", request.getfixturevalue("empty_postgres_url")):
        engine = open_engine(url)
        migrate(engine)
        with writing(engine) as connection:
            found = [
                replace(look(f"2024-01-0{day}", day, "ships_present"), period_end=at("2024-03-01"))
                for day in range(1, 5)
            ]
            record_observations(connection, found)
            record_evaluations(connection, verdicts_on(found[0]))
        _down_and_up(engine)
        with reading(engine) as connection:
            assert [each.value for each in unjudged(connection, EVER, 10)] == [2, 3, 4]
            longest = connection.execute(select(series.c.longest_us)).scalar_one()
            assert timedelta(microseconds=longest) == max(
                each.period_end - each.period_start for each in found
            )
        with writing(engine) as connection:
            connection.execute(delete(evaluation))
        _down_and_up(engine)
        with reading(engine) as connection:
            assert len(unjudged(connection, EVER, 10)) == 4, (
                "whoever judges with an older version takes nothing away"
            )
        engine.dispose()


def _down_and_up(engine: Engine) -> None:
    with writing(engine) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0018")
    migrate(engine)
