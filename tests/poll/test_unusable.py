"""What lists aircraft and shows none saw nothing: usable evidence, at the place or at a busy one, makes a poll a look."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from db.coverage import coverage
from db.engine import reading
from monitor.feeds import Feed
from monitor.feeds.opensky import OpenSkyFeed
from monitor.feeds.readsb import ReadsbFeed
from monitor.poll.answers import PollReport
from monitor.poll.rounds import poll_provider
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON, aircraft, client, readsb_provider, v2_body
from tests.kit.feed_contract import OPENSKY_ROW, opensky_body

STALE: dict[str, Any] = {"seen_pos": 300}
UNPLACED: dict[str, Any] = {"lat": None, "lon": None}
ELSEWHERE: dict[str, Any] = {"lat": 52.0, "lon": 13.0}


def readsb(place: dict[str, Any], busy: dict[str, Any], **changes: Any) -> Feed:
    """A feed that lists two aircraft everywhere, with these fields at the place and at the busy one."""

    def answer(request: httpx.Request) -> httpx.Response:
        lat, lon = (
            map(float, request.url.path.split("/")[-3:-1]) if "point" in request.url.path else (-51.9, -70.6)
        )
        fields = {"lat": lat, "lon": lon, **(busy if lat > 0 else place)}
        return httpx.Response(200, content=v2_body(aircraft(**fields), aircraft("15521e", **fields)))

    return ReadsbFeed(readsb_provider(**changes), client(answer))


def ask(engine: Engine, feed: Feed) -> tuple[PollReport, int]:
    """The report of one poll of Quiet Field, and the seconds that it counted for."""
    (report,) = poll_provider(engine, feed, [QUIET_FIELD], NOON)
    with reading(engine) as connection:
        hours = coverage(connection, QUIET_FIELD.id, NOON, NOON + timedelta(hours=1))
    return report, sum(hour.observed_s for hour in hours)


@pytest.mark.parametrize("useless", [STALE, UNPLACED, ELSEWHERE], ids=["stale", "unplaced", "elsewhere"])
def test_what_shows_nobody_anywhere_was_no_look(engine: Engine, useless: dict[str, Any]) -> None:
    report, watched_s = ask(engine, readsb(useless, useless))
    assert (report.outcome, watched_s) == ("failed", 0)
    assert "of the 2 that it lists no position can be used (2 × " in report.text
    assert "which is no zero" in report.text


@pytest.mark.parametrize("useless", [STALE, UNPLACED], ids=["stale", "unplaced"])
def test_it_is_a_look_where_a_busy_place_shows_that_the_feed_works(
    sqlite_engine: Engine, useless: dict[str, Any]
) -> None:
    report, watched_s = ask(sqlite_engine, readsb(useless, {}))
    assert (report.outcome, report.items, report.fixes, watched_s) == ("empty", 2, 0, 60)


@pytest.mark.parametrize("useless", [STALE, UNPLACED], ids=["stale", "unplaced"])
def test_ones_own_receiver_that_lists_some_and_shows_none_saw_nothing(
    sqlite_engine: Engine, useless: dict[str, Any]
) -> None:
    own = {"path_style": "aircraft_json", "lat": "-51.9", "lon": "-70.6", "range_nm": "150"}
    report, watched_s = ask(sqlite_engine, readsb(useless, {}, options=own))
    assert (report.outcome, watched_s) == ("failed", 0)


def test_state_vectors_that_cannot_be_used_show_nothing_either(sqlite_engine: Engine) -> None:
    old = [*OPENSKY_ROW[:3], OPENSKY_ROW[3] - 600, *OPENSKY_ROW[4:]]
    provider = readsb_provider(name="opensky", kind="opensky", base_url="https://opensky.example/api")
    body = opensky_body(old)
    feed = OpenSkyFeed(provider, client(lambda _: httpx.Response(200, content=body)))
    report, watched_s = ask(sqlite_engine, feed)
    assert (report.outcome, watched_s) == ("failed", 0)
