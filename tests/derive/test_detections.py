"""From detections to looks: real FIRMS answers, sums in areas, zeros only where somebody looked, corrections."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import shapely
from sqlalchemy import Engine

from db.detections import insert_detections
from db.engine import reading, writing
from db.observations import looks, record_observations
from db.records import Observation
from db.records.detections import Detection
from monitor.bootstrap import FEEDS
from monitor.derive.detections import looks_of_detections
from monitor.derive.pending import derive_pending
from monitor.feeds import Feed, Provider
from monitor.poll.rounds import poll_provider
from monitor.sites import Area, Site
from tests.kit.fake_feeds import client

FIRMS = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "firms"
NOW = datetime(2026, 7, 24, 18, tzinfo=UTC)
IBERIA = Site(
    "iberia",
    "A large part of Iberia",
    "factory",
    shapely.box(-10.0, 35.5, 4.5, 44.5),
    ZoneInfo("Europe/Madrid"),
    areas=(Area("west", "The west", "area", shapely.box(-10.0, 35.5, -8.0, 44.5)),),
)


def firms(body: bytes, name: str = "firms", **options: str) -> Feed:
    source = {"least_confidence": "low", **options}
    provider = Provider(
        name,
        "firms",
        "https://feed.example",
        600,
        "open",
        "NASA",
        options=source,
        credentials={"token": "k" * 32},
    )
    return FEEDS["firms"](provider, client(lambda _: httpx.Response(200, content=body), name=name))


def polled(engine: Engine, feed: Feed, now: datetime) -> list[Observation]:
    poll_provider(engine, feed, [IBERIA], now)
    derive_pending(engine, [IBERIA], now)
    with reading(engine) as connection:
        return looks(connection, site_id="iberia")


def stored(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(
            connection.exec_driver_sql(
                "select count(*) from detection where metric = 'hot_spots'"
            ).scalar_one()
        )


def capture(name: str) -> bytes:
    return (FIRMS / name).read_bytes()


def test_21_rows_and_then_32_are_11_new_ones(engine: Engine) -> None:
    first = polled(engine, firms(capture("firms_n20.csv")), NOW)
    assert stored(engine) == 21
    again = polled(engine, firms(capture("firms_n20.csv")), NOW + timedelta(minutes=20))
    assert stored(engine) == 21
    assert again == first
    polled(engine, firms(capture("firms_n20_later.csv")), NOW + timedelta(days=1))
    assert stored(engine) == 32


def test_hot_spots_are_lower_bounds_by_pass_with_their_heat(engine: Engine) -> None:
    found = polled(engine, firms(capture("firms_n20.csv")), NOW)
    spots = [each for each in found if each.series.metric == "hot_spots" and not each.series.area]
    assert sum(each.value or 0 for each in spots) == 21
    assert {each.qualifier for each in found} == {">="}
    assert {each.series.procedure for each in found} == {"detections@firms"}
    assert all("Cloud hides fires" in each.note for each in found)
    assert all(each.result_time == NOW for each in found)
    heat = [each for each in found if each.series.metric == "radiant_heat_mw" and not each.series.area]
    rows = [line.split(",") for line in capture("firms_n20.csv").decode().splitlines()[1:]]
    assert sum(each.value or 0 for each in heat) == pytest.approx(
        sum(float(row[12]) for row in rows), rel=1e-6
    )
    west = [each for each in found if each.series.area == "west" and each.series.metric == "hot_spots"]
    assert sum(each.value or 0 for each in west) == sum(float(row[1]) <= -8.0 for row in rows)


def test_two_satellites_are_two_series(engine: Engine) -> None:
    polled(engine, firms(capture("firms_n20.csv")), NOW)
    found = polled(engine, firms(capture("firms_n21.csv"), "firms-n21"), NOW)
    assert {each.series.procedure for each in found} == {"detections@firms", "detections@firms-n21"}


def test_a_bad_key_is_a_failure_and_never_no_fires(engine: Engine) -> None:
    reports = poll_provider(engine, firms(capture("firms_error.txt")), [IBERIA], NOW)
    assert [each.outcome for each in reports] == ["failed"]
    assert "k" * 32 not in reports[0].text
    assert stored(engine) == 0


def test_what_is_of_too_little_confidence_is_left_out() -> None:
    feed = firms(capture("firms_n20.csv"), least_confidence="nominal")
    fetched = feed.fetch(feed.scopes([IBERIA])[0], [IBERIA], purpose="data", now=NOW, since=None)
    low = capture("firms_n20.csv").count(b",l,")
    assert low > 0
    assert fetched.rejected == {"of too little confidence": low}
    assert "k" * 32 not in fetched.request


def test_no_hot_spot_is_no_look(engine: Engine) -> None:
    header = capture("firms_n20.csv").splitlines(keepends=True)[0]
    assert polled(engine, firms(header), NOW) == []


def detection(**fields: object) -> Detection:
    start = datetime(2026, 7, 24, 10, tzinfo=UTC)
    made = Detection(
        provider="desk", site_id="iberia", metric="vehicles", detection_id="a", detected_class="truck", at=start, lat=40.0,
        lon=-9.0, look_key="scene-1", look_start=start, look_end=start + timedelta(minutes=1), precision="minute",
        recorded_at=NOW, scene="S2A_1", whole=True, poll_id=1,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def counted(
    engine: Engine, found: Sequence[Detection], poll_id: int
) -> dict[tuple[str, str], tuple[float | None, str]]:
    with writing(engine) as connection:
        insert_detections(connection, [replace(each, poll_id=poll_id) for each in found])
        made = list(
            looks_of_detections(connection, [poll_id], {"iberia": IBERIA}, NOW + timedelta(hours=poll_id))
        )
        record_observations(connection, made)
    with reading(engine) as connection:
        every = looks(connection, site_id="iberia", metric="vehicles")
    return {(each.series.area, each.look_key): (each.value, each.qualifier) for each in every}


def test_sums_of_a_scene_are_counts_in_site_and_areas(engine: Engine) -> None:
    found = [
        detection(),
        detection(detection_id="b", areas=("west",)),
        detection(detection_id="c", areas=("west",)),
    ]
    assert counted(engine, found, 1) == {("", "scene-1"): (3.0, "="), ("west", "scene-1"): (2.0, "=")}


def test_a_zero_is_told_only_of_what_was_looked_at(engine: Engine) -> None:
    nothing = detection(amount=0.0, areas=(), coverage=0.8)
    assert counted(engine, [nothing], 1) == {("", "scene-1"): (0.0, "=")}
    covered = detection(detection_id="z", look_key="scene-2", amount=0.0, areas=("west",))
    assert counted(engine, [covered], 2)[("west", "scene-2")] == (0.0, "=")


def test_a_correction_is_a_revision_and_one_that_moved_leaves_no_count_behind(engine: Engine) -> None:
    counted(engine, [detection(amount=3.0)], 1)
    assert counted(engine, [detection(amount=5.0)], 2) == {("", "scene-1"): (5.0, "=")}
    later = datetime(2026, 7, 24, 11, tzinfo=UTC)
    moved = detection(
        amount=5.0, look_key="scene-9", at=later, look_start=later, look_end=later + timedelta(minutes=1)
    )
    assert counted(engine, [moved], 3) == {("", "scene-1"): (None, "="), ("", "scene-9"): (5.0, "=")}


def test_one_more_of_a_scene_is_a_revision_of_its_look(engine: Engine) -> None:
    counted(engine, [detection()], 1)
    early = datetime(2026, 7, 24, 9, 59, tzinfo=UTC)
    more = detection(detection_id="b", at=early, look_start=early)
    assert counted(engine, [more], 2) == {("", "scene-1"): (2.0, "=")}
    with reading(engine) as connection:
        every = looks(connection, site_id="iberia", metric="vehicles")
    assert len(every) == 1
    assert every[0].revision == 2


def test_what_is_said_again_is_stored_once_and_what_is_said_otherwise_as_a_version(
    sqlite_engine: Engine,
) -> None:
    with writing(sqlite_engine) as connection:
        assert insert_detections(connection, [detection(), detection()]) == 1
        assert insert_detections(connection, [detection()]) == 0
        assert insert_detections(connection, [detection(score=0.5)]) == 1


# --- a source that stopped, and days on which the service looked ----------------------------------------


def ranged(body: bytes, *lines: str, header: str = "data_id,min_date,max_date") -> Feed:
    """FIRMS that says of which days it has data."""
    told = "\n".join([header, *lines, ""]).encode()
    provider = Provider(
        "firms",
        "firms",
        "https://feed.example",
        600,
        "open",
        "NASA",
        options={"least_confidence": "low"},
        credentials={"token": "k" * 32},
    )

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=told if "data_availability" in request.url.path else body)

    return FEEDS["firms"](provider, client(answer, name="firms"))


NONE = b"latitude,longitude,acq_date,acq_time,satellite,confidence,frp\n"
HAS = "VIIRS_NOAA20_NRT,2020-01-01,{}"
AFTERNOON = datetime(2026, 7, 26, 15, tzinfo=UTC)


def spots(found: list[Observation]) -> list[tuple[str, float | None, str]]:
    return [
        (each.period_start.date().isoformat(), each.value, each.qualifier)
        for each in found
        if each.series.metric == "hot_spots" and not each.series.area
    ]


def test_a_day_of_which_the_service_has_data_and_lists_nothing_is_a_zero_and_says_so(engine: Engine) -> None:
    found = polled(engine, ranged(NONE, HAS.format("2026-07-26")), AFTERNOON)
    assert spots(found) == [("2026-07-25", 0.0, "=")]
    assert "The service has data of this day and lists no hot spot here. Cloud hides fires" in found[0].note
    assert {each.series.area for each in found} == {"", "west"}
    assert polled(engine, ranged(NONE, HAS.format("2026-07-26")), AFTERNOON + timedelta(hours=2)) == found


@pytest.mark.parametrize(
    ("lines", "header", "now"),
    [
        ([HAS.format("2026-07-25")], "data_id,min_date,max_date", AFTERNOON),
        ([HAS.format("2026-07-26")], "data_id,min_date,max_date", datetime(2026, 7, 26, 9, tzinfo=UTC)),
        (["VIIRS_SNPP_NRT,2020-01-01,2026-07-26"], "data_id,min_date,max_date", AFTERNOON),
        ([HAS.format("soon")], "data_id,min_date,max_date", AFTERNOON),
        (["VIIRS_NOAA20_NRT,2026-07-26,yes,yes"], "sensor,date,sp,nrt", AFTERNOON),
        ([], "Invalid MAP_KEY.", AFTERNOON),
    ],
    ids=["the day may be half", "rows still come", "another source", "no date", "another table", "an error"],
)
def test_where_it_does_not_say_so_nothing_is_a_zero(
    engine: Engine, lines: list[str], header: str, now: datetime
) -> None:
    assert polled(engine, ranged(NONE, *lines, header=header), now) == []


def test_a_source_that_stopped_is_a_failure_and_never_quiet(engine: Engine) -> None:
    (report,) = poll_provider(engine, ranged(NONE, HAS.format("2026-07-20")), [IBERIA], AFTERNOON)
    assert report.outcome == "failed"
    assert (
        "the source VIIRS_NOAA20_NRT has no data after 2026-07-20, so its silence says nothing" in report.text
    )
    assert "k" * 32 not in report.text
    assert stored(engine) == 0


def test_a_row_that_comes_late_takes_the_zero_back(engine: Engine) -> None:
    assert spots(polled(engine, ranged(NONE, HAS.format("2026-07-26")), AFTERNOON)) == [
        ("2026-07-25", 0.0, "=")
    ]
    late = NONE + b"38.9,-9.0,2026-07-25,230,N20,h,2.2\n"
    found = polled(engine, ranged(late, HAS.format("2026-07-26")), AFTERNOON + timedelta(hours=1))
    assert spots(found) == [("2026-07-25", None, "="), ("2026-07-25", 1.0, ">=")]


def test_it_is_asked_for_its_days_once_an_hour(engine: Engine) -> None:
    feed = ranged(NONE, HAS.format("2026-07-26"))
    asked: list[str] = []
    inner = feed._client.request  # type: ignore[attr-defined]

    def counted(method: str, url: str, **options: object) -> object:
        asked.append(url)
        return inner(method, url, **options)

    feed._client.request = counted  # type: ignore[attr-defined]
    for minutes in (0, 20, 40, 70):
        feed.fetch(
            feed.scopes([IBERIA])[0],
            [IBERIA],
            purpose="data",
            now=AFTERNOON + timedelta(minutes=minutes),
            since=None,
        )
    assert sum("data_availability" in each for each in asked) == 2
