"""NASA FIRMS: pixels in which a satellite saw heat, around each site. Nothing seen is never a zero.

A launch seldom falls into a pass, cloud hides fires, and a metal roof in the sun looks like one: what is seen counts, and
what is not seen says nothing. The key is part of the address, so no address of it is shown or kept.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import shapely

from db.records import Purpose
from db.records.detections import Detection
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of, remarked
from monitor.feeds.options import number_option
from monitor.feeds.planned import kept_plan
from monitor.feeds.separated import table_rows
from monitor.feeds.site_boxes import bbox_text, box_scopes
from monitor.sites import Site

SPOTS_METRIC, HEAT_METRIC = "hot_spots", "radiant_heat_mw"
FIRE_PIXEL_M = 400.0
"""A pixel is 375 m: what burns beside the outline may be seen inside it, and the other way round."""
HEAT_REMARK = (
    "A pass without a hot spot says nothing: cloud hides fires, and most launches fall between passes."
)
_NEEDED = ("latitude", "longitude", "acq_date", "acq_time", "satellite", "confidence", "frp")
_WORDS: Mapping[str, float] = {"l": 10.0, "low": 10.0, "n": 50.0, "nominal": 50.0, "h": 90.0, "high": 90.0}
"""VIIRS gives its confidence in words, MODIS in per cent."""
_LEAST = {"low": 0.0, "nominal": 30.0, "high": 80.0}
_MOST_DAYS = 5


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
        self._spots = mapping_of(provider, metric=SPOTS_METRIC, **told)
        self._heat = mapping_of(provider, metric=HEAT_METRIC, count="frp", **told)

    @kept_plan
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
        found = [each for row in rows for each in self._read(row, readers)]
        return Fetched(
            (answer.body,),
            answer.status,
            len(rows),
            detections=tuple(remarked(found, HEAT_REMARK)),
            rejected=dict(readers[0].rejected),
            request=url.replace(self._key, "…"),
        )

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
