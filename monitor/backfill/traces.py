"""One `trace_full_*.json` of readsb's globe_history made into position reports (readsb README-json, "trace jsons").

A row is `[seconds after timestamp, lat, lon, altitude ft | "ground" | null, gs, track, flags, vertical rate,
details | null, source, alt_geom, geom_rate, ias, roll]`; fields from the source on are there since 2022. Of the
flags, 8 says that the altitude is geometric; "stale" (1) and "new leg" (2) are readsb's own opinions and are not used.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from db.records import Fix
from monitor.feeds import FeedError
from monitor.feeds.claims import matching_text
from monitor.feeds.parsing import (
    CALLSIGN_PATTERN,
    REGISTRATION_PATTERN,
    TYPE_PATTERN,
    json_integer,
    json_number,
    parse_json,
)
from monitor.flights.tracks.surface import NO_TRANSPONDER, NOBODY, is_surface
from monitor.sites.geodesy import Floats

_GZIP = b"\x1f\x8b"
_LARGEST = 256 * 1024 * 1024
_HEX = re.compile(r"~?[0-9a-f]{6}")
_SOURCE = re.compile(r"[a-z0-9_]{1,16}")
_ROW, _DETAILS, _TYPE_AT, _GEOM_AT = 8, 8, 9, 10
_GEOMETRIC = 8
_ADSB = ("adsb", "adsr")
_NUMBERS = {float, int}
_LONGEST_S = 1e7
_BOUNDS = np.array([_LONGEST_S, 90.0, 180.0])


class TraceError(Exception):
    """A file is no trace; the text says why."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One aircraft's day: rows in the order of time, and their times and positions as columns (s since 1970, °)."""

    icao24: str
    registration: str
    type_code: str
    db_flags: int
    rows: Sequence[Sequence[Any]]
    at_s: Floats
    lat: Floats
    lon: Floats
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_no_aircraft(self) -> bool:
        """Whether it is the trace of a vehicle, a mast, or of an address that is nobody's."""
        if self.icao24.removeprefix("~") in NOBODY or is_surface(type_code=self.type_code):
            return True
        own = (row[_TYPE_AT] for row in self.rows if len(row) > _TYPE_AT)
        details = (row[_DETAILS] for row in self.rows if _has_details(row))
        return NO_TRANSPONDER in {each for each in own if isinstance(each, str)} or any(
            is_surface(source=each.get("type"), category=each.get("category")) for each in details
        )

    @property
    def callsigns(self) -> frozenset[str]:
        """Every callsign that it used."""
        # Few texts in many rows: each is looked at once.
        found = {row[_DETAILS].get("flight") for row in self.rows if _has_details(row)}
        said = (
            matching_text({"flight": text}, "flight", CALLSIGN_PATTERN)
            for text in found
            if isinstance(text, str)
        )
        return frozenset(said) - {""}

    def fixes(self, provider: str, received_at: datetime, wanted: Iterable[int]) -> Iterator[Fix]:
        """Make reports of the rows with these indexes, which must rise; a callsign holds until another comes."""
        callsign, source, seen = "", "", 0
        for index in wanted:
            for row in self.rows[seen : index + 1]:
                callsign, source = _callsign(row) or callsign, _source(row) or source
            seen = index + 1
            yield self._fix(provider, received_at, index, callsign, source)

    def _fix(self, provider: str, received_at: datetime, index: int, callsign: str, source: str) -> Fix:
        row = self.rows[index]
        details = row[_DETAILS] if _has_details(row) else {}
        ground = row[3] == "ground"
        altitude = json_number(row[3], -2_000, 150_000)
        geometric = bool((json_integer(row[6], 0, 255) or 0) & _GEOMETRIC)
        alt_geom = json_number(row[_GEOM_AT], -2_000, 150_000) if len(row) > _GEOM_AT else None
        adsb = source.startswith(_ADSB)
        return Fix(
            provider=provider,
            icao24=self.icao24,
            at=datetime.fromtimestamp(0, UTC) + timedelta(seconds=float(self.at_s[index])),
            received_at=received_at,
            lat=float(self.lat[index]),
            lon=float(self.lon[index]),
            on_ground=True if ground else None if altitude is None else False,
            altitude_ft=None if geometric else altitude,
            altitude_geom_ft=altitude if geometric else alt_geom,
            ground_speed_kt=json_number(row[4], 0, 3_000),
            # On the ground this column is the heading, which is not where the aircraft moves to.
            track_deg=None if ground else json_number(row[5], 0, 360),
            vertical_rate_fpm=json_number(row[7], -50_000, 50_000),
            source=source,
            # Details are written now and then; what they say of integrity holds for their own row.
            nic=json_integer(details.get("nic"), 0, 11) if adsb else None,
            nac_p=json_integer(details.get("nac_p"), 0, 11) if adsb else None,
            callsign=callsign,
            registration=self.registration,
            type_code=self.type_code,
            db_flags=self.db_flags,
        )


def read_trace(body: bytes, name: str, day_s: tuple[float, float]) -> Trace:
    """Read a file, gzipped or not whatever its name says, as far as it lies within the day; raises TraceError."""
    try:
        document = parse_json(_unpacked(body), name)
    except FeedError:
        raise TraceError(f"{name}: it cannot be read as JSON.") from None
    if not isinstance(document, dict):
        raise TraceError(f"{name}: it is no object.")
    icao24 = document.get("icao")
    base = json_number(document.get("timestamp"), 1, 1e11)
    rows = document.get("trace")
    if (
        not isinstance(icao24, str)
        or not _HEX.fullmatch(icao24.lower())
        or base is None
        or not isinstance(rows, list)
    ):
        raise TraceError(f"{name}: it lacks icao, timestamp or trace.")
    rejected: Counter[str] = Counter()
    kept, columns = _columns(rows, base, day_s, rejected)
    return Trace(
        icao24.lower(),
        matching_text(document, "r", REGISTRATION_PATTERN),
        matching_text(document, "t", TYPE_PATTERN),
        json_integer(document.get("dbFlags"), 0, 255) or 0,
        kept,
        columns[:, 0],
        columns[:, 1],
        columns[:, 2],
        rejected,
    )


def _columns(
    rows: Sequence[Any], base: float, day_s: tuple[float, float], rejected: Counter[str]
) -> tuple[list[Sequence[Any]], Floats]:
    """Give the usable rows in the order of time, one for each moment, and their (time, lat, lon)."""
    shaped = [row for row in rows if isinstance(row, list) and len(row) >= _ROW]
    rejected["not a row"] += len(rows) - len(shaped)
    table = _table(shaped)
    table[:, 0] += base
    placed = ~np.isnan(table).any(axis=1)
    rejected["no position"] += int((~placed).sum())
    inside = placed & (table[:, 0] >= day_s[0]) & (table[:, 0] < day_s[1])
    rejected["outside the day"] += int((placed & ~inside).sum())
    chosen = np.flatnonzero(inside)
    # Negative offsets occur, and so do two rows for one moment: the first stands.
    _, first = np.unique(np.round(table[chosen, 0], 3), return_index=True)
    rejected["the same moment twice"] += len(chosen) - len(first)
    order = chosen[first]
    return [shaped[index] for index in order], table[order]


def _table(rows: Sequence[Sequence[Any]]) -> Floats:
    """The times, latitudes and longitudes of rows; columns of plain numbers are taken over at once."""
    columns = list(zip(*(row[:3] for row in rows), strict=True))
    if any(not set(map(type, column)) <= _NUMBERS for column in columns):
        return np.array([_place(row) for row in rows], dtype=np.float64).reshape(-1, 3)
    try:
        table = np.array(columns, dtype=np.float64).T.reshape(-1, 3)
    except OverflowError:
        return np.array([_place(row) for row in rows], dtype=np.float64).reshape(-1, 3)
    wrong = (np.abs(table) > _BOUNDS).any(axis=1)
    table[wrong] = np.nan
    return table


def _place(row: Sequence[Any]) -> tuple[float, float, float]:
    """The time, latitude and longitude of a row; not a number where one cannot be."""
    found = (
        json_number(row[0], -_LONGEST_S, _LONGEST_S),
        json_number(row[1], -90, 90),
        json_number(row[2], -180, 180),
    )
    return found if None not in found else (np.nan, np.nan, np.nan)  # type: ignore[return-value]


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body
    try:
        # Bounded, as a small file can unpack to an endless one.
        unpack = zlib.decompressobj(wbits=31)
        text = unpack.decompress(body, _LARGEST)
        if not unpack.eof and not unpack.unconsumed_tail:
            raise TraceError("it is cut short")
    except (zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"it is broken gzip ({error})") from None
    if unpack.unconsumed_tail:
        raise TraceError(f"it unpacks to more than {_LARGEST} bytes")
    return text


def _has_details(row: Sequence[Any]) -> bool:
    return len(row) > _DETAILS and isinstance(row[_DETAILS], dict)


def _callsign(row: Sequence[Any]) -> str:
    return matching_text(row[_DETAILS], "flight", CALLSIGN_PATTERN) if _has_details(row) else ""


def _source(row: Sequence[Any]) -> str:
    """The source of a row: its own, or that of its details in files from before 2022."""
    said = row[_TYPE_AT] if len(row) > _TYPE_AT else None
    if said is None and _has_details(row):
        said = row[_DETAILS].get("type")
    return said if isinstance(said, str) and _SOURCE.fullmatch(said) else ""
