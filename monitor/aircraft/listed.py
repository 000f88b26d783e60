"""Entries of watch lists that can never fire: aircraft whose operators asked not to be shown are counted, never named."""

from collections.abc import Iterable

from db.aircraft import known_aircraft
from db.engine import Connection, is_missing, open_engine, reading
from db.migrate import current_revision, newest_revision
from monitor.flights.tracks.identity import UNNAMED_FLAGS
from monitor.sites import Site
from monitor.sites.listed_addresses import ADDRESS_PREFIX

CANNOT_FIRE = (
    "its operator asked not to be shown (PIA, LADD), so that it is counted without a name and never told"
)


def entries_that_cannot_fire(connection: Connection, sites: Iterable[Site]) -> dict[str, tuple[str, ...]]:
    """The subjects on each site's watch list that the aircraft database marks PIA or LADD, by site id."""
    listed = {site.id: [each for each in site.watchlist if each.startswith(ADDRESS_PREFIX)] for site in sites}
    addresses = {each.removeprefix(ADDRESS_PREFIX) for some in listed.values() for each in some}
    unnamed = {
        f"{ADDRESS_PREFIX}{known.icao24}"
        for known in known_aircraft(connection, addresses).values()
        if known.flags & UNNAMED_FLAGS
    }
    found = {site_id: tuple(each for each in some if each in unnamed) for site_id, some in listed.items()}
    return {site_id: some for site_id, some in found.items() if some}


def stored_entries_that_cannot_fire(database_url: str, sites: Iterable[Site]) -> dict[str, tuple[str, ...]]:
    """The same from a database that need not be there yet; raises SQLAlchemyError where it cannot be read."""
    engine = open_engine(database_url)
    try:
        if is_missing(engine) or current_revision(engine) != newest_revision():
            return {}
        with reading(engine) as connection:
            return entries_that_cannot_fire(connection, sites)
    finally:
        engine.dispose()


def cannot_fire_words(found: dict[str, tuple[str, ...]]) -> str:
    """The same in one sentence; '' where every entry can fire."""
    if not found:
        return ""
    named = "; ".join(f"{', '.join(some)} at {site_id}" for site_id, some in found.items())
    return f"These entries of watch lists can never fire: {named}. Of each {CANNOT_FIRE}."
