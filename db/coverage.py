"""How long each provider really watched each site, hour by hour, and the reports that were not believed.

A failed or lost poll watched nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Integer, bindparam, case, delete, func, select, update

from db.chunks import chunks
from db.keys import key_table, with_keys
from db.records import HOUR_S, CoverageHour
from db.schema import coverage_hour, rejection
from db.upsert import insert_ignore

_HOUR = timedelta(hours=1)
HourKey = tuple[str, datetime, str]
"""Provider, hour and reason."""


def accrue(
    connection: Connection,
    provider: str,
    nearby: Mapping[str, int],
    *,
    parts: Mapping[str, int],
    begins: datetime,
    lasts_s: int,
    observed: Collection[str],
) -> None:
    """Add the time that one poll stands for to the hours of its sites; `nearby` counts the reports near each.

    Only the sites in `observed` were watched; of the others the time is expected and missing.

    It is split where an hour ends, and no hour counts more than was expected of it. A site that is divided
    into `parts` gets its share from the poll of each part.
    """
    # All sites in few statements: the lock is held meanwhile, and one receiver may watch many. In one order, so that
    # two writers do not wait for each other.
    site_ids = sorted(nearby)
    for index, (hour, seconds) in enumerate(_hours(begins, lasts_s)):
        _open_hours(connection, provider, site_ids, hour, begins)
        added = [
            {
                "b_site_id": each,
                "seconds": seconds // parts.get(each, 1) if each in observed else 0,
                "reports": nearby[each] if index == 0 else 0,
            }
            for each in site_ids
        ]
        if added:
            connection.execute(_ADD, [{"b_provider": provider, "b_hour": hour, **each} for each in added])


def mark_degraded(connection: Connection, provider: str, site_id: str, hour: datetime) -> None:
    """Say that what was heard in this hour cannot be trusted (jamming, spoofing); it stays said."""
    key = _Key(provider, site_id, _floor(hour))
    connection.execute(update(coverage_hour).where(*key.where).values(degraded=True))


def drop_unborn_hours(connection: Connection, provider: str, now: datetime) -> None:
    """Forget what a clock that was ahead counted for hours to come; of this hour no more was watched than has passed."""
    hour = _floor(now)
    for table in (coverage_hour, rejection):
        connection.execute(delete(table).where(table.c.provider == provider, table.c.hour > hour))
    passed_s = int((now - hour).total_seconds())
    this_hour = (coverage_hour.c.provider == provider, coverage_hour.c.hour == hour)
    too_much = update(coverage_hour).where(*this_hour, coverage_hour.c.observed_s > passed_s)
    connection.execute(too_much.values(observed_s=passed_s))


def forget_hours(connection: Connection, provider: str, since: datetime, until: datetime) -> None:
    """Forget what one provider watched in [since, until): it is read again."""
    hour = coverage_hour.c.hour
    connection.execute(
        delete(coverage_hour).where(coverage_hour.c.provider == provider, hour >= since, hour < until)
    )


def coverage(
    connection: Connection,
    site_id: str,
    since: datetime,
    until: datetime,
    *,
    providers: Collection[str] | None = None,
) -> list[CoverageHour]:
    """The hours of a site that overlap [since, until), by hour and provider; an hour without a row was not watched."""
    query = select(coverage_hour).where(
        coverage_hour.c.site_id == site_id,
        coverage_hour.c.hour > since - _HOUR,
        coverage_hour.c.hour < until,
    )
    if providers is not None:
        query = query.where(coverage_hour.c.provider.in_(sorted(providers)))
    rows = connection.execute(query.order_by(coverage_hour.c.hour, coverage_hour.c.provider)).mappings()
    return [CoverageHour(**row) for row in rows]


def coverage_by_site(
    connection: Connection, site_ids: Collection[str], since: datetime, until: datetime
) -> dict[str, list[CoverageHour]]:
    """The same for each of these sites, asked in one."""
    query = select(coverage_hour).where(coverage_hour.c.hour > since - _HOUR, coverage_hour.c.hour < until)
    wanted = with_keys(connection, query, [coverage_hour.c.site_id], [(each,) for each in site_ids]).order_by(
        coverage_hour.c.hour, coverage_hour.c.provider
    )
    found: dict[str, list[CoverageHour]] = {each: [] for each in site_ids}
    for row in connection.execute(wanted).mappings():
        found[row["site_id"]].append(CoverageHour(**row))
    return found


def last_reports(
    connection: Connection, site_ids: Collection[str], since: datetime, until: datetime
) -> dict[str, datetime]:
    """The end of the last hour that overlaps [since, until) in which anything was heard near each site, if anything was."""
    asked = key_table(connection, [coverage_hour.c.site_id], [(each,) for each in site_ids])
    heard = (
        select(coverage_hour.c.hour)
        .where(
            coverage_hour.c.site_id == asked.c.key_0,
            coverage_hour.c.hour > since - _HOUR,
            coverage_hour.c.hour < until,
            coverage_hour.c.reports_nearby > 0,
        )
        .order_by(coverage_hour.c.hour.desc())
        .limit(1)
        .correlate(asked)
        .scalar_subquery()
    )
    rows = connection.execute(select(asked.c.key_0, heard))
    return {site_id: hour + _HOUR for site_id, hour in rows if hour is not None}


def first_watched_by_site(
    connection: Connection, site_ids: Collection[str], provider: str | None = None
) -> dict[str, datetime]:
    """Since when each of these sites is watched by anybody, or by one provider, as far as it ever was; asked in one."""
    asked = key_table(connection, [coverage_hour.c.site_id], [(each,) for each in site_ids])
    here = coverage_hour.c.site_id == asked.c.key_0
    if provider is not None:
        here &= coverage_hour.c.provider == provider
    first = select(coverage_hour.c.hour).where(here).order_by(coverage_hour.c.hour).limit(1)
    hour = first.correlate(asked).scalar_subquery()
    there = coverage_hour.alias("there")
    query = (
        select(there.c.site_id, there.c.hour, func.max(there.c.expected_s))
        .select_from(asked)
        .join(there, (there.c.site_id == asked.c.key_0) & (there.c.hour == hour))
        .where(*([] if provider is None else [there.c.provider == provider]))
        .group_by(there.c.site_id, there.c.hour)
    )
    # The first hour is expected only from its first poll on.
    return {
        site_id: hour + timedelta(seconds=HOUR_S - expected_s)
        for site_id, hour, expected_s in connection.execute(query)
    }


def _hours(begins: datetime, lasts_s: int) -> Iterator[tuple[datetime, int]]:
    at, ends = begins, begins + timedelta(seconds=lasts_s)
    while at < ends:
        hour = _floor(at)
        piece = min(ends, hour + _HOUR)
        yield hour, int((piece - at).total_seconds())
        at = piece


def _floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _open_hours(
    connection: Connection, provider: str, site_ids: Sequence[str], hour: datetime, begins: datetime
) -> None:
    there = _with_rows(connection, provider, site_ids, coverage_hour.c.hour == hour)
    new = [each for each in site_ids if each not in there]
    # The first hour of all is expected only from its first poll on.
    known = _with_rows(connection, provider, new)
    first_s = HOUR_S - int((max(begins, hour) - hour).total_seconds())
    rows = [
        {
            "provider": provider,
            "site_id": each,
            "hour": hour,
            "expected_s": HOUR_S if each in known else first_s,
            "observed_s": 0,
            "degraded": False,
            "reports_nearby": 0,
        }
        for each in new
    ]
    insert_ignore(connection, coverage_hour, rows)


def _with_rows(
    connection: Connection, provider: str, site_ids: Sequence[str], *where: ColumnElement[bool]
) -> set[str]:
    """Those of the sites that have any such row."""
    found: set[str] = set()
    for some in chunks(site_ids):
        query = select(coverage_hour.c.site_id).where(
            coverage_hour.c.provider == provider, coverage_hour.c.site_id.in_(some), *where
        )
        found.update(connection.execute(query.distinct()).scalars())
    return found


# Computed by the database, so that two writers cannot lose each other's seconds.
_TOTAL = coverage_hour.c.observed_s + bindparam("seconds", type_=Integer)
_ADD = (
    update(coverage_hour)
    .where(
        coverage_hour.c.provider == bindparam("b_provider"),
        coverage_hour.c.site_id == bindparam("b_site_id"),
        coverage_hour.c.hour == bindparam("b_hour"),
    )
    .values(
        observed_s=case((coverage_hour.c.expected_s < _TOTAL, coverage_hour.c.expected_s), else_=_TOTAL),
        reports_nearby=coverage_hour.c.reports_nearby + bindparam("reports", type_=Integer),
    )
)


@dataclass(frozen=True, slots=True)
class _Key:
    provider: str
    site_id: str
    hour: datetime

    @property
    def where(self) -> tuple[ColumnElement[bool], ...]:
        return (
            coverage_hour.c.provider == self.provider,
            coverage_hour.c.site_id == self.site_id,
            coverage_hour.c.hour == self.hour,
        )


def count_rejected(connection: Connection, counted: Mapping[HourKey, int]) -> None:
    """Add to the counts of these hours."""
    for (provider, hour, reason), number in sorted(counted.items()):
        row = {"provider": provider, "hour": hour, "reason": reason}
        insert_ignore(connection, rejection, [{**row, "number": 0}])
        # Computed by the database, so that two writers cannot lose each other's counts.
        same = [rejection.c[name] == value for name, value in row.items()]
        connection.execute(update(rejection).where(*same).values(number=rejection.c.number + number))


def rejected_counts(connection: Connection, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
    """Give how many reports of each provider were not believed in [since, until), by reason, the most first."""
    total = func.sum(rejection.c.number)
    query = (
        select(rejection.c.provider, rejection.c.reason, total)
        .where(rejection.c.hour >= since, rejection.c.hour < until)
        .group_by(rejection.c.provider, rejection.c.reason)
        .order_by(rejection.c.provider, total.desc(), rejection.c.reason)
    )
    found: dict[str, dict[str, int]] = {}
    for provider, reason, number in connection.execute(query):
        found.setdefault(provider, {})[reason] = int(number)
    return found
