"""Landings and take-offs at three fields around Paris: ours beside naive counting of ground flags.

Run: python -m benchmarks.flights_accuracy
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.flights_events import events_of, flag_events
from benchmarks.flights_paris import DATA, NAMES, aligned, labels, ours, places, polls, runways, tracks
from db.records import Fix
from monitor.flights.evaluation.scoring import FlightEvent, Score, score
from monitor.flights.places import Place, positions
from monitor.flights.tracks.kinematics import apart_nm
from monitor.sites.geodesy import METRES_PER_NM

FLIES_KT = 80.0
SETTLED = timedelta(minutes=1)
CUT_OFF = timedelta(minutes=2)
"""What happens so shortly before the recording ends, or after it begins, is no error: the reference needs more of it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the truth, where it comes from, and what each way of counting makes of the reports."""

    site_id: str
    truth_from: str
    visits: Score
    flags: Score
    settled_flags: Score


@dataclass(frozen=True, slots=True)
class Paris:
    """Everything the table needs: the three fields, and the label that the reports refute."""

    fields: tuple[Field, ...]
    reports: int
    aircraft: int
    refuted: tuple[FlightEvent, ...]
    evidence: tuple[str, ...]
    """For each refuted label, what the reports say."""


def measure(data: Path = DATA) -> Paris:
    """Read the recording and score every way of counting at every field."""
    recording = list(polls(data))
    by_aircraft = tracks([fix for _, fixes in recording for fix in fixes or ()])
    begin, end = recording[0][0], recording[-1][0]
    fields = places(data)
    found = events_of(
        [
            visit
            for track in by_aircraft.values()
            for visit in ours(track, fields, end + timedelta(minutes=30))
        ]
    )
    directions = runways(data)
    reference = [event for track in by_aircraft.values() for event in aligned(track, directions)]
    given = labels(data)
    refuted = tuple(event for event in given if stands_still(by_aircraft[event.icao24], event.at))
    mended = [event for event in given if event not in refuted]
    mended += [event for event in reference if any(_takes_the_place(event, each) for each in refuted)]
    truths = [("lfpo", "labels as given", given), ("lfpo", "labels, the refuted one set right", mended)]
    truths += [(name, "runway alignment", [e for e in reference if e.site_id == name]) for name in NAMES]
    by_id = {place.id: place for place in fields}
    rows = [
        Field(
            site_id,
            source,
            score(whole([event for event in found if event.site_id == site_id], truth, begin, end), truth),
            *(score(_flags(by_aircraft, by_id[site_id], kept), truth) for kept in (timedelta(0), SETTLED)),
        )
        for site_id, source, truth in truths
    ]
    evidence = tuple(reports_say(by_aircraft[event.icao24], event) for event in refuted)
    return Paris(tuple(rows), sum(map(len, by_aircraft.values())), len(by_aircraft), refuted, evidence)


def stands_still(track: Sequence[Fix], at: datetime) -> bool:
    """Whether the aircraft does not move at all from half a minute before to a minute and a half after."""
    around = [fix for fix in track if timedelta(seconds=-30) <= fix.at - at <= timedelta(seconds=90)]
    lat, lon = {round(fix.lat, 4) for fix in around}, {round(fix.lon, 4) for fix in around}
    return len(around) > 1 and len(lat) == 1 and len(lon) == 1


def reports_say(track: Sequence[Fix], label: FlightEvent) -> str:
    """Tell what the reports say around a label that they refute, and when the aircraft flew."""
    during = [fix for fix in track if timedelta(seconds=-30) <= fix.at - label.at <= timedelta(seconds=90)]
    flagged = [fix for fix in during if fix.on_ground is False]
    heights = " or ".join(
        sorted({f"{fix.altitude_ft:,.0f} ft" for fix in flagged if fix.altitude_ft is not None})
    )
    speeds = (
        "with a speed" if any(fix.ground_speed_kt is not None for fix in flagged) else "without any speed"
    )
    moved = max(apart_nm(one, other) for one, other in pairwise(during)) * METRES_PER_NM
    told = (
        f"{label.icao24}, labelled {label.kind} at {label.at:%H:%M:%S}: its {len(during)} reports from {during[0].at:%H:%M:%S} to "
        f'{during[-1].at:%H:%M:%S} lie {moved:.0f} m apart, {len(flagged)} of them say "in the air" at {heights}, {speeds}.'
    )
    again = [fix for fix in track if fix.at > during[-1].at]
    rolled = next(fix for fix in again if fix.on_ground)
    flew = next(fix for fix in again if fix.on_ground is False and (fix.ground_speed_kt or 0) > FLIES_KT)
    return (
        f"{told} From {rolled.at:%H:%M:%S} it reports from the ground again and taxies on; it is first in the air at "
        f"{flew.at:%H:%M:%S}, at {flew.ground_speed_kt:.0f} kt and {flew.altitude_ft:,.0f} ft."
    )


def _takes_the_place(event: FlightEvent, label: FlightEvent) -> bool:
    later = timedelta(0) <= event.at - label.at <= timedelta(minutes=15)
    return later and replace(event, at=label.at) == label


def whole(
    found: Sequence[FlightEvent], truth: Sequence[FlightEvent], begin: datetime, end: datetime
) -> list[FlightEvent]:
    """Leave out what the ends of the recording cut off before the truth can tell."""
    known = {(event.kind, event.icao24) for event in truth}
    return [
        each
        for each in found
        if begin + CUT_OFF < each.at < end - CUT_OFF or (each.kind, each.icao24) in known
    ]


def _flags(by_aircraft: dict[str, list[Fix]], place: Place, kept_for: timedelta) -> list[FlightEvent]:
    return [
        event
        for track in by_aircraft.values()
        for event in flag_events(track, place.id, list(place.near(*positions(track), 1.0)), kept_for)
    ]


def lines(paris: Paris) -> Iterator[str]:
    """Write the table."""
    yield "| field | truth | way of counting | recall | precision | false | median delay |"
    yield "|---|---|---|---|---|---|---|"
    for field in paris.fields:
        ways = {
            "sitewatch": field.visits,
            "each flip of the ground flag": field.flags,
            "flips that last a minute": field.settled_flags,
        }
        for way, result in ways.items():
            delay = median((each.at - true.at).total_seconds() for true, each in result.matched)
            yield (
                f"| {NAMES[field.site_id]} | {field.truth_from} | {way} | {result.recall} "
                f"| {result.precision} | {len(result.false)} | {delay:+.0f} s |"
            )


def main() -> None:
    """Print the table."""
    paris = measure()
    print(f"{paris.reports} reports of three hours; within two minutes; 95 % intervals\n")
    for line in lines(paris):
        print(line)
    for told in paris.evidence:
        print(f"\nRefuted by the reports: {told}")


if __name__ == "__main__":
    main()
