"""Every rule's word on one look, and their one verdict: the same for live judging, backtest and baseline. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.baselines.budget import COUNT_RULES, ClassScores
from alerts.baselines.engine import RULE_QUESTIONS
from alerts.judging.history import history_of, series_with_history, watched_series
from alerts.metrics import metric_named
from alerts.rules import unjudgeable, unlisted_identity
from alerts.rules.among import Placing, placing
from alerts.rules.combined import combine_verdicts
from alerts.rules.contract import LookHistory, Rule, RuleContext, RuleState, Verdict
from alerts.rules.engine_input import ask_engine
from alerts.watch import SiteWatch
from db.records import Change, DeclaredBaseline, Observation, SeriesKey

ScoresByClass = Mapping[tuple[str, str], ClassScores]


@dataclass(frozen=True, slots=True)
class KnownHistory:
    """What was knowable at one moment about one site, area and metric."""

    as_of: datetime
    looks: Sequence[Observation] = ()
    """The newest revision of each look."""
    declared: Sequence[DeclaredBaseline] = ()
    changes: Sequence[Change] = ()
    states: Mapping[SeriesKey, Mapping[str, RuleState]] = field(default_factory=dict)
    scores: ScoresByClass = field(default_factory=dict)
    histories: frozenset[SeriesKey] | None = None
    """The series of the whole site with a history, which share its promise; None: those among `looks`."""


def context_of(site: SiteWatch, metric: str, known: KnownHistory) -> RuleContext:
    """What the rules may know beside the look: metric, watch list, zone, and what is promised."""
    histories = series_with_history(known.looks) if known.histories is None else known.histories
    counted = None if known.histories is None else {key.metric for key in histories}
    promise = site.promise(metric, watched_series(histories, metric, site.watchlist), counted)
    return RuleContext(
        metric_named(metric), site.watchlist, site.timezone, replace(promise, scores=dict(known.scores))
    )


def verdicts_on(
    look: Observation, known: KnownHistory, site: SiteWatch, rules: Mapping[str, Rule], context: RuleContext
) -> tuple[Verdict, ...]:
    """Judge one look by the rules that watch its metric at its site."""
    watch = site.metrics.get(look.series.metric)
    if watch is None or not watch.covers(look.series.subject):
        return ()
    states = known.states.get(look.series, {})
    history = history_of(
        look,
        known.looks,
        known.declared,
        known.as_of,
        changes=known.changes,
        states=states,
        calendar=site.calendar,
    )
    fit = watch.rules.keys() if context.metric.counted else watch.rules.keys() - COUNT_RULES
    asked = {name: {**rule.defaults, **watch.rules[name]} for name, rule in rules.items() if name in fit}
    if RULE_QUESTIONS.keys() & asked.keys() and _has_odds(look, history, context):
        context = replace(context, judgement=ask_engine(look, history, context, asked))
    said = [rules[name].judge(look, history, context, params) for name, params in asked.items()]
    return combine_verdicts(said, context.judgement.spending if context.judgement else None)


def placing_of(look: Observation, known: KnownHistory, timezone: str) -> Placing:
    """Where a look stands among what was known before it, whatever began its baseline anew."""
    return placing(look, history_of(look, known.looks, known.declared, known.as_of), timezone)


def _has_odds(look: Observation, history: LookHistory, context: RuleContext) -> bool:
    """Whether a rule with a probability may judge the look."""
    refused = unjudgeable("", look, history) is not None
    return not refused and not unlisted_identity(look.series.subject, context.watchlist)
