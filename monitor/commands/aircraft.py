"""`sitewatch aircraft`: bring aircraft databases in, and say who an address is."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, instant_words, opened, print_json, say, say_data
from monitor.commands.progress import progress_bar
from monitor.config.clock import utc_now
from monitor.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.aircraft.lookup import AircraftIdentity
    from monitor.reports.aircraft import AircraftRecord

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


@aircraft_app.command("heard")
def heard_aircraft(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A watched aircraft's address (15521f).")],
    *,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Visits that were not over before this day or month.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Visits that began before the end of this day or month."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show where a watched aircraft was heard around its visits, and the gaps in which nobody heard it.

    Nobody else is followed: of an aircraft that no watched class and no watch list names nothing is said.
    """
    from db.engine import reading
    from monitor.reports.aircraft import MOST_TOLD, NotWatchedError, aircraft_record, leg_rows
    from monitor.reports.asked import VisitWords

    with opened() as app, reading(app.engine) as connection:
        asked = VisitWords(address=address, since=since, until=until)
        try:
            found = aircraft_record(connection, app, asked, utc_now())
        except NotWatchedError as error:
            raise InputError(str(error)) from None
        names = {each.id: each.name for each in app.sites.values()}
    if as_json:
        print_json({"items": leg_rows(found), "attribution": found.data})
        return
    _tell_heard(found, names)
    if found.more:
        say(f"\nOlder visits are left out: these are the newest {MOST_TOLD}. --until asks for earlier ones.")
    say_data(found.data)


def _tell_heard(found: "AircraftRecord", names: "Mapping[str, str]") -> None:
    from alerts.words import measured_duration, numbered
    from monitor.config.secrets import visible
    from monitor.flights.words import aircraft_words, confidence_words, visit_state_words

    say(visible(f"{aircraft_words(found.newest)}: {numbered(len(found.visits), 'visit')}."))
    tracks = {each.visit.visit_id: each for each in found.tracks}
    for visit in found.visits:
        say("")
        where = names.get(visit.site_id, visit.site_id)
        say(visible(f"{where}: {visit_state_words(visit)}, confidence {confidence_words(visit)}"))
        track = tracks.get(visit.visit_id)
        if track is None:
            say("  No reports of it are kept.")
            continue
        for place, part in enumerate(track.stretches):
            if place:
                say(f"  not heard for {measured_duration(track.gaps[place - 1].length)}")
            times = f"{instant_words(part[0].at)} to {instant_words(part[-1].at)}"
            ends = f"{part[0].lat:.2f}, {part[0].lon:.2f} to {part[-1].lat:.2f}, {part[-1].lon:.2f}"
            say(f"  heard {numbered(len(part), 'time')}, {times}: {ends}")


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
