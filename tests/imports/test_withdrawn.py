"""A count that shipped by mistake is taken back where it was loaded, with what rested on it; said once."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from db.alerts import alert_events, alerts
from db.engine import reading
from db.observations import every_revision, looks
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.imports import import_file
from tests.kit.cast import CAST_BY_ID, write_cast

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE = (
    "site_id,start,end,precision,metric,subject,value,comparator,published,announced,publisher,via,url,certainty,note\n"
    "kp-tumangang,2022-11-18,2022-11-18,day,railcars,,5,=,,,White House imagery cited by CSIS Beyond Parallel,Militarnyi,"
    "https://mil.in.ua/en/news/dprk-increases-rail-traffic-with-russia,medium,Five Russian railcars.\n"
    "kp-rajin,2024-02-12,2024-03-10,window,ships_present,,0,=,,,NK News / NK Pro,,https://newsrebeat.com/world-news/201412.html,"
    "medium,About a month without calls after the ship Maia-1 on 2024-02-12.\n"
    "kp-sunan,2024-01-06T03:00:00Z,2024-01-06T03:00:00Z,hour,arrivals,class:vip_military,1,=,,,KBS on Flightradar24,,"
    "http://world.kbs.co.kr/service/news_view.htm?lang=g&Seq_Code=99325,high,Landed about 12:00.\n"
)


@pytest.fixture
def program(engine: Engine, tmp_path: Path) -> Iterator[App]:
    """The program as it ships, but for the database."""
    settings = Settings(
        database_url=SecretStr(f"sqlite:///{tmp_path}/other.db"),
        sites_file=ROOT / "sites.geojson",
        history_file=ROOT / "history" / "published.csv",
    )
    with closing(build_app(settings)) as app:
        app.engine.dispose()
        yield replace(app, engine=engine)


@pytest.fixture
def older(program: App, tmp_path: Path) -> App:
    """A database that loaded and judged the history of an earlier version."""
    path = tmp_path / "published.csv"
    path.write_text(BEFORE, encoding="utf-8")
    pipeline.note_sites(program, NOW)
    assert import_file(program.engine, path, program.sites, NOW).stored == 3
    pipeline.judge(program, NOW)
    return program


def test_the_false_zero_is_taken_back_said_once_and_shown_to_no_day(older: App) -> None:
    said = pipeline.start(older, NOW)
    zeros = [
        each for each in said if "taken back: kp-rajin, ships_present, 2024-02-12 to 2024-03-10, 0." in each
    ]
    assert len(zeros) == 1
    assert "says nothing of others" in zeros[0]
    for as_of in (None, datetime(2024, 3, 12, tzinfo=UTC)):
        with reading(older.engine) as connection:
            known = looks(connection, site_id="kp-rajin", metric="ships_present", as_of=as_of)
        assert not [each for each in known if each.value == 0]
    with reading(older.engine) as connection:
        kept = every_revision(connection, "kp-rajin", "", "ships_present")
    assert [
        (each.revision, each.value, each.assessable) for each in kept if each.written_start == "2024-02-12"
    ] == [
        (1, 0, None),
        (2, None, False),
    ]
    pipeline.judge(older, NOW)
    again = pipeline.start(older, NOW)
    assert not [each for each in again if "taken back" in each]


def test_an_arrival_that_is_told_by_its_day_now_stays_one_alert(older: App) -> None:
    def of_that_day() -> list[str]:
        with reading(older.engine) as connection:
            found = [each for each in alerts(connection, site_id="kp-sunan") if each.status != "withdrawn"]
        return [f"{each.headline} {each.peak:g}" for each in found if "2024-01-06" in each.headline]

    assert len(of_that_day()) == 1
    assert "at 03:00 UTC" in of_that_day()[0]
    pipeline.start(older, NOW)
    pipeline.judge(older, NOW)
    (told,) = of_that_day()
    assert "at 03:00 UTC" not in told
    assert told.endswith(" 1")


def test_a_date_that_is_learnt_later_is_taken_up(older: App) -> None:
    def known(as_of: str) -> list[float | None]:
        with reading(older.engine) as connection:
            at = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
            return [
                each.value for each in looks(connection, site_id="kp-tumangang", metric="railcars", as_of=at)
            ]

    assert 5 in known("2022-12-01")
    pipeline.start(older, NOW)
    assert 5 not in known("2022-12-01")
    assert 5 in known("2023-01-20")


def test_a_new_database_has_nothing_to_take_back(program: App) -> None:
    assert not [each for each in pipeline.start(program, NOW) if "taken back" in each]


def test_an_alert_that_a_false_zero_ended_has_an_unknown_outcome(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(
        database_url=SecretStr(f"sqlite:///{tmp_path}/other.db"),
        sites_file=write_cast(tmp_path),
        history_file=tmp_path / "none.csv",
    )
    head = "site_id,start,end,metric,value,comparator,assessable,published,publisher\n"
    path = tmp_path / "counts.csv"
    with closing(build_app(settings)) as built:
        built.engine.dispose()
        app = replace(built, engine=engine)
        pipeline.note_sites(app, NOW)
        for rows in (
            [
                "2019-10,2026-09,containers,20,max,,2026-10-01",
                "2026-10-20,,containers,300,=,,2026-10-21",
                "2026-10-25,,containers,0,=,,2026-10-26",
            ],
            ["2026-10-25,,containers,,,no,2026-10-28"],
        ):
            lines = [f"busy-port,{row},Institute\n" for row in rows]
            path.write_text(head + "".join(lines), encoding="utf-8")
            assert import_file(engine, path, CAST_BY_ID, NOW).faults == ()
            pipeline.judge(app, NOW)
        with reading(engine) as connection:
            (alert,) = (each for each in alerts(connection) if each.status != "withdrawn")
            life = alert_events(connection, alert.id)
    assert [each.kind for each in life] == ["opened", "resolved", "lapsed"]
    assert alert.status == "lapsed"
    assert "by which it had ended, was taken back or corrected: the outcome is unknown" in life[-1].reason
