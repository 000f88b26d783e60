"""The pixels of a cut-out are where the map says, and it says how much of the site it shows."""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from PIL import Image
from pyproj import Transformer
from shapely import LineString, MultiLineString

from db.records import Scene
from monitor.imagery.cutout import (
    LARGEST_CUTOUT_PX,
    CutoutImage,
    clear_scenes,
    copernicus_attribution,
    cut_out,
    outline_digest,
)
from monitor.imagery.drawing import HATCH_COLOUR, OUTLINE_COLOUR
from monitor.imagery.geotiff import GeoTiff
from monitor.imagery.windows import Raster, RasterError
from monitor.sites import Site
from monitor.sites.geometry import circle
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.fake_feeds import NOON
from tests.kit.pictures import METRES, Pixels, cog, metres_of, noise, origin_of, pixel_of, utm_of

# rasterio multiplies matrices in a way that will one day be old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
MARK = (255, 0, 255)
PLENTY = 20_000_000


@dataclass
class File:
    """A picture on disk as the program reads it, with the parts that were asked for."""

    path: Path
    parts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def raster(self) -> GeoTiff:
        return GeoTiff(lambda: io.FileIO(self.path), self.fetch)

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        self.parts += ranges


def fits(raster: GeoTiff) -> Raster:
    return raster


def cut(path: Path, site: Site, most_bytes: int = PLENTY) -> CutoutImage:
    return cut_out(File(path).raster, site, most_bytes=most_bytes, texts={})


def shown(made: CutoutImage) -> Pixels:
    """The PNG as red, green, blue and alpha."""
    image = Image.open(io.BytesIO(made.png))
    assert (image.format, image.size) == ("PNG", (made.width_px, made.height_px))
    return np.asarray(image.convert("RGBA"))


def corners(site: Site) -> list[tuple[float, float]]:
    """The corners of a site that are not made by the cut at 180°."""
    parts = shapely.get_parts(site.geometry)
    points = {point for part in parts for point in part.exterior.coords if abs(point[0]) < 180}
    return sorted(points)


def edges(site: Site, epsg: int) -> MultiLineString:
    """The true edges of a site on a map, holes included, without the cut at 180°."""
    to_metres = Transformer.from_crs(4326, epsg, always_xy=True)
    lines = []
    for part in shapely.get_parts(site.geometry):
        for ring in (part.exterior, *part.interiors):
            for one, other in pairwise(ring.coords):
                if abs(one[0]) < 180 or abs(other[0]) < 180:
                    dense = shapely.segmentize(LineString([one, other]), 0.001)
                    lines.append([to_metres.transform(point[0], point[1]) for point in dense.coords])
    return MultiLineString(lines)


@dataclass(frozen=True)
class Whole:
    """A tile that holds all of one site, and the cut-out made of it."""

    site: Site
    epsg: int
    origin: tuple[float, float]
    pixels: Pixels
    made: CutoutImage


@pytest.fixture(scope="module", params=CAST, ids=lambda site: site.id)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    site: Site = request.param
    epsg = utm_of(site)
    origin, pixels = origin_of(site, epsg), noise(1200, 1200)
    path = cog(tmp_path_factory.mktemp("tile") / "a.tif", pixels, origin, epsg)
    return Whole(site, epsg, origin, pixels, cut(path, site))


@pytest.mark.parametrize("site", CAST, ids=lambda site: site.id)
def test_what_stands_at_a_corner_of_the_site_is_drawn_there(site: Site, tmp_path: Path) -> None:
    epsg = utm_of(site)
    origin = origin_of(site, epsg)
    pixels = noise(1200, 1200)
    at = [pixel_of(*corner, epsg, origin) for corner in corners(site)]
    for row, column in at:
        pixels[:, row - 3 : row + 4, column - 3 : column + 4] = np.reshape(MARK, (3, 1, 1))
    made = cut(cog(tmp_path / "a.tif", pixels, origin, epsg), site)
    picture = shown(made)[..., :3]
    marked = (picture == MARK).all(axis=-1) | (picture == OUTLINE_COLOUR[:3]).all(axis=-1)
    zoom = round(METRES / made.metres_per_pixel)
    assert len(at) == 4
    for row, column in at:
        top = round(zoom * (row - 3 - (origin[1] - made.bounds["north"]) / METRES))
        left = round(zoom * (column - 3 - (made.bounds["west"] - origin[0]) / METRES))
        side = 7 * zoom
        assert marked[top : top + side, left : left + side].all()
        around = (picture == MARK).all(axis=-1)[top - 1 : top + side + 1, left - 1 : left + side + 1]
        assert around.sum() == (picture == MARK).all(axis=-1)[top : top + side, left : left + side].sum() > 0


def test_every_pixel_that_is_not_outline_is_the_pixel_of_the_scene(whole: Whole) -> None:
    made, origin = whole.made, whole.origin
    picture = shown(made)[..., :3]
    zoom = round(METRES / made.metres_per_pixel)
    top = round((origin[1] - made.bounds["north"]) / METRES)
    left = round((made.bounds["west"] - origin[0]) / METRES)
    height, width = made.height_px // zoom, made.width_px // zoom
    there = np.moveaxis(whole.pixels[:, top : top + height, left : left + width], 0, -1)
    same = (picture == there.repeat(zoom, 0).repeat(zoom, 1)).all(axis=-1)
    drawn = (picture == OUTLINE_COLOUR[:3]).all(axis=-1)
    assert (same | drawn).all()
    assert made.shown_share == 1


def test_the_outline_follows_the_edges_holes_included_and_no_others(whole: Whole) -> None:
    made = whole.made
    rows, columns = np.nonzero((shown(made) == OUTLINE_COLOUR).all(axis=-1))
    step = made.metres_per_pixel
    drawn = shapely.points(
        made.bounds["west"] + (columns + 0.5) * step, made.bounds["north"] - (rows + 0.5) * step
    )
    true = edges(whole.site, whole.epsg)
    assert shapely.distance(drawn, true).max() < 1.5 * step
    along = shapely.line_interpolate_point(true, np.linspace(0, 1, 500), normalized=True)
    assert shapely.distance(along, shapely.MultiPoint(drawn)).max() < 1.5 * step


def test_the_corners_of_the_picture_surround_the_site(whole: Whole) -> None:
    bounds = whole.made.bounds
    frame = shapely.Polygon(bounds["corners"])
    middle = frame.centroid.x
    corners_here = [((lon - middle + 180) % 360 - 180 + middle, lat) for lon, lat in corners(whole.site)]
    assert frame.contains(shapely.MultiPoint(corners_here))
    assert bounds["crs"] == f"EPSG:{whole.epsg}"
    west, south, east, north = metres_of(whole.site, whole.epsg)
    margin = max(250, 0.15 * max(east - west, north - south))
    for side, least in (("west", west - margin), ("south", south - margin)):
        assert least - 2 * METRES <= bounds[side] <= least + METRES, side
    for side, most in (("east", east + margin), ("north", north + margin)):
        assert most - METRES <= bounds[side] <= most + 2 * METRES, side


def test_a_small_site_is_enlarged_and_a_large_one_comes_from_an_overview(tmp_path: Path) -> None:
    small = replace(QUIET_FIELD, geometry=circle(-51.9, -70.6, 300))
    large = replace(QUIET_FIELD, geometry=circle(-51.9, -70.6, 7_000))
    epsg = utm_of(small)
    blank = np.full((3, 2048, 2048), 90, np.uint8)
    path = cog(tmp_path / "a.tif", blank, origin_of(large, epsg), epsg)
    assert cut(path, small).metres_per_pixel == 2.5
    made = cut(path, large)
    assert made.metres_per_pixel == 20
    assert LARGEST_CUTOUT_PX / 2 < max(made.width_px, made.height_px) <= LARGEST_CUTOUT_PX


def test_a_coarser_level_is_taken_where_the_finest_would_cost_too_much(tmp_path: Path) -> None:
    epsg = utm_of(QUIET_FIELD)
    path = cog(tmp_path / "a.tif", noise(1200, 1200), origin_of(QUIET_FIELD, epsg), epsg)
    dear, cheap = File(path), File(path)
    cut_out(dear.raster, QUIET_FIELD, most_bytes=PLENTY, texts={})
    whole = sum(size for _, size in dear.parts)
    made = cut_out(cheap.raster, QUIET_FIELD, most_bytes=whole - 1, texts={})
    assert sum(size for _, size in cheap.parts) < whole
    assert made.bounds["east"] - made.bounds["west"] > 3000
    with pytest.raises(
        RasterError, match="no level at which the site fits into 1024 pixels and few enough bytes"
    ):
        cut(path, QUIET_FIELD, most_bytes=1000)


def test_a_site_half_beyond_the_tile_is_shown_by_half(tmp_path: Path) -> None:
    epsg = utm_of(BUSY_PORT)
    west, _, east, _ = metres_of(BUSY_PORT, epsg)
    origin = origin_of(BUSY_PORT, epsg, east_m=(east - west) / 2)
    made = cut(cog(tmp_path / "a.tif", noise(1200, 1200), origin, epsg), BUSY_PORT)
    alpha, colour = shown(made)[..., 3], shown(made)
    edge = round((origin[0] - made.bounds["west"]) / made.metres_per_pixel)
    assert made.shown_share == pytest.approx(0.5, abs=0.01)
    assert (alpha[:, edge:] == 255).all()
    beyond = colour[:, :edge]
    hatched, drawn = ((beyond == kind).all(axis=-1) for kind in (HATCH_COLOUR, OUTLINE_COLOUR))
    assert ((beyond[..., 3] == 0) | hatched | drawn).all()
    assert hatched.mean() > 0.1


def test_pixels_without_data_count_as_not_shown(tmp_path: Path) -> None:
    epsg = utm_of(DONUT_BASE)
    origin = origin_of(DONUT_BASE, epsg)
    _, south, _, north = metres_of(DONUT_BASE, epsg)
    pixels = noise(1200, 1200)
    pixels[:, : round((origin[1] - (south + north) / 2) / METRES)] = 0
    made = cut(cog(tmp_path / "a.tif", pixels, origin, epsg), DONUT_BASE)
    assert made.shown_share == pytest.approx(0.5, abs=0.02)
    with pytest.raises(RasterError, match="holds no data over the site"):
        cut(cog(tmp_path / "b.tif", np.zeros_like(pixels), origin, epsg), DONUT_BASE)


def _with_alpha(pixels: Pixels, hidden: slice) -> Pixels:
    alpha = np.full((1, *pixels.shape[1:]), 255, np.uint8)
    alpha[:, :, hidden] = 0
    return np.concatenate([pixels, alpha])


def _blank(pixels: Pixels, hidden: slice) -> Pixels:
    pixels[:, :, hidden] = 255
    return pixels


@pytest.mark.parametrize(
    ("written", "profile"),
    [
        (_with_alpha, {"nodata": None, "photometric": "RGB", "alpha": "YES"}),
        (_with_alpha, {"nodata": None, "photometric": "RGB", "alpha": "YES", "interleave": "band"}),
        (_blank, {"nodata": 255}),
    ],
    ids=["alpha", "alpha by bands", "another value for no data"],
)
def test_what_a_file_says_holds_no_data_is_not_shown(
    written: Callable[[Pixels, slice], Pixels], profile: Mapping[str, Any], tmp_path: Path
) -> None:
    epsg = utm_of(QUIET_FIELD)
    origin = origin_of(QUIET_FIELD, epsg)
    west, _, east, _ = metres_of(QUIET_FIELD, epsg)
    half = slice(round(((west + east) / 2 - origin[0]) / METRES), None)
    path = cog(tmp_path / "a.tif", written(noise(600, 600), half), origin, epsg, **profile)
    made = cut(path, QUIET_FIELD)
    assert made.shown_share == pytest.approx(0.5, abs=0.03)
    alpha = shown(made)[..., 3]
    assert (alpha[2, -3], alpha[2, 2]) == (0, 255)
    gone = written(noise(600, 600), slice(None))
    with pytest.raises(RasterError, match="holds no data over the site"):
        cut(cog(tmp_path / "b.tif", gone, origin, epsg, **profile), QUIET_FIELD)


def test_a_site_smaller_than_a_pixel_is_shown(tmp_path: Path) -> None:
    tiny = replace(QUIET_FIELD, geometry=circle(-51.9, -70.6, 1.5))
    epsg = utm_of(tiny)
    made = cut(cog(tmp_path / "a.tif", noise(1200, 1200), origin_of(tiny, epsg), epsg), tiny)
    assert made.shown_share == 1


def test_a_tile_on_the_other_side_of_180_shows_the_same_site(tmp_path: Path) -> None:
    """Tiles of both neighbouring zones reach over 180°; a site across it is whole in either."""
    for epsg in (32760, 32701):
        origin = origin_of(DATELINE_STRIP, epsg)
        made = cut(cog(tmp_path / f"{epsg}.tif", noise(1200, 1200), origin, epsg), DATELINE_STRIP)
        assert made.shown_share == 1
        assert 5000 < made.bounds["east"] - made.bounds["west"] < 6500


def _elsewhere(folder: Path, **changes: Any) -> Path:
    epsg = utm_of(QUIET_FIELD)
    pixels = changes.pop("pixels", noise(600, 600))
    return cog(folder / "a.tif", pixels, changes.pop("origin", origin_of(QUIET_FIELD, epsg)), epsg, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin": (500_000.0, 4_000_000.0)}, "the site lies outside this picture"),
        (
            {"pixels": noise(600, 600).astype(np.uint16)},
            "not a colour picture of three bands with one byte each",
        ),
        ({"pixels": noise(600, 600)[:1]}, "not a colour picture of three bands"),
        ({"crs": "EPSG:3857"}, "not on a UTM map"),
        ({"transform": Affine(1e-300, 0, 0, 0, -1e-300, 0)}, "not north up with pixels of 1 to 1000 m"),
        ({"transform": Affine(10, 1, 0, 1, -10, 0)}, "not north up"),
        ({"transform": Affine(10, 0, 1e9, 0, -10, 0)}, "lies nowhere on Earth"),
    ],
)
def test_a_file_that_is_not_the_expected_picture_is_refused_in_words(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(RasterError, match=words):
        cut(_elsewhere(tmp_path, **changes), QUIET_FIELD)


def test_the_picture_says_where_it_is_from(tmp_path: Path) -> None:
    path = _elsewhere(tmp_path)
    said = {"Copyright": copernicus_attribution(NOON), "Title": "Квайет Филд, 2023"}
    made = cut_out(File(path).raster, QUIET_FIELD, most_bytes=PLENTY, texts=said)
    assert Image.open(io.BytesIO(made.png)).info == said
    assert copernicus_attribution(NOON) == "Contains modified Copernicus Sentinel data 2023"


def scene(**changes: Any) -> Scene:
    values: dict[str, Any] = {
        "provider": "earth-search",
        "collection": "sentinel-2-l2a",
        "item_id": "A",
        "site_id": QUIET_FIELD.id,
        "look_key": "sentinel-2b:GS2B_1:quiet-field",
        "platform": "sentinel-2b",
        "acquired_at": NOON - timedelta(days=1),
        "covered_share": 1.0,
        "recorded_at": NOON,
        "cloud_share": 0.1,
        "links": {"visual": "https://a.amazonaws.com/TCI.tif"},
    }
    return Scene(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"cloud_share": 0.2},
        {"cloud_share": None},
        {"covered_share": 0.95},
        {"collection": "sentinel-2-l1c"},
        {"acquired_at": NOON - timedelta(days=91)},
        {"acquired_at": NOON + timedelta(minutes=1)},
        {"links": {"thumbnail": "https://a.example/t.jpg"}},
    ],
)
def test_other_scenes_give_no_picture(changes: dict[str, Any]) -> None:
    assert clear_scenes([scene(**changes)], NOON) == []


def test_the_newest_clear_scene_comes_first() -> None:
    days = [3, 1, 2]
    found = clear_scenes(
        [scene(item_id=str(day), acquired_at=NOON - timedelta(days=day)) for day in days], NOON
    )
    assert [each.item_id for each in found] == ["1", "2", "3"]


def test_a_site_drawn_anew_has_another_digest() -> None:
    assert outline_digest(QUIET_FIELD) == outline_digest(replace(QUIET_FIELD, name="Another name"))
    assert outline_digest(QUIET_FIELD) != outline_digest(BUSY_PORT)
