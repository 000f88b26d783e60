"""The description of the collections in OpenAPI 3.0, which the standard asks for: ours of the API is 3.1."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, get_args

from pydantic import BaseModel

from monitor.web.api.queries import MOST_ITEMS, USUAL_ITEMS
from monitor.web.ogc.collections import FeatureCollection
from monitor.web.security import SESSION_COOKIE

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
NOT_TAKEN = frozenset({"confidence"})
"""Parameters of the API whose name is a property's and that mean “at least”: here such a name means “equal”."""
_ERROR = {
    "description": "What is wrong, in a sentence.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/exception"}}},
}
_WINDOW: tuple[dict[str, Any], ...] = (
    {
        "name": "bbox",
        "in": "query",
        "description": "Only features that touch this box: west, south, east, north; across 180° where west is greater than east.",
        "schema": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "style": "form",
        "explode": False,
    },
    {
        "name": "datetime",
        "in": "query",
        "description": "Only features of this time: an instant or a day of UTC, or two of them with a slash between; .. is open.",
        "schema": {"type": "string"},
        "style": "form",
        "explode": False,
    },
    {
        "name": "limit",
        "in": "query",
        "description": "At most so many features; what is greater than the highest counts as that.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": USUAL_ITEMS},
        "style": "form",
        "explode": False,
    },
)
_LINKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["href", "rel"],
        "properties": {name: {"type": "string"} for name in ("href", "rel", "type", "title")},
    },
}


def describe_features(root: str, shown: Iterable[FeatureCollection], *, guarded: bool) -> dict[str, Any]:
    """The document for these collections; `root` is the address of the landing page."""
    kinds = list(shown)
    paths = {
        "/": _get("landing", "The way in", "application/json", {"type": "object"}),
        "/conformance": _get(
            "conformance", "What of the standard is kept", "application/json", {"type": "object"}
        ),
        "/collections": _get("collections", "The collections", "application/json", {"type": "object"}),
    }
    for kind in kinds:
        paths |= _paths(kind)
    document: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {
            "title": "sitewatch",
            "version": "1",
            "description": "What sitewatch has counted, as OGC API Features 1.0.",
        },
        "servers": [{"url": root}],
        "paths": paths,
        "components": {
            "schemas": {"exception": _EXCEPTION, **{each.name: _properties(each.item) for each in kinds}}
        },
    }
    if guarded:
        document["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
        }
        document["security"] = [{"token": []}, {"session": []}, {}]
    return document


_EXCEPTION = {
    "type": "object",
    "required": ["code", "description"],
    "properties": {"code": {"type": "string"}, "description": {"type": "string"}},
}


def _paths(kind: FeatureCollection) -> dict[str, Any]:
    at = f"/collections/{kind.name}"
    feature = {
        "type": "object",
        "required": ["type", "id", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": {"type": "string"},
            "geometry": {"type": "object", "nullable": True},
            "properties": {"$ref": f"#/components/schemas/{kind.name}"},
            "links": _LINKS,
        },
    }
    features = {
        "type": "object",
        "required": ["type", "features", "links", "numberReturned"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": feature},
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberReturned": {"type": "integer", "minimum": 0},
            "links": _LINKS,
            "attribution": {"type": "array", "items": {"type": "string"}},
        },
    }
    geojson = "application/geo+json"
    one = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
    asked = [*_WINDOW, *_own_parameters(kind.query)]
    return {
        at: _get(f"{kind.name}_about", kind.title, "application/json", {"type": "object"}),
        f"{at}/items": _get(f"{kind.name}_items", kind.about, geojson, features, asked),
        f"{at}/items/{{featureId}}": _get(f"{kind.name}_item", "One feature", geojson, feature, [one]),
    }


def _get(
    name: str,
    summary: str,
    media_type: str,
    schema: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """An address that is read."""
    answers = {
        "200": {"description": summary, "content": {media_type: {"schema": schema}}},
        **dict.fromkeys(("400", "404", "503"), _ERROR),
    }
    return {
        "get": {"operationId": name, "summary": summary, "parameters": parameters or [], "responses": answers}
    }


def _own_parameters(query: type[Any]) -> Iterator[dict[str, Any]]:
    """The filters of a list of the API, as its own description words them."""
    for each in fields(query):
        _, said = get_args(each.type)
        name = said.alias or each.name
        if name not in NOT_TAKEN:
            yield {"name": name, "in": "query", "description": said.description, "schema": {"type": "string"}}


def _properties(item: type[BaseModel]) -> dict[str, Any]:
    """The fields of an item, with their words; how each is made up stands in the description of the API."""
    return {
        "type": "object",
        "properties": {
            name: {"description": field.description, **_kind(item, name)}
            for name, field in item.model_fields.items()
        },
    }


def _kind(item: type[BaseModel], name: str) -> dict[str, Any]:
    said = item.model_json_schema()["properties"][name]
    kinds = [each for each in said.get("anyOf", [said]) if each.get("type") != "null"]
    known = {each.get("type") for each in kinds}
    nullable = {"nullable": True} if "anyOf" in said else {}
    (one,) = known if len(known) == 1 else (None,)
    if one == "array":
        return {"type": "array", "items": {}, **nullable}
    timed = {"format": "date-time"} if kinds[0].get("format") == "date-time" else {}
    return {**({"type": one} if one else {}), **timed, **nullable}
