"""How well visits are found where coverage is missing: the whole of docs/accuracy.md.

Run: python -m benchmarks.flights_coverage > docs/accuracy.md
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from statistics import median

from benchmarks.flights_accuracy import lines, measure
from benchmarks.flights_paris import NAMES, places, polls, tracks
from db.records import Visit
from monitor.flights.classes import default_classes
from monitor.flights.dark import Outlook
from monitor.flights.evaluation import (
    ENOUGH,
    KM_PER_NM,
    Cell,
    Mask,
    Tracks,
    below_ft,
    evaluate,
    live,
    within_km,
)
from monitor.flights.matching import Place, place_of
from monitor.flights.scoring import Share
from monitor.flights.synthetic import LABELS, Label, flights
from tests.cast import QUIET_FIELD

RADII_KM = (10.0, 20.0, 40.0)
ALTITUDES_FT = (3_000.0, 5_000.0, 10_000.0)
FAR_KM = (100.0, 200.0, 300.0, 500.0, 700.0)
FLIGHTS = 400
SEED = 20231005
_NOBODY = Outlook(
    {}, {}, lambda _place, _at: False, lambda gap, until: (until - gap.lost.fix.at).total_seconds()
)

_INTRODUCTION = """# Accuracy

Written by `python -m benchmarks.flights_coverage > docs/accuracy.md`; nothing here is typed by hand. Intervals are 95 % (Wilson).
`sitewatch evaluate TRACES --mask-km 100` measures the same on tracks that you have.

## Where the feeds hear the ground

{reports} real reports of three hours around Paris (7 October 2021), within two minutes of the truth. Orly has labels; one is refuted
by the reports themselves (the aircraft does not move). At the other fields the truth is alignment with a runway, computed
from the runways' published ends by code that shares nothing with what it checks.
"""
_MASKED = """
## The same recording with reports taken away

One field after the other is darkened: every report within so many kilometres of its middle is deleted, or every report below an
altitude. The truth is what all reports together show. An arrival counts as found within {minutes:.0f} minutes. Few aircraft come back
within the three hours, so most of what is found is `presumed`; a departure alone needs a gate, and there is none to learn here.
The three fields lie 10 to 35 km from each other: a mask around one darkens the ways to the others, and the
commonest error is the neighbour.
"""
_FAR = """
## Far from all coverage

No real flight to a dark airport was ever recorded with its truth: at these distances real flights are **not measured** (0 of the {enough}
that a cell needs). The table is of **synthetic** flights, {flights} of each kind for each radius, made by `monitor/flights/synthetic.py`: heard
outside a circle around one dark field and silent inside. It shows what the rule does, not how often the world does it. No earlier
visits and no gates are known; both would raise the share found at 700 km.
"""
_READING = """
What it says: a flight that passes without landing is told apart. An aircraft that lands at another dark airport near by, or
that circles in the dark for hours and comes out as it went in, is told as a visit, at short range more often than not: the signal
alone cannot tell them apart. The alternatives stand in each visit's candidates, and imagery must decide.
"""


def masked(by_aircraft: Tracks, fields: tuple[Place, ...]) -> Iterator[tuple[str, str, Cell]]:
    """Measure every field under every mask."""
    masks: list[tuple[str, Mask | float]] = [(f"{km:g} km around the field", km) for km in RADII_KM]
    masks += [(f"below {feet:,.0f} ft", below_ft(feet)) for feet in ALTITUDES_FT]
    classes = default_classes()
    for name, how in masks:
        for place in fields:
            mask = within_km(place, how) if isinstance(how, float) else how
            yield name, NAMES[place.id], evaluate(by_aircraft, fields, place, mask, classes)


def far(dark_km: float, number: int = FLIGHTS) -> dict[Label, tuple[Share, Counter[int]]]:
    """Give how many of each kind of synthetic flight are told as a visit, and with which confidence."""
    place, classes = place_of(QUIET_FIELD), default_classes()
    told: dict[Label, Counter[int]] = {label: Counter() for label in LABELS}
    of: Counter[Label] = Counter()
    for flight in flights(place, dark_km / KM_PER_NM, number, SEED):
        end = flight.fixes[-1].at + timedelta(minutes=10)
        visits: list[Visit] = live(flight.fixes, [place], classes, end, _NOBODY)
        of[flight.label] += 1
        told[flight.label].update(visit.confidence for visit in visits[:1])
    return {label: (Share(told[label].total(), of[label]), told[label]) for label in LABELS}


def report() -> Iterator[str]:
    """Write docs/accuracy.md, line by line."""
    paris = measure()
    yield _INTRODUCTION.format(reports=f"{paris.reports:,}")
    yield from lines(paris)
    yield _MASKED.format(minutes=15)
    yield ""
    yield "| taken away | field | recall | precision | false visits of flights that passed | median error |"
    yield "|---|---|---|---|---|---|"
    by_aircraft = tracks([fix for _, fixes in polls() for fix in fixes or ()])
    for name, field, cell in masked(by_aircraft, places()):
        error = f"{median(cell.errors_s):+.0f} s" if cell.errors_s else "–"
        false = f"{cell.false_visits.hits}/{cell.false_visits.of}"
        yield f"| {name} | {field} | {cell.arrivals} | {cell.precision} | {false} | {error} |"
    yield _FAR.format(enough=ENOUGH, flights=FLIGHTS)
    yield (
        "| dark radius | real flights | "
        + " | ".join(f"{words} (synthetic)" for words in LABELS.values())
        + " |"
    )
    yield "|---|---|" + "---|" * len(LABELS)
    for km in FAR_KM:
        found = far(km)
        cells = [_told(label, share) for label, (share, _) in found.items()]
        yield f"| {km:g} km | not measured | " + " | ".join(cells) + " |"
    yield _READING


def _told(label: Label, share: Share) -> str:
    if label == "visit":
        return f"found: {share}"
    low, high = (1000 * each for each in share.interval)
    return f"{1000 * (share.value or 0):.0f} false visits per 1,000 ({low:.0f}–{high:.0f})"


def main() -> None:
    """Print the document."""
    print("\n".join(line.rstrip("\n") for line in report()))


if __name__ == "__main__":
    main()
