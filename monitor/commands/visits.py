"""`sitewatch visits`: which aircraft were at a site, how sure that is and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.commands import JsonFlag, opened, print_json, say, say_data
from monitor.commands.asking import (
    ClassOption,
    OperatorOption,
    RegionOption,
    TypeOption,
    option_name,
    write_table,
)
from monitor.config.clock import utc_now
from monitor.errors import InputError

if TYPE_CHECKING:
    from db.engine import Connection
    from db.records import Visit, VisitFilter
    from db.records.claims import FlightClaim
    from monitor.sites import Site

VisitForm = Literal["text", "csv", "json", "geojson", "parquet", "xlsx"]
_MOST = 100_000


def visits_command(
    site: Annotated[
        str | None, typer.Argument(metavar="[SITE]", help="The site's id; else all.", show_default=False)
    ] = None,
    *,
    region: RegionOption = None,
    aircraft_type: TypeOption = None,
    operator: OperatorOption = None,
    aircraft_class: ClassOption = None,
    subject: Annotated[
        str | None, typer.Option(metavar="SUBJECT", help="Only what is counted under this, as in class:vip.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="One watched aircraft by its ICAO 24-bit address."),
    ] = None,
    registration: Annotated[
        str | None, typer.Option(metavar="TEXT", help="One watched aircraft by its registration.")
    ] = None,
    callsign: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Watched aircraft by the callsign of the flight.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only in this state, as in departed or presumed.")
    ] = None,
    confidence: Annotated[
        int | None, typer.Option(metavar="N", help="At least so sure, from 1 (weak) to 4.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="There on this local day, month or time, or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="There before the end of this local day or month.")
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST, help="At most so many, the newest.")
    ] = _MOST,
    form: Annotated[VisitForm, typer.Option("--format", help="How to print it.")] = "text",
    as_json: JsonFlag = False,
) -> None:
    """Show which aircraft were at a site or at any, how sure that is and why.

    WHEN is a day (2023-08-01), a month (2023-08), today, yesterday, or a time with its zone (2023-08-01T12:00Z).
    By its own name (address, registration, callsign) only an aircraft is found that is watched: nobody else is followed.
    """
    from alerts.attribution import TIME_ZONES, each_once
    from db.engine import reading
    from db.pages import visit_page
    from db.records import VisitFilter
    from monitor.reports.asked import VisitWords, World
    from monitor.reports.sources import visit_attributions
    from monitor.reports.visit_tables import visit_table

    if as_json and form not in {"text", "json"}:
        raise InputError(f"--json and --format {form} cannot both be meant. Leave one out.")
    words = VisitWords(
        site=site,
        region=region,
        subject=subject,
        aircraft_type=aircraft_type,
        operator=operator,
        aircraft_class=aircraft_class,
        since=since,
        until=until,
        address=address,
        registration=registration,
        callsign=callsign,
        status=status,
        confidence=confidence,
    )
    with opened() as app:
        found = None if site is None else app.known_site(site)
        asked = words.filter(World(app.sites, app.classes.labels, utc_now(), option_name))
        with reading(app.engine) as connection:
            known = visit_page(connection, asked, None, limit + 1)
            cut = len(known) > limit
            # As they came, the oldest first.
            known = known[:limit][::-1]
            # What others claim of flights is told by the airport, and narrowed down by nothing else.
            whole = found is not None and asked == VisitFilter(
                site_ids=asked.site_ids, since=asked.since, until=asked.until
            )
            told = _claims(connection, found, asked) if whole and found is not None else []
            sources = visit_attributions(connection, known, app.sources)
        attributions, sites = app.attributions, app.sites
        heard = [*app.sources.heard(each.provider for each in told)]
    table = visit_table(known, sources, sites)
    data = each_once([*table.sources, *heard, TIME_ZONES])
    if as_json or form == "json":
        about = {"site": found.id, "name": found.name} if found is not None else {}
        document = {**about, "visits": table.rows, "claims": told}
        print_json({**document, "attributions": attributions, "attribution": data})
        return
    if form != "text":
        write_table(table, form)
        return
    _print(found, known, sites)
    if cut:
        say(f"\nOlder ones are left out: these are the newest {limit:,}.")
    if found is not None:
        _print_claims(found, told)
    say_data(data)


def _claims(connection: "Connection", site: "Site", asked: "VisitFilter") -> "list[FlightClaim]":
    """What others claim of flights to and from a site, without the names of who asked not to be named."""
    from db.aircraft import known_aircraft
    from db.flight_claims import claims
    from monitor.flights.claims import anonymised_claim

    codes = [code for name, code in site.codes.items() if name == "icao"]
    claimed = claims(connection, airports=codes, since=asked.since, until=asked.until)
    registers = known_aircraft(connection, {each.icao24 for each in claimed})
    return [anonymised_claim(each, registers) for each in claimed]


def _print(site: "Site | None", known: "Sequence[Visit]", sites: "Mapping[str, Site]") -> None:
    from alerts.words import numbered
    from monitor.config.secrets import visible
    from monitor.flights import words as telling

    if not known:
        say(_NOTHING if site is None else _nothing(site))
        return
    where = "All sites" if site is None else f"{site.name} ({site.id})"
    say(f"{where}: {numbered(len(known), 'observed visit')}. What no feed heard is not among them.")
    for visit in known:
        classes = ", ".join(
            each.removeprefix("class:") for each in visit.subjects if each.startswith("class:")
        )
        say("")
        here = sites[visit.site_id].name if visit.site_id in sites else visit.site_id
        at = f"{here}: " if site is None else ""
        say(visible(f"{at}{telling.aircraft_words(visit)}{f' – {classes}' if classes else ''}"))
        say(
            f"  {telling.arrival_words(visit)}; {telling.departure_words(visit)} ({telling.visit_state_words(visit)})"
        )
        say(f"  confidence {telling.confidence_words(visit)}")
        for each in visit.evidence:
            say(visible(f"  – {each.text}"))


def _print_claims(site: "Site", claimed: "Sequence[FlightClaim]") -> None:
    from monitor.config.secrets import visible
    from monitor.flights.claims import claim_sentence

    if claimed:
        say("\nClaimed by others, not counted:")
    for each in claimed:
        say(visible(f"  – {claim_sentence(each, site.codes.get('icao', ''))}"))


_NOTHING = (
    "No such visit is on record at any site. That is not zero: “sitewatch history --metric arrivals” says which days were "
    "watched. An aircraft that nobody watches is not found by its name."
)


def _nothing(site: "Site") -> str:
    if site.is_region:
        return f"No aircraft is known to have landed somewhere in {site.name} ({site.id}); see the visits of its sites."
    if not site.flies:
        return f"{site.name} ({site.id}) is no airfield: flight feeds are not asked about it."
    return (
        f"No visit recorded at {site.name} ({site.id}). That is not zero: “sitewatch history {site.id} arrivals” "
        "says which days were watched."
    )
