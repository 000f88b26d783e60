"""`sitewatch history`: what was counted at a site, with exposure and evidence."""

import sys
from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, TextIO

import typer

from monitor.commands import JsonFlag, instant_words, opened, print_json, print_table, say, say_data
from monitor.config.clock import utc_now
from monitor.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from db.records import Precision
    from monitor.reports.history import HistoryQuery, SiteHistory
    from monitor.sites import Site

_SENTENCE_COLUMNS = 79
Format = Literal["table", "csv", "json", "geojson", "parquet"]


def history(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    metric: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="As in railcars; else all.", show_default=False)
    ] = None,
    *,
    subject: Annotated[
        str | None,
        typer.Option(metavar="SUBJECT", help="As in type:Tu-160; empty text for the counts of all."),
    ] = None,
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
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
    as_json: JsonFlag = False,
) -> None:
    """Show what was counted at a site, how it was seen and who says so.

    WHEN is a day (2023-10-05), a month (2023-10), today, yesterday, or a time with its zone (2023-10-05T01:24Z).
    Days and months are those of the site's own clock, and are meant whole.
    """
    from db.engine import reading
    from monitor.reports.asked_times import TimeReader
    from monitor.reports.history import HistoryQuery, read_history

    if as_json and form not in {"table", "json"}:
        raise InputError(f"--json and --format {form} cannot both be meant. Leave one out.")
    _check_metric(metric)
    with opened() as app:
        found = app.known_site(site)
        times = TimeReader(found.timezone, utc_now())
        query = HistoryQuery(
            metric=metric,
            subject=subject,
            since=times.since("--since", since),
            until=times.until("--until", until),
            as_of=times.by("--as-of", as_of),
            as_recorded=times.by("--as-recorded", as_recorded),
            dated_only=dated_only,
        )
        with reading(app.engine) as connection:
            known = read_history(connection, found, query)
        attributions = app.attributions
    _print(known, "json" if as_json else form, attributions)


def _check_metric(metric: str | None) -> None:
    from alerts.metrics import METRICS, NOTE_METRIC
    from monitor.sites.faults import did_you_mean

    if metric is not None and metric not in METRICS and metric != NOTE_METRIC:
        raise InputError(f"{metric!r} is not a metric. {did_you_mean(metric, [*METRICS, NOTE_METRIC])}")


def _print(known: "SiteHistory", form: Format, attributions: Mapping[str, str]) -> None:
    from alerts.attribution import TIME_ZONES
    from monitor.reports.tables import (
        csv_text,
        feature_collection,
        history_attributions,
        history_document,
        history_rows,
    )

    if form == "json":
        print_json(history_document(known, attributions))
    elif form == "geojson":
        print_json(feature_collection(known, attributions))
    elif form == "csv":
        sys.stdout.write(csv_text(history_rows(known, attributions)))
    elif form == "parquet":
        # Tables take a second and 35 MB.
        from monitor.reports.geoparquet import parquet_bytes

        _for_bytes(sys.stdout).write(parquet_bytes(known, attributions))
    else:
        _print_tables(known)
        say_data([*history_attributions(known, attributions), TIME_ZONES])


def _for_bytes(stream: TextIO) -> BinaryIO:
    if stream.isatty():
        raise InputError("Parquet is not for the screen. Send it to a file: … --format parquet > FILE")
    return stream.buffer


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
