"""Every rule's word on one look, and their one verdict: the same for live judging, backtest and baseline. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.judging.history import history_of, watched_series
from alerts.judging.lending import lend
from alerts.metrics import METRICS
from alerts.promise import ClassScores
from alerts.rules.combined import combine
from alerts.rules.contract import Context, Rule, State, Verdict
from alerts.watch import SiteWatch
from db.records import Change, DeclaredBaseline, Observation, SeriesKey

Scores = Mapping[tuple[str, str], ClassScores]


@dataclass(frozen=True, slots=True)
class Known:
    """What was knowable at one moment about one site, area and metric."""

    as_of: datetime
    looks: Sequence[Observation] = ()
    """The newest revision of each look."""
    declared: Sequence[DeclaredBaseline] = ()
    changes: Sequence[Change] = ()
    states: Mapping[SeriesKey, Mapping[str, State]] = field(default_factory=dict)
    scores: Scores = field(default_factory=dict)


def context_of(site: SiteWatch, metric: str, known: Known) -> Context:
    """What the rules may know beside the look: metric, watch list, zone, and what is promised."""
    promise = site.promise(metric, watched_series(known.looks, site.watchlist))
    return Context(
        METRICS[metric], site.watchlist, site.timezone, replace(promise, scores=dict(known.scores))
    )


def verdicts_on(
    look: Observation, known: Known, site: SiteWatch, rules: Mapping[str, Rule], context: Context
) -> tuple[Verdict, ...]:
    """Judge one look by the rules that watch its metric at its site."""
    watch = site.metrics.get(look.series.metric)
    if watch is None or not watch.covers(look.series.subject):
        return ()
    states = known.states.get(look.series, {})
    history = history_of(look, known.looks, known.declared, known.as_of, changes=known.changes, states=states)
    context = lend(look, history, context)
    said = [
        rule.judge(look, history, context, {**rule.defaults, **watch.rules[name]})
        for name, rule in rules.items()
        if name in watch.rules
    ]
    return combine(said, context.promise)
