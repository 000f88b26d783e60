"""Reading parts of one large file on the web through the guarded client, with few requests and within a budget."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from monitor.feeds import Answer, FeedClient, FeedError

BLOCK_BYTES = 16 * 1024
HEAD_BYTES = 128 * 1024
"""The first request: the directories of a cloud-optimised picture fit into it."""
_GAP = 4
_LONGEST_RUN = 512
"""Blocks in one request: 8 MB, less than any answer may have."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RangeBudget:
    """What reading one file may cost."""

    size: int = 20 * 1024 * 1024
    requests: int = 16


@dataclass(frozen=True, slots=True)
class _Version:
    size: int
    etag: str
    modified: str

    def may_be(self, other: "_Version") -> bool:
        """Whether both may be the same file: machines of one service give it tags of their own, strong or weak."""
        if self.size != other.size:
            return False
        tags = {each.removeprefix("W/") for each in (self.etag, other.etag)} - {""}
        return len(tags) <= 1 or bool(self.modified and self.modified == other.modified)


class RemoteFile:
    """One file that is asked for in ranges; what came is kept and not asked for again.

    After a failure nothing more is asked, and reading gives nothing: the library that reads cannot carry our
    errors. Whoever uses it raises `failure` afterwards.
    """

    def __init__(self, client: FeedClient, url: str, budget: RangeBudget = RangeBudget()) -> None:
        self._client, self._url, self._budget = client, url, budget
        self._where = urlsplit(url).hostname or url
        self._blocks: dict[int, bytes] = {}
        self._version: _Version | None = None
        self.failure: FeedError | None = None
        self.spent = 0
        """Bytes that came."""
        self.requests = 0

    @property
    def size(self) -> int:
        """The size of the whole file; 0 where it cannot be had."""
        if self._version is None:
            self.fetch([(0, HEAD_BYTES)])
        return 0 if self._version is None else self._version.size

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Ask for what is missing of these parts (offset, size), near ones together."""
        asked = list(ranges)
        if sum(size for _, size in asked) > self._budget.size:
            self._fail(self._too_much)
            return
        blocks = {block for offset, size in asked for block in _blocks(offset, size)}
        for first, last in _runs(sorted(blocks - self._blocks.keys())):
            self._ask(first * BLOCK_BYTES, (last + 1) * BLOCK_BYTES)

    def keep_only(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Forget what came, but for the head and these parts (offset, size): nothing else is read any more."""
        kept = {block for offset, size in ranges for block in _blocks(offset, size)}
        kept.update(_blocks(0, HEAD_BYTES))
        self._blocks = {block: data for block, data in self._blocks.items() if block in kept}

    def read(self, offset: int, size: int) -> bytes:
        """Give a part of the file, shorter at its end, and nothing after a failure."""
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        if any(block not in self._blocks for block in _blocks(offset, size)):
            self.fetch([(offset, size)])
        if self.failure is not None:
            return b""
        whole = b"".join(self._blocks[block] for block in _blocks(offset, size))
        start = offset % BLOCK_BYTES
        return whole[start : start + size]

    def open(self) -> io.RawIOBase:
        """Give the file as one that can be read and sought."""
        return _Reader(self)

    @property
    def _too_much(self) -> str:
        return f"more than {_mb(self._budget.size)} would have to be read"

    def _ask(self, start: int, stop: int) -> None:
        if self._version is not None:
            stop = min(stop, self._version.size)
        if self.failure is not None or stop <= start:
            return
        if self.requests == self._budget.requests:
            self._fail(f"more than {self._budget.requests} requests would be needed")
            return
        if stop - start > self._budget.size - self.spent:
            self._fail(self._too_much)
            return
        self.requests += 1
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        wanted = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
        try:
            answer = self._client.request("GET", self._url, purpose="data", headers=headers, accept=wanted)
        except FeedError as error:
            self.failure = error
            return
        self.spent += len(answer.body)
        self._take(answer, start, stop)

    def _take(self, answer: Answer, start: int, stop: int) -> None:
        """Check an answer and keep its bytes; a server without ranges sends the whole file at once."""
        if answer.status == HTTPStatus.OK:
            start, total = 0, len(answer.body)
            if total > self._budget.size:
                self._fail(f"it sends whole files only, and this one is larger than {_mb(self._budget.size)}")
                return
        else:
            said = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
            first, last = (int(said[1]), int(said[2])) if said else (-1, -1)
            if said and said[3] == "*" and self._version is None:
                self._fail("its server does not say how large it is (Content-Range ends with *)")
                return
            known = 0 if self._version is None else self._version.size
            total = 0 if said is None else known if said[3] == "*" else int(said[3])
            if first != start or last != min(stop, total) - 1 or last - first + 1 != len(answer.body):
                self._fail("it sent another part of the file than was asked for")
                return
        version = _Version(total, answer.headers.get("etag", ""), answer.headers.get("last-modified", ""))
        if self._version is not None and not version.may_be(self._version):
            self._fail("the file changed while it was read")
            return
        self._version = version
        for offset in range(0, len(answer.body), BLOCK_BYTES):
            self._blocks[(start + offset) // BLOCK_BYTES] = answer.body[offset : offset + BLOCK_BYTES]

    def _fail(self, why: str) -> None:
        self.failure = self.failure or FeedError(f"{self._where}: {why}.")


class _Reader(io.RawIOBase):
    """A remote file with a position; the position may lie beyond the end, as it may in any file."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._remote.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        found = self._remote.read(self._at, size if size >= 0 else self._remote.size)
        self._at += len(found)
        return found


def _blocks(offset: int, size: int) -> range:
    return range(offset // BLOCK_BYTES, -(-(offset + size) // BLOCK_BYTES) if size else 0)


def _runs(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of blocks, none too long; a small gap is read along rather than asked around."""
    if not blocks:
        return
    first = last = blocks[0]
    for block in blocks[1:]:
        if block - last > _GAP + 1 or block - first >= _LONGEST_RUN:
            yield first, last
            first = block
        last = block
    yield first, last


def _mb(size: int) -> str:
    return f"{size / (1024 * 1024):g} MB"
