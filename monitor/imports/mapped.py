"""Rows of somebody else's table in the import columns, as a mapping says; all checks come afterwards, as for any row."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path

from pyproj import Geod
from shapely import Point
from shapely.ops import nearest_points

from db.spelling import folded
from monitor.imports.faults import BadCell, ImportFault, UnreadableFile
from monitor.imports.mapping import CountColumn, Looked, SiteColumn, TableMapping, TimeColumns
from monitor.imports.numbers import is_ambiguous
from monitor.imports.sources import RawRow, Rows
from monitor.imports.tables import header_of, sheet_notice, table_lines
from monitor.imports.written_dates import (
    TimeForm,
    WrittenSpan,
    month_number,
    month_span,
    read_span,
    week_span,
)
from monitor.sites import Site
from monitor.sites.faults import did_you_mean, printable_value
from monitor.sites.positions import PlaceError, place_in

_GEOD = Geod(ellps="WGS84")
_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_AT_LEAST = ">="


def mapped_rows(path: Path, mapping: TableMapping, sites: Mapping[str, Site]) -> Rows:
    """What reads a table by a mapping; raises UnreadableFile where a column that it names is not there."""
    names = header_of(path, mapping.file)
    table = _Table(path, mapping, sites, names)
    return Rows(table.rows, table.notices)


class _SkippedError(Exception):
    """A row is about something that the mapping leaves out."""


@dataclass(slots=True)
class _Sum:
    """Rows that are added up to one count."""

    first: RawRow
    total: Decimal
    rows: int = 1


@dataclass(slots=True)
class _Pass:
    """One reading of the table, from top to bottom."""

    left_out: Counter[str] = field(default_factory=Counter)
    sums: dict[tuple[tuple[str, str], ...], _Sum] = field(default_factory=dict)
    missing: set[tuple[tuple[str, str], ...]] = field(default_factory=set)
    """Sums of which a row says nothing."""
    number: int = 0


class _Table:
    """A table and what a mapping says of it."""

    def __init__(
        self, path: Path, mapping: TableMapping, sites: Mapping[str, Site], names: Sequence[str]
    ) -> None:
        self._path, self._mapping, self._names = path, mapping, names
        self._places = _Places(mapping.site, sites)
        self._sites = sites
        faults = list(self._header_faults())
        if faults:
            raise UnreadableFile(*faults)
        self._at = {name: index for index, name in enumerate(names)}
        self.notices: list[str] = []

    def rows(self) -> Iterator[RawRow]:
        """Every count of the table as a row in the import columns."""
        done = _Pass()
        lines = table_lines(self._path, self._mapping.file)
        next(lines)
        for number, cells in lines:
            if any(cell.strip() for cell in cells):
                yield from self._of_line(number, cells, done)
        yield from self._added_up(done)
        self.notices[:] = [*sheet_notice(self._path, self._mapping.file), *_left_out_words(done.left_out)]

    def _header_faults(self) -> Iterator[ImportFault]:
        label = f"row {self._mapping.file.header}"
        for name in self._mapping.named_columns():
            if name not in self._names:
                yield ImportFault(
                    label,
                    name,
                    "the mapping names this column, and it is not there",
                    did_you_mean(name, [each for each in self._names if each]),
                )
            elif list(self._names).count(name) > 1:
                yield ImportFault(label, name, "this column stands there twice", "Rename one of them")
        if not self._mapping.time.in_header and any(not each.column for each in self._mapping.counts):
            yield ImportFault(
                label, "", "a [[count]] names no column", "Name it, or say header = true under [time]"
            )

    def _of_line(self, number: int, cells: Sequence[str], done: _Pass) -> Iterator[RawRow]:
        label = f"row {number}"
        if len(cells) < len(self._names) and any(cell.strip() for cell in cells):
            # Workbooks and some programs leave out empty cells at the end.
            cells = [*cells, *[""] * (len(self._names) - len(cells))]
        if any(cell.strip() for cell in cells[len(self._names) :]):
            problem = f"it has {len(cells)} cells, and the header has {len(self._names)}"
            yield self._faulty(
                label,
                done,
                ImportFault(label, "", problem, "Put quotation marks round a cell with the delimiter in it"),
            )
            return
        for count, column in self._counts():
            yield from self._of_cell(label, cells, count, column, done)

    def _counts(self) -> Iterator[tuple[CountColumn, str]]:
        """Each kind of count with its column; where the header holds the times, with every column that is one."""
        for count in self._mapping.counts:
            if self._mapping.time.in_header and not count.column:
                yield from ((count, name) for name in self._time_columns)
            else:
                yield count, count.column

    @cached_property
    def _time_columns(self) -> list[str]:
        how = TimeForm(self._mapping.time.form, self._mapping.time.rules, self._mapping.time.instants)
        found = []
        for name in self._names:
            try:
                read_span(name, how)
            except BadCell:
                continue
            found.append(name)
        return found

    def _of_cell(
        self, label: str, cells: Sequence[str], count: CountColumn, column: str, done: _Pass
    ) -> Iterator[RawRow]:
        where = f"{label}, {column}" if len(self._mapping.counts) > 1 or not count.column else label
        try:
            filled = self._filled(cells, count, column)
        except _SkippedError as skipped:
            done.left_out[str(skipped)] += 1
            return
        except BadCell as bad:
            yield self._faulty(where, done, ImportFault(where, "", bad.problem, bad.mend))
            return
        if filled is None:
            done.left_out[_EMPTY] += 1
            if count.added_up:
                # What is about no place or time that is known lacks in no sum.
                with suppress(BadCell, _SkippedError):
                    done.missing.add(_key(self._around(cells, count, column)))
            return
        done.number += 1
        row = RawRow(done.number, where, filled, source=self._path.name)
        if count.added_up and filled.get("value"):
            self._add(row, done)
        else:
            yield row

    def _faulty(self, label: str, done: _Pass, fault: ImportFault) -> RawRow:
        done.number += 1
        return RawRow(done.number, label, {}, faults=(fault,), source=self._path.name)

    # --- one cell -------------------------------------------------------------------------------------------------

    def _filled(self, cells: Sequence[str], count: CountColumn, column: str) -> dict[str, str] | None:
        """The import columns of one count, or None where nobody looked."""
        value, low, high = (self._cell(cells, name) for name in (column, count.low, count.high))
        numbers = self._mapping.numbers
        if value in numbers.missing and not (count.low and low not in numbers.missing):
            return None
        return self._around(cells, count, column) | self._amounts(count, value, low, high)

    def _around(self, cells: Sequence[str], count: CountColumn, column: str) -> dict[str, str]:
        """Everything but the number: of which place, when, what, by whom."""
        site_id = count.site_id or self._places.site_of(lambda name: self._cell(cells, name))
        span = self._span(cells, column, self._sites.get(site_id))
        found = {name: self._cell(cells, of) for name, of in self._mapping.columns.items()}
        found = {**self._mapping.constants, **{name: text for name, text in found.items() if text}}
        said = {
            "site_id": site_id,
            "start": span.start,
            "end": span.end,
            "precision": span.precision,
            "metric": self._looked(cells, count.metric),
            "subject": self._looked(cells, count.subject),
            "area": count.area,
            "comparator": count.comparator,
            "unit": count.unit,
            # A bare day is a day of the zone that the mapping names; an instant has its offset.
            "zone": "" if "T" in span.start else self._mapping.time.zone,
        }
        return found | {name: text for name, text in said.items() if text}

    def _amounts(self, count: CountColumn, value: str, low: str, high: str) -> dict[str, str]:
        numbers = self._mapping.numbers
        if value in numbers.not_assessable:
            return {"assessable": "no"}
        given = {"value": value, "low": low, "high": high}
        return {
            name: self._number(text, count) for name, text in given.items() if text not in numbers.missing
        }

    def _number(self, text: str, count: CountColumn) -> str:
        numbers = self._mapping.numbers
        if text in numbers.zero:
            return "0"
        plain = text
        if numbers.thousands and re.fullmatch(_grouped(numbers.thousands, numbers.decimal or "."), text):
            plain = plain.replace(numbers.thousands, "")
        if numbers.decimal == ",":
            if is_ambiguous(plain) and "." in plain:
                mend = 'Say under [numbers] what sets off thousands, as in thousands = "."'
                raise BadCell(f"{printable_value(text)} is ambiguous", mend)
            if "." not in plain:
                plain = plain.replace(",", ".")
        if not _PLAIN_NUMBER.fullmatch(plain):
            return text
        said = bool(numbers.decimal or numbers.thousands)
        if is_ambiguous(plain) and not said:
            mend = (
                'Say under [numbers] what stands before decimals or sets off thousands, as in decimal = "."'
            )
            raise BadCell(f"{printable_value(text)} is ambiguous", mend)
        if count.times is not None:
            plain = f"{(Decimal(plain) * count.times).normalize():f}"
        return f"{plain}0" if is_ambiguous(plain) else plain

    def _span(self, cells: Sequence[str], column: str, site: Site | None) -> WrittenSpan:
        time = self._mapping.time
        own = site.timezone if time.own_zone and site is not None else time.rules
        how = TimeForm(time.form, own, time.instants)
        if time.year:
            return self._parted(cells, time)
        text = column if time.in_header else self._cell(cells, time.column)
        if not text:
            raise BadCell("it has no time", f"Fill in {time.column}")
        clock = self._cell(cells, time.clock)
        if clock:
            text = f"{text[:10] if text[4:5] == '-' else text} {clock.rpartition('T')[2]}"
        begins = read_span(text, how)
        last = self._cell(cells, time.end)
        if not last:
            return begins
        ends = read_span(last, how)
        return replace(begins, end=ends.end or ends.start, precision=begins.precision or ends.precision)

    def _parted(self, cells: Sequence[str], time: TimeColumns) -> WrittenSpan:
        year, month, week = (self._part(cells, each) for each in (time.year, time.month, time.week))
        if not year.isdecimal():
            raise BadCell(f"{printable_value(year)} is no year", "Write it in four digits")
        if time.week:
            if not week.isdecimal():
                raise BadCell(f"{printable_value(week)} is no week", "Write 1 to 53")
            return week_span(int(year), int(week))
        return month_span(int(year), month_number(month) if time.month else None)

    def _part(self, cells: Sequence[str], part: str | int) -> str:
        text = str(part) if isinstance(part, int) else self._cell(cells, part)
        return text.removesuffix(".0")

    def _looked(self, cells: Sequence[str], looked: Looked) -> str:
        if not looked.column:
            return looked.text
        text = self._cell(cells, looked.column)
        if not looked.values:
            return f"{looked.prefix}{text}" if text else ""
        if (meant := looked.meant.get(folded(text))) is not None:
            return f"{looked.prefix}{meant}" if meant else ""
        if looked.skip_others:
            raise _SkippedError(f"{looked.column} is none of those that the mapping names")
        raise BadCell(
            f"the mapping does not say what {printable_value(text)} in {looked.column} is",
            f'Add it to values, or write others = "skip". {did_you_mean(text, looked.values)}',
        )

    def _cell(self, cells: Sequence[str], name: str) -> str:
        if not name:
            return ""
        cell = cells[self._at[name]]
        # A date of a workbook stays one; anything else loses its blanks.
        return cell if cell == cell.strip() else cell.strip()

    # --- adding up ------------------------------------------------------------------------------------------------

    def _add(self, row: RawRow, done: _Pass) -> None:
        try:
            value = Decimal(row.cells["value"])
        except InvalidOperation:
            value = Decimal("NaN")  # the check says what is wrong with it
        key = _key(row.cells)
        known = done.sums.get(key)
        if known is None:
            done.sums[key] = _Sum(row, value)
        else:
            known.total += value
            known.rows += 1
            if value.is_nan():
                known.first = row

    def _added_up(self, done: _Pass) -> Iterator[RawRow]:
        for key, each in done.sums.items():
            cells = dict(each.first.cells)
            if not each.total.is_nan():
                text = f"{each.total:f}"
                cells["value"] = f"{text}0" if is_ambiguous(text) else text
            if key in done.missing:
                cells.setdefault("comparator", _AT_LEAST)
            more = f" and {each.rows - 1} more" if each.rows > 1 else ""
            yield replace(each.first, label=f"{each.first.label}{more}", cells=cells)


_EMPTY = "the cell is empty, which is no look"


def _key(cells: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, text) for name, text in cells.items() if name not in {"value", "low", "high"}))


def _grouped(thousands: str, decimal: str) -> str:
    return rf"-?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d+)?"


def _left_out_words(left_out: Counter[str]) -> Iterator[str]:
    for why, rows in left_out.most_common():
        yield f"Left out: {rows} {'count' if rows == 1 else 'counts'}, where {why}."


# --- sites --------------------------------------------------------------------------------------------------------


class _Places:
    """The watched sites by what a table calls them."""

    def __init__(self, how: SiteColumn, sites: Mapping[str, Site]) -> None:
        self._how, self._sites = how, sites
        self._values = {folded(key): value for key, value in how.values.items()}
        self._named: dict[str, list[str]] = {}
        for site in sites.values():
            for name in _names_of(site, how.by):
                ids = self._named.setdefault(folded(name), [])
                if site.id not in ids:
                    ids.append(site.id)

    def site_of(self, cell: Callable[[str], str]) -> str:
        """The id of the site that a row is about; raises BadCell, or _SkippedError where others are left out."""
        how = self._how
        if how.site_id:
            return how.site_id
        if how.column:
            return self._by_name(cell(how.column))
        return self._by_position(*self._position(cell))

    def _by_name(self, text: str) -> str:
        meant = self._values.get(folded(text), text)
        found = (
            [meant]
            if meant in self._sites and self._how.by in {"", "id"}
            else self._named.get(folded(meant), [])
        )
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise BadCell(
                f"{printable_value(text)} is the name of {', '.join(found)}",
                'Say which under values in [site], as in {"Name" = "site-id"}',
            )
        if self._how.skip_others and folded(text) not in self._values:
            raise _SkippedError("the place is not watched")
        known = [
            *self._sites,
            *(name for site in self._sites.values() for name in _names_of(site, self._how.by)),
        ]
        raise BadCell(
            f"{printable_value(meant)} is not a watched site",
            f'Name it under values in [site], or write others = "skip". {did_you_mean(meant, known)}',
        )

    def _position(self, cell: Callable[[str], str]) -> tuple[float, float]:
        how = self._how
        text = cell(how.position) if how.position else f"{cell(how.latitude)}; {cell(how.longitude)}"
        try:
            place = place_in(text)
        except PlaceError as error:
            problem, _, mend = str(error).rstrip(".").partition(". ")
            raise BadCell(problem, mend or "Write 39.2241, 125.67") from None
        if place is None:
            raise BadCell(f"{printable_value(text)} is no position", "Write degrees, as in 39.2241")
        return place.lat, place.lon

    def _by_position(self, lat: float, lon: float) -> str:
        point = Point(lon, lat)
        away = {site.id: _metres(site, point) for site in self._sites.values() if not site.is_region}
        near = [site_id for site_id, metres in away.items() if metres <= self._how.within_m]
        inside = [site_id for site_id in near if away[site_id] == 0]
        found = inside or sorted(near, key=lambda site_id: away[site_id])[:1]
        if len(found) == 1:
            return found[0]
        if found:
            # A berth may be watched beside its port: the smaller one is meant.
            return min(found, key=lambda site_id: self._sites[site_id].geometry.area)
        if self._how.skip_others:
            raise _SkippedError("the place is not watched")
        nearest = min(away.items(), key=lambda each: each[1], default=None)
        words = "" if nearest is None else f" (the nearest, {nearest[0]}, is {nearest[1]:,.0f} m away)"
        raise BadCell(
            f"no watched site lies at {lat:g}, {lon:g}{words}",
            'Say within_m under [site], or write others = "skip"',
        )


def _names_of(site: Site, by: str) -> list[str]:
    ways = {"id": [site.id], "name": [site.name], "code": list(site.codes.values())}
    return ways[by] if by else [name for names in ways.values() for name in names]


def _metres(site: Site, point: Point) -> float:
    if site.geometry.intersects(point):
        return 0.0
    there, _ = nearest_points(site.geometry, point)
    _, _, metres = _GEOD.inv(there.x, there.y, point.x, point.y)
    return float(metres)
