"""A new clear picture is told to whoever asked: once a pass, with the picture, its clear share and what was measured."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from alerts.channels import Message
from alerts.channels.email_message import build_email
from alerts.delivery.compose import compose
from alerts.routing import Matcher, Route, Routing
from db.cutouts import store_cutout
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import record_observations
from db.records import Observation
from db.silences import add_silence
from monitor import pipeline
from tests.kit.builders import look
from tests.kit.web_rig import NOW, Rig, picture, rig

TAKEN = NOW - timedelta(days=2)


@pytest.fixture
def asked(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path, tell_clear_pictures=("quiet-field",)) as found:
        yield found


def seen(clear: float = 0.97, cloud_of: str = "site", **changes: Any) -> Observation:
    """The look of the pass that the picture shows."""
    made = look("2023-10-05", None, "passes", site_id="quiet-field", procedure="imagery/msi")
    values: dict[str, Any] = {
        "period_start": TAKEN,
        "period_end": TAKEN,
        "look_key": "sentinel-2b:GS2B_1:quiet-field",
        "exposure": clear,
        "exposure_parts": {"clear": clear, "cloud_of": cloud_of},
        "assessable": clear > 0.3,
        "origin": "sentinel-2b",
        "publisher": "earth-search",
        "recorded_at": NOW,
    }
    return replace(made, **{**values, **changes})


def keep(here: Rig, *looks: Observation, pictures: bool = True) -> None:
    with writing(here.app.engine) as connection:
        record_observations(connection, looks)
        if pictures:
            store_cutout(connection, picture(NOW), keep=3)


def told(here: Rig, now: datetime = NOW) -> list[Message]:
    pipeline.tell_pictures(here.app, now)
    with reading(here.app.engine) as connection:
        owed = [each for each in deliveries(connection) if each.reason == "new picture"]
    return [compose(here.app.engine, each, None) for each in owed]


@pytest.mark.parametrize(("wanted", "number"), [("quiet-*", 1), ("busy-port", 0)])
def test_routes_choose_who_is_told(asked: Rig, wanted: str, number: int) -> None:
    (channel,) = asked.app.channels
    routing = Routing((Route("pictures", (channel,), Matcher(site=(wanted,), metric=("passes",))),))
    keep(asked, seen())
    assert len(told(replace(asked, app=replace(asked.app, routing=routing)))) == number


def test_it_says_what_was_seen_and_measured_and_shows_the_picture(asked: Rig) -> None:
    track = seen(
        series=replace(seen().series, area="apron", metric="occupied_track_m"),
        value=310.0,
        low=250.0,
        high=400.0,
    )
    keep(asked, seen(), track)
    (message,) = told(asked)
    assert message.headline == "A new clear picture of Quiet Field, 2023-10-05 12:00 UTC"
    assert message.status == "New picture"
    said = " ".join(message.paragraphs)
    assert "sentinel-2b passed on 2023-10-05 12:00 UTC; 97% of the site was clear." in said
    assert "310 (250 to 400)" in said
    assert "Contains modified Copernicus Sentinel data 2023" in said
    assert message.image_png == picture(NOW).png
    mail = build_email(message, "a@watch.example", ["b@watch.example"], "watch.example")
    assert any(part.get_content_type() == "image/png" for part in mail.walk())


def test_a_pass_is_told_once_and_the_next_one_again(asked: Rig) -> None:
    keep(asked, seen())
    assert len(told(asked)) == len(told(asked, NOW + timedelta(hours=1))) == 1
    later = seen(
        look_key="sentinel-2a:GS2A_2:quiet-field",
        period_start=NOW,
        period_end=NOW,
        recorded_at=NOW,
        clear=0.9,
    )
    with writing(asked.app.engine) as connection:
        record_observations(connection, [later])
        store_cutout(connection, picture(NOW, acquired_at=NOW, item_id="S2A_NEXT"), keep=3)
    assert len(told(asked, NOW + timedelta(hours=2))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"clear": 0.7},
        {"period_start": NOW - timedelta(days=9), "period_end": NOW - timedelta(days=9)},
        {"series": replace(seen().series, procedure="imagery/sar")},
        {"cloud_of": "tile"},
    ],
    ids=["too little of it clear", "too old", "radar", "its own cloud is still to be read"],
)
def test_it_keeps_silent(asked: Rig, changes: dict[str, Any]) -> None:
    keep(asked, seen(**changes))
    assert told(asked) == []


def test_a_site_of_which_nobody_asked_is_not_told(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as here:
        keep(here, seen())
        assert told(here) == []


def test_a_site_says_for_itself_and_over_the_settings(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path, tell_clear_pictures=("all",)) as here:
        keep(here, seen())
        for said, number in ((False, 0), (0.99, 0), (True, 1)):
            file = here.app.sites_file.path
            document = json.loads(file.read_text(encoding="utf-8"))
            for feature in document["features"]:
                feature["properties"]["tell_clear_pictures"] = said
            file.write_text(json.dumps(document), encoding="utf-8")
            pipeline.reload_sites(here.app, NOW)
            assert len(told(here)) == number, said


def test_a_silenced_site_is_silent(asked: Rig) -> None:
    keep(asked, seen())
    with writing(asked.app.engine) as connection:
        add_silence(connection, "quiet-field", "", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert told(asked) == []


def test_what_is_missing_after_a_day_is_said_to_be_missing(asked: Rig) -> None:
    keep(asked, seen(cloud_of="tile"), pictures=False)
    assert told(asked, NOW + timedelta(hours=23)) == []
    (message,) = told(asked, NOW + timedelta(hours=25))
    said = " ".join(message.paragraphs)
    assert "97% of its tile of 110 km, for the site itself was not read, was clear." in said
    assert "No picture could be made of it yet." in said
    assert message.image_png is None
