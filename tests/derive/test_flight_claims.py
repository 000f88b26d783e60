"""Claims and estimates in the database: versions, apart from reports, forgotten in time; credits survive a restart."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from db.engine import open_engine, reading, writing
from db.flight_claims import (
    claims,
    estimates,
    forget_claims,
    insert_claims,
    insert_estimates,
    unwatched_claims,
)
from db.flights import fixes
from db.migrate import migrate
from db.provider_states import read_state
from db.records.claims import EstimatedPosition, FlightClaim, KnownAircraft
from monitor.cli import app as command_line
from monitor.feeds import Provider
from monitor.feeds.fr24_live import Fr24AirportsFeed
from monitor.flights.claims import anonymised_claim, claim_sentence
from monitor.flights.places import place_of
from monitor.poll.rounds import poll_provider
from tests.kit.cast import CAST, QUIET_FIELD, write_cast
from tests.kit.fake_feeds import NOON, client
from tests.kit.feed_contract import FR24_POSITION, fr24_body
from tests.kit.flying import Cruise, World

HOUR = timedelta(hours=1)
CLAIM = FlightClaim(
    provider="flightradar24-flights",
    flight_id="391fdd79",
    received_at=NOON,
    icao24="15521f",
    registration="RA-86559",
    origin="UHWW",
    destination="ZKPY",
    first_seen_at=NOON - HOUR,
    last_seen_at=NOON,
    ended=False,
    quality={"actual_distance": 610.5},
)
ESTIMATE = EstimatedPosition("flightradar24-airports", "15521f", NOON, NOON, 40.0, 127.0, destination="ZKPY")


def test_a_claim_gets_a_version_only_when_it_says_something_new(engine: Engine) -> None:
    landed = replace(
        CLAIM, landed_at=NOON + HOUR, actual_destination="ZKPY", ended=True, received_at=NOON + HOUR
    )
    with writing(engine) as connection:
        assert [each.version for each in insert_claims(connection, [CLAIM])] == [1]
        assert insert_claims(connection, [replace(CLAIM, received_at=NOON + HOUR, poll_id=7)]) == []
        assert insert_claims(connection, [landed]) == [replace(landed, version=2)]
        assert insert_claims(connection, [CLAIM])[0].version == 3
    with reading(engine) as connection:
        (newest,) = claims(connection, airports=["ZKPY"], since=NOON - HOUR, until=NOON)
        assert newest.version == 3
        assert claims(connection, airports=["ZKWS"]) == []
        assert claims(connection, icao24s=["15521f"], since=NOON + HOUR) == []


def test_what_nobody_watches_is_forgotten(engine: Engine) -> None:
    other = replace(CLAIM, flight_id="1", icao24="3950c7", registration="F-GUGK")
    with writing(engine) as connection:
        insert_claims(connection, [CLAIM, other])
        insert_estimates(connection, [ESTIMATE, ESTIMATE, replace(ESTIMATE, icao24="3950c7")])
        assert unwatched_claims(connection, NOON, lambda who: who[0] == "15521f") == []
        later = NOON + HOUR
        claimed = unwatched_claims(connection, later, lambda who: who[0] == "15521f")
        assert forget_claims(connection, claimed, later) == 2
    with reading(engine) as connection:
        assert claims(connection) == [CLAIM]
        assert estimates(connection, icao24s=["15521f"], since=NOON) == [ESTIMATE]
        assert estimates(connection, icao24s=["15521f"], since=NOON + HOUR) == []


def test_estimates_never_become_reports_and_what_was_paid_is_remembered(engine: Engine) -> None:
    rows = [{**FR24_POSITION, "source": "ESTIMATED"}, {**FR24_POSITION, "hex": "154F53"}]

    def feed() -> Fr24AirportsFeed:
        provider = Provider(
            "fr24", "flightradar24_airports", "https://fr24.example", 600, "plan", "Flightradar24",
            credentials={"token": "t0ken"}, options={"credits": "100", "credits_period": "day"},
        )  # fmt: skip
        return Fr24AirportsFeed(
            provider, client(lambda _: httpx.Response(200, content=fr24_body(*rows)), "fr24")
        )

    (report,) = poll_provider(engine, feed(), CAST, NOON)
    assert (report.outcome, report.fixes) == ("ok", 1)
    with reading(engine) as connection:
        assert [fix.icao24 for fix in fixes(connection)] == ["154f53"]
        assert [each.icao24 for each in estimates(connection, icao24s=["15521f", "3950c7"])] == ["15521f"]
        credit = read_state(connection, "fr24", NOON).credits
    assert credit == {"since": "2023-08-01T00:00:00+00:00", "spent": 16.0, "left": 84.0}
    poll_provider(engine, feed(), CAST, NOON + HOUR)
    with reading(engine) as connection:
        state = read_state(connection, "fr24", NOON)
    assert state.credits is not None
    assert (state.credits["spent"], state.health) == (32.0, "ok")


GUESS = FlightClaim(
    provider="opensky-flights",
    flight_id="15521f-1",
    received_at=NOON,
    icao24="15521f",
    callsign="RFF7092",
    origin="UHWW",
    destination="XQUF",
    first_seen_at=NOON - HOUR,
    last_seen_at=NOON,
    ended=True,
    estimated=True,
    quality={"estArrivalAirportHorizDistance": 31_000, "arrivalAirportCandidatesCount": 4},
)


@pytest.mark.parametrize(
    ("claim", "code", "words"),
    [
        (GUESS, "XQUF", "opensky-flights guesses: RFF7092 from UHWW to XQUF, last seen 2023-08-01 12:00 UTC (31 km from the airport, 4 airports possible)."),
        (GUESS, "UHWW", "opensky-flights guesses: RFF7092 from UHWW to XQUF, last seen 2023-08-01 12:00 UTC."),
        (replace(CLAIM, ended=True), "ZKPY", "flightradar24-flights says: RA-86559 from UHWW to ZKPY, last seen 2023-08-01 12:00 UTC, no landing known."),
        (replace(CLAIM, landed_at=NOON, actual_destination="ZKWS", type_code="IL62"), "ZKPY", "flightradar24-flights says: RA-86559 (IL62) from UHWW to ZKWS (planned: ZKPY), landed 2023-08-01 12:00 UTC."),
        (FlightClaim("x", "1", NOON), "ZKPY", "x says: an aircraft that is not named from a place not known to a place not known, no time given."),
    ],
)  # fmt: skip
def test_a_claim_says_whose_word_it_is_and_how_good(claim: FlightClaim, code: str, words: str) -> None:
    assert claim_sentence(claim, code) == words


def test_an_aircraft_that_asked_not_to_be_named_is_not_named_in_claims() -> None:
    register = {"15521f": KnownAircraft("15521f", flags=8)}
    hidden = anonymised_claim(CLAIM, register)
    assert "15521f" not in repr(hidden)
    assert "RA-86559" not in repr(hidden)
    assert anonymised_claim(CLAIM, {}) == CLAIM


def test_claims_stand_below_the_visits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_cast(tmp_path)
    runner = CliRunner()
    engine = open_engine("sqlite:///var/sitewatch.db")
    migrate(engine)
    with writing(engine) as connection:
        insert_claims(connection, [GUESS, CLAIM])
    engine.dispose()
    said = runner.invoke(command_line, ["visits", "quiet-field"]).output
    assert "Claimed by others, not counted:\n  – opensky-flights guesses: RFF7092 from UHWW to XQUF" in said
    assert "RA-86559" not in said
    document = json.loads(runner.invoke(command_line, ["visits", "quiet-field", "--json"]).output)
    assert [each["flight_id"] for each in document["claims"]] == ["15521f-1"]
    assert document["attributions"]["adsb.lol-archive"].startswith("adsb.lol contributors, ODbL 1.0")


@pytest.mark.parametrize(("destination", "states"), [("", []), ("XQUF", ["lost_toward"]), ("ZBAA", [])])
def test_a_destination_that_is_claimed_says_where_an_aircraft_was_lost_to(
    engine: Engine, destination: str, states: list[str]
) -> None:
    world = World(engine, (QUIET_FIELD,))
    place = place_of(QUIET_FIELD)
    # So far out that the direction alone does not say it.
    cruise = Cruise(place.lat, place.lon, 20, off_deg=40).towards(330)
    claim = replace(CLAIM, destination=destination, first_seen_at=cruise.at - HOUR, last_seen_at=cruise.at)
    with writing(engine) as connection:
        insert_claims(connection, [claim] if destination else [])
    world.live(cruise.fixes, until=cruise.at + timedelta(minutes=8))
    assert [visit.state for visit in world.visits()] == states
