"""The published facts that come with sitewatch: complete, in our own words, and knowable when they were."""

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from shapely import Point, Polygon
from sqlalchemy import Engine, func, select

from db.declared import declared, notes
from db.engine import reading
from db.observations import looks
from db.records import Observation
from db.schema import declared_baseline, note, observation
from monitor.imports import load_published
from monitor.sites import Site

PUBLISHED = Path(__file__).resolve().parents[2] / "history" / "published.csv"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
RUSSIA = {"ru-vostochny-cosmodrome": "Asia/Yakutsk"}


def rows() -> list[dict[str, str]]:
    with PUBLISHED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def site(site_id: str) -> Site:
    outline = Point(0, 0).buffer(0.01)
    assert isinstance(outline, Polygon)
    zone = RUSSIA.get(site_id, "Asia/Vladivostok" if site_id.startswith("ru-") else "Asia/Pyongyang")
    return Site(site_id, site_id, "airport", outline, ZoneInfo(zone))


SITES = {row["site_id"]: site(row["site_id"]) for row in rows()}


@pytest.fixture
def loaded(engine: Engine) -> Engine:
    assert load_published(engine, PUBLISHED, SITES, NOW).faults == ()
    return engine


def known(engine: Engine, site_id: str, metric: str, as_of: datetime = NOW) -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=site_id, metric=metric, as_of=as_of)


def test_every_row_becomes_a_record(loaded: Engine) -> None:
    with reading(loaded) as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (observation, declared_baseline, note)
        ]
    assert counts == [45, 5, 5]


def test_loading_at_every_start_changes_nothing(loaded: Engine) -> None:
    report = load_published(loaded, PUBLISHED, SITES, NOW)
    assert (report.stored, report.revised, report.declared, report.notes, report.unchanged) == (
        0,
        0,
        0,
        0,
        55,
    )


def test_facts_about_sites_that_nobody_watches_are_left_out(sqlite_engine: Engine) -> None:
    only = {"kp-tumangang": SITES["kp-tumangang"]}
    report = load_published(sqlite_engine, PUBLISHED, only, NOW)
    assert (report.stored, report.declared, report.notes) == (6, 2, 1)
    assert {fault.column for fault in report.faults} == {"site_id"}


def test_the_five_years_before_and_the_day(loaded: Engine) -> None:
    (day,) = [each for each in known(loaded, "kp-tumangang", "railcars") if each.value == 73]
    assert (day.qualifier, day.precision, day.series.procedure) == ("~=", "day", "published")
    assert day.period_start == datetime(2023, 10, 4, 15, tzinfo=UTC)
    assert day.result_time == datetime(2023, 10, 6, tzinfo=UTC)
    with reading(loaded) as connection:
        (at_most,) = declared(connection, "kp-tumangang", "railcars")
    assert (at_most.statistic, at_most.value, at_most.n_looks) == ("max", 20, None)
    assert at_most.window_end == datetime(2023, 9, 17, 15, tzinfo=UTC)
    assert at_most.series == day.series


def test_the_maximum_was_not_knowable_in_2022(loaded: Engine) -> None:
    with reading(loaded) as connection:
        assert declared(connection, "kp-tumangang", as_of=datetime(2022, 12, 1, tzinfo=UTC)) == []
        before = declared(connection, "kp-tumangang", as_of=datetime(2023, 10, 5, 23, 59, tzinfo=UTC))
        after = declared(connection, "kp-tumangang", as_of=datetime(2023, 10, 6, tzinfo=UTC))
    assert before == []
    assert {each.statistic for each in after} == {"max", "none_before"}


def test_the_autumn_calls_at_rajin_were_not_knowable_on_6_october(loaded: Engine) -> None:
    on_the_day = datetime(2023, 10, 6, tzinfo=UTC)
    assert known(loaded, "kp-rajin", "containers", on_the_day) == []
    assert known(loaded, "kp-rajin", "ship_calls", on_the_day) == []
    later = known(loaded, "kp-rajin", "containers", datetime(2023, 10, 13, tzinfo=UTC))
    assert [each.value for each in later] == [300]
    calls = known(loaded, "kp-rajin", "ship_calls", datetime(2023, 10, 16, tzinfo=UTC))
    assert [each.series.subject for each in calls] == ["link:dunai"]


def test_the_only_published_denominator(loaded: Engine) -> None:
    with reading(loaded) as connection:
        (share,) = declared(connection, "kp-rajin", "ships_present")
    assert (share.statistic, share.value, share.n_looks) == ("share", 49, 109)


def test_announced_visits_are_marked(loaded: Engine) -> None:
    arrivals = known(loaded, "kp-sunan", "arrivals")
    announced = [each for each in arrivals if each.announced]
    assert [each.period_start for each in announced] == [datetime(2023, 7, 24, 15, tzinfo=UTC)]
    with reading(loaded) as connection:
        assert [each.announced for each in notes(connection, "ru-dzyomgi")] == [True]


def test_the_visit_of_july_2023_says_how_long_it_was(loaded: Engine) -> None:
    (visit,) = [each for each in known(loaded, "kp-sunan", "arrivals") if "RA-86559 left" in each.note]
    assert "about 36 hours on the ground" in visit.note
    assert visit.result_time == datetime(2023, 8, 2, tzinfo=UTC)


def test_notes_keep_to_what_was_seen() -> None:
    for row in rows():
        assert not re.search(r"weapon|troop|violat|arms\b", row["note"], re.IGNORECASE), row["note"]
        assert not re.search(r"['\"“”„‘]\w.*\w['\"“”’]", row["note"]), row["note"]


@pytest.mark.shared
def test_the_facts_agree_with_the_research(shared_data: Path) -> None:
    with (shared_data / "published-counts.csv").open(encoding="utf-8", newline="") as stream:
        facts = list(csv.DictReader(stream))
    ours = rows()
    assert (len(ours), len(facts)) == (55, 52)
    for fact, own in zip(facts, ours[:52], strict=True):
        assert list(own) == list(fact)
        # Their sources state no time zone: the time of day is an assumption, the day is not.
        assumed = fact["start"] in {"2024-01-06T03:00:00Z", "2025-07-14T03:46:00Z"}
        told = {**fact, "precision": "day"} if assumed else fact
        assert {**own, "note": ""} == {**told, "note": ""}
        assert own["note"] != fact["note"] or not fact["note"]


@pytest.mark.shared
def test_no_figure_of_the_research_is_lost_or_invented(shared_data: Path) -> None:
    with (shared_data / "published-counts.csv").open(encoding="utf-8", newline="") as stream:
        facts = list(csv.DictReader(stream))
    figures = re.compile(r"\d+(?::\d+|\.\d+)?")
    for fact, own in zip(facts, rows()[:52], strict=True):
        cells = " ".join(value for column, value in fact.items() if column != "url")
        invented = set(figures.findall(own["note"])) - set(figures.findall(cells))
        assert not invented, own
