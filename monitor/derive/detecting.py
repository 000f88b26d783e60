"""Counts of a user's own detector: stored as detections, and as looks once it has passed a blind trial.

Until then nobody is shown them, so that people who count the same images do not know what it said.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pyproj import Transformer

from alerts.metrics import metric_named
from alerts.rules import HUMAN_METHODS, method_of
from db.detections import detections_by, insert_detections, looks_by_source
from db.engine import Connection, Engine, reading, writing
from db.observations import looks, record_observations
from db.records import Evidence, Observation, SeriesKey
from db.records.detections import Detection
from monitor.imagery.detector import ModelCard, Trial, TrialPair, blind_trial, count_interval, inside_of
from monitor.imagery.detector_run import Detector, PictureCount, detect, in_picture
from monitor.sites import Site

DETECTOR_METHOD = "detector"
LEAST_SEEN_SHARE = 0.3
"""An image that shows less of the site is a look without a count."""
_SAME_LOOK = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class SiteImage:
    """An open picture of a site, what it is called, and when it was taken."""

    picture: Any
    name: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class CountedPicture:
    """What a detector found in one picture of one site, by metric; `told` says whether it became looks."""

    counts: dict[str, int]
    seen_share: float
    tiles: int
    told: bool
    trials: dict[str, Trial]


def count_picture(
    engine: Engine, detector: Detector, site: Site, image: SiteImage, now: datetime
) -> CountedPicture:
    """Run a detector over an image of a site and store what it found. Raises DetectorError."""
    found = detect(detector, image.picture, site.geometry)
    stored = list(_detections(detector, site, found, image, now))
    with writing(engine) as connection:
        insert_detections(connection, stored)
    trials = {
        metric: hold_trial(engine, detector.card, detector.procedure, metric, now)
        for metric in detector.card.metrics
    }
    counts = {
        metric: sum(1 for each in stored if each.metric == metric and each.amount)
        for metric in detector.card.metrics
    }
    return CountedPicture(
        counts, found.seen_share, found.tiles, any(each.passed for each in trials.values()), trials
    )


def hold_trial(engine: Engine, card: ModelCard, procedure: str, metric: str, now: datetime) -> Trial:
    """Hold all counts of a detector against people's; where it passes, they become looks and are judged."""
    with reading(engine) as connection:
        found = [each for each in _looks(connection, card, procedure, now) if each.series.metric == metric]
        trial = blind_trial(list(_pairs(connection, found)))
    if trial.passed:
        with writing(engine) as connection:
            record_observations(connection, found)
    return trial


def detector_sentences(connection: Connection, site_id: str | None = None) -> Iterator[str]:
    """Say of each detector how many images it counted, and whether its counts are judged."""
    for procedure, number in looks_by_source(connection, f"{DETECTOR_METHOD}:", site_id).items():
        name, digest = procedure.removeprefix(f"{DETECTOR_METHOD}:").split(":sha256-")
        who = f"Your detector {name} (SHA-256 {digest[:12]}…)"
        counted = f"{number} {'image' if number == 1 else 'images'}"
        where = {each.site_id for each in detections_by(connection, procedure)}
        trusted = any(looks(connection, site_id=each, procedure=procedure) for each in where)
        yield (
            f"{who}: its counts of {counted} are judged."
            if trusted
            else f"{who}: its counts of {counted} are stored and neither shown nor judged, for it has not passed its blind trial "
            "(“sitewatch detector trial”)."
        )


def _detections(
    detector: Detector, site: Site, found: PictureCount, image: SiteImage, now: datetime
) -> Iterator[Detection]:
    """One for each object in the site, and one of nothing for each metric: the image was looked at, and so was each area."""
    inside = found.boxes.taken(inside_of(found.boxes, found.transform, in_picture(site.geometry, found.crs)))
    drawn = {
        area.id: in_picture(area.geometry, found.crs)
        for area in site.areas
        if area.geometry is not None and area.geometry.area > 0
    }
    where = {name: inside_of(inside, found.transform, shape) for name, shape in drawn.items()}
    to_degrees = Transformer.from_crs(found.crs.to_wkt(), 4326, always_xy=True)
    for metric, classes in detector.card.metrics.items():
        seen = round(found.seen_share, 4)
        looked = replace(_looked(detector.procedure, site, metric, image, now), coverage=seen)
        yield replace(looked, areas=tuple(sorted(drawn)))
        for place in range(len(inside.scores)):
            kind = detector.names[int(inside.kinds[place])]
            if kind not in classes:
                continue
            x, y = found.transform @ tuple(float(each) for each in inside.rows[place, :2])
            lon, lat = to_degrees.transform(x, y)
            yield replace(
                looked,
                detection_id=_identity(image.name, kind, x, y),
                detected_class=kind,
                lat=round(float(lat), 6),
                lon=round(float(lon), 6),
                amount=1.0,
                areas=tuple(sorted(name for name, which in where.items() if which[place])),
                score=round(float(inside.scores[place]), 4),
            )


def _looked(procedure: str, site: Site, metric: str, image: SiteImage, now: datetime) -> Detection:
    """That an image was looked at, and nothing in it yet."""
    middle = site.geometry.representative_point()
    return Detection(
        provider=procedure,
        site_id=site.id,
        metric=metric,
        detection_id=f"{image.name}:looked",
        detected_class="",
        at=image.taken_at,
        lat=float(middle.y),
        lon=float(middle.x),
        look_key=f"{image.name}:{image.taken_at:%Y%m%dT%H%M%S}",
        look_start=image.taken_at,
        look_end=image.taken_at,
        precision="minute",
        recorded_at=now,
        amount=0.0,
        scene=image.name,
        whole=True,
    )


def _identity(scene: str, kind: str, x: float, y: float) -> str:
    return hashlib.sha256(f"{scene}:{kind}:{x:.2f}:{y:.2f}".encode()).hexdigest()[:24]


def _looks(connection: Connection, card: ModelCard, procedure: str, now: datetime) -> Iterator[Observation]:
    """What a detector found as looks: one for the site and one for each area that it looked at."""
    by_look: dict[tuple[str, str, str], list[Detection]] = defaultdict(list)
    for each in detections_by(connection, procedure):
        by_look[each.site_id, each.metric, each.look_key].append(each)
    for (site_id, metric, look_key), found in by_look.items():
        for area in sorted({"", *(name for each in found for name in each.areas)}):
            here = [each for each in found if not area or area in each.areas]
            yield _look(SeriesKey(site_id, area, metric, "", procedure), look_key, here, card, now)


def _look(
    series: SeriesKey, look_key: str, here: Sequence[Detection], card: ModelCard, now: datetime
) -> Observation:
    first = here[0]
    count = sum(1 for each in here if each.amount)
    low, high = count_interval(count, card.recall, card.precision)
    seen = first.coverage or 0.0
    usable = seen >= LEAST_SEEN_SHARE
    return Observation(
        series=series,
        kind=metric_named(series.metric).kind,
        period_start=first.look_start,
        period_end=first.look_end,
        look_key=look_key,
        value=float(count) if usable else None,
        low=float(low) if usable else None,
        high=float(high) if usable else None,
        result_time=max(first.recorded_at, first.look_end),
        recorded_at=now,
        precision="minute",
        assessable=usable,
        exposure=seen,
        origin=card.name,
        evidence=(
            Evidence("scene", first.scene, ""),
            Evidence("note", "", f"{card.name}: recall {card.recall:g}, precision {card.precision:g}"),
        ),
        note="" if usable else f"Not counted: the image shows {seen:.0%} of the site.",
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
