"""Reading the layers of one map file by GDAL, as a process of its own: bounded, with nothing that reaches outside the file.

`read_layers` starts it, hands over the bytes in a folder of its own and takes GeoJSON back. A file that brings GDAL down,
or keeps it busy, brings this process down and not the program.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MAX_FEATURES = 2_000
MAX_POSITIONS = 500_000
MAX_LAYERS = 200
LONGEST_VALUE = 4_000
MOST_FIELDS = 100
_SECONDS = 60
_MEMORY = 4 << 30
_FILE_SIZE = 128 << 20
_DRIVERS = {
    "kml": ("LIBKML", "KML"),
    "gpx": ("GPX",),
    "gpkg": ("GPKG",),
    "shp": ("ESRI Shapefile",),
}
# Drivers that open addresses, other files, databases or programs. GDAL chooses by content, whatever a file is called.
_SKIPPED = (
    *(
        "HTTP",
        "OGR_VRT",
        "WFS",
        "OAPIF",
        "OGCAPI",
        "CSW",
        "Elasticsearch",
        "Carto",
        "AmigoCloud",
        "PLSCENES",
        "NGW",
    ),
    *(
        "EEDA",
        "GDALG",
        "ADBC",
        "GPSBabel",
        "GeoRSS",
        "SQLite",
        "PostgreSQL",
        "MySQL",
        "ODBC",
        "MVT",
        "PMTiles",
        "GML",
    ),
    *(
        "OSM",
        "CSV",
        "GTI",
        "STACTA",
        "STACIT",
        "VRT",
        "WMS",
        "WMTS",
        "WCS",
        "PDF",
        "DXF",
        "LVBAG",
        "S57",
        "GTFS",
    ),
)
# The parts of GPX that only repeat the routes and tracks, point by point.
_REPEATED = {"route_points", "track_points"}


class LayersError(ValueError):
    """The file cannot be read as what it seems to be; the text says why."""


def read_layers(kind: str, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The layers of a `kml`, `gpx`, `gpkg` or `shp` file: `name`, `crs` (well-known text or None), `features` (GeoJSON).

    `files` are the bytes by ending (`.shp`, `.dbf` …). Geometries are as in the file, in its own reference system, without
    heights. Raises LayersError.
    """
    with tempfile.TemporaryDirectory(prefix="sitewatch-") as folder:
        for ending, data in files.items():
            (Path(folder) / f"given{ending}").write_bytes(data)
        path = Path(folder) / f"given.{kind}"
        try:
            run = subprocess.run(  # noqa: S603 - our own module, and a file that we named
                [sys.executable, "-I", __file__, kind, str(path)],
                capture_output=True,
                timeout=2 * _SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LayersError("it took too long to read") from None
    if run.returncode != 0:
        raise LayersError("it is broken, or too large to be read within bounds")
    answer = json.loads(run.stdout)
    if "problem" in answer:
        raise LayersError(answer["problem"])
    layers: list[dict[str, Any]] = answer["layers"]
    return layers


def _bound() -> None:
    for what, limit in (
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    os.environ["GDAL_SKIP"] = ",".join(_SKIPPED)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # Only this file could be fetched from elsewhere, and there is none of that name.
    os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] = "/vsicurl/none"
    os.environ["OGR_SQLITE_LOAD_EXTENSIONS"] = "NO"
    os.environ["PROJ_NETWORK"] = "OFF"


def _layers(kind: str, path: str) -> Iterator[dict[str, Any]]:
    # It would load these if it could, which takes longer than all the rest, and needs none of them here.
    for unneeded in ("geopandas", "pandas", "pyarrow", "pyproj"):
        sys.modules[unneeded] = None  # type: ignore[assignment]
    import pyogrio  # noqa: PLC0415 - GDAL reads its bounds when it is loaded
    import shapely  # noqa: PLC0415 - as above
    from pyogrio.raw import read  # noqa: PLC0415 - as above

    names = [name for name, shape in pyogrio.list_layers(path) if shape is not None and name not in _REPEATED]
    if len(names) > MAX_LAYERS:
        raise LayersError(f"it has {len(names)} layers, and at most {MAX_LAYERS} are read")
    left, positions = MAX_FEATURES, MAX_POSITIONS
    for name in names:
        if pyogrio.read_info(path, layer=name)["driver"] not in _DRIVERS[kind]:
            raise LayersError("it is not what its beginning says")
        meta, _, blobs, columns = read(path, layer=name, force_2d=True, max_features=left + 1)
        shapes = shapely.from_wkb(blobs, on_invalid="ignore") if blobs is not None else []
        left -= len(shapes)
        positions -= int(shapely.get_num_coordinates(shapes).sum()) if len(shapes) else 0
        if left < 0 or positions < 0:
            raise LayersError(f"it has more than {MAX_FEATURES:,} places or {MAX_POSITIONS:,} positions")
        fields = list(meta["fields"])[:MOST_FIELDS]
        features = [
            {
                "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
                "properties": dict(_properties(fields, [column[row] for column in columns])),
            }
            for row, shape in enumerate(shapes)
        ]
        yield {"name": name, "crs": meta["crs"], "features": features}


def _properties(fields: list[str], values: list[Any]) -> Iterator[tuple[str, Any]]:
    for key, value in zip(fields, values, strict=False):
        plain = value.item() if hasattr(value, "item") else value
        if isinstance(plain, bool | int | str) or (isinstance(plain, float) and abs(plain) < float("inf")):
            yield str(key), plain[:LONGEST_VALUE] if isinstance(plain, str) else plain
        elif plain is not None and not isinstance(plain, float):
            yield str(key), str(plain)[:LONGEST_VALUE]


def _main(kind: str, path: str) -> None:
    _bound()
    try:
        answer: dict[str, Any] = {"layers": list(_layers(kind, path))}
    except LayersError as error:
        answer = {"problem": str(error)}
    except (ValueError, RuntimeError, OSError) as error:
        # Errors of GDAL name our temporary file.
        answer = {
            "problem": f"GDAL cannot read it ({' '.join(str(error).replace(path, 'the file').split())[:200]})"
        }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
