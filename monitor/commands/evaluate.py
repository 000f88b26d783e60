"""`sitewatch evaluate`: how well visits are found where reports are missing, tried on tracks that you have."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from monitor.commands import JsonFlag, print_json, print_table, say, say_data
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from monitor.backfill.recorded_tracks import Reading
    from monitor.flights.evaluation.calibration import ScoredOdds
    from monitor.flights.evaluation.masking import Mask
    from monitor.flights.evaluation.outcomes import Outcomes
    from monitor.flights.evaluation.recording import Tracks
    from monitor.flights.places import Place
    from monitor.sites import Site

_NAMED = 40
_LAST_WORDS = 600


def evaluate_command(
    tracks: Annotated[
        Path,
        typer.Argument(
            metavar="TRACKS",
            help="Traces, polls of the readsb family or tables, in a file or a folder; or what --json printed before.",
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
        Path | None,
        typer.Option("--sites", metavar="FILE", help="Sites to land at, and regions.", show_default=False),
    ] = None,
    airports: Annotated[
        bool,
        typer.Option(
            "--airports",
            help="Land at every known airport at which a track begins or ends, without a sites file.",
        ),
    ] = False,
    form: Annotated[
        Literal["traces", "polls", "table"] | None,
        typer.Option(
            "--format", help="What the files are, where they are not told apart rightly.", show_default=False
        ),
    ] = None,
    altitude_unit: Annotated[
        Literal["ft", "m", "km"] | None,
        typer.Option(
            "--altitude-unit",
            help="The unit of a table's altitudes.",
            show_default="as its title says, or ft",
        ),
    ] = None,
    speed_unit: Annotated[
        Literal["kt", "m/s", "km/h", "mph"] | None,
        typer.Option(
            "--speed-unit", help="The unit of a table's speeds.", show_default="as its title says, or kt"
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="OTHER",
            help="Compare with another version: what its --json printed, or the folder of its source, which is run on the same tracks.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Write the reliability diagram as a picture.", show_default=False
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take reports away from real tracks, read the visits again, and say how many were still found and how far the odds can be trusted.

    The truth is what all reports together show. Nothing is stored.
    """
    from alerts.attribution import TIME_ZONES
    from monitor.backfill.recorded_tracks import Reading
    from monitor.flights.evaluation.calibration import calibrations
    from monitor.flights.evaluation.comparing import compared
    from monitor.flights.evaluation.outcomes import document_of
    from monitor.reports.evaluation import (
        comparison_lines,
        comparison_record,
        diagrams,
        reliability_plot,
        scores_record,
    )

    run = _stored(tracks)
    if run is None and not mask_km and not below_ft:
        raise InputError("Say what to take away: --mask-km 100, or --below-ft 3000. Both may be repeated.")
    if run is not None and against is None and plot is None:
        raise InputError(
            f"{tracks} is what an earlier run found. Say with --against what to compare it with."
        )
    how = Reading(form, altitude_unit or "", speed_unit or "")
    read: tuple[str, ...] = ()
    if run is None:
        run, read = _measured(
            tracks, how, mask_km or (), below_ft or (), _places(sites_file, airports=airports)
        )
        options = [*_masks_told(mask_km or (), below_ft or ()), *_told(how, sites_file, airports=airports)]
        other = None if against is None else _other(against, [str(tracks.resolve()), *options])
    else:
        other = None if against is None else _other(against, None)
    data = [f"the tracks in {tracks}, under the terms that they came with", TIME_ZONES]
    found = list(calibrations(run.losses))
    comparison = None if other is None else compared(run, other)
    if plot is not None and found:
        reliability_plot(plot, diagrams(found), data=data)
    if as_json:
        more = {} if comparison is None else {"comparison": comparison_record(comparison)}
        print_json(
            document_of(run) | {"read": read, "scores": scores_record(found), "attribution": data} | more
        )
        return
    for line in read:
        say(line)
    _show(run, found)
    if comparison is not None and other is not None:
        say("")
        for line in comparison_lines(comparison, f"{run.version} ({tracks})", f"{other.version} ({against})"):
            say(line)
    if plot is not None:
        say(f"Drawn in {plot}." if found else "No loss of signal could be judged: nothing is drawn.")
    say_data(data)


def _show(run: "Outcomes", found: "Sequence[ScoredOdds]") -> None:
    from monitor.reports.evaluation import (
        FOUND_TITLES,
        diagram_lines,
        diagrams,
        found_rows,
        score_rows,
        score_titles,
    )

    print_table(FOUND_TITLES, found_rows(run))
    say("95 % intervals in brackets.")
    if not found:
        return
    say("")
    print_table(score_titles(found), score_rows(found))
    say(
        "Less is better of both scores; of “better than” more is. Aircraft are drawn again for the intervals. The rivals know what became of "
        f"every other aircraft. {run.unknown} more losses are left out: the tracks do not show what became of them."
    )
    for each in diagrams(found):
        say("")
        for line in diagram_lines(each):
            say(line)


def _measured(
    tracks: Path,
    how: "Reading",
    mask_km: Sequence[float],
    below_ft: Sequence[float],
    sites_of: "Callable[[Tracks], Sequence[Site]]",
) -> "tuple[Outcomes, tuple[str, ...]]":
    """Measure on tracks in files; gives also what was read, in sentences."""
    from monitor.backfill.recorded_tracks import read_tracks
    from monitor.flights.evaluation.masking import (
        below_anywhere,
        evaluate_places,
        outcomes_of_cells,
        within_km,
    )
    from monitor.flights.evaluation.recording import StudyContext
    from monitor.flights.evaluation.truth import Truth
    from monitor.flights.places import places_of, regions_of
    from monitor.flights.tracks.classes import default_classes

    recorded, classes = read_tracks(tracks, how), default_classes()
    sites = sites_of(recorded.tracks)
    places, setting = places_of(sites), StudyContext(regions=regions_of(sites))
    truth = Truth(recorded.tracks, places, classes)
    masks: dict[str, Callable[[Place], Mask]] = {
        f"{km:g} km around": partial(within_km, radius_km=km) for km in mask_km
    }
    masks |= {f"below {feet:g} ft": partial(below_anywhere, altitude_ft=feet) for feet in below_ft}
    cells = {
        name: evaluate_places(
            recorded.tracks, places, mask_of, classes, setting=setting, name=name, truth=truth, judge=True
        )
        for name, mask_of in masks.items()
    }
    where = f"Landed at: {', '.join(place.site.name for place in places)}." if len(places) <= _NAMED else ""
    return outcomes_of_cells(cells, version("sitewatch")), (*recorded.sentences(), *filter(None, [where]))


def _places(sites_file: Path | None, *, airports: bool) -> "Callable[[Tracks], Sequence[Site]]":
    """Give the way in which sites are found for tracks: in a file, or where the tracks land."""
    from monitor.bootstrap import address_test
    from monitor.config.settings import load_settings
    from monitor.flights.evaluation.landing_fields import landing_fields
    from monitor.flights.tracks.classes import default_classes
    from monitor.sites.load import load_sites

    if airports:
        if sites_file is not None:
            raise InputError("Give either --sites FILE or --airports, not both.")
        return landing_fields
    watched = address_test(default_classes())
    sites = load_sites(sites_file or load_settings().sites_file, in_watched_class=watched).sites
    return lambda _tracks: sites


def _stored(path: Path) -> "Outcomes | None":
    """Read what an earlier run printed with --json, if the file is such a document."""
    from monitor.flights.evaluation.outcomes import outcomes_of

    if not path.is_file() or path.suffix.lower() != ".json":
        return None
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return None
    if not isinstance(document, dict) or "cells" not in document:
        return None
    return outcomes_of(document, str(path))


def _other(against: Path, arguments: Sequence[str] | None) -> "Outcomes":
    """Give what another version finds: from what it printed, or by running its source on the same tracks."""
    from monitor.flights.evaluation.outcomes import outcomes_of

    if against.is_file():
        try:
            return outcomes_of(json.loads(against.read_bytes()), str(against))
        except ValueError:
            raise InputError(f"{against} cannot be read as JSON.") from None
    if not (against / "monitor" / "cli.py").is_file():
        raise InputError(
            f"{against} is neither what “sitewatch evaluate --json” printed nor the source of sitewatch. For an earlier version: "
            "git worktree add ../before COMMIT, and then --against ../before."
        )
    if arguments is None:
        raise InputError(
            "An earlier run can be compared with another one alone: give the tracks to run other source on them."
        )
    return outcomes_of(_run_source(against.resolve(), arguments), str(against))


def _run_source(folder: Path, arguments: Sequence[str]) -> Any:
    """Run `evaluate --json` of another source folder, in its own environment where it has one."""
    own = folder / ".venv" / "bin" / "python"
    python = str(own) if own.is_file() else sys.executable
    run = subprocess.run(  # noqa: S603 - the folder is the user's own choice
        [python, "-c", "from monitor.cli import main; main()", "evaluate", *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if run.returncode:
        last = run.stderr.decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        raise WorkFailed(f"The version in {folder} could not measure these tracks. It said: {last}")
    try:
        return json.loads(run.stdout)
    except ValueError:
        raise WorkFailed(f"The version in {folder} printed no JSON document.") from None


def _masks_told(mask_km: Sequence[float], below_ft: Sequence[float]) -> list[str]:
    masks = [("--mask-km", km) for km in mask_km] + [("--below-ft", feet) for feet in below_ft]
    return [text for option, number in masks for text in (option, f"{number:g}")]


def _told(how: "Reading", sites_file: Path | None, *, airports: bool) -> list[str]:
    """Give the options as another version is told them; only those that were given, as an earlier one has not all."""
    given = {
        "--sites": str(sites_file.resolve()) if sites_file else "",
        "--format": how.form or "",
        "--altitude-unit": how.altitude_unit,
        "--speed-unit": how.speed_unit,
    }
    options = [text for option, value in given.items() if value for text in (option, value)]
    return [*options, *(["--airports"] if airports else [])]
