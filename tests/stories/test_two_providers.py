"""Two providers hear one aircraft, through the real adapters: the freshest report counts, once, whoever brings it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from db.engine import reading
from db.flights import visits
from db.observations import looks
from db.polls import polls
from db.records import Fix, Visit
from monitor.derive.pending import derive_pending
from monitor.feeds.readsb import ReadsbFeed
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.poll.rounds import poll_provider
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import aircraft, client, readsb_provider, v2_body
from tests.kit.flying import NOON, VIP, Cruise, Pilot

pytestmark = pytest.mark.untraced

STEP = timedelta(seconds=20)
MINUTE = timedelta(minutes=1)
_LISTED_S = 60.0
_CANARY = aircraft("71be01", lat=37.4, lon=126.4)
_NEIGHBOUR = {"hex": "71c0a3", "lat": -51.7, "lon": -70.2, "alt_baro": 31_000, "gs": 430.0}
"""One that both hear all the time, so that neither answers with an empty list."""


def always(_at: datetime) -> bool:
    return True


def never(_at: datetime) -> bool:
    return False


@dataclass
class Ear:
    """A provider: when it hears the flown aircraft, how late it tells, and when it is down or stands still."""

    name: str
    hears: Callable[[datetime], bool] = always
    late: timedelta = timedelta(0)
    down: Callable[[datetime], bool] = never
    frozen_since: datetime | None = None
    reports: Sequence[Fix] = ()
    now: datetime = NOON
    feed: ReadsbFeed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = ReadsbFeed(readsb_provider(name=self.name, interval_s=20), client(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down(self.now):
            raise httpx.ConnectError("nobody there", request=request)
        at = min(self.now, self.frozen_since) if self.frozen_since else self.now
        listed = [aircraft(**{"hex_code": _NEIGHBOUR["hex"], **_without_hex(_NEIGHBOUR)}), _CANARY]
        heard = [fix for fix in self.reports if fix.at <= at - self.late and self.hears(fix.at)]
        if heard and (at - heard[-1].at).total_seconds() <= _LISTED_S:
            listed.append(_as_sent(heard[-1], at))
        if "37." in request.url.path:
            listed = [_CANARY]
        return httpx.Response(200, content=v2_body(*listed, now=at))


def _without_hex(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "hex"}


def _as_sent(fix: Fix, at: datetime) -> dict[str, Any]:
    height = "ground" if fix.on_ground else round(fix.altitude_ft or 0)
    return aircraft(
        fix.icao24,
        fix.lat,
        fix.lon,
        alt_baro=height,
        alt_geom=None,
        gs=fix.ground_speed_kt,
        track=fix.track_deg,
        baro_rate=fix.vertical_rate_fpm,
        seen_pos=(at - fix.at).total_seconds(),
    )


@dataclass
class Hearing:
    """A database, and providers that are polled in turn while the aircraft flies."""

    engine: Engine
    reception: Sequence[Ear]

    def run(self, reports: Sequence[Fix], until: datetime) -> list[Visit]:
        """Poll and derive from the first report on, and give the visits as they stand."""
        at = reports[0].at.replace(second=0)
        while at < until:
            at += STEP
            for ear in self.reception:
                ear.now, ear.reports = at, reports
                poll_provider(self.engine, ear.feed, [QUIET_FIELD], at)
            derive_pending(self.engine, [QUIET_FIELD], at)
        with reading(self.engine) as connection:
            return [visit for visit in visits(connection) if visit.state != "withdrawn"]

    def outcomes(self, name: str) -> set[str]:
        """How the polls of one provider ended."""
        with reading(self.engine) as connection:
            return {str(poll.outcome) for poll in polls(connection) if poll.provider == name}

    def counted(self, metric: str) -> float:
        """How many of all aircraft are counted over the days."""
        with reading(self.engine) as connection:
            found = looks(connection, site_id=QUIET_FIELD.id, procedure=ADSB_PROCEDURE)
        return sum(
            each.value or 0 for each in found if each.series.metric == metric and each.series.subject == ""
        )


def stay() -> Pilot:
    """Land, stand for twenty minutes, and leave."""
    return Pilot(QUIET_FIELD).approach(from_nm=12).roll_out().taxi().park(1200).take_off(300)


def only(found: Sequence[Visit]) -> Visit:
    assert len(found) == 1, [(each.state, each.arrived_at, each.departed_at) for each in found]
    return found[0]


@pytest.mark.parametrize("turned", [False, True], ids=["first-fresh", "second-fresh"])
def test_both_hear_a_stay_and_it_is_one_visit_at_the_times_of_the_freshest(
    sqlite_engine: Engine, *, turned: bool
) -> None:
    flown = stay()
    reception = [Ear("alpha"), Ear("beta", late=timedelta(seconds=40))]
    hearing = Hearing(sqlite_engine, reception[::-1] if turned else reception)
    visit = only(hearing.run(flown.fixes, flown.at + 2 * MINUTE))
    touched = next(fix.at for fix in flown.fixes if fix.on_ground)
    left = next(fix.at for fix in reversed(flown.fixes) if fix.on_ground)
    assert (visit.state, visit.confidence) == ("departed", 4)
    assert visit.arrived_at is not None
    assert visit.departed_at is not None
    # Polled every 20 s; the late one would have told 40 s after that.
    assert touched <= visit.arrived_at <= touched + STEP
    assert left <= visit.departed_at <= left + 2 * STEP
    assert (hearing.counted("arrivals"), hearing.counted("departures")) == (1, 1)
    assert (hearing.outcomes("alpha"), hearing.outcomes("beta")) == ({"ok"}, {"ok"})


def test_a_provider_that_stands_still_keeps_nobody_here_who_has_left(sqlite_engine: Engine) -> None:
    flown = stay()
    parked = [fix.at for fix in flown.fixes if fix.on_ground and fix.ground_speed_kt == 0]
    hearing = Hearing(sqlite_engine, [Ear("alpha"), Ear("beta", frozen_since=parked[60])])
    visit = only(hearing.run(flown.fixes, flown.at + 12 * MINUTE))
    assert visit.state == "departed"
    assert hearing.counted("arrivals") == 1
    assert hearing.outcomes("beta") == {"ok", "failed"}


def test_a_provider_that_stands_still_in_the_approach_begins_no_visit(sqlite_engine: Engine) -> None:
    """It goes round: the one that is up to date hears that; the other repeats the last of the approach."""
    flown = Pilot(QUIET_FIELD).approach(from_nm=12, end_ft=400).fly(600, kt=200, fpm=2000)
    low = next(
        fix.at for fix in flown.fixes if (fix.altitude_ft or 0) < 800 + (QUIET_FIELD.elevation_ft or 0)
    )
    hearing = Hearing(sqlite_engine, [Ear("alpha"), Ear("beta", frozen_since=low)])
    assert hearing.run(flown.fixes, flown.at + MINUTE) == []
    assert hearing.counted("arrivals") == 0


def test_one_that_never_hears_it_ends_no_stay_and_makes_no_silence(sqlite_engine: Engine) -> None:
    flown = stay()
    hearing = Hearing(sqlite_engine, [Ear("alpha"), Ear("deaf", hears=never)])
    visit = only(hearing.run(flown.fixes, flown.at + 2 * MINUTE))
    assert (visit.state, visit.confidence) == ("departed", 4)


def test_what_one_hears_no_more_another_may_hear(sqlite_engine: Engine) -> None:
    """The first loses it at 3,000 ft, as a receiver behind a hill does; the second hears it on, and not landing."""
    flown = Pilot(QUIET_FIELD).approach(from_nm=14, end_ft=1_500).fly(1500, kt=200, fpm=600)
    lost = next(
        fix.at for fix in flown.fixes if (fix.altitude_ft or 0) < 3_000 + (QUIET_FIELD.elevation_ft or 0)
    )
    hearing = Hearing(sqlite_engine, [Ear("alpha", hears=lambda at: at < lost), Ear("beta")])
    assert hearing.run(flown.fixes, flown.at + MINUTE) == []


def test_where_the_one_that_heard_the_approach_is_down_the_others_silence_lands_nobody(
    sqlite_engine: Engine,
) -> None:
    flown = Pilot(QUIET_FIELD).approach(from_nm=12, end_ft=300)
    ended = flown.fixes[-1].at
    hearing = Hearing(sqlite_engine, [Ear("alpha", down=lambda at: at > ended), Ear("deaf", hears=never)])
    assert hearing.run(flown.fixes, ended + 20 * MINUTE) == []
    assert hearing.counted("arrivals") == 0


def test_the_same_approach_lands_where_the_one_that_heard_it_goes_on_answering(sqlite_engine: Engine) -> None:
    flown = Pilot(QUIET_FIELD).approach(from_nm=12, end_ft=300)
    hearing = Hearing(sqlite_engine, [Ear("alpha"), Ear("deaf", down=always)])
    visit = only(hearing.run(flown.fixes, flown.fixes[-1].at + 20 * MINUTE))
    assert (visit.state, visit.confidence) == ("present", 3)


@pytest.mark.parametrize(("down", "states"), [(never, ["lost_toward"]), (always, [])], ids=["up", "down"])
def test_a_loss_is_one_only_while_the_provider_that_heard_it_answers(
    sqlite_engine: Engine, down: Callable[[datetime], bool], states: list[str]
) -> None:
    (lon, lat), _ = QUIET_FIELD.runways[0]["ends"]
    flown = Cruise(lat, lon, 20, icao24=VIP).towards(60, seconds=1200)
    ended = flown.fixes[-1].at
    alpha = Ear("alpha", down=lambda at: at > ended and down(at))
    hearing = Hearing(sqlite_engine, [alpha, Ear("deaf", hears=never)])
    assert [visit.state for visit in hearing.run(flown.fixes, ended + 12 * MINUTE)] == states
