"""Polling a provider through its real adapter: outcomes, canaries, refusals, and what is logged and when."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from shapely import box
from sqlalchemy import Engine
from structlog.testing import capture_logs

from db.coverage import coverage
from db.engine import reading, writing
from db.flights import fixes
from db.polls import PollKey, polls, start_poll
from db.provider_states import provider_states, read_state
from db.records import Poll, ProviderState, Scene
from monitor.feeds import Fetched, Scope
from monitor.feeds.readsb import ReadsbFeed
from monitor.poll.answers import PollReport, describe_answer
from monitor.poll.rounds import poll_provider
from monitor.sites import Site
from tests.kit.cast import BUSY_PORT, CAST, DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.fake_feeds import NOON, aircraft, client, readsb_provider, v2_body

MINUTE = timedelta(minutes=1)
SLOT = int(NOON.timestamp()) // 60


class Skies:
    """A provider whose answers are set place by place; the canary's circle is over Incheon."""

    def __init__(self, **changes: Any) -> None:
        self.now = NOON
        self.clock_lag = timedelta()
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], httpx.Response]] = {}
        self.feed = ReadsbFeed(readsb_provider(**changes), client(self._answer))

    def over(self, place: str, *listed: Any) -> None:
        """List these aircraft there from now on."""
        self.answers[place] = lambda: httpx.Response(
            200, content=v2_body(*listed, now=self.now - self.clock_lag)
        )

    def refuse(self, place: str, status: int, **headers: str) -> None:
        self.answers[place] = lambda: httpx.Response(status, headers=headers, content=b"no")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        place = _place(request.url.path)
        self.asked.append(place)
        if place not in self.answers:
            raise httpx.ConnectError("nobody there", request=request)
        return self.answers[place]()


def _place(path: str) -> str:
    lat = float(path.split("/")[-3])
    known = {"quiet": -51.9, "dateline": -16.8, "donut": 65.5, "incheon": 37.469, "beijing": 40.08}
    return min(known, key=lambda name: abs(known[name] - lat))


@pytest.fixture
def skies() -> Skies:
    made = Skies()
    over_quiet = aircraft(lat=-51.9, lon=-70.6)
    made.over("quiet", over_quiet)
    made.over("dateline")
    made.over("donut")
    made.over("incheon", aircraft("71be01", lat=37.4, lon=126.4))
    return made


def run(
    engine: Engine, skies: Skies, now: datetime = NOON, sites: Sequence[Site] = CAST, *, force: bool = False
) -> list[PollReport]:
    skies.now = now
    return poll_provider(engine, skies.feed, sites, now, force=force)


def outcomes(reports: Sequence[PollReport]) -> dict[str, str]:
    return {site_id: report.outcome for report in reports for site_id in report.site_ids}


def stored(engine: Engine) -> list[Poll]:
    with reading(engine) as connection:
        return polls(connection)


def observed_s(engine: Engine, site: Site) -> int:
    with reading(engine) as connection:
        hours = coverage(connection, site.id, NOON - timedelta(days=1), NOON + timedelta(days=1))
    return sum(hour.observed_s for hour in hours)


def state(engine: Engine) -> ProviderState:
    with reading(engine) as connection:
        return read_state(connection, "test.readsb", NOON)


def test_a_round_asks_each_circle_once_and_stores_what_came(engine: Engine, skies: Skies) -> None:
    reports = run(engine, skies)
    assert outcomes(reports) == {QUIET_FIELD.id: "ok", DATELINE_STRIP.id: "empty", DONUT_BASE.id: "empty"}
    assert sorted(skies.asked) == ["dateline", "donut", "quiet"]
    quiet = next(report for report in reports if report.outcome == "ok")
    assert quiet.text == "test.readsb: 1 aircraft around quiet-field."
    assert (quiet.items, quiet.fixes, quiet.scenes) == (1, 1, 0)
    with reading(engine) as connection:
        (fix,) = fixes(connection)
    assert fix.icao24 == "15521f"
    assert fix.poll_id in {poll.id for poll in stored(engine)}
    assert {poll.slot for poll in stored(engine)} == {SLOT}
    assert observed_s(engine, QUIET_FIELD) == observed_s(engine, DONUT_BASE) == 60
    assert observed_s(engine, BUSY_PORT) == 0


def test_reports_near_a_site_are_counted_for_it(engine: Engine, skies: Skies) -> None:
    near, edge = aircraft("000001", lat=-51.5, lon=-70.6), aircraft("000002", lat=-51.23, lon=-70.6)
    beyond = aircraft("000003", lat=-51.18, lon=-70.6)
    skies.over("quiet", near, edge, beyond)
    run(engine, skies)
    with reading(engine) as connection:
        (hour,) = coverage(connection, QUIET_FIELD.id, NOON, NOON + MINUTE)
        kept = {fix.icao24 for fix in fixes(connection)}
    # 24 and 40.3 NM from the middle of a field that reaches 1 NM, and 43 NM.
    assert hour.reports_nearby == 2
    assert kept == {"000001", "000002"}


def test_watched_aircraft_are_kept_wherever_they_are_heard(engine: Engine) -> None:
    skies = Skies(options={"margin_nm": "60"})
    others = aircraft("3985a2", lat=-51.0, lon=-70.6, r="F-HBNC", flight="AFR1")
    skies.over("quiet", aircraft("15521f", lat=-51.0, lon=-70.6), others)
    (report,) = run(engine, skies, sites=[QUIET_FIELD])
    assert (report.items, report.fixes) == (2, 1)
    with reading(engine) as connection:
        assert [fix.icao24 for fix in fixes(connection)] == ["15521f"]


def test_a_slot_is_asked_once(engine: Engine, skies: Skies) -> None:
    run(engine, skies)
    assert run(engine, skies, NOON + timedelta(seconds=59)) == []
    assert len(skies.asked) == 3
    assert len(run(engine, skies, NOON + MINUTE)) == 3


def test_a_person_may_ask_again_but_time_is_counted_once(engine: Engine, skies: Skies) -> None:
    run(engine, skies)
    assert len(run(engine, skies, NOON + timedelta(seconds=10), force=True)) == 3
    assert observed_s(engine, QUIET_FIELD) == 60
    assert {poll.sequence for poll in stored(engine)} == {0, 1}


def test_what_another_process_asks_right_now_is_left_to_it(engine: Engine, skies: Skies) -> None:
    scope = skies.feed.scopes([QUIET_FIELD])[0]
    with writing(engine) as connection:
        start_poll(connection, PollKey("test.readsb", scope.key, SLOT), 0, NOON)
    assert run(engine, skies, sites=[QUIET_FIELD]) == []
    (report,) = run(engine, skies, sites=[QUIET_FIELD], force=True)
    assert (report.outcome, report.text) == (
        "skipped",
        "test.readsb: quiet-field is being asked by another process right now.",
    )
    assert skies.asked == []
    later = NOON + timedelta(minutes=5)
    assert outcomes(run(engine, skies, later, [QUIET_FIELD])) == {QUIET_FIELD.id: "ok"}


# --- an empty answer ----------------------------------------------------------------------------


def test_an_empty_answer_is_believed_when_a_busy_place_answers(engine: Engine, skies: Skies) -> None:
    skies.over("quiet")
    assert set(outcomes(run(engine, skies)).values()) == {"empty"}
    assert skies.asked.count("incheon") == 1
    assert observed_s(engine, QUIET_FIELD) == 60
    canary = next(poll for poll in stored(engine) if poll.purpose == "canary")
    assert (canary.outcome, canary.item_count) == ("ok", 1)
    with reading(engine) as connection:
        assert fixes(connection) == []


@pytest.mark.parametrize("canary", ["empty", "down", "500", "garbage"])
def test_an_empty_answer_is_no_zero_when_everything_is_empty(
    engine: Engine, skies: Skies, canary: str
) -> None:
    skies.over("quiet")
    skies.over("incheon")
    if canary == "down":
        del skies.answers["incheon"]
    elif canary == "500":
        skies.refuse("incheon", 500)
    elif canary == "garbage":
        skies.answers["incheon"] = lambda: httpx.Response(200, content=b"[")
    reports = run(engine, skies)
    assert set(outcomes(reports).values()) == {"failed"}
    assert all("which is no zero" in report.text for report in reports)
    assert observed_s(engine, QUIET_FIELD) == 0
    assert (state(engine).health, state(engine).failures) == ("failing", 1)
    failed = next(poll for poll in stored(engine) if poll.purpose == "data")
    assert failed.answer_sha256 is not None
    assert failed.answer_size is not None


def test_a_canary_that_another_process_waits_for_proves_nothing_yet(engine: Engine, skies: Skies) -> None:
    skies.over("quiet")
    scope = skies.feed.canary(skies.feed.scopes(CAST)[0])
    assert scope is not None
    with writing(engine) as connection:
        start_poll(connection, PollKey("test.readsb", scope.key, SLOT, "canary"), 0, NOON)
    assert set(outcomes(run(engine, skies)).values()) == {"failed"}
    assert "incheon" not in skies.asked


def test_without_a_canary_an_empty_answer_is_believed(engine: Engine) -> None:
    own = Skies(
        base_url="http://192.168.1.5",
        options={"path_style": "readsb", "lat": "-51.9", "lon": "-70.6", "range_nm": "99"},
    )
    body = v2_body()
    feed = ReadsbFeed(own.feed.provider, client(lambda _: httpx.Response(200, content=body)))
    (report,) = poll_provider(engine, feed, CAST, NOON)
    assert report.outcome == "empty"


def test_the_canary_lies_outside_what_is_asked(engine: Engine) -> None:
    skies = Skies(options={"margin_nm": "100"})
    near_incheon = replace(QUIET_FIELD, id="gimpo", geometry=box(126.7, 37.5, 126.8, 37.6))
    skies.over("incheon")
    skies.over("beijing", aircraft("780001", lat=40.0, lon=116.5))
    assert outcomes(run(engine, skies, sites=[near_incheon])) == {"gimpo": "empty"}
    assert skies.asked == ["incheon", "beijing"]


# --- failures -----------------------------------------------------------------------------------


def test_a_failing_scope_does_not_stop_the_others(engine: Engine, skies: Skies) -> None:
    skies.refuse("donut", 422)
    reports = run(engine, skies)
    assert outcomes(reports) == {QUIET_FIELD.id: "ok", DATELINE_STRIP.id: "empty", DONUT_BASE.id: "failed"}
    failed = next(report for report in reports if report.outcome == "failed")
    assert "422" in failed.text
    assert observed_s(engine, DONUT_BASE) == 0
    # It works for two places of three, which is not well; it is asked again as before.
    assert (state(engine).health, state(engine).failures, state(engine).not_before) == ("failing", 0, None)
    assert "answers for 2 of 3 places only, not for donut-base" in (state(engine).last_error or "")
    skies.over("donut")
    run(engine, skies, NOON + MINUTE)
    assert (state(engine).health, state(engine).last_error) == ("ok", None)


def test_a_provider_that_wants_to_be_left_alone_is_left_alone(engine: Engine, skies: Skies) -> None:
    skies.refuse("dateline", 429, **{"Retry-After": "600"})
    first = run(engine, skies)
    assert skies.asked == ["dateline"]
    assert [report.outcome for report in first] == ["failed"]
    skies.over("dateline")
    for minutes in (1, 9):
        assert run(engine, skies, NOON + minutes * MINUTE) == []
    (held,) = run(engine, skies, NOON + 5 * MINUTE, force=True)
    assert (held.outcome, held.text) == (
        "skipped",
        "test.readsb asked to be left alone until 2023-08-01 12:10 UTC.",
    )
    assert skies.asked == ["dateline"]
    assert len(run(engine, skies, NOON + 10 * MINUTE)) == 3


def test_answers_before_a_refusal_are_kept_and_the_refusal_stands(engine: Engine, skies: Skies) -> None:
    skies.over("dateline", aircraft(lat=-16.8, lon=179.99))
    skies.over("donut")
    skies.refuse("quiet", 403)
    assert outcomes(run(engine, skies)) == {
        DATELINE_STRIP.id: "ok",
        DONUT_BASE.id: "empty",
        QUIET_FIELD.id: "failed",
    }
    assert state(engine).health == "disabled"


def test_a_refusing_provider_is_not_asked_until_a_person_does(engine: Engine, skies: Skies) -> None:
    for place in ("quiet", "dateline", "donut", "incheon"):
        skies.refuse(place, 403)
    with capture_logs() as logs:
        run(engine, skies)
        assert run(engine, skies, NOON + timedelta(days=3)) == []
    assert skies.asked == ["dateline"]
    assert [line["log_level"] for line in logs if "refuses" in line["event"]] == ["error"]
    skies.over("quiet", aircraft(lat=-51.9, lon=-70.6))
    skies.over("dateline", aircraft(lat=-16.8, lon=179.99))
    skies.over("donut")
    run(engine, skies, NOON + timedelta(days=4), force=True)
    assert state(engine).health == "ok"


def test_failures_back_off_and_are_told_once_as_is_the_recovery(engine: Engine, skies: Skies) -> None:
    answers, skies.answers = skies.answers, {}
    with capture_logs() as logs:
        asked_at = [minutes for minutes in range(12) if run(engine, skies, NOON + minutes * MINUTE)]
        skies.answers = answers
        run(engine, skies, NOON + 40 * MINUTE)
        run(engine, skies, NOON + 41 * MINUTE)
    assert asked_at == [0, 1, 2, 4, 8]
    told = [line["event"] for line in logs if line["event"] != "polled"]
    assert told == ["provider fails", "provider works again"]
    fails = next(line for line in logs if line["event"] == "provider fails")
    assert "nobody there" in fails["error"]


def test_a_person_may_ask_a_provider_that_is_held_back_by_its_failures(engine: Engine, skies: Skies) -> None:
    answers, skies.answers = skies.answers, {}
    for minutes in range(5):
        run(engine, skies, NOON + minutes * MINUTE)
    skies.answers = answers
    assert run(engine, skies, NOON + 5 * MINUTE) == []
    assert QUIET_FIELD.id in outcomes(run(engine, skies, NOON + 5 * MINUTE, force=True))
    assert state(engine).health == "ok"


def test_a_frozen_feed_repeats_itself_and_has_failed(engine: Engine, skies: Skies) -> None:
    sites = [QUIET_FIELD]
    run(engine, skies, sites=sites)
    skies.clock_lag = MINUTE
    (frozen,) = run(engine, skies, NOON + MINUTE, sites)
    assert frozen.outcome == "failed"
    assert "stood still since 2023-08-01 12:00:00 UTC" in frozen.text
    skies.clock_lag = timedelta(seconds=59)
    assert outcomes(run(engine, skies, NOON + 2 * MINUTE, sites)) == {QUIET_FIELD.id: "ok"}


def test_a_total_outage_observes_nothing(engine: Engine, skies: Skies) -> None:
    skies.answers = {}
    for minutes in range(60):
        run(engine, skies, NOON + minutes * MINUTE)
    assert {poll.outcome for poll in stored(engine)} == {"failed"}
    for site in (QUIET_FIELD, DATELINE_STRIP, DONUT_BASE):
        assert observed_s(engine, site) == 0


def test_a_poll_killed_on_the_way_is_neither_zero_nor_observed(engine: Engine, skies: Skies) -> None:
    class KilledError(BaseException):
        pass

    def kill() -> httpx.Response:
        raise KilledError

    skies.answers["quiet"] = kill
    with pytest.raises(KilledError):
        run(engine, skies, sites=[QUIET_FIELD])
    assert [poll.outcome for poll in stored(engine)] == [None]
    assert observed_s(engine, QUIET_FIELD) == 0
    skies.over("quiet")
    assert outcomes(run(engine, skies, NOON + MINUTE, [QUIET_FIELD])) == {QUIET_FIELD.id: "empty"}
    assert observed_s(engine, QUIET_FIELD) == 60


def test_what_was_not_believed_is_said(engine: Engine, skies: Skies) -> None:
    skies.over("quiet", aircraft(lat=-51.9, lon=-70.6), aircraft("zz", lat=-51.9, lon=-70.6))
    (report,) = run(engine, skies, sites=[QUIET_FIELD])
    assert report.text == "test.readsb: 2 aircraft around quiet-field. Not believed: 1 × no valid address."
    assert report.rejected == {"no valid address": 1}


def test_sites_where_nothing_flies_are_not_asked_about(engine: Engine, skies: Skies) -> None:
    assert run(engine, skies, sites=[BUSY_PORT]) == []
    assert run(engine, skies, sites=[]) == []
    with reading(engine) as connection:
        assert provider_states(connection) == {}


# --- one question at a time ---------------------------------------------------------------------


def test_a_provider_that_wants_single_requests_is_asked_in_turn(engine: Engine) -> None:
    skies = Skies(interval_s=10, options={"most_at_once": "1"})
    for place in ("quiet", "dateline", "donut"):
        skies.over(place)
    skies.over("incheon", aircraft("71be01", lat=37.4, lon=126.4))
    asked = []
    for step in range(13):
        skies.asked = []
        run(engine, skies, NOON + step * timedelta(seconds=10))
        asked += [tuple(skies.asked)]
    # The canary proves that the provider is alive, a minute long; the others go on in turn.
    assert {len(each) for each in asked} == {1}
    assert [step for step, places in enumerate(asked) if places == ("incheon",)] == [0, 7]
    assert set(asked[1:4]) == {("quiet",), ("dateline",), ("donut",)}
    assert {report.outcome for report in stored(engine)} == {"ok", "empty"}
    # Each answer stands for its whole round of three.
    assert sum(observed_s(engine, site) for site in CAST) == 11 * 30


def test_a_silent_provider_proves_nothing_in_turn_either(engine: Engine) -> None:
    skies = Skies(interval_s=10, options={"most_at_once": "1"})
    for place in ("quiet", "dateline", "donut", "incheon"):
        skies.over(place)
    reports = [
        report for step in range(8) for report in run(engine, skies, NOON + step * timedelta(seconds=10))
    ]
    assert {report.outcome for report in reports} == {"failed"}
    assert sum(observed_s(engine, site) for site in CAST) == 0


# --- other kinds of feed ------------------------------------------------------------------------


class Catalogue:
    """A feed that watches nothing."""

    watches = False
    ledger = None

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = scenes
        self.provider = readsb_provider(name="catalogue", kind="stac", interval_s=3600)
        self.since: list[datetime | None] = []

    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        return [Scope("all", tuple(site.id for site in sites))]

    def canary(self, scope: Scope) -> Scope | None:
        return None

    def fetch(self, scope: Scope, sites: Sequence[Site], *, since: datetime | None, **_: Any) -> Fetched:
        self.since.append(since)
        assert [site.id for site in sites] == list(scope.site_ids)
        return Fetched((b"{}",), 200, len(self.scenes), scenes=self.scenes)


def test_a_catalogue_observes_no_time_and_is_told_when_it_was_last_asked(engine: Engine) -> None:
    feed = Catalogue()
    (report,) = poll_provider(engine, feed, CAST, NOON)
    poll_provider(engine, feed, CAST, NOON + timedelta(hours=1))
    assert report.outcome == "empty"
    assert report.text.startswith("catalogue: 0 scenes over quiet-field, busy-port")
    assert feed.since == [None, NOON]
    assert observed_s(engine, QUIET_FIELD) == 0


def test_only_sites_with_scenes_are_named() -> None:
    scene = Scene("catalogue", "s2", "a", "quiet-field", "k", "sentinel-2a", NOON, 1.0, NOON)
    feed = Catalogue(scene)
    scope = Scope("all", ("quiet-field", "busy-port", "donut-base"))
    fetched = Fetched((b"{}",), 200, 1, scenes=feed.scenes)
    assert describe_answer(feed.provider, scope, fetched) == (
        "catalogue: 1 scenes over quiet-field (none over 2 other sites)."
    )
