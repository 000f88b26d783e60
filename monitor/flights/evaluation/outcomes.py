"""What one run of a measurement found, case by case, as a document that another version's run can be compared with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from monitor.errors import InputError
from monitor.flights.evaluation.losses import JudgedLoss
from monitor.flights.evaluation.scoring import FlightEventKind, Share

FORMAT, FORMAT_VERSION = "sitewatch evaluation", 1

Side = Literal["true", "told"]


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """One arrival or departure after reports were taken away: a true one and whether it was found, or one told and whether it is true."""

    mask: str
    place: str
    icao24: str
    kind: FlightEventKind
    at: datetime
    side: Side
    matched: bool

    @property
    def key(self) -> tuple[str, str, str, FlightEventKind, datetime]:
        """What is the same true event in another run on the same tracks."""
        return self.mask, self.place, self.icao24, self.kind, self.at


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One run: every event and every judged loss, or of an older version the totals alone."""

    version: str
    events: tuple[EventOutcome, ...]
    losses: tuple[JudgedLoss, ...]
    totals: Mapping[str, Mapping[str, Share]]
    """For each mask the shares that were found; all that versions before this format tell."""
    unknown: int = 0
    """The losses besides of which the tracks do not show what became."""

    @property
    def is_case_by_case(self) -> bool:
        """Whether each flight can be compared with itself."""
        return bool(self.events or self.losses)


def document_of(outcomes: Outcomes) -> dict[str, Any]:
    """Write a run as one JSON document."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sitewatch": outcomes.version,
        "cells": {
            mask: {name: share_record(share) for name, share in shares.items()}
            for mask, shares in outcomes.totals.items()
        },
        "unknown_losses": outcomes.unknown,
        "events": [{**asdict(each), "at": each.at.isoformat()} for each in outcomes.events],
        "losses": [{**asdict(each), "lost_at": each.lost_at.isoformat()} for each in outcomes.losses],
    }


def share_record(share: Share) -> dict[str, Any]:
    """Write a share with its interval."""
    return {"hits": share.hits, "of": share.of, "interval": share.interval}


def outcomes_of(document: Any, where: str) -> Outcomes:
    """Read a run from a document, also of versions that tell totals alone; raises InputError that says what it lacks."""
    if not isinstance(document, dict) or not isinstance(document.get("cells"), dict):
        raise InputError(
            f"{where} is no document of “sitewatch evaluate --json”: it lacks “cells”. Make one with "
            "sitewatch evaluate TRACKS --mask-km 100 --json > FILE."
        )
    newest = document.get("format_version", FORMAT_VERSION)
    if newest != FORMAT_VERSION:
        raise InputError(
            f"{where} is of format version {newest}; this sitewatch reads {FORMAT_VERSION}. Use the newer of the two to compare."
        )
    try:
        return Outcomes(
            str(document.get("sitewatch", "an earlier version")),
            tuple(_events(document.get("events", ()))),
            tuple(_losses(document.get("losses", ()))),
            {str(mask): _shares(cell) for mask, cell in document["cells"].items()},
            int(document.get("unknown_losses", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{where} is a broken document of “sitewatch evaluate --json”.") from None


def _events(rows: Sequence[Mapping[str, Any]]) -> Iterator[EventOutcome]:
    for row in rows:
        yield EventOutcome(**{**row, "at": datetime.fromisoformat(row["at"])})


def _losses(rows: Sequence[Mapping[str, Any]]) -> Iterator[JudgedLoss]:
    for row in rows:
        yield JudgedLoss(**{**row, "lost_at": datetime.fromisoformat(row["lost_at"])})


def _shares(cell: Mapping[str, Any]) -> dict[str, Share]:
    return {
        name: Share(int(share["hits"]), int(share["of"]))
        for name, share in cell.items()
        if isinstance(share, dict) and {"hits", "of"} <= share.keys()
    }
