"""Radar numbers of passes: asked for once, within what a month allows, measured orbit by orbit, and told when they can be."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from shapely import box
from sqlalchemy import Engine

from db.engine import reading, writing
from db.imagery import insert_scenes
from db.observations import looks
from db.pixels import kept_passes, pixel_failures, shares_of_pass, store_pixel_failure
from db.radar import add_units, radar_admissions, radar_looks, units_of
from db.records import Observation, Scene, SceneFailure
from db.retention import purge
from monitor.config.settings import load_settings
from monitor.derive.due_passes import MOST_ATTEMPTS
from monitor.derive.radar import RadarReport, read_statistics
from monitor.derive.radar_measuring import study_radar
from monitor.derive.scenes import looks_of_scenes
from monitor.feeds.providers import known_providers
from monitor.feeds.sentinel_hub import SentinelHubStatistics
from monitor.imagery.radar import BRIGHT_RADAR
from monitor.imagery.windows import projected
from monitor.reports.radar import radar_sentences
from monitor.sites import Area
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.fake_feeds import client
from tests.kit.radar import (
    ASCENDING,
    DESCENDING,
    Metal,
    RadarPass,
    RadarWorld,
    StatisticsService,
    square,
    statistics_provider,
    times,
)

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
WEST, SOUTH, EAST, NORTH = QUIET_FIELD.geometry.bounds
APRON = Area("apron", "Apron", "apron", box(WEST + 0.008, SOUTH + 0.004, WEST + 0.014, SOUTH + 0.007))
SITE = replace(QUIET_FIELD, areas=(APRON,))
assert APRON.geometry is not None
WORLD = RadarWorld(SITE, paved=[APRON.geometry])
MIDDLE = projected(APRON.geometry, WORLD.epsg)
FIRST = datetime(2025, 1, 5, tzinfo=UTC)
NOW = FIRST + timedelta(days=700)


@contextmanager
def source(service: Any, **changes: Any) -> Iterator[dict[str, SentinelHubStatistics]]:
    provider = statistics_provider(**changes)
    yield {provider.name: SentinelHubStatistics(provider, client(service, provider.name, headers={}))}


def store(engine: Engine, scenes: Sequence[Scene]) -> None:
    with writing(engine) as connection:
        insert_scenes(connection, scenes)


def read_all(
    engine: Engine, service: Any, now: datetime = NOW, limit: int = 8, **changes: Any
) -> list[RadarReport]:
    reports: list[RadarReport] = []
    with source(service, **changes) as sources:
        while some := read_statistics(engine, [SITE], sources, now, limit=limit):
            reports += some
            if not any(each.read for each in some):
                break
    return reports


def stored(engine: Engine, metric: str = BRIGHT_RADAR, area: str = "apron") -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=SITE.id, metric=metric, area=area)


def quiet(count: int, orbit: Any = DESCENDING) -> list[RadarPass]:
    return [RadarPass(at, orbit) for at in times(FIRST, count, orbit)]


def test_each_zone_of_a_pass_is_asked_for_once_and_what_it_cost_is_known(engine: Engine) -> None:
    passes = quiet(2)
    service = StatisticsService(WORLD, passes, units="0.5")
    store(engine, [WORLD.scene(each) for each in passes])
    reports = read_all(engine, service)
    assert [each.read for each in reports] == [True, True]
    assert "3 of 3 zones seen" in reports[0].text
    assert len(service.asked) == 6, "the site, the apron, the ground around"
    assert read_all(engine, service) == []
    with reading(engine) as connection:
        spent = units_of(connection, "copernicus", f"{NOW:%Y-%m}")
        kept = radar_looks(connection, SITE.id)
    assert (spent.units, spent.requests) == (3.0, 6)
    assert {(each.relative_orbit, each.orbit_state) for each in kept} == {(61, "descending")}


def test_a_new_area_alone_is_asked_for_again_and_one_that_moved_has_no_history(engine: Engine) -> None:
    passes = quiet(1)
    service = StatisticsService(WORLD, passes)
    store(engine, [WORLD.scene(each) for each in passes])
    read_all(engine, service)
    asked = len(service.asked)
    moved = replace(APRON, geometry=box(WEST + 0.02, SOUTH + 0.004, WEST + 0.026, SOUTH + 0.007))
    with source(service) as sources:
        again = read_statistics(engine, [replace(SITE, areas=(moved,))], sources, NOW, limit=8)
    assert "1 of 1 zones seen" in again[0].text
    assert len(service.asked) == asked + 1


def test_metal_on_the_apron_is_seen_through_cloud_and_only_by_looks_of_the_same_orbit(
    sqlite_engine: Engine,
) -> None:
    stack = Metal(square(MIDDLE, 60), 60 * 60 * 3.0, "stack")
    down = [*quiet(18), *(replace(each, things=[stack]) for each in quiet(20)[18:])]
    up = quiet(20, ASCENDING)
    service = StatisticsService(WORLD, [*down, *up])
    store(sqlite_engine, [WORLD.scene(each) for each in [*down[:18], *up[:18]]])
    read_all(sqlite_engine, service)
    study_radar(sqlite_engine, SITE, NOW)
    with reading(sqlite_engine) as connection:
        decided = {
            (each.area, each.metric, each.procedure[-14:]): each
            for each in radar_admissions(connection, SITE.id)
        }
    first = decided["apron", BRIGHT_RADAR, "T061-descending"[-14:]]
    assert first.admitted, first.words
    assert "measurable here from 18 looks, through cloud" in first.words
    before = stored(sqlite_engine)
    assert {each.series.procedure for each in before} == {
        "imagery/sar/statistics-1/T061-descending",
        "imagery/sar/statistics-1/T134-ascending",
    }
    assert len(before) == 16, "ten looks of each orbit say what is usual"
    store(sqlite_engine, [WORLD.scene(each) for each in [*down[18:], *up[18:]]])
    read_all(sqlite_engine, service)
    study_radar(sqlite_engine, SITE, NOW)
    later = {
        (each.series.procedure[-9:], each.period_start): each.value for each in stored(sqlite_engine)[16:]
    }
    seen = [
        value or 0
        for (name, _), value in later.items()
        if name == "scending"[-9:] or name.endswith("descending"[-9:])
    ]
    highest = max(each.value or 0 for each in before if "descending" in each.series.procedure)
    lit = [value or 0 for (name, at), value in later.items() if at in {each.at for each in down[18:]}]
    assert len(lit) == 2
    assert min(lit) > 2 * highest, (lit, highest, seen)
    unlit = [value or 0 for (_, at), value in later.items() if at in {each.at for each in up[18:]}]
    other = max(each.value or 0 for each in before if "ascending" in each.series.procedure)
    assert max(unlit) <= 2 * other + 100


def test_building_all_of_it_anew_changes_nothing(sqlite_engine: Engine) -> None:
    passes = quiet(19)
    store(sqlite_engine, [WORLD.scene(each) for each in passes])
    read_all(sqlite_engine, StatisticsService(WORLD, passes))
    study_radar(sqlite_engine, SITE, NOW)
    before = [(each.look_key, each.value, each.revision) for each in stored(sqlite_engine)]
    assert before
    study_radar(sqlite_engine, SITE, NOW + timedelta(days=1), anew=True)
    assert [(each.look_key, each.value, each.revision) for each in stored(sqlite_engine)] == before


def test_wet_snow_and_a_look_that_belongs_to_another_orbit_are_not_measured(sqlite_engine: Engine) -> None:
    passes = quiet(18)
    snowy = RadarPass(times(FIRST, 19)[18], wet_snow=True)
    turned = RadarPass(times(FIRST, 20)[19], replace(DESCENDING, angle_deg=33.0))
    service = StatisticsService(WORLD, [*passes, snowy, turned])
    store(sqlite_engine, [WORLD.scene(each) for each in [*passes, snowy, turned]])
    read_all(sqlite_engine, service)
    study_radar(sqlite_engine, SITE, NOW)
    last = stored(sqlite_engine)[-2:]
    assert [each.value for each in last] == [None, None]
    assert "dB darker" in last[0].note
    assert "another orbit than the catalogue says" in last[1].note
    assert [each.assessable for each in last] == [False, False]


def test_two_slices_of_one_datatake_are_one_pass(engine: Engine) -> None:
    one = quiet(1)[0]
    scene = WORLD.scene(one, covered_share=0.5)
    slices = [scene, replace(scene, item_id="second", acquired_at=one.at + timedelta(seconds=25))]
    service = StatisticsService(WORLD, [one])
    store(engine, slices)
    reports = read_all(engine, service)
    assert len(reports) == 1
    assert len(service.asked) == 3


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"sat:orbit_state": "descending"}, "does not say of which relative orbit"),
        ({"sat:relative_orbit": 0, "sat:orbit_state": "descending"}, "does not say of which relative orbit"),
        (
            {"sat:relative_orbit": "61", "sat:orbit_state": "descending"},
            "does not say of which relative orbit",
        ),
    ],
)
def test_a_pass_without_a_relative_orbit_is_never_asked_about(
    engine: Engine, properties: Any, said: str
) -> None:
    one = quiet(1)[0]
    service = StatisticsService(WORLD, [one])
    store(engine, [WORLD.scene(one, properties=properties)])
    assert read_all(engine, service) == []
    assert service.asked == []
    with source(service) as sources, reading(engine) as connection:
        told = list(radar_sentences(connection, [statistics_provider()], (sources, ()), [SITE], NOW))
    assert any(f"1 radar pass is not read: the catalogue {said}" in each for each in told), told


def test_two_orbits_within_a_day_are_asked_for_apart_or_not_at_all(engine: Engine) -> None:
    one = quiet(1)[0]
    beside = replace(DESCENDING, relative_orbit=163)
    near = [
        one,
        RadarPass(one.at + timedelta(hours=3), beside),
        RadarPass(one.at - timedelta(hours=5), replace(beside, relative_orbit=32)),
    ]
    service = StatisticsService(WORLD, near)
    store(engine, [WORLD.scene(each) for each in near])
    read_all(engine, service)
    spans = [each["aggregation"]["timeRange"] for each in service.asked]
    for span in spans:
        begins, ends = (datetime.fromisoformat(span[name]) for name in ("from", "to"))
        assert sum(begins <= each.at < ends for each in near) == 1, "never two passes in one answer"
    with source(service) as sources, reading(engine) as connection:
        assert {each.relative_orbit for each in radar_looks(connection, SITE.id)} == {163, 32}
        told = list(radar_sentences(connection, [statistics_provider()], (sources, ()), [SITE], NOW))
    assert any("1 radar pass is not read: another pass of the same direction" in each for each in told)


def test_a_refusal_in_the_midst_costs_nothing_twice_and_is_waited_for(engine: Engine) -> None:
    passes = quiet(1)
    inner = StatisticsService(WORLD, passes)
    refused = [False]

    def answer(request: httpx.Request) -> httpx.Response:
        if len(inner.asked) == 2 and not refused[0] and request.url.path != "/token":
            refused[0] = True
            return httpx.Response(
                429, headers={"Retry-After": "180000"}, json={"error": {"code": "RATE_LIMIT_EXCEEDED"}}
            )
        return inner(request)

    store(engine, [WORLD.scene(each) for each in passes])
    with source(answer) as sources:
        (report,) = read_statistics(engine, [SITE], sources, NOW, limit=8)
        assert not report.read
        assert "429" in report.text
        (waits,) = read_statistics(engine, [SITE], sources, NOW + timedelta(seconds=170), limit=8)
        assert (waits.read, len(inner.asked)) == (False, 2)
        (again,) = read_statistics(engine, [SITE], sources, NOW + timedelta(seconds=181), limit=8)
    assert again.read
    assert len(inner.asked) == 3, "only the zone that was missing"
    with reading(engine) as connection:
        assert pixel_failures(connection, SITE.id) == [], "the pass itself did not fail"


def test_a_token_that_ends_in_the_midst_of_a_round_is_renewed(engine: Engine) -> None:
    passes = quiet(2)
    service = StatisticsService(WORLD, passes, tokens_last=2)
    store(engine, [WORLD.scene(each) for each in passes])
    assert [each.read for each in read_all(engine, service)] == [True, True]
    assert service.tokens == 3


def test_a_pass_that_cannot_be_reckoned_is_tried_again_later_and_given_up_at_last(engine: Engine) -> None:
    passes = quiet(1)
    service = StatisticsService(WORLD, passes)

    def fail(request: httpx.Request) -> httpx.Response:
        answer = service(request)
        if request.url.path == "/token":
            return answer
        document = answer.json()
        return httpx.Response(
            200, json={"status": "PARTIAL", "data": [{**document["data"][0], "error": {"type": "TIMEOUT"}}]}
        )

    store(engine, [WORLD.scene(each) for each in passes])
    now = NOW
    for _ in range(MOST_ATTEMPTS):
        with source(fail) as sources:
            (report,) = read_statistics(engine, [SITE], sources, now, limit=8)
            assert not report.read
            assert "TIMEOUT" in report.text
            assert read_statistics(engine, [SITE], sources, now, limit=8) == []
        now += timedelta(days=3)
    with source(fail) as sources:
        assert read_statistics(engine, [SITE], sources, now, limit=8) == []
    with reading(engine) as connection:
        assert radar_looks(connection, SITE.id) == []


def test_no_more_is_asked_than_a_month_allows_and_what_requests_really_cost_is_learnt(engine: Engine) -> None:
    passes = quiet(3)
    service = StatisticsService(WORLD, passes, dearer=0.04)
    store(engine, [WORLD.scene(each) for each in passes])
    options = {**statistics_provider().options, "units_a_month": "50"}
    reports = read_all(engine, service, options=options)
    with reading(engine) as connection:
        spent = units_of(connection, "copernicus", f"{NOW:%Y-%m}")
    assert len(service.asked) == 2, "the ground around would pass 50, by what the site has cost"
    assert 20 < spent.units < 50
    assert spent.estimated < 1, "it is far dearer than was reckoned"
    used = f"copernicus: {spent.units:,.1f} of 50 processing units and 2 of 10,000 requests of this month"
    assert used in reports[-1].text
    with source(service, options=options) as sources, reading(engine) as connection:
        told = list(radar_sentences(connection, [statistics_provider()], (sources, ()), [SITE], NOW))
    assert told[0].startswith(used)
    read_all(engine, service, NOW + timedelta(days=31), options=options)
    assert len(service.asked) == 3, "another month"
    with writing(engine) as connection:
        add_units(connection, "copernicus", "2030-01", 1.0, 1.0)
    requests = {**statistics_provider().options, "requests_a_month": "1"}
    read_all(engine, service, datetime(2030, 1, 2, tzinfo=UTC), options=requests)
    assert len(service.asked) == 3


def test_without_a_key_status_says_what_to_do_and_nothing_is_counted(engine: Engine) -> None:
    providers = known_providers(load_settings({}))
    with reading(engine) as connection:
        (told,) = radar_sentences(connection, providers, ({}, ()), [SITE], NOW)
    assert told == (
        "Radar through cloud is not read, for it needs a key: an account at the Copernicus Data Space is free, and its "
        "client_id and client_secret go into credentials in [providers.copernicus]; for aircraft on aprons a free "
        "Earthdata token goes into credentials = { token_file = … } in [providers.opera-rtc], with enabled = true "
        "(docs/imagery.md)."
    )
    store(engine, [WORLD.scene(each) for each in quiet(1)])
    assert read_statistics(engine, [SITE], {}, NOW, limit=8) == []
    assert stored(engine) == []


def test_a_place_on_both_sides_of_180_degrees_is_asked_for_in_one_piece(engine: Engine) -> None:
    world = RadarWorld(DATELINE_STRIP)
    one = RadarPass(FIRST.replace(hour=18))
    service = StatisticsService(world, [one])
    store(engine, [world.scene(one)])
    with source(service) as sources:
        (report,) = read_statistics(engine, [DATELINE_STRIP], sources, NOW, limit=8)
    assert "2 of 2 zones seen" in report.text
    assert service.asked[0]["input"]["bounds"]["geometry"]["type"] == "Polygon"
    with reading(engine) as connection:
        assert radar_looks(connection, DATELINE_STRIP.id)[0].numbers["seen_share"] > 0.95


def optical(at: datetime, **links: str) -> Scene:
    return Scene(
        "earth-search", "sentinel-2-l2a", f"S2B_{at:%Y%m%d}", SITE.id, f"sentinel-2b:{at:%Y%m%d}:{SITE.id}", "sentinel-2b", at, 1.0,
        at + timedelta(hours=2), sensor="msi", cloud_share=0.9, links=links, properties={"grid:code": "MGRS-19FCC"},
    )  # fmt: skip


def test_cloud_over_the_site_is_asked_for_where_the_file_itself_cannot_be_read(engine: Engine) -> None:
    at = NOW - timedelta(days=3)
    bare, broken, fine = (
        optical(at),
        optical(at - timedelta(days=5), scl="https://x.example/scl.tif"),
        optical(at - timedelta(days=10), scl="https://x.example/scl.tif"),
    )
    store(engine, [bare, broken, fine])
    failure = SceneFailure(
        SITE.id,
        broken.provider,
        broken.collection,
        broken.item_id,
        broken.acquired_at,
        "gone.",
        MOST_ATTEMPTS,
        at,
        at,
    )
    with writing(engine) as connection:
        store_pixel_failure(connection, failure)
    service = StatisticsService(WORLD, classes={4: 0.5, 9: 0.3, 11: 0.2})
    reports = read_all(engine, service)
    assert [each.item_id for each in reports] == [bare.item_id, broken.item_id]
    assert "50% clear, by copernicus" in reports[0].text
    passes = stored(engine, "passes", "")
    assert [round(each.exposure or 0, 2) for each in passes] == [0.5, 0.5]
    assert {each.exposure_parts["cloud_of"] for each in passes} == {"site"}
    assert [each.exposure_parts["snow"] for each in passes] == pytest.approx([0.2, 0.2], abs=0.01)
    with reading(engine) as connection:
        assert shares_of_pass(connection, SITE.id, bare.look_key)["apron"]["clear"] == pytest.approx(
            0.5, abs=0.02
        )
        assert kept_passes(connection, SITE.id, "any") == []
        again = list(looks_of_scenes(connection, [], {SITE.id: SITE}, NOW))
    assert again == []


def test_radar_of_a_site_that_is_watched_no_more_is_forgotten(engine: Engine) -> None:
    passes = quiet(1)
    store(engine, [WORLD.scene(each) for each in passes])
    read_all(engine, StatisticsService(WORLD, passes))
    day = timedelta(days=1)
    purge(engine, NOW, keep_identities=day, keep_extracts=day, watched=lambda *_: True, sites=[])
    with reading(engine) as connection:
        assert radar_looks(connection, SITE.id) == []
