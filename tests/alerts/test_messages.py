"""What an alert says, and what it must never say."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.baselines.budget import SEVERITIES, FalseAlarmPromise
from alerts.channels import Message
from alerts.delivery.messages import compose_alert
from alerts.incidents.episodes import (
    AlertChange,
    EpisodeContext,
    JudgementTime,
    lapse_episode,
    open_episode,
    resolve_or_withdraw,
)
from alerts.incidents.findings import Finding
from alerts.incidents.headline import entry_when
from alerts.metrics import METRICS
from alerts.rules.contract import LookHistory, Rule, RuleContext
from alerts.rules.first_since import FirstSinceRule
from alerts.rules.record import RecordRule
from alerts.rules.tail import TailRule
from alerts.rules.watchlist import WatchlistRule
from alerts.watch import SiteWatch
from alerts.words import listed, subject_phrase
from db.records import Delivery, Evidence, Observation
from tests.kit.builders import at, look, stated

SITE = SiteWatch("kp-tumangang", "Tumangang rail facility", "railhead", "Asia/Pyongyang")
DESK = EpisodeContext(
    {"record": 30, "tail": 26, "first_since": 20, "watchlist": 10}, {"ru-knevichi": "Knevichi airfield"}
)
LOCAL: dict[str, Any] = {"period_start": at("2023-10-04T15:00"), "period_end": at("2023-10-05T15:00")}
FORBIDDEN = re.compile(r"weapon|troop|violat|\bnan\b|\bNone\b", re.IGNORECASE)
NOW = at("2023-10-06")


def owed(step: AlertChange) -> Delivery:
    return Delivery(1, f"{step.alert.id}:{step.alert.events}:slack", "alert", "slack", "queued", NOW, NOW)


def told(step: AlertChange, public_url: str | None = None) -> Message:
    assert step.event is not None
    return compose_alert(step.alert, step.event, owed(step), public_url)


def opened(seen: Observation, *rules: Rule, **history: Any) -> AlertChange:
    return open_episode([finding(seen, *rules, **history)], SITE, DESK, JudgementTime(NOW, NOW))


def finding(seen: Observation, *rules: Rule, **history: Any) -> Finding:
    # So many false alarms may be promised that a record of 40 looks is one.
    promise = FalseAlarmPromise(dict.fromkeys(SEVERITIES, 50.0), shares={"record": 1.0})
    context = RuleContext(METRICS[seen.series.metric], (seen.series.subject,), SITE.timezone, promise)
    verdicts = tuple(each.judge(seen, LookHistory(NOW, **history), context, each.defaults) for each in rules)
    return Finding(seen, verdicts)


def everything(message: Message) -> str:
    facts = " ".join(f"{name}: {value}" for name, value in message.facts)
    return " ".join(
        (message.subject, message.status, message.headline, *message.paragraphs, facts, message.footer)
    )


@pytest.fixture
def railcars() -> AlertChange:
    seen = look(
        "2023-10-05",
        73,
        qualifier="~=",
        publisher="CSIS Beyond Parallel",
        via="KBS",
        certainty="high",
        note="Freight cars, covered.",
        evidence=(Evidence("url", "https://example.org/report"), Evidence("url", "javascript:alert(1)")),
        **LOCAL,
    )
    declared = stated(
        "max",
        20,
        ("2018-10-06", "2023-09-17"),
        publisher="CSIS Beyond Parallel",
        url="https://example.org/max",
    )
    return opened(seen, RecordRule(), declared=(declared,))


def test_the_railcar_alert_says_who_how_much_and_against_what(railcars: AlertChange) -> None:
    text = everything(told(railcars))
    for words in (
        "About 73 railcars at Tumangang rail facility on 2023-10-05",
        "According to CSIS Beyond Parallel (reached us via KBS); known since",
        "3.65 times",
        "at most 20",
        "number of looks not published",
        "Contents not visible.",
        "From the record: CSIS Beyond Parallel (via KBS): “Freight cars, covered.”",
        "Certainty: high",
    ):
        assert words in text
    assert "1 in" not in text
    assert not FORBIDDEN.search(text)


def test_the_message_on_the_first_page_is_the_one_that_is_sent() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    shown = " ".join(line.removeprefix("> ") for line in readme.splitlines() if line.startswith("> "))
    publisher = "CSIS Beyond Parallel"
    seen = look("2023-10-05", 73, qualifier="~=", publisher=publisher, **LOCAL)
    declared = stated("max", 20, ("2018-10-06", "2023-09-17"), publisher=publisher)
    sent = everything(told(opened(seen, RecordRule(), declared=(declared,))))
    missing = [
        each
        for each in re.split(r"(?<=[.:;]) |\*\* ?", shown)
        if each.strip() and each.rstrip(".:") not in sent
    ]
    assert missing == []


def test_links_are_web_links_only(railcars: AlertChange) -> None:
    urls = [link.url for link in told(railcars, "https://watch.example").links]
    assert urls == [
        f"https://watch.example/alerts/{railcars.alert.id}",
        "https://example.org/report",
        "https://example.org/max",
    ]


def test_a_count_of_visits_links_to_each_where_the_site_tells_them() -> None:
    seen = look(
        "2023-07-31",
        1,
        metric="arrivals",
        subject="class:vip_military",
        evidence=(Evidence("visit", "0a1b2c", "arrived 2023-07-31 11:07 UTC, confidence 1 of 4"),),
    )
    step = opened(seen, WatchlistRule())
    links = {link.url: link.text for link in told(step, "https://watch.example").links}
    assert (
        links["https://watch.example/sites/kp-tumangang#visit-0a1b2c"]
        == "Visit: arrived 2023-07-31 11:07 UTC, confidence 1 of 4"
    )
    assert not told(step).links


def test_without_a_public_address_no_link_to_ourselves(railcars: AlertChange) -> None:
    assert all("alerts/" not in link.url for link in told(railcars).links)


def test_the_thread_stays_while_the_subject_says_what_is_new(railcars: AlertChange) -> None:
    correction = look("2023-10-05", 7, revision=2, **LOCAL)
    withdrawn = resolve_or_withdraw(
        railcars.alert, Finding(correction, ()), DESK, JudgementTime(at("2023-10-09"), at("2023-10-09"))
    )
    assert withdrawn is not None
    first, second = told(railcars), told(withdrawn)
    assert first.thread == second.thread
    assert first.subject == f"[sitewatch] {first.headline}"
    assert second.subject == f"[sitewatch] Withdrawn: {first.headline}"
    assert (first.status, second.status) == ("New", "Withdrawn")
    assert first.identity != second.identity
    assert "corrected from 73 to 7" in everything(second)
    assert "It no longer holds." in everything(second)
    assert "Why it is unusual" not in everything(second)


def test_a_lapse_says_that_the_outcome_is_unknown(railcars: AlertChange) -> None:
    message = told(lapse_episode(railcars.alert, timedelta(days=90), at("2024-01-05")))
    assert message.status == "Outcome unknown"
    assert "No usable look for 90 days" in everything(message)


def test_own_history_prints_its_denominator_and_odds() -> None:
    past = tuple(
        look(f"2023-0{1 + n // 28}-{1 + n % 28:02}", n * 7 % 40 % 9, exposure=0.9) for n in range(40)
    )
    text = everything(told(opened(look("2023-10-05", 73, exposure=0.85, **LOCAL), RecordRule(), looks=past)))
    assert "Usable earlier looks: 40" in text
    assert "By chance: now and then, about 1 look in 41" in text
    assert "Exposure: 85% observed" in text


def test_an_arrival_says_what_is_not_known() -> None:
    seen = look("2023-07-31", 1, "arrivals", "class:vip_military", note="About 36 hours on the ground.")
    last = stated(
        "last_seen",
        1,
        ("2019-05-31T15:00", "2019-07-31T15:00"),
        "arrivals",
        "class:vip_military",
        precision="month",
    )
    text = everything(told(opened(seen, FirstSinceRule(), WatchlistRule(), declared=(last,))))
    for words in (
        "Military VIP aircraft",
        "the first since June to July 2019",
        "36 hours",
        "who or what was aboard",
    ):
        assert words in text
    assert not FORBIDDEN.search(text)


@given(value=st.integers(1, 10**6), note=st.text(max_size=200), publisher=st.text(max_size=50))
def test_any_source_makes_a_message(value: int, note: str, publisher: str) -> None:
    step = opened(look("2023-10-05", value, note=note, publisher=publisher, **LOCAL), WatchlistRule())
    message = told(step)
    assert message.headline
    assert all(message.paragraphs)


def test_subjects_in_plain_words() -> None:
    names = {"ru-knevichi": "Knevichi airfield"}
    assert subject_phrase("link:ru-knevichi", names) == "traffic with Knevichi airfield"
    assert subject_phrase("class:vip_military") == "military VIP aircraft"
    assert subject_phrase("class:tall_ship") == "tall ship"
    assert subject_phrase("icao24:15521f") == "aircraft with ICAO address 15521F"
    assert subject_phrase("operator:KOR") == "operator KOR"
    assert subject_phrase("size:large") == "size large"


def test_periods_are_no_finer_than_the_source() -> None:
    def entry(start: str, end: str, precision: str) -> dict[str, str]:
        return {
            "period_start": at(start).isoformat(),
            "period_end": at(end).isoformat(),
            "precision": precision,
        }

    assert (
        entry_when(entry("2023-10-04T15:00", "2023-10-05T15:00", "day"), "Asia/Pyongyang") == "on 2023-10-05"
    )
    assert (
        entry_when(entry("2023-07-30T15:00", "2023-08-02T15:00", "day"), "Asia/Pyongyang")
        == "from 2023-07-31 to 2023-08-02"
    )
    assert (
        entry_when(entry("2022-11-04T01:24", "2022-11-04T01:24", "minute"), "Asia/Pyongyang")
        == "on 2022-11-04 at 01:24 UTC"
    )


def test_lists_read_like_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_a_second_kind_of_status_exists_for_every_event(railcars: AlertChange) -> None:
    assert railcars.event is not None
    for kind in ("opened", "amended", "corroborated", "acknowledged", "resolved", "withdrawn", "lapsed"):
        event = replace(railcars.event, kind=kind)
        assert compose_alert(railcars.alert, event, owed(railcars), None).status


def test_what_is_over_when_it_becomes_known_is_told_in_the_opening(railcars: AlertChange) -> None:
    over = resolve_or_withdraw(
        railcars.alert, Finding(look("2023-10-20", 4), ()), DESK, JudgementTime(NOW, NOW)
    )
    assert over is not None
    assert over.alert.status == "resolved"
    text = everything(told(replace(railcars, alert=over.alert)))
    assert "Since then: Back to 4 on 2023-10-20, not above 20." in text


# --- whose data, and how much was observed ------------------------------------------------------------

OWN: dict[str, Any] = {"publisher": "", "origin": "adsb.lol, roof", "procedure": "adsb:1", **LOCAL}
NAMED = replace(DESK, attributions={"adsb.lol": "adsb.lol contributors, ODbL 1.0", "opensky": "OpenSky"})


def arrival(**fields: Any) -> Message:
    seen = look("2023-10-05", 1, "arrivals", "class:vip_military", **{**OWN, **fields})
    context = RuleContext(METRICS["arrivals"], ("class:vip_military",), SITE.timezone)
    verdict = WatchlistRule().judge(seen, LookHistory(NOW), context, WatchlistRule().defaults)
    return told(open_episode([Finding(seen, (verdict,))], SITE, NAMED, JudgementTime(NOW, NOW)))


def test_a_count_of_our_own_names_the_feeds_and_what_their_licences_ask_for() -> None:
    message = arrival()
    assert "Counted by sitewatch (adsb:1) from adsb.lol and roof; known since" in everything(message)
    assert (
        dict(message.facts)["Data"] == "counted by sitewatch (adsb:1); adsb.lol contributors, ODbL 1.0; roof"
    )


def test_without_a_feed_there_is_nobody_to_name() -> None:
    assert dict(arrival(origin="").facts)["Data"] == "counted by sitewatch (adsb:1)"
    assert "Counted by sitewatch (adsb:1); known since" in everything(arrival(origin=""))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"exposure": 0.42}, "42% observed"),
        ({"publisher": "Harbour Watch"}, "not published"),
        ({"result_time": at("2023-10-05T03:00")}, "not known yet, the period was still running"),
        ({"result_time": at("2023-10-05T15:00")}, "not known: hardly any other aircraft was heard near"),
    ],
)
def test_the_exposure_is_a_share_or_says_why_there_is_none(fields: dict[str, Any], words: str) -> None:
    assert dict(arrival(**fields).facts)["Exposure"] == words


def test_what_is_doubtful_is_said_once_beside_the_subject() -> None:
    assert everything(arrival(low=0.0)).count("not confirmed") == 2, "in the subject and in the headline"


def test_two_sources_of_one_count_give_a_reason_once() -> None:
    seen = look("2023-10-05", 1, "arrivals", "class:vip_military", **OWN)
    press = replace(seen, publisher="Press", series=replace(seen.series, procedure="published"))
    context = RuleContext(METRICS["arrivals"], ("class:vip_military",), SITE.timezone)
    rule = WatchlistRule()
    both = [
        Finding(each, (rule.judge(each, LookHistory(NOW), context, rule.defaults),)) for each in (seen, press)
    ]
    message = told(open_episode(both, SITE, NAMED, JudgementTime(NOW, NOW)))
    reasons = [each for each in message.paragraphs if each.startswith("Why it is unusual")]
    assert len(reasons) == 1
    assert "According to Press" in everything(message)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("class:vip", "VIP aircraft"),
        ("class:military", "military aircraft"),
        ("class:air_koryo", "Air Koryo aircraft"),
        ("class:crop_duster", "crop duster"),
    ],
)
def test_a_class_is_said_as_people_say_it(name: str, words: str) -> None:
    assert subject_phrase(name) == words


def test_the_same_odds_are_said_once_however_many_subjects_there_are() -> None:
    past = tuple(
        look(f"2023-0{1 + n // 28}-{1 + n % 28:02}", n * 7 % 40 % 9, exposure=0.9) for n in range(40)
    )
    findings = [
        finding(
            look("2023-10-05", 73, "railcars", subject, exposure=0.85, **LOCAL),
            RecordRule(),
            TailRule(),
            looks=past,
        )
        for subject in ("class:vip", "class:tanker", "class:cargo", "class:military")
    ]
    text = everything(told(open_episode(findings, SITE, DESK, JudgementTime(NOW, NOW))))
    assert text.count("so many by chance") <= 1
    assert text.count("1 look in 41") == 1
    assert "million" not in text
    assert not re.search(r"1 in 1\.|e\+\d|1 looks", text)
