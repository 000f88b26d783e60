"""Reading rows of text out of a CSV or GeoJSON file, with caps; what the cells mean is for others."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self, TextIO

from monitor.imports.columns import (
    FEATURE_ALIASES,
    FEATURE_EXTRAS,
    FORMULA_STARTS,
    ID_COLUMN,
    OWN_PREFIX,
    REQUIRED_COLUMNS,
    header_faults,
    known_columns,
    missing_faults,
)
from monitor.imports.faults import ImportFault, UnreadableFile, unreadable
from monitor.imports.formats import SNIFFED_BYTES, check_beginning, is_lines_of_json, lines_of_json
from monitor.imports.numbers import is_ambiguous, plain_digits
from monitor.imports.quotation import Lines, ill_formed, swallowed
from monitor.sites.document import page_words
from monitor.sites.faults import printable_value

MAX_CSV_BYTES = 256 * 2**20
MAX_GEOJSON_BYTES = 32 * 2**20
MAX_ROWS = 1_000_000
CSV_DELIMITERS = (",", ";", "\t", "|")
GEOJSON_SUFFIXES = (".geojson", ".json")
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?\r?\n?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as text by column; `links` are addresses beyond the one in `url`."""

    number: int
    label: str
    cells: Mapping[str, str]
    links: tuple[str, ...] = ()
    faults: tuple[ImportFault, ...] = ()
    source: str = field(default="", repr=False)
    decimal_comma: bool = False
    """Whether a comma may stand before decimals."""
    exported: bool = False
    """Whether `sitewatch history` wrote it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Starts reading from the top when called, as often as it is; `notices` are sentences about the file as a whole."""

    start: Callable[[], Iterator[RawRow]]
    notices: Sequence[str] = ()
    """Known in full once the file was read to its end."""

    def __call__(self) -> Iterator[RawRow]:
        """Read from the top."""
        return self.start()


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
        with path.open("rb") as stream:
            check_beginning(stream.read(SNIFFED_BYTES), geojson=geojson)
        if not geojson:
            return Rows(lambda: _csv_file_rows(path))
        document = _read_json(path)
    except OSError as error:
        raise unreadable(
            f"{path} cannot be read ({error.strerror})", "Check its name and your rights"
        ) from None
    return Rows(lambda: feature_rows(document, path.name), tuple(page_words(document)))


def _csv_file_rows(path: Path) -> Iterator[RawRow]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv_rows(stream, path.name)


def csv_rows(stream: TextIO, source: str = "", max_rows: int = MAX_ROWS) -> Iterator[RawRow]:
    """Read CSV with a header row; its delimiter (a comma, semicolon, tab or pipe) is told from that row.

    Raises UnreadableFile.
    """
    lines = Lines(stream)
    try:
        names, delimiter = _header(lines)
        lines.record.clear()
        read = partial(table_row, names=names, source=source, decimal_comma=delimiter == ";")
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), start=2):
            if begins := swallowed(lines, names, delimiter):
                raise ill_formed(begins, "rows of the table stand inside it")
            lines.record.clear()
            if any(cell.strip() for cell in cells):
                _check_count(number - 1, max_rows)
                yield read(number, cells)
    except UnicodeDecodeError:
        raise unreadable("it is not UTF-8 text", "Save it as “CSV UTF-8” and try again") from None
    except csv.Error as error:
        raise ill_formed(lines.quotation_begins() or lines.number, str(error)) from None


def _header(lines: Lines) -> tuple[list[str], str]:
    """The names of the columns, and the delimiter that they show or that a line `sep=;` before them states."""
    first = next(lines, "")
    stated = _SEPARATOR_LINE.fullmatch(first)
    if stated:
        first = next(lines, "")
    if not first.strip():
        raise unreadable(
            "it is empty", f"Begin it with a row of column names: {', '.join(REQUIRED_COLUMNS)} and others"
        )
    delimiter = stated[1] if stated else max(CSV_DELIMITERS, key=first.count)
    names = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter, strict=True))]
    while names and not names[-1]:
        names.pop()
    if len(names) == 1 and REQUIRED_COLUMNS[1] in names[0]:
        raise unreadable(
            "no delimiter that is understood stands between its columns",
            "Separate the columns by commas, semicolons, tabs or pipes (|)",
        )
    check_header(names)
    return names, delimiter


def check_header(names: Sequence[str]) -> None:
    """Raise UnreadableFile where the names of the columns are not those of an import."""
    faults = [*header_faults(names, "row 1", known_columns(names)), *missing_faults(names, "row 1")]
    if faults:
        raise UnreadableFile(*faults)


def table_row(
    number: int, cells: Sequence[str], names: Sequence[str], source: str, *, decimal_comma: bool
) -> RawRow:
    """One row of a table whose columns are those of an import."""
    label = f"row {number}"
    faults: tuple[ImportFault, ...] = ()
    # Delimiters after the last cell hold nothing.
    if len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
        problem = f"it has {len(cells)} cells, and the header has {len(names)}"
        mend = "Put a cell that holds the delimiter into quotation marks, and keep empty cells"
        faults = (ImportFault(label, "", problem, mend),)
    columns = known_columns(names)
    known = {name: cell for name, cell in zip(names, cells, strict=False) if name in columns}
    exported = bool(known.get("look_key"))
    if exported:
        known = {name: unguarded(cell) for name, cell in known.items()}
    return RawRow(
        number, label, known, faults=faults, source=source, decimal_comma=decimal_comma, exported=exported
    )


def unguarded(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from running it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def _check_count(rows: int, max_rows: int) -> None:
    if rows > max_rows:
        raise unreadable(f"it has more than {max_rows:,} rows", "Cut it into smaller files")


class _Repeated(dict[str, Any]):
    """An object in which names stand twice, of which Python keeps the last."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = sorted({name for name in names if names.count(name) > 1})


class _Written(float):
    """A number with decimals that remembers how it was written."""

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeated(pairs)


def _read_json(path: Path) -> Any:
    return exact_json(path.read_bytes())


def exact_json(data: bytes) -> Any:
    """JSON in which numbers stay as they were written; raises UnreadableFile."""
    text = ""
    try:
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse, parse_float=_Written, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise unreadable("it is not UTF-8 text", "Export it again as GeoJSON in UTF-8") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, json.JSONDecodeError) and is_lines_of_json(text):
            raise lines_of_json() from None
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
    around = {name: value for name, value in document.items() if name != "features"}
    twice = [*getattr(document, "twice", ()), *_twice_within(around)]
    if twice:
        raise unreadable(f"{twice[0]} stands there twice", "Keep one of them")
    for number, feature in enumerate(features, start=1):
        _check_count(number, max_rows)
        yield _feature_row(number, feature if isinstance(feature, dict) else {}, source)


def object_rows(objects: Any, source: str, max_rows: int = MAX_ROWS) -> Iterator[RawRow]:
    """Read a list of JSON objects whose keys are the columns; raises UnreadableFile."""
    if not isinstance(objects, list):
        raise unreadable("it is not a list of observations", 'Send {"observations": [{…}, …]}')
    for number, each in enumerate(objects, start=1):
        _check_count(number, max_rows)
        row = _feature_row(number, {"properties": each}, source, what="row")
        yield row if row.faults else replace(row, faults=tuple(missing_faults(row.cells, row.label)))


def _feature_row(number: int, feature: dict[str, Any], source: str, what: str = "feature") -> RawRow:
    identity = _text(feature.get(ID_COLUMN))
    label = f"{what} {printable_value(identity)}" if identity else f"{what} {number}"
    properties: dict[str, Any] | None = feature.get("properties")
    if not isinstance(properties, dict):
        fault = ImportFault(label, "", "it has no properties", "Give each Feature an object of properties")
        return RawRow(number, label, {}, faults=(fault,), source=source)
    faults = list(_property_faults(properties, label))
    faults += (
        ImportFault(label, path, "this name stands there twice", "Keep one of them")
        for path in _twice_within(feature)
    )
    cells: dict[str, str] = {}
    ranged = all(_text(properties.get(name)) for name in ("start_datetime", "end_datetime"))
    for name, value in properties.items():
        if name == "datetime" and ranged and not _text(properties.get("start")):
            # STAC: beside a range, this is only its nominal time.
            continue
        column = FEATURE_ALIASES.get(name, name)
        if cells.get(column) and _text(value):
            mend = "Keep one of them, or leave one empty"
            faults.append(ImportFault(label, name, f"two properties of this feature mean {column}", mend))
        cells[column] = cells.get(column) or _text(value)
    cells[ID_COLUMN] = cells.get(ID_COLUMN) or identity
    links = _links(properties.get("evidence"))
    if links and not cells.get("url"):
        cells["url"] = links.pop(0)
    exported = bool("record" in properties and cells.get("look_key"))
    return RawRow(number, label, cells, tuple(links), tuple(faults), source, exported=exported)


def _property_faults(properties: dict[str, Any], label: str) -> Iterator[ImportFault]:
    yield from header_faults(
        properties, label, (*known_columns(properties), *FEATURE_ALIASES, *FEATURE_EXTRAS)
    )
    for name, value in properties.items():
        if isinstance(value, dict | list) and name != "evidence" and not name.startswith(OWN_PREFIX):
            yield ImportFault(
                label, name, f"{printable_value(value)} is not a single value", "Write a text or a number"
            )
    if properties.get("supersedes"):
        mend = "Leave it out; a correction keeps the id of what it corrects"
        yield ImportFault(label, "supersedes", "other features cannot be replaced by name", mend)


def _twice_within(value: Any) -> Iterator[str]:
    """The paths of names that stand twice, but for the coordinates, which are not read."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, each = waiting.pop()
        if isinstance(each, dict):
            yield from (f"{path}{name}" for name in getattr(each, "twice", ()))
            # A property is named as a column is, without the object around it.
            waiting += [
                ("" if name == "properties" else f"{path}{name}.", it)
                for name, it in each.items()
                if name != "coordinates"
            ]
        elif isinstance(each, list):
            waiting += [(path, it) for it in each]


def _links(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str) and each.strip()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, _Written) and is_ambiguous(value.text) and value.text.endswith("0"):
        # No program writes 1.000 for 1, and in JSON as elsewhere a person may mean a thousand.
        return value.text
    return value if isinstance(value, str) else plain_digits(value)
