"""What the baseline of a site would be: each rule's own answer to a first look, with the history there is. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.history import history_of
from alerts.metrics import METRICS
from alerts.verdict import Context, Rule, Verdict
from alerts.watch import MetricWatch, SiteWatch
from alerts.words import capital, listed
from db.records import DeclaredBaseline, Observation, SeriesKey
from monitor.flights.looks import COUNTED
from monitor.flights.visits import PROCEDURE
from monitor.web import wording
from monitor.web.rows import subject_words

_BY_PEOPLE = "published"
_DAY = timedelta(days=1)
_WATCHLIST = "watchlist"


@dataclass(frozen=True, slots=True)
class Foretold:
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
    rules: tuple[Foretold, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What the database and the site itself know of one site's earlier looks."""

    looks: Sequence[Observation] = ()
    declared: Sequence[DeclaredBaseline] = ()


def foretell(
    watch: SiteWatch, rules: Mapping[str, Rule], past: Past, flight_feeds: Sequence[str], now: datetime
) -> tuple[MetricPlan, ...]:
    """Say for each metric what its rules could tell at `now`; `flight_feeds` are those asked about the site."""
    plans: dict[MetricPlan, tuple[str, ...]] = {}
    for metric in watch.metrics.values():
        plan = _plan(watch, metric, rules, past, flight_feeds, now)
        alike = replace(plan, metrics=())
        plans[alike] = (*plans.get(alike, ()), *plan.metrics)
    return tuple(replace(plan, metrics=metrics) for plan, metrics in plans.items())


def _plan(  # noqa: PLR0917 - one call
    watch: SiteWatch,
    metric: MetricWatch,
    rules: Mapping[str, Rule],
    past: Past,
    flight_feeds: Sequence[str],
    now: datetime,
) -> MetricPlan:
    flown = metric.metric in COUNTED and bool(flight_feeds)
    known = [each for each in past.looks if each.series.metric == metric.metric]
    stated = [each for each in past.declared if each.series.metric == metric.metric]
    look = _first_look(watch, metric.metric, PROCEDURE if flown else _BY_PEOPLE, now)
    history = history_of(look, known, stated, now)
    context = Context(METRICS[metric.metric], watch.watchlist, watch.timezone)
    said = (
        _foretold(
            name,
            rules[name].judge(look, history, context, {**rules[name].defaults, **params}),
            watch,
            daily=flown,
        )
        for name, params in metric.rules.items()
        if name in rules
    )
    return MetricPlan(
        metrics=(wording.metric_words(metric.metric),),
        looks=_looks_words(flight_feeds if flown else ()),
        counted_daily=flown,
        known=sum(each.usable for each in known),
        declared=tuple(_declared(each, watch.timezone) for each in stated),
        rules=tuple(_together(said)),
    )


def _together(said: Iterable[Foretold]) -> Iterator[Foretold]:
    """Rules that say the same in one line."""
    lines: dict[tuple[bool, str], tuple[str, ...]] = {}
    for each in said:
        lines[each.ready, each.words] = (*lines.get((each.ready, each.words), ()), *each.rules)
    for (ready, words), names in lines.items():
        yield Foretold(names, ready, words)


def _first_look(watch: SiteWatch, metric: str, procedure: str, now: datetime) -> Observation:
    """One thing counted in a day that was wholly observed."""
    return Observation(
        series=SeriesKey(watch.site_id, "", metric, "", procedure),
        kind=METRICS[metric].kind,
        period_start=now,
        period_end=now + _DAY,
        look_key="first",
        value=1.0,
        result_time=now,
        recorded_at=now,
        exposure=1.0,
    )


def _looks_words(flight_feeds: Sequence[str]) -> str:
    if flight_feeds:
        return f"one look a day, from {listed(flight_feeds)}"
    return "looks come from imports only: no feed counts this here"


def _declared(each: DeclaredBaseline, zone: str) -> str:
    who = "" if not each.series.subject else f" ({subject_words(each.series.subject, {})})"
    publisher = each.publisher or "an unnamed source"
    return (
        f"{capital(wording.statement(each))}{who}, {wording.window(each, zone)}, according to {publisher}"
        f" ({wording.looks_behind(each)})"
    )


def _foretold(rule: str, verdict: Verdict, watch: SiteWatch, *, daily: bool) -> Foretold:
    name = (rule.replace("_", " "),)
    if rule == _WATCHLIST:
        return Foretold(name, bool(watch.watchlist), _watchlist_words(watch))
    if verdict.status == "evaluated":
        return Foretold(name, True, " ".join(_ready_words(verdict)))
    needs = _needs(verdict, daily=daily)
    return Foretold(
        name, False, f"cannot tell yet, {needs}." if needs else f"cannot tell yet. {verdict.reason}"
    )


def _watchlist_words(watch: SiteWatch) -> str:
    if not watch.watchlist:
        return "says nothing as long as the watch list is empty."
    return f"tells whenever one of these is seen: {listed([subject_words(each, {}) for each in watch.watchlist])}."


def _ready_words(verdict: Verdict) -> Iterator[str]:
    threshold = verdict.details.get("threshold")
    if verdict.exceeded:
        yield "tells at the next look that counts any."
        yield verdict.reason
    elif isinstance(threshold, int | float) and threshold > 0:
        yield f"tells above {threshold:g}."
    else:
        yield "can tell."
        yield verdict.reason


def _needs(verdict: Verdict, *, daily: bool) -> str:
    missing = verdict.details.get("missing")
    if not isinstance(missing, int):
        return ""
    what = verdict.details.get("missing_what", wording.USABLE_LOOKS)
    if what != wording.USABLE_LOOKS:
        return f"needs {missing} more {what}"
    wait = f" (at least {missing} {'day' if missing == 1 else 'days'})" if daily else ""
    return f"needs {missing} more {'look' if missing == 1 else 'looks'}{wait}"
