"""Reading rows of text out of a CSV or GeoJSON file, with caps; what the cells mean is for others."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

from monitor.imports.columns import (
    FEATURE_ALIASES,
    FEATURE_EXTRAS,
    ID_COLUMN,
    IMPORT_COLUMNS,
    NUMERIC_COLUMNS,
    OWN_PREFIX,
    REQUIRED_COLUMNS,
    header_faults,
    missing_faults,
)
from monitor.imports.faults import ImportFault, UnreadableFile, unreadable
from monitor.sites.faults import printable_value

MAX_CSV_BYTES = 256 * 2**20
MAX_GEOJSON_BYTES = 32 * 2**20
MAX_ROWS = 1_000_000
CSV_DELIMITERS = (",", ";", "\t")
GEOJSON_SUFFIXES = (".geojson", ".json")


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as text by column; `links` are addresses beyond the one in `url`."""

    number: int
    label: str
    cells: Mapping[str, str]
    links: tuple[str, ...] = ()
    faults: tuple[ImportFault, ...] = ()
    source: str = field(default="", repr=False)


Rows = Callable[[], Iterator[RawRow]]
"""Starts reading from the top; may be called again."""


def open_rows(path: Path) -> Rows:
    """Check size and kind, and give what reads the rows; raises UnreadableFile."""
    geojson = path.suffix.lower() in GEOJSON_SUFFIXES
    try:
        size = path.stat().st_size
        if size > (limit := MAX_GEOJSON_BYTES if geojson else MAX_CSV_BYTES):
            raise unreadable(
                f"it has {size / 2**20:.0f} MiB, and the limit is {limit / 2**20:.0f}",
                "Cut it into smaller files; importing them one after the other gives the same",
            )
        if not geojson:
            return lambda: _csv_file_rows(path)
        document = _read_json(path)
    except OSError as error:
        raise unreadable(
            f"{path} cannot be read ({error.strerror})", "Check its name and your rights"
        ) from None
    return lambda: feature_rows(document, path.name)


def _csv_file_rows(path: Path) -> Iterator[RawRow]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv_rows(stream, path.name)


def csv_rows(stream: TextIO, source: str = "", max_rows: int = MAX_ROWS) -> Iterator[RawRow]:
    """Read CSV with a header row; comma, semicolon or tab is told from that row. Raises UnreadableFile."""
    try:
        first = stream.readline()
        if not first.strip():
            raise unreadable(
                "it is empty",
                f"Begin it with a row of column names: {', '.join(REQUIRED_COLUMNS)} and others",
            )
        delimiter = max(CSV_DELIMITERS, key=first.count)
        names = _header(next(csv.reader([first], delimiter=delimiter)))
        for number, cells in enumerate(csv.reader(stream, delimiter=delimiter, strict=True), start=2):
            if any(cell.strip() for cell in cells):
                _check_count(number - 1, max_rows)
                yield _csv_row(number, names, cells, source, decimal_comma=delimiter == ";")
    except UnicodeDecodeError:
        raise unreadable("it is not UTF-8 text", "Save it as “CSV UTF-8” and try again") from None
    except csv.Error as error:
        raise unreadable(f"it is not well-formed CSV ({error})", "Check the quotation marks") from None


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    faults = [*header_faults(names, "row 1"), *missing_faults(names, "row 1")]
    if faults:
        raise UnreadableFile(*faults)
    return names


def _csv_row(number: int, names: list[str], cells: list[str], source: str, *, decimal_comma: bool) -> RawRow:
    label = f"row {number}"
    faults: tuple[ImportFault, ...] = ()
    if len(cells) != len(names):
        problem = f"it has {len(cells)} cells, and the header has {len(names)}"
        mend = "Put a cell that holds the delimiter into quotation marks, and keep empty cells"
        faults = (ImportFault(label, "", problem, mend),)
    known = {
        name: cell for name, cell in zip(names, cells, strict=False) if name in (*IMPORT_COLUMNS, ID_COLUMN)
    }
    if decimal_comma:
        # Spreadsheets that write semicolons between cells write 0,5 for a half.
        known |= {name: known[name].replace(",", ".") for name in NUMERIC_COLUMNS if name in known}
    return RawRow(number, label, known, faults=faults, source=source)


def _check_count(rows: int, max_rows: int) -> None:
    if rows > max_rows:
        raise unreadable(f"it has more than {max_rows:,} rows", "Cut it into smaller files")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise unreadable(f"it is not usable JSON ({reason})", "Export it again as GeoJSON in UTF-8") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def feature_rows(document: Any, source: str = "", max_rows: int = MAX_ROWS) -> Iterator[RawRow]:
    """Read a FeatureCollection whose properties are the columns, or a detection pipeline's counts."""
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        mend = 'Wrap the features in {"type": "FeatureCollection", "features": […]}'
        raise unreadable("it is not a GeoJSON FeatureCollection", mend)
    for number, feature in enumerate(features, start=1):
        _check_count(number, max_rows)
        yield _feature_row(number, feature if isinstance(feature, dict) else {}, source)


def _feature_row(number: int, feature: dict[str, Any], source: str) -> RawRow:
    identity = _text(feature.get(ID_COLUMN))
    label = f"feature {printable_value(identity)}" if identity else f"feature {number}"
    properties: dict[str, Any] | None = feature.get("properties")
    if not isinstance(properties, dict):
        fault = ImportFault(label, "", "it has no properties", "Give each Feature an object of properties")
        return RawRow(number, label, {}, faults=(fault,), source=source)
    faults = list(_property_faults(properties, label))
    cells: dict[str, str] = {}
    for name, value in properties.items():
        column = FEATURE_ALIASES.get(name, name)
        if cells.get(column) and _text(value):
            mend = "Keep one of them, or leave one empty"
            faults.append(ImportFault(label, name, f"two properties of this feature mean {column}", mend))
        cells[column] = cells.get(column) or _text(value)
    cells[ID_COLUMN] = cells.get(ID_COLUMN) or identity
    links = _links(properties.get("evidence"))
    if links and not cells.get("url"):
        cells["url"] = links.pop(0)
    return RawRow(number, label, cells, tuple(links), tuple(faults), source)


def _property_faults(properties: dict[str, Any], label: str) -> Iterator[ImportFault]:
    yield from header_faults(
        properties, label, (*IMPORT_COLUMNS, ID_COLUMN, *FEATURE_ALIASES, *FEATURE_EXTRAS)
    )
    for name, value in properties.items():
        if isinstance(value, dict | list) and name != "evidence" and not name.startswith(OWN_PREFIX):
            yield ImportFault(
                label, name, f"{printable_value(value)} is not a single value", "Write a text or a number"
            )
    if properties.get("supersedes"):
        mend = "Leave it out; a correction keeps the id of what it corrects"
        yield ImportFault(label, "supersedes", "other features cannot be replaced by name", mend)


def _links(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str) and each.strip()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else repr(value)
