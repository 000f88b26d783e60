"""Every rule's word on one look, and their one verdict: the same for live judging, backtest and baseline. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.baselines.budget import ClassScores
from alerts.baselines.engine import QUESTIONS
from alerts.judging.history import history_of, watched_series
from alerts.metrics import METRICS
from alerts.rules import unjudgeable, unlisted_identity
from alerts.rules.asking import ask
from alerts.rules.combined import combine
from alerts.rules.contract import Context, History, Rule, State, Verdict
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
    asked = {
        name: {**rule.defaults, **watch.rules[name]} for name, rule in rules.items() if name in watch.rules
    }
    if QUESTIONS.keys() & asked.keys() and _has_odds(look, history, context):
        context = replace(context, judgement=ask(look, history, context, asked))
    said = [rules[name].judge(look, history, context, params) for name, params in asked.items()]
    return combine(said, context.judgement.spending if context.judgement else None)


def _has_odds(look: Observation, history: History, context: Context) -> bool:
    """Whether a rule with a probability may judge the look."""
    refused = unjudgeable("", look, history) is not None
    return not refused and not unlisted_identity(look.series.subject, context.watchlist)
