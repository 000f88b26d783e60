"""OpenSky's flights and tracks: guesses are kept as claims, an empty 404 is a zero, and credits are counted apart."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedError, Fetched, Provider, Scope
from monitor.feeds.opensky_flights import OpenSkyFlightsFeed
from monitor.feeds.opensky_tracks import TRACK_SOURCE, OpenSkyTracksFeed
from tests.kit.cast import BUSY_PORT, CAST, QUIET_FIELD
from tests.kit.fake_feeds import NOON, Handler, client
from tests.kit.feed_contract import OPENSKY_FLIGHT, OPENSKY_TRACK

KEYS = {"client_id": "me", "client_secret": "s3cret-of-ours"}


def provider(kind: str, **fields: Any) -> Provider:
    return Provider("sky", kind, "https://sky.example/api", 7200, "research", "OpenSky", **fields)


def flights(handler: Handler, **fields: Any) -> OpenSkyFlightsFeed:
    return OpenSkyFlightsFeed(provider("opensky_flights", **fields), client(handler, "sky", headers={}))


def tracks(handler: Handler, **fields: Any) -> OpenSkyTracksFeed:
    return OpenSkyTracksFeed(provider("opensky_tracks", **fields), client(handler, "sky", headers={}))


def fetch(feed: Feed, key: str, now: datetime = NOON) -> Fetched:
    return feed.fetch(Scope(key, ("quiet-field",)), (), purpose="data", now=now, since=None)


def answer(document: object, status: int = 200) -> Handler:
    return lambda _: httpx.Response(status, content=json.dumps(document).encode())


def test_the_day_that_ended_last_is_asked_for_within_one_utc_day() -> None:
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(404)

    fetched = fetch(flights(serve), "departure:XQUF")
    assert (fetched.item_count, fetched.http_status, fetched.claims) == (0, 404, ())
    (request,) = asked
    assert request.url.path == "/api/flights/departure"
    begin, end = (datetime.fromtimestamp(int(request.url.params[name]), UTC) for name in ("begin", "end"))
    assert (begin, end) == (datetime(2023, 7, 31, tzinfo=UTC), datetime(2023, 7, 31, 23, 59, 59, tzinfo=UTC))
    assert request.url.params["airport"] == "XQUF"


def test_a_guess_is_kept_with_what_is_said_of_it() -> None:
    (claim,) = fetch(flights(answer([OPENSKY_FLIGHT])), "arrival:XQUF").claims
    assert (claim.icao24, claim.callsign, claim.origin, claim.destination) == (
        "15521f",
        "RFF7092",
        "UHWW",
        "XQUF",
    )
    assert (claim.estimated, claim.landed_at, claim.actual_destination) == (True, None, "")
    assert claim.last_seen_at == NOON - timedelta(seconds=80_000)
    assert claim.quality["arrivalAirportCandidatesCount"] == 4
    assert claim.quality["estArrivalAirportHorizDistance"] == 31_000
    assert claim.flight_id == "15521f-20230731T110000"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"estArrivalAirport": None}, "another airport"),
        ({"estArrivalAirport": "UHWW"}, "another airport"),
        ({"icao24": "~15521f"}, "no valid address"),
        ({"lastSeen": 5}, "impossible times"),
        ({"lastSeen": None}, "impossible times"),
        ({"lastSeen": int(NOON.timestamp()) + 900}, "impossible times"),
    ],
)
def test_a_claim_about_another_place_or_time_is_counted_not_kept(
    changes: dict[str, Any], reason: str
) -> None:
    fetched = fetch(flights(answer([{**OPENSKY_FLIGHT, **changes}, 7])), "arrival:XQUF")
    assert fetched.claims == ()
    assert fetched.rejected == {reason: 1, "not an object": 1}


def test_a_404_with_words_is_a_failure() -> None:
    with pytest.raises(FeedError, match="404 with a text") as caught:
        fetch(flights(answer({"error": "no such path"}, 404)), "arrival:XQUF")
    assert caught.value.status == 404


def test_each_airport_of_the_sites_is_asked_for_both_ways() -> None:
    feed = flights(answer([]))
    assert [scope.key for scope in feed.scopes([QUIET_FIELD, BUSY_PORT])] == [
        "arrival:XQUF",
        "departure:XQUF",
    ]
    canary = feed.canary(feed.scopes(CAST)[0])
    assert canary is not None
    assert canary.key == "arrival:RKSI"


def test_flights_pay_from_a_bucket_of_their_own_and_stop_before_it_is_empty() -> None:
    feed = flights(answer([OPENSKY_FLIGHT]), options={"credits_a_day": "9", "reserve_credits": "1"})
    fetch(feed, "arrival:XQUF")
    fetch(feed, "arrival:XQUF")
    with pytest.raises(FeedError, match=r"only 1 of this day's credits are left.* costs 4") as caught:
        fetch(feed, "arrival:XQUF")
    assert (caught.value.status, caught.value.retry_after_s, caught.value.ends_round) == (402, None, True)
    assert fetch(feed, "arrival:XQUF", NOON + timedelta(days=1)).rejected == {}
    assert tracks(answer(OPENSKY_TRACK)).ledger.left(NOON) == 400
    assert tracks(answer(OPENSKY_TRACK), credentials=KEYS).ledger.left(NOON) == 4000


def test_what_the_server_says_is_left_counts_and_is_remembered_over_a_restart() -> None:
    def serve(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, headers={"X-Rate-Limit-Remaining": "3"})

    feed = flights(serve)
    fetch(feed, "arrival:XQUF")
    stored = feed.ledger.stored(NOON)
    assert (stored["spent"], stored["left"]) == (4, 3)
    again = flights(serve)
    again.ledger.restore(stored, NOON)
    with pytest.raises(FeedError, match="only 3 of"):
        fetch(again, "arrival:XQUF")
    tomorrow = flights(serve)
    tomorrow.ledger.restore(stored, NOON + timedelta(days=1))
    fetch(tomorrow, "arrival:XQUF", NOON + timedelta(days=1))


def test_a_token_never_shows_even_where_the_server_repeats_it() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "short-lived-t0ken", "expires_in": 1800})
        return httpx.Response(500, content=f"you sent {request.headers['authorization']}".encode())

    with pytest.raises(FeedError) as caught:
        fetch(flights(serve, credentials=KEYS), "arrival:XQUF")
    assert "short-lived-t0ken" not in caught.value.reason
    assert b"short-lived-t0ken" not in caught.value.body


# --- tracks -------------------------------------------------------------------------------------


def test_a_track_becomes_position_reports() -> None:
    (fix,) = fetch(tracks(answer(OPENSKY_TRACK)), "track:154f53").fixes
    assert (fix.icao24, fix.callsign, fix.source) == ("154f53", "RFF7092", TRACK_SOURCE)
    assert (fix.at, fix.received_at) == (NOON - timedelta(seconds=60), NOON)
    assert (fix.altitude_ft, fix.track_deg, fix.on_ground) == (9842.5, 171.0, False)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ([1], "not a waypoint"),
        (None, "not a waypoint"),
        ([None, 1, 2, 3, 4, True], "no position"),
        ([int(NOON.timestamp()), 95, 2, 3, 4, True], "no position"),
        ([int(NOON.timestamp()) + 600, 1, 2, 3, 4, True], "time in the future"),
    ],
)
def test_a_waypoint_that_cannot_be_is_counted(point: object, reason: str) -> None:
    fetched = fetch(tracks(answer({**OPENSKY_TRACK, "path": [point]})), "track:154f53")
    assert (fetched.fixes, fetched.rejected) == ((), {reason: 1})


def test_the_track_of_another_aircraft_is_a_failure() -> None:
    with pytest.raises(FeedError, match="no track of this aircraft"):
        fetch(tracks(answer(OPENSKY_TRACK)), "track:15521f")


def test_an_aircraft_on_the_ground_has_no_track() -> None:
    assert fetch(tracks(lambda _: httpx.Response(404)), "track:154f53").item_count == 0


def test_watched_aircraft_are_asked_for_one_by_one() -> None:
    asked = tracks(answer([]), options={"icao24": "15521F, 154f53"}).scopes(CAST)
    assert [scope.key for scope in asked] == ["track:15521f", "track:154f53"]
    assert "track:1551df" in {scope.key for scope in tracks(answer([])).scopes(CAST)}
    assert not tracks(answer([])).scopes([BUSY_PORT])
    with pytest.raises(SettingsError, match="six hexadecimal digits"):
        tracks(answer([]), options={"icao24": "RA-86559"})
