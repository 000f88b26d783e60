"""More sites never mean more requests than a provider allows: each known one, with the shipped sites and 200 more."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from db.coverage import coverage
from db.engine import reading
from monitor.bootstrap import FEEDS, rule_defaults
from monitor.config.settings import ProviderSettings, Settings, SettingsError
from monitor.feeds import Feed, Provider, Scope
from monitor.feeds.opensky import credit_cost
from monitor.feeds.options import rotation_slots
from monitor.feeds.providers import configured_providers
from monitor.poll.rounds import poll_provider
from monitor.sites import Site
from monitor.sites.geometry import circle
from monitor.sites.load import load_sites
from tests.kit.fake_feeds import NOON, aircraft, client, v2_body

pytestmark = [pytest.mark.long, pytest.mark.untraced]

SHIPPED = Path(__file__).resolve().parents[2] / "sites.geojson"
DAY_S, MONTH_S = 86_400, 31 * 86_400
ACCOUNT = {"client_id": "me", "client_secret": "secret"}


@cache
def shipped() -> tuple[Site, ...]:
    return tuple(load_sites(SHIPPED, rule_defaults()))


@cache
def many() -> tuple[Site, ...]:
    """The shipped sites and 200 airports all over the world."""
    template = next(site for site in shipped() if site.flies)
    lats, lons = cycle(range(-50, 71, 11)), cycle(range(-175, 180, 17))
    places = islice(zip(lats, lons, strict=False), 200)
    added = (
        replace(template, id=f"added-{n}", geometry=circle(lat, lon, 1_500))
        for n, (lat, lon) in enumerate(places)
    )
    return (*shipped(), *added)


def provider(name: str, **changes: object) -> Provider:
    settings = Settings(providers={name: ProviderSettings.model_validate({"enabled": True, **changes})})
    return next(each for each in configured_providers(settings) if each.name == name)


def feed(known: Provider) -> Feed:
    return FEEDS[known.kind](known, client(lambda _: httpx.Response(500), name=known.name))


def slots(known: Provider, scopes: Sequence[Scope]) -> Iterator[Sequence[Scope]]:
    """What is asked in each slot, until every place had its turn."""
    needed = rotation_slots(known, len(scopes))
    return (scopes[slot::needed] for slot in range(needed))


def most_in_a_slot(known: Provider, sites: Sequence[Site]) -> int:
    return max(len(each) for each in slots(known, feed(known).scopes(sites)))


@pytest.mark.parametrize("sites", [shipped, many], ids=["shipped", "200 more"])
@pytest.mark.parametrize(
    ("name", "period_s", "allowed"),
    [
        # Nothing is published for the first and third: what adsb.fi allows is taken for them, too.
        ("adsb.lol", 1, 1),
        ("adsb.fi", 1, 1),
        ("airplanes.live", 1, 1),
        ("adsbexchange", MONTH_S, 10_000),
    ],
)
def test_requests_stay_inside_what_is_published(
    name: str, period_s: int, allowed: int, sites: object
) -> None:
    known = provider(name)
    asked = most_in_a_slot(known, sites())  # type: ignore[operator]
    assert asked * period_s / known.interval_s <= allowed


@pytest.mark.parametrize("sites", [shipped, many], ids=["shipped", "200 more"])
@pytest.mark.parametrize(("credentials", "allowed"), [(ACCOUNT, 4_000), ({}, 400)])
def test_the_credits_of_opensky_last_a_day(credentials: dict[str, str], allowed: int, sites: object) -> None:
    known = provider("opensky", credentials=credentials)
    asking = feed(known)
    scopes = asking.scopes(sites())  # type: ignore[operator]
    canary = asking.canary(scopes[0])
    assert canary is not None
    # One that has to take turns asks for the busy place instead of its turn.
    spare = credit_cost(canary) if rotation_slots(known, len(scopes)) == 1 else 0
    dearest = max(sum(map(credit_cost, each)) for each in slots(known, scopes)) + spare
    assert dearest * DAY_S / known.interval_s <= allowed


def test_an_operators_own_cadence_stands() -> None:
    assert provider("opensky").interval_s == 1_800
    assert provider("opensky", credentials=ACCOUNT).interval_s == 300
    assert provider("opensky", interval_s=600).interval_s == 600


@pytest.mark.parametrize("name", ["adsb.lol", "opensky"])
def test_near_sites_share_a_request_and_each_place_has_its_turn(name: str) -> None:
    known = provider(name)
    flying = [site.id for site in shipped() if site.flies]
    assert len(feed(known).scopes(shipped())) < len(flying)
    scopes = feed(known).scopes(many())
    asked = [scope for each in slots(known, scopes) for scope in each]
    assert sorted(asked, key=lambda each: each.key) == sorted(scopes, key=lambda each: each.key)
    assert {site_id for scope in asked for site_id in scope.site_ids} == {
        site.id for site in many() if site.flies
    }


def test_catalogues_are_asked_about_many_sites_at_once() -> None:
    known = provider("earth-search")
    assert most_in_a_slot(known, shipped()) == 1
    assert most_in_a_slot(known, many()) == 11


def test_each_place_has_its_turn_and_an_answer_counts_for_five_minutes_at_most(sqlite_engine: Engine) -> None:
    asked: dict[datetime, list[str]] = defaultdict(list)
    now = NOON

    def answer(request: httpx.Request) -> httpx.Response:
        asked[now].append(request.url.path)
        lat, lon = map(float, request.url.path.split("/")[-3:-1])
        return httpx.Response(200, content=v2_body(aircraft(lat=lat, lon=lon), now=now))

    known = replace(provider("adsb.lol", interval_s=120), options={"most_at_once": "30"})
    asking = FEEDS["readsb"](known, client(answer, name=known.name))
    scopes = asking.scopes(many())
    rounds = rotation_slots(known, len(scopes))
    assert rounds > 3
    # In the first slot the busy place is asked whether the provider is alive.
    for slot in range(rounds + 1):
        now = NOON + slot * timedelta(minutes=2)
        poll_provider(sqlite_engine, asking, many(), now)
    assert next(len(paths) for paths in asked.values()) == 1
    assert max(len(paths) for paths in asked.values()) == 30
    everything = [path for paths in list(asked.values())[1:] for path in paths]
    assert len(everything) == len(set(everything)) == len(scopes)
    with reading(sqlite_engine) as connection:
        hours = coverage(connection, "added-7", NOON - timedelta(hours=1), NOON + timedelta(hours=2))
    assert sum(each.observed_s for each in hours) == 300


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_number_of_requests_that_is_none_stops_the_start(text: str) -> None:
    known = replace(provider("adsb.lol"), options={"most_at_once": text})
    with pytest.raises(SettingsError, match="most_at_once must be a whole number"):
        rotation_slots(known, 3)
