"""Storing position reports and visits on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from db.engine import reading, writing
from db.flights import (
    fixes,
    insert_fixes,
    mark_derived,
    record_visits,
    underived_polls,
    visits,
)
from db.records import Evidence, Fix, Visit
from db.schema import poll
from tests.kit.reading import visit_versions

NOON = datetime(2023, 8, 1, 12, tzinfo=UTC)


def a_fix(seconds: float = 0, icao24: str = "15521f", **values: object) -> Fix:
    at = NOON + timedelta(seconds=seconds)
    base = Fix("adsb.lol", icao24, at, at + timedelta(seconds=2), 39.2, 125.7, on_ground=True)
    return replace(base, **values)  # type: ignore[arg-type]


def a_visit(**values: object) -> Visit:
    base = Visit(
        visit_id="v1",
        version=1,
        site_id="quiet-field",
        icao24="15521f",
        state="present",
        confidence=4,
        arrived_at=NOON,
        departed_at=None,
        first_fix_at=NOON,
        last_fix_at=NOON + timedelta(minutes=1),
        recorded_at=NOON + timedelta(minutes=2),
        subjects=("class:vip_military", "type:IL62"),
        candidates={"anchor": "2023-08-01T12:00"},
        evidence=(Evidence("poll", "7", "on the ground at 12:00 UTC"),),
    )
    return replace(base, **values)  # type: ignore[arg-type]


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as opened:
        yield opened


def test_a_repeated_report_is_stored_once_and_counted_once(connection: Connection) -> None:
    first, second = a_fix(0), a_fix(10)
    assert insert_fixes(connection, [first, second, first]) == 2
    assert insert_fixes(connection, [second, a_fix(20)]) == 1
    assert insert_fixes(connection, []) == 0
    assert [each.at for each in fixes(connection)] == [NOON + timedelta(seconds=s) for s in (0, 10, 20)]


def test_the_same_moment_from_two_providers_is_two_reports(connection: Connection) -> None:
    assert insert_fixes(connection, [a_fix(), a_fix(provider="adsb.fi")]) == 2
    assert [each.provider for each in fixes(connection)] == ["adsb.fi", "adsb.lol"]


def test_thousands_of_fixes_come_back_as_they_went_in(connection: Connection) -> None:
    many = [a_fix(n, icao24=f"{n % 700:06x}", altitude_ft=float(n), poll_id=n % 3) for n in range(5000)]
    assert insert_fixes(connection, many) == 5000
    assert fixes(connection) == sorted(many, key=lambda each: (each.at, each.icao24))
    wanted = [f"{n:06x}" for n in range(650)]
    assert {each.icao24 for each in fixes(connection, icao24s=wanted)} == set(wanted)
    assert {each.poll_id for each in fixes(connection, poll_ids=[0, 2])} == {0, 2}


def test_fixes_are_chosen_by_time_with_an_open_end(connection: Connection) -> None:
    insert_fixes(connection, [a_fix(0), a_fix(10), a_fix(20)])
    found = fixes(connection, since=NOON, until=NOON + timedelta(seconds=20))
    assert [each.at for each in found] == [NOON, NOON + timedelta(seconds=10)]


@pytest.mark.parametrize(
    ("box", "expected"),
    [((179.0, -17.0, -179.0, -16.0), ["east", "west"]), ((-180.0, -17.0, -179.0, -16.0), ["west"])],
)
def test_a_box_may_cross_the_antimeridian(
    connection: Connection, box: tuple[float, float, float, float], expected: list[str]
) -> None:
    insert_fixes(
        connection,
        [
            a_fix(0, icao24="east", lat=-16.8, lon=179.99),
            a_fix(1, icao24="west", lat=-16.8, lon=-179.99),
            a_fix(2, icao24="far", lat=-16.8, lon=0.0),
        ],
    )
    assert [each.icao24 for each in fixes(connection, box=box)] == expected


def test_only_finished_data_polls_wait_for_derivation(connection: Connection) -> None:
    base = {"provider": "adsb.lol", "scope": "a", "slot": 1, "started_at": NOON, "outcome": "ok"}
    done = {**base, "finished_at": NOON}
    connection.execute(
        poll.insert(),
        [
            {**done, "purpose": "data", "slot": 2},
            {**done, "purpose": "data", "slot": 1, "started_at": NOON - timedelta(minutes=1)},
            {**done, "purpose": "canary"},
            {**base, "finished_at": None, "outcome": None, "purpose": "data", "slot": 3},
        ],
    )
    waiting = underived_polls(connection)
    assert [each.slot for each in waiting] == [1, 2]
    mark_derived(connection, [waiting[0].id])
    assert [each.slot for each in underived_polls(connection)] == [2]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("poll where not poll.derived and poll.purpose = 'data' order by started_at", "ix_poll_underived"),
        (
            "visit where site_id = 'a' and visit.state in ('lost_toward', 'presumed', 'present')",
            "ix_visit_site_id_state",
        ),
        ("visit where site_id = 'a' and last_fix_at >= 3", "ix_visit_site_id_last_fix_at"),
        ("fix where icao24 in ('a', 'b') and at >= 3", "sqlite_autoindex_fix_1"),
    ],
)
def test_the_usual_questions_are_answered_by_an_index(sqlite_engine: Engine, query: str, index: str) -> None:
    with reading(sqlite_engine) as opened:
        plan = opened.execute(text(f"explain query plan select * from {query}")).all()
    assert index in str(plan)


def test_a_visit_grows_by_versions_and_nothing_is_overwritten(connection: Connection) -> None:
    assert [each.version for each in record_visits(connection, [a_visit()])] == [1]
    gone = a_visit(state="departed", departed_at=NOON + timedelta(hours=36))
    assert [each.version for each in record_visits(connection, [gone])] == [2]
    assert [each.state for each in visit_versions(connection, "v1")] == ["present", "departed"]
    assert visits(connection) == [replace(gone, version=2)]


def test_the_same_story_told_again_adds_no_version(connection: Connection) -> None:
    record_visits(connection, [a_visit()])
    again = a_visit(recorded_at=NOON + timedelta(hours=1), version=9)
    assert record_visits(connection, [again]) == []
    assert len(visit_versions(connection, "v1")) == 1


def test_a_later_last_fix_alone_refreshes_the_cache_only(connection: Connection) -> None:
    record_visits(connection, [a_visit()])
    later = NOON + timedelta(hours=2)
    assert record_visits(connection, [a_visit(last_fix_at=later)]) == []
    assert record_visits(connection, [a_visit(last_fix_at=NOON)]) == []
    assert [each.last_fix_at for each in visits(connection)] == [later]
    assert len(visit_versions(connection, "v1")) == 1


def test_two_versions_of_one_visit_may_come_in_one_call(connection: Connection) -> None:
    stored = record_visits(connection, [a_visit(), a_visit(confidence=3)])
    assert [(each.version, each.confidence) for each in stored] == [(1, 4), (2, 3)]


def test_an_open_visit_touches_every_later_time(connection: Connection) -> None:
    old = a_visit(visit_id="old", state="departed", departed_at=NOON + timedelta(minutes=1))
    record_visits(connection, [a_visit(), old, a_visit(visit_id="there", site_id="donut-base", icao24="abc")])
    much_later = NOON + timedelta(days=9)
    assert [each.visit_id for each in visits(connection, site_id="quiet-field", since=much_later)] == ["v1"]
    assert [each.visit_id for each in visits(connection, since=NOON)] == ["old", "there", "v1"]
    assert [each.visit_id for each in visits(connection, open_only=True)] == ["there", "v1"]
    assert [each.visit_id for each in visits(connection, icao24s=["abc"])] == ["there"]
    assert visits(connection, until=NOON) == []
    assert len(visits(connection, limit=2)) == 2
