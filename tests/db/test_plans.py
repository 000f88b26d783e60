"""No statement of page, API, command line and jobs reads a table that grows as a whole, on either database.

The program's own functions run over a filled database while every statement is explained; a function of `db` that
sends one and is not run here fails the test, so that none escapes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from db.engine import writing
from db.observations import record_observations
from db.schema import metadata, observation, poll
from tests.kit.builders import look
from tests.kit.every_statement import run_everything
from tests.kit.plans import Plans, explaining, functions_that_ask

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")

SMALL: Mapping[str, str] = {
    "alembic_version": "one row",
    "public_moment": "one row, of the connection itself",
    "metric": "one row a metric",
    "series": "a few rows a site; looks are found by way of them",
    "rule_state": "a few rows a series",
    "measure_admission": "a few rows a site",
    "provider_state": "one row a provider",
    "channel_state": "one row a channel",
    "lease": "a few rows",
    "token": "one row a person and log-out",
    "silence": "people make them one by one",
    "site_version": "one row a site, and one for each time that somebody edits it",
    "change": "as site_version",
    "blind_period": "one row a site and outage that was told",
    "cutout": "six a site at most",
    "cutout_failure": "scenes of the last weeks alone",
    "pixel_failure": "scenes that could not be read alone",
    "pixels_read": "one row a day",
    "receiver_hour": "one day of hours",
    "visitor_key": "one row a day, for as long as identities are kept",
    "alias": "for as long as identities are kept",
    "backfill_day": "one row a day of an archive",
    "backfill_part": "of the day that is being read alone",
}
"""Tables that do not grow with the years of a watch; all others do."""
ALLOWED: Mapping[str, Mapping[str, str]] = {
    "backup._count": dict.fromkeys(metadata.tables, "a person asks for all that is stored"),
    "backup._pour": dict.fromkeys(metadata.tables, "a person asks for all that is stored"),
    "backup._put_rows": dict.fromkeys(metadata.tables, "a person puts back all that was stored"),
    "backup._go_on_counting": dict.fromkeys(metadata.tables, "a person puts back all that was stored"),
    "alerts._all": {
        "alert": "once an hour it is asked what alerts rest on; a list is asked for by site or to a limit"
    },
    "api_requests.begin_request": {"api_request": "answers of one week to programs, and those too old go"},
    "alerts.newest_events": {
        "alert": "the newest of a feed that is asked for now and then: alarms are rare by promise",
        "alert_event": "as above",
    },
    "alerts.alerts_by_status": {
        "alert": "numbers, out of an index or of few rows: alarms are rare by promise"
    },
    "deliveries.deliveries": {"delivery": "a replay tells all of its own short story"},
    "deliveries.outbox_summary": {
        "delivery": "numbers, out of an index: what is older than it is kept is gone"
    },
    "deriving.drop_unborn_looks": {"evaluation": "after a clock was ahead, which is mended once"},
    "extracts.aircraft_in_extracts": {"extract": "once an hour, out of an index of what is kept for days"},
    "observations.count_recorded": {"observation": "a replay counts its own short story"},
    "observations.count_undated": {"observation": "a replay counts its own short story"},
    "page_marks.read_marks": {
        "poll": "from the newest on, to the first that ended",
        "delivery": "its last number, which is the last entry of the table itself",
    },
    "pages.sites_on_record": {
        "declared_baseline": "a person asks across all sites; people bring in few",
        "note": "as above",
    },
    "pages.visit_page": {
        "visit": "of all sites together, from the newest on by the index of that: a class or an operator is looked for on the way",
        "visit_version": "as above, in public, where an index of versions alone would be another order",
    },
    "pages.count_visits": dict.fromkeys(
        ("visit", "visit_version"), "as visit_page, and to 10,000 of them at most"
    ),
    "alerts.count_alerts": {"alert": "to 10,000 of them at most, and alarms are rare by promise"},
    "pages.visit_marks": {"visit": "as visit_page", "visit_version": "as visit_page"},
    "pixels.pixel_summaries": {
        "pixel_look": "asked for by site, out of an index; few passes PostgreSQL reads whole"
    },
    "pixels.drop_pixels": {"pixel_look": "once an hour, the sites out of an index"},
    "detections.looks_by_source": {
        "detection": "a person asks how a detector of their own fares; and its trial"
    },
    "radar.drop_radar": {
        "radar_look": "once an hour; a site has some hundreds of rows a year",
        "radar_admission": "one row for each measure of a zone",
    },
    "radar.last_radar_reads": {"radar_look": "a site has some hundreds of rows a year; kept with the page"},
    "radar.passes_by_orbit": {"radar_look": "as above"},
    "radar.radar_decided": {"radar_admission": "one row for each measure of a zone"},
    "records_kept._told_looks": {
        "alert": "once an hour: alarms are rare by promise",
        "alert_event": "as above",
    },
    "migrate.migrate": dict.fromkeys(metadata.tables, "an upgrade goes through what it changes, once"),
    "scenario_mark.holds_data": {"poll": "whether there is any", "observation": "whether there is any"},
}
"""By function of `db`: what it reads whole all the same, and why."""
NOT_RUN: Mapping[str, str] = {
    "backup._drop_staged": "on PostgreSQL alone: it drops tables",
    "backup._go_on_counting": "on PostgreSQL alone",
    "migrate._lock": "on PostgreSQL alone: no table is read",
    "retention._anonymise": "by the id of one visit",
    "versions.read": "on PostgreSQL alone: no table is read",
    "retention._watched_ones": "by addresses",
}


_BY_OTHERS = frozenset({"backup._put_rows", "backup._pour", "migrate.migrate"})
"""What they ask is not asked by the name `connection`."""


def forbidden(plans: Plans) -> list[str]:
    """What is read whole and may not be, each with the statement."""
    return [
        f"{asker} reads all of {table}: {statement}"
        for asker, scans in sorted(plans.scans.items())
        for table, statement in scans.items()
        if table in metadata.tables and table not in SMALL and table not in ALLOWED.get(asker, {})
    ]


@pytest.mark.timeout(900)
def test_no_statement_reads_a_table_that_grows(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with explaining() as plans:
        run_everything(engine, tmp_path, monkeypatch)
    found = forbidden(plans)
    assert not found, "\n".join(found)
    missed = functions_that_ask() - plans.asked - NOT_RUN.keys()
    assert not missed, f"not run here, so that nobody knows how they read: {sorted(missed)}"
    assert plans.statements > 300


def test_what_is_exempt_is_there() -> None:
    assert set(SMALL) - {"alembic_version", "public_moment"} <= set(metadata.tables)
    assert {*ALLOWED, *NOT_RUN} - _BY_OTHERS <= functions_that_ask()


@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: connection.execute(select(observation.c.value).where(observation.c.value > 3)),
        lambda connection: connection.execute(select(poll.c.id).where(poll.c.error == "x").limit(5)),
    ],
)
def test_a_scan_is_seen(
    engine: Engine, ask: Callable[[Connection], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.kit.plans._asker", lambda: "a.scan")
    with writing(engine) as connection:
        record_observations(connection, [look("2024-07-09", 3, "ships_present")])
    with explaining() as plans, writing(engine) as connection:
        ask(connection)
    assert len(forbidden(plans)) == 1
