"""`step`: the rate changed, at once or slowly, upwards or downwards, and stays changed."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from alerts.baselines.engine import Remembered
from alerts.baselines.step import Step, change_day
from alerts.odds import told_by_chance
from alerts.rules import site_day
from alerts.rules.contract import LookHistory, Params, RuleContext, Verdict
from alerts.rules.engine_input import step_memory_record
from alerts.rules.figures import (
    Case,
    FiredSide,
    RuleFinding,
    by_chance,
    cannot_tell,
    history_words,
    open_case,
    verdict_of_finding,
)
from alerts.words import numbered, rounded_number, times_words
from db.records import Observation
from db.said import chained, phrase, phrase_n


class StepRule:
    """Fires where the evidence for another rate reaches what chance alone gives once in L/F looks.

    What it remembers covers the looks before the judged one, so that a running day may be judged again and
    again. Where the same weeks of the year before were no different, it is the season and no step. The memory holds only for the very looks it was learnt from: a late or corrected look rebuilds it.
    """

    name = "step"
    strength = 16
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: LookHistory, context: RuleContext, params: Params) -> Verdict:
        """Take in the looks since the remembered one, then judge this one."""
        case = open_case(self.name, look, history, context, params)
        if isinstance(case, Verdict):
            return case
        found = case.ruling.of(Remembered)
        state = step_memory_record(found.memory, case.series, context)
        refused = cannot_tell(case, state=state)
        if refused:
            return _since_last_step(refused, int(found.step.n[0]))
        return verdict_of_finding(case, _finding(case, found.step), state)


def _since_last_step(refused: Verdict, n: int) -> Verdict:
    """After a step the usual rate is learnt anew: say that the looks before it no longer count."""
    known = refused.details.get("n", 0)
    if refused.status != "cannot_tell" or n >= known:
        return refused
    reason = phrase(
        "Learning anew after a step: {behind} behind it, needs {missing} more.",
        behind=phrase_n(
            "{n} of {looks} lies", "{n} of {looks} lie", n, looks=numbered(known, "usable earlier look")
        ),
        missing=refused.details["missing"],
    )
    return replace(refused, reason=reason, details={**refused.details, "n": n})


def _finding(case: Case, found: Step) -> RuleFinding:
    p, evidence = case.p, float(found.evidence[0])
    ratio, before, looks = float(found.ratio[0]), float(found.before[0]), int(found.looks_ago[0])
    side: FiredSide = "low" if ratio < 1 else "high"
    began = float(change_day(case.series.looks, case.series.days, found.looks_ago)[0])
    if np.isnan(began) or not np.isfinite(ratio):
        sentence = phrase("No change of rate, from {history}.", history=history_words(case))
        return RuleFinding(1.0, "high", float(case.series.looks.today[0]), sentence)
    at = case.look.period_start + timedelta(days=began)
    odds = by_chance(case, p, n=int(found.n[0]))
    told = phrase(
        "About {much} the usual rate since {day} ({looks}; usual {before} a look), from {history}",
        much=times_words(ratio),
        day=site_day(at, case.context),
        looks=numbered(looks, "usable look"),
        before=rounded_number(before),
        history=history_words(case),
    )
    sentence = told_by_chance(told, phrase("so clear a change"), odds)
    exposure = case.series.looks.today_exposure[0]
    expected = before * (1.0 if np.isnan(exposure) else float(exposure))
    more = {
        "rate_ratio": round(ratio, 3),
        "since": at.isoformat(),
        "evidence": float(f"{evidence:.4g}"),
        "by_chance": odds,
    }
    threshold = np.floor(expected) if side == "high" else np.ceil(expected)
    if found.seasonal[0]:
        sentence = chained(" ", [sentence, phrase("So it was in the same season a year before.")])
    return RuleFinding(p, side, float(threshold), sentence, expected, more=more, n=int(found.n[0]))
