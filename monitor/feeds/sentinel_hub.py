"""The Statistical API of Sentinel Hub, as the Copernicus Data Space runs it: numbers of one zone and day, without pixels.

One question asks for one zone in one interval of a day. The service names no scene, so whoever asks knows from a catalogue
which pass lies in that day, and that no other one of the same direction does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Provider
from monitor.feeds.client_credentials import ClientCredentials, TokenError
from monitor.feeds.options import number_option
from monitor.feeds.parsing import json_instant, json_integer, json_number, parse_json, words_of
from monitor.imagery.radar import BINS, HIGH_DB, LOW_DB, ZoneNumbers

STATISTICS_URL = "https://sh.dataspace.copernicus.eu/api/v1/statistics"
_TOKEN_URL = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"  # noqa: S105 - an address
UNITS_A_MONTH = REQUESTS_A_MONTH = 10_000
_RENEW_BEFORE_S = 120.0
"""Tokens last some ten minutes."""
_DAY = timedelta(days=1)
CLASSES = 12
"""Scene classes of Sentinel-2 are 0 to 11."""
RADAR_PIXEL_M, CLASS_PIXEL_M = 10.0, 20.0
LARGEST_SIDE_PX = 2_500
_FORBIDDEN, _TOO_OFTEN = 403, 429
_MS_A_SECOND = 1_000.0
_LEAST_WAIT_S = 60.0
"""Its limits count by the minute."""
_UNIT_PX = 512 * 512
_LEAST_UNITS = 0.01
_TERRAIN = 2.5
"""What terrain correction makes a request dearer by."""
_BANDS_A_UNIT = 3
_TOLERANCE = timedelta(seconds=1)
_MOST_POWER = 1e4
_FINAL = "BAD_REQUEST"
_SIMPLER_M = 1.0

_RADAR_SCRIPT = """//VERSION=3
function setup() {
  return {
    input: [{bands: ["VV", "VH", "localIncidenceAngle", "dataMask"]}],
    output: [
      {id: "level", bands: 1, sampleType: "FLOAT32"},
      {id: "vv", bands: 1, sampleType: "FLOAT32"},
      {id: "vh", bands: 1, sampleType: "FLOAT32"},
      {id: "angle", bands: 1, sampleType: "FLOAT32"},
      {id: "dataMask", bands: 1}
    ]
  };
}
function evaluatePixel(s) {
  var seen = s.dataMask == 1 && s.VV > 0 ? 1 : 0;
  return {
    level: [seen ? 10 * Math.log(s.VV) / Math.LN10 : 0],
    vv: [s.VV], vh: [s.VH], angle: [s.localIncidenceAngle], dataMask: [seen]
  };
}
"""
_CLASS_SCRIPT = """//VERSION=3
function setup() {
  return {
    input: [{bands: ["SCL", "dataMask"]}],
    output: [{id: "scl", bands: 1, sampleType: "UINT8"}, {id: "dataMask", bands: 1}]
  };
}
function evaluatePixel(s) {
  return {scl: [s.SCL], dataMask: [s.dataMask]};
}
"""


@dataclass(frozen=True, slots=True)
class ZoneQuestion:
    """One zone (a surface in metres on the UTM map `epsg`) in the day that begins at `begins`."""

    where: str
    """Which site and zone it is about, for errors."""
    outline: BaseGeometry
    epsg: int
    begins: datetime
    orbit_state: str = ""
    """`ascending` or `descending`, for radar."""

    @property
    def ends(self) -> datetime:
        """Where the day ends."""
        return self.begins + _DAY

    def sides_px(self, pixel_m: float) -> tuple[int, int]:
        """Width and height in pixels."""
        west, south, east, north = self.outline.bounds
        return max(1, math.ceil((east - west) / pixel_m)), max(1, math.ceil((north - south) / pixel_m))


@dataclass(frozen=True, slots=True)
class Priced:
    """What an answered question cost in processing units, and what was reckoned before it was asked."""

    units: float
    estimated: float


class SentinelHubStatistics:
    """Asks for the numbers of zones; needs the credentials `client_id` and `client_secret` (free accounts have them).

    Options: `statistics_url`, `token_url`, `units_a_month`, `requests_a_month`.
    """

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider, self._client = provider, client
        keys = [bool(provider.credentials.get(name)) for name in ("client_id", "client_secret")]
        if keys[0] != keys[1]:
            raise SettingsError(
                f"{provider.name}: set both credentials client_id and client_secret, or neither."
            )
        self.units_a_month = number_option(provider, "units_a_month", UNITS_A_MONTH)
        self.requests_a_month = number_option(provider, "requests_a_month", REQUESTS_A_MONTH)
        self._url = provider.options.get("statistics_url", STATISTICS_URL)
        token_url = provider.options.get("token_url", _TOKEN_URL)
        self._tokens = ClientCredentials(provider, client, token_url, renew_before_s=_RENEW_BEFORE_S)

    @staticmethod
    def has_keys(provider: Provider) -> bool:
        """Whether a provider has what is needed to ask."""
        return bool(provider.credentials.get("client_id") or provider.credentials.get("client_secret"))

    def radar(self, question: ZoneQuestion, now: datetime) -> tuple[ZoneNumbers | None, Priced]:
        """Ask how bright a zone was; None where radar saw nothing of it that day. Raises FeedError."""
        body = _radar_body(question)
        document, priced = self._ask(question, body, radar_units(question), now)
        outputs = _outputs(document, question)
        if outputs is None:
            return None, priced
        return _zone_numbers(outputs, question), priced

    def classes(self, question: ZoneQuestion, now: datetime) -> tuple[tuple[int, ...] | None, Priced]:
        """Ask for the pixels of a zone by scene class (0 to 11); None where nothing was seen of it. Raises FeedError."""
        document, priced = self._ask(question, _class_body(question), class_units(question), now)
        outputs = _outputs(document, question)
        if outputs is None:
            return None, priced
        counts = _histogram(outputs, "scl", CLASSES, question)
        return (tuple(counts) if sum(counts) else None), priced

    def _ask(
        self, question: ZoneQuestion, body: Mapping[str, Any], estimated: float, now: datetime
    ) -> tuple[Any, Priced]:
        try:
            answer = self._tokens.signed(partial(self._send, body), now)
        except FeedError as error:
            raise _in_seconds(error) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return parse_json(answer.body, _where(self.provider, question)), Priced(
            _charged(headers.get("x-processingunits-spent", ""), estimated), estimated
        )

    def _send(self, body: Mapping[str, Any], token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return self._client.request("POST", self._url, purpose="data", json=body, headers=headers)


def radar_units(question: ZoneQuestion) -> float:
    """What a question about radar costs, in processing units, before it is asked."""
    width, height = question.sides_px(RADAR_PIXEL_M)
    return max(_LEAST_UNITS, width * height / _UNIT_PX * _TERRAIN)


def class_units(question: ZoneQuestion) -> float:
    """The same of a question about scene classes."""
    width, height = question.sides_px(CLASS_PIXEL_M)
    return max(_LEAST_UNITS, width * height / _UNIT_PX / _BANDS_A_UNIT)


def _in_seconds(error: FeedError) -> FeedError:
    """The refusal with its wait in seconds: this service counts Retry-After in milliseconds."""
    if error.status == _TOO_OFTEN and not isinstance(error, TokenError):
        error.retry_after_s = max(_LEAST_WAIT_S, (error.retry_after_s or 0.0) / _MS_A_SECOND)
    return error


def _charged(said: str, estimated: float) -> float:
    try:
        units = float(said)
    except ValueError:
        return estimated
    return units if math.isfinite(units) and units >= 0 else estimated


def _where(provider: Provider, question: ZoneQuestion) -> str:
    return f"{provider.name} {question.where}"


def _radar_body(question: ZoneQuestion) -> dict[str, Any]:
    data = {
        "type": "sentinel-1-grd",
        "dataFilter": {
            "mosaickingOrder": "mostRecent",
            "acquisitionMode": "IW",
            "polarization": "DV",
            "resolution": "HIGH",
            "orbitDirection": question.orbit_state.upper(),
        },
        "processing": {
            "orthorectify": True,
            "backCoeff": "GAMMA0_TERRAIN",
            "demInstance": "COPERNICUS_30",
            "speckleFilter": {"type": "NONE"},
        },
    }
    steps = {"nBins": BINS, "lowEdge": LOW_DB, "highEdge": HIGH_DB}
    return _body(question, data, _RADAR_SCRIPT, RADAR_PIXEL_M, {"level": steps})


def _class_body(question: ZoneQuestion) -> dict[str, Any]:
    # The service's own filters by cloud go by the whole tile, and are not used.
    data = {"type": "sentinel-2-l2a", "dataFilter": {"mosaickingOrder": "mostRecent"}}
    steps = {"nBins": CLASSES, "lowEdge": 0.0, "highEdge": float(CLASSES)}
    return _body(question, data, _CLASS_SCRIPT, CLASS_PIXEL_M, {"scl": steps})


def _body(
    question: ZoneQuestion,
    data: Mapping[str, Any],
    script: str,
    pixel_m: float,
    histograms: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    if max(question.sides_px(pixel_m)) > LARGEST_SIDE_PX:
        raise FeedError(
            f"{question.where}: the zone is more than {LARGEST_SIDE_PX} pixels wide or high, which the service refuses. Draw "
            "it smaller.",
            ours=True,
        )
    outline = shapely.set_precision(question.outline.simplify(_SIMPLER_M), 0.1)
    return {
        "input": {
            "bounds": {
                "geometry": mapping(outline),
                "properties": {"crs": f"http://www.opengis.net/def/crs/EPSG/0/{question.epsg}"},
            },
            "data": [data],
        },
        "aggregation": {
            "timeRange": {"from": _zulu(question.begins), "to": _zulu(question.ends)},
            "aggregationInterval": {"of": "P1D"},
            "evalscript": script,
            "resx": pixel_m,
            "resy": pixel_m,
        },
        "calculations": {
            name: {"histograms": {"default": dict(steps)}} for name, steps in histograms.items()
        },
    }


def _zulu(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _outputs(document: Any, question: ZoneQuestion) -> Mapping[str, Any] | None:
    """The outputs of the one interval that was asked for; None where the service has no data for it. Raises FeedError."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise FeedError(
            f"{question.where}: the answer holds no list of intervals (data).{words_of(document, Answer(200, b'', {}, ''))}"
        )
    if not data:
        if document.get("status", "OK") != "OK":
            raise FeedError(
                f"{question.where}: the service says {str(document['status'])[:20]} and gives no interval."
            )
        return None
    entry = data[0]
    if len(data) > 1 or not isinstance(entry, dict) or not _is_asked(entry, question):
        raise FeedError(f"{question.where}: the answer is about another interval than was asked for.")
    error = entry.get("error")
    if error is not None:
        kind = str(error.get("type", "")) if isinstance(error, dict) else str(error)
        final = " Draw the zone anew, or smaller." if kind == _FINAL else " It is asked again later."
        raise FeedError(
            f"{question.where}: the service could not reckon it ({kind[:40] or 'no reason given'}).{final}"
        )
    outputs = entry.get("outputs")
    if not isinstance(outputs, dict):
        raise FeedError(f"{question.where}: the interval holds no outputs.")
    return outputs


def _is_asked(entry: Mapping[str, Any], question: ZoneQuestion) -> bool:
    interval = entry.get("interval")
    if not isinstance(interval, dict):
        return False
    begins, ends = json_instant(interval.get("from")), json_instant(interval.get("to"))
    return (
        begins is not None
        and ends is not None
        and abs(begins - question.begins) <= _TOLERANCE
        and abs(ends - question.ends) <= _TOLERANCE
    )


def _zone_numbers(outputs: Mapping[str, Any], question: ZoneQuestion) -> ZoneNumbers | None:
    counts = _histogram(outputs, "level", BINS, question)
    if not sum(counts):
        return None
    vv = _mean(outputs, "vv", question)
    if vv is None:
        raise FeedError(f"{question.where}: pixels were seen, and their mean is no number.")
    share = sum(counts) * RADAR_PIXEL_M**2 / question.outline.area
    return ZoneNumbers(
        tuple(counts),
        vv,
        _mean(outputs, "vh", question),
        _mean(outputs, "angle", question),
        round(min(1.0, share), 4),
    )


def _band(outputs: Mapping[str, Any], name: str, question: ZoneQuestion) -> Mapping[str, Any]:
    found: Any = outputs.get(name)
    for key in ("bands", "B0"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise FeedError(f"{question.where}: the answer lacks the output {name}.")
    return found


def _mean(outputs: Mapping[str, Any], name: str, question: ZoneQuestion) -> float | None:
    """A mean; None where it is none (the text "NaN" among others)."""
    stats = _band(outputs, name, question).get("stats")
    return json_number(stats.get("mean"), 0.0, _MOST_POWER) if isinstance(stats, dict) else None


def _histogram(outputs: Mapping[str, Any], name: str, steps: int, question: ZoneQuestion) -> list[int]:
    """Pixels by step, those beyond both ends in the outer ones; all 0 where nothing was seen. Raises FeedError."""
    band = _band(outputs, name, question)
    stats = band.get("stats")
    if not isinstance(stats, dict):
        raise FeedError(f"{question.where}: the output {name} has no statistics.")
    samples, missing = (json_integer(stats.get(key), 0, 10**9) for key in ("sampleCount", "noDataCount"))
    if samples is None or missing is None or missing > samples:
        raise FeedError(f"{question.where}: the output {name} does not say how many pixels it rests on.")
    if samples == missing:
        return [0] * steps
    histogram = band.get("histogram")
    bins = histogram.get("bins") if isinstance(histogram, dict) else None
    counts = [
        json_integer(each.get("count"), 0, 10**9) if isinstance(each, dict) else None for each in bins or ()
    ]
    known = [each for each in counts if each is not None]
    if not isinstance(histogram, dict) or len(counts) != steps or len(known) != steps:
        raise FeedError(f"{question.where}: the histogram of {name} is not the one that was asked for.")
    known[0] += _beyond(histogram, "underflow")
    known[-1] += _beyond(histogram, "overflow")
    # Pixels outside the zone must not have been counted as dark ones.
    if sum(known) > samples - missing:
        raise FeedError(f"{question.where}: more pixels stand in the histogram of {name} than were seen.")
    return known


def _beyond(histogram: Mapping[str, Any], which: str) -> int:
    """What lies beyond an end: documents and examples of the service name it differently."""
    for key in (f"{which}Count", which):
        found = json_integer(histogram.get(key), 0, 10**9)
        if found is not None:
            return found
    return 0
