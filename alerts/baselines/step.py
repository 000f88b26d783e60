"""Step or slow rise (R7): evidence that the rate changed, as a small state updated look by look.

For each rate ratio k, M ← (M + 1)·P(y; km)/P(y; m) (Shiryaev-Roberts). The alarm is at a mean M of c = L/F: if
nothing changes, M grows by one a look on average, so chance alarms lie at least c looks apart.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from alerts.baselines.answers import Answers, answer
from alerts.baselines.model import Looks, shrink_dispersion
from alerts.baselines.nb import size_of
from alerts.baselines.special import BoolArray, FloatArray, IntArray

RATIOS = (5.0, 3.0, 2.0, 1.5, 0.67, 0.5, 0.33)
LEAST_LOOKS = 30
_LOG_CAP = 50.0
_LARGEST_M = 1e12
_LARGEST_SIZE = 1e12
_CAP_SD, _CAP_EVENTS = 6.0, 10.0


@dataclass(frozen=True, slots=True)
class StepState:
    """What S series remember between looks; one series is one short row (K ratios: 5·K + 4 numbers).

    The baseline is what came before; for each ratio the sums since its likeliest change point stand beside it.
    """

    n: FloatArray
    events: FloatArray
    exposure: FloatArray
    pearson: FloatArray
    m: FloatArray
    """[S, K] Shiryaev-Roberts statistic"""
    climb: FloatArray
    """[S, K] log likelihood ratio since the likeliest change point, never below 0"""
    since_n: FloatArray
    since_events: FloatArray
    since_exposure: FloatArray

    def row(self, series: int) -> dict[str, list[float] | float]:
        """One series' state as plain numbers, for storage."""
        return {field.name: getattr(self, field.name)[series].tolist() for field in fields(self)}


def state_of(rows: list[dict[str, list[float] | float]]) -> StepState:
    """The state of stored rows."""
    return StepState(
        **{field.name: np.array([row[field.name] for row in rows], np.float64) for field in fields(StepState)}
    )


def fresh_state(series: int) -> StepState:
    """The state before the first look."""
    scalars = [np.zeros(series) for _ in range(4)]
    arrays = [np.zeros((series, len(RATIOS))) for _ in range(5)]
    return StepState(*scalars, *arrays)


@dataclass(frozen=True, slots=True)
class Step:
    """After the newest look of S series: "about `ratio` times the usual rate for `looks_ago` usable looks"."""

    answers: Answers
    """`p` is 1/evidence: how often a look, alarms at that level would come by chance."""
    evidence: FloatArray
    """Mean M over the ratios."""
    ratio: FloatArray
    """Rate since the likeliest change point over the rate before."""
    looks_ago: IntArray
    """Usable looks since the likeliest change point, today included."""
    before: FloatArray
    """Usual count of a look at full exposure."""


def update(state: StepState, looks: Looks, alarm_at: FloatArray | float) -> tuple[StepState, Step]:
    """Take in the newest look of S series; `alarm_at` is c, the looks between chance alarms.

    A look outside baselines changes nothing. One look gives at most half the evidence of an alarm, so that a
    single surge is no step. An alarm also needs today's count on the side of the change; after it the
    statistics restart and the baseline is what was seen since the likeliest change point.
    """
    now = _moment(state, looks, np.broadcast_to(np.asarray(alarm_at, np.float64), state.n.shape))
    learnt = _learn(_move(state, now), now)
    best = learnt.m.argmax(axis=1)
    step = _describe(learnt, now, best)
    return _restart(learnt, best, now.dispersion, step.answers.fires), step


@dataclass(frozen=True, slots=True)
class _Moment:
    """The newest look against the baseline before it."""

    y: FloatArray
    exposure: FloatArray
    used: BoolArray
    ready: BoolArray
    rate: FloatArray
    dispersion: FloatArray
    mean: FloatArray
    variance: FloatArray
    certainty: FloatArray
    """What the uncertainty of the rate multiplies the variance by."""
    alarm_at: FloatArray


def _moment(state: StepState, looks: Looks, alarm_at: FloatArray) -> _Moment:
    used = looks.member[:, -1]
    y = np.where(used, looks.today, 0.0)
    e = np.where(used, looks.today_exposure, 0.0)
    rate, dispersion = _baseline(state)
    mean = rate * e
    certainty = 1.0 + mean / (state.events + 0.5)
    variance = dispersion * mean * certainty
    y = np.minimum(y, np.where(state.n > 0, mean + _CAP_SD * np.sqrt(variance) + _CAP_EVENTS, y))
    ready = used & (state.n >= LEAST_LOOKS)
    return _Moment(y, e, used, ready, rate, dispersion, mean, variance, certainty, alarm_at)


def replay(looks: Looks, alarm_at: FloatArray | float) -> tuple[StepState, Step, BoolArray]:
    """Run all looks from the start: final state, last answer, alarms [S, T]."""
    state = fresh_state(len(looks.counts))
    alarms = np.zeros(looks.counts.shape, dtype=bool)
    step = None
    for column in range(looks.counts.shape[1]):
        state, step = update(state, looks.window(slice(column, column + 1)), alarm_at)
        alarms[:, column] = step.answers.fires
    assert step is not None, "a batch always has a newest look"
    return state, step, alarms


def _baseline(state: StepState) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(state.exposure > 0, (state.events + 0.5) / state.exposure, 0.0)
    return rate, shrink_dispersion(state.pearson, np.maximum(state.n, 1).astype(np.int64))


def _move(state: StepState, now: _Moment) -> StepState:
    """Update M, and the sums since the last time each ratio had nothing going for it."""
    size = np.minimum(size_of(now.mean, now.variance), _LARGEST_SIZE)
    k = np.array(RATIOS)
    relative = (now.mean / (size + now.mean))[:, None] * (k - 1.0)
    log_ratio = now.y[:, None] * np.log(k) - (now.y + size)[:, None] * np.log1p(relative)
    # Half of what lifts the mean over all ratios to c; capping evidence only makes alarms rarer.
    cap = np.minimum(_LOG_CAP, np.log(len(RATIOS) * np.maximum(now.alarm_at, np.e)) / 2.0)[:, None]
    seen = now.ready[:, None]
    log_ratio = np.where(seen, np.clip(log_ratio, -_LOG_CAP, cap), 0.0)
    m = np.where(seen, np.minimum((state.m + 1.0) * np.exp(log_ratio), _LARGEST_M), state.m)
    climb = np.maximum(state.climb + log_ratio, 0.0)
    alive = climb > 0

    def since(before: FloatArray, added: FloatArray) -> FloatArray:
        return np.where(alive, before + np.where(seen, added[:, None], 0.0), 0.0)

    return replace(
        state,
        m=m,
        climb=climb,
        since_n=since(state.since_n, np.ones_like(now.y)),
        since_events=since(state.since_events, now.y),
        since_exposure=since(state.since_exposure, now.exposure),
    )


def _learn(state: StepState, now: _Moment) -> StepState:
    """Add the look to the baseline; its residual is shrunk by what the mean's uncertainty adds to it."""
    known = now.used & (now.mean > 0)
    scale = np.where(known, now.mean * now.certainty, 1.0)
    return replace(
        state,
        n=state.n + now.used,
        events=state.events + np.where(now.used, now.y, 0.0),
        exposure=state.exposure + now.exposure,
        pearson=state.pearson + np.where(known, (now.y - now.mean) ** 2 / scale, 0.0),
    )


def _since(state: StepState, best: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    n, events, exposure = (
        np.take_along_axis(part, best[:, None], axis=1)[:, 0]
        for part in (state.since_n, state.since_events, state.since_exposure)
    )
    return n, events, exposure


def _describe(state: StepState, now: _Moment, best: IntArray) -> Step:
    evidence = state.m.mean(axis=1)
    n, events, exposure = _since(state, best)
    with np.errstate(divide="ignore", invalid="ignore"):
        before = np.where(state.n > n, state.events - events, np.nan) / (state.exposure - exposure)
        ratio = (events / exposure) / before
        p = np.minimum(1.0, 1.0 / evidence)
    above = now.y - now.mean
    agrees = now.ready & np.where(np.array(RATIOS)[best] > 1.0, above > 0, above < 0)
    needs = np.where(now.ready, 0, np.maximum(0, LEAST_LOOKS - state.n)).astype(np.int64)
    alpha = np.where(agrees, 1.0 / now.alarm_at, -1.0)
    settled = answer("step", p, observed=now.used, needs=needs, alpha=alpha)
    return Step(settled, evidence, ratio, n.astype(np.int64), before)


def _restart(state: StepState, best: IntArray, dispersion: FloatArray, fired: BoolArray) -> StepState:
    """After an alarm: the baseline begins at the likeliest change point, and no evidence stands."""
    if not fired.any():
        return state
    n, events, exposure = _since(state, best)
    empty = fired[:, None]
    return StepState(
        n=np.where(fired, n, state.n),
        events=np.where(fired, events, state.events),
        exposure=np.where(fired, exposure, state.exposure),
        pearson=np.where(fired, dispersion * np.maximum(n - 1.0, 0.0), state.pearson),
        **{
            name: np.where(empty, 0.0, getattr(state, name))
            for name in ("m", "climb", "since_n", "since_events", "since_exposure")
        },
    )
