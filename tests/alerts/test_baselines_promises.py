from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from alerts.baselines.budget import ClassScores
from alerts.baselines.calibrate import rate_interval
from alerts.baselines.model import clean_looks
from alerts.baselines.special import FloatArray
from alerts.baselines.tail import attainable_tail_chance, judge_newest
from alerts.baselines.tail_weekly import seasonal_expectation
from benchmarks.baselines_aircraft import ALPHA, judge_airport
from benchmarks.baselines_daily import rolling, study
from benchmarks.baselines_data import aircraft
from benchmarks.baselines_simulation import metrics, pod_at, simulate

pytestmark = [pytest.mark.long, pytest.mark.untraced]


def scores_of(scores: FloatArray) -> ClassScores:
    return ClassScores(len(scores), tuple(np.sort(scores)[::-1].tolist()))


def test_the_bound_is_the_strict_upper_quantile() -> None:
    scores = scores_of(np.arange(1.0, 1000.0))
    assert scores.bound(np.array([0.01, 0.001, 0.5])).tolist() == [990.0, 999.0, 500.0]


def test_one_alarm_a_year_cannot_be_promised_on_too_few_scores() -> None:
    one_a_year = np.array([1 / 365])
    assert np.isnan(scores_of(np.arange(100.0)).bound(one_a_year)[0])
    assert scores_of(np.arange(364.0)).bound(one_a_year)[0] == 363.0
    assert np.isnan(ClassScores(0, ()).bound(one_a_year)[0])


def test_new_scores_exceed_the_bound_as_often_as_promised() -> None:
    rng = np.random.default_rng(31)
    found = rolling(rng.exponential(size=(40, 900)), 2.0)
    years = 40 * (900 - 180) / 365.25
    assert found.alarm.sum() / years == pytest.approx(2.0, rel=0.2)
    assert not found.alarm[:, :180].any()


def test_the_interval_of_a_rate_is_exact() -> None:
    assert rate_interval(0, 10.0)[0] == 0.0
    assert rate_interval(0, 10.0)[1] == pytest.approx(0.3689, abs=1e-4)
    low, high = rate_interval(10, 10.0)
    assert low == pytest.approx(0.4795, abs=1e-4)
    assert high == pytest.approx(1.839, abs=1e-3)


def test_the_study_draws_what_its_recipe_says() -> None:
    one, again = simulate(2, seed=1), simulate(2, seed=1)
    np.testing.assert_array_equal(one.outbreak, again.outbreak)
    assert len(one.null) == 84
    added = one.outbreak - one.null
    assert (added >= 0).all()
    assert (added[:, :575] == 0).all()
    alarm = added[:, 575:] > 0
    perfect = metrics(one, np.zeros_like(alarm), alarm)
    assert (perfect.fpr, perfect.pod, perfect.ppv) == (0.0, 1.0, 1.0)
    assert pod_at(one, np.random.default_rng(1).random(alarm.shape), added[:, 575:], 0.01) == 1.0


def test_the_tail_alarms_about_as_often_as_whole_counts_allow() -> None:
    null = simulate(8, seed=2013).null
    days = 365.25 / 52.0 * np.arange(null.shape[1])
    realised = possible = 0.0
    for week in range(575, 624, 4):
        known = clean_looks(null[:, : week + 1])
        tail = judge_newest(known, seasonal_expectation(known, days[: week + 1]), 1)
        realised += tail.answers.fires(0.01).sum()
        possible += attainable_tail_chance(np.full(len(null), 0.01), tail.expected, tail.size).sum()
    # Some 36 alarms: 20 % and a standard error.
    assert realised / possible == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize(("first", "last"), [(12, 40), (52, 76), (150, 250)])
def test_short_and_long_histories_of_seasonal_counts_keep_the_promise(first: int, last: int) -> None:
    rng = np.random.default_rng(9)
    levels = np.tile([0.5, 2.0, 8.0, 30.0], 100)[:, None]
    week, phase = np.arange(last), rng.uniform(0.0, 52.18, (400, 1))
    mean = levels * np.exp(0.4 * np.cos(2 * np.pi * (week + phase) / 52.18))
    counts, days = rng.negative_binomial(mean, 0.5).astype(float), 7.0 * week
    realised = possible = 0.0
    for n in range(first, last, 4):
        known = clean_looks(counts[:, : n + 1])
        tail = judge_newest(known, seasonal_expectation(known, days[: n + 1]), 1)
        realised += tail.answers.fires(0.01).sum()
        possible += attainable_tail_chance(np.full(len(counts), 0.01), tail.expected, tail.size).sum()
    # About 20 to 90 alarms may come: 20 % and a standard error; while no season is known it errs on the quiet side.
    assert 0 < realised < 1.4 * possible


# About 10 s on an idle core; the limit is for crowded machines.
@pytest.mark.timeout(600)
@pytest.mark.shared
def test_the_collapse_of_2020_is_found_from_orbit_and_false_alarms_stay_rare(shared_data: Path) -> None:
    since = datetime(2019, 7, 1, tzinfo=UTC)
    airports = [judge_airport(each, aware=True, quiet_from=since) for each in aircraft(shared_data)]
    found = [each.found_after_days for each in airports if np.isfinite(each.found_after_days)]
    assert len(found) >= 10
    assert np.median(found) < 21
    looks, high = sum(each.looks for each in airports), sum(each.high_alarms for each in airports)
    # Half a year holds some 500 looks: the promise plus two standard errors.
    assert high <= looks * ALPHA + 2 * np.sqrt(looks * ALPHA)


@pytest.mark.timeout(600)
def test_one_alarm_a_site_year_is_delivered_and_triplings_are_caught_at_least_as_often() -> None:
    results = {each.rule: each for each in study(sites=12, seed=7, levels=(5.0,), years=3)}
    assert 0.6 < results["R2"].alarms_a_year < 1.4  # few site-years: two standard errors round 0.8 to 1.2
    assert results["R2"].caught >= max(results[rule].caught for rule in ("C1", "C2", "C3"))
