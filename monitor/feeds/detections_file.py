"""Any GeoJSON, CSV or GeoParquet at an address, read whole each time, with a declared mapping of its columns."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from db.records import Purpose
from db.records.detections import Detection
from monitor.feeds import Answer, FeedClient, FeedError, Fetched, Provider, Scope
from monitor.feeds.detections import DetectionReader, mapping_of
from monitor.feeds.features import features_in, id_of, properties_of, shape_of
from monitor.feeds.options import number_option
from monitor.feeds.parsing import parse_json
from monitor.feeds.separated import table_rows
from monitor.sites import Site
from monitor.sites.document import leads_on

_PARQUET = b"PAR1"
_MOST_ROWS = 1_000_000
Row = tuple[Mapping[str, Any], BaseGeometry | None, str]


class DetectionsFileFeed:
    """Reads one file for all sites; which kind it is shows at its beginning.

    Options: the mapping of `monitor.feeds.detections` (a CSV needs `lat` and `lon`), `initial_days`.
    """

    watches = False
    ledger = None

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._client = client
        self._mapping = mapping_of(
            provider, time="time", lat="latitude", lon="longitude", **{"class": "class"}
        )
        self._initial = timedelta(days=number_option(provider, "initial_days", 3_660))

    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One file serves all sites."""
        ordered = sorted(site.id for site in sites)
        return [Scope("file", tuple(ordered))] if ordered else []

    def canary(self, scope: Scope) -> Scope | None:
        """None: nothing found is never taken for a count of nothing."""
        return None

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Read the whole file; rows that were read before are known by what they say, wherever they stand now."""
        where = f"{self.provider.name} {scope.key}"
        answer = self._client.request("GET", self.provider.base_url, purpose=purpose)
        reader = DetectionReader(
            self.provider.name, self._mapping, sites, begins=now - self._initial, now=now
        )
        found: list[Detection] = []
        read = 0
        for row, place, row_id in self._rows(answer, where):
            read += 1
            if read > _MOST_ROWS:
                raise FeedError(
                    f"{where}: the file has more than {_MOST_ROWS:,} rows. Let it hold the newest alone."
                )
            found += reader.read(row, place, row_id)
        return Fetched(
            (answer.body,),
            answer.status,
            read,
            detections=tuple(found),
            rejected=dict(reader.rejected),
            request=answer.asked,
        )

    def _rows(self, answer: Answer, where: str) -> Iterator[Row]:
        if answer.body.startswith(_PARQUET):
            return _parquet_rows(answer.body, where)
        if answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
            features = _features(answer, where)
            return ((properties_of(each), shape_of(each), id_of(each)) for each in features)
        lat, lon = self._mapping.named("lat"), self._mapping.named("lon")
        told = ("time",) if self._mapping.only else ("time", "class")
        needed = [lat, lon, *filter(None, map(self._mapping.named, told))]
        rows = table_rows(answer, where, needed)
        return ((row, _point(row[lat], row[lon]), "") for row in rows)


def _features(answer: Answer, where: str) -> list[dict[str, Any]]:
    """The features of a file, which may be one of them or a list; raises FeedError where its server has more of them."""
    said = parse_json(answer.body, where)
    several = said if isinstance(said, list) else [said]
    if several and all(isinstance(each, dict) and each.get("type") == "Feature" for each in several):
        return several
    page, features = features_in(said, answer, where)
    if leads_on(page):
        raise FeedError(
            f"{where}: this is one page of {len(features)} features, and the server has more. Ask it for all of them in one answer "
            "(a larger limit, or only what is near the sites), or use the kind ogc_features.",
            ours=True,
        )
    return features


def _point(lat: str, lon: str) -> BaseGeometry | None:
    try:
        return shapely.Point(float(lon), float(lat))
    except ValueError:
        return None


def _parquet_rows(body: bytes, where: str) -> Iterator[Row]:
    if find_spec("pyarrow") is None:
        raise FeedError(
            f"{where}: it is GeoParquet, which needs pyarrow. Install it with: .venv/bin/pip install pyarrow.",
            ours=True,
        )
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(body))
        geo = json.loads((table.schema.metadata or {}).get(b"geo", b"null"))
    except Exception as error:  # noqa: BLE001 - the library has errors of its own for every way in which a file is damaged
        raise FeedError(
            f"{where}: the file is damaged or no Parquet ({type(error).__name__}).", body=body
        ) from None
    column = geo.get("primary_column") if isinstance(geo, dict) else None
    described = geo.get("columns", {}).get(column) if isinstance(column, str) else None
    if not isinstance(column, str) or not isinstance(described, dict) or column not in table.column_names:
        raise FeedError(
            f"{where}: it is Parquet without a description of its geometry (GeoParquet).", body=body
        )
    crs = described.get("crs")
    code = crs.get("id", {}).get("code") if isinstance(crs, dict) else None
    if crs is not None and code not in {"CRS84", 4326}:
        raise FeedError(
            f"{where}: its coordinates are not longitude and latitude (CRS84). Write it anew in that system."
        )
    if described.get("encoding", "WKB") != "WKB":
        raise FeedError(f"{where}: its geometry is not encoded as WKB. Write it anew with that encoding.")
    return _table_rows(table, column)


def _table_rows(table: Any, column: str) -> Iterator[Row]:
    for batch in table.to_batches(1_000):
        for row in batch.to_pylist():
            shape = row.pop(column)
            yield {name: _plain(value) for name, value in row.items()}, _from_wkb(shape), ""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if value is not None and not isinstance(value, str | int | float) else value


def _from_wkb(value: Any) -> BaseGeometry | None:
    try:
        return None if value is None else shapely.force_2d(shapely.from_wkb(value))
    except (shapely.errors.ShapelyError, TypeError):
        return None
