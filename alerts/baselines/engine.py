"""The one engine of verdicts: the newest looks of many series before the rules with a probability, on one promise.

A study asks about a thousand series at once, the live line about one; the rules put the answers into words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from alerts.baselines.absence import judge_absence
from alerts.baselines.answers import Answers
from alerts.baselines.budget import NOTIFY, SEVERITIES, FalseAlarmPromise, Spending, severest
from alerts.baselines.budget_reallocation import reallocate_budget
from alerts.baselines.ears import EarsMethod, judge_ears
from alerts.baselines.farrington import judge_season
from alerts.baselines.model import Series
from alerts.baselines.record import judge_record
from alerts.baselines.since import Watched, judge_first_ever, judge_first_since, watched
from alerts.baselines.special import BoolArray, FloatArray, IntArray
from alerts.baselines.step import Memory, Step, alarm_at, judge_step, learn
from alerts.baselines.tail import Tail
from alerts.baselines.usual import Usual, usual_of_series

RuleParameters = Mapping[str, Any]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class SideInformation:
    """What is known beside the looks themselves; what is left out is taken or learnt from them."""

    watched: Watched | None = None
    """How long the place was watched, where other looks than these could show the subject too."""
    highest: FloatArray | float = 0.0
    """The largest count known [series]."""
    memory: Memory | None = None
    """What `step` remembers of earlier looks."""
    usual: Usual | None = None
    """What the judged look should show, where that is worked out already."""


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """S series before one rule, with what it may spend."""

    series: Series
    spending: Spending
    watched: Watched
    beside: SideInformation


@dataclass(frozen=True, slots=True)
class Ruling:
    """One rule's answers about S series, how severe each is, and what the rule found."""

    answers: Answers
    severity: IntArray
    """Numbers of `budget.SEVERITIES`, or `ORDINARY`."""
    found: object

    @property
    def fires(self) -> BoolArray:
        """The series whose look is told."""
        told: BoolArray = self.severity <= NOTIFY
        return told

    def of(self, kind: type[Found]) -> Found:
        """What the rule found, which is of this kind."""
        if not isinstance(self.found, kind):
            message = f"{self.answers.rule} found {type(self.found).__name__}, not {kind.__name__}"
            raise TypeError(message)
        return self.found


@dataclass(frozen=True, slots=True)
class Judgement:
    """What every rule asked says of the judged looks of S series."""

    series: Series
    spending: Spending
    watched: Watched
    rulings: Mapping[str, Ruling] = field(default_factory=dict)

    @property
    def fires(self) -> BoolArray:
        """The series of which any rule tells."""
        told = [each.fires for each in self.rulings.values()]
        nothing = np.zeros(len(self.series.looks.counts), dtype=bool)
        fires: BoolArray = np.logical_or.reduce([nothing, *told])
        return fires


def judge_series(
    series: Series,
    promise: FalseAlarmPromise,
    rules: Mapping[str, RuleParameters],
    beside: SideInformation | None = None,
) -> Judgement:
    """Ask those of `rules` (names with their parameters) that have a probability about the newest looks."""
    beside = beside or SideInformation()
    known = beside.watched or watched(series)
    question = RuleQuestion(series, reallocate_budget(series, promise, known), known, beside)
    rulings = {name: ask(question, rules[name]) for name, ask in RULE_QUESTIONS.items() if name in rules}
    return Judgement(series, question.spending, known, rulings)


@dataclass(frozen=True, slots=True)
class TwoSided:
    """What `tail` found, and on which side."""

    usual: Usual
    tail: Tail
    low: BoolArray
    """Series that show unusually little rather than much."""
    tries: int
    """Sides that share the promise."""
    spent: FloatArray
    """The p that decides [S]: what whole counts leave over of the promise is spent in turn, so it may lie below the law's."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What `step` found, and what it remembers of the looks before the judged one."""

    step: Step
    memory: Memory


def _settled(question: RuleQuestion, answers: Answers, found: object) -> Ruling:
    return Ruling(answers, question.spending.severity(answers), found)


def _record(question: RuleQuestion, params: RuleParameters) -> Ruling:
    found = judge_record(
        question.series.looks, min_looks=float(params["min_looks"]), highest=question.beside.highest
    )
    return _settled(question, found.answers, found)


def _tail(question: RuleQuestion, params: RuleParameters) -> Ruling:
    what = question.beside.usual or usual_of_series(question.series, float(params["longest_years"]))
    tail = what.judge()
    p_high, p_low = tail.answers.p, np.where(tail.answers.evaluated, tail.p_low, np.nan)
    tries = 2 if params["sides"] == "both" else 1
    with np.errstate(invalid="ignore"):
        low = (p_low < p_high) if tries > 1 else np.full(p_high.shape, params["sides"] == "low")
    p = np.minimum(1.0, tries * np.where(low, p_low, p_high))
    answers = replace(tail.answers, p=p)
    # So an alarm may have a p a little above alpha.
    spent = np.where(low, p, np.minimum(p, tries * tail.in_turn))
    severity = question.spending.severity(replace(answers, p=spent))
    return Ruling(answers, severity, TwoSided(what, tail, low, tries, spent))


def _ears(method: EarsMethod, name: str) -> Callable[[RuleQuestion, RuleParameters], Ruling]:
    def ask(question: RuleQuestion, params: RuleParameters) -> Ruling:
        found = judge_ears(
            question.series.looks,
            method,
            name,
            baseline=int(params["baseline"]),
            least_sd=float(params["least_sd"]),
        )
        return _settled(question, found.answers, found)

    return ask


def _farrington(question: RuleQuestion, params: RuleParameters) -> Ruling:
    found = judge_season(question.series, years=int(params["years"]), least_years=int(params["least_years"]))
    return _settled(question, found.answers, found)


def _first_ever(question: RuleQuestion, params: RuleParameters) -> Ruling:
    found = judge_first_ever(
        question.series,
        question.watched,
        min_looks=float(params["min_looks"]),
        min_observed_days=float(params["min_observed_days"]),
    )
    return _settled(question, found.answers, found)


def _first_since(question: RuleQuestion, params: RuleParameters) -> Ruling:
    found = judge_first_since(
        question.series,
        question.watched,
        min_gap_days=float(params["min_gap_days"]),
        min_observed_days=float(params["min_observed_days"]),
    )
    return _settled(question, found.answers, found)


def _absence(question: RuleQuestion, _: RuleParameters) -> Ruling:
    found = judge_absence(question.series.looks)
    spending = question.spending
    # Its law counts stretches, not looks: the crossing itself says how severe it is.
    crossed = [
        found.crosses(spending.a_year("absence", severity), spending.looks_a_year) for severity in SEVERITIES
    ]
    return Ruling(found.answers, severest(crossed), found)


def _step(question: RuleQuestion, _: RuleParameters) -> Ruling:
    bounds = alarm_at(question.series, question.spending.promise.a_year("step"))
    memory = learn(question.series, bounds, question.beside.memory)
    found = judge_step(question.series, bounds, memory)
    return _settled(question, found.answers, Remembered(found, memory))


RULE_QUESTIONS: Mapping[str, Callable[[RuleQuestion, RuleParameters], Ruling]] = MappingProxyType(
    {
        "record": _record,
        "tail": _tail,
        "ears_c1": _ears("C1", "ears_c1"),
        "ears_c2": _ears("C2", "ears_c2"),
        "ears_c3": _ears("C3", "ears_c3"),
        "farrington": _farrington,
        "first_ever": _first_ever,
        "first_since": _first_since,
        "absence": _absence,
        "step": _step,
    }
)
"""The rules with a probability; others judge records alone."""
