"""Parts of a large file: read as they stand, asked for once, within the budget, and never mixed from two versions."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.feeds.http import Caps
from monitor.feeds.ranges import BLOCK_BYTES, HEAD_BYTES, RangeBudget, RemoteFile
from tests.kit.fake_feeds import Asked, Loopback, Reply, client
from tests.kit.pictures import ranged, serving

URL = "https://bucket.s3.us-west-2.amazonaws.com/tiles/TCI.tif"
BUDGET = RangeBudget()
BODY = random.Random(7).randbytes(60 * BLOCK_BYTES + 777)


@contextmanager
def remote(reply: Any, budget: RangeBudget = BUDGET, **options: Any) -> Iterator[tuple[RemoteFile, Loopback]]:
    with serving(reply) as (server, transport):
        yield RemoteFile(client(transport, "pictures", **options), URL, budget), server


def said(file: RemoteFile) -> str:
    assert file.failure is not None
    return file.failure.reason


def test_the_file_reads_as_it_stands() -> None:
    with remote(ranged(BODY)) as (file, server):
        reader = file.open()
        assert file.size == len(BODY)
        assert reader.read(10) == BODY[:10]
        assert reader.seek(-5, io.SEEK_END) == len(BODY) - 5
        assert reader.read(100) == BODY[-5:]
        assert reader.read(100) == b""
        assert (reader.seek(HEAD_BYTES + 3), reader.seek(4, io.SEEK_CUR)) == (HEAD_BYTES + 3, HEAD_BYTES + 7)
        assert (reader.tell(), reader.readable(), reader.seekable()) == (HEAD_BYTES + 7, True, True)
        assert reader.read() == BODY[HEAD_BYTES + 7 :]
        assert file.failure is None
        assert file.spent == len(BODY)
        assert {asked.headers["accept-encoding"] for asked in server.asked} == {"identity"}


@given(parts=st.lists(st.tuples(st.integers(0, len(BODY) + 10), st.integers(0, 5 * BLOCK_BYTES)), max_size=8))
def test_any_parts_are_right_and_what_came_is_not_asked_for_again(parts: list[tuple[int, int]]) -> None:
    file = RemoteFile(client(_ranged_here, "pictures"), URL, RangeBudget(requests=1000))
    for offset, size in parts:
        assert file.read(offset, size) == BODY[offset : offset + size]
    assert file.failure is None
    before = file.requests
    file.fetch((offset, size) for offset, size in parts if offset < len(BODY))
    assert file.requests == before


def _ranged_here(request: httpx.Request) -> httpx.Response:
    status, headers, body = ranged(BODY)(Asked("GET", request.url.path, dict(request.headers), b""))
    return httpx.Response(status, headers=headers, content=body)


def test_near_parts_are_asked_for_together() -> None:
    with remote(ranged(BODY)) as (file, server):
        assert file.size
        file.fetch(
            [
                (20 * BLOCK_BYTES, 100),
                (23 * BLOCK_BYTES, BLOCK_BYTES),
                (50 * BLOCK_BYTES, 10),
                (20 * BLOCK_BYTES + 50, 5),
            ]
        )
        assert [asked.headers["range"] for asked in server.asked] == [
            f"bytes=0-{HEAD_BYTES - 1}",
            f"bytes={20 * BLOCK_BYTES}-{24 * BLOCK_BYTES - 1}",
            f"bytes={50 * BLOCK_BYTES}-{51 * BLOCK_BYTES - 1}",
        ]
        assert file.read(23 * BLOCK_BYTES, BLOCK_BYTES) == BODY[23 * BLOCK_BYTES : 24 * BLOCK_BYTES]
        assert file.requests == len(server.asked) == 3


def test_a_small_file_without_ranges_is_taken_whole() -> None:
    with remote(lambda _: (200, {}, BODY)) as (file, _):
        assert file.read(40 * BLOCK_BYTES, 10) == BODY[40 * BLOCK_BYTES :][:10]
        assert (file.requests, file.spent) == (1, len(BODY))


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        (
            Caps(),
            "bucket.s3.us-west-2.amazonaws.com: it sends whole files only, and this one is larger than 0.5 MB",
        ),
        (Caps(body_bytes=512 * 1024), "larger than 524288 bytes"),
    ],
)
def test_a_large_file_without_ranges_is_refused(caps: Caps, words: str) -> None:
    with remote(lambda _: (200, {}, BODY), RangeBudget(size=512 * 1024), caps=caps) as (file, server):
        assert file.read(0, 10) == b""
        assert words in said(file)
        assert file.read(0, 10) == b""
        assert len(server.asked) == 1


def test_no_more_is_asked_than_the_budget_allows() -> None:
    with remote(ranged(BODY), RangeBudget(size=HEAD_BYTES + 2 * BLOCK_BYTES)) as (file, server):
        assert file.read(0, 10)
        file.fetch([(20 * BLOCK_BYTES, 3 * BLOCK_BYTES)])
        assert said(file) == (
            "bucket.s3.us-west-2.amazonaws.com: more than 0.15625 MB would have to be read."
        )
        assert (len(server.asked), file.spent) == (1, HEAD_BYTES)
    with remote(ranged(BODY), RangeBudget(size=HEAD_BYTES)) as (file, server):
        file.fetch([(0, 10**15)])
        assert "would have to be read" in said(file)
        assert server.asked == []


def test_no_more_requests_are_made_than_the_budget_allows() -> None:
    with remote(ranged(BODY), RangeBudget(requests=2)) as (file, server):
        assert file.read(0, 10)
        assert file.read(20 * BLOCK_BYTES, 10)
        assert file.read(40 * BLOCK_BYTES, 10) == b""
        assert "more than 2 requests would be needed" in said(file)
        assert len(server.asked) == 2


def _shorter(asked: Asked) -> Reply:
    status, headers, body = ranged(BODY)(asked)
    return status, headers, body[:-1]


def _elsewhere(_: Asked) -> Reply:
    return 206, {"Content-Range": f"bytes 5-14/{len(BODY)}"}, BODY[5:15]


@pytest.mark.parametrize(
    "reply",
    [
        _shorter,
        _elsewhere,
        lambda _: (206, {}, b"x"),
    ],
    ids=["too short", "another part", "no range said"],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(reply: Any) -> None:
    with remote(reply) as (file, _):
        assert file.read(0, 10) == b""
        assert file.size == 0
        assert "it sent another part of the file than was asked for" in said(file)


def test_the_unit_of_a_range_is_read_however_it_is_written() -> None:
    def reply(asked: Asked) -> Reply:
        status, headers, body = ranged(BODY)(asked)
        return status, {**headers, "Content-Range": headers["Content-Range"].replace("bytes", "Bytes")}, body

    with remote(reply) as (file, _):
        assert file.read(5, 10) == BODY[5:15]


def test_a_size_that_is_not_said_is_the_reason() -> None:
    with remote(lambda _: (206, {"Content-Range": "bytes 0-9/*"}, b"0" * 10)) as (file, _):
        assert file.read(0, 10) == b""
        assert "does not say how large it is" in said(file)


@pytest.mark.parametrize(
    "tags",
    [
        [{"ETag": '"1"'}, {"ETag": 'W/"1"'}],
        [{"ETag": '"1"'}, {}],
        [
            {"ETag": '"a"', "Last-Modified": "Tue, 01 Aug 2023 12:00:00 GMT"},
            {"ETag": '"b"', "Last-Modified": "Tue, 01 Aug 2023 12:00:00 GMT"},
        ],
    ],
    ids=["turns weak", "is lost", "varies by machine"],
)
def test_a_tag_that_varies_without_the_file_is_no_change(tags: list[dict[str, str]]) -> None:
    versions = iter([ranged(BODY, **each) for each in tags])

    def reply(asked: Asked) -> Reply:
        return next(versions)(asked)

    with remote(reply) as (file, _):
        assert file.read(0, 10)
        assert file.read(50 * BLOCK_BYTES, 10) == BODY[50 * BLOCK_BYTES : 50 * BLOCK_BYTES + 10]


@pytest.mark.parametrize("second", [(BODY, {"ETag": '"2"'}), (BODY + b"more", {"ETag": '"1"'})])
def test_a_file_that_changes_while_it_is_read_is_refused(second: tuple[bytes, dict[str, str]]) -> None:
    versions = iter([ranged(BODY, ETag='"1"'), ranged(second[0], **second[1])])

    def reply(asked: Asked) -> Reply:
        return next(versions)(asked)

    with remote(reply) as (file, _):
        assert file.read(0, 10)
        assert file.read(50 * BLOCK_BYTES, 10) == b""
        assert "the file changed while it was read" in said(file)


def test_a_refusal_keeps_its_status() -> None:
    with remote(lambda _: (403, {}, b"<Error>AccessDenied</Error>")) as (file, _):
        assert file.size == 0
        assert file.failure is not None
        assert file.failure.status == 403
