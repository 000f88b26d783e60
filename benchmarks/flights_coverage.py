"""How well visits are found where coverage is missing: the whole of docs/accuracy.md.

Run: python -m benchmarks.flights_coverage > docs/accuracy.md
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from benchmarks.flights_accuracy import lines, measure
from benchmarks.flights_attainable import attainable
from benchmarks.flights_cadence import cadence_section
from benchmarks.flights_far import BEFORE, FAR_KM, FLIGHTS, LEARNT_FROM, WAYS, WORLDS, far, table
from benchmarks.flights_paris import NAMES, SCOPE, ours, places, polls, tracks
from benchmarks.flights_reliability import by_confidence, by_probability
from db.records import Visit
from db.records.claims import FlightClaim
from monitor.flights.evaluation.masking import (
    LEAST_FLIGHTS,
    STUDY_TOLERANCE,
    Mask,
    MaskedResult,
    below_ft,
    evaluate_place,
    live_visits,
    within_km,
)
from monitor.flights.evaluation.recording import NEVER, StudyContext, TrackRecording, Tracks
from monitor.flights.places import Place
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Classes

RADII_KM = (10.0, 20.0, 40.0)
ALTITUDES_FT = (3_000.0, 5_000.0, 10_000.0)
HALF = datetime(2021, 10, 7, 13, 30, tzinfo=UTC)
"""The constants were set on what lies before."""
_LISTED_AFTER = timedelta(minutes=30)

_INTRODUCTION = """# Accuracy

Written by `python -m benchmarks.flights_coverage > docs/accuracy.md`; nothing here is typed by hand. Intervals are 95 % (Wilson).
`sitewatch evaluate TRACES --mask-km 100` measures the same on tracks that you have. Visits and inferred visits are read by the code that reads
the live feeds; of aircraft that are of no watched class the service judges no silence, here all are held to be.

## Where the feeds hear the ground

{reports} real reports of three hours around Paris (7 October 2021), within two minutes of the truth. Orly has labels; one is refuted
by the reports themselves. At the other fields the truth is alignment with a runway, computed from the runways' published ends
by code that shares nothing with what it checks.
"""
_REFUTED = """
The refuted label: {evidence} Each flip of the ground flag "finds" it, and nine more that did not happen. A rule that did
would have to believe that an aircraft which stands still has left, so the label stays missed, and its take-off seven minutes later
counts as false: both figures stand above.
"""
_MASKED = """
## The same recording with reports taken away

One field after the other is darkened: every report within so many kilometres of its middle is deleted, or every report below an
altitude. The truth is what all reports together show. An arrival counts as found within {minutes:.0f} minutes. "Heard coming" are the
arrivals of which any report is left in the half hour before: the recording reaches 55 km around Orly, so that much of
the traffic of the other two is first heard inside what is taken away, and nobody could find it. Few aircraft come back within the three hours, so
most of what is found is `presumed`. Two of the fields lie 10 km from each other: a mask around one darkens the other. An aircraft
that may as well have gone to the neighbour is told as lost near both and counted at neither: it costs recall, and keeps the counts true.
Airports that nobody watches are weighed too.

"Attainable" is what a judge finds who knows where all the other flights went: for each loss of signal it takes the field to which most of those
most like it led, and chooses afterwards how many it asks. The rule cannot know that; what such a judge cannot tell, what is left does not tell. Where
it finds far more than the rule, the routes into the field would have to be known or learnt.
"""
_HALVES = """
All masks and fields together. The constants of the rule were set on the first 90 minutes; the landing direction turned round between
the halves, which led to one change of the rule itself (a field counts as heard only on the side that others were heard on).
The third row knows what the service would have told of the first half under the same mask: visits, and losses that led past or elsewhere.
The last one knows, of all flights but the one that is judged, where and when they landed and took off, half an hour later: as a provider's flight lists tell.
"""
_FAR = """
## Far from all coverage

No real flight to a dark airport was ever recorded with its truth: at these distances real flights are **not measured** (0 of the {enough}
that a cell needs). The tables are of **synthetic** flights, {flights} of each kind for each radius, made by `benchmarks/flights_synthetic.py`: heard
outside a circle around one dark field and silent inside, in {worlds} worlds with four airports each that nobody watches. Courses where
signals end stray from the direct way by 10° (standard deviation): of the real flights of three hours around Paris half strayed by more than 16° on the
way in and 9° on the way out, 100 km from the field, and nothing real is known from farther away. It shows what the rule does,
not how often the world does it. Each cell says how the visits told are graded: `confirmed` with confidence 4 or 3, or `presumed` with 2, which
is never counted for certain; [visits.md](visits.md) says what each asks.

With nothing known of earlier flights:
"""
_KNOWN = """
With {before} earlier visits of its kind known, flights on {ways} ways, and {learnt} earlier visits on the same ways:
"""
_READING = """
What it says: a flight that passes without landing is told apart. One that lands at another dark airport near by, or circles in the
dark for hours and comes out as it went in, may be told as a visit, seldom as a sure one: a history of visits makes a place likelier,
but does not by itself make a visit sure, for others fly on the usual way too. The price is that many real visits are told with less than they deserve:
where courses stray, nothing in such a flight tells the place from its neighbours. The alternatives stand in each visit's
candidates with their probabilities, and imagery must decide.

### How far a told visit can be trusted

Of the visits told, which share was real? That depends on how many flights of each kind there are, and nobody knows it of a dark place: so for three declared
mixes of the same made-up flights. {worlds} worlds for each radius, on other seeds than the rule was tuned on. Weakest is confidence 3 where 200 km
are dark: from there a flight that is still level may circle as well as land. Where most flights only pass, a visit told with 3 is less sure again.
"""
_DECILES = """
The same for the mix 50 / 25 / 25 / 0 by the probability that a visit's place has among its candidates. With a history a
probability says how likely the place is if what came before is a guide; confidence asks the flight's own evidence as well.
"""


def masks(fields: tuple[Place, ...]) -> Iterator[tuple[str, Place, Mask]]:
    """Give every mask of every field."""
    for km in RADII_KM:
        yield from ((f"{km:g} km around the field", place, within_km(place, km)) for place in fields)
    for feet in ALTITUDES_FT:
        yield from ((f"below {feet:,.0f} ft", place, below_ft(feet)) for place in fields)


def history(
    tracks: Tracks,
    places: Sequence[Place],
    mask: Mask,
    classes: Classes,
    *,
    setting: StudyContext,
    until: datetime,
) -> dict[str, list[Visit]]:
    """Give the visits of each site that the service would have told by then of what the mask leaves, in every state."""
    left = {icao24: [fix for fix in track if not mask(fix)] for icao24, track in tracks.items()}
    recording = TrackRecording(left, places, classes, setting)
    told = [visit for icao24 in left for visit in live_visits(recording, icao24, places, classes, until)]
    return {place.id: [visit for visit in told if visit.site_id == place.id] for place in places}


def masked(
    by_aircraft: Tracks, fields: tuple[Place, ...], setting: StudyContext, *, first: Tracks | None = None
) -> MaskedResult:
    """Measure every field under every mask, and add it all up.

    With `first` each field knows the visits that the service would have told of these tracks under the same mask.
    """
    classes, cells = default_classes(), []
    for _, place, mask in masks(fields):
        known = history(first or {}, fields, mask, classes, setting=StudyContext(scope=SCOPE), until=HALF)
        whole = replace(setting, visits=known)
        cells.append(evaluate_place(by_aircraft, fields, place, mask, classes, setting=whole))
    return sum(cells[1:], cells[0])


def halves(by_aircraft: Tracks, fields: tuple[Place, ...]) -> Iterator[tuple[str, MaskedResult]]:
    """Measure what the constants were set on, what they were not set on, and that with the first half known."""
    cut = {icao24: [fix for fix in track if fix.at < HALF] for icao24, track in by_aircraft.items()}
    first = {icao24: track for icao24, track in cut.items() if track}
    second = StudyContext(scope=SCOPE, since=HALF)
    yield "first 90 minutes (constants set on it)", masked(first, fields, StudyContext(scope=SCOPE))
    yield "second 90 minutes", masked(by_aircraft, fields, second)
    yield "second 90 minutes, the first known", masked(by_aircraft, fields, second, first=first)
    listed = replace(second, claims=flight_list(by_aircraft, fields))
    yield "second 90 minutes, with flight lists", masked(by_aircraft, fields, listed)


def flight_list(by_aircraft: Tracks, fields: tuple[Place, ...]) -> tuple[FlightClaim, ...]:
    """Make the list that a provider gives of flights from and to the fields, each known half an hour after its event.

    It says nothing of a flight while it is judged: the claims name no time at which the aircraft was seen.
    """
    end = max(track[-1].at for track in by_aircraft.values()) + _LISTED_AFTER
    found = []
    for icao24, track in by_aircraft.items():
        for n, visit in enumerate(ours(track, fields, end)):
            code = visit.site_id.upper()
            if visit.arrived_at is not None:
                at = visit.arrived_at
                found.append(
                    FlightClaim(
                        "list",
                        f"{icao24}-{n}-in",
                        at + _LISTED_AFTER,
                        icao24,
                        actual_destination=code,
                        landed_at=at,
                    )
                )
            if visit.departed_at is not None:
                at = visit.departed_at
                found.append(
                    FlightClaim(
                        "list", f"{icao24}-{n}-out", at + _LISTED_AFTER, icao24, origin=code, took_off_at=at
                    )
                )
    return tuple(found)


def report() -> Iterator[str]:
    """Write docs/accuracy.md, line by line."""
    paris = measure()
    yield _INTRODUCTION.format(reports=f"{paris.reports:,}")
    yield ""
    yield from lines(paris)
    yield from (_REFUTED.format(evidence=told) for told in paris.evidence)
    yield from cadence_section()
    yield _MASKED.format(minutes=STUDY_TOLERANCE.total_seconds() / 60)
    yield ""
    yield "| taken away | field | heard coming | recall | precision | false visits of flights that passed | departures found | median error | attainable recall | attainable precision |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    by_aircraft, fields = tracks([fix for _, fixes in polls() for fix in fixes or ()]), places()
    for name, place, mask in masks(fields):
        cell = evaluate_place(
            by_aircraft, fields, place, mask, default_classes(), setting=StudyContext(scope=SCOPE)
        )
        error = f"{median(cell.errors_s):+.0f} s" if cell.errors_s else "–"
        best = " | ".join(map(str, attainable(by_aircraft, fields, place, mask, NEVER)))
        yield f"| {name} | {NAMES[place.id]} | {_figures(cell)} | {error} | {best} |"
    yield _HALVES
    yield ""
    yield "| part | heard coming | recall | precision | false visits of flights that passed | departures found |"
    yield "|---|---|---|---|---|---|"
    yield from (f"| {name} | {_figures(cell)} |" for name, cell in halves(by_aircraft, fields))
    unknown, known = ([each for km in FAR_KM for each in far(km, known=know)] for know in (False, True))
    yield _FAR.format(enough=LEAST_FLIGHTS, flights=FLIGHTS, worlds=WORLDS)
    yield ""
    yield from table(unknown)
    yield _KNOWN.format(before=BEFORE, ways=WAYS, learnt=LEARNT_FROM)
    yield ""
    yield from table(known)
    yield _READING.format(worlds=WORLDS)
    yield ""
    yield from by_confidence(unknown, known)
    yield _DECILES
    yield ""
    yield from by_probability(unknown, known)


def _figures(cell: MaskedResult) -> str:
    heard = f"{cell.audible.hits}/{cell.audible.of}"
    false = f"{cell.false_visits.hits}/{cell.false_visits.of}"
    left = f"{cell.departures.hits}/{cell.departures.of}"
    return f"{heard} | {cell.arrivals} | {cell.precision} | {false} | {left}"


def main() -> None:
    """Print the document."""
    print("\n".join(line.rstrip("\n") for line in report()))


if __name__ == "__main__":
    main()
