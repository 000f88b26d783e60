"""Histories as tables and GeoParquet: apart, because tables take more memory than all the rest of a service."""

import io
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import geopandas

from monitor.errors import InputError
from monitor.reports.history import SiteHistory
from monitor.reports.tables import HISTORY_COLUMNS, history_rows, point_of


def history_frame(
    history: SiteHistory, attributions: Mapping[str, str] | None = None
) -> geopandas.GeoDataFrame:
    """The history as a table with one point a row, of the same types whatever it holds (WGS 84)."""
    rows = list(history_rows(history, attributions))
    points = [point_of(history.site, row["area"]) for row in rows]
    frame = geopandas.GeoDataFrame(rows, columns=[*HISTORY_COLUMNS], geometry=points, crs="EPSG:4326")
    return frame.astype(_TYPES)


def parquet_bytes(history: SiteHistory, attributions: Mapping[str, str] | None = None) -> bytes:
    """The history as GeoParquet, which needs pyarrow; raises InputError where that is missing."""
    if find_spec("pyarrow") is None:
        raise InputError(
            "Parquet needs pyarrow, which is not installed. Install it with: .venv/bin/pip install pyarrow. "
            "CSV, GeoJSON and JSON need nothing more."
        )
    stream = io.BytesIO()
    history_frame(history, attributions).to_parquet(stream)
    return stream.getvalue()


_TYPES: dict[str, Any] = {
    **dict.fromkeys(HISTORY_COLUMNS, "str"),
    **dict.fromkeys(("start", "end", "published", "recorded_at"), "datetime64[us, UTC]"),
    **dict.fromkeys(("value", "low", "high", "exposure"), "float64"),
    **dict.fromkeys(("assessable", "announced", "closed"), "boolean"),
    **dict.fromkeys(("n_looks", "revision"), "Int64"),
}
