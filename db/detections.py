"""Detections of others, append-only: what a source says of one again in other words is a new version."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, false, func, literal, or_, select, tuple_

from db.chunks import chunks
from db.keys import with_keys
from db.records import DetectionFilter
from db.records.detections import Detection
from db.schema import detection

_NAMES = tuple(each.name for each in fields(Detection))
_COLUMNS = tuple(detection.c[name] for name in _NAMES)
_KEY = ("provider", "site_id", "metric", "detection_id")
_SAYS = ("detected_class", "at", "amount", "areas", "score", "scene", "look_key", "whole", "coverage")

_PLACE = tuple(detection.c[name] for name in ("site_id", "at", "provider", "metric", "detection_id"))
DetectionPlace = tuple[str, datetime, str, str, str]
"""Where a detection stands in the order: site, time, provider, metric and id."""
LookOfDetections = tuple[str, str, str, str]
"""Site, provider, metric and look key."""
SourceOfDetections = tuple[str, str, str]
"""Provider, metric and site."""


def insert_detections(connection: Connection, found: Sequence[Detection]) -> int:
    """Append what is new, or says something else than before, and give its number."""
    stored = 0
    for some in chunks(found):
        newest = {_key(each): each for each in _versions(connection, {_key(each) for each in some})}
        for each in some:
            before = newest.get(_key(each))
            if before is not None and _says(before) == _says(each):
                continue
            made = replace(each, version=1 if before is None else before.version + 1)
            connection.execute(detection.insert(), {**asdict(made), "areas": list(made.areas)})
            newest[_key(each)] = made
            stored += 1
    return stored


def looks_touched(connection: Connection, poll_ids: Iterable[int]) -> list[LookOfDetections]:
    """The looks about which these polls brought something, those among them that a corrected detection left."""
    brought = select(*(detection.c[name] for name in _KEY)).where(detection.c.poll_id.in_(sorted(poll_ids)))
    every: set[LookOfDetections] = set()
    for some in chunks(connection.execute(brought.distinct()).all()):
        for each in _versions(connection, {(row[0], row[1], row[2], row[3]) for row in some}):
            every.add((each.site_id, each.provider, each.metric, each.look_key))
    return sorted(every)


def detections_of_look(connection: Connection, look: LookOfDetections) -> list[Detection]:
    """The newest version of each detection of one look, by time; [] where each of them moved to another."""
    later = detection.alias("later")
    same = (later.c[name] == detection.c[name] for name in _KEY)
    replaced = exists().where(*same, later.c.version > detection.c.version)
    names = ("site_id", "provider", "metric", "look_key")
    here = (detection.c[name] == value for name, value in zip(names, look, strict=True))
    query = select(*_COLUMNS).where(*here, ~replaced).order_by(detection.c.at, detection.c.detection_id)
    return [_detection(row) for row in connection.execute(query)]


def detections_by(connection: Connection, provider: str, metric: str) -> list[Detection]:
    """The newest version of everything that one source found of a metric, by site, look and time."""
    later = detection.alias("later")
    same = (later.c[name] == detection.c[name] for name in _KEY)
    replaced = exists().where(*same, later.c.version > detection.c.version)
    here = (detection.c.provider == provider, detection.c.metric == metric)
    query = select(*_COLUMNS).where(*here, ~replaced)
    ordered = query.order_by(
        detection.c.site_id, detection.c.look_key, detection.c.at, detection.c.detection_id
    )
    return [_detection(row) for row in connection.execute(ordered)]


def detection_page(
    connection: Connection, wanted: DetectionFilter, after: DetectionPlace | None, limit: int
) -> list[Detection]:
    """Read the newest version of each of the next `limit` detections, by site, time, provider, metric and id."""
    query = select(*_COLUMNS).where(*_conditions(wanted))
    if after is not None:
        told = (literal(value, column.type) for value, column in zip(after, _PLACE, strict=True))
        query = query.where(tuple_(*_PLACE) > tuple_(*told))
    return [_detection(row) for row in connection.execute(query.order_by(*_PLACE).limit(limit))]


def count_detections(connection: Connection, wanted: DetectionFilter, most: int) -> int:
    """How many detections are asked for; one more than `most` where there are more."""
    some = select(detection.c.detection_id).where(*_conditions(wanted)).limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def detection_place(each: Detection) -> DetectionPlace:
    """Where a detection stands in the order of the pages."""
    return each.site_id, each.at, each.provider, each.metric, each.detection_id


def detection_by_key(connection: Connection, key: tuple[str, str, str, str]) -> Detection | None:
    """The newest version of a detection, by provider, site, metric and id."""
    versions = _versions(connection, {key})
    return versions[-1] if versions else None


def _conditions(wanted: DetectionFilter) -> Iterator[ColumnElement[bool]]:
    columns = detection.c
    later = detection.alias("later")
    same = (later.c[name] == columns[name] for name in _KEY)
    yield ~exists().where(*same, later.c.version > columns.version)
    yield columns.site_id.in_(sorted(wanted.site_ids))
    for name in ("metric", "provider"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.since is not None:
        yield columns.at >= wanted.since
    if wanted.until is not None:
        yield columns.at < wanted.until
    if wanted.boxes is not None:
        within = (
            and_(columns.lon.between(west, east), columns.lat.between(south, north))
            for west, south, east, north in wanted.boxes
        )
        yield or_(false(), *within)


def looks_by_source(
    connection: Connection, prefix: str, site_id: str | None = None
) -> dict[SourceOfDetections, int]:
    """How many looks there are by each source whose name begins so, at one site or at all."""
    here = [] if site_id is None else [detection.c.site_id == site_id]
    source = (detection.c.provider, detection.c.metric, detection.c.site_id)
    query = select(*source, func.count(detection.c.look_key.distinct())).where(
        detection.c.provider.startswith(prefix, autoescape=True), *here
    )
    rows = connection.execute(query.group_by(*source).order_by(*source))
    return {(provider, metric, site): looks for provider, metric, site, looks in rows}


def _versions(connection: Connection, keys: set[tuple[str, str, str, str]]) -> list[Detection]:
    """Every version of these, oldest first."""
    columns = [detection.c[name] for name in _KEY]
    query = with_keys(connection, select(*_COLUMNS), columns, keys)
    return [_detection(row) for row in connection.execute(query.order_by(detection.c.version))]


def _detection(row: Row[Any]) -> Detection:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to read a row by name
    return Detection(**{**values, "areas": tuple(values["areas"])})


def _key(each: Detection) -> tuple[str, str, str, str]:
    return each.provider, each.site_id, each.metric, each.detection_id


def _says(each: Detection) -> tuple[object, ...]:
    return tuple(getattr(each, name) for name in _SAYS)
