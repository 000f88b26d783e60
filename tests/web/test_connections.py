"""Whoever fills the page's connections gets the page's room and nothing of the watch's."""

import asyncio
import resource
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from monitor.config.clock import monotonic_s, utc_now
from monitor.feeds import FeedError
from monitor.feeds.http import GuardedClient
from monitor.poll.answers import failed_result
from monitor.web.connections import BACKLOG, FOR_THE_WATCH, MOST_CONNECTIONS, Door, Guest, LoopFaults, room
from tests.kit.fake_feeds import USER_AGENT, loopback
from tests.kit.program import PATIENCE_S, answering, closed_port, running, write_settings

pytestmark = pytest.mark.sqlite
Talk = Callable[[int, Door], Any]


async def _serve(door: Door, talk: Talk) -> None:
    config = uvicorn.Config(PlainTextResponse("here\n"), log_config=None, access_log=False)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    make: Any = partial(Guest, door, config=config, server_state=state, app_state={})
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=BACKLOG)
    async with server:
        await asyncio.wait_for(talk(server.sockets[0].getsockname()[1], door), PATIENCE_S)


def attacked(talk: Talk, most: int = 5, patience_s: float = 600) -> list[str]:
    """What is told while this goes on at a door."""
    told: list[str] = []
    asyncio.run(_serve(Door(most, told.append, patience_s), talk))
    return told


async def _ask(port: int, head: bytes = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    return answer


def test_silent_connections_make_room_for_one_that_asks() -> None:
    async def talk(port: int, _door: Door) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        silent[-1][1].write(b"GET / HT")
        assert (await _ask(port)).endswith(b"here\n")
        # Of forty the first were closed: they read the end.
        for reader, _ in silent[:34]:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        for _, writer in silent:
            writer.close()

    (told,) = attacked(talk)
    assert "More than 5 connections to the page were open at once" in told


def test_a_head_that_drips_is_not_waited_for() -> None:
    async def talk(port: int, _door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()

    assert attacked(talk, patience_s=0.2) == []


def test_a_second_request_on_a_connection_is_given_no_more_time_than_the_first() -> None:
    async def talk(port: int, _door: Door) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"here\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HT")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()

    assert attacked(talk, patience_s=0.5) == []


def test_the_page_leaves_file_handles_to_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(soft: int, hard: int) -> int:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        return room()

    assert limited(1024, 1024) == MOST_CONNECTIONS
    assert limited(512, 512) == 512 - FOR_THE_WATCH - 3 * BACKLOG
    assert limited(100, 100) == 8
    assert limited(resource.RLIM_INFINITY, resource.RLIM_INFINITY) == MOST_CONNECTIONS


def test_a_fault_of_the_loop_is_told_once() -> None:
    told: list[str] = []
    faults = LoopFaults(lambda words, _: told.append(words))
    loop = asyncio.new_event_loop()
    for _ in range(100):
        faults(loop, {"message": "socket.accept() out of system resource", "exception": OSError(24, "x")})
    faults(loop, {"message": "another"})
    loop.close()
    assert told == ["socket.accept() out of system resource", "another"]


@pytest.mark.long
def test_half_open_connections_stop_neither_page_nor_watch(tmp_path: Path) -> None:
    asked: list[None] = []

    def body() -> bytes:
        asked.append(None)
        return b'{"now": 0, "ac": []}'

    with answering(body) as port, ExitStack() as open_ones:
        write_settings(tmp_path, port, "port = 0", "lease_s = 1")
        with running(tmp_path, "run") as service:
            resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (400, 400))
            page = service.until("Page:").split()[-1]
            service.until("Watching.")
            number = int(page.rstrip("/").rpartition(":")[2])
            for _ in range(700):
                open_ones.enter_context(socket.create_connection(("127.0.0.1", number), timeout=PATIENCE_S))
            before = len(asked)
            with urllib.request.urlopen(f"{page}readyz", timeout=PATIENCE_S) as answer:
                assert answer.read() == b"ready\n"
            service.until_logged("connections to the page were open at once")
            assert len(asked) >= before
            open_ones.close()
            assert service.stop() == 0
    log = service.log()
    assert "Too many open files" not in log
    assert "Traceback" not in log
    assert log.count("connections to the page were open at once") == 1


@contextmanager
def without_handles() -> Iterator[None]:
    """A process that may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = socket.socket()
    lowest = probe.fileno()
    probe.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_fault_of_this_machine_is_not_counted_as_the_provider_s() -> None:
    with loopback(lambda _: (200, {}, b"{}")) as server:
        guarded = GuardedClient(
            name="feed",
            user_agent=USER_AGENT,
            monotonic=monotonic_s,
            clock=utc_now,
            allowed_networks=("127.0.0.0/8",),
        )
        with without_handles(), pytest.raises(FeedError) as caught:
            guarded.request("GET", server.url, purpose="data")
        assert caught.value.ours
        assert "lets sitewatch open no more files and connections" in caught.value.reason
        assert failed_result(caught.value).ours
        assert guarded.request("GET", server.url, purpose="data").status == 200
    with closed_port() as port, closing(guarded), pytest.raises(FeedError) as refused:
        guarded.request("GET", f"http://127.0.0.1:{port}/", purpose="data")
    assert not refused.value.ours
