"""All that the program asks of a database, by its own functions: pages, API, commands and jobs over a filled one."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from sqlalchemy import Connection, Engine, text

from db.aircraft import aircraft_by_registration, import_aircraft, unnamed_aliases
from db.alerts import alerts, newest_events
from db.api_requests import begin_request, drop_request, end_request
from db.backfill import all_read, begin_day, finish_day, parts_read, store_part, stored_parts
from db.blindness import begin_period, end_period
from db.causes import cause_by_id, rule_chances
from db.channel_states import channel_failed, channel_worked
from db.coverage import count_rejected, forget_hours, mark_degraded
from db.cutouts import picture_of
from db.declared import declared, notes
from db.deliveries import (
    _take_turn,
    deliveries,
    delivery_by_identity,
    enqueue,
    gathered,
    keep_payload,
    mark_bundled,
    mark_dead,
    newest_notice,
    newest_ref,
    others_got_through,
    rewrite_notice,
    unacknowledged,
)
from db.deriving import drop_unborn_looks, good_polls, good_polls_like, heard_cells, scope_of
from db.detections import detections_by, detections_of_look, insert_detections, looks_touched
from db.ended_sessions import ended_sessions
from db.engine import reading, writing
from db.flight_claims import claims, estimates, forget_claims, insert_claims, insert_estimates
from db.flights import drop_unborn_fixes
from db.gates import ChannelGate, closed_until, lock_capped, waiting_behind
from db.hearing import hearing_since, note_hearing
from db.identities import stored_names
from db.imagery import scenes
from db.imports import import_turn
from db.leases import book_moment, release_lease, renew_lease, take_lease
from db.metrics import looks_of_metric
from db.moves import PeriodBounds, WrittenLook, date_look, move_look, move_statement
from db.observations import count_recorded, count_undated, looks, record_observations, written_looks
from db.page_marks import read_marks
from db.pixels import (
    add_bytes_read,
    admissions,
    clear_passes,
    codes_of,
    kept_passes,
    pixel_failures,
    shares_of_pass,
    store_admissions,
    store_pixel_looks,
    store_states,
)
from db.polls import (
    PollKey,
    answered_since,
    disown_unborn,
    last_turned_away,
    let_through,
    providers_of,
    start_poll,
)
from db.radar import add_units, radar_parts, units_of
from db.records import BlindPeriod, PixelLook
from db.records.claims import BackfillPart, EstimatedPosition, FlightClaim, KnownAircraft
from db.records.detections import Detection
from db.rule_states import past_scores
from db.scenario_mark import holds_data
from db.tokens import issue_token, named_tokens, note_token_use, revoke_token, token_in_force
from db.visitor_keys import aliases_heard
from monitor import pipeline
from monitor.cli import main
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.imports import import_file
from monitor.runtime.service import describe_service
from tests.kit.builders import look
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import AIRLINER, Cruise, Pilot, World
from tests.kit.program import closed_port, write_settings
from tests.kit.web_rig import NOW, Rig, rig, tell_anew

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = 60


def fill(made: Rig) -> None:
    """Two months of daily counts beside the story of the page, judged."""
    tell_anew(made.app)
    looks = [
        look(f"{NOW - n * DAY:%Y-%m-%d}", n % 5, metric, site_id=site)
        for n in range(2, DAYS)
        for site, metric in (("quiet-field", "arrivals"), ("busy-port", "ships_present"))
    ]
    with writing(made.app.engine) as connection:
        record_observations(connection, looks)
    pipeline.judge(made.app, NOW)


def run_everything(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do all of it once."""
    with rig(engine, folder) as made:
        fill(made)
        run_flights(made)
        run_single_functions(made)
        run_pages(made)
        run_jobs(made)
    _forget_few_rows(engine)
    run_commands(engine, folder, monkeypatch)


def _forget_few_rows(engine: Engine) -> None:
    """Have SQLite forget how few rows there are: it would read all of them for that."""
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection:
            connection.execute(text("delete from sqlite_stat1"))
        engine.dispose()


def run_flights(made: Rig) -> None:
    """An aircraft of a watched class lands, one of nobody does so too, and both fall silent; then the day is closed."""
    world = World(made.app.engine, list(made.app.sites.values()))
    pilot = Pilot(QUIET_FIELD, at=NOW - 6 * HOUR).approach().roll_out().park(60)
    other = Pilot(QUIET_FIELD, AIRLINER, at=pilot.at + 60 * SECOND).approach().roll_out()
    world.step_s = 120
    world.live([*pilot.fixes, *other.fixes])
    far = Cruise(-51.9, -70.6, 20.0, at=world.polled_until + HOUR).towards(80)
    world.live(far.fixes, until=far.at + 40 * MINUTE)
    pipeline.derive(made.app, NOW + 2 * DAY)


def run_single_functions(made: Rig) -> None:
    """What pages, commands and jobs come to on occasion alone: each by the function that they call."""
    with writing(made.app.engine) as connection:
        for work in (_on_aircraft, _on_archives, _on_polls, _on_outbox, _on_imagery, _on_doors, _on_moves):
            work(connection)
    folder = made.app.settings.sites_file.parent
    (folder / "counts.csv").write_text(
        "site_id,start,metric,value,published,publisher\n"
        + "".join(
            f"busy-port,2023-0{month}-01,ships_present,{month},2023-09-30,Desk\n" for month in range(1, 9)
        ),
        encoding="utf-8",
    )
    import_file(made.app.engine, folder / "counts.csv", made.app.sites, NOW)
    read_marks(made.app.engine)
    with pytest.raises(KeyboardInterrupt):
        _import_cut_short(made.app.engine)


def _import_cut_short(engine: Engine) -> None:
    with import_turn(engine, NOW + DAY) as turn:
        with writing(engine) as connection:
            turn.hold(connection)
            cut = replace(look("2023-01-09", 1, "ships_present"), recorded_at=turn.moment)
            record_observations(connection, [cut])
        raise KeyboardInterrupt


def _on_aircraft(connection: Connection) -> None:
    import_aircraft(
        connection, "list", [KnownAircraft("15521f", "RA-86559"), KnownAircraft("abcdef", flags=4)], NOW
    )
    unnamed_aliases(connection)
    aircraft_by_registration(connection, "RA-86559")
    stored_names(connection, {"15521f": "asked", "3950c7": "unknown"}, NOW)
    claim = FlightClaim(
        "opensky-flights", "15521f-1", NOW, icao24="15521f", destination="XQUF", first_seen_at=NOW
    )
    insert_claims(connection, [claim])
    claims(connection, airports=["XQUF"], since=NOW - DAY)
    claims(connection, icao24s=["15521f"], since=NOW - DAY, until=NOW)
    claims(connection, poll_ids=[1])
    insert_estimates(connection, [EstimatedPosition("opensky", "15521f", NOW, NOW, 0.0, 0.0)])
    estimates(connection, icao24s=["15521f"], since=NOW - DAY)
    forget_claims(connection, [("15521f", "", "", "")], NOW - DAY)
    heard_cells(connection, (-71, -53, -69, -50), NOW - DAY, NOW, but="15521f", cell_deg=0.5, band_ft=5_000)
    good_polls(connection, "quiet-field", ["adsb.lol"], NOW - DAY, NOW)
    good_polls_like(connection, 1, NOW - DAY, NOW)
    scope_of(connection, 1)
    note_hearing(connection, "own", NOW, [], oldest=NOW - DAY)
    hearing_since(connection, "own", NOW - DAY)
    drop_unborn_fixes(connection, [1], NOW)


def _on_archives(connection: Connection) -> None:
    begin_day(connection, "archive", "2023-10-01", "plan", NOW)
    store_part(connection, BackfillPart("archive", "2023-10-01", "1", 0, 0, {}, {}, {}, b"", NOW))
    parts_read(connection, "archive", "2023-10-01")
    stored_parts(connection, "archive", "2023-10-01")
    all_read(connection, "archive", "2023-10-01")
    finish_day(connection, "archive", "2023-10-01", NOW, aircraft=0, fixes=0, plan="plan")
    forget_hours(connection, "archive", NOW - DAY, NOW)


def _on_polls(connection: Connection) -> None:
    period = BlindPeriod("quiet-field", NOW - DAY, NOW)
    begin_period(connection, period)
    end_period(connection, period, NOW)
    count_rejected(connection, {("adsb.lol", NOW, "stale"): 1})
    mark_degraded(connection, "adsb.lol", "quiet-field", NOW)
    answered_since(connection, "adsb.lol", 1, NOW - DAY)
    let_through(connection, ["adsb.lol"], NOW - DAY, NOW)
    last_turned_away(connection, ["adsb.lol"], NOW - DAY, 20)
    providers_of(connection, [1])
    # A poll of a clock that was ahead is taken back with what it brought.
    start_poll(connection, PollKey("ahead", "circle", 1), 0, NOW + DAY)
    disown_unborn(connection, "ahead", NOW)
    drop_unborn_looks(connection, ["quiet-field"], ADSB_PROCEDURE, NOW + 3 * DAY)
    held = take_lease(connection, "me", NOW, 30, "trial")
    assert held is not None
    renew_lease(connection, held, NOW, 30)
    book_moment(connection, "trial", NOW, 1)
    release_lease(connection, held, NOW)
    ended_sessions(connection)
    holds_data(connection)
    looks_of_metric(connection, "arrivals")
    past_scores(connection, ["record"], NOW - DAY, NOW)
    count_recorded(connection)
    count_undated(connection)
    written_looks(connection, ["busy-port"], ["ships_present"], ["2023-01-01"])
    aliases_heard(connection, ["~x"])


def _on_outbox(connection: Connection) -> None:
    enqueue(connection, identity="n", kind="notice", channel="log", reason="trial", now=NOW)
    newest_notice(connection, "log", "trial")
    rewrite_notice(connection, 1, {})
    channel_failed(connection, "log", not_before=None, error="trial", now=NOW, longest=DAY)
    held = deliveries(connection, limit=1)[0]
    others_got_through(connection, held)
    keep_payload(connection, held, {})
    mark_dead(connection, held, error="trial")
    channel_worked(connection, "log", NOW)
    _take_turn(connection, "log", NOW, 1.0, DAY)


def _on_doors(connection: Connection) -> None:
    """What programs, routes, causes and radar ask."""
    issued = issue_token(connection, "desk", "write", NOW, None)
    token_in_force(connection, issued, NOW)
    (known,) = named_tokens(connection)
    note_token_use(connection, known.prefix, NOW)
    revoke_token(connection, "desk", NOW)
    begin_request(connection, known.prefix, "a key", "0" * 64, NOW)
    end_request(connection, known.prefix, "a key", 200, {})
    drop_request(connection, known.prefix, "a key")
    list(rule_chances(connection, "containers", NOW - 30 * DAY, NOW, {"record"}))
    for revision in (None, 1):
        cause_by_id(connection, "ca_x", revision)
    told = next(each for each in deliveries(connection) if each.alert_id)
    newest_ref(connection, told, "in_x")
    delivery_by_identity(connection, told.identity)
    unacknowledged(connection, told.channel)
    mark_bundled(connection, [*gathered(connection, told.channel, NOW), told], "digest")
    gates = {told.channel: ChannelGate(at_most_an_hour=1)}
    lock_capped(connection, gates, NOW)
    closed_until(connection, gates, NOW)
    waiting_behind(connection, told.channel, NOW)
    newest_events(connection, 10)
    detections_by(connection, "desk", "vehicles")
    radar_parts(connection, "busy-port")
    add_units(connection, "copernicus", "2023-10", 1.0, 1.0)
    units_of(connection, "copernicus", "2023-10")


def _on_imagery(connection: Connection) -> None:
    taken = Detection(
        "desk", "busy-port", "vehicles", "a", "truck", NOW, 69.6, 18.9, "pass-1", NOW, NOW, "minute", NOW, whole=True,
        poll_id=1,
    )  # fmt: skip
    insert_detections(connection, [taken])
    for each in looks_touched(connection, [1]):
        detections_of_look(connection, each)
    picture_of(connection, "quiet-field", "S2B_TEST")
    pixels = PixelLook(
        "busy-port", "pass-1", "earth-search", "s2", "i", "s2a", "msi", NOW, "grid", 32633, b"", b"", b"", {}, {}, "", 1, NOW
    )  # fmt: skip
    store_pixel_looks(connection, [pixels])
    store_states(connection, "busy-port", {"pass-1": b""})
    store_admissions(connection, "busy-port", [])
    add_bytes_read(connection, "2023-10-07", 1, 1)
    for ask in (pixel_failures, admissions):
        ask(connection, "busy-port")
    kept_passes(connection, "busy-port", "grid")
    clear_passes(connection, "busy-port", "grid")
    codes_of(connection, "busy-port", ["pass-1"])
    shares_of_pass(connection, "busy-port", "pass-1")
    scenes(connection, site_id="busy-port", since=NOW - DAY, unread_on="grid")


def _on_moves(connection: Connection) -> None:
    known = looks(connection, site_id="busy-port", metric="containers")[0]
    bounds = PeriodBounds(known.period_start + HOUR, known.period_end + HOUR, "", "Europe/Oslo")
    move_look(connection, WrittenLook.of(known), bounds)
    date_look(connection, known, known)
    for baseline in declared(connection, "busy-port"):
        move_statement(connection, baseline, bounds)
    for note in notes(connection, "busy-port"):
        move_statement(connection, note, bounds)


def run_pages(made: Rig) -> None:
    """Open every address that is read, as who watches here and as the public."""
    with reading(made.app.engine) as connection:
        alert = alerts(connection)[0].id
    public = {"x-forwarded-for": "203.0.113.9", "host": "watch.example"}
    for path in _addresses(made, alert):
        assert made.client.get(path).status_code in {200, 404}, path
        made.client.get(path, headers=public)
    _open_features(made)


def _open_features(made: Rig) -> None:
    for name in ("sites", "observations", "visits", "alerts", "detections"):
        at = f"/ogc/collections/{name}/items"
        for each in made.client.get(f"{at}?limit=1").json()["features"]:
            assert made.client.get(f"{at}/{quote(each['id'], safe='')}").status_code == HTTPStatus.OK, each


def _addresses(made: Rig, alert: str) -> Iterator[str]:
    yield from (
        "/",
        "/alerts",
        "/feeds",
        "/add-site",
        f"/alerts/{alert}",
        f"/alerts/{alert}/email",
        "/polls/1",
    )
    yield from ("/alerts.atom", f"/alerts?cause={alert}", "/api/v1/silences")
    yield from ("/alerts?status=open", "/alerts?site=busy-port", "/healthz", "/readyz", "/metrics")
    for site in made.app.sites:
        yield from (f"/sites/{site}", f"/sites/{site}/picture", f"/sites/{site}/look")
    yield "/sites/quiet-field?metric=arrivals&subject="
    yield from ("/observations", "/observations?site=quiet-field&metric=arrivals&since=2023-08&until=2023-09")
    yield from ("/observations?type=Tu-160", "/observations?metric=arrivals&by=month&as_recorded=2023-10-06")
    yield from ("/visits", "/visits?type=Il-62M&since=2023-07&until=2023-08", "/visits?registration=RA-86559")
    yield from (
        "/visits?class=vip&operator=KOR&confidence=2&sort=site",
        "/visits?site=quiet-field&callsign=X",
    )
    api = "/api/v1"
    yield from (f"{api}/totals?by=week&site=quiet-field", f"{api}/visits?class=vip&limit=1")
    yield from (f"{api}/alerts?class=vip_military&since=2023-07", f"{api}/alerts?subject=&cause={alert}")
    yield from (f"{api}/{each}" for each in ("sites", "observations", "visits", "alerts", "status"))
    yield f"{api}/observations?site=quiet-field&metric=arrivals&since=2023-09-01&until=2023-10-01"
    yield f"{api}/observations?site=quiet-field&as_of=2023-09-20&limit=5"
    yield f"{api}/observations?since=2023-09-01&until=2023-10-01&format=csv"
    yield f"{api}/observations?as_recorded=2023-09-20T00:00Z"
    yield from (f"{api}/aircraft?address=15521f", "/aircraft/15521f", "/aircraft/15521f?since=2023-07")
    yield from (f"{api}/detections", f"{api}/detections?metric=vehicles&limit=1&since=2023-08")
    for name in ("sites", "observations", "visits", "alerts", "detections"):
        at = f"/ogc/collections/{name}/items"
        yield from (at, f"{at}?bbox=-180,-90,180,90&datetime=2023-07-01/2023-10-01&limit=1")
        yield f"{at}?site=quiet-field"
    yield f"{api}/visits?site=quiet-field&status=presumed&since=2023-07-01&until=2023-10-01"
    yield from (
        f"{api}/polls?alert={alert}",
        f"{api}/polls?visit=quiet-field:15521f:1",
        f"{api}/polls?poll=1",
    )


def run_jobs(made: Rig) -> None:
    """Each job of the service once."""
    app = made.app
    pipeline.start(app, NOW)
    describe_service(app)
    pipeline.reload_sites(app, NOW)
    pipeline.tick(app, NOW)
    pipeline.make_pictures(app, NOW)
    pipeline.read_pixels(app, NOW)
    pipeline.watch_self(app, NOW)
    pipeline.watch_room(app, NOW)
    with writing(app.engine) as connection:
        told = {"subject": "A cause", "headline": "A cause.", "cause": {"told": [["al_x", 1]]}}
        enqueue(connection, identity="cause", kind="notice", channel="log", now=NOW - DAY, payload=told)
    pipeline.deliver(app, lambda: NOW + MINUTE, "test")
    pipeline.retain(app, NOW + 40 * DAY)
    pipeline.sign_of_life(app, (), NOW)


def _commands(alert: str) -> Iterator[Sequence[str]]:
    port, field = "busy-port", "quiet-field"
    yield from (("status",), ("status", "--json"), ("kept",))
    yield from (("history", field), ("history", port, "containers", "--format", "csv"))
    yield (
        "history",
        field,
        "arrivals",
        "--since",
        "2023-09-01",
        "--until",
        "2023-10-01",
        "--as-of",
        "2023-09-20",
    )
    yield from (
        ("visits", field, "--json"),
        ("visits", "--type", "Il-62M", "--format", "csv"),
        ("history", "--metric", "arrivals", "--by", "month"),
        ("alerts", "list", "--since", "2023-07", "--metric", "containers"),
        ("baseline", port, "containers"),
        ("backtest", field, "arrivals"),
    )
    yield from (("sites", "list"), ("sites", "show", port), ("sites", "check"))
    yield from (("imagery", "status"), ("imagery", "study", field), ("imagery", "read"))
    yield from (
        ("alerts", "list"),
        ("alerts", "show", alert),
        ("alerts", "ack", alert),
        ("alerts", "silence"),
    )
    yield from (("alerts", "silence", port, "--for", "2d"), ("alerts", "silence", port, "--lift"))
    yield from (("alerts", "resend"), ("aircraft", "show", "15521f"), ("aircraft", "heard", "15521f"))
    yield from (("aircraft", "update", "aircraft.csv"), ("aircraft", "show", "RA-86559"))
    yield from (("observations", "check", "counts.csv"), ("observations", "import", "counts.csv"))
    yield from (("backup", "copy.db"), ("restore", "copy.db"))


def run_commands(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command that reads or writes the database."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    with reading(engine) as connection:
        alert = alerts(connection)[0].id
    with closed_port() as port:
        write_settings(folder, port)
        for arguments in _commands(alert):
            with suppress(SystemExit):
                main(arguments)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
