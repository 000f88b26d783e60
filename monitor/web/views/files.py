"""What a page shows, as files: the same question to the API, in each of its forms. Pure."""

from collections.abc import Mapping
from urllib.parse import urlencode

_FORMS = (
    ("csv", "CSV"),
    ("xlsx", "Excel"),
    ("geojson", "GeoJSON"),
    ("parquet", "GeoParquet"),
    ("json", "JSON"),
)


def as_files(path: str, asked: Mapping[str, str]) -> list[tuple[str, str]]:
    """The names of the forms and the addresses of an answer of the API in them."""
    return [(name, f"{path}?{urlencode({**asked, 'format': form}, safe=':,')}") for form, name in _FORMS]
