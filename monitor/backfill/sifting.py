"""Reading one part of an archived day: which reports to keep, and in which minutes the archive heard anything, and where.

Pure and without database, so that it runs wherever the files are: in this process or in a worker of a cluster.
"""

import gc
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.flight_records import BackfillPart
from db.records import Fix
from monitor.backfill.archive import Part
from monitor.backfill.traces import Floats, Trace, TraceError, read_trace
from monitor.flights.identity import Aircraft, Classes
from monitor.flights.matching import NM_PER_DEGREE, Place, places_of
from monitor.sites import Site

SLOT_S = 300
"""A slot of the archive is played as one poll; good answers further apart than this would leave holes."""
NEAR_NM = 40.0
"""Reports so near to a site are kept, and show how well the place is heard."""
CLOSE_NM = 10.0
THIN_S = 20.0
"""Farther than `CLOSE_NM` from every site one report in so many seconds is enough."""
_CELLS_A_DEGREE = 4
_WIDE, _HIGH = 360 * _CELLS_A_DEGREE, 180 * _CELLS_A_DEGREE
_PACKED = tuple(each.name for each in fields(Fix) if each.name not in {"provider", "received_at", "poll_id"})
_AT = _PACKED.index("at")


@dataclass(frozen=True, slots=True)
class Sieve:
    """What to keep of an archive: reports near these sites, and those of watched classes anywhere."""

    provider: str
    sites: tuple[Site, ...]
    classes: Classes

    def sift(self, part: Part, day: date, now: datetime) -> BackfillPart:
        """Read one part; a file that is no trace is counted, not kept."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        day_s = (begin.timestamp(), (begin + timedelta(days=1)).timestamp())
        grid = _Grid(places_of(self.sites))
        found = _Found()
        with _uncollected():
            for name, body in part.read():
                try:
                    trace = read_trace(body, name, day_s)
                except TraceError:
                    found.rejected["not a trace"] += 1
                    continue
                found.aircraft += 1
                found.rejected.update(trace.rejected)
                self._take(trace, grid, day_s[0], found, now)
        return BackfillPart(
            provider=self.provider,
            day=day.isoformat(),
            part=part.name,
            aircraft=found.aircraft,
            fixes=len(found.fixes),
            heard={str(slot): count for slot, count in sorted(found.heard.items())},
            nearby={
                site_id: {str(slot): count for slot, count in sorted(slots.items())}
                for site_id, slots in sorted(found.nearby.items())
            },
            rejected={reason: count for reason, count in sorted(found.rejected.items()) if count},
            body=packed(found.fixes),
            read_at=now,
        )

    def _take(self, trace: Trace, grid: "_Grid", begin_s: float, found: "_Found", now: datetime) -> None:
        if not len(trace.at_s):
            return
        slots = ((trace.at_s - begin_s) // SLOT_S).astype(np.int64)
        found.heard.update(np.unique(slots).tolist())
        near = np.zeros(len(slots), dtype=bool)
        close = np.zeros(len(slots), dtype=bool)
        for place in grid.around(trace.lat, trace.lon):
            here = place.near(trace.lat, trace.lon, NEAR_NM)
            if here.any():
                found.nearby[place.id].update(np.unique(slots[here]).tolist())
                near |= here
                close |= place.near(trace.lat, trace.lon, CLOSE_NM)
        wanted = np.ones_like(near) if self._watches(trace) else near
        chosen = np.flatnonzero(wanted & (close | _thinned(trace.at_s)))
        found.fixes += trace.fixes(self.provider, now, chosen.tolist())

    def _watches(self, trace: Trace) -> bool:
        aircraft = Aircraft(
            trace.icao24,
            registration=trace.registration,
            type_code=trace.type_code,
            db_flags=trace.db_flags,
        )
        return self.classes.watches(aircraft) or any(
            self.classes.watches(replace(aircraft, callsign=name)) for name in sorted(trace.callsigns)
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector away: it would search millions of fresh rows for cycles, for half of all the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Found:
    def __init__(self) -> None:
        self.aircraft = 0
        self.fixes: list[Fix] = []
        self.heard: Counter[int] = Counter()
        self.nearby: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.rejected: Counter[str] = Counter()


class _Grid:
    """Which places may be near a position: quarter degrees of the globe, so that most tracks are told apart at once."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._marked = np.zeros(_WIDE * _HIGH, dtype=bool)
        self._of: dict[int, list[int]] = defaultdict(list)
        for number, place in enumerate(places):
            for cell in _cells(place):
                self._marked[cell] = True
                self._of[cell].append(number)

    def around(self, lat: Floats, lon: Floats) -> list[Place]:
        """Give the places near which any of these positions may be."""
        cells = _cell(lat, lon)
        hit = np.unique(cells[self._marked[cells]]).tolist()
        return [self._places[number] for number in sorted({each for cell in hit for each in self._of[cell]})]


def _cell(lat: Floats, lon: Floats) -> NDArray[np.int64]:
    row = np.clip(((lat + 90) * _CELLS_A_DEGREE).astype(np.int64), 0, _HIGH - 1)
    column = ((lon + 180) * _CELLS_A_DEGREE).astype(np.int64) % _WIDE
    return row * _WIDE + column


def _cells(place: Place) -> Iterator[int]:
    west, south, east, north = place.bounds
    margin = NEAR_NM + NM_PER_DEGREE / _CELLS_A_DEGREE
    lats = np.arange(
        place.lat + (south - margin) / NM_PER_DEGREE,
        place.lat + (north + margin) / NM_PER_DEGREE,
        1 / _CELLS_A_DEGREE,
    )
    reach = margin / place.east_scale + 1 / _CELLS_A_DEGREE
    span = min(360.0, (east - west) / place.east_scale + 2 * reach)
    lons = place.lon + west / place.east_scale - reach + np.arange(0, span, 1 / _CELLS_A_DEGREE)
    rows, columns = np.meshgrid(np.clip(lats, -90, 89.99), (lons + 180) % 360 - 180, indexing="ij")
    yield from np.unique(_cell(rows.ravel(), columns.ravel())).tolist()


def _thinned(at_s: Floats) -> NDArray[np.bool_]:
    """Mark one report in each `THIN_S`, the first."""
    bins = (at_s // THIN_S).astype(np.int64)
    first = np.ones(len(bins), dtype=bool)
    first[1:] = bins[1:] != bins[:-1]
    return first


def packed(fixes: Sequence[Fix]) -> bytes:
    """Pack reports for the database, until their day is played."""
    rows = [[_plain(getattr(fix, name)) for name in _PACKED] for fix in fixes]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), level=6)


def unpacked(part: BackfillPart) -> list[Fix]:
    """Unpack the reports of a part."""
    found = []
    for row in json.loads(zlib.decompress(part.body)):
        values: dict[str, Any] = dict(zip(_PACKED, row, strict=True))
        values["at"] = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=values["at"])
        found.append(Fix(provider=part.provider, received_at=part.read_at, **values))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return value


def slots_of(found: Mapping[str, int]) -> dict[int, int]:
    """The counts of a part by slot number."""
    return {int(slot): count for slot, count in found.items()}
