"""The declared baselines that sites carry in sites.geojson, read as rows of import columns."""

from collections.abc import Iterable

from db.declared import record_declared
from db.engine import Connection
from db.records import DeclaredBaseline
from monitor.imports.faults import Fault
from monitor.imports.fields import Clock
from monitor.imports.rows import parse_rows
from monitor.imports.sources import feature_rows
from monitor.sites import Site


def declared_of(site: Site, clock: Clock) -> tuple[list[DeclaredBaseline], list[Fault]]:
    """One site's published statistics as records, and what is wrong with those that cannot be read."""
    rows = [
        {"type": "Feature", "properties": {**entry, "site_id": site.id}} for entry in site.declared_baselines
    ]
    raw = feature_rows({"type": "FeatureCollection", "features": rows}, f"sites.geojson, {site.id}")
    records, faults = parse_rows(raw, {site.id: site}, clock)
    return [each for each in records if isinstance(each, DeclaredBaseline)], faults


def load_declared(connection: Connection, sites: Iterable[Site], clock: Clock) -> list[Fault]:
    """Append what sites declare, a new revision only where it changed, and give what could not be read."""
    read = [declared_of(site, clock) for site in sites if site.declared_baselines]
    record_declared(connection, [each for records, _ in read for each in records])
    return [fault for _, faults in read for fault in faults]
