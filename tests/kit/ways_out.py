"""Every address of the page and every form of its answers: what must carry attribution, and what may be read in public."""

from collections.abc import Iterator
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.routing import APIRoute

FORMS = ("json", "csv", "geojson")
API = "/api/v1/"


def get_routes(page: FastAPI) -> Iterator[str]:
    """The path of every route that answers GET, as it is written (`/sites/{site_id}`)."""
    for route in _routes(page):
        if "GET" in (route.methods or ()):
            yield route.path


def _routes(page: FastAPI) -> Iterator[APIRoute]:
    for route in page.routes:
        if isinstance(route, APIRoute):
            yield route
        # A router that was included keeps its own routes.
        for inner in getattr(getattr(route, "original_router", None), "routes", ()):
            if isinstance(inner, APIRoute):
                yield inner


def addresses(page: FastAPI, **known: str) -> Iterator[str]:
    """Each of them with what is in the database; lists of the API in every form."""
    for path in get_routes(page):
        filled = path
        for name, value in known.items():
            filled = filled.replace(f"{{{name}}}", quote(value, safe=""))
        if path.startswith(API):
            needed = {
                "polls": f"alert={known['alert_id']}&",
                "totals": "by=month&",
                "aircraft": "address=15521f&",
            }
            query = needed.get(path.removeprefix(API), "")
            yield from (f"{filled}?{query}format={form}" for form in FORMS)
        else:
            yield filled
