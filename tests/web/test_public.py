"""What anybody may see is late: nothing younger than the delay is in any answer, not as a count, a tag or a gap."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select

from db.alerts import acknowledge, alert_by_id, alert_events, alerts, append_event, update_alert
from db.blindness import open_periods
from db.cutouts import store_cutout
from db.declared import record_declared, record_notes
from db.engine import reading, writing
from db.extracts import store_extracts
from db.flights import record_visits, visits
from db.imagery import insert_scenes
from db.late import SHOWN, late_engine
from db.observations import looks, record_observations
from db.provider_states import note_failure
from db.records import AlertEvent, CoverageHour, Evidence, Extract, Note, Scene
from db.schema import coverage_hour, metadata, poll
from monitor import pipeline
from tests.kit.builders import at, look, stated
from tests.kit.ways_out import addresses, get_routes
from tests.kit.web_rig import NOW, TOKEN, Rig, containers, picture, rig, tell_story

ABROAD = {"x-forwarded-for": "192.0.2.1"}
SECRET = "98765"
DELAY = timedelta(hours=48)
READ_IN_PUBLIC = {
    *(
        "/",
        "/alerts",
        "/alerts.atom",
        "/alerts/{alert_id}",
        "/sites/{site_id}",
        "/sites/{site_id}/picture",
        "/polls/{poll_id}",
        "/observations",
        "/observations/ask",
        "/visits",
        "/visits/ask",
        "/healthz",
    ),
    *(f"/api/v1/{name}" for name in ("sites", "observations", "totals", "visits", "alerts", "polls")),
    *(f"/ogc{path}" for path in ("", "/api", "/conformance", "/collections")),
    *(
        f"/ogc/collections/{name}{rest}"
        for name in ("sites", "observations", "visits", "alerts")
        for rest in ("", "/items", "/items/{feature_id}")
    ),
}
"""A new route is not public until it is written here, and then it must be late."""


def public_answers(made: Rig, **known: str) -> dict[str, tuple[int, Mapping[str, str], bytes]]:
    """What anybody is answered at every address, in every form; streams are refused and so end."""
    found: dict[str, tuple[int, Mapping[str, str], bytes]] = {}
    for address in addresses(made.page, **known):
        answer = made.client.get(address, headers=ABROAD)
        found[address] = (answer.status_code, dict(answer.headers), answer.content)
    return found


def add_young(made: Rig, alert_id: str, moment: Any = NOW) -> None:
    """Everything that could happen in the last two days, each with a number or a name that nothing else has."""
    hour = moment.replace(minute=0)
    young = moment - timedelta(hours=30)
    own = {"publisher": "", "origin": "adsb.lol", "procedure": "adsb:1"}
    with writing(made.app.engine) as connection:
        record_observations(
            connection,
            [
                containers("2023-10-06", float(SECRET), known="2023-10-07"),
                # An old day, counted anew: known since yesterday.
                containers("2022-11-18", float(SECRET), known="2023-10-06", revision=2),
                look(
                    "2023-10-06", float(SECRET), "arrivals", f"type:T{SECRET}", site_id="quiet-field", **own
                ),
            ],
        )
        record_declared(
            connection, [stated("max", float(SECRET), ("2018-10-06", "2023-10-06T12:00"), "containers")]
        )
        record_notes(connection, [young_note(young)])
        (known,) = visits(connection, site_id="quiet-field")
        seen = {"registration": f"RA-{SECRET}", "recorded_at": young, "last_fix_at": young}
        record_visits(
            connection,
            [
                replace(known, state="confirmed", confidence=4, **seen),
                replace(
                    known,
                    visit_id=f"young-{SECRET}",
                    arrived_at=young,
                    first_fix_at=young,
                    evidence=(Evidence("poll", "99", f"Heard at {SECRET} ft."),),
                    **seen,
                ),
            ],
        )
        hours = [
            CoverageHour(
                "adsb.lol", "quiet-field", hour - timedelta(hours=each), 3600, 3600, True, int(SECRET)
            )
            for each in range(26, 47)
        ]
        connection.execute(coverage_hour.insert(), [asdict(each) for each in hours])
        connection.execute(poll.insert(), young_poll(young))
        rows = ({"alt_baro": int(SECRET)},)
        store_extracts(
            connection, 99, [Extract("15521f", rows, f"https://feed.example/{SECRET}", True)], young
        )
        note_failure(connection, "adsb.lol", moment, error=f"Error {SECRET}.", counts=True)
        insert_scenes(connection, [young_scene(young)])
        store_cutout(
            connection,
            picture(moment, item_id=f"S2B_{SECRET}", acquired_at=young, made_at=young, platform=SECRET),
            keep=3,
        )
        grow(connection, alert_id, young)
        acknowledge(connection, alert_id, f"Person {SECRET}", moment)
    pipeline.judge(made.app, moment)


def grow(connection: Any, alert_id: str, when: Any) -> None:
    """An alert that the public knows becomes more."""
    before = alert_by_id(connection, alert_id)
    assert before is not None
    seq = before.events + 1
    append_event(connection, AlertEvent(alert_id, seq, "amended", when, when, f"More: {SECRET}."))
    grown = replace(before, headline=f"Now {SECRET}", peak=float(SECRET), events=seq, last_look_at=when)
    update_alert(connection, grown)


def young_note(young: Any) -> Note:
    return Note(
        key=f"young-{SECRET}",
        site_id="busy-port",
        metric="containers",
        subject="",
        starts_at=young,
        ends_at=young,
        precision="minute",
        result_time=young,
        recorded_at=young,
        publisher="Harbour Watch",
        text=f"Remark {SECRET}.",
    )


def young_poll(young: Any) -> dict[str, Any]:
    return {
        "id": 99,
        "provider": "adsb.lol",
        "scope": SECRET,
        "slot": 2,
        "purpose": "data",
        "sequence": 0,
        "started_at": young,
        "finished_at": young,
        "outcome": "ok",
        "item_count": int(SECRET),
    }


def young_scene(young: Any) -> Scene:
    return Scene(
        provider="earth-search",
        collection="sentinel-2-l2a",
        item_id=f"S2A_{SECRET}",
        site_id="busy-port",
        look_key=f"pass-{SECRET}",
        platform=f"sentinel-{SECRET}",
        acquired_at=young,
        covered_share=1.0,
        recorded_at=young,
        cloud_share=0.0,
    )


def test_nothing_young_changes_a_byte_of_what_the_public_is_told(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        with reading(engine) as connection:
            known = alerts(connection)[0].id
        names = {"site_id": "quiet-field", "alert_id": known, "poll_id": "99"}
        before = public_answers(made, **names)
        add_young(made, known)
        after = public_answers(made, **names)
        assert {name: answer for name, answer in after.items() if answer != before[name]} == {}
        assert not [name for name, (_, _, body) in after.items() if SECRET.encode() in body]
        # The desk sees all of it at once.
        seen = {
            name: made.client.get(name).text for name in addresses(made.page, **names) if name != "/events"
        }
        for name in (
            "/",
            "/alerts",
            f"/alerts/{known}",
            "/polls/99",
            "/api/v1/observations?format=csv",
            "/api/v1/visits?format=json",
        ):
            assert SECRET in seen[name], name


def test_no_table_holds_anything_young_whoever_asks_for_what(engine: Engine, tmp_path: Path) -> None:
    """A page that asked for more would still be told nothing: each table on its own is late."""
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        with reading(engine) as connection:
            known = alerts(connection)[0].id
        add_young(made, known)
    late = late_engine(engine, lambda: NOW - DELAY)
    with reading(engine) as now, reading(late) as then:
        young = {each.name for each in metadata.sorted_tables if SECRET in rows_in(now, each)}
        assert young >= {
            "observation",
            "note",
            "visit",
            "poll",
            "extract",
            "coverage_hour",
            "scene",
            "cutout",
        }
        assert [each.name for each in metadata.sorted_tables if SECRET in rows_in(then, each)] == []
        assert rows_in(then, metadata.tables["observation"])
    late.dispose()


def rows_in(connection: Any, table: Any) -> str:
    columns = [each for each in table.c if each.name not in {"png", "answer_sha256", "key"}]
    return "\n".join(map(repr, connection.execute(select(*columns))))


def test_it_is_told_when_it_is_old(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        with reading(engine) as connection:
            known = alerts(connection)[0].id
        add_young(made, known)
    with rig(engine, tmp_path, now=NOW + DELAY + timedelta(hours=1)) as made:
        for name in (
            "/",
            f"/alerts/{known}",
            "/polls/99",
            "/api/v1/observations?format=csv",
            "/api/v1/visits",
            "/api/v1/alerts",
        ):
            assert SECRET in made.client.get(name, headers=ABROAD).text, name
        names = {"site_id": "quiet-field", "alert_id": known, "poll_id": "99"}
        told = public_answers(made, **names)
        # Who acknowledged it is the desk's own, and stays so.
        assert [name for name, (_, _, body) in told.items() if f"Person {SECRET}".encode() in body] == []
        assert f"Person {SECRET}" in made.client.get(f"/alerts/{known}").text


def test_only_what_is_listed_is_public_and_a_new_route_is_not(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path, token=TOKEN, public_page=True) as made:
        tell_story(made.app)
        with reading(engine) as connection:
            known = alerts(connection)[0].id
        refused = set()
        for path in get_routes(made.page):
            filled = (
                path.replace("{alert_id}", known)
                .replace("{site_id}", "quiet-field")
                .replace("{poll_id}", "1")
            )
            status = made.client.get(
                f"{filled}?alert={known}" if path.endswith("/polls") else filled
            ).status_code
            if status == 403:
                refused.add(path)
        assert set(get_routes(made.page)) - refused == READ_IN_PUBLIC | {"/login"}
        for path in (
            "/alerts/x/acknowledge",
            "/alerts/x/silence",
            "/add-site",
            "/add-site/check",
            "/logout",
            "/",
        ):
            assert made.client.post(path, data={"form_token": "x"}).status_code == 403
        assert made.client.get("/api/v1/status").json()["error"].startswith("This is not public")


@pytest.fixture
def open_to_all(sqlite_engine: Engine, tmp_path: Path) -> Any:
    with rig(sqlite_engine, tmp_path, token=TOKEN, public_page=True) as made:
        tell_story(made.app)
        yield made


def late(answer: httpx.Response) -> bool:
    return "Late on purpose" in answer.text


def test_whoever_is_logged_in_or_sends_the_token_is_not_delayed(open_to_all: Rig) -> None:
    browser = open_to_all.client
    assert late(browser.get("/"))
    assert "73 containers" not in browser.get("/alerts").text
    assert not browser.get("/").cookies
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert "73 containers" in browser.get("/alerts", headers=bearer).text
    assert browser.get("/alerts", headers={"authorization": "Bearer wrong"}).status_code == 401
    form = {"form_token": browser.form_token("/login"), "token": TOKEN, "following": "/alerts"}
    assert browser.post("/login", data=form).status_code == 303
    desk = browser.get("/alerts")
    assert "73 containers" in desk.text
    assert not late(desk)


def test_without_public_page_nobody_reads_without_the_token(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        assert made.client.get("/").status_code == 401
        assert made.client.get("/api/v1/sites", headers=ABROAD).status_code == 401


@pytest.mark.parametrize(
    "headers", [{"host": "watch.example"}, ABROAD, {"forwarded": "for=192.0.2.1"}, {"via": "1.1 proxy"}]
)
def test_without_a_token_whoever_is_not_at_this_machine_is_the_public(
    sqlite_engine: Engine, tmp_path: Path, headers: dict[str, str]
) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        assert late(made.client.get("/", headers=headers))
        assert not late(made.client.get("/"))
        assert made.client.get("/feeds", headers=headers).status_code == 403
        assert made.client.post("/add-site", headers=headers).status_code == 403


@pytest.mark.parametrize(("hours", "seen"), [(0, True), (10, True), (48, False), (24 * 30, False)])
def test_the_delay_is_a_setting(sqlite_engine: Engine, tmp_path: Path, hours: float, seen: bool) -> None:
    with rig(sqlite_engine, tmp_path, public_delay_hours=hours) as made:
        tell_story(made.app)
        add_young(made, _first(made))
        shown = made.client.get("/api/v1/alerts", headers=ABROAD).text
        assert (SECRET in shown) is seen


def _first(made: Rig) -> str:
    with reading(made.app.engine) as connection:
        return alerts(connection)[0].id


def test_what_was_published_before_is_public_however_late_it_is_imported(
    engine: Engine, tmp_path: Path
) -> None:
    with rig(engine, tmp_path) as made:
        old = containers("2023-09-01", 4321, result_time=at("2023-09-03"), recorded_at=NOW)
        with writing(engine) as connection:
            record_observations(connection, [old])
        assert "4321" in made.client.get("/api/v1/observations", headers=ABROAD).text


def test_an_alert_that_was_taken_back_since_is_not_told_as_if_it_stood(
    engine: Engine, tmp_path: Path
) -> None:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        known = _first(made)
        with writing(engine) as connection:
            found = alert_by_id(connection, known)
            assert found is not None
            append_event(connection, AlertEvent(known, found.events + 1, "withdrawn", NOW, NOW, "A mistake."))
            update_alert(
                connection,
                replace(
                    found,
                    status="withdrawn",
                    closed_at=NOW,
                    events=found.events + 1,
                    details={**found.details, "closing": "A mistake."},
                ),
            )
        assert made.client.get(f"/alerts/{known}", headers=ABROAD).status_code == 404
        assert made.client.get(f"/alerts/{known}").status_code == 200


def test_every_table_has_a_rule_and_an_unknown_one_is_empty() -> None:
    assert set(metadata.tables) == set(SHOWN) | {"alert", "visit"}, (
        "say in db/late.py what of a new table is old enough to show"
    )


def test_the_views_have_the_columns_of_their_tables_and_the_types(engine: Engine, tmp_path: Path) -> None:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        known = _first(made)
        add_young(made, known)
        wide = late_engine(engine, lambda: NOW + timedelta(days=9))
        narrow = late_engine(engine, lambda: NOW - DELAY)
        with reading(engine) as now, reading(wide) as all_of_it, reading(narrow) as then:
            for name, table in metadata.tables.items():
                if SHOWN.get(name) != "false":
                    assert all_of_it.execute(table.select()).keys() == now.execute(table.select()).keys()
            plain = [replace(each, acknowledged_at=None, acknowledged_by="") for each in alerts(now)]
            assert alerts(all_of_it) == plain
            assert visits(all_of_it) == visits(now)
            assert looks(all_of_it, site_id="busy-port") == looks(now, site_id="busy-port")
            assert open_periods(then) == {}
            (before,) = alerts(then)
            assert before.id == known
            assert before.headline.startswith("Military VIP aircraft")
            assert [each.kind for each in alert_events(then, known)] == ["opened"]
        wide.dispose()
        narrow.dispose()


def test_the_late_engine_cannot_write(engine: Engine) -> None:
    late_one = late_engine(engine, lambda: NOW)
    with pytest.raises(Exception, match=r"view|read-only"), writing(late_one) as connection:
        record_notes(connection, [young_note(NOW)])
    late_one.dispose()
