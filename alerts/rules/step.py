"""`step`: the rate changed, at once or slowly, upwards or downwards, and stays changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import numpy as np

from alerts.baselines.calibrate import DAYS_A_YEAR
from alerts.baselines.model import Looks
from alerts.baselines.special import FloatArray
from alerts.baselines.step import Step, StepState, fresh_state, state_of, update
from alerts.baselines.step_season import as_last_year
from alerts.rules import day
from alerts.rules.contract import Context, History, Params, State, Verdict
from alerts.rules.figures import Case, Finding, Side, open_case, refuse, settle, since
from alerts.words import number
from db.records import Observation

_LEAST_SPAN_DAYS = 1.0
_MOST_EVIDENCE = 1e300


class StepRule:
    """Fires where the evidence for another rate reaches what chance alone gives once in L/F looks.

    What it remembers covers the looks before the judged one, so that a running day may be judged again and
    again. Where the same weeks of the year before were no different, it is the season and no step. The memory holds only for the very looks it was learnt from: a late or corrected look rebuilds it.
    """

    name = "step"
    strength = 16
    defaults: Params = MappingProxyType({})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Take in the looks since the remembered one, then judge this one."""
        case = open_case(self.name, look, history, context)
        if isinstance(case, Verdict):
            return case
        alarm_at = _alarm_at(case)
        learnt, remembered = _learn(case, history.states.get(self.name), alarm_at)
        _, found = update(learnt, case.series.looks.window(slice(-1, None)), alarm_at[-1:])
        refused = refuse(case, found.answers, state=remembered)
        if refused:
            return _since_last_step(refused, int(learnt.n[0]))
        return settle(case, _finding(case, found), remembered)


def _since_last_step(refused: Verdict, n: int) -> Verdict:
    """After a step the usual rate is learnt anew: say that the looks before it no longer count."""
    known = refused.details.get("n", 0)
    if refused.status != "cannot_tell" or n >= known:
        return refused
    reason = (
        f"Learning anew after a step: {n} of {known} usable earlier looks lie behind it, "
        f"needs {refused.details['missing']} more."
    )
    return replace(refused, reason=reason, details={**refused.details, "n": n})


def _finding(case: Case, found: Step) -> Finding:
    evidence = float(found.evidence[0])
    p = min(1.0, 1.0 / max(evidence, 1.0 / _MOST_EVIDENCE))
    ratio, before, looks = float(found.ratio[0]), float(found.before[0]), int(found.looks_ago[0])
    side: Side = "low" if ratio < 1 else "high"
    members = np.flatnonzero(case.series.looks.member[0])
    changed = members[-looks:][:1] if looks else members[:0]
    if not changed.size or not np.isfinite(ratio):
        sentence = f"No change of rate, from {since(case)}."
        return Finding(1.0, "high", float(case.series.looks.today[0]), sentence, eligible=False)
    at = case.look.period_start + timedelta(days=float(case.series.days[changed[0]]))
    sentence = (
        f"About {number(ratio)} times the usual rate since {day(at, case.context)} ({looks} usable looks; usual "
        f"{number(before)} a look), from {since(case)}; chance alone says so once in {1 / p:,.0f} looks."
    )
    exposure = case.series.looks.today_exposure[0]
    expected = before * (1.0 if np.isnan(exposure) else float(exposure))
    more = {"rate_ratio": round(ratio, 3), "since": at.isoformat(), "evidence": float(f"{evidence:.4g}")}
    threshold = np.floor(expected) if side == "high" else np.ceil(expected)
    eligible = bool(found.answers.fires[0])
    began = case.series.days[changed]
    if (
        eligible
        and as_last_year(case.series.looks, case.series.days, began, rising=np.array([side == "high"]))[0]
    ):
        eligible = False
        sentence += " So it was in the same season a year before."
    return Finding(p, side, float(threshold), sentence, expected, eligible=eligible, more=more)


def _alarm_at(case: Case) -> FloatArray:
    """Looks between chance alarms, c = L/F, for every column by the usable looks a year up to it."""
    budget = case.context.promise.whole_a_year(case.rule)
    days = case.series.days
    seen = np.concatenate([[0], np.cumsum(case.series.looks.member[0])])
    first = np.searchsorted(days, days - DAYS_A_YEAR, side="right")
    span = np.clip(days - days[0], _LEAST_SPAN_DAYS, DAYS_A_YEAR)
    recent = (seen[1:] - seen[first]) * DAYS_A_YEAR / span
    average = seen[1:] * DAYS_A_YEAR / np.maximum(days - days[0], DAYS_A_YEAR)
    a_year = np.maximum(1.0, np.maximum(recent, average))
    alarm_at: FloatArray = np.maximum(2.0, a_year / max(budget, 1e-9))
    return alarm_at


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A stretch of earlier looks, named by what is in it."""

    columns: int
    digest: str


def _prefix(looks: Looks, alarm_at: FloatArray, columns: int) -> _Prefix:
    parts = (looks.counts[0, :columns], looks.exposure[0, :columns], np.round(alarm_at[:columns], 6))
    told = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return _Prefix(columns, blake2b(told, digest_size=12).hexdigest())


def _learn(case: Case, stored: State | None, alarm_at: FloatArray) -> tuple[StepState, State]:
    """The state after all earlier looks, from the remembered one where that still holds."""
    looks = case.series.looks
    columns = looks.counts.shape[1] - 1
    state, begun = fresh_state(1), 0
    if stored is not None and _holds(stored, looks, alarm_at, columns):
        state, begun = state_of([stored["numbers"]]), int(stored["columns"])
    for column in range(begun, columns):
        here = slice(column, column + 1)
        state, _ = update(state, looks.window(here), alarm_at[here])
    now = _prefix(looks, alarm_at, columns)
    return state, {"columns": now.columns, "digest": now.digest, "numbers": state.row(0)}


def _holds(stored: Mapping[str, Any], looks: Looks, alarm_at: FloatArray, columns: int) -> bool:
    known = int(stored["columns"])
    return known <= columns and _prefix(looks, alarm_at, known).digest == stored["digest"]
