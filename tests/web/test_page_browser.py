"""The page in a real browser without a screen: map, charts, keyboard, dark, phone; nothing from elsewhere."""

from collections.abc import Iterator
from itertools import combinations
from math import dist
from pathlib import Path

import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page, ViewportSize

from db.alerts import alerts
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import record_observations
from tests.kit.browser_rig import PHONE, Served, reader, serious, serving
from tests.kit.builders import look
from tests.kit.web_rig import Rig, containers, rig, tell_story

# Playwright talks with its driver over a pipe of asyncio, and the driver with Chromium over a socket of its own.
pytestmark = [pytest.mark.enable_socket, pytest.mark.long, pytest.mark.untraced]
# What is recorded later has a later time, in whichever order the tests run.
LATER = (f"2023-10-{day:02}" for day in range(8, 30))


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
    map.once("idle", () => done());
})"""
FIND = "(places) => places.map((each) => document.querySelector('#map').map.project(each)).map(({ x, y }) => [x, y])"


GO = """([zoom, lon, lat]) => new Promise((done) => {
    const { map } = document.querySelector("#map");
    map.jumpTo({ center: [lon, lat], zoom });
    map.once("idle", () => {
        const seen = map.queryRenderedFeatures({ layers: ["sites"] }).map((each) => each.properties.id);
        done([seen.sort(), map.getRenderWorldCopies(), map.getCenter().lng]);
    });
})"""


def test_the_whole_earth_is_drawn_once_and_180_degrees_from_both_sides(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        seen, copies, middle = page.evaluate(GO, [-9, 179.9, -17])
        page.locator("#map canvas").screenshot(path=tmp_path / "widest.png")
        everything = sorted(served.made.app.sites)
        assert (seen, copies, middle) == (everything, False, 0), "no continent stands there twice"
        # Near 180° each half of the picture is one side of it.
        near = page.evaluate(GO, [5, 180, -17])
        page.locator("#map canvas").screenshot(path=tmp_path / "near.png")
    assert near[:2] == [["dateline-strip"], True]
    assert abs(near[2]) == pytest.approx(180)


def test_at_every_zoom_sea_is_sea_and_land_is_land(served: Served, browser: Browser, tmp_path: Path) -> None:
    """Outlines that jump at 180° or cross themselves would paint land over seas (the Baltic, the Pacific, Fiji)."""
    expected = [(place, "223,232,236") for place in SEA] + [(place, "236,232,221") for place in LAND]
    seen = []
    with reader(served, browser, device_scale_factor=1) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        for number, view in enumerate(VIEWS):
            page.evaluate(SHOW, list(view))
            spots = page.evaluate(FIND, [list(place) for place, _ in expected])
            picture = tmp_path / f"map-{number}.png"
            page.locator("#map canvas").screenshot(path=picture)
            seen.append(_check_colours(picture, expected, spots))
    assert min(seen) >= 2


CROWD = """async (places) => {
    const host = document.querySelector("#map"), source = document.getElementById("map-data");
    const data = JSON.parse(source.textContent);
    const [mark] = data.points.features;
    data.points.features = places.map((coordinates, index) => ({
        ...mark, geometry: { type: "Point", coordinates }, properties: { ...mark.properties, id: `at-${index}` },
    }));
    source.textContent = JSON.stringify(data);
    document.body.dispatchEvent(new CustomEvent("htmx:after:swap"));
    await new Promise((done) => host.map.once("idle", () => done()));
}"""
DRAWN = """() => {
    const { map } = document.querySelector("#map");
    const marks = map.queryRenderedFeatures({ layers: ["sites"] });
    return Object.fromEntries(marks.map((each) => [each.properties.id, each.geometry.coordinates])
        .map(([id, place]) => [id, map.project(place)]).map(([id, { x, y }]) => [id, [x, y]]));
}"""
NAMES_IN = (
    """(box) => document.querySelector("#map").map.queryRenderedFeatures(box, { layers: ["names"] }).length"""
)
LINES_NEAR = (
    """() => document.querySelector("#map").map.queryRenderedFeatures({ layers: ["borders"] }).length"""
)


def test_marks_of_one_spot_stand_side_by_side(served: Served, browser: Browser) -> None:
    port = [10.7, 59.9]
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        for zoom in (2, 5, 12):
            page.evaluate(GO, [zoom, *port])
            page.evaluate(CROWD, [port, port, port, [10.7001, 59.9], [60, 10]])
            marks = page.evaluate(DRAWN)
            spots = [marks[f"at-{number}"] for number in range(4)]
            # A mark is 16 pixels wide at most.
            assert min(dist(one, other) for one, other in combinations(spots, 2)) > 16
            middle = page.evaluate(FIND, [port])[0]
            assert max(dist(each, middle) for each in spots) < 40


@pytest.mark.parametrize("across", [4, 60, 130, 195, 260, 330, 386], ids=str)
def test_no_name_is_cut_by_the_edge_of_a_phone(served: Served, browser: Browser, across: int) -> None:
    with reader(served, browser, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        page.evaluate(GO, [4, 10.7, 59.9])
        box = page.locator("#map").bounding_box()
        assert box
        x = min(across, box["width"] - 4)
        place = page.evaluate(
            "(spot) => document.querySelector('#map').map.unproject(spot).toArray()", [x, 150]
        )
        page.evaluate(CROWD, [place])
        named = page.evaluate(NAMES_IN, [[0, 0], [box["width"], box["height"]]])
        edges = [
            page.evaluate(NAMES_IN, [[side, 0], [side + 1, box["height"]]]) for side in (0, box["width"] - 1)
        ]
        assert (named, edges) == (1, [0, 0])
        assert page.evaluate(NAMES_IN, [[box["width"] - 42, 10], [box["width"] - 10, 72]]) == 0, (
            "under the buttons"
        )


COUNTRIES_IN = """(boxes) => boxes.map((box) =>
    document.querySelector("#map").map.queryRenderedFeatures(box, { layers: ["countries"] }).map((each) => each.properties.name))
"""


@pytest.mark.parametrize("window", [PHONE, ViewportSize(width=1280, height=900)], ids=["phone", "desktop"])
def test_no_name_of_a_country_is_cut_by_the_edge(
    served: Served, browser: Browser, window: ViewportSize
) -> None:
    shown = set()
    with reader(served, browser, viewport=window) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        box = page.locator("#map").bounding_box()
        assert box
        right, low = box["width"], box["height"]
        edges = [
            [[0, 0], [1, low]],
            [[right - 1, 0], [right, low]],
            [[0, 0], [right, 1]],
            [[0, low - 1], [right, low]],
            [[right - 42, 10], [right - 10, 72]],
        ]
        for zoom, lon, lat in [
            (2.6, 10, 50),
            (3, 24, 48),
            (3, 100, 35),
            (3.4, 127, 38),
            (4, 140, 40),
            (3, 179, 65),
            (4.4, 20, 5),
        ]:
            page.evaluate(GO, [zoom, lon, lat])
            page.evaluate(
                "() => new Promise((done) => { const { map } = document.querySelector('#map'); map.once('idle', () => done()); map.triggerRepaint(); })"
            )
            whole, *cut = page.evaluate(COUNTRIES_IN, [[[0, 0], [right, low]], *edges])
            assert cut == [[]] * len(edges), (zoom, lon, lat)
            shown |= set(whole)
    assert len(shown) >= 5, shown


def test_the_coarse_border_ends_where_outlines_begin(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(served.address)
        page.wait_for_selector("#map[data-ready=true]")
        seen = {}
        for zoom in (6, 7.9, 8, 13):
            page.evaluate(GO, [zoom, 130.61, 42.42])
            seen[zoom] = page.evaluate(LINES_NEAR) > 0
        outlines = page.evaluate("document.querySelector('#map').map.getLayer('outlines').minzoom")
    assert seen == {6: True, 7.9: True, 8: False, 13: False}
    assert outlines == 8


@pytest.mark.parametrize("path", ["/", "/sites/busy-port", "/alerts"])
def test_on_paper_the_legend_stays_and_nothing_waits_to_be_pressed(
    served: Served, browser: Browser, path: str
) -> None:
    with reader(served, browser) as page:
        page.goto(served.address + path)
        page.locator("button:visible").first.wait_for()
        page.emulate_media(media="print")
        pressed = page.locator("button:visible, input:visible, select:visible, .button:visible").count()
        assert pressed == 0
        assert path == "/alerts" or page.locator(".legend:visible li:visible").count() >= 4


def _check_colours(
    file: Path, expected: list[tuple[tuple[float, float], str]], spots: list[list[float]]
) -> int:
    """Compare the places that can be seen with what they should be, and give their number."""
    picture = imread(file)
    height, width = picture.shape[:2]
    seen = 0
    for (place, colour), (x, y) in zip(expected, spots, strict=True):
        # Buttons and scale stand along the edges.
        if 60 < x < width - 110 and 60 < y < height - 60:
            shown = ",".join(str(round(255 * float(part))) for part in picture[int(y), int(x), :3])
            assert shown == colour, f"{place} in {file.name} is {shown}"
            seen += 1
    return seen


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
            record_observations(connection, [seen])
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


def open_page(page: Page, served: Served, name: str) -> None:
    """Go to one of the pages as a reader does."""
    path = {
        "index": "/",
        "site": "/sites/busy-port",
        "lanes": "/sites/donut-base",
        "alert": alert_path(served),
        "alerts": "/alerts",
        "feeds": "/feeds",
        "add": "/add-site",
        "refused": "/add-site",
        "dry run": "/add-site",
        "login": "/login",
        "unknown": "/sites/none",
    }[name]
    page.goto(served.address + path)
    if name in {"refused", "dry run"}:
        page.get_by_label("An airport").fill("EKBI" if name == "dry run" else "QQQQ")
        page.get_by_role("button", name="Show what would be watched").click()
        page.wait_for_url("**/check")
    page.wait_for_load_state("load")


WIDTH = "document.documentElement.scrollWidth"
NARROWEST = ViewportSize(width=360, height=740)


@pytest.mark.parametrize(
    "name",
    ["index", "site", "lanes", "alert", "alerts", "feeds", "add", "refused", "dry run", "login", "unknown"],
)
def test_nothing_serious_stands_in_anybodys_way(
    served: Served, browser: Browser, tmp_path: Path, name: str
) -> None:
    """By day, by night and on a phone."""
    with reader(served, browser, bypass_csp=True) as page:
        open_page(page, served, name)
        found = {"light": serious(page)}
        page.screenshot(path=tmp_path / "light.png", full_page=True)
        page.emulate_media(color_scheme="dark")
        found["dark"] = serious(page)
        page.screenshot(path=tmp_path / "dark.png", full_page=True)
        page.set_viewport_size(PHONE)
        found["phone"] = serious(page)
        page.screenshot(path=tmp_path / "phone.png", full_page=True)
        widths = [page.evaluate(WIDTH)]
        page.set_viewport_size(NARROWEST)
        widths.append(page.evaluate(WIDTH))
        expected = {"unknown": "404", "refused": "422"}.get(name, "none")
        served.said[:] = [each for each in served.said if expected not in each]
    assert found == {"light": [], "dark": [], "phone": []}
    assert widths == [PHONE["width"], NARROWEST["width"]]


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
            record_observations(connection, [containers("2023-10-07", 41, known=next(LATER))])
        page.locator("#site-busy-port", has_text="41").wait_for()
        assert page.locator("#map canvas").get_attribute("data-mine") == "kept"
