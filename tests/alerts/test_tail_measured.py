"""What is measured: the tail by a shifted logarithm and ranks keeps its promise, and says what it rests on."""

from typing import Any

import numpy as np
import pytest

from alerts.baselines.budget import COUNT_RULES, FalseAlarmPromise
from alerts.baselines.engine import TwoSided, judge_series
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import FloatArray, student_quantile, student_sf
from alerts.baselines.tail_measured import UsualMeasure, usual_measure
from alerts.baselines.usual import usual_of_series
from alerts.metrics import METRICS
from tests.alerts.test_rules_statistics import WEEK, every, judge

TAIL = {"sides": "both", "longest_years": 10.0}


def series_of(values: FloatArray, exposure: FloatArray | None = None, **fields: Any) -> Series:
    values = np.atleast_2d(values)
    days = 7.0 * np.arange(1.0 - values.shape[1], 1.0)
    looks = clean_looks(values, exposure, kind="stock", largest=1e12)
    return Series(days, looks, period_days=1.0, measure="continuous", **fields)


def skewed(n: int, seed: int = 5, series: int = 1, present: float = 1.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, 100.0, (series, n))
    return np.where(rng.random((series, n)) < present, values, 0.0)


def usual(values: FloatArray, exposure: FloatArray | None = None, **fields: Any) -> UsualMeasure:
    return usual_measure(series_of(values, exposure, **fields), 10.0)


# P(T > t), from tables: 1, 4 and 30 degrees of freedom, and one that is not whole (scipy 1.17).
@pytest.mark.parametrize(
    ("t", "degrees", "tail"),
    [
        (0.0, 4.0, 0.5),
        (12.706204736174687, 1.0, 0.025),
        (2.7764451051977987, 4.0, 0.025),
        (2.042272456301238, 30.0, 0.025),
        (-2.042272456301238, 30.0, 0.975),
        (3.5746548420036402, 2.5, 0.025),
        (9.75199549094058, 10.0, 1e-6),
    ],
)
def test_students_tail_is_the_books(t: float, degrees: float, tail: float) -> None:
    assert student_sf(np.array([t]), np.array([degrees]))[0] == pytest.approx(tail, rel=1e-10)
    if t:
        assert student_quantile(np.array([tail]), np.array([degrees]))[0] == pytest.approx(t, rel=1e-9)


def test_it_needs_twelve_usable_looks() -> None:
    assert usual(skewed(12)).needs[0] == 1
    assert usual(skewed(13)).needs[0] == 0
    blind = np.append(np.full(12, 0.1), 1.0)
    assert usual(skewed(13), blind).needs[0] == 12


def test_below_five_looks_that_show_anything_only_their_rarity_is_said() -> None:
    values = np.zeros(41)
    values[[5, 9]], values[-1] = 300.0, 9000.0
    found = usual(values)
    assert not found.known[0]
    assert found.judge().p_high[0] == pytest.approx(3 / 42)
    assert found.attainable(np.array([0.01]))[0] == 0.0
    assert found.attainable(np.array([0.1]))[0] == pytest.approx(3 / 42)


def test_more_is_never_likelier_and_quantiles_are_its_inverse() -> None:
    found = usual(skewed(60, present=0.7))
    values = np.linspace(1.0, 5000.0, 200)
    chance = [float(found.chance_of(np.array([each]))[0]) for each in values]
    assert chance == sorted(chance, reverse=True)
    for tail in (0.3, 0.05, 0.001):
        assert found.chance_of(found.quantile(tail))[0] == pytest.approx(tail, rel=1e-6)
    assert found.quantile(0.99)[0] == 0.0


def test_a_look_that_saw_half_is_expected_to_show_half_of_what_adds_up() -> None:
    past = skewed(40)[0]
    half = np.append(np.ones(39), 0.5)
    adds, mean = usual(past, half), usual(past, half, adds_up=False)
    assert adds.expected()[0] == pytest.approx(0.5 * mean.expected()[0])
    doubled = usual(np.append(past[:-1] * 0.5, past[-1]), np.append(np.full(39, 0.5), 0.5))
    assert doubled.expected()[0] == pytest.approx(adds.expected()[0])


def test_a_badly_seen_amount_is_at_least_so_much_and_never_too_little() -> None:
    past = skewed(60)[0]
    dim = np.append(np.ones(59), 0.1)
    past[-1] = 5000.0
    assert usual(past, dim).judge().p_high[0] < 1e-3
    past[-1] = 1.0
    assert usual(past, dim).judge().p_low[0] == 1.0


def test_scale_changes_nothing() -> None:
    past = skewed(50, present=0.8)
    tiny, huge = usual(past * 1e-9), usual(past * 1e6)
    assert tiny.judge().p_high[0] == pytest.approx(huge.judge().p_high[0], rel=1e-9)


def test_one_giant_blinds_nothing() -> None:
    past = skewed(60)[0]
    past[-1] = 3000.0
    plain = usual(past).judge().p_high[0]
    past[20] = 1e9
    assert usual(past).judge().p_high[0] < 3 * plain


def test_a_constant_series_and_an_empty_one_give_numbers() -> None:
    for values in (np.full(30, 200.0), np.zeros(30), np.append(np.zeros(29), 5.0)):
        tail = usual(values).judge()
        assert 0 < tail.p_high[0] <= 1
        assert 0 < tail.p_low[0] <= 1


def test_a_season_is_expected() -> None:
    days = np.arange(-1092.0, 1.0, 7.0)
    rng = np.random.default_rng(3)
    wave = np.exp(1.2 * np.cos(2 * np.pi * days / 365.25))
    values = 100 * wave * np.exp(0.2 * rng.normal(size=len(days)))
    # The judged day is the year's highest: as ordinary as the year before.
    assert usual(values).expected()[0] == pytest.approx(100 * np.exp(1.2), rel=0.2)
    values[-1] *= 3
    assert usual(values).judge().p_high[0] < 1e-3


def test_looks_that_repeat_each_other_say_less() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(200, 60))
    walk = noise.copy()
    for at in range(1, 60):
        walk[:, at] = 0.9 * walk[:, at - 1] + np.sqrt(1 - 0.81) * noise[:, at]
    assert np.median(usual(np.exp(walk)).degrees) < np.median(usual(np.exp(noise)).degrees)


@pytest.mark.parametrize("present", [1.0, 0.4])
def test_the_promise_is_kept_by_skewed_and_empty_looks(present: float) -> None:
    fires = usual(skewed(61, 2, 4000, present)).judge().answers.fires(0.02).mean()
    assert 0.002 < fires < 0.03


def test_a_series_has_the_same_answers_alone_and_among_others() -> None:
    values = skewed(120, 4, 17, 0.7)
    together = usual(values)
    for row in range(17):
        alone = usual(values[row])
        for name in ("centre", "spread", "shift", "degrees", "present", "share_below"):
            assert getattr(alone, name)[0] == getattr(together, name)[row], name
        assert alone.judge().p_high[0] == together.judge().p_high[row]


def test_the_engine_asks_it_for_what_is_measured() -> None:
    values = skewed(60)
    values[0, -1] = 1e5
    said = judge_series(series_of(values), FalseAlarmPromise(), {"tail": TAIL, "record": {"min_looks": 20}})
    assert isinstance(said.rulings["tail"].of(TwoSided).usual, UsualMeasure)
    assert said.fires[0]
    assert series_of(values).kind == "stock, by look, measured"
    assert isinstance(usual_of_series(series_of(values)), UsualMeasure)


def test_the_rule_says_rank_band_and_odds() -> None:
    values = [round(float(each), 1) for each in skewed(40)[0]]
    verdict = judge("tail", every(WEEK, [*values, 2600.0], "occupied_track_m"))
    assert verdict.status == "evaluated"
    assert verdict.exceeded
    assert verdict.reason.startswith(
        "2600 m of track occupied at 100% exposure, beside 40 usable looks since 2021-01-04: "
    )
    assert ": more than in all of them; usual are " in verdict.reason
    assert verdict.details["share_below"] == 1.0
    assert verdict.details["threshold"] < 2600
    assert verdict.details["pit"] > 0.99


def test_where_hardly_anything_was_ever_seen_it_says_so() -> None:
    verdict = judge("tail", every(WEEK, [*[0.0] * 40, 900.0], "changed_area_m2"))
    assert verdict.reason.endswith(
        "more than in all of them; anything at all by chance: now and then, less than 1 look in 41 "
        "(40 earlier looks say no more)."
    )


def test_counts_keep_their_own_law_and_metres_never_meet_it() -> None:
    assert "occupied_track_m" in METRICS
    assert not METRICS["occupied_track_m"].counted
    assert {"step", "absence", "farrington"} <= COUNT_RULES
    assert {"tail", "record"}.isdisjoint(COUNT_RULES)
