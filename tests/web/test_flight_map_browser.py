"""The map of a flight in a real browser: apart from the other tests, for a browser keeps a loop of its own."""

from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import Engine

from tests.kit.browser_rig import Served, reader, serving
from tests.kit.web_rig import rig, tell_story
from tests.web.test_flight_map import cite

LAYERS = """() => {
    const { map } = document.querySelector("#map");
    return ["heard", "gaps", "ends"].map((layer) => map.queryRenderedFeatures({ layers: [layer] }).length);
}"""


def test_in_a_browser_line_gap_and_both_its_ends_are_drawn(
    sqlite_engine: Engine, browser: Browser, tmp_path: Path
) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        tell_story(made.app)
        alert = cite(made)
        with serving(made.page) as address:
            served = Served(made, address)
            with reader(served, browser) as page:
                page.goto(f"{address}/alerts/{alert.id}")
                page.wait_for_selector("#map[data-ready=true]")
                page.screenshot(path=tmp_path / "flight.png", full_page=True)
                heard, gaps, ends = page.evaluate(LAYERS)
                assert page.get_by_text("Then not heard for 36 hours").is_visible()
            assert min(heard, gaps) > 0
            assert ends >= 4
            assert (served.said, served.elsewhere) == ([], [])
