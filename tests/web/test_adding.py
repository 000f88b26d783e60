"""Adding a site from the page: shown before it is written, refused with every fault, watched from then on."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.declared import declared
from db.engine import reading, writing
from db.observations import record_observations
from db.sites import site_names
from monitor.web.security import LARGEST_BODY_BYTES
from tests.kit.builders import look
from tests.kit.web_rig import Rig, rig

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[10.0, 55.0], [10.02, 55.0], [10.02, 55.01], [10.0, 55.01], [10.0, 55.0]]],
}


@pytest.fixture
def made(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as page:
        yield page


def check(made: Rig, **fields: str) -> tuple[int, str]:
    form = {"form_token": made.client.form_token("/add-site"), **fields}
    response = made.client.post("/add-site/check", data=form)
    return response.status_code, response.text


def confirm(made: Rig, page: str, **changes: str) -> Any:
    found = re.search(r'name="features" value="([^"]*)"', page)
    assert found
    features = html.unescape(found[1])
    form = {"form_token": made.client.form_token("/add-site"), "features": features, **changes}
    return made.client.post("/add-site", data=form)


def written(made: Rig) -> list[str]:
    document = json.loads(made.app.sites_file.path.read_text(encoding="utf-8"))
    return [feature["id"] for feature in document["features"]]


def test_an_airport_is_shown_then_written_then_watched(made: Rig) -> None:
    status, page = check(made, airport="EKBI")
    assert status == 200
    assert "Billund" in page
    assert "Europe/Copenhagen" in page
    assert "3 more a day from flights" in page
    assert "one look a day, from adsb.lol" in page
    assert "cannot tell yet, needs 20 more looks (at least 20 days)." in page
    assert "adsb.lol" in page
    assert "dk-ekbi" not in written(made)
    response = confirm(made, page)
    assert (response.status_code, response.headers["location"]) == (303, "/sites/dk-ekbi")
    assert written(made)[-1] == "dk-ekbi"
    assert "dk-ekbi" in made.app.sites
    with reading(made.app.engine) as connection:
        assert "dk-ekbi" in site_names(connection)
    assert "Billund" in made.client.get("/sites/dk-ekbi").text
    assert made.app.sites_file.path.with_suffix(".geojson.bak").exists()


def test_a_pasted_outline_is_watched_as_what_it_is(made: Rig) -> None:
    status, page = check(
        made, geojson=json.dumps(SQUARE), site_id="new-quay", name="New Quay <b>", kind="port", timezone=""
    )
    assert status == 200
    assert "New Quay &lt;b&gt;" in page
    assert "1.42 km²" in page
    assert "Ships present" in page
    assert confirm(made, page).status_code == 303
    assert made.app.sites["new-quay"].timezone.key == "Europe/Copenhagen"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "names no place at all"),
        ({"airport": "EKBI", "geojson": "{}"}, "it names several places"),
        ({"airport": "QQQQ"}, "no airport in the packaged table"),
        ({"geojson": "nonsense"}, "the file"),
        ({"geojson": json.dumps({"type": "Point", "coordinates": [1, 2]})}, "no outline of a site"),
        ({"geojson": json.dumps(SQUARE)}, "It is missing. Name the site as people do."),
        ({"geojson": '{"type": "FeatureCollection", "features": []}'}, "it holds no feature"),
        (
            {"geojson": json.dumps(SQUARE), "site_id": "busy-port", "name": "x", "kind": "port"},
            "there is a site with this id already",
        ),
        ({"geojson": json.dumps(SQUARE), "site_id": "Bad Id", "name": "x", "kind": "port"}, "id"),
        ({"geojson": "[" * 100_000, "site_id": "deep", "name": "x", "kind": "port"}, "the file"),
    ],
)
def test_what_cannot_be_added_says_why_and_keeps_what_was_typed(
    made: Rig, fields: dict[str, str], said: str
) -> None:
    before = written(made)
    status, page = check(made, **fields)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    assert status == 422
    assert "This cannot be added yet" in text
    assert said in text
    assert 'name="features"' not in page
    if "site_id" in fields:
        assert f'value="{fields["site_id"]}"' in page
    assert written(made) == before


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ({}, {"airport"}),
        ({"airport": "QQQQ"}, {"airport"}),
        ({"geojson": "nonsense"}, {"geojson"}),
        ({"geojson": json.dumps(SQUARE)}, {"site_id", "name", "kind"}),
        (
            {"geojson": json.dumps(SQUARE), "site_id": "q", "name": "Q", "kind": "port", "timezone": "Mars"},
            {"timezone"},
        ),
        ({"airport": "EKBI", "site_id": "busy-port"}, {"site_id"}),
    ],
)
def test_each_fault_stands_beside_the_field_where_it_is_mended(
    made: Rig, fields: dict[str, str], beside: set[str]
) -> None:
    _, page = check(made, **fields)
    told = set(re.findall(r'aria-invalid="true" aria-describedby="(\w+)-wrong"', page))
    assert told == beside
    assert {name for name in told if f'id="{name}-wrong"' in page} == beside
    assert set(re.findall(r'<li dir="auto"><a href="#(\w+)"', page)) == beside


DECLARED = {
    "metric": "railcars",
    "comparator": "max",
    "value": 20,
    "start": "2018-10-06",
    "end": "2023-09-17",
    "publisher": "Institute <b>of</b> Yards",
}


def yard(**properties: Any) -> str:
    feature = {
        "type": "Feature",
        "id": "new-yard",
        "geometry": SQUARE,
        "properties": {"name": "New yard", "kind": "railhead", **properties},
    }
    return json.dumps(feature)


def test_a_declared_baseline_is_told_before_and_holds_after(made: Rig) -> None:
    _, page = check(made, geojson=yard(declared_baselines=[DECLARED]))
    assert (
        "At most 20 railcars, 2018-10-06 to 2023-09-17, according to Institute &lt;b&gt;of&lt;/b&gt; Yards"
        in page
    )
    assert "number of looks not published" in page
    assert '<strong>Record</strong>: <span dir="auto">tells above 20.</span>' in page
    confirm(made, page)
    with reading(made.app.engine) as connection:
        (stored,) = declared(connection, "new-yard")
    assert (stored.value, stored.publisher) == (20, "Institute <b>of</b> Yards")


def test_history_that_is_there_counts_in_the_dry_run(made: Rig) -> None:
    with writing(made.app.engine) as connection:
        counts = [look(f"2023-09-{day:02}", day, site_id="new-yard") for day in range(1, 26)]
        record_observations(connection, counts)
    _, page = check(made, geojson=yard(watchlist=["type:Tu-160"]))
    text = re.sub(r"<[^>]+>", "", page)
    assert "25 looks known already" in text
    assert "tells above 25." in text
    assert "tells whenever one of these is seen: Tu-160." in text


@pytest.mark.parametrize(
    ("options", "requests"),
    [({}, "5,760 (1,440 more)"), ({"most_at_once": "1"}, "1,440 (as before)")],
)
def test_what_more_is_asked_is_told(
    sqlite_engine: Engine, tmp_path: Path, options: dict[str, str], requests: str
) -> None:
    providers = {"adsb.lol": {"options": {"path_style": "point", **options}}}
    with rig(sqlite_engine, tmp_path, providers=providers) as made:
        _, page = check(made, airport="EKBI")
    assert requests in page
    assert ("every 4 minutes, one place after the other" in page) == bool(options)
    assert "24 (as before)" in page


def test_every_fault_is_told_at_once(made: Rig) -> None:
    bad = {
        "type": "Feature",
        "id": "bad",
        "geometry": SQUARE,
        "properties": {"kind": "castle", "elevation_ft": "high"},
    }
    _, page = check(made, geojson=json.dumps(bad))
    found = re.search(r'<div class="faults".*?</div>', page, re.DOTALL)
    assert found
    assert found[0].count("<li") >= 3


def test_a_changed_dry_run_is_checked_again(made: Rig) -> None:
    _, page = check(made, airport="EKBI")
    response = confirm(
        made, page, features='{"type": "Feature", "id": "x", "geometry": null, "properties": {}}'
    )
    assert response.status_code == 422
    assert "This cannot be added yet" in response.text


def test_a_file_that_cannot_be_written_is_a_sentence(made: Rig) -> None:
    _, page = check(made, airport="EKBI")
    path = made.app.sites_file.path
    keep = path.read_text(encoding="utf-8")
    path.unlink()
    path.mkdir()
    response = confirm(made, page)
    assert response.status_code in {422, 500}
    assert "read" in response.text or "written" in response.text
    path.rmdir()
    path.write_text(keep, encoding="utf-8")


def test_only_our_own_form_adds(made: Rig) -> None:
    before = written(made)
    for path in ("/add-site", "/add-site/check"):
        assert made.client.post(path, data={"features": "{}", "airport": "EKBI"}).status_code == 403
    assert written(made) == before


def test_a_body_without_end_is_refused(made: Rig) -> None:
    token = made.client.form_token("/add-site")
    response = made.client.post(
        "/add-site/check", data={"form_token": token, "geojson": "x" * (LARGEST_BODY_BYTES + 1)}
    )
    assert response.status_code == 413
    assert "more than sitewatch takes" in response.text
    longer_than_a_field = {"form_token": token, "geojson": "x" * 2_000_000}
    assert made.client.post("/add-site/check", data=longer_than_a_field).status_code == 400


def test_a_site_on_the_ground_of_another_is_shown_with_a_note(made: Rig) -> None:
    _, first = check(made, airport="EKBI")
    assert "share all of the smaller outline" not in first
    confirm(made, first)
    _, second = check(made, airport="EKBI", site_id="again")
    assert "dk-ekbi (Billund Airport) and again (Billund Airport) share all of the smaller outline" in second


def test_a_text_that_cannot_be_stored_is_refused_before_it_is_written(made: Rig) -> None:
    before = written(made)
    feature = {"type": "Feature", "id": "\ud800", "geometry": SQUARE, "properties": {}}
    form = {"form_token": made.client.form_token("/add-site"), "features": json.dumps(feature)}
    answers = [made.client.post("/add-site", data=form).text, check(made, geojson=json.dumps(feature))[1]]
    assert all("holds a character that cannot be stored" in each for each in answers)
    assert written(made) == before


# --- files and places -------------------------------------------------------------------------------

PLACEMARK = (
    "<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>{west},55 10.02,55 10.02,55.01 "
    "{west},55</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
)


def kml(*names: str) -> bytes:
    inside = "".join(PLACEMARK.format(name=name, west=10 - number / 10) for number, name in enumerate(names))
    return f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{inside}</Document></kml>'.encode()


def send(made: Rig, name: str, data: bytes, **fields: str | list[str]) -> tuple[int, str]:
    form = {"form_token": made.client.form_token("/add-site"), **fields}
    response = made.client.post("/add-site/check", data=form, files={"file": (name, data)})
    return response.status_code, response.text


def test_a_kml_is_sent_shown_and_written(made: Rig) -> None:
    status, page = send(made, "yard.kml", kml("New Yard"), kind="railhead")
    assert status == 200, page
    assert "New Yard" in page
    assert confirm(made, page).status_code == 303
    assert written(made)[-1] == "new-yard"
    assert made.app.sites["new-yard"].timezone.key == "Europe/Copenhagen"


def test_of_several_places_those_that_are_ticked_are_shown(made: Rig) -> None:
    status, page = send(made, "two.kml", kml("East &lt;b&gt;", "West"), kind="railhead")
    assert status == 200
    assert "The file holds 2 places" in page
    assert re.findall(r'name="chosen" value="([^"]*)"', page) == ["East &lt;b&gt;", "West"]
    assert 'name="features"' not in page
    text = html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)[1])  # type: ignore[index]
    form = {"form_token": made.client.form_token("/add-site"), "geojson": text, "kind": "railhead"}
    page = made.client.post("/add-site/check", data={**form, "chosen": ["West"]}).text
    assert confirm(made, page).status_code == 303
    assert written(made)[-1] == "west"
    page = made.client.post("/add-site/check", data={**form, "chosen": ["East <b>"]}).text
    assert confirm(made, page).headers["location"] == "/sites/east-b"


def test_a_point_with_a_radius_is_a_site(made: Rig) -> None:
    status, page = check(made, place="""55°0'18"N 10°0'36"E""", radius="800", name="Pier", kind="port")
    assert status == 200, page
    assert "Read as 55.005, 10.01 (degrees and minutes)." in page
    assert confirm(made, page).status_code == 303
    assert written(made)[-1] == "pier"


@pytest.mark.parametrize(
    ("fields", "beside", "said"),
    [
        ({"place": "55, 10"}, "radius", "Say how far the site reaches round it"),
        ({"place": "55, 10", "radius": "far"}, "radius", "is no number"),
        ({"place": "somewhere", "radius": "5"}, "place", "this is no place that is known here"),
        ({"place": "125.1, 39.2", "radius": "5"}, "place", "look swapped"),
        ({"place": "55, 10", "radius": "5", "airport": "EKBI"}, "airport", "it names several places"),
    ],
)
def test_a_place_that_cannot_be_taken_says_why_beside_its_field(
    made: Rig, fields: dict[str, str], beside: str, said: str
) -> None:
    status, page = check(made, name="Pier", kind="port", **fields)
    assert status == 422
    assert said in html.unescape(page)
    assert re.findall(r'aria-invalid="true" aria-describedby="(\w+)-wrong"', page) == [beside]


def test_a_place_in_the_open_sea_is_asked_about(made: Rig) -> None:
    _, page = check(made, place="13.4, 52.5", radius="800", name="Berlin", kind="port")
    assert "Are latitude and longitude swapped?" in page


def test_a_file_that_cannot_be_read_is_named(made: Rig) -> None:
    status, page = send(made, "picture.kml", b"\x89PNG\r\n\x1a\n", kind="port")
    assert status == 422
    assert "it is a PNG picture" in html.unescape(page).replace("It is", "it is")
