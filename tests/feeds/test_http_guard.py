"""The guarded client against real sockets on loopback, and against answers made to hurt."""

import gzip
import logging
import socket
import ssl
import zlib
from collections.abc import Iterator, Sequence
from typing import ClassVar

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels import HttpPost, SendError
from monitor.config.clock import monotonic_s, utc_now
from monitor.config.settings import SettingsError
from monitor.feeds import FeedClient, FeedError
from monitor.feeds.answers import retry_after_s
from monitor.feeds.egress import Deadline, TimedStream, as_httpx_error, is_allowed, parse_networks
from monitor.feeds.http import Caps, GuardedClient
from monitor.feeds.redact import Redactor
from tests.kit.fake_feeds import SECRET, USER_AGENT, Asked, Reply, client, loopback, streamed

LOOPBACK = ("127.0.0.0/8", "::1/128")


def ok(_: Asked) -> Reply:
    return 200, {}, b"{}"


def direct(**options: object) -> GuardedClient:
    """A client on the real network stack."""
    values = {"monotonic": monotonic_s, "clock": utc_now, **options}
    return GuardedClient(name="direct", user_agent=USER_AGENT, **values)  # type: ignore[arg-type]


def asked_by(guarded: GuardedClient, url: str) -> str:
    """The error that asking for this URL gives."""
    with pytest.raises(FeedError) as caught:
        guarded.request("GET", url, purpose="data")
    return caught.value.reason


def test_the_client_fits_both_contracts() -> None:
    guarded = client(lambda _: httpx.Response(200))
    feed_client: FeedClient = guarded
    post: HttpPost = guarded.post
    assert feed_client is guarded
    assert callable(post)


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.127.255.255", "0.0.0.0", "255.255.255.255", "224.0.0.1", "239.255.255.250",
        "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:100.64.0.1", "::ffff:10.0.0.1", "fe80::1",
        "fe80::1%1", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "ff0e::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "2001:0:7f00:1::",
        "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "100.63.255.255", "100.128.0.1", "::ffff:1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address)


@given(st.ip_addresses())
def test_no_address_outside_the_public_space_passes(address: object) -> None:
    assert is_allowed(str(address)) <= (
        getattr(address, "is_global", False) or str(address).startswith("64:")
    )
    assert not (is_allowed(str(address)) and getattr(address, "is_multicast", False))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_inside_ipv6(address: object) -> None:
    assert is_allowed(f"::ffff:{address}") == is_allowed(f"64:ff9b::{address}") == is_allowed(str(address))


def test_the_operator_can_allow_own_networks() -> None:
    own = parse_networks(["192.168.1.0/24", "fd00::/8"])
    assert is_allowed("192.168.1.7", own)
    assert is_allowed("::ffff:192.168.1.7", own)
    assert is_allowed("fd12::1", own)
    assert not is_allowed("192.168.2.7", own)


def test_a_bad_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"'192\.168\.1\.0/99' in allowed_networks is not a network"):
        parse_networks(["10.0.0.0/8", "192.168.1.0/99"])
    with pytest.raises(SettingsError, match=r"direct cannot be asked: 'lan' in allowed_networks"):
        direct(allowed_networks=["lan"])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "[::1]"],
)
def test_no_spelling_of_loopback_is_reached(host: str) -> None:
    with loopback(ok) as server:
        said = asked_by(direct(), f"http://{host}:{server.port}/")
        assert server.asked == []
    assert "not on the public internet" in said
    assert "allowed_networks" in said


def test_an_allowed_network_is_reached_and_the_program_says_who_it_is() -> None:
    with loopback(ok) as server:
        guarded = direct(allowed_networks=LOOPBACK, headers={"X-Key": SECRET})
        answer = guarded.request("GET", f"{server.url}/a", purpose="data", params={"q": "1"})
        guarded.close()
    assert (answer.status, answer.body) == (200, b"{}")
    assert server.asked[0].path == "/a?q=1"
    assert server.asked[0].headers["User-Agent"] == USER_AGENT
    assert server.asked[0].headers["X-Key"] == SECRET
    assert server.asked[0].headers["Accept-Encoding"] == "gzip"


def test_a_name_that_changes_its_address_gains_nothing() -> None:
    answers: Iterator[Sequence[str]] = iter([["127.0.0.1"], ["127.0.0.2"]])
    resolved: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        resolved.append(host)
        return next(answers)

    with loopback(ok) as server:
        guarded = direct(allowed_networks=["127.0.0.1/32"], resolver=rebinding)
        url = f"http://rebind.example:{server.port}/"
        assert guarded.request("GET", url, purpose="data").status == 200
        # The connection went to the address that was checked: the name was asked for once only.
        assert resolved == ["rebind.example"]
        guarded.close()
        said = asked_by(direct(allowed_networks=["127.0.0.1/32"], resolver=rebinding), url)
        assert len(server.asked) == 1
    assert "rebind.example is at 127.0.0.2" in said


def test_only_the_good_addresses_of_a_name_are_tried() -> None:
    with loopback(ok) as server:
        guarded = direct(
            allowed_networks=["127.0.0.1/32"], resolver=lambda _host, _port: ["10.0.0.1", "127.0.0.1"]
        )
        assert guarded.request("GET", f"http://two.example:{server.port}/", purpose="data").status == 200
        guarded.close()


def test_a_name_that_nobody_knows() -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror("name or service not known")

    assert "the name gone.example cannot be resolved" in asked_by(
        direct(resolver=unknown), "https://gone.example/"
    )


def test_a_name_without_an_address() -> None:
    assert "has no address" in asked_by(direct(resolver=lambda _host, _port: []), "https://none.example/")


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        said = asked_by(direct(allowed_networks=LOOPBACK), f"http://127.0.0.1:{port}/")
    assert "cannot connect" in said


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback(ok) as proxy, loopback(ok) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        guarded = direct(allowed_networks=LOOPBACK)
        guarded.request("GET", server.url, purpose="data")
        guarded.close()
        assert (len(proxy.asked), len(server.asked)) == (0, 1)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://readsb.example/", "gopher://readsb.example/", "//readsb.example/", "nonsense",
        "http://", "https://user:pass@readsb.example/", "https://readsb.example\\@127.0.0.1/",
        "https://readsb.example/a b", "https://readsb.example/\nHost: evil", "http://[::1", "http://a:99999/",
    ],
)  # fmt: skip
def test_only_plain_web_addresses_are_asked(url: str) -> None:
    called: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        called.append(request)
        return httpx.Response(200)

    said = asked_by(client(handler), url)
    assert called == []
    assert "base_url" in said or "headers" in said
    assert "pass@" not in said


# --- redirects ----------------------------------------------------------------------------------


def test_a_redirect_on_the_same_host_is_followed_and_checked_again() -> None:
    def reply(asked: Asked) -> Reply:
        return (302, {"Location": "/there?x=1"}, b"") if asked.path == "/here" else (200, {}, b"found")

    with loopback(reply) as server:
        guarded = direct(allowed_networks=LOOPBACK)
        answer = guarded.request("GET", f"{server.url}/here", purpose="data")
        guarded.close()
    assert answer.body == b"found"
    assert [asked.path for asked in server.asked] == ["/here", "/there?x=1"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/x", "http://readsb.example/", "https://readsb.example:22/",
        "https://evil.example\\@readsb.example/", "file:///etc/passwd", "https://u:p@readsb.example/",
        "https://[::1",
    ],
)  # fmt: skip
def test_a_redirect_elsewhere_is_not_followed_and_carries_nothing_along(target: str) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": target})

    asked_by(client(handler), "https://readsb.example/v2")
    assert asked == ["readsb.example"]


def test_a_move_to_https_on_the_same_host_is_followed() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "http":
            return httpx.Response(301, headers={"Location": "https://readsb.example/v2"})
        return httpx.Response(200, content=b"safe")

    assert client(handler).request("GET", "http://readsb.example/v2", purpose="data").body == b"safe"


def test_redirects_in_a_circle_end() -> None:
    said = asked_by(
        client(lambda _: httpx.Response(302, headers={"Location": "/again"})), "https://readsb.example/"
    )
    assert "redirected more than 3 times" in said


def test_a_post_is_repeated_only_where_the_server_says_so() -> None:
    bodies: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(
            int(request.url.path.strip("/")) if len(bodies) == 1 else 200, headers={"Location": "/new"}
        )

    guarded = client(handler)
    assert guarded.request("POST", "https://stac.example/307", purpose="data", json={"a": 1}).status == 200
    assert bodies == [b'{"a":1}', b'{"a":1}']
    bodies.clear()
    with pytest.raises(FeedError, match="302 Found"):
        guarded.request("POST", "https://stac.example/302", purpose="data", json={"a": 1})


# --- size and time ------------------------------------------------------------------------------


def test_an_answer_may_be_as_large_as_the_cap_and_no_larger() -> None:
    caps = Caps(body_bytes=1000)
    for packed in (False, True):
        fits = client(lambda _, packed=packed: streamed(b"x" * 1000, packed=packed), caps=caps)  # type: ignore[misc]
        assert len(fits.request("GET", "https://readsb.example/", purpose="data").body) == 1000
        large = client(lambda _, packed=packed: streamed(b"x" * 1001, packed=packed), caps=caps)  # type: ignore[misc]
        assert "larger than 1000 bytes" in asked_by(large, "https://readsb.example/")


def test_an_answer_that_was_read_already_is_capped_too() -> None:
    guarded = client(lambda _: httpx.Response(200, content=b"x" * 1001), caps=Caps(body_bytes=1000))
    assert "larger than 1000 bytes" in asked_by(guarded, "https://readsb.example/")


def test_a_packed_bomb_never_unfolds() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    asked: list[int] = []

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(bomb), 1000):
            asked.append(start)
            yield bomb[start : start + 1000]

    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return pieces()

    guarded = client(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Stream()),
        caps=Caps(body_bytes=100_000),
    )
    assert "larger than 100000 bytes" in asked_by(guarded, "https://readsb.example/")
    assert len(asked) == 1


def test_packed_answers_in_several_members_are_read_whole() -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two")
    guarded = client(
        lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(body))
    )
    assert guarded.request("GET", "https://readsb.example/", purpose="data").body == b"one two"


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9], "cut short"),
        ("gzip", b"\x1f\x8bplain", "broken gzip"),
        ("x-gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9], "cut short"),
        ("gzip", b"", "cut short"),
        ("deflate", zlib.compress(b"x"), "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "not asked for"),
        ("br", b"x", "not asked for"),
    ],
)
def test_badly_packed_answers_are_refused(coding: str, body: bytes, said: str) -> None:
    guarded = client(
        lambda _: httpx.Response(200, headers={"content-encoding": coding}, stream=httpx.ByteStream(body))
    )
    assert said in asked_by(guarded, "https://readsb.example/")


def test_a_server_that_drips_is_cut_off() -> None:
    ticks = iter(range(0, 100_000, 7))

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    guarded = client(
        lambda _: httpx.Response(200, stream=Drip()),
        monotonic=lambda: float(next(ticks)),
        caps=Caps(total_s=60),
    )
    assert "no answer in time" in asked_by(guarded, "https://readsb.example/")
    assert next(ticks) < 200


def test_the_deadline_holds_on_a_real_connection() -> None:
    ticks = iter([0.0, 1.0, *[1e9] * 50])
    with loopback(ok) as server:
        guarded = direct(allowed_networks=LOOPBACK, monotonic=lambda: next(ticks))
        assert "no answer in time" in asked_by(guarded, server.url)
        guarded.close()


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        guarded = direct(allowed_networks=LOOPBACK, caps=Caps(read_s=0.05))
        said = asked_by(guarded, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        guarded.close()
    assert "no answer in time" in said


def test_a_server_that_hangs_up() -> None:
    with loopback(lambda _: None) as server:
        guarded = direct(allowed_networks=LOOPBACK)
        assert "broke off" in asked_by(guarded, server.url)
        guarded.close()


def test_a_body_that_breaks_off() -> None:
    with loopback(lambda _: (200, {"Content-Length": "100", "Connection": "close"}, b"half")) as server:
        guarded = direct(allowed_networks=LOOPBACK, caps=Caps(read_s=0.2))
        asked_by(guarded, server.url)
        guarded.close()


def test_the_deadline_outlives_the_step_to_tls() -> None:
    class Plain(httpcore.NetworkStream):
        limits: ClassVar[list[float | None]] = []

        def start_tls(self, *_: object, **__: object) -> httpcore.NetworkStream:
            return Plain()

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            self.limits.append(timeout)
            return b""

    deadline = Deadline(iter([0.0, 10.0, 58.0, 61.0]).__next__)
    assert deadline.limit(20) == 20
    deadline.start(60)
    secure = TimedStream(Plain(), deadline).start_tls(ssl.create_default_context())
    secure.read(1, timeout=20)
    assert Plain.limits == [pytest.approx(2)]
    with pytest.raises(httpcore.ReadTimeout):
        secure.read(1, timeout=20)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpcore.ConnectTimeout, httpx.ConnectTimeout),
        (httpcore.PoolTimeout, httpx.ReadTimeout),
        (httpcore.ConnectError, httpx.ConnectError),
        (httpcore.WriteError, httpx.ReadError),
        (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
        (httpcore.UnsupportedProtocol, httpx.RemoteProtocolError),
    ],
)
def test_every_failure_of_a_connection_is_one_of_httpx(
    failure: type[Exception], expected: type[httpx.TransportError]
) -> None:
    assert type(as_httpx_error(failure("why"))) is expected


# --- status and Retry-After ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"X-Rate-Limit-Retry-After-Seconds": "22688"}, 22_688.0),
        ({"retry-after": "9" * 400}, 604_800.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "١٢"}, None),
        ({"retry-after": "Tue, 01 Aug 2023 12:02:00 GMT", "date": "Tue, 01 Aug 2023 12:00:00 GMT"}, 120.0),
        ({"retry-after": "Tue, 01 Aug 2023 11:00:00 GMT", "date": "Tue, 01 Aug 2023 12:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 01 Aug 2023 12:02:00 GMT"}, None),
        ({"retry-after": "soon", "x-rate-limit-retry-after-seconds": "7"}, 7.0),
    ],
)
def test_how_long_to_stay_away(headers: dict[str, str], expected: float | None) -> None:
    assert (
        retry_after_s(httpx.Headers({key.encode(): value.encode() for key, value in headers.items()}))
        == expected
    )


@pytest.mark.parametrize("status", [400, 401, 402, 404, 418, 422, 429, 500, 503, 799])
def test_a_bad_status_says_what_where_and_what_to_do(status: int) -> None:
    guarded = client(
        lambda _: httpx.Response(status, content=b'{"detail": "no\n\x00way"}', headers={"Retry-After": "30"})
    )
    with pytest.raises(FeedError) as caught:
        guarded.request("GET", "https://readsb.example/v2/point", purpose="data", params={"key": "x"})
    error = caught.value
    assert (error.status, error.retry_after_s, error.disable) == (status, 30.0, False)
    assert error.reason.startswith(f"test.readsb: GET https://readsb.example/v2/point: answered {status} ")
    assert "(no way)" in error.reason
    assert error.reason.endswith(".")
    assert error.body == b'{"detail": "no\n\x00way"}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"ac": [{"hex": "a1b2c3", "ownOp": "Ophelia Planted"}]}', ""),
        (b'[{"ownOp": "Ophelia Planted"', ""),
        (b'{"error": "maintenance", "ac": [{"ownOp": "Ophelia Planted"}]}', " (maintenance)"),
        (b"<h1>Bad gateway</h1>", " (<h1>Bad gateway</h1>)"),
    ],
)
def test_of_a_refusal_only_its_message_is_quoted(content: bytes, said: str) -> None:
    guarded = client(lambda _: httpx.Response(502, content=content))
    with pytest.raises(FeedError) as caught:
        guarded.request("GET", "https://readsb.example/v2/point", purpose="data")
    assert f"answered 502 Bad Gateway{said}. " in caught.value.reason
    assert "Planted" not in caught.value.reason


def test_403_disables() -> None:
    with pytest.raises(FeedError, match="not asked again until you run `sitewatch poll") as caught:
        client(lambda _: httpx.Response(403)).request("GET", "https://readsb.example/", purpose="data")
    assert caught.value.disable


def test_other_statuses_can_be_good_answers() -> None:
    guarded = client(lambda _: httpx.Response(404))
    assert guarded.request("GET", "https://readsb.example/", purpose="data", accept=(200, 404)).status == 404


def test_a_long_answer_is_quoted_in_part() -> None:
    with pytest.raises(FeedError) as caught:
        client(lambda _: httpx.Response(500, content=b"y" * 100_000)).request(
            "GET", "https://readsb.example/", purpose="data"
        )
    assert len(caught.value.reason) < 500


@pytest.mark.parametrize(
    "body", [b'[{"hex": "abc123", "r": "N99LX"}]', b'{"ac": [{"r": "N99LX"}], "ownOp": "N99LX"}', b'{"ac": [{"r": "N99LX"']
)  # fmt: skip
def test_of_a_refusal_in_json_nothing_but_its_message_is_quoted(body: bytes) -> None:
    with pytest.raises(FeedError) as caught:
        client(lambda _: httpx.Response(500, content=body)).request(
            "GET", "https://readsb.example/", purpose="data"
        )
    assert "N99LX" not in caught.value.reason


def test_each_request_says_for_whom_and_why_it_is_made() -> None:
    seen: list[object] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["sitewatch"])
        return httpx.Response(200 if len(seen) > 1 else 307, headers={"Location": "/next"})

    client(handler).request("GET", "https://readsb.example/", purpose="canary")
    assert seen == [{"provider": "test.readsb", "purpose": "canary"}] * 2


# --- secrets ------------------------------------------------------------------------------------


def test_a_server_that_echoes_secrets_does_not_leak_them() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, content=f"{request.headers} {request.url} {request.content!r}".encode())

    guarded = client(echo, secrets=["url-token-123"])
    with pytest.raises(FeedError) as caught:
        guarded.request(
            "POST",
            "https://readsb.example/url-token-123/x",
            purpose="data",
            params={"key": SECRET},
            json={"key": SECRET},
        )
    for secret in (SECRET, "url-token-123"):
        assert secret not in caught.value.reason
        assert secret.encode() not in caught.value.body
        assert httpx.QueryParams({"k": secret})["k"] == secret
        assert str(httpx.QueryParams({"k": secret})).removeprefix("k=") not in caught.value.reason


@given(st.text(min_size=4, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_secret_survives_redaction(secret: str, before: str, after: str) -> None:
    said = Redactor([secret]).text(f"{before}{secret}{after}")
    assert secret not in said or secret in before + "***" + after


def test_the_parts_of_a_secret_url_are_secret() -> None:
    url = "https://user:hunter22@hooks.example/services/T000AAAAA/B000BBBBB/cccccccccccc?token=dddd"
    said = Redactor([url]).text(
        "posting to /services/T000AAAAA/B000BBBBB/cccccccccccc?token=dddd as hunter22"
    )
    assert not any(word in said for word in ("T000AAAAA", "cccccccccccc", "dddd", "hunter22"))
    assert "hooks.example" in Redactor([url]).text("hooks.example")


def test_the_libraries_do_not_log_urls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guarded = client(lambda _: httpx.Response(200))
    guarded.post("https://hooks.example/services/secret", b"{}", {})
    assert "secret" not in caplog.text


def test_a_header_that_http_cannot_carry_is_named_without_its_value() -> None:
    for value in ("käy", "two\nlines"):
        with pytest.raises(SettingsError, match="'api-auth' holds characters") as caught:
            client(lambda _: httpx.Response(200), headers={"api-auth": value})
        assert value not in str(caught.value)
        with pytest.raises(FeedError, match="'x-next' holds characters"):
            client(lambda _: httpx.Response(200)).request(
                "GET", "https://readsb.example/", purpose="data", headers={"x-next": value}
            )


def test_cookies_are_not_kept() -> None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "id=1"})

    guarded = client(handler)
    for _ in range(2):
        guarded.request("GET", "https://readsb.example/", purpose="data")
    assert seen == [None, None]


# --- posting for channels -----------------------------------------------------------------------


def test_a_post_gives_back_any_status() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.content == b'{"text": "hi"}'
        return httpx.Response(429, content=b"slow down", headers={"Retry-After": "3"})

    answer = client(handler).post(
        "https://hooks.example/services/x", b'{"text": "hi"}', {"Content-Type": "application/json"}
    )
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (429, "slow down", "3")


def test_a_post_that_gets_no_answer_is_a_send_error_without_secret() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"refused {request.url}", request=request)

    hook = "https://hooks.example/services/T00/B00/cccccccccccc"
    with pytest.raises(SendError) as caught:
        client(refuse, secrets=[hook]).post(hook, b"", {})
    assert not caught.value.permanent
    assert "cccccccccccc" not in caught.value.reason


def test_a_post_goes_through_the_same_guard() -> None:
    with loopback(ok) as server:
        with pytest.raises(SendError, match="not on the public internet"):
            direct().post(server.url, b"", {})
        assert server.asked == []
