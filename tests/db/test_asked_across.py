"""Visits, looks and alerts of all sites by what is asked of them, on both databases: as a plain reading of all would find them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, text

from db.alerts import alerts_asked, insert_alert
from db.engine import reading, writing
from db.flights import record_visits
from db.observations import record_observations
from db.pages import look_id, look_page, looks_by_id, newest_looks, visit_marks, visit_page, visit_place
from db.records import Alert, AlertFilter, LookFilter, Observation, Visit, VisitFilter
from db.schema import observation, series
from tests.kit.builders import at, look

DAY = timedelta(days=1)
BEGIN = at("2024-01-01")
WATCHED, PRIVATE = "15521f", "3c6dd2"


def visit(number: int, icao24: str = WATCHED, **fields: object) -> Visit:
    begun = BEGIN + number * DAY
    watched = [f"icao24:{icao24}"] if icao24 == WATCHED else []
    made = Visit(
        visit_id=f"v{number:03}",
        version=1,
        site_id=("quiet-field", "donut-base")[number % 2],
        icao24=icao24,
        state="departed",
        confidence=1 + number % 4,
        arrived_at=begun,
        departed_at=begun + DAY,
        first_fix_at=begun,
        last_fix_at=begun + DAY,
        recorded_at=begun + DAY,
        type_code="IL62" if icao24 == WATCHED else "C56X",
        registration="RA-86559" if icao24 == WATCHED else "D-CABC",
        callsign="RSD1" if icao24 == WATCHED else "DCABC",
        subjects=("class:vip", *watched),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture
def full(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        record_visits(connection, [visit(number, PRIVATE if number % 3 else WATCHED) for number in range(24)])
        record_visits(
            connection,
            [
                visit(30, arrived_at=None, first_fix_at=None, last_fix_at=None, departed_at=None),
                visit(31, "", registration="", callsign="", subjects=("class:vip",)),
            ],
        )
    with reading(engine) as connection:
        yield connection


def ids(found: list[Visit]) -> list[str]:
    return [each.visit_id for each in found]


def test_visits_of_all_sites_come_by_type_subject_state_and_confidence(full: Connection) -> None:
    everything = visit_page(full, VisitFilter(), None, 100)
    assert len(everything) == 26
    tried = product(
        (None, ["IL62"], ["C56X", "IL62"]),
        ((), ("class:vip",), ("class:vip", f"icao24:{WATCHED}")),
        (None, 3),
        (None, ["donut-base"]),
    )
    for types, subjects, confidence, sites in tried:
        wanted = VisitFilter(
            site_ids=sites, type_codes=types, subjects=subjects, least_confidence=confidence, state="departed"
        )
        plain = [
            each.visit_id
            for each in everything
            if (types is None or each.type_code in types)
            and set(subjects) <= set(each.subjects)
            and (confidence is None or each.confidence >= confidence)
            and (sites is None or each.site_id in sites)
        ]
        assert ids(visit_page(full, wanted, None, 100)) == plain
        assert [each.visit_id for each in visit_marks(full, wanted, 100)] == plain


@pytest.mark.parametrize(
    "named",
    [
        {"icao24": PRIVATE},
        {"registration": "D-CABC"},
        {"callsign": "DCABC"},
        {"icao24": ""},
        {"registration": ""},
    ],
)
def test_who_is_not_watched_is_found_by_no_name(full: Connection, named: dict[str, str]) -> None:
    assert visit_page(full, VisitFilter(**named), None, 100) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("named", [{"icao24": WATCHED}, {"registration": "RA-86559"}, {"callsign": "RSD1"}])
def test_who_is_watched_is_found_by_each_name(full: Connection, named: dict[str, str]) -> None:
    found = visit_page(full, VisitFilter(**named), None, 100)  # type: ignore[arg-type]
    assert ids(found) == ["v030", *(f"v{number:03}" for number in range(21, -1, -3))]


def test_visits_come_by_pages_in_one_order_also_where_times_are_missing(full: Connection) -> None:
    found: list[Visit] = []
    after = None
    while page := visit_page(full, VisitFilter(subjects=("class:vip",)), after, 5):
        found += page
        after = visit_place(page[-1])
    assert ids(found) == ids(sorted(found, key=visit_place, reverse=True))
    assert len(found) == 26


def test_the_newest_visits_are_read_off_an_index_and_not_sorted(engine: Engine) -> None:
    query = "select visit_id from visit order by began_at desc, visit_id desc limit 50"
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            told = " ".join(row[3] for row in connection.execute(text(f"explain query plan {query}")))
        else:
            # Of few rows it reads all and sorts them, whatever indexes there are.
            for way in ("seqscan", "bitmapscan", "sort"):
                connection.execute(text(f"set local enable_{way} = off"))
            told = " ".join(row[0] for row in connection.execute(text(f"explain {query}")))
    assert "ix_visit_began_at" in told
    assert "TEMP B-TREE" not in told
    assert "Sort" not in told


def alert(number: int, **fields: object) -> Alert:
    opened = BEGIN + number * DAY
    made = Alert(
        id=f"al_{number}",
        fingerprint=f"f{number}",
        site_id=("quiet-field", "busy-port")[number % 2],
        site_name="",
        area="",
        metric=("arrivals", "containers")[number % 2],
        group_key="",
        subjects=("class:vip", "type:T160") if number % 3 else (),
        rule="record",
        rules=("record",),
        status="open" if number > 6 else "resolved",
        phenomenon_time=opened,
        opened_at=opened,
        closed_at=None if number > 6 else opened + 2 * DAY,
        last_look_at=opened,
        value=1,
        peak=1,
        baseline={},
        headline="",
        confidence="",
        incident_id="in",
        details={},
        events=1,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_alerts_come_by_all_that_is_asked_of_them(engine: Engine) -> None:
    made = [alert(number) for number in range(10)]
    with writing(engine) as connection:
        for each in made:
            insert_alert(connection, each)
    tried = product(
        (None, ["busy-port"], []),
        (None, [""], ["type:T160"], ["", "class:vip"], ["class:none"]),
        (None, "open"),
        ((None, None), (BEGIN + 4 * DAY, None), (None, BEGIN + 4 * DAY), (BEGIN + 3 * DAY, BEGIN + 7 * DAY)),
        (None, ["al_1", "al_8"]),
    )
    with reading(engine) as connection:
        for sites, subjects, status, (since, until), some in tried:
            wanted = AlertFilter(
                site_ids=sites, subjects=subjects, status=status, since=since, until=until, alert_ids=some
            )
            plain = [
                each.id
                for each in reversed(made)
                if (sites is None or each.site_id in sites)
                and (subjects is None or set(subjects) & set(each.subjects or ("",)))
                and status in {None, each.status}
                and (since is None or each.closed_at is None or each.closed_at >= since)
                and (until is None or each.opened_at < until)
                and (some is None or each.id in some)
            ]
            assert [each.id for each in alerts_asked(connection, wanted, None, 100)] == plain
            paged: list[Alert] = []
            place = None
            while page := alerts_asked(connection, wanted, place, 3):
                paged += page
                place = (page[-1].opened_at, page[-1].id)
            assert [each.id for each in paged] == plain


LOOKS = st.lists(
    st.builds(
        lambda day, length, metric, subject, site: replace(
            look(
                f"{BEGIN + day * DAY:%Y-%m-%d}", 1, metric, subject, site_id=site, look_key=f"{day}-{length}"
            ),
            period_end=BEGIN + (day + length) * DAY,
        ),
        st.sampled_from([0, 1, 5, 40, 41, 300, 900]),
        st.sampled_from([1, 7, 300]),
        st.sampled_from(["containers", "ships_present"]),
        st.sampled_from(["", "ship:a", "ship:b"]),
        st.sampled_from(["busy-port", "quiet-field"]),
    ),
    max_size=25,
)
FILTERS = st.builds(
    lambda metric, subjects, since, until: LookFilter(
        metric=metric,
        subjects=subjects,
        since=None if since is None else BEGIN + since * DAY,
        until=None if until is None else BEGIN + until * DAY,
    ),
    st.sampled_from([None, "containers"]),
    st.sampled_from([None, [""], ["ship:a", "ship:b"], []]),
    st.sampled_from([None, 3, 250, 950]),
    st.sampled_from([None, 2, 60, 901]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=LOOKS, wanted=FILTERS, limit=st.integers(1, 30))
def test_the_newest_looks_are_the_end_of_all_looks(
    engine: Engine, found: list[Observation], wanted: LookFilter, limit: int
) -> None:
    with writing(engine) as connection:
        for table in (observation, series):
            connection.execute(delete(table))
        record_observations(connection, found)
    with reading(engine) as connection:
        whole = look_page(connection, wanted, None, 1000)
        told = newest_looks(connection, wanted, limit)
        starts = sorted((each.period_start for each in whole), reverse=True)[:limit]
        assert [start for _, start, _ in told] == starts
        assert set(told) <= {look_id(each) for each in whole}
        assert len(set(told)) == len(told)
        assert [look_id(each) for each in looks_by_id(connection, told, wanted)] == told
