"""OpenSky's wire format, its tokens and its credits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box as rectangle

from db.records import Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedError, Provider, Scope
from monitor.feeds.boxes import BoundingBox, boxes_around, merge_boxes
from monitor.feeds.opensky import OpenSkyFeed, credit_cost
from tests.kit.builders import at
from tests.kit.cast import BUSY_PORT, DATELINE_STRIP, QUIET_FIELD

NOW = at("2023-10-05T12:00")
BOX = Scope("box:37.00,123.00,46.00,135.00", ("x",), box=(37.0, 123.0, 46.0, 135.0))
ROW: list[Any] = [
    "15521f", "RFF7092 ", "Russia", NOW.timestamp() - 4, NOW.timestamp() - 1, 131.5, 42.5, 9144.0, False, 231.5, 210.0,
    -2.5, None, 9300.0, "1000", False, 0,
]  # fmt: skip


@dataclass
class Client:
    """Answers in order and keeps what it was asked."""

    answers: list[Answer | FeedError]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        purpose: Purpose,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (200,),
    ) -> Answer:
        self.asked.append(
            {"url": url, "purpose": purpose, "params": params, "form": form, "headers": headers}
        )
        answer = self.answers.pop(0)
        if isinstance(answer, FeedError):
            raise answer
        return answer


def provider(**fields: Any) -> Provider:
    return Provider("opensky", "opensky", "https://feed.example/api", 120, "research", "OpenSky", **fields)


def states(rows: object, seconds: float | None = None, **headers: str) -> Answer:
    body = {"time": NOW.timestamp() if seconds is None else seconds, "states": rows}
    return Answer(200, json.dumps(body).encode(), headers, "https://feed.example/api/states/all")


def token(lasts_s: int = 1800) -> Answer:
    body = {"access_token": "t0ken", "expires_in": lasts_s}
    return Answer(200, json.dumps(body).encode(), {}, "https://auth.example/token")


def fetch(client: Client, scope: Scope = BOX, **fields: Any) -> Any:
    return OpenSkyFeed(provider(**fields), client).fetch(scope, (), purpose="data", now=NOW, since=None)


KEYS: dict[str, Any] = {"credentials": {"client_id": "me", "client_secret": "s3cret"}}


def test_units_are_the_fields_own() -> None:
    (fix,) = fetch(Client([states([ROW])])).fixes
    assert (fix.icao24, fix.callsign, fix.lat, fix.lon) == ("15521f", "RFF7092", 42.5, 131.5)
    assert (fix.altitude_ft, fix.ground_speed_kt, fix.vertical_rate_fpm) == (30000.0, 450.0, -492.1)
    assert (fix.at, fix.on_ground, fix.source) == (NOW - timedelta(seconds=4), False, "adsb_icao")


@pytest.mark.parametrize("rows", [None, []])
def test_null_and_an_empty_list_both_say_that_nothing_was_seen(rows: object) -> None:
    fetched = fetch(Client([states(rows)]))
    assert (fetched.item_count, fetched.fixes) == (0, ())


def test_further_fields_are_ignored_and_missing_ones_refused() -> None:
    fetched = fetch(Client([states([[*ROW, 7, "new"], ROW[:16], "x", None])]))
    assert len(fetched.fixes) == 1
    assert fetched.rejected == {"not a state vector": 3}


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        (0, "XYZ", "no valid address"),
        (5, None, "no position"),
        (6, 91, "impossible position"),
        (3, None, "no position"),
        (3, NOW.timestamp() - 61, "stale position"),
        (3, NOW.timestamp() + 500, "time in the future"),
    ],
)
def test_what_cannot_be_believed_is_counted(column: int, value: object, why: str) -> None:
    row = list(ROW)
    row[column] = value
    fetched = fetch(Client([states([row])]))
    assert (fetched.fixes, fetched.rejected) == ((), {why: 1})


@pytest.mark.parametrize("seconds", [NOW.timestamp() - 600, NOW.timestamp() + 600])
def test_a_clock_that_stopped_is_a_failure(seconds: float) -> None:
    with pytest.raises(FeedError, match="clock"):
        fetch(Client([states([ROW], seconds)]))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"states": []}', b'{"time": 1696507200, "states": {}}'])
def test_another_shape_is_a_failure(body: bytes) -> None:
    with pytest.raises(FeedError):
        fetch(Client([Answer(200, body, {}, "https://feed.example")]))


def test_a_token_is_kept_until_half_a_minute_before_its_end() -> None:
    client = Client([])
    feed = OpenSkyFeed(provider(**KEYS), client)
    for seconds, answers in ((0, [token()]), (1769, []), (1771, [token()])):
        later = NOW + timedelta(seconds=seconds)
        client.answers = [*answers, states([], later.timestamp())]
        feed.fetch(BOX, (), purpose="data", now=later, since=None)
    assert [each["purpose"] for each in client.asked] == ["token", "data", "data", "token", "data"]
    assert client.asked[1]["headers"] == {"Authorization": "Bearer t0ken"}
    assert client.asked[0]["form"]["grant_type"] == "client_credentials"


def test_a_refused_token_is_renewed_once() -> None:
    refused = FeedError("401", status=401)
    client = Client([token(), refused, token(), states([])])
    fetch(client, **KEYS)
    assert [each["purpose"] for each in client.asked] == ["token", "data", "token", "data"]
    with pytest.raises(FeedError, match="401"):
        fetch(Client([token(), refused, token(), FeedError("401", status=401)]), **KEYS)


def test_wrong_keys_are_said_as_that_and_asked_about_once() -> None:
    for status in (400, 401):
        body = b'{"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}'
        client = Client([FeedError("refused", status=status, body=body)])
        with pytest.raises(FeedError, match="client_id and client_secret are refused") as caught:
            fetch(client, **KEYS)
        assert "It says: Invalid client or Invalid client credentials." in caught.value.reason
        assert (len(client.asked), caught.value.disable, caught.value.ends_round) == (1, False, status == 401)


def test_one_403_of_the_token_server_is_tried_again_and_the_second_is_a_refusal() -> None:
    refused = FeedError("403", status=403, disable=True)
    client = Client([refused, token(), states([])])
    feed = OpenSkyFeed(provider(**KEYS), client)
    scope = feed.scopes([QUIET_FIELD])[0]

    def ask(now: datetime) -> None:
        feed.fetch(scope, (), purpose="data", now=now, since=None)

    with pytest.raises(FeedError, match="once more") as caught:
        ask(NOW)
    assert not caught.value.disable
    ask(NOW)
    client.answers = [refused, refused]
    later = NOW + timedelta(hours=1)
    for disabled in (False, True):
        with pytest.raises(FeedError) as caught:
            ask(later)
        assert caught.value.disable == disabled


def test_without_credentials_nothing_is_sent_along() -> None:
    client = Client([states([])])
    fetch(client)
    assert client.asked[0]["headers"] == {}
    with pytest.raises(SettingsError, match="client_secret"):
        OpenSkyFeed(provider(credentials={"client_id": "me"}), client)


def test_a_token_answer_without_a_token_says_so() -> None:
    with pytest.raises(FeedError, match="access_token"):
        fetch(Client([Answer(200, b"{}", {}, "https://auth.example")]), **KEYS)


def test_the_last_credits_are_not_spent() -> None:
    limits: dict[str, Any] = {"X-Rate-Limit-Remaining": "2"}
    client = Client([states([], **limits), states([])])
    feed = OpenSkyFeed(provider(), client)
    feed.fetch(BOX, (), purpose="data", now=NOW, since=None)
    with pytest.raises(FeedError, match="credits") as caught:
        feed.fetch(BOX, (), purpose="data", now=NOW, since=None)
    assert (caught.value.status, caught.value.retry_after_s, caught.value.ends_round) == (402, None, True)
    assert len(client.asked) == 1


def test_prices_are_by_area() -> None:
    def priced(width: float, height: float) -> int:
        return credit_cost(Scope("", (), box=(0.0, 0.0, height, width)))

    assert [priced(5, 5), priced(10, 10), priced(20, 20), priced(20, 20.1)] == [1, 2, 3, 4]


def test_boxes_hold_their_sites_even_across_the_antimeridian() -> None:
    scopes = OpenSkyFeed(provider(), Client([])).scopes([QUIET_FIELD, BUSY_PORT, DATELINE_STRIP])
    boxes = [scope.box for scope in scopes if scope.box and DATELINE_STRIP.id in scope.site_ids]
    assert all(box[1] <= box[3] for box in boxes)
    for part in DATELINE_STRIP.geometry.geoms:  # type: ignore[union-attr]
        west, south, east, north = part.bounds
        assert any(b[0] <= south and b[1] <= west and b[2] >= north and b[3] >= east for b in boxes)


@given(st.lists(st.tuples(st.floats(-80, 80), st.floats(-179, 178)), min_size=1, max_size=12))
def test_merged_boxes_cover_everything_within_the_area(places: list[tuple[float, float]]) -> None:
    wanted = [(f"s{n}", BoundingBox(lat, lon, lat + 0.5, lon + 0.5)) for n, (lat, lon) in enumerate(places)]
    merged = merge_boxes(wanted, 100)
    for name, box in wanted:
        assert any(name in names and big.joined(box) == big for big, names in merged)
    assert all(box.area_sqdeg <= 100 for box, _ in merged)


def test_a_margin_at_the_pole_takes_the_whole_round() -> None:
    polar = replace(QUIET_FIELD, geometry=rectangle(10, 89.5, 20, 89.9))
    assert boxes_around(polar, 40) == [BoundingBox(pytest.approx(89.5 - 40 / 60), -180, 90.0, 180)]  # type: ignore[arg-type]
