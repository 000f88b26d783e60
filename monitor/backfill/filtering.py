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

from db.records import Fix
from db.records.claims import BackfillPart
from monitor.backfill.archive import FOLDERS, Part
from monitor.backfill.traces import Trace, TraceError, read_trace
from monitor.feeds import NO_AIRCRAFT
from monitor.flights.places import Grid, grid_of, places_of
from monitor.flights.selection import STORED_WITHIN_NM
from monitor.flights.tracks.identity import Aircraft, Classes
from monitor.sites import Site
from monitor.sites.geodesy import Floats

SLOT_S = 300
"""A slot of the archive is played as one poll; good answers further apart than this would leave holes."""
BROKEN = "not a trace"
"""A file that cannot be read: whoever flew there was not seen."""
GONE = "folder missing"
_GAPS = "(missing)"
CLOSE_NM = 10.0
THIN_S = 20.0
"""Farther than `CLOSE_NM` from every site one report in so many seconds is enough."""
_PACKED = tuple(each.name for each in fields(Fix) if each.name not in {"provider", "received_at", "poll_id"})
_AT = _PACKED.index("at")


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What to keep of an archive: reports near these sites, and those of watched classes anywhere."""

    provider: str
    sites: tuple[Site, ...]
    classes: Classes

    def read_part(self, part: Part, day: date, now: datetime) -> BackfillPart:
        """Read one part; a file that is no trace is counted, not kept."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        day_s = (begin.timestamp(), (begin + timedelta(days=1)).timestamp())
        places = places_of(self.sites)
        grids = grid_of(places, STORED_WITHIN_NM), grid_of(places, CLOSE_NM)
        found = _Found()
        with _uncollected():
            for name, body in part.read():
                try:
                    trace = read_trace(body, name, day_s)
                except TraceError:
                    found.rejected[BROKEN] += 1
                    continue
                found.aircraft += 1
                if trace.is_no_aircraft:
                    found.rejected[NO_AIRCRAFT] += 1
                    continue
                found.rejected.update(trace.rejected)
                self._take(trace, grids, day_s[0], found, now)
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
            body=pack_fixes(found.fixes),
            read_at=now,
        )

    def _take(
        self, trace: Trace, grids: tuple[Grid, Grid], begin_s: float, found: "_Found", now: datetime
    ) -> None:
        if not len(trace.at_s):
            return
        slots = ((trace.at_s - begin_s) // SLOT_S).astype(np.int64)
        found.heard.update(np.unique(slots).tolist())
        wide, narrow = grids
        near, close = np.zeros((2, len(slots)), dtype=np.bool_)
        report, place = wide.near(trace.lat, trace.lon)
        near[report] = True
        close[narrow.near(trace.lat, trace.lon)[0]] = True
        for number in np.unique(place).tolist():
            found.nearby[wide.places[number].id].update(np.unique(slots[report[place == number]]).tolist())
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


def gaps_of_folders(provider: str, day: date, folders: int, now: datetime) -> BackfillPart:
    """The part of a day that is not there, counted by its folders."""
    return BackfillPart(provider, day.isoformat(), _GAPS, 0, 0, {}, {}, {GONE: folders}, pack_fixes([]), now)


@dataclass(frozen=True, slots=True)
class Damage:
    """What of a day could not be read: broken files, of how many, and folders that are not there."""

    broken_files: int
    files: int
    missing_folders: int

    @property
    def share(self) -> float:
        """The share of the archive that was read: as much of the sky, for addresses say nothing of places."""
        files = 1 - self.broken_files / self.files if self.files else 1.0
        return files * (1 - self.missing_folders / FOLDERS)


def damage_of_parts(read: Sequence[BackfillPart]) -> Damage:
    """Add up the damage of a day's parts."""
    broken = sum(part.rejected.get(BROKEN, 0) for part in read)
    aircraft = sum(part.aircraft for part in read)
    return Damage(broken, broken + aircraft, sum(part.rejected.get(GONE, 0) for part in read))


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


def _thinned(at_s: Floats) -> NDArray[np.bool_]:
    """Mark one report in each `THIN_S`, the first."""
    bins = (at_s // THIN_S).astype(np.int64)
    first = np.ones(len(bins), dtype=bool)
    first[1:] = bins[1:] != bins[:-1]
    return first


def pack_fixes(fixes: Sequence[Fix]) -> bytes:
    """Pack reports for the database, until their day is played."""
    rows = [[_plain(getattr(fix, name)) for name in _PACKED] for fix in fixes]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), level=6)


def unpack_fixes(part: BackfillPart) -> list[Fix]:
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
