"""Flightradar24: requests and shapes are those of the provider's own client, estimates are never reports, rows cost."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import fr24sdk.client
import httpx
import pytest
from fr24sdk.models import flight as shapes
from fr24sdk.models.geographic import Boundary

from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedError, Fetched, Provider, Scope
from monitor.feeds.claims import utc_instant
from monitor.feeds.fr24_flights import Fr24FlightsFeed
from monitor.feeds.fr24_live import Fr24AirportsFeed, Fr24LiveFeed
from tests.kit.cast import BUSY_PORT, CAST, QUIET_FIELD
from tests.kit.fake_feeds import NOON, Handler, client
from tests.kit.feed_contract import FR24_FLIGHT, FR24_POSITION, fr24_body

TOKEN = "t0ken-of-ours"
TRACK_POINT = {
    "timestamp": "2023-08-01T10:40:00Z", "lat": 40.9, "lon": 129.1, "alt": 33_000, "gspeed": 440, "vspeed": 0, "track": 231,
    "squawk": "1000", "callsign": "RFF7092", "source": "ADSB",
}  # fmt: skip
TRACK = [{"fr24_id": "391fdd79", "tracks": [TRACK_POINT, {**TRACK_POINT, "source": "ESTIMATED"}]}]
BOX = Scope("box:-52.60,-71.80,-51.20,-69.40", ("quiet-field",), box=(-52.6, -71.8, -51.2, -69.4))
AIRPORTS = Scope("airports:both:KP", ("quiet-field",))
FLIGHTS = Scope("flights:both:XQUF,both:KP", ("quiet-field",))


def feed_of(kind: Callable[..., Any], handler: Handler, **options: str) -> Any:
    provider = Provider(
        "fr24", "flightradar24", "https://fr24.example", 600, "plan", "Flightradar24",
        credentials={"token": TOKEN}, options=options,
    )  # fmt: skip
    return kind(provider, client(handler, "fr24", headers={}))


def fetch(feed: Feed, scope: Scope, now: datetime = NOON, since: datetime | None = None) -> Fetched:
    return feed.fetch(scope, (), purpose="data", now=now, since=since)


def serving(*rows: Any) -> Handler:
    return lambda _: httpx.Response(200, content=fr24_body(*rows))


class Recorder:
    """Answers with one body and keeps the requests."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, content=self.body)


# --- the provider's own client as the oracle ----------------------------------------------------


def asked_by_the_provider(
    body: bytes, ask: Callable[[fr24sdk.client.Client], object]
) -> tuple[httpx.Request, Any]:
    recorder = Recorder(body)
    base = httpx.Client(base_url="https://fr24.example", transport=httpx.MockTransport(recorder))
    with fr24sdk.client.Client(api_token=TOKEN, http_client=base) as theirs:
        read = ask(theirs)
    return recorder.requests[0], read


def same_request(ours: httpx.Request, theirs: httpx.Request) -> None:
    assert (ours.method, ours.url.path) == (theirs.method, theirs.url.path)
    assert dict(ours.url.params) == dict(theirs.url.params)
    for name in ("accept", "accept-version", "authorization"):
        assert ours.headers[name] == theirs.headers[name]


def test_live_positions_are_asked_for_and_read_as_the_providers_client_does() -> None:
    body = fr24_body(FR24_POSITION)
    mine = Recorder(body)
    (fix,) = fetch(feed_of(Fr24LiveFeed, mine), BOX).fixes
    theirs, read = asked_by_the_provider(
        body,
        lambda api: api.live.flight_positions.get_full(
            bounds=Boundary(north=-51.2, south=-52.6, west=-71.8, east=-69.4), data_sources=["ADSB", "MLAT"]
        ),
    )
    same_request(mine.requests[0], theirs)
    (row,) = read.data
    assert set(FR24_POSITION) == set(shapes.FlightPositionsFull.model_fields)
    assert (fix.lat, fix.lon, fix.altitude_ft) == (row.lat, row.lon, row.alt)
    assert (fix.ground_speed_kt, fix.vertical_rate_fpm, fix.track_deg) == (row.gspeed, row.vspeed, row.track)
    assert (fix.icao24, fix.callsign, fix.registration, fix.type_code) == (
        row.hex.lower(),
        row.callsign,
        row.reg,
        row.type,
    )
    assert fix.at == datetime.fromisoformat(row.timestamp)
    assert fix.source == "adsb_icao"


def test_the_light_form_is_read_too() -> None:
    light = {key: FR24_POSITION[key] for key in shapes.FlightPositionsLight.model_fields}
    mine = Recorder(fr24_body(light))
    (fix,) = fetch(feed_of(Fr24LiveFeed, mine, detail="light"), BOX).fixes
    theirs, read = asked_by_the_provider(
        mine.body,
        lambda api: api.live.flight_positions.get_light(
            bounds=Boundary(north=-51.2, south=-52.6, west=-71.8, east=-69.4), data_sources=["ADSB", "MLAT"]
        ),
    )
    same_request(mine.requests[0], theirs)
    assert fix.icao24 == read.data[0].hex.lower()
    assert (fix.registration, fix.type_code) == ("", "")


def test_airports_and_states_are_asked_for_as_the_providers_client_does() -> None:
    mine = Recorder(fr24_body(FR24_POSITION))
    fetch(feed_of(Fr24AirportsFeed, mine), AIRPORTS)
    theirs, _ = asked_by_the_provider(
        mine.body, lambda api: api.live.flight_positions.get_full(airports=["both:KP"])
    )
    same_request(mine.requests[0], theirs)


def test_summaries_are_asked_for_and_read_as_the_providers_client_does() -> None:
    mine = Recorder(fr24_body(FR24_FLIGHT))
    (claim,) = fetch(feed_of(Fr24FlightsFeed, mine), FLIGHTS).claims
    theirs, read = asked_by_the_provider(
        mine.body,
        lambda api: api.flight_summary.get_full(
            flight_datetime_from=NOON - timedelta(hours=48),
            flight_datetime_to=NOON,
            airports=["both:XQUF", "both:KP"],
        ),
    )
    same_request(mine.requests[0], theirs)
    (row,) = read.data
    assert set(FR24_FLIGHT) == set(shapes.FlightSummaryFull.model_fields)
    assert (claim.flight_id, claim.icao24, claim.operator) == (row.fr24_id, row.hex.lower(), row.operating_as)
    assert (claim.origin, claim.destination, claim.actual_destination) == (row.orig_icao, row.dest_icao, "")
    assert (claim.registration, claim.type_code, claim.ended) == (row.reg, row.type, row.flight_ended)
    assert claim.took_off_at == datetime.fromisoformat(row.datetime_takeoff).replace(tzinfo=UTC)
    assert claim.last_seen_at == datetime.fromisoformat(row.last_seen).replace(tzinfo=UTC)
    # Ended without a landing: their lost flight.
    assert (claim.landed_at, claim.estimated) == (None, False)
    assert claim.quality == {"flight_time": 4000.0, "actual_distance": 610.5, "circle_distance": 712.0}


def test_tracks_are_asked_for_and_read_as_the_providers_client_does() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        track = request.url.path.endswith("/flight-tracks")
        return httpx.Response(200, content=json.dumps(TRACK).encode() if track else fr24_body(FR24_FLIGHT))

    asked: list[httpx.Request] = []
    fetched = fetch(feed_of(Fr24FlightsFeed, serve, tracks="true"), FLIGHTS)
    theirs, read = asked_by_the_provider(
        json.dumps(TRACK).encode(), lambda api: api.flight_tracks.get(flight_id="391fdd79")
    )
    same_request(asked[1], theirs)
    heard, reckoned = read.data[0].tracks
    (fix,) = fetched.fixes
    (estimate,) = fetched.estimates
    assert set(TRACK_POINT) == set(shapes.FlightTrackPoint.model_fields)
    assert (fix.icao24, fix.lat, fix.altitude_ft, fix.callsign) == (
        "15521f",
        heard.lat,
        heard.alt,
        heard.callsign,
    )
    assert (estimate.icao24, estimate.at) == ("15521f", datetime.fromisoformat(reckoned.timestamp))
    assert len(fetched.bodies) == 2


# --- what must never be a report ----------------------------------------------------------------


def test_an_estimate_is_stored_apart_with_where_it_is_said_to_go() -> None:
    fetched = fetch(feed_of(Fr24AirportsFeed, serving({**FR24_POSITION, "source": "ESTIMATED"})), AIRPORTS)
    assert fetched.fixes == ()
    (estimate,) = fetched.estimates
    assert (estimate.origin, estimate.destination) == ("UHWW", "ZKPY")
    assert estimate.eta == datetime(2023, 8, 1, 12, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hex": None}, "no valid address"),
        ({"timestamp": "2023-08-01T11:40:00Z"}, "stale position"),
        ({"timestamp": "2023-08-01T12:20:00Z"}, "time in the future"),
        ({"timestamp": 1690891200}, "no position"),
        ({"lat": None}, "no position"),
        ({"lat": 10.0}, "outside the box"),
    ],
)
def test_what_cannot_be_believed_is_counted(changes: Mapping[str, Any], reason: str) -> None:
    fetched = fetch(feed_of(Fr24LiveFeed, serving({**FR24_POSITION, **changes})), BOX)
    assert (fetched.fixes, fetched.item_count) == ((), 1)
    assert fetched.rejected == {reason: 1}


def test_an_altitude_of_zero_proves_nothing() -> None:
    (fix,) = fetch(feed_of(Fr24LiveFeed, serving({**FR24_POSITION, "alt": 0})), BOX).fixes
    assert (fix.altitude_ft, fix.on_ground) == (None, None)


def test_the_same_aircraft_is_reported_once() -> None:
    fetched = fetch(feed_of(Fr24LiveFeed, serving(FR24_POSITION, FR24_POSITION)), BOX)
    assert (len(fetched.fixes), fetched.rejected) == (1, {"the same aircraft twice": 1})


def test_a_time_without_zone_is_utc() -> None:
    assert utc_instant("2023-08-01T10:00:00") == datetime(2023, 8, 1, 10, tzinfo=UTC)
    assert utc_instant("2023-08-01T10:00:00+09:00") == datetime(2023, 8, 1, 1, tzinfo=UTC)
    assert utc_instant("2023-08-01 at ten....") is None


# --- credits and manners ------------------------------------------------------------------------


def test_rows_are_paid_for_and_the_reserve_is_left() -> None:
    feed = feed_of(
        Fr24LiveFeed, serving(FR24_POSITION), credits="20", reserve_credits="10", credits_a_row="5"
    )
    fetch(feed, BOX)
    fetch(feed, BOX)
    with pytest.raises(FeedError, match=r"only 10 of this month's credits") as caught:
        fetch(feed, BOX)
    assert (caught.value.status, caught.value.retry_after_s, caught.value.ends_round) == (402, None, True)


def test_402_waits_for_the_next_period_a_person_or_a_restart() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(402, json={"message": "Upgrade your plan"})

    feed = feed_of(Fr24LiveFeed, answer, credits_period="day")
    with pytest.raises(FeedError, match=r"answered 402.* It goes on after 2023-08-02 00:00 UTC") as caught:
        fetch(feed, BOX)
    assert "It says: Upgrade your plan." in caught.value.reason
    assert (caught.value.status, caught.value.retry_after_s, caught.value.ends_round) == (402, None, True)
    with pytest.raises(FeedError, match="only 0 of this day's credits"):
        fetch(feed, BOX)
    assert len(asked) == 1
    remembered = feed.ledger.stored(NOON)
    feed.ledger.lift()
    with pytest.raises(FeedError, match="answered 402"):
        fetch(feed, BOX)
    restarted = feed_of(Fr24LiveFeed, answer, credits_period="day")
    restarted.ledger.restore(remembered, NOON)
    with pytest.raises(FeedError, match="answered 402"):
        fetch(restarted, BOX)
    assert len(asked) == 3


def test_larger_credits_count_at_once() -> None:
    spent = feed_of(Fr24LiveFeed, serving(FR24_POSITION), credits="8", credits_a_row="8")
    fetch(spent, BOX)
    with pytest.raises(FeedError, match="only 0 of this month's credits"):
        fetch(spent, BOX)
    larger = feed_of(Fr24LiveFeed, serving(FR24_POSITION), credits="80", credits_a_row="8")
    larger.ledger.restore(spent.ledger.stored(NOON), NOON)
    assert fetch(larger, BOX).item_count == 1


def test_an_answer_at_the_plans_limit_may_lack_some_and_is_a_failure() -> None:
    feed = feed_of(Fr24LiveFeed, serving(FR24_POSITION), row_limit="1")
    with pytest.raises(FeedError, match="all that the plan gives at once"):
        fetch(feed, BOX)
    canary = feed.canary(BOX)
    assert feed.fetch(canary, (), purpose="canary", now=NOON, since=None).item_count == 1


def test_without_a_token_nothing_is_asked() -> None:
    recorder = Recorder(b"")
    provider = Provider("fr24", "flightradar24", "https://fr24.example", 600, "plan", "Flightradar24")
    with pytest.raises(FeedError, match="needs a token"):
        fetch(Fr24LiveFeed(provider, client(recorder, "fr24")), BOX)
    assert recorder.requests == []


@pytest.mark.parametrize("options", [{"detail": "count"}, {"credits_period": "week"}, {"row_limit": "x"}])
def test_an_option_that_cannot_be_used_says_so(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="fr24"):
        feed_of(Fr24LiveFeed, serving(), **options)


def test_many_airports_are_parted_and_a_port_has_none() -> None:
    feed = feed_of(Fr24FlightsFeed, serving(), airports="both:KP")
    (scope,) = feed.scopes(CAST)
    assert scope.key == "flights:both:XDLS,both:XDNT,both:XQUF,both:KP"
    assert not feed.scopes([BUSY_PORT])
    airports = feed_of(Fr24AirportsFeed, serving(), airports=",".join(f"both:X{n:03}" for n in range(16)))
    assert [len(scope.key.split(",")) for scope in airports.scopes([QUIET_FIELD])] == [15, 1]
    assert not airports.scopes([BUSY_PORT])


def test_summaries_reach_back_and_tracks_are_fetched_once_and_within_bounds() -> None:
    ids = ["391fdd79", "391fdd7a", "391fdd7b"]
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.path.endswith("/flight-tracks"):
            return httpx.Response(200, json=[{"fr24_id": request.url.params["flight_id"], "tracks": []}])
        return httpx.Response(200, content=fr24_body(*({**FR24_FLIGHT, "fr24_id": each} for each in ids), 7))

    feed = feed_of(Fr24FlightsFeed, serve, tracks="true", max_tracks="2")
    fetched = fetch(feed, FLIGHTS, since=NOON - timedelta(hours=6))
    assert asked[0].url.params["flight_datetime_from"] == "2023-07-31 12:00:00"
    assert [request.url.params["flight_id"] for request in asked[1:]] == ids[:2]
    assert fetched.rejected == {"tracks beyond max_tracks": 1, "unusable flight": 1}
    asked.clear()
    fetch(feed, FLIGHTS, since=NOON - timedelta(minutes=5))
    assert len(asked) == 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'[{"fr24_id": "other", "tracks": []}]', b'[{"tracks": 1}]'])
def test_a_track_that_is_none_is_a_failure(body: bytes) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        track = request.url.path.endswith("/flight-tracks")
        return httpx.Response(200, content=body if track else fr24_body(FR24_FLIGHT))

    with pytest.raises(FeedError, match="no track of the flight that was asked for"):
        fetch(feed_of(Fr24FlightsFeed, serve, tracks="true"), FLIGHTS)
