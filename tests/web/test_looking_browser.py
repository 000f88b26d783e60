"""The pictures of a site as a person works with them: slide between two dates, draw a siding, count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from db.alerts import alerts
from db.engine import open_engine, reading
from db.migrate import migrate
from tests.kit.browser_rig import PHONE, Served, reader, serious, serving
from tests.kit.web_rig import png, rig, tell_anew
from tests.web.test_looking import NEW, OLD, PATH, show

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]
POINTS = ((0.3, 0.4), (0.45, 0.5), (0.6, 0.55))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    engine = open_engine(f"sqlite:///{tmp_path / 'page.db'}")
    migrate(engine)
    with rig(engine, tmp_path) as made:
        show(engine, OLD, 40, png=png(480, 300))
        show(engine, NEW, 2, png=png(480, 300))
        with serving(made.page) as address:
            yield Served(made, address)
    engine.dispose()


def test_before_and_after_on_the_site_and_on_its_alert_by_keyboard(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    tell_anew(served.made.app)
    with reading(served.made.app.engine) as connection:
        (alert,) = alerts(connection, site_id="busy-port")
    for path in ("/sites/busy-port", f"/alerts/{alert.id}"):
        _slid_by_keyboard(served, browser, path, tmp_path)
        with reader(served, browser, java_script_enabled=False) as page:
            page.goto(f"{served.address}{path}")
            assert page.locator(".compare img").count() == 2
            boxes = [page.locator(".compare img").nth(each).bounding_box() for each in (0, 1)]
            assert boxes[0] != boxes[1], "without a script they stand side by side"
            assert not page.locator("#slide").is_visible()


def _slid_by_keyboard(served: Served, browser: Browser, path: str, folder: Path) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}{path}")
        page.wait_for_selector(".compare.sliding")
        page.locator("#slide").focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert page.locator("#slide").input_value() == "60"
        after = page.locator(".compare img").nth(1)
        assert after.evaluate("(each) => each.style.clipPath") == "inset(0px 0px 0px 60%)"
        with page.expect_response(f"**{path}*"):
            page.evaluate(
                "document.body.dispatchEvent(new CustomEvent('sitewatch:changed', { bubbles: true }))"
            )
        page.wait_for_timeout(300)
        assert page.locator(".compare.sliding #slide").is_visible(), "fresh words leave the slider as it is"
        page.locator(".compare").screenshot(path=folder / "compare.png")
        faults = serious(page)
    assert faults == []


def test_two_dates_a_siding_and_a_count(served: Served, browser: Browser) -> None:
    _work(served, browser)
    _on_a_phone(served, browser)


def _work(served: Served, browser: Browser) -> None:
    with reader(served, browser) as page:
        page.goto(f"{served.address}{PATH}")
        page.wait_for_selector("#map[data-drawing=ready]")
        page.locator("#slide").fill("80")
        clipped = "() => [...document.querySelectorAll('.compare img')].map((each) => each.style.clipPath)"
        assert page.evaluate(clipped) == ["", "inset(0px 0px 0px 80%)"]
        tops = "() => [...document.querySelectorAll('.compare img')].map((each) => Math.round(each.getBoundingClientRect().top))"
        assert len(set(page.evaluate(tops))) == 1, "one lies upon the other"
        assert page.evaluate("() => document.querySelector('#map').map.getSource('picture') !== undefined")
        page.get_by_role("button", name="Draw a line").click()
        box = page.locator("#map canvas").bounding_box()
        assert box is not None
        for across, down in (*POINTS, POINTS[-1]):
            page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
            page.mouse.down()
            page.mouse.up()
            page.wait_for_timeout(300)
        page.wait_for_function("() => document.querySelector('#geometry').value.includes('LineString')")
        page.locator("#part").select_option("pier-2")
        page.get_by_role("button", name="Write it down").click()
        page.wait_for_url("**/look?scene=*#draw-title")
        page.fill("#value", "7")
        page.fill("#reviewer", "Ann")
        page.get_by_role("button", name="Add this count").click()
        page.wait_for_url("**/look?scene=*#counts-title")
        assert page.locator("section[aria-labelledby=counts-title] td", has_text="Ann").count() == 1
        faults = serious(page)
    assert faults == []
    drawn = {each.id: each.geometry for each in served.made.app.sites["busy-port"].areas}["pier-2"]
    assert drawn is not None
    assert len(drawn.coords) == len(POINTS)


def _on_a_phone(served: Served, browser: Browser) -> None:
    with reader(served, browser, viewport=PHONE) as page:
        page.goto(f"{served.address}{PATH}")
        page.wait_for_selector("#map[data-drawing=ready]")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
