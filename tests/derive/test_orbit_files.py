"""Files of orbit elements: refused at the start, renewed while the service runs, the last good ones kept."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.bootstrap import build_orbits
from monitor.config.settings import SettingsError, load_settings
from monitor.derive.orbit_files import OrbitFiles
from monitor.imagery.orbits import ElementsError
from tests.imagery.test_orbits import EPOCH, elements, lines
from tests.kit.cast import QUIET_FIELD


def write(path: Path, text: str, age_s: float) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (age_s, age_s))


def test_a_file_is_read_again_when_it_is_renewed_and_a_bad_one_leaves_the_last(tmp_path: Path) -> None:
    path = tmp_path / "elements.txt"
    write(path, lines(elements()), 1_000)
    files = OrbitFiles([path])
    (first,) = files.passes_over(QUIET_FIELD)
    assert (first.platform, first.epoch.date(), first.fault) == ("sentinel-2b", EPOCH.date(), "")
    later = EPOCH + timedelta(days=7)
    write(path, lines(elements(later)), 2_000)
    assert files.passes_over(QUIET_FIELD)[0].epoch.date() == later.date()
    write(path, "half a fi", 3_000)
    (kept,) = files.passes_over(QUIET_FIELD)
    assert kept.epoch.date() == later.date()
    assert kept.fault.startswith(f"The orbit elements in {path} cannot be used: ")
    assert kept.fault.endswith("Those that were read before are gone by.")
    path.unlink()
    assert "cannot be read" in files.passes_over(QUIET_FIELD)[0].fault
    write(path, lines(elements(later)), 4_000)
    assert files.passes_over(QUIET_FIELD)[0].fault == ""


def test_of_two_files_the_newer_elements_are_gone_by(tmp_path: Path) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    write(new, lines(elements()), 1_000)
    write(old, lines(elements(EPOCH - timedelta(days=9))), 2_000)
    for order in ([old, new], [new, old]):
        (found,) = OrbitFiles(order).passes_over(QUIET_FIELD)
        assert found.epoch.date() == EPOCH.date()


def test_the_settings_name_files_and_a_bad_one_stops_the_start(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    write(good, lines(elements()), 1_000)
    named = load_settings({"SITEWATCH_ORBIT_FILES": f"{good},{good}"})
    assert [each.platform for each in build_orbits(named).passes_over(QUIET_FIELD)] == ["sentinel-2b"]
    with pytest.raises(SettingsError, match=r"bad\.txt cannot be read: No such file"):
        build_orbits(load_settings({"SITEWATCH_ORBIT_FILES": str(bad)}))
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(ElementsError, match="cannot be read"):
        OrbitFiles([bad])
