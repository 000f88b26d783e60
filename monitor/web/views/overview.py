"""The first page: for every site what was counted last, whether it was unusual, and what can be seen there now."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.attribution import alert_attributions, each_once
from alerts.incidents.causes import counted_once
from alerts.words import ago, counted_by, look_count, look_period, metric_words, numbered, within_sentence
from db.alerts import alerts, newest_by_site, open_alerts
from db.blindness import open_periods
from db.causes import causes_of
from db.coverage import last_reports
from db.deliveries import notified_alerts
from db.engine import Connection
from db.evaluations import verdicts
from db.imagery import scenes
from db.observations import looks
from db.pages import SeriesSummary, newest_counts, series_summaries
from db.provider_states import provider_states
from db.records import Alert, Observation, Scene
from db.said import chained, phrase, phrase_as
from db.sites import site_names
from monitor.app import App
from monitor.imagery.cadence import Cadence
from monitor.reports.passes import PassReader
from monitor.reports.sources import provider_attributions, site_attributions
from monitor.sites import Site
from monitor.sites.kinds import KINDS
from monitor.web.views.feed_coverage import (
    CURRENT_FOR,
    PASSES_OVER,
    CoverageSentence,
    flight_sentence,
    imagery_sentence,
    outage_sentence,
    published_sentence,
)
from monitor.web.views.imagery_view import SitePicture, site_picture
from monitor.web.views.map_data import SiteMark
from monitor.web.views.panels import Panel, PanelReader, panel_attributions, topics
from monitor.web.views.reception import read_reception
from monitor.web.views.verdict_words import verdict_status

FEATURED_SITES = 3
"""So many sites stand at the top with a chart; the rest follow in a table."""
_LISTENED = timedelta(days=30)

SiteFinding = Literal["unusual", "ordinary", "unknown"]
_WORDS: Mapping[SiteFinding, str] = {
    "unusual": phrase_as("state", "Unusual"),
    "ordinary": phrase_as("state", "Ordinary"),
    "unknown": phrase("Cannot tell yet"),
}


@dataclass(frozen=True, slots=True)
class SiteState:
    """How unusual a site is and whether anybody can tell now; the map is coloured by it.

    `current` where the finding rests on a count of the last 30 days: what was counted long ago says nothing of a place
    at which aircraft are merely heard today. `blind` where nobody has counted or heard anything there for as long.
    """

    finding: SiteFinding
    current: bool
    words: str
    since: datetime | None
    blind: bool

    @property
    def code(self) -> str:
        """One word for map and style sheet."""
        return self.finding if self.current else f"{self.finding}-blind"


@dataclass(frozen=True, slots=True)
class SiteCard:
    """One site on the first page."""

    site: Site
    kind: str
    state: SiteState
    alert: Alert | None
    picture: SitePicture | None
    panel: Panel | None
    newest: Observation | None
    sight: tuple[CoverageSentence, ...]

    @property
    def mark(self) -> SiteMark:
        """The site on the map."""
        return SiteMark(
            self.site, self.state.code, self.state.words, self.alert.headline if self.alert else ""
        )

    def newest_words(self, now: datetime) -> str:
        """The newest count with what was counted, when and by whom, for a line of a table; '' where there is none."""
        if self.newest is None:
            return ""
        what = within_sentence(metric_words(self.newest.series.metric))
        when = chained(
            ", ", [look_period(self.newest, self.site.timezone.key), ago(self.newest.period_end, now)]
        )
        return phrase(
            "{what}: {count}, {when} ({by})",
            what=what,
            count=look_count(self.newest),
            when=when,
            by=counted_by(self.newest),
        )


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    cards: tuple[SiteCard, ...]
    open_alerts: int
    """Those that share a cause counted as one."""
    failing: tuple[str, ...]
    """The feeds that do not work just now."""
    feeds: int
    told: frozenset[str]
    """The alerts of which a message went, or still goes, to somebody."""
    data: tuple[str, ...]
    """Whose data the page rests on."""

    @property
    def featured(self) -> tuple[SiteCard, ...]:
        """The sites with a chart: the first of the file."""
        return self.cards[:FEATURED_SITES]

    @property
    def rest(self) -> tuple[SiteCard, ...]:
        """All other sites."""
        return self.cards[FEATURED_SITES:]


class OverviewReader:
    """Reads what is known of sites, all in one view of the database."""

    def __init__(
        self, connection: Connection, app: App, now: datetime, shown: Collection[str] | None = None
    ) -> None:
        """Read what is common to all sites, or to those that are `shown`; of each only what a line of a table needs."""
        self._connection, self._now = connection, now
        self._sites = {each: app.sites[each] for each in (app.sites if shown is None else shown)}
        self._sources = app.sources
        feeds = list(app.feeds.values())
        self._imagery = [feed.provider for feed in feeds if not feed.watches]
        self._flights = [feed.provider for feed in feeds if feed.watches]
        self.names = {**site_names(connection), **{site.id: site.name for site in app.sites.values()}}
        self._blind = open_periods(connection)
        self._ears = read_reception(connection, app.sites.values(), feeds, self.names, now)
        self._open = open_alerts(connection)
        self._opened = Counter(each.site_id for each in self._open)
        self._last = newest_by_site(connection, self._sites)
        self._passes = PassReader(connection, app, now)
        self._summaries: dict[str, list[SeriesSummary]] = defaultdict(list)
        for summary in series_summaries(connection, None if shown is None else self._sites):
            self._summaries[summary.key.site_id].append(summary)
        self._counted = newest_counts(
            connection, [each for each in map(self._last_counted, self._sites) if each]
        )
        self._said = verdicts(connection, [each.key for each in self._counted.values()])
        flying = [site.id for site in self._sites.values() if site.flies]
        self._heard = last_reports(connection, flying, now - _LISTENED, now)
        self._recent: dict[str, list[Scene]] = defaultdict(list)
        if self._imagery:
            for scene in scenes(connection, site_ids=self._sites, since=now - PASSES_OVER):
                self._recent[scene.site_id].append(scene)

    def overview(self, newest: Sequence[Alert] = ()) -> Overview:
        """The whole first page, with these alerts beside the sites."""
        cards = [
            self.card(site, charted=place < FEATURED_SITES) for place, site in enumerate(self._sites.values())
        ]
        opened = counted_once(self._open, causes_of(self._connection, [each.id for each in self._open]))
        asked = [each.name for each in (*self._flights, *self._imagery)]
        health = provider_states(self._connection)
        failing = [
            each for each in asked if each in health and health[each].health in {"failing", "disabled"}
        ]
        data = each_once(said for each in cards for said in self._shown_by(each))
        shown = {each.id for each in (*newest, *(card.alert for card in cards)) if each}
        told = notified_alerts(self._connection, shown)
        return Overview(tuple(cards), opened, tuple(failing), len(asked), told, tuple(data))

    def _shown_by(self, card: SiteCard) -> Iterator[str]:
        yield from panel_attributions(card.panel, self._sources)
        if card.picture:
            yield card.picture.attribution
        yield from self.sources_of(card.site)

    def card(self, site: Site, *, charted: bool = True) -> SiteCard:
        """One site; only those `charted` get a picture and a panel."""
        newest = self._newest(site)
        panel = self._panel(site, self.told(site.id)) if charted else None
        return SiteCard(
            site=site,
            kind=KINDS[site.kind].label,
            state=self._state(site, newest),
            alert=self._last.get(site.id),
            picture=self.picture(site) if charted else None,
            panel=panel,
            newest=newest,
            sight=tuple(self._sight(site, newest)),
        )

    def sources_of(self, site: Site) -> list[str]:
        """Whose data say how a site stands: its newest count, who is asked about it, and who drew it."""
        newest = self._newest(site)
        feeds = [*(self._flights if site.flies else ()), *self._imagery]
        return each_once(
            [
                *(self._sources.look(newest) if newest else ()),
                *(alert_attributions(self._last[site.id]) if site.id in self._last else ()),
                *provider_attributions(feeds, self._sources, self._now),
                *site_attributions(site),
            ]
        )

    def picture(self, site: Site) -> SitePicture:
        """The newest picture of a site, and how its passes go."""
        return site_picture(self._connection, site, self.passes(site), self._now)

    def read_passes(self) -> None:
        """Read in one go how the passes over all sites go that are shown."""
        self._passes.read(self._sites.values())

    def passes(self, site: Site) -> Cadence:
        """How the passes over a site go."""
        return self._passes.cadence_of(site)

    def summaries(self, site_id: str) -> Sequence[SeriesSummary]:
        """Every series of a site."""
        return self._summaries[site_id]

    def told(self, site_id: str) -> Sequence[Alert]:
        """The alerts of a site, the newest first."""
        return alerts(self._connection, site_id=site_id)[::-1]

    def opened(self, site_id: str) -> int:
        """How many alerts of a site are open."""
        return self._opened[site_id]

    def _panel(self, site: Site, told: Sequence[Alert]) -> Panel | None:
        found = [each for each in topics(self._summaries[site.id], told, site.watchlist) if each.subjects]
        return (
            PanelReader(self._connection, site, self.names, self._now).panel(found[0], told)
            if found
            else None
        )

    def _newest(self, site: Site) -> Observation | None:
        last = self._last_counted(site.id)
        if last is None:
            return None
        if last.key in self._counted:
            return self._counted[last.key]
        # Its newest counts were taken back: there may be others that reach into that time.
        found = looks(
            self._connection,
            site_id=site.id,
            metric=last.key.metric,
            area=last.key.area,
            subject=last.key.subject,
            procedure=last.key.procedure,
            since=last.newest_counted_at,
        )
        return next((each for each in reversed(found) if each.value is not None), None)

    def _last_counted(self, site_id: str) -> SeriesSummary | None:
        """The series of a site that was counted last."""
        counted = [each for each in self._summaries[site_id] if each.newest_counted_at]
        return max(counted, key=lambda each: each.newest_counted_at or each.first_at, default=None)

    def _state(self, site: Site, newest: Observation | None) -> SiteState:
        heard = self._heard.get(site.id)
        seen = max((at for at in (heard, newest.period_end if newest else None) if at), default=None)
        blind = seen is None or self._now - seen >= CURRENT_FOR
        current = newest is not None and self._now - newest.period_end < CURRENT_FOR
        if opened := self._opened[site.id]:
            words = numbered(opened, "open alert")
            return SiteState("unusual", current, words, seen, blind)
        if newest is None:
            return SiteState("unknown", current, phrase("Nothing counted yet"), seen, blind)
        finding = self._finding(newest)
        words = (
            _WORDS[finding]
            if current or finding == "unknown"
            else phrase("{state} when last counted", state=_WORDS[finding])
        )
        return SiteState(finding, current, words, seen, blind)

    def _finding(self, newest: Observation) -> SiteFinding:
        said = self._said.get(newest.key)
        if said is None:
            said = verdicts(self._connection, [newest.key]).get(newest.key, [])
        if any(each.exceeded for each in said):
            return "unusual"
        return "ordinary" if verdict_status(said) == "evaluated" else "unknown"

    def _sight(self, site: Site, newest: Observation | None) -> Iterator[CoverageSentence]:
        yield published_sentence(newest, site.timezone.key, self._now)
        if site.id in self._blind:
            yield outage_sentence(self._blind[site.id])
        if site.flies:
            for provider in self._flights:
                yield flight_sentence(site, provider, self._ears)
        if self._imagery:
            for provider in self._imagery:
                yield imagery_sentence(provider, self._recent[site.id], self._now)
