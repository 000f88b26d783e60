"""OGC API Features: what the standard asks for, the answers of the API as features, and what GDAL reads of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box, shape
from sqlalchemy import Engine

from db.detections import insert_detections
from db.engine import writing
from db.observations import record_observations
from db.records.detections import Detection
from tests.kit.browser_rig import serving
from tests.kit.builders import at, look
from tests.kit.gdal_reader import read_with_gdal
from tests.kit.web_rig import NOW, TOKEN, Rig, rig, tell_story

NAMES = ("sites", "observations", "visits", "alerts", "detections")
ABROAD = {"x-forwarded-for": "192.0.2.1"}
CONFORMANCE = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        fill(made)
        yield made


def fill(made: Rig) -> None:
    """The story, counts beyond a page of GDAL's, and three detections, one of them corrected since."""
    tell_story(made.app)
    start = at("2021-01-01")
    days = (start + timedelta(days=each) for each in range(40))
    with writing(made.app.engine) as connection:
        record_observations(
            connection,
            [look(f"{day:%Y-%m-%d}", 2, "arrivals", site_id="quiet-field") for day in days],
        )
        insert_detections(
            connection, [detection("a", "2023-09-01T10:00", 1), detection("b", "2023-09-02T10:00", 2)]
        )
        insert_detections(connection, [detection("a", "2023-09-01T10:00", 4)])


def detection(name: str, seen: str, amount: float) -> Detection:
    when = at(seen)
    return Detection(
        "desk", "busy-port", "vehicles", name, "truck", when, 69.65, 18.96, f"pass-{name}", when,
        when + timedelta(minutes=1), "minute", NOW, amount=amount, whole=True,
    )  # fmt: skip


def ask(made: Rig, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
    response = made.client.get(f"/ogc{path}", headers=headers)
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    return body


def linked(body: dict[str, Any], relation: str) -> str | None:
    return next((each["href"] for each in body["links"] if each["rel"] == relation), None)


def every_page(made: Rig, path: str) -> list[dict[str, Any]]:
    """All features, by following `next`."""
    found: list[dict[str, Any]] = []
    following: str | None = path
    while following is not None:
        body = ask(made, following)
        assert body["numberReturned"] == len(body["features"])
        found += body["features"]
        told = linked(body, "next")
        following = None if told is None else told.removeprefix("http://127.0.0.1/ogc")
    return found


def test_from_the_landing_page_everything_is_found_by_its_links(told: Rig) -> None:
    landing = ask(told, "")
    for relation, path in (
        ("service-desc", "/api"),
        ("conformance", "/conformance"),
        ("data", "/collections"),
        ("self", ""),
    ):
        assert linked(landing, relation) == f"http://127.0.0.1/ogc{path}"
    assert ask(told, "/conformance") == {
        "conformsTo": [f"{CONFORMANCE}{each}" for each in ("core", "geojson", "oas30")]
    }
    collections = ask(told, "/collections")["collections"]
    assert [each["id"] for each in collections] == list(NAMES)
    for each in collections:
        assert ask(told, f"/collections/{each['id']}") == each
        assert linked(each, "items") == f"http://127.0.0.1/ogc/collections/{each['id']}/items"
        assert each["extent"]["spatial"]["bbox"][0][0] < each["extent"]["spatial"]["bbox"][0][2]


@pytest.mark.parametrize("name", NAMES)
def test_a_collection_is_the_list_of_the_api_and_each_feature_has_an_address(told: Rig, name: str) -> None:
    listed = told.client.get(f"/api/v1/{name}?limit=1000&format=geojson").json()
    found = every_page(told, f"/collections/{name}/items?limit=3")
    assert [each["properties"] for each in found] == [each["properties"] for each in listed["features"]]
    assert [each["geometry"] for each in found] == [each["geometry"] for each in listed["features"]]
    assert len({each["id"] for each in found}) == len(found) > 1 - (name == "visits")
    whole = ask(told, f"/collections/{name}/items")
    assert whole["numberMatched"] == len(found)
    assert whole["attribution"] == listed["attribution"]
    for each in found[:5]:
        alone = told.client.get(f"/ogc/collections/{name}/items/{each['id']}")
        assert alone.headers["content-type"] == "application/geo+json"
        links = alone.json().pop("links")
        assert {one["rel"] for one in links} == {"self", "collection"}
        assert {key: value for key, value in alone.json().items() if key != "links"} == each
        assert told.client.get(links[0]["href"].removeprefix("http://127.0.0.1")).json() == alone.json()
    assert ask(told, f"/collections/{name}/items/nobody", 404)["code"] == "404"


def test_a_box_finds_what_stands_in_it_and_nothing_else(told: Rig) -> None:
    sites = {
        each["id"]: shape(each["geometry"]) for each in ask(told, "/collections/sites/items")["features"]
    }
    for name in NAMES:
        every = every_page(told, f"/collections/{name}/items?limit=1000")
        for bounds in [*(each.bounds for each in sites.values()), (-180, -90, 180, 90), (0, -60, 1, -59)]:
            asked = ",".join(map(str, bounds))
            found = every_page(told, f"/collections/{name}/items?limit=7&bbox={asked}")
            expected = [
                each["id"]
                for each in every
                if each["geometry"] and shape(each["geometry"]).intersects(box(*bounds))
            ]
            assert [each["id"] for each in found] == expected, (name, bounds)
            assert ask(told, f"/collections/{name}/items?bbox={asked}")["numberMatched"] == len(expected)


def test_a_box_across_180_degrees_is_two(told: Rig) -> None:
    found = ask(told, "/collections/sites/items?bbox=179,-90,-179,90")["features"]
    assert [each["id"] for each in found] == ["dateline-strip"]
    high = ask(told, "/collections/sites/items?bbox=179,-90,0,-179,90,9000")["features"]
    assert high == found


def test_time_is_an_instant_an_interval_or_one_that_is_open(told: Rig) -> None:
    def days(text: str, name: str = "observations", rest: str = "&metric=containers") -> list[str]:
        body = ask(told, f"/collections/{name}/items?datetime={text}{rest}")
        assert body["numberMatched"] == body["numberReturned"]
        key = {
            "observations": "period_start",
            "visits": "visit_id",
            "detections": "detection_id",
            "alerts": "id",
        }
        return [str(each["properties"][key[name]])[:10] for each in body["features"]]

    every = ["2022-11-04", "2022-11-18", "2022-11-30", "2023-10-05", "2023-10-06"]
    begins = [days(f"{each}/..")[0] for each in every]
    assert begins == days("../..") == every
    assert len(days("2022-11-01/2022-11-30")) == 3
    assert len(days("../2022-11-18T12:00:00Z")) == 2
    assert len(days("2022-11-19T12:00:00Z/..")) == 3
    assert len(days("2022-11-18T12:00:00Z")) == 1
    assert len(days("/2022-11-18T12:00:00%2B00:00")) == 2
    assert days("2023-07-31", "visits", "") == ["quiet-fiel"]
    assert days("2023-07-30", "visits", "") == []
    assert days("2023-09-02/..", "detections", "") == ["b"]
    assert days("2023-09-01T10:00:00Z", "detections", "") == ["a"]
    assert days("2001-01-01", "alerts", "") == []
    # What has no time of its own is there at any.
    assert ask(told, "/collections/sites/items?datetime=2001-01-01")["numberMatched"] > 3


REFUSED = (
    *("bbox=1,2,3", "bbox=a,b,c,d", "bbox=1,2,3,nan", "bbox=10,5,20,4"),
    *("datetime=yesterday", "datetime=2023-10-05T01:24:00", "datetime=..", "datetime="),
    *("datetime=2023-10-05/2023-10-01", "datetime=2023-10-05/2023-10-06/2023-10-07"),
    *("datetime=0001-01-01T00:00:00%2B14:00", "limit=0", "limit=many", "cursor=x"),
    *("colour=red", "confidence=3", "format=csv"),
)


def test_what_cannot_be_meant_is_refused_with_a_sentence(told: Rig) -> None:
    for name in NAMES:
        for query in REFUSED:
            body = ask(told, f"/collections/{name}/items?{query}", 400)
            assert set(body) == {"code", "description"}
            assert body["code"] == "400"
            assert len(body["description"].split()) > 3
    for path in ("", "/api", "/conformance", "/collections", "/collections/sites"):
        assert "colour" in ask(told, f"{path}?colour=red", 400)["description"]


def test_a_limit_beyond_the_highest_means_the_highest(told: Rig) -> None:
    assert len(ask(told, "/collections/observations/items?limit=1000000")["features"]) > 40


def test_an_unknown_collection_and_an_unknown_site_are_not_there(told: Rig) -> None:
    assert ask(told, "/collections/ships", 404)["code"] == "404"
    assert "no such site" in ask(told, "/collections/visits/items?site=nowhere", 404)["description"]


def test_whoever_has_no_token_reads_nothing_and_the_public_reads_late(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path, token=TOKEN) as made:
        for path in ("", "/collections", "/collections/visits/items"):
            assert set(ask(made, path, 401)) == {"code", "description"}
        assert ask(made, "/collections", authorization=f"Bearer {TOKEN}")["collections"]
    with rig(engine, tmp_path, token=TOKEN, public_page=True) as made:
        fill(made)
        named = [each["id"] for each in ask(made, "/collections")["collections"]]
        assert named == [each for each in NAMES if each != "detections"]
        assert "detections" not in str(ask(made, "/api")["paths"])
        assert "This is not public" in ask(made, "/collections/detections/items", 403)["description"]
        late = ask(made, "/collections/observations/items?metric=containers")
        desk = ask(made, "/collections/observations/items?metric=containers", authorization=f"Bearer {TOKEN}")
        assert (late["numberMatched"], desk["numberMatched"]) == (3, 5)
        assert [each["properties"]["value"] for each in late["features"]] == [3, 5, 8]
        young = desk["features"][3]["id"]
        assert ask(made, f"/collections/observations/items/{young}", 404)["code"] == "404"


def test_by_its_own_name_only_a_watched_aircraft_is_found(told: Rig) -> None:
    """The visit of the story is of no aircraft that is watched by its address."""
    assert ask(told, "/collections/visits/items")["numberMatched"] == 1
    assert ask(told, "/collections/visits/items?registration=RA-86559")["numberMatched"] == 0


def test_the_links_have_the_name_by_which_it_was_asked(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, public_url="https://watch.example") as made:
        assert linked(ask(made, ""), "data") == "http://127.0.0.1/ogc/collections"
        assert linked(ask(made, "", host="watch.example"), "data") == "https://watch.example/ogc/collections"


def test_beyond_what_is_counted_no_number_is_given(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        fill(made)
        monkeypatch.setattr("monitor.web.ogc.collections.MOST_MATCHED", 40)
        assert "numberMatched" not in ask(made, "/collections/observations/items")
        assert (
            ask(made, "/collections/observations/items?site=quiet-field&metric=arrivals&subject=")[
                "numberMatched"
            ]
            == 40
        )


# --- GDAL ---------------------------------------------------------------------------------------------------------


def comparable(value: object) -> object:
    """A property as GDAL has it: an empty list is nothing, a time is a time however it is written."""
    if value in ([], {}, None):
        return None
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def test_gdal_reads_every_collection_with_filters_and_page_by_page(engine: Engine, tmp_path: Path) -> None:
    """As QGIS does: by the driver OAPIF, in pages of 7, the whole, a box, and by attributes."""
    with rig(engine, tmp_path) as made:
        fill(made)
        by_api = {name: made.client.get(f"/api/v1/{name}?limit=1000").json()["items"] for name in NAMES}
        with serving(made.page) as address:
            root = f"{address}/ogc"
            *whole, boxed, of_metric, of_state = read_with_gdal(
                [
                    *({"address": root, "collection": name} for name in NAMES),
                    {"address": root, "collection": "detections", "bbox": [18, 69, 19, 70]},
                    {"address": root, "collection": "observations", "where": "metric = 'containers' AND value > 4"},
                    {"address": root, "collection": "visits", "where": "confidence = 1"},
                ],
                OGR_OAPIF_PAGE_SIZE="7",
            )  # fmt: skip
    for name, read in zip(NAMES, whole, strict=True):
        items = by_api[name]
        assert read["collections"] == sorted(NAMES)
        assert read["crs"] in {"EPSG:4326", "OGC:CRS84"}
        assert read["valid"], name
        assert read["kinds"] == (["MultiPolygon", "Polygon"] if name == "sites" else ["Point"])
        assert read["count"] == len(items) == len(read["features"])
        plain = [key for key, value in items[0].items() if not isinstance(value, (list, dict))]
        for feature, item in zip(read["features"], items, strict=True):
            for key in plain:
                assert comparable(feature["properties"].get(key)) == comparable(item[key]), (name, key)
    assert len(boxed["features"]) == 2
    assert [each["properties"]["value"] for each in of_metric["features"]] == [5, 8, 73]
    # A property's name means that it is equal: the visit has 2.
    assert of_state["features"] == []
