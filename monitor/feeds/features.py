"""GeoJSON as servers and files give it: a FeatureCollection, or nothing that is believed."""

import json
from collections.abc import Mapping
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from monitor.feeds import Answer, FeedError
from monitor.feeds.parsing import parse_json, words_of

_WGS_84 = ("CRS84", "4326")


def features_of(answer: Answer, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The page and its features; raises FeedError for what is no FeatureCollection, or not in WGS 84."""
    return features_in(parse_json(answer.body, where), answer, where)


def features_in(page: Any, answer: Answer, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The same of an answer that was read as JSON."""
    features = page.get("features") if isinstance(page, dict) else None
    if (
        not isinstance(page, dict)
        or not isinstance(features, list)
        or page.get("type", "FeatureCollection") != "FeatureCollection"
    ):
        raise FeedError(
            f"{where}: the answer is no GeoJSON FeatureCollection.{words_of(page, answer)} Check the address.",
            status=answer.status,
            body=answer.body,
        )
    _check_crs(page, where)
    found = [each for each in features if isinstance(each, dict)]
    if features and not found:
        raise FeedError(
            f"{where}: nothing of what it lists is a feature.", status=answer.status, body=answer.body
        )
    return page, found


def _check_crs(page: Mapping[str, Any], where: str) -> None:
    crs = page.get("crs")
    named = crs.get("properties", {}) if isinstance(crs, dict) else {}
    name = named.get("name") if isinstance(named, dict) else None
    if isinstance(name, str) and not any(each in name for each in _WGS_84):
        raise FeedError(
            f"{where}: its coordinates are in another system than longitude and latitude (its member crs says so). Ask the "
            "server for CRS84."
        )


def shape_of(feature: Mapping[str, Any]) -> BaseGeometry | None:
    """The feature's geometry in two dimensions, None where there is none or it is none."""
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict):
        return None
    try:
        found: BaseGeometry = shapely.force_2d(shapely.from_geojson(json.dumps(geometry)))
    except (shapely.errors.ShapelyError, ValueError, RecursionError, TypeError):
        return None
    return found


def properties_of(feature: Mapping[str, Any]) -> dict[str, Any]:
    """The feature's properties, {} where it has none."""
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def id_of(feature: Mapping[str, Any]) -> str:
    """The feature's id as text, '' where it has none."""
    found = feature.get("id")
    named = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found) if named else ""
