"""Tables as GeoParquet: apart, because tables take more memory than all the rest of a service."""

import io
from collections.abc import Mapping
from importlib.util import find_spec

import geopandas
import numpy as np

from monitor.errors import InputError
from monitor.reports.tables import Table

_TYPES: Mapping[type, str] = {bool: "boolean", int: "Int64", float: "float64", str: "str"}


def table_frame(table: Table) -> geopandas.GeoDataFrame:
    """The rows with a shape each, of the same types whatever they hold (WGS 84)."""
    frame = geopandas.GeoDataFrame(
        [*table.rows],
        columns=[*table.types],
        geometry=np.array([*table.shapes], dtype=object),
        crs="EPSG:4326",
    )
    # What is no plain type is an instant.
    return frame.astype({name: _TYPES.get(of, "datetime64[us, UTC]") for name, of in table.types.items()})


def parquet_bytes(table: Table) -> bytes:
    """The same as GeoParquet, which needs pyarrow; raises InputError where that is missing."""
    if find_spec("pyarrow") is None:
        raise InputError(
            "Parquet needs pyarrow, which is not installed. Install it with: .venv/bin/pip install pyarrow. "
            "CSV, GeoJSON and JSON need nothing more."
        )
    stream = io.BytesIO()
    table_frame(table).to_parquet(stream)
    return stream.getvalue()
