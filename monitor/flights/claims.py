"""What other services say of flights to and from a site, in words: evidence beside visits, never counted."""

from collections.abc import Mapping
from dataclasses import replace

from alerts.words import utc
from db.records.claims import FlightClaim, KnownAircraft
from monitor.flights.tracks.identity import Aircraft, completed_aircraft

_KM = 1000


def anonymised_claim(claim: FlightClaim, known: Mapping[str, KnownAircraft]) -> FlightClaim:
    """The claim without its name where the aircraft database says that the operator asked not to be named."""
    if not completed_aircraft(Aircraft(claim.icao24), known.get(claim.icao24)).unnamed:
        return claim
    return replace(claim, flight_id="", icao24="", callsign="", registration="", operator="")


def claim_sentence(claim: FlightClaim, code: str) -> str:
    """One claim as a sentence, seen from the airport with this ICAO code."""
    verb = "guesses" if claim.estimated else "says"
    return f"{claim.provider} {verb}: {_who(claim)} {_way(claim)}, {_when(claim)}{_how_good(claim, code)}."


def _who(claim: FlightClaim) -> str:
    names = [each for each in (claim.registration, claim.callsign, claim.icao24) if each]
    return (names[0] if names else "an aircraft that is not named") + (
        f" ({claim.type_code})" if claim.type_code else ""
    )


def _way(claim: FlightClaim) -> str:
    went = claim.actual_destination or claim.destination
    way = f"from {claim.origin or 'a place not known'} to {went or 'a place not known'}"
    if claim.actual_destination and claim.destination not in {"", claim.actual_destination}:
        way += f" (planned: {claim.destination})"
    return way


def _when(claim: FlightClaim) -> str:
    if claim.landed_at is not None:
        return f"landed {utc(claim.landed_at)}"
    if claim.last_seen_at is None:
        return "no time given"
    last = f"last seen {utc(claim.last_seen_at)}"
    return f"{last}, no landing known" if claim.ended and not claim.estimated else last


def _how_good(claim: FlightClaim, code: str) -> str:
    """What the provider says of its guess of this airport."""
    end = "Arrival" if claim.destination == code else "Departure"
    away = claim.quality.get(f"est{end}AirportHorizDistance")
    others = claim.quality.get(f"{end.lower()}AirportCandidatesCount")
    said = [f"{away / _KM:.0f} km from the airport"] if isinstance(away, int | float) else []
    said += [f"{others} airports possible"] if isinstance(others, int) else []
    return f" ({', '.join(said)})" if claim.estimated and said else ""
