"""`sitewatch poll`: ask the feeds now."""

from typing import Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say, say_data
from monitor.commands.progress import progress_bar
from monitor.config.clock import utc_now
from monitor.errors import WorkFailed


def poll_command(
    provider: Annotated[
        str | None, typer.Argument(metavar="PROVIDER", help="Only this provider.", show_default=False)
    ] = None,
    *,
    site: Annotated[str | None, typer.Option(metavar="ID", help="Only this site.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Poll once, now, and judge what came.

    A running service goes on beside it. A provider that asked us to wait is not asked before its time.
    """
    from alerts.attribution import each_once
    from monitor import pipeline
    from monitor.config.secrets import visible

    with opened(fresh=True) as app:
        pipeline.note_sites(app, utc_now())
        with progress_bar("Asking the feeds") as progress:
            reports = pipeline.poll(app, utc_now(), provider, site, force=True, progress=progress)
        pipeline.derive(app, utc_now())
        pipeline.judge(app, utc_now())
        data = each_once(app.sources.heard(report.provider for report in reports))
    if as_json:
        print_json({"items": reports, "attribution": data})
    else:
        for report in reports:
            say(visible(report.text))
        say_data(data)
        if not reports:
            say("There was nothing to ask: no provider is switched on that covers these sites.")
    if reports and all(report.outcome in {"failed", "skipped"} for report in reports):
        raise WorkFailed(
            "No provider gave an answer. What was not observed is stored as such, never as a zero."
        )
