"""Flights to places far from all coverage, made up with their truth: what is told of each kind, and how surely."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from benchmarks.flights_synthetic import LABELS, Flight, Label, World, flights, world_of
from db.records import Visit
from monitor.flights.evaluation.masking import FOUND_STATES, KM_PER_NM, live_visits
from monitor.flights.evaluation.recording import StudyContext, TrackRecording
from monitor.flights.evaluation.scoring import Share
from monitor.flights.places import place_of
from monitor.flights.tracks.classes import default_classes
from tests.kit.cast import QUIET_FIELD

FAR_KM = (100.0, 200.0, 300.0, 500.0, 700.0)
WORLDS, EACH = 20, 20
FLIGHTS = WORLDS * EACH
SEED = 20270101
"""Not among the seeds on which the rule was tuned (below 1,000)."""
WAYS, LEARNT_FROM, BEFORE = 4, 30, 5
LONG_BEFORE = timedelta(days=60)
"""So long before the flights that are judged the earlier ones begin; a stay lasts ten days at most."""
GRADES = ("confirmed (4)", "confirmed (3)", "presumed (2)")


@dataclass(frozen=True, slots=True)
class Told:
    """One made-up flight, which one of its kind it was, and what was told of it: nothing, a visit, or one to the region alone."""

    dark_km: float
    known: bool
    label: Label
    number: int
    grade: str
    """State and confidence of the visit to the place, if one is told."""
    region_grade: str
    """The same of one of which only the region is told."""
    probability: float
    """How likely the place was told to be."""
    region_probability: float

    @property
    def in_region(self) -> bool:
        """Whether it landed in the region."""
        return self.label in {"visit", "elsewhere"}


def far(dark_km: float, worlds: int = WORLDS, each: int = EACH, *, known: bool = False) -> Iterator[Told]:
    """Read the made-up flights of several worlds: each has its own other airports, and so many flights of each kind.

    With `known` flights come and go on four ways, there were visits of this kind before, and corridors are learnt from them.
    """
    for n in range(worlds):
        yield from _world(n, dark_km=dark_km, each=each, known=known)


def every_far(processes: int) -> list[Told]:
    """Read all worlds of all radii, with and without a history, in so many processes."""
    with ProcessPoolExecutor(processes) as workers:
        jobs = [
            workers.submit(partial(_whole_world, n, dark_km=km, known=known))
            for known in (False, True)
            for km in FAR_KM
            for n in range(WORLDS)
        ]
        return [told for job in jobs for told in job.result()]


def _whole_world(n: int, *, dark_km: float, known: bool) -> list[Told]:
    return list(_world(n, dark_km=dark_km, each=EACH, known=known))


def _world(n: int, *, dark_km: float, each: int, known: bool) -> Iterator[Told]:
    seed = SEED + n
    of: Counter[Label] = Counter()
    world = world_of(place_of(QUIET_FIELD), dark_km / KM_PER_NM, seed, ways=WAYS if known else 0)
    earlier = _learnt(world, seed) if known else []
    for flight in flights(world, each, seed):
        found = _read(flight, world, [*earlier, *(_own(flight, world) if known else ())])
        at_place = next((visit for visit in found if visit.site_id == world.place.id), None)
        in_region = next((visit for visit in found if visit.site_id == world.region.id), None)
        yield Told(
            dark_km,
            known,
            flight.label,
            n * each + of[flight.label],
            "" if at_place is None else _grade(at_place),
            "" if in_region is None else _grade(in_region),
            0.0 if at_place is None else float(at_place.candidates["probability"]),
            0.0 if in_region is None else float(in_region.candidates["probability"]),
        )
        of[flight.label] += 1


def table(told: Sequence[Told]) -> Iterator[str]:
    """Write a table, a row for each radius."""
    yield "| dark radius | " + " | ".join(f"{words} (synthetic)" for words in LABELS.values()) + " |"
    yield "|---|" + "---|" * len(LABELS)
    for km in FAR_KM:
        cells = [_cell(label, [each for each in told if each.dark_km == km]) for label in LABELS]
        yield f"| {km:g} km | " + " | ".join(cells) + " |"


def _learnt(world: World, seed: int) -> list[Visit]:
    """Read earlier visits of others, one a day, all over before the first flight that is judged: gates are learnt from them."""
    seen: list[Visit] = []
    landings = (
        flight for flight in flights(world, LEARNT_FROM, 2 * seed) if flight.label == "visit" and flight.fixes
    )
    for day, flight in enumerate(landings):
        before = LONG_BEFORE - timedelta(days=day)
        fixes = [
            replace(fix, at=fix.at - before, received_at=fix.received_at - before) for fix in flight.fixes
        ]
        earlier = replace(flight, fixes=tuple(fixes))
        seen += _read(earlier, world, _own(earlier, world))
    return seen


def _own(flight: Flight, world: World) -> list[Visit]:
    """Make the earlier visits of one aircraft itself, which were heard: they tell of no gate."""
    first = flight.fixes[0]
    days = [first.at - timedelta(days=n + 1) for n in range(BEFORE)]
    return [
        Visit(
            visit_id=f"{first.icao24}-{n}",
            version=1,
            site_id=world.place.id,
            icao24=first.icao24,
            state="departed",
            confidence=4,
            arrived_at=day,
            departed_at=day + timedelta(hours=1),
            first_fix_at=day,
            last_fix_at=day + timedelta(hours=1),
            recorded_at=day + timedelta(hours=1),
            subjects=(f"icao24:{first.icao24}",),
        )
        for n, day in enumerate(days)
    ]


def _read(flight: Flight, world: World, earlier: Sequence[Visit]) -> list[Visit]:
    """Read what the service would tell of one flight, beside the earlier visits of the place."""
    if not flight.fixes:
        return []
    places, classes, icao24 = (
        [replace(world.place, region=world.region.id)],
        default_classes(),
        flight.fixes[0].icao24,
    )
    setting = StudyContext(
        visits={
            site_id: [visit for visit in earlier if visit.site_id == site_id]
            for site_id in (world.place.id, world.region.id)
        },
        airports=lambda _end, _places: world.others,
        regions=(world.region,),
    )
    recording = TrackRecording({icao24: flight.fixes}, places, classes, setting)
    return [
        visit
        for visit in live_visits(recording, icao24, places, classes, _after(flight))
        if visit.state in FOUND_STATES
    ]


def _after(flight: Flight) -> datetime:
    return flight.fixes[-1].at + timedelta(minutes=10)


def _grade(visit: Visit) -> str:
    return f"{visit.state} ({visit.confidence})"


def _cell(label: Label, told: Sequence[Told]) -> str:
    of = [each for each in told if each.label == label]
    place = Share(sum(bool(each.grade) for each in of), len(of))
    region = Share(sum(bool(each.region_grade) for each in of), len(of))
    graded = Counter(each.grade for each in of if each.grade)
    thousandths = "; ".join(
        f"{grade}: {_thousand(graded[grade], len(of))}" for grade in GRADES if graded[grade]
    )
    parts = f"; of 1,000 {thousandths}" if thousandths else ""
    only_region = f"; only the region told {_rate(region)}" if region.hits else ""
    if label == "visit":
        return f"place found {place}{parts}{only_region}"
    right = " (right)" if label == "elsewhere" and region.hits else " (false)" if region.hits else ""
    return f"{_rate(place)} false per 1,000{parts}{only_region}{right}"


def _rate(share: Share) -> str:
    low, high = (1000 * each for each in share.interval)
    return f"{1000 * (share.value or 0):.0f} ({low:.0f}–{high:.0f})"


def _thousand(number: int, of: int) -> str:
    return f"{1000 * number / max(1, of):.0f}"
