"""Reading detections of others: a declared mapping from their properties, and every row checked again on our side.

A row becomes nothing unless its time, its place and its class are known. Rows without an identity of their own get one from
what they say, never from their place in a file: an export with one more row on top is the same rows.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from alerts.metrics import METRICS, Metric
from db.records.counts import Precision
from db.records.detections import Detection
from monitor.config.settings import SettingsError
from monitor.feeds import Provider
from monitor.feeds.options import list_option, number_option
from monitor.feeds.parsing import FEED_CLOCK_AHEAD, feed_instant, json_instant
from monitor.imports.faults import BadCell
from monitor.imports.identity import is_name
from monitor.imports.values import parse_metric
from monitor.imports.values import zone as zone_named
from monitor.sites import Site
from monitor.sites.geometry import covered_share

LONGEST_LINK_M = 30.0
"""So near to a track or a quay that is drawn as a line, something stands on it."""
_M_PER_DEG = 111_320.0
_WHOLE_SITE = 0.5
"""A footprint over less of a site says nothing of the site."""
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_TEXT = re.compile(r"[ -;=?-~]{1,200}")
_DIGITS = re.compile(r"-?[0-9]{1,17}(?:\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LEAST_EPOCH_S = 1e8
"""An earlier number (1973) is no time of a detection."""
_PROPERTY_OPTIONS = ("time", "class", "count", "score", "id", "scene", "coverage", "lat", "lon")


class RefusedRowError(ValueError):
    """A row is not believed; the text is the reason under which it is counted."""


@dataclass(frozen=True, slots=True)
class DetectionMapping:
    """Which property of a source holds what, and what it is called here; '' is not there."""

    properties: Mapping[str, str]
    metrics: Mapping[str, str]
    """Metrics by the source's classes; a class that is not named may still be a metric's own word."""
    only: str
    """The metric of every row, where the source has no classes."""
    least_score: float | None
    zone: tzinfo | None
    margin_m: float

    def named(self, what: str) -> str:
        """The property that holds it."""
        return self.properties.get(what, "")


def mapping_of(provider: Provider, **defaults: str) -> DetectionMapping:
    """Read the mapping of a provider; raises SettingsError.

    Options: `time`, `class`, `count`, `score`, `id`, `scene`, `coverage`, `lat`, `lon` (names of properties or columns),
    `metric` (of every row) or `classes` (`railcar:railcars, vessel:ships_present`), `least_score`, `zone` (whose clock times
    without a zone are), `margin_m`.
    """
    options = {**defaults, **provider.options}
    properties = {name: options[name] for name in _PROPERTY_OPTIONS if options.get(name)}
    metrics: dict[str, str] = {}
    for pair in list_option(provider, "classes", defaults.get("classes", "")):
        name, separator, metric = pair.partition(":")
        if not separator:
            raise SettingsError(f"{provider.name}: classes must read CLASS:METRIC, …; {pair!r} does not.")
        metrics[name.strip().lower()] = _known_metric(provider, metric.strip())
    only = options.get("metric", "")
    if only:
        _known_metric(provider, only)
    least = options.get("least_score", "")
    return DetectionMapping(
        properties,
        metrics,
        only,
        number_option(provider, "least_score") if least else None,
        _zone(provider, options.get("zone", "")),
        number_option(provider, "margin_m", float(defaults.get("margin_m", "0"))),
    )


def _known_metric(provider: Provider, name: str) -> str:
    if name not in METRICS:
        raise SettingsError(
            f"{provider.name}: {name!r} is not a metric. Use one of {', '.join(METRICS)}, or declare it in [metrics.{name}]."
        )
    return name


def _zone(provider: Provider, text: str) -> tzinfo | None:
    if not text:
        return None
    try:
        return zone_named(text)[1]
    except BadCell as bad:
        raise SettingsError(f"{provider.name}: the option zone: {bad.problem}. {bad.mend}.") from None


@dataclass(frozen=True, slots=True)
class DetectionRow:
    """What one row says, wherever it is; `moment` is a day where `precision` says so."""

    detected_class: str
    metric: Metric
    moment: datetime
    precision: Precision
    amount: float | None
    """None where the source gives no number: the row is one of them."""
    score: float | None
    scene: str
    own_id: str
    coverage: float | None


class DetectionReader:
    """Reads the rows of one answer; `rejected` counts what was not believed, by reason."""

    def __init__(
        self,
        provider: str,
        mapping: DetectionMapping,
        sites: Sequence[Site],
        *,
        begins: datetime,
        now: datetime,
    ) -> None:
        self._provider, self._mapping = provider, mapping
        self._sites = list(sites)
        self._begins, self._now = begins, now
        self.rejected: Counter[str] = Counter()
        self._seen: set[tuple[str, str, str]] = set()

    def read(self, row: Mapping[str, Any], place: BaseGeometry | None, row_id: str = "") -> list[Detection]:
        """The detections that one row is, one for each site that it lies in; [] where it is refused or elsewhere.

        `row_id` is the id beside the properties (a feature's); a bare number is a row number, and no identity.
        """
        try:
            point = _point(place)
            found = self._read(row, row_id)
        except RefusedRowError as refusal:
            self.rejected[str(refusal)] += 1
            return []
        made = [each for site in self._sites if (each := self._in_site(site, found, place, point))]
        if not made:
            swapped = shapely.Point(point.y, point.x)
            astray = any(self._lies_in(site, swapped) for site in self._sites)
            self.rejected["its latitude and longitude are swapped" if astray else "elsewhere"] += 1
        return [each for each in made if self._is_new(each)]

    def _is_new(self, each: Detection) -> bool:
        key = each.site_id, each.metric, each.detection_id
        if key in self._seen:
            self.rejected["listed twice"] += 1
            return False
        self._seen.add(key)
        return True

    def _read(self, row: Mapping[str, Any], row_id: str) -> DetectionRow:
        mapping = self._mapping
        kind = _text(row, mapping.named("class"), "class")
        metric = self._metric(kind)
        moment, precision = self._when(row.get(mapping.named("time")))
        if moment > self._now + FEED_CLOCK_AHEAD:
            raise RefusedRowError("in the future")
        if moment < self._begins:
            raise RefusedRowError("before the window")
        score = _number(row, mapping.named("score"), "score")
        if mapping.least_score is not None and score is None:
            raise RefusedRowError("without a score")
        if mapping.least_score is not None and score is not None and score < mapping.least_score:
            raise RefusedRowError("below the least score")
        own = _own_id(row, mapping.named("id")) or (
            row_id if is_name(row_id) and _TEXT.fullmatch(row_id) else ""
        )
        return DetectionRow(
            detected_class=kind,
            metric=metric,
            moment=moment,
            precision=precision,
            amount=_amount(_number(row, mapping.named("count"), "count"), metric),
            score=score,
            scene=_text(row, mapping.named("scene"), "scene"),
            own_id=own,
            coverage=_share(_number(row, mapping.named("coverage"), "coverage")),
        )

    def _metric(self, kind: str) -> Metric:
        if self._mapping.only:
            return METRICS[self._mapping.only]
        named = self._mapping.metrics.get(kind.lower())
        if named is None:
            if not kind:
                raise RefusedRowError("without a class")
            if self._mapping.metrics:
                raise RefusedRowError("of a class that is not asked for")
            try:
                named = parse_metric(kind)
            except BadCell:
                raise RefusedRowError("of a class that is no metric") from None
        if named not in METRICS:
            raise RefusedRowError("of a class that is no metric")
        return METRICS[named]

    def _when(self, value: Any) -> tuple[datetime, Precision]:
        if value is None or value == "":
            raise RefusedRowError("without a time")
        if isinstance(value, bool):
            raise RefusedRowError("of a time that cannot be read")
        if isinstance(value, int | float) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
            return _epoch(value), "minute"
        if not isinstance(value, str):
            raise RefusedRowError("of a time that cannot be read")
        text = value.strip()
        if _DATE.fullmatch(text):
            return self._local(text, "of a date without a zone"), "day"
        if (instant := json_instant(text.replace(" ", "T", 1))) is not None:
            return instant, "minute"
        return self._local(text, "of a time without a zone"), "minute"

    def _local(self, text: str, refusal: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise RefusedRowError("of a time that cannot be read") from None
        if self._mapping.zone is None:
            raise RefusedRowError(refusal)
        try:
            return found.replace(tzinfo=self._mapping.zone).astimezone(UTC)
        except (OverflowError, ValueError):
            raise RefusedRowError("of a time that cannot be read") from None

    def _in_site(
        self, site: Site, found: DetectionRow, place: BaseGeometry | None, point: shapely.Point
    ) -> Detection | None:
        """What the row says of one site, None where it lies elsewhere."""
        seen = _footprint_share(place, site) if found.amount is not None else 0.0
        if seen < _WHOLE_SITE and not self._lies_in(site, point):
            return None
        over_site = seen >= _WHOLE_SITE
        areas = [
            area.id
            for area in site.areas
            if area.geometry is not None
            and (_covers(place, area.geometry) if over_site else _on(area.geometry, point))
        ]
        # A sum over a footprint says which part of it lies in an area only where it is nothing.
        told = areas if not over_site or found.amount == 0 else []
        key, start, end = _look(site, found)
        identity = (found.own_id,) if found.own_id else _digest_of(found, point)
        return Detection(
            provider=self._provider,
            site_id=site.id,
            metric=found.metric.name,
            detection_id=_digest(*identity),
            detected_class=found.detected_class,
            at=found.moment,
            lat=round(point.y, 6),
            lon=round(point.x, 6),
            look_key=key,
            look_start=start,
            look_end=end,
            precision="day" if key.startswith("day-") else "minute" if found.scene else "hour",
            recorded_at=self._now,
            amount=1.0 if found.amount is None else found.amount,
            areas=tuple(sorted(told)),
            score=found.score,
            scene=found.scene,
            whole=found.amount is not None or bool(found.scene),
            coverage=found.coverage
            if found.coverage is not None
            else (round(seen, 4) if over_site else None),
        )

    def _lies_in(self, site: Site, point: shapely.Point) -> bool:
        if not self._mapping.margin_m:
            return bool(site.geometry.intersects(point))
        return _apart_m(site.geometry, point) <= self._mapping.margin_m


def _point(place: BaseGeometry | None) -> shapely.Point:
    if place is None or place.is_empty:
        raise RefusedRowError("without a place")
    try:
        point = place if isinstance(place, shapely.Point) else place.representative_point()
    except shapely.errors.GEOSException:
        raise RefusedRowError("of a place that cannot be") from None
    if not (math.isfinite(point.x) and math.isfinite(point.y) and abs(point.x) <= 180 and abs(point.y) <= 90):  # noqa: PLR2004 - degrees
        raise RefusedRowError("of a place that cannot be")
    return point


def _apart_m(shape: BaseGeometry, point: shapely.Point) -> float:
    """Metres between a shape and a point near it, on a plane that touches the earth at the point."""
    narrow = max(math.cos(math.radians(point.y)), 0.01)
    plane = shapely.transform(shape, lambda at: (at - [point.x, point.y]) * [narrow * _M_PER_DEG, _M_PER_DEG])
    return float(plane.distance(shapely.Point(0.0, 0.0)))


def _on(area: BaseGeometry, point: shapely.Point) -> bool:
    if area.geom_type == "LineString":
        return _apart_m(area, point) <= LONGEST_LINK_M
    return bool(area.intersects(point))


def _covers(place: BaseGeometry | None, area: BaseGeometry) -> bool:
    return place is not None and bool(place.covers(area))


def _footprint_share(place: BaseGeometry | None, site: Site) -> float:
    if place is None or place.geom_type not in {"Polygon", "MultiPolygon"} or not place.is_valid:
        return 0.0
    return covered_share(place, site.geometry)


def _look(site: Site, found: DetectionRow) -> tuple[str, datetime, datetime]:
    """Which look of the site a row belongs to: its scene, the local day of a flow, else its hour."""
    if found.scene:
        start = found.moment.replace(second=0, microsecond=0)
        return f"scene-{_digest(found.scene)}", start, start + _MINUTE
    if found.metric.kind == "flow" or found.precision == "day":
        day: date = found.moment.astimezone(site.timezone).date()
        if found.precision == "day":
            day = (found.moment + timedelta(hours=12)).astimezone(site.timezone).date()
        return f"day-{day}", *_day(day, site)
    start = found.moment.replace(minute=0, second=0, microsecond=0)
    return f"hour-{start:%Y%m%dT%H}", start, start + _HOUR


def _day(day: date, site: Site) -> tuple[datetime, datetime]:
    midnights = (
        datetime(each.year, each.month, each.day, tzinfo=site.timezone)
        for each in (day, day + timedelta(days=1))
    )
    start, end = (each.astimezone(UTC) for each in midnights)
    return start, end


def _epoch(value: float | str) -> datetime:
    try:
        number = float(value)
        instant = feed_instant(number) if math.isfinite(number) and number >= _LEAST_EPOCH_S else None
    except (OverflowError, ValueError, OSError):
        instant = None
    if instant is None:
        raise RefusedRowError("of a time that cannot be read")
    return instant


def _text(row: Mapping[str, Any], name: str, what: str) -> str:
    value = row.get(name) if name else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else "\x00"
    if text and not _TEXT.fullmatch(text):
        raise RefusedRowError(f"of a {what} that is no plain text")
    return text


def _own_id(row: Mapping[str, Any], name: str) -> str:
    """The id of the property that is declared to be one: there a number may be an identity."""
    return _text(row, name, "id")


def _number(row: Mapping[str, Any], name: str, what: str) -> float | None:
    value = row.get(name) if name else None
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedRowError(f"of a {what} that is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        return None
    if not math.isfinite(number):
        raise RefusedRowError(f"of a {what} that is no number")
    return number


def _amount(number: float | None, metric: Metric) -> float | None:
    if number is None:
        return None
    if not 0 <= number <= metric.most or (metric.counted and not number.is_integer()):
        raise RefusedRowError("of a count that cannot be")
    return number


def _share(number: float | None) -> float | None:
    if number is not None and not 0 <= number <= 1:
        raise RefusedRowError("of a coverage that is no share")
    return number


def _digest_of(found: DetectionRow, point: shapely.Point) -> tuple[str, ...]:
    place = f"{point.x:.5f},{point.y:.5f}"
    return found.detected_class, found.metric.name, found.moment.isoformat(), place, found.scene


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def remarked(found: Sequence[Detection], remark: str) -> Iterator[Detection]:
    """The same with what a reader must know of this kind of source."""
    return (replace(each, remark=remark) for each in found)
