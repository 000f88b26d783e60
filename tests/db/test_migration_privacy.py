"""What earlier versions kept against their word is removed by the upgrade, which says so; what rests on it stays."""

import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.alerts import alerts
from db.engine import open_engine, reading, writing
from db.extracts import extracts_of, polls_behind
from db.flights import visits
from db.migrate import migrate

NOON = datetime(2023, 10, 5, 12, tzinfo=UTC)
VIP, JET, LADD, BY_LIST = "15521f", "a1b2c3", "abc123", "abd456"
PLANTED = (LADD, BY_LIST, "N123PX", "N777QZ", "Mr Planted Owner", "GLF6")
OLD = {
    icao24: hashlib.sha256(f"{icao24}|quiet-field|2023-10-05T11:00".encode()).hexdigest()[:20]
    for icao24 in (VIP, JET)
}
ANSWER = {
    "now": 1696503600000,
    "ac": [
        {
            "hex": VIP,
            "flight": "RSD086  ",
            "r": "RA-86559",
            "lat": 39.2,
            "lon": 125.7,
            "ownOp": "Mr Planted Owner",
        },
        {"hex": LADD, "r": "N123PX", "t": "GLF6", "dbFlags": 8, "ownOp": "Mr Planted Owner"},
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A database of the version before, with a story in it."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'older.db'}")
    else:
        engine = open_engine(request.getfixturevalue("empty_postgres_url"))
    migrate(engine, "0005")
    with writing(engine) as connection:
        for table, values in story(engine):
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"insert into {table} ({names}) values ({marks})"), values)
    return engine


def story(engine: Engine) -> list[tuple[str, dict[str, Any]]]:
    at: Any = NOON if engine.dialect.name == "postgresql" else int(NOON.timestamp() * 1e6)
    body = json.dumps(ANSWER).encode()
    digest = hashlib.sha256(body).hexdigest()
    evidence = json.dumps([{"kind": "visit", "ref": OLD[VIP], "text": "arrived"}])
    poll = {"provider": "adsb.lol", "scope": "circle", "purpose": "data", "started_at": at, "finished_at": at}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("poll", {"id": 7, "slot": 1, "outcome": "ok", "payload_sha256": digest, **poll}),
        (
            "payload",
            {
                "sha256": digest, "body": gzip.compress(body), "encoding": "gzip", "size": len(body), "provider": "adsb.lol",
                "redistribute": True, "received_at": at, "cited": True,
            },
        ),
        ("aircraft", aircraft("tar1090-db", BY_LIST, "N777QZ", 8, at)),
        ("aircraft", aircraft("opensky", BY_LIST, "N777QZ", 0, at)),
        ("aircraft", aircraft("tar1090-db", VIP, "RA-86559", 1, at)),
        (
            "series",
            {"site_id": "quiet-field", "area": "", "metric": "stay_h", "subject": "", "procedure": "adsb:1", "kind": "flow"},
        ),
        (
            "observation",
            {
                "site_id": "quiet-field", "area": "", "metric": "stay_h", "subject": "", "procedure": "adsb:1",
                "period_start": at, "look_key": OLD[VIP], "revision": 0, "period_end": at, "precision": "minute", "value": 2,
                "exposure_parts": "{}", "closed": True, "result_time": at, "recorded_at": at, "evidence": evidence,
            },
        ),
        (
            "alert",
            {
                "id": "alert-1", "fingerprint": "f", "site_id": "quiet-field", "site_name": "Quiet Field", "metric": "stay_h",
                "subjects": "[]", "rule": "record", "rules": "[]", "status": "open", "phenomenon_time": at, "opened_at": at,
                "last_look_at": at, "baseline": "{}", "headline": "x", "incident_id": "alert-1", "events": 1,
                "details": json.dumps({"entries": [{"look_key": OLD[VIP], "evidence": json.loads(evidence)}]}),
            },
        ),
    ]  # fmt: skip
    for icao24 in (LADD, BY_LIST, JET):
        flags = 8 if icao24 == LADD else 0
        fix = {
            "icao24": icao24,
            "at": at,
            "provider": "adsb.lol",
            "received_at": at,
            "lat": 1,
            "lon": 1,
            "db_flags": flags,
        }
        rows.append(("fix", fix))
    for icao24, registration in ((VIP, "RA-86559"), (JET, "N55JET"), (BY_LIST, "N777QZ")):
        rows += visit(icao24, registration, at)
    return rows


def aircraft(source: str, icao24: str, registration: str, flags: int, at: object) -> dict[str, Any]:
    return {
        "icao24": icao24, "source": source, "registration": registration, "type_code": "GLF6" if icao24 != VIP else "IL62",
        "flags": flags, "imported_at": at,
    }  # fmt: skip


def visit(icao24: str, registration: str, at: object) -> list[tuple[str, dict[str, Any]]]:
    subjects = [f"icao24:{icao24}"] if icao24 == VIP else []
    values = {
        "visit_id": OLD.get(icao24, hashlib.sha256(icao24.encode()).hexdigest()[:20]), "version": 1,
        "site_id": "quiet-field", "icao24": icao24, "state": "departed", "confidence": 4, "first_fix_at": at,
        "last_fix_at": at, "recorded_at": at, "registration": registration, "subjects": json.dumps(subjects),
        "candidates": "{}", "evidence": json.dumps([{"kind": "poll", "ref": "7", "text": f"{registration} on the ground"}]),
    }  # fmt: skip
    return [("visit", values), ("visit_version", values)]


def everything(engine: Engine) -> str:
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            names = (
                connection.execute(text("select name from sqlite_master where type = 'table'"))
                .scalars()
                .all()
            )
        else:
            names = (
                connection.execute(
                    text("select table_name from information_schema.tables where table_schema = 'public'")
                )
                .scalars()
                .all()
            )
        return "\n".join(str(connection.execute(text(f'select * from "{name}"')).all()) for name in names)


def test_an_older_database_is_cleaned_and_what_was_removed_is_said(older: Engine) -> None:
    said = "\n".join(migrate(older))
    assert "1 raw answers of feeds were removed, of which 1 extracts about watched aircraft are kept" in said
    assert (
        "2 reports and claims of aircraft whose operators asked not to be shown were removed, 2 versions of"
        in said
    )
    assert "3 visits have new ids" in said
    found = everything(older)
    assert [word for word in (*PLANTED, *OLD.values()) if word in found] == []
    with reading(older) as connection:
        (about,) = alerts(connection)
        ids = {each.icao24: each.visit_id for each in visits(connection)}
        assert set(ids) == {VIP, JET, ""}
        assert polls_behind(connection, about) == {ids[VIP]: (7,)}
        assert about.details["entries"][0]["look_key"] == ids[VIP]
        (extract,) = extracts_of(connection, [7])
        stay = connection.execute(text("select look_key from observation")).scalar_one()
    assert stay == ids[VIP]
    assert extract.rows == ({"hex": VIP, "flight": "RSD086  ", "r": "RA-86559", "lat": 39.2, "lon": 125.7},)
    assert migrate(older) == []
    older.dispose()


@pytest.mark.sqlite
def test_nothing_that_was_removed_stands_in_the_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'older.db'}")
    migrate(engine, "0005")
    with writing(engine) as connection:
        for table, values in story(engine):
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"insert into {table} ({', '.join(values)}) values ({marks})"), values)
    assert b"N777QZ" in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    migrate(engine)
    for path in tmp_path.iterdir():
        raw = path.read_bytes()
        assert [word for word in (*PLANTED, *OLD.values()) if word.encode() in raw] == [], path
    engine.dispose()
