"""The Atom feed: read by a parser of others, late in public, with each correction as an entry of its own."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from sqlalchemy import Engine

from db.alerts import (
    acknowledge,
    alert_by_id,
    alert_events,
    alerts,
    append_event,
    newest_events,
    update_alert,
)
from db.engine import reading, writing
from db.records import Alert, AlertEvent
from monitor.web.views.atom import MEDIA_TYPE, atom_feed
from tests.kit.channel_contract import HOSTILE
from tests.kit.web_rig import NOW, TOKEN, Rig, rig, tell_story

ABROAD = {"x-forwarded-for": "192.0.2.1"}
DESK = {**ABROAD, "authorization": f"Bearer {TOKEN}"}
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def made(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path, token=TOKEN, public_page=True) as opened:
        tell_story(opened.app)
        yield opened


def faults(feed: bytes) -> list[str]:
    """What a parser of others and the specification's own musts find wrong."""
    parsed = feedparser.parse(feed)
    found = [str(parsed.bozo_exception)] if parsed.bozo else []
    found += [] if parsed.version == "atom10" else [f"read as {parsed.version}"]
    root = ET.fromstring(feed)
    for part in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            texts = [each.text or "" for each in part.findall(f"{ATOM}{name}")]
            found += [] if len(texts) == 1 and texts[0].strip() else [f"{part.tag}: {name} {texts}"]
        for each in part.findall(f"{ATOM}updated"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each.text or ""):
                found.append(f"updated {each.text}")
        if len(part.findall(f"{ATOM}link[@rel='alternate']")) != 1:
            found.append(f"{part.tag}: not one alternate link")
    identities = [each.findtext(f"{ATOM}id") for each in root.findall(f"{ATOM}entry")]
    return found + (["ids stand twice"] if len(set(identities)) < len(identities) else [])


def entries(made: Rig, headers: dict[str, str]) -> list[Any]:
    answer = made.client.get("/alerts.atom", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    assert faults(answer.content) == []
    return list(feedparser.parse(answer.content).entries)


def change(made: Rig, kind: Any, moment: datetime, reason: str) -> Alert:
    with writing(made.app.engine) as connection:
        record = replace(alerts(connection)[0])
        seq = record.events + 1
        details = {"headline": record.headline, "corrects": True}
        append_event(connection, AlertEvent(record.id, seq, kind, moment, moment, reason, details=details))
        update_alert(connection, replace(record, events=seq))
    return record


def test_the_feed_is_sound_and_each_event_is_an_entry_with_its_rights(made: Rig) -> None:
    found = entries(made, DESK)
    with reading(made.app.engine) as connection:
        lives = [event for each in alerts(connection) for event in alert_events(connection, each.id)]
    assert len(found) == len(lives) > 0
    assert all(each.rights for each in found)
    assert all(each.link.endswith(tuple(event.alert_id for event in lives)) for each in found)


def test_a_correction_is_read_at_the_desk_at_once_and_in_public_when_it_is_old(made: Rig) -> None:
    change(made, "amended", NOW - timedelta(hours=47), "The count for 4 October was corrected from 73 to 70.")
    titles = [each.title for each in entries(made, DESK)]
    assert [each for each in titles if each.startswith("Correction: ")]
    assert not [each for each in entries(made, ABROAD) if each.title.startswith("Correction")]
    change(made, "amended", NOW - timedelta(hours=49), "The count for 3 October was corrected from 9 to 8.")
    [told] = [each for each in entries(made, ABROAD) if each.title.startswith("Correction")]
    assert "corrected from 9 to 8" in told.content[0].value


def test_the_page_says_that_a_count_was_corrected(made: Rig) -> None:
    alert = change(made, "amended", NOW - timedelta(hours=50), "The count was corrected from 73 to 70.")
    for headers in (DESK, ABROAD):
        page = made.client.get(f"/alerts/{alert.id}", headers={**headers, "accept": "text/html"}).text
        assert "Corrected on" in page
        assert "corrected from 73 to 70" in page


def test_who_acknowledged_is_nobodys_news(made: Rig) -> None:
    with writing(made.app.engine) as connection:
        acknowledge(connection, alerts(connection)[0].id, "Kim", NOW)
        assert all(event.kind != "acknowledged" for _, event in newest_events(connection, 100))
    assert "Kim" not in made.client.get("/alerts.atom", headers=DESK).text


def test_an_entry_keeps_its_id_and_one_site_can_be_asked_for(made: Rig) -> None:
    first = {each.id for each in entries(made, DESK)}
    change(made, "amended", NOW, "Corrected.")
    assert first < {each.id for each in entries(made, DESK)}
    answer = made.client.get("/alerts.atom?site=nowhere", headers=DESK)
    assert faults(answer.content) == []
    assert feedparser.parse(answer.content).entries == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_foreign_word_breaks_the_feed(made: Rig, text: str) -> None:
    with reading(made.app.engine) as connection:
        key = alerts(connection)[0].id
        record, life = alert_by_id(connection, key), alert_events(connection, key)
    assert record is not None
    hostile = replace(record, site_name=text, site_id=text, headline=text, metric=text)
    told = replace(life[0], reason=text, details={"headline": f"x{text}"})
    feed = atom_feed("https://watch.example.org", [(hostile, told)])
    assert faults(feed) == []
    [entry] = feedparser.parse(feed).entries
    assert entry.title_detail.type == "text/plain"
