"""Landings and take-offs to compare: those that visits tell, and those that naive programs count."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from db.records import Fix, Visit
from monitor.flights.evaluation.scoring import FlightEvent


def events_of(visits: Sequence[Visit]) -> list[FlightEvent]:
    """Give the arrivals and departures that visits tell, in order of time."""
    return sorted(_events(each for each in visits if each.state in {"present", "departed", "confirmed"}))


def flag_events(
    track: Sequence[Fix], site_id: str, inside: Sequence[bool], kept_for: timedelta = timedelta(0)
) -> list[FlightEvent]:
    """Count landings and take-offs as naive programs do: each flip of the raw ground flag at a place is one.

    `track` holds the reports of one aircraft by time, `inside` says of each whether it lies at the place. With
    `kept_for` only those flips count after which the flag stays as it is for so long.
    """
    told = [(fix, there) for fix, there in zip(track, inside, strict=True) if fix.on_ground is not None]
    flips = [
        (after, there)
        for (before, _), (after, there) in pairwise(told)
        if before.on_ground != after.on_ground
    ]
    ends = [fix.at for fix, _ in flips[1:]] + ([told[-1][0].at] if told else [])
    return [
        FlightEvent(fix.at, "arrival" if fix.on_ground else "departure", fix.icao24, site_id)
        for (fix, there), end in zip(flips, ends, strict=False)
        if there and end - fix.at >= kept_for
    ]


def _events(visits: Iterator[Visit]) -> Iterator[FlightEvent]:
    for each in visits:
        if each.arrived_at is not None:
            yield FlightEvent(each.arrived_at, "arrival", each.icao24, each.site_id)
        if each.departed_at is not None:
            yield FlightEvent(each.departed_at, "departure", each.icao24, each.site_id)
