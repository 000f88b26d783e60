"""What is read of passes over sites, what could not be read, what that cost, and which measures may be judged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, select, update

from db.keys import delete_keys, key_table, with_keys
from db.records import MeasureAdmission, PixelLook, SceneFailure
from db.schema import measure_admission, pixel_failure, pixel_look, pixels_read
from db.upsert import upsert, upsert_all

_FAILURE = tuple(pixel_failure.c[each.name] for each in fields(SceneFailure))
_ADMISSION = tuple(measure_admission.c[each.name] for each in fields(MeasureAdmission))


@dataclass(frozen=True, slots=True)
class KeptPass:
    """A `PixelLook` without its reflectance, which is large; `is_clear` says whether it has any."""

    look_key: str
    acquired_at: datetime
    epsg: int
    classes: bytes
    state: bytes | None
    is_clear: bool


@dataclass(frozen=True, slots=True)
class PixelSummary:
    """How far a site is read: passes, those with pixels, and when the last one was read."""

    passes: int
    clear: int
    read_at: datetime | None


def store_pixel_looks(connection: Connection, looks: Sequence[PixelLook]) -> None:
    """Store what was read of passes, in place of what was read before, and forget that they failed."""
    upsert_all(connection, pixel_look, [asdict(each) for each in looks], ("site_id", "look_key"))
    key = [column.name for column in pixel_failure.primary_key.columns]
    delete_keys(connection, pixel_failure, [[getattr(each, name) for name in key] for each in looks])


def store_states(connection: Connection, site_id: str, states: Mapping[str, bytes | None]) -> None:
    """Store what the pixels of these passes (by look key) say now that the history is another."""
    for look_key, state in states.items():
        here = (pixel_look.c.site_id == site_id, pixel_look.c.look_key == look_key)
        connection.execute(update(pixel_look).where(*here).values(state=state))


def kept_passes(connection: Connection, site_id: str, grid: str) -> list[KeptPass]:
    """Read what is kept of the passes over a site on one grid, by time, without their reflectance.

    Passes of which a service told the shares of classes, and nobody read the classes, are left out.
    """
    columns = (pixel_look.c[name] for name in ("look_key", "acquired_at", "epsg", "classes", "state"))
    query = select(*columns, pixel_look.c.codes.is_not(None))
    here = (pixel_look.c.site_id == site_id, pixel_look.c.grid == grid)
    wanted = query.where(*here, func.length(pixel_look.c.classes) > 0)
    ordered = wanted.order_by(pixel_look.c.acquired_at, pixel_look.c.look_key)
    return [KeptPass(*tuple(row)) for row in connection.execute(ordered)]


def codes_of(connection: Connection, site_id: str, look_keys: Collection[str]) -> dict[str, bytes]:
    """Read the packed reflectance of passes that have any, by look key."""
    query = select(pixel_look.c.look_key, pixel_look.c.codes).where(
        pixel_look.c.site_id == site_id, pixel_look.c.look_key.in_(sorted(look_keys))
    )
    return {key: bytes(codes) for key, codes in connection.execute(query)}


def passes_read(connection: Connection, site_id: str) -> dict[str, tuple[str, int]]:
    """Of each pass that was read (by look key): on which grid and map."""
    query = select(pixel_look.c.look_key, pixel_look.c.grid, pixel_look.c.epsg)
    rows = connection.execute(query.where(pixel_look.c.site_id == site_id))
    return {key: (grid, epsg) for key, grid, epsg in rows}


def shares_of_pass(connection: Connection, site_id: str, look_key: str) -> dict[str, dict[str, float]]:
    """What the pixels of one pass show of each area ('' the whole site); empty where none were read."""
    query = select(pixel_look.c.shares).where(
        pixel_look.c.site_id == site_id, pixel_look.c.look_key == look_key
    )
    return dict(connection.execute(query).scalar() or {})


def store_pixel_failure(connection: Connection, failed: SceneFailure) -> None:
    """Store why the pixels of a scene could not be read, in place of the reason given before."""
    upsert(connection, pixel_failure, asdict(failed), ("site_id", "provider", "collection", "item_id"))


def pixel_failures(connection: Connection, site_id: str) -> list[SceneFailure]:
    """Which scenes of a site could not be read, by time of acquisition."""
    query = select(*_FAILURE).where(pixel_failure.c.site_id == site_id)
    return [SceneFailure(*row) for row in connection.execute(query.order_by(*_FAILURE[4:5], *_FAILURE[1:4]))]


def failures_by_item(connection: Connection, site_id: str) -> dict[tuple[str, str, str], SceneFailure]:
    """The same by provider, collection and item."""
    return {
        (each.provider, each.collection, each.item_id): each for each in pixel_failures(connection, site_id)
    }


def last_read(connection: Connection, site_ids: Collection[str]) -> dict[str, datetime]:
    """When pixels of each of these sites were last read, or tried, as far as they ever were."""
    found: dict[str, datetime] = {}
    for table, at in ((pixel_look, pixel_look.c.read_at), (pixel_failure, pixel_failure.c.failed_at)):
        asked = key_table(connection, [table.c.site_id], [(each,) for each in site_ids])
        last = select(func.max(at)).where(table.c.site_id == asked.c.key_0).correlate(asked).scalar_subquery()
        for site_id, read_at in connection.execute(select(asked.c.key_0, last)):
            if read_at is not None:
                found[site_id] = max(read_at, found.get(site_id, read_at))
    return found


def clear_passes(connection: Connection, site_id: str, grid: str) -> int:
    """How many passes with pixels are kept of a site on one grid; none of them is read."""
    query = select(func.count()).where(
        pixel_look.c.site_id == site_id, pixel_look.c.grid == grid, pixel_look.c.codes.is_not(None)
    )
    return int(connection.execute(query).scalar_one())


def pixel_summaries(connection: Connection, site_ids: Collection[str]) -> dict[str, PixelSummary]:
    """How far each of these sites is read, as far as it is."""
    clear = func.count(pixel_look.c.codes)
    query = select(pixel_look.c.site_id, func.count(), clear, func.max(pixel_look.c.read_at))
    here = with_keys(connection, query, [pixel_look.c.site_id], [(each,) for each in site_ids])
    rows = connection.execute(here.group_by(pixel_look.c.site_id))
    return {site_id: PixelSummary(passes, clear, at) for site_id, passes, clear, at in rows}


def bytes_read_on(connection: Connection, day: str) -> int:
    """How many bytes were read on a day (UTC, as 2026-11-30)."""
    query = select(pixels_read.c.read_bytes).where(pixels_read.c.day == day)
    return int(connection.execute(query).scalar() or 0)


def add_bytes_read(connection: Connection, day: str, read_bytes: int, requests: int) -> None:
    """Add to what a day has cost."""
    query = select(pixels_read.c.read_bytes, pixels_read.c.requests).where(pixels_read.c.day == day)
    before = connection.execute(query.with_for_update()).first() or (0, 0)
    row = {"day": day, "read_bytes": before[0] + read_bytes, "requests": before[1] + requests}
    upsert(connection, pixels_read, row, ("day",))


def store_admissions(connection: Connection, site_id: str, decided: Iterable[MeasureAdmission]) -> None:
    """Store which measures of a site may be judged, in place of all that was decided before."""
    connection.execute(delete(measure_admission).where(measure_admission.c.site_id == site_id))
    for each in decided:
        connection.execute(measure_admission.insert(), asdict(each))


def admissions(connection: Connection, site_id: str) -> list[MeasureAdmission]:
    """Read which measures of a site may be judged, and why the others may not."""
    query = select(*_ADMISSION).where(measure_admission.c.site_id == site_id)
    return [MeasureAdmission(*row) for row in connection.execute(query.order_by(*_ADMISSION[1:3]))]


def measures_decided(connection: Connection, site_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """How many measures may be judged at each of these sites, and of how many that was decided."""
    judged = func.sum(case((measure_admission.c.admitted, 1), else_=0))
    query = select(measure_admission.c.site_id, judged, func.count())
    wanted = with_keys(connection, query, [measure_admission.c.site_id], [(each,) for each in site_ids])
    rows = connection.execute(wanted.group_by(measure_admission.c.site_id))
    return {site_id: (may, decided) for site_id, may, decided in rows}


def sites_admitting(connection: Connection, metric: str) -> set[str]:
    """The sites at which a metric may be judged, somewhere."""
    query = select(measure_admission.c.site_id).where(
        measure_admission.c.metric == metric, measure_admission.c.admitted
    )
    return set(connection.execute(query).scalars())


def drop_pixels(connection: Connection, watched: Collection[str], before: datetime) -> int:
    """Forget the pixels of sites that are watched no more, and those of passes before a moment; give their number."""
    for table in (pixel_failure, measure_admission):
        connection.execute(delete(table).where(table.c.site_id.not_in(watched)))
    connection.execute(delete(pixel_failure).where(pixel_failure.c.acquired_at < before))
    # Site by site, so that an index leads past the pixels of all that is kept.
    there = connection.execute(select(pixel_look.c.site_id).distinct()).scalars().all()
    dropped = 0
    for site_id in there:
        old = [pixel_look.c.acquired_at < before] if site_id in watched else []
        gone = delete(pixel_look).where(pixel_look.c.site_id == site_id, *old)
        dropped += connection.execute(gone).rowcount
    return dropped
