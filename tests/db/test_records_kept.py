"""Records of our own work go after their time, save what an alert rests on; the database learns how much it holds."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from db.alerts import alerts
from db.deliveries import deliveries
from db.ended_sessions import end_session, ended_sessions
from db.engine import reading, writing
from db.evaluations import unjudged
from db.flights import record_visits, visits
from db.observations import looks, record_observations
from db.records import Evidence
from db.records_kept import RecordsGone, forget_records
from db.schema import alert, coverage_hour, delivery, evaluation, metadata, poll, rejection
from monitor import pipeline
from tests.kit.builders import look
from tests.kit.web_rig import NOW, Rig, rig, tell_story

DAY = timedelta(days=1)
SITES = ["busy-port", "quiet-field", "donut-base"]


def forget(engine: Engine, later: timedelta) -> RecordsGone:
    return forget_records(engine, NOW + later, keep_records=400 * DAY, keep_verdicts=1_100 * DAY, sites=SITES)


def counted(engine: Engine, name: str) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one())


def fill(made: Rig) -> None:
    tell_story(made.app)
    with writing(made.app.engine) as connection:
        row = {"provider": "adsb.lol", "hour": NOW - DAY, "reason": "stale", "number": 3}
        connection.execute(rejection.insert(), [row])
        polls = [
            {"provider": "adsb.lol", "scope": f"s{number}", "slot": 7, "purpose": "data", "started_at": NOW, "derived": number != 1, "outcome": "ok"}
            for number in range(900)
        ]  # fmt: skip
        connection.execute(poll.insert(), polls)
        notice = {"identity": "n", "kind": "notice", "channel": "log", "state": "sent", "not_before": NOW, "payload": {}, "created_at": NOW, "sent_at": NOW}  # fmt: skip
        connection.execute(delivery.insert(), [notice])
        end_session(connection, "old", NOW)


def test_nothing_goes_before_its_time(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        fill(made)
        before = {name: counted(engine, name) for name in metadata.tables}
        assert forget(engine, 30 * DAY) == RecordsGone()
        assert {name: counted(engine, name) for name in metadata.tables} == before


def test_what_is_old_goes_and_counts_alerts_and_what_they_rest_on_stay(
    engine: Engine, tmp_path: Path
) -> None:
    with rig(engine, tmp_path) as made:
        fill(made)
        with reading(engine) as connection:
            cited = connection.execute(select(poll.c.id).where(poll.c.scope == "s5")).scalar_one()
            kept = (looks(connection, site_id="busy-port"), alerts(connection), unjudged(connection, NOW, 99))
            owed = [each for each in deliveries(connection) if each.kind == "alert"]
        _cite(engine, cited)
        gone = forget(engine, 500 * DAY)
        assert (gone.rejections, gone.notices, gone.sessions, gone.verdicts) == (1, 1, 1, 0)
        assert gone.hours == 3 * 24
        with reading(engine) as connection:
            left = {row.scope for row in connection.execute(select(poll.c.scope).where(poll.c.slot == 7))}
            assert left == {"s1", "s5"}, "one waits to be derived, and an alert rests on the other"
            assert [each for each in deliveries(connection) if each.kind == "alert"] == owed
            assert ended_sessions(connection) == frozenset()
        assert counted(engine, "coverage_hour") == counted(engine, "rejection") == 0
        told = forget(engine, 2_000 * DAY)
        assert told.verdicts > 0
        with reading(engine) as connection:
            assert looks(connection, site_id="busy-port") == kept[0]
            assert len(alerts(connection)) == len(kept[1])
            assert unjudged(connection, NOW + 3_000 * DAY, 99) == kept[2], "nothing is judged twice for that"
            rested = connection.execute(select(evaluation.c.look_key).distinct()).scalars().all()
        assert rested, "verdicts that alerts rest on"
        assert pipeline.judge(made.app, NOW + 1 * DAY).told == []


def _cite(engine: Engine, number: int) -> None:
    """Have an alert rest on a visit that was told from a poll."""
    with reading(engine) as connection:
        visit = visits(connection)[0]
        told = next(each for each in alerts(connection) if each.site_id == "quiet-field")
    evidence = [{"kind": "visit", "ref": visit.visit_id, "text": ""}]
    details = {**told.details, "entries": [{**told.details["entries"][0], "evidence": evidence}]}
    with writing(engine) as connection:
        record_visits(connection, [replace(visit, evidence=(Evidence("poll", str(number), ""),))])
        connection.execute(alert.update().where(alert.c.id == told.id).values(details=details))


def test_hours_of_an_archive_stay_while_it_is_loaded(engine: Engine) -> None:
    hour = {"provider": "archive", "site_id": "busy-port", "hour": NOW, "expected_s": 3600, "observed_s": 9}
    day = {"provider": "archive", "day": "2020-01-01", "plan": "p", "state": "recording", "begun_at": NOW}
    with writing(engine) as connection:
        connection.execute(coverage_hour.insert(), [hour])
        connection.execute(metadata.tables["backfill_day"].insert(), [day])
    assert forget(engine, 900 * DAY).hours == 0
    with writing(engine) as connection:
        connection.execute(metadata.tables["backfill_day"].update().values(state="done"))
    assert forget(engine, 900 * DAY).hours == 1


def test_the_database_learns_how_its_tables_are_filled(engine: Engine) -> None:
    with writing(engine) as connection:
        record_observations(
            connection, [look(f"2023-09-{day:02}", day, "ships_present") for day in range(1, 29)]
        )
    forget(engine, DAY)
    table = "sqlite_stat1 where tbl" if engine.dialect.name == "sqlite" else "pg_stats where tablename"
    with reading(engine) as connection:
        assert connection.execute(text(f"select count(*) from {table} = 'observation'")).scalar_one() > 0
