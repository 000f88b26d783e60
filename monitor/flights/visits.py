"""Stays become versions of visits: stable ids, confidence, bounds, and the withdrawal of what later data refutes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from db.records import Fix, Visit
from db.records.aliases import draft_visit_id
from monitor.flights.evidence import stay_evidence
from monitor.flights.places import Place
from monitor.flights.stays import CRUISE_KT, STAY_SILENCE, ArrivalEvidence, Stay, WatchedSeconds, stays
from monitor.flights.tracks.identity import Aircraft, Classes, aircraft_of, visit_subjects
from monitor.flights.tracks.integrity import Track
from monitor.flights.tracks.phases import phased_reports
from monitor.sites.geodesy import SECONDS_PER_HOUR, great_circle_nm

ADSB_PROCEDURE = "adsb:1"
"""Method and version of everything derived here; a change of rules is another procedure."""

SAME_VISIT = timedelta(minutes=15)
"""Two readings of one track may place the beginning of a visit this far apart."""
_LEG = timedelta(minutes=30)
_DEPARTURE_KEYS = frozenset({"departure", "departed_between"})


def derive_visits(
    track: Track,
    places: Sequence[Place],
    *,
    known: Sequence[Visit],
    since: datetime,
    watched: WatchedSeconds,
    classes: Classes,
    now: datetime,
) -> list[Visit]:
    """Read the visits out of the believed reports of one aircraft since `since`.

    `known` are its visits so far: an open one that began before `since` is continued, later ones are read
    again under their own ids, and those that the reports no longer bear out come back as withdrawn.
    """
    if not track.fixes:
        return []
    by_id = {place.id: place for place in places}
    ours = [
        visit
        for visit in known
        if visit.site_id in by_id and visit.candidates.get("procedure") == ADSB_PROCEDURE
    ]
    mine = [visit for visit in ours if not visit.is_inferred]
    prior = _begun_before(mine, by_id, track.fixes, since)
    found = [
        _visit(stay, track.fixes, classes, now)
        for stay in stays(phased_reports(track.fixes, places), places, prior=prior, watched=watched, now=now)
    ]
    again = [visit for visit in mine if _began(visit) >= since]
    settled = _reconciled(found, again, now)
    return confirmed_by_ear(settled, [visit for visit in ours if visit.is_inferred])


def confirmed_by_ear(heard: Sequence[Visit], inferred: Sequence[Visit]) -> list[Visit]:
    """Let a visit that was heard continue the inferred one of the same stay: under its id, with its evidence."""
    found: list[Visit] = []
    for visit in heard:
        same = next((each for each in inferred if _same_stay(visit, each)), None)
        found.append(visit if same is None else _continued(visit, same))
    return found


def _begun_before(
    known: Sequence[Visit], places: Mapping[str, Place], fixes: Sequence[Fix], since: datetime
) -> Stay | None:
    """Give the stay that was going on at `since`, to be read on from there, as if it had not ended yet."""
    earlier = [
        visit
        for visit in known
        if visit.state in {"present", "departed"} and _began(visit) < since
        if visit.state == "present" or _ended(visit) >= since
    ]
    if not earlier:
        return None
    visit = max(earlier, key=_began)
    place = places[visit.site_id]
    kept = {key: value for key, value in visit.candidates.items() if key not in _DEPARTURE_KEYS}
    told = 1 + kept.get("gap", {}).get("told", 0)
    open_again = replace(
        visit, state="present", departed_at=None, candidates=kept, evidence=visit.evidence[:told]
    )
    last = replace(
        fixes[0],
        at=min(visit.last_fix_at or _began(visit), fixes[0].at),
        lat=place.lat,
        lon=place.lon,
    )
    return Stay(
        place,
        _arrival(kept.get("arrival")),
        replace(last, at=_began(visit)),
        last,
        grounded=bool(kept.get("grounded")),
        prior=open_again,
    )


def _same_stay(heard: Visit, inferred: Visit) -> bool:
    if inferred.site_id != heard.site_id or inferred.state in {"withdrawn", "through_flight", "diverted"}:
        return False
    ended = inferred.departed_at
    return _began(inferred) <= _began(heard) and (ended is None or _began(heard) <= ended + SAME_VISIT)


def _continued(heard: Visit, inferred: Visit) -> Visit:
    """Keep what the loss of signal told; an arrival or departure that was heard is better than its estimate."""
    gap = {**inferred.candidates["gap"], "told": len(inferred.evidence)}
    first = inferred.candidates["first_sign"]
    kept = {
        key: inferred.candidates[key]
        for key in ("arrived_between",)
        if heard.arrived_at is None and key in inferred.candidates
    }
    return replace(
        heard,
        visit_id=inferred.visit_id,
        arrived_at=heard.arrived_at or inferred.arrived_at,
        confidence=4,
        candidates={**heard.candidates, **kept, "first_sign": first, "gap": gap},
        evidence=(*inferred.evidence, *heard.evidence),
    )


def _arrival(name: object) -> ArrivalEvidence:
    if name == "ground":
        return "ground"
    return "approach" if name == "approach" else "unseen"


def _began(visit: Visit) -> datetime:
    return visit.first_fix_at or visit.arrived_at or visit.recorded_at


def _visit(stay: Stay, fixes: Sequence[Fix], classes: Classes, now: datetime) -> Visit:
    visit = _begun(stay, fixes, classes, now) if stay.prior is None else stay.prior
    visit = replace(visit, recorded_at=now, last_fix_at=max(stay.last.at, visit.last_fix_at or stay.last.at))
    grounded = stay.grounded or bool(visit.candidates.get("grounded"))
    both = stay.arrival != "unseen" and stay.departure in {"first_fixes", "ground"}
    return replace(
        visit,
        state="departed" if stay.departure else "present",
        confidence=4 if grounded or both else 3,
        departed_at=stay.departed_at,
        last_fix_at=stay.off.at if stay.departed_at and stay.off else visit.last_fix_at,
        candidates={**visit.candidates, "grounded": grounded, **_departure_candidates(stay)},
        evidence=(*visit.evidence, *stay_evidence(stay)) if stay.prior else stay_evidence(stay),
    )


def _begun(stay: Stay, fixes: Sequence[Fix], classes: Classes, now: datetime) -> Visit:
    aircraft = _aircraft(stay, fixes)
    first = stay.first.at
    candidates: dict[str, Any] = {
        "procedure": ADSB_PROCEDURE,
        "first_sign": first.isoformat(timespec="minutes"),
        "arrival": stay.arrival,
    }
    if stay.place.region:
        candidates["region"] = stay.place.region
    if (between := _arrived_between(stay)) is not None:
        candidates["arrived_between"] = between
    return Visit(
        visit_id=draft_visit_id(aircraft.icao24, stay.place.id, first),
        version=1,
        site_id=stay.place.id,
        icao24="" if aircraft.unnamed else aircraft.icao24,
        state="present",
        confidence=3,
        arrived_at=stay.arrived_at,
        departed_at=None,
        first_fix_at=first,
        last_fix_at=stay.last.at,
        recorded_at=now,
        callsign="" if aircraft.unnamed else aircraft.callsign,
        registration="" if aircraft.unnamed else aircraft.registration,
        type_code="" if aircraft.unnamed else aircraft.type_code,
        subjects=visit_subjects(aircraft, classes, stay.place.site.watchlist),
        candidates=candidates,
    )


def _aircraft(stay: Stay, fixes: Sequence[Fix]) -> Aircraft:
    """Collect who it is, with the callsign of the flight that brought it, else of the one that left."""
    coming = [fix for fix in fixes if stay.first.at - _LEG <= fix.at <= stay.first.at]
    after = [fix for fix in fixes if fix.at > stay.first.at]
    leg = aircraft_of([*reversed(coming), *after] or fixes)
    return replace(aircraft_of(fixes), callsign=leg.callsign)


def _departure_candidates(stay: Stay) -> dict[str, Any]:
    """Give how the departure was seen and, where it was not, the times it lies between."""
    if stay.off is None:
        return {}
    latest = stay.off.at
    if stay.departure in {"gap", "elsewhere"}:
        away = great_circle_nm(stay.last.lat, stay.last.lon, stay.off.lat, stay.off.lon)
        latest -= timedelta(seconds=away / CRUISE_KT * SECONDS_PER_HOUR)
    between = [_stamp(stay.last.at), _stamp(max(latest, stay.last.at))]
    return {"departure": stay.departure, "departed_between": between}


def _arrived_between(stay: Stay) -> list[str] | None:
    """Give the interval in which it must have arrived: between flight and ground, or before its silence was judged."""
    if stay.arrival == "unseen":
        return None
    if stay.arrival == "approach":
        return [_stamp(stay.first.at), _stamp(stay.first.at + STAY_SILENCE)]
    return None if stay.before is None else [_stamp(stay.before.at), _stamp(stay.first.at)]


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _reconciled(found: Sequence[Visit], again: Sequence[Visit], now: datetime) -> list[Visit]:
    """Give each reading the id it had before, and withdraw the visits that no reading bears out."""
    left = {visit.visit_id: visit for visit in again}
    settled: list[Visit] = []
    for visit in found:
        earlier = _same_visit(visit, left)
        if earlier is not None:
            del left[earlier.visit_id]
            visit = _under_first_id(visit, earlier)  # noqa: PLW2901 - the same visit
        settled.append(visit)
    gone = [visit for visit in left.values() if visit.state != "withdrawn"]
    return [*settled, *(replace(visit, state="withdrawn", recorded_at=now) for visit in gone)]


def _under_first_id(visit: Visit, earlier: Visit) -> Visit:
    first = earlier.candidates.get("first_sign", visit.candidates["first_sign"])
    visit = replace(
        visit,
        visit_id=earlier.visit_id,
        candidates={**visit.candidates, **earlier.flight_ends, "first_sign": first},
    )
    if not earlier.icao24:
        # Whose name was forgotten stays without, though it is heard on.
        visit = replace(visit, icao24="", callsign="", registration="")
    gap = earlier.candidates.get("gap")
    if gap is None:
        return visit
    # It began as an inferred visit: what the loss of signal told stays told.
    return replace(
        visit,
        arrived_at=visit.arrived_at or earlier.arrived_at,
        confidence=4,
        candidates={**earlier.candidates, **visit.candidates},
        evidence=(*earlier.evidence[: gap["told"]], *visit.evidence),
    )


def _same_visit(visit: Visit, known: Mapping[str, Visit]) -> Visit | None:
    near = [other for other in known.values() if other.site_id == visit.site_id and _touch(visit, other)]
    return min(near, key=lambda other: abs(_began(other) - _began(visit)), default=None)


def _touch(one: Visit, other: Visit) -> bool:
    return _began(one) - SAME_VISIT <= _ended(other) and _began(other) - SAME_VISIT <= _ended(one)


def _ended(visit: Visit) -> datetime:
    return visit.departed_at or visit.last_fix_at or _began(visit)
