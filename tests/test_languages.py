"""Every message stands in every catalogue, with the same places for its parts; pages and messages leave no English over."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Message as Entry
from sqlalchemy import Engine

from alerts.channels import Message
from alerts.delivery.blindness import notify_blindness, notify_low_disk
from alerts.delivery.compose import compose_within
from alerts.delivery.digest import enqueue_weekly_digest
from alerts.delivery.notices import compose_notice, notify_failing_channel, notify_undelivered
from alerts.delivery.spoken import spoken
from alerts.speech import ENGLISH, ENGLISH_NAME, chosen_language, language_names, read_catalogue, speech_of
from alerts.words import count_words, digits, duration, local_day, month_words, numbered, utc, when_words
from db.alerts import alert_events, alerts
from db.channel_states import ChannelState
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import record_observations
from db.records import Delivery
from db.said import chained, packed_texts, phrase, phrase_n, unpacked_texts
from monitor import pipeline
from monitor.web.views.message_previews import delivery_of
from tests.kit.builders import at, look
from tests.kit.catalogues import NotFoundError, all_messages, collected, python_messages
from tests.kit.english import english_in, shown_texts
from tests.kit.web_rig import NOW, Rig, containers, rig, tell_story
from tests.web.test_flight_map import VIP, cite

OTHERS = [each for each in language_names() if each != ENGLISH_NAME]
PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
GERMAN = speech_of("de")
FOREIGN = (
    *(
        "Busy Port",
        "Quiet Field",
        "Donut Base",
        "Dateline Strip",
        "Open Coast",
        "Harbour Watch",
        "CSIS Beyond Parallel",
    ),
    *(
        "Institute of Yards",
        "Hardly anything ever lands here.",
        "The town in the middle is not part of the base.",
    ),
    *(
        "published",
        "earth-search",
        "detections-file",
        "opensky-flights",
        "flightradar24-flights",
        "flightradar24-airports",
    ),
    *("global-fishing-watch", "log", "invented", "good", "receiver", "as its operator says", "your own"),
    *("Contains modified Copernicus Sentinel data 2023", "launch_site"),
    *("Covered by tarps.", "Rising, no numbers published.", "Last heard 40 NM away, descending."),
)
"""Names and words of sources, which stay as they are."""


def places(text: str) -> set[str]:
    return {first or second for first, second in PLACE.findall(text)}


def forms(text: object) -> list[str]:
    return [text] if isinstance(text, str) else [each for each in text or () if each]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def wanted() -> list[Entry]:
    return [each for each in collected(all_messages(), "de") if each.id]


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_stands_in_the_catalogue(language: str, wanted: list[Entry]) -> None:
    known = read_catalogue(language)
    missing = [
        each.id
        for each in wanted
        if (found := known.get(each.id, each.context)) is None
        or not all(forms(found.string))
        or not found.string
    ]
    assert missing == [], "Run “python -m tests.kit.catalogues”, and translate what it adds."


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalogue_has_nothing_that_is_no_more_or_not_sure(language: str, wanted: list[Entry]) -> None:
    there = {(each.context, each.id if isinstance(each.id, str) else each.id[0]) for each in wanted}
    known = [each for each in read_catalogue(language) if each.id]
    assert [each.id for each in known if each.fuzzy] == []
    keys = {(each.context, each.id if isinstance(each.id, str) else each.id[0]) for each in known}
    assert keys - there == set(), "Run “python -m tests.kit.catalogues”."


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_translated_has_the_places_of_the_message(language: str) -> None:
    for each in read_catalogue(language):
        if not each.id:
            continue
        ours, theirs = forms(each.id), forms(each.string)
        allowed = set().union(*(places(text) for text in ours))
        for text in theirs:
            assert places(text) <= allowed, each.id
        assert set().union(*(places(text) for text in theirs)) == allowed, each.id


def test_a_message_that_is_put_together_is_found_out() -> None:
    with pytest.raises(NotFoundError, match=r"x\.py:2: phrase\(\) needs its message as it is"):
        list(python_messages("from db.said import phrase\nphrase(f'{one} of many')\n", "x.py"))
    found = list(python_messages("from alerts.words import numbered\nnumbered(3, 'look')\n", "x.py"))
    assert [each.ids for each in found] == [("{n} look", "{n} looks")]


@pytest.mark.parametrize(
    ("text", "german"),
    [
        (digits(1234.5), "1234"),
        (digits(0.25), "0,25"),
        (numbered(1204, "look"), "1.204 Beobachtungen"),
        (numbered(1, "look"), "1 Beobachtung"),
        (utc(at("2023-10-05T09:24")), "05.10.2023, 09:24 UTC"),
        (local_day(at("2026-11-30T20:00"), "Asia/Pyongyang"), "1. Dezember 2026"),
        (month_words(at("2019-06-10"), "UTC"), "Juni 2019"),
        (count_words(73, "~=", "railcars"), "etwa 73 Bahnwaggons"),
        (count_words(1, ">=", "arrivals"), "mindestens 1 Landung"),
        (duration(timedelta(days=3)), "3 Tage"),
        (
            when_words(at("2023-10-05T01:24"), at("2023-10-05T01:25"), "minute", "UTC"),
            "am 5. Oktober 2023 um 01:24 UTC",
        ),
    ],
)
def test_numbers_dates_and_counts_are_said_as_germans_say_them(text: str, german: str) -> None:
    assert GERMAN(text) == german
    assert ENGLISH(text) == str(text)


def test_what_no_catalogue_has_is_said_in_english_with_its_parts_in_the_language() -> None:
    text = phrase_n("{n} wug at {day}", "{n} wugs at {day}", 1200, day=local_day(at("2023-10-05"), "UTC"))
    assert GERMAN(text) == "1.200 wugs at 5. Oktober 2023"
    assert GERMAN("plain words of a source, 1,200") == "plain words of a source, 1,200"


def test_stored_texts_know_again_how_they_were_made() -> None:
    headline = phrase("{name}, its pictures and counts", name="Sunan")
    kept = packed_texts({"headline": headline, "lines": [chained("; ", [headline, "as it is"])], "n": 3})
    assert kept["headline"] == "Sunan, its pictures and counts"
    read = unpacked_texts(kept)
    assert set(read) == {"headline", "lines", "n"}
    assert GERMAN(read["headline"]) == "Sunan, Bilder und Zählungen"
    assert GERMAN(read["lines"][0]) == "Sunan, Bilder und Zählungen; as it is"
    assert unpacked_texts({"headline": "of an earlier version"}) == {"headline": "of an earlier version"}


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("", "de-AT,de;q=0.9,en;q=0.8"), "de"),
        (("", "fr,en;q=0.8,de;q=0.5"), "en"),
        (("de", "en"), "de"),
        (("", "en-GB,de;q=0.9"), "en"),
        (("xx", "de;q=x, *;q=0.1"), "en"),
        (("de_DE.UTF-8",), "de"),
    ],
)
def test_the_first_language_that_is_spoken_here_is_taken(wishes: tuple[str, ...], language: str) -> None:
    assert chosen_language(*wishes) == language


@pytest.fixture
def german(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path, channels={"log": {"kind": "log", "language": "de"}}) as made:
        tell_story(made.app)
        made.client.headers["accept-language"] = "de"
        yield made


def addresses(made: Rig) -> Iterator[str]:
    yield from (
        "/",
        "/alerts",
        "/observations",
        "/observations?by=month",
        "/visits",
        "/feeds",
        "/add-site",
        "/nowhere",
    )
    for site in made.app.sites:
        yield from (f"/sites/{site}", f"/sites/{site}/look")
    yield from sorted(set(re.findall(r'href="(/alerts/al_[^"#?]+)"', made.client.get("/alerts").text)))


def crowded(made: Rig) -> None:
    """A quarter of daily counts by which rules can judge, with a rise, a record, a cloudy day and a silence."""
    counts = [(3, 4, 2, 5, 3, 4)[day % 6] if day < 70 else 9 for day in range(80)] + [41, 0, 0]
    days = [
        look(f"{at('2023-07-15') + timedelta(days=day):%Y-%m-%d}", value, "ships_present")
        for day, value in enumerate(counts)
    ]
    with writing(made.app.engine) as connection:
        record_observations(connection, days)
    pipeline.judge(made.app, NOW)


def corrected(made: Rig) -> None:
    """The count behind an alert is taken down: the alert is withdrawn."""
    with writing(made.app.engine) as connection:
        record_observations(connection, [containers("2023-10-05", 7, result_time=NOW, recorded_at=NOW)])
    pipeline.judge(made.app, NOW + timedelta(minutes=5))


def test_the_reasons_of_rules_leave_no_english_over(german: Rig) -> None:
    crowded(german)
    html = german.client.get("/sites/busy-port?metric=ships_present").text
    texts = shown_texts(html)
    assert any("durch Zufall" in each for each in texts)
    assert english_in(texts, "de", (*FOREIGN, *german.app.sites)) == {}


def texts_of(message: Message) -> list[str]:
    facts = [text for fact in message.facts for text in fact]
    links = [each.text for each in (*message.links, *message.actions)]
    return [
        message.subject,
        message.status,
        message.headline,
        *message.paragraphs,
        *facts,
        *links,
        message.footer,
    ]


def test_no_message_of_an_alert_leaves_english_over(german: Rig) -> None:
    crowded(german)
    corrected(german)
    with reading(german.app.engine) as connection:
        found = [(each, event) for each in alerts(connection) for event in alert_events(connection, each.id)]
        kinds = {event.kind for _, event in found}
        told = [
            spoken(compose_within(connection, delivery_of(event, []), "http://watch.example"), "de")
            for _, event in found
        ]
    assert kinds >= {"opened", "withdrawn"}
    assert english_in((text for each in told for text in texts_of(each)), "de", FOREIGN) == {}
    assert any(
        each.headline.startswith("Busy Port: Etwa 73 Container vom 5. Oktober 2023 bis zum 6. Oktober")
        for each in told
    )
    assert {each.language for each in told} == {"de"}


def test_no_notice_leaves_english_over(german: Rig) -> None:
    engine, names = german.app.engine, {"busy-port": "Busy Port", "quiet-field": "Quiet Field"}
    lost = Delivery(1, "al_1:1:desk-2", "alert", "desk-2", "queued", NOW, NOW)
    broken = ChannelState("desk-2", failing_since=NOW - timedelta(hours=2), not_before=None, last_error=None)
    notify_blindness(engine, names, ["log"], timedelta(0), NOW + timedelta(days=2))
    notify_low_disk(engine, "", ["log"], NOW)
    enqueue_weekly_digest(engine, 4, ["log"], NOW + timedelta(days=7))
    with writing(engine) as connection:
        notify_failing_channel(connection, broken, ["log"], NOW)
        notify_undelivered(connection, lost, "", ["log"], NOW)
        owed = [each for each in deliveries(connection) if each.kind == "notice"]
    told = [spoken(compose_notice(each), "de") for each in owed]
    assert len(told) >= 5
    assert english_in((text for each in told for text in texts_of(each)), "de", FOREIGN) == {}


def test_a_page_is_in_the_language_that_was_chosen_before(german: Rig) -> None:
    assert "Orte beobachtet." in german.client.get("/").text
    chosen = german.client.get("/?language=en")
    assert "places watched." in chosen.text
    assert chosen.cookies["sitewatch_language"] == "en"
    assert "places watched." in german.client.get("/").text
    assert "Orte beobachtet." in german.client.get("/?language=de").text
    assert "sitewatch_language" not in german.client.get("/?language=xx").cookies


def test_the_feed_is_said_in_the_language_of_its_address(german: Rig) -> None:
    feed = german.client.get("/alerts.atom?language=de").text
    assert 'xml:lang="de"' in feed
    assert "<title>sitewatch: Alarme</title>" in feed
    assert 'xml:lang="en"' in german.client.get("/alerts.atom").text


def test_no_page_leaves_english_over(german: Rig) -> None:
    assert left_over(german, addresses(german)) == {}
    cite(german)
    assert left_over(german, [f"/aircraft/{VIP}", "/aircraft/000001"]) == {}
    assert "heard again" not in german.client.get(f"/aircraft/{VIP}").text


def left_over(made: Rig, addresses: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """The English on pages, by address, text and word."""
    left = {}
    for address in addresses:
        html = made.client.get(address).text
        assert '<html lang="de">' in html
        if found := english_in(shown_texts(html), "de", (*FOREIGN, *made.app.sites)):
            left[address] = found
    return left
