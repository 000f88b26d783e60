"""What every command shares: opening the program, and how results are shown.

Command modules import nothing heavy at the top, so that `--help` stays fast; their bodies do.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.app import App

_PIPE_COLUMNS = 10_000
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@contextmanager
def opened(
    *, fresh: bool = False, prepared: bool = True, typed: Mapping[str, object] | None = None
) -> "Iterator[App]":
    """The program, with a database of the right version unless the caller prepares it.

    Only a command that brings something in may begin a `fresh` one; any other refuses where there is none.
    Options of the command that are settings too (`typed`, by their names) stand over the settings.
    """
    from db.engine import DBAPIError, known_as
    from monitor.bootstrap import build_app
    from monitor.config.settings import load_settings
    from monitor.ops.database_health import database_failure_or_lack
    from monitor.ops.logs import configure
    from monitor.pipeline import prepare, scenario_of

    settings = load_settings(typed=typed)
    configure(settings.log_format, settings.secrets)
    with known_as(_command()):
        app = build_app(settings)
        try:
            if prepared:
                prepare(app, utc_now(), fresh=fresh)
                if mark := scenario_of(app):
                    sys.stderr.write(f"{mark.words}\n")
            yield app
        except DBAPIError as error:
            ailment = database_failure_or_lack(error, settings)
            if ailment is None:
                raise
            raise WorkFailed(f"{ailment}\n“sitewatch doctor” checks all of it.") from None
        finally:
            app.close()


def _command() -> str:
    """What a person typed, without what was given to it."""
    context = click.get_current_context(silent=True)
    return "sitewatch" if context is None else context.command_path


def say(text: str) -> None:
    """Print one line for a person, at once and in one piece, whoever else is speaking."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say_data(sources: Iterable[str]) -> None:
    """Print below an answer whose data it rests on, broken between words where there is a terminal."""
    from rich.console import Console

    from alerts.attribution import data_line
    from monitor.config.secrets import visible

    line, terminal = visible(data_line(sources)), Console()
    say("")
    for part in wrap(line, terminal.width, break_on_hyphens=False) if terminal.is_terminal else [line]:
        say(part)


def print_json(document: object) -> None:
    """Print one JSON document; records become objects, instants ISO 8601 in UTC."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, default=_plain, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under titles; foreign text stays plain text, and no word is cut however narrow the terminal."""
    from rich.console import Console

    from monitor.commands.layout import column_widths, stacked
    from monitor.config.secrets import visible

    cells = [[visible(cell) for cell in row] for row in rows]
    terminal = Console()
    # A pipe has no width: there a line is a row, whole.
    width = terminal.width if terminal.is_terminal else _PIPE_COLUMNS
    widths = column_widths(titles, cells, width)
    if widths is None:
        for row in cells:
            for line in stacked(titles, row, width):
                say(line)
    else:
        _print_columns(titles, cells, widths, terminal if terminal.is_terminal else Console(width=width))


def _print_columns(
    titles: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], console: "Console"
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title, width in zip(titles, widths, strict=True):
        table.add_column(title, width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())


def instant_words(value: datetime | None) -> str:
    """An instant as a person reads it; `–` where there is none."""
    from alerts.words import utc

    return utc(value) if value else "–"


_SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[mhdw])")
_SPAN_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """Read a length of time such as 30m, 12h, 2d or 1w; raises InputError."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or float(found["number"]) == 0 or float(found["number"]) > _LONGEST_SPAN:
        raise InputError(f"{text!r} is not a length of time. Write it as 30m, 12h, 2d or 1w.")
    return timedelta(**{_SPAN_UNITS[found["unit"]]: float(found["number"])})


_LONGEST_SPAN = 5_000
