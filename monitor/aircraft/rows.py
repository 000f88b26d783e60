"""One row of each known kind of aircraft database made into a record, or refused. Owners are never taken over."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from db.records.claims import KnownAircraft
from monitor.feeds.parsing import ICAO24, OPERATOR_PATTERN, REGISTRATION_PATTERN

_TYPE = re.compile(r"[A-Z0-9]{2,4}")
_FLAGS = re.compile(r"[01]{1,16}")
_KNOWN_FLAGS = 4
_TAR1090_FIELDS = 4
_LIST_FIELDS = 2


def from_tar1090(fields: Sequence[str]) -> KnownAircraft | None:
    """Read `icao;registration;type;flags;description;year;operator;` (tar1090-db; no header)."""
    if len(fields) < _TAR1090_FIELDS:
        return None
    return _record(fields[0], fields[1], fields[2], flags=_flags(fields[3]))


def from_opensky(row: Mapping[str, str | None]) -> KnownAircraft | None:
    """Read a row of OpenSky's aircraft CSV by the names of its columns, in lower case."""
    said = {name: row.get(name) or "" for name in ("icao24", "registration", "typecode", "operatoricao")}
    return _record(said["icao24"], said["registration"], said["typecode"], said["operatoricao"])


def from_icao24plus(fields: Sequence[str]) -> KnownAircraft | None:
    """Read `icao<tab>registration<tab>type<tab>…` (Mictronics, for adsbSCOPE)."""
    return _record(*fields[:3]) if len(fields) > _LIST_FIELDS else None


def from_member(name: str, prefix: str, value: Any) -> Iterator[KnownAircraft | None]:
    """Read one member of a Mictronics JSON object: `"15521F": ["RA-86559", "IL62", "10"]` or `{"r", "t", "f"}`.

    In the database for dump1090 a file is named after the first digits (`prefix`) and members after the rest.
    """
    if name == "children":
        return
    address = name if ICAO24.fullmatch(name.lower()) else prefix + name
    if isinstance(value, list) and len(value) >= _LIST_FIELDS:
        yield _record(
            address, value[0], value[1], flags=_flags(value[2] if len(value) > _LIST_FIELDS else "")
        )
    elif isinstance(value, dict):
        yield _record(address, value.get("r"), value.get("t"), flags=_flags(value.get("f", "")))
    else:
        yield None


def _record(
    icao24: object, registration: object, type_code: object, operator: object = "", *, flags: int = 0
) -> KnownAircraft | None:
    """Give the record; None without a valid address, or where nothing is said of it."""
    address = icao24.strip().lower() if isinstance(icao24, str) else ""
    if not ICAO24.fullmatch(address):
        return None
    found = KnownAircraft(
        address,
        _text(registration, REGISTRATION_PATTERN),
        _text(type_code, _TYPE),
        _text(operator, OPERATOR_PATTERN),
        flags,
    )
    return None if found == KnownAircraft(address) else found


def _text(value: object, pattern: re.Pattern[str]) -> str:
    text = value.strip().upper() if isinstance(value, str) else ""
    return text if pattern.fullmatch(text) else ""


def _flags(value: object) -> int:
    """Read flags written as 0/1 text of varying length, the first sign being military, then interesting, PIA, LADD."""
    if not isinstance(value, str) or not _FLAGS.fullmatch(value):
        return 0
    return sum(1 << bit for bit, sign in enumerate(value[:_KNOWN_FLAGS]) if sign == "1")
