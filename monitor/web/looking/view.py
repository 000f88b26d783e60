"""What the page of a site's pictures shows: two of them, what people counted in the newer, and the parts to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shapely.geometry import mapping

from alerts.attribution import Attributions, each_once
from alerts.metrics import METRICS
from alerts.watch import SiteWatch
from alerts.words import (
    QUALIFIERS,
    capital,
    count_words,
    interval_words,
    look_status,
    metric_words,
    subject_phrase,
    utc,
)
from db.engine import Connection
from db.observations import looks
from db.records import Cutout, Observation
from db.said import chained, phrase
from monitor.imports.analyst import AnalystCount
from monitor.imports.faults import ImportFault
from monitor.reports.agreement import PairRecord, SharedCount, pair_records, scene_of, shared_counts
from monitor.sites import Area, Site
from monitor.sites.faults import SitesFault
from monitor.web.views.comparison import BeforeAfter, ShownPicture, shown_pictures
from monitor.web.views.map_data import geojson_of, plain_map_data

_A_DAY = timedelta(days=1)
COMPARATORS = {
    "" if sign == "=" else sign: words or phrase("exactly") for sign, (words, _) in QUALIFIERS.items()
}
CERTAINTIES = ("", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class CountRow:
    """One person's count of the picture, in words."""

    metric: str
    what: str
    count: str
    interval: str
    by: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class AreaWish:
    """What the form for drawing says; `area` empty is a new one with an id, a name and a kind."""

    area: str = ""
    area_id: str = ""
    name: str = ""
    kind: str = ""
    geometry: str = ""


@dataclass(frozen=True, slots=True)
class PicturesPage:
    """Everything that the page shows."""

    site: Site
    pictures: Sequence[ShownPicture]
    after: ShownPicture | None
    comparison: BeforeAfter | None
    counts: Sequence[CountRow]
    shared: Sequence[SharedCount]
    pairs: Sequence[PairRecord]
    metrics: Mapping[str, str]
    """What may be counted, what the site watches first, in words."""
    map: Mapping[str, Any]
    data: Sequence[str]
    """Whose data it rests on, as they want to be named."""
    wish: AnalystCount
    faults: Sequence[ImportFault] = ()
    drawing: AreaWish = field(default_factory=AreaWish)
    drawing_faults: Sequence[SitesFault] = ()

    @property
    def unlocated(self) -> list[Area]:
        """The parts that nobody has drawn yet."""
        return [each for each in self.site.areas if each.geometry is None]

    def faults_of(self, column: str) -> list[ImportFault]:
        """The faults told beside one field."""
        return [each for each in self.faults if each.column == column]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which scenes are asked for; '' is the newest one, and the one before it."""

    scene: str = ""
    other: str = ""


def pictures_page(
    connection: Connection,
    site: Site,
    watch: SiteWatch,
    now: datetime,
    chosen: Chosen,
    *,
    sources: Attributions,
    wish: AnalystCount | None = None,
    faults: Sequence[ImportFault] = (),
    drawing: AreaWish | None = None,
    drawing_faults: Sequence[SitesFault] = (),
) -> PicturesPage:
    """Read one site's pictures and what people said of them."""
    shown = shown_pictures(connection, site.id, now)
    after = _picked(shown, chosen.scene, 0)
    rest = [each for each in shown if each is not after]
    before = _picked(rest, chosen.other, 0)
    if before and after and before.made.acquired_at > after.made.acquired_at:
        before, after = after, before
    every = looks(connection, site_id=site.id)
    of_scene = [each for each in every if after and scene_of(each) == after.scene]
    blank = AnalystCount(site.id, next(iter(watch.metrics), ""), "", "", after.scene if after else "")
    return PicturesPage(
        site=site,
        pictures=shown,
        after=after,
        comparison=BeforeAfter(site.name, before, after) if before and after else None,
        counts=[_row(each) for each in of_scene],
        shared=shared_counts(of_scene),
        pairs=pair_records(every),
        metrics={
            name: metric_words(name) for name in [*watch.metrics, *(METRICS.keys() - watch.metrics.keys())]
        },
        map=_map(site, after),
        data=each_once(
            [
                *(each.made.attribution for each in shown),
                *(said for look in every if look.publisher for said in sources.look(look)),
            ]
        ),
        wish=wish or blank,
        faults=faults,
        drawing=drawing or AreaWish(next((each.id for each in site.areas if each.geometry is None), "")),
        drawing_faults=drawing_faults,
    )


def _picked(shown: Sequence[ShownPicture], scene: str, place: int) -> ShownPicture | None:
    named = next((each for each in shown if each.scene == scene), None)
    return named or (shown[place] if len(shown) > place else None)


def _row(look: Observation) -> CountRow:
    bounds = interval_words(look.low, look.high) if look.low is not None and look.high is not None else ""
    return CountRow(
        metric=look.series.metric,
        what=_what(look),
        count="–" if look.value is None else count_words(look.value, look.qualifier),
        interval=bounds,
        by=look.publisher or phrase("an import without a name"),
        status=look_status(look)
        if look.revision == 1
        else phrase("{status}, version {n}", status=look_status(look), n=look.revision),
        note=look.note,
    )


def _map(site: Site, shown: ShownPicture | None) -> dict[str, Any]:
    """The site, its parts and the corners of the picture that lies under them."""
    data: dict[str, Any] = plain_map_data([site])
    data["drafts"] = geojson_of(
        [
            {"type": "Feature", "properties": {"id": each.id}, "geometry": mapping(each.geometry)}
            for each in site.areas
            if each.geometry is not None
        ]
    )
    corners = shown.made.bounds.get("corners") if shown else None
    if shown and corners:
        data["picture"] = {"url": shown.url, "corners": corners}
        lons, lats = zip(*corners, strict=True)
        data["bounds"] = [[min(lons), min(lats)], [max(lons), max(lats)]]
    return data


def taken_words(made: Cutout) -> str:
    """When a picture was taken, for a list to choose from."""
    return chained(", ", [utc(made.acquired_at), capital(made.platform)])


def _what(look: Observation) -> str:
    what, subject = metric_words(look.series.metric), look.series.subject
    if subject:
        what = phrase("{what} ({subject})", what=what, subject=subject_phrase(subject))
    return chained(", ", [what, look.series.area]) if look.series.area else what
