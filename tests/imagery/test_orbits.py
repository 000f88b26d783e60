"""Orbit elements: read in every form, propagated as published, and which passes over a place follow from them."""

import csv
import io
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from pyproj import Geod
from sgp4 import exporter
from sgp4.api import WGS72, Satrec

from monitor.imagery.orbits import AFTER, BEFORE, ElementsError, Orbit, OverPass, earth_fixed, read_elements

EPOCH = datetime(2026, 11, 28, tzinfo=UTC)
SUNAN = 125.67, 39.22


def elements(epoch: datetime = EPOCH, revolutions: float = 14.30818, node: float = 40.0) -> Satrec:
    """A satellite that flies as Sentinel-2 does: sun-synchronous, the same track after 143 orbits or ten days."""
    made = Satrec()
    days = (epoch - datetime(1949, 12, 31, tzinfo=UTC)) / timedelta(days=1)
    motion = revolutions * 2 * math.pi / 1440
    angles = [math.radians(each) for each in (90.0, 98.57, 270.0)]
    made.sgp4init(WGS72, "i", 42063, days, 1e-5, 0.0, 0.0, 1e-4, *angles, motion, math.radians(node))
    made.classification, made.intldesg, made.ephtype, made.elnum, made.revnum = "U", "17013A", 0, 999, 1
    return made


def lines(of: Satrec, name: str = "SENTINEL-2B") -> str:
    return "\n".join([name, *exporter.export_tle(of)])


def as_csv(of: Satrec) -> str:
    fields = exporter.export_omm(of, "SENTINEL-2B")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(fields))
    writer.writeheader()
    writer.writerow(fields)
    return text.getvalue()


def as_json(of: Satrec) -> str:
    return json.dumps([exporter.export_omm(of, "SENTINEL-2B") | {"EPOCH": f"{EPOCH:%Y-%m-%dT%H:%M:%S}"}])


def as_xml(of: Satrec) -> str:
    fields = exporter.export_omm(of, "SENTINEL-2B")
    said = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    rest = "<meanElements/><tleParameters/>"
    return f"<ndm><omm><body><segment><metadata>{said}</metadata><data>{rest}</data></segment></body></omm></ndm>"


def test_positions_are_those_that_were_published_with_the_theory() -> None:
    """Satellite 00005 of the verification set of AIAA 2006-6753, six hours and twelve after its epoch (km)."""
    one = "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753"
    two = "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667"
    orbit = Orbit("vanguard", Satrec.twoline2rv(one, two, WGS72))
    published = np.array(
        [[-7154.03120202, -3783.17682504, -3536.19412294], [-7134.59340119, 6531.68641334, 3260.27186483]]
    )
    times = np.array([orbit.epoch.timestamp() + 60 * minutes for minutes in (360.0, 720.0)])
    wanted = earth_fixed(published * 1_000, times / 86_400 + 2_440_587.5)
    assert np.abs(orbit.positions(times) - wanted).max() < 1.0


def test_the_earth_turns_as_in_the_published_example() -> None:
    """The same paper turns this place into one fixed to the Earth; polar motion and UT1 are left out here, 250 m."""
    julian = 2_453_101.5 + (7 * 3600 + 51 * 60 + 28.386009) / 86_400
    found = earth_fixed(np.array([[5094.18016210, 6127.64465950, 6380.34453270]]), np.array([julian]))
    assert np.abs(found[0] - [-1033.4793830, 7901.2952754, 6380.3565958]).max() < 0.3


@pytest.mark.parametrize("written", [lines, as_csv, as_json, as_xml])
def test_each_form_says_the_same(written: Callable[[Satrec], str]) -> None:
    (orbit,) = read_elements("\ufeff" + written(elements()))
    assert orbit.platform == "sentinel-2b"
    assert abs(orbit.epoch - EPOCH) < timedelta(seconds=1)
    times = np.array([EPOCH.timestamp() + 3_600 * each for each in range(48)])
    plain = Orbit("sentinel-2b", elements()).positions(times)
    assert np.abs(orbit.positions(times) - plain).max() < 200, "what two lines round off"


def test_a_track_comes_again_after_ten_days_and_the_place_is_in_view() -> None:
    orbit = Orbit("sentinel-2b", elements())
    found = orbit.passes_over(*SUNAN).passes
    assert len(found) >= 4
    assert {each.sure for each in found} == {True}
    for one, other in pairwise(found):
        apart = other.at - one.at
        assert abs(apart - timedelta(days=10)) < timedelta(minutes=2)
        assert abs(other.east_km - one.east_km) < 3
    assert all(orbit.epoch - BEFORE <= each.at <= orbit.epoch + AFTER for each in found)
    _check_view(orbit, found[0])


def _check_view(orbit: Orbit, one: OverPass) -> None:
    """By every second of that hour: no point of the track is nearer, and it flies south there."""
    times = one.at.timestamp() + np.arange(-1_800.0, 1_800.0)
    east, north = orbit.ground(times)
    apart = Geod(ellps="WGS84").inv(east, north, np.full_like(east, SUNAN[0]), np.full_like(east, SUNAN[1]))[
        2
    ]
    best = int(np.argmin(apart))
    assert abs(times[best] - one.at.timestamp()) <= 1
    assert abs(one.east_km) == pytest.approx(apart[best] / 1_000, abs=0.1)
    assert north[best + 1] < north[best]
    assert (east[best] > SUNAN[0]) == (one.east_km > 0)
    assert abs(one.east_km) < 145


def test_a_place_outside_the_swath_is_not_passed_and_one_on_its_edge_is_not_promised() -> None:
    orbit = Orbit("sentinel-2b", elements())
    (one, *_) = orbit.passes_over(*SUNAN).passes
    to_east = Geod(ellps="WGS84").fwd(*SUNAN, 98.0, (140 + one.east_km) * 1_000)
    edge = [
        each
        for each in orbit.passes_over(to_east[0], to_east[1]).passes
        if abs(each.at - one.at) < timedelta(minutes=5)
    ]
    assert [each.sure for each in edge] == [False]
    beyond = Geod(ellps="WGS84").fwd(*SUNAN, 98.0, (190 + one.east_km) * 1_000)
    found = orbit.passes_over(beyond[0], beyond[1]).passes
    assert not any(abs(each.at - one.at) < timedelta(minutes=5) for each in found)


def test_the_newest_elements_of_a_satellite_are_taken_and_others_left_alone() -> None:
    older, newer = elements(EPOCH - timedelta(days=3)), elements()
    text = "\n".join([lines(newer), lines(older), lines(older, "0 STARLINK-1"), lines(older, "LANDSAT 8")])
    assert {each.platform: each.epoch.date() for each in read_elements(text)} == {
        "sentinel-2b": EPOCH.date(),
        "landsat-8": (EPOCH - timedelta(days=3)).date(),
    }


GOOD = lines(elements())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "found: none"),
        ("SENTINEL-1A" + GOOD.removeprefix("SENTINEL-2B"), "found: sentinel-1a"),
        (GOOD.replace("98.5700", "98.5701"), "line 3: TLE line gives its checksum as 5"),
        (GOOD.split("\n", 1)[1], "line 2: no name stands before"),
        ("\n".join(GOOD.split("\n")[::2]), "line 2: no first line of elements"),
        (
            "\n".join([*GOOD.split("\n")[:2], "SENTINEL-2C"]),
            "line 3: the second line of elements should stand here",
        ),
        ("[{}]", "message 1: it has no EPOCH"),
        ("[1]", "message 1: "),
        ("{", "it is no orbit mean-elements message"),
        ("<html", "it is no orbit mean-elements message"),
        (
            as_json(elements()).replace('"INCLINATION": ', '"INCLINATION": "x", "I": '),
            "message 1: could not convert",
        ),
        (as_csv(elements()).replace("BSTAR", "B"), "message 1: it has no BSTAR"),
    ],
)
def test_what_cannot_be_gone_by_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ElementsError, match=why):
        read_elements(text)
