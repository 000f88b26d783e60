"""The one HTTP client of the program: guarded, identified, capped, without retries, and its errors hold no secret."""

import http
import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import BinaryIO, Literal

import httpx

from alerts.channels import HttpAnswer, SendError
from alerts.channels.certificates import certificate_refused
from db.records import Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedError
from monitor.feeds.answers import (
    NoAnswerError,
    read_body,
    retry_after_s,
    status_advice,
    status_phrase,
    stream_body,
)
from monitor.feeds.egress import Deadline, GuardedTransport, Resolve, parse_networks, resolve_host
from monitor.feeds.parsing import words_in
from monitor.feeds.rate_limit import no_rate_limit
from monitor.feeds.redact import Redactor

_REDIRECTS = 3
ANY_STATUS = range(100, 600)
"""For `accept`: every answer is an answer."""
_LAST_PORT = 65_535
_OUT_OF_HANDLES = (
    "this machine lets sitewatch open no more files and connections, so nothing could be asked. Allow it more (ulimit -n, "
    "LimitNOFILE), or see who holds so many connections to its page"
)


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one request may cost; the size counts after decompression."""

    body_bytes: int = 32 * 1024 * 1024
    connect_s: float = 10.0
    read_s: float = 20.0
    total_s: float = 60.0


class GuardedClient:
    """Reaches one provider or channel over the web; fits `FeedClient`, and its `post` fits `HttpPost`.

    `secrets` and the values of `headers` never appear in an error. `allowed_networks` (CIDR) are the
    operator's own networks; every other connection goes to public addresses only. SettingsError where a
    header or network cannot be used. `tls` says which certificate authorities are trusted (`trusting`). Before each request, redirects among them, `pace` waits for the
    provider's turn and gives the seconds that it took. With a `transport` of
    the caller's own (a replay) nothing is connected, so addresses are not checked.
    """

    def __init__(
        self,
        *,
        name: str,
        user_agent: str,
        monotonic: Callable[[], float],
        clock: Callable[[], datetime],
        secrets: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        allowed_networks: Sequence[str] = (),
        caps: Caps = Caps(),
        resolver: Resolve = resolve_host,
        tls: ssl.SSLContext | None = None,
        pace: Callable[[], float] = no_rate_limit,
    ) -> None:
        self.name = name
        self._pace, self._clock = pace, clock
        self._caps = caps
        self._secrets = (*secrets, *(headers or {}).values())
        self._sent_along = ""
        self._redact = Redactor(self._secrets)
        self._deadline = Deadline(monotonic)
        _quieten_libraries()
        try:
            networks, own_headers = parse_networks(allowed_networks), _checked_headers(headers or {})
        except ValueError as error:
            raise SettingsError(f"{name} cannot be asked: {error}.") from None
        self._client = httpx.Client(
            transport=transport
            or GuardedTransport(networks, deadline=self._deadline, resolver=resolver, tls=tls),
            headers={**own_headers, "User-Agent": user_agent, "Accept-Encoding": "gzip"},
            timeout=httpx.Timeout(caps.read_s, connect=caps.connect_s),
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
            follow_redirects=False,
        )

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
        follow: bool = True,
    ) -> Answer:
        """Send one request and give an answer whose status is in `accept`, or raise FeedError.

        Without `follow` a redirect is an answer like any other, and nothing is sent anywhere else.
        """
        where = f"{self.name}: {method} {self._shown(url)}"
        self._keep_secret(headers or {})
        try:
            request = self._build(method, url, purpose, params=params, json=json, form=form, headers=headers)
            answer = self._follow(request) if follow else self._exchange(request)
        except NoAnswerError as error:
            raise FeedError(self._redact.text(f"{where}: {error}."), ours=error.ours) from None
        if answer.status not in accept:
            raise self._refusal(where, answer)
        return answer

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send one POST for a channel; any status comes back, SendError only where no answer came."""
        try:
            request = self._build("POST", url, "post", content=body, headers=headers)
            answer = self._exchange(request)
        except NoAnswerError as error:
            raise SendError(self._redact.text(f"{self.name}: {error}."), fault="channel") from None
        text = answer.body.decode("utf-8", "replace")
        return HttpAnswer(answer.status, self._redact.text(text), answer.headers)

    def download(self, url: str, into: BinaryIO) -> None:
        """Fetch a file that a person asked for, from wherever its address leads; raises FeedError.

        Only for clients without headers of their own: they would follow a redirect to another host.
        """
        where = f"{self.name}: GET {self._shown(url)}"
        try:
            request = self._build("GET", url, "data")
            for _ in range(_REDIRECTS + 1):
                target = self._pour(request, into, where)
                if target is None:
                    return
                request = self._build("GET", str(request.url.join(target)), "data")
        except NoAnswerError as error:
            raise FeedError(self._redact.text(f"{where}: {error}."), ours=error.ours) from None
        raise FeedError(f"{where}: redirected more than {_REDIRECTS} times. Check the address.")

    def _pour(self, request: httpx.Request, into: BinaryIO, where: str) -> str | None:
        """Send; write a good answer's body, or give the address to which it is redirected."""
        with self._sent(request) as response:
            target: str | None = response.headers.get("location")
            if target is not None and response.status_code in _redirect_statuses("GET"):
                return target
            if response.status_code != http.HTTPStatus.OK:
                body = read_body(response, self._caps.body_bytes, self._deadline)
                answer = Answer(response.status_code, body, response.headers, str(response.url))
                raise self._refusal(where, answer)
            into.writelines(stream_body(response, self._caps.body_bytes, self._deadline))
        return None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _keep_secret(self, headers: Mapping[str, str]) -> None:
        """Mask a token that was fetched a moment ago as well: a server may repeat what it was sent."""
        sent = headers.get("Authorization", "")
        if sent and sent != self._sent_along:
            self._sent_along = sent
            self._redact = Redactor([*self._secrets, sent, sent.rpartition(" ")[2]])

    def _shown(self, url: str) -> str:
        """A URL as errors show it: no user, no query, no fragment."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            return "(not a URL)"
        return f"{parsed.scheme}://{parsed.netloc.decode('ascii', 'replace')}{parsed.path}"

    def _build(
        self,
        method: str,
        url: str,
        purpose: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        self._deadline.start(self._caps.total_s)
        try:
            extra = _checked_headers(headers or {})
        except ValueError as error:
            raise NoAnswerError(str(error)) from None
        try:
            return self._client.build_request(
                method,
                _checked_url(url),
                params=params,
                json=json,
                data=form,
                content=content,
                headers=extra,
                extensions={"sitewatch": {"provider": self.name, "purpose": purpose}},
            )
        except (ValueError, RecursionError):
            # What a server gave to be sent back: lone surrogates, endless numbers, endless nesting.
            raise NoAnswerError("what was to be asked cannot be written as a request") from None

    def _follow(self, request: httpx.Request) -> Answer:
        """Send, and follow redirects that stay on the same host."""
        for _ in range(_REDIRECTS + 1):
            answer = self._exchange(request)
            target = answer.headers.get("location")
            if answer.status not in _redirect_statuses(request.method) or target is None:
                return answer
            request = self._redirected(request, target)
        raise NoAnswerError(f"redirected more than {_REDIRECTS} times. Check base_url")

    def _redirected(self, request: httpx.Request, target: str) -> httpx.Request:
        url = _checked_url(str(request.url.join(target)))
        upgraded = request.url.copy_with(scheme="https", port=None)
        if _origin(url) not in (_origin(request.url), _origin(upgraded)):
            raise NoAnswerError(
                f"redirected to another host, {url.host}, which is not followed. If the service has moved, "
                "change its base_url"
            )
        # Only headers of the first request go along, and they stay on the host they were meant for.
        headers = {key: value for key, value in request.headers.items() if key.lower() != "host"}
        return self._client.build_request(
            request.method, url, content=request.read(), headers=headers, extensions=request.extensions
        )

    def _exchange(self, request: httpx.Request) -> Answer:
        with self._sent(request) as response:
            body = read_body(response, self._caps.body_bytes, self._deadline)
        return Answer(
            response.status_code, body, response.headers, str(response.url), quote=self._redact.text
        )

    @contextmanager
    def _sent(self, request: httpx.Request) -> Iterator[httpx.Response]:
        """Send, and turn every way in which no answer comes, also while it is read, into NoAnswerError."""
        self._deadline.extend(self._pace())
        try:
            response = self._client.send(request, stream=True)
            try:
                yield response
            finally:
                response.close()
        except httpx.TimeoutException:
            raise NoAnswerError("no answer in time. It will be asked again at the next poll") from None
        except httpx.ConnectError as error:
            if _is_out_of_handles():
                raise NoAnswerError(_OUT_OF_HANDLES, ours=True) from None
            raise NoAnswerError(
                _tls_refusal(error) or f"cannot connect: {error or 'no reason given'}"
            ) from None
        except httpx.HTTPError:
            # Their texts can quote what was sent.
            raise NoAnswerError("the connection broke off, or what came was not HTTP") from None

    def _said(self, body: bytes) -> str:
        """What a refusal says: the message of a JSON document, whose other parts may be about aircraft; else its beginning."""
        if body.lstrip()[:1] in (b"{", b"["):
            return self._redact.text(words_in(body).removeprefix(" It says: ").removesuffix("."))
        return self._redact.excerpt(body)

    def _refusal(self, where: str, answer: Answer) -> FeedError:
        status = answer.status
        wait_s = retry_after_s(answer.headers, self._clock())
        said = self._said(answer.body)
        reason = f"{where}: answered {status} {status_phrase(status)}" + (f" ({said})" if said else "")
        return FeedError(
            self._redact.text(f"{reason}. {status_advice(status, self.name, wait_s)}"),
            status=status,
            retry_after_s=wait_s,
            disable=status == http.HTTPStatus.FORBIDDEN,
            body=self._redact.body(answer.body),
        )


def _is_out_of_handles() -> bool:
    """Whether this process can open nothing more; the resolver and TLS say so in words of their own."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return True
    return False


def _tls_refusal(error: httpx.ConnectError) -> str | None:
    """Why no encrypted connection came about, if that is what failed: the libraries wrap it, and drop the cause."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the server {certificate_refused(cause)}"
    if isinstance(cause, ssl.SSLError):
        why = (cause.reason or "no reason given").replace("_", " ").lower()
        return (
            f"the server does not speak TLS as expected ({why}). Check the port; a server of your own without TLS is "
            "asked with http://"
        )
    return None


def _redirect_statuses(method: str) -> tuple[int, ...]:
    return (301, 302, 303, 307, 308) if method == "GET" else (307, 308)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _checked_url(text: str) -> httpx.URL:
    """Only plain http and https URLs: no user, and nothing that two parsers could read differently."""
    if "\\" in text or any(each.isspace() for each in text):
        raise NoAnswerError("the URL holds a backslash or a space. Check base_url")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise NoAnswerError("that is not a URL. Check base_url") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise NoAnswerError("only http:// and https:// URLs can be asked. Check base_url")
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise NoAnswerError("the URL's port does not exist. Check base_url")
    if url.userinfo:
        raise NoAnswerError("the URL holds a user or password. Put keys into headers instead")
    return url


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for key, value in headers.items():
        if not (key + value).isascii() or not (key + value).isprintable():
            raise ValueError(f"the header {key!r} holds characters that HTTP cannot carry")
    return dict(headers)


def _quieten_libraries() -> None:
    # At INFO and below they log whole URLs and headers, and a webhook's URL is its secret.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
