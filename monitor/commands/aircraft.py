"""`sitewatch aircraft`: bring aircraft databases in, and say who an address is."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say, say_data
from monitor.commands.progress import progress_bar
from monitor.config.clock import utc_now

if TYPE_CHECKING:
    from monitor.aircraft.lookup import AircraftIdentity

aircraft_app = typer.Typer(no_args_is_help=True, help="Say which aircraft an address is.")


@aircraft_app.callback()
def _aircraft() -> None:
    """Say which aircraft an address is."""


@aircraft_app.command("update")
def update_registers(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files or https addresses; packed (gz, zip) or not.")
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Import aircraft databases: tar1090-db CSV, Mictronics JSON or text, OpenSky CSV.

    The kind is told from the content. Importing a file again changes nothing. docs/aircraft.md says where
    each can be had and under which terms; sitewatch works without any.
    """
    from monitor.aircraft.load import update_aircraft
    from monitor.bootstrap import build_downloader

    reports = []
    with opened(fresh=True) as app:
        client = build_downloader(app.settings)
        try:
            for number, place in enumerate(files, start=1):
                with progress_bar(f"Reading file {number} of {len(files)}") as progress:
                    reports.append(update_aircraft(app.engine, place, client, utc_now(), progress))
        finally:
            client.close()
    if as_json:
        print_json({"items": [asdict(report) for report in reports]})
        return
    for report in reports:
        kinds = ", ".join(
            f"{count:,} aircraft from {name}" for name, count in sorted(report.aircraft.items())
        )
        say(f"{report.file}: {kinds}; {report.changed:,} new or changed, {report.unusable:,} rows of no use.")


@aircraft_app.command("show")
def show_aircraft(
    name: Annotated[
        str, typer.Argument(metavar="AIRCRAFT", help="An address (15521f) or a registration (RA-86559).")
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show what is known of an aircraft: state, registration, type, and the classes it is counted under."""
    from alerts.attribution import each_once
    from monitor.aircraft.lookup import identify_aircraft

    with opened() as app:
        found = identify_aircraft(app.engine, name, app.classes)
        data = each_once(app.sources.heard((), {source for each in found for source in each.sources}))
    if as_json:
        print_json({"items": [asdict(each) for each in found], "attribution": data})
        return
    for each in found:
        _tell(each)
    say_data(data)


def _tell(who: "AircraftIdentity") -> None:
    said = who.registration or (
        f"{who.by_rule} by its state's numbering (a hint)" if who.by_rule else "not known"
    )
    type_code = f"{who.type_code} ({who.type_name})" if who.type_name else who.type_code or "not known"
    say(f"{who.icao24}: state {who.state or 'not known'}; registration {said}; type {type_code}.")
    say(
        f"  Operator in the databases: {who.operator or 'not known'}. Databases that name it: {', '.join(who.sources) or 'none'}."
    )
    classes = ", ".join(f"{name} ({label})" for name, label in who.classes.items()) or "none"
    say(
        "  Asked not to be named: it is counted, and never named."
        if who.unnamed
        else f"  Classes: {classes}."
    )
