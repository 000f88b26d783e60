"""The three forms of an API answer (JSON, CSV, GeoJSON) and the cursor that leads to the next page."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from fastapi import HTTPException
from pydantic import BaseModel
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from starlette.datastructures import URL
from starlette.responses import Response

from monitor.reports.tables import csv_text
from monitor.sites import Site

ApiFormat = Literal["json", "csv", "geojson"]


def encode_cursor(*parts: object) -> str:
    """Write where the next page begins; readers must not look inside."""
    values = [each.isoformat() if isinstance(each, datetime) else each for each in parts]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> list[str] | None:
    """Read a cursor of so many texts; raises 422 for anything that this API did not give out."""
    if not cursor:
        return None
    try:
        values = json.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
    except (binascii.Error, ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(each) for each in values] != [str] * length:
        raise bad_cursor()
    return values


def cursor_time(text: str) -> datetime:
    """Read a time out of a cursor."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise bad_cursor() from None
    if at.tzinfo is None:
        raise bad_cursor()
    return at


def bad_cursor() -> HTTPException:
    """What is said of a cursor that this API did not give out."""
    text = "cursor: this is not one that this API gave out. Take `next` of the page before, or leave it out."
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, text)


def format_page(
    page: BaseModel,
    form: ApiFormat,
    url: URL,
    sites: Mapping[str, Site],
    *,
    outlines: bool = False,
    csv: str | None = None,
) -> Response:
    """Give a page of items in the form asked for; the address of the next page stands in `Link` as well.

    `csv` is the page as CSV where its columns are not the fields of its items.
    """
    body = page.model_dump(mode="json")
    if form == "csv":
        response = Response(_items_as_csv(page) if csv is None else csv, media_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = (
            f'attachment; filename="sitewatch-{url.path.split("/")[-1]}.csv"'
        )
    elif form == "geojson":
        response = _json(_collection(body, sites, outlines=outlines), "application/geo+json")
    else:
        response = _json(body, "application/json")
    if body["next"]:
        following = url.include_query_params(cursor=body["next"])
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return response


def _items_as_csv(page: BaseModel) -> str:
    model = type(page).model_fields["items"].annotation
    columns = list(_item_model(model).model_fields)
    return csv_text((_flat(each) for each in page.model_dump()["items"]), columns)


def _item_model(annotation: Any) -> type[BaseModel]:
    model: type[BaseModel] = annotation.__args__[0]
    return model


def _json(body: object, media_type: str) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, allow_nan=False), media_type=media_type)


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nesting: lists and objects become JSON text."""
    return {
        name: json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
        for name, value in item.items()
    }


def _collection(body: Mapping[str, Any], sites: Mapping[str, Site], *, outlines: bool) -> dict[str, Any]:
    features = [_feature(each, sites, outlines=outlines) for each in body["items"]]
    return {
        "type": "FeatureCollection",
        "features": features,
        "next": body["next"],
        "attribution": body["attribution"],
    }


def _feature(item: Mapping[str, Any], sites: Mapping[str, Site], *, outlines: bool) -> dict[str, Any]:
    site = sites.get(item.get("site_id", item.get("id", "")))
    geometry = None if site is None else _geometry(site, item.get("area", ""))
    if geometry is not None and not outlines:
        geometry = geometry.representative_point()
    shape = None if geometry is None else mapping(geometry)
    return {"type": "Feature", "geometry": shape, "properties": dict(item)}


def _geometry(site: Site, area: str) -> BaseGeometry:
    located = (each.geometry for each in site.areas if each.id == area and each.geometry is not None)
    return next(located, site.geometry)
