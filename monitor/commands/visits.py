"""`sitewatch visits`: which aircraft were at a site, how sure that is and why."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands import JsonFlag, opened, print_json, say, say_data
from monitor.errors import InputError

if TYPE_CHECKING:
    from datetime import tzinfo

    from db.records import Visit
    from db.records.claims import FlightClaim
    from monitor.imports.periods import Period
    from monitor.sites import Site


def visits_command(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    *,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="There on this local day, month or time, or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="There before the end of this local day or month.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show which aircraft were at a site, how sure that is and why.

    WHEN is a day (2023-08-01), a month (2023-08) or a time with its zone (2023-08-01T12:00Z).
    """
    from alerts.attribution import TIME_ZONES, each_once, one_cell
    from db import flights
    from db.aircraft import known_aircraft
    from db.engine import reading
    from db.flight_claims import claims
    from monitor.flights.claims import anonymised_claim
    from monitor.reports.sources import visit_attributions

    with opened() as app:
        found = app.known_site(site)
        start = None if since is None else _period("--since", since, found.timezone).start
        end = None if until is None else _period("--until", until, found.timezone).end
        with reading(app.engine) as connection:
            known = flights.visits(connection, site_id=found.id, since=start, until=end)
            codes = [code for name, code in found.codes.items() if name == "icao"]
            claimed = claims(connection, airports=codes, since=start, until=end)
            registers = known_aircraft(connection, {each.icao24 for each in claimed})
            sources = visit_attributions(connection, known, app.sources)
        told = [anonymised_claim(each, registers) for each in claimed]
        attributions = app.attributions
    data = each_once(
        [
            *(said for some in sources.values() for said in some),
            *app.sources.heard(each.provider for each in told),
            TIME_ZONES,
        ]
    )
    if as_json:
        stays = [
            {**asdict(each), **_whereabouts(each), "attribution": one_cell(sources[each.visit_id])}
            for each in known
        ]
        document = {"site": found.id, "name": found.name, "visits": stays, "claims": told}
        print_json({**document, "attributions": attributions, "attribution": data})
        return
    if known:
        _print(found, known)
    else:
        say(_nothing(found))
    _print_claims(found, told)
    say_data(data)


def _whereabouts(visit: "Visit") -> dict[str, Any]:
    """What follows from a visit's candidates, as the API gives it."""
    return {
        "site": visit.site,
        "region": visit.region or None,
        "places": list(visit.places),
        "arrived_between": visit.arrived_between,
        "departed_between": visit.departed_between,
    }


def _period(option: str, text: str, zone: "tzinfo") -> "Period":
    from monitor.imports.faults import BadCell
    from monitor.imports.periods import import_period, parse_time

    try:
        when = parse_time(text, zone)
        return import_period(when, when, "window", zone)
    except BadCell as bad:
        raise InputError(f"{option}: {bad.problem}. {bad.mend}.") from None


def _print(site: "Site", known: "Sequence[Visit]") -> None:
    from alerts.words import numbered
    from monitor.config.secrets import visible
    from monitor.flights import words as telling

    say(
        f"{site.name} ({site.id}): {numbered(len(known), 'observed visit')}. What no feed heard is not among them."
    )
    for visit in known:
        classes = ", ".join(
            each.removeprefix("class:") for each in visit.subjects if each.startswith("class:")
        )
        say("")
        say(visible(telling.aircraft_words(visit) + (f" – {classes}" if classes else "")))
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


def _nothing(site: "Site") -> str:
    if site.is_region:
        return f"No aircraft is known to have landed somewhere in {site.name} ({site.id}); see the visits of its sites."
    if not site.flies:
        return f"{site.name} ({site.id}) is no airfield: flight feeds are not asked about it."
    return (
        f"No visit recorded at {site.name} ({site.id}). That is not zero: “sitewatch history {site.id} arrivals” "
        "says which days were watched."
    )
