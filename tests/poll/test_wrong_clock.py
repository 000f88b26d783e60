"""A clock that was ahead for a while: what it wrote of times to come silences nothing and watches nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import httpx
import pytest
from sqlalchemy import Engine

from db.coverage import coverage
from db.engine import reading, writing
from db.flights import fixes
from db.observations import looks
from db.polls import UNBORN, polls
from db.provider_states import note_failure, read_state
from db.records import Observation
from monitor.derive.pending import close_days, derive_pending
from monitor.feeds.readsb import ReadsbFeed
from monitor.flights.looks import CLOSE_DAY_AFTER
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.poll.answers import back_off_s
from monitor.poll.rounds import poll_provider
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON, aircraft, client, readsb_provider, v2_body

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SITES = [QUIET_FIELD]
_WITHIN_SKEW = 2
"""Slots that two clocks a minute apart may disagree about."""
BACK_OFF = partial(back_off_s, interval_s=60)


class Watch:
    """A provider and the program's clock; `feed_ahead` is how far the provider's own clock is ahead of the true one."""

    def __init__(self, engine: Engine, feed_ahead: Callable[[], timedelta] = timedelta) -> None:
        self.engine, self._feed_ahead = engine, feed_ahead
        self.true, self.ahead, self.asked = NOON, timedelta(), 0
        self.feed = ReadsbFeed(readsb_provider(), client(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        lat, lon = map(float, request.url.path.split("/")[-3:-1])
        return httpx.Response(
            200, content=v2_body(aircraft(lat=lat, lon=lon), now=self.true + self._feed_ahead())
        )

    def run(self, since: datetime, minutes: int, ahead: timedelta = timedelta()) -> int:
        """Poll every minute; give how many of the minutes were asked."""
        before, self.ahead = self.asked, ahead
        for minute in range(minutes):
            self.true = since + minute * MINUTE
            poll_provider(self.engine, self.feed, SITES, self.true + ahead)
        return self.asked - before

    def watched_s(self, since: datetime, until: datetime) -> int:
        with reading(self.engine) as connection:
            return sum(hour.observed_s for hour in coverage(connection, QUIET_FIELD.id, since, until))


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), HOUR, 9 * HOUR, 72 * HOUR])
def test_a_wrong_clock_silences_no_provider(engine: Engine, ahead: timedelta) -> None:
    watch = Watch(engine)
    watch.run(NOON, 10, ahead)
    assert watch.run(NOON + 10 * MINUTE, 50) >= 50 - _WITHIN_SKEW
    assert watch.watched_s(NOON, NOON + HOUR) >= (50 - _WITHIN_SKEW) * 60


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), HOUR, 9 * HOUR])
def test_a_receiver_with_the_same_wrong_clock_watches_no_hour_to_come(
    engine: Engine, ahead: timedelta
) -> None:
    watch = Watch(engine, lambda: watch.ahead)
    watch.run(NOON, 30, ahead)
    assert watch.watched_s(NOON, NOON + 12 * HOUR) == 30 * 60
    then = NOON + 30 * MINUTE
    assert watch.run(then, 10) >= 10 - _WITHIN_SKEW
    with reading(engine) as connection:
        assert coverage(connection, QUIET_FIELD.id, NOON + HOUR, NOON + 12 * HOUR) == []
        assert max(fix.at for fix in fixes(connection)) <= then + 11 * MINUTE
        disowned = [poll for poll in polls(connection) if poll.error == UNBORN]
    assert {(poll.outcome, poll.started_at) for poll in disowned} == {("failed", then)}
    # When the hour comes that was "watched" already, it is asked like any other.
    assert watch.run(NOON + max(ahead, HOUR), 30) == 30
    assert watch.watched_s(NOON + 10 * HOUR, NOON + 12 * HOUR) <= 30 * 60


def test_a_day_that_was_closed_before_it_ended_is_counted_again(engine: Engine) -> None:
    watch = Watch(engine)
    watch.run(NOON, 5)
    derive_pending(engine, SITES, NOON)
    ahead = NOON + timedelta(hours=72)
    close_days(engine, SITES, ahead)
    assert _closed(engine), "the wrong clock counts days that have not been"
    close_days(engine, SITES, NOON + 10 * MINUTE)
    assert _closed(engine) == []
    later = NOON + timedelta(days=1) + 3 * HOUR + CLOSE_DAY_AFTER
    close_days(engine, SITES, later)
    assert [each.recorded_at for each in _closed(engine)] == [later]


def _closed(engine: Engine) -> list[Observation]:
    with reading(engine) as connection:
        found = looks(connection, site_id=QUIET_FIELD.id, metric="arrivals", procedure=ADSB_PROCEDURE)
    return [each for each in found if each.closed and each.series.subject == ""]


@pytest.mark.parametrize(
    ("written", "wait_s", "now", "held"),
    [
        (NOON, 600, NOON + MINUTE, True),
        (NOON, 86_400 * 7, NOON + MINUTE, True),
        (NOON, 86_400 * 8, NOON + MINUTE, False),
        (NOON + HOUR, 600, NOON, False),
        (NOON + 72 * HOUR, 30, NOON, False),
    ],
)
def test_a_wait_that_was_written_in_the_future_or_is_too_long_is_not_believed(
    engine: Engine, written: datetime, wait_s: float, now: datetime, held: bool
) -> None:
    with writing(engine) as connection:
        note_failure(
            connection,
            "adsb.lol",
            written,
            error="busy",
            counts=True,
            back_off=BACK_OFF,
            retry_after_s=wait_s,
        )
        state = read_state(connection, "adsb.lol", now)
    assert (state.not_before is not None, state.retry_at is not None) == (held, held)
    assert (state.health, state.failing_since) == ("failing", min(written, now))


def test_a_providers_own_back_off_is_believed_for_a_quarter_of_an_hour(engine: Engine) -> None:
    with writing(engine) as connection:
        for _ in range(9):
            note_failure(connection, "adsb.lol", NOON, error="busy", counts=True, back_off=BACK_OFF)
        assert read_state(connection, "adsb.lol", NOON).not_before == NOON + 15 * MINUTE
        assert read_state(connection, "adsb.lol", NOON - 30 * timedelta(seconds=1)).not_before is None
