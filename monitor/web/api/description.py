"""The OpenAPI description: who may ask, beside what the routes and models say of themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from monitor.web.security import SESSION_COOKIE

_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token: SITEWATCH_API_TOKEN, or one that “sitewatch tokens add” made, with its scope.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "What a browser has after a log-in, for 30 days or until a log-out.",
    },
}
_ABOUT = (
    "What sitewatch has counted, and how it knows. Every answer to a question is one page of items. `value` null means "
    "not observed, never zero. A parameter that an address does not know is refused. Whatever changes something needs a "
    "token, and names its scope."
)


def describe(site: FastAPI, *, guarded: bool, public: bool) -> None:
    """Say who may ask: whoever has the token or a session where there is a token, else anybody on this machine.

    Where the page is `public`, anybody, who is answered late.
    """

    def openapi() -> dict[str, Any]:
        if site.openapi_schema is None:
            schema = get_openapi(
                title=site.title, version=site.version, description=_ABOUT, routes=site.routes
            )
            schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
            schema["security"] = (
                [{"token": []}, {"session": []}, *([{}] if public else [])] if guarded else [{}]
            )
            site.openapi_schema = schema
        return site.openapi_schema

    site.openapi = openapi  # type: ignore[method-assign]
