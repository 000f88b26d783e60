"""`sitewatch baseline`: what is normal in a series, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alerts.odds import times_a_year, without_odds
from alerts.words import capital, digits, numbered, placed_words, rounded_number
from monitor.commands import JsonFlag, opened, print_json, print_table, say, say_data
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from alerts.judging.forecast import Expected, RuleNow, SeriesBaseline
    from alerts.judging.verdicts import KnownHistory
    from alerts.watch import SiteWatch
    from db.records import SeriesKey

_WIDTH, _HEIGHT = 90, 18
_COUNTING = ("record", "tail", "ears_c1", "ears_c2", "ears_c3", "farrington")
"""Rules that compare one count with a threshold."""


def baseline(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="As in railcars.")],
    *,
    subject: Annotated[
        str, typer.Option(metavar="SUBJECT", help="As in type:Tu-160; else the counts of all.")
    ] = "",
    area: Annotated[str, typer.Option(metavar="AREA", help="A named part of the site; else all of it.")] = "",
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the plot as a picture too.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what is normal now and why, rule by rule, with a plot.

    For each rule: its threshold, what it expects, from how many looks, and how many false alarms a year it
    promises and can attain, or what it lacks before it can tell.
    """
    from alerts.judging.forecast import expectations, series_baseline, series_in
    from alerts.judging.knowable import known_at
    from db.engine import reading
    from monitor.reports.sources import known_attributions

    with opened() as app:
        watch = app.watches[app.known_site(site).id]
        check_watched(watch, metric)
        with reading(app.engine) as connection:
            known = known_at(connection, watch, metric, area, utc_now())
        keys = series_in(known, subject)
        found = [
            (series_baseline(key, known, watch, app.rules), expectations(key, known, watch.calendar))
            for key in keys
        ]
        data = known_attributions(known, keys, app.sources)
    if png is not None:
        _write(png, keys, known, found, data)
    if as_json:
        print_json(
            {
                "site": site,
                "metric": metric,
                "subject": subject,
                "series": [_document(*each) for each in found],
                "attribution": data,
            }
        )
    elif not found:
        say(
            f"Nothing recorded for {metric}{f' {subject}' if subject else ''} at {watch.name}, so nothing is normal yet. "
            "“sitewatch observations import FILE” brings counts in."
        )
    else:
        for one, expected in found:
            _print(one, expected, known, watch)
        say_data(data)


def check_watched(watch: "SiteWatch", metric: str) -> None:
    """Refuse a metric that does not exist or that no rule watches here; raises InputError."""
    from alerts.metrics import METRICS
    from monitor.sites.faults import did_you_mean

    if metric not in METRICS:
        raise InputError(f"{metric!r} is not a metric. {did_you_mean(metric, METRICS)}")
    if metric not in watch.metrics:
        watched = ", ".join(watch.metrics)
        raise InputError(
            f"No rule watches {metric} at {watch.name}. Watched are: {watched}. docs/sites.md shows how to watch more."
        )


def _document(found: "SeriesBaseline", expected: "list[Expected]") -> dict[str, Any]:
    return {
        "area": found.series.area,
        "subject": found.series.subject,
        "procedure": found.series.procedure,
        "kind": found.kind,
        "looks": found.looks,
        "usable": found.usable,
        "newest": found.newest.period_start if found.newest else None,
        "newest_beside": found.placing.beside,
        "newest_recent": found.placing.recent,
        "looks_a_year": found.looks_a_year,
        "promised_a_year": found.promised_a_year,
        "attainable_a_year": found.attainable_a_year,
        "judgeable": found.judgeable,
        "missing": found.missing,
        "rules": [
            {"rule": each.rule, "status": each.status, "reason": each.reason, **each.figures}
            for each in found.rules
        ],
        "expected": [
            {"start": each.look.period_start, "expected": each.expected, "low": each.low, "high": each.high}
            for each in expected
        ],
    }


def _write(
    path: Path,
    keys: "list[SeriesKey]",
    known: "KnownHistory",
    found: "list[tuple[SeriesBaseline, list[Expected]]]",
    data: list[str],
) -> None:
    from monitor.reports.plots import picture_plot

    if not keys:
        raise InputError(f"There is nothing to draw in {path}: no look is recorded.")
    shown = [each for each in known.looks if each.series == keys[0] and each.usable]
    try:
        picture_plot(
            path, shown, found[0][1], f"{keys[0].site_id}, {keys[0].metric} ({keys[0].procedure})", data=data
        )
    except OSError as error:
        raise WorkFailed(f"{path} cannot be written: {error.strerror}.") from None


def _print(
    found: "SeriesBaseline", expected: "list[Expected]", known: "KnownHistory", watch: "SiteWatch"
) -> None:
    from alerts.judging.forecast import FOUND_WORDS
    from monitor.reports.plots import terminal_plot

    key = found.series
    what = f"{key.metric}{f' {key.subject}' if key.subject else ''}{f' ({key.area})' if key.area else ''}"
    say(
        f"{what} at {watch.name}, counted by {key.procedure}: {numbered(found.usable, 'usable look')} of {found.looks}."
    )
    say(
        f"Promised: {times_a_year(found.promised_a_year)} ({rounded_number(found.promised_a_year)} a year) a false alarm in "
        "this series; attainable with whole counts: "
        f"{rounded_number(found.attainable_a_year)} a year."
        + (f" Found here within about two months: {FOUND_WORDS[found.finds]}." if found.finds else "")
    )
    if found.newest is not None and str(found.placing):
        say(f"The newest: {placed_words(found.newest, str(found.placing), watch.timezone)}")
    say("")
    print_table(
        ("rule", "can judge", "alert above", "expected", "95 %", "looks", "promised a year", "attainable"),
        map(_row, found.rules),
    )
    say("")
    for each in found.rules:
        say(f"{each.rule}: {_why(each)}")
    shown = [each for each in known.looks if each.series == key and each.usable][-180:]
    if len(shown) > 1:
        say("")
        say(terminal_plot(shown, expected, what, _WIDTH, _HEIGHT))


def _why(each: "RuleNow") -> str:
    # The look asked about is made up: its own count and chance say nothing about what is normal.
    if not each.judges or each.rule not in _COUNTING:
        return each.reason
    reason = without_odds(each.reason, each.figures.get("by_chance", ""))
    if each.rule == "record":
        known, _, after = reason.partition(" (")[2].rpartition(").")
        return f"The highest known: {known}.{after}"
    return capital(reason.split("; ", 1)[-1])


def _row(each: "RuleNow") -> tuple[str, ...]:
    from alerts.rules.figures import needs_words

    figures = each.figures
    if not each.judges:
        what = figures.get("missing_what", "looks")
        lacks = needs_words(each.missing, what) if each.missing else "not here"
        return (each.rule, lacks, "", "", "", str(figures.get("n", "")), "", "")
    bound = figures.get("threshold") if each.rule in _COUNTING else None
    return (
        each.rule,
        "yes",
        "" if bound is None else digits(bound),
        _number(figures.get("expected")),
        f"{digits(figures['low'])}–{digits(figures['high'])}" if "low" in figures else "",
        str(figures.get("n", "")),
        _number(figures.get("promised_a_year")),
        _number(figures.get("attainable_a_year")),
    )


def _number(value: float | None) -> str:
    return "" if value is None else rounded_number(value)
