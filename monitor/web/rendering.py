"""Turning views into HTML: templates with escaping that cannot be forgotten, and the pages for errors."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from alerts.channels.safe_text import clean_text, safe_url
from alerts.delivery.messages import certainty_words
from alerts.metrics import metric_named
from alerts.speech import Speech, chosen_language, language_names, speech_of
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
    rule_words,
    utc,
    within_sentence,
)
from db.said import Said, chained, grouped, made_of_text, moment, numeral, percent, phrase_as
from monitor.config.secrets import visible
from monitor.web.files import Assets
from monitor.web.security import CSRF_COOKIE, Clock, CookieKeys

_FORM_COOKIE_BYTES = 24
FORM_MARK = f"form-token-{token_urlsafe(_FORM_COOKIE_BYTES)}"
"""Stands for the token of a reader; nobody can know it, so that no text of others is taken for it."""
LANGUAGE_COOKIE = "sitewatch_language"
LANGUAGE_QUERY = "language"
SPEECH = "speech"
"""How templates name the language that they are said in."""
_A_YEAR_S = 365 * 86_400
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def path_and_query(request: HTTPConnection) -> str:
    """The path and query of a request, to come back to."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def language_of(request: HTTPConnection) -> str:
    """What a page is said in: what its address asks for, what was chosen before, or what the browser prefers."""
    wishes = (request.query_params.get(LANGUAGE_QUERY, ""), request.cookies.get(LANGUAGE_COOKIE, ""))
    return chosen_language(*wishes, request.headers.get("accept-language", ""))


def language_choices(request: HTTPConnection) -> list[tuple[str, str, str]]:
    """Each language with its own name, and the address of this page in it."""
    others = [each for each in request.query_params.multi_items() if each[0] != LANGUAGE_QUERY]
    return [
        (name, speech_of(name).own_name, f"?{urlencode([*others, (LANGUAGE_QUERY, name)])}")
        for name in language_names()
    ]


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
        return self.sent(request, self.html(request, template, **context), status)

    def html(self, request: HTTPConnection, template: str, **context: Any) -> str:
        """The same for any reader: where forms carry a token of the reader's own stands `FORM_MARK`."""
        language = language_of(request)
        speech = speech_of(language)
        return self.environment.get_template(template).render(
            {
                SPEECH: speech,
                "language": language,
                "languages": language_choices(request),
                "now": self.clock(),
                "path": request.url.path,
                "address": path_and_query(request),
                "form_token": FORM_MARK,
                "guarded": self.keys.api_token is not None,
                "trouble": self.trouble(),
                "scenario": self.scenario(),
                "data": (),
                "public": self.late_by is not None,
                "late_by": "" if self.late_by is None else duration(self.late_by),
                **context,
            }
        )

    def sent(self, request: HTTPConnection, html: str, status: int = HTTPStatus.OK) -> Response:
        """Send what `html` gave to one reader, with the token and the cookie of that one."""
        cookie = request.cookies.get(CSRF_COOKIE, "") or token_urlsafe(_FORM_COOKIE_BYTES)
        response = HTMLResponse(html.replace(FORM_MARK, self.keys.form_token(cookie)), status)
        self.add_cookie(request, response, cookie)
        return response

    def add_cookie(self, request: HTTPConnection, response: Response, cookie: str = "") -> None:
        """Give a reader who has none the cookie that forms need; the public gets none. And note a language that was chosen."""
        if (chosen := request.query_params.get(LANGUAGE_QUERY)) in language_names():
            response.set_cookie(
                LANGUAGE_COOKIE, chosen, max_age=_A_YEAR_S, httponly=True, samesite="lax", secure=self.https
            )
        if CSRF_COOKIE not in request.cookies and self.late_by is None:
            value = cookie or token_urlsafe(_FORM_COOKIE_BYTES)
            response.set_cookie(CSRF_COOKIE, value, httponly=True, samesite="strict", secure=self.https)

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
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    # The messages are given with what stands in them, so that this is said in the same language.
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext, "pgettext": _pgettext}
    environment.globals["assets"] = assets
    environment.filters |= {
        "utc": _time_tag,
        "ago": ago,
        "capital": capital,
        "listed": listed,
        "joined": _joined,
        "told": _told,
        "within_sentence": within_sentence,
        "unstopped": _unstopped,
        "capital_tag": _capital_tag,
        "day": _day,
        "day_tag": _day_tag,
        "number": grouped,
        "numeral": numeral,
        "percent": percent,
        "rule": rule_words,
        "certainty": certainty_words,
        "delivery_state": _delivery_state,
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


def _joined(parts: Iterable[str], between: str) -> str:
    """Texts one after the other, each in the language of the page."""
    return chained(between, list(parts))


@pass_context
def _told(context: Context, value: Any) -> Any:
    """Data for a script, its texts in the language of the page."""
    if isinstance(value, Said):
        return _speech(context)(value)
    if isinstance(value, Mapping):
        return {name: _told(context, each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(context, each) for each in value]
    return value


def _unstopped(text: str) -> str:
    """Text without the full stop at its end, in every language."""
    return Said(text.rstrip("."), ["unstopped", made_of_text(text)])


def _capital_tag(text: Markup) -> Markup:
    """What begins with words of ours, with a capital letter."""
    return Markup(capital(str(text)))  # noqa: S704 - it was escaped before


def _day(at: datetime) -> str:
    """A day as tables have it."""
    return moment(f"{at:%Y-%m-%d}", at, "UTC", "short_day")


@pass_context
def _day_tag(context: Context, at: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), _speech(context)(_day(at)))


def _delivery_state(state: str) -> str:
    return _STATES.get(state, state.replace("_", " "))


_STATES = {
    "queued": phrase_as("messages", "queued"),
    "sending": phrase_as("messages", "sending"),
    "sent": phrase_as("messages", "sent"),
    "dead": phrase_as("messages", "dead"),
    "too_old": phrase_as("messages", "too old"),
    "silenced": phrase_as("messages", "silenced"),
    "unrouted": phrase_as("messages", "unrouted"),
    "gathered": phrase_as("messages", "gathered"),
    "bundled": phrase_as("messages", "bundled"),
    "joined": phrase_as("messages", "joined"),
}


@pass_context
def _finalize(context: Context, value: Any) -> Any:
    # Foreign text may hold marks that turn the reading direction or pose as lines of ours.
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(_speech(context)(value))


def _speech(context: Context) -> Speech:
    speech: Speech = context[SPEECH]
    return speech


def _printed(context: Context, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _finalize(context, each) for name, each in values.items()}


@pass_context
def _gettext(context: Context, message: str, **values: Any) -> Markup:
    said = _speech(context).message(None, message)
    return Markup(said) % _printed(context, values)  # noqa: S704 - our own words; the values are escaped


@pass_context
def _pgettext(context: Context, sense: str, message: str, **values: Any) -> Markup:
    said = _speech(context).message(sense, message)
    return Markup(said) % _printed(context, values)  # noqa: S704 - our own words; the values are escaped


@pass_context
def _ngettext(context: Context, one: str, many: str, number: float, **values: Any) -> Markup:
    said = _speech(context).message_for(one, many, number)
    shown = {**values, "num": grouped(number)} if values.get("num") == number else values
    return Markup(said) % _printed(context, shown)  # noqa: S704 - our own words; the values are escaped


@pass_context
def _time_tag(context: Context, at: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), _speech(context)(utc(at)))


@pass_context
def _known_tag(context: Context, at: datetime, zone: str) -> Markup:
    said = _speech(context)(known_since(at, zone))
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), said)


@pass_context
def _whole_dates(context: Context, text: str) -> Markup:
    """Text whose dates no line end divides."""
    marked = _DATE.sub(r'<span class="whole">\g<0></span>', str(escape(visible(_speech(context)(text)))))
    return Markup(marked)  # noqa: S704 - escaped just now


@pass_context
def _lines(context: Context, text: str) -> Markup:
    """Text with its own line ends, for `pre`."""
    return Markup(escape(clean_text(_speech(context)(text))))  # noqa: S704 - escaped just now
