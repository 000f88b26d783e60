"""`sitewatch imagery`: what free satellite pictures can measure at a site, what was read, and reading now."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.words import numbered
from monitor.commands import JsonFlag, opened, print_json, print_table, say, say_data
from monitor.config.clock import utc_now
from monitor.errors import WorkFailed

if TYPE_CHECKING:
    from db.records import Observation
    from monitor.derive.measuring import SiteStudy
    from monitor.sites import Site

_PLOT_WIDTH, _PLOT_HEIGHT = 78, 12

imagery_app = typer.Typer(
    name="imagery",
    no_args_is_help=True,
    help="What free satellite pictures can measure at a site, and what was read of them.",
)


@imagery_app.command("study", short_help="Say what can be measured at a site, with its noise.")
def study(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    *,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Draw each measure into a PNG of its own in this folder."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure every clear look of a site that is kept, and say what each measure can do there.

    Each look is measured by those before it, as it would have been at the time. Squares, trains and ships of known size are
    drawn into the site's own looks to learn what it would show of them. What is learned decides which measures are judged;
    this command also builds all of it anew, for example when an area was drawn.
    """
    from monitor.derive.corroboration import corroborate
    from monitor.derive.measuring import SiteStudy, study_site
    from monitor.derive.radar_measuring import study_radar
    from monitor.imagery.study import admission_words

    with opened() as app:
        found = app.known_site(site)
        learned = study_site(app.engine, found, utc_now())
        corroborate(app.engine, [found], utc_now())
        radar = study_radar(app.engine, found, utc_now(), anew=True)
        attributions = app.attributions
    if not radar.looks and (learned is None or not learned.clear):
        raise WorkFailed(_nothing(found, learned))
    learned = learned or SiteStudy([], [], 0, 0)
    named = [attributions.get(each, each) for each in sorted({look.publisher for look in learned.looks})]
    if plot is not None:
        _draw(found, learned, plot)
    if as_json:
        print_json(
            {
                "site": found.id,
                "passes": learned.passes,
                "clear": learned.clear,
                "measures": learned.admissions,
                "radar": radar,
                "attribution": named,
            }
        )
        return
    say(
        f"{found.name}: {numbered(learned.passes, 'pass', 'passes')} read, {learned.clear} of them clear enough to measure."
    )
    for each in learned.admissions:
        say(f"- {admission_words(each)}")
    for procedure, looks in radar.looks.items():
        say(f"Radar: {numbered(looks, 'look')} of {procedure}.")
    for decided in radar.admissions:
        say(f"- {decided.words}")
    if sys.stdout.isatty():
        _plot_in_terminal(found, learned)
    say_data(named)


def _nothing(site: "Site", learned: "SiteStudy | None") -> str:
    read = (
        "no pass has been read yet"
        if learned is None
        else f"none of the {numbered(learned.passes, 'pass', 'passes')} read was clear"
    )
    return (
        f"{site.name}: not measurable here yet: {read}. A running service reads passes by itself; "
        "“sitewatch imagery read” reads some now, and “sitewatch imagery status” says how far it is."
    )


def _by_series(learned: "SiteStudy") -> "dict[tuple[str, str], list[Observation]]":
    series: dict[tuple[str, str], list[Observation]] = {}
    for look in learned.looks:
        if look.usable:
            series.setdefault((look.series.area, look.series.metric), []).append(look)
    return series


def _titled(site: "Site", area: str, metric: str) -> str:
    from alerts.metrics import metric_named

    return f"{site.name}{f', {area}' if area else ''}: {metric_named(metric).heading}"


def _plot_in_terminal(site: "Site", learned: "SiteStudy") -> None:
    from monitor.reports.plots import terminal_plot

    for (area, metric), looks in _by_series(learned).items():
        say(terminal_plot(looks, [], _titled(site, area, metric), _PLOT_WIDTH, _PLOT_HEIGHT))


def _draw(site: "Site", learned: "SiteStudy", folder: Path) -> None:
    from monitor.errors import InputError
    from monitor.reports.plots import picture_plot

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be made: {error.strerror}. Choose another one."
        ) from None
    for (area, metric), looks in _by_series(learned).items():
        path = folder / f"{'-'.join(filter(None, (site.id, area, metric)))}.png"
        picture_plot(
            path, looks, [], _titled(site, area, metric), data=sorted({look.publisher for look in looks})
        )


@imagery_app.command("read", short_help="Read and measure a few passes that are due.")
def read_now() -> None:
    """Read a few of the passes that are due, as a running service does by itself."""
    from monitor import pipeline

    with opened() as app:
        told = [(each.read, each.text) for each in pipeline.read_pixels(app, utc_now())]
        told += [(each.read, each.text) for each in pipeline.read_radar(app, utc_now())]
    if not told:
        say(
            "Nothing was read: no pass is due, or what may be read today is spent (“sitewatch imagery status”)."
        )
    for _, text in told:
        say(text)
    if told and not any(read for read, _ in told):
        raise WorkFailed("No pass could be read.")


@imagery_app.command("status", short_help="Say how far each site is read, and what reading costs.")
def status(*, as_json: JsonFlag = False) -> None:
    """Say of each site how many passes were read, how many were clear, which measures are judged, and what reading cost.

    Bytes of pictures count by the day, the units of a service that reckons radar numbers by the month.
    """
    from db.engine import reading
    from monitor.feeds.providers import known_providers
    from monitor.reports.pixels import pixel_status
    from monitor.reports.radar import radar_sentences

    now = utc_now()
    with opened() as app, reading(app.engine) as connection:
        sites = list(app.sites.values())
        known = pixel_status(connection, sites, app.settings.imagery_mb_a_day, now)
        radar = list(
            radar_sentences(
                connection, known_providers(app.settings), (app.statistics, app.burst_files), sites, now
            )
        )
    if as_json:
        print_json({**asdict(known), "radar": radar})
        return
    print_table(
        ("site", "passes read", "clear", "judged", "not measurable"),
        [
            (each.site_id, str(each.passes), str(each.clear), str(each.judged), str(each.refused))
            for each in known.sites
        ],
    )
    say(known.words)
    for line in radar:
        say(line)
