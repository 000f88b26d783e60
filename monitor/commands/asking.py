"""What the commands share that ask across sites: their options, and answers as files."""

import sys
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer

from monitor.errors import InputError

if TYPE_CHECKING:
    from monitor.reports.exports import TableForm
    from monitor.reports.tables import Table

RegionOption = Annotated[
    str | None, typer.Option("--region", metavar="ID", help="Only sites in this region of the sites file.")
]
TypeOption = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Only aircraft of this type, as in Il-62M or IL62."),
]
OperatorOption = Annotated[
    str | None, typer.Option("--operator", metavar="CODE", help="Only this operator's, as in KOR.")
]
ClassOption = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="Only this class of aircraft, as in bomber.")
]


def option_name(name: str) -> str:
    """How an option is written: `--as-of`."""
    return f"--{name.replace('_', '-')}"


_BINARY = frozenset({"parquet", "xlsx"})


def write_table(table: "Table", form: "TableForm") -> None:
    """Write a table to the standard output as a file."""
    from monitor.reports.exports import table_bytes

    if form not in _BINARY:
        text = table_bytes(table, form).decode()
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    for_bytes(sys.stdout, form).write(table_bytes(table, form))


def for_bytes(stream: TextIO, form: str) -> BinaryIO:
    """The stream for what is no text; raises InputError where it is a screen."""
    if stream.isatty():
        what = "Parquet" if form == "parquet" else "A workbook"
        raise InputError(f"{what} is not for the screen. Send it to a file: … --format {form} > FILE")
    return stream.buffer
