"""What every feed must do, whatever its kind: checked for each kind in the registry before anybody writes a test.

A new kind needs a default provider in `monitor/feeds/providers.py` and one good answer in `GOOD_ANSWERS`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from monitor.bootstrap import FEEDS
from monitor.feeds import Feed, Fetched, Provider, Scope
from monitor.feeds.http import Caps
from monitor.feeds.providers import DEFAULT_PROVIDERS
from monitor.sites import Site
from tests.kit.cast import CAST, QUIET_FIELD
from tests.kit.fake_feeds import NOON, SECRET, Handler, aircraft, client, v2_body

HOST = "feed.example"
SITES: Sequence[Site] = (QUIET_FIELD,)


def stac_item(**properties: Any) -> dict[str, Any]:
    """A Sentinel-2 tile over Quiet Field, as Earth Search lists it."""
    ring = [[-71.2, -52.2], [-70.2, -52.2], [-70.2, -51.5], [-71.2, -51.5], [-71.2, -52.2]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2B_19FCC_20230731_0_L2A",
        "collection": "sentinel-2-l2a",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": "2023-07-31T14:20:33.123000Z",
            "created": "2023-07-31T18:01:00.5Z",
            "updated": "2023-07-31T18:01:00.5Z",
            "platform": "sentinel-2b",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "eo:cloud_cover": 12.5,
            "grid:code": "MGRS-19FCC",
            "s2:datatake_id": "GS2B_20230731T142029_033417_N05.09",
            **properties,
        },
        "links": [{"rel": "self", "href": f"https://{HOST}/collections/sentinel-2-l2a/items/S2B_19FCC"}],
        "assets": {"thumbnail": {"href": f"https://{HOST}/preview.jpg"}},
    }


def stac_page(*items: Any, links: Sequence[Any] = (), **more: Any) -> bytes:
    """An answer of an item search."""
    page = {"type": "FeatureCollection", "features": list(items), "links": list(links), **more}
    return json.dumps(page).encode()


OPENSKY_ROW: list[Any] = [
    "15521f", "RFF7092 ", "Russia", int(NOON.timestamp()) - 4, int(NOON.timestamp()) - 1, -70.6, -51.9, 9144.0, False,
    231.5, 210.0, -2.5, None, 9300.0, "1000", False, 0,
]  # fmt: skip


def opensky_body(*rows: Any) -> bytes:
    """An answer of `/states/all`."""
    return json.dumps({"time": int(NOON.timestamp()), "states": list(rows)}).encode()


OPENSKY_FLIGHT: dict[str, Any] = {
    "icao24": "15521f", "firstSeen": int(NOON.timestamp()) - 90_000, "estDepartureAirport": "UHWW",
    "lastSeen": int(NOON.timestamp()) - 80_000, "estArrivalAirport": "XQUF", "callsign": "RFF7092 ",
    "estDepartureAirportHorizDistance": 1_200, "estDepartureAirportVertDistance": 90,
    "estArrivalAirportHorizDistance": 31_000, "estArrivalAirportVertDistance": 2_900,
    "departureAirportCandidatesCount": 1, "arrivalAirportCandidatesCount": 4,
}  # fmt: skip
OPENSKY_TRACK: dict[str, Any] = {
    "icao24": "154f53", "callsign": "RFF7092 ", "startTime": int(NOON.timestamp()) - 900, "endTime": int(NOON.timestamp()),
    "path": [[int(NOON.timestamp()) - 60, -51.9, -70.6, 3_000, 171.0, False]],
}  # fmt: skip
FR24_POSITION: dict[str, Any] = {
    "fr24_id": "321a0cc3", "flight": "AF1463", "callsign": "RFF7092", "lat": -51.9, "lon": -70.6, "track": 219, "alt": 38_000,
    "gspeed": 500, "vspeed": -64, "squawk": "6135", "timestamp": "2023-08-01T11:59:46Z", "source": "ADSB", "hex": "15521F",
    "type": "IL62", "reg": "RA-86559", "painted_as": None, "operating_as": "RFF", "orig_iata": "VVO", "orig_icao": "UHWW",
    "dest_iata": "FNJ", "dest_icao": "ZKPY", "eta": "2023-08-01T12:40:00Z",
}  # fmt: skip
FR24_FLIGHT: dict[str, Any] = {
    "fr24_id": "391fdd79", "flight": None, "callsign": "RFF7092", "operating_as": "RFF", "painted_as": None, "type": "IL62",
    "reg": "RA-86559", "orig_icao": "UHWW", "orig_iata": "VVO", "datetime_takeoff": "2023-08-01T10:01:02", "runway_takeoff": "25L",
    "dest_icao": "ZKPY", "dest_iata": "FNJ", "dest_icao_actual": None, "dest_iata_actual": None, "datetime_landed": None,
    "runway_landed": None, "flight_time": 4_000.0, "actual_distance": 610.5, "circle_distance": 712.0, "category": "M",
    "hex": "15521F", "first_seen": "2023-08-01T09:58:00", "last_seen": "2023-08-01T10:48:00", "flight_ended": True,
}  # fmt: skip


def fr24_body(*rows: Any) -> bytes:
    """An answer of Flightradar24."""
    return json.dumps({"data": list(rows)}).encode()


DETECTED: dict[str, Any] = {
    "type": "Feature", "id": "object-a", "geometry": {"type": "Point", "coordinates": [-70.6, -51.9]},
    "properties": {
        "datetime": "2023-08-01T10:30:00Z", "time": "2023-08-01T10:30:00Z", "class": "plane", "score": 0.8,
    },
}  # fmt: skip
DETECTED_ITEM: dict[str, Any] = {
    **DETECTED, "stac_version": "1.0.0", "collection": "aircraft", "links": [], "assets": {},
}  # fmt: skip
FIRMS_ANSWER = (
    b"latitude,longitude,bright_ti4,scan,track,acq_date,acq_time,satellite,instrument,confidence,version,bright_ti5,frp,daynight\n"
    b"-51.9,-70.6,319.19,0.39,0.36,2023-08-01,530,N20,VIIRS,n,2.0NRT,295.82,,N\n"
)
PORT_VISIT: dict[str, Any] = {
    "id": "a1b2", "type": "port_visit", "start": "2023-07-28T10:30:00.000Z", "end": "2023-07-29T10:30:00.000Z",
    "position": {"lat": -51.9, "lon": -70.6}, "vessel": {"ssvid": "273000000", "name": "LADY R", "flag": "RUS"},
    "portVisit": {"visitId": "v", "confidence": "4", "startAnchorage": {"id": "x", "atDock": True}},
}  # fmt: skip
GOOD_ANSWERS: Mapping[str, bytes] = {
    "readsb": v2_body(aircraft(lat=-51.9, lon=-70.6)),
    "opensky": opensky_body(OPENSKY_ROW),
    "stac": stac_page(stac_item()),
    "opensky_flights": json.dumps([OPENSKY_FLIGHT]).encode(),
    "opensky_tracks": json.dumps(OPENSKY_TRACK).encode(),
    "flightradar24": fr24_body(FR24_POSITION),
    "flightradar24_airports": fr24_body(FR24_POSITION),
    "flightradar24_flights": fr24_body(FR24_FLIGHT),
    "ogc_features": stac_page(DETECTED),
    "detections_file": stac_page(DETECTED),
    "stac_detections": stac_page(DETECTED_ITEM),
    "firms": FIRMS_ANSWER,
    "gfw_port_visits": json.dumps({"total": 1, "nextOffset": None, "entries": [PORT_VISIT]}).encode(),
}
"""One answer of each kind that holds one thing over Quiet Field."""


@dataclass(frozen=True)
class Case:
    """One kind of feed with a provider of it."""

    kind: str
    provider: Provider

    def feed(self, handler: Handler, **options: Any) -> Feed:
        """The feed, asking `handler` instead of the network."""
        guarded = client(handler, name=self.provider.name, **{"headers": {"x-key": SECRET}, **options})
        return FEEDS[self.kind](self.provider, guarded)

    def answering(self, body: bytes, status: int = 200, **options: Any) -> Feed:
        """The feed, getting this answer to whatever it asks."""
        return self.feed(lambda _: httpx.Response(status, content=body), **options)


def _provider(kind: str) -> Provider:
    known = next(provider for provider in DEFAULT_PROVIDERS if provider.kind == kind)
    return Provider(
        f"test.{kind}", kind, f"https://{HOST}/api", known.interval_s, known.licence, known.attribution, options=known.options,
        credentials={"token": SECRET},
    )  # fmt: skip


TABLES = frozenset({"firms"})
"""Kinds that answer with a table and not with JSON."""
CASES = [Case(kind, _provider(kind)) for kind in FEEDS]


def scope_of(feed: Feed, sites: Sequence[Site] = SITES) -> Scope:
    """The first scope that the feed plans."""
    return feed.scopes(sites)[0]


def fetch(feed: Feed, now: datetime = NOON) -> Fetched:
    """Ask about Quiet Field."""
    return feed.fetch(scope_of(feed), SITES, purpose="data", now=now, since=None)


def things(fetched: Fetched) -> int:
    """How many things of any kind the answer gave."""
    return (
        len(fetched.detections)
        + len(fetched.fixes)
        + len(fetched.scenes)
        + len(fetched.claims)
        + len(fetched.estimates)
    )


def with_extras(value: Any) -> Any:
    """The document with unknown fields in every object, as the next version of a service may send it."""
    if isinstance(value, dict):
        grown = {key: with_extras(each) for key, each in value.items()}
        return {"aaa_new": {"deep": [1, None]}, **grown, "zzz_new": "text"}
    return [with_extras(each) for each in value] if isinstance(value, list) else value


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path to every part of a document, the whole one first."""
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def replaced(value: Any, path: tuple[str | int, ...], change: Callable[[Any], Any]) -> Any:
    """The document with one part changed."""
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], change)  # type: ignore[index]
    return copy


TIGHT = Caps(body_bytes=64)
ALL_SITES = CAST
