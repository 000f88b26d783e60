"""A footprint that its own grid code refutes is no scene of the sites that it happens to cross."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from shapely import box, segmentize
from shapely.geometry import mapping, shape

from monitor.feeds.stac_grid import is_refuted
from monitor.sites.geometry import footprint_outline
from tests.kit.cast import DATELINE_STRIP


@pytest.mark.shared
def test_no_real_tile_is_refuted_by_its_own_code(shared_data: Path) -> None:
    checked = 0
    with gzip.open(shared_data / "stac" / "real-items.ndjson.gz", "rt") as lines:
        for item in map(json.loads, lines):
            code = str(item["properties"].get("grid:code", ""))
            if code.startswith("MGRS-"):
                assert not is_refuted(code, footprint_outline(item["geometry"])), item["id"]
                checked += 1
    assert checked >= 18


@pytest.mark.parametrize(
    ("code", "footprint", "refuted"),
    [
        ("MGRS-52TFN", box(130.3, 42.4, 131.5, 43.3), False),
        ("52TFN", box(130.3, 42.4, 131.5, 43.3), False),
        # One tile of zone 1 was listed as a band across Korea, one of zone 60 round the earth.
        ("MGRS-01TBE", box(120.0, 41.0, 131.0, 42.0), True),
        ("MGRS-60CWS", segmentize(box(-179.9, -79.9, 179.9, -79.0), 10), True),
        # The right zone and the wrong square.
        ("MGRS-52TFN", box(126.0, 42.4, 127.2, 43.3), True),
        # The right square of the other half of the earth.
        ("MGRS-52GFN", box(130.3, 42.4, 131.5, 43.3), True),
        # A strip of a tile at the edge of the swath.
        ("MGRS-20EPT", box(-59.83, -60.50, -59.18, -60.38), False),
        # What is no code of this grid refutes nothing.
        ("WRS2-113032", box(120.0, 41.0, 131.0, 42.0), False),
        ("MGRS-52TIN", box(120.0, 41.0, 131.0, 42.0), False),
        ("MGRS-99TFN", box(120.0, 41.0, 131.0, 42.0), False),
        (None, box(120.0, 41.0, 131.0, 42.0), False),
        (52, box(120.0, 41.0, 131.0, 42.0), False),
    ],
)
def test_a_code_refutes_what_lies_elsewhere(code: object, footprint: Any, refuted: bool) -> None:
    assert is_refuted(code, shape(mapping(footprint))) is refuted


@pytest.mark.parametrize(
    ("code", "refuted"), [("MGRS-60KZG", False), ("MGRS-01KAB", False), ("MGRS-52TFN", True)]
)
def test_tiles_beside_180_degrees_are_held_against_codes_of_both_zones(code: str, refuted: bool) -> None:
    footprint = footprint_outline(mapping(DATELINE_STRIP.geometry))
    assert is_refuted(code, footprint) is refuted
