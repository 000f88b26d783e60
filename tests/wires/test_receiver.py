"""A receiver of one's own: a real decoder hears Mode S frames, a real nginx serves its file, and sitewatch reads it."""

from collections.abc import Iterator

import pytest

from db.records import Fix
from monitor.bootstrap import build_feed
from monitor.config.clock import utc_now
from monitor.config.settings import ProviderSettings, Settings
from monitor.feeds import Fetched
from monitor.feeds.http import GuardedClient
from monitor.feeds.providers import configured_providers
from tests.kit.cast import QUIET_FIELD
from tests.kit.mode_s import Flying, frames
from tests.kit.real_servers import Dump1090, Nginx, dump1090, nginx

LANDING = Flying("e06486", "ARG1234", -51.8, -70.5, 4000, east_kt=100, north_kt=-120, climb_fpm=-640)
CRUISING = Flying("c0ffee", "ACA099", -51.2, -69.4, 37_000, east_kt=-430, north_kt=64)
STANDING = Flying("e0c001", "LADE12", -51.9, -70.6, None)
OPTIONS = {"lat": "-51.9", "lon": "-70.6", "range_nm": "200"}


@pytest.fixture(scope="module")
def antenna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dump1090]:
    with dump1090(tmp_path_factory.mktemp("dump1090"), -51.9, -70.6) as running:
        yield running


@pytest.fixture(scope="module")
def server(antenna: Dump1090) -> Iterator[Nginx]:
    with nginx(antenna.folder.parent, "") as running:
        yield running


def asked(server: Nginx) -> Fetched:
    provider = ProviderSettings(enabled=True, base_url=f"{server.url}/aircraft.json", options=OPTIONS)
    settings = Settings(allowed_networks=("127.0.0.0/8",), providers={"receiver": provider})
    clients: list[GuardedClient] = []
    named = next(each for each in configured_providers(settings) if each.name == "receiver")
    feed = build_feed(named, settings, clients)
    try:
        (scope,) = feed.scopes([QUIET_FIELD])
        return feed.fetch(scope, [QUIET_FIELD], purpose="data", now=utc_now(), since=None)
    finally:
        clients[0].close()


def test_what_an_antenna_hears_arrives_as_it_was_sent(antenna: Dump1090, server: Nginx) -> None:
    for _ in range(3):
        antenna.hear(*frames(LANDING), *frames(CRUISING), *frames(STANDING))
    fixes: dict[str, Fix] = {fix.icao24: fix for fix in asked(server).fixes}
    assert fixes.keys() == {each.icao24 for each in (LANDING, CRUISING, STANDING)}
    for sent in (LANDING, CRUISING, STANDING):
        fix = fixes[sent.icao24]
        assert fix.callsign == sent.callsign
        assert (fix.lat, fix.lon) == pytest.approx((sent.lat, sent.lon), abs=0.001)
        assert fix.altitude_ft == sent.altitude_ft
        assert fix.on_ground == (sent.altitude_ft is None)
    landing = fixes[LANDING.icao24]
    assert landing.ground_speed_kt == pytest.approx(156, abs=1)
    assert landing.track_deg == pytest.approx(140, abs=1)
    assert landing.vertical_rate_fpm == -640
    assert fixes[STANDING.icao24].ground_speed_kt == 0


def test_a_damaged_frame_is_no_aircraft(antenna: Dump1090, server: Nginx) -> None:
    good = frames(Flying("abc123", "DAMAGED", -51.9, -70.6, 2000))
    damaged = [f"{int(frame, 16) ^ (0b1011 << 40):028X}" for frame in good]
    antenna.hear(*damaged, *frames(CRUISING), lost=len(damaged))
    assert "c0ffee" in antenna.folder.joinpath("aircraft.json").read_text()
    assert "abc123" not in {fix.icao24 for fix in asked(server).fixes}
