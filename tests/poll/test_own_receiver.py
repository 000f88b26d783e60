"""What one's own receiver hears refutes settings that put it elsewhere, or let it hear farther than it does."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from shapely import box
from sqlalchemy import Engine

from db.coverage import coverage
from db.engine import reading
from db.flights import underived_polls
from db.hearing import hearing_since
from db.provider_states import read_state
from monitor.feeds.readsb import ReadsbFeed
from monitor.poll.answers import PollReport
from monitor.poll.rounds import poll_provider
from monitor.sites import Site
from monitor.sites.geodesy import destination
from tests.kit.fake_feeds import NOON, aircraft, client, readsb_provider, v2_body

PARIS = (48.72, 2.37)


def site(name: str, lat: float, lon: float) -> Site:
    """A small airport."""
    return Site(name, name, "airport", box(lon - 0.01, lat - 0.01, lon + 0.01, lat + 0.01), ZoneInfo("UTC"))


SUNAN = site("sunan", 39.224, 125.67)
ORLY = site("orly", *PARIS)


def around(
    place: tuple[float, float], number: int, *, out_to_nm: float = 200, height_ft: float = 36_000
) -> list[dict[str, Any]]:
    """Aircraft spread evenly over a disc."""
    listed = []
    for each in range(number):
        distance = out_to_nm * ((each + 0.5) / number) ** 0.5
        lat, lon = destination(*place, each * 137.5, distance)
        listed.append(aircraft(f"{0x3C0000 + each:06x}", lat, lon, alt_baro=height_ft))
    return listed


@dataclass
class Antenna:
    """A receiver that hears these aircraft, and says of itself that it stands at `stated`, if it says it at all."""

    heard: Sequence[dict[str, Any]]
    stated: tuple[float, float] | None = None
    asked: list[str] = field(default_factory=list)
    now: datetime = NOON

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if request.url.path.endswith("receiver.json"):
            if self.stated is None:
                return httpx.Response(404)
            return httpx.Response(200, json={"version": "x", "lat": self.stated[0], "lon": self.stated[1]})
        listed = [] if "circle" in str(request.url) else list(self.heard)
        return httpx.Response(200, content=v2_body(*listed, now=self.now))


def own(antenna: Antenna, lat: float, lon: float, range_nm: float = 120, **changes: Any) -> ReadsbFeed:
    options = {"path_style": "aircraft_json", "lat": str(lat), "lon": str(lon), "range_nm": str(range_nm)}
    values: dict[str, Any] = {"name": "receiver", "base_url": "https://own.example/data/aircraft.json"}
    values |= changes
    options |= values.pop("options", {})
    return ReadsbFeed(readsb_provider(options=options, **values), client(antenna.answer))


@dataclass
class Watch:
    engine: Engine
    feed: ReadsbFeed
    antenna: Antenna
    place: Site = SUNAN

    def ask(self, at: datetime = NOON) -> tuple[PollReport, int]:
        self.antenna.now = at
        (report,) = poll_provider(self.engine, self.feed, [self.place], at)
        with reading(self.engine) as connection:
            hours = coverage(connection, self.place.id, NOON, at + timedelta(hours=1))
        return report, sum(hour.observed_s for hour in hours)

    @property
    def said(self) -> str:
        with reading(self.engine) as connection:
            state = read_state(connection, "receiver", NOON)
        assert state.health == "failing"
        return state.last_error or ""


def test_what_is_heard_elsewhere_refutes_the_settings(engine: Engine) -> None:
    antenna = Antenna(around(PARIS, 40))
    watch = Watch(engine, own(antenna, 39.2, 125.6), antenna)
    report, watched_s = watch.ask()
    assert (report.outcome, watched_s) == ("failed", 0)
    assert (
        "the settings say that it stands at 39.20° N, 125.60° E and hears 120 NM, but none of the 40 aircraft that "
        "it heard lies there: they are around 48."
    ) in watch.said
    assert "Set lat and lon of [providers.'receiver'] options to where the antenna stands" in watch.said


@pytest.mark.parametrize(
    ("settings", "meant", "guess"),
    [
        ((2.37, 48.72), PARIS, "lat and lon look swapped"),
        ((-48.72, 2.37), PARIS, "The sign of lat looks wrong"),
        ((40.6, 73.8), (40.6, -73.8), "The sign of lon looks wrong"),
        ((51.9, 70.6), (-51.9, -70.6), "The signs of lat and lon look wrong"),
        ((-17.7, -178.5), (-17.7, 178.5), ""),
    ],
    ids=["swapped", "south", "west", "both", "across 180 degrees it is near enough"],
)
def test_a_slip_of_the_pen_is_guessed(
    sqlite_engine: Engine, settings: tuple[float, float], meant: tuple[float, float], guess: str
) -> None:
    antenna = Antenna(around(meant, 30))
    place = site("here", settings[0], settings[1])
    report, watched_s = Watch(sqlite_engine, own(antenna, *settings), antenna, place).ask()
    assert (report.outcome, watched_s) == (("failed", 0) if guess else ("ok", 60))
    assert guess in report.text


def test_one_aircraft_beyond_any_horizon_is_enough(sqlite_engine: Engine) -> None:
    antenna = Antenna(around(PARIS, 1))
    report, watched_s = Watch(sqlite_engine, own(antenna, 39.2, 125.6), antenna).ask()
    assert (report.outcome, watched_s) == ("failed", 0)
    assert "the one aircraft that it heard does not lie there: it is around" in report.text


@pytest.mark.parametrize("number", [0, 3, 10])
def test_a_quiet_night_refutes_nothing(sqlite_engine: Engine, number: int) -> None:
    """Nobody, or a few far away: the range is what the operator vouches for, and the receiver works."""
    far = [each for each in around(PARIS, 60, out_to_nm=220) if _away(each) > 130][:number]
    assert len(far) == number
    antenna = Antenna(far)
    report, watched_s = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY).ask()
    assert (report.outcome, watched_s) == ("ok" if number else "empty", 60)


def _away(listed: dict[str, Any]) -> float:
    return own(Antenna([]), *PARIS)._reach.distance_nm(listed["lat"], listed["lon"])  # type: ignore[union-attr]


def test_few_at_a_time_refute_it_within_the_day(sqlite_engine: Engine) -> None:
    """A receiver that was moved 190 NM away: each hour four others are heard, nobody in range.

    Only answers three hours apart count, as nobody can tell who is the same in the next one.
    """
    there = destination(*PARIS, 90, 190)
    everybody = [each for each in around(there, 240, out_to_nm=150) if 120 < _away(each) < 400]
    antenna = Antenna([])
    watch = Watch(sqlite_engine, own(antenna, *PARIS, interval_s=600), antenna, ORLY)
    outcomes = []
    for hour in range(20):
        antenna.heard = everybody[4 * hour : 4 * hour + 4]
        outcomes.append(watch.ask(NOON + timedelta(hours=hour))[0].outcome)
    # (1 - 0.23)^26 is the first below 0.001: seven answers of four.
    assert outcomes == ["ok"] * 18 + ["failed"] * 2


def test_who_stays_on_the_ground_is_counted_once(sqlite_engine: Engine) -> None:
    """Three that stand at one place all day, far away, say no more in the evening than in the morning."""
    antenna = Antenna(around(destination(*PARIS, 90, 190), 3, out_to_nm=5, height_ft=0))
    watch = Watch(sqlite_engine, own(antenna, *PARIS, interval_s=600), antenna, ORLY)
    assert {watch.ask(NOON + timedelta(hours=hour))[0].outcome for hour in range(24)} == {"ok"}


def test_nothing_that_is_kept_of_it_tells_whose_places_they_are(sqlite_engine: Engine) -> None:
    antenna = Antenna(around(PARIS, 5_000))
    watch = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY)
    for hour in (0, 1, 30):
        watch.ask(NOON + timedelta(hours=hour))
    with reading(sqlite_engine) as connection:
        hours = hearing_since(connection, "receiver", NOON)
    assert [hour for hour, _ in hours] == [NOON + timedelta(hours=30)]
    assert len(hours[0][1]) <= 501
    assert {len(place) for place in hours[0][1]} == {3}


def test_two_over_one_spot_of_which_one_sends_no_height_are_both_kept(sqlite_engine: Engine) -> None:
    here = destination(*PARIS, 45, 30)
    heard = [aircraft("4ca1fa", *here, alt_baro=None), aircraft("4ca1fb", *here), aircraft("4ca1fc", *here)]
    antenna = Antenna(heard)
    report, _ = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY).ask()
    assert report.outcome == "ok"
    with reading(sqlite_engine) as connection:
        ((_, kept),) = hearing_since(connection, "receiver", NOON)
    assert [place.height_ft is None for place in kept] == [True, False]


def test_one_in_range_confirms_the_settings(sqlite_engine: Engine) -> None:
    antenna = Antenna([*around(destination(*PARIS, 90, 300), 60, out_to_nm=100), aircraft("4ca1fa", *PARIS)])
    report, _ = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY).ask()
    assert report.outcome == "ok"


def test_a_network_is_no_receiver(sqlite_engine: Engine) -> None:
    antenna = Antenna([*around(PARIS, 20), *around(PARIS, 400, out_to_nm=5_000)])
    report, watched_s = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY).ask()
    assert (report.outcome, watched_s) == ("failed", 0)
    assert "of the 400 aircraft that it lists are more than 430 NM from there" in report.text
    assert "a network of receivers" in report.text


@pytest.mark.parametrize(
    ("stated", "outcome"), [((51.5, -0.1), "failed"), ((48.7, 2.4), "ok"), ((0, 0), "ok"), (None, "ok")]
)
def test_the_receiver_says_itself_where_it_stands(
    sqlite_engine: Engine, stated: tuple[float, float] | None, outcome: str
) -> None:
    antenna = Antenna(around(PARIS, 5), stated)
    watch = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY)
    report, _ = watch.ask()
    assert report.outcome == outcome
    assert ("its own receiver.json says 51.50° N, 0.10° W, 19" in report.text) == (outcome == "failed")
    watch.ask(NOON + timedelta(minutes=1))
    # Once an hour is often enough.
    assert sum("receiver.json" in url for url in antenna.asked) == 1


def test_whoever_was_heard_is_kept_and_asked_for_again(sqlite_engine: Engine) -> None:
    """Wrong settings make no look of an answer; the aircraft at the place was there all the same."""
    landed = aircraft("15521f", 39.224, 125.67, alt_baro="ground", t="IL62")
    antenna = Antenna([landed, *around(PARIS, 40)], stated=PARIS)
    watch = Watch(sqlite_engine, own(antenna, 39.2, 125.6), antenna)
    for minute in range(3):
        report, watched_s = watch.ask(NOON + timedelta(minutes=minute))
        assert (report.outcome, report.fixes, watched_s) == ("failed", 1, 0)
    with reading(sqlite_engine) as connection:
        assert len(underived_polls(connection)) == 3


def test_right_settings_are_believed_at_the_next_poll(sqlite_engine: Engine) -> None:
    antenna = Antenna(around(PARIS, 40))
    Watch(sqlite_engine, own(antenna, 2.37, 48.72), antenna, site("x", 2.37, 48.72)).ask()
    report, _ = Watch(sqlite_engine, own(antenna, *PARIS), antenna, ORLY).ask(NOON + timedelta(minutes=1))
    assert report.outcome == "ok"


@pytest.mark.parametrize(
    ("number", "out_to_nm", "height_ft", "watched"),
    [
        (40, 65, 5_000, False),
        (40, 230, 36_000, False),
        (3, 65, 5_000, True),
        (0, 65, 0, True),
        (40, 230, 9_000, True),
    ],
    ids=["never heard so far", "only what cruises", "too few to tell", "nobody", "low ones heard farther"],
)
def test_a_site_farther_than_what_is_ever_heard_is_not_watched(
    sqlite_engine: Engine, number: int, out_to_nm: float, height_ft: float, *, watched: bool
) -> None:
    far = site("far", *destination(*PARIS, 45, 162))
    antenna = Antenna(around(PARIS, number, out_to_nm=out_to_nm, height_ft=height_ft))
    watch = Watch(sqlite_engine, own(antenna, *PARIS, range_nm=250), antenna, far)
    report, watched_s = watch.ask()
    assert (report.outcome, watched_s) == ("ok" if number else "empty", 60 if watched else 0)
    if not watched:
        assert (
            "receiver is not known to hear what flies low at far, 162 NM from the antenna: of 40 air"
            in watch.said
        )


def test_near_sites_of_the_same_receiver_stay_watched(sqlite_engine: Engine) -> None:
    far = site("far", *destination(*PARIS, 45, 162))
    antenna = Antenna(around(PARIS, 40, out_to_nm=65, height_ft=5_000))
    poll_provider(sqlite_engine, own(antenna, *PARIS, range_nm=250), [far, ORLY], NOON)
    with reading(sqlite_engine) as connection:
        seconds = {
            name: [
                (each.observed_s, each.expected_s)
                for each in coverage(connection, name, NOON, NOON + timedelta(hours=1))
            ]
            for name in ("far", "orly")
        }
    assert seconds == {"far": [(0, 3600)], "orly": [(60, 3600)]}


def test_readsbs_own_api_is_asked_for_all_where_the_circles_are_empty(sqlite_engine: Engine) -> None:
    antenna = Antenna(around(PARIS, 40))
    feed = own(antenna, 39.2, 125.6, base_url="https://own.example:8042", options={"path_style": "readsb"})
    report, watched_s = Watch(sqlite_engine, feed, antenna).ask()
    assert (report.outcome, watched_s) == ("failed", 0)
    assert antenna.asked[-1] == "https://own.example:8042/?all_with_pos"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("lat", "lon", "outcome"), [(48.8, 2.3, "ok"), (39.2, 125.6, "failed"), (2.3, 48.8, "failed")]
)
def test_a_real_receiver_at_its_place_and_elsewhere(
    sqlite_engine: Engine, shared_data: Path, lat: float, lon: float, outcome: str
) -> None:
    body = (shared_data / "adsb/readsb_aircraft.json").read_bytes()
    at = datetime.fromtimestamp(json.loads(body)["now"], NOON.tzinfo)
    provider = own(Antenna([]), lat, lon).provider
    answer: Callable[[httpx.Request], httpx.Response] = lambda request: (  # noqa: E731 - one use
        httpx.Response(404) if "receiver.json" in str(request.url) else httpx.Response(200, content=body)
    )
    (report,) = poll_provider(
        sqlite_engine, ReadsbFeed(provider, client(answer)), [site("here", lat, lon)], at
    )
    assert report.outcome == outcome
