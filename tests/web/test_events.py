"""The event stream: one look for all listeners, what changed by topic, and an end when the server stops."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import cast

from sqlalchemy import Engine, QueuePool, event, text
from structlog.testing import capture_logs

from db.engine import writing
from db.observations import record_observations
from db.page_marks import read_marks
from monitor.web.events import ChangeFeed
from tests.kit.builders import look
from tests.kit.web_rig import NOW, rig, tell_story

QUICK_S = 0.01


async def topics(stream: AsyncIterator[str]) -> list[str]:
    """Wait for the next change."""
    async for each in stream:
        if each.startswith("event: changed"):
            found: list[str] = json.loads(each.split("data: ")[1])
            return found
    raise AssertionError("the stream ended")


def test_every_listener_hears_what_changed(engine: Engine) -> None:
    async def story() -> tuple[list[str], list[str]]:
        pulse = ChangeFeed(engine, QUICK_S)
        one, other = pulse.listen(), pulse.listen()
        waiting = [asyncio.create_task(topics(each)) for each in (one, other)]
        await pulse.looked()
        with writing(engine) as connection:
            record_observations(connection, [look("2023-10-05", 3)])
        heard = await asyncio.gather(*waiting)
        await pulse.close()
        return heard[0], heard[1]

    assert asyncio.run(story()) == (["looks"], ["looks"])


def test_nobody_looks_while_nobody_listens(sqlite_engine: Engine) -> None:
    async def story() -> tuple[bool, bool]:
        pulse = ChangeFeed(sqlite_engine, QUICK_S)
        stream = pulse.listen()
        await anext(stream)
        looking = pulse._task is not None
        await stream.aclose()
        return looking, pulse._task is not None

    assert asyncio.run(story()) == (True, False)


def test_streams_end_when_the_server_stops(sqlite_engine: Engine) -> None:
    async def story() -> list[str]:
        pulse = ChangeFeed(sqlite_engine, QUICK_S)
        heard: list[str] = []

        async def listen() -> None:
            heard.extend([each async for each in pulse.listen()])

        listening = asyncio.create_task(listen())
        await pulse.looked()
        await pulse.close()
        await asyncio.wait_for(listening, 10)
        return heard

    assert asyncio.run(story())[0] == "retry: 5000\n\n"


def test_a_database_that_fails_is_looked_at_again(sqlite_engine: Engine) -> None:
    async def story() -> list[str]:
        pulse = ChangeFeed(sqlite_engine, QUICK_S)
        waiting = asyncio.create_task(topics(pulse.listen()))
        await pulse.looked()
        with writing(sqlite_engine) as connection:
            connection.execute(text("alter table poll rename to hidden"))
        await pulse.looked()
        with writing(sqlite_engine) as connection:
            connection.execute(text("alter table hidden rename to poll"))
            record_observations(connection, [look("2023-10-05", 3)])
        heard = await waiting
        await pulse.close()
        return heard

    with capture_logs() as logs:
        assert asyncio.run(story()) == ["looks"]
    assert {each["event"] for each in logs} == {"cannot look for changes"}


def test_a_quiet_stream_is_kept_open(sqlite_engine: Engine) -> None:
    async def story() -> str:
        pulse = ChangeFeed(sqlite_engine, look_every_s=1000, keep_alive_s=QUICK_S)
        stream = pulse.listen()
        await anext(stream)
        comment = await anext(stream)
        await pulse.close()
        return comment

    assert asyncio.run(story()) == ": still here\n\n"


def test_the_end_waits_until_the_database_is_let_go(engine: Engine) -> None:
    began, going_on, held = Event(), Event(), list[int]()

    def slowly(*_: object) -> None:
        began.set()
        going_on.wait(1)

    async def story() -> None:
        pulse = ChangeFeed(engine, QUICK_S)
        stream = pulse.listen()
        await anext(stream)
        await asyncio.to_thread(began.wait)
        ending = asyncio.create_task(pulse.close())
        # It is given every chance to end before the look does.
        await asyncio.sleep(QUICK_S)
        assert not ending.done()
        going_on.set()
        await ending
        held.append(pool.checkedout())
        await stream.aclose()

    pool = cast("QueuePool", engine.pool)
    event.listen(engine, "before_cursor_execute", slowly)
    asyncio.run(story())
    event.remove(engine, "before_cursor_execute", slowly)
    assert held == [0]


def test_too_many_listeners_are_sent_away(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path) as made:
        made.page.state.web = replace(made.page.state.web, pulse=ChangeFeed(sqlite_engine, most=0))
        response = made.client.get("/events")
    assert response.status_code == 503
    assert "load this page again by hand" in response.text


def test_each_kind_of_change_has_its_mark(engine: Engine, tmp_path: Path) -> None:
    before = read_marks(engine)
    with rig(engine, tmp_path) as made:
        sites = read_marks(engine)
        assert {name for name in sites if sites[name] != before[name]} == {"sites"}
        tell_story(made.app, NOW)
    after = read_marks(engine)
    assert {name for name in after if after[name] != sites[name]} == after.keys() - {"sites"}
