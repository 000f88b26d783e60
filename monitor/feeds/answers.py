"""Reading one HTTP answer: its body within size and time, how long to stay away, and what its status means."""

import http
import zlib
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import httpx

from monitor.feeds.egress import Deadline

_LONGEST_WAIT_S = 7 * 86_400.0


class NoAnswerError(Exception):
    """No usable answer came; the text says why."""


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
    if coding not in ("", "identity", "gzip"):
        raise NoAnswerError("the answer is packed in a way that was not asked for")
    unpack = _Unpacker(limit) if coding == "gzip" else None
    size = 0
    for chunk in response.iter_raw():
        piece = unpack.feed(chunk) if unpack else chunk
        size += len(piece)
        _check_size(size, limit)
        if deadline.left_s <= 0:
            raise httpx.ReadTimeout("the answer took too long in all")
        yield piece
    if unpack:
        unpack.finish()


class _Unpacker:
    """Unpacks gzip step by step and never produces more than the limit."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._inflate = zlib.decompressobj(wbits=31)

    def feed(self, chunk: bytes) -> bytes:
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

    def finish(self) -> None:
        if not self._inflate.eof:
            raise NoAnswerError("the answer was cut short")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise NoAnswerError(f"the answer is larger than {limit} bytes. Ask for less, or check base_url")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to be left alone: seconds, or a date taken relative to its own Date header."""
    for name in ("retry-after", "x-rate-limit-retry-after-seconds"):
        text = headers.get(name, "").strip()
        if not text:
            continue
        if text.replace(".", "", 1).isdecimal() and text.isascii():
            return min(float(text[:12]), _LONGEST_WAIT_S)
        wait = _until(text, headers.get("date", ""))
        if wait is not None:
            return wait
    return None


def _until(when: str, now: str) -> float | None:
    try:
        wait = (parsedate_to_datetime(when) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


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
