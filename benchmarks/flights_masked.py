"""The recording around Paris with reports taken away, field by field and mask by mask, in several processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Literal
from zoneinfo import ZoneInfo

import shapely

from benchmarks.flights_attainable import attainable
from benchmarks.flights_paris import SCOPE, places, polls, tracks
from db.records import Visit
from db.records.claims import FlightClaim
from monitor.flights.evaluation.losses import JudgedLoss, judged_losses
from monitor.flights.evaluation.masking import (
    Mask,
    MaskedResult,
    below_ft,
    evaluate_place,
    live_visits,
    within_km,
)
from monitor.flights.evaluation.recording import NEVER, StudyContext, TrackRecording
from monitor.flights.evaluation.rivals import told_beside
from monitor.flights.evaluation.scoring import Share
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import Place, place_of
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import aircraft_of
from monitor.sites import Site

RADII_KM = (10.0, 20.0, 40.0)
ALTITUDES_FT = (3_000.0, 5_000.0, 10_000.0)
HALF = datetime(2021, 10, 7, 13, 30, tzinfo=UTC)
"""The constants were set on what lies before."""
LISTED_AFTER = timedelta(minutes=30)
REGION_ID = "ile-de-france"

Part = Literal["whole", "first", "second", "second, first known", "second, flight lists"]
PARTS: dict[Part, str] = {
    "first": "first 90 minutes (constants set on it)",
    "second": "second 90 minutes",
    "second, first known": "second 90 minutes, the first known",
    "second, flight lists": "second 90 minutes, with flight lists",
}


@dataclass(frozen=True, slots=True)
class MaskOfField:
    """One field and what is taken away around it."""

    name: str
    place: Place
    mask: Mask


@dataclass(frozen=True, slots=True)
class Cell:
    """What is found of one field under one mask in the whole recording, and what a judge that knows the others finds."""

    of: MaskOfField
    found: MaskedResult
    listed: MaskedResult
    """The same with flight lists."""
    attainable: tuple[Share, Share]


def cells_of_fields() -> list[MaskOfField]:
    """Give every mask of every field."""
    fields = places()
    found = [
        MaskOfField(f"{km:g} km around the field", place, within_km(place, km))
        for km in RADII_KM
        for place in fields
    ]
    return found + [
        MaskOfField(f"below {feet:,.0f} ft", place, below_ft(feet))
        for feet in ALTITUDES_FT
        for place in fields
    ]


class MaskedParis:
    """Every figure of the masked recording, each computed once by whichever process is free."""

    def __init__(self, workers: ProcessPoolExecutor) -> None:
        numbers = range(len(cells_of_fields()))
        self._whole = [workers.submit(_whole, n) for n in numbers]
        self._parts = {part: [workers.submit(partial(_part, n, part)) for n in numbers] for part in PARTS}
        self._losses = {
            known: [workers.submit(partial(_losses, n, known=known)) for n in numbers]
            for known in (False, True)
        }

    def cells(self) -> Iterator[Cell]:
        """Give each field under each mask."""
        for of, job in zip(cells_of_fields(), self._whole, strict=True):
            yield Cell(of, *job.result())

    def parts(self) -> Iterator[tuple[str, MaskedResult]]:
        """Give the halves of the recording, all fields and masks together."""
        for part, words in PARTS.items():
            yield words, _sum(self._parts[part])

    def losses(self, *, known: bool) -> list[JudgedLoss]:
        """Give what was said of every loss of the second half, with or without the first half known."""
        return [loss for job in self._losses[known] for loss in job.result()]


def _sum(jobs: Sequence["Future[MaskedResult]"]) -> MaskedResult:
    results = [job.result() for job in jobs]
    return sum(results[1:], results[0])


@cache
def _truth() -> Truth:
    by_aircraft = tracks([fix for _, fixes in polls() for fix in fixes or ()])
    return Truth(by_aircraft, places(), default_classes())


@cache
def _first_half() -> Truth:
    cut = {icao24: [fix for fix in track if fix.at < HALF] for icao24, track in _truth().tracks.items()}
    return Truth({icao24: track for icao24, track in cut.items() if track}, places(), default_classes())


def _whole(number: int) -> tuple[MaskedResult, MaskedResult, tuple[Share, Share]]:
    of, truth = cells_of_fields()[number], _truth()
    found, listed = (
        _found(of, truth, StudyContext(scope=SCOPE, claims=claims)) for claims in ((), _flight_list())
    )
    return found, listed, attainable(truth, of.place, of.mask, NEVER)


def _part(number: int, part: Part) -> MaskedResult:
    of = cells_of_fields()[number]
    if part == "first":
        return _found(of, _first_half(), StudyContext(scope=SCOPE))
    settings: dict[Part, Callable[[], StudyContext]] = {
        "second": StudyContext,
        "second, first known": lambda: StudyContext(visits=_history(of)),
        "second, flight lists": lambda: StudyContext(claims=_flight_list()),
    }
    return _found(of, _truth(), replace(settings[part](), scope=SCOPE, since=HALF))


def _found(of: MaskOfField, truth: Truth, setting: StudyContext) -> MaskedResult:
    return evaluate_place(
        truth.tracks,
        truth.places,
        of.place,
        of.mask,
        truth.classes,
        setting=setting,
        name=of.name,
        truth=truth,
    )


def _losses(number: int, *, known: bool) -> list[JudgedLoss]:
    """Judge the losses of the second half, with the ground around the fields declared a region."""
    of, region = cells_of_fields()[number], _region()
    whole = _truth()
    truth = Truth(
        whole.tracks, tuple(replace(place, region=region.id) for place in whole.places), whole.classes
    )
    setting = StudyContext(scope=SCOPE, since=HALF, regions=(region,), visits=_history(of) if known else {})
    left = {icao24: [fix for fix in track if not of.mask(fix)] for icao24, track in truth.tracks.items()}
    recording = TrackRecording(left, truth.places, truth.classes, setting)
    opened, _ = judged_losses(truth, left, recording, mask=of.name, darkened=of.place.id)
    return told_beside(opened, truth.places)


@cache
def _region() -> Place:
    fields = places()
    west, east = (side(place.lon for place in fields) for side in (min, max))
    south, north = (side(place.lat for place in fields) for side in (min, max))
    outline = shapely.box(west - 0.5, south - 0.3, east + 0.5, north + 0.3)
    return place_of(Site(REGION_ID, "Île-de-France", "region", outline, ZoneInfo("Europe/Paris")))


def _history(of: MaskOfField) -> dict[str, list[Visit]]:
    """Give the visits of each site that the service would have told by half time of what the mask leaves, in every state."""
    truth = _first_half()
    left = {icao24: [fix for fix in track if not of.mask(fix)] for icao24, track in truth.tracks.items()}
    recording = TrackRecording(left, truth.places, truth.classes, StudyContext(scope=SCOPE))
    told = [
        visit
        for icao24 in left
        for visit in live_visits(recording, icao24, truth.places, truth.classes, HALF)
    ]
    return {place.id: [visit for visit in told if visit.site_id == place.id] for place in truth.places}


@cache
def _flight_list() -> tuple[FlightClaim, ...]:
    """Make the list that a provider gives of flights from and to the fields, each known half an hour after its event.

    It names callsign and type, and says nothing of a flight while it is judged: the claims name no time at which the
    aircraft was seen.
    """
    truth, found = _truth(), []
    for icao24 in truth.tracks:
        aircraft = aircraft_of(list(reversed(truth.tracks[icao24])))
        who = {"callsign": aircraft.callsign, "type_code": aircraft.type_code}
        for n, visit in enumerate(truth.visits(icao24)):
            code = visit.site_id.upper()
            if (at := visit.arrived_at) is not None:
                found.append(
                    FlightClaim(
                        "list",
                        f"{icao24}-{n}-in",
                        at + LISTED_AFTER,
                        icao24,
                        actual_destination=code,
                        landed_at=at,
                        **who,
                    )
                )
            if (at := visit.departed_at) is not None:
                found.append(
                    FlightClaim(
                        "list",
                        f"{icao24}-{n}-out",
                        at + LISTED_AFTER,
                        icao24,
                        origin=code,
                        took_off_at=at,
                        **who,
                    )
                )
    return tuple(found)
