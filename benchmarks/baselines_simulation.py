"""The simulation study's series: 42 scenarios of weekly counts with outbreaks (Noufaily et al. 2013).

Weeks 1 to 312 are training, 313 to 575 baseline with four past outbreaks, 576 to 624 are evaluated and hold one
present outbreak. Variance is φ times the mean. Metrics follow Bédubourg and Le Strat (2017).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WEEKS, FIRST, LAST = 624, 576, 624
BASELINE_FROM = 313
PAST_STRENGTHS = (0, 2, 3, 5, 10)
PRESENT_STRENGTHS = tuple(range(1, 11))
_SHORTEST_OUTBREAK = 2
_ROWS = (
    # θ, φ, β, γ₁, γ₂
    (0.1, 1.5, 0.0025, 0.6, 0.6),
    (-2.0, 2.0, 0.005, 0.1, 0.3),
    (1.5, 1.0, 0.003, 0.2, -0.4),
    (0.5, 5.0, 0.002, 0.5, 0.5),
    (2.5, 3.0, 0.001, 1.0, 0.1),
    (3.75, 1.1, 0.001, 0.1, -0.1),
    (5.0, 1.2, 0.0001, 0.05, 0.01),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the recipe's table, with or without trend, with m harmonics."""

    number: int
    theta: float
    phi: float
    beta: float
    gamma1: float
    gamma2: float
    harmonics: int

    def mean(self) -> FloatArray:
        """The mean of every week."""
        week = np.arange(1, WEEKS + 1)
        log_mean = self.theta + self.beta * week
        for j in range(1, self.harmonics + 1):
            angle = 2.0 * np.pi * j * week / 52.0
            log_mean = log_mean + self.gamma1 * np.cos(angle) + self.gamma2 * np.sin(angle)
        mean: FloatArray = np.exp(log_mean)
        return mean


def scenarios() -> list[Scenario]:
    """All 42, harmonics innermost, then trend, then the row."""
    return [
        Scenario(number, theta, phi, beta * trend, gamma1, gamma2, m)
        for number, ((theta, phi, beta, gamma1, gamma2), trend, m) in enumerate(
            product(_ROWS, (0, 1), (0, 1, 2)), start=1
        )
    ]


@dataclass(frozen=True, slots=True)
class Study:
    """Simulated series [S, 624], without and with the present outbreak; start and end are weeks counted from 1."""

    scenario: IntArray
    k1: IntArray
    k2: IntArray
    null: FloatArray
    outbreak: FloatArray
    start: IntArray
    end: IntArray


def simulate(reps: int = 20, seed: int = 2013) -> Study:
    """Draw `reps` series of every scenario; strengths of past and present outbreaks cycle over them."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, int, int]] = []
    nulls, outbreaks = [], []
    for scenario, rep in product(scenarios(), range(reps)):
        mean = scenario.mean()
        null = _counts(rng, mean, scenario.phi)
        k1, k2 = PAST_STRENGTHS[rep % len(PAST_STRENGTHS)], PRESENT_STRENGTHS[rep % len(PRESENT_STRENGTHS)]
        for _ in range(4):
            _, added = _outbreak(rng, mean, scenario.phi, k1, (BASELINE_FROM, FIRST - 1))
            null += added
        start, present = _outbreak(rng, mean, scenario.phi, k2, (FIRST, LAST))
        end = int(np.flatnonzero(present).max(initial=start - 1)) + 1
        nulls.append(null)
        outbreaks.append(null + present)
        rows.append((scenario.number, k1, k2, start, end))
    number, k1s, k2s, starts, ends = (np.array(part) for part in zip(*rows, strict=True))
    return Study(number, k1s, k2s, np.array(nulls), np.array(outbreaks), starts, ends)


def _counts(rng: np.random.Generator, mean: FloatArray, phi: float) -> FloatArray:
    if phi == 1.0:
        return rng.poisson(mean).astype(np.float64)
    return rng.negative_binomial(mean / (phi - 1.0), 1.0 / phi).astype(np.float64)


def _outbreak(
    rng: np.random.Generator, mean: FloatArray, phi: float, strength: int, period: tuple[int, int]
) -> tuple[int, FloatArray]:
    """One outbreak that starts within the period of weeks; cases after it are dropped."""
    first, last = period
    start = int(rng.integers(first, last + 1))
    added = np.zeros(WEEKS)
    if strength == 0:
        return start, added
    size = 0
    while size < _SHORTEST_OUTBREAK:
        size = int(rng.poisson(strength * np.sqrt(phi * mean[start - 1])))
    weeks = start + np.floor(rng.lognormal(0.0, 0.5, size)).astype(np.int64)
    np.add.at(added, weeks[weeks <= last] - 1, 1.0)
    return start, added


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a rule's alarms [S, 49] are worth; delay in weeks among the detected."""

    fpr: float
    pod: float
    pod1: float
    sensitivity: float
    ppv: float
    f1: float
    delay: float
    missed: int
    false_a_year: float


def metrics(study: Study, null_alarm: NDArray[np.bool_], outbreak_alarm: NDArray[np.bool_]) -> Metrics:
    """Judge alarms on the null version and the outbreak version."""
    inside = _inside(study)
    hit = outbreak_alarm & inside
    detected = hit.any(axis=1)
    week = np.arange(FIRST, LAST + 1)
    first_week = hit[week[None, :] == study.start[:, None]]
    delay = np.argmax(hit, axis=1) - (study.start - FIRST)
    sensitivity = float(hit.sum() / inside.sum())
    ppv = float(hit.sum() / max(1, outbreak_alarm.sum()))
    return Metrics(
        fpr=float(null_alarm.mean()),
        pod=float(detected.mean()),
        pod1=float(first_week.mean()),
        sensitivity=sensitivity,
        ppv=ppv,
        f1=2.0 * sensitivity * ppv / max(1e-12, sensitivity + ppv),
        delay=float(delay[detected].mean()) if detected.any() else float("nan"),
        missed=int((~detected).sum()),
        false_a_year=float(null_alarm.mean() * 52.0),
    )


def _inside(study: Study) -> NDArray[np.bool_]:
    week = np.arange(FIRST, LAST + 1)
    inside: NDArray[np.bool_] = (week >= study.start[:, None]) & (week <= study.end[:, None])
    return inside


def pod_at(study: Study, null_score: FloatArray, outbreak_score: FloatArray, fpr: float) -> float:
    """POD when the alarm bound is set so that the share `fpr` of all null weeks lies above it."""
    bound = float(np.quantile(null_score, 1.0 - fpr, method="higher"))
    detected = ((outbreak_score > bound) & _inside(study)).any(axis=1)
    return float(detected.mean())
