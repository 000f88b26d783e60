"""Pages are made once for all readers and anew once the database or the minute is another; nobody gets what is another's."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, event

from db.engine import open_engine, writing
from db.observations import record_observations
from db.versions import DatabaseVersion
from monitor import pipeline
from monitor.web.app import create_app
from tests.kit.builders import look
from tests.kit.web_rig import NOW, TOKEN, Browser, Rig, containers, rig, tell_story

PUBLIC = {"host": "watch.example", "x-forwarded-for": "203.0.113.9"}
SEEN = re.compile(r"4[,\s]?711")
PAGES = ("/", "/sites/busy-port", "/alerts", "/feeds")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(engine: Engine, tmp_path: Path, clock: Clock) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        page = create_app(made.app, clock)
        yield replace(made, page=page, client=Browser(page))
        page.state.version.close()
        page.state.late.app.engine.dispose()


def made_so_far(told: Rig) -> int:
    return int(told.page.state.web.pages.made)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_made_once_until_somebody_writes_or_the_minute_is_over(
    told: Rig, clock: Clock, path: str
) -> None:
    first = told.client.get(path)
    assert first.status_code == 200
    asked: list[str] = []
    event.listen(told.app.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    clock.now += timedelta(seconds=59)
    assert told.client.get(path).text == first.text
    assert [each for each in asked if "FROM" in each and "snapshot" not in each] == []
    assert made_so_far(told) == 1
    with writing(told.app.engine) as connection:
        record_observations(connection, [containers("2023-10-07", 4711)])
    told.client.get(path)
    assert made_so_far(told) == 2
    clock.now += timedelta(seconds=1)
    told.client.get(path)
    assert made_so_far(told) == 3


def test_what_another_process_writes_is_on_the_page_at_once(told: Rig) -> None:
    assert not SEEN.search(told.client.get("/sites/busy-port?metric=containers").text)
    other = open_engine(told.app.engine.url)
    with writing(other) as connection:
        record_observations(connection, [containers("2023-10-07", 4711)])
    other.dispose()
    pipeline.judge(told.app, NOW)
    assert SEEN.search(told.client.get("/sites/busy-port?metric=containers").text)


def test_an_edit_of_the_sites_file_is_on_the_page_at_once(told: Rig) -> None:
    told.client.get("/")
    path = told.app.sites_file.path
    path.write_text(path.read_text().replace("Quiet Field", "Loud Field"), encoding="utf-8")
    told.app.sites_file.refresh()
    assert "Loud Field" in told.client.get("/").text


def test_the_public_and_who_watches_here_never_get_the_pages_of_each_other(told: Rig, clock: Clock) -> None:
    with writing(told.app.engine) as connection:
        record_observations(
            connection, [replace(containers("2023-10-07", 4711), result_time=NOW, recorded_at=NOW)]
        )
    orders: list[list[dict[str, str]]] = [[{}, PUBLIC], [PUBLIC, {}]]
    for order in orders:
        for headers in order:
            text = told.client.get("/sites/busy-port?metric=containers", headers=headers).text
            assert bool(SEEN.search(text)) is (headers is not PUBLIC)
            assert ("Late on purpose" in text) is (headers is PUBLIC)
        clock.now += timedelta(minutes=1)


def test_each_reader_has_a_token_of_its_own_in_pages_that_are_kept(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        tell_story(made.app)
        bearer = {"authorization": f"Bearer {TOKEN}"}
        first, second = Browser(made.page), Browser(made.page)
        pages = [each.get("/", headers=bearer).text for each in (first, second)]
        tokens = [re.findall(r'name="form_token" value="([^"]+)"', each) for each in pages]
        assert len({*tokens[0], *tokens[1]}) == 2
        assert made.page.state.web.pages.made == 1
        assert not any("form-token-" in each for each in pages)
        assert first.cookies["sitewatch_csrf"] != second.cookies["sitewatch_csrf"]
        assert first.form_token("/login")


def test_languages_addresses_and_choices_in_cookies_have_pages_of_their_own(told: Rig) -> None:
    for headers in ({}, {"accept-language": "de"}, {"cookie": "language=fr"}):
        told.client.get("/", headers=headers)
    assert made_so_far(told) == 3
    told.client.get("/", headers={"accept-language": "de"})
    told.client.get("/", headers={"cookie": "sitewatch_csrf=x"})
    assert made_so_far(told) == 3
    told.client.get("/?x=1")
    assert made_so_far(told) == 4


def test_what_a_reader_has_already_is_not_sent_again_packed_or_not(told: Rig) -> None:
    plain = told.client.get("/", headers={"accept-encoding": "identity"})
    packed = told.client.get("/", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert plain.headers["etag"] == packed.headers["etag"]
    again = told.client.get("/", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert len(gzip.compress(plain.content)) < len(plain.content) / 2


def test_readers_at_once_wait_for_the_one_who_makes_it(told: Rig) -> None:
    together, answers = Barrier(6), []

    def read() -> None:
        together.wait()
        answers.append(Browser(told.page).get("/").text)

    threads = [Thread(target=read) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert made_so_far(told) == 1


def test_a_page_that_is_not_there_is_not_kept(told: Rig) -> None:
    assert told.client.get("/alerts/nonsense").status_code == 404
    assert made_so_far(told) == 0


def test_a_version_is_the_same_until_somebody_has_written(engine: Engine) -> None:
    version = DatabaseVersion(engine)
    first = version.read()
    assert version.read() == first
    with writing(engine) as connection:
        record_observations(connection, [look("2023-10-07", 3, "ships_present")])
    second = version.read()
    assert second != first
    assert version.read() == second
    version.close()
    assert version.read()
    version.close()
