"""A visit told to a person: who it was, when it came and left, how sure that is and why."""

from datetime import UTC, datetime

from db.records import Visit

_CONFIDENCE = {
    4: "reported from the ground here, or heard at both ends of the stay",
    3: "heard at one end of the stay only, without a report from the ground",
    2: "only heard again far away, from the direction of this site",
    1: "only lost on the way towards this site",
}
_STATES = {
    "lost_toward": "lost on the way to this site",
    "presumed": "presumed to be here",
    "present": "here, as far as is known",
    "confirmed": "was here",
    "departed": "has left",
    "through_flight": "flew on without landing here",
    "diverted": "landed elsewhere",
    "withdrawn": "withdrawn: later reports show that it was not here",
}


def who(visit: Visit) -> str:
    """Name the aircraft as far as it may be named."""
    if not visit.icao24:
        return "an aircraft without name"
    known = [visit.registration, visit.type_code, visit.callsign]
    more = [f"ICAO address {visit.icao24}", *(each for each in known[1:] if each)]
    first = visit.registration or visit.callsign or visit.icao24
    return f"{first} ({', '.join(each for each in more if each != first)})"


def arrival(visit: Visit) -> str:
    """Say when it came, between which times, or that nobody saw it come."""
    if visit.arrived_at is None:
        return (
            f"arrival not observed; there by {_minute(visit.first_fix_at)}"
            if visit.first_fix_at
            else "arrival not observed"
        )
    bounds = visit.candidates.get("arrived_between")
    if bounds:
        return f"arrived by {_minute(visit.arrived_at)}, after {_minute(datetime.fromisoformat(bounds[0]))}"
    return f"arrived {_minute(visit.arrived_at)}"


def departure(visit: Visit) -> str:
    """Say when it left, between which times, or when it was last heard here."""
    if visit.departed_at is not None:
        return f"left {_minute(visit.departed_at)}"
    bounds = visit.candidates.get("departed_between")
    if visit.state == "departed" and bounds:
        after, before = (_minute(datetime.fromisoformat(each)) for each in bounds)
        return f"left at an unknown time between {after} and {before}"
    if visit.last_fix_at is None:
        return "departure not observed"
    return f"last heard here {_minute(visit.last_fix_at)}"


def confidence(visit: Visit) -> str:
    """Say how sure it is, in figures and in words."""
    return f"confidence {visit.confidence} of 4: {_CONFIDENCE[visit.confidence]}"


def state(visit: Visit) -> str:
    """Say what became of it."""
    return _STATES[visit.state]


def _minute(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
