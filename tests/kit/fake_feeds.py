"""Feeds without the internet: providers, clients on scripted transports, and a real server on loopback."""

import gzip
import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from monitor.config.clock import monotonic_s, utc_now
from monitor.feeds import Provider
from monitor.feeds.http import GuardedClient

NOON = datetime(2023, 8, 1, 12, tzinfo=UTC)
SECRET = "s3cret-k3y/with+odd=characters"
USER_AGENT = "sitewatch/test (+https://sitewatch.example; ops@sitewatch.example)"

Handler = Callable[[httpx.Request], httpx.Response]


def readsb_provider(**changes: Any) -> Provider:
    """A readsb provider at a host that does not exist."""
    values: dict[str, Any] = {
        "name": "test.readsb",
        "kind": "readsb",
        "base_url": "https://readsb.example/v2/",
        "interval_s": 60,
        "licence": "ODbL 1.0",
        "attribution": "Test contributors",
    }
    return Provider(**{**values, **changes})


def stac_provider(**changes: Any) -> Provider:
    """A STAC provider at a host that does not exist."""
    values: dict[str, Any] = {
        "name": "test.stac",
        "kind": "stac",
        "base_url": "https://stac.example/v1",
        "interval_s": 3600,
        "licence": "test",
        "attribution": "Test catalogue",
    }
    return Provider(**{**values, **changes})


def client(
    handler: Handler | httpx.BaseTransport, name: str = "test.readsb", **options: Any
) -> GuardedClient:
    """A guarded client whose requests go to `handler` and nowhere else; it carries SECRET in a header."""
    transport = handler if isinstance(handler, httpx.BaseTransport) else httpx.MockTransport(handler)
    values = {
        "headers": {"api-auth": SECRET},
        "user_agent": USER_AGENT,
        "monotonic": monotonic_s,
        "clock": utc_now,
        **options,
    }
    return GuardedClient(name=name, transport=transport, **values)


def streamed(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, *, packed: bool = False
) -> httpx.Response:
    """An answer as it comes over the wire, in one piece that is not read yet."""
    extra = {"content-encoding": "gzip"} if packed else {}
    content = gzip.compress(body) if packed else body
    return httpx.Response(status, headers={**(headers or {}), **extra}, stream=httpx.ByteStream(content))


def aircraft(
    hex_code: str = "15521f", lat: float = 39.2241, lon: float = 125.67, **more: Any
) -> dict[str, Any]:
    """One aircraft as adsb.lol lists it."""
    return {
        "hex": hex_code,
        "type": "adsb_icao",
        "flight": "RSD86  ",
        "r": "RA-86559",
        "t": "IL62",
        "alt_baro": 4_000,
        "alt_geom": 4_150,
        "gs": 210.0,
        "track": 171.5,
        "baro_rate": -832,
        "lat": lat,
        "lon": lon,
        "nic": 8,
        "nac_p": 9,
        "seen_pos": 1.5,
        "seen": 0.5,
        **more,
    }


def v2_body(*listed: Any, now: datetime = NOON, **more: Any) -> bytes:
    """A v2 answer with these aircraft."""
    milliseconds = int(now.timestamp() * 1000)
    document = {"ac": list(listed), "msg": "No error", "now": milliseconds, "total": len(listed), **more}
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Asked:
    """One request as the loopback server saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Loopback:
    """A running server: its address and what it was asked."""

    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)


Reply = tuple[int, dict[str, str], bytes]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet where a client refuses the certificate."""
        if not isinstance(sys.exception(), ssl.SSLError | OSError):
            super().handle_error(request, client_address)


@contextmanager
def loopback(reply: Callable[[Asked], Reply | None], tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """Run a real HTTP server on 127.0.0.1; `reply` None hangs up without an answer."""

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
            running.asked.append(asked)
            answer = reply(asked)
            if answer is None:
                self.close_connection = True
                return
            status, headers, body = answer
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = _serve  # noqa: N815 - the library's name
        do_POST = _serve  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Stay quiet."""

    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running = Loopback(f"{'https' if tls else 'http'}://127.0.0.1:{port}", port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def recorded_http(path: Path) -> httpx.Response:
    """A recorded raw HTTP answer as a fresh one."""
    head, _, body = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    headers.pop("content-length", None)
    headers.pop("Content-length", None)
    return streamed(body.rstrip(b"\n"), int(status.split()[1]), headers)
