"""One site's page: its counts with evidence, what can be seen, visits, notes, alerts and how it is drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alerts.attribution import alert_attributions, each_once
from alerts.channels.safe_text import safe_url
from alerts.judging.judgeability import Judgeability, judgeability
from alerts.words import metric_words, named, period_words, quoted_note
from db.declared import notes
from db.deliveries import notified_alerts
from db.engine import Connection
from db.pages import visit_page
from db.records import Alert, Note, VisitFilter
from db.said import chained, phrase
from monitor.aircraft.listed import CANNOT_FIRE, entries_that_cannot_fire
from monitor.app import App
from monitor.reports.sources import visit_attributions
from monitor.reports.tracks import nameable_among
from monitor.sites import Site
from monitor.web.charts.data import chart_data
from monitor.web.views.comparison import BeforeAfter, newest_two, shown_pictures
from monitor.web.views.imagery_view import SitePicture, measurable
from monitor.web.views.overview import OverviewReader, SiteCard
from monitor.web.views.panels import Panel, PanelReader, Topic, panel_attributions, topics
from monitor.web.views.plan import Plan, draw_plan
from monitor.web.views.rows import SourceLink, VisitRow, subject_words, visit_row
from monitor.web.views.verdict_words import rules_by_metric

SITE_CHART_HEIGHT = 260
MOST_VISITS = 50


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """Which counts the address of the page asks for."""

    metric: str = ""
    area: str = ""
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class TopicLink:
    """A way to another metric's panel."""

    topic: Topic
    title: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class SubjectLink:
    """A way to one subject's own chart; None is all of them beside each other."""

    subject: str | None
    title: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class NoteRow:
    """One dated remark."""

    when: str
    text: str
    source: SourceLink
    certainty: str
    announced: bool


@dataclass(frozen=True, slots=True)
class SitePage:
    """All that the page of a site shows."""

    card: SiteCard
    picture: SitePicture
    comparison: BeforeAfter | None
    """Its two newest pictures."""
    links: tuple[TopicLink, ...]
    subjects: tuple[SubjectLink, ...]
    panel: Panel | None
    chart: dict[str, Any] | None
    visits: tuple[VisitRow, ...]
    notes: tuple[NoteRow, ...]
    alerts: tuple[Alert, ...]
    told: frozenset[str]
    plan: Plan
    area_names: dict[str, str]
    watched: tuple[tuple[str, tuple[str, ...]], ...]
    site_names: dict[str, str]
    judgeability: tuple[Judgeability, ...]
    measurable: tuple[str, ...]
    """What free pictures can measure here, or why they cannot."""
    watchlist: tuple[tuple[str, str], ...]
    """The subjects on the site's watch list in words, each with why it is listed or why it can never fire, if either."""
    data: tuple[str, ...]
    """Whose data the page rests on."""

    @property
    def site(self) -> Site:
        """The site itself."""
        return self.card.site


def site_page(connection: Connection, app: App, site: Site, now: datetime, asked: PanelQuery) -> SitePage:
    """Gather a site's page; what is asked for is shown, else the most telling counts."""
    overview_reader = OverviewReader(connection, app, now, [site.id])
    told = overview_reader.told(site.id)
    known = topics(overview_reader.summaries(site.id), told, site.watchlist)
    chosen = _chosen(known, asked)
    panel_reader = PanelReader(connection, site, overview_reader.names, now)
    watch = app.watches[site.id]
    panel = panel_reader.panel(chosen, told, watch=watch, height=SITE_CHART_HEIGHT) if chosen else None
    has_visits = site.flies or site.is_region
    visits = visit_page(connection, VisitFilter(site_ids=[site.id]), None, MOST_VISITS) if has_visits else []
    remarks, picture = notes(connection, site.id), overview_reader.picture(site)
    shown = shown_pictures(connection, site.id, now)
    data = each_once(
        [
            *panel_attributions(panel, app.sources),
            *(said for each in remarks for said in app.sources.statement(each)),
            *(said for some in visit_attributions(connection, visits, app.sources).values() for said in some),
            *(each.made.attribution for each in shown[:2]),
            *(said for each in told for said in alert_attributions(each)),
            *overview_reader.sources_of(site),
        ]
    )
    named = nameable_among(app, visits)
    return SitePage(
        card=overview_reader.card(site, charted=False),
        picture=picture,
        comparison=newest_two(site.name, shown),
        links=tuple(_links(known, chosen)),
        subjects=tuple(_subject_links(known, chosen, overview_reader.names)),
        panel=panel,
        chart=chart_data(panel.told) if panel and panel.chart and not panel.chart.lanes else None,
        visits=tuple(visit_row(each, overview_reader.names, named=each in named) for each in visits),
        notes=tuple(_note(each, site.timezone.key) for each in reversed(remarks)),
        alerts=tuple(told),
        told=notified_alerts(connection, {each.id for each in told}),
        plan=draw_plan(site),
        area_names={area.id: area.name for area in site.areas},
        watched=rules_by_metric(watch),
        site_names=overview_reader.names,
        measurable=measurable(connection, site),
        judgeability=tuple(judgeability(connection, {site.id: watch}, app.rules, now)),
        watchlist=tuple(_listed(connection, site, overview_reader.names)),
        data=tuple(data),
    )


def _listed(connection: Connection, site: Site, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    mute = entries_that_cannot_fire(connection, [site]).get(site.id, ())
    for each in site.watchlist:
        reason = site.watchlist_reasons.get(each, "")
        remarks = [
            *([phrase("listed because: “{reason}”", reason=reason)] if reason else []),
            *([CANNOT_FIRE] if each in mute else []),
        ]
        yield subject_words(each, names), chained("; ", remarks) if remarks else ""


def _chosen(known: list[Topic], asked: PanelQuery) -> Topic | None:
    for each in known:
        if (each.area, each.metric) == (asked.area, asked.metric):
            return replace(each, subjects=(asked.subject,)) if asked.subject in each.subjects else each
    return known[0] if known else None


def _subject_links(
    known: list[Topic], chosen: Topic | None, names: Mapping[str, str]
) -> Iterator[SubjectLink]:
    whole = next(
        (each for each in known if chosen and (each.area, each.metric) == (chosen.area, chosen.metric)), None
    )
    if whole is not None and len(whole.subjects) > 1:
        yield SubjectLink(None, phrase("Side by side"), chosen == whole)
        for each in whole.subjects:
            one = chosen is not None and chosen.subjects == (each,)
            yield SubjectLink(each, subject_words(each, names), one)


def _links(known: list[Topic], chosen: Topic | None) -> list[TopicLink]:
    return [
        TopicLink(
            each,
            metric_words(each.metric),
            chosen is not None and (each.area, each.metric) == (chosen.area, chosen.metric),
        )
        for each in known
    ]


def _note(note: Note, zone: str) -> NoteRow:
    return NoteRow(
        when=period_words(note.starts_at, note.ends_at, note.precision, zone),
        text=quoted_note(note.text, named(note.publisher), note.via),
        source=SourceLink(named(note.publisher), safe_url(note.url)),
        certainty=note.certainty,
        announced=note.announced,
    )
