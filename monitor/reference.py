"""Writes docs/commands.md from the commands themselves: `python -m monitor.reference > docs/commands.md`."""

import sys
from collections.abc import Iterator
from typing import Any, get_args

import typer.main

from monitor.cli import app

_HEAD = """# Commands

Every command says with `--help` what stands here. Names, options and JSON are stable. `--json` prints one JSON document on
stdout and nothing else; what the program logs goes to stderr.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the work failed; the reason and what to do stand on stderr |
| 2 | wrong usage or bad input: an option, the settings, the sites file, an import |

Shell completion: `sitewatch --install-completion`.

<!-- Written by `python -m monitor.reference`; a test compares it with the commands. -->
"""


def command_reference() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    return "\n".join([_HEAD, *_sections(root, "sitewatch")])


def _sections(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        yield from _section(command, name)
    for child_name, child in children.items():
        yield from _sections(child, f"{name} {child_name}")


def _section(command: Any, name: str) -> Iterator[str]:
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join([name, *(_argument(each) for each in arguments), *(["[options]"] if options else [])])
    yield f"## {name}\n"
    yield f"    {usage}\n"
    yield " ".join((command.help or "").split()) + "\n"
    yield "| argument or option | meaning |"
    yield "|---|---|"
    yield from (*map(_row, arguments), *map(_row, options))
    yield ""


def _argument(parameter: Any) -> str:
    name = _metavar(parameter) + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).strip("[]")


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{_metavar(parameter)}`"
    else:
        names = ", ".join(f"`{each}`" for each in [*parameter.opts, *parameter.secondary_opts])
        name = names if parameter.is_flag else f"{names} {_takes(parameter)}".rstrip()
    meaning = " ".join((parameter.help or "").split())
    required = " Required." if parameter.required and parameter.param_type_name == "option" else ""
    return f"| {name} | {meaning}{required}{_default(parameter)} |"


def _takes(parameter: Any) -> str:
    choices = get_args(parameter.type_descriptor.annotation)
    return ", ".join(f"`{each}`" for each in choices) if choices else str(parameter.metavar or "")


def _default(parameter: Any) -> str:
    default = parameter.default
    if parameter.required or default in (None, "", (), False) or callable(default):
        return ""
    return f" Default: {default}."


if __name__ == "__main__":
    sys.stdout.write(command_reference())
