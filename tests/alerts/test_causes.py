"""Causes in common: nine alarms of one day are one message, nothing is lost, and chance alone makes none of them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from math import comb, prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.compose import compose
from alerts.delivery.digest import digest_payload
from alerts.delivery.worker import LONGEST
from alerts.incidents.causes import (
    GATHER_FOR,
    WRONG_A_DAY,
    CauseClass,
    Judged,
    chance_of_so_many,
    class_of,
    find_cause,
)
from alerts.judging.judge import judge_pending
from alerts.occasions import occasion, occasion_in
from alerts.rules.combined import false_alarm_chance
from alerts.watch import SiteWatch
from db.alerts import alerts
from db.causes import cause_by_id, causes_of
from db.deliveries import claim, deliveries, mark_sent, newest_ref, notified_alerts, unacknowledged
from db.engine import Engine, reading, writing
from db.observations import record_observations
from db.records import Alert, Delivery, Observation
from db.weeks import read_week
from monitor.sites.countries import country_of
from tests.kit.builders import at
from tests.kit.cast import BUSY_PORT, QUIET_FIELD
from tests.kit.easter import BENCH, EASTER_MONDAY, NOW, SITES, WEEKS, easter, quiet_weeks, week
from tests.kit.kills import killed_at

CHANCES = st.lists(st.floats(0.0, 1.0), max_size=9)

CHANCES = st.lists(st.floats(0.0, 1.0), max_size=9)


def by_hand(chances: Sequence[float], number: int) -> float:
    """Summed over every combination."""
    return sum(
        prod(p if hit else 1 - p for p, hit in zip(chances, hits, strict=True))
        for hits in product((True, False), repeat=len(chances))
        if sum(hits) >= number
    )


@given(chances=CHANCES, number=st.integers(0, 10))
def test_the_law_is_that_of_independent_events(chances: list[float], number: int) -> None:
    assert chance_of_so_many(chances, number) == pytest.approx(by_hand(chances, number), abs=1e-12)


def test_nine_of_forty_by_the_binomial_law() -> None:
    p = 1 / 365
    exact = sum(comb(40, k) * p**k * (1 - p) ** (40 - k) for k in range(9, 41))
    assert chance_of_so_many([p] * 40, 9) == pytest.approx(exact, rel=1e-9)
    assert chance_of_so_many([p] * 40, 3) > WRONG_A_DAY > chance_of_so_many([p] * 40, 4)


@given(chances=st.lists(st.floats(0.0, 0.3), min_size=1, max_size=60))
def test_independent_series_are_said_to_share_something_no_oftener_than_stated(chances: list[float]) -> None:
    tails = [chance_of_so_many(chances, k) for k in range(len(chances) + 2)]
    wrong = sum(tails[k] - tails[k + 1] for k in range(2, len(chances) + 1) if tails[k] <= WRONG_A_DAY)
    assert wrong <= WRONG_A_DAY + 1e-12


def test_a_class_that_alarms_more_often_than_promised_needs_more_at_once() -> None:
    chances = {(f"s{n}", "", ""): 1 / 365 for n in range(40)}
    quiet = Judged(chances, frozenset(chances), 0.1)
    loud = Judged(chances, frozenset(chances), 2.0)
    assert sum(quiet.scaled()) == pytest.approx(40 / 365)
    assert sum(loud.scaled()) == pytest.approx(2.0)
    assert chance_of_so_many(loud.scaled(), 4) > WRONG_A_DAY


@pytest.mark.parametrize(
    ("day", "country", "said"),
    [
        ("2024-04-01", "DE", "Easter Monday"),
        ("2024-04-02", "DE", "the day after Easter Monday"),
        ("2024-03-28", "DE", "the day before Good Friday"),
        ("2024-04-01", "US", ""),
        ("2024-07-17", "DE", ""),
        ("2024-04-01", "", ""),
        ("2024-04-01", "XX", ""),
    ],
)
def test_what_day_it_was(day: str, country: str, said: str) -> None:
    assert occasion_in(date.fromisoformat(day), country) == said


def test_a_day_is_named_only_where_most_places_had_it() -> None:
    day = date.fromisoformat(EASTER_MONDAY)
    assert occasion(day, ["DE"] * 9) == "Easter Monday"
    assert occasion(day, ["DE"] * 8 + ["US"]) == "Easter Monday in 8 of these 9"
    assert occasion(day, ["DE"] * 2 + ["US"] * 2) == ""
    assert occasion(day, []) == ""


def test_a_site_s_country_is_what_it_declares_or_what_its_clock_says() -> None:
    assert country_of(QUIET_FIELD) == "" or len(country_of(QUIET_FIELD)) == 2
    assert len(country_of(BUSY_PORT)) == 2


def store(engine: Engine, looks: Sequence[Observation]) -> None:
    with writing(engine) as connection:
        record_observations(connection, looks)


def history(engine: Engine) -> None:
    store(engine, quiet_weeks())
    judge_pending(engine, BENCH, at("2024-03-30"))


def burst(engine: Engine, sites: Sequence[str]) -> None:
    store(engine, easter(sites))


def opened(engine: Engine) -> list[Alert]:
    with reading(engine) as connection:
        return [each for each in alerts(connection) if each.phenomenon_time >= at("2024-03-31")]


def owed(engine: Engine, channel: str = "slack") -> list[Delivery]:
    with reading(engine) as connection:
        mine = {each.id for each in alerts(connection) if each.phenomenon_time >= at("2024-03-31")}
        return [each for each in deliveries(connection) if each.channel == channel and each.alert_id in mine]


def states(engine: Engine) -> list[str]:
    return sorted(each.state for each in owed(engine))


def test_many_alarms_of_one_day_are_one_message_and_nothing_is_lost(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    judge_pending(engine, BENCH, NOW)
    found = opened(engine)
    assert len(found) == 5
    assert states(engine) == ["joined"] * 4 + ["queued"]
    (lead,) = [each for each in owed(engine) if each.state == "queued"]
    message = compose(engine, lead, "https://watch.example.org")
    assert message.headline == (
        "5 of 8 sites with more railcars than usual at once on Monday 2024-04-01, Easter Monday"
    )
    text = " ".join(message.paragraphs)
    assert all(each.headline in text for each in found)
    assert "What they share is not known from this" in text
    assert "on less than 1 day in 20 years" in text
    assert dict(message.facts)["Alarmed"] == "5 of 8 sites"
    assert {link.url.rpartition("/")[2] for link in message.links[1:]} == {each.id for each in found}
    assert not re.search(r"because|due to|caused by", text), "a holiday is no proof"
    with reading(engine) as connection:
        causes = causes_of(connection, [each.id for each in found])
        assert {each.id for each in found} == set(causes) == set(next(iter(causes.values())).alert_ids)
        assert (ids := {each.id for each in found}) == notified_alerts(connection, ids)
    for each in found:
        assert each.details["entries"][0]["rules"], "each keeps its own evidence"


def test_what_presses_leads_and_is_told_as_urgent(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    urgent = replace(BENCH, watches={**BENCH.watches, SITES[3]: _urgent(BENCH.watches[SITES[3]])})
    judge_pending(engine, urgent, NOW)
    (lead,) = [each for each in owed(engine) if each.state == "queued"]
    assert lead.pressing
    message = compose(engine, lead, None)
    assert message.urgent
    assert len(message.about["alerts"]) == 5
    assert message.about["cause"]["alarmed"] == 5


def _urgent(watch: SiteWatch) -> SiteWatch:
    return replace(watch, false_alarms={"urgent": 0.4})


def test_those_told_together_were_told_when_their_message_was(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:4])
    judge_pending(engine, BENCH, NOW)
    later = NOW + timedelta(minutes=1)
    held = claim(engine, "me", later, {"slack": 0.0}, LONGEST)
    assert held is not None
    with writing(engine) as connection:
        assert unacknowledged(connection, "slack") == []
        assert mark_sent(connection, held, provider_ref="1.2", note="", now=later)
        assert len(unacknowledged(connection, "slack")) == 4
        alone = replace(held, payload={}, channel="slack")
        assert newest_ref(connection, alone, "in_other") is None
    assert {each.sent_at for each in owed(engine)} == {later}


def test_two_alarms_of_one_day_may_be_chance_and_are_told_one_by_one(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:2])
    judge_pending(engine, BENCH, NOW)
    assert states(engine) == ["queued", "queued"]
    assert all("cause" not in each.payload and each.not_before == each.created_at for each in owed(engine))


def test_a_late_alarm_of_a_told_cause_is_an_update_of_it(engine: Engine) -> None:
    history(engine)
    store(engine, [week(site, WEEKS, 90) for site in SITES[:5]])
    judge_pending(engine, BENCH, NOW)
    store(engine, [week(site, WEEKS, 90) for site in SITES[5:7]])
    judge_pending(engine, BENCH, NOW + timedelta(hours=3))
    lead = [each for each in owed(engine) if each.state == "queued"][-1]
    message = compose(engine, lead, None)
    assert message.status == "Update"
    assert message.headline.startswith("7 of 7 sites")
    assert message.paragraphs[-1].startswith("Told of before: Port 0")
    assert states(engine) == ["joined"] * 5 + ["queued"] * 2
    first = compose(engine, next(each for each in owed(engine) if each.state == "queued"), None)
    assert first.headline.startswith("5 of 5 sites"), "what was said first stays what it was"
    assert (first.thread, first.subject) == (message.thread, message.subject)


def test_what_ends_together_is_told_together(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    judge_pending(engine, BENCH, NOW)
    store(engine, [week(site, WEEKS + 1, 8) for site in SITES])
    judge_pending(engine, BENCH, NOW + timedelta(days=7))
    assert {each.status for each in opened(engine)} == {"resolved"}
    assert states(engine) == ["joined"] * 8 + ["queued"] * 2
    message = compose(engine, [each for each in owed(engine) if each.state == "queued"][-1], None)
    assert message.headline.startswith("Resolved at 5 of 5: 5 of 8 sites")
    assert sum("Back to 8" in each for each in message.paragraphs) == 5


def test_a_round_that_ends_early_tells_nothing_until_the_next_one_ends(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    asked = iter([False, False, False])
    judge_pending(engine, BENCH, NOW, stop=lambda: next(asked, True))
    assert 0 < len(opened(engine)) < 5
    channels = {"slack": 0.0}
    assert claim(engine, "me", NOW, channels, LONGEST) is None
    judge_pending(engine, BENCH, NOW + timedelta(minutes=1))
    assert states(engine) == ["joined"] * 4 + ["queued"]


def test_where_no_round_ends_each_goes_out_by_itself(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    asked = iter([False, False, False])
    judge_pending(engine, BENCH, NOW, stop=lambda: next(asked, True))
    late = NOW + GATHER_FOR
    assert claim(engine, "me", late, {"slack": 0.0}, LONGEST) is not None
    # Who went out already is named by the others, and leads nothing.
    judge_pending(engine, BENCH, late)
    assert states(engine) == ["joined"] * 3 + ["queued", "sending"]


_TOUCHED = r"shared_cause|update delivery"


def test_killed_at_any_statement_it_is_told_exactly_once(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:4])
    for statement in range(1, 200):
        if not killed_at(engine, statement, lambda: judge_pending(engine, BENCH, NOW), _TOUCHED):
            break
        assert set(states(engine)) <= {"queued"}
        assert claim(engine, "me", NOW, {"slack": 0.0, "email": 0.0}, LONGEST) is None
    else:
        pytest.fail("judging never came to its end")
    assert statement > 8
    for channel in ("slack", "email"):
        assert sorted(each.state for each in owed(engine, channel)) == ["joined"] * 3 + ["queued"]
    with reading(engine) as connection:
        cause = next(iter(causes_of(connection, [each.id for each in opened(engine)]).values()))
        assert cause.revision == 1
        again = cause_by_id(connection, cause.id)
    assert again == cause
    judge_pending(engine, BENCH, NOW + timedelta(minutes=1))
    assert states(engine) == ["joined"] * 3 + ["queued"]


def test_the_digest_counts_a_cause_once(engine: Engine) -> None:
    history(engine)
    burst(engine, SITES[:5])
    judge_pending(engine, BENCH, NOW)
    with reading(engine) as connection:
        found = read_week(connection, at("2024-04-01"), at("2024-04-08"), 8, false_alarm_chance)
    assert len(found.opened) == 1
    assert found.opened[0].startswith("5 of 8 sites")
    payload = digest_payload(found, [])
    assert ", 1 alert" in str(payload["headline"])


def test_listed_subjects_share_nothing_by_chance() -> None:
    entry = {"subject": "type:Tu-160", "rules": {"watchlist": {"reason": "Listed.", "details": {}}}}
    texts = ("fingerprint", "site_id", "site_name", "area", "group_key", "rule", "headline", "confidence")
    fields: dict[str, Any] = {
        **dict.fromkeys(texts, "x"),
        "subjects": (),
        "rules": (),
        "baseline": {},
        "details": {"timezone": "UTC", "entries": [entry]},
    }
    watched = Alert(
        id="x",
        metric="railcars",
        status="open",
        phenomenon_time=NOW,
        opened_at=NOW,
        closed_at=None,
        last_look_at=NOW,
        value=None,
        peak=None,
        incident_id="x",
        **fields,
    )
    assert class_of(watched) is None
    kind = CauseClass("railcars", "", "high", EASTER_MONDAY)
    nobody = Judged({}, frozenset(), 0.0)
    assert find_cause(kind, [watched], nobody, {}, before=None, recorded_at=NOW) is None
