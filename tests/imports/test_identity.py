"""One look stays one look: however its source is spelled, whatever its row is numbered, wherever its day begins."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, insert, select

from alerts.judging.judge import JudgingContext, judge_pending
from alerts.watch import SiteWatch, merge_watch
from db import schema
from db.alerts import alert_events, alerts
from db.declared import declared, notes
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import looks
from db.records import Observation
from db.spelling import folded, spelled, tidy
from monitor.bootstrap import RULES
from monitor.imports import (
    ImportClock,
    ImportReport,
    declared_of,
    import_file,
    load_declared,
    load_published,
    move_days,
    values,
)
from monitor.imports.faults import BadCell
from monitor.sites import Site
from monitor.sites.kinds import KINDS
from tests.kit.cast import CAST_BY_ID

pytestmark = pytest.mark.untraced

CASES = Path(__file__).parent / "cases"
NOW = datetime(2024, 8, 1, tzinfo=UTC)
HEADER = "site_id,start,metric,value,publisher"
PORT = CAST_BY_ID["busy-port"]
TUMANGANG = replace(PORT, id="kp-tumangang", timezone=ZoneInfo("Asia/Pyongyang"), declared_baselines=())
SITES = {"busy-port": PORT, "kp-tumangang": TUMANGANG}


def in_zone(name: str) -> dict[str, Site]:
    """The same sites with other clocks."""
    return {key: replace(site, timezone=ZoneInfo(name)) for key, site in SITES.items()}


def written(tmp_path: Path, text: str, name: str = "counts.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def imported(engine: Engine, path: Path, sites: Mapping[str, Site] = SITES, zone: str = "") -> ImportReport:
    return import_file(engine, path, sites, NOW, zone=zone)


def stored(engine: Engine, site_id: str = "kp-tumangang") -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=site_id)


def rows(engine: Engine, *tables: str) -> list[int]:
    with reading(engine) as connection:
        return [
            connection.execute(select(func.count()).select_from(schema.metadata.tables[each])).scalar_one()
            for each in tables
        ]


# Spelling

PLAIN = "CSIS Beyond Parallel"
SPELLINGS = [
    PLAIN.replace(" ", "\u00a0"), PLAIN.replace(" ", "\u202f"), PLAIN.replace(" ", "  "), f"{PLAIN}\u200b",
    f"\ufeff{PLAIN}", PLAIN.replace("o", "o\u00ad"), "ＣＳＩＳ Beyond Parallel", "csis beyond PARALLEL",
    PLAIN.replace(" ", "\u2060 \u2060"), PLAIN.replace("B", "\u200eB"), f"{PLAIN}\ufe0f",
]  # fmt: skip
PAIRS = [
    *((PLAIN, each) for each in SPELLINGS),
    ("조선중앙통신", unicodedata.normalize("NFD", "조선중앙통신")),
    ("Süddeutsche", unicodedata.normalize("NFD", "Süddeutsche")),
    ("Beyond-Parallel", "Beyond\u2010Parallel"),
    ("Beyond-Parallel", "Beyond–Parallel"),
    ("Jane's", "Jane’s"),
    ("Straße", "STRASSE"),
]
SPELLED = [
    (column, *pair)
    for column in ("publisher", "scene", "id", "method", "sensor", "method_version")
    for pair in PAIRS
    # The case of a scene and of an id is kept.
    if column not in {"scene", "id"} or spelled(pair[0]) == spelled(pair[1])
]


def test_a_publisher_with_other_blanks_is_no_second_witness(engine: Engine) -> None:
    assert imported(engine, CASES / "pub_plain.csv") == ImportReport(stored=1)
    assert imported(engine, CASES / "pub_nbsp.csv") == ImportReport(unchanged=1)
    assert len(stored(engine)) == 1


@pytest.mark.parametrize(("column", "one", "other"), SPELLED, ids=ascii)
def test_spelling_makes_no_second_look(
    sqlite_engine: Engine, tmp_path: Path, column: str, one: str, other: str
) -> None:
    header = f"site_id,start,metric,value,{column}\n"
    text = f"{header}busy-port,2024-07-09,ships_present,3,{{}}\n"
    first = imported(sqlite_engine, written(tmp_path, text.format(one)))
    again = imported(sqlite_engine, written(tmp_path, text.format(other)))
    assert (first, again) == (ImportReport(stored=1), ImportReport(unchanged=1))
    # Nor within one file.
    both = f"{text.format(one)}busy-port,2024-07-09,ships_present,4,{other}\n"
    assert "contradicts row 2" in str(imported(sqlite_engine, written(tmp_path, both)).faults[0])
    assert rows(sqlite_engine, "series") == [1]


@pytest.mark.parametrize("comparator", ["max", "trend_up"])
def test_nor_a_second_statement(sqlite_engine: Engine, tmp_path: Path, comparator: str) -> None:
    value = "20" if comparator == "max" else ""
    text = f"{HEADER},comparator,method\nbusy-port,2024-01,ships_present,{value},{{}},{comparator},analyst\n"
    imported(sqlite_engine, written(tmp_path, text.format(PLAIN)))
    for each in SPELLINGS:
        assert imported(sqlite_engine, written(tmp_path, text.format(each))) == ImportReport(unchanged=1)


def test_nor_in_a_sites_file(sqlite_engine: Engine) -> None:
    entry = {
        "metric": "ships_present", "comparator": "max", "value": 20, "start": "2023-01", "end": "2023-12",
        "precision": "window", "publisher": PLAIN,
    }  # fmt: skip
    for publisher in (PLAIN, *SPELLINGS):
        site = replace(PORT, declared_baselines=({**entry, "publisher": publisher},))
        with writing(sqlite_engine) as connection:
            assert load_declared(connection, {site.id: site}, ImportClock(NOW)) == []
    assert rows(sqlite_engine, "declared_baseline") == [1]
    assert len(declared_of(site, ImportClock(NOW))[0]) == 1


def test_what_is_shown_has_plain_blanks_and_composed_letters(sqlite_engine: Engine, tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Süddeutsche") + "\u00a0Zeitung\u200b"
    text = f"{HEADER}\nbusy-port,2024-07-09,ships_present,3,{name}\n"
    imported(sqlite_engine, written(tmp_path, text))
    assert [each.publisher for each in stored(sqlite_engine, "busy-port")] == ["Süddeutsche Zeitung"]


INVISIBLE = "\u200b\u200e\u00ad\ufeff\u2060\ufe0f\u034f"
NAMES = st.text(
    st.sampled_from("abcÄßéİ한글Ω½-–’' \u00a0\u3000" + INVISIBLE + "\u0301\u1100\u1161"), max_size=12
)


@given(NAMES)
def test_a_spelling_is_settled_once_and_for_all(name: str) -> None:
    assert tidy(tidy(name)) == tidy(name)
    assert spelled(spelled(name)) == spelled(name)
    assert folded(folded(name)) == folded(name)
    assert folded(tidy(name)) == folded(spelled(name)) == folded(name)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert folded(unicodedata.normalize(form, name)) == folded(name)


@given(NAMES, st.sampled_from(INVISIBLE), st.integers(0, 12))
def test_what_cannot_be_seen_changes_no_name(name: str, mark: str, at: int) -> None:
    assert folded(name[:at] + mark + name[at:]) == folded(name)


# Row numbers


def test_an_export_with_one_more_row_on_top_is_one_new_look(engine: Engine) -> None:
    first = imported(engine, CASES / "gpd_a.geojson")
    assert first == ImportReport(stored=3)
    assert first.notices == (
        (
            "The ids of 3 rows are bare numbers, as exports number their rows, and no name: such a look is known by its "
            "source and period."
        ),
    )
    assert imported(engine, CASES / "gpd_b.geojson") == ImportReport(stored=1, unchanged=3)
    assert [each.value for each in stored(engine)] == [11, 73, 20, 15]


@settings(deadline=None, max_examples=25)
@given(
    order=st.permutations(range(5)),
    begin=st.integers(0, 10_000),
    form=st.sampled_from(["{}", "{}.0", " {}", "#{}", "0{}"]),
)
def test_rows_may_be_numbered_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: Sequence[int], begin: int, form: str
) -> None:
    engine = open_engine("sqlite://")
    migrate(engine)
    path = tmp_path_factory.getbasetemp() / "drawn.csv"
    for numbers in (range(5), order):
        lines = [
            f"busy-port,2024-07-1{day},ships_present,{day},A,{form.format(begin + number)}\n"
            for day, number in zip(range(5), numbers, strict=True)
        ]
        path.write_text(f"{HEADER},id\n{''.join(lines)}", encoding="utf-8")
        imported(engine, path)
    assert rows(engine, "observation") == [5]
    engine.dispose()


def test_another_id_for_the_same_thing_is_said(engine: Engine, tmp_path: Path) -> None:
    text = f"{HEADER},id\nbusy-port,2024-07-09,ships_present,3,A,{{}}\n"
    assert imported(engine, written(tmp_path, text.format("fid-1"))).notices == ()
    report = imported(engine, written(tmp_path, text.format("fid-2")))
    assert report.stored == 1
    assert report.notices == (
        (
            "The same source counts the same site, metric, subject and period under another id already. Each was stored "
            "as a look of its own: row 2 (busy-port ships_present, 2024-07-09; there as fid-1)."
        ),
    )
    again = imported(engine, written(tmp_path, text.format("fid-2")))
    assert (again, again.notices) == (ImportReport(unchanged=1), ())
    other = text.replace(",A,", ",B,").format("fid-3")
    assert imported(engine, written(tmp_path, other)).notices == ()
    assert "there as fid-1" in imported(engine, written(tmp_path, text.format(""))).notices[0]


# Zones

STORY = "site_id,start,end,precision,metric,value,comparator,published,publisher,note\n" + "".join(
    f"kp-tumangang,{row}\n"
    for row in (
        "2018-10-06,2023-09-17,window,railcars,20,max,2023-01-06,CSIS,",
        "2023-10-05,,,railcars,73,~=,2023-10-16,CSIS,",
        "2023-10-06,,,railcars,70,=,2023-10-17,CSIS,",
        "2023-10,,,ships_present,4,=,2023-11-02,CSIS,",
        "2023-10-09T01:24Z,,day,railcars,71,=,2023-10-16,CSIS,",
        "2023-10-08T14:30Z,,,railcars,19,=,,CSIS,",
        "2023-11,2023-12,window,railcars,,trend_up,,CSIS,",
        "2023-11-07,,,note,,=,,CSIS,a remark",
    )
)
ZONES = st.sampled_from(
    ["Asia/Pyongyang", "Asia/Shanghai", "Asia/Magadan", "UTC", "America/New_York", "Pacific/Kiritimati",
     "Pacific/Pago_Pago", "Asia/Kathmandu"]
)  # fmt: skip


def judged(engine: Engine) -> list[tuple[object, ...]]:
    watch = SiteWatch(
        "kp-tumangang",
        "Tumangang",
        "railhead",
        "Asia/Pyongyang",
        metrics=merge_watch(KINDS["railhead"].watch),
    )
    bench = JudgingContext({"kp-tumangang": watch}, RULES, ("log",), too_old=timedelta(days=7))
    judge_pending(engine, bench, NOW)
    with reading(engine) as connection:
        return [
            (each.id, each.status, each.headline, len(alert_events(connection, each.id)))
            for each in alerts(connection)
        ]


ALL = ("observation", "series", "declared_baseline", "note", "evaluation", "alert", "alert_event", "delivery")


def days_of(engine: Engine, zone: str) -> list[str]:
    return [
        f"{each.period_start.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
        for each in stored(engine)
        if each.precision == "day"
    ]


@pytest.mark.parametrize("load", ["published", "by hand"])
def test_a_corrected_zone_repeats_no_history_and_no_alert(engine: Engine, tmp_path: Path, load: str) -> None:
    path = written(tmp_path, STORY)

    def take_in(sites: Mapping[str, Site]) -> ImportReport:
        return (
            load_published(engine, path, sites, NOW) if load == "published" else imported(engine, path, sites)
        )

    assert take_in(SITES).stored == 5
    told = judged(engine)
    assert len(told) == 1
    before = rows(engine, *ALL)
    for zone in ("Asia/Shanghai", "America/New_York", "Asia/Magadan", "Asia/Pyongyang"):
        assert take_in(in_zone(zone)) == ImportReport(unchanged=8)
        assert judged(engine) == told
        assert rows(engine, *ALL) == before
        assert days_of(engine, zone)[:2] == ["2023-10-05 00:00", "2023-10-06 00:00"]
        with reading(engine) as connection:
            (alert,) = alerts(connection)
            (baseline,) = declared(connection, "kp-tumangang")
            (trend, remark) = notes(connection, "kp-tumangang")
        midnight = datetime(2023, 10, 5, tzinfo=ZoneInfo(zone))
        assert (alert.phenomenon_time, alert.details["timezone"]) == (midnight, zone)
        assert alert.details["entries"][0]["period_start"] == midnight.astimezone(UTC).isoformat()
        assert baseline.window_end == datetime(2023, 9, 18, tzinfo=ZoneInfo(zone))
        assert trend.starts_at == datetime(2023, 11, 1, tzinfo=ZoneInfo(zone))
        assert remark.starts_at == datetime(2023, 11, 7, tzinfo=ZoneInfo(zone))


@settings(deadline=None, max_examples=20)
@given(zones=st.lists(ZONES, min_size=2, max_size=3), move=st.booleans(), data=st.data())
def test_no_zone_ever_repeats_a_day(
    tmp_path_factory: pytest.TempPathFactory, zones: list[str], move: bool, data: st.DataObject
) -> None:
    engine = open_engine("sqlite://")
    migrate(engine)
    path = tmp_path_factory.getbasetemp() / "drawn.csv"
    lines = STORY.splitlines(keepends=True)
    for zone in zones:
        if move:
            move_days(engine, in_zone(zone).values())
        path.write_text(lines[0] + "".join(data.draw(st.permutations(lines[1:]))), encoding="utf-8")
        assert load_published(engine, path, in_zone(zone), NOW).faults == ()
    assert rows(engine, "observation", "declared_baseline", "note") == [5, 1, 2]
    engine.dispose()


def test_days_that_no_file_brings_again_move_with_the_zone_of_their_site(
    engine: Engine, tmp_path: Path
) -> None:
    imported(engine, written(tmp_path, STORY))
    told, before = judged(engine), rows(engine, *ALL)
    assert move_days(engine, SITES.values()) == 0
    assert move_days(engine, in_zone("Asia/Shanghai").values()) == 6
    assert move_days(engine, in_zone("Asia/Shanghai").values()) == 0
    assert judged(engine) == told
    assert rows(engine, *ALL) == before
    assert days_of(engine, "Asia/Shanghai")[:2] == ["2023-10-05 00:00", "2023-10-06 00:00"]


def test_a_correction_after_the_zone_was_corrected_is_a_revision(engine: Engine, tmp_path: Path) -> None:
    imported(engine, written(tmp_path, STORY))
    right = written(tmp_path, STORY.replace("railcars,73", "railcars,75").replace("2023-10-16", "2023-10-20"))
    report = imported(engine, right, in_zone("Asia/Shanghai"))
    assert (report.stored, report.revised) == (0, 1)
    assert [each.value for each in stored(engine) if each.value in {73, 75}] == [75]


def test_a_row_or_an_option_names_the_zone_of_bare_dates(engine: Engine, tmp_path: Path) -> None:
    text = f"{HEADER},zone\n" + "".join(
        f"kp-tumangang,2023-10-0{day},railcars,{day},A,{name}\n"
        for day, name in enumerate(["", "UTC", "+05:30", "America/new_york", "site"], start=1)
    )
    report = imported(engine, written(tmp_path, text))
    assert report.zones == {"Asia/Pyongyang": 2, "UTC": 1, "+05:30": 1, "America/New_York": 1}
    starts = [datetime.fromisoformat(f"2023-{each}+00:00") for each in (
        "09-30T15:00", "10-02T00:00", "10-02T18:30", "10-04T04:00", "10-04T15:00"
    )]  # fmt: skip
    assert [each.period_start for each in stored(engine)] == starts
    assert imported(engine, written(tmp_path, text)) == ImportReport(unchanged=5)
    taken = imported(engine, written(tmp_path, text), zone="UTC")
    assert taken == ImportReport(unchanged=5)
    assert taken.zones == {"Asia/Pyongyang": 1, "UTC": 2, "+05:30": 1, "America/New_York": 1}
    assert stored(engine)[0].period_start == datetime(2023, 10, 1, tzinfo=UTC)
    assert move_days(engine, in_zone("Asia/Shanghai").values()) == 1


@pytest.mark.parametrize("name", ["Asia/Pyongjang", "+25:00", "KST?", "9"])
def test_a_zone_that_is_none_is_a_fault(sqlite_engine: Engine, tmp_path: Path, name: str) -> None:
    text = f"{HEADER},zone\nkp-tumangang,2023-10-01,railcars,1,A,{name}\n"
    (fault,) = imported(sqlite_engine, written(tmp_path, text)).faults
    assert (fault.column, "is not a time zone" in fault.problem) == ("zone", True)
    with pytest.raises(BadCell):
        values.zone(name)


# A database of the version before


def test_a_database_of_the_version_before_is_known_again(tmp_path: Path) -> None:
    """Keys of that version held the bounds in UTC, the publisher as it was written and numbers of rows."""
    engine = open_engine(f"sqlite:///{tmp_path / 'old.db'}")
    migrate(engine, "0004")
    _fill_as_before(engine)
    migrate(engine)
    text = f"{HEADER},comparator,id,end\n" + "".join(
        f"kp-tumangang,{row}\n"
        for row in (
            f"2023-10-05,railcars,73,{PLAIN},,,",
            "2023-10,railcars,70,,,,",
            f"2023-10-06,railcars,71,{PLAIN},,0,",
            "2023-10-07T01:24Z,railcars,72,A,,rep-7,",
            "2023-01,railcars,20,A,max,,",
        )
    )
    path = written(tmp_path, text)
    for zone in ("Asia/Shanghai", "Asia/Pyongyang"):
        assert imported(engine, path, in_zone(zone)) == ImportReport(unchanged=5)
    assert rows(engine, "observation", "declared_baseline", "note") == [5, 1, 1]
    with reading(engine) as connection:
        days = [each.written_start for each in looks(connection, site_id="kp-tumangang")]
    assert sorted(days) == ["", "2023-10-01", "2023-10-05", "2023-10-06", "2023-10-07T01:24:00+00:00"]
    engine.dispose()


def _fill_as_before(engine: Engine) -> None:
    new = {"written_start", "written_end", "zone"}
    site = {"properties": {"timezone": "Asia/Pyongyang"}}
    shared = {
        "site_id": "kp-tumangang", "area": "", "metric": "railcars", "subject": "", "procedure": "published",
        "result_time": NOW - timedelta(days=100), "recorded_at": NOW - timedelta(days=100), "revision": 1,
    }  # fmt: skip
    evidence = [{"kind": "import", "ref": "counts.csv", "text": "row 2"}]

    def day(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Pyongyang"))

    def look(
        start: datetime, end: datetime, key: str, value: float, precision: str = "day", **more: object
    ) -> dict[str, object]:
        given = {"period_start": start, "period_end": end, "look_key": key, "value": value}
        plain = {
            "precision": precision,
            "closed": True,
            "exposure_parts": {},
            "evidence": evidence,
            "qualifier": "=",
        }
        return {**shared, **plain, **given, "publisher": "", **more}

    minute = datetime(2023, 10, 7, 1, 24, tzinfo=UTC)
    listed = [
        look(day("2023-10-05"), day("2023-10-06"), "import-0123456789abcdef", 73,
             publisher=PLAIN.replace(" ", "\u00a0")),
        look(day("2023-10-01"), day("2023-11-01"), "import-1123456789abcdef", 70, "month", procedure="Analyst"),
        look(day("2023-10-06"), day("2023-10-07"), f"{PLAIN}/0", 71, publisher=PLAIN),
        look(minute, minute + timedelta(minutes=1), "A/rep-7", 72, "minute", publisher="A"),
        look(day("2023-10-08"), day("2023-10-09"), "2023-10-08", 1, procedure="adsb", evidence=[]),
    ]  # fmt: skip
    with writing(engine) as connection:
        connection.execute(insert(schema.site_version).values(
            site_id="kp-tumangang", version=1, digest="x", removed=False, feature=site, recorded_at=NOW
        ))  # fmt: skip
        for row in listed:
            names = ("site_id", "area", "metric", "subject", "procedure")
            series = schema.series.insert().prefix_with("or ignore")
            connection.execute(series.values(**{name: row[name] for name in names}, kind="stock"))
            _insert(connection, schema.observation, row, new)
        window = {"window_start": day("2023-01-01"), "window_end": day("2023-02-01"), "precision": "month"}
        statement = {**shared, **window, "key": "kp-tumangang/railcars/max/0123456789abcdef", "value": 20}
        _insert(
            connection, schema.declared_baseline, {**statement, "statistic": "max", "publisher": "A"}, new
        )
        remark = {
            **shared,
            "key": "x/y/count/0",
            "starts_at": minute,
            "ends_at": minute,
            "precision": "minute",
        }
        _insert(connection, schema.note, {**remark, "text": "x"}, new | {"procedure"})


def _insert(connection, table, row, but) -> None:  # type: ignore[no-untyped-def]
    """Insert into a table that has not all of today's columns yet."""
    from sqlalchemy import column
    from sqlalchemy import table as described

    known = [each for each in table.columns if each.name in row and each.name not in but]
    old = described(table.name, *(column(each.name, each.type) for each in known))
    connection.execute(old.insert().values({each.name: row[each.name] for each in known}))


def test_cases_are_what_their_readme_says() -> None:
    """The second export holds the rows of the first behind a new one."""
    one, other = (
        json.loads((CASES / f"gpd_{name}.geojson").read_text(encoding="utf-8"))["features"] for name in "ab"
    )
    assert [each["properties"] for each in other[1:]] == [each["properties"] for each in one]
