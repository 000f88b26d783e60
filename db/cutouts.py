"""Cut-outs: pictures of sites, and the pictures that could not be made; both can be made anew from the scenes."""

from collections.abc import Collection
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import Connection, LargeBinary, delete, func, literal, select, union_all

from db.records import Cutout, SceneFailure
from db.schema import cutout, cutout_failure
from db.upsert import upsert

_CUTOUT = tuple(cutout.c[each.name] for each in fields(Cutout))
_FAILURE = tuple(cutout_failure.c[each.name] for each in fields(SceneFailure))
_KEY = ("site_id", "provider", "collection", "item_id")


def store_cutout(connection: Connection, made: Cutout, *, keep: int, months: int = 0) -> None:
    """Store a picture, forget that it failed before, and drop all of its site but the `keep` newest and one of each month.

    Of the `months` newest months (UTC) that have any, the newest picture stays: what a place looked like long ago is seen beside
    what it looks like now.
    """
    upsert(connection, cutout, asdict(made), _KEY)
    same = (cutout_failure.c[name] == getattr(made, name) for name in _KEY)
    connection.execute(delete(cutout_failure).where(*same))
    of_site = cutout.c.site_id == made.site_id
    taken = connection.execute(select(cutout.c.acquired_at).where(of_site).distinct()).scalars()
    newest = sorted(taken, reverse=True)
    by_month: dict[tuple[int, int], datetime] = {}
    for at in newest:
        by_month.setdefault((at.year, at.month), at)
    kept = {*newest[:keep], *list(by_month.values())[:months]}
    connection.execute(delete(cutout).where(of_site, cutout.c.acquired_at.not_in(kept)))


def store_cutout_failure(connection: Connection, failed: SceneFailure) -> None:
    """Store why a picture could not be made, in place of the reason given before."""
    upsert(connection, cutout_failure, asdict(failed), _KEY)


def newest_cutout(connection: Connection, site_id: str) -> Cutout | None:
    """The picture of a site that was taken last, if there is one."""
    here = select(*_CUTOUT).where(cutout.c.site_id == site_id)
    row = connection.execute(here.order_by(cutout.c.acquired_at.desc(), *_CUTOUT[1:4]).limit(1)).first()
    return None if row is None else Cutout(*row)


def pictures(connection: Connection, site_id: str) -> list[Cutout]:
    """The kept pictures of a site without their pixels (`png` empty), the newest first."""
    columns = [literal(b"", LargeBinary).label(each.name) if each.name == "png" else each for each in _CUTOUT]
    here = select(*columns).where(cutout.c.site_id == site_id)
    return [
        Cutout(*row) for row in connection.execute(here.order_by(cutout.c.acquired_at.desc(), *_CUTOUT[1:4]))
    ]


def picture_of(connection: Connection, site_id: str, item_id: str) -> Cutout | None:
    """The kept picture of a site that was made from this scene."""
    here = select(*_CUTOUT).where(cutout.c.site_id == site_id, cutout.c.item_id == item_id)
    row = connection.execute(here.order_by(cutout.c.made_at.desc()).limit(1)).first()
    return None if row is None else Cutout(*row)


def cutout_failures(
    connection: Connection, site_id: str, *, since: datetime | None = None
) -> list[SceneFailure]:
    """Which scenes of a site gave no picture, by time of acquisition; `since` leaves out older scenes."""
    wanted = [] if since is None else [cutout_failure.c.acquired_at >= since]
    query = select(*_FAILURE).where(cutout_failure.c.site_id == site_id, *wanted)
    ordered = query.order_by(cutout_failure.c.acquired_at, *_FAILURE[1:4])
    return [SceneFailure(*row) for row in connection.execute(ordered)]


def newest_made(connection: Connection) -> dict[str, tuple[datetime, str]]:
    """When the newest picture of each site was taken, and the digest of the outline that it shows."""
    query = select(cutout.c.site_id, cutout.c.acquired_at, cutout.c.outline).order_by(cutout.c.acquired_at)
    return {site_id: (at, outline) for site_id, at, outline in connection.execute(query)}


def last_attempts(connection: Connection) -> dict[str, datetime]:
    """When a picture of each site was last made, or tried."""
    both = union_all(
        select(cutout.c.site_id, cutout.c.made_at.label("at")),
        select(cutout_failure.c.site_id, cutout_failure.c.failed_at.label("at")),
    ).subquery()
    query = select(both.c.site_id, func.max(both.c.at)).group_by(both.c.site_id)
    return {site_id: at for site_id, at in connection.execute(query)}  # noqa: C416 - rows are not pairs to mypy


def drop_sites(connection: Connection, watched: Collection[str]) -> int:
    """Forget the pictures of every site but these, and what failed there; give the number of pictures."""
    connection.execute(delete(cutout_failure).where(cutout_failure.c.site_id.not_in(watched)))
    return connection.execute(delete(cutout).where(cutout.c.site_id.not_in(watched))).rowcount


def drop_failures(connection: Connection, before: datetime) -> int:
    """Forget the failures of scenes that are too old to be tried again, and give their number."""
    return connection.execute(delete(cutout_failure).where(cutout_failure.c.acquired_at < before)).rowcount
