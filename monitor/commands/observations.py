"""`sitewatch observations`: bring counts in from files."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from monitor.imports import ImportProgress, ImportReport

observations_app = typer.Typer(no_args_is_help=True, help="Bring counts in from files.")
_SHOWN_FAULTS = 50


@observations_app.callback()
def _observations() -> None:
    """Bring counts in from files."""


@observations_app.command("import")
def import_counts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, or GeoJSON (.geojson or .json).")],
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows although there are bad ones.")
    ] = False,
    zone: Annotated[
        str,
        typer.Option("--zone", help="Whose days bare dates are, such as UTC; without it the site's own."),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Import counts, declared baselines and notes; docs/importing.md describes the columns.

    Importing a file again stores nothing twice. Bad rows are listed, and then no row is imported. A running service goes on
    beside it, and sees none of it until all is there; a kill in between leaves nothing.
    """
    from db.imports import ImportOvertakenError
    from monitor.imports import import_file
    from monitor.imports.faults import BadCell
    from monitor.imports.values import zone as known_zone
    from monitor.sites.faults import as_sentence

    try:
        known_zone(zone)
    except BadCell as bad:
        raise InputError(f"--zone: {bad.problem}. {as_sentence(bad.mend)}") from None
    with opened(fresh=True) as app:
        told = None if as_json else _progress()
        try:
            report = import_file(
                app.engine, file, app.sites, utc_now(), skip_bad=skip_bad, zone=zone, progress=told
            )
        except ImportOvertakenError as error:
            raise WorkFailed(f"{error} Run the same command again.") from None
    refused = bool(report.faults) and not (skip_bad and _imported(report))
    if as_json:
        print_json({"file": str(file), "ok": not report.faults, **asdict(report)})
    else:
        _tell(file, report, refused=refused)
    if refused:
        raise typer.Exit(2)


@observations_app.command("check")
def check_counts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, or GeoJSON (.geojson or .json).")],
    *,
    zone: Annotated[
        str,
        typer.Option("--zone", help="Whose days bare dates are, such as UTC; without it the site's own."),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check a file of counts and store nothing: faults of form, and rows that cannot all be true.

    Such as a zero over a time that another row counts, a zero over weeks that nobody says were looked at, a time told more
    exactly than its zone is known, counts outside a published limit, and a publisher without address.
    """
    from monitor.imports import check_file

    with opened(prepared=False) as app:
        faults, findings = check_file(file, app.sites, utc_now(), zone)
    if as_json:
        print_json({"file": str(file), "faults": faults, "findings": findings})
    else:
        for line in (*map(str, faults), *findings):
            say(line)
        if not faults and not findings:
            say(f"Nothing in {file} contradicts itself, as far as that can be told from the file alone.")
    if faults or findings:
        raise typer.Exit(1)


def _imported(report: "ImportReport") -> int:
    return report.stored + report.revised + report.unchanged + report.declared + report.notes


def _progress() -> "ImportProgress":
    def told(stage: str, rows: int) -> None:
        if stage == "waiting":
            typer.echo("  Another import is under way, and is waited for …", err=True)
        # Small files are done before anybody can read this.
        if rows and rows % 10_000 == 0:
            typer.echo(f"  {rows:,} rows {stage} …", err=True)

    return told


def _tell(file: Path, report: "ImportReport", *, refused: bool) -> None:
    for fault in report.faults[:_SHOWN_FAULTS]:
        typer.echo(str(fault), err=True)
    if len(report.faults) > _SHOWN_FAULTS:
        typer.echo(f"and {len(report.faults) - _SHOWN_FAULTS} more faults.", err=True)
    if refused:
        typer.echo(
            f"Nothing was imported from {file}. Mend the rows above, or leave them out with --skip-bad.",
            err=True,
        )
        return
    say(
        f"Imported {file}: {_number(report.stored, 'new look')}, {report.revised} corrected, "
        f"{report.unchanged} known already, {_number(report.declared, 'declared baseline')}, "
        f"{_number(report.notes, 'note')}."
    )
    if report.zones:
        taken = ", ".join(f"{name} ({_number(rows, 'row')})" for name, rows in sorted(report.zones.items()))
        say(f"Bare dates were taken as days in {taken}. The column zone or --zone says otherwise.")
    for notice in report.notices:
        say(notice)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
