"""Every command that the docs print can be typed as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from monitor.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = "commands.md"
"""Written from the commands themselves, as usage lines and not as examples."""
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"(?:^|\s)(?:\.venv/bin/)?sitewatch(?= )(.*)")
IN_A_SENTENCE = re.compile(r"`(?:\.venv/bin/)?sitewatch\s([^`]+)`")
ENDS_A_COMMAND = {"|", ">", "&&", ";"}


def words(line: str) -> list[str]:
    """The words of one command as a shell would give them, up to a pipe or the next command."""
    found: list[str] = []
    for word in shlex.split(line, comments=True):
        if word in ENDS_A_COMMAND:
            break
        found.append(word)
    return found


def examples() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in FENCED.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                if typed := TYPED.search(line):
                    yield page.name, words(typed[1])


def mentions() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        if page.name != REFERENCE:
            for said in IN_A_SENTENCE.findall(page.read_text(encoding="utf-8")):
                yield page.name, words(said)


def named(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the words after them."""
    command, rest = typer.main.get_command(app), list(arguments)
    while rest and hasattr(command, "commands"):
        assert rest[0].startswith("-") or rest[0] in command.commands, f"there is no command {rest[0]!r}"
        if rest[0].startswith("-"):
            break
        command = command.commands[rest.pop(0)]
    return command, rest


def options(command: Any) -> set[str]:
    return {"--help", *(option for each in command.params for option in each.opts)}


def test_there_are_examples_on_several_pages() -> None:
    assert len({page for page, _ in examples()}) > 3


@pytest.mark.parametrize(("page", "arguments"), list(examples()), ids=lambda value: str(value)[:60])
def test_an_example_is_understood_as_it_stands(page: str, arguments: list[str]) -> None:
    command, rest = named(arguments)
    context = command.make_context(command.name, rest)
    assert context.command is command, page


@pytest.mark.parametrize(("page", "arguments"), list(mentions()), ids=lambda value: str(value)[:60])
def test_a_command_in_a_sentence_exists_with_its_options(page: str, arguments: list[str]) -> None:
    command, rest = named(arguments)
    unknown = {word for word in rest if word.startswith("--")} - options(command) - {"--install-completion"}
    assert not unknown, f"{page}: sitewatch {' '.join(arguments)} has no such option"
