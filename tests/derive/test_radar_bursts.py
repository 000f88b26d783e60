"""Pixels of radar bursts: read from behind a login, laid together by pass, and aircraft found on the apron."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from shapely import box
from sqlalchemy import Engine

from db.engine import reading, writing
from db.imagery import insert_scenes
from db.observations import looks
from db.pixels import bytes_read_on, pixel_failures
from db.radar import radar_admissions, radar_looks
from db.records import Observation, Scene
from monitor.derive.pictures import PICTURE_CAPS
from monitor.derive.radar import RadarReport
from monitor.derive.radar_bursts import read_bursts
from monitor.derive.radar_measuring import study_radar
from monitor.feeds import FeedError
from monitor.feeds.earthdata import EarthdataFiles
from monitor.imagery.kept import unpacked
from monitor.imagery.radar import BRIGHT_RADAR
from monitor.imagery.radar_aircraft import AIRCRAFT
from monitor.imagery.radar_pixels import burst_grid, burst_levels
from monitor.imagery.windows import projected
from monitor.sites import Area
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import client
from tests.kit.radar import (
    ARCHIVE,
    BURSTS,
    EARTHDATA_TOKEN,
    EGRESS,
    SIGNED,
    BurstArchive,
    Metal,
    RadarPass,
    RadarWorld,
    burst_provider,
    times,
)

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
WEST, SOUTH, _, _ = QUIET_FIELD.geometry.bounds
APRON = Area("apron", "Apron", "apron", box(WEST + 0.004, SOUTH + 0.002, WEST + 0.010, SOUTH + 0.005))
SITE = replace(QUIET_FIELD, geometry=box(WEST, SOUTH, WEST + 0.014, SOUTH + 0.007), areas=(APRON,))
assert APRON.geometry is not None
WORLD = RadarWorld(SITE, seed=4, paved=[APRON.geometry])
FIRST = datetime(2022, 1, 5, tzinfo=UTC)
NOW = FIRST + timedelta(days=900)
PLENTY = 10**10


def files(handler: Any, **changes: Any) -> dict[str, EarthdataFiles]:
    provider = burst_provider(**changes)
    guarded = client(handler, provider.name, headers={}, caps=PICTURE_CAPS)
    return {provider.name: EarthdataFiles(provider, guarded)}


def store(engine: Engine, scenes: Sequence[Scene]) -> None:
    with writing(engine) as connection:
        insert_scenes(connection, scenes)


def read_all(
    engine: Engine, handler: Any, now: datetime = NOW, most_bytes: int = PLENTY, **changes: Any
) -> list[RadarReport]:
    reports: list[RadarReport] = []
    access = files(handler, **changes)
    while some := read_bursts(engine, [SITE], access, now, limit=8, most_bytes=most_bytes):
        reports += some
    return reports


def stored(engine: Engine, metric: str, area: str = "apron") -> list[Observation]:
    with reading(engine) as connection:
        return looks(connection, site_id=SITE.id, metric=metric, area=area)


def test_a_burst_is_read_in_part_once_and_the_token_goes_to_the_archive_alone(engine: Engine) -> None:
    archive = BurstArchive(WORLD)
    store(engine, archive.scenes(RadarPass(times(FIRST, 1)[0])))
    reports = read_all(engine, archive)
    assert [each.read for each in reports] == [True, True]
    assert read_all(engine, archive) == []
    told = {
        host: {sent for name, _, sent in archive.asked if name == host} for host in (ARCHIVE, EGRESS, SIGNED)
    }
    assert told == {
        ARCHIVE: {f"Bearer {EARTHDATA_TOKEN}"},
        EGRESS: {f"Bearer {EARTHDATA_TOKEN}"},
        SIGNED: {""},
    }
    with reading(engine) as connection:
        kept = radar_looks(connection, SITE.id)
        assert bytes_read_on(connection, f"{NOW:%Y-%m-%d}") > 10_000
    assert [each.part for each in kept] == list(BURSTS)
    assert {each.relative_orbit for each in kept} == {115}
    grid = burst_grid(SITE, WORLD.epsg)
    above, below = (burst_levels(unpacked(each.codes or b"")) for each in kept)
    assert above.shape == (2, *grid.shape)
    assert np.isfinite(above[0, 3, 10:20]).all()
    assert np.isnan(above[0, -3]).all(), "beyond the lower edge of the upper burst"
    assert np.isnan(below[0, 3]).all()


def test_the_pixels_are_those_of_the_file_at_their_place(engine: Engine) -> None:
    archive = BurstArchive(WORLD)
    one = RadarPass(times(FIRST, 1)[0])
    store(engine, archive.scenes(one, BURSTS[:1]))
    read_all(engine, archive)
    with reading(engine) as connection:
        (kept,) = radar_looks(connection, SITE.id)
    grid = burst_grid(SITE, WORLD.epsg)
    vv, _ = WORLD.powers(one)
    row, column = round((WORLD.origin[1] - grid.north) / 30), round((grid.west - WORLD.origin[0]) / 30)
    coarse = vv.reshape(vv.shape[0] // 3, 3, vv.shape[1] // 3, 3).mean(axis=(1, 3))
    expected = 10 * np.log10(coarse[row : row + 20, column : column + 30])
    assert np.allclose(burst_levels(unpacked(kept.codes or b""))[0][:20, :30], expected, atol=0.13)


def test_a_signature_that_ran_out_is_asked_for_anew_once() -> None:
    archive = BurstArchive(WORLD)
    link = archive.scenes(RadarPass(times(FIRST, 1)[0]), BURSTS[:1])[0].links["vv"]
    reader = files(archive)["opera-rtc"]
    part = {"Range": "bytes=0-99"}
    for _ in range(3):
        assert len(reader.request("GET", link, purpose="data", headers=part, accept=(206,)).body) == 100
    assert [host for host, *_ in archive.asked].count(ARCHIVE) == 1, "the signed address is good for a while"
    archive.signature += 1
    assert reader.request("GET", link, purpose="data", headers=part, accept=(206,)).status == 206
    assert [host for host, *_ in archive.asked].count(ARCHIVE) == 2
    archive.files = {}
    with pytest.raises(FeedError) as caught:
        reader.request("GET", link, purpose="data", headers=part, accept=(206,))
    assert caught.value.status == 404


def test_signed_addresses_are_kept_of_the_files_that_are_read_and_not_for_ever() -> None:
    archive = BurstArchive(WORLD)
    passes = [RadarPass(at) for at in times(FIRST, 4)]
    links = [
        each.links[layer]
        for one in passes
        for each in archive.scenes(one, BURSTS[:1])
        for layer in ("vv", "vh", "mask")
    ]
    reader = files(archive)["opera-rtc"]
    part = {"Range": "bytes=0-99"}
    for link in [*links, links[-1], links[0]]:
        assert reader.request("GET", link, purpose="data", headers=part, accept=(206,)).status == 206
    asked = [host for host, *_ in archive.asked].count(ARCHIVE)
    assert asked == len(links) + 1, "the newest is known, that of the first pass is asked for anew"


def test_a_token_that_is_no_good_says_what_to_do_and_ends_the_round(engine: Engine) -> None:
    archive = BurstArchive(WORLD)
    store(engine, archive.scenes(RadarPass(times(FIRST, 1)[0])))
    reports = read_all(engine, archive, credentials={"token": "an-old-token-of-mine"})
    assert not any(each.read for each in reports)
    assert "Alaska Satellite Facility Data Access" in reports[0].text
    assert "an-old-token-of-mine" not in " ".join(each.text for each in reports)
    assert not any(name == "urs.earthdata.nasa.gov" for name, *_ in archive.asked)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("https://evil.example/x.tif", "leads to evil.example"),
        (f"http://{SIGNED}/x.tif", "which is not read from"),
        ("https://asf.alaska.edu.evil.example/x", "leads to asf.alaska.edu.evil.example"),
        (f"https://{ARCHIVE}/again", "led on more than 4 times"),
    ],
)
def test_the_token_and_the_reader_go_nowhere_else(target: str, said: str) -> None:
    asked: list[str] = []

    def lead(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": target})

    reader = files(lead)["opera-rtc"]
    with pytest.raises(FeedError) as caught:
        reader.request("GET", f"https://{ARCHIVE}/a.tif", purpose="data")
    assert said in caught.value.reason
    assert set(asked) == {ARCHIVE}
    assert EARTHDATA_TOKEN not in caught.value.reason


def _truncated(archive: BurstArchive) -> None:
    archive.files = {path: body[: len(body) // 3] for path, body in archive.files.items()}


def _garbled(archive: BurstArchive) -> None:
    archive.files = dict.fromkeys(archive.files, b"<html>no such granule</html>" * 50)


def _gone(archive: BurstArchive) -> None:
    archive.files = {}


@pytest.mark.parametrize("harm", [_truncated, _garbled, _gone])
def test_a_file_that_cannot_be_read_is_a_reason_and_is_tried_again(engine: Engine, harm: Any) -> None:
    archive = BurstArchive(WORLD)
    store(engine, archive.scenes(RadarPass(times(FIRST, 1)[0]), BURSTS[:1]))
    whole = archive.files
    harm(archive)
    (report,) = read_all(engine, archive)
    assert not report.read
    with reading(engine) as connection:
        assert radar_looks(connection, SITE.id) == []
        (failed,) = pixel_failures(connection, SITE.id)
    archive.files = whole
    (again,) = read_all(engine, archive, failed.not_before)
    assert again.read


def test_no_more_is_read_in_a_day_than_is_allowed_and_of_copies_the_newest(engine: Engine) -> None:
    archive = BurstArchive(WORLD)
    one = RadarPass(times(FIRST, 1)[0])
    store(engine, [*archive.scenes(one), *archive.scenes(one, made="20230401T000000Z")])
    assert read_all(engine, archive, most_bytes=0) == []
    reports = read_all(engine, archive, most_bytes=1)
    assert len(reports) == 1
    assert "20230401" in reports[0].item_id
    assert len(read_all(engine, archive, NOW + timedelta(days=1))) == 1


def test_a_large_aircraft_on_the_apron_is_found_and_its_count_says_what_it_may_be(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = BurstArchive(WORLD)
    quiet = [RadarPass(at) for at in times(FIRST, 26)]
    middle = projected(APRON.geometry, WORLD.epsg).centroid  # type: ignore[arg-type]
    airliner = Metal(middle.buffer(28), 4_000.0, "airliner")
    last = replace(quiet[25], things=[airliner])
    store(sqlite_engine, [each for one in [*quiet[:25], last] for each in archive.scenes(one)])
    # The apron lies across both bursts; one pass lacks the lower one.
    reports = read_all(sqlite_engine, archive)
    assert all(each.read for each in reports)
    study_radar(sqlite_engine, SITE, NOW)
    with reading(sqlite_engine) as connection:
        decided = {(each.area, each.metric): each for each in radar_admissions(connection, SITE.id)}
    assert decided["apron", AIRCRAFT].admitted, decided["apron", AIRCRAFT].words
    assert "radar from T115: measurable here from 26 looks, through cloud" in decided["apron", AIRCRAFT].words
    counted = stored(sqlite_engine, AIRCRAFT)
    assert {each.series.procedure for each in counted} == {"imagery/sar/bursts-1/T115"}
    assert len(counted) == 11, "fifteen looks show what an empty stand looks like"
    assert sum(each.value or 0 for each in counted[:-1]) <= 1
    assert (counted[-1].value or 0) >= 1
    assert counted[-1].low == counted[-1].value
    assert (counted[-1].high or 0) > (counted[-1].value or 0), "one in four is missed"
    bright = stored(sqlite_engine, BRIGHT_RADAR)
    if bright:
        assert bright[-1].value == max(each.value or 0 for each in bright)
    before = [(each.look_key, each.value) for each in counted]
    with monkeypatch.context() as settled:
        settled.setattr(
            "monitor.derive.radar_measuring.study_aircraft",
            lambda *_: pytest.fail("what is settled is not tried again"),
        )
        again = study_radar(sqlite_engine, SITE, NOW + timedelta(days=1))
    assert decided["apron", AIRCRAFT] in again.admissions
    with reading(sqlite_engine) as connection:
        assert {(each.area, each.metric): each.words for each in radar_admissions(connection, SITE.id)} == {
            key: each.words for key, each in decided.items()
        }
    study_radar(sqlite_engine, SITE, NOW, anew=True)
    assert [(each.look_key, each.value) for each in stored(sqlite_engine, AIRCRAFT)] == before
