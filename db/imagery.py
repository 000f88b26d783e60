"""Scenes: catalogue items over sites, append-only; a reprocessed or corrected item is a new version."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, select

from db.chunks import chunks
from db.keys import with_keys
from db.records import Scene
from db.schema import pixel_look, scene

_NAMES = tuple(each.name for each in fields(Scene))
_COLUMNS = tuple(scene.c[name] for name in _NAMES)
_ITEM = (scene.c.provider, scene.c.collection, scene.c.item_id, scene.c.site_id)
_SAYS = (
    "look_key",
    "platform",
    "sensor",
    "acquired_at",
    "published_at",
    "cloud_share",
    "covered_share",
    "footprint",
)

SceneKey = tuple[str, str, str, str]


def insert_scenes(connection: Connection, scenes: Sequence[Scene]) -> int:
    """Append what is new and give its number: unknown items, and newer versions that say something else."""
    stored = 0
    for some in chunks(scenes):
        newest = _newest(connection, {_item(each) for each in some})
        for each in some:
            before = newest.get(_item(each))
            if before is not None and not _is_news(before, each):
                continue
            version = 1 if before is None else before.version + 1
            row = {name: getattr(each, name) for name in _NAMES} | {"version": version}
            connection.execute(scene.insert(), row)
            newest[_item(each)] = Scene(**row)
            stored += 1
    return stored


def scenes(
    connection: Connection,
    *,
    site_id: str | None = None,
    site_ids: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    look_keys: Collection[str] | None = None,
    poll_ids: Iterable[int] | None = None,
    as_recorded: datetime | None = None,
    collections: Collection[str] | None = None,
    unread_on: str | None = None,
    never_read: bool = False,
) -> list[Scene]:
    """The newest version of each item acquired in [since, until), by time; `as_recorded` as known then.

    `unread_on` leaves out those of passes of which the pixels on this grid are kept, `never_read` those of which any are.
    """
    later = scene.alias("later")
    known = [] if as_recorded is None else [scene.c.recorded_at <= as_recorded]
    known_later = [] if as_recorded is None else [later.c.recorded_at <= as_recorded]
    same_item = (later.c[column.name] == column for column in _ITEM)
    replaced = exists().where(*same_item, later.c.version > scene.c.version, *known_later)
    wanted = [
        *([] if site_id is None else [scene.c.site_id == site_id]),
        *([] if since is None else [scene.c.acquired_at >= since]),
        *([] if until is None else [scene.c.acquired_at < until]),
        *([] if look_keys is None else [scene.c.look_key.in_(sorted(look_keys))]),
        *([] if poll_ids is None else [scene.c.poll_id.in_(sorted(poll_ids))]),
        *([] if collections is None else [scene.c.collection.in_(sorted(collections))]),
    ]
    if unread_on is not None or never_read:
        same_pass = pixel_look.c.site_id == scene.c.site_id, pixel_look.c.look_key == scene.c.look_key
        on_grid = [] if unread_on is None else [pixel_look.c.grid == unread_on]
        wanted.append(~exists().where(*same_pass, *on_grid))
    query: Select[Any] = select(*_COLUMNS).where(~replaced, *known, *wanted)
    if site_ids is not None:
        query = with_keys(connection, query, [scene.c.site_id], [(each,) for each in site_ids])
    return [Scene(*row) for row in connection.execute(query.order_by(scene.c.acquired_at, *_ITEM))]


def _newest(connection: Connection, items: set[SceneKey]) -> dict[SceneKey, Scene]:
    query = with_keys(connection, select(*_COLUMNS), _ITEM, items).order_by(scene.c.version)
    return {_item(found): found for found in (Scene(*row) for row in connection.execute(query))}


def _item(of: Scene) -> SceneKey:
    return of.provider, of.collection, of.item_id, of.site_id


def _is_news(before: Scene, after: Scene) -> bool:
    """Whether an item says something else, and is not an older answer that came late (from a cache)."""
    if after.updated_at and before.updated_at and after.updated_at < before.updated_at:
        return False
    return any(getattr(before, name) != getattr(after, name) for name in _SAYS)
