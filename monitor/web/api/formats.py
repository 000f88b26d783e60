"""The forms of an API answer (JSON, CSV, GeoJSON, GeoParquet, Excel) and the cursor that leads to the next page."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from fastapi import HTTPException
from pydantic import BaseModel
from shapely.geometry import LineString, Point, mapping
from shapely.geometry.base import BaseGeometry
from starlette.datastructures import URL
from starlette.responses import Response

from monitor.reports.exports import MEDIA_TYPES, table_bytes
from monitor.reports.tables import Table
from monitor.sites import Site

ApiFormat = Literal["json", "csv", "geojson", "parquet", "xlsx"]


def encode_cursor(*parts: object) -> str:
    """Write where the next page begins; readers must not look inside."""
    values = [each.isoformat() if isinstance(each, datetime) else each for each in parts]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> list[str] | None:
    """Read a cursor of so many texts; raises 422 for anything that this API did not give out."""
    if not cursor:
        return None
    values = cursor_texts(cursor, length)
    if values is None:
        raise bad_cursor()
    return values


def cursor_texts(packed: str, length: int) -> list[str] | None:
    """The texts that `encode_cursor` packed; None where it did not."""
    try:
        values = json.loads(
            base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        )
    except (binascii.Error, ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(each) for each in values] != [str] * length:
        return None
    return values


def cursor_number(values: list[str]) -> int:
    """Read a number out of a cursor of one text."""
    if not values[0].isdecimal():
        raise bad_cursor()
    return int(values[0])


def cursor_time(text: str) -> datetime:
    """Read a time out of a cursor."""
    at = packed_time(text)
    if at is None:
        raise bad_cursor()
    return at


def packed_time(text: str) -> datetime | None:
    """The time that `encode_cursor` wrote; None where it did not."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


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
    table: Table | None = None,
) -> Response:
    """Give a page of items in the form asked for; the address of the next page stands in `Link` as well.

    `table` is the page as a table where its columns are not the fields of its items.
    """
    body = page.model_dump(mode="json")
    if form == "geojson":
        response = _json(_collection(body, sites, outlines=outlines), MEDIA_TYPES[form])
    elif form == "json":
        response = _json(body, "application/json")
    else:
        data = table_bytes(table or _items_table(page, sites, outlines=outlines), form)
        response = Response(data, media_type=MEDIA_TYPES[form])
        name = f"sitewatch-{url.path.split('/')[-1]}.{form}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if body["next"]:
        following = url.include_query_params(cursor=body["next"])
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return response


def _items_table(page: Any, sites: Mapping[str, Site], *, outlines: bool) -> Table:
    model = _item_model(type(page).model_fields["items"].annotation)
    rows = page.model_dump()["items"]
    types = {name: _cell_type(field.annotation) for name, field in model.model_fields.items()}
    return Table(types, rows, [item_shape(each, sites, outlines=outlines) for each in rows], page.attribution)


def _item_model(annotation: Any) -> type[BaseModel]:
    model: type[BaseModel] = annotation.__args__[0]
    return model


def _cell_type(annotation: Any) -> type:
    """What the cells of a field hold; lists and objects become text."""
    inner = next((each for each in get_args(annotation) if each is not type(None)), annotation)
    one = inner if get_origin(annotation) in {Union, UnionType} else annotation
    return one if one in {bool, int, float, datetime} else str


def _json(body: object, media_type: str) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, allow_nan=False), media_type=media_type)


def _collection(body: Mapping[str, Any], sites: Mapping[str, Site], *, outlines: bool) -> dict[str, Any]:
    features = [_feature(each, sites, outlines=outlines) for each in body["items"]]
    return {
        "type": "FeatureCollection",
        "features": features,
        "next": body["next"],
        "attribution": body["attribution"],
    }


def _feature(item: Mapping[str, Any], sites: Mapping[str, Site], *, outlines: bool) -> dict[str, Any]:
    shape = item_shape(item, sites, outlines=outlines)
    return {
        "type": "Feature",
        "geometry": None if shape is None else mapping(shape),
        "properties": dict(item),
    }


def item_shape(item: Mapping[str, Any], sites: Mapping[str, Site], *, outlines: bool) -> BaseGeometry | None:
    """Where an item is: its own way or place, else its site's outline or a point inside it; None of a site that is gone."""
    if item.get("line"):
        return LineString(item["line"])
    if item.get("lon") is not None:
        return Point(item["lon"], item["lat"])
    site = sites.get(item.get("site_id", item.get("id", "")))
    geometry = None if site is None else _geometry(site, item.get("area", ""))
    return geometry if geometry is None or outlines else geometry.representative_point()


def _geometry(site: Site, area: str) -> BaseGeometry:
    located = (each.geometry for each in site.areas if each.id == area and each.geometry is not None)
    return next(located, site.geometry)
