"""`tail`: so many (or so few) are very unlikely, given what is usual at this exposure, season and day."""

import math
from types import MappingProxyType
from typing import Any

import numpy as np

from alerts.baselines.engine import TwoSided
from alerts.baselines.special import FloatArray
from alerts.baselines.tail_measured import UsualMeasure
from alerts.baselines.usual import UsualCount
from alerts.metrics.declaration import unit_words
from alerts.odds import told_by_chance
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.figures import (
    Case,
    FiredSide,
    RuleFinding,
    at_exposure,
    by_chance,
    cannot_tell,
    history_words,
    open_case,
    score_of,
    verdict_of_finding,
)
from alerts.rules.series import middle_of_look
from alerts.words import count_words, digits, rounded_number
from db.records import Observation
from db.said import percent, phrase, phrase_as


class TailRule:
    """Fires where P(Y ≥ count) falls to what the promise allows: by the predictive negative binomial, or as measured.

    With `sides` "both" it also asks for too few, and both share the promise.
    """

    name = "tail"
    strength = 26
    defaults: Params = MappingProxyType({"sides": "high", "longest_years": 10.0})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Judge one look against what is usual."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        return cannot_tell(case) or verdict_of_finding(case, _finding(case, case.ruling.of(TwoSided)))


def _finding(case: Case, found: TwoSided) -> RuleFinding:
    what, p = found.usual, case.p
    side: FiredSide = "low" if found.low[0] else "high"
    alpha = case.spending.bound(case.rule) / found.tries
    chance = float(what.attainable(alpha, side)[0])
    if isinstance(what, UsualMeasure):
        return _measured(case, what, side, alpha, chance)
    expected = float(what.expected()[0])
    low, high = (float(each[0]) for each in what.band())
    bound = what.most_ordinary(alpha) if side == "high" else what.least_ordinary(alpha) - 1.0
    count = rounded_number(float(case.series.looks.today[0]))
    together = _together(found, case) if side == "high" and p < 1 else ""
    occasion = _occasion(case)
    more: dict[str, Any] = {
        **({"occasion": occasion} if occasion else {}),
        "score": score_of(float(found.spent[0])),
        "dispersion": round(float(found.tail.dispersion[0]), 3),
        "by_chance": by_chance(case, p),
    }
    told = phrase(
        "{count} {noun}; expected {expected} (95 %: {low}–{high}) {exposure}, from {history}",
        count=count,
        noun=case.noun,
        expected=(
            phrase("{expected} on {day}", expected=rounded_number(expected), day=occasion)
            if occasion
            else rounded_number(expected)
        ),
        low=digits(low),
        high=digits(high),
        exposure=at_exposure(case),
        history=history_words(case),
    )
    many = phrase("so few") if side == "low" else together or phrase("so many")
    sentence = told_by_chance(told, many, more["by_chance"])
    size = float(what.of_today()[1][0]) if isinstance(what, UsualCount) else np.inf
    if np.isfinite(size):
        more["size"] = size
    return RuleFinding(p, side, float(bound[0]), sentence, expected, (low, high), chance, more=more)


def _occasion(case: Case) -> str:
    """The holiday of a daily look, or the day that it lies beside one; '' where what is expected knows of none."""
    occasions = case.series.occasions
    if occasions is None or not occasions.which[-1]:
        return ""
    return case.history.calendar.occasion(middle_of_look(case.look))


def _measured(
    case: Case, what: UsualMeasure, side: FiredSide, alpha: FloatArray, chance: float
) -> RuleFinding:
    """In words what a length or an area is beside the earlier ones; where too few showed any, how seldom they do."""
    value, p = float(case.series.looks.today[0]), case.p
    below = float(what.share_below[0])
    beside = (
        phrase("more than in {share} of them", share=_share(below))
        if side == "high"
        else phrase("less than in {share} of them", share=_share(1 - below))
    )
    much = phrase("so much") if side == "high" else phrase("so little")
    told = phrase(
        "{count} {exposure}, beside {history}: {beside}",
        count=count_words(value, case.look.qualifier, case.context.metric.name),
        exposure=at_exposure(case),
        history=history_words(case),
        beside=beside,
    )
    upto = float(what.chance_of(np.array([value]))[0])
    more: dict[str, Any] = {
        "by_chance": by_chance(case, p if what.known[0] else float(what.present[0])),
        "share_below": round(below, 4),
        "pit": round(1.0 - upto, 6) if value > 0 else 0.0,
        "present": round(float(what.present[0]), 4),
    }
    if not what.known[0]:
        sentence = told_by_chance(told, phrase("anything at all"), more["by_chance"])
        return RuleFinding(p, side, 0.0, sentence, chance=chance, more=more)
    expected = float(what.expected()[0])
    low, high = (float(each[0]) for each in what.band())
    bound = what.most_ordinary(alpha) if side == "high" else what.least_ordinary(alpha)
    unit = unit_words(case.context.metric.unit)
    told = phrase(
        "{told}; usual are {low} to {high} {unit} (95 %), half the looks show at most {expected}",
        told=told,
        low=digits(_rounded(low)),
        high=digits(_rounded(high)),
        unit=unit,
        expected=digits(_rounded(expected)),
    )
    sentence = told_by_chance(told, much, more["by_chance"])
    return RuleFinding(
        p,
        side,
        _rounded(float(bound[0])),
        sentence,
        _rounded(expected),
        (_rounded(low), _rounded(high)),
        chance,
        more=more,
    )


def _share(of_them: float) -> str:
    """A share that does not call most of them all."""
    return phrase_as("share of looks", "all") if of_them >= 1 else percent(math.floor(of_them * 100) / 100)


def _rounded(value: float) -> float:
    """A reckoned amount to three figures: more would say more than is known."""
    return float(f"{value:.3g}")


def _together(found: TwoSided, case: Case) -> str:
    if float(found.tail.bet[0]) <= 1.0:
        return ""
    if case.series.daily:
        return phrase("so many, the newest days taken together,")
    return phrase("so many, the newest looks taken together,")
