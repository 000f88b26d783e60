"""What an analyst does in a browser, from the first look to an acknowledged alert and three new sites."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from db.alerts import alerts
from db.engine import open_engine, reading
from db.migrate import migrate
from tests.kit.browser_rig import PHONE, Served, reader, serving
from tests.kit.web_rig import rig, tell_story

# Playwright talks with its driver over a pipe of asyncio, and the driver with Chromium over a socket of its own.
pytestmark = [pytest.mark.enable_socket, pytest.mark.long, pytest.mark.untraced]

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[10.0, 55.0], [10.02, 55.0], [10.02, 55.01], [10.0, 55.01], [10.0, 55.0]]],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("story")
    engine = open_engine(f"sqlite:///{folder / 'page.db'}")
    migrate(engine)
    with rig(engine, folder) as made:
        tell_story(made.app)
        with serving(made.page) as address:
            yield Served(made, address)
    engine.dispose()


def written(served: Served) -> list[str]:
    document = json.loads(served.made.app.sites_file.path.read_text(encoding="utf-8"))
    return [feature["id"] for feature in document["features"]]


def test_from_the_first_look_to_an_acknowledged_alert(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        card = page.locator("#site-quiet-field")
        expect(card).to_contain_text("Contains modified Copernicus Sentinel data 2023")
        expect(card).to_contain_text("143 aircraft heard near Donut Base")
        expect(card).to_contain_text("not sent")
        assert card.locator("img").evaluate("(picture) => picture.naturalWidth") == 480

        page.get_by_role("link", name="Busy Port", exact=True).first.click()
        page.wait_for_selector("#live-chart[data-drawn]")
        page.get_by_role("link", name="About 73 containers").first.click()
        expect(page.get_by_label("Slack message")).to_contain_text("Contents not visible.")
        mail = page.frame_locator("iframe")
        expect(mail.get_by_role("heading", level=1)).to_contain_text("About 73 containers at Busy Port")
        page.screenshot(path=tmp_path / "alert.png", full_page=True)

        page.get_by_label("Your name").first.fill("Mina")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("main")).to_contain_text("Acknowledged by Mina at 2023-10-07 12:00 UTC")
        page.get_by_role("button", name="Silence at this site: containers").click()
        expect(page.locator("main")).to_contain_text(
            "No messages about Containers here until 2023-10-08 12:00 UTC"
        )
    with reading(served.made.app.engine) as connection:
        (alert,) = alerts(connection, site_id="busy-port")
    assert alert.acknowledged_by == "Mina"


def dry_run(page: Page, picture: Path) -> None:
    """Go from the filled form to the dry run; nothing is written by that."""
    page.get_by_role("button", name="Show what would be watched").press("Enter")
    expect(page.locator("main")).to_contain_text("Nothing is written yet.")
    page.wait_for_selector("#preview-map[data-ready=true]")
    page.screenshot(path=picture, full_page=True)


def test_adding_by_airport_code_and_keyboard(served: Served, browser: Browser, tmp_path: Path) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/add-site")
        page.get_by_label("An airport").focus()
        page.keyboard.type("ekbi")
        before = written(served)
        dry_run(page, tmp_path / "airport.png")
        assert written(served) == before
        run = page.get_by_role("region", name="What would be watched")
        expect(run).to_contain_text("Europe/Copenhagen")
        expect(run).to_contain_text("cannot tell yet, needs 20 more looks (at least 20 days).")
        expect(run).to_contain_text("3 more a day from flights")
        expect(run).to_contain_text("asks about it every minute")
        expect(run).to_contain_text("1,440 more")
        page.get_by_role("button", name="Add this site").focus()
        page.keyboard.press("Space")
        page.wait_for_url("**/sites/dk-ekbi")
        expect(page.get_by_role("heading", level=1)).to_have_text("Billund Airport")
    assert written(served) == [*before, "dk-ekbi"]


def test_adding_by_pasting_is_told_beside_the_field_what_is_missing(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    with reader(served, browser, viewport=PHONE, is_mobile=True, has_touch=True) as page:
        page.goto(f"{served.address}/add-site")
        page.get_by_label("GeoJSON").fill(json.dumps(SQUARE))
        page.get_by_role("button", name="Show what would be watched").click()
        name = page.get_by_label("Name", exact=True)
        expect(name).to_have_attribute("aria-invalid", "true")
        expect(name).to_have_accessible_description("It is missing. Name the site as people do.")
        page.screenshot(path=tmp_path / "refused.png", full_page=True)
        served.said[:] = [each for each in served.said if "422" not in each]

        name.fill("New yard")
        page.get_by_label("Id").fill("new-yard")
        page.get_by_label("Kind").select_option("railhead")
        dry_run(page, tmp_path / "pasted.png")
        expect(page.locator("main")).to_contain_text("looks come from imports only")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("button", name="Add this site").click()
        page.wait_for_url("**/sites/new-yard")
    assert written(served)[-1] == "new-yard"


def test_adding_by_drawing(served: Served, browser: Browser, tmp_path: Path) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/add-site")
        page.wait_for_selector("#map[data-drawing=ready]")
        page.evaluate("void document.querySelector('#map').map.jumpTo({ center: [12, 55.6], zoom: 9 })")
        page.get_by_role("button", name="Draw on the map").click()
        area = page.locator("#map").bounding_box()
        assert area is not None
        for x, y in ((0.4, 0.4), (0.42, 0.4), (0.42, 0.45), (0.4, 0.4)):
            page.mouse.move(area["x"] + area["width"] * x, area["y"] + area["height"] * y, steps=3)
            page.mouse.down()
            page.mouse.up()
        page.wait_for_selector("#draw-start[aria-pressed=false]")
        drawn = json.loads(page.get_by_label("GeoJSON").input_value())
        assert (drawn["type"], len(drawn["coordinates"][0])) == ("Polygon", 4)
        page.get_by_label("Id").fill("drawn-quay")
        page.get_by_label("Name", exact=True).fill("Drawn quay")
        page.get_by_label("Kind").select_option("port")
        dry_run(page, tmp_path / "drawn.png")
        page.wait_for_selector("#map[data-drawing=ready]")
        assert json.loads(page.get_by_label("GeoJSON").input_value()) == drawn
        page.get_by_role("button", name="Add this site").click()
        page.wait_for_url("**/sites/drawn-quay")
    assert written(served)[-1] == "drawn-quay"
    assert served.made.app.sites_file.path.with_suffix(".geojson.bak").exists()
