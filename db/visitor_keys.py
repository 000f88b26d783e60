"""The keys of aliases and of visits' ids: made here by chance, kept here alone, and destroyed once nothing needs them.

A visit's id is sealed with the key of the day of its first sign. While that key is there, a visit without name can be
continued by the reports of its aircraft; once it is gone, nobody can tell whose visit it was, nor can we.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from db.chunks import chunks
from db.records import Visit
from db.records.aliases import alias_of, day_of_draft, draft_visit_id, sealed_visit_id
from db.schema import alias, visitor_key
from db.upsert import insert_ignore, upsert

ALIAS_KEY = "alias"
REGISTER_KEY = "register"
"""The key under which aircraft databases are remembered; the only one that goes into backups."""
_VISITS = "visits of "
_BYTES = 32


def key_named(connection: Connection, name: str, now: datetime) -> bytes:
    """Give a key, made anew where there is none."""
    found = _keys(connection, [name]).get(name)
    if found is not None:
        return found
    _add(connection, {name: new_key()}, now)
    return _keys(connection, [name])[name]


def known_key(connection: Connection, name: str) -> bytes | None:
    """Give a key if it is there."""
    return _keys(connection, [name]).get(name)


def new_key() -> bytes:
    """Make a key by chance."""
    return secrets.token_bytes(_BYTES)


def visit_keys(connection: Connection, days: Collection[str]) -> dict[str, bytes]:
    """Give the keys of visits, by the UTC day of their first sign, as far as they are there."""
    found = _keys(connection, [_VISITS + day for day in sorted(days)])
    return {name.removeprefix(_VISITS): key for name, key in found.items()}


def add_visit_keys(connection: Connection, keys: Mapping[str, bytes], now: datetime) -> dict[str, bytes]:
    """Keep the keys of days that have none; give the keys of all these days."""
    _add(connection, {_VISITS + day: keys[day] for day in sorted(keys)}, now)
    return visit_keys(connection, keys)


def sealed_ids(connection: Connection, drafts: Iterable[str], now: datetime) -> dict[str, str]:
    """Give the ids under which visits are stored, by draft."""
    wanted = list(drafts)
    days = {day_of_draft(draft) for draft in wanted}
    keys = add_visit_keys(connection, {day: new_key() for day in days}, now)
    return {draft: sealed_visit_id(keys[day_of_draft(draft)], draft) for draft in wanted}


def owners(
    connection: Connection, nameless: Sequence[Visit], icao24s: Collection[str]
) -> dict[str, list[Visit]]:
    """Find out which of these visits without name are of which of these aircraft, as far as the keys are there."""
    signed = [(visit, first) for visit in nameless if (first := _first_sign(visit)) is not None]
    days = sorted({f"{first:%Y-%m-%d}" for _, first in signed})
    keys = _keys(connection, [_VISITS + day for day in days])
    found: dict[str, list[Visit]] = {}
    for visit, first in signed:
        key = keys.get(f"{_VISITS}{first:%Y-%m-%d}")
        if key is None:
            continue
        ids = ((sealed_visit_id(key, draft_visit_id(each, visit.site_id, first)), each) for each in icao24s)
        if (owner := dict(ids).get(visit.visit_id)) is not None:
            found.setdefault(owner, []).append(visit)
    return found


def drop_keys(connection: Connection, before: datetime, heard: Iterable[Visit]) -> int:
    """Destroy the keys of visits that were made before then, save those of visits that are still heard; give their number."""
    needed = {f"{_VISITS}{first:%Y-%m-%d}" for visit in heard if (first := _first_sign(visit)) is not None}
    old = select(visitor_key.c.name).where(visitor_key.c.made_at < before)
    gone = [
        name for name in connection.execute(old).scalars() if name.startswith(_VISITS) and name not in needed
    ]
    for some in chunks(gone):
        connection.execute(delete(visitor_key).where(visitor_key.c.name.in_(some)))
    return len(gone)


def aliases_heard(connection: Connection, aliases: Collection[str]) -> set[str]:
    """Choose the aliases under which aircraft were heard in the time for which identities are kept."""
    found: set[str] = set()
    for some in chunks(sorted(aliases)):
        found |= set(connection.execute(select(alias.c.alias).where(alias.c.alias.in_(some))).scalars())
    return found


def note_aliases(connection: Connection, aliases: Iterable[str], now: datetime) -> None:
    """Note that aircraft were heard under these aliases."""
    for name in sorted(set(aliases)):
        upsert(connection, alias, {"alias": name, "heard_at": now}, ["alias"])


def drop_aliases(connection: Connection, before: datetime) -> int:
    """Forget the aliases that were not heard since then; give their number."""
    return connection.execute(delete(alias).where(alias.c.heard_at < before)).rowcount


def aliases_for(connection: Connection, icao24s: Iterable[str], now: datetime) -> dict[str, str]:
    """Give the alias of each address."""
    key = key_named(connection, ALIAS_KEY, now)
    return {icao24: alias_of(key, icao24) for icao24 in icao24s}


def _add(connection: Connection, keys: Mapping[str, bytes], now: datetime) -> None:
    rows = [{"name": name, "key": key.hex(), "made_at": now} for name, key in keys.items()]
    insert_ignore(connection, visitor_key, rows)


def _first_sign(visit: Visit) -> datetime | None:
    told = visit.candidates.get("first_sign")
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _keys(connection: Connection, names: Sequence[str]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for some in chunks(names):
        query = select(visitor_key.c.name, visitor_key.c.key).where(visitor_key.c.name.in_(some))
        found |= {row.name: bytes.fromhex(row.key) for row in connection.execute(query)}
    return found
