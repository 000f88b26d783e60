"""A day in the life of a feed that fails in every way known, through the real adapter and the whole line.

At each trouble an aircraft of a listed class passes low over the site, or comes down to its runway and goes around
unseen, and is gone when the feed works again: whoever takes an outage for silence, or an old answer for a new one,
raises a false alert here.
"""

import gzip
import itertools
import json
import math
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from alerts.delivery.notices import compose_notice
from db.alerts import alerts
from db.blindness import blind_periods
from db.coverage import coverage
from db.deliveries import deliveries
from db.engine import reading
from db.observations import looks
from db.polls import polls
from db.records import Outcome
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.settings import Settings
from monitor.ops import database_health as storage
from monitor.reports.status import gather_status
from tests.kit.cast import QUIET_FIELD

pytestmark = [pytest.mark.long, pytest.mark.untraced]

STEP_S = 300
STEP, MINUTE, HOUR = timedelta(seconds=STEP_S), timedelta(minutes=1), timedelta(hours=1)
DAY = datetime(2023, 8, 1, 3, tzinfo=UTC)
"""Midnight at Quiet Field."""
EACH, LASTS = 30 * MINUTE, 15 * MINUTE
"""A trouble begins every half hour and lasts a quarter."""
SILENCE = DAY + 16 * HOUR
"""For an hour nobody flies here, though the feed works."""
REFUSED = DAY + 17 * HOUR
MENDED = DAY + 30 * HOUR
LANDING = DAY + 32 * HOUR
VIPS = ("1551df", "1551e0", "15520a", "15520b", "15520c", "15521b", "15521f", "155221", "15522c")
LAT, LON = -51.9, -70.6
NM_A_DEGREE_EAST = 60 * math.cos(math.radians(LAT))

Answer = httpx.Response
Fault = Callable[["Sky", httpx.Request], Answer]


# --- the sky


def reported(
    hex_code: str, east_nm: float, north_nm: float, feet: float, kt: float, **more: Any
) -> dict[str, Any]:
    """One aircraft so many miles from the middle of the field, as readsb lists it."""
    return {
        "hex": hex_code, "type": "adsb_icao", "lat": LAT + north_nm / 60, "lon": LON + east_nm / NM_A_DEGREE_EAST,
        "alt_baro": feet, "gs": kt, "track": 90.0, "baro_rate": 0, "seen": 0.5, "seen_pos": 1.0, "nic": 8, "nac_p": 9,
        **more,
    }  # fmt: skip


def airliners(at: datetime) -> Iterator[dict[str, Any]]:
    """Four that cross high above, and after ten minutes four others."""
    for lane in range(4):
        crossing, into_s = divmod(int(at.timestamp()) + lane * 150, 600)
        yield reported(
            f"a{(lane * 0x10000 + crossing % 0x10000):05x}", into_s / 8 - 37, 8.0 * lane - 20, 35_000, 450
        )


def passing(at: datetime, began: datetime, hex_code: str) -> Iterator[dict[str, Any]]:
    """One that comes down to 2,500 ft over the field during a trouble, and climbs away on the other side."""
    nm = (at - began - 2 * MINUTE) / HOUR * 250
    if abs(nm) < 40:
        rate = -900 if nm < 0 else 900
        yield reported(hex_code, nm, 0.0, 2_500 + 250 * abs(nm), 250, baro_rate=rate)


def going_around(at: datetime, began: datetime, hex_code: str) -> Iterator[dict[str, Any]]:
    """One that comes in to land, is low over the threshold as the trouble begins, and leaves again."""
    over = began - MINUTE
    nm = (at - over) / HOUR * (140 if at < over else 300)
    if -38 < nm <= 0:
        yield reported(hex_code, nm - 0.5, 0.0, 280 - 318 * nm, 140, baro_rate=-740)
    elif 0 < nm < 40:
        yield reported(hex_code, nm, 0.0, 280 + 300 * nm, 300, baro_rate=1_500)


def landing(at: datetime) -> Iterator[dict[str, Any]]:
    """One that really comes, and stays."""
    nm = (at - LANDING) / HOUR * 140
    if nm > 0:
        yield reported("15521f", 0.1, 0.0, 0, 3 if nm < 20 else 0, alt_baro="ground")
    elif nm > -38:
        yield reported("15521f", nm, 0.0, 120 - 318 * nm, 140, baro_rate=-740)


@dataclass
class Sky:
    """What flies around Quiet Field, and what a provider makes of it: `form` writes an answer."""

    form: Callable[[list[dict[str, Any]], datetime], bytes]
    faults: Mapping[datetime, tuple[str, Fault]]
    decoy: Callable[[datetime, datetime, str], Iterator[dict[str, Any]]] = passing
    lasts: timedelta = LASTS
    refuses: bool = True
    now: datetime = DAY
    asked: "Counter[str]" = field(default_factory=Counter)
    held: bytes = b""

    def __call__(self, request: httpx.Request) -> Answer:
        """Answer as the provider does at this moment."""
        name, fault = self.trouble() or ("", None)
        self.asked[name] += 1
        if fault is not None:
            return fault(self, request)
        self.held = self.good(request)
        return httpx.Response(200, content=self.held)

    def trouble(self) -> tuple[str, Fault] | None:
        """What is wrong now."""
        if self.refuses and REFUSED <= self.now < MENDED:
            return "403", status(403)
        began = DAY + (self.now - DAY) // EACH * EACH
        return self.faults.get(began) if self.now - began < self.lasts else None

    def good(self, request: httpx.Request) -> bytes:
        """The answer of a working feed."""
        return self.form(self.elsewhere() if is_canary(request) else list(self.here()), self.now)

    def here(self) -> Iterator[dict[str, Any]]:
        """Every aircraft within reach."""
        if SILENCE <= self.now < REFUSED:
            return
        yield from airliners(self.now)
        for number, began in enumerate(self.faults):
            yield from self.decoy(self.now, began, VIPS[number % len(VIPS)])
        yield from landing(self.now)

    @staticmethod
    def elsewhere() -> list[dict[str, Any]]:
        """A busy place."""
        return [{**reported(f"71be0{n}", 0, 0, 3_000, 200), "lat": 37.4, "lon": 126.4} for n in range(5)]


def is_canary(request: httpx.Request) -> bool:
    """Whether this asks for somewhere else, and not for all that one's own receiver hears."""
    where = f"{request.url.path}?{request.url.query.decode()}"
    return not any(words in where for words in ("51.", "52.", "all_with_pos"))


def v2(listed: list[dict[str, Any]], now: datetime) -> bytes:
    """As adsb.lol writes it."""
    return json.dumps(
        {"ac": listed, "now": int(now.timestamp() * 1000), "msg": "No error", "total": len(listed)}
    ).encode()


def own(listed: list[dict[str, Any]], now: datetime) -> bytes:
    """As one's own readsb writes it."""
    return json.dumps({"aircraft": listed, "now": now.timestamp(), "messages": 1}).encode()


def states(listed: list[dict[str, Any]], now: datetime) -> bytes:
    """As OpenSky writes it."""
    rows = [_state(each, now) for each in listed]
    return json.dumps({"time": int(now.timestamp()), "states": rows or None}).encode()


def _state(each: Mapping[str, Any], now: datetime) -> list[Any]:
    ground = each["alt_baro"] == "ground"
    metres = None if ground else each["alt_baro"] * 0.3048
    heard = now.timestamp() - each["seen_pos"]
    return [
        each["hex"], "", "Russia", heard, heard, each["lon"], each["lat"], metres, ground, each["gs"] * 0.514444,
        each["track"], each["baro_rate"] * 0.00508, None, metres, None, False, 0,
    ]  # fmt: skip


def fr24(listed: list[dict[str, Any]], now: datetime) -> bytes:
    """As Flightradar24 writes it."""
    rows = [{**each, "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}", "source": "ADSB"} for each in listed]
    return json.dumps({"data": rows}).encode()


# --- what goes wrong


def broken(error: type[httpx.TransportError], text: str) -> Fault:
    """No answer at all."""

    def fail(_sky: Sky, request: httpx.Request) -> NoReturn:
        raise error(text, request=request)

    return fail


def status(number: int, body: bytes = b"no", **headers: str) -> Fault:
    """An answer that says no."""
    return lambda _sky, _request: httpx.Response(
        number, content=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def saying(body: bytes) -> Fault:
    """The same thing with status 200, whatever is asked."""
    return lambda _sky, _request: httpx.Response(200, content=body)


def changed(change: Callable[[Any], Any]) -> Fault:
    """The good answer with something wrong in it."""

    def answer(sky: Sky, request: httpx.Request) -> Answer:
        return httpx.Response(200, content=json.dumps(change(json.loads(sky.good(request)))).encode())

    return answer


def cut_short(sky: Sky, request: httpx.Request) -> Answer:
    """Half of the text."""
    body = sky.good(request)
    return httpx.Response(200, content=body[: len(body) // 2])


def frozen(sky: Sky, _request: httpx.Request) -> Answer:
    """The last answer again and again."""
    return httpx.Response(200, content=sky.held)


def clock_off_by(wrong: timedelta) -> Fault:
    """What flies now, under a clock that is wrong."""

    def answer(sky: Sky, request: httpx.Request) -> Answer:
        listed = sky.elsewhere() if is_canary(request) else list(sky.here())
        return httpx.Response(200, content=sky.form(listed, sky.now + wrong))

    return answer


def no_number(text: bytes) -> Fault:
    """Every longitude is something that JSON does not know, or that no number can hold."""

    def answer(sky: Sky, request: httpx.Request) -> Answer:
        unlike = json.dumps(LON + 1 / 3)
        listed = [{**each, "lon": LON + 1 / 3} for each in sky.here()]
        body = sky.form(sky.elsewhere() if is_canary(request) else listed, sky.now)
        return httpx.Response(200, content=body.replace(unlike.encode(), text))

    return answer


def pouring(pieces: Callable[[], Iterator[bytes]], **headers: str) -> Fault:
    """An answer that comes piece by piece, as over a wire."""

    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return pieces()

    return lambda _sky, _request: httpx.Response(200, headers=headers, stream=Stream())


@cache
def bomb() -> bytes:
    """A few kilobytes that unfold into more than any answer may hold."""
    return gzip.compress(b" " * 40_000_000, 1)


def led_astray(sky: Sky, _request: httpx.Request) -> Answer:
    """Sent on to somebody else, to this machine, to the keys of a cloud machine."""
    targets = ("https://elsewhere.example/", "http://127.0.0.1:8000/", "http://169.254.169.254/latest/")
    return httpx.Response(302, headers={"Location": targets[sky.asked["led astray"] % 3]})


def come_back_at(sky: Sky, _request: httpx.Request) -> Answer:
    """A wish to be left alone for a quarter of an hour, as a date."""
    dates = {"Date": sky.now, "Retry-After": sky.now + LASTS}
    return httpx.Response(429, headers={name: format_datetime(at, usegmt=True) for name, at in dates.items()})


def nobody(sky: Sky, _request: httpx.Request) -> Answer:
    """An empty list for every place, the busiest as well."""
    return httpx.Response(200, content=sky.form([], sky.now))


def old_positions(sky: Sky, request: httpx.Request) -> Answer:
    """Aircraft that were last heard long ago, and one listed at the receiver's own place."""
    listed = [{**each, "seen": 400.0, "seen_pos": 400.0, "rr_lat": LAT, "rr_lon": LON} for each in sky.here()]
    return httpx.Response(200, content=sky.form(sky.elsewhere() if is_canary(request) else listed, sky.now))


def half_of_them(sky: Sky, request: httpx.Request) -> Answer:
    """Every second aircraft is missing, now this one and now that."""
    odd = int(sky.now.timestamp()) // STEP_S % 2
    listed = sky.elsewhere() if is_canary(request) else list(sky.here())[odd::2]
    return httpx.Response(200, content=sky.form(listed, sky.now))


def scrambled(sky: Sky, request: httpx.Request) -> Answer:
    """Every value is of another type than it should be."""
    listed: list[Any] = [
        {**each, "lat": str(each["lat"]), "alt_baro": "low", "gs": [], "hex": 7, "seen_pos": None}
        for each in sky.here()
    ]
    canary = is_canary(request)
    document = json.loads(sky.form(sky.elsewhere() if canary else [], sky.now))
    if not canary:
        document = {
            **document,
            "ac": listed,
            "aircraft": listed,
            "states": [None, "x", [1], *([7] * 17 for _ in listed)],
        }
    return httpx.Response(200, content=json.dumps(document).encode())


SAID = {
    "timeout": "no answer in time",
    "name not known": "cannot connect: .*Name or service not known",
    "bad certificate": "CERTIFICATE_VERIFY_FAILED",
    "broken off": "the connection broke off",
    "500": "The fault is on its side",
    "503": "The fault is on its side",
    "HTML": "base_url is wrong",
    "empty text": "the answer is empty",
    "cut short": "cannot be read as JSON",
    "frozen": "it has stopped|stood still since",
    "an hour old": "the clock of this machine is wrong",
    "an hour ahead": "the clock of this machine is wrong",
    "NaN": "impossible position",
    "1e999": "the provider has changed its format",
    "nested": "nested too deeply",
    "bomb": "larger than 33554432 bytes",
    "without end": "larger than 33554432 bytes",
    "led astray": "change its base_url",
    "wrong types": "the provider has changed its format",
    "no list": "holds no list of aircraft",
    "list is no list": "holds no list of aircraft",
    "states are no list": "Check base_url",
    "no time": "does not say its time",
    "not heard for long": "its receivers have stopped",
    "nobody anywhere": "which is no zero",
    "bad query": "Check base_url and options",
    "400": "Check base_url and options",
    "401": "It wants a key",
    "402": "Its credits are used up",
    "403": "not asked again until you run `sitewatch poll",
    "422": "Check base_url and options",
    "429": "after 900 s. Raise interval_s",
    "429 until": "after 900 s. Raise interval_s",
}
"""What `status` says of each failure."""

FAILED: frozenset[Outcome] = frozenset({"failed"})
WORKS: frozenset[Outcome] = frozenset({"ok"})
EMPTY: frozenset[Outcome] = frozenset({"empty"})
Expected = frozenset[Outcome]

EVERYWHERE: Mapping[str, tuple[Fault, Expected]] = {
    "timeout": (broken(httpx.ReadTimeout, "timed out"), FAILED),
    "name not known": (broken(httpx.ConnectError, "[Errno -2] Name or service not known"), FAILED),
    "bad certificate": (broken(httpx.ConnectError, "[SSL: CERTIFICATE_VERIFY_FAILED] expired"), FAILED),
    "broken off": (broken(httpx.RemoteProtocolError, "peer closed connection"), FAILED),
    "500": (status(500), FAILED),
    "503": (status(503), FAILED),
    "HTML": (saying(b"<!doctype html><title>Just a moment</title>"), FAILED),
    "empty text": (saying(b""), FAILED),
    "cut short": (cut_short, FAILED),
    "frozen": (frozen, FAILED),
    "an hour old": (clock_off_by(-HOUR), FAILED),
    "an hour ahead": (clock_off_by(HOUR), FAILED),
    "1e999": (no_number(b"1e999"), FAILED),
    "wrong types": (scrambled, FAILED),
    "half of them": (half_of_them, WORKS),
}
UNREAD: Mapping[str, tuple[Fault, Expected]] = {
    "NaN": (no_number(b"NaN"), FAILED),
    "nested": (saying(b'{"ac":' + b"[" * 100_000), FAILED),
    "bomb": (pouring(lambda: iter([bomb()]), **{"Content-Encoding": "gzip"}), FAILED),
    "without end": (pouring(lambda: itertools.repeat(b" " * 1_000_000)), FAILED),
    "led astray": (led_astray, FAILED),
}
"""These are refused before anything is read, whatever the kind of feed."""
V2: Mapping[str, tuple[Fault, Expected]] = {
    **EVERYWHERE,
    **UNREAD,
    "no list": (changed(lambda body: {"msg": "No error", "now": body["now"]}), FAILED),
    "list is no list": (changed(lambda body: {**body, "ac": {"hex": "15521f"}}), FAILED),
    "no time": (changed(lambda body: {"ac": body["ac"]}), FAILED),
    "not heard for long": (old_positions, FAILED),
    "nobody anywhere": (nobody, FAILED),
    "402": (status(402), FAILED),
    "422": (status(422), FAILED),
    "429": (status(429, Retry_After="900"), FAILED),
    "429 until": (come_back_at, FAILED),
}
OWN: Mapping[str, tuple[Fault, Expected]] = {
    **EVERYWHERE,
    **UNREAD,
    "bad query": (status(400, b""), FAILED),
    "not heard for long": (old_positions, FAILED),
    "nobody here": (nobody, EMPTY),
}
OPENSKY: Mapping[str, tuple[Fault, Expected]] = {
    **EVERYWHERE,
    "states are no list": (changed(lambda body: {**body, "states": {"15521f": []}}), FAILED),
    "no time": (changed(lambda body: {"states": body["states"]}), FAILED),
    "nobody anywhere": (nobody, FAILED),
    "old positions": (old_positions, frozenset({"empty"})),
    "400": (status(400), FAILED),
    "401": (status(401), FAILED),
    "429": (status(429, X_Rate_Limit_Retry_After_Seconds="900"), FAILED),
}
KINDS = {
    "adsb.lol": (v2, V2, {}),
    "receiver": (
        own,
        OWN,
        {
            "base_url": "http://receiver.example/re-api",
            "options": {"path_style": "readsb", "lat": str(LAT), "lon": str(LON), "range_nm": "120"},
        },
    ),
    "opensky": (states, OPENSKY, {}),
}


# --- the day


@dataclass
class Story:
    """A provider, its sky, and the program that watches through it."""

    name: str
    sky: Sky
    app: App
    expected: Mapping[str, Expected]
    step: timedelta = STEP

    def live(self, until: datetime) -> None:
        """Do what the service does, step by step."""
        while self.sky.now < until:
            # Whoever refuses is not asked, so nothing happens for hours.
            resting = REFUSED + HOUR <= self.sky.now < MENDED
            self.sky.now += EACH if resting else self.step
            now = self.sky.now
            pipeline.poll(self.app, now)
            pipeline.derive(self.app, now)
            pipeline.judge(self.app, now)
            if now.minute % 10 == 0:
                pipeline.watch_self(self.app, now)

    def outcomes(self) -> dict[str, set[Outcome | None]]:
        """How the polls for data ended, by what was wrong ('' nothing)."""
        found: dict[str, set[Outcome | None]] = defaultdict(set)
        with reading(self.app.engine) as connection:
            for poll in polls(connection, purpose="data"):
                self.sky.now = poll.started_at
                found[(self.sky.trouble() or ("", None))[0]].add(poll.outcome)
        return found

    def observed(self, since: datetime, until: datetime) -> timedelta:
        """How long the site counts as watched."""
        with reading(self.app.engine) as connection:
            hours = coverage(connection, QUIET_FIELD.id, since, until)
        return timedelta(seconds=sum(each.observed_s for each in hours if since <= each.hour < until))

    def told(self) -> list[str]:
        """What was said to people about the program itself, in order."""
        with reading(self.app.engine) as connection:
            return [compose_notice(each).headline for each in deliveries(connection) if each.kind == "notice"]


def write_quiet_field(folder: Path) -> Path:
    """A sites file with Quiet Field alone."""
    feature = json.loads(json.dumps(QUIET_FIELD.feature))
    feature["properties"].pop("links")
    path = folder / "sites.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    return path


@pytest.fixture(params=list(KINDS))
def story(
    request: pytest.FixtureRequest, tmp_path: Path, story_url: Callable[[Path], str]
) -> Iterator[Story]:
    form, faults, changes = KINDS[request.param]
    planned = {DAY + (2 + n) * EACH: (name, fault) for n, (name, (fault, _)) in enumerate(faults.items())}
    assert max(planned) + EACH <= SILENCE
    sky = Sky(form, planned)
    app = program(tmp_path, story_url(tmp_path), sky, request.param, interval_s=STEP_S, **changes)
    yield Story(request.param, sky, app, {name: outcome for name, (_, outcome) in faults.items()})
    app.close()


def program(folder: Path, database_url: str, sky: Sky, provider: str, **values: object) -> App:
    """A program that asks this provider alone."""
    off = {name: {"enabled": False} for name in ("adsb.lol", "earth-search")}
    settings = Settings.model_validate(
        {
            "database_url": database_url,
            "sites_file": write_quiet_field(folder),
            "history_file": folder / "none.csv",
            "providers": {**off, provider: {"enabled": True, **values}},
        }
    )
    app = build_app(settings, transport=httpx.MockTransport(sky))
    pipeline.start(app, DAY)
    return app


def test_a_feed_that_fails_in_every_way_raises_no_alert_and_is_counted_as_blind(story: Story) -> None:
    with capture_logs() as logs:
        story.live(MENDED)
        check_the_polls(story)
        check_what_was_said(story)
        check_what_was_watched(story)
        check_that_nothing_was_made_up(story)
        story.sky.now = MENDED
        assert {each.outcome for each in pipeline.poll(story.app, MENDED, story.name, force=True)} == {"ok"}
        story.live(LANDING + HOUR)
    check_that_each_change_was_logged_once(story, logs)
    check_the_blind_period(story)
    with reading(story.app.engine) as connection:
        told = {each.metric: each for each in alerts(connection)}
    assert told.keys() == {"arrivals", "aircraft_present"}, "what really happened is told"
    assert all("Quiet Field on 2023-08-02" in each.headline for each in told.values())
    assert all(LANDING <= each.opened_at <= LANDING + 15 * MINUTE for each in told.values())


def check_the_polls(story: Story) -> None:
    """Each trouble ends as the table of failures says, and the feed recovers before the next one."""
    found = story.outcomes()
    assert {name: outcomes for name, outcomes in found.items() if name not in {"", "403"}} == story.expected
    assert found["403"] == FAILED
    assert found[""] == {"ok", "empty"}, "the hour of silence is a true zero"
    assert story.sky.asked["403"] == 1, "who refuses is not asked again"
    for name in story.expected.keys() & {"429", "429 until"}:
        assert story.sky.asked[name] == 1, "who asks to be left alone is left alone"


def check_what_was_said(story: Story) -> None:
    """Each failure is a sentence that names the provider, what was wrong and what can be done."""
    with reading(story.app.engine) as connection:
        for poll in polls(connection, purpose="data"):
            if poll.outcome == "failed":
                story.sky.now = poll.started_at
                trouble = story.sky.trouble()
                assert trouble is not None
                error = poll.error or ""
                assert re.search(SAID[trouble[0]], error)
                assert error.startswith(story.name)
                assert error.endswith(".")


def check_what_was_watched(story: Story) -> None:
    """Only good answers are time watched."""
    with reading(story.app.engine) as connection:
        good = sum(each.outcome in {"ok", "empty"} for each in polls(connection, purpose="data"))
    watched = story.observed(DAY, MENDED)
    assert timedelta(0) <= good * STEP - watched <= STEP, "the first slot is watched from the first poll on"
    assert story.observed(SILENCE, REFUSED) == HOUR, "silence that was listened to was watched"
    assert story.observed(REFUSED + HOUR, MENDED) == timedelta(0)
    for began, (name, _) in story.sky.faults.items():
        if story.expected[name] == FAILED and began.minute == 0:
            assert story.observed(began, began + HOUR) <= HOUR - LASTS, name


def check_that_nothing_was_made_up(story: Story) -> None:
    """No alert, no visit, and no count for a day of which too little was seen."""
    with reading(story.app.engine) as connection:
        assert alerts(connection) == []
        counted = looks(connection, site_id=QUIET_FIELD.id)
    assert {(each.series.metric, each.value) for each in counted} == {
        ("arrivals", None), ("departures", None), ("aircraft_present", None), ("new_visitors", None),
    }  # fmt: skip
    assert all(each.exposure is not None and 0.2 < each.exposure < 0.5 for each in counted)


def check_the_blind_period(story: Story) -> None:
    """One period, from the last good answer to the first one after it, told once at each end."""
    with reading(story.app.engine) as connection:
        (blind,) = blind_periods(connection)
    assert REFUSED - STEP <= blind.since <= REFUSED
    assert blind.ended_at is not None
    assert MENDED <= blind.ended_at <= MENDED + 10 * MINUTE
    assert story.told() == [
        f"{story.name} refuses this program and is not asked any more",
        f"Blind since {blind.since:%Y-%m-%d %H:%M} UTC: Quiet Field",
        "Watched again: Quiet Field",
    ]


def check_that_each_change_was_logged_once(story: Story, logs: list[Any]) -> None:
    """Every trouble has one line when it begins and one when it ends."""
    events = Counter(each["event"] for each in logs)
    failing = sum(outcome == FAILED for outcome in story.expected.values())
    assert events["provider fails"] == failing
    assert events["provider works again"] == failing + 1
    assert events["provider refuses this program and is not asked again"] == 1


def test_a_site_is_blind_while_the_credits_of_its_feed_are_spent(
    tmp_path: Path, story_url: Callable[[Path], str]
) -> None:
    sky = Sky(fr24, {DAY + HOUR: ("402", status(402))}, lasts=HOUR, refuses=False)
    values = {"credentials": {"token": "t"}, "options": {"credits_period": "day"}}
    app = program(tmp_path, story_url(tmp_path), sky, "flightradar24", interval_s=STEP_S, **values)
    story = Story("flightradar24", sky, app, {"402": FAILED}, 30 * MINUTE)
    midnight = DAY.replace(hour=0) + timedelta(days=1)
    story.live(midnight - HOUR)
    assert sky.asked["402"] == 1, "what is spent stays spent, however often one asks"
    (provider,) = gather_status(app, sky.now).providers
    assert f"It goes on after {midnight:%Y-%m-%d %H:%M} UTC" in (provider.state.last_error or "")
    story.live(midnight + HOUR)
    with reading(app.engine) as connection:
        (blind,) = blind_periods(connection)
        assert alerts(connection) == []
    assert DAY < blind.since <= DAY + HOUR
    assert blind.ended_at is not None
    assert midnight <= blind.ended_at <= midnight + HOUR
    app.close()


@pytest.mark.sqlite
def test_a_disk_that_takes_nothing_at_any_step_of_a_landing_loses_no_alert_and_tells_none_twice(
    tmp_path: Path, story_url: Callable[[Path], str]
) -> None:
    sky = Sky(v2, {})
    app = program(tmp_path, story_url(tmp_path), sky, "adsb.lol", interval_s=60)
    full = [False]

    def limit(raw: sqlite3.Connection, *_: object) -> None:
        raw.execute(f"pragma query_only = {'on' if full[0] else 'off'}")

    event.listen(app.engine, "checkout", limit)
    failed = Counter[str]()
    steps: Sequence[Callable[[App, datetime], object]] = (
        pipeline.poll, pipeline.derive, pipeline.judge, pipeline.watch_self
    )  # fmt: skip
    names = ("poll", "derive", "judge", "self")
    sky.now = LANDING - 20 * MINUTE
    while sky.now < LANDING + 40 * MINUTE:
        sky.now += MINUTE
        # In two of three minutes one of the steps finds that nothing can be stored, and each of them in turn: judging,
        # which only reads where nothing waits, when the aircraft has landed.
        number = int((sky.now - LANDING) / MINUTE)
        for place, step in enumerate(steps):
            full[0] = number % 3 != 0 and place == (number // 3 + 2) % len(steps)
            try:
                step(app, sky.now)
            except OperationalError as error:
                failed[names[place]] += storage.note_database_error(
                    app.settings, app.troubles, error, sky.now
                )
    full[0] = False
    assert failed.keys() >= {"poll", "derive", "judge"}, failed
    pipeline.deliver(app, lambda: sky.now, "me")
    with reading(app.engine) as connection:
        told = alerts(connection)
        sent = deliveries(connection)
    assert sorted(each.metric for each in told) == ["aircraft_present", "arrivals"]
    assert len({each.identity for each in sent}) == len(sent)
    assert all(each.state == "sent" for each in sent)
    app.close()


def test_an_approach_that_a_failing_feed_cuts_off_is_no_landing(
    tmp_path: Path, story_url: Callable[[Path], str]
) -> None:
    failing = {
        name: (name, fault)
        for name, (fault, outcome) in V2.items()
        if outcome == FAILED and name not in {*UNREAD, "1e999", "429 until"}
    }
    faults = {DAY + (1 + n) * EACH: each for n, each in enumerate(failing.values())}
    # Over before a silence is too old to be a landing.
    sky = Sky(v2, faults, going_around, lasts=8 * MINUTE)
    app = program(tmp_path, story_url(tmp_path), sky, "adsb.lol", interval_s=60)
    story = Story("adsb.lol", sky, app, dict.fromkeys(failing, FAILED), MINUTE)
    for began in faults:
        # What lies between does not matter here, and takes time.
        sky.now = began - 5 * MINUTE
        story.live(began + 3 * MINUTE)
        sky.now = began + sky.lasts
        story.live(began + 12 * MINUTE)
    with reading(app.engine) as connection:
        assert alerts(connection) == []
    # The same approach, and then true silence on a feed that works: that is a landing.
    last = max(faults) + EACH
    sky.faults = {last: ("", saying(b""))}
    sky.now = last - 8 * MINUTE
    story.live(last - MINUTE)
    sky.faults = {}
    story.live(last + 20 * MINUTE)
    with reading(app.engine) as connection:
        assert {each.metric for each in alerts(connection)} >= {"arrivals"}
    app.close()
