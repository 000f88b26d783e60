"""Polls in the database: one slot once, all or nothing, and only what was observed counts as observed."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select

from db.coverage import coverage, mark_degraded
from db.engine import reading, writing
from db.extracts import extracts_of
from db.flights import fixes, underived_polls
from db.imagery import insert_scenes, scenes
from db.polls import (
    POLL_LOST_AFTER,
    PollKey,
    PollResult,
    answered_since,
    last_good_poll,
    next_sequence,
    polls,
    record_poll,
    start_poll,
)
from db.provider_states import provider_states, read_state
from db.records import CoverageHour, Extract, Fix, ProviderState, Scene
from db.schema import extract, poll
from monitor.poll.answers import back_off_s
from tests.kit.fake_feeds import NOON
from tests.kit.reading import poll_by_id, scene_versions

MINUTE = timedelta(minutes=1)
SLOT = int(NOON.timestamp()) // 60
KEY = PollKey("adsb.lol", "circle:39,125,40", SLOT)
SEEN = Fix("adsb.lol", "15521f", NOON, NOON, 39.2, 125.7)
OK = PollResult(
    "ok", http_status=200, item_count=1, feed_time=NOON, bodies=(b'{"ac": []}',), nearby={"sunan": 1}
)
EMPTY = replace(OK, outcome="empty", item_count=0, nearby={"sunan": 0})
FAILED = PollResult("failed", http_status=500, error="out of order", nearby={"sunan": 0})


def begin(connection: Connection, key: PollKey = KEY, now: datetime = NOON, sequence: int = 0) -> int:
    poll_id = start_poll(connection, key, sequence, now)
    assert poll_id is not None
    return poll_id


def finish(
    engine: Engine, result: PollResult, key: PollKey = KEY, now: datetime = NOON, **options: Any
) -> int:
    """Begin and finish one poll."""
    with writing(engine) as connection:
        poll_id = begin(connection, key, now, options.pop("sequence", 0))
        held = {"back_off": partial(back_off_s, interval_s=60)}
        assert record_poll(connection, poll_id, result, **{"interval_s": 60, "now": now, **held, **options})
    return poll_id


def at_slot(number: int) -> PollKey:
    return replace(KEY, slot=SLOT + number)


def state_of(engine: Engine, now: datetime = NOON) -> ProviderState:
    with reading(engine) as connection:
        return read_state(connection, "adsb.lol", now)


def hours_of(engine: Engine, site_id: str = "sunan") -> list[CoverageHour]:
    with reading(engine) as connection:
        return coverage(connection, site_id, NOON - timedelta(days=1), NOON + timedelta(days=1))


def test_a_fault_of_this_machine_leaves_the_provider_s_health_alone(engine: Engine) -> None:
    finish(engine, replace(FAILED, ours=True))
    state = state_of(engine)
    assert (state.health, state.failures, state.failing_since) == ("unknown", 0, None)
    with reading(engine) as connection:
        (stored,) = polls(connection, provider="adsb.lol")
    assert stored.outcome == "failed", "nothing was seen all the same"


# --- one slot once ------------------------------------------------------------------------------


def test_a_slot_is_begun_once(engine: Engine) -> None:
    with writing(engine) as connection:
        assert begin(connection) > 0
        assert start_poll(connection, KEY, 0, NOON) is None
        assert next_sequence(connection, KEY, NOON) is None
        for other in (
            replace(KEY, slot=SLOT + 1),
            replace(KEY, scope="circle:0,0,40"),
            replace(KEY, purpose="canary"),
            replace(KEY, provider="adsb.fi"),
        ):
            assert next_sequence(connection, other, NOON) == 0
            assert start_poll(connection, other, 0, NOON) is not None


@pytest.mark.parametrize("result", [OK, EMPTY, FAILED])
def test_a_finished_slot_is_not_asked_again_except_by_a_person(engine: Engine, result: PollResult) -> None:
    finish(engine, result)
    with reading(engine) as connection:
        assert next_sequence(connection, KEY, NOON + POLL_LOST_AFTER * 2) is None
        assert next_sequence(connection, KEY, NOON, force=True) == 1


def test_a_poll_whose_process_was_killed_is_lost_and_its_slot_may_be_asked_again(engine: Engine) -> None:
    with writing(engine) as connection:
        begin(connection)
        soon, later = NOON + POLL_LOST_AFTER - MINUTE, NOON + POLL_LOST_AFTER
        # Another process may be waiting for its answer right now, whoever asks.
        assert next_sequence(connection, KEY, soon) is None
        assert next_sequence(connection, KEY, soon, force=True) is None
        assert next_sequence(connection, KEY, later) == 1
    assert hours_of(engine) == []
    with reading(engine) as connection:
        assert last_good_poll(connection, KEY.provider, KEY.scope) is None
        assert underived_polls(connection) == []
    finish(engine, OK, now=later, sequence=1)
    assert [hour.observed_s for hour in hours_of(engine)] == [60]


def test_a_poll_is_finished_once(engine: Engine) -> None:
    poll_id = finish(engine, EMPTY)
    with writing(engine) as connection:
        assert not record_poll(connection, poll_id, OK, interval_s=60, now=NOON)
    with reading(engine) as connection:
        assert poll_by_id(connection, poll_id).outcome == "empty"


def test_everything_of_a_poll_is_stored_or_nothing(engine: Engine) -> None:
    broken = replace(OK, fixes=(SEEN, replace(SEEN, icao24="x", lat=None)))  # type: ignore[arg-type]
    with writing(engine) as connection:
        poll_id = begin(connection)
    with pytest.raises(Exception, match=r"(?i)null"), writing(engine) as connection:
        record_poll(connection, poll_id, broken, interval_s=60, now=NOON)
    with reading(engine) as connection:
        assert poll_by_id(connection, poll_id).outcome is None
        assert fixes(connection) == []
        assert connection.execute(select(func.count()).select_from(extract)).scalar_one() == 0
    assert hours_of(engine) == []
    assert state_of(engine).health == "unknown"


def test_what_a_poll_brought_carries_its_id(engine: Engine) -> None:
    poll_id = finish(engine, replace(OK, fixes=(SEEN,), scenes=(SCENE,)))
    with reading(engine) as connection:
        assert fixes(connection) == [replace(SEEN, poll_id=poll_id)]
        assert [each.poll_id for each in scenes(connection)] == [poll_id]
        (stored,) = polls(connection)
        assert [each.id for each in underived_polls(connection)] == [poll_id]
    assert (stored.outcome, stored.item_count, stored.feed_time) == ("ok", 1, NOON)


def test_a_failed_poll_and_a_canary_leave_nothing_to_derive(engine: Engine) -> None:
    finish(engine, FAILED)
    finish(engine, replace(OK, fixes=(SEEN,)), replace(KEY, purpose="canary"))
    with reading(engine) as connection:
        assert underived_polls(connection) == []
        assert fixes(connection) == []
        assert connection.execute(select(func.count()).select_from(extract)).scalar_one() == 0
    assert [hour.observed_s for hour in hours_of(engine)] == [0]


# --- reading ------------------------------------------------------------------------------------


def test_the_last_good_poll_is_the_newest_that_did_not_fail(engine: Engine) -> None:
    finish(engine, OK)
    newest = finish(engine, EMPTY, at_slot(1), NOON + MINUTE)
    finish(engine, FAILED, at_slot(2), NOON + 2 * MINUTE)
    finish(engine, OK, replace(at_slot(3), purpose="canary"), NOON + 3 * MINUTE)
    finish(engine, OK, replace(at_slot(3), scope="circle:0,0,40"), NOON + 3 * MINUTE)
    with reading(engine) as connection:
        found = last_good_poll(connection, KEY.provider, KEY.scope)
    assert found is not None
    assert (found.id, found.slot, found.started_at) == (newest, SLOT + 1, NOON + MINUTE)


def test_a_new_interval_does_not_hide_new_polls_behind_old_slot_numbers(engine: Engine) -> None:
    finish(engine, OK)
    newest = finish(engine, OK, replace(KEY, slot=SLOT // 2), NOON + timedelta(hours=1), interval_s=120)
    with reading(engine) as connection:
        found = last_good_poll(connection, KEY.provider, KEY.scope)
    assert found is not None
    assert found.id == newest


def test_polls_can_be_listed(engine: Engine) -> None:
    ids = [finish(engine, OK, at_slot(number), NOON + number * MINUTE) for number in range(3)]
    canary = finish(engine, OK, replace(KEY, purpose="canary"))
    with reading(engine) as connection:
        assert [each.id for each in polls(connection)] == [ids[2], ids[1], canary, ids[0]]
        assert [each.id for each in polls(connection, since=NOON + MINUTE, until=NOON + 2 * MINUTE)] == [
            ids[1]
        ]
        assert [each.id for each in polls(connection, purpose="canary")] == [canary]
        assert [each.id for each in polls(connection, limit=1)] == [ids[2]]
        assert polls(connection, provider="nobody") == []


def test_who_answered_in_a_slot(engine: Engine) -> None:
    finish(engine, EMPTY)
    before = NOON - MINUTE
    with reading(engine) as connection:
        assert not answered_since(connection, "adsb.lol", SLOT, before)
    finish(engine, OK, replace(KEY, purpose="canary"))
    with reading(engine) as connection:
        assert answered_since(connection, "adsb.lol", SLOT, before)
        assert not answered_since(connection, "adsb.lol", SLOT + 1, before)
        assert not answered_since(connection, "adsb.lol", SLOT, NOON + MINUTE)
        assert not answered_since(connection, "adsb.fi", SLOT, before)


# --- payloads -----------------------------------------------------------------------------------


EXTRACT = Extract(
    "15521f", ({"hex": "15521f", "alt_baro": 1200},), "https://api.example/point", redistribute=True
)


def test_of_an_answer_its_hash_and_its_size_are_kept_and_extracts(engine: Engine) -> None:
    pages = (b'{"page": 1}', b'{"page": 2}')
    poll_id = finish(engine, replace(OK, bodies=pages, extracts=(EXTRACT,)))
    with reading(engine) as connection:
        stored = poll_by_id(connection, poll_id)
        kept = extracts_of(connection, [poll_id, poll_id + 1])
    whole = b'{"page": 1}\n{"page": 2}'
    assert (stored.answer_sha256, stored.answer_size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert kept == [replace(EXTRACT, poll_id=poll_id, received_at=NOON)]


def test_the_same_answer_twice_has_the_same_hash(engine: Engine) -> None:
    first = finish(engine, OK)
    second = finish(engine, OK, at_slot(1), NOON + MINUTE)
    with reading(engine) as connection:
        one, other = poll_by_id(connection, first), poll_by_id(connection, second)
    assert one.answer_sha256 == other.answer_sha256 is not None


def test_an_answer_without_body_has_no_hash(engine: Engine) -> None:
    poll_id = finish(engine, replace(FAILED, bodies=(b"",)))
    with reading(engine) as connection:
        assert poll_by_id(connection, poll_id).answer_sha256 is None


# --- coverage -----------------------------------------------------------------------------------


def test_only_good_polls_add_observed_time(engine: Engine) -> None:
    finish(engine, OK)
    finish(engine, EMPTY, at_slot(1), NOON + MINUTE)
    finish(engine, FAILED, at_slot(2), NOON + 2 * MINUTE)
    assert hours_of(engine) == [CoverageHour("adsb.lol", "sunan", NOON, 3600, 120, False, 1)]


def test_the_first_hour_is_expected_from_its_first_poll_on(engine: Engine) -> None:
    finish(engine, FAILED, at_slot(45), NOON + 45 * MINUTE)
    finish(engine, OK, at_slot(60), NOON + 60 * MINUTE)
    assert [(hour.expected_s, hour.observed_s) for hour in hours_of(engine)] == [(900, 0), (3600, 60)]


def test_a_slot_is_split_where_the_hour_ends(engine: Engine) -> None:
    finish(
        engine,
        replace(OK, nearby={"sunan": 5}),
        replace(KEY, slot=int(NOON.timestamp()) // 5400),
        interval_s=5400,
    )
    found = [(hour.hour, hour.observed_s, hour.reports_nearby) for hour in hours_of(engine)]
    # 12:00 lies in the slot 12:00–13:30.
    assert found == [(NOON, 3600, 5), (NOON + timedelta(hours=1), 1800, 0)]


def test_no_hour_counts_more_than_an_hour(engine: Engine) -> None:
    for number in range(3):
        key = PollKey("adsb.lol", f"circle:{number}", int(NOON.timestamp()) // 1800)
        finish(engine, OK, key, interval_s=1800)
    assert [hour.observed_s for hour in hours_of(engine)] == [3600]


def test_a_slot_asked_twice_is_observed_once(engine: Engine) -> None:
    finish(engine, OK)
    finish(engine, OK, sequence=1, now=NOON + MINUTE)
    assert [(hour.observed_s, hour.reports_nearby) for hour in hours_of(engine)] == [(60, 2)]


def test_a_slot_that_failed_first_is_observed_when_it_succeeds(engine: Engine) -> None:
    finish(engine, FAILED)
    finish(engine, OK, sequence=1)
    assert [hour.observed_s for hour in hours_of(engine)] == [60]


def test_a_poll_can_stand_for_a_whole_round(engine: Engine) -> None:
    finish(engine, OK, lasts_s=240)
    assert [hour.observed_s for hour in hours_of(engine)] == [240]


def test_a_site_in_two_parts_is_observed_when_both_are(engine: Engine) -> None:
    half = replace(OK, parts={"sunan": 2})
    finish(engine, half)
    assert [hour.observed_s for hour in hours_of(engine)] == [30]
    finish(engine, half, replace(KEY, scope="box:west"))
    assert [hour.observed_s for hour in hours_of(engine)] == [60]


def test_coverage_is_kept_by_provider_and_read_by_time(engine: Engine) -> None:
    finish(engine, OK)
    finish(engine, replace(OK, nearby={"sunan": 0, "wonsan": 2}), replace(KEY, provider="adsb.fi"))
    assert [hour.provider for hour in hours_of(engine)] == ["adsb.fi", "adsb.lol"]
    assert [hour.reports_nearby for hour in hours_of(engine, "wonsan")] == [2]
    with reading(engine) as connection:
        half = timedelta(minutes=30)
        assert len(coverage(connection, "sunan", NOON + half, NOON + 2 * half)) == 2
        assert coverage(connection, "sunan", NOON + 2 * half, NOON + 4 * half) == []
        assert coverage(connection, "sunan", NOON - half, NOON) == []
        assert (
            coverage(connection, "sunan", NOON, NOON + half, providers=["adsb.fi"])[0].provider == "adsb.fi"
        )


def test_a_degraded_hour_stays_degraded(engine: Engine) -> None:
    finish(engine, OK)
    with writing(engine) as connection:
        mark_degraded(connection, "adsb.lol", "sunan", NOON + timedelta(minutes=7))
    finish(engine, OK, at_slot(1), NOON + MINUTE)
    assert [(hour.degraded, hour.observed_s) for hour in hours_of(engine)] == [(True, 120)]


# --- the health of a provider -------------------------------------------------------------------


def test_a_provider_that_was_never_asked_is_unknown(engine: Engine) -> None:
    assert state_of(engine) == ProviderState("adsb.lol", "unknown", NOON)
    with reading(engine) as connection:
        assert provider_states(connection) == {}


def test_failures_hold_a_provider_back_longer_and_longer_until_it_works(engine: Engine) -> None:
    held = []
    for number in range(7):
        now = NOON + number * MINUTE
        finish(engine, FAILED, at_slot(number), now)
        state = state_of(engine, now)
        assert state.not_before is not None
        held.append((state.not_before - now).total_seconds())
    assert held == [0, 60, 120, 240, 480, 900, 900]
    assert (state.health, state.failures, state.failing_since, state.last_error) == (
        "failing",
        7,
        NOON,
        "out of order",
    )
    finish(engine, EMPTY, at_slot(8), NOON + 8 * MINUTE)
    well = state_of(engine, NOON + 8 * MINUTE)
    assert (well.health, well.failures, well.failing_since, well.not_before) == ("ok", 0, None, None)
    assert (well.last_ok_at, well.last_error) == (NOON + 8 * MINUTE, None)


@given(st.integers(0, 10_000), st.integers(1, 86_400))
def test_the_back_off_is_bounded(failures: int, interval_s: int) -> None:
    assert 0 <= back_off_s(failures, interval_s) <= 900
    assert back_off_s(failures, interval_s) <= back_off_s(failures + 1, interval_s)


@pytest.mark.parametrize("first", ["good", "bad"])
def test_one_good_scope_makes_the_slot_good_in_either_order(engine: Engine, first: str) -> None:
    other = replace(KEY, scope="circle:0,0,40")
    for result, key in [(OK, KEY), (FAILED, other)][:: 1 if first == "good" else -1]:
        finish(engine, result, key)
    state = state_of(engine)
    assert (state.health, state.failures) == ("ok", 0)


def test_a_slot_that_fails_in_many_scopes_fails_once(engine: Engine) -> None:
    for number in range(5):
        finish(engine, FAILED, replace(KEY, scope=f"circle:{number}"))
    assert state_of(engine).failures == 1


def test_a_wish_to_be_left_alone_outlasts_the_answers_of_the_same_slot(engine: Engine) -> None:
    finish(engine, replace(FAILED, http_status=429, retry_after_s=600.0))
    finish(engine, EMPTY, replace(KEY, scope="circle:0,0,40"))
    state = state_of(engine)
    assert state.not_before == state.retry_at == NOON + timedelta(seconds=600)
    finish(engine, OK, at_slot(11), NOON + 11 * MINUTE)
    assert state_of(engine).not_before is None


def test_a_refusal_disables_until_an_answer_comes(engine: Engine) -> None:
    finish(engine, replace(FAILED, http_status=403, disable=True))
    finish(engine, FAILED, at_slot(1), NOON + MINUTE)
    state = state_of(engine)
    assert (state.health, state.failing_since) == ("disabled", NOON)
    finish(engine, OK, at_slot(2), NOON + 2 * MINUTE)
    assert state_of(engine).health == "ok"


def test_a_canary_changes_the_health_only_where_the_provider_speaks_up(engine: Engine) -> None:
    canary = replace(KEY, purpose="canary")
    finish(engine, OK, canary)
    assert state_of(engine).health == "unknown"
    finish(engine, FAILED, replace(canary, slot=SLOT + 1))
    assert (state_of(engine).health, state_of(engine).failures) == ("unknown", 0)
    finish(engine, replace(FAILED, retry_after_s=60.0), replace(canary, slot=SLOT + 2))
    assert state_of(engine).not_before == NOON + MINUTE
    finish(engine, replace(FAILED, disable=True), replace(canary, slot=SLOT + 3))
    assert state_of(engine).health == "disabled"


def test_states_are_listed_by_name(engine: Engine) -> None:
    finish(engine, OK)
    finish(engine, FAILED, replace(KEY, provider="adsb.fi"))
    with reading(engine) as connection:
        found = provider_states(connection)
    assert list(found) == ["adsb.fi", "adsb.lol"]
    assert found["adsb.lol"].feed_time == NOON


# --- scenes -------------------------------------------------------------------------------------

SCENE = Scene(
    provider="earth-search",
    collection="sentinel-2-l2a",
    item_id="S2B_1",
    site_id="sunan",
    look_key="sentinel-2b:GS2B_1:sunan",
    platform="sentinel-2b",
    acquired_at=NOON,
    covered_share=1.0,
    recorded_at=NOON + timedelta(hours=2),
    published_at=NOON + timedelta(hours=1),
    updated_at=NOON + timedelta(hours=1),
    cloud_share=0.25,
    footprint={"type": "Polygon", "coordinates": [[[1.5, 2], [3, 2], [3, 4.25], [1.5, 2]]]},
    links={"self": "https://stac.example/1"},
    properties={"eo:cloud_cover": 25},
)


def test_a_scene_is_stored_once(engine: Engine) -> None:
    with writing(engine) as connection:
        assert insert_scenes(connection, [SCENE, SCENE]) == 1
        assert (
            insert_scenes(connection, [replace(SCENE, poll_id=7, recorded_at=NOON + timedelta(days=1))]) == 0
        )
        assert scenes(connection) == [SCENE]


def test_one_item_over_two_sites_is_two_scenes(engine: Engine) -> None:
    with writing(engine) as connection:
        assert insert_scenes(connection, [SCENE, replace(SCENE, site_id="wonsan", covered_share=0.5)]) == 2
        assert [each.site_id for each in scenes(connection)] == ["sunan", "wonsan"]


def test_a_corrected_item_is_a_new_version_and_an_old_answer_is_not(engine: Engine) -> None:
    corrected = replace(
        SCENE, cloud_share=0.5, updated_at=NOON + timedelta(hours=5), recorded_at=NOON + timedelta(hours=6)
    )
    with writing(engine) as connection:
        insert_scenes(connection, [SCENE])
        assert insert_scenes(connection, [corrected]) == 1
        assert insert_scenes(connection, [replace(SCENE, cloud_share=0.1)]) == 0
        newest = replace(corrected, version=2)
        assert scenes(connection) == [newest]
        assert scenes(connection, as_recorded=NOON + timedelta(hours=3)) == [SCENE]
        assert scenes(connection, as_recorded=NOON) == []
        assert scene_versions(connection, "S2B_1", "sunan") == [SCENE, newest]


def test_scenes_are_found_by_time_site_look_and_poll(engine: Engine) -> None:
    later = replace(SCENE, item_id="S2B_2", look_key="other", acquired_at=NOON + timedelta(days=5), poll_id=4)
    with writing(engine) as connection:
        insert_scenes(connection, [later, SCENE])
        assert scenes(connection) == [SCENE, later]
        assert scenes(connection, since=NOON + timedelta(days=1)) == [later]
        assert scenes(connection, until=NOON + timedelta(days=5)) == [SCENE]
        assert scenes(connection, look_keys=["other"]) == [later]
        assert scenes(connection, poll_ids=[4]) == [later]
        assert scenes(connection, site_id="wonsan") == []


def test_many_scenes_at_once(engine: Engine) -> None:
    many = [replace(SCENE, item_id=f"S2B_{number:04}") for number in range(450)]
    with writing(engine) as connection:
        assert insert_scenes(connection, many) == 450
        assert insert_scenes(connection, many) == 0


def test_times_are_utc(engine: Engine) -> None:
    finish(engine, OK)
    with reading(engine) as connection:
        started = connection.execute(select(poll.c.started_at)).scalar_one()
    assert started == NOON
    assert started.tzinfo is UTC
