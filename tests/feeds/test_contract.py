"""Every kind of feed in the registry keeps the contract; see `feed_contract.py` for what a new kind needs."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.bootstrap import FEEDS
from monitor.feeds import FeedError, Fetched
from monitor.feeds.providers import DEFAULT_PROVIDERS
from tests.kit.fake_feeds import NOON, SECRET
from tests.kit.feed_contract import (
    ALL_SITES,
    CASES,
    GOOD_ANSWERS,
    HOST,
    TABLES,
    TIGHT,
    Case,
    fetch,
    places,
    replaced,
    scope_of,
    things,
    with_extras,
)

every_kind = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
every_json_kind = pytest.mark.parametrize(
    "case", [case for case in CASES if case.kind not in TABLES], ids=lambda case: case.kind
)


def error_of(case: Case, *args: Any, **options: Any) -> FeedError:
    with pytest.raises(FeedError) as caught:
        fetch(case.answering(*args, **options))
    assert caught.value.reason.endswith(".")
    assert case.provider.name in caught.value.reason
    return caught.value


def test_every_kind_has_a_provider_and_a_good_answer() -> None:
    assert set(FEEDS) == set(GOOD_ANSWERS) == {provider.kind for provider in DEFAULT_PROVIDERS}


@every_kind
def test_a_good_answer_gives_something(case: Case) -> None:
    fetched = fetch(case.answering(GOOD_ANSWERS[case.kind]))
    assert fetched.item_count == 1
    assert things(fetched) == 1
    assert not any(fetched.rejected.values())
    assert fetched.bodies == (GOOD_ANSWERS[case.kind],)
    assert {each.provider for each in fetched.fixes} <= {case.provider.name}
    assert {each.provider for each in fetched.scenes} <= {case.provider.name}
    assert {each.provider for each in fetched.claims} <= {case.provider.name}
    assert {each.provider for each in fetched.estimates} <= {case.provider.name}


@every_kind
def test_plans_are_the_same_in_any_order_and_name_real_sites(case: Case) -> None:
    feed = case.answering(b"")
    planned = feed.scopes(ALL_SITES)
    assert planned == feed.scopes(ALL_SITES[::-1])
    assert planned != []
    assert {name for scope in planned for name in scope.site_ids} <= {site.id for site in ALL_SITES}
    assert all(len(scope.site_ids) == len(set(scope.site_ids)) > 0 for scope in planned)
    assert len({scope.key for scope in planned}) == len(planned)
    assert list(feed.scopes([])) == []


@every_kind
def test_a_canary_can_be_asked(case: Case) -> None:
    feed = case.answering(GOOD_ANSWERS[case.kind])
    canary = feed.canary(scope_of(feed))
    if canary is not None:
        assert feed.fetch(canary, (), purpose="canary", now=NOON, since=None).item_count == 1


@every_kind
@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout, httpx.ConnectTimeout, httpx.ConnectError, httpx.ReadError]
)
def test_no_answer(case: Case, failure: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure(f"while sending {SECRET}", request=request)

    with pytest.raises(FeedError) as caught:
        fetch(case.feed(fail))
    assert caught.value.status is None
    assert SECRET not in caught.value.reason


@every_kind
def test_403_disables(case: Case) -> None:
    assert error_of(case, b"forbidden", 403).disable


@every_kind
@pytest.mark.parametrize("status", [402, 429, 503])
def test_a_wish_to_be_left_alone_is_read(case: Case, status: int) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"Retry-After": "120"})

    with pytest.raises(FeedError) as caught:
        fetch(case.feed(refuse))
    error = caught.value
    assert (error.status, error.retry_after_s, error.disable) == (status, 120.0, False)


@every_kind
@pytest.mark.parametrize("status", [204, 301, 400, 401, 404, 418, 422, 500, 502])
def test_any_other_status_is_a_failure(case: Case, status: int) -> None:
    assert error_of(case, GOOD_ANSWERS[case.kind], status).status == status


BAD_BODIES = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "true": b"true",
    "number": b"42",
    "text": b'"hello"',
    "list": b"[]",
    "object": b"{}",
    "html": b"<!doctype html><title>Down for maintenance</title>",
    "not a number": b'{"ac": [NaN], "features": [NaN], "now": NaN}',
    "endless number": b'{"now": ' + b"9" * 5_000 + b"}",
    "endless nesting": b"[" * 200_000,
    "wrong type": b'{"ac": 1, "features": 1, "now": 1690891200000}',
    "no utf-8": b'{"ac": "\xff"}',
    "binary": bytes(range(256)),
}


@every_kind
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_cannot_be_an_answer_is_a_failure_never_a_zero(case: Case, body: bytes) -> None:
    error_of(case, body)


@every_kind
def test_a_cut_answer_is_a_failure_wherever_it_is_cut(case: Case) -> None:
    whole = GOOD_ANSWERS[case.kind]
    for length in range(0, len(whole) - 1, 7):
        error_of(case, whole[:length])


@every_kind
def test_an_answer_too_large_is_a_failure(case: Case) -> None:
    assert "larger than" in error_of(case, GOOD_ANSWERS[case.kind], caps=TIGHT).reason


@every_kind
def test_a_redirect_to_another_host_is_not_followed(case: Case) -> None:
    hosts: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"Location": "https://evil.example/"})

    with pytest.raises(FeedError, match=r"evil\.example"):
        fetch(case.feed(redirect))
    assert hosts == [HOST]


@every_kind
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_a_secret_never_shows(case: Case, status: int) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=f"{request.headers!r} {SECRET} {request.url}".encode())

    with pytest.raises(FeedError) as caught:
        fetch(case.feed(echo, secrets=["unrelated-secret"]))
    assert SECRET not in caught.value.reason
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(case.provider)


@every_json_kind
def test_unknown_fields_change_nothing(case: Case) -> None:
    body = GOOD_ANSWERS[case.kind]
    grown = json.dumps(with_extras(json.loads(body))).encode()
    before, after = fetch(case.answering(body)), fetch(case.answering(grown))
    assert (before.fixes, before.scenes, before.claims) == (after.fixes, after.scenes, after.claims)
    assert (before.estimates, before.item_count) == (after.estimates, after.item_count)
    assert before.detections == after.detections


def endings(case: Case, document: Any) -> Iterator[Fetched]:
    """The answer, or nothing where the feed called it a failure; anything else is an error."""
    try:
        yield fetch(case.answering(json.dumps(document).encode()))
    except FeedError as error:
        assert error.reason.endswith(".")  # noqa: PT017 - either ending is right


@every_json_kind
def test_any_part_can_be_missing(case: Case) -> None:
    document = json.loads(GOOD_ANSWERS[case.kind])
    for path in places(document):
        if path and isinstance(path[-1], str):
            key = path[-1]
            without = replaced(
                document,
                path[:-1],
                lambda value, key=key: {k: v for k, v in value.items() if k != key},  # type: ignore[misc]
            )
            for fetched in endings(case, without):
                assert things(fetched) <= 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["\x00", "\ud800", "../../etc", "<b>", "http://[", "2023-08-01T00:00:00Z", "Polygon"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)


@every_json_kind
@settings(max_examples=100)
@given(data=st.data())
def test_any_part_can_be_anything(case: Case, data: st.DataObject) -> None:
    document = json.loads(GOOD_ANSWERS[case.kind])
    for path in data.draw(st.lists(st.sampled_from(list(places(document))[1:]), min_size=1, max_size=1)):
        value = data.draw(JSON)
        document = replaced(document, path, lambda _, value=value: value)  # type: ignore[misc]
    for fetched in endings(case, document):
        texts = [
            str(getattr(each, name))
            for each in (
                *fetched.fixes,
                *fetched.scenes,
                *fetched.claims,
                *fetched.estimates,
                *fetched.detections,
            )
            for name in (
                "callsign",
                "registration",
                "type_code",
                "source",
                "item_id",
                "platform",
                "sensor",
                "look_key",
                "flight_id",
                "operator",
                "origin",
                "destination",
                "actual_destination",
                "detected_class",
                "scene",
                "detection_id",
            )
            if hasattr(each, name)
        ]
        assert all(text.isascii() and text.isprintable() and "<" not in text for text in texts)
        # What cannot be written as JSON cannot be stored.
        for scene in fetched.scenes:
            stored = json.dumps([scene.properties, scene.links, scene.footprint], allow_nan=False)
            assert "\\u0000" not in stored
            assert "\\ud800" not in stored
            assert 0 < scene.covered_share <= 1
