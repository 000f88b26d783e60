"""Sites on the same ground are noted: what happens there would be counted twice."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.commands.sites import sites_app
from monitor.sites import Site
from monitor.sites.geometry import circle
from monitor.sites.incoming import Told, feature_from_point
from monitor.sites.load import load_sites
from monitor.sites.overlaps import overlaps
from monitor.sites.write import dump_geojson
from tests.kit.cast import CAST

PLACES = {"south": (-51.9, -70.6), "north": (69.6, 18.9), "dateline": (-16.7, 179.99)}


def sites(tmp_path: Path, *round_sites: tuple[str, float, float, float]) -> tuple[Site, ...]:
    """Round sites as (id, latitude, longitude, radius in metres), through the real file."""
    features = [
        feature_from_point(Told(name, name.title(), "port"), lat=lat, lon=lon, radius_m=radius_m)
        for name, lat, lon, radius_m in round_sites
    ]
    path = tmp_path / "sites.geojson"
    path.write_text(dump_geojson({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return load_sites(path).sites


@pytest.mark.parametrize(("lat", "lon"), PLACES.values(), ids=PLACES)
def test_a_site_within_another_is_noted_once_with_its_share(tmp_path: Path, lat: float, lon: float) -> None:
    found = overlaps(sites(tmp_path, ("wide", lat, lon, 5000), ("small", lat, lon, 500)))
    assert [(each.first.id, each.second.id) for each in found] == [("wide", "small")]
    assert found[0].share == pytest.approx(1)
    assert "share all of the smaller outline" in str(found[0])


def test_neighbours_that_touch_are_not_noted(tmp_path: Path) -> None:
    # 6 km apart: circles of 3,010 m share a sliver, circles of 4,000 m a good part.
    lon = 18.9 + 6.0 / (111.32 * 0.3486)
    assert overlaps(sites(tmp_path, ("west", 69.6, 18.9, 3010), ("east", 69.6, lon, 3010))) == []
    (found,) = overlaps(sites(tmp_path, ("west", 69.6, 18.9, 4000), ("east", 69.6, lon, 4000)))
    assert 0.1 < found.share < 0.4
    assert f"share {found.share:.0%} of" in str(found)


def test_the_share_is_that_of_the_ground(tmp_path: Path) -> None:
    (found,) = overlaps(sites(tmp_path, ("a", 60.0, 25.0, 2000), ("b", 60.0, 25.04, 2000)))
    first, second = circle(60.0, 25.0, 2000), circle(60.0, 25.04, 2000)
    assert found.share == pytest.approx(first.intersection(second).area / first.area, rel=0.01)


def test_only_pairs_with_a_named_site_are_given_where_some_are_named(tmp_path: Path) -> None:
    three = sites(tmp_path, ("one", 10, 10, 900), ("two", 10, 10, 800), ("three", 10, 10, 700))
    assert len(overlaps(three)) == 3
    assert {each.second.id for each in overlaps(three, ["three"])} == {"three"}
    assert overlaps(three, ["elsewhere"]) == []


def test_no_two_sites_that_the_tests_or_the_program_ship_overlap() -> None:
    shipped = load_sites(Path(__file__).resolve().parents[2] / "sites.geojson").sites
    assert overlaps(CAST) == []
    assert [str(each) for each in overlaps(shipped)] == []


def test_a_file_without_sites_has_no_pairs() -> None:
    assert overlaps(()) == []


def test_adding_the_same_airport_again_under_another_id_is_done_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "sites.geojson"
    run = CliRunner().invoke
    assert run(sites_app, ["add", "--airport", "EKBI", "--file", str(path)]).stdout.count("\n") == 1
    added = run(sites_app, ["add", "--airport", "EKBI", "--id", "again", "--file", str(path)])
    assert "Note: dk-ekbi (Billund Airport) and again (Billund Airport) share all" in added.stdout
    assert "remove one of them" in added.stdout
    checked = run(sites_app, ["check", "--file", str(path)])
    assert checked.exit_code == 0
    assert "Note: dk-ekbi" in checked.stdout
    notes = json.loads(run(sites_app, ["check", "--json", "--file", str(path)]).stdout)["notes"]
    assert len(notes) == 1
