"""What every route needs, kept with the application."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from monitor.app import App
from monitor.web.events import ChangeFeed
from monitor.web.kept_pages import KeptPages
from monitor.web.rendering import Renderer
from monitor.web.security import Attempts, Clock, CookieKeys, Sessions, is_public


@dataclass(frozen=True, slots=True)
class WebContext:
    """The program, its clock, and what pages are made and guarded with.

    For the public all three are others: a database in which nothing is young, a clock that is late, pages that say so.
    """

    app: App
    clock: Clock
    keys: CookieKeys
    renderer: Renderer
    pulse: ChangeFeed
    sessions: Sessions
    pages: KeptPages
    attempts: Attempts = field(default_factory=Attempts)
    public: bool = False
    """Whether whoever asks is anybody, so that what is young is not shown."""


def web_of(request: Request) -> WebContext:
    """Find what `create_app` put there for whoever asks."""
    found: WebContext = request.app.state.late if is_public(request) else request.app.state.web
    return found


Here = Annotated[WebContext, Depends(web_of)]
