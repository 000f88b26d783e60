"""Turning views into HTML: templates with escaping that cannot be forgotten, and the pages for errors."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from alerts.channels.safe_text import clean_text, safe_url
from alerts.metrics import metric_named
from alerts.words import (
    ago,
    capital,
    digits,
    duration,
    every,
    known_since,
    listed,
    local_time,
    metric_words,
    utc,
)
from monitor.config.secrets import visible
from monitor.web.files import Assets
from monitor.web.security import CSRF_COOKIE, Clock, CookieKeys

_FORM_COOKIE_BYTES = 24
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def path_and_query(request: HTTPConnection) -> str:
    """The path and query of a request, to come back to."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders templates with what every page needs."""

    environment: Environment
    assets: Assets
    keys: CookieKeys
    clock: Clock
    https: bool
    trouble: Callable[[], str]
    """Why nothing can be stored now, '' while all is well."""
    scenario: Callable[[], str]
    """The sentence of a database that holds a scenario and no watch, '' for a watch."""
    late_by: timedelta | None = None
    """How late its pages are on purpose, for the public; None: they are not."""

    def page(
        self, request: HTTPConnection, template: str, *, status: int = HTTPStatus.OK, **context: Any
    ) -> Response:
        """One page; whoever reads it gets the cookie that its forms need."""
        cookie = request.cookies.get(CSRF_COOKIE, "")
        fresh = cookie or token_urlsafe(_FORM_COOKIE_BYTES)
        html = self.environment.get_template(template).render(
            {
                "now": self.clock(),
                "path": request.url.path,
                "address": path_and_query(request),
                "form_token": self.keys.form_token(fresh),
                "guarded": self.keys.api_token is not None,
                "trouble": self.trouble(),
                "scenario": self.scenario(),
                "data": (),
                "public": self.late_by is not None,
                "late_by": "" if self.late_by is None else duration(self.late_by),
                **context,
            }
        )
        response = HTMLResponse(html, status)
        if not cookie and self.late_by is None:
            response.set_cookie(CSRF_COOKIE, fresh, httponly=True, samesite="strict", secure=self.https)
        return response

    def problem(self, request: HTTPConnection, status: int, title: str, text: str) -> Response:
        """An error as a page: what happened, and what to do."""
        return self.page(request, "problem.html", status=status, title=title, text=text)


@lru_cache(maxsize=4)
def make_environment(assets: Assets) -> Environment:
    """The templates: everything printed is escaped, and control characters in it are written out."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["assets"] = assets
    environment.filters |= {
        "utc": _time_tag,
        "ago": ago,
        "capital": capital,
        "listed": listed,
        "lines": _lines,
        "whole_dates": _whole_dates,
        "verbatim": escape,
        "safe_url": safe_url,
        "metric": metric_words,
        "local": local_time,
        "known": _known_tag,
        "every": every,
        "digits": digits,
    }
    environment.tests["event_metric"] = lambda metric: metric_named(metric).event
    return environment


def _finalize(value: Any) -> Any:
    # Foreign text may hold marks that turn the reading direction or pose as lines of ours.
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _time_tag(at: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), utc(at))


def _known_tag(at: datetime, zone: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), known_since(at, zone))


def _whole_dates(text: str) -> Markup:
    """Text whose dates no line end divides."""
    marked = _DATE.sub(r'<span class="whole">\g<0></span>', str(escape(visible(text))))
    return Markup(marked)  # noqa: S704 - escaped just now


def _lines(text: str) -> Markup:
    """Text with its own line ends, for `pre`."""
    return Markup(escape(clean_text(text)))  # noqa: S704 - escaped just now
