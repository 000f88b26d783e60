"""A first mapping for a table that nobody has described: what its header and first rows show, and where it is open, a question."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from itertools import islice
from pathlib import Path

from alerts.metrics import METRICS
from db.spelling import folded
from monitor.imports.faults import BadCell
from monitor.imports.mapping import TableFile
from monitor.imports.tables import table_lines
from monitor.imports.values import parse_metric
from monitor.imports.written_dates import ISO_FORM, TimeForm, read_span
from monitor.sites import Site

_ROWS_LOOKED_AT = 200
_MOST_VALUES = 8
_FORMS = (
    ISO_FORM,
    *(
        "DD.MM.YYYY",
        "DD/MM/YYYY",
        "MM/DD/YYYY",
        "DD-MM-YYYY",
        "MM-DD-YYYY",
        "YYYY/MM/DD",
        "YYYYMMDD",
        "YYYYMM",
    ),
    *(
        "DD.MM.YY",
        "DD/MM/YY",
        "MM/DD/YY",
        "DD-MM-YY",
        "MM-DD-YY",
        "DD MON YYYY",
        "DD-MON-YYYY",
        "DD-MON-YY",
        "MON YYYY",
    ),
)
_NUMBER = re.compile(r"[-+]?\d[\d.,' ]*")
_NO_COUNT = re.compile(
    r"(?:lat|lon|lng|latitude|longitude|x|y|id|fid|year|month|day|week|.*_(?:id|num|code))", re.IGNORECASE
)


def suggest_mapping(path: Path, sites: Mapping[str, Site]) -> str:
    """A mapping as TOML text, to be read and completed by a person; raises UnreadableFile."""
    lines = [cells for _, cells in islice(table_lines(path, TableFile()), _ROWS_LOOKED_AT + 1)]
    names = [cell.strip() for cell in lines[0]] if lines else []
    columns = {
        name: [cells[index] for cells in lines[1:] if index < len(cells) and cells[index].strip()]
        for index, name in enumerate(names)
        if name
    }
    timed = next(((name, forms) for name, cells in columns.items() if (forms := _forms(cells))), None)
    site = next((name for name, cells in columns.items() if _is_site(cells, sites)), None)
    taken = {site, timed[0] if timed else None}
    said = [
        f"# What the columns of {path.name} mean. Look at every line; docs/importing.md says what else can be said.",
        "",
        *_site_words(site, columns, taken, sites),
        "",
        *_time_words(timed),
        *_count_words(columns, taken),
    ]
    return "\n".join(said)


def _forms(cells: Sequence[str]) -> list[str]:
    """Every form in which all of these can be read as times."""
    if not cells or all(re.fullmatch(r"\d{1,5}", cell.strip()) for cell in cells):
        return []
    return [form for form in _FORMS if all(_reads(cell, form) for cell in cells)]


def _reads(cell: str, form: str) -> bool:
    try:
        read_span(cell if cell == cell.strip() else cell.strip(), TimeForm(form, UTC))
    except BadCell:
        return False
    return True


def _is_site(cells: Sequence[str], sites: Mapping[str, Site]) -> bool:
    known = {folded(name) for site in sites.values() for name in (site.id, site.name, *site.codes.values())}
    return any(folded(cell.strip()) in known for cell in cells)


def _site_words(
    site: str | None, columns: Mapping[str, Sequence[str]], taken: set[str | None], sites: Mapping[str, Site]
) -> Iterator[str]:
    yield "[site]"
    if site is not None:
        yield f"column = {_quoted(site)}"
        yield 'others = "skip"        # rows about places that are not watched'
        return
    texts = [
        name for name, cells in columns.items() if name not in taken and cells and not _are_numbers(cells)
    ]
    if texts:
        values = list(dict.fromkeys(cell.strip() for cell in columns[texts[0]]))[:_MOST_VALUES]
        yield f"column = {_quoted(texts[0])}"
        named = ", ".join(f"{_quoted(value)} = {_quoted('SITE')}" for value in values)
        yield f"values = {{{named}}}"
    else:
        yield 'id = "SITE"'
    yield f"# SITE is one of {', '.join(list(sites)[:_MOST_VALUES])}{' …' if len(sites) > _MOST_VALUES else ''}"


def _time_words(timed: tuple[str, list[str]] | None) -> Iterator[str]:
    yield "[time]"
    if timed is None:
        yield 'column = "COLUMN"      # no column was found in which every cell is a time'
        return
    name, forms = timed
    yield f"column = {_quoted(name)}"
    if forms[0] == ISO_FORM:
        return
    if len(forms) == 1:
        yield f"format = {_quoted(forms[0])}"
    else:
        yield f"# Which number is the day cannot be told from the table. Keep one: {', '.join(forms)}"
        yield f"# format = {_quoted(forms[0])}"


def _count_words(columns: Mapping[str, Sequence[str]], taken: set[str | None]) -> Iterator[str]:
    for name, cells in columns.items():
        if name in taken or not _are_numbers(cells) or _NO_COUNT.fullmatch(name):
            continue
        metric = _metric(name)
        yield ""
        yield "[[count]]"
        yield f"column = {_quoted(name)}"
        yield f"metric = {_quoted(metric or 'METRIC')}"
        if not metric:
            yield f"# METRIC is one of {', '.join(METRICS)}; take the whole [[count]] out if it is none"


def _are_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(_NUMBER.fullmatch(cell.strip()) for cell in cells)


def _metric(name: str) -> str:
    for word in (name, name.replace(" ", "_"), *re.findall(r"[^\W\d_]+", name)):
        try:
            return parse_metric(word.lower())
        except BadCell:
            continue
    return ""


def _quoted(text: str) -> str:
    # A basic string of TOML is written as one of JSON.
    return json.dumps(text, ensure_ascii=False)
