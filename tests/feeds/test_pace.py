"""Requests to one host stay apart, whoever asks for what: on a clock that the test moves, and between threads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from db.engine import writing
from db.leases import book_moment, lease_holder
from monitor.bootstrap import FEEDS, build_app
from monitor.config.clock import sleep_s, utc_now
from monitor.config.settings import Settings, SettingsError
from monitor.feeds import Feed
from monitor.feeds.options import rotation_slots
from monitor.feeds.providers import DEFAULT_PROVIDERS
from monitor.feeds.rate_limit import RateLimiter, no_rate_limit, rate_limiter_of
from monitor.poll.rounds import poll_provider
from tests.kit.cast import CAST, write_cast
from tests.kit.fake_feeds import NOON, client, v2_body

ADSB_FI = replace(next(each for each in DEFAULT_PROVIDERS if each.name == "adsb.fi"), enabled=True)
S = timedelta(seconds=1)


@dataclass
class World:
    """A provider that is empty everywhere, so that every empty answer asks for the canary, and when it was asked."""

    engine: Engine
    now: datetime = NOON
    takes_s: float = 0.0
    sent: list[datetime] = field(default_factory=list)
    waited_s: float = 0.0

    def clock(self) -> datetime:
        """The time now."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.waited_s += seconds

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer, or send on to another path of the same host."""
        self.sent.append(self.now)
        self.now += timedelta(seconds=self.takes_s)
        if len(self.sent) % 5 == 0:
            return httpx.Response(302, headers={"Location": f"{request.url.path}/"})
        return httpx.Response(200, content=v2_body(now=self.now))

    def process(self, name: str = "adsb.fi") -> Feed:
        """A feed as a process of its own has it, which remembers nothing."""
        pace = RateLimiter(self.engine, "opendata.adsb.fi", 1.0, self.clock, self.wait)
        options = {**ADSB_FI.options, "most_at_once": "5"}
        known = replace(ADSB_FI, name=name, options=options)
        return FEEDS["readsb"](known, client(self.answer, name=name, pace=pace.keep))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["poll", "by hand", "other provider", "restart"]),
        st.sampled_from([0.0, 0.1, 0.9, 1.0, 9.5, 10.0, 61.0]),
        st.sampled_from([0.0, 0.3, 2.0]),
    ),
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_two_requests_are_closer_than_a_second_whatever_is_asked_and_restarted(
    sqlite_engine: Engine, steps: list[tuple[str, float, float]]
) -> None:
    world = World(sqlite_engine)
    # Each example goes on where the last one ended.
    with writing(sqlite_engine) as connection:
        world.now = book_moment(connection, "pace:opendata.adsb.fi", NOON, 0) + timedelta(minutes=2)
        book_moment(connection, "pace:opendata.adsb.fi", world.now, 0)
    feed = world.process()
    for what, later_s, world.takes_s in steps:
        if what == "restart":
            feed = world.process()
        # A person asks, or another configured provider of the same host, from a process of their own.
        asking = {"by hand": world.process(), "other provider": world.process("mirror")}.get(what, feed)
        poll_provider(sqlite_engine, asking, CAST, world.now, force=what == "by hand")
        world.now += timedelta(seconds=later_s)
    apart = [later - earlier for earlier, later in pairwise(world.sent)]
    assert all(each >= S for each in apart), apart


def test_the_canary_comes_a_second_after_the_circle_that_was_empty(engine: Engine) -> None:
    world = World(engine)
    reports = poll_provider(engine, world.process(), CAST, NOON)
    assert {each.outcome for each in reports} == {"failed"}, "everything is empty, the busy place too"
    assert len(world.sent) > len(reports), "the canary and what it was sent on to"
    assert [later - earlier for earlier, later in pairwise(world.sent)] == [S] * (len(world.sent) - 1)


def test_threads_that_ask_at_the_same_moment_are_given_moments_apart(engine: Engine) -> None:
    together, booked = Barrier(4), list[datetime]()

    def ask() -> None:
        together.wait()
        with writing(engine) as connection:
            booked.append(book_moment(connection, "pace:x", NOON, 6))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(booked) == [NOON + n * 6 * S for n in range(4)]


def test_a_clock_that_was_set_back_makes_nobody_wait_for_it(engine: Engine) -> None:
    with writing(engine) as connection:
        book_moment(connection, "pace:x", NOON, 1)
        back = NOON - timedelta(hours=1)
        assert book_moment(connection, "pace:x", back, 1) == back + S
        assert lease_holder(connection) is None, "it leads nothing"


def test_each_provider_keeps_what_it_publishes(tmp_path: Path, sqlite_engine: Engine) -> None:
    spacing = {
        each.name: each.options["spacing_s"] for each in DEFAULT_PROVIDERS if "spacing_s" in each.options
    }
    fr24 = ("flightradar24", "flightradar24-airports", "flightradar24-flights")
    others = ("adsb.fi", "airplanes.live", "firms", "global-fishing-watch", "copernicus", "opera-rtc")
    assert spacing == {**dict.fromkeys(others, "1"), **dict.fromkeys(fr24, "6")}
    assert rate_limiter_of(DEFAULT_PROVIDERS[0], sqlite_engine, utc_now, sleep_s) is no_rate_limit
    values = {
        "database_url": f"sqlite:///{tmp_path}/test.db",
        "sites_file": write_cast(tmp_path),
        "providers": {name: {"enabled": True} for name in spacing},
    }
    app = build_app(Settings.model_validate(values))
    paces = {each.name: _paced(each._pace) for each in app.clients}
    app.close()
    assert {name for name, paced in paces.items() if paced} == spacing.keys()


def _paced(pace: Callable[[], float]) -> bool:
    return pace is not no_rate_limit


@pytest.mark.parametrize(
    ("most", "scopes", "slots"), [("60", 9, 1), ("60", 10, 2), ("3", 9, 3), ("", 9, 1), ("", 19, 3)]
)
def test_a_slot_holds_no_more_requests_than_it_has_room_for(most: str, scopes: int, slots: int) -> None:
    options = {"spacing_s": "1", "most_at_once": most} if most else {"spacing_s": "1"}
    assert rotation_slots(replace(ADSB_FI, options=options), scopes) == slots


@pytest.mark.parametrize("text", ["-1", "often"])
def test_a_distance_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="spacing_s must"):
        rotation_slots(replace(ADSB_FI, options={"spacing_s": text}), 1)
