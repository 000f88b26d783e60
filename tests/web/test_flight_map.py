"""The map of a flight behind an alert: heard is a line, silence is a gap, and nobody who is not watched is on it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.alerts import alerts, update_alert
from db.engine import reading, writing
from db.flights import insert_fixes, record_visits, visits
from db.records import Alert, Fix, Visit
from monitor.reports.tracks import SILENT_FROM, HeardTrack, stretches_of
from monitor.web.views.flight_map import FlightMap, draw_tracks, flight_map
from tests.kit.builders import at
from tests.kit.web_rig import Rig, rig, tell_story

VIP = "15521f"
LANDED = at("2023-10-05T06:00")


def report(minutes: float, lon: float, lat: float = -51.6, **fields: Any) -> Fix:
    when = LANDED + timedelta(minutes=minutes)
    return Fix("adsb.lol", VIP, when, when, lat, lon, altitude_ft=9_000, **fields)


HEARD = (
    *(report(n, -73 + n / 10) for n in range(5)),
    *(report(36 * 60 + n, -72.5 - n / 10) for n in range(4)),
    report(38 * 60, -75.0),
)


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


def cite(made: Rig, *, watched: bool = True) -> Alert:
    """The alert of Quiet Field, resting on a visit of the aircraft."""
    subjects = (f"icao24:{VIP}", "class:vip_military") if watched else (f"icao24:{VIP}",)
    with writing(made.app.engine) as connection:
        [known] = visits(connection)
        visit = replace(
            known, visit_id="v-map", icao24=VIP, subjects=subjects, first_fix_at=LANDED,
            last_fix_at=HEARD[-1].at,
        )  # fmt: skip
        [stored] = record_visits(connection, [visit])
        insert_fixes(connection, HEARD)
        alert = next(each for each in alerts(connection) if each.site_id == "quiet-field")
        [entry] = alert.details["entries"]
        cited = [*entry["evidence"], {"kind": "visit", "ref": stored.visit_id, "text": "arrived"}]
        after = replace(alert, details={**alert.details, "entries": [{**entry, "evidence": cited}]})
        update_alert(connection, after)
    return after


def drawn(made: Rig, alert: Alert) -> FlightMap | None:
    with reading(made.app.engine) as connection:
        return flight_map(connection, made.app, alert)


def test_a_silence_is_a_gap_and_no_way_that_was_flown(told: Rig) -> None:
    found = drawn(told, cite(told))
    assert found is not None
    features = found.data["tracks"]["features"]
    kinds = [each["properties"]["kind"] for each in features]
    assert (kinds.count("heard"), kinds.count("gap"), kinds.count("end")) == (3, 2, 4)
    gap = next(each for each in features if each["properties"]["kind"] == "gap")
    assert gap["geometry"]["coordinates"] == ((HEARD[4].lon, HEARD[4].lat), (HEARD[5].lon, HEARD[5].lat))
    [flight] = found.flights
    assert flight.legs[1].startswith("Then not heard for 36 hours: where it was is not known")
    assert flight.legs[-1].startswith("Heard once, 2023-10-06 20:00 UTC, ")
    assert flight.legs[-1].endswith("west of Quiet Field, at 9,000 ft.")


def test_who_is_not_watched_is_on_no_map(told: Rig) -> None:
    assert drawn(told, cite(told, watched=False)) is None


def test_the_page_has_the_map_and_says_the_same_in_words_but_not_in_public(told: Rig) -> None:
    alert = cite(told)
    page = told.client.get(f"/alerts/{alert.id}").text
    assert 'id="flight-title"' in page
    assert "Then not heard for 36 hours" in page
    public = told.client.request(
        "GET", f"/alerts/{alert.id}", {"x-forwarded-for": "203.0.113.9", "host": "watch.example"}
    )
    assert 'id="flight-title"' not in public.text


def test_an_alert_without_a_flight_has_no_map(told: Rig) -> None:
    with reading(told.app.engine) as connection:
        alert = next(each for each in alerts(connection) if each.site_id == "busy-port")
    assert 'id="flight-title"' not in told.client.get(f"/alerts/{alert.id}").text


def test_stretches_end_where_the_silence_is_longer_than_the_slowest_polls() -> None:
    assert [len(each) for each in stretches_of(HEARD)] == [5, 4, 1]
    edge = (report(0, 0), replace(report(0, 0), at=LANDED + SILENT_FROM))
    assert [len(each) for each in stretches_of(edge)] == [2]
    assert stretches_of(()) == ()


def test_a_way_across_180_degrees_is_one_line(told: Rig) -> None:
    site = told.app.sites["dateline-strip"]
    east = site.geometry.representative_point().x > 0
    lons = (179.8, -179.9) if east else (-179.8, 179.9)
    heard = tuple(report(n, lon, 0.0) for n, lon in enumerate(lons))
    with reading(told.app.engine) as connection:
        visit: Visit = visits(connection)[0]
    found = draw_tracks([HeardTrack(visit, (heard,))], site)
    [line] = found.data["tracks"]["features"]
    (one, _), (other, _) = line["geometry"]["coordinates"]
    assert abs(one - other) < 1
    (west, _), (right, _) = found.data["bounds"]
    assert right - west < 180
