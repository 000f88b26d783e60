"""Step or slow rise (R7): evidence that the rate changed, as a small state updated look by look.

For each rate ratio k, M ← (M + 1)·P(y; km)/P(y; m) (Shiryaev-Roberts). The alarm is at a mean M of c = L/F: if
nothing changes, M grows by one a look on average, so chance alarms lie at least c looks apart.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from alerts.baselines import nb
from alerts.baselines.answers import Answers, answer_by_p
from alerts.baselines.change_rate import RATE_CHANGE_LEAST_EVENTS
from alerts.baselines.model import DAYS_A_YEAR, Looks, Series, learn_rate, shrink_dispersion
from alerts.baselines.special import BoolArray, FloatArray, IntArray

RATE_RATIOS = (5.0, 3.0, 2.0, 1.5, 0.67, 0.5, 0.33)
STEP_LEAST_LOOKS = 12
_LOG_CAP = 50.0
_LARGEST_M = 1e12
_LARGEST_SIZE = 1e12
_LEAST_ALARM_AT = 2.0
_CLEARLY = 0.05
_LEAST_SPAN_DAYS = 1.0
_CAP_SD, _CAP_EVENTS = 6.0, 10.0
_UNKNOWN_SEASON, _SEASON_LEFT = 0.3, 0.1
_SIEGMUND, _LARGEST_LEAP = 0.583, 1.5


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


def step_state(rows: list[dict[str, list[float] | float]]) -> StepState:
    """The state of stored rows."""
    return StepState(
        **{field.name: np.array([row[field.name] for row in rows], np.float64) for field in fields(StepState)}
    )


def fresh_step_state(series: int) -> StepState:
    """The state before the first look."""
    scalars = [np.zeros(series) for _ in range(4)]
    arrays = [np.zeros((series, len(RATE_RATIOS))) for _ in range(5)]
    return StepState(*scalars, *arrays)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of the first `columns` looks of S series; it can always be learnt again."""

    columns: int
    state: StepState


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
    n: IntArray
    """Usable looks before the newest one that it has learnt from, since the last step."""
    seasonal: BoolArray
    """An alarm that is no news: so it was at the same time of the year before."""


def alarm_at(series: Series, false_alarms_a_year: float) -> FloatArray:
    """Looks between chance alarms as of each look, c = L/F, [series, time].

    By the usable looks a year up to that look, so that a memory is the same whenever it is learnt.
    """
    return np.maximum(_LEAST_ALARM_AT, series.looks_so_far / max(false_alarms_a_year, 1e-9))


def learn(series: Series, bounds: FloatArray, known: Memory | None = None) -> Memory:
    """Take in all looks but the newest; `bounds` [series, time] is c as of each."""
    columns = series.looks.counts.shape[1] - 1
    if known is None or known.columns > columns:
        known = Memory(0, fresh_step_state(len(series.looks.counts)))
    state = known.state
    slack = season_slack(series)
    for column in range(known.columns, columns):
        here = slice(column, column + 1)
        state, _ = update_step(state, series.looks.window(here), bounds[:, column], slack[:, column])
    return Memory(columns, state)


def judge_step(series: Series, bounds: FloatArray, known: Memory) -> Step:
    """Judge the newest look by what is remembered of all before it.

    A step that came at the same time of the year before is the season, and no news.
    """
    before = known.state.n.astype(np.int64)
    newest = series.looks.window(slice(-1, None))
    _, step = update_step(known.state, newest, bounds[:, -1], season_slack(series)[:, -1])
    alarm = step.answers.fires(1.0 / bounds[:, -1])
    seasonal = np.zeros_like(alarm)
    rows = np.flatnonzero(alarm)
    if rows.size:
        own = series.looks.rows(rows)
        began = change_day(own, series.days, step.looks_ago[rows])
        seasonal[rows] = as_last_year(own, series.days, began, rising=step.ratio[rows] > 1.0)
    answers = replace(step.answers, news=alarm & ~seasonal)
    return replace(step, answers=answers, n=before, seasonal=seasonal)


def season_slack(series: Series) -> FloatArray:
    """How far (in logarithms) a season may move the rate at each look, [series, time]: little once a year lies behind it.

    From then on a change is compared with the same weeks of the year before.
    """
    member = series.looks.member
    first = np.where(member.any(axis=1), series.days[member.argmax(axis=1)], np.inf)
    young = series.days - first[:, None] < DAYS_A_YEAR
    return np.where(young, _UNKNOWN_SEASON, _SEASON_LEFT)


def update_step(
    state: StepState, looks: Looks, alarm_at: FloatArray | float, slack: FloatArray | float = 0.0
) -> tuple[StepState, Step]:
    """Take in the newest look of S series; `alarm_at` is c, the looks between chance alarms.

    Within `slack` a change of rate (its logarithm) is no change: evidence is weighed against the nearest such rate.

    A look outside baselines changes nothing. One look gives at most half the evidence of an alarm, so that a
    single surge is no step. An alarm also needs today's count on the side of the change; after it the
    statistics restart and the baseline is what was seen since the likeliest change point.
    """
    bound, loose = (
        np.broadcast_to(np.asarray(part, np.float64), state.n.shape) for part in (alarm_at, slack)
    )
    now = _moment(state, looks, bound, loose)
    learnt = _learn(_move(state, now), now)
    best = learnt.m.argmax(axis=1)
    step = _describe(learnt, now, best)
    return _restart(learnt, best, now.dispersion, step.answers.fires(1.0 / now.alarm_at)), step


@dataclass(frozen=True, slots=True)
class _Moment:
    """The newest look against the baseline before it."""

    y: FloatArray
    exposure: FloatArray
    used: BoolArray
    unknown: BoolArray
    """A count at unknown exposure."""
    ready: BoolArray
    rate: FloatArray
    dispersion: FloatArray
    mean: FloatArray
    variance: FloatArray
    certainty: FloatArray
    """What the uncertainty of the rate multiplies the variance by."""
    alarm_at: FloatArray
    slack: FloatArray


def _moment(state: StepState, looks: Looks, alarm_at: FloatArray, slack: FloatArray) -> _Moment:
    used = looks.member[:, -1]
    y = np.where(used, looks.today, 0.0)
    e = np.where(used, looks.today_exposure, 0.0)
    rate, dispersion = _baseline(state)
    mean = rate * e
    certainty = 1.0 + mean / (state.events + 0.5)
    variance = dispersion * mean * certainty
    y = np.minimum(y, np.where(state.n > 0, mean + _CAP_SD * np.sqrt(variance) + _CAP_EVENTS, y))
    ready = used & (state.n >= STEP_LEAST_LOOKS)
    unknown = looks.seen[:, -1] & np.isnan(looks.today_exposure)
    return _Moment(y, e, used, unknown, ready, rate, dispersion, mean, variance, certainty, alarm_at, slack)


def _baseline(state: StepState) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(state.exposure > 0, (state.events + 0.5) / state.exposure, 0.0)
    return rate, shrink_dispersion(state.pearson, np.maximum(state.n, 1).astype(np.int64))


def _move(state: StepState, now: _Moment) -> StepState:
    """Update M, and the sums since the last time each ratio had nothing going for it."""
    size = np.minimum(nb.size_of(now.mean, now.variance), _LARGEST_SIZE)
    k = np.array(RATE_RATIOS)
    usual = np.exp(now.slack[:, None] * np.sign(np.log(k)))
    mean = now.mean[:, None] * usual
    relative = mean / (size[:, None] + mean) * (k / usual - 1.0)
    log_ratio = now.y[:, None] * np.log(k / usual) - (now.y + size)[:, None] * np.log1p(relative)
    # Half of what lifts the mean over all ratios to c; capping evidence only makes alarms rarer.
    cap = np.minimum(_LOG_CAP, np.log(len(RATE_RATIOS) * np.maximum(now.alarm_at, np.e)) / 2.0)[:, None]
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
    evidence = (state.m / _undershoot(now)).mean(axis=1)
    n, events, exposure = _since(state, best)
    with np.errstate(divide="ignore", invalid="ignore"):
        before = np.where(state.n > n, state.events - events, np.nan) / (state.exposure - exposure)
        ratio = (events / exposure) / before
        p = np.minimum(1.0, 1.0 / evidence)
    above = now.y - now.mean
    agrees = now.ready & np.where(np.array(RATE_RATIOS)[best] > 1.0, above > 0, above < 0)
    needs = np.where(now.ready, 0, np.maximum(0, STEP_LEAST_LOOKS - state.n)).astype(np.int64)
    # A count at unknown exposure was observed, but says too little of the level.
    p = np.where(now.used, p, np.nan)
    settled = answer_by_p("step", p, observed=now.used | now.unknown, needs=needs, news=agrees)
    no = np.zeros(len(evidence), dtype=bool)
    return Step(settled, evidence, ratio, n.astype(np.int64), before, state.n.astype(np.int64), no)


def _undershoot(now: _Moment) -> FloatArray:
    """By how much M may stay below c [S, K] at an alarm, for alarms that really lie c looks apart.

    M passes c with a leap, so that alarms at c itself come too seldom. With a leap of standard deviation d the mean of M at the
    alarm is c·exp(0.583·d) (Siegmund's correction); d is that of a look's log ratio, and one look's evidence is capped.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(now.mean / np.maximum(now.dispersion, 1.0))
    leap = np.minimum(np.abs(np.log(np.array(RATE_RATIOS))) * np.nan_to_num(root)[:, None], _LARGEST_LEAP)
    share: FloatArray = np.exp(-_SIEGMUND * leap)
    return share


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


def change_day(looks: Looks, days: FloatArray, looks_ago: IntArray) -> FloatArray:
    """The day [series] of the look that began the change, `looks_ago` usable looks ago; NaN where there is none."""
    ahead = looks.member[:, ::-1].cumsum(axis=1)[:, ::-1]
    begins = looks.member & (ahead == looks_ago[:, None])
    return np.where(begins.any(axis=1), days[begins.argmax(axis=1)], np.nan)


def as_last_year(looks: Looks, days: FloatArray, since_day: FloatArray, *, rising: BoolArray) -> BoolArray:
    """Whether the looks since that day [series] were not clearly more (or fewer) than a year before.

    `days` [time] ends today. Without 8 events, or without looks then, last year says nothing.
    """
    today = days[-1]
    now = looks.member & (days >= since_day[:, None])
    then = looks.member & (days >= since_day[:, None] - DAYS_A_YEAR)
    then &= days <= today - DAYS_A_YEAR + _LEAST_SPAN_DAYS
    a, b = (np.where(part, looks.counts, 0.0).sum(axis=1) for part in (now, then))
    e_a, e_b = (np.where(part, looks.exposure, 0.0).sum(axis=1) for part in (now, then))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(rising, e_a, e_b) / (e_a + e_b)
    more, less = np.where(rising, a, b), np.where(rising, b, a)
    phi = np.maximum(1.0, learn_rate(looks.past).dispersion)
    told = (b >= RATE_CHANGE_LEAST_EVENTS) & (e_a > 0) & (e_b > 0)
    alike: BoolArray = told & (more == 0)
    asked = told & ~alike
    p = np.exp(nb.log_incomplete_beta((more / phi)[asked], (less / phi)[asked] + 1.0, share[asked]))
    alike[asked] = p > _CLEARLY
    return alike
