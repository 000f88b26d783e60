"""The known providers, what settings make of them, and that docs/sources.md tells people about each."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from monitor.bootstrap import FEEDS, build_app, rule_defaults
from monitor.config.settings import ProviderSettings, Settings, SettingsError
from monitor.feeds import Provider
from monitor.feeds.providers import DEFAULT_PROVIDERS, configured_providers
from monitor.feeds.readsb import ReadsbFeed
from monitor.sites.load import load_sites
from tests.kit.fake_feeds import client, v2_body
from tests.kit.feed_contract import CASES

SOURCES = (Path(__file__).resolve().parents[2] / "docs/sources.md").read_text(encoding="utf-8")
BY_NAME = {provider.name: provider for provider in DEFAULT_PROVIDERS}


def configured(**changes: ProviderSettings) -> dict[str, Provider]:
    settings = Settings(providers={name.replace("_", "."): each for name, each in changes.items()})
    return {provider.name: provider for provider in configured_providers(settings)}


def test_only_providers_without_key_and_agreement_are_on() -> None:
    assert [provider.name for provider in DEFAULT_PROVIDERS if provider.enabled] == [
        "adsb.lol",
        "earth-search",
    ]
    assert {provider.kind for provider in DEFAULT_PROVIDERS} <= set(FEEDS)


@pytest.mark.parametrize("provider", DEFAULT_PROVIDERS, ids=lambda provider: provider.name)
def test_each_provider_states_its_terms_and_the_page_says_the_same(provider: Provider) -> None:
    assert provider.licence
    assert provider.attribution
    assert provider.limits
    (row,) = [line for line in SOURCES.splitlines() if line.startswith(f"| `{provider.name}` |")]
    _, _, kind, on, asked, licence, passed_on, _ = (cell.strip() for cell in row.split("|"))
    assert kind == provider.kind
    assert on == ("yes" if provider.enabled else "no")
    assert licence == provider.licence
    assert passed_on.startswith("yes" if provider.redistribute else "no")
    every = "every hour" if provider.interval_s == 3600 else f"every {provider.interval_s} s"
    assert every in asked
    (section,) = re.findall(
        rf"^### {re.escape(provider.name)}\n(.*?)(?=^##|\Z)", SOURCES, re.MULTILINE | re.DOTALL
    )
    assert provider.terms_url in section


def test_the_page_names_no_provider_and_no_option_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| (?:yes|no) \|", SOURCES, re.MULTILINE)
    assert rows == [(provider.name, provider.kind) for provider in DEFAULT_PROVIDERS]
    table = SOURCES[SOURCES.index("| kind | option |") :]
    options = " ".join(re.findall(r"^\| [a-z0-9_, ]+ \| (.+?) \|", table, re.MULTILINE))
    monitor = Path(__file__).resolve().parents[2] / "monitor"
    read = [
        *sorted((monitor / "feeds").glob("*.py")),
        monitor / "poll" / "rounds.py",
        monitor / "derive" / "pictures.py",
    ]
    source = "".join(path.read_text(encoding="utf-8") for path in read)
    documented = re.findall(r"`(\w+)`", options)
    assert len(documented) > 10
    assert [name for name in documented if f'"{name}"' not in source] == []


def test_settings_change_a_known_provider() -> None:
    found = configured(
        adsb_lol=ProviderSettings(enabled=False, interval_s=30, options={"margin_nm": "60"}),
        adsbexchange=ProviderSettings(enabled=True, headers={"api-auth": SecretStr("the-key")}),
    )
    assert list(found) == [provider.name for provider in DEFAULT_PROVIDERS]
    lol = found["adsb.lol"]
    assert (lol.enabled, lol.interval_s, lol.options) == (
        False,
        30,
        {"path_style": "point", "most_at_once": "60", "margin_nm": "60"},
    )
    assert lol.base_url == BY_NAME["adsb.lol"].base_url
    assert lol.redistribute
    assert found["adsbexchange"].headers == {"api-auth": "the-key"}
    assert "the-key" not in repr(found["adsbexchange"])


def test_another_address_passes_on_nothing_unless_told_to() -> None:
    moved = ProviderSettings(base_url="https://mirror.example/v2")
    assert not configured(adsb_lol=moved)["adsb.lol"].redistribute
    told = ProviderSettings(base_url="https://mirror.example/v2", redistribute=True)
    assert configured(adsb_lol=told)["adsb.lol"].redistribute


def test_a_new_provider_must_say_everything() -> None:
    whole = ProviderSettings(
        kind="stac",
        base_url="https://stac.example/v1",
        interval_s=7200,
        licence="CC-BY-4.0",
        attribution="Us",
    )
    made = configured(mine=whole)["mine"]
    assert (made.enabled, made.redistribute, made.kind, made.interval_s) == (True, False, "stac", 7200)
    with pytest.raises(
        SettingsError, match=r"\[providers\.'mine'\] lacks base_url, interval_s, licence, attribution"
    ):
        configured(mine=ProviderSettings(kind="stac"))
    with pytest.raises(SettingsError, match=r"lacks kind\. sitewatch knows adsb\.lol, adsb\.fi"):
        configured(mine=whole.model_copy(update={"kind": None}))


def test_a_receiver_must_say_where_it_stands() -> None:
    quiet = client(lambda _: httpx.Response(200, content=v2_body()))
    with pytest.raises(SettingsError, match="receiver: the option lat must be a number"):
        ReadsbFeed(BY_NAME["receiver"], quiet)


class _Asked(dict[str, str]):
    """The options of a provider, which remember what a feed would have taken had nothing been set."""

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.defaults: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        self.defaults[key] = "" if default is None else str(default)
        return super().get(key, default)


def documented_defaults() -> list[tuple[str, str, str]]:
    """Kind, option and default of each row whose default is a number or a word in backquotes."""
    table = SOURCES[SOURCES.index("| kind | option |") :]
    rows = re.findall(r"^\| ([a-z0-9_, ]+) \| (`[^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    return [
        (kind, name.strip("`"), default.strip("`"))
        for kinds, names, defaults in rows
        for kind in kinds.split(", ")
        for name, default in zip(names.split(", "), defaults.split(", "), strict=False)
        if re.fullmatch(r"[\d.]+|`[^`]+`", default)
    ]


def test_a_documented_default_of_an_option_is_the_default() -> None:
    asked: dict[str, _Asked] = {}
    for case in CASES:
        options = asked[case.kind] = _Asked({"tracks": "true"})
        account = {**case.provider.credentials, "client_id": "me", "client_secret": "mine"}
        replace(case, provider=replace(case.provider, options=options, credentials=account)).answering(b"")
    told = [
        (kind, name, default)
        for kind, name, default in documented_defaults()
        if kind in asked and name in asked[kind].defaults
    ]
    assert len(told) > 20
    for kind, name, default in told:
        used = asked[kind].defaults[name]
        same = float(used) == float(default) if default.replace(".", "").isdecimal() else used == default
        assert same, (kind, name, used, default)


def test_the_figures_of_the_page_are_those_of_the_shipped_sites(tmp_path: Path) -> None:
    sites = list(load_sites(Path(__file__).resolve().parents[2] / "sites.geojson", rule_defaults()))
    known = {each.name: each for each in configured_providers(Settings())}
    circles = FEEDS["readsb"](known["adsb.lol"], client(lambda _: httpx.Response(500))).scopes(sites)
    assert f"the shipped sites need {len(circles)}." in SOURCES
    settings = {
        "database_url": f"sqlite:///{tmp_path}/a.db",
        "sites_file": Path(__file__).resolve().parents[2] / "sites.geojson",
        "providers": {"opensky-tracks": {"enabled": True}},
    }
    with closing(build_app(Settings.model_validate(settings))) as app:
        tracks = app.feeds["opensky-tracks"].scopes(sites)
    assert f"so {4 * len(tracks)} credits a round" in SOURCES
    # A box of the largest area that is asked for costs 2.
    for interval_s in (300, 1_800):
        assert f"{4 * 2 * 86_400 // interval_s:,}" in SOURCES
