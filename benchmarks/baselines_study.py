"""The simulation study: what each rule and the combined verdict catch, at nominal .01 and at equal false alarms.

Run: python -m benchmarks.baselines_study [reps] [seed], or with the folder of the shared data for the 420 series kept there
`farrington` is Farrington flexible as R runs it (nbPlugin), on the same series: the bar to beat. All else is asked of
the engine of verdicts as the live line asks it, about all series at once: a rule alone, or the six rules with a share
of the promise. Rules with a memory (R7, and so the verdict) are run once for each of several promises; their detection
at equal false alarms is read between those.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import Judgement, Remembered, SideInformation, TwoSided, judge_series
from alerts.baselines.farrington import FarringtonOptions, judge_week
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import BoolArray
from alerts.baselines.step import Memory
from alerts.baselines.usual import UsualCount, usual_count
from benchmarks.baselines_data import simulated
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
from monitor.bootstrap import RULES

NOMINAL = 0.01
PROMISES = (0.004, 0.0075, 0.01, 0.0125, 0.025)
"""False alarms a week promised of the whole verdict."""
VERDICT = ("record", "tail", "first_ever", "first_since", "absence", "step")
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
    return by_week(lambda week: judge_week(counts, ones, week, FarringtonOptions()).p)


def series_of(counts: FloatArray, week: int, longest: int = WEEKS) -> Series:
    """The weeks up to this one, and at most so many of them."""
    first = max(0, week + 1 - longest)
    return Series(
        _DAYS[first : week + 1] - _DAYS[week], clean_looks(counts[:, first : week + 1]), period_days=7.0
    )


def asked(*names: str) -> dict[str, dict[str, object]]:
    """Rules with the parameters that they have unless somebody sets others."""
    return {name: dict(RULES[name].defaults) for name in names}


def alone(counts: FloatArray, rule: str, longest: int = WEEKS) -> FloatArray:
    """P of one rule that is asked alone about every evaluated week; 1 where it cannot tell."""

    def p(week: int) -> FloatArray:
        said = judge_series(series_of(counts, week, longest), FalseAlarmPromise(), asked(rule))
        return np.nan_to_num(said.rulings[rule].answers.p, nan=1.0)

    return by_week(p)


def tails(counts: FloatArray, years: float) -> Scores:
    """R2 on the newest week alone (asked as of a stock, which is never summed), and with the sum of two (a flow)."""
    found: dict[str, list[FloatArray]] = {"tail": [], "tail, 2 weeks": [], ATTAINABLE: []}
    rules = {"tail": {**RULES["tail"].defaults, "longest_years": years}}
    for week in _EVALUATED:
        flow = series_of(counts, week)
        both = judge_series(flow, FalseAlarmPromise(), rules).rulings["tail"]
        what = both.of(TwoSided).usual
        snapshot = UsualCount(what.looks, what.expectation, 1, None)
        single = judge_series(flow, FalseAlarmPromise(), rules, SideInformation(usual=snapshot)).rulings[
            "tail"
        ]
        found["tail"].append(single.answers.p)
        found["tail, 2 weeks"].append(both.answers.p)
        found[ATTAINABLE].append(snapshot.attainable(np.full(len(counts), NOMINAL)))
    return {name: np.stack(parts, axis=1) for name, parts in found.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """One promise: alarms [series, 49] of each rule and of the verdict, and the chance that whole counts leave R2."""

    alarms: dict[str, BoolArray]
    attainable: float


def expectations(counts: FloatArray) -> list[UsualCount]:
    """What R2 expects of every evaluated week; no promise changes it."""
    return [usual_count(series_of(counts, week)) for week in _EVALUATED]


def verdicts(counts: FloatArray, expected: Sequence[UsualCount], promise: float) -> Run:
    """Judge week by week by the rules of a verdict on one promise, so many false alarms a week."""
    rules = asked(*VERDICT)
    whole = dict.fromkeys(("notify", "urgent", "digest"), promise * WEEKS_A_YEAR)
    terms = FalseAlarmPromise(whole, shares_of(VERDICT))
    memory: Memory | None = None
    found: dict[str, list[BoolArray]] = {}
    chance = []
    for week, what in zip(_EVALUATED, expected, strict=True):
        said = judge_series(series_of(counts, week), terms, rules, SideInformation(memory=memory, usual=what))
        memory = said.rulings["step"].of(Remembered).memory
        chance.append(_tail_chance(said, what))
        found.setdefault("verdict", []).append(said.fires)
        for name, ruling in said.rulings.items():
            found.setdefault(name, []).append(ruling.fires)
    alarms = {name: np.stack(parts, axis=1) for name, parts in found.items()}
    return Run(alarms, float(np.mean(chance)))


def _tail_chance(said: Judgement, what: UsualCount) -> float:
    """What whole counts allow R2, at its own share and what the others lent."""
    return float(np.mean(what.attainable(said.spending.bound("tail"))))


def all_p(counts: FloatArray) -> Scores:
    """P of every rule that has no memory, [series, 49]."""
    five, ten = tails(counts, 5.0), tails(counts, 10.0)
    return {
        "farrington (as R)": farrington(counts),
        "tail, 5 years": five["tail"],
        "tail, 5 y, 2 weeks": five["tail, 2 weeks"],
        "tail, 10 years": ten["tail"],
        "tail, 10 y, 2 weeks": ten["tail, 2 weeks"],
        "record, 5 years": alone(counts, "record", 261),
        "EARS C2": alone(counts, "ears_c2", 120),
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
    for name in ("step", "verdict"):
        found = [metrics(study, null[each].alarms[name], outbreak[each].alarms[name]) for each in PROMISES]
        rates, pods = [each.fpr for each in found], [each.pod for each in found]
        equal = [float(np.interp(rate, rates, pods, np.nan, np.nan)) for rate in RATES]
        lines.append(_line(name, found[PROMISES.index(NOMINAL)], equal))
    lines.append(
        f"{'promise':<10}{'FPR':>8}{'POD':>7}   false alarms a week of each rule; what R2 could attain"
    )
    for promise in PROMISES:
        run = null[promise]
        whole = metrics(study, run.alarms["verdict"], outbreak[promise].alarms["verdict"])
        parts = ", ".join(f"{name} {run.alarms[name].mean():.5f}" for name in VERDICT)
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
    kept = next((Path(each) for each in sys.argv[1:] if Path(each).is_dir()), None)
    if kept is not None:
        series = simulated(kept)
        none = np.zeros_like(series.start)
        study = Study(series.number, none, none, series.null, series.outbreak, series.start, series.end)
        print(f"{len(series.number)} series kept in {kept.name}, nominal {NOMINAL} a week", flush=True)
        print("\n".join([*by_score(study), "", *by_promise(study), ""]), flush=True)
    study = simulate(reps, seed)
    print(f"42 scenarios x {reps} series, seed {seed}, nominal {NOMINAL} a week", flush=True)
    print("\n".join([*by_score(study), "", *by_promise(study)]))


if __name__ == "__main__":
    main()
