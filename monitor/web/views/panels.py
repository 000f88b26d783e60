"""The counts of one metric at one site, gathered for a chart and its table; which of them to show first."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.attribution import Attributions
from alerts.judging.forecast import Expected, expectations, series_in
from alerts.judging.knowable import known_at
from alerts.judging.verdicts import KnownHistory, placing_of
from alerts.metrics import metric_named
from alerts.watch import SiteWatch
from alerts.words import metric_words, placed_words
from db.alerts import alerts
from db.declared import declared
from db.engine import Connection
from db.evaluations import verdicts
from db.observations import looks
from db.pages import SeriesSummary
from db.records import Alert, DeclaredBaseline, Observation
from db.said import phrase
from monitor.sites import Site
from monitor.web.charts.charts import value_chart
from monitor.web.charts.lanes import lane_chart
from monitor.web.charts.marks import Chart, ChartInput, not_assessable
from monitor.web.views.rows import (
    DeclaredRow,
    LookRow,
    RowContext,
    alerted_looks,
    declared_row,
    look_row,
    run_row,
    runs_of,
    subject_words,
)

MOST_SUBJECTS = 6
MOST_ROWS = 200
MOST_COUNTED = 6
MOST_EXPECTED = 60
"""What is usual is worked out anew for so many of the newest looks; each takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a panel is about: one metric in one area; `subjects` are the ones to show, in order."""

    area: str
    metric: str
    subjects: tuple[str, ...]

    @property
    def lanes(self) -> bool:
        """Whether the times matter more than the counts: events, or several subjects beside each other."""
        return len(self.subjects) > 1 or metric_named(self.metric).event


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric's counts as a page shows them, the newest first in `rows`."""

    topic: Topic
    title: str
    chart: Chart | None
    rows: tuple[LookRow, ...]
    counted: tuple[LookRow, ...]
    """The newest rows with a count, a few."""
    older: int
    """How many looks the rows leave out."""
    declared: tuple[DeclaredRow, ...]
    told: ChartInput
    wide: bool
    """Whether the rows tell subjects apart."""
    placed: str
    """Where the newest count stands among the earlier ones of its subject, as a sentence; '' where nothing can be said."""

    @property
    def not_assessable(self) -> str:
        """What the shading of looks that could not be used means; '' where there is none."""
        return not_assessable(self.told.looks)


def panel_attributions(panel: Panel | None, sources: Attributions) -> Iterator[str]:
    """Whose counts and baselines a panel shows."""
    if panel is not None:
        for look in panel.told.looks:
            yield from sources.look(look)
        for said in panel.told.declared:
            yield from sources.statement(said)


def topics(
    summaries: Sequence[SeriesSummary], told: Sequence[Alert], watchlist: Sequence[str]
) -> list[Topic]:
    """Every topic of one site: those of alerts first, then the ones counted last."""
    places: dict[tuple[str, str], list[SeriesSummary]] = defaultdict(list)
    for each in summaries:
        places[each.key.area, each.key.metric].append(each)
    alerted = {(each.area, each.metric): each.phenomenon_time for each in told}
    ordered = sorted(places, key=lambda place: _rank(place, places[place], alerted), reverse=True)
    return [Topic(*place, _subjects(places[place], place, told, watchlist)) for place in ordered]


def _rank(
    place: tuple[str, str], summaries: Iterable[SeriesSummary], alerted: dict[tuple[str, str], datetime]
) -> tuple[bool, float, float]:
    newest = max(
        (each.newest_counted_at.timestamp() for each in summaries if each.newest_counted_at), default=0.0
    )
    opened = alerted[place].timestamp() if place in alerted else 0.0
    return (bool(opened), opened, newest)


def _subjects(
    summaries: Sequence[SeriesSummary],
    place: tuple[str, str],
    told: Sequence[Alert],
    watchlist: Sequence[str],
) -> tuple[str, ...]:
    named = {subject for each in told if (each.area, each.metric) == place for subject in each.subjects}
    counted = [each for each in summaries if each.newest_counted_at]
    ordered = sorted(
        counted,
        key=lambda each: (
            each.key.subject in named,
            each.key.subject in watchlist,
            not each.key.subject,
            each.newest_counted_at or each.newest_at,
        ),
        reverse=True,
    )
    return tuple(dict.fromkeys(each.key.subject for each in ordered))[:MOST_SUBJECTS]


@dataclass(frozen=True, slots=True)
class PanelReader:
    """What panels of one site are read with."""

    connection: Connection
    site: Site
    site_names: dict[str, str]
    now: datetime
    as_of: datetime | None = None

    @property
    def zone(self) -> str:
        """The name of the site's time zone."""
        return self.site.timezone.key

    def panel(
        self, topic: Topic, told: Sequence[Alert], *, watch: SiteWatch | None = None, height: int = 170
    ) -> Panel:
        """Read one topic's looks, baselines and verdicts; with `watch` also what was usual at each look."""
        found = [look for name in topic.subjects for look in self._looks(topic, name)]
        found.sort(key=lambda each: (each.period_start, each.series))
        stated = [
            each
            for each in declared(self.connection, self.site.id, topic.metric, as_of=self.as_of)
            if each.series.area == topic.area and each.series.subject in topic.subjects
        ]
        alert_of = alerted_looks(told)
        runs = list(runs_of(found[::-1]))
        counts = [each for each in found[::-1] if each.usable][:MOST_COUNTED]
        shown_looks = [*(look for run in runs[:MOST_ROWS] for look in (run[0], run[-1])), *counts]
        judged = verdicts(self.connection, [each.key for each in shown_looks])
        placed = {each.key: self._placed(each, found, stated) for each in counts}
        context = RowContext(self.zone, self.site_names, judged, alert_of, placed)
        # Without a single count there is nothing to draw beside it.
        usual = list(self._usual(topic, watch)) if watch and topic.subjects and not topic.lanes else []
        shown = ChartInput(self.zone, self.now, found, stated, frozenset(alert_of), self.site_names, usual)
        title = metric_words(topic.metric)
        chart = lane_chart(shown, title) if topic.lanes else value_chart(shown, title, height)
        return Panel(
            topic=topic,
            title=title,
            chart=chart,
            rows=tuple(run_row(run, context) for run in runs[:MOST_ROWS]),
            counted=tuple(look_row(each, context) for each in counts),
            older=sum(len(run) for run in runs[MOST_ROWS:]),
            declared=tuple(declared_row(each, context) for each in stated),
            told=shown,
            wide=any(topic.subjects),
            placed=placed[counts[0].key] if counts else "",
        )

    def _placed(
        self, look: Observation, found: Sequence[Observation], stated: Sequence[DeclaredBaseline]
    ) -> str:
        place = placing_of(look, KnownHistory(self.now, found, stated), self.zone)
        if not place.beside:
            return ""
        where, subject = place.words, look.series.subject
        if subject:
            where = phrase(
                "{place} ({subject})", place=where, subject=subject_words(subject, self.site_names)
            )
        return placed_words(look, where, self.zone)

    def _usual(self, topic: Topic, watch: SiteWatch) -> Iterator[Expected]:
        known = known_at(self.connection, watch, topic.metric, topic.area, self.now)
        for key in series_in(known, topic.subjects[0])[:1]:
            yield from expectations(key, known, watch.calendar, MOST_EXPECTED)

    def alerts(self) -> list[Alert]:
        """The site's alerts, the newest first."""
        return alerts(self.connection, site_id=self.site.id)[::-1]

    def _looks(self, topic: Topic, subject: str) -> list[Observation]:
        return looks(
            self.connection,
            site_id=self.site.id,
            metric=topic.metric,
            area=topic.area,
            subject=subject,
            as_of=self.as_of,
        )
