"""Tables of position reports: a CSV file, or a JSON list of records, made into reports whatever its columns are called.

What a column holds is told by its name: a unit at the end of a name counts ("Altitude (m)", `speed_kmh`). A table with
OpenSky's names (`baroaltitude`, `velocity`) is in metres and metres per second; any other in feet, knots and feet per minute.
"""

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from db.records import Fix
from monitor.errors import InputError
from monitor.feeds.parsing import CALLSIGN_PATTERN, REGISTRATION_PATTERN, TYPE_PATTERN
from monitor.flights.tracks.surface import NOBODY, OPENSKY_SURFACE_CATEGORIES, is_surface
from monitor.sites.geodesy import FULL_TURN_DEG, HALF_TURN_DEG, POLE_DEG, wrap_longitude

_NAMES: Mapping[str, Sequence[str]] = {
    "time": ("time", "timestamp", "datetime", "date_time", "utc", "at", "seen_at", "position_time", "time_position"),
    "address": ("address", "icao24", "icao", "hex", "hexid", "hex_ident", "icao_address", "icao_24", "mode_s", "modes"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
    "altitude": ("altitude", "alt", "alt_baro", "baro_alt", "barometric_altitude", "baro_altitude", "baroaltitude"),
    "geometric altitude": ("alt_geom", "geoaltitude", "geo_altitude", "geometric_altitude", "altitude_geom"),
    "speed": ("speed", "gs", "ground_speed", "groundspeed", "gspeed", "velocity"),
    "track": ("track", "heading", "course", "true_track", "direction", "trak", "track_angle"),
    "vertical rate": ("vertical_rate", "vrate", "baro_rate", "vspeed", "vertical_speed", "climb", "rocd", "vertrate"),
    "on ground": ("on_ground", "onground", "is_on_ground", "ground", "isonground", "surface"),
    "callsign": ("callsign", "flight", "ident", "flight_number"),
    "registration": ("registration", "reg", "tail", "tail_number"),
    "type": ("type_code", "typecode", "aircraft_type", "icao_type", "actype"),
    "category": ("category", "emitter_category", "aircraft_category"),
}  # fmt: skip
_NEEDED = ("time", "address", "latitude", "longitude")
_OPENSKY = {
    "baroaltitude": "m",
    "baro_altitude": "m",
    "geoaltitude": "m",
    "geo_altitude": "m",
    "velocity": "m/s",
    "vertrate": "m/s",
    "vertical_rate": "m/s",
}
_OPENSKYS_OWN = frozenset({"baroaltitude", "baro_altitude", "velocity", "vertrate"})
_SUFFIXES = {
    "ft": "ft", "feet": "ft", "m": "m", "metres": "m", "meters": "m", "km": "km",
    "kt": "kt", "kts": "kt", "knots": "kt", "m_s": "m/s", "ms": "m/s", "mps": "m/s",
    "km_h": "km/h", "kmh": "km/h", "kph": "km/h", "mph": "mph",
    "fpm": "ft/min", "ft_min": "ft/min", "feet_min": "ft/min",
    "deg": "°", "degrees": "°", "utc": "UTC", "s": "s", "unix": "s", "epoch": "s",
}  # fmt: skip
_DEFAULT = {"altitude": "ft", "geometric altitude": "ft", "speed": "kt", "vertical rate": "ft/min"}
_FEET, _KNOTS, _FEET_PER_MINUTE = {"ft": 1.0, "m": 1 / 0.3048, "km": 1000 / 0.3048}, {
    "kt": 1.0, "m/s": 3600 / 1852, "km/h": 1 / 1.852, "mph": 1609.344 / 1852,
}, {"ft/min": 1.0, "m/s": 60 / 0.3048}  # fmt: skip
_FACTORS: Mapping[str, Mapping[str, float]] = {
    "altitude": _FEET,
    "geometric altitude": _FEET,
    "speed": _KNOTS,
    "vertical rate": _FEET_PER_MINUTE,
}
_BOUNDS = {
    "altitude": (-2_000.0, 150_000.0),
    "geometric altitude": (-2_000.0, 150_000.0),
    "speed": (0.0, 3_000.0),
    "track": (-HALF_TURN_DEG, FULL_TURN_DEG),
    "vertical rate": (-50_000.0, 50_000.0),
}
_UNKNOWN = frozenset({"", "nan", "null", "none", "na", "n/a", "nat", "-"})
_YES, _NO = frozenset({"true", "t", "1", "1.0", "yes"}), frozenset({"false", "f", "0", "0.0", "no"})
_HEX = re.compile(r"(~?)([0-9a-f]{1,6})")
_FIRST_LINES = 3
_LATEST_S = 4e9
"""A number beyond it counts thousandths of a second, or millionths, and so on."""


class _BadRowError(Exception):
    """One row cannot be read; the text says why."""


@dataclass(slots=True)
class Faults:
    """The rows that were left out: how many for which reason, and the first lines of each."""

    number: Counter[str] = field(default_factory=Counter)
    _first: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, where: str) -> None:
        """Count one row that was left out."""
        self.number[reason] += 1
        if len(self._first[reason]) < _FIRST_LINES:
            self._first[reason].append(where)

    def sentences(self) -> Iterator[str]:
        """Tell of each reason how much it cost, and where the first of it stands."""
        for reason, number in self.number.most_common():
            more = ", …" if number > _FIRST_LINES else ""
            yield f"Left out, {number:,} times: {reason} ({'; '.join(self._first[reason])}{more})."


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Which column holds what, and in which unit."""

    names: Mapping[str, str]
    """The table's own name of each column, by what it holds."""
    units: Mapping[str, str]

    def __str__(self) -> str:
        told = [
            f"{what} from “{name}”" + (f" in {self.units[what]}" if what in self.units else "")
            for what, name in self.names.items()
        ]
        return ", ".join(told)


def columns_of(titles: Sequence[str], where: str) -> TableColumns:
    """Tell from their titles which column holds what; raises InputError that names what is missing and what there is."""
    names: dict[str, str] = {}
    units = dict(_DEFAULT)
    plain = {title: _plain(title) for title in titles}
    metric = not _OPENSKYS_OWN.isdisjoint(name for name, _ in plain.values())
    for what, known in _NAMES.items():
        # Of two columns for one thing the name that stands earlier in the list is meant.
        ranked = [(known.index(name), title, unit) for title, (name, unit) in plain.items() if name in known]
        if not ranked:
            continue
        _, names[what], unit = min(ranked)
        if what in _FACTORS:
            own = _OPENSKY.get(plain[names[what]][0]) if metric else None
            units[what] = unit or own or units[what]
            if units[what] not in _FACTORS[what]:
                raise InputError(
                    f"{where}: the column “{names[what]}” is in {units[what]}, which is no unit of {what} that is known. "
                    f"Known are {', '.join(_FACTORS[what])}."
                )
    if missing := [what for what in _NEEDED if what not in names]:
        expected = "; ".join(f"{what} ({', '.join(_NAMES[what][:5])})" for what in missing)
        raise InputError(
            f"{where} has no column for {expected}. Its columns are {', '.join(titles) or 'none at all'}."
        )
    return TableColumns(names, {what: unit for what, unit in units.items() if what in names})


def track_rows(text: Iterable[str], where: str) -> tuple[list[str], Iterator[tuple[int, Mapping[str, Any]]]]:
    """Read the titles of a CSV table with commas, semicolons or tabs, and its rows with the numbers of their lines."""
    lines = iter(text)
    head = next(lines, "")
    mark = max(",;\t|", key=head.count)
    titles = next(csv.reader([head], delimiter=mark), [])
    if len(titles) < len(_NEEDED):
        raise InputError(
            f"{where}: its first line is no row of titles between commas, semicolons or tabs. Expected is a table with "
            "time, address, latitude, longitude, altitude, speed, track and on_ground."
        )
    reader = csv.reader(lines, delimiter=mark)
    # The first line was read already.
    return titles, ((1 + reader.line_num, dict(zip(titles, row, strict=False))) for row in reader if row)


def table_fixes(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    columns: TableColumns,
    where: str,
    faults: Faults,
    *,
    line: str = "line",
) -> Iterator[Fix]:
    """Make a report of each row that can be read; of every other one the reason and the line go to `faults`."""
    for number, row in rows:
        try:
            yield _fix({what: row.get(name) for what, name in columns.names.items()}, columns.units)
        except _BadRowError as reason:
            faults.add(str(reason), f"{where}, {line} {number}")


def _fix(row: Mapping[str, Any], units: Mapping[str, str]) -> Fix:
    text = {what: _text(value) for what, value in row.items()}
    at = _instant(text["time"])
    if _is_no_aircraft(text.get("type", ""), text.get("category", "")):
        raise _BadRowError("it is no aircraft: a vehicle, a mast or another sender on the surface")
    grounded = text.get("altitude", "").lower() in ("ground", "grnd")
    number = {
        what: None if what == "altitude" and grounded else _number(text.get(what, ""), what, units.get(what))
        for what in _BOUNDS
    }
    track = number["track"]
    return Fix(
        "recording",
        _address(text["address"]),
        at,
        at,
        _degrees(text["latitude"], "latitude", POLE_DEG),
        wrap_longitude(_degrees(text["longitude"], "longitude", FULL_TURN_DEG)),
        on_ground=True if grounded else _truth(text.get("on ground", "")),
        altitude_ft=number["altitude"],
        altitude_geom_ft=number["geometric altitude"],
        ground_speed_kt=number["speed"],
        track_deg=None if track is None else track % FULL_TURN_DEG,
        vertical_rate_fpm=number["vertical rate"],
        source="adsb_icao",
        callsign=_matching(text.get("callsign", ""), CALLSIGN_PATTERN),
        registration=_matching(text.get("registration", ""), REGISTRATION_PATTERN),
        type_code=_matching(text.get("type", ""), TYPE_PATTERN),
    )


def _is_no_aircraft(type_code: str, category: str) -> bool:
    """Whether a row says so: by its type, or its category in letters (DO-260) or in OpenSky's numbers."""
    number = int(category) if category.isdecimal() else None
    return number in OPENSKY_SURFACE_CATEGORIES or is_surface(type_code=type_code, category=category)


def _plain(title: str) -> tuple[str, str]:
    """Give a title in small letters without its unit, and the unit."""
    words = re.sub(r"[^a-z0-9]+", "_", title.strip().lstrip("\ufeff").lower()).strip("_")
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if words.endswith(f"_{suffix}"):
            return words.removesuffix(f"_{suffix}"), _SUFFIXES[suffix]
    return words, ""


def _text(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in _UNKNOWN else text


def _instant(text: str) -> datetime:
    if not text:
        raise _BadRowError("it has no time")
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        while math.isfinite(seconds) and seconds > _LATEST_S:
            seconds /= 1000
        if not 0 < seconds <= _LATEST_S:
            raise _BadRowError("its time is no time since 1970")
        return datetime.fromtimestamp(seconds, UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _BadRowError("its time is neither ISO 8601 nor a number of seconds since 1970") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _address(text: str) -> str:
    found = _HEX.fullmatch(text.lower().removeprefix("0x"))
    if found is None:
        raise _BadRowError("its address is not six hexadecimal digits")
    # Spreadsheets take leading noughts away.
    mark, digits = found[1], found[2].zfill(6)
    if digits in NOBODY:
        raise _BadRowError("its address is nobody's")
    return mark + digits


def _degrees(text: str, what: str, most: float) -> float:
    if not text:
        raise _BadRowError("it has no position")
    value = _float(text, what)
    if not -most <= value <= most:
        raise _BadRowError(f"its {what} lies beyond ±{most:g}°")
    return value


def _number(text: str, what: str, unit: str | None) -> float | None:
    if not text:
        return None
    value = _float(text, what) * (_FACTORS[what][unit] if unit else 1.0)
    low, high = _BOUNDS[what]
    if not low <= value <= high:
        raise _BadRowError(f"its {what} is none that an aircraft has")
    return value


def _float(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _BadRowError(f"its {what} is no number") from None
    if not math.isfinite(value):
        raise _BadRowError(f"its {what} is no number")
    return value


def _truth(text: str) -> bool | None:
    if not text:
        return None
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise _BadRowError("its value for being on the ground is neither true nor false")


def _matching(text: str, pattern: re.Pattern[str]) -> str:
    return text.upper() if pattern.fullmatch(text.upper()) else ""
