"""A provider that lets less through than is asked: every place has its turn, and it is said that not all are well."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from shapely import box
from sqlalchemy import Engine

from db.coverage import coverage
from db.engine import reading
from db.polls import polls
from db.provider_states import read_state
from db.records import ProviderState
from monitor.feeds.options import sharing_a_limit
from monitor.feeds.providers import DEFAULT_PROVIDERS
from monitor.feeds.readsb import ReadsbFeed
from monitor.poll.plan import DOUBLES_AFTER_SLOTS
from monitor.poll.rounds import poll_provider
from monitor.sites import Site
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON, aircraft, client, readsb_provider, v2_body

pytestmark = pytest.mark.untraced

MINUTE = timedelta(minutes=1)


def five(count: int = 5) -> list[Site]:
    """Sites so far apart that each has a circle of its own."""
    return [
        replace(QUIET_FIELD, id=f"field-{number}", geometry=box(lon, -50.01, lon + 0.02, -49.99))
        for number, lon in enumerate(range(-170, -170 + 20 * count, 20))
    ]


class Stingy:
    """Lets so many requests through in each minute and turns the rest away."""

    def __init__(self, allowed: int, headers: dict[str, str] | None = None) -> None:
        self.allowed, self._headers = allowed, headers or {}
        self.now = NOON
        self._let: Counter[datetime] = Counter()
        self.refused: Counter[datetime] = Counter()
        self.feed = ReadsbFeed(readsb_provider(), client(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._let[self.now] == self.allowed:
            self.refused[self.now] += 1
            return httpx.Response(429, headers=self._headers, content=b"slow down")
        self._let[self.now] += 1
        lat, lon = map(float, request.url.path.split("/")[-3:-1])
        return httpx.Response(200, content=v2_body(aircraft(lat=lat, lon=lon), now=self.now))

    def run(self, engine: Engine, minutes: range, sites: list[Site]) -> None:
        for minute in minutes:
            self.now = NOON + minute * MINUTE
            poll_provider(engine, self.feed, sites, self.now)


def observed_s(engine: Engine, sites: list[Site], until: datetime) -> list[int]:
    with reading(engine) as connection:
        return [sum(hour.observed_s for hour in coverage(connection, each.id, NOON, until)) for each in sites]


def state(engine: Engine, now: datetime) -> ProviderState:
    with reading(engine) as connection:
        return read_state(connection, "test.readsb", now)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "40"}])
@pytest.mark.parametrize("allowed", [1, 2, 4])
def test_every_place_is_answered_in_turn(
    sqlite_engine: Engine, allowed: int, headers: dict[str, str]
) -> None:
    sites, stingy = five(), Stingy(allowed, headers)
    stingy.run(sqlite_engine, range(60), sites)
    watched = observed_s(sqlite_engine, sites, NOON + timedelta(hours=1))
    # Every place waits at most five minutes, which is as long as an answer is worth.
    assert min(watched) > 0.8 * 3_600
    assert max(stingy.refused.values()) == 1, "a refusal ends the round"
    assert sum(stingy.refused.values()) <= 4, "what it lets through is remembered"


def test_what_is_asked_grows_again_when_the_provider_lets_more_through(sqlite_engine: Engine) -> None:
    sites, stingy = five(), Stingy(1)
    stingy.run(sqlite_engine, range(5), sites)
    stingy.allowed = 99
    stingy.run(sqlite_engine, range(5, 3 * DOUBLES_AFTER_SLOTS + 1), sites)
    assert sum(stingy.refused.values()) == 1
    with reading(sqlite_engine) as connection:
        newest = polls(connection, since=stingy.now)
    assert len(newest) == 5


def test_one_that_lets_nothing_through_is_asked_less_and_less(sqlite_engine: Engine) -> None:
    sites, stingy = five(), Stingy(0)
    stingy.run(sqlite_engine, range(60), sites)
    asked = sorted((moment - NOON) // MINUTE for moment in stingy.refused)
    assert asked[:5] == [0, 1, 3, 7, 15]
    assert max(stingy.refused.values()) == 1
    assert state(sqlite_engine, stingy.now).health == "failing"


def test_a_provider_that_answers_for_some_places_only_is_not_well(sqlite_engine: Engine) -> None:
    sites = five()

    def answer(request: httpx.Request) -> httpx.Response:
        lat, lon = map(float, request.url.path.split("/")[-3:-1])
        if lon > -140:
            return httpx.Response(500)
        return httpx.Response(200, content=v2_body(aircraft(lat=lat, lon=lon), now=now))

    feed = ReadsbFeed(readsb_provider(), client(answer))
    for minute in range(10):
        now = NOON + minute * MINUTE
        poll_provider(sqlite_engine, feed, sites, now)
    found = state(sqlite_engine, now)
    assert (found.health, found.failing_since, found.not_before) == ("failing", NOON, None)
    assert "answers for 2 of 5 places only" in (found.last_error or "")
    assert observed_s(sqlite_engine, sites, now) == [600, 600, 0, 0, 0]


def test_a_place_that_fails_now_and_then_makes_no_provider_ill(sqlite_engine: Engine) -> None:
    sites, seen = five(2), []

    def answer(request: httpx.Request) -> httpx.Response:
        lat, lon = map(float, request.url.path.split("/")[-3:-1])
        if lon > -160 and minute % 3 == 2:
            return httpx.Response(502)
        return httpx.Response(200, content=v2_body(aircraft(lat=lat, lon=lon), now=now))

    feed = ReadsbFeed(readsb_provider(), client(answer))
    for minute in range(10):
        now = NOON + minute * MINUTE
        poll_provider(sqlite_engine, feed, sites, now)
        seen.append(state(sqlite_engine, now).health)
    assert set(seen) == {"ok"}


class SharedHost:
    """One host that lets so many requests through in a window, whichever of its providers asks."""

    def __init__(self, allowed: int, window_s: int = 60, headers: dict[str, str] | None = None) -> None:
        self.allowed, self.window = allowed, timedelta(seconds=window_s)
        self.headers = headers or {}
        self.now, self.let, self.refused = NOON, [NOON - timedelta(days=1)], 0
        self.asked: Counter[str] = Counter()

    def feed(self, name: str, interval_s: int = 60, **changes: Any) -> ReadsbFeed:
        def answer(request: httpx.Request) -> httpx.Response:
            self.asked[name] += 1
            if sum(at > self.now - self.window for at in self.let) >= self.allowed:
                self.refused += 1
                return httpx.Response(429, headers=self.headers)
            self.let.append(self.now)
            lat, lon = map(float, request.url.path.split("/")[-3:-1])
            return httpx.Response(200, content=v2_body(aircraft(lat=lat, lon=lon), now=self.now))

        return ReadsbFeed(readsb_provider(name=name, interval_s=interval_s, **changes), client(answer))

    def run(
        self, engine: Engine, feeds: list[ReadsbFeed], sites: list[Site], seconds: range
    ) -> Counter[tuple[str, str]]:
        """The good answers by provider and place; each provider asks about one place in a question."""
        good: Counter[tuple[str, str]] = Counter()
        providers = [each.provider for each in feeds]
        for second in seconds:
            self.now = NOON + timedelta(seconds=second)
            for feed in feeds:
                for report in poll_provider(engine, feed, sites, self.now, others=providers):
                    good[feed.provider.name, report.site_ids[0]] += report.outcome == "ok"
        return good


def test_providers_of_one_account_share_what_was_learnt(sqlite_engine: Engine) -> None:
    """Two providers that ask the same host under the same key: each place is answered, and few are turned away."""
    host, sites = SharedHost(4), five()
    feeds = [host.feed("one"), host.feed("two")]
    good = host.run(sqlite_engine, feeds, sites, range(0, 3_600, 60))
    # Four a minute between ten questions: each has its turn every two and a half minutes.
    assert len(good) == 10
    assert min(good.values()) >= 15
    assert host.refused <= 6


def test_one_place_each_is_answered_too(sqlite_engine: Engine) -> None:
    host, sites = SharedHost(1), five(1)
    good = host.run(sqlite_engine, [host.feed("one"), host.feed("two")], sites, range(0, 3_600, 60))
    assert min(good["one", "field-0"], good["two", "field-0"]) >= 20


def test_while_one_is_told_to_wait_none_of_the_account_is_asked(sqlite_engine: Engine) -> None:
    host, sites = SharedHost(0, headers={"Retry-After": "600"}), five(1)
    feeds = [host.feed("one"), host.feed("two")]
    host.run(sqlite_engine, feeds, sites, range(0, 600, 60))
    assert host.asked == {"one": 1}
    providers = [each.provider for each in feeds]
    (report,) = poll_provider(sqlite_engine, feeds[1], sites, NOON + MINUTE, force=True, others=providers)
    assert report.outcome == "skipped"
    assert "one is at the same host with the same credentials as two" in report.text


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://elsewhere.example/v2/"},
        {"headers": {"api-auth": "another"}},
        {"credentials": {"token": "another"}},
    ],
    ids=["another host", "another key", "another token"],
)
def test_another_account_has_a_limit_of_its_own(sqlite_engine: Engine, changes: dict[str, Any]) -> None:
    host, sites = SharedHost(0, headers={"Retry-After": "600"}), five(1)
    host.run(sqlite_engine, [host.feed("one"), host.feed("two", **changes)], sites, range(0, 120, 60))
    assert host.asked == {"one": 1, "two": 1}


def test_openskys_kinds_of_question_share_nothing() -> None:
    known = {each.name: each for each in DEFAULT_PROVIDERS}
    opensky = known["opensky"]
    assert sharing_a_limit(opensky, known.values()) == (opensky,)
    flightradar24 = sharing_a_limit(known["flightradar24"], known.values())
    assert [each.name for each in flightradar24] == [
        "flightradar24",
        "flightradar24-airports",
        "flightradar24-flights",
    ]


@pytest.mark.parametrize(("allowed", "window_s"), [(2, 20), (1, 60), (3, 60)])
def test_slots_shorter_than_the_limit_are_taken_together(
    sqlite_engine: Engine, allowed: int, window_s: int
) -> None:
    """Five circles every ten seconds, of which two pass in 20 s, or one or three in a minute."""
    host, sites = SharedHost(allowed, window_s), five()
    good = host.run(sqlite_engine, [host.feed("one", interval_s=10)], sites, range(0, 3_600, 10))
    fair = 3_600 / window_s * allowed / 5
    assert len(good) == 5
    assert min(good.values()) > 0.6 * fair
    # Each of the doublings, every ten minutes, may be refused a few times.
    assert host.refused < 0.15 * sum(host.asked.values())
