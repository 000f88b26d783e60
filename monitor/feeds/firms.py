"""NASA FIRMS: pixels in which a satellite saw heat, around each site. Nothing seen is a zero only where the service says that it looked.

A launch seldom falls into a pass, cloud hides fires, and a metal roof in the sun looks like one: what is seen counts at least. Each
source of the service may stop; it says up to which day each of them has data. A day that the source does not have is no zero, and
a source that ended is a failure. The key is part of the address, so no address of it is shown or kept.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import shapely

from db.records import Purpose
from db.records.detections import Detection
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of, remarked
from monitor.feeds.options import number_option
from monitor.feeds.separated import table_rows
from monitor.feeds.site_boxes import bbox_text, box_scopes
from monitor.sites import Site

SPOTS_METRIC, HEAT_METRIC = "hot_spots", "radiant_heat_mw"
FIRE_PIXEL_M = 400.0
"""A pixel is 375 m: what burns beside the outline may be seen inside it, and the other way round."""
HEAT_REMARK = "Cloud hides fires, and most launches fall between passes."
_NEEDED = ("latitude", "longitude", "acq_date", "acq_time", "satellite", "confidence", "frp")
_WORDS: Mapping[str, float] = {"l": 10.0, "low": 10.0, "n": 50.0, "nominal": 50.0, "h": 90.0, "high": 90.0}
"""VIIRS gives its confidence in words, MODIS in per cent."""
_LEAST = {"low": 0.0, "nominal": 30.0, "high": 80.0}
_MOST_DAYS = 5
NOTHING_REMARK = "The service has data of this day and lists no hot spot here."
_RANGE = ("data_id", "min_date", "max_date")
_ASKED_EVERY = timedelta(hours=1)
_DAY = timedelta(days=1)
_SETTLED_AFTER = timedelta(hours=12)
"""So long after a day its rows still come."""
_STOPPED_AFTER = timedelta(days=3)


class FirmsFeed:
    """Asks the area service for a box around each site; needs the credential `token` (a MAP_KEY).

    Options: `source` (VIIRS_NOAA20_NRT and the like), `days` (1 to 5), `least_confidence` (low, nominal or high), `margin_m`.
    """

    watches = False
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._key = provider.credentials.get("token", "")
        self._source = provider.options.get("source", "VIIRS_NOAA20_NRT")
        self._days = int(number_option(provider, "days", 2))
        least = provider.options.get("least_confidence", "nominal")
        if not 1 <= self._days <= _MOST_DAYS or least not in _LEAST:
            raise SettingsError(
                f"{provider.name}: days must be 1 to {_MOST_DAYS}, and least_confidence one of {', '.join(_LEAST)}."
            )
        self._least = _LEAST[least]
        told = {"time": "at", "id": "id", "margin_m": f"{FIRE_PIXEL_M:g}", "class": "satellite"}
        self._known: tuple[datetime, tuple[date, date] | None] | None = None
        self._spots = mapping_of(provider, metric=SPOTS_METRIC, **told)
        self._heat = mapping_of(provider, metric=HEAT_METRIC, count="frp", **told)

    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One box for each site, with a pixel around it."""
        return box_scopes(sites, self._spots.margin_m)

    def canary(self, scope: Scope) -> Scope | None:
        """None: nothing seen is never taken for a count of nothing."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for the newest days; later answers repeat earlier rows, which are known by what they say."""
        where = f"{self.provider.name} {scope.key}"
        if not self._key:
            raise FeedError(
                f"{where}: it needs a key (free, by e-mail). Set credentials = {{ token_file = … }} in "
                f"[providers.{self.provider.name!r}].",
                ours=True,
            )
        base = self.provider.base_url.rstrip("/")
        url = f"{base}/api/area/csv/{self._key}/{self._source}/{bbox_text(scope)}/{self._days}"
        answer = self._client.request("GET", url, purpose=purpose)
        begins = now - timedelta(days=self._days + 1)
        readers = [
            DetectionReader(self.provider.name, each, sites, begins=begins, now=now)
            for each in (self._spots, self._heat)
        ]
        rows = list(_rows(answer, where))
        found = list(remarked([each for row in rows for each in self._read(row, readers)], HEAT_REMARK))
        had = self._days_had(base, purpose, now)
        if had is not None and now.date() - had[1] > _STOPPED_AFTER:
            raise FeedError(
                f"{where}: the source {self._source} has no data after {had[1]}, so its silence says nothing. Set another source "
                "in the provider's options (docs/detections.md).",
                status=answer.status,
            )
        quiet = [each for site in sites for each in self._nothing(site, rows, found, had, now)]
        return Fetched(
            (answer.body,),
            answer.status,
            len(rows),
            detections=(*found, *quiet),
            rejected=dict(readers[0].rejected),
            request=url.replace(self._key, "…"),
        )

    def _days_had(self, base: str, purpose: Purpose, now: datetime) -> tuple[date, date] | None:
        """From which day to which the service has data of this source; None where it does not say. Asked once an hour."""
        if self._known is None or not timedelta(0) <= now - self._known[0] < _ASKED_EVERY:
            url = f"{base}/api/data_availability/csv/{self._key}/ALL"
            try:
                answer = self._client.request("GET", url, purpose=purpose)
                listed = list(table_rows(answer, self.provider.name, _RANGE, (",",)))
            except FeedError:
                # What was seen counts all the same; what was not is then no zero.
                listed = []
            self._known = now, _range_of(self._source, listed)
        return self._known[1]

    def _nothing(
        self,
        site: Site,
        rows: Sequence[Mapping[str, Any]],
        found: Sequence[Detection],
        had: tuple[date, date] | None,
        now: datetime,
    ) -> Iterator[Detection]:
        """A zero for each whole day (UTC) of which the service has data and lists nothing; one that was too early is taken back."""
        listed = {str(row["acq_date"]).strip() for row in rows}
        for back in range(1, self._days):
            day = now.date() - back * _DAY
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            if had is None or not had[0] <= day < had[1] or now < start + _DAY + _SETTLED_AFTER:
                continue
            here = [each for each in found if each.site_id == site.id and each.metric == SPOTS_METRIC]
            seen = next((each for each in here if each.at.date() == day), None)
            nothing = _zero(self.provider.name, site, start, now)
            if seen is not None:
                # The look to which it moves has been counted: it adds nothing there, and the zero goes.
                yield replace(
                    nothing,
                    at=seen.at,
                    look_key=seen.look_key,
                    look_start=seen.look_start,
                    look_end=seen.look_end,
                    precision=seen.precision,
                    whole=False,
                    remark=HEAT_REMARK,
                )
            elif day.isoformat() not in listed:
                yield nothing

    def _read(self, row: Mapping[str, Any], readers: Sequence[DetectionReader]) -> Iterator[Detection]:
        spots, heat = readers
        confidence = _confidence(str(row["confidence"]))
        if confidence is None or confidence < self._least:
            spots.rejected["of too little confidence"] += 1
            return
        place = _place(row)
        yield from spots.read({**row, "frp": None}, place)
        if str(row["frp"]).strip():
            # What a pass saw of the heat is what it saw: no sum over the site.
            yield from (_as_seen(each) for each in heat.read(row, place))


def _range_of(source: str, listed: Sequence[Mapping[str, str]]) -> tuple[date, date] | None:
    for row in listed:
        if row["data_id"].strip() == source:
            try:
                return date.fromisoformat(row["min_date"].strip()), date.fromisoformat(
                    row["max_date"].strip()
                )
            except ValueError:
                return None
    return None


def _zero(provider: str, site: Site, start: datetime, now: datetime) -> Detection:
    middle = site.geometry.representative_point()
    return Detection(
        provider=provider,
        site_id=site.id,
        metric=SPOTS_METRIC,
        detection_id=f"none-{start:%Y-%m-%d}",
        detected_class="",
        at=start,
        lat=round(middle.y, 6),
        lon=round(middle.x, 6),
        look_key=f"none-{start:%Y-%m-%d}",
        look_start=start,
        look_end=start + _DAY,
        precision="window",
        recorded_at=now,
        amount=0.0,
        areas=tuple(sorted(area.id for area in site.areas if area.geometry is not None)),
        whole=True,
        remark=f"{NOTHING_REMARK} {HEAT_REMARK}",
    )


def _rows(answer: Answer, where: str) -> Iterator[dict[str, Any]]:
    for row in table_rows(answer, where, _NEEDED, (",",)):
        said = [row[name] for name in ("satellite", "acq_date", "acq_time", "latitude", "longitude")]
        yield {**row, "at": _instant(row), "id": " ".join(said)}


def _instant(row: Mapping[str, str]) -> str:
    """The time in ISO 8601: HHMM comes without leading zeros."""
    clock = row["acq_time"].strip().replace(":", "").zfill(4)
    try:
        found = datetime.strptime(f"{row['acq_date'].strip()} {clock} +0000", "%Y-%m-%d %H%M %z")
    except ValueError:
        return "?"
    return found.isoformat()


def _confidence(text: str) -> float | None:
    said = text.strip().lower()
    if said in _WORDS:
        return _WORDS[said]
    try:
        number = float(said)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _place(row: Mapping[str, Any]) -> shapely.Point | None:
    try:
        return shapely.Point(float(row["longitude"]), float(row["latitude"]))
    except ValueError:
        return None


def _as_seen(each: Detection) -> Detection:
    return replace(each, whole=False)
