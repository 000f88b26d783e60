"""What the status, the first page and a round of questions ask of the database does not grow with the number of sites."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from db.coverage import coverage, coverage_by_site, first_watched_by_site, last_reports
from db.engine import reading, writing
from db.polls import last_good_poll, last_good_polls
from db.records import CoverageHour
from db.schema import coverage_hour
from monitor.app import App
from monitor.feeds import Provider, Scope
from monitor.feeds.providers import known_providers
from monitor.poll.plan import in_turn, troubled
from monitor.reports.pixels import pixel_status
from monitor.reports.radar import radar_sentences
from monitor.reports.status import feed_days, gather_status, watched_24h_by_site, with_passes
from monitor.web.views.feeds_view import feeds_page
from monitor.web.views.overview import OverviewReader
from tests.kit.web_rig import NOW, Rig, rig, tell_story

HOUR = timedelta(hours=1)
STATISTICS: Any = SimpleNamespace(
    provider=SimpleNamespace(name="copernicus"), units_a_month=9, requests_a_month=9
)
PROVIDER = Provider("adsb.lol", "readsb", "https://feed.example", 60, "open", "adsb.lol")


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@contextmanager
def asking(engine: Engine) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(*said: object) -> None:
        asked.append(str(said[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_sites_are_asked_after_together_and_each_gets_what_it_got_alone(told: Rig) -> None:
    engine, sites = told.app.engine, [*told.app.sites, "nowhere"]
    rows = [
        CoverageHour("adsb.lol", "busy-port", NOW - 30 * HOUR, 900, 300, False, 0),
        CoverageHour("other", "busy-port", NOW - 30 * HOUR, 1800, 300, False, 2),
        CoverageHour("other", "quiet-field", NOW - 2 * HOUR, 3600, 600, False, 3),
    ]
    with writing(engine) as connection:
        connection.execute(
            coverage_hour.insert(), [{name: getattr(each, name) for name in each.__slots__} for each in rows]
        )
    with reading(engine) as connection:
        alone = {each: watched_24h_by_site(connection, [each], NOW)[each] for each in sites}
        hours = {each: coverage(connection, each, NOW - 24 * HOUR, NOW) for each in sites}
        first = {each: first_watched_by_site(connection, [each]).get(each) for each in sites}
        by_feed = {each: feed_days(connection, [each], NOW) for each in sites}
        heard = {
            each: max((row.hour + HOUR for row in hours[each] if row.reports_nearby), default=None)
            for each in sites
        }
        with asking(engine) as asked:
            assert watched_24h_by_site(connection, sites, NOW) == alone
            assert len(asked) == 2
            assert coverage_by_site(connection, sites, NOW - 24 * HOUR, NOW) == hours
            assert first_watched_by_site(connection, sites) == {
                each: at for each, at in first.items() if at is not None
            }
            assert last_reports(connection, sites, NOW - 24 * HOUR, NOW) == {
                each: at for each, at in heard.items() if at is not None
            }
            assert len(asked) == 5
            days = feed_days(connection, sites, NOW)
            assert days == {key: day for each in by_feed.values() for key, day in each.items()}
            assert len(asked) == 6 + len({provider for provider, _ in days})
        assert days["other", "quiet-field"].share == pytest.approx(600 / 7200)


def test_many_places_of_a_provider_are_one_question(told: Rig) -> None:
    scopes = [*told.app.feeds["adsb.lol"].scopes(list(told.app.sites.values()))]
    many = [*scopes, *(Scope(f"circle:{number}", ()) for number in range(600))]
    with reading(told.app.engine) as connection:
        alone = {each.key: last_good_poll(connection, "adsb.lol", each.key) for each in scopes}
        with asking(told.app.engine) as asked:
            found = last_good_polls(connection, "adsb.lol", [each.key for each in many])
            assert found == {key: each for key, each in alone.items() if each is not None}
            assert found
            turns = [each.key in found for each in in_turn(connection, PROVIDER, many, 1)]
            assert turns == [False] * (len(many) - len(found)) + [True] * len(found), (
                "who was never asked comes first"
            )
            assert troubled(connection, PROVIDER, many, 1, NOW) == []
            assert len(asked) <= 4


def statements(told: Rig, work: Callable[[Sequence[str]], object], sites: Sequence[str]) -> int:
    with asking(told.app.engine) as asked:
        work(sites)
    return len(asked)


@pytest.mark.parametrize("what", ["status", "passes", "feeds", "metrics", "api", "radar", "pixels"])
def test_what_is_said_of_all_sites_is_asked_of_all_at_once(
    told: Rig, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    app, every = told.app, dict(told.app.sites)

    def ask() -> object:
        match what:
            case "status":
                return gather_status(app, NOW)
            case "passes":
                return with_passes(app, gather_status(app, NOW))
            case "feeds":
                return feeds_page(app, NOW)
            case "pixels":
                with reading(app.engine) as connection:
                    return pixel_status(connection, list(app.sites.values()), 1, NOW)
            case "radar":
                with reading(app.engine) as connection:
                    asked = ({"copernicus": STATISTICS}, ())
                    providers, sites = known_providers(app.settings), list(app.sites.values())
                    return list(radar_sentences(connection, providers, asked, sites, NOW))
        answer = told.client.get("/metrics" if what == "metrics" else "/api/v1/sites")
        assert answer.status_code == 200
        return answer

    def number(sites: Sequence[str]) -> int:
        monkeypatch.setattr(App, "sites", property(lambda _: {each: every[each] for each in sites}))
        ask()
        return statements(told, lambda _: ask(), sites)

    flying = [each for each in every if every[each].flies]
    assert len(every) > 3
    assert number(list(every)) <= number(flying[:1]) + 2, "one site or many"


def test_who_does_not_show_passes_does_not_ask_for_them(told: Rig) -> None:
    with asking(told.app.engine) as asked:
        status = gather_status(told.app, NOW)
    assert not [each for each in asked if "FROM scene" in each or "detection" in each or "radar_" in each]
    assert {each.passes for each in status.sites} == {None}
    assert {each.passes is None for each in with_passes(told.app, status).sites} == {False}


def test_a_line_of_the_first_page_costs_no_statement_of_its_own(told: Rig) -> None:
    def lines(sites: Sequence[str]) -> None:
        with reading(told.app.engine) as connection:
            reader = OverviewReader(connection, told.app, NOW, sites)
            for each in sites:
                reader.card(told.app.sites[each], charted=False)

    every = list(told.app.sites)
    assert statements(told, lines, every) - statements(told, lines, every[:1]) <= 1


def test_cards_of_some_sites_are_those_of_all(told: Rig) -> None:
    with reading(told.app.engine) as connection:
        whole = OverviewReader(connection, told.app, NOW)
        for site in told.app.sites.values():
            one = OverviewReader(connection, told.app, NOW, [site.id])
            assert one.card(site, charted=False) == whole.card(site, charted=False)
            assert list(one.sources_of(site)) == list(whole.sources_of(site))
