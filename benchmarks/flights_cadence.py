"""Landings and take-offs found at the cadence that is really polled: the recording around Paris, thinned poll by poll.

Run: python -m benchmarks.flights_cadence
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.flights_accuracy import whole
from benchmarks.flights_events import events_of, flag_events
from benchmarks.flights_paris import DATA, NAMES, aligned, ours, places, polls, runways, tracks
from db.records import Fix
from monitor.flights.evaluation.scoring import (
    MATCH_TOLERANCE,
    FlightEvent,
    FlightEventKind,
    Score,
    Share,
    score,
)
from monitor.flights.places import Place, positions

_FOLLOWED = timedelta(minutes=30)
_SEED = 20211007
_NEAR_NM = 1.0
_KINDS: tuple[FlightEventKind, ...] = ("arrival", "departure")

_CADENCES = """
## At the cadence that is really polled

The same recording, of which only as many polls are kept as a service that asks less often would have made: the default provider is asked
every 60 s, and as several circles take turns 60 to 70 s pass; OpenSky without an account is asked every 300 s. The truth is alignment
with a runway in all reports together. An event counts as found within two minutes, at 300 s within five. The rival counts each flip of the
ground flag. In the last rows no report says that it is from the ground: its flag is dropped, and such reports have no altitude. Around
Charles-de-Gaulle nothing is heard below 50 to 300 ft. At 300 s a take-off that no ground report shows is mostly first heard after a turn, beyond
what can be told from a neighbouring field: that measure is not supported there, and `sitewatch status` says so.
"""
_HELD_BACK = """
The rules for slow feeds and for missing ground flags were written while looking at half of the aircraft, chosen by a hash of the
address. This is the other half, which nobody looked at before:
"""

Polls = Sequence[tuple[datetime, Sequence[Fix] | None]]


@dataclass(frozen=True, slots=True)
class Cadence:
    """How far polls are apart: never less than `every_s`, and up to `late_s` more by chance."""

    name: str
    every_s: float
    late_s: float = 0.0
    never_grounded: bool = False
    """Whether no report says that it is from the ground, as at a field that hears MLAT alone."""

    @property
    def tolerance(self) -> timedelta:
        """Within which time an event counts as found: two minutes, but no less than the polls are apart."""
        return max(MATCH_TOLERANCE, timedelta(seconds=self.every_s))


CADENCES = (
    Cadence("10 s, as recorded", 10),
    Cadence("30 s", 30),
    Cadence("60 s", 60),
    Cadence("60 to 70 s by chance", 60, 10),
    Cadence("90 s", 90),
    Cadence("300 s", 300),
    Cadence("10 s, no report says “ground”", 10, never_grounded=True),
    Cadence("60 to 70 s, no report says “ground”", 60, 10, never_grounded=True),
)


@dataclass(frozen=True, slots=True)
class CadenceRow:
    """One field at one cadence: landings and take-offs found, and what flips of the ground flag would have told."""

    cadence: Cadence
    site_id: str
    arrivals: Score
    departures: Score
    naive: Share


def measure_cadences(
    cadences: Sequence[Cadence] = CADENCES, data: Path = DATA, *, held_back: bool = False
) -> list[CadenceRow]:
    """Thin the recording to each cadence and score the landings and take-offs at each field.

    `held_back` takes only the half of the aircraft on which no constant was set (see `is_held_back`).
    """
    recording = [(at, _chosen(fixes, held_back=held_back)) for at, fixes in polls(data)]
    directions, fields = runways(data), places(data)
    every = tracks([fix for _, fixes in recording for fix in fixes or ()])
    truth = [event for track in every.values() for event in aligned(track, directions)]
    return [row for cadence in cadences for row in _rows(cadence, recording, truth, fields)]


def is_held_back(icao24: str) -> bool:
    """Whether an aircraft is of the half that was not looked at while the rules for slow feeds were written."""
    return int(hashlib.sha256(icao24.encode()).hexdigest(), 16) % 2 == 1


def thinned(recording: Polls, cadence: Cadence) -> Iterator[tuple[datetime, Sequence[Fix] | None]]:
    """Keep the polls that a service asking so often would have made."""
    random = Random(_SEED)
    due = recording[0][0]
    for at, fixes in recording:
        if at >= due:
            yield at, fixes
            # On from when it was due: the recording knows every tenth second alone, and would round each gap up.
            due += timedelta(seconds=cadence.every_s + cadence.late_s * random.random())


def _chosen(fixes: Sequence[Fix] | None, *, held_back: bool) -> Sequence[Fix] | None:
    if fixes is None or not held_back:
        return fixes
    return [fix for fix in fixes if is_held_back(fix.icao24)]


def _rows(
    cadence: Cadence, recording: Polls, truth: Sequence[FlightEvent], fields: Sequence[Place]
) -> Iterator[CadenceRow]:
    left = [fix for _, fixes in thinned(recording, cadence) for fix in fixes or ()]
    if cadence.never_grounded:
        # Such reports of the recording have no altitude either; nothing is put in its place.
        left = [replace(fix, on_ground=None) if fix.on_ground else fix for fix in left]
    heard = tracks(left)
    begin, end = recording[0][0], recording[-1][0]
    visits = [visit for track in heard.values() for visit in ours(track, fields, end + _FOLLOWED)]
    told = whole(events_of(visits), truth, begin, end)
    flips = [event for track in heard.values() for place in fields for event in _flips(track, place)]
    for place in fields:
        arrivals, departures = (
            score(_of(told, place, kind), _of(truth, place, kind), cadence.tolerance) for kind in _KINDS
        )
        naive = [
            score(_of(flips, place, kind), _of(truth, place, kind), cadence.tolerance) for kind in _KINDS
        ]
        hits, of = (sum(getattr(each.recall, name) for each in naive) for name in ("hits", "of"))
        yield CadenceRow(cadence, place.id, arrivals, departures, Share(hits, of))


def _of(events: Sequence[FlightEvent], place: Place, kind: FlightEventKind) -> list[FlightEvent]:
    return [event for event in events if event.site_id == place.id and event.kind == kind]


def _flips(track: Sequence[Fix], place: Place) -> list[FlightEvent]:
    return flag_events(track, place.id, list(place.near(*positions(track), _NEAR_NM)))


def cadence_lines(rows: Sequence[CadenceRow]) -> Iterator[str]:
    """Write the table."""
    yield "| reports every | field | arrivals: recall | precision | departures: recall | precision | median error | flips of the ground flag |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        errors = [
            abs((told.at - true.at).total_seconds())
            for result in (row.arrivals, row.departures)
            for true, told in result.matched
        ]
        error = f"{median(errors):.0f} s" if errors else "–"
        ends = " | ".join(f"{each.recall} | {each.precision}" for each in (row.arrivals, row.departures))
        yield f"| {row.cadence.name} | {NAMES[row.site_id]} | {ends} | {error} | {row.naive} |"


def cadence_section(workers: Executor) -> Iterator[str]:
    """Write the section of docs/accuracy.md, line by line; each cadence is measured by whichever worker is free."""
    jobs = {
        held_back: [
            workers.submit(partial(measure_cadences, (cadence,), held_back=held_back)) for cadence in CADENCES
        ]
        for held_back in (False, True)
    }
    yield _CADENCES
    yield ""
    yield from cadence_lines([row for job in jobs[False] for row in job.result()])
    yield _HELD_BACK
    yield ""
    yield from cadence_lines([row for job in jobs[True] for row in job.result()])


def main() -> None:
    """Print the section."""
    with ProcessPoolExecutor() as workers:
        print("\n".join(cadence_section(workers)))


if __name__ == "__main__":
    main()
