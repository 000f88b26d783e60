"""Counts of a user's own detector: stored as detections, and as looks once it has passed a blind trial.

Until then nobody is shown them, so that people who count the same images do not know what it said.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from alerts.metrics import metric_named
from alerts.rules import HUMAN_METHODS, method_of
from alerts.words import listed, numbered
from db.detections import detections_by, detections_of_look, insert_detections, looks_by_source
from db.engine import Connection, Engine, reading, writing
from db.observations import looks, record_observations, series_at
from db.records import Evidence, Observation, SeriesKey
from db.records.detections import Detection
from monitor.imagery.detector import (
    DETECTOR_METHOD,
    ModelCard,
    Trial,
    TrialPair,
    blind_trial,
    count_interval,
    inside_of,
)
from monitor.imagery.detector_run import Detector, PictureCount, detect, in_picture
from monitor.sites import Site

LEAST_SEEN_SHARE = 0.3
"""An image that shows less of the site is a look without a count."""
_SAME_LOOK = timedelta(hours=6)
_LOOKED = ":looked"
"""In the identity of what says that an image was looked at; those of objects are digests."""


@dataclass(frozen=True, slots=True)
class SiteImage:
    """An open picture of a site, what it is called, and when it was taken."""

    picture: Any
    name: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class CountedPicture:
    """What a detector found in one picture of one site, by metric, and how its blind trial of each metric stands.

    A metric whose trial was not passed is shown to nobody, whatever became of the others.
    """

    counts: dict[str, int]
    seen_share: float
    tiles: int
    trials: dict[str, Trial]

    @property
    def judged(self) -> dict[str, bool]:
        """By metric, whether its counts became looks."""
        return {metric: trial.passed for metric, trial in self.trials.items()}

    @property
    def shown(self) -> dict[str, int | None]:
        """By metric, what may be shown: None where it was not judged."""
        return {
            metric: self.counts[metric] if trial.passed else None for metric, trial in self.trials.items()
        }


def count_picture(
    engine: Engine, detector: Detector, site: Site, image: SiteImage, now: datetime
) -> CountedPicture:
    """Run a detector over an image of a site and store what it found. Raises DetectorError."""
    found = detect(detector, image.picture, site.geometry, _drawn(site))
    stored = list(_detections(detector, site, found, image, now))
    with writing(engine) as connection:
        insert_detections(connection, [*stored, *_taken_back(connection, stored)])
    trials = {
        metric: hold_trial(engine, detector.card, detector.procedure, metric, now)
        for metric in detector.card.metrics
    }
    counts = {
        metric: sum(1 for each in stored if each.metric == metric and each.amount)
        for metric in detector.card.metrics
    }
    return CountedPicture(counts, found.seen_share, found.tiles, trials)


def hold_trial(engine: Engine, card: ModelCard, procedure: str, metric: str, now: datetime) -> Trial:
    """Hold all counts of a detector against people's; where it passes, they become looks and are judged."""
    with reading(engine) as connection:
        found = list(_looks(detections_by(connection, procedure, metric), card, now))
        trial = blind_trial(list(_pairs(connection, found)))
    if trial.passed:
        with writing(engine) as connection:
            record_observations(connection, found)
    return trial


def detector_sentences(connection: Connection, site_id: str | None = None) -> Iterator[str]:
    """Say of each detector how many images it counted, and of which metrics its counts are judged."""
    counted = looks_by_source(connection, f"{DETECTOR_METHOD}:", site_id)
    told = {
        (key.procedure, key.metric)
        for key in series_at(connection, sorted({site for _, _, site in counted}))
        if key.procedure.startswith(f"{DETECTOR_METHOD}:")
    }
    images: dict[str, Counter[str]] = defaultdict(Counter)
    for (procedure, metric, _), number in counted.items():
        images[procedure][metric] += number
    for procedure, by_metric in images.items():
        judged = {metric: n for metric, n in by_metric.items() if (procedure, metric) in told}
        others = {metric: n for metric, n in by_metric.items() if metric not in judged}
        for some, said in ((judged, _JUDGED), (others, _NOT_JUDGED)):
            if some:
                yield f"{_who(procedure)}: its counts of {_what(some, named=bool(judged and others))} {said}"


_JUDGED = "are judged."
_NOT_JUDGED = "are stored and neither shown nor judged, for it has not passed its blind trial (“sitewatch detector trial”)."


def _who(procedure: str) -> str:
    name, digest = procedure.removeprefix(f"{DETECTOR_METHOD}:").split(":sha256-")
    return f"Your detector {name} (SHA-256 {digest[:12]}…)"


def _what(images: Mapping[str, int], *, named: bool) -> str:
    """What was counted in how many images; metrics are named where not all of them stand alike."""
    number = numbered(max(images.values()), "image")
    return f"{listed(sorted(images))} in {number}" if named else number


def _drawn(site: Site) -> dict[str, BaseGeometry]:
    """The areas that are surfaces, by id: in others nothing is counted."""
    return {
        area.id: area.geometry for area in site.areas if area.geometry is not None and area.geometry.area > 0
    }


def _detections(
    detector: Detector, site: Site, found: PictureCount, image: SiteImage, now: datetime
) -> Iterator[Detection]:
    """One for each object in the site, and of each metric one of nothing for the site and each area, with the share of it seen."""
    inside = found.boxes.taken(inside_of(found.boxes, found.transform, in_picture(site.geometry, found.crs)))
    where = {
        name: inside_of(inside, found.transform, in_picture(shape, found.crs))
        for name, shape in _drawn(site).items()
    }
    to_degrees = Transformer.from_crs(found.crs.to_wkt(), 4326, always_xy=True)
    for metric, classes in detector.card.metrics.items():
        looked = _looked(detector.procedure, site, metric, image, now)
        yield replace(looked, coverage=round(found.seen_share, 4))
        for name, seen in found.parts_seen.items():
            identity = f"{looked.detection_id}:{name}"
            yield replace(looked, detection_id=identity, areas=(name,), coverage=round(seen, 4))
        for place in range(len(inside.scores)):
            kind = detector.names[int(inside.kinds[place])]
            if kind not in classes:
                continue
            x, y = found.transform @ tuple(float(each) for each in inside.rows[place, :2])
            lon, lat = to_degrees.transform(x, y)
            yield replace(
                looked,
                detection_id=_identity(looked.look_key, kind, x, y),
                detected_class=kind,
                lat=round(float(lat), 6),
                lon=round(float(lon), 6),
                amount=1.0,
                areas=tuple(sorted(name for name, which in where.items() if which[place])),
                score=round(float(inside.scores[place]), 4),
            )


def _taken_back(connection: Connection, stored: Sequence[Detection]) -> Iterator[Detection]:
    """What was found in the same look before and is not any more: the site was drawn otherwise, or the image was mended."""
    for look in sorted({(each.site_id, each.provider, each.metric, each.look_key) for each in stored}):
        still = {each.detection_id for each in stored if each.metric == look[2]}
        for before in detections_of_look(connection, look):
            if before.detection_id not in still and (before.amount or before.coverage):
                yield replace(before, amount=0.0, coverage=0.0, recorded_at=stored[0].recorded_at)


def _looked(procedure: str, site: Site, metric: str, image: SiteImage, now: datetime) -> Detection:
    """That an image was looked at, and nothing in it yet."""
    middle = site.geometry.representative_point()
    look_key = _look_key(image)
    return Detection(
        provider=procedure,
        site_id=site.id,
        metric=metric,
        detection_id=f"{look_key}{_LOOKED}",
        detected_class="",
        at=image.taken_at,
        lat=float(middle.y),
        lon=float(middle.x),
        look_key=look_key,
        look_start=image.taken_at,
        look_end=image.taken_at,
        precision="minute",
        recorded_at=now,
        amount=0.0,
        scene=image.name,
        whole=True,
    )


def _look_key(image: SiteImage) -> str:
    """One look of one image: many are called alike, so that the time and what of the Earth it shows belong to it."""
    picture = image.picture
    frame = f"{picture.crs.to_wkt()}:{tuple(picture.transform)[:6]}:{picture.width}:{picture.height}"
    shown = hashlib.sha256(frame.encode()).hexdigest()[:8]
    return f"{image.name}:{image.taken_at:%Y%m%dT%H%M%S}:{shown}"


def _identity(look_key: str, kind: str, x: float, y: float) -> str:
    return hashlib.sha256(f"{look_key}:{kind}:{x:.2f}:{y:.2f}".encode()).hexdigest()[:24]


def _looks(found: Sequence[Detection], card: ModelCard, now: datetime) -> Iterator[Observation]:
    """What a detector found of a metric as looks: one for the site and one for each area that it looked at."""
    by_look: dict[tuple[str, str], list[Detection]] = defaultdict(list)
    for each in found:
        by_look[each.site_id, each.look_key].append(each)
    for of_look in by_look.values():
        for looked in of_look:
            if _LOOKED not in looked.detection_id:
                continue
            area = next(iter(looked.areas), "")
            here = [each for each in of_look if each.amount and (not area or area in each.areas)]
            yield _look(area, looked, len(here), card, now)


def _look(area: str, looked: Detection, count: int, card: ModelCard, now: datetime) -> Observation:
    """What was counted where so much was seen; with too little of it nothing is not none, and something is a lower bound."""
    low, high = count_interval(count, card.recall, card.precision)
    seen = looked.coverage or 0.0
    enough = seen >= LEAST_SEEN_SHARE
    known = enough or count > 0
    shows = f"the image shows {seen:.0%} of {'the area' if area else 'the site'}"
    return Observation(
        series=SeriesKey(looked.site_id, area, looked.metric, "", looked.provider),
        kind=metric_named(looked.metric).kind,
        period_start=looked.look_start,
        period_end=looked.look_end,
        look_key=looked.look_key,
        value=float(count) if known else None,
        low=float(low) if known else None,
        high=float(high) if enough else None,
        qualifier="=" if enough else ">=",
        result_time=max(looked.recorded_at, looked.look_end),
        recorded_at=now,
        precision="minute",
        assessable=known,
        exposure=seen,
        origin=card.name,
        evidence=(
            Evidence("scene", looked.scene, ""),
            Evidence("note", "", f"{card.name}: recall {card.recall:g}, precision {card.precision:g}"),
        ),
        note="" if enough else f"{'At least: ' if known else 'Not counted: '}{shows}.",
    )


def _pairs(connection: Connection, found: Sequence[Observation]) -> Iterator[TrialPair]:
    """Looks that a person counted as well, nearest in time; what a machine counted proves nothing."""
    for each in found:
        if each.value is None or each.low is None or each.high is None:
            continue
        series = each.series
        around = looks(
            connection,
            site_id=series.site_id,
            metric=series.metric,
            area=series.area,
            subject="",
            since=each.period_start - timedelta(days=2),
            until=each.period_end + timedelta(days=2),
        )
        people = [
            look
            for look in around
            if method_of(look.series.procedure) in HUMAN_METHODS
            and look.value is not None
            and look.qualifier == "="
            and look.period_start - _SAME_LOOK <= each.period_start <= look.period_end + _SAME_LOOK
        ]
        if people:
            nearest = min(people, key=lambda look: abs(look.period_start - each.period_start))
            yield TrialPair(each.value, each.low, each.high, float(nearest.value or 0.0))
