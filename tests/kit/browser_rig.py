"""A real browser without a screen in front of the page: how it is started, served and listened to."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    sync_playwright,
)

from monitor.web.files import Assets
from tests.kit.web_rig import Rig

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
# What a script gives is carried over as a tree of values: only what is read is given.
_VIOLATIONS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .map(({ id, help, impact, nodes }) => ({ id, help, impact, html: nodes[0].html }))"""
PATIENCE_MS = 60_000
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)


def chromium() -> str | None:
    """The installed browser, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def missing() -> str:
    """What the tests lack, in words."""
    if chromium() is None:
        return "no Chromium is installed (Debian: apt-get install chromium fonts-dejavu-core)"
    if not Assets.of().built or not AXE.exists():
        return "the page is not built (pip install --editable . builds it)"
    return ""


@contextmanager
def started() -> Iterator[Browser]:
    """Chromium in English: uPlot stops at once under a POSIX locale."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            args=list(FLAGS),
            env={**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"},
        )
        yield browser
        browser.close()


@contextmanager
def started_for_tests() -> Iterator[Browser]:
    """The same; where it cannot be, the test is skipped, and CI fails."""
    if lacking := missing():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to test the page, but {lacking}")
        pytest.skip(lacking)
    with started() as browser:
        yield browser


def serious(page: Page) -> list[str]:
    """What stands in the way of people who hear a page, or see little or no colour, as axe-core finds it."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, str]] = page.evaluate(_VIOLATIONS)
    return [
        f"{each['id']}: {each['help']} ({each['html'][:200]})" for each in found if each["impact"] != "minor"
    ]


@dataclass
class Served:
    """A page that is served on loopback, and what the browser said and asked while it was read."""

    made: Rig
    address: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Write down every error and every request."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        # The software renderer remarks on its own slowness.
        if message.type in {"error", "warning"} and "GL Driver Message" not in message.text:
            self.said.append(message.text)

    def _failed(self, request: Request) -> None:
        # Leaving a page ends its event stream and whatever it still loads.
        if request.failure != "net::ERR_ABORTED":
            self.said.append(f"{request.failure}: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            self.said.append(f"{response.status} {response.url}")

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    @property
    def elsewhere(self) -> list[str]:
        """What was asked of other hosts."""
        return [url for url in self.asked if not url.startswith((f"{self.address}/", "data:", "blob:"))]


@contextmanager
def serving(page: FastAPI) -> Iterator[str]:
    """Run the server in a thread, on a free port of this machine, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(page, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


@contextmanager
def reader(served: Served, browser: Browser, **options: Any) -> Iterator[Page]:
    """One person's browser window; at its end nothing may have gone wrong."""
    served.said.clear()
    served.asked.clear()
    context = browser.new_context(locale="en-US", **{"viewport": DESKTOP, **options})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    served.watch(page)
    yield page
    context.close()
    # Written out here, for pytest explains only what stands in a test itself.
    assert not served.said, served.said
    assert not served.elsewhere, served.elsewhere
