"""What a mapping says of somebody else's table: which column is the site, the time, the counts. Read strictly from TOML."""

import codecs
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

from db.spelling import folded
from monitor.errors import InputError
from monitor.imports.columns import IMPORT_COLUMNS
from monitor.imports.faults import BadCell
from monitor.imports.values import zone as zone_named
from monitor.imports.written_dates import ISO_FORM, check_form
from monitor.sites.faults import as_sentence, did_you_mean, printable_value

_OWN_COLUMNS = ("site_id", "start", "end", "precision", "zone", "metric", "value", "low", "high")
OTHER_COLUMNS = (*(name for name in IMPORT_COLUMNS if name not in _OWN_COLUMNS), "id")
"""What `columns` and `constants` may fill."""
SITE_WAYS = ("id", "name", "code")
MAX_MAPPING_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class TableFile:
    """Where in a file the table stands; `header` and `last` count its lines from 1."""

    sheet: str = ""
    header: int = 1
    last: int | None = None
    delimiter: str = ""
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class SiteColumn:
    """How a row says which site it is about: one for all, a column, or a position."""

    site_id: str = ""
    column: str = ""
    by: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    latitude: str = ""
    longitude: str = ""
    position: str = ""
    within_m: float = 0.0
    skip_others: bool = False


@dataclass(frozen=True, slots=True)
class TimeColumns:
    """How a row says its time: a column with its form, or parts in columns of their own (a number is one for all)."""

    column: str = ""
    clock: str = ""
    end: str = ""
    form: str = ISO_FORM
    year: str | int = ""
    month: str | int = ""
    week: str | int = ""
    in_header: bool = False
    """Whether the names of columns are times, and each of them is one look."""
    instants: bool = False
    zone: str = ""
    own_zone: bool = False
    """Whether clocks show the site's own time."""
    rules: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class NumberForm:
    """How a table writes numbers, and what stands where there is none."""

    decimal: str = ""
    thousands: str = ""
    missing: frozenset[str] = frozenset({""})
    not_assessable: frozenset[str] = frozenset()
    zero: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Looked:
    """A text for all rows, or one that a column gives, exchanged by `values`; `prefix` stands before it."""

    text: str = ""
    column: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    skip_others: bool = False
    meant: Mapping[str, str] = field(init=False)
    """The same values by their folded spelling, as they are looked up for each cell."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "meant", {folded(key): value for key, value in self.values.items()})


@dataclass(frozen=True, slots=True)
class CountColumn:
    """One column of counts, and what is counted in it."""

    column: str
    metric: Looked
    subject: Looked = Looked()
    site_id: str = ""
    area: str = ""
    comparator: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""
    times: Decimal | None = None
    added_up: bool = False


@dataclass(frozen=True, slots=True)
class TableMapping:
    """Everything that a mapping says."""

    counts: tuple[CountColumn, ...]
    file: TableFile = TableFile()
    site: SiteColumn = SiteColumn()
    time: TimeColumns = TimeColumns()
    numbers: NumberForm = NumberForm()
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    def named_columns(self) -> tuple[str, ...]:
        """Every column of the table that it names."""
        of_counts = [
            name
            for each in self.counts
            for name in (each.column, each.low, each.high, each.metric.column, each.subject.column)
        ]
        site, time = self.site, self.time
        of_rows = [
            site.column,
            site.latitude,
            site.longitude,
            site.position,
            time.column,
            time.clock,
            time.end,
        ]
        parts = [part for part in (time.year, time.month, time.week) if isinstance(part, str)]
        every = [*of_rows, *parts, *of_counts, *self.columns.values()]
        return tuple(dict.fromkeys(name for name in every if name))


def read_mapping(path: Path) -> TableMapping:
    """Read a mapping; raises InputError, which names every fault at once."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The mapping {path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_MAPPING_BYTES:
        raise InputError(f"The mapping {path} is larger than {MAX_MAPPING_BYTES // 1024} KiB.")
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The mapping {path} is not TOML: {error}.") from None
    return mapping_from(document, str(path))


def mapping_from(document: Mapping[str, Any], source: str) -> TableMapping:
    """A mapping from its parsed TOML; raises InputError."""
    reader = _Reader(source)
    top = reader.table("", document, ("file", "site", "time", "numbers", "count", "columns", "constants"))
    counts = top.get("count", [])
    entries = counts if isinstance(counts, list) and counts else []
    if not entries:
        reader.fault("[[count]]", "there is none: name at least one column of counts")
    made = TableMapping(
        counts=tuple(_count(reader, index, each) for index, each in enumerate(entries, start=1)),
        file=_file(reader, top.get("file", {})),
        site=_site(reader, top.get("site", {}), entries),
        time=_time(reader, top.get("time", {})),
        numbers=_numbers(reader, top.get("numbers", {})),
        columns=_texts(reader, "[columns]", top.get("columns", {})),
        constants=_texts(reader, "[constants]", top.get("constants", {})),
    )
    if reader.faults:
        raise InputError(
            "\n".join([f"The mapping {source} cannot be used:", *(f"  {each}" for each in reader.faults)])
        )
    return made


class _Reader:
    """Gathers what is wrong with a mapping."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[str] = []

    def fault(self, where: str, problem: str) -> None:
        self.faults.append(f"{where}: {as_sentence(problem)}")

    def table(self, where: str, value: Any, known: Iterable[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.fault(where, "write a table of keys and values")
            return {}
        names = list(known)
        for key in value:
            if key not in names:
                self.fault(
                    where or "the file", f"{printable_value(key)} is not known. {did_you_mean(key, names)}"
                )
        return value

    def text(self, where: str, table: Mapping[str, Any], key: str, default: str = "") -> str:
        value = table.get(key, default)
        if isinstance(value, str):
            return value
        self.fault(f"{where} {key}", "write a text in quotation marks")
        return default

    def flag(self, where: str, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self.fault(f"{where} {key}", "write true or false")
        return value is True

    def choice(self, where: str, table: Mapping[str, Any], key: str, known: Sequence[str]) -> str:
        value = self.text(where, table, key)
        if value and value not in known:
            self.fault(
                f"{where} {key}", f"{printable_value(value)} is not known. {did_you_mean(value, known)}"
            )
        return value

    def whole(self, where: str, table: Mapping[str, Any], key: str) -> int | None:
        value = table.get(key)
        if value is None or (type(value) is int and value > 0):
            return value
        self.fault(f"{where} {key}", "write a whole number from 1")
        return None

    def texts(self, where: str, table: Mapping[str, Any], key: str) -> list[str] | None:
        value = table.get(key)
        if value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            return value
        self.fault(f"{where} {key}", 'write a list of texts, as in ["NA", "-"]')
        return None

    def words(self, where: str, table: Mapping[str, Any], key: str) -> dict[str, str]:
        value = table.get(key, {})
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return value
        self.fault(f"{where} {key}", 'write what stands for what, as in {"Arr" = "arrivals"}')
        return {}


def _file(reader: _Reader, value: Any) -> TableFile:
    where = "[file]"
    table = reader.table(where, value, ("sheet", "header", "last", "delimiter", "encoding"))
    encoding, delimiter = reader.text(where, table, "encoding"), reader.text(where, table, "delimiter")
    if encoding:
        try:
            codecs.lookup(encoding)
        except LookupError:
            reader.fault(
                f"{where} encoding", f"{printable_value(encoding)} is not known. Write utf-8 or windows-1252"
            )
    if len(delimiter) > 1 or delimiter in {'"', "\n", "\r"}:
        reader.fault(f"{where} delimiter", "write one character")
    return TableFile(
        sheet=reader.text(where, table, "sheet"),
        header=reader.whole(where, table, "header") or 1,
        last=reader.whole(where, table, "last"),
        delimiter=delimiter,
        encoding=encoding,
    )


def _site(reader: _Reader, value: Any, counts: Sequence[Any]) -> SiteColumn:
    where = "[site]"
    known = ("id", "column", "by", "values", "latitude", "longitude", "position", "within_m", "others")
    table = reader.table(where, value, known)
    within = table.get("within_m", 0.0)
    if type(within) not in {int, float} or within < 0:
        reader.fault(f"{where} within_m", "write metres as a number")
        within = 0.0
    found = SiteColumn(
        site_id=reader.text(where, table, "id"),
        column=reader.text(where, table, "column"),
        by=reader.choice(where, table, "by", SITE_WAYS),
        values=reader.words(where, table, "values"),
        latitude=reader.text(where, table, "latitude"),
        longitude=reader.text(where, table, "longitude"),
        position=reader.text(where, table, "position"),
        within_m=float(within),
        skip_others=reader.choice(where, table, "others", ("refuse", "skip")) == "skip",
    )
    if bool(found.latitude) != bool(found.longitude):
        reader.fault(where, "latitude and longitude belong together")
    ways = [bool(found.site_id), bool(found.column), bool(found.latitude), bool(found.position)]
    each_says = bool(counts) and all(isinstance(each, dict) and each.get("site") for each in counts)
    if sum(ways) != 1 and not (each_says and not any(ways)):
        reader.fault(
            where,
            "say one way to know the site: id (one for all), column, latitude and longitude, or position",
        )
    return found


def _time(reader: _Reader, value: Any) -> TimeColumns:
    where = "[time]"
    known = ("column", "clock", "end", "format", "year", "month", "week", "header", "is", "zone")
    table = reader.table(where, value, known)
    form = reader.text(where, table, "format", ISO_FORM)
    zone = reader.text(where, table, "zone")
    rules: tzinfo | None = None
    own = zone.strip().lower() in {"site", "local"}
    try:
        check_form(form)
        rules = None if own else zone_named(zone)[1]
    except BadCell as bad:
        reader.fault(where, f"{bad.problem}. {bad.mend}")
    found = TimeColumns(
        column=reader.text(where, table, "column"),
        clock=reader.text(where, table, "clock"),
        end=reader.text(where, table, "end"),
        form=form,
        year=_part(reader, table, "year"),
        month=_part(reader, table, "month"),
        week=_part(reader, table, "week"),
        in_header=reader.flag(where, table, "header"),
        instants=reader.choice(where, table, "is", ("date", "instant")) == "instant",
        zone="" if own else zone,
        own_zone=own,
        rules=rules,
    )
    if sum([bool(found.column), bool(found.year), found.in_header]) != 1:
        reader.fault(
            where, "say one way to know the time: column, year (with month or week), or header = true"
        )
    if (found.month or found.week) and not found.year:
        reader.fault(where, "month and week need a year: a column, or one number for all")
    return found


def _part(reader: _Reader, table: Mapping[str, Any], key: str) -> str | int:
    value = table.get(key, "")
    if isinstance(value, str) or type(value) is int:
        return value
    reader.fault(f"[time] {key}", "write the name of a column, or one number for all rows")
    return ""


def _numbers(reader: _Reader, value: Any) -> NumberForm:
    where = "[numbers]"
    table = reader.table(where, value, ("decimal", "thousands", "missing", "not_assessable", "zero"))
    missing = reader.texts(where, table, "missing") or []
    decimal = reader.choice(where, table, "decimal", (".", ","))
    thousands = reader.choice(where, table, "thousands", (".", ",", " ", "'", "’", "\u00a0", "\u202f"))
    if decimal and decimal == thousands:
        reader.fault(where, "decimal and thousands cannot be the same sign")
    return NumberForm(
        decimal=decimal,
        thousands=thousands,
        missing=frozenset({"", *missing}),
        not_assessable=frozenset(reader.texts(where, table, "not_assessable") or []),
        zero=frozenset(reader.texts(where, table, "zero") or []),
    )


def _count(reader: _Reader, number: int, value: Any) -> CountColumn:
    where = f"[[count]] {number}"
    known = (
        "column",
        "metric",
        "subject",
        "site",
        "area",
        "comparator",
        "unit",
        "low",
        "high",
        "times",
        "combine",
    )
    table = reader.table(where, value, known)
    if not table.get("metric"):
        reader.fault(where, "say its metric")
    times = table.get("times")
    if times is not None and (type(times) not in {int, float} or times <= 0):
        reader.fault(f"{where} times", "write a number above 0")
        times = None
    return CountColumn(
        column=reader.text(where, table, "column"),
        metric=_looked(reader, f"{where} metric", table.get("metric", "")),
        subject=_looked(reader, f"{where} subject", table.get("subject", "")),
        site_id=reader.text(where, table, "site"),
        area=reader.text(where, table, "area"),
        comparator=reader.text(where, table, "comparator"),
        unit=reader.text(where, table, "unit"),
        low=reader.text(where, table, "low"),
        high=reader.text(where, table, "high"),
        times=None if times is None else Decimal(str(times)),
        added_up=reader.choice(where, table, "combine", ("sum",)) == "sum",
    )


def _looked(reader: _Reader, where: str, value: Any) -> Looked:
    if isinstance(value, str):
        return Looked(text=value)
    table = reader.table(where, value, ("column", "values", "prefix", "others"))
    if not table.get("column"):
        reader.fault(where, "write a text, or the column that gives it")
    return Looked(
        column=reader.text(where, table, "column"),
        values=reader.words(where, table, "values"),
        prefix=reader.text(where, table, "prefix"),
        skip_others=reader.choice(where, table, "others", ("refuse", "skip")) == "skip",
    )


def _texts(reader: _Reader, where: str, value: Any) -> dict[str, str]:
    table = reader.table(where, value, OTHER_COLUMNS)
    return {key: reader.text(where, table, key) for key in table if key in OTHER_COLUMNS}
