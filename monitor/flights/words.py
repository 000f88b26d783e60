"""A visit told to a person: who it was, when it came and left, how sure that is and why."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.words import measured_duration, utc
from db.records import Visit, VisitState
from db.said import chained, numeral, phrase, spaced
from monitor.flights.corroboration import SEEN
from monitor.flights.tracks.codes import type_names
from monitor.flights.tracks.integrity import REJECTION_REASONS
from monitor.sites import Site

_HEARD = {
    4: phrase("reported from the ground here, or heard at both ends of the stay"),
    3: phrase("heard at one end of the stay only, without a report from the ground"),
}
_INFERRED = {
    4: phrase(
        "lost on the way here and heard again; at least 95 % sure, and by this flight alone it landed here"
    ),
    3: phrase("lost and heard again; at least 80 % sure, another place or circling is possible"),
    2: phrase("heard again, and here is possible, but another place or circling nearly as well"),
    1: phrase("only lost on the way here"),
}
_TOLD = 5
FAST_ENOUGH_S = 120.0
"""Up to it take-offs and landings are found without ground reports, as docs/accuracy.md measures at 10 to 90 s."""
_WIDE = timedelta(minutes=3)
"""A time that is known as well as this needs no bounds beside it."""
STATES: Mapping[VisitState, str] = {
    "lost_toward": phrase("lost on the way here"),
    "presumed": phrase("presumed here"),
    "present": phrase("here, as far as is known"),
    "confirmed": phrase("was here, confirmed"),
    "departed": phrase("has left"),
    "through_flight": phrase("flew on without landing here"),
    "diverted": phrase("landed elsewhere"),
    "withdrawn": phrase("withdrawn: later reports show that it was not here"),
}
"""What became of a visit, by its state."""
_IN_REGION: Mapping[VisitState, str] = {
    "lost_toward": phrase("lost on the way here, the place is open"),
    "presumed": phrase("presumed to have landed in the region"),
    "confirmed": phrase("landed in the region"),
}
_WORTH_TELLING, _MOST_ODDS = 0.02, 4
_LOST_AMONG_SEVERAL = phrase("lost on the way here or to a place near by, counted at neither")


def aircraft_words(visit: Visit) -> str:
    """Name the aircraft as far as it may be named."""
    if not visit.icao24:
        return phrase("an aircraft without name")
    known = [visit.registration, visit.type_code, visit.callsign]
    more = [phrase("ICAO address {address}", address=visit.icao24), *(each for each in known[1:] if each)]
    first = visit.registration or visit.callsign or visit.icao24
    others = chained(", ", [each for each in more if each != first])
    return phrase("{first} ({others})", first=first, others=others)


def arrival_words(visit: Visit) -> str:
    """Say when it came, between which times, or that nobody saw it come."""
    if visit.arrived_at is None:
        return (
            phrase("arrival not observed; there by {time}", time=utc(visit.first_fix_at))
            if visit.first_fix_at
            else phrase("arrival not observed")
        )
    bounds = visit.arrived_between
    if bounds and visit.is_inferred:
        return phrase(
            "arrival not heard, estimated between {begins} and {ends}",
            begins=utc(bounds[0]),
            ends=utc(bounds[1]),
        )
    if bounds and bounds[1] - bounds[0] >= _WIDE:
        if visit.arrived_at == bounds[1]:
            return phrase(
                "arrived by {time}, after {begins}",
                time=utc(visit.arrived_at),
                begins=utc(bounds[0]),
            )
        return phrase(
            "arrived about {time}, between {begins} and {ends}",
            time=utc(visit.arrived_at),
            begins=utc(bounds[0]),
            ends=utc(bounds[1]),
        )
    return phrase("arrived {time}", time=utc(visit.arrived_at))


def departure_words(visit: Visit) -> str:
    """Say when it left, between which times, or when it was last heard here."""
    bounds = visit.departed_between
    if visit.departed_at is not None and visit.is_inferred and bounds:
        return phrase(
            "departure not heard, estimated between {begins} and {ends}",
            begins=utc(bounds[0]),
            ends=utc(bounds[1]),
        )
    if visit.departed_at is not None and bounds and bounds[1] - bounds[0] >= _WIDE:
        return phrase(
            "left about {time}, between {begins} and {ends}",
            time=utc(visit.departed_at),
            begins=utc(bounds[0]),
            ends=utc(bounds[1]),
        )
    if visit.departed_at is not None:
        return phrase("left {time}", time=utc(visit.departed_at))
    if visit.state == "departed" and bounds:
        return phrase(
            "left at an unknown time between {begins} and {ends}",
            begins=utc(bounds[0]),
            ends=utc(bounds[1]),
        )
    if visit.last_fix_at is None:
        return phrase("departure not observed")
    return phrase("last heard here {time}", time=utc(visit.last_fix_at))


def confidence_words(visit: Visit) -> str:
    """Say how sure it is, in figures and in words: `2 of 4: heard again, …`."""
    # Only an inferred visit has less than 3.
    words = _INFERRED if visit.is_inferred else _INFERRED | _HEARD
    before = visit.candidates.get(SEEN, {}).get("confidence_before", visit.confidence)
    if before == visit.confidence:
        return phrase("{n} of 4: {words}", n=visit.confidence, words=words[visit.confidence])
    parts = {"n": visit.confidence, "before": before, "words": words[before]}
    if before < visit.confidence:
        return phrase("{n} of 4, raised from {before} by what pictures show: {words}", **parts)
    return phrase("{n} of 4, lowered from {before} by what pictures show: {words}", **parts)


def visit_state_words(visit: Visit) -> str:
    """Say what became of it."""
    if visit.site is None:
        state = _IN_REGION.get(visit.state, STATES[visit.state])
        return phrase("{state} ({odds})", state=state, odds=odds_words(visit))
    return _LOST_AMONG_SEVERAL if visit.is_awaited_near else STATES[visit.state]


def odds_words(visit: Visit) -> str:
    """Name the likeliest places with their odds: `Sunan 62 %, Wonsan 21 %`."""
    told = [each for each in visit.places if each["probability"] >= _WORTH_TELLING][:_MOST_ODDS]
    if not told:
        return phrase("place open")
    return chained(
        ", ",
        [
            phrase("{place} {odds} %", place=each.get("name", each["site"]), odds=_per_cent(each))
            for each in told
        ],
    )


def _per_cent(place: Mapping[str, Any]) -> str:
    return numeral(f"{100 * place['probability']:.0f}")


def rejected_words(counts: Mapping[str, int]) -> str:
    """Say how many position reports were not believed, and why; nothing where all were."""
    told = [
        chained(" × ", [str(number), REJECTION_REASONS.get(reason, reason)])
        for reason, number in counts.items()
    ]
    return phrase("Not believed in the last day: {reasons}.", reasons=chained("; ", told)) if told else ""


def cadence_words(delivered_s: float | None) -> str:
    """Say what a provider's answers come too seldom for; nothing where they come often enough, or are about no aircraft."""
    if delivered_s is None or delivered_s <= FAST_ENOUGH_S:
        return ""
    return phrase(
        "Answers {seconds} s apart: arrivals are told where the ground is reported. Elsewhere landings may be missed, and take-offs mostly are. More providers, or fewer places for each, bring answers closer together.",
        seconds=numeral(f"{delivered_s:.0f}"),
    )


def visits_story(metric: str, visits: Sequence[Visit], site: Site) -> str:
    """Tell of the watched aircraft behind a count in sentences that can be printed, with what is not known.

    Other aircraft are not named: their identity is forgotten later, and a count would keep it.
    """
    watched = [visit for visit in visits if f"icao24:{visit.icao24}" in visit.subjects]
    if metric not in {"arrivals", "departures"} or not watched:
        return ""
    return spaced(
        text
        for visit in watched[:_TOLD]
        for text in (
            chained(" ", [_named(visit), _told(visit, site)]),
            *(each.text for each in visit.seen_from_above),
        )
    )


def _named(visit: Visit) -> str:
    kind = next(iter(type_names(visit.type_code)), visit.type_code)
    more = [
        kind,
        phrase("callsign {callsign}", callsign=visit.callsign) if visit.callsign else "",
        phrase("ICAO address {address}", address=visit.icao24.upper()),
    ]
    return phrase(
        "{first} ({others})",
        first=visit.registration or phrase("An aircraft"),
        others=chained(", ", [each for each in more if each]),
    )


def _told(visit: Visit, site: Site) -> str:
    gap, origin = visit.gap, visit.flight_ends.get("origin")
    came = phrase("It came from {origin}.", origin=origin) if origin else ""
    if not visit.is_inferred:
        parts = {
            "site": site.name,
            "arrival": arrival_words(visit),
            "departure": departure_words(visit),
            "graded": _graded(visit),
        }
        said = (
            phrase("was heard to arrive at {site} ({arrival}; {departure}; {graded}).", **parts)
            if visit.arrived_at
            else phrase(
                "was heard, its arrival was not, at {site} ({arrival}; {departure}; {graded}).", **parts
            )
        )
        return spaced([said, came])
    if "lost_at" not in gap:
        back = utc(datetime.fromisoformat(gap["back_at"]))
        return phrase(
            "was first heard at {back}, flying away from {site}; its arrival there was not ({graded}).",
            back=back,
            site=site.name,
            graded=_graded(visit),
        )
    lost = utc(datetime.fromisoformat(gap["lost_at"]))
    away = next((each["away_nm"] for each in visit.places if each["site"] == site.id), None)
    text = spaced([_lost(visit, site, lost, away), came])
    if "ground_h" in visit.candidates:
        back = utc(datetime.fromisoformat(gap["back_at"]))
        ground = measured_duration(timedelta(hours=visit.candidates["ground_h"]))
        parts = {"back": back, "ground": ground, "graded": _graded(visit)}
        after = (
            phrase(
                "It was heard again at {back}, which leaves about {ground} on the ground. Nobody heard it land ({graded}).",
                **parts,
            )
            if visit.state == "confirmed"
            else phrase(
                "It was heard again at {back}, which leaves about {ground} on the ground. Nobody heard it land; other places or "
                "circling fit nearly as well ({graded}).",
                **parts,
            )
        )
        return spaced([text, after])
    early, late = (datetime.fromisoformat(each) for each in visit.candidates["arrived_between"])
    awaited = phrase(
        "It would have arrived between {early} and {late} UTC.",
        early=utc(early),
        late=f"{late.astimezone(UTC):%H:%M}",
    )
    doubt = (
        phrase(
            "Whether it landed there or at a place near by is not known ({graded}).", graded=_graded(visit)
        )
        if visit.is_awaited_near
        else phrase("Whether it landed is not known ({graded}).", graded=_graded(visit))
    )
    return spaced([text, awaited, doubt])


def _lost(visit: Visit, site: Site, lost: str, away: float | None) -> str:
    if away is not None:
        return phrase(
            "was last heard at {lost}, {away} NM from {site} and flying towards it.",
            lost=lost,
            away=f"{away:.0f}",
            site=site.name,
        )
    if visit.site is None:
        return phrase(
            "was last heard at {lost}, bound for {site} ({odds}).",
            lost=lost,
            site=site.name,
            odds=odds_words(visit),
        )
    return phrase("was last heard at {lost}.", lost=lost)


def _graded(visit: Visit) -> str:
    return phrase("confidence {n} of 4", n=visit.confidence)
