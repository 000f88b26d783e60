from datetime import date, timedelta

import numpy as np
import pytest

from alerts.baselines import nb
from alerts.baselines.ears import ears
from alerts.baselines.farrington import FarringtonOptions, judge_week
from alerts.baselines.glm import fit_glm
from alerts.baselines.model import clean_looks
from alerts.baselines.seasons import anniversaries_by_date, anniversaries_by_weeks, reference_weeks


def test_five_years_give_237_reference_weeks_in_ten_levels() -> None:
    found = reference_weeks(599, anniversaries_by_weeks(599, 5), 3, 10, 26)
    assert len(found.weeks) == 237
    assert found.weeks[0] == 599 - 263
    assert found.weeks[-1] == 599 - 27
    assert (found.levels == 9).sum() == 35
    assert found.design(599).shape == (237, 11)


def test_a_stretch_that_does_not_divide_has_longer_blocks_first() -> None:
    found = reference_weeks(110, (57,), 3, 10, 0)
    blocks = [int((found.levels == level).sum()) for level in range(9)]
    assert blocks == [6, 5, 5, 5, 5, 5, 5, 5, 5]


def test_one_period_uses_the_windows_alone() -> None:
    found = reference_weeks(300, anniversaries_by_weeks(300, 5), 3, 1, 26)
    assert len(found.weeks) == 35
    assert set(found.levels.tolist()) == {0}


def test_anniversaries_by_date_keep_the_weekday_and_mind_leap_days() -> None:
    days = [date(2012, 1, 4) + timedelta(weeks=week) for week in range(480)]
    now = days.index(date(2020, 2, 26))
    found = [days[week] for week in anniversaries_by_date(days, now, 5)]
    assert [day.weekday() for day in found] == [2] * 5
    assert all(abs((day - date(day.year, 2, 26)).days) <= 3 for day in found)
    saturdays = [date(2012, 1, 7) + timedelta(weeks=week) for week in range(480)]
    at = saturdays.index(date(2020, 2, 29))
    assert saturdays[anniversaries_by_date(saturdays, at, 1)[0]] == date(2019, 3, 2)
    assert anniversaries_by_date(saturdays, 10, 3) == ()


def test_bounds_grow_with_the_uncertainty_they_admit() -> None:
    y = np.random.default_rng(3).poisson(6.0, (20, 330)).astype(np.float64)
    ones = np.ones_like(y)
    plug_in = judge_week(y, ones, 329, FarringtonOptions(alpha=0.01))
    muan = judge_week(y, ones, 329, FarringtonOptions(alpha=0.01, threshold_method="muan"))
    delta = judge_week(y, ones, 329, FarringtonOptions(alpha=0.01, threshold_method="delta"))
    assert (muan.upper >= plug_in.upper).all()
    assert (delta.upper > delta.expected).all()
    flat = judge_week(y, ones, 329, FarringtonOptions(trend=False, reweight=False))
    assert not flat.trend.any()
    assert (flat.weights == 1).all()
    strict = judge_week(y, ones, 329, FarringtonOptions(p_threshold_trend=0.05))
    assert strict.trend.sum() <= plug_in.trend.sum()


def test_exposure_scales_the_expectation() -> None:
    y = np.random.default_rng(4).poisson(20.0, (1, 330)).astype(np.float64)
    half = np.ones_like(y)
    half[0, 329] = 0.5
    whole = judge_week(y, np.ones_like(y), 329, FarringtonOptions())
    scaled = judge_week(y, half, 329, FarringtonOptions())
    assert scaled.expected[0] == pytest.approx(whole.expected[0] / 2)
    unseen = np.ones_like(y)
    unseen[0, 329] = 0.0
    assert np.isnan(judge_week(y, unseen, 329, FarringtonOptions()).upper[0])


def test_missing_weeks_silence_nothing() -> None:
    y = np.random.default_rng(5).poisson(5.0, (1, 330)).astype(np.float64)
    y[0, 320:328] = np.nan
    y[0, 329] = 30.0
    assert judge_week(y, np.ones_like(y), 329, FarringtonOptions()).alarm[0]
    daily = np.append(np.full(20, 3.0), [np.nan, np.nan, 9.0])
    assert ears(clean_looks(daily), "C1").alarm[0, -1]


def test_c3_looks_at_today() -> None:
    quiet = np.append(np.tile([2.0, 3.0, 4.0], 6), 3.0)
    surge = quiet.copy()
    surge[-1] = 100.0
    assert not ears(clean_looks(quiet), "C3", 0.025).alarm[0, -1]
    assert ears(clean_looks(surge), "C3", 0.025).alarm[0, -1]


def test_series_of_zeros_have_a_bound() -> None:
    y = np.zeros((3, 330))
    y[1, 40] = 1.0
    week = judge_week(y, np.ones_like(y), 329, FarringtonOptions())
    assert np.isfinite(week.upper).all()
    assert not week.alarm.any()
    assert np.isnan(nb.student_p(np.nan, 3))


def test_a_bad_start_is_given_up_for_the_usual_one() -> None:
    y = np.random.default_rng(6).poisson(4.0, (2, 60)).astype(np.float64)
    design = np.column_stack([np.linspace(-1.0, 0.0, 60), np.ones(60)])
    zeros, ones = np.zeros_like(y), np.ones_like(y)
    cold = fit_glm(y, design, zeros, ones)
    lost = fit_glm(y, design, zeros, ones, start=np.array([[0.0, 90.0], [0.0, 1.4]]))
    assert lost.coefficients == pytest.approx(cold.coefficients, abs=1e-4)
    assert lost.converged.all()
