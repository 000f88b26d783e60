"""Where the program may connect: every address is checked at the moment of connecting, whatever its name says."""

import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from monitor.feeds.authorities import trusting

Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""Gives the numeric addresses of a host name; raises OSError where there are none."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the operator's allow-list of networks (CIDR); raises ValueError that names the bad one."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            raise ValueError(
                f"{text!r} in allowed_networks is not a network; write it as 192.168.1.0/24 or fd00::/8"
            ) from None
    return tuple(networks)


def is_allowed(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether a connection to this numeric address may be made: public unicast, or the operator's own network."""
    real = _embedded(ip_address(address))
    if any(real in network for network in allowed if network.version == real.version):
        return True
    if real.is_multicast or not real.is_global:
        return False
    return isinstance(real, IPv4Address) or real in _GLOBAL_UNICAST


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one would really reach (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Ask the system for a host's addresses, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Deadline(threading.local):
    """When the request of the running thread must be over, by a clock that never jumps."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at: float | None = None

    def start(self, total_s: float) -> None:
        """Begin a request that may take so long in all."""
        self._at = self._monotonic() + total_s

    def extend(self, seconds: float) -> None:
        """Give the running request back what it waited for."""
        if self._at is not None:
            self._at += seconds

    @property
    def left_s(self) -> float:
        """How long the running request may still take."""
        return math.inf if self._at is None else self._at - self._monotonic()

    def limit(self, timeout_s: float | None) -> float | None:
        """Shorten one step's timeout to what is left; raises httpcore.ReadTimeout where nothing is."""
        left = self.left_s
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long in all")
        if math.isinf(left):
            return timeout_s
        return left if timeout_s is None else min(timeout_s, left)


class TimedStream(httpcore.NetworkStream):
    """A connection on which no step outlasts the request's deadline: a server that drips cannot hold a job."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what there is."""
        return self._inner.read(max_bytes, self._deadline.limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write everything."""
        self._inner.write(buffer, self._deadline.limit(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on encrypted, under the same deadline."""
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.limit(timeout))
        return TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """What the library asks about the connection."""
        return self._inner.get_extra_info(info)


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves once, checks, and connects to the checked number, so that no second answer of the DNS counts."""

    def __init__(self, allowed: Sequence[Network], deadline: Deadline, resolver: Resolve) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._resolve = resolver
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._checked(host, port):
            try:
                inner = self._inner.connect_tcp(
                    address, port, self._deadline.limit(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return TimedStream(inner, self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved ({error})") from None
        good = [address for address in addresses if is_allowed(address, self._allowed)]
        if addresses and not good:
            raise httpcore.ConnectError(
                f"{host} is at {', '.join(addresses)}, which is not on the public internet; if it is your own "
                "receiver or server, add its network to allowed_networks"
            )
        return good


@cache
def _known_authorities() -> SSLContext:
    # Shared: reading the certificates of all authorities takes longer than the rest of a client.
    return trusting()


class GuardedTransport(httpx.BaseTransport):
    """An httpx transport without proxy and retries that connects only to allowed addresses."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        deadline: Deadline,
        resolver: Resolve = resolve_host,
        tls: SSLContext | None = None,
    ) -> None:
        backend = _CheckedBackend(allowed, deadline, resolver)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or _known_authorities(),
            keepalive_expiry=15.0,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises httpx's errors."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = self._pool.handle_request(asked)
        except _HTTPCORE_ERRORS as error:
            raise as_httpx_error(error) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


_HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


def as_httpx_error(error: Exception) -> httpx.TransportError:
    """The same failure in httpx's words."""
    text = str(error)
    if isinstance(error, httpcore.ConnectTimeout):
        return httpx.ConnectTimeout(text)
    if isinstance(error, httpcore.TimeoutException):
        return httpx.ReadTimeout(text)
    if isinstance(error, httpcore.ConnectError):
        return httpx.ConnectError(text)
    if isinstance(error, httpcore.NetworkError):
        return httpx.ReadError(text)
    return httpx.RemoteProtocolError(text)


class _Body(httpx.SyncByteStream):
    """The body of an answer as it comes in; closing it gives the connection back."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._inner
        except _HTTPCORE_ERRORS as error:
            raise as_httpx_error(error) from error

    def close(self) -> None:
        self._inner.close()
