"""Reloading: edits are seen, bad ones keep the old sites and are told once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from monitor.sites.faults import SitesError
from monitor.sites.reload import Reload, SitesFile
from tests.kit.cast import CAST_GEOJSON, write_cast

IDS = ["quiet-field", "busy-port", "dateline-strip", "donut-base"]


def rewrite(path: Path, document: Any) -> None:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")


def edited() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(CAST_GEOJSON))
    return document


def test_a_file_that_nobody_touched_is_unchanged(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    assert file.refresh() == Reload("unchanged")


def test_the_first_load_tells_its_faults(tmp_path: Path) -> None:
    with pytest.raises(SitesError):
        SitesFile(tmp_path / "sites.geojson")


def test_added_removed_and_changed_sites_are_named(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    document = edited()
    document["features"][0]["properties"]["links"] = []
    document["features"][2]["id"] = "dateline-airport"
    document["features"][3]["properties"] |= {"name": "Ring Base", "links": []}
    rewrite(file.path, document)
    assert file.refresh() == Reload(
        "changed",
        added=("dateline-airport",),
        removed=("dateline-strip",),
        changed=("quiet-field", "donut-base"),
    )
    assert file.sites.by_id["donut-base"].name == "Ring Base"
    assert file.refresh() == Reload("unchanged")


def test_a_bad_edit_keeps_the_old_sites_and_is_told_once(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    before = file.sites
    document = edited()
    document["features"][0]["properties"]["kind"] = "airprt"
    rewrite(file.path, document)
    refused = file.refresh()
    assert refused.outcome == "refused"
    assert [fault.path for fault in refused.faults] == ["properties.kind"]
    assert file.sites is before
    os.utime(file.path, ns=(1, 1))  # touched, not edited
    assert file.refresh() == Reload("unchanged")

    rewrite(file.path, "{")
    assert file.refresh().outcome == "refused"
    assert file.sites is before


def test_a_mended_file_is_loaded_and_a_second_break_told_again(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    rewrite(file.path, "{")
    assert file.refresh().outcome == "refused"
    write_cast(tmp_path)
    assert file.refresh() == Reload("unchanged", mended=True)
    rewrite(file.path, "{")
    assert file.refresh().outcome == "refused"
    document = edited()
    document["features"][1]["properties"]["name"] = "Busier Port"
    rewrite(file.path, document)
    assert file.refresh() == Reload("changed", changed=("busy-port",), mended=True)


def test_a_file_that_vanishes_is_told_once_until_it_is_back(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    file.path.unlink()
    gone = file.refresh()
    assert gone.outcome == "refused"
    assert "does not exist" in gone.faults[0].problem
    assert file.refresh() == Reload("unchanged")
    assert [site.id for site in file.sites] == IDS
    write_cast(tmp_path)
    assert file.refresh() == Reload("unchanged", mended=True)


def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    stamp = file.path.stat()
    text = file.path.read_text(encoding="utf-8").replace("Busy Port", "Lazy Port")
    rewrite(file.path, text)
    os.utime(file.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file.path.stat().st_size == stamp.st_size
    assert file.refresh().changed == ("busy-port",)


def test_another_layout_of_the_same_sites_changes_none(tmp_path: Path) -> None:
    file = SitesFile(write_cast(tmp_path))
    file.path.write_text(json.dumps(CAST_GEOJSON, indent=4), encoding="utf-8")
    assert file.refresh() == Reload("changed")


def test_rules_that_are_not_offered_are_refused(tmp_path: Path) -> None:
    document = edited()
    document["features"][0]["properties"]["watch"] = {"arrivals": {"rules": {"tail": {}}}}
    path = tmp_path / "sites.geojson"
    rewrite(path, document)
    assert len(SitesFile(path).sites) == 4
    with pytest.raises(SitesError, match=r"rules\.tail: this rule is not known"):
        SitesFile(path, {"record": {}})


def test_a_watch_is_kind_under_settings_under_site(tmp_path: Path) -> None:
    document = edited()
    document["features"][0]["properties"]["watch"] = {
        "arrivals": {
            "subjects": ["class:vip_military"],
            "rules": {"first_ever": None, "record": {"min_looks": 5}},
        }
    }
    path = tmp_path / "sites.geojson"
    rewrite(path, document)
    layers = {"airport": {"arrivals": {"rules": {"record": {"min_looks": 40, "by": "week"}, "ears_c2": {}}}}}
    watches = SitesFile(path).watches(layers, lapse_after_days=30)

    quiet = watches["quiet-field"]
    assert (quiet.name, quiet.kind, quiet.timezone) == (
        "Quiet Field",
        "airport",
        "America/Argentina/Rio_Gallegos",
    )
    assert (quiet.watchlist, quiet.links, quiet.lapse_after_days) == (
        ("class:vip_military",),
        ("donut-base",),
        30,
    )
    arrivals = quiet.metrics["arrivals"]
    assert arrivals.subjects == ("class:vip_military",)
    assert arrivals.rules["record"] == {"min_looks": 5, "by": "week"}
    assert "first_ever" not in arrivals.rules
    assert "ears_c2" in arrivals.rules
    assert "ears_c2" not in watches["donut-base"].metrics["arrivals"].rules
    assert "railcars" not in watches["busy-port"].metrics
    assert list(watches) == IDS
