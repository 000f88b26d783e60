"""The default rules about the newest looks of a batch: R1, R2, R5, R6 and R7 on one yearly promise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from alerts.baselines.absence import Absence, judge_absence
from alerts.baselines.calibrate import usable_looks_a_year
from alerts.baselines.combine import SHARES, Verdict, combine, split
from alerts.baselines.model import Looks
from alerts.baselines.record import Record, judge_record
from alerts.baselines.since import Since, judge_since
from alerts.baselines.step import Step, StepState, update
from alerts.baselines.tail import Tail, judge_windows
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


def judge(looks: Looks, days: ArrayLike, state: StepState, false_alarms_a_year: float = 0.5) -> Judgement:
    """Judge the newest look; `days` [time] is when the looks were, `state` what R7 remembers of those before."""
    at = np.asarray(days, np.float64)
    a_year = np.maximum(usable_looks_a_year(looks.member, at), 1.0)
    alpha = split(false_alarms_a_year, a_year)
    spans = np.diff(at, prepend=at[0] - (at[-1] - at[0]) / max(1, len(at) - 1))
    record = judge_record(looks, alpha["record"])
    tail = judge_windows(looks, seasonal(looks, at), alpha["tail"])
    since = judge_since(looks, spans, a_year, false_alarms_a_year * SHARES["first_since"])
    absence = judge_absence(looks, a_year, false_alarms_a_year * SHARES["absence"])
    after, step = update(state, looks, 1.0 / alpha["step"])
    verdict = combine([record.answers, tail.answers, since.answers, absence.answers, step.answers])
    return Judgement(verdict, record, tail, since, absence, step, after)
