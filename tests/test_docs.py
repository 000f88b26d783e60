"""The docs name every setting, command, metric, rule, channel, feed, provider and kind of site."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from alerts.metrics import METRICS
from db.schema import metadata
from monitor.bootstrap import CHANNELS, FEEDS, RULES
from monitor.config.channels import AnyChannelSettings, MatchSettings, RouteSettings
from monitor.config.settings import SETTING_TABLES, ProviderSettings, Settings, load_settings
from monitor.feeds.providers import DEFAULT_PROVIDERS
from monitor.reference import command_reference
from monitor.reports.kept import kept_markdown, kept_things
from monitor.sites.kinds import KINDS
from tests.kit.program import environment

DOCS = Path(__file__).resolve().parents[1] / "docs"


@cache
def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@cache
def everything() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md")))


def settings_table() -> dict[str, str]:
    """The default as written, by setting."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", text("settings.md"), re.MULTILINE)
    return dict(rows)


def test_the_commands_are_documented_as_they_are() -> None:
    assert text("commands.md") == command_reference(), (
        "write it anew: .venv/bin/python -m monitor.reference > docs/commands.md"
    )


def test_the_page_of_commands_is_written_by_one_command() -> None:
    command = [sys.executable, "-m", "monitor.reference"]
    written = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    assert written.stdout == command_reference()


def test_what_is_kept_is_documented_as_it_is() -> None:
    table = re.search(
        r"<!-- Written by sitewatch.*?-->\n(.*?)\n<!-- End", text("responsible-use.md"), re.DOTALL
    )
    assert table is not None
    assert table[1] == kept_markdown(Settings())


def test_of_every_table_of_the_database_it_is_said_why_and_until_when() -> None:
    told = {name for each in kept_things(Settings()) for name in each.tables}
    assert told == set(metadata.tables)


def test_what_is_kept_is_told_with_the_times_that_are_set() -> None:
    words = kept_markdown(Settings(keep_identities_hours=6, keep_payloads_days=2))
    assert "6 hours after each was received" in words
    assert "| 2 days; longer only while an alert rests on one" in words


def test_every_setting_has_its_row() -> None:
    assert settings_table().keys() == Settings.model_fields.keys() - set(SETTING_TABLES)


@pytest.mark.parametrize("name", sorted(settings_table()))
def test_a_documented_default_is_the_default(name: str) -> None:
    written = settings_table()[name]
    if written == "the project's page":
        return
    default = getattr(Settings(), name)
    if written == "none":
        assert not default
    else:
        assert default == getattr(load_settings({f"SITEWATCH_{name.upper()}": written.strip("`")}), name)


TABLES = (ProviderSettings, RouteSettings, MatchSettings, *get_args(AnyChannelSettings))


@pytest.mark.parametrize("model", TABLES)
def test_every_key_of_a_table_is_named(model: type[BaseModel]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in text("settings.md")] == []


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("metric", METRICS),
        ("rule", RULES),
        ("kind of channel", CHANNELS),
        ("kind of feed", FEEDS),
        ("provider", [provider.name for provider in DEFAULT_PROVIDERS]),
        ("kind of site", KINDS),
    ],
)
def test_everything_that_can_be_chosen_is_described(what: str, names: list[str]) -> None:
    missing = [name for name in names if f"`{name}`" not in everything()]
    assert missing == [], f"describe each {what} somewhere under docs/, in backquotes"


def test_every_link_between_the_docs_leads_somewhere() -> None:
    broken = [
        f"{path.relative_to(DOCS)}: {target}"
        for path in sorted(DOCS.rglob("*.md"))
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []
