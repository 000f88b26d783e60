"""Versions of watched sites as they were configured, and the changes at sites that baselines must know."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.sql import Select

from db.records import Change
from db.scenario_mark import KEY as SCENARIO_KEY
from db.schema import change, site_version
from db.upsert import insert_ignore

SiteFeature = Mapping[str, Any]
_FROM_FILE = "site:"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MONTH = re.compile(r"\d{4}-\d\d")


def record_sites(connection: Connection, features: Mapping[str, SiteFeature], now: datetime) -> list[str]:
    """Append a version for each site that is new, different or gone, and the changes that sites declare.

    `features` are all watched sites, checked, by id; gives the ids that got a version. A site that is gone
    keeps its last feature in a version marked removed.
    """
    known = {row.site_id: row for row in connection.execute(_newest())}
    rows = []
    for site_id, feature in features.items():
        last, digest = known.get(site_id), _digest(feature)
        if last is None or last.removed or last.digest != digest:
            rows.append(_version(site_id, last, digest, feature, now))
    for site_id, last in known.items():
        if site_id not in features and not last.removed:
            rows.append({**_version(site_id, last, last.digest, last.feature, now), "removed": True})
    insert_ignore(connection, site_version, rows)
    insert_ignore(connection, change, [row for id_, it in features.items() for row in _changes(id_, it, now)])
    return [str(row["site_id"]) for row in rows]


def _newest() -> Select[Any]:
    last = (
        select(site_version.c.site_id, func.max(site_version.c.version).label("version"))
        .group_by(site_version.c.site_id)
        .subquery()
    )
    same = and_(site_version.c.site_id == last.c.site_id, site_version.c.version == last.c.version)
    return select(site_version).join(last, same).order_by(site_version.c.site_id)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _version(site_id: str, last: Any, digest: str, feature: SiteFeature, now: datetime) -> dict[str, Any]:
    return {
        "site_id": site_id,
        "version": 1 if last is None else last.version + 1,
        "digest": digest,
        "removed": False,
        "feature": feature,
        "recorded_at": now,
    }


def _changes(site_id: str, feature: SiteFeature, now: datetime) -> Iterator[dict[str, Any]]:
    properties = feature["properties"]
    zone = ZoneInfo(properties["timezone"])
    for entry in properties.get("changes") or ():
        ends = entry.get("ends_at")
        yield {
            "key": _change_key(site_id, entry),
            "site_id": site_id,
            "what": entry["what"],
            "effect": entry["effect"],
            "starts_at": _first_moment(entry["starts_at"], zone),
            "ends_at": None if ends is None else _moment_after(ends, zone),
            "note": entry.get("note") or "",
            "recorded_at": now,
        }


def _change_key(site_id: str, entry: SiteFeature) -> str:
    told = [entry.get(key) for key in ("what", "effect", "starts_at", "ends_at", "note")]
    return f"{_FROM_FILE}{site_id}:{_digest(told)[:32]}"


def _first_moment(text: str, zone: ZoneInfo) -> datetime:
    """When a month, a day (both the site's own) or an instant begins."""
    if _MONTH.fullmatch(text):
        text = f"{text}-01"
    if _DAY.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
    return datetime.fromisoformat(text)


def _moment_after(text: str, zone: ZoneInfo) -> datetime:
    """When a month, a day or an instant is over."""
    if _MONTH.fullmatch(text):
        year, month = (int(part) for part in text.split("-"))
        return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    if _DAY.fullmatch(text):
        after = date.fromisoformat(text) + timedelta(days=1)
        return datetime.combine(after, datetime.min.time(), zone)
    return datetime.fromisoformat(text)


def register_change(connection: Connection, registered: Change, now: datetime) -> bool:
    """Append a change that the program itself found (a feed added); False where its key is known."""
    row = {
        "key": registered.key,
        "site_id": registered.site_id,
        "what": registered.what,
        "effect": registered.effect,
        "starts_at": registered.starts_at,
        "ends_at": registered.ends_at,
        "note": registered.note,
        "recorded_at": now,
    }
    return insert_ignore(connection, change, [row]) == 1


def site_names(connection: Connection) -> dict[str, str]:
    """The newest name of every site that was ever watched, by id; alerts outlive sites."""
    return {row.site_id: row.feature["properties"]["name"] for row in connection.execute(_newest())}


def site_changes(connection: Connection, site_ids: Sequence[str]) -> list[Change]:
    """The changes in force at these sites and everywhere, oldest first.

    A change that was since corrected or taken out of sites.geojson is kept in the table, but not in force.
    """
    declared = {
        _change_key(row.site_id, entry)
        for row in connection.execute(_newest().where(site_version.c.site_id.in_(site_ids)))
        for entry in row.feature["properties"].get("changes") or ()
    }
    wanted = and_(or_(change.c.site_id.in_(site_ids), change.c.site_id == ""), change.c.key != SCENARIO_KEY)
    rows = connection.execute(select(change).where(wanted).order_by(change.c.starts_at, change.c.key))
    return [
        Change(row.key, row.site_id, row.what, row.effect, row.starts_at, row.ends_at, row.note)
        for row in rows
        if not row.key.startswith(_FROM_FILE) or row.key in declared
    ]
