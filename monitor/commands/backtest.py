"""`sitewatch backtest`: what the rules would have said over the stored history, and how often they would be wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.commands import JsonFlag, opened, print_json, say
from monitor.commands.progress import progress_bar
from monitor.config.clock import utc_now
from monitor.errors import WorkFailed

if TYPE_CHECKING:
    from monitor.reports.backtest import Backtest


def backtest(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="As in railcars.")],
    *,
    subject: Annotated[
        str, typer.Option(metavar="SUBJECT", help="As in type:Tu-160; else the counts of all.")
    ] = "",
    area: Annotated[str, typer.Option(metavar="AREA", help="A named part of the site; else all of it.")] = "",
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Count looks from this day, month or time on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Count looks to the end of this day or month.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with start, end, label and real (yes or no) of what happened; see --episodes.",
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option(min=0, max=10_000, help="How many random looks get injected surges.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 1,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as Markdown too.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", "--png", metavar="FILE", help="Draw it too, as .svg or .png, with each episode."
        ),
    ] = None,
    episodes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every episode as CSV, to be labelled and read back with --events."
        ),
    ] = None,
    dated_only: Annotated[
        bool, typer.Option("--dated-only", help="Leave out what has no known date of publication.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Replay a series as it was knowable, and say how often the rules were right.

    Looks and skips by reason, alarms, each episode with its dates, the realised rate with its 95 % interval beside the
    promise, how well predictions fit, and how many injected surges are caught. An episode counts as false until somebody
    says that it was real: write them down with --episodes, fill in the column “real”, and read them back with --events. WHEN is a day (2023-10-05),
    a month (2023-10), today, yesterday, or a time with its zone; days and months are those of the site's own clock.
    """
    from monitor.commands.baseline import check_watched
    from monitor.reports.asked_times import TimeReader
    from monitor.reports.backtest import BacktestQuery, read_events, run_backtest
    from monitor.reports.backtest import markdown as report

    with opened() as app:
        found = app.known_site(site)
        watch = app.watches[found.id]
        check_watched(watch, metric)
        times = TimeReader(found.timezone, utc_now())
        question = BacktestQuery(
            metric=metric,
            subject=subject,
            area=area,
            since=times.since("--since", since),
            until=times.until("--until", until),
            events=read_events(events, found.timezone) if events else (),
            starts=starts,
            seed=seed,
            dated_only=dated_only,
            sources=app.sources,
        )
        with progress_bar("Replaying the history") as progress:
            tested = run_backtest(app.engine, watch, question, utc_now(), progress)
    text = report(tested)
    _write(tested, text, markdown, picture, episodes)
    if as_json:
        print_json(tested.document())
    else:
        say(text.rstrip())


def _write(
    tested: "Backtest", text: str, markdown: Path | None, picture: Path | None, episodes: Path | None
) -> None:
    from monitor.reports.backtest import episodes_csv
    from monitor.reports.plots import picture_plot

    try:
        if episodes is not None:
            episodes.write_text(episodes_csv(tested), encoding="utf-8")
        if markdown is not None:
            markdown.write_text(text, encoding="utf-8")
        if picture is not None:
            looks = [each.look for each in tested.judged if each.look.usable]
            picture_plot(
                picture,
                looks,
                tested.expected(),
                f"{tested.series.site_id}, {tested.series.metric}",
                tested.summary.episodes,
                data=tested.attribution,
            )
    except OSError as error:
        raise WorkFailed(f"{error.filename} cannot be written: {error.strerror}.") from None
