"""How much could be detected at all: the study's outbreaks, found by somebody who is told level, season and dispersion.

Run: OMP_NUM_THREADS=1 python -m benchmarks.baselines_oracle [reps] [seed], or with the folder of the shared data for the 420 series kept there
Every law here is the one that the counts were drawn from, and p is uniform (whole counts are spread by chance), so no rule
that has to learn the law can hope for more. The last rows are told how outbreaks are drawn as well, and only not when.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import erf, log, sqrt
from pathlib import Path

import numpy as np

from alerts.baselines import nb
from alerts.baselines.special import FloatArray
from alerts.baselines.tail import staked
from benchmarks.baselines_data import simulated
from benchmarks.baselines_simulation import FIRST, LAST, PRESENT_STRENGTHS, Study, pod_at, scenarios, simulate

RATES = (0.0057, 0.01, 0.02)
_WARM = 5
_AGES = 4
"""Weeks that an outbreak lasts: all but one case in 300 come within four."""
_WEIGHTS = {"evenly": (1.0, 1.0, 1.0, 1.0), "on the second week": (0.2, 1.0, 0.2, 0.0)}
_SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """Counts of the judged weeks [S, T] and those just before them, with the law that they were drawn from."""

    counts: FloatArray
    mean: FloatArray
    phi: FloatArray
    chance: FloatArray
    """Numbers in (0, 1) that spread whole counts."""

    def size(self, mean: FloatArray) -> FloatArray:
        """The negative binomial's size at this mean; Poisson's where φ is 1."""
        with np.errstate(divide="ignore"):
            return np.where(self.phi > 1.0, mean / (self.phi - 1.0), np.inf)

    def tails(self, counts: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P(at least so many) spread by chance, and its middle."""
        size = self.size(mean)
        at_least, just = nb.sf(counts, mean, size), np.exp(nb.log_pmf(counts, mean, size))
        return at_least - self.chance[:, -counts.shape[1] :] * just, at_least - 0.5 * just


def scores(known: Known) -> Iterator[tuple[str, FloatArray]]:
    """What each way of looking makes of every week, [S, T - 5]; more is more unusual."""
    p, middle = known.tails(known.counts, known.mean)
    now, before = slice(_WARM, None), slice(_WARM - 1, -1)
    yield "one look", -np.log(p[:, now])
    two, _ = known.tails(known.counts[:, 1:] + known.counts[:, :-1], known.mean[:, 1:] + known.mean[:, :-1])
    yield "one look or two together", -np.log(np.minimum(p[:, now], two[:, _WARM - 1 :]))
    yield "one look, staked by the one before", -np.log(p[:, now] / staked(middle[:, before]))
    likely = _likelihoods(known)
    for name, weights in _WEIGHTS.items():
        yield (
            f"likelihood of outbreaks, {name}",
            np.log(np.tensordot(np.array(weights), likely, 1))[:, _WARM:],
        )


def _likelihoods(known: Known) -> FloatArray:
    """How much likelier an outbreak that began 0 to 3 weeks ago makes the weeks since, over its strengths; [4, S, T]."""
    plain = nb.log_pmf(known.counts, known.mean, known.size(known.mean))
    total = np.zeros((_AGES, *known.counts.shape))
    for strength in PRESENT_STRENGTHS:
        week = [
            _with_cases(known, strength * _share(age) * np.sqrt(known.phi * np.roll(known.mean, age, axis=1)))
            - plain
            for age in range(_AGES)
        ]
        for age in range(_AGES):
            since = sum(np.roll(week[at], age - at, axis=1) for at in range(age + 1))
            total[age] += np.exp(since) / len(PRESENT_STRENGTHS)
    return total


def _share(age: int) -> float:
    """The share of an outbreak's cases that come in this week of it."""
    upto = [0.5 * (1.0 + erf(log(week) / _SPREAD / sqrt(2.0))) if week else 0.0 for week in (age, age + 1)]
    return upto[1] - upto[0]


def _with_cases(known: Known, cases: FloatArray) -> FloatArray:
    """The log chance of the counts where so many cases of an outbreak are expected among them."""
    size, y = known.size(known.mean), known.counts
    first = np.maximum(0.0, np.floor(cases - 8.0 * np.sqrt(cases) - 5.0))
    total = np.zeros_like(y)
    for step in range(int(16.0 * np.sqrt(cases.max()) + 15.0)):
        added = first + step
        fits = added <= y
        if not fits.any():
            break
        rest = nb.log_pmf((y - added)[fits], known.mean[fits], size[fits])
        total[fits] += np.exp(nb.log_pmf(added[fits], cases[fits]) + rest)
    return np.log(np.maximum(total, 1e-300))


def known_laws(study: Study) -> tuple[Known, Known]:
    """The series without and with the present outbreak."""
    rng = np.random.default_rng(5)
    law = {each.number: each for each in scenarios()}
    weeks = slice(FIRST - 1 - _WARM, LAST)
    mean = np.array([law[number].mean() for number in study.scenario.tolist()])[:, weeks]
    phi = np.array([law[number].phi for number in study.scenario.tolist()])[:, None]
    chance = [rng.random(mean.shape) for _ in range(2)]
    return (
        Known(study.null[:, weeks], mean, phi, chance[0]),
        Known(study.outbreak[:, weeks], mean, phi, chance[1]),
    )


def main() -> None:
    """Print POD at three rates of false alarms."""
    given = [int(each) for each in sys.argv[1:] if each.isdigit()]
    reps, seed = (*given, *(40, 901)[len(given) :])
    kept = next((Path(each) for each in sys.argv[1:] if Path(each).is_dir()), None)
    if kept is None:
        study = simulate(reps, seed)
    else:
        series = simulated(kept)
        none = np.zeros_like(series.start)
        # R knows each series by 20 times its scenario's number.
        scenario = (series.number - 1) // 20 + 1
        study = Study(scenario, none, none, series.null, series.outbreak, series.start, series.end)
    print(f"{len(study.start)} series, level, season and dispersion known; POD at a false alarm rate of")
    print(f"{'':<40}" + "".join(f"{rate:>8}" for rate in RATES))
    for (name, null), (_, outbreak) in zip(*(scores(each) for each in known_laws(study)), strict=True):
        print(
            f"{name:<40}" + "".join(f"{pod_at(study, null, outbreak, rate):>8.3f}" for rate in RATES),
            flush=True,
        )


if __name__ == "__main__":
    main()
