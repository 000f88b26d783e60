"""Real long flights with the surroundings of their fields taken away: the samples that come with the `traffic` package.

The flights are those that its authors found worth showing: maiden and last flights, calibrations, surveys, a Boeing's day.
They were recorded one by one, so that nothing is heard of others, and each lands at an airport of its own.
Nothing of them is kept here: `python -m pip install --no-deps traffic` brings them.

Run: python -m benchmarks.flights_real
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from db.records import Fix
from monitor.backfill.recorded_tracks import read_tracks
from monitor.flights.evaluation.calibration import ScoredOdds, calibrations
from monitor.flights.evaluation.landing_fields import landing_fields
from monitor.flights.evaluation.masking import KM_PER_NM, MaskedResult, evaluate_place, within_km
from monitor.flights.evaluation.recording import Tracks
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import Place, places_of, positions
from monitor.flights.tracks.classes import default_classes

MASK_KM = (40.0, 100.0)
_EVERY = timedelta(seconds=9)
_SINGLE = ("featured", "calibration", "readsb", "noisy", "military", "surveillance", "surveys", "ambulances")


@dataclass(frozen=True, slots=True)
class RealFlights:
    """What is found of one set of real flights under one mask."""

    mask_km: float
    found: MaskedResult
    fields: int
    aircraft: int


def samples() -> Path | None:
    """The folder of samples, where the package is installed; it is not imported."""
    spec = find_spec("traffic")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "data" / "samples"
    return folder if folder.is_dir() else None


def long_flights(folder: Path) -> dict[str, list[Fix]]:
    """Read every flight that was recorded by itself."""
    found: dict[str, list[Fix]] = defaultdict(list)
    for name in _SINGLE:
        if (folder / name).is_dir():
            for icao24, track in read_tracks(folder / name).tracks.items():
                found[icao24] += track
    return {icao24: _thinned(sorted(track, key=lambda fix: fix.at)) for icao24, track in found.items()}


def _thinned(track: Sequence[Fix]) -> list[Fix]:
    """Keep a report every ten seconds, as receivers are asked: many samples have one every second."""
    kept: list[Fix] = []
    for fix in track:
        if not kept or fix.at - kept[-1].at >= _EVERY:
            kept.append(fix)
    return kept


def measure_real(processes: int, folder: Path) -> list[RealFlights]:
    """Take away so much around each field at which the flights land, field by field, and read them again."""
    tracks = long_flights(folder)
    fields = places_of(landing_fields(tracks))
    with ProcessPoolExecutor(processes) as workers:
        found = []
        for km in MASK_KM:
            jobs = [
                workers.submit(partial(_masked, near, fields, place, km))
                for place in fields
                if (near := _near(tracks, place, km))
            ]
            results = [job.result() for job in jobs]
            found.append(RealFlights(km, sum(results[1:], results[0]), len(fields), len(tracks)))
    return found


def _masked(tracks: Tracks, fields: Sequence[Place], place: Place, km: float) -> MaskedResult:
    classes = default_classes()
    return evaluate_place(
        tracks,
        fields,
        place,
        within_km(place, km),
        classes,
        name=f"{km:g} km",
        truth=Truth(tracks, fields, classes),
        judge=True,
    )


def _near(tracks: Tracks, place: Place, km: float) -> Tracks:
    """Leave out the aircraft that never came near: nothing is taken from them."""
    margin_nm = km / KM_PER_NM
    return {
        icao24: track for icao24, track in tracks.items() if place.near(*positions(track), margin_nm).any()
    }


def scores(measured: Sequence[RealFlights]) -> list[ScoredOdds]:
    """Weigh what was said of each loss, all masks together."""
    return list(calibrations([loss for each in measured for loss in each.found.losses]))


def lines(measured: Sequence[RealFlights]) -> Iterator[str]:
    """Write the table."""
    yield "| taken away around the field | fields | aircraft | heard coming | arrivals found | told arrivals that are true | departures found | false visits of flights that passed |"
    yield "|---|---|---|---|---|---|---|---|"
    for each in measured:
        cell = each.found
        yield (
            f"| {each.mask_km:g} km | {each.fields} | {each.aircraft} | {cell.audible.hits}/{cell.audible.of} | {cell.arrivals} | {cell.precision} | {cell.departures} "
            f"| {cell.false_visits.hits}/{cell.false_visits.of} |"
        )


def main() -> None:
    """Print the table."""
    folder = samples()
    if folder is None:
        print("The flights come with the package “traffic”: python -m pip install --no-deps traffic")
        return
    for line in lines(measure_real(2, folder)):
        print(line)


if __name__ == "__main__":
    main()
