"""`sitewatch evaluate`: how well visits are found where reports are missing, tried on tracks that you have."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands import JsonFlag, print_json, print_table, say, say_data
from monitor.errors import InputError

if TYPE_CHECKING:
    from monitor.flights.evaluation.masking import Mask, MaskedResult
    from monitor.flights.places import Place


def evaluate_command(
    traces: Annotated[
        Path,
        typer.Argument(
            metavar="TRACES",
            help="A folder with trace_full_*.json, recorded answers (.ndjson), or a table (.csv).",
        ),
    ],
    *,
    mask_km: Annotated[
        list[float] | None,
        typer.Option(
            "--mask-km",
            metavar="KM",
            min=1,
            help="Take away all reports so near to each site; may be repeated.",
        ),
    ] = None,
    below_ft: Annotated[
        list[float] | None,
        typer.Option(
            "--below-ft", metavar="FT", help="Take away all reports below this altitude; may be repeated."
        ),
    ] = None,
    sites_file: Annotated[
        Path | None, typer.Option("--sites", metavar="FILE", help="Sites to land at.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take reports away from real tracks, read the visits again, and say how many were still found.

    The truth is what all reports together show. Below 200 flights a cell says "not measured". Nothing is stored.
    """
    from alerts.attribution import TIME_ZONES
    from monitor.backfill.recorded_tracks import read_tracks
    from monitor.bootstrap import address_test
    from monitor.config.settings import load_settings
    from monitor.flights.evaluation.masking import below_anywhere, evaluate_places, within_km
    from monitor.flights.places import places_of
    from monitor.flights.tracks.classes import default_classes
    from monitor.sites.load import load_sites

    if not mask_km and not below_ft:
        raise InputError("Say what to take away: --mask-km 100, or --below-ft 3000. Both may be repeated.")
    tracks, classes = read_tracks(traces), default_classes()
    watched = address_test(classes)
    sites = load_sites(sites_file or load_settings().sites_file, in_watched_class=watched).sites
    places = places_of(sites)
    data = [f"the tracks in {traces}, under the terms that they came with", TIME_ZONES]
    masks: dict[str, Callable[[Place], Mask]] = {
        f"{km:g} km around": partial(within_km, radius_km=km) for km in mask_km or ()
    }
    masks |= {f"below {feet:g} ft": partial(below_anywhere, altitude_ft=feet) for feet in below_ft or ()}
    cells = {name: evaluate_places(tracks, places, mask_of, classes) for name, mask_of in masks.items()}
    if as_json:
        print_json(
            {
                "tracks": len(tracks),
                "cells": {name: _figures(cell) for name, cell in cells.items()},
                "attribution": data,
            }
        )
        return
    print_table(
        ("taken away", "flights", "recall", "precision", "false visits per 1,000 through-flights"),
        ((name, str(cell.flights), *_words(cell)) for name, cell in cells.items()),
    )
    say(f"{len(tracks)} aircraft. 95 % intervals in brackets.")
    say_data(data)


def _words(cell: "MaskedResult") -> tuple[str, str, str]:
    if not cell.measured:
        return ("not measured",) * 3
    false = cell.false_visits
    low, high = (1000 * each for each in false.interval)
    rate = "no through-flight" if false.value is None else f"{1000 * false.value:.0f} ({low:.0f}–{high:.0f})"
    return str(cell.arrivals), str(cell.precision), rate


def _figures(cell: "MaskedResult") -> dict[str, Any]:
    return {
        "flights": cell.flights,
        "measured": cell.measured,
        **{
            name: {"hits": share.hits, "of": share.of, "interval": share.interval}
            for name, share in (
                ("arrivals", cell.arrivals),
                ("precision", cell.precision),
                ("departures", cell.departures),
                ("false_visits", cell.false_visits),
            )
        },
    }
