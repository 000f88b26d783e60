"""What every route needs, kept with the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from monitor.app import App
from monitor.web.events import ChangeFeed
from monitor.web.rendering import Renderer
from monitor.web.security import Clock, CookieKeys


@dataclass(frozen=True, slots=True)
class WebContext:
    """The program, its clock, and what pages are made and guarded with."""

    app: App
    clock: Clock
    keys: CookieKeys
    renderer: Renderer
    pulse: ChangeFeed


def web_of(request: Request) -> WebContext:
    """Find what `create_app` put there."""
    web: WebContext = request.app.state.web
    return web


Here = Annotated[WebContext, Depends(web_of)]
