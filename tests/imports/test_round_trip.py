"""What `history` writes, `observations import` reads: nothing new in the same watch, the same again in a fresh one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.declared import record_declared
from db.engine import reading, writing
from db.observations import record_observations
from db.records import DeclaredBaseline, Evidence, Note, Observation, SeriesKey, Statistic
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.imports import load_published
from monitor.imports.columns import EXPORT_COLUMNS, IMPORT_COLUMNS
from monitor.imports.load import ImportReport, import_file
from monitor.reports.history import HistoryQuery, read_history
from monitor.reports.tables import HISTORY_COLUMNS, csv_text, feature_collection, history_rows, history_table
from monitor.sites import Site
from tests.conftest import FreshEngine
from tests.imports.test_published import NOW, PUBLISHED, SITES
from tests.kit.cast import BUSY_PORT, CAST

Records = list[Observation | DeclaredBaseline | Note]
DAY = timedelta(days=1)
START = datetime(2023, 10, 4, 22, tzinfo=UTC)
LOOK = Observation(
    series=SeriesKey("busy-port", "", "ships_present", "", "published"),
    kind="stock",
    period_start=START,
    period_end=START + DAY,
    look_key="Harbour Watch/a-1",
    value=3.0,
    result_time=START + DAY,
    recorded_at=NOW,
    publisher="Harbour Watch",
    origin="Harbour Watch",
    evidence=(Evidence("url", "https://watch.example/1", "Harbour Watch"),),
    written_start="2023-10-05",
    written_end="2023-10-05",
)
OWN = Observation(
    series=SeriesKey("busy-port", "", "arrivals", "", ADSB_PROCEDURE),
    kind="flow",
    period_start=START,
    period_end=START + DAY,
    look_key="2023-10-05",
    value=2.0,
    qualifier=">=",
    assessable=True,
    exposure=0.3333,
    result_time=START + 0.5 * DAY,
    recorded_at=NOW,
    origin="adsb.lol, receiver",
    note="Two arrivals: 15521f 12:01 UTC; “the other” 13:00 UTC.",
)
AWKWARD: Mapping[str, Observation] = {
    "an id": LOOK,
    "bounds": replace(LOOK, value=70.0, low=60.125, high=81.5, qualifier="~=", certainty="medium"),
    "three decimals": replace(LOOK, low=1.125, exposure=0.987),
    "a tiny exposure": replace(LOOK, exposure=1e-05),
    "at most": replace(LOOK, qualifier="<=", value=0.0, assessable=True),
    "not assessable": replace(LOOK, value=None, assessable=False, exposure=0.0, note="cloud"),
    "like a formula": replace(
        LOOK, look_key="+1", note="=1+1", via="@somebody", publisher="-A-", origin="-A-"
    ),
    "a scene": replace(
        LOOK,
        look_key="scene-0123456789abcdef",
        evidence=(Evidence("scene", "S2A_52SCJ", ""),),
        publisher="X",
        origin="X",
    ),
    "a zone of its own": replace(
        LOOK,
        period_start=datetime(2023, 10, 5, tzinfo=UTC),
        period_end=datetime(2023, 10, 6, tzinfo=UTC),
        zone="UTC",
    ),
    "a month": replace(LOOK, precision="month", written_start="2023-10-01", written_end="2023-10-31"),
    "to the second": replace(
        LOOK, precision="window", written_start="", written_end="", period_end=START + timedelta(seconds=77.5)
    ),
    "a picture that nobody counted in": replace(LOOK, value=None, assessable=True, exposure=0.959),
    "hours": replace(LOOK, series=replace(LOOK.series, metric="stay_h"), value=0.7),
    "announced": replace(LOOK, announced=True),
    "of our own": OWN,
    "of our own, still running": replace(OWN, closed=False, exposure=None),
    "of our own, a subject": replace(
        OWN, series=replace(OWN.series, subject="type:Tu-160"), low=1.0, qualifier="~="
    ),
    "of our own, a day without count": replace(
        OWN, value=None, assessable=False, qualifier="=", note="No coverage."
    ),
    "an older one without what was written": replace(LOOK, written_start="", written_end="", look_key="2023"),
}


@pytest.fixture
def watches(fresh_engine: FreshEngine, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """A watch, and a fresh one."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    with fresh_engine(folders[0]) as one, fresh_engine(folders[1]) as other:
        yield one, other


def exported(engine: Engine, site: Site, folder: Path, form: str) -> Path:
    with reading(engine) as connection:
        history = read_history(connection, site, HistoryQuery())
    file = folder / f"{site.id}.{form}"
    text = (
        csv_text(history_rows(history))
        if form == "csv"
        else json.dumps(feature_collection(history_table([history], {})))
    )
    file.write_text(text, encoding="utf-8")
    return file


def stored(engine: Engine, site: Site) -> Records:
    """Everything known of a site, without what an import cannot know: when it was recorded, and further links."""
    with reading(engine) as connection:
        history = read_history(connection, site, HistoryQuery())
    looks = [
        replace(each, recorded_at=NOW, revision=1, evidence=(), exposure_parts={}) for each in history.looks
    ]
    declared = [replace(each, recorded_at=NOW, revision=1) for each in history.declared]
    notes = [replace(each, recorded_at=NOW, revision=1) for each in history.notes]
    return [*looks, *declared, *notes]


def brought(engine: Engine, file: Path, sites: Mapping[str, Site]) -> ImportReport:
    report = import_file(engine, file, sites, NOW + DAY)
    assert report.faults == ()
    return report


def new(report: ImportReport) -> int:
    return report.stored + report.revised + report.declared + report.notes


def check(engine: Engine, fresh: Engine, site: Site, folder: Path, form: str) -> None:
    """Export, import into the same watch and into a fresh one."""
    before = stored(engine, site)
    assert before
    file = exported(engine, site, folder, form)
    report = brought(engine, file, {site.id: site})
    assert (new(report), report.unchanged) == (0, len(before))
    assert stored(engine, site) == before
    assert new(brought(fresh, file, {site.id: site})) == len(before)
    assert stored(fresh, site) == before
    assert new(brought(fresh, file, {site.id: site})) == 0


def test_every_column_that_is_written_is_one_that_is_read() -> None:
    assert set(HISTORY_COLUMNS) <= {*IMPORT_COLUMNS, *EXPORT_COLUMNS}


@pytest.mark.parametrize("form", ["csv", "geojson"])
@pytest.mark.parametrize("look", AWKWARD.values(), ids=AWKWARD)
def test_a_look_comes_back_as_it_was(
    watches: tuple[Engine, Engine], tmp_path: Path, look: Observation, form: str
) -> None:
    engine, other = watches
    with writing(engine) as connection:
        record_observations(connection, [look])
    check(engine, other, BUSY_PORT, tmp_path, form)


@pytest.mark.parametrize("form", ["csv", "geojson"])
@pytest.mark.parametrize(
    "says",
    [
        ("max", 20.0, None),
        ("max", 20.0, 31),
        ("share", 4.0, 109),
        ("none_before", 0.0, None),
        ("last_seen", None, None),
    ],
)
def test_a_statement_comes_back_as_it_was(
    watches: tuple[Engine, Engine],
    tmp_path: Path,
    form: str,
    says: tuple[Statistic, float | None, int | None],
) -> None:
    engine, other = watches
    statistic, value, n_looks = says
    statement = DeclaredBaseline(
        key="busy-port/ships_present/max/on-0123456789abcdef",
        series=LOOK.series,
        statistic=statistic,
        value=value,
        window_start=START,
        window_end=START + 5 * DAY,
        precision="window",
        result_time=START + 6 * DAY,
        recorded_at=NOW,
        n_looks=n_looks,
        publisher="Harbour Watch",
        url="https://watch.example/2",
        written_start="2023-10-05",
        written_end="2023-10-09",
    )
    with writing(engine) as connection:
        record_declared(connection, [statement])
    check(engine, other, BUSY_PORT, tmp_path, form)


@pytest.mark.parametrize("form", ["csv", "geojson"])
def test_the_published_facts_come_back_as_they_were(
    watches: tuple[Engine, Engine], tmp_path: Path, form: str
) -> None:
    """Forty-two looks, five statements and five notes that others wrote."""
    engine, other = watches
    load_published(engine, PUBLISHED, SITES, NOW)
    for site in SITES.values():
        check(engine, other, site, tmp_path, form)
    # The file from which they came says nothing new there, either.
    assert new(load_published(other, PUBLISHED, SITES, NOW + 2 * DAY)) == 0


def test_a_count_that_was_mended_in_the_export_is_a_revision(
    watches: tuple[Engine, Engine], tmp_path: Path
) -> None:
    engine, _ = watches
    with writing(engine) as connection:
        record_observations(connection, [LOOK])
    file = exported(engine, BUSY_PORT, tmp_path, "csv")
    file.write_text(file.read_text().replace(",3,=,", ",4,=,"))
    report = brought(engine, file, CAST_BY_ID)
    assert (report.stored, report.revised) == (0, 1)


def test_what_is_broken_in_an_export_is_named(watches: tuple[Engine, Engine], tmp_path: Path) -> None:
    engine, _ = watches
    with writing(engine) as connection:
        record_observations(connection, [LOOK])
    whole = exported(engine, BUSY_PORT, tmp_path, "csv").read_text()
    for right, wrong, column in (
        ("2023-10-05T22:00:00Z,day", "2023-10-05,day", "end"),
        (",3,=,", ",three,=,", "value"),
        ("busy-port,", "nowhere,", "site_id"),
    ):
        file = tmp_path / "broken.csv"
        file.write_text(whole.replace(right, wrong, 1))
        report = import_file(engine, file, CAST_BY_ID, NOW + DAY)
        assert [fault.column for fault in report.faults] == [column]


CAST_BY_ID = {site.id: site for site in CAST}
