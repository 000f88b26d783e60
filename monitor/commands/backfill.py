"""`sitewatch backfill`: load history from an archive of flight tracks."""

from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say, say_data
from monitor.commands.progress import progress_bar
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from monitor.backfill.load import DayReport, PartReaders

_DAY = ["%Y-%m-%d"]


def backfill(
    provider: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="The archive, such as adsb.lol-archive.")
    ],
    *,
    first: Annotated[
        datetime, typer.Option("--from", metavar="DAY", formats=_DAY, help="The first day (UTC).")
    ],
    last: Annotated[datetime, typer.Option("--to", metavar="DAY", formats=_DAY, help="The last day (UTC).")],
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the archive lies; else the archive's option folder.",
            show_default=False,
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Read on this Dask cluster; local: one process a core.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Load archived days of flight tracks: visits and counts as if sitewatch had watched then.

    After a kill the same command goes on where it was; a day that was loaded is left alone. docs/backfill.md
    says where archives come from.
    """
    from alerts.attribution import each_once
    from monitor import pipeline
    from monitor.backfill.load import Backfill, days_between
    from monitor.feeds.providers import configured_archives

    if last < first:
        raise InputError(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}.")
    with opened(fresh=True) as app, _readers(dask) as readers:
        archives = {each.name: each for each in configured_archives(app.settings)}
        if provider not in archives:
            raise InputError(f"There is no archive {provider!r}. There are: {', '.join(sorted(archives))}.")
        root = folder or Path(archives[provider].options["folder"])
        loading = Backfill(app.engine, provider, root, tuple(app.sites.values()), app.classes, readers)
        pipeline.note_sites(app, utc_now())
        with progress_bar(f"Loading {provider}") as progress:
            reports = loading.load(days_between(first.date(), last.date()), utc_now(), progress)
        pipeline.judge(app, utc_now())
        data = each_once(app.sources.heard([provider]))
    if as_json:
        print_json({"items": [asdict(report) for report in reports], "attribution": data})
    else:
        for report in reports:
            say(_said(report))
        say_data(data)
    if damaged := [report.day for report in reports if report.is_damaged]:
        raise WorkFailed(
            f"Too much could not be read of {', '.join(damaged)}. What could be is counted, and the rest counts as not "
            "watched. Mend the archive (download it again) and run the same command: these days are read again."
        )


def _said(report: "DayReport") -> str:
    if report.is_damaged:
        what = f"only {report.read_share:.0%} could be read"
    else:
        what = "loaded" if report.loaded else "was loaded before"
    lost = [
        f"{report.broken_files:,} of {report.files:,} files are broken" if report.broken_files else "",
        f"{report.missing_folders} of 256 folders are missing" if report.missing_folders else "",
    ]
    counted = f"{report.aircraft:,} aircraft read, {report.fixes:,} reports kept"
    return f"{report.day}: {'; '.join(part for part in (what, *lost, counted) if part)}."


def _readers(address: str | None) -> "AbstractContextManager[PartReaders]":
    from monitor.backfill.load import read_here

    if address is None:
        return nullcontext(read_here)
    try:
        from monitor.backfill.cluster import cluster_readers
    except ImportError:
        raise WorkFailed(
            "--dask needs the package distributed, which is not installed. Install it with: .venv/bin/pip install distributed."
        ) from None
    return cluster_readers(address)
