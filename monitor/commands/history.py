"""`sitewatch history`: what was counted at a site, with exposure and evidence."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.commands import JsonFlag, instant_words, opened, print_json, print_table, say, say_data
from monitor.commands.asking import (
    ClassOption,
    OperatorOption,
    RegionOption,
    TypeOption,
    option_name,
    write_table,
)
from monitor.config.clock import utc_now
from monitor.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from alerts.attribution import Attributions
    from db.records import Precision
    from monitor.reports.history import HistoryQuery, SiteHistory
    from monitor.sites import Site

_SENTENCE_COLUMNS = 79
_Period = Literal["day", "week", "month", "year"]
Format = Literal["table", "csv", "json", "geojson", "parquet", "xlsx"]


def history(
    site: Annotated[
        str | None, typer.Argument(metavar="[SITE]", help="The site's id; else all.", show_default=False)
    ] = None,
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="As in railcars; else all.", show_default=False)
    ] = None,
    *,
    of_metric: Annotated[
        str | None, typer.Option("--metric", metavar="METRIC", help="The same, where no site is named.")
    ] = None,
    region: RegionOption = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="SUBJECT", help="As in type:Tu-160; empty text for the counts of all."),
    ] = None,
    aircraft_type: TypeOption = None,
    operator: OperatorOption = None,
    aircraft_class: ClassOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From this day, month or time on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="To the end of this day or month.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only what was knowable by the end of this day.")
    ] = None,
    as_recorded: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only what this database knew by the end of this day."),
    ] = None,
    dated_only: Annotated[
        bool, typer.Option("--dated-only", help="Leave out what has no known date of publication.")
    ] = False,
    by: Annotated[
        _Period | None,
        typer.Option(metavar="PERIOD", help="Add up by day, week, month or year."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
    as_json: JsonFlag = False,
) -> None:
    """Show what was counted at a site or at all, how it was seen and who says so.

    WHEN is a day (2023-10-05), a month (2023-10), today, yesterday, or a time with its zone (2023-10-05T01:24Z).
    Days and months are those of each site's own clock, and are meant whole.
    With --by flows are summed, of stocks the highest is taken, and it is said how much of each period was watched.
    """
    from db.engine import reading
    from monitor.reports.asked import LookWords, World
    from monitor.reports.history import read_histories, read_history

    if as_json and form not in {"table", "json"}:
        raise InputError(f"--json and --format {form} cannot both be meant. Leave one out.")
    asked_metric = _one_metric(site, metric, of_metric)
    words = LookWords(
        site=site,
        region=region,
        metric=asked_metric,
        subject=subject,
        aircraft_type=aircraft_type,
        operator=operator,
        aircraft_class=aircraft_class,
        since=since,
        until=until,
        as_of=as_of,
        as_recorded=as_recorded,
    )
    now = utc_now()
    with opened() as app:
        if site is not None:
            app.known_site(site)
        world = World(app.sites, app.classes.labels, now, option_name)
        asked = words.filter(world)

        def ask(of: "Site") -> "HistoryQuery":
            return words.history(world, of, dated_only=dated_only)

        wanted = [each for each in app.sites.values() if asked.site_ids is None or each.id in asked.site_ids]
        with reading(app.engine) as connection:
            known = (
                [read_history(connection, wanted[0], ask(wanted[0]))]
                if site is not None
                else read_histories(connection, wanted, asked_metric, ask)
            )
        sources = app.sources
    chosen: Format = "json" if as_json else form
    if by is not None:
        _print_totals(known, by, now, sources, chosen)
    else:
        _print(known, chosen, sources.providers, whole=site is None)


def _one_metric(site: str | None, metric: str | None, of_metric: str | None) -> str | None:
    from alerts.metrics import METRICS, NOTE_METRIC
    from monitor.sites.faults import did_you_mean

    if metric is not None and of_metric is not None and metric != of_metric:
        raise InputError(f"{metric} and --metric {of_metric} cannot both be meant. Leave one out.")
    found = of_metric if metric is None else metric
    if found is not None and found not in METRICS and found != NOTE_METRIC:
        raise InputError(f"{found!r} is not a metric. {did_you_mean(found, [*METRICS, NOTE_METRIC])}")
    if site in METRICS:
        raise InputError(f"{site} is a metric, and the site stands first. Of all sites: --metric {site}")
    return found


def _print(
    known: "Sequence[SiteHistory]", form: Format, attributions: Mapping[str, str], *, whole: bool
) -> None:
    from alerts.attribution import TIME_ZONES, each_once
    from monitor.reports.tables import history_attributions, history_document, history_table

    if form == "json":
        documents = [history_document(each, attributions) for each in known]
        data = each_once(said for each in documents for said in each["attribution"])
        print_json({"sites": documents, "attribution": data} if whole else documents[0])
    elif form == "table":
        for number, each in enumerate(known):
            if number:
                say("")
            _print_tables(each)
        if not known:
            say(
                "Nothing of that is on record at any site. That is not zero: nobody counted, or nobody told. "
                "“sitewatch observations import FILE” brings counts in."
            )
        said = (said for each in known for said in history_attributions(each, attributions))
        say_data([*each_once(said), TIME_ZONES])
    else:
        write_table(history_table(known, attributions), form)


def _print_totals(
    known: "Sequence[SiteHistory]", by: "_Period", now: "datetime", sources: "Attributions", form: Format
) -> None:
    from alerts.attribution import TIME_ZONES
    from monitor.reports.period_totals import (
        remarks,
        site_totals,
        total_words,
        totals_table,
        watched_words,
    )

    found = [site_totals(each, by, now, sources) for each in known]
    table = totals_table(found)
    if form == "json":
        print_json({"by": by, "items": table.rows, "remarks": remarks(found), "attribution": table.sources})
        return
    if form != "table":
        write_table(table, form)
        return
    if not table.rows:
        say("No counts of that are on record. That is not zero: nobody counted, or nobody told.")
        return
    print_table(
        ("site", "what", by, "count", "watched", "looks", "procedure"),
        (
            (
                each.site.name,
                _what(period.series.metric, period.series.subject, period.series.area),
                period.label,
                total_words(period),
                watched_words(period),
                f"{period.counted} of {period.looks}",
                period.series.procedure,
            )
            for each in found
            for period in each.counts.periods
        ),
    )
    for remark in remarks(found):
        say(remark)
    say("A dash is no count: nobody watched then. It is not zero.")
    say_data([*table.sources, TIME_ZONES])


def _print_tables(known: "SiteHistory") -> None:
    from alerts.words import undated_words

    if known.empty:
        say(_nothing(known))
        return
    say(f"{known.site.name} ({known.site.id}), days of {known.site.timezone.key}{_limits(known.query)}")
    if known.looks:
        _print_looks(known)
    else:
        say("\nNo looks recorded: that is not zero, nobody counted.")
    if known.declared:
        _print_declared(known)
    if known.notes:
        _print_notes(known)
    if said := undated_words(known.undated, kept=not known.query.dated_only):
        say(f"\n{fill(said, _SENTENCE_COLUMNS)}")


def _nothing(known: "SiteHistory") -> str:
    what = f"{known.query.metric} at " if known.query.metric else ""
    return (
        f"Nothing recorded for {what}{known.site.name} ({known.site.id}){_limits(known.query)}. That is not zero: "
        "nobody counted, or nobody told. “sitewatch observations import FILE” brings counts in."
    )


def _limits(query: "HistoryQuery") -> str:
    known = f", as knowable at {instant_words(query.as_of)}" if query.as_of else ""
    recorded = f", as recorded by {instant_words(query.as_recorded)}" if query.as_recorded else ""
    return f"{known}{recorded}"


def _what(metric: str, subject: str, area: str) -> str:
    return f"{metric}{f' {subject}' if subject else ''}{f' ({area})' if area else ''}"


def _when(start: "datetime", end: "datetime", precision: "Precision", site: "Site") -> str:
    from alerts.words import period_words

    return period_words(start, end, precision, site.timezone.key, site_clock=True)


def _print_looks(known: "SiteHistory") -> None:
    from alerts.words import (
        count_words,
        counted_by,
        exposure_words,
        interval_words,
        known_words,
        look_status,
        source_words,
    )
    from monitor.reports.history import first_url

    titles = (
        "when",
        "what",
        "count",
        "interval",
        "observed",
        "status",
        "procedure",
        "says",
        "knowable since",
        "source",
    )
    say("\nLooks")
    print_table(
        titles,
        (
            (
                _when(each.period_start, each.period_end, each.precision, known.site),
                _what(each.series.metric, each.series.subject, each.series.area),
                "–" if each.value is None else count_words(each.value, each.qualifier),
                interval_words(each.low, each.high),
                exposure_words(each.exposure),
                look_status(each),
                each.series.procedure,
                source_words(each.publisher, each.via) or counted_by(each),
                known_words(instant_words(each.result_time), undated=each.undated),
                first_url(each),
            )
            for each in known.looks
        ),
    )


def _print_declared(known: "SiteHistory") -> None:
    from alerts.words import known_words, looks_behind, source_words, statement_words

    say("\nDeclared by others")
    print_table(
        ("window", "what", "statement", "looks behind it", "says", "knowable since", "source"),
        (
            (
                _when(each.window_start, each.window_end, each.precision, known.site),
                _what(each.series.metric, each.series.subject, each.series.area),
                statement_words(each),
                looks_behind(each.n_looks),
                source_words(each.publisher, each.via) or "–",
                known_words(instant_words(each.result_time), undated=each.undated),
                each.url,
            )
            for each in known.declared
        ),
    )


def _print_notes(known: "SiteHistory") -> None:
    from alerts.words import known_words, named, quoted_note, source_words

    say("\nNotes")
    print_table(
        ("when", "what", "note", "says", "knowable since", "source"),
        (
            (
                _when(each.starts_at, each.ends_at, each.precision, known.site),
                _what(each.metric, each.subject, each.area),
                quoted_note(each.text, named(each.publisher), each.via),
                source_words(each.publisher, each.via) or "–",
                known_words(instant_words(each.result_time), undated=each.undated),
                each.url,
            )
            for each in known.notes
        ),
    )
