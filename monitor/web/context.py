"""What every route needs, kept with the application."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from monitor.app import App
from monitor.web.events import Pulse
from monitor.web.rendering import Renderer
from monitor.web.security import Attempts, Clock, Keys, Sessions


@dataclass(frozen=True, slots=True)
class Web:
    """The program, its clock, and what pages are made and guarded with."""

    app: App
    clock: Clock
    keys: Keys
    renderer: Renderer
    pulse: Pulse
    sessions: Sessions
    attempts: Attempts = field(default_factory=Attempts)


def web_of(request: Request) -> Web:
    """Find what `create_app` put there."""
    web: Web = request.app.state.web
    return web


Here = Annotated[Web, Depends(web_of)]
