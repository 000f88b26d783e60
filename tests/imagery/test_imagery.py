"""Scenes become looks of passes: one look a pass, honest about cloud, cover and copies."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import mapping
from sqlalchemy import Engine

from db.engine import reading, writing
from db.imagery import insert_scenes
from db.observations import looks, record_observations
from db.records import Observation, Scene
from monitor.derive.scenes import looks_of_scenes
from monitor.imagery.looks import SCENE_LATENCY, clearest, pass_looks
from tests.kit.cast import BUSY_PORT, CAST, CAST_BY_ID, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.fake_feeds import NOON
from tests.kit.reading import revisions

LOOK = "sentinel-2b:GS2B_1:quiet-field"
HOUR = timedelta(hours=1)
WEST, SOUTH, EAST, NORTH = QUIET_FIELD.geometry.bounds


def footprint(west_share: float, east_share: float) -> dict[str, Any]:
    """A tile that shows Quiet Field between two shares of its width."""
    width = EAST - WEST
    shown = box(WEST + west_share * width, SOUTH - 1, WEST + east_share * width, NORTH + 1)
    return dict(mapping(shown))


def tile(name: str = "A", west: float = -1, east: float = 2, **changes: Any) -> Scene:
    values: dict[str, Any] = {
        "provider": "earth-search",
        "collection": "sentinel-2-l2a",
        "item_id": name,
        "site_id": QUIET_FIELD.id,
        "look_key": LOOK,
        "platform": "sentinel-2b",
        "acquired_at": NOON,
        "covered_share": max(0.0, min(east, 1) - max(west, 0)),
        "recorded_at": NOON + 3 * HOUR,
        "sensor": "msi",
        "published_at": NOON + HOUR,
        "updated_at": NOON + HOUR,
        "cloud_share": 0.2,
        "footprint": footprint(west, east),
        "links": {"thumbnail": "https://a.example/t.jpg", "self": "https://a.example/i"},
    }
    return Scene(**{**values, **changes})


def only(*scenes: Scene, **options: Any) -> Observation:
    (look,) = pass_looks(QUIET_FIELD, scenes, recorded_at=NOON + 4 * HOUR, **options)
    return look


def test_a_pass_is_a_look_that_nobody_has_counted() -> None:
    look = only(tile())
    assert (look.value, look.kind, look.series.metric, look.series.procedure) == (
        None,
        "stock",
        "passes",
        "imagery/msi",
    )
    assert (look.series.area, look.series.subject, look.look_key) == ("", "", LOOK)
    assert (look.period_start, look.period_end, look.precision) == (NOON, NOON, "minute")
    assert look.exposure == pytest.approx(0.8)
    assert look.exposure_parts == {"covered": 1.0, "clear": 0.8, "cloud_of": "tile"}
    assert look.assessable
    assert not look.usable
    assert (look.result_time, look.recorded_at) == (NOON + HOUR, NOON + 4 * HOUR)
    assert (look.publisher, look.origin) == ("earth-search", "sentinel-2b")
    assert [(each.kind, each.ref) for each in look.evidence] == [
        ("scene", "earth-search/sentinel-2-l2a/A"),
        ("url", "https://a.example/t.jpg"),
        ("url", "https://a.example/i"),
    ]
    assert look.evidence[0].text == (
        "sentinel-2b 2023-08-01 12:00 UTC shows 100% of the site, 20% of the tile under cloud"
    )


@pytest.mark.parametrize(("cloud", "assessable"), [(0.0, True), (0.69, True), (0.71, False), (1.0, False)])
def test_cloud_is_not_absence(cloud: float, assessable: bool) -> None:
    look = only(tile(cloud_share=cloud))
    assert look.value is None
    assert look.assessable is assessable
    assert look.exposure == pytest.approx(1 - cloud)


def test_the_gate_can_be_set() -> None:
    assert only(tile(cloud_share=0.71), gate=0.25).assessable


def test_cloud_that_nobody_told_leaves_the_exposure_unknown() -> None:
    look = only(tile(cloud_share=None))
    assert (look.exposure, look.assessable, look.exposure_parts) == (None, None, {"covered": 1.0})


def test_radar_sees_through_cloud() -> None:
    look = only(tile(west=0, east=0.5, sensor="sar", cloud_share=None))
    assert look.series.procedure == "imagery/sar"
    assert look.exposure == pytest.approx(0.5, abs=0.001)
    assert look.exposure_parts["clear"] == 1.0
    assert look.assessable


def test_tiles_of_one_pass_are_one_look_over_their_union() -> None:
    # The second tile overlaps the first by a tenth of the site.
    west, east = (
        tile("A", -1, 0.6, cloud_share=0.0),
        tile("B", 0.5, 2, cloud_share=0.5, acquired_at=NOON + timedelta(seconds=7)),
    )
    look = only(east, west)
    assert (look.period_start, look.period_end) == (NOON, NOON + timedelta(seconds=7))
    assert look.exposure_parts["covered"] == pytest.approx(1, abs=0.001)
    # Cloud counts by what each tile shows: (0.6 × 0 + 0.5 × 0.5) ÷ 1.1.
    assert look.exposure_parts["clear"] == pytest.approx(1 - 0.25 / 1.1, abs=0.001)
    assert len([each for each in look.evidence if each.kind == "scene"]) == 2


def test_a_tile_that_shows_a_corner_alone_is_not_enough() -> None:
    look = only(tile(west=0.9, east=2, cloud_share=0.0))
    assert look.exposure == pytest.approx(0.1, abs=0.001)
    assert look.assessable is False


def test_of_copies_the_clearer_is_taken_and_counts_once() -> None:
    cloudy = tile("L2A", cloud_share=0.348, properties={"grid:code": "MGRS-24MVV"})
    clear = tile(
        "L1C", collection="sentinel-2-l1c", cloud_share=0.242, properties={"grid:code": "MGRS-24MVV"}
    )
    unknown = tile(
        "C1", collection="sentinel-2-c1-l2a", cloud_share=None, properties={"grid:code": "MGRS-24MVV"}
    )
    assert clearest([cloudy, clear, unknown]) == [clear]
    assert only(cloudy, clear, unknown).exposure == pytest.approx(1 - 0.242)


def test_copies_without_a_grid_are_known_by_their_outline() -> None:
    first, copy = tile("A", 0, 1), tile("B", 0, 1.02, provider="planetary-computer", cloud_share=0.1)
    neighbour = tile("C", 0.5, 1.5)
    assert clearest([first, copy, neighbour]) == [copy, neighbour]
    bare = tile("D", footprint=None)
    assert clearest([bare, replace(bare, item_id="E"), first]) == [first, bare]


def test_neighbours_on_a_grid_are_not_copies() -> None:
    one, two = (tile(name, properties={"grid:code": f"MGRS-{name}"}) for name in ("24MVV", "24MUV"))
    assert len(clearest([one, two])) == 2


def test_without_an_outline_the_stored_share_is_taken() -> None:
    assert only(tile(footprint=None, covered_share=0.4)).exposure_parts["covered"] == 0.4


def test_passes_are_apart_and_in_order_and_of_this_site_only() -> None:
    later = tile("B", look_key="sentinel-2a:GS2A_1:quiet-field", acquired_at=NOON + timedelta(days=2))
    elsewhere = tile("C", site_id=BUSY_PORT.id)
    found = pass_looks(QUIET_FIELD, [later, elsewhere, tile()], recorded_at=NOON)
    assert [look.look_key for look in found] == [LOOK, later.look_key]
    assert pass_looks(QUIET_FIELD, [], recorded_at=NOON) == []


def test_when_a_pass_was_knowable() -> None:
    early, late = tile("A", -1, 0.5), tile("B", 0.5, 2, published_at=NOON + 2 * HOUR)
    assert only(late, early).result_time == NOON + HOUR
    assert only(tile(published_at=None)).result_time == NOON + SCENE_LATENCY
    # A scene cannot have been published before it was taken.
    assert only(tile(published_at=NOON - HOUR)).result_time == NOON + SCENE_LATENCY
    corrected = tile(version=2, updated_at=NOON + 9 * HOUR)
    assert only(corrected).result_time == NOON + 9 * HOUR


def test_a_tile_that_comes_late_does_not_move_the_look() -> None:
    early = tile("B", 0.5, 2, acquired_at=NOON - timedelta(seconds=5))
    look = only(tile("A", -1, 0.6), early, known_starts={LOOK: NOON})
    assert (look.period_start, look.period_end) == (NOON, NOON)


@pytest.mark.parametrize("site", CAST, ids=lambda site: site.id)
def test_half_a_site_is_half_wherever_it_lies(site: Any) -> None:
    west, south, east, north = site.geometry.bounds
    half = box(west - 0.0, south - 1, east, (south + north) / 2)
    scene = tile(site_id=site.id, footprint=dict(mapping(half)), covered_share=0.01, cloud_share=0.0)
    (look,) = pass_looks(site, [scene], recorded_at=NOON)
    assert look.exposure == pytest.approx(0.5, abs=0.02)


def test_the_hole_is_no_part_of_the_site() -> None:
    whole = box(*DONUT_BASE.geometry.bounds)
    scene = tile(site_id=DONUT_BASE.id, footprint=dict(mapping(whole)), covered_share=0.01, cloud_share=0.0)
    (look,) = pass_looks(DONUT_BASE, [scene], recorded_at=NOON)
    assert look.exposure == pytest.approx(1)
    assert DATELINE_STRIP.id != DONUT_BASE.id


@given(
    st.lists(
        st.tuples(st.floats(-1, 0.9), st.floats(0.05, 1.5), st.none() | st.floats(0, 1)),
        min_size=1,
        max_size=6,
    )
)
def test_shares_stay_shares(tiles: list[tuple[float, float, float | None]]) -> None:
    scenes = [
        tile(f"T{index}", west, west + width, cloud_share=cloud)
        for index, (west, width, cloud) in enumerate(tiles)
        if west + width > 0.01
    ]
    for look in pass_looks(QUIET_FIELD, scenes, recorded_at=NOON):
        assert look.exposure is None or 0 <= look.exposure <= 1
        assert 0 <= look.exposure_parts["covered"] <= 1
        best = max(scene.covered_share for scene in clearest(scenes))
        assert look.exposure_parts["covered"] >= best - 0.001


# --- through the database -----------------------------------------------------------------------


def derive(engine: Engine, poll_id: int, *scenes: Scene, now: datetime = NOON + 4 * HOUR) -> int:
    with writing(engine) as connection:
        insert_scenes(connection, [replace(scene, poll_id=poll_id) for scene in scenes])
        return len(
            record_observations(connection, list(looks_of_scenes(connection, [poll_id], CAST_BY_ID, now)))
        )


def stored(engine: Engine) -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=QUIET_FIELD.id, metric="passes")


def test_scenes_of_a_poll_become_looks_once(engine: Engine) -> None:
    assert derive(engine, 1, tile()) == 1
    assert derive(engine, 2, tile()) == 0
    assert derive(engine, 3) == 0
    (look,) = stored(engine)
    assert (look.look_key, look.assessable, look.recorded_at) == (LOOK, True, NOON + 4 * HOUR)


def test_a_correction_is_a_revision_of_the_same_look(engine: Engine) -> None:
    derive(engine, 1, tile())
    corrected = tile(cloud_share=0.9, updated_at=NOON + 9 * HOUR)
    assert derive(engine, 2, corrected, now=NOON + 10 * HOUR) == 1
    (look,) = stored(engine)
    assert look.assessable is False
    with reading(engine) as connection:
        found = revisions(connection, look.series, look.period_start, LOOK)
    assert [each.assessable for each in found] == [True, False]


def test_a_late_tile_adds_to_the_look_that_is_there(engine: Engine) -> None:
    derive(engine, 1, tile("A", 0.8, 2))
    assert stored(engine)[0].assessable is False
    early = tile("B", -1, 0.9, acquired_at=NOON - timedelta(seconds=7))
    assert derive(engine, 2, early, now=NOON + 6 * HOUR) == 1
    (look,) = stored(engine)
    assert (look.period_start, look.assessable) == (NOON, True)


def test_scenes_of_sites_that_are_no_longer_watched_are_left_alone(engine: Engine) -> None:
    assert derive(engine, 1, tile(site_id="gone", look_key="x")) == 0
