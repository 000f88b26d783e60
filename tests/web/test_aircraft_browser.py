"""The page of a watched aircraft in a real browser: its map, at a desk and on a phone, by keyboard, for everybody."""

from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import Engine

from tests.kit.browser_rig import DESKTOP, Served, reader, serious, serving
from tests.kit.web_rig import rig, tell_story
from tests.web.test_flight_map import VIP, cite
from tests.web.test_flight_map_browser import LAYERS
from tests.web.test_page_browser import NARROWEST, WIDTH


def test_the_page_of_an_aircraft_in_a_browser(
    sqlite_engine: Engine, browser: Browser, tmp_path: Path
) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        tell_story(made.app)
        cite(made)
        with serving(made.page) as address:
            served = Served(made, address)
            for name, size in (("desk", DESKTOP), ("phone", NARROWEST)):
                with reader(served, browser, viewport=size, bypass_csp=True) as page:
                    page.goto(f"{address}/visits")
                    link = page.get_by_role("link", name="RA-86559").first
                    link.focus()
                    page.keyboard.press("Enter")
                    page.wait_for_url(f"{address}/aircraft/{VIP}")
                    page.wait_for_selector("#map[data-ready=true]")
                    heard, gaps, ends = page.evaluate(LAYERS)
                    assert min(heard, gaps) > 0
                    assert ends >= 4
                    assert page.evaluate(WIDTH) <= size["width"]
                    assert serious(page) == []
                    page.screenshot(path=tmp_path / f"aircraft-{name}.png", full_page=True)
