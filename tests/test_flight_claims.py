"""Claims and estimates in the database: versions, apart from reports, forgotten in time; credits survive a restart."""

from dataclasses import replace
from datetime import timedelta

import httpx
from sqlalchemy import Engine

from db.engine import reading, writing
from db.flight_claims import claims, estimates, forget_claims, insert_claims, insert_estimates
from db.flight_records import EstimatedPosition, FlightClaim
from db.flights import fixes
from db.provider_states import read_state
from monitor.feeds import Provider
from monitor.feeds.fr24_live import Fr24AirportsFeed
from monitor.polling import poll_provider
from tests.cast import CAST
from tests.fake_feeds import NOON, client
from tests.feed_contract import FR24_POSITION, fr24_body

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
        assert forget_claims(connection, NOON, lambda who: who[0] == "15521f") == 0
        assert forget_claims(connection, NOON + HOUR, lambda who: who[0] == "15521f") == 2
    with reading(engine) as connection:
        assert claims(connection) == [CLAIM]
        assert estimates(connection, icao24s=["15521f"], since=NOON) == [ESTIMATE]
        assert estimates(connection, since=NOON + HOUR) == []


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
        assert [each.icao24 for each in estimates(connection)] == ["15521f"]
        credit = read_state(connection, "fr24", NOON).credits
    assert credit == {"since": "2023-08-01T00:00:00+00:00", "spent": 16.0, "left": 84.0}
    poll_provider(engine, feed(), CAST, NOON + HOUR)
    with reading(engine) as connection:
        state = read_state(connection, "fr24", NOON)
    assert state.credits is not None
    assert (state.credits["spent"], state.health) == (32.0, "ok")
