"""Reading one HTTP answer: its body within size and time, how long to stay away, and what its status means."""

import http
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from monitor.feeds.egress import Deadline

_LONGEST_WAIT_S = 7 * 86_400.0
_WAITS = ("retry-after", "x-rate-limit-retry-after-seconds")
_GZIP = ("gzip", "x-gzip")
_MAGIC = b"\x1f\x8b"


class NoAnswerError(Exception):
    """No usable answer came; the text says why. `ours`: this machine is at fault."""

    def __init__(self, text: str, *, ours: bool = False) -> None:
        super().__init__(text)
        self.ours = ours


def read_body(response: httpx.Response, limit: int, deadline: Deadline) -> bytes:
    """Read the body within `limit` bytes and in time; a packed one is unpacked here, so that it cannot burst."""
    return b"".join(stream_body(response, limit, deadline))


def stream_body(response: httpx.Response, limit: int, deadline: Deadline) -> Iterator[bytes]:
    """Read the body piece by piece, within the same bounds."""
    if response.is_stream_consumed:
        # A transport may hand over an answer that it has read and unpacked already, as a replay does.
        _check_size(len(response.content), limit)
        yield response.content
        return
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", *_GZIP):
        raise NoAnswerError("the answer is packed in a way that was not asked for")
    unpack = _Unpacker(limit) if coding in _GZIP else None
    size = 0
    for chunk in response.iter_raw():
        piece = unpack.feed(chunk) if unpack else chunk
        size += len(piece)
        _check_size(size, limit)
        if deadline.left_s <= 0:
            raise httpx.ReadTimeout("the answer took too long in all")
        yield piece
    if unpack and (rest := unpack.finish()):
        yield rest


class _Unpacker:
    """Unpacks gzip step by step and never produces more than the limit; what only says that it is packed stays as it is."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._inflate = zlib.decompressobj(wbits=31)
        self._head = b""
        self._packed: bool | None = None

    def feed(self, chunk: bytes) -> bytes:
        if self._packed is None:
            chunk = self._head = self._head + chunk
            if len(chunk) < len(_MAGIC):
                return b""
            self._packed = chunk.startswith(_MAGIC)
        return self._unpacked(chunk) if self._packed else chunk

    def _unpacked(self, chunk: bytes) -> bytes:
        out = bytearray()
        while chunk:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                out += self._inflate.decompress(chunk, self._left - len(out) + 1)
            except zlib.error:
                raise NoAnswerError("the answer is broken gzip") from None
            _check_size(len(out), self._left)
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data
        self._left -= len(out)
        return bytes(out)

    def finish(self) -> bytes:
        """Check that nothing is missing, and give what was too short to tell."""
        if self._packed is None and self._head:
            return self._head
        if self._packed is not False and not self._inflate.eof:
            raise NoAnswerError("the answer was cut short")
        return b""


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise NoAnswerError(f"the answer is larger than {limit} bytes. Ask for less, or check base_url")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How long the server asks to be left alone, the longest it says: seconds, or a date by its own clock, else by ours."""
    waits = [_wait_s(headers.get(name, "").strip(), headers.get("date", ""), now) for name in _WAITS]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait_s(text: str, date: str, now: datetime | None) -> float | None:
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return min(float(text[:12]), _LONGEST_WAIT_S)
    when = _http_date(text)
    since = _http_date(date) or now
    if when is None or since is None:
        return None
    return min(max((when - since).total_seconds(), 0.0), _LONGEST_WAIT_S)


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def status_advice(status: int, name: str, wait_s: float | None) -> str:
    """What a person can do about an answer with this status."""
    later = "at the next poll" if wait_s is None else f"after {wait_s:.0f} s"
    known = {
        401: f"It wants a key: set headers in [providers.{name!r}]",
        402: f"Its credits are used up; it will be asked again {later}",
        403: f"It does not want this program, so it is not asked again until you run `sitewatch poll {name}`; "
        "read its terms first",
        404: "Check base_url and path_style",
        429: f"It is asked too often; it will be asked again {later}. Raise interval_s if this goes on",
    }
    if status in known:
        return known[status] + "."
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"The fault is on its side; it will be asked again {later}."
    return f"Check base_url and options in [providers.{name!r}]."


def status_phrase(status: int) -> str:
    """The standard words for a status."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "(no known status)"
