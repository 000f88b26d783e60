"""OGC API Features 1.0 (OGC 17-069r4): core, GeoJSON and OpenAPI 3.0, reading alone.

https://docs.ogc.org/is/17-069r4/17-069r4.html
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from db.engine import reading
from monitor.web.api.lists import check_site
from monitor.web.api.queries import USUAL_ITEMS, CursorParameter, parameters_of
from monitor.web.context import Here, WebContext
from monitor.web.ogc.asked import asked_boxes, asked_span, page_size
from monitor.web.ogc.collections import COLLECTIONS, FeatureCollection, Wanted, known_or_404
from monitor.web.ogc.description import NOT_TAKEN, OPENAPI, describe_features

ROOT = "/ogc"
GEOJSON, JSON = "application/geo+json", "application/json"
CONFORMS_TO = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")
)
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def refuse_unknown(request: Request) -> None:
    """Refuse a parameter that is not known (requirement /req/core/query-param-unknown)."""
    known = sorted({*parameters_of(request)} - NOT_TAKEN)
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        words = f"Use {', '.join(known)}." if known else "This address takes none."
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"{', '.join(unknown)}: there is no such parameter here. {words}"
        )


router = APIRouter(prefix=ROOT, include_in_schema=False, dependencies=[Depends(refuse_unknown)])


@dataclass(frozen=True, slots=True)
class _Window:
    """What every collection may be asked: where, when and how many."""

    bbox: Annotated[str | None, Query(max_length=200)] = None
    datetime: Annotated[str | None, Query(max_length=100)] = None
    limit: Annotated[int, Query(ge=1, le=2**31 - 1)] = USUAL_ITEMS
    cursor: CursorParameter = None

    def wanted(self, query: Any) -> Wanted:
        """The same understood; raises InputError."""
        return Wanted(
            query,
            None if self.bbox is None else asked_boxes(self.bbox),
            (None, None) if self.datetime is None else asked_span(self.datetime),
            self.cursor,
            page_size(self.limit),
        )


@router.get("")
def get_landing(request: Request, here: Here) -> Response:
    """The way in: where the rest is."""
    root = _root(request, here)
    links = [
        _link("self", root, JSON, "This document"),
        _link("service-desc", f"{root}/api", OPENAPI, "The description of this API"),
        _link("conformance", f"{root}/conformance", JSON, "What of the standard is kept"),
        _link("data", f"{root}/collections", JSON, "The collections"),
    ]
    about = "What sitewatch has counted at the places that it watches, and how it knows."
    return _json({"title": "sitewatch", "description": about, "links": links})


@router.get("/conformance")
def get_conformance() -> Response:
    """Which classes of the standard are kept."""
    return _json({"conformsTo": CONFORMS_TO})


@router.get("/api")
def get_description(request: Request, here: Here) -> Response:
    """The description in OpenAPI 3.0."""
    document = describe_features(_root(request, here), _shown(here), guarded=here.keys.api_token is not None)
    return _json(document, OPENAPI)


@router.get("/collections")
def get_collections(request: Request, here: Here) -> Response:
    """Every collection that whoever asks may read."""
    root = _root(request, here)
    return _json(
        {
            "links": [_link("self", f"{root}/collections", JSON, "This document")],
            "collections": [_about(root, here, each) for each in _shown(here)],
        }
    )


def _collection_route(kind: FeatureCollection) -> Callable[[Request, WebContext], Response]:
    def get_collection(request: Request, here: Here) -> Response:
        return _json(_about(_root(request, here), here, kind))

    return get_collection


def _items_route(kind: FeatureCollection) -> Callable[..., Response]:
    asked_of = Depends(kind.query)

    def get_items(
        request: Request, here: Here, window: Annotated[_Window, Depends()], query: Any = asked_of
    ) -> Response:
        wanted = window.wanted(query)
        with reading(here.app.engine) as connection:
            check_site(connection, here, query.site)
            page = kind.page(connection, here, wanted)
        here_at = f"{_root(request, here)}/collections/{kind.name}"
        links = [_link("self", _again(request, here_at), GEOJSON, "This page")]
        if page.following is not None:
            following = _again(request, here_at, cursor=page.following)
            links.append(_link("next", following, GEOJSON, "The next page"))
        links.append(_link("collection", here_at, JSON, kind.title))
        body = {
            "type": "FeatureCollection",
            "features": [kind.feature(each, here.app.sites) for each in page.items],
            **({} if page.matched is None else {"numberMatched": page.matched}),
            "numberReturned": len(page.items),
            "links": links,
            "attribution": page.data,
        }
        return _json(body, GEOJSON)

    return get_items


def _item_route(kind: FeatureCollection) -> Callable[[Request, WebContext, str], Response]:
    def get_item(request: Request, here: Here, feature_id: str) -> Response:
        with reading(here.app.engine) as connection:
            item = known_or_404(kind.one(connection, here, feature_id))
        here_at = f"{_root(request, here)}/collections/{kind.name}"
        links = [
            _link("self", f"{here_at}/items/{quote(feature_id, safe='')}", GEOJSON, "This feature"),
            _link("collection", here_at, JSON, kind.title),
        ]
        return _json({**kind.feature(item, here.app.sites), "links": links}, GEOJSON)

    return get_item


for _kind in COLLECTIONS:
    _path = f"/collections/{_kind.name}"
    router.add_api_route(_path, _collection_route(_kind))
    router.add_api_route(f"{_path}/items", _items_route(_kind))
    router.add_api_route(f"{_path}/items/{{feature_id}}", _item_route(_kind))


def _shown(here: WebContext) -> Iterator[FeatureCollection]:
    return (each for each in COLLECTIONS if each.public or not here.public)


def _about(root: str, here: WebContext, kind: FeatureCollection) -> dict[str, Any]:
    at = f"{root}/collections/{kind.name}"
    bounds = [each.geometry.bounds for each in here.app.sites.values()]
    west, south, east, north = zip(*bounds, strict=True) if bounds else ((-180,), (-90,), (180,), (90,))
    return {
        "id": kind.name,
        "title": kind.title,
        "description": kind.about,
        "itemType": "feature",
        "crs": [CRS84],
        "extent": {"spatial": {"bbox": [[min(west), min(south), max(east), max(north)]], "crs": CRS84}},
        "links": [
            _link("self", at, JSON, "This document"),
            _link("items", f"{at}/items", GEOJSON, kind.title),
        ],
    }


def _root(request: Request, here: WebContext) -> str:
    """The address of the API by the name by which it was asked: a proxy in front may speak another scheme than we do."""
    public = here.app.settings.public_url or ""
    asked = str(request.base_url).rstrip("/")
    told = public.rstrip("/") if urlsplit(public).hostname == request.base_url.hostname else asked
    return f"{told}{ROOT}"


def _again(request: Request, at: str, **changed: str) -> str:
    asked = {**request.query_params, **changed}
    return f"{at}/items?{urlencode(asked)}" if asked else f"{at}/items"


def _link(relation: str, address: str, media_type: str, title: str) -> dict[str, str]:
    return {"rel": relation, "href": address, "type": media_type, "title": title}


def _json(body: object, media_type: str = JSON) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, allow_nan=False), media_type=media_type)
