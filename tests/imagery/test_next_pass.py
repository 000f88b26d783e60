"""When a satellite is due again: right on real scenes, said with what it rests on, and never guessed."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Scene
from monitor.imagery.next_pass import PASS_WINDOW, NextPass, next_pass_sentence, next_passes, relative_orbit
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON

SEEN = datetime(2023, 9, 2, 2, 16, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def scene(at: datetime = SEEN, platform: str = "sentinel-2b", **changes: Any) -> Scene:
    values: dict[str, Any] = {
        "provider": "earth-search",
        "collection": "sentinel-2-l2a",
        "item_id": f"{platform} {at}",
        "site_id": QUIET_FIELD.id,
        "look_key": f"{platform}:{at:%Y%m%dT%H%M}:{QUIET_FIELD.id}",
        "platform": platform,
        "acquired_at": at,
        "covered_share": 1.0,
        "recorded_at": at + timedelta(hours=2),
    }
    return Scene(**{**values, **changes})


def test_a_satellite_comes_back_after_its_days_and_says_why() -> None:
    seen = scene(properties={"sat:relative_orbit": 103})
    assert next_passes([seen], SEEN + DAY) == [
        NextPass(
            "sentinel-2b",
            SEEN + 10 * DAY,
            "10 days after 2023-09-02 02:16 UTC by sentinel-2b, orbit 103",
        )
    ]
    assert next_pass_sentence(next_passes([seen], SEEN + DAY)) == (
        "The next pass is due about 2023-09-12 02:16 UTC, 10 days after 2023-09-02 02:16 UTC by sentinel-2b, "
        "orbit 103. Cloud may hide the site."
    )


def test_a_pass_that_nobody_listed_does_not_end_the_count() -> None:
    (due,) = next_passes([scene()], SEEN + 10 * DAY)
    assert due.at == SEEN + 20 * DAY
    assert due.basis == "20 days (2 times 10) after 2023-09-02 02:16 UTC by sentinel-2b"


def test_each_satellite_and_track_has_its_own_next_pass() -> None:
    seen = [
        scene(SEEN),
        scene(SEEN + 3 * DAY, properties={"sat:relative_orbit": 3}),
        scene(SEEN + 5 * DAY, "sentinel-2a"),
        scene(SEEN + 2 * DAY, "landsat-9", properties={"landsat:wrs_path": "044"}),
        scene(SEEN + DAY, "sentinel-1a", sensor="sar"),
        scene(SEEN - 10 * DAY),
    ]
    due = next_passes(seen, SEEN + 6 * DAY)
    assert [(each.platform, (each.at - SEEN) / DAY) for each in due] == [
        ("sentinel-2b", 10),
        ("sentinel-1a", 13),
        ("sentinel-2b", 13),
        ("sentinel-2a", 15),
        ("landsat-9", 18),
    ]
    assert due[-1].basis.endswith("by landsat-9, path 44")


def test_tiles_and_copies_of_one_pass_are_one() -> None:
    key = "sentinel-2b:GS2B_1:quiet-field"
    tiles = [
        scene(SEEN + timedelta(seconds=14), look_key=key, covered_share=0.2),
        scene(SEEN, look_key=key, covered_share=0.2),
    ]
    (due,) = next_passes(tiles, SEEN + DAY)
    assert due.at == SEEN + 10 * DAY


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [scene(platform="worldview-2")],
        [scene(platform="unknown")],
        [scene(covered_share=0.1)],
        [scene(SEEN - PASS_WINDOW)],
        [scene(SEEN + 2 * DAY)],
    ],
    ids=["none", "not repeating", "unknown", "a sliver", "too old", "not yet"],
)
def test_nothing_is_guessed(seen: list[Scene]) -> None:
    due = next_passes(seen, SEEN + DAY)
    assert due == []
    assert next_pass_sentence(due) == (
        "Cannot tell yet when the next pass is due: no usable scene in the last 60 days."
    )


@given(
    days=st.lists(st.integers(0, 59), min_size=1, max_size=8, unique=True),
    ahead=st.timedeltas(timedelta(0), timedelta(hours=23)),
)
def test_every_pass_due_is_to_come_and_within_one_repeat(days: list[int], ahead: timedelta) -> None:
    now = NOON + 60 * DAY + ahead
    seen = [scene(now - day * DAY, properties={"sat:relative_orbit": 1}) for day in days]
    due = next_passes(seen, now)
    assert len(due) == len({day % 10 for day in days})
    assert all(now < each.at <= now + 10 * DAY for each in due)
    assert [each.at for each in due] == sorted(each.at for each in due)


# --- real scenes --------------------------------------------------------------------------------


def items(shared_data: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(shared_data / "stac" / "real-items.ndjson.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@pytest.mark.shared
def test_real_landsat_scenes_come_when_they_are_due(shared_data: Path) -> None:
    seen: dict[str, list[Scene]] = defaultdict(list)
    for item in items(shared_data):
        said = item["properties"]
        if item.get("collection") == "landsat-8-c2-l2":
            at = datetime.fromisoformat(said["datetime"])
            frame = f"{said['landsat:wrs_path']}/{said['landsat:wrs_row']}"
            path = {"landsat:wrs_path": said["landsat:wrs_path"]}
            seen[frame].append(scene(at, "landsat-8", properties=path))
    errors_s, missed = [], 0
    for scenes in seen.values():
        times = sorted(each.acquired_at for each in scenes)
        for now, actual in pairwise(times):
            (due,) = next_passes([each for each in scenes if each.acquired_at <= now], now)
            if actual - now < 17 * DAY:
                errors_s.append(abs((actual - due.at).total_seconds()))
            else:
                missed += 1
    assert len(seen) == 9
    assert (len(errors_s), missed) == (685, 22)
    assert max(errors_s) < 20
    assert sorted(errors_s)[len(errors_s) // 2] < 10


@pytest.mark.shared
def test_the_orbit_told_by_real_datatakes_is_the_one_the_catalogue_names(shared_data: Path) -> None:
    compared = 0
    for item in items(shared_data):
        said = item["properties"]
        name = f"{said.get('s2:product_uri', '')}{item['id']}"
        datatake = said.get("s2:datatake_id", "")
        if datatake and "_R" in name:
            assert relative_orbit(datatake) == int(name.split("_R")[1][:3]), item["id"]
            compared += 1
    assert compared >= 50


@pytest.mark.parametrize(
    "datatake", ["", "GS2C_20250731T131909_003879_N05.11", "GS2A_20250731T131909_053879_N05.11", "21912"]
)
def test_no_orbit_is_named_where_it_is_not_known(datatake: str) -> None:
    assert relative_orbit(datatake) is None
