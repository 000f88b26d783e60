"""One bad byte, field, row or header costs itself and nothing else; what a provider says in words is shown."""

import gzip
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from monitor.feeds import NO_AIRCRAFT, FeedError, Fetched, Scope
from monitor.feeds.answers import retry_after_s
from monitor.feeds.opensky import OpenSkyFeed
from monitor.feeds.parsing import parse_json
from monitor.feeds.readsb import ReadsbFeed
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON, SECRET, aircraft, client, readsb_provider, v2_body
from tests.kit.feed_contract import CASES, OPENSKY_ROW, Case, opensky_body

PYONGYANG = Scope("circle:39.2241,125.6700,40", ("pyongyang",), 39.2241, 125.67, 40)
MS = int(NOON.timestamp() * 1000)


def fetch(body: bytes, **headers: str) -> Fetched:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    feed = ReadsbFeed(readsb_provider(), client(answer))
    return feed.fetch(PYONGYANG, (), purpose="data", now=NOON, since=None)


def opensky(*rows: Any) -> Fetched:
    body = opensky_body(*rows)
    provider = readsb_provider(kind="opensky", base_url="https://opensky.example/api")
    feed = OpenSkyFeed(provider, client(lambda _: httpx.Response(200, content=body)))
    (scope,) = feed.scopes([QUIET_FIELD])
    return feed.fetch(scope, (), purpose="data", now=NOON, since=None)


# --- the body -----------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "X-GZIP"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_label_of_gzip_is_not_taken_at_its_word(coding: str, packed: bool) -> None:
    body = v2_body(aircraft())
    fetched = fetch(gzip.compress(body) if packed else body, **{"content-encoding": coding})
    assert len(fetched.fixes) == 1


def test_a_byte_that_is_no_utf_8_costs_one_text() -> None:
    body = v2_body(aircraft(flight="KAL\u00e9 "), aircraft("15521e")).decode()
    latin = body.encode().replace(b"\\u00e9", "é".encode("latin-1"))
    fetched = fetch(latin)
    assert [fix.callsign for fix in fetched.fixes] == ["", "RSD86"]
    assert fetched.rejected == {"unusable flight": 1}


@pytest.mark.parametrize("printed", ["-inf", "inf", "nan", "-nan", "NaN", "-Infinity", "INF"])
@pytest.mark.parametrize("field", ["rssi", "gs", "alt_baro"])
def test_a_number_that_is_none_costs_one_field(printed: str, field: str) -> None:
    body = v2_body({**aircraft(flight="NAN123"), field: 12345678}, aircraft("15521e"))
    fetched = fetch(body.replace(b"12345678", printed.encode()))
    assert [fix.icao24 for fix in fetched.fixes] == ["15521f", "15521e"]
    assert fetched.fixes[0].callsign == "NAN123", "what stands in a text stays"


@pytest.mark.parametrize(
    "text", ['{"a": "x\ty"}', '{"a": "x\\"inf", "b": -inf}', '{"a": "[nan, -inf]", "b": nan}']
)
def test_texts_stay_as_they_are(text: str) -> None:
    read = parse_json(text.encode(), "here")
    assert read["a"] in {"x\ty", 'x"inf', "[nan, -inf]"}
    assert read.get("b") is None


def test_an_endless_number_costs_itself_where_something_else_is_wrong_too() -> None:
    assert parse_json(b'{"a": ' + b"9" * 5_000 + b', "b": 1}', "here") == {"a": None, "b": 1}


@pytest.mark.parametrize("body", [b"", b"[", b'{"a": }', b"\xff\xfe", b"infinite", b"{'a': 1}"])
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse_json(body, "here")


@pytest.mark.parametrize("first", [None, [], "", 7])
@pytest.mark.parametrize("names", [("ac", "aircraft"), ("aircraft", "ac")])
def test_the_list_that_is_there_is_read(first: object, names: tuple[str, str]) -> None:
    document = {names[0]: first, names[1]: [aircraft()], "now": MS}
    assert len(fetch(json.dumps(document).encode()).fixes) == 1


# --- rows ---------------------------------------------------------------------------------------


def test_of_an_aircraft_listed_twice_the_newest_report_is_kept() -> None:
    old, new = aircraft(seen_pos=50, lat=39.1), aircraft(seen_pos=1, lat=39.2)
    for rows in ((old, new), (new, old)):
        fetched = fetch(v2_body(*rows))
        assert [fix.lat for fix in fetched.fixes] == [39.2]
        assert fetched.rejected == {"the same aircraft twice": 1}
    older = [*OPENSKY_ROW[:3], OPENSKY_ROW[3] - 40, *OPENSKY_ROW[4:]]
    for states in ((older, OPENSKY_ROW), (OPENSKY_ROW, older)):
        found = opensky(*states)
        assert [fix.at for fix in found.fixes] == [NOON - timedelta(seconds=4)]
        assert found.rejected == {"the same aircraft twice": 1}


def test_capitals_in_an_address_are_an_address() -> None:
    assert [fix.icao24 for fix in opensky(["15521F", *OPENSKY_ROW[1:]]).fixes] == ["15521f"]


@pytest.mark.parametrize(
    "fields",
    [{"type": "adsb_icao_nt"}, {"category": "C2"}, {"category": "C0"}, {"category": "C7"}, {"t": "GND"}, {"t": "SERV"}, {"t": "TWR"}],
)  # fmt: skip
def test_what_does_not_fly_is_counted_and_is_no_aircraft(fields: dict[str, str]) -> None:
    fetched = fetch(v2_body({**aircraft(), **fields}, aircraft("15521e", category="A5")))
    assert [fix.icao24 for fix in fetched.fixes] == ["15521e"]
    assert fetched.rejected == {NO_AIRCRAFT: 1}


@pytest.mark.parametrize("category", [16, 17, 18, 19, 20])
def test_opensky_says_who_is_a_vehicle_or_an_obstacle(category: int) -> None:
    fetched = opensky([*OPENSKY_ROW, category], ["15521e", *OPENSKY_ROW[1:], 6])
    assert [fix.icao24 for fix in fetched.fixes] == ["15521e"]
    assert fetched.rejected == {NO_AIRCRAFT: 1}


@pytest.mark.parametrize("hex_code", ["000000", "~000000", "ffffff", "FFFFFF"])
def test_an_address_of_noughts_is_nobodys(hex_code: str) -> None:
    assert fetch(v2_body(aircraft(hex_code))).rejected == {"no valid address": 1}
    assert opensky([hex_code, *OPENSKY_ROW[1:]]).rejected == {"no valid address": 1}


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
@pytest.mark.parametrize("key", ["message", "msg", "error", "detail"])
def test_a_providers_own_words_are_shown_and_hold_no_secret(case: Case, key: str) -> None:
    said = {key: f"State data should be a JSON\nobject, {SECRET}."}
    feed = case.answering(json.dumps(said).encode())
    with pytest.raises(FeedError, match="It says: State data should be a JSON object, ") as caught:
        feed.fetch(feed.scopes([QUIET_FIELD])[0], [QUIET_FIELD], purpose="data", now=NOON, since=None)
    assert SECRET not in caught.value.reason


def test_an_empty_list_beside_a_complaint_is_a_failure() -> None:
    with pytest.raises(FeedError, match=r"complains\. It says: Rate limit exceeded"):
        fetch(v2_body(msg="Rate limit exceeded"))
    assert fetch(v2_body(aircraft(), msg="Rate limit exceeded")).fixes, "what is there is read"
    assert fetch(v2_body(msg="No error")).item_count == 0


# --- how long to wait ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "Tue, 01 Aug 2023 12:02:00 GMT"}, 120.0),
        ({"retry-after": "Tue, 01 Aug 2023 11:02:00 GMT"}, 0.0),
        ({"retry-after": "0", "x-rate-limit-retry-after-seconds": "22688"}, 22_688.0),
        ({"retry-after": "60", "x-rate-limit-retry-after-seconds": "5"}, 60.0),
        ({"retry-after": "Tue, 01 Aug 2023 12:02:00 GMT", "x-rate-limit-retry-after-seconds": "300"}, 300.0),
        ({"retry-after": "Tue, 01 Aug 2023 12:02:00 GMT", "date": "nonsense"}, 120.0),
    ],
)
def test_the_longest_wait_counts_and_a_date_without_a_date_is_by_our_clock(
    headers: dict[str, str], expected: float
) -> None:
    assert retry_after_s(httpx.Headers(headers), NOON) == expected
