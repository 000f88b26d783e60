"""What radar shows of passes over sites, what asking for it has cost, and which of its measures may be judged."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, select

from db.records.radar import RadarAdmission, RadarLook, UnitsSpent
from db.schema import radar_admission, radar_look, units_spent
from db.upsert import upsert

_LOOK = tuple(radar_look.c[each.name] for each in fields(RadarLook))
_ADMISSION = tuple(radar_admission.c[each.name] for each in fields(RadarAdmission))
_SPENT = tuple(units_spent.c[each.name] for each in fields(UnitsSpent))


def store_radar_look(connection: Connection, look: RadarLook) -> None:
    """Store one part of a pass, in place of what was stored of it before."""
    upsert(connection, radar_look, asdict(look), ("site_id", "look_key", "part"))


def radar_looks(connection: Connection, site_id: str) -> list[RadarLook]:
    """Everything that is kept of a site, by time."""
    query = select(*_LOOK).where(radar_look.c.site_id == site_id)
    ordered = query.order_by(radar_look.c.acquired_at, radar_look.c.look_key, radar_look.c.part)
    return [RadarLook(*row) for row in connection.execute(ordered)]


def radar_parts(connection: Connection, site_id: str) -> dict[tuple[str, str], str]:
    """Which parts of which passes of a site are kept (look key, part), and a digest of what was drawn then."""
    query = select(radar_look.c.look_key, radar_look.c.part, radar_look.c.drawn)
    rows = connection.execute(query.where(radar_look.c.site_id == site_id))
    return {(look_key, part): drawn for look_key, part, drawn in rows}


def last_radar_reads(connection: Connection) -> dict[str, datetime]:
    """When radar of each site was last read."""
    query = select(radar_look.c.site_id, func.max(radar_look.c.read_at)).group_by(radar_look.c.site_id)
    return {site_id: at for site_id, at in connection.execute(query)}  # noqa: C416 - rows are not pairs to mypy


def passes_by_orbit(connection: Connection) -> dict[str, dict[int, int]]:
    """How many passes are kept of each site, by relative orbit."""
    number = func.count(radar_look.c.look_key.distinct())
    query = select(radar_look.c.site_id, radar_look.c.relative_orbit, number)
    found: dict[str, dict[int, int]] = {}
    for site_id, orbit, passes in connection.execute(
        query.where(radar_look.c.relative_orbit > 0).group_by(
            radar_look.c.site_id, radar_look.c.relative_orbit
        )
    ):
        found.setdefault(site_id, {})[orbit] = passes
    return found


def units_of(connection: Connection, provider: str, month: str) -> UnitsSpent:
    """What a provider has charged in a month (UTC, as 2026-11)."""
    query = select(*_SPENT).where(units_spent.c.provider == provider, units_spent.c.month == month)
    row = connection.execute(query).one_or_none()
    return UnitsSpent(provider, month) if row is None else UnitsSpent(*row)


def add_units(connection: Connection, provider: str, month: str, units: float, estimated: float) -> None:
    """Add one answered request to what a month has cost."""
    query = select(*_SPENT).where(units_spent.c.provider == provider, units_spent.c.month == month)
    row = connection.execute(query.with_for_update()).one_or_none()
    known = UnitsSpent(provider, month) if row is None else UnitsSpent(*row)
    added = {
        "units": known.units + units,
        "estimated": known.estimated + estimated,
        "requests": known.requests + 1,
    }
    upsert(connection, units_spent, asdict(known) | added, ("provider", "month"))


def leave_alone(connection: Connection, provider: str, month: str, until: datetime, words: str) -> None:
    """Note until when a provider is not to be asked, and why."""
    known = asdict(units_of(connection, provider, month))
    upsert(connection, units_spent, known | {"not_before": until, "words": words}, ("provider", "month"))


def store_radar_admissions(connection: Connection, site_id: str, decided: Iterable[RadarAdmission]) -> None:
    """Store which radar measures of a site may be judged, in place of all that was decided before."""
    connection.execute(delete(radar_admission).where(radar_admission.c.site_id == site_id))
    for each in decided:
        connection.execute(radar_admission.insert(), asdict(each))


def radar_admissions(connection: Connection, site_id: str) -> list[RadarAdmission]:
    """Which radar measures of a site may be judged, and why the others may not."""
    query = select(*_ADMISSION).where(radar_admission.c.site_id == site_id)
    return [RadarAdmission(*row) for row in connection.execute(query.order_by(*_ADMISSION[1:4]))]


def radar_decided(connection: Connection) -> dict[str, tuple[int, int]]:
    """How many radar measures may be judged at each site, and of how many that was decided."""
    judged = func.sum(case((radar_admission.c.admitted, 1), else_=0))
    query = select(radar_admission.c.site_id, judged, func.count()).group_by(radar_admission.c.site_id)
    return {site_id: (may, decided) for site_id, may, decided in connection.execute(query)}


def drop_radar(connection: Connection, watched: Collection[str], before: datetime) -> int:
    """Forget radar of sites that are watched no more, and that of passes before a moment; give the number of parts."""
    connection.execute(delete(radar_admission).where(radar_admission.c.site_id.not_in(watched)))
    gone = (radar_look.c.site_id.not_in(watched)) | (radar_look.c.acquired_at < before)
    return connection.execute(delete(radar_look).where(gone)).rowcount
