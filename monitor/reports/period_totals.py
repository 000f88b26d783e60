"""Counts by day, week, month or year of one site or of all, as tables and in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from shapely.geometry.base import BaseGeometry

from alerts.attribution import Attributions, each_once, one_cell
from alerts.metrics import metric_named
from alerts.words import count_words
from db.engine import Connection
from db.records import SeriesKey
from db.said import phrase, phrase_n
from monitor.reports.asked import LookWords, World
from monitor.reports.history import SiteHistory, read_histories
from monitor.reports.tables import Table, point_of
from monitor.reports.totals import PeriodTotal, SeriesTotals, TotalsBy, TotalsCalendar, totals
from monitor.sites import Site

TOTAL_TYPES: Mapping[str, type] = {
    "site_id": str,
    "site_name": str,
    "area": str,
    "metric": str,
    "subject": str,
    "procedure": str,
    "kind": str,
    "period": str,
    "start": datetime,
    "end": datetime,
    "value": float,
    "comparator": str,
    "unit": str,
    "watched": float,
    "looks": int,
    "counted": int,
    "left_out": int,
    "running": bool,
    "attribution": str,
}


@dataclass(frozen=True, slots=True)
class SiteTotals:
    """What was counted at one site by period, and whose data each series rests on."""

    site: Site
    counts: SeriesTotals
    sources: Mapping[SeriesKey, tuple[str, ...]]


def site_totals(
    history: SiteHistory, by: TotalsBy, now: datetime, attributions: Attributions, *, area: str | None = None
) -> SiteTotals:
    """What a history comes to, period by period of the site's own clock; `area` None is every one."""
    query = history.query
    looks = [each for each in history.looks if area in {None, each.series.area}]
    counts = totals(
        looks, TotalsCalendar(by, history.site.timezone, now), since=query.since, until=query.until
    )
    sources: dict[SeriesKey, list[str]] = defaultdict(list)
    for look in looks:
        sources[look.series] += attributions.look(look)
    return SiteTotals(
        history.site,
        counts,
        {key: tuple(each_once(said)) for key, said in sources.items()},
    )


def totals_asked(
    connection: Connection, words: LookWords, world: World, by: TotalsBy, attributions: Attributions
) -> list[SiteTotals]:
    """What the counts that are asked for come to, site by site; raises InputError."""
    asked = words.filter(world)
    sites = [each for each in world.sites.values() if asked.site_ids is None or each.id in asked.site_ids]
    known = read_histories(connection, sites, words.metric, partial(words.history, world))
    return [site_totals(each, by, world.now, attributions, area=words.area) for each in known]


def totals_table(found: Iterable[SiteTotals]) -> Table:
    """The periods of some sites as one table, with a point inside each area or site."""
    rows: list[dict[str, Any]] = []
    shapes: list[BaseGeometry | None] = []
    sources: list[str] = []
    for each in found:
        for period in each.counts.periods:
            said = each.sources.get(period.series, ())
            rows.append(_row(each.site, period, said))
            shapes.append(point_of(each.site, period.series.area))
            sources += said
    return Table(TOTAL_TYPES, rows, shapes, each_once(sources))


def _row(site: Site, period: PeriodTotal, said: Iterable[str]) -> dict[str, Any]:
    series = period.series
    return {
        "site_id": site.id,
        "site_name": site.name,
        "area": series.area,
        "metric": series.metric,
        "subject": series.subject,
        "procedure": series.procedure,
        "kind": period.kind,
        "period": period.label,
        "start": period.start,
        "end": period.end,
        "value": period.value,
        "comparator": period.qualifier if period.value is not None else "",
        "unit": metric_named(series.metric).unit,
        "watched": period.watched,
        "looks": period.looks,
        "counted": period.counted,
        "left_out": period.left_out,
        "running": period.running,
        "attribution": one_cell(said),
    }


def total_words(period: PeriodTotal) -> str:
    """The count of a period; a period that nobody watched has none."""
    return "–" if period.value is None else count_words(period.value, period.qualifier)


def watched_words(period: PeriodTotal) -> str:
    """How much of a period was seen, in words."""
    if period.watched is None:
        said = phrase("not stated")
    elif not period.counted:
        said = phrase("not watched")
    elif period.kind == "flow":
        said = phrase("{share} % of the time", share=_percent(period.watched))
    else:
        # A share, and so right before any number of days.
        said = phrase("{share} % of the days", share=_percent(period.watched))
    return phrase("{said}, running", said=said) if period.running else said


def _percent(share: float) -> str:
    # What was seen a little is not nothing, and what was missed a little is not all.
    rounded = min(99, max(1, round(100 * share))) if 0 < share < 1 else round(100 * share)
    return f"{rounded}"


def remarks(found: Iterable[SiteTotals]) -> list[str]:
    """What a reader of the totals must know beside them."""
    some = list(found)
    told = []
    if spanning := sum(each.counts.spanning for each in some):
        told.append(
            phrase_n(
                "{n} look is longer than such a period and in none of them.",
                "{n} looks are longer than such a period and in none of them.",
                spanning,
            )
        )
    if across := sum(each.counts.across for each in some):
        told.append(
            phrase_n(
                "{n} look lies across the border of two periods, as days of another clock do, and counts where the greater part lies.",
                "{n} looks lie across the border of two periods, as days of another clock do, and count where the greater part lies.",
                across,
            )
        )
    if left_out := sum(period.left_out for each in some for period in each.counts.periods):
        told.append(
            phrase_n(
                "{n} count lies within a longer one of the same series and is not counted twice.",
                "{n} counts lie within a longer one of the same series and are not counted twice.",
                left_out,
            )
        )
    return told
