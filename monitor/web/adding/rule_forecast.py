"""What the baseline of a site would be: each rule's own answer to a first look, with the history there is. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from alerts.judging.forecast import RuleNow, series_baseline, series_in
from alerts.judging.verdicts import KnownHistory
from alerts.rules.contract import Rule
from alerts.rules.figures import needs_words
from alerts.watch import SiteWatch
from alerts.words import (
    capital,
    digits,
    listed,
    looks_behind,
    metric_words,
    named,
    rule_words,
    statement_words,
    window_words,
)
from db.records import DeclaredBaseline, SeriesKey
from db.said import phrase, phrase_n, spaced
from monitor.flights.looks import COUNTED_METRICS
from monitor.flights.visits import ADSB_PROCEDURE
from monitor.web.views.rows import subject_words
from monitor.web.views.verdict_words import USABLE_LOOKS

_BY_PEOPLE = "published"
_WATCHLIST = "watchlist"


@dataclass(frozen=True, slots=True)
class RuleForecast:
    """What some rules, which say the same, could say now; `ready` False: they cannot tell yet."""

    rules: tuple[str, ...]
    ready: bool
    words: str


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """Series that would be watched alike: where their looks come from, what is known, and what their rules need."""

    metrics: tuple[str, ...]
    looks: str
    counted_daily: bool
    known: int
    declared: tuple[str, ...]
    rules: tuple[RuleForecast, ...]


def forecast_rules(
    watch: SiteWatch,
    known: Mapping[str, KnownHistory],
    rules: Mapping[str, Rule],
    flight_feeds: Sequence[str],
) -> tuple[MetricPlan, ...]:
    """Say for each metric what its rules could tell now; `flight_feeds` are those asked about the site."""
    plans: dict[MetricPlan, tuple[str, ...]] = {}
    for metric in watch.metrics:
        plan = _plan(watch, metric, known[metric], rules, flight_feeds)
        alike = replace(plan, metrics=())
        plans[alike] = (*plans.get(alike, ()), *plan.metrics)
    return tuple(replace(plan, metrics=metrics) for plan, metrics in plans.items())


def _plan(
    watch: SiteWatch, metric: str, known: KnownHistory, rules: Mapping[str, Rule], flight_feeds: Sequence[str]
) -> MetricPlan:
    flown = metric in COUNTED_METRICS and bool(flight_feeds)
    own = SeriesKey(watch.site_id, "", metric, "", ADSB_PROCEDURE if flown else _BY_PEOPLE)
    now = series_baseline(next(iter(series_in(known, "")), own), known, watch, rules)
    return MetricPlan(
        metrics=(metric_words(metric),),
        looks=_looks_words(flight_feeds if flown else ()),
        counted_daily=flown,
        known=now.usable,
        declared=tuple(_declared(each, watch.timezone) for each in known.declared),
        rules=tuple(_together(_foretold(each, watch, daily=flown) for each in now.rules)),
    )


def _together(said: Iterable[RuleForecast]) -> Iterator[RuleForecast]:
    """Rules that say the same in one line."""
    lines: dict[tuple[bool, str], tuple[str, ...]] = {}
    for each in said:
        lines[each.ready, each.words] = (*lines.get((each.ready, each.words), ()), *each.rules)
    for (ready, words), names in lines.items():
        yield RuleForecast(names, ready, words)


def _looks_words(flight_feeds: Sequence[str]) -> str:
    if flight_feeds:
        return phrase("one look a day, from {feeds}", feeds=listed(flight_feeds))
    return phrase("looks come from imports only: no feed counts this here")


def _declared(each: DeclaredBaseline, zone: str) -> str:
    said = capital(statement_words(each))
    if each.series.subject:
        said = phrase("{said} ({who})", said=said, who=subject_words(each.series.subject, {}))
    return phrase(
        "{said}, {when}, according to {publisher} ({looks})",
        said=said,
        when=window_words(each, zone),
        publisher=named(each.publisher),
        looks=looks_behind(each.n_looks),
    )


def _foretold(said: RuleNow, watch: SiteWatch, *, daily: bool) -> RuleForecast:
    name = (rule_words(said.rule),)
    if said.rule == _WATCHLIST:
        return RuleForecast(name, bool(watch.watchlist), _watchlist_words(watch))
    if said.judges:
        threshold = said.figures.get("threshold")
        if isinstance(threshold, int | float) and threshold > 0:
            return RuleForecast(name, True, phrase("tells above {threshold}.", threshold=digits(threshold)))
        return RuleForecast(name, True, spaced([phrase("can tell."), said.reason]))
    needs = _needs(said, daily=daily)
    if needs:
        return RuleForecast(name, False, phrase("cannot tell yet, {needs}.", needs=needs))
    return RuleForecast(name, False, spaced([phrase("cannot tell yet."), said.reason]))


def _watchlist_words(watch: SiteWatch) -> str:
    if not watch.watchlist:
        return phrase("says nothing as long as the watch list is empty.")
    return phrase(
        "tells whenever one of these is seen: {subjects}.",
        subjects=listed([subject_words(each, {}) for each in watch.watchlist]),
    )


def _needs(said: RuleNow, *, daily: bool) -> str:
    if not said.missing:
        return ""
    if (what := said.figures.get("missing_what", USABLE_LOOKS)) != USABLE_LOOKS:
        return needs_words(said.missing, what)
    needs = needs_words(said.missing)
    if not daily:
        return needs
    return phrase(
        "{needs} ({days})", needs=needs, days=phrase_n("at least {n} day", "at least {n} days", said.missing)
    )
