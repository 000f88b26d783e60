"""The level of a series: what changed, what ended, what varies little, and what the newest looks together are worth."""

from collections.abc import Iterator

import numpy as np
import pytest

from alerts.baselines import nb
from alerts.baselines.absence import present_rate
from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import Judgement, Remembered, SideInformation, TwoSided, judge_series
from alerts.baselines.level import find_levels
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import Memory
from alerts.baselines.tail import Expectation, judge_newest, smallest_found, stake
from monitor.bootstrap import RULES

RULES_ASKED = ("record", "tail", "first_ever", "first_since", "absence", "step")
WEEK = 7.0
TRUTH = 5.0


def counts(mean: FloatArray, series: int, seed: int, phi: float = 2.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    wide = np.broadcast_to(mean, (series, len(mean)))
    return rng.negative_binomial(wide / (phi - 1.0), 1.0 / phi).astype(np.float64)


def asked(values: FloatArray, *, daily: bool = False, memory: Memory | None = None) -> Judgement:
    """What is said of the newest looks."""
    step = 1.0 if daily else WEEK
    days = step * np.arange(1.0 - values.shape[1], 1.0)
    series = Series(days, clean_looks(values), daily=daily, period_days=step)
    rules = {name: RULES[name].defaults for name in RULES_ASKED}
    promise = FalseAlarmPromise(shares=shares_of(RULES_ASKED))
    return judge_series(series, promise, rules, SideInformation(memory=memory))


def look_by_look(values: FloatArray, first: int, *, daily: bool = False) -> Iterator[Judgement]:
    memory: Memory | None = None
    for upto in range(first + 1, values.shape[1] + 1):
        said = asked(values[:, :upto], daily=daily, memory=memory)
        memory = said.rulings["step"].of(Remembered).memory
        yield said


def expected(said: Judgement) -> FloatArray:
    return said.rulings["tail"].of(TwoSided).usual.expected()


def bound(said: Judgement) -> FloatArray:
    """The largest count that is no alarm."""
    return said.rulings["tail"].of(TwoSided).usual.most_ordinary(said.spending.bound("tail"))


@pytest.mark.parametrize(("before", "length"), [(110, 26), (40, 20), (160, 52)])
def test_a_surge_that_ended_blinds_nobody(before: int, length: int) -> None:
    """Twelve times the level for months: twenty looks after its end four times the usual count is an alarm again."""
    mean = np.full(before + length + 21, TRUTH)
    mean[before : before + length] *= 12.0
    said = asked(counts(mean, 30, seed=3))
    assert np.median(expected(said)) == pytest.approx(TRUTH, rel=0.15)
    assert np.median(bound(said)) <= 4.0 * TRUTH
    assert bound(said).max() <= 5.0 * TRUTH


@pytest.mark.parametrize("times", [3.65, 12.0])
def test_a_rise_that_stays_is_told_once_and_then_is_usual(times: float) -> None:
    mean = np.full(110 + 40, TRUTH)
    mean[110:] *= times
    said = list(look_by_look(counts(mean, 30, seed=4), 110))
    after_20 = expected(said[20]) / (times * TRUTH)
    assert ((after_20 > 0.7) & (after_20 < 1.3)).mean() >= 0.9
    fires = np.array([each.fires for each in said])
    assert fires[:3].any(axis=0).mean() >= 0.85
    assert fires[8:].mean() < 0.03


def test_a_level_that_never_changed_is_seldom_taken_for_one_that_did() -> None:
    for mean, phi in ((0.5, 2.0), (8.0, 3.0), (30.0, 2.0)):
        values = counts(np.full(260, mean), 300, seed=5, phi=phi)
        found = find_levels(values, np.ones_like(values), np.ones(values.shape, dtype=bool))
        assert found.moved.mean() < 0.08
        assert (found.ratio[~found.moved] == 1.0).all()


def test_the_level_of_each_stretch_is_known_beside_the_present_one() -> None:
    mean = np.full(120, 10.0)
    mean[40:60] = 60.0
    values = counts(mean, 50, seed=6)
    found = find_levels(values, np.ones_like(values), np.ones(values.shape, dtype=bool))
    assert np.median(found.ratio[:, 50]) == pytest.approx(6.0, rel=0.1)
    assert np.median(found.ratio[:, 10]) == pytest.approx(1.0)
    assert found.present[:, -1].all()


def test_three_high_looks_are_a_surge_and_five_are_the_present_level() -> None:
    values = counts(np.append(np.full(60, 6.0), np.full(5, 70.0)), 40, seed=7)
    member = np.ones(values.shape, dtype=bool)
    three, five = (
        find_levels(part, np.ones_like(part), member[:, : part.shape[1]]) for part in (values[:, :63], values)
    )
    assert np.median(three.ratio[:, 0]) == pytest.approx(1.0)
    assert np.median(five.ratio[:, 0]) < 0.2


def test_counts_that_hardly_vary_make_a_doubling_news() -> None:
    three = np.append(np.full(260, 3.0), 6.0)
    assert asked(three[None]).fires[0]
    assert not asked(np.append(np.full(260, 3.0), 4.0)[None]).fires[0]
    twenty = np.append(np.full(260, 20.0), 30.0)
    assert asked(twenty[None]).fires[0]


def test_one_late_outlier_blinds_no_rule() -> None:
    values = counts(np.full(62, 8.0), 1, seed=8)[0]
    values[59] = 120.0
    without = np.delete(values, 59)
    told, calm = (bound(asked(np.append(each, 8.0)[None]))[0] for each in (values, without))
    assert told <= 1.3 * calm
    assert asked(np.append(values, 70.0)[None]).fires[0]


def test_a_fall_to_a_twelfth_is_told_within_three_days() -> None:
    values = np.append(counts(np.full(120, 36.0), 1, seed=9)[0], np.full(3, 3.0))
    said = list(look_by_look(values[None], 120, daily=True))
    low = [each.rulings["step"] for each in said if each.rulings["step"].fires[0]]
    assert low
    assert low[0].of(Remembered).step.ratio[0] < 0.5


@pytest.mark.parametrize(("mean", "phi"), [(0.3, 1.5), (4.0, 2.0), (60.0, 3.0)])
def test_what_is_staked_on_a_look_is_one_on_average(mean: float, phi: float) -> None:
    values = counts(np.full(2, mean), 20_000, seed=10, phi=phi)
    known, n = np.full(20_000, 1.0), np.full(20_000, 100)
    law = Expectation(mean * known, phi * known, 0.0 * known, n, 0 * n)
    staked = stake(clean_looks(values), law, 2)
    assert staked.max() > 3.0
    assert staked.mean() <= 1.0 + 4.0 * staked.std() / np.sqrt(20_000)
    assert staked.mean() > 0.75
    tail = judge_newest(clean_looks(values), law, 2)
    assert tail.answers.fires(0.01).mean() <= 0.0125


def _spent(values: FloatArray, law: Expectation, alpha: float) -> tuple[BoolArray, BoolArray]:
    tail = judge_newest(clean_looks(values), law, 1)
    return tail.p_high <= alpha, tail.in_turn <= alpha


def test_what_whole_counts_leave_over_is_spent_in_turn() -> None:
    """Counts of mean 2: six or more come at 1.7 % of looks, seven or more at 0.45 %, where 1 % is promised."""
    rng = np.random.default_rng(11)
    values = rng.poisson(2.0, (20_000, 9)).astype(float)
    one, n = np.ones(20_000), np.full(20_000, 8)
    law = Expectation(2.0 * one, one, 0.0 * one, n, 0 * n)
    plainly, in_turn = _spent(values, law, 0.01)
    assert plainly.mean() == pytest.approx(0.0045, abs=0.0015)
    assert in_turn.mean() == pytest.approx(0.01, abs=0.002)
    # Five come at 5 % of looks: more than twice what is promised is never told.
    assert not (in_turn & (values[:, -1] < 6)).any()


def test_what_can_be_found_is_said_beforehand() -> None:
    """Of three looks of 4 with variance 6, one in five passes 12 after a doubling, nearly all after a trebling."""
    rng = np.random.default_rng(12)
    times = smallest_found(12.0, 4.0, 1.5, 3.0)
    assert times == 3.0
    caught = [
        (rng.negative_binomial(k * 4.0 / 0.5, 1 / 1.5, (20_000, 3)) > 12).any(axis=1).mean()
        for k in (2.0, 3.0)
    ]
    assert caught[0] < 0.8 <= caught[1]
    assert smallest_found(12.0, 0.1, 1.5, 3.0) is None


@pytest.mark.parametrize(("mean", "phi"), [(3.0, 0.1), (20.0, 0.3), (20.0, 0.95)])
def test_the_narrow_law_has_the_mean_and_variance_it_is_asked_for(mean: float, phi: float) -> None:
    size = nb.signed_size_of(mean, phi * mean)
    assert size < 0
    k = np.arange(0.0, 80.0)
    chance = np.exp(nb.log_pmf(k, mean, size))
    assert chance.sum() == pytest.approx(1.0, abs=1e-3)
    average = float((k * chance).sum())
    assert average == pytest.approx(mean, rel=0.02)
    assert float((k * k * chance).sum()) - average**2 == pytest.approx(phi * mean, rel=0.4)
    assert float(nb.quantile(0.01, mean, size)) == float(k[np.exp(nb.log_sf(k + 1, mean, size)) <= 0.01][0])


def test_a_few_low_looks_after_a_lasting_rise_are_no_return_to_the_level_of_old() -> None:
    """What sets a stretch apart from all else says nothing of where it ends: that takes evidence of its own."""
    values = np.array([*([2.0, 1.0, 3.0, 2.0] * 30), *([7.0, 5.0, 9.0, 7.0] * 18), 4.0, 4.0, 3.0, 4.0])[None]
    found = find_levels(values, np.ones_like(values), np.isfinite(values))
    assert found.ratio[0, 150:].tolist() == [1.0] * 46
    assert found.ratio[0, 0] == pytest.approx(2.0 / 7.0, rel=0.1)
    back = np.array([*values[0, :-4], *([2.0, 1.0, 3.0, 2.0] * 4)])[None]
    returned = find_levels(back, np.ones_like(back), np.isfinite(back))
    assert returned.ratio[0, -16:].tolist() == [1.0] * 16
    assert returned.ratio[0, 150] == pytest.approx(3.5, rel=0.1)


def test_a_silence_is_judged_by_the_lower_level_that_all_rules_believe_by_then() -> None:
    """Ten months at a quarter of the level are no quiet season: by the busy years every silence would be unlikely."""
    values = np.array([*([8.0, 6.0, 10.0, 8.0] * 30), *([2.0, 1.0, 3.0, 2.0] * 10)])[None]
    assert present_rate(clean_looks(values)).per_exposure[0] == pytest.approx(2.0, rel=0.1)
    # A third of a year may be its quiet part.
    assert present_rate(clean_looks(values[:, :-24])).per_exposure[0] > 5.0


def test_a_rise_in_a_seasonal_series_stays_usual_when_the_season_is_learnt_from_both_sides_of_it() -> None:
    """Eight months after the rise the season's fit takes in its first looks: neither it nor the levels may be bent by them."""
    at = np.arange(198)
    mean = 30.0 * np.exp(0.4 * np.cos(2.0 * np.pi * 7.0 * at / 365.25))
    mean[160:] *= 12.0
    said = list(look_by_look(counts(mean, 24, seed=5), 191))
    shown = np.array([expected(each) / mean[191 + n] for n, each in enumerate(said)])
    assert np.abs(np.median(shown, axis=1) - 1.0).max() < 0.06
    assert np.array([each.fires for each in said]).mean() < 0.03
