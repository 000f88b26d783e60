"""A person's work with the pictures of a site: counts that correct themselves and stand side by side, parts that are drawn."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.alerts import alerts
from db.cutouts import picture_of, pictures, store_cutout
from db.engine import reading, writing
from db.imagery import insert_scenes
from db.observations import looks
from db.records import Observation, Scene
from monitor.web.views.comparison import around, shown_pictures
from tests.kit.web_rig import NOW, Rig, picture, png, rig, tell_anew

PATH = "/sites/busy-port/look"
FRAME = {
    "crs": "EPSG:32634",
    "west": 418_000.0,
    "south": 7_727_000.0,
    "east": 421_000.0,
    "north": 7_729_000.0,
    "corners": [[18.90, 69.66], [18.98, 69.66], [18.98, 69.64], [18.90, 69.64]],
}
OLD, NEW = "S2B_OLD", "S2B_NEW"


def show(engine: Engine, item_id: str, days: int, **fields: Any) -> None:
    taken = NOW - timedelta(days=days)
    made = picture(
        NOW,
        **{"site_id": "busy-port", "item_id": item_id, "acquired_at": taken, "bounds": FRAME, **fields},
    )
    with writing(engine) as connection:
        store_cutout(connection, made, keep=6)
        insert_scenes(
            connection,
            [
                Scene(
                    "earth-search",
                    "sentinel-2-l2a",
                    item_id,
                    "busy-port",
                    item_id,
                    "sentinel-2b",
                    taken,
                    1.0,
                    NOW,
                )
            ],
        )


@pytest.fixture
def page(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        show(engine, OLD, 40)
        show(engine, NEW, 2, png=png(240, 150))
        yield made


def send(page: Rig, where: str, **fields: str) -> tuple[int, str]:
    answer = page.client.post(
        f"/sites/busy-port/{where}", data={"form_token": page.client.form_token(PATH), **fields}
    )
    return answer.status_code, answer.headers.get("location", "") or answer.text


def count(page: Rig, **fields: str) -> tuple[int, str]:
    return send(page, "counts", **{"metric": "ships_present", "reviewer": "Ann", "scene": NEW, **fields})


def stored(page: Rig) -> list[Observation]:
    with reading(page.app.engine) as connection:
        return looks(connection, site_id="busy-port")


def test_the_page_shows_two_pictures_upon_each_other(page: Rig) -> None:
    text = page.client.get(PATH).text
    assert "data-compare" in text
    assert text.index(f"item={OLD}") < text.index(f"item={NEW}"), "before stands before after"
    assert '<input type="range" id="slide"' in text
    assert page.client.get("/sites/busy-port").text.count(f'href="{PATH}"') == 2, (
        "beside the picture and under the two"
    )


def test_every_kept_picture_has_an_address(page: Rig) -> None:
    with reading(page.app.engine) as connection:
        assert [(each.item_id, each.png) for each in pictures(connection, "busy-port")] == [
            (NEW, b""),
            (OLD, b""),
        ]
        old = picture_of(connection, "busy-port", OLD)
    assert old is not None
    assert page.client.get(f"/sites/busy-port/picture?item={OLD}").content == old.png
    assert page.client.get("/sites/busy-port/picture?item=S2B_NONE").status_code == 404
    assert page.client.get(f"/sites/quiet-field/picture?item={OLD}").status_code == 404


def test_two_chosen_scenes_are_put_in_order_of_time(page: Rig) -> None:
    text = page.client.get(f"{PATH}?scene={OLD}&other={NEW}").text
    assert f'<option value="{OLD}" selected>' in text.split("After</label>")[0]


def test_pictures_of_other_frames_stand_side_by_side(page: Rig) -> None:
    show(page.app.engine, "S2B_OTHER", 1, bounds={**FRAME, "west": 417_000.0})
    text = page.client.get(PATH).text
    assert "data-compare" not in text
    assert "they stand side by side" in text


def test_without_a_picture_it_says_how_else(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        text = made.client.get(PATH).text
    assert "no clear picture of this site yet" in text
    assert "sitewatch observations add" in text


def test_a_count_is_stored_with_the_time_of_its_scene(page: Rig) -> None:
    status, where = count(
        page, value="7", low="6", high="9", comparator="~=", note="at the long quay", certainty="high"
    )
    assert (status, where) == (303, f"{PATH}?scene={NEW}#counts-title")
    (look,) = stored(page)
    assert (look.value, look.low, look.high, look.qualifier) == (7.0, 6.0, 9.0, "~=")
    assert (look.publisher, look.series.procedure, look.precision) == ("Ann", "analyst", "minute")
    assert look.period_start == NOW - timedelta(days=2)
    assert look.result_time == NOW
    assert {(each.kind, each.ref) for each in look.evidence} >= {("scene", NEW), ("note", "reviewer")}
    text = page.client.get(f"{PATH}?scene={NEW}").text
    assert "at the long quay" in text
    assert "Data: Ann; " in text or "; Ann; " in text, "whose counts they are stands in the foot"
    assert "about 7" in text


def test_sent_again_it_is_a_correction_and_both_versions_stay(page: Rig) -> None:
    count(page, value="7")
    count(page, value="8")
    count(page, value="8")
    (look,) = stored(page)
    assert (look.value, look.revision) == (8.0, 2)
    assert "version 2" in page.client.get(PATH).text


def test_two_people_stay_side_by_side_with_their_agreement(page: Rig) -> None:
    count(page, value="7")
    count(page, value="12", reviewer="Ben")
    count(page, value="13", reviewer="Ben")
    assert sorted((each.publisher, each.value) for each in stored(page)) == [("Ann", 7.0), ("Ben", 13.0)]
    text = page.client.get(PATH).text
    assert "Ann counts 7 and Ben counts 13. They contradict each other." in text
    count(page, value="7", low="5", high="14")
    assert "They agree within their bounds." in page.client.get(PATH).text


def test_nothing_that_can_be_counted_is_no_zero(page: Rig) -> None:
    assert count(page, assessable="no")[0] == 303
    (look,) = stored(page)
    assert (look.value, look.assessable) == (None, False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "seven"}, "is not a number"),
        ({"value": "7", "reviewer": " "}, "Say who counted"),
        ({"value": "7", "scene": "S2B_NONE"}, "its time is not known"),
        ({"value": "7", "low": "9"}, "low, value and high are not in this order"),
        ({"value": "7", "metric": "submarines"}, "is not a metric"),
        ({"value": "7", "area": "pier-9"}, "is not an area of this site"),
        ({"value": "7", "url": "javascript:alert(1)"}, "it is not a web address"),
        ({"value": ""}, "it is empty"),
    ],
)
def test_a_bad_count_is_told_beside_its_field_and_nothing_is_stored(
    page: Rig, fields: dict[str, str], said: str
) -> None:
    status, text = count(page, **fields)
    assert status == 422
    assert said.lower() in text.lower()
    assert stored(page) == []


def test_a_named_part_gets_its_shape_and_a_new_part_begins(page: Rig) -> None:
    assert "Nobody has drawn Pier 2 yet" in page.client.get(PATH).text
    line = {"type": "LineString", "coordinates": [[18.92, 69.652], [18.94, 69.653]]}
    status, where = send(page, "areas", area="pier-2", geometry=json.dumps(line))
    assert (status, where) == (303, f"{PATH}#draw-title")
    outline = {
        "type": "Polygon",
        "coordinates": [[[18.91, 69.651], [18.915, 69.651], [18.915, 69.653], [18.91, 69.651]]],
    }
    assert (
        send(page, "areas", area_id="yard-1", name="Yard 1", kind="yard", geometry=json.dumps(outline))[0]
        == 303
    )
    areas = {each.id: each for each in page.app.sites["busy-port"].areas}
    assert areas["pier-2"].geometry is not None
    assert areas["pier-2"].geometry.geom_type == "LineString"
    assert (areas["yard-1"].name, areas["yard-1"].kind) == ("Yard 1", "yard")
    assert areas["pier-1"].geometry is not None
    written = json.loads(page.app.sites_file.path.read_text(encoding="utf-8"))
    assert len(written["features"]) == len(page.app.sites)
    assert page.app.sites_file.path.with_suffix(".geojson.bak").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"area": "pier-2", "geometry": ""}, "nothing is drawn"),
        ({"area": "pier-2", "geometry": "{"}, "it is not JSON"),
        ({"area": "pier-2", "geometry": "[1, 2]"}, "it is no GeoJSON geometry"),
        ({"area": "pier-9", "geometry": '{"type": "Point"}'}, "no such area any more"),
        ({"area": "pier-2", "geometry": '{"type": "Point", "coordinates": [18.92, 69.652]}'}, "Point"),
        ({"geometry": '{"type": "LineString", "coordinates": [[18.92, 69.652], [18.94, 69.653]]}'}, "id"),
        (
            {
                "area": "pier-2",
                "geometry": '{"type": "LineString", "coordinates": [[8.92, 9.652], [8.94, 9.653]]}',
            },
            "outside",
        ),
    ],
)
def test_a_bad_drawing_is_told_and_nothing_is_written(page: Rig, fields: dict[str, str], said: str) -> None:
    before = page.app.sites_file.path.read_bytes()
    status, text = send(page, "areas", **fields)
    assert status == 422
    assert "This cannot be written yet" in text
    assert said.lower() in text.lower()
    assert page.app.sites_file.path.read_bytes() == before


@pytest.mark.parametrize("where", ["counts", "areas"])
def test_only_our_own_form_changes_anything(page: Rig, where: str) -> None:
    answer = page.client.post(
        f"/sites/busy-port/{where}", data={"value": "7", "reviewer": "Ann", "scene": NEW}
    )
    assert answer.status_code == 403
    assert stored(page) == []


def test_the_public_sees_neither_forms_nor_page(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path, token="a-token-of-32-letters-for-testing", public_page=True) as made:
        show(engine, NEW, 2)
        assert made.client.get(PATH).status_code == 403
        assert "/look" not in made.client.get("/sites/busy-port").text


def test_an_unknown_site_is_told(page: Rig) -> None:
    answer = page.client.get("/sites/nowhere/look")
    assert answer.status_code == 404
    assert "no such site" in answer.text


def test_one_picture_of_each_month_stays_and_any_two_can_be_compared(page: Rig) -> None:
    days = [*range(3, 12), *range(60, 800, 11)]
    with writing(page.app.engine) as connection:
        for each in days:
            made = picture(
                NOW,
                site_id="busy-port",
                item_id=f"S2B_{each}",
                acquired_at=NOW - timedelta(days=each),
                bounds=FRAME,
            )
            store_cutout(connection, made, keep=6, months=24)
    with reading(page.app.engine) as connection:
        kept = pictures(connection, "busy-port")
    taken = [each.acquired_at for each in kept]
    assert taken[:6] == sorted(taken, reverse=True)[:6]
    months = [(each.year, each.month) for each in taken[6:]]
    assert len(set(months)) == len(months), "one of each month beside the newest"
    assert len({(each.year, each.month) for each in taken}) == 24
    one, other = kept[-1], kept[12]
    html = page.client.get(f"{PATH}?scene={other.item_id}&other={one.item_id}").text
    assert f"item={one.item_id}" in html
    assert f"item={other.item_id}" in html
    assert "data-compare" in html


def test_the_page_of_the_site_and_of_its_alert_show_before_and_after_without_a_script(page: Rig) -> None:
    tell_anew(page.app)
    show(page.app.engine, "S2B_BETWEEN", 20)
    with reading(page.app.engine) as connection:
        (alert,) = alerts(connection, site_id="busy-port")
    compared = {
        "/sites/busy-port": ("S2B_BETWEEN", NEW),
        f"/alerts/{alert.id}": ("S2B_BETWEEN", NEW),
    }
    for path, (before, after) in compared.items():
        section = page.client.get(path).text.split('id="compare-title"')[1].split("</section>")[0]
        found = re.findall(
            r'<img src="[^"]*item=(\w+)&amp;taken[^"]*" width="\d+" height="\d+" alt="(\w+):', section
        )
        assert found == [(before, "Before"), (after, "After")]
        assert "data-needs-script hidden" in section, (
            "without a script there is no slider to be tried in vain"
        )
        assert section.count("Contains modified Copernicus Sentinel data 2023") == 2, (
            "both say whose they are"
        )


def test_an_alert_that_came_before_any_picture_shows_none(page: Rig) -> None:
    tell_anew(page.app)
    with reading(page.app.engine) as connection:
        (told,) = alerts(connection, site_id="busy-port")
        shown = shown_pictures(connection, "busy-port", NOW)
    assert around(told, []) is None
    (newest, oldest) = shown
    assert around(told, [newest]) is None, "nothing was seen before it"
    assert around(told, [oldest]) is None, "nothing was seen since"
    both = around(told, shown)
    assert both is not None
    assert (both.before.scene, both.after.scene) == (OLD, NEW)


def test_the_scene_that_an_alert_rests_on_is_shown_whichever_came_first(page: Rig) -> None:
    tell_anew(page.app)
    show(page.app.engine, "S2B_LATER", 1)
    with reading(page.app.engine) as connection:
        (told,) = alerts(connection, site_id="busy-port")
        shown = shown_pictures(connection, "busy-port", NOW)
    assert (around(told, shown) or pytest.fail("two are kept")).after.scene == NEW
    scene = {"kind": "scene", "ref": "earth-search/sentinel-2-l2a/S2B_LATER", "text": ""}
    entries = [{**each, "evidence": [*each["evidence"], scene]} for each in told.details["entries"]]
    resting = replace(told, details={**told.details, "entries": entries})
    assert (around(resting, shown) or pytest.fail("two are kept")).after.scene == "S2B_LATER"
