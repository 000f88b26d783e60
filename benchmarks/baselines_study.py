"""The simulation study: what each rule and the combined verdict catch, at nominal .01 and at equal false alarms.

Run: python -m benchmarks.baselines_study [reps] [seed]
`farrington` is Farrington flexible as R runs it (nbPlugin), on the same series: the bar to beat. The verdict is that of
`defaults.judge`, R1, R2, R5, R6 and R7 on one promise. Rules with a memory (R7, and so the verdict) are run once for each
of several promises; their detection at equal false alarms is read between those.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.baselines.combine import SHARES
from alerts.baselines.defaults import Judgement, judge
from alerts.baselines.ears import ears
from alerts.baselines.farrington import Options, judge_week
from alerts.baselines.model import Looks, observe
from alerts.baselines.record import judge_record
from alerts.baselines.special import BoolArray, normal_sf
from alerts.baselines.step import fresh_state, update
from alerts.baselines.tail import Expectation, judge_tail, judge_windows
from alerts.baselines.tail_weekly import Season, seasonal
from benchmarks.baselines_simulation import (
    FIRST,
    LAST,
    WEEKS,
    FloatArray,
    Metrics,
    Study,
    metrics,
    pod_at,
    simulate,
)

NOMINAL = 0.01
PROMISES = (0.004, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06)
"""False alarms a week promised of the whole verdict; at .04 the step has the nominal .01 to itself."""
RATES = (0.005, 0.01, 0.02)
WEEKS_A_YEAR = 365.25 / 7.0
# The recipe's year has 52 weeks exactly; ours has 365.25 days.
_DAYS = 365.25 / 52.0 * np.arange(WEEKS)
_EVALUATED = range(FIRST - 1, LAST)
HEAD = (
    f"{'rule':<20}{'FPR':>7}{'POD':>6}{'POD1':>6}{'sens':>6}{'PPV':>6}{'F1':>6}{'delay':>7}{'missed':>7}"
    f"{'POD at .005':>13}{'.01':>6}{'.02':>6}"
)
ATTAINABLE = "attainable"
Scores = dict[str, FloatArray]


def by_week(judge: Callable[[int], FloatArray]) -> FloatArray:
    """P of every evaluated week, [series, 49]."""
    return np.stack([judge(week) for week in _EVALUATED], axis=1)


def farrington(counts: FloatArray) -> FloatArray:
    """Farrington flexible, five years, ten levels."""
    ones = np.ones_like(counts)
    return by_week(lambda week: judge_week(counts, ones, week, Options()).p)


def tails(counts: FloatArray, years: float) -> Scores:
    """R2 on the newest week alone, and shared with the sum of the newest two."""
    single, windows, chance = [], [], []
    for week in _EVALUATED:
        looks = observe(counts[:, : week + 1])
        expectation = seasonal(looks, _DAYS[: week + 1], Season(longest_years=years))
        tail = judge_tail(looks, expectation)
        single.append(tail.p_high)
        chance.append(tail.attainable(NOMINAL))
        windows.append(judge_windows(looks, expectation).p_high)
    stacked = {"tail": single, "tail, 2 weeks": windows, ATTAINABLE: chance}
    return {name: np.stack(parts, axis=1) for name, parts in stacked.items()}


def records(counts: FloatArray) -> FloatArray:
    """R1 over five years."""
    return by_week(lambda week: judge_record(observe(counts[:, max(0, week - 260) : week + 1])).answers.p)


@dataclass(frozen=True, slots=True)
class Run:
    """One promise: alarms [series, 49] of each rule and of the verdict, and the chance that whole counts leave R2."""

    alarms: dict[str, BoolArray]
    attainable: float


def expectations(counts: FloatArray) -> list[Expectation]:
    """R2's expectation of every evaluated week, from ten years."""
    return [seasonal(observe(counts[:, : week + 1]), _DAYS[: week + 1]) for week in _EVALUATED]


def verdicts(counts: FloatArray, expected: Sequence[Expectation], promise: float) -> Run:
    """Learn the step's memory, then judge week by week as `defaults.judge` does, with so many false alarms a week."""
    state = fresh_state(len(counts))
    for week in range(FIRST - 1):
        state, _ = update(state, observe(counts[:, week : week + 1]), 1.0 / (promise * SHARES["step"]))
    found: dict[str, list[BoolArray]] = {}
    chance = []
    for week, expectation in zip(_EVALUATED, expected, strict=True):
        looks = observe(counts[:, : week + 1])
        judged = judge(looks, _DAYS[: week + 1], state, promise * WEEKS_A_YEAR, expectation=expectation)
        state = judged.state
        chance.append(_tail_chance(looks, expectation, judged))
        for name in ("verdict", *SHARES):
            answers = judged.since if name == "first_since" else getattr(judged, name)
            fires = answers.fires if name == "verdict" else answers.answers.fires
            found.setdefault(name, []).append(fires)
    alarms = {name: np.stack(parts, axis=1) for name, parts in found.items()}
    return Run(alarms, float(np.mean(chance)))


def _tail_chance(looks: Looks, expectation: Expectation, judged: Judgement) -> float:
    """What whole counts allow the two windows of R2 together, at its own share and what the others lent."""
    windows = 2
    chance = judge_tail(looks, expectation).attainable(judged.tail_alpha / windows)
    return float(np.mean(windows * chance))


def all_p(counts: FloatArray) -> Scores:
    """P of every rule that has no memory, [series, 49]."""
    five, ten = tails(counts, 5.0), tails(counts, 10.0)
    c2 = ears(observe(counts), "C2").statistic[:, FIRST - 1 :]
    return {
        "farrington (as R)": farrington(counts),
        "tail, 5 years": five["tail"],
        "tail, 5 y, 2 weeks": five["tail, 2 weeks"],
        "tail, 10 years": ten["tail"],
        "tail, 10 y, 2 weeks": ten["tail, 2 weeks"],
        "record, 5 years": records(counts),
        "EARS C2": np.nan_to_num(normal_sf(c2), nan=1.0),
        f"{ATTAINABLE}, 5 years": five[ATTAINABLE],
        f"{ATTAINABLE}, 10 years": ten[ATTAINABLE],
    }


def by_score(study: Study) -> list[str]:
    """Rules that give every week a p: metrics at the nominal rate, then POD at equal realised rates."""
    null, outbreak = all_p(study.null), all_p(study.outbreak)
    chance = {years: float(null.pop(f"{ATTAINABLE}, {years} years").mean()) for years in (5, 10)}
    lines = [HEAD]
    for name, p in null.items():
        scores = (-np.log(np.maximum(each, 1e-300)) for each in (p, outbreak[name]))
        without, with_ = scores
        equal = [pod_at(study, without, with_, rate) for rate in RATES]
        lines.append(_line(name, metrics(study, p <= NOMINAL, outbreak[name] <= NOMINAL), equal))
    for years, attainable in chance.items():
        realised = float((null[f"tail, {years} years"] <= NOMINAL).mean())
        lines.append(
            f"tail, {years} years: realised {realised:.5f} false alarms a week, attainable with whole counts "
            f"{attainable:.5f}, promised {NOMINAL}: {realised / attainable:.2f} of the attainable"
        )
    return lines


def by_promise(study: Study) -> list[str]:
    """The step alone and the verdict, run at every promise."""
    expected = [expectations(counts) for counts in (study.null, study.outbreak)]
    null, outbreak = (
        {promise: verdicts(counts, known, promise) for promise in PROMISES}
        for counts, known in zip((study.null, study.outbreak), expected, strict=True)
    )
    lines = [HEAD]
    for name, nominal in (("step", NOMINAL / SHARES["step"]), ("verdict", NOMINAL)):
        found = [metrics(study, null[each].alarms[name], outbreak[each].alarms[name]) for each in PROMISES]
        rates, pods = [each.fpr for each in found], [each.pod for each in found]
        equal = [float(np.interp(rate, rates, pods, np.nan, np.nan)) for rate in RATES]
        lines.append(_line(name, found[PROMISES.index(nominal)], equal))
    lines.append(
        f"{'promise':<10}{'FPR':>8}{'POD':>7}   false alarms a week of each rule; what R2 could attain"
    )
    for promise in PROMISES:
        run = null[promise]
        whole = metrics(study, run.alarms["verdict"], outbreak[promise].alarms["verdict"])
        parts = ", ".join(f"{name} {run.alarms[name].mean():.5f}" for name in SHARES)
        lines.append(f"{promise:<10}{whole.fpr:>8.4f}{whole.pod:>7.3f}   {parts}; {run.attainable:.5f}")
    return lines


def _line(name: str, m: Metrics, equal: Sequence[float]) -> str:
    return (
        f"{name:<20}{m.fpr:>7.4f}{m.pod:>6.3f}{m.pod1:>6.3f}{m.sensitivity:>6.3f}{m.ppv:>6.3f}{m.f1:>6.3f}"
        f"{m.delay:>7.2f}{m.missed:>7}{_shown(equal[0]):>13}{_shown(equal[1]):>6}{_shown(equal[2]):>6}"
    )


def _shown(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.3f}"


def main() -> None:
    """Print the tables."""
    given = [int(each) for each in sys.argv[1:] if each.isdigit()]
    reps, seed = (*given, *(40, 2013)[len(given) :])
    study = simulate(reps, seed)
    print(f"42 scenarios x {reps} series, seed {seed}, nominal {NOMINAL} a week")
    print("\n".join([*by_score(study), "", *by_promise(study)]))


if __name__ == "__main__":
    main()
