"""The import columns, and what the properties of a pipeline's features are called in them."""

from collections.abc import Iterable, Iterator

from monitor.imports.faults import ImportFault
from monitor.sites.faults import did_you_mean, printable_value

REQUIRED_COLUMNS = ("site_id", "start", "metric", "value")
IMPORT_COLUMNS = (
    "site_id",
    "area",
    "start",
    "end",
    "precision",
    "zone",
    "metric",
    "subject",
    "value",
    "comparator",
    "low",
    "high",
    "unit",
    "assessable",
    "exposure",
    "method",
    "method_version",
    "sensor",
    "published",
    "announced",
    "publisher",
    "via",
    "url",
    "scene",
    "certainty",
    "reviewer",
    "note",
)
"""As in docs/importing.md; `id` may stand beside them."""
EXPORT_COLUMNS = (
    "record",
    "site_name",
    "local_period",
    "n_looks",
    "status",
    "procedure",
    "recorded_at",
    "revision",
    "look_key",
    "knowable_from",
    "written_start",
    "written_end",
    "closed",
    "origin",
    "attribution",
)
"""What `sitewatch history` writes beside those."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
"""What a spreadsheet would run; `sitewatch history` puts an apostrophe before it."""
NUMERIC_COLUMNS = ("value", "low", "high", "exposure")
ID_COLUMN = "id"
OWN_PREFIX = "x-"
"""Columns of one's own, which are not read."""

FEATURE_ALIASES = {
    "datetime": "start",
    "start_datetime": "start",
    "end_datetime": "end",
    "datetime_precision": "precision",
    "result_time": "published",
    "class": "metric",
    "count": "value",
    "count_low": "low",
    "count_high": "high",
    "qualifier": "comparator",
    "aoi_coverage": "exposure",
    "version": "method_version",
    "source": "publisher",
}
"""Properties of a detection pipeline's features by the column that they mean."""
FEATURE_EXTRAS = ("cloud_fraction", "gsd_m", "evidence", "review", "score", "supersedes")
"""Properties of such features that no column holds."""


def known_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The columns that a file with these may have: those of an import, or all that `sitewatch history` writes."""
    own = {"record", "look_key"} <= set(names)
    return (*IMPORT_COLUMNS, ID_COLUMN, *(EXPORT_COLUMNS if own else ()))


def header_faults(
    names: Iterable[str], row: str, known: Iterable[str] = (*IMPORT_COLUMNS, ID_COLUMN)
) -> Iterator[ImportFault]:
    """Find unknown and repeated names."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield ImportFault(
                row, printable_value(name), "this column stands there twice", "Keep one of them"
            )
        elif name not in known and not name.startswith(OWN_PREFIX):
            advice = did_you_mean(name, known)
            stop = "" if advice.endswith("?") else "."
            own = f"{advice}{stop} A column of your own must begin with {OWN_PREFIX}"
            yield ImportFault(row, printable_value(name), "this column is not known", own)
        seen.add(name)


def missing_faults(names: Iterable[str], row: str) -> Iterator[ImportFault]:
    """Find the required columns that are not there."""
    present = set(names)
    for name in REQUIRED_COLUMNS:
        if name not in present:
            yield ImportFault(
                row, name, "this column is missing", f"Required are {', '.join(REQUIRED_COLUMNS)}"
            )
