"""A visit told to a person: who it was, when it came and left, how sure that is and why."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from alerts.words import measured_duration, utc
from db.records import Visit, VisitState
from monitor.flights.corroboration import SEEN
from monitor.flights.tracks.codes import type_names
from monitor.flights.tracks.integrity import REJECTION_REASONS
from monitor.sites import Site

_HEARD = {
    4: "reported from the ground here, or heard at both ends of the stay",
    3: "heard at one end of the stay only, without a report from the ground",
}
_INFERRED = {
    4: "lost on the way here and heard again; at least 95 % sure, and by this flight alone it landed here",
    3: "lost and heard again; at least 80 % sure, another place or circling is possible",
    2: "heard again, and here is possible, but another place or circling nearly as well",
    1: "only lost on the way here",
}
_TOLD = 5
FAST_ENOUGH_S = 120.0
"""Up to it take-offs and landings are found without ground reports, as docs/accuracy.md measures at 10 to 90 s."""
_WIDE = timedelta(minutes=3)
"""A time that is known as well as this needs no bounds beside it."""
STATES: Mapping[VisitState, str] = {
    "lost_toward": "lost on the way here",
    "presumed": "presumed here",
    "present": "here, as far as is known",
    "confirmed": "was here, confirmed",
    "departed": "has left",
    "through_flight": "flew on without landing here",
    "diverted": "landed elsewhere",
    "withdrawn": "withdrawn: later reports show that it was not here",
}
"""What became of a visit, by its state."""
_IN_REGION: Mapping[VisitState, str] = {
    "lost_toward": "lost on the way here, the place is open",
    "presumed": "presumed to have landed in the region",
    "confirmed": "landed in the region",
}
_WORTH_TELLING, _MOST_ODDS = 0.02, 4
_LOST_AMONG_SEVERAL = "lost on the way here or to a place near by, counted at neither"


def aircraft_words(visit: Visit) -> str:
    """Name the aircraft as far as it may be named."""
    if not visit.icao24:
        return "an aircraft without name"
    known = [visit.registration, visit.type_code, visit.callsign]
    more = [f"ICAO address {visit.icao24}", *(each for each in known[1:] if each)]
    first = visit.registration or visit.callsign or visit.icao24
    return f"{first} ({', '.join(each for each in more if each != first)})"


def arrival_words(visit: Visit) -> str:
    """Say when it came, between which times, or that nobody saw it come."""
    if visit.arrived_at is None:
        return (
            f"arrival not observed; there by {utc(visit.first_fix_at)}"
            if visit.first_fix_at
            else "arrival not observed"
        )
    bounds = visit.arrived_between
    if bounds and visit.is_inferred:
        return f"arrival not heard, estimated between {utc(bounds[0])} and {utc(bounds[1])}"
    if bounds and bounds[1] - bounds[0] >= _WIDE:
        if visit.arrived_at == bounds[1]:
            return f"arrived by {utc(visit.arrived_at)}, after {utc(bounds[0])}"
        return f"arrived about {utc(visit.arrived_at)}, between {utc(bounds[0])} and {utc(bounds[1])}"
    return f"arrived {utc(visit.arrived_at)}"


def departure_words(visit: Visit) -> str:
    """Say when it left, between which times, or when it was last heard here."""
    bounds = visit.departed_between
    if visit.departed_at is not None and visit.is_inferred and bounds:
        return f"departure not heard, estimated between {utc(bounds[0])} and {utc(bounds[1])}"
    if visit.departed_at is not None and bounds and bounds[1] - bounds[0] >= _WIDE:
        return f"left about {utc(visit.departed_at)}, between {utc(bounds[0])} and {utc(bounds[1])}"
    if visit.departed_at is not None:
        return f"left {utc(visit.departed_at)}"
    if visit.state == "departed" and bounds:
        return f"left at an unknown time between {utc(bounds[0])} and {utc(bounds[1])}"
    if visit.last_fix_at is None:
        return "departure not observed"
    return f"last heard here {utc(visit.last_fix_at)}"


def confidence_words(visit: Visit) -> str:
    """Say how sure it is, in figures and in words: `2 of 4: heard again, …`."""
    # Only an inferred visit has less than 3.
    words = _INFERRED if visit.is_inferred else _INFERRED | _HEARD
    before = visit.candidates.get(SEEN, {}).get("confidence_before", visit.confidence)
    if before == visit.confidence:
        return f"{visit.confidence} of 4: {words[visit.confidence]}"
    way = "raised" if before < visit.confidence else "lowered"
    return f"{visit.confidence} of 4, {way} from {before} by what pictures show: {words[before]}"


def visit_state_words(visit: Visit) -> str:
    """Say what became of it."""
    if visit.site is None:
        return f"{_IN_REGION.get(visit.state, STATES[visit.state])} ({odds_words(visit)})"
    return _LOST_AMONG_SEVERAL if visit.is_awaited_near else STATES[visit.state]


def odds_words(visit: Visit) -> str:
    """Name the likeliest places with their odds: `Sunan 62 %, Wonsan 21 %`."""
    told = [each for each in visit.places if each["probability"] >= _WORTH_TELLING][:_MOST_ODDS]
    return (
        ", ".join(f"{each.get('name', each['site'])} {100 * each['probability']:.0f} %" for each in told)
        or "place open"
    )


def rejected_words(counts: Mapping[str, int]) -> str:
    """Say how many position reports were not believed, and why; nothing where all were."""
    told = [f"{number} × {REJECTION_REASONS.get(reason, reason)}" for reason, number in counts.items()]
    return f"Not believed in the last day: {'; '.join(told)}." if told else ""


def cadence_words(delivered_s: float | None) -> str:
    """Say what a provider's answers come too seldom for; nothing where they come often enough, or are about no aircraft."""
    if delivered_s is None or delivered_s <= FAST_ENOUGH_S:
        return ""
    return (
        f"Answers {delivered_s:.0f} s apart: arrivals are told where the ground is reported. Elsewhere landings may be missed, and "
        "take-offs mostly are. More providers, or fewer places for each, bring answers closer together."
    )


def visits_story(metric: str, visits: Sequence[Visit], site: Site) -> str:
    """Tell of the watched aircraft behind a count in sentences that can be printed, with what is not known.

    Other aircraft are not named: their identity is forgotten later, and a count would keep it.
    """
    watched = [visit for visit in visits if f"icao24:{visit.icao24}" in visit.subjects]
    if metric not in {"arrivals", "departures"} or not watched:
        return ""
    told = (f"{_named(visit)} {_told(visit, site)}{_from_above(visit)}" for visit in watched[:_TOLD])
    return " ".join(told)


def _named(visit: Visit) -> str:
    kind = next(iter(type_names(visit.type_code)), visit.type_code)
    more = [
        kind,
        f"callsign {visit.callsign}" if visit.callsign else "",
        f"ICAO address {visit.icao24.upper()}",
    ]
    return f"{visit.registration or 'An aircraft'} ({', '.join(each for each in more if each)})"


def _told(visit: Visit, site: Site) -> str:
    gap, origin = visit.gap, visit.flight_ends.get("origin")
    came = f" It came from {origin}." if origin else ""
    if not visit.is_inferred:
        seen = "was heard to arrive" if visit.arrived_at else "was heard, its arrival was not,"
        return f"{seen} at {site.name} ({arrival_words(visit)}; {departure_words(visit)}; {_graded(visit)}).{came}"
    if "lost_at" not in gap:
        back = utc(datetime.fromisoformat(gap["back_at"]))
        return f"was first heard at {back}, flying away from {site.name}; its arrival there was not ({_graded(visit)})."
    lost = utc(datetime.fromisoformat(gap["lost_at"]))
    away = next((each["away_nm"] for each in visit.places if each["site"] == site.id), None)
    where = f", bound for {site.name} ({odds_words(visit)})" if visit.site is None else ""
    where = where if away is None else f", {away:.0f} NM from {site.name} and flying towards it"
    text = f"was last heard at {lost}{where}.{came}"
    if "ground_h" in visit.candidates:
        back = utc(datetime.fromisoformat(gap["back_at"]))
        ground = measured_duration(timedelta(hours=visit.candidates["ground_h"]))
        doubt = "" if visit.state == "confirmed" else "; other places or circling fit nearly as well"
        return (
            f"{text} It was heard again at {back}, which leaves about {ground} on the ground. "
            f"Nobody heard it land{doubt} ({_graded(visit)})."
        )
    early, late = (datetime.fromisoformat(each) for each in visit.candidates["arrived_between"])
    awaited = f"It would have arrived between {utc(early)} and {late.astimezone(UTC):%H:%M} UTC"
    near = " there or at a place near by" if visit.is_awaited_near else ""
    return f"{text} {awaited}. Whether it landed{near} is not known ({_graded(visit)})."


def _graded(visit: Visit) -> str:
    return f"confidence {visit.confidence} of 4"


def _from_above(visit: Visit) -> str:
    return "".join(f" {each.text}" for each in visit.seen_from_above)
