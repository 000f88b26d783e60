"""The default rules about the newest looks of a batch: R1, R2, R5, R6 and R7 on one yearly promise."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.absence import Absence, judge_absence
from alerts.baselines.calibrate import usable_looks_a_year
from alerts.baselines.combine import SHARES, Verdict, combine, split
from alerts.baselines.lending import outlook, unspendable
from alerts.baselines.model import Looks
from alerts.baselines.record import Record, judge_record
from alerts.baselines.since import Since, judge_since
from alerts.baselines.special import FloatArray
from alerts.baselines.step import Step, StepState, update
from alerts.baselines.step_season import as_last_year, change_day
from alerts.baselines.tail import Expectation, Tail, judge_windows
from alerts.baselines.tail_weekly import seasonal


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every rule's answer, their verdict, and the step rule's state for the next look."""

    verdict: Verdict
    record: Record
    tail: Tail
    since: Since
    absence: Absence
    step: Step
    state: StepState
    tail_alpha: FloatArray
    """What R2 may spend on this look: its own share and what the others cannot spend."""


def judge(
    looks: Looks,
    days: ArrayLike,
    state: StepState,
    false_alarms_a_year: float = 0.5,
    *,
    expectation: Expectation | None = None,
) -> Judgement:
    """Judge the newest look; `days` [time] is when the looks were, `state` what R7 remembers of those before.

    The tail expects by season and trend unless another `expectation` is given, and has what the others cannot spend.
    """
    at = np.asarray(days, np.float64)
    a_year = np.maximum(usable_looks_a_year(looks.member, at), 1.0)
    alpha = split(false_alarms_a_year, a_year)
    budget = {name: false_alarms_a_year * share for name, share in SHARES.items()}
    spans = np.diff(at, prepend=at[0] - (at[-1] - at[0]) / max(1, len(at) - 1))
    record = judge_record(looks, alpha["record"])
    since = judge_since(looks, spans, a_year, budget["first_since"])
    idle = unspendable(outlook(looks, since.chance_a_year), budget, a_year)
    lent = sum(idle[name] * alpha[name] for name in idle)
    tail_alpha = np.minimum(alpha["tail"] + lent, 0.5)
    tail = judge_windows(looks, expectation or seasonal(looks, at), tail_alpha)
    absence = judge_absence(looks, a_year, (1.0 - idle["absence"]) * budget["absence"])
    after, step = update(state, looks, 1.0 / alpha["step"])
    step = _without_season(step, looks, at)
    verdict = combine(
        [record.answers, tail.answers, since.answers, absence.answers, step.answers],
        {**SHARES, "tail": SHARES["tail"] + sum(idle[name] * SHARES[name] for name in idle)},
    )
    return Judgement(verdict, record, tail, since, absence, step, after, tail_alpha)


def _without_season(step: Step, looks: Looks, days: FloatArray) -> Step:
    """A step that came at the same time of the year before is the season: it does not fire."""
    rows = np.flatnonzero(step.answers.fires)
    if not rows.size:
        return step
    own = looks.rows(rows)
    began = change_day(own, days, step.looks_ago[rows])
    fires = step.answers.fires.copy()
    fires[rows] = ~as_last_year(own, days, began, rising=step.ratio[rows] > 1.0)
    return replace(step, answers=replace(step.answers, fires=fires))
