"""`python -m tests.kit.screenshots`: pictures of every page after the demo's scenario, and the one in the README."""

import base64
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from db.alerts import alerts
from db.engine import reading
from monitor.app import App
from monitor.commands import say
from monitor.commands.demo import DEMO_SCENARIO
from monitor.ops.logs import configure
from monitor.replay.run import run_scenario
from monitor.replay.scenario import load_scenario
from monitor.web.app import create_app
from tests.kit.browser_rig import DESKTOP, PATIENCE_MS, PHONE, ROOT, missing, serving, started

FOLDER = ROOT / "build" / "pictures"
README_PICTURE = ROOT / "docs" / "first-look.svg"
COLOURS = 48
MOST_HEIGHT = 1500
_ALT = (
    "The first page of sitewatch after the demo: a map of the sites, and cards with counts and their sources"
)
_VIEWS: Mapping[str, Mapping[str, Any]] = {
    "light": {"viewport": DESKTOP},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
_AT_REST = """async () => {
    for (let i = 0; i < 100; i++) {
        const map = document.querySelector("#preview-map, #map"), chart = document.querySelector("#live-chart");
        if ((!map || map.dataset.ready) && (!chart || "drawn" in chart.dataset)) return;
        await new Promise((done) => setTimeout(done, 100));
    }
}"""


def paths(app: App) -> dict[str, str]:
    """Every page by the name of its picture."""
    with reading(app.engine) as connection:
        told = {each.site_id: f"/alerts/{each.id}" for each in alerts(connection)}
    return {
        "first-look": "/",
        "site": "/sites/kp-tumangang?metric=railcars",
        "lanes": "/sites/ru-knevichi",
        "alert": told["kp-tumangang"],
        "alerts": "/alerts",
        "feeds": "/feeds",
        "add-site": "/add-site",
        "dry-run": "/add-site",
        "unknown": "/sites/none",
    }


def take_all(app: App, now: datetime, browser: Browser, folder: Path) -> None:
    """Take a picture of every page in every view."""
    folder.mkdir(parents=True, exist_ok=True)
    with serving(create_app(app, lambda: now)) as address:
        for view, options in _VIEWS.items():
            with _window(browser, options) as page:
                for name, path in paths(app).items():
                    page.set_viewport_size(options["viewport"])
                    page.goto(address + path)
                    if name == "dry-run":
                        page.get_by_label("An airport").fill("RJAA")
                        page.get_by_role("button", name="Show what would be watched").click()
                    # Chromium paints frames only where the window is.
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size({"width": options["viewport"]["width"], "height": height})
                    page.evaluate(_AT_REST)
                    page.screenshot(path=folder / f"{name}-{view}.png", full_page=True)


@contextmanager
def _window(browser: Browser, options: Mapping[str, Any]) -> Iterator[Page]:
    context = browser.new_context(locale="en-US", **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()


def wrap(picture: Path, height: int) -> str:
    """The top of a picture inside an SVG file, so that the repository holds text only."""
    with Image.open(picture) as whole:
        shown = whole.convert("RGB").crop((0, 0, whole.width, min(height, whole.height)))
    # A page has few colours: fewer bytes than with loss, and sharp letters.
    few = shown.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    packed = BytesIO()
    few.convert("RGB").save(packed, "WEBP", lossless=True, quality=100, method=6)
    data = base64.b64encode(packed.getvalue()).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {shown.width} {shown.height}" role="img">\n'
        f"<title>{_ALT}</title>\n"
        f'<image width="{shown.width}" height="{shown.height}" href="data:image/webp;base64,{data}"/>\n</svg>\n'
    )


def main() -> None:
    """Replay the scenario, take the pictures and write the README's."""
    if lacking := missing():
        sys.exit(f"No pictures can be taken: {lacking}.")
    configure("auto", ())
    logging.disable(logging.ERROR)  # the scenario has feeds that fail
    with tempfile.TemporaryDirectory() as scratch, started() as browser:
        app = run_scenario(ROOT / DEMO_SCENARIO, f"sqlite:///{scratch}/pictures.db")
        try:
            take_all(app, load_scenario(ROOT / DEMO_SCENARIO).end, browser, FOLDER)
        finally:
            app.close()
    README_PICTURE.write_text(wrap(FOLDER / "first-look-light.png", MOST_HEIGHT), encoding="utf-8")
    say(f"The pictures are in {FOLDER}; the one in the README is {README_PICTURE}.")


if __name__ == "__main__":
    main()
