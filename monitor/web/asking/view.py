"""What the pages of counts and visits show: the newest of what is asked for, counted by its values, in any order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.attribution import each_once
from alerts.metrics import METRICS
from alerts.words import capital, metric_words
from db.engine import Connection
from db.flights import visits_by_id
from db.observations import LookId
from db.pages import VisitMark, looks_by_id, newest_looks, visit_marks
from db.records import LookFilter, VisitFilter
from db.said import phrase
from db.sites import site_names
from monitor.app import App
from monitor.errors import InputError
from monitor.flights.words import STATES
from monitor.reports.period_totals import SiteTotals, remarks, total_words, watched_words
from monitor.reports.sources import visit_attributions
from monitor.reports.tracks import nameable_among
from monitor.sites.faults import did_you_mean
from monitor.web.asking.facets import Asked, AskedPage, Column, Facet, columns, part_after
from monitor.web.views.rows import LookRow, RowContext, VisitRow, look_row, subject_words, visit_row

ROWS_OF_PAGE = 50
MOST_VISITS, MOST_LOOKS, MOST_TOTALS = 10_000, 5_000, 1_000
"""So many are counted and ordered at most, the newest; beyond them it is said."""
_NEWEST_FIRST = "-when"
_VISIT_COLUMNS = {
    phrase("Began"): "when",
    phrase("Site"): "site",
    phrase("Aircraft"): "aircraft",
    phrase("State"): "state",
    phrase("Confidence"): "confidence",
    phrase("Counted as"): "",
}
_LOOK_COLUMNS = {
    phrase("When"): "when",
    phrase("Site"): "site",
    phrase("What"): "metric",
    phrase("Which"): "subject",
    phrase("Count"): "",
    phrase("Watched"): "",
    phrase("According to"): "",
}


@dataclass(frozen=True, slots=True)
class FoundVisit:
    """One visit in words, and where it was."""

    began_at: datetime
    site_id: str
    site_name: str
    watched: bool
    """Whether the site is still watched, so that it has a page."""
    row: VisitRow


@dataclass(frozen=True, slots=True)
class FoundLook:
    """One look in words, and where and what was counted."""

    site_id: str
    site_name: str
    watched: bool
    what: str
    row: LookRow


@dataclass(frozen=True, slots=True)
class FoundTotal:
    """One period in words."""

    site_id: str
    site_name: str
    what: str
    which: str
    period: str
    count: str
    empty: bool
    watched: str
    looks: str
    procedure: str


@dataclass(frozen=True, slots=True)
class FoundPage:
    """One page of what was found."""

    rows: Sequence[FoundVisit | FoundLook | FoundTotal]
    found: int
    """How many there are; as many as are counted at most where `cut`."""
    cut: bool
    first: int
    """Which of them the first row is, from 1."""
    facets: tuple[Facet, ...]
    columns: tuple[Column, ...]
    following: str
    """The address of the next page; '' on the last."""
    begin: str
    """The address of the first page; '' there."""
    remarks: tuple[str, ...]
    data: list[str]


def visits_answer(
    connection: Connection,
    app: App,
    wanted: VisitFilter,
    asked: Asked,
) -> FoundPage:
    """The visits that are asked for, the newest first unless told otherwise."""
    names = site_names(connection)
    spot = AskedPage("/visits", asked)
    marks = visit_marks(connection, wanted, MOST_VISITS + 1)
    cut, marks = len(marks) > MOST_VISITS, marks[:MOST_VISITS]
    key, down = _order(asked, _VISIT_KEYS)
    # Sorted twice, so that among equals the newest stands first.
    marks = sorted(marks, key=lambda each: key(each, names), reverse=down)
    start, end = part_after([each.visit_id for each in marks], asked.get("after"), ROWS_OF_PAGE)
    shown = [each.visit_id for each in marks[start:end]]
    by_id = {each.visit_id: each for each in visits_by_id(connection, shown)}
    found = [by_id[each] for each in shown]
    named = nameable_among(app, found)
    sources = visit_attributions(connection, found, app.sources)
    return FoundPage(
        rows=[
            FoundVisit(
                each.began_at,
                each.site_id,
                names.get(each.site_id, each.site_id),
                each.site_id in app.sites,
                visit_row(each, names, named=each in named),
            )
            for each in found
        ],
        found=len(marks),
        cut=cut,
        first=start + 1,
        facets=_visit_facets(spot, marks, names, app),
        columns=columns(spot, _VISIT_COLUMNS, _NEWEST_FIRST),
        following=spot.leads(after=shown[-1]) if end < len(marks) else "",
        begin=spot.leads() if start else "",
        remarks=(),
        data=each_once(said for each in found for said in sources[each.visit_id]),
    )


_VISIT_KEYS: Mapping[str, Callable[[VisitMark, Mapping[str, str]], Any]] = {
    "when": lambda each, _: (each.began_at, each.visit_id),
    "site": lambda each, names: names.get(each.site_id, each.site_id),
    "aircraft": lambda each, _: each.type_code,
    "state": lambda each, _: each.state,
    "confidence": lambda each, _: each.confidence,
}
_LOOK_KEYS: Mapping[str, Callable[[LookId, Mapping[str, str]], Any]] = {
    "when": lambda each, _: (each[1], each[0], each[2]),
    "site": lambda each, names: names.get(each[0].site_id, each[0].site_id),
    "metric": lambda each, _: each[0].metric,
    "subject": lambda each, _: each[0].subject,
}


def _order(asked: Asked, keys: Mapping[str, Any]) -> tuple[Any, bool]:
    sort = asked.get("sort", _NEWEST_FIRST)
    name = sort.removeprefix("-")
    if name not in keys:
        raise InputError(f"sort: {name} is no column that can be sorted by. {did_you_mean(name, keys)}.")
    return keys[name], sort.startswith("-")


def _visit_facets(
    spot: AskedPage, marks: Sequence[VisitMark], names: Mapping[str, str], app: App
) -> tuple[Facet, ...]:
    kinds = [subject for each in marks for subject in each.subjects]
    return _kept(
        spot.facet("site", phrase("Site"), (each.site_id for each in marks), _named(names)),
        spot.facet("type", phrase("Type"), (each.type_code for each in marks if each.type_code)),
        *_kind_facets(spot, kinds, app),
        spot.facet("status", phrase("State"), (each.state for each in marks), lambda state: STATES.get(state, state)  # type: ignore[call-overload]
        ),
        spot.facet("confidence",
            phrase("Confidence"),
            (str(least) for each in marks for least in range(2, each.confidence + 1)),
            lambda least: phrase("4 of 4") if least == "4" else phrase("at least {n} of 4", n=least),
        ),
    )  # fmt: skip


def _kind_facets(spot: AskedPage, kinds: Sequence[str], app: App) -> tuple[Facet, Facet]:
    def of(prefix: str) -> list[str]:
        return [each.removeprefix(prefix) for each in kinds if each.startswith(prefix)]

    return (
        spot.facet("class", phrase("Class"), of("class:"), lambda name: capital(app.classes.labels.get(name, name))
        ),
        spot.facet("operator", phrase("Operator"), of("operator:")),
    )  # fmt: skip


def _named(names: Mapping[str, str]) -> Callable[[str], str]:
    return lambda site_id: names.get(site_id, site_id)


def _kept(*facets: Facet) -> tuple[Facet, ...]:
    """Those with something to choose or to let go."""
    return tuple(
        each for each in facets if len(each.choices) > 1 or any(one.number is None for one in each.choices)
    )


def looks_answer(connection: Connection, app: App, wanted: LookFilter, asked: Asked) -> FoundPage:
    """The looks that are asked for, the newest first unless told otherwise."""
    names = site_names(connection)
    spot = AskedPage("/observations", asked)
    ids = newest_looks(connection, wanted, MOST_LOOKS + 1)
    cut, ids = len(ids) > MOST_LOOKS, ids[:MOST_LOOKS]
    key, down = _order(asked, _LOOK_KEYS)
    ids = sorted(ids, key=lambda each: key(each, names), reverse=down)
    places = [_place(each) for each in ids]
    start, end = part_after(places, asked.get("after"), ROWS_OF_PAGE)
    found = looks_by_id(connection, ids[start:end], wanted)
    zones = {each.id: each.timezone.key for each in app.sites.values()}
    context = RowContext("UTC", names, {}, {})
    return FoundPage(
        rows=[
            FoundLook(
                each.series.site_id,
                names.get(each.series.site_id, each.series.site_id),
                each.series.site_id in app.sites,
                _what(each.series.metric, each.series.area),
                look_row(each, replace(context, zone=zones.get(each.series.site_id, "UTC"))),
            )
            for each in found
        ],
        found=len(ids),
        cut=cut,
        first=start + 1,
        facets=_look_facets(spot, ids, names, app),
        columns=columns(spot, _LOOK_COLUMNS, _NEWEST_FIRST),
        following=spot.leads(after=places[end - 1]) if end < len(ids) else "",
        begin=spot.leads() if start else "",
        remarks=(),
        data=each_once(said for each in found for said in app.sources.look(each)),
    )


def _place(each: LookId) -> str:
    """What the next page begins after; no separator is part of an id of a site, area, metric or time."""
    key, start, look_key = each
    return "~".join(
        (
            key.site_id,
            key.area,
            key.metric,
            key.subject,
            key.procedure,
            f"{start:%Y%m%dT%H%M%S%fZ}",
            look_key,
        )
    )


def _look_facets(
    spot: AskedPage, ids: Sequence[LookId], names: Mapping[str, str], app: App
) -> tuple[Facet, ...]:
    kinds = [key.subject for key, _, _ in ids]
    chosen = {"type", "class", "operator", "subject"} & spot.asked.keys()
    found = [
        spot.facet("site", phrase("Site"), (key.site_id for key, _, _ in ids), _named(names)),
        spot.facet("metric", phrase("What"), (key.metric for key, _, _ in ids), _metric),
    ]
    # A count has one subject: a second one would find nothing.
    if not chosen or "subject" in chosen:
        found.append(spot.facet("subject", phrase("Which"), kinds, lambda one: subject_words(one, names)))
    elif "type" in chosen:
        found.append(spot.facet("type", phrase("Type"), ()))
    else:
        found += _kind_facets(spot, (), app)
    return _kept(*found)


def _metric(name: str) -> str:
    return capital(metric_words(name)) if name in METRICS else name


def _what(metric: str, area: str) -> str:
    return phrase("{metric} ({area})", metric=_metric(metric), area=area) if area else _metric(metric)


def totals_answer(connection: Connection, found: Sequence[SiteTotals], asked: Asked) -> FoundPage:
    """What counts come to by day, week, month or year, series by series, of each the newest period first."""
    names = site_names(connection)
    spot = AskedPage("/observations", asked)
    rows = [row for each in found for row in _total_rows(each, names)]
    cut, shown = len(rows) > MOST_TOTALS, rows[:MOST_TOTALS]
    titles = dict.fromkeys(
        (
            phrase("Period"),
            phrase("Site"),
            phrase("What"),
            phrase("Which"),
            phrase("Count"),
            phrase("Watched"),
            phrase("Counts of looks"),
            phrase("How seen"),
        ),
        "",
    )
    series = [period.series for each in found for period in each.counts.periods]
    facets = _kept(
        spot.facet("site", phrase("Site"), (each.site_id for each in series), _named(names)),
        spot.facet("metric", phrase("What"), (each.metric for each in series), _metric),
    )
    return FoundPage(
        rows=shown,
        found=len(shown),
        cut=cut,
        first=1,
        facets=facets,
        columns=columns(spot, titles, ""),
        following="",
        begin="",
        remarks=tuple(remarks(found)),
        data=each_once(said for each in found for some in each.sources.values() for said in some),
    )


def _total_rows(found: SiteTotals, names: Mapping[str, str]) -> list[FoundTotal]:
    return [
        FoundTotal(
            found.site.id,
            found.site.name,
            _what(each.series.metric, each.series.area),
            subject_words(each.series.subject, names),
            each.label,
            total_words(each),
            each.value is None,
            watched_words(each),
            phrase("{n} of {all}", n=each.counted, all=each.looks),
            each.series.procedure,
        )
        for each in sorted(
            sorted(found.counts.periods, key=lambda one: one.start, reverse=True), key=lambda one: one.series
        )
    ]
