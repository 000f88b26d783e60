"""Items of radar bursts: track, pass and sensor out of their names, where the catalogue says none of it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from shapely import box
from shapely.geometry import mapping

from db.records import Scene
from monitor.feeds.stac_items import ItemReader
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.fake_feeds import NOON

COLLECTION = "OPERA_L2_RTC-S1_V1_1"
AROUND = box(-71.2, -52.2, -70.2, -51.5)


def item(burst: str = "T115-245714-IW1", at: str = "20230801T092001Z", **changes: Any) -> dict[str, Any]:
    """As the catalogue of the archive lists it: no orbit, no instrument, no projection."""
    moment = datetime.strptime(at, "%Y%m%dT%H%M%S%z")
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"OPERA_L2_RTC-S1_{burst}_{at}_20230801T202001Z_S1A_30_v1.0",
        "collection": COLLECTION,
        "geometry": json.loads(json.dumps(mapping(AROUND))),
        "properties": {"datetime": moment.isoformat(), "start_datetime": moment.isoformat()},
        "links": [],
        "assets": {
            "0_VV": {"href": f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{burst}_VV.tif"},
            "0_VH": {"href": f"https://datapool.asf.alaska.edu/RTC/OPERA-S1/{burst}_VH.tif"},
        },
        **changes,
    }


def read(*items: dict[str, Any], site: Any = QUIET_FIELD) -> tuple[list[Scene], dict[str, int]]:
    reader = ItemReader(
        "opera-rtc", [COLLECTION], [site], begins=NOON - timedelta(days=9), ends=NOON, now=NOON
    )
    return [scene for each in items for scene in reader.read(each)], dict(reader.rejected)


def test_the_name_of_a_burst_tells_what_its_catalogue_leaves_out() -> None:
    ((scene,), rejected) = read(item())
    assert rejected == {}
    assert (scene.sensor, scene.platform) == ("sar", "sentinel-1a")
    assert scene.properties["sat:relative_orbit"] == 115
    assert scene.properties["opera:burst_id"] == "T115-245714-IW1"
    assert scene.links["vv"].endswith("_VV.tif")
    assert scene.cloud_share is None


def test_all_bursts_of_a_pass_are_one_look_whatever_minute_and_utc_day_they_fall_into() -> None:
    scenes, _ = read(item(at="20230731T235958Z"), item("T115-245715-IW1", at="20230801T000001Z"))
    assert len({each.look_key for each in scenes}) == 1
    other, _ = read(item("T134-287000-IW2", at="20230801T000001Z"))
    assert other[0].look_key not in {each.look_key for each in scenes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"properties": {"datetime": "2023-08-01T09:20:01Z", "sat:relative_orbit": 42}},
            "two relative orbits",
        ),
        ({"geometry": None}, "no outline"),
        ({"collection": "OPERA_L2_CSLC-S1_V1"}, "another collection"),
    ],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any], reason: str) -> None:
    scenes, rejected = read(item(**changes))
    assert scenes == []
    assert rejected == {reason: 1}


def test_a_name_that_is_none_of_a_burst_is_an_item_like_any_other() -> None:
    for name in (
        "OPERA_L2_RTC-S1-STATIC_T115-245714-IW1_20140403_S1A_30_v1.0",
        "OPERA_L2_RTC-S1_T999-245714-IW1_20230801T092001Z_20230801T202001Z_S1A_30_v1.0",
    ):
        ((scene,), _) = read(item(id=name))
        assert "opera:burst_id" not in scene.properties


def test_a_burst_across_180_degrees_shows_a_site_there_and_no_band_round_the_earth() -> None:
    parts = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[179.5, -17.2], [180, -17.2], [180, -16.4], [179.5, -16.4], [179.5, -17.2]]],
            [[[-180, -17.2], [-179.5, -17.2], [-179.5, -16.4], [-180, -16.4], [-180, -17.2]]],
        ],
    }
    ((scene,), _) = read(item(geometry=parts), site=DATELINE_STRIP)
    assert scene.covered_share == pytest.approx(1.0)
    band = {
        "type": "Polygon",
        "coordinates": [[[-179.5, -17.2], [179.5, -17.2], [179.5, -16.4], [-179.5, -16.4], [-179.5, -17.2]]],
    }
    scenes, rejected = read(item(geometry=band), site=QUIET_FIELD)
    assert scenes == [], "drawn the other way round, it is a band over every site of its latitude"
    assert sum(rejected.values()) == 1
