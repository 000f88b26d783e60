"""The page in a real browser without a screen: map, charts, keyboard, dark, phone; nothing from elsewhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser

from db.alerts import alerts
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import record
from tests.browser_rig import AXE, Served, reader, serving, started_for_tests
from tests.builders import look
from tests.web_rig import Rig, containers, rig, tell_story

# Playwright talks with its driver over a pipe of asyncio, and the driver with Chromium over a socket of its own.
pytestmark = pytest.mark.enable_socket
# What is recorded later has a later time, in whichever order the tests run.
LATER = (f"2023-10-{day:02}" for day in range(8, 30))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_for_tests() as started:
        yield started


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    """The cast with its story on one database, served for all tests of this file."""
    folder = tmp_path_factory.mktemp("page")
    engine = open_engine(f"sqlite:///{folder / 'page.db'}")
    migrate(engine)
    with rig(engine, folder) as made:
        tell_story(made.app)
        with serving(made.page) as address:
            yield made, address
    engine.dispose()


@pytest.fixture
def served(story: tuple[Rig, str], browser: Browser) -> Served:
    return Served(*story)


def alert_path(served: Served) -> str:
    with reading(served.made.app.engine) as connection:
        return f"/alerts/{alerts(connection, site_id='busy-port')[0].id}"


def test_the_map_comes_to_rest_and_shows_every_site(served: Served, browser: Browser, tmp_path: Path) -> None:
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        page.screenshot(path=tmp_path / "index.png", full_page=True)
        assert page.locator("#map canvas").count() == 1
        page.get_by_role("button", name="Show all").click()
        page.get_by_role("link", name="Busy Port", exact=True).first.click()
        page.wait_for_url("**/sites/busy-port")
    assert any("/atlas/" in url for url in served.asked)
    assert any("map-worker" in url for url in served.asked)


SEA = [
    *[(165, 30), (150, 18), (-160, 30), (-178, -26), (95, -30), (-30, 40), (-140, -30)],  # the oceans
    *[(18, 61.5), (19.5, 56.5), (20.3, 58.3)],  # the Baltic
    *[(175, 55), (176, 60), (-176, 61.5)],  # the Bering Sea
    *[(176, -17.5), (179.8, -18.5), (-178, -16.5)],  # around Fiji
]
LAND = [
    *[(100, 60), (135, -25), (138.5, 36.3), (-110, 45), (25, 10), (60, -80)],
    *[(14.5, 57.2), (26, 61)],  # Sweden, Finland
    *[(178, 67), (-175, 66.5), (170, 66.5), (-158, 64.5)],  # Chukotka on both sides of 180°, Alaska
    *[(178, -17.8), (179.3, -16.6)],  # the two large islands of Fiji
]
VIEWS = [(0.5, 140, 20), (1.6, 130, 30), (2.6, 150, 40), (3.6, 179, 64), (4.6, 18, 60), (5.5, 179, -17)]
SHOW = """([zoom, lon, lat]) => new Promise((done) => {
    const { map } = document.querySelector("#map");
    for (const layer of ["countries", "sites", "names", "borders", "coast"])
        map.setLayoutProperty(layer, "visibility", "none");
    map.jumpTo({ center: [lon, lat], zoom });
    map.once("idle", done);
})"""
FIND = "(places) => places.map((each) => document.querySelector('#map').map.project(each)).map(({ x, y }) => [x, y])"


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_at_every_zoom_sea_is_sea_and_land_is_land(
    served: Served, browser: Browser, tmp_path: Path, view: tuple[float, float, float]
) -> None:
    """Outlines that jump at 180° or cross themselves would paint land over seas (the Baltic, the Pacific, Fiji)."""
    expected = [(place, "223,232,236") for place in SEA] + [(place, "236,232,221") for place in LAND]
    with reader(served, browser, device_scale_factor=1) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        page.evaluate(SHOW, list(view))
        spots = page.evaluate(FIND, [list(place) for place, _ in expected])
        page.locator("#map canvas").screenshot(path=tmp_path / "map.png")
    picture = imread(tmp_path / "map.png")
    height, width = picture.shape[:2]
    seen = 0
    for (place, colour), (x, y) in zip(expected, spots, strict=True):
        # Buttons and scale stand along the edges.
        if 60 < x < width - 110 and 60 < y < height - 60:
            shown = ",".join(str(round(255 * float(part))) for part in picture[int(y), int(x), :3])
            assert shown == colour, f"{place} at zoom {view[0]} is {shown}"
            seen += 1
    assert seen >= 2


def test_the_chart_is_drawn_and_its_time_stands_in_the_address(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/sites/busy-port")
        page.wait_for_selector("#live-chart[data-drawn]")
        assert page.locator("#plain-chart").is_hidden()
        page.screenshot(path=tmp_path / "site.png", full_page=True)
        plot = page.locator(".u-over").bounding_box()
        assert plot is not None
        middle = plot["y"] + plot["height"] / 2
        page.mouse.move(plot["x"] + plot["width"] * 0.6, middle)
        page.mouse.down()
        page.mouse.move(plot["x"] + plot["width"] * 0.9, middle, steps=5)
        page.mouse.up()
        page.wait_for_url("**#from=*&to=*")
        page.reload()
        page.wait_for_selector("#live-chart[data-drawn]")
        assert "#from=" in page.url
        page.get_by_role("button", name="Show all").click()
        page.wait_for_url("**/sites/busy-port")


def test_pointing_at_the_chart_says_who_counted(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/sites/busy-port")
        page.wait_for_selector("#live-chart[data-drawn]")
        plot = page.locator(".u-over").bounding_box()
        assert plot is not None
        page.mouse.move(plot["x"] + plot["width"] * 0.97, plot["y"] + 40)
        page.locator(".chart-tip", has_text="Harbour Watch").wait_for()
        assert "about 73" in page.locator(".chart-tip").inner_text()


def test_a_new_count_appears_by_itself(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/sites/dateline-strip")
        page.wait_for_selector("[data-live]:not([hidden])")
        assert "Nothing has been counted here yet" in page.locator("main").inner_text()
        page.wait_for_selector("#map[data-ready=true]")
        page.evaluate("document.querySelector('#map').dataset.mine = 'kept'")
        with writing(served.made.app.engine) as connection:
            seen = look("2023-10-06", 4, "aircraft_present", site_id="dateline-strip", known=next(LATER))
            record(connection, [seen])
        page.get_by_text("Nothing has been counted here yet").wait_for(state="detached")
        page.wait_for_selector("table.looks")
        assert page.locator("#map").get_attribute("data-mine") == "kept"


def test_acknowledging_by_keyboard(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(served.address + alert_path(served))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.get_by_label("Your name").first.focus()
        page.keyboard.type("Mina")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Acknowledged by Mina")


def test_an_outline_can_be_drawn(served: Served, browser: Browser, tmp_path: Path) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}/add-site")
        page.wait_for_selector("#map[data-drawing=ready]")
        page.get_by_role("button", name="Draw on the map").click()
        area = page.locator("#map").bounding_box()
        assert area is not None
        for x, y in ((0.4, 0.4), (0.42, 0.4), (0.42, 0.45), (0.4, 0.4)):
            page.mouse.move(area["x"] + area["width"] * x, area["y"] + area["height"] * y, steps=3)
            page.mouse.down()
            page.mouse.up()
        page.wait_for_selector("#draw-start[aria-pressed=false]")
        drawn = json.loads(page.get_by_label("GeoJSON").input_value())
        page.screenshot(path=tmp_path / "draw.png", full_page=True)
    assert drawn["type"] == "Polygon"
    assert len(drawn["coordinates"][0]) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "site", "lanes", "alert", "alerts", "feeds", "add", "unknown"])
def test_nothing_serious_stands_in_anybodys_way(
    served: Served, browser: Browser, tmp_path: Path, name: str, scheme: str
) -> None:
    path = {
        "index": "/",
        "site": "/sites/busy-port",
        "lanes": "/sites/donut-base",
        "alert": alert_path(served),
        "alerts": "/alerts",
        "feeds": "/feeds",
        "add": "/add-site",
        "unknown": "/sites/none",
    }[name]
    with reader(served, browser, color_scheme=scheme, bypass_csp=True) as page:
        page.goto(served.address + path)
        page.wait_for_load_state("load")
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        page.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)
        served.said[:] = [each for each in served.said if not (name == "unknown" and "404" in each)]
    serious = [
        f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:200]})"
        for each in found["violations"]
        if each["impact"] != "minor"
    ]
    assert serious == []


@pytest.mark.parametrize(
    "path", ["/", "/sites/busy-port", "/sites/quiet-field", "/alerts", "/feeds", "/add-site"]
)
def test_on_a_phone_nothing_is_wider_than_the_screen(
    served: Served, browser: Browser, tmp_path: Path, path: str
) -> None:
    with reader(
        served, browser, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    ) as page:
        page.goto(served.address + path)
        page.wait_for_load_state("load")
        page.screenshot(path=tmp_path / "phone.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("path", ["/", "/sites/busy-port", "/alerts", "/feeds"])
def test_without_scripts_everything_can_be_read(served: Served, browser: Browser, path: str) -> None:
    with reader(served, browser, java_script_enabled=False) as page:
        page.goto(served.address + path)
        assert page.locator("#map").count() == 0 or page.locator("#map").is_hidden()
        assert page.locator("#live-chart").count() == 0 or page.locator("#live-chart").is_hidden()
        assert ("adsb.lol" if path == "/feeds" else "Busy Port") in page.locator("main").inner_text()
    if path == "/sites/busy-port":
        assert not any("atlas" in url for url in served.asked)


def test_the_cards_follow_what_changed_and_the_map_stays(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        page.wait_for_selector("[data-live]:not([hidden])")
        page.evaluate("document.querySelector('#map canvas').dataset.mine = 'kept'")
        with writing(served.made.app.engine) as connection:
            record(connection, [containers("2023-10-07", 41, known=next(LATER))])
        page.locator("#site-busy-port", has_text="41").wait_for()
        assert page.locator("#map canvas").get_attribute("data-mine") == "kept"
