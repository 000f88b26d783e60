"""docs/importing.md names every column, metric, comparator and property that an import understands."""

import re
from pathlib import Path
from typing import get_args

from alerts.metrics import METRICS
from alerts.metrics.declaration import LARGEST_AMOUNT
from db.records import Precision, Qualifier
from db.records.counts import LARGEST_COUNT
from monitor.imports.columns import FEATURE_ALIASES, FEATURE_EXTRAS, ID_COLUMN, IMPORT_COLUMNS
from monitor.imports.sources import MAX_CSV_BYTES, MAX_GEOJSON_BYTES
from monitor.imports.values import MAX_CELL_TEXT
from monitor.sites.subjects import SUBJECT_PREFIXES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "importing.md").read_text(encoding="utf-8")
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_name_is_described() -> None:
    names = {
        *IMPORT_COLUMNS,
        ID_COLUMN,
        *METRICS,
        *FEATURE_ALIASES,
        *FEATURE_EXTRAS,
        *get_args(Precision),
        *get_args(Qualifier),
    }
    statements = {"max", "none_before", "last_seen", "trend_up", "note"}
    prefixes = {f"{prefix}:" for prefix in SUBJECT_PREFIXES}
    assert names | statements | prefixes <= CODE


def test_no_metric_is_described_that_there_is_not() -> None:
    listed = PAGE.split("**Metrics.**")[1].split("**Comparators.**")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(METRICS)


def test_the_limits_are_the_ones_in_force() -> None:
    assert f"at most {MAX_GEOJSON_BYTES // 2**20} MiB" in PAGE
    assert f"{MAX_CSV_BYTES // 2**20} MiB" in PAGE
    assert f"0 to {LARGEST_COUNT:,.0f}" in PAGE
    assert f"{LARGEST_AMOUNT:,.0f}" in PAGE
    assert f"{MAX_CELL_TEXT:,} characters" in PAGE
