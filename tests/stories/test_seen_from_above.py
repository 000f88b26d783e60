"""A visit that nobody heard land, and a picture of the apron: its confidence moves, people are told once, and it can be taken back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from shapely import box
from shapely.geometry import mapping
from sqlalchemy import Engine

from alerts.delivery.compose import compose
from db.alerts import alert_events, alerts
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import looks, record_observations
from db.pixels import store_admissions
from db.records import Alert, MeasureAdmission, Observation, SeriesKey, Visit
from monitor import pipeline
from monitor.derive.measuring import drawn
from monitor.flights.places import place_of
from monitor.imagery.measures import BRIGHT
from monitor.imagery.observed import PROCEDURE
from monitor.sites import Site
from tests.kit.cast import CAST_GEOJSON
from tests.kit.flying import NOON, Cruise, World
from tests.kit.web_rig import Rig, rig

HOUR = timedelta(hours=1)
WEST, SOUTH = -70.605, -51.902


@pytest.fixture
def here(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path, now=NOON) as found:
        document = json.loads(json.dumps(CAST_GEOJSON))
        field = next(each for each in document["features"] if each["id"] == "quiet-field")
        apron = {"id": "apron", "name": "Apron", "kind": "apron"}
        shape = mapping(box(WEST, SOUTH, WEST + 0.004, SOUTH + 0.002))
        field["properties"]["areas"] = [{**apron, "geometry": shape}]
        found.app.sites_file.path.write_text(json.dumps(document), encoding="utf-8")
        pipeline.reload_sites(found.app, NOON)
        yield found


def admit(here: Rig, *, admitted: bool = True) -> None:
    site = here.app.sites["quiet-field"]
    figures = {"highest": 300.0, "above": 2, "measured": 40, "trials": [[400.0, 17, 20]]}
    learned = MeasureAdmission(
        site.id, "apron", BRIGHT, drawn(site), admitted, 40, "Bright targets in Apron.", figures, NOON
    )
    with writing(here.app.engine) as connection:
        store_admissions(connection, site.id, [learned])


def lose(here: Rig) -> Visit:
    """An Il-62M falls silent on its way to Quiet Field, and is presumed there."""
    site: Site = here.app.sites["quiet-field"]
    field = place_of(site)
    world = World(here.app.engine, list(here.app.sites.values()), step_s=120)
    flown = Cruise(field.lat, field.lon, 20).towards(135)
    world.live(flown.fixes, flown.at + HOUR)
    pipeline.judge(here.app, world.polled_until)
    (visit,) = world.visits()
    assert (visit.state, visit.site_id) == ("presumed", "quiet-field")
    return visit


def look(at: datetime, value: float | None, recorded_at: datetime) -> Observation:
    return Observation(
        series=SeriesKey("quiet-field", "apron", BRIGHT, "", PROCEDURE),
        kind="stock",
        period_start=at,
        period_end=at,
        look_key="sentinel-2b:GS2B_1:quiet-field",
        value=value,
        assessable=value is not None,
        exposure=1.0,
        result_time=recorded_at,
        recorded_at=recorded_at,
        publisher="earth-search",
        origin="sentinel-2b",
    )


def picture(here: Rig, visit: Visit, value: float | None, now: datetime) -> Visit:
    """A picture says so much of the apron, two hours after the aircraft should have arrived; the service goes on."""
    assert visit.arrived_between
    with writing(here.app.engine) as connection:
        record_observations(connection, [look(visit.arrived_between[1] + 0.5 * HOUR, value, now)])
    pipeline.watch_self(here.app, now)
    pipeline.judge(here.app, now)
    return newest(here)


def newest(here: Rig) -> Visit:
    return World(here.app.engine, ()).visits()[0]


def told(here: Rig) -> list[tuple[str, str]]:
    with reading(here.app.engine) as connection:
        return [(each.kind, each.reason) for each in alert_events(connection, arrival(here).id)]


def arrival(here: Rig) -> Alert:
    with reading(here.app.engine) as connection:
        return next(each for each in alerts(connection) if each.metric == "arrivals")


def test_a_bright_apron_raises_it_is_told_once_and_taken_back_with_the_picture(here: Rig) -> None:
    admit(here)
    visit = lose(here)
    assert visit.confidence == 1
    before = len(told(here))
    now = NOON + 6 * HOUR
    raised = picture(here, visit, 620.0, now)
    assert raised.version == visit.version + 1
    assert raised.confidence > visit.confidence
    events = told(here)
    assert len(events) == before + 1
    assert events[-1][0] == "amended"
    assert "something bright of 620 m² stood on Apron" in events[-1][1]
    with reading(here.app.engine) as connection:
        last = [each for each in deliveries(connection) if each.alert_id == arrival(here).id][-1]
    said = " ".join(compose(here.app.engine, last, None).paragraphs)
    assert "something bright of 620 m² stood on Apron" in said
    assert "confidence 1 of 4" not in said
    page = here.client.get("/sites/quiet-field").text
    assert "raised from 1 by what pictures show" in page
    item = here.client.get("/api/v1/visits?site=quiet-field").json()["items"][0]
    assert item["candidates"]["seen"]["confidence_before"] == 1
    assert any(each["kind"] == "seen" for each in item["evidence"])
    # Again and again nothing new.
    for hours in (1, 2):
        pipeline.watch_self(here.app, now + hours * HOUR)
        pipeline.judge(here.app, now + hours * HOUR)
    assert (newest(here).version, len(told(here))) == (raised.version, before + 1)
    # The scene is withdrawn: its look says nothing any more.
    again = picture(here, visit, None, now + 3 * HOUR)
    assert again.confidence == visit.confidence
    assert again.seen_from_above == ()
    assert told(here)[-1] == (
        "amended",
        "What a picture said of it no longer counts: the picture was corrected or taken back.",
    )


def test_an_empty_apron_lowers_what_was_held_to_be_likely(here: Rig) -> None:
    admit(here)
    visit = lose(here)
    lowered = picture(here, visit, 0.0, NOON + 6 * HOUR)
    assert lowered.candidates["seen"]["likelihood_ratio"] < 1
    assert lowered.candidates["seen"]["probability"] < lowered.candidates["probability"]
    assert "nothing bright stood on Apron" in told(here)[-1][1]


def test_a_measure_that_is_not_admitted_says_nothing(here: Rig) -> None:
    admit(here, admitted=False)
    visit = lose(here)
    before = told(here)
    assert picture(here, visit, 620.0, NOON + 6 * HOUR) == visit
    assert told(here) == before


def test_the_count_of_the_day_keeps_its_number(here: Rig) -> None:
    admit(here)
    visit = lose(here)
    picture(here, visit, 620.0, NOON + 6 * HOUR)
    with reading(here.app.engine) as connection:
        found = looks(connection, site_id="quiet-field", metric="arrivals", subject="class:vip_military")
    assert [(each.value, each.low) for each in found] == [(1.0, 0.0)]
    assert replace(found[0]).seen_from_above
