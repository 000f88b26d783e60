"""From records to the engine of verdicts: what one look and its history ask of it, and what is remembered. Pure."""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np

from alerts.baselines.engine import Judgement, RuleParameters, SideInformation, judge_series
from alerts.baselines.model import Series
from alerts.baselines.since import Watched
from alerts.baselines.step import Memory, alarm_at, step_state
from alerts.rules import last_seen
from alerts.rules.contract import LookHistory, RuleContext, RuleState
from alerts.rules.series import DAY_S, certain_count
from db.records import Observation


def ask_engine(
    look: Observation, history: LookHistory, context: RuleContext, rules: Mapping[str, RuleParameters]
) -> Judgement:
    """Ask the engine about one look by those of these rules that have a probability."""
    series = history.series(look)
    stored = history.states.get("step") if "step" in rules else None
    beside = SideInformation(
        watched=_watched(look, history),
        highest=np.array([max((certain_count(each) for each in history.looks), default=0.0)]),
        memory=None if stored is None else _remembered(stored, series, context),
    )
    return judge_series(series, context.promise, rules, beside)


def _watched(look: Observation, history: LookHistory) -> Watched:
    seen = last_seen(history)
    gap = np.nan if seen is None else (look.period_start - seen.period_end).total_seconds() / DAY_S
    since = history.observed_days_since
    if since is None:
        since = min(history.observed_days, gap) if seen is not None else np.nan
    return Watched(
        np.array([len(history.looks)]), np.array([history.observed_days]), np.array([since]), np.array([gap])
    )


def step_memory_record(memory: Memory, series: Series, context: RuleContext) -> RuleState:
    """A step's memory in JSON types, with a digest of the very looks that it was learnt from."""
    digest = _digest(series, context, memory.columns)
    return {"columns": memory.columns, "digest": digest, "numbers": memory.state.row(0)}


def _remembered(stored: RuleState, series: Series, context: RuleContext) -> Memory | None:
    """A kept memory, None where a late or corrected look or another promise calls for learning anew."""
    columns = int(stored["columns"])
    if columns >= len(series.days) or _digest(series, context, columns) != stored["digest"]:
        return None
    return Memory(columns, step_state([stored["numbers"]]))


def _digest(series: Series, context: RuleContext, columns: int) -> str:
    bounds = alarm_at(series, context.promise.a_year("step"))[0, :columns]
    looks = series.looks
    parts = (looks.counts[0, :columns], looks.exposure[0, :columns], np.round(bounds, 6))
    told = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return blake2b(told, digest_size=12).hexdigest()
