import math
from random import Random

import numpy as np
import pytest
from alerts.baselines.combine import SHARES, combine, split
from alerts.baselines.defaults import judge
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baselines.absence import judge_absence, silence_p_presence
from alerts.baselines.answers import Answers
from alerts.baselines.change_rate import judge_rate_change
from alerts.baselines.ears import ears
from alerts.baselines.farrington import Options, judge_week
from alerts.baselines.model import Looks, fold, learn_rate, observe, stack, tame
from alerts.baselines.record import chance_records, effective_looks, judge_record
from alerts.baselines.since import (
    chance_a_year,
    chance_alarms,
    chance_new,
    chance_on_a_day,
    judge_since,
    new_identity_fires,
)
from alerts.baselines.special import FloatArray
from alerts.baselines.step import fresh_state, replay, state_of, update
from alerts.baselines.tail import Side, judge_tail, judge_windows, steady
from alerts.baselines.tail_daily import daily
from alerts.baselines.tail_weekly import seasonal

WEEK = 7.0
SIDES: tuple[Side, ...] = ("high", "low", "both")


def counts_of(mean: float, looks: int, seed: int = 1, series: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.poisson(mean, (series, looks)).astype(np.float64)


def all_answers(looks: Looks) -> dict[str, Answers]:
    """Every rule about the newest look."""
    days = WEEK * np.arange(looks.counts.shape[1], dtype=np.float64)
    judged = judge(looks, days, replay(looks.past, 400.0)[0] if looks.counts.shape[1] > 1 else fresh_state(1))
    expectation, factors = daily(looks, np.arange(looks.counts.shape[1]))
    return {
        "record": judged.record.answers,
        "tail": judged.tail.answers,
        "first_since": judged.since.answers,
        "absence": judged.absence.answers,
        "step": judged.step.answers,
        "low": judge_tail(looks, side="low").answers,
        "daily": judge_tail(looks, expectation, factors=factors).answers,
        "rate_change": judge_rate_change(looks, 13, 13).answers,
    }


# --- stories ----------------------------------------------------------------------------------------


def test_seventy_three_railcars_after_five_years_of_at_most_twenty() -> None:
    rng = np.random.default_rng(5)
    past = np.minimum(rng.negative_binomial(2.0, 1 / 4.0, 121), 20).astype(float)
    looks = observe(np.append(past, 73.0), kind="stock")
    record = judge_record(looks)
    assert record.is_record[0]
    assert record.odds[0] == 122
    assert record.previous[0] == past.max()
    tail = judge_tail(looks, alpha=1e-4)
    assert tail.answers.fires[0]
    assert tail.p_high[0] < 1e-5
    assert tail.band()[1][0] < 73


def test_first_visit_since_mid_2019_is_at_most_one_chance_in_nine_years() -> None:
    past = np.zeros(1300)
    past[109] = 1
    looks = observe(np.append(past, 1.0))
    since = judge_since(looks, 1.0, 365.0, 0.5)
    assert since.gap_days[0] == 1190
    assert not since.first_ever[0]
    assert 1 / since.chance_a_year[0] == pytest.approx(8.86, abs=0.01)
    assert since.answers.fires[0]


def test_a_first_visit_without_history_cannot_be_judged_yet() -> None:
    since = judge_since(observe(np.append(np.zeros(40), 1.0)), 1.0, 365.0, 0.5)
    assert since.answers.say(0) == "cannot_tell"
    assert since.answers.needs[0] == 50
    assert since.first_ever[0]


def test_outages_do_not_lengthen_the_gap() -> None:
    past = np.zeros(400)
    past[100:300] = np.nan
    assert judge_since(observe(np.append(past, 1.0)), 1.0, 365.0, 0.5).gap_days[0] == 200


def test_absence_counts_clear_looks_only_and_is_told_once() -> None:
    past = np.where(np.arange(100) % 10 == 0, 0.0, 3.0)
    silence = np.zeros(26)
    cloud = np.where(np.arange(26) % 2 == 0, np.nan, 1.0)
    y, e = np.append(past, silence), np.append(np.ones(100), cloud)
    fired = [
        bool(judge_absence(observe(y[: i + 1], e[: i + 1], kind="stock"), 100.0, 0.5).answers.fires[0])
        for i in range(100, 126)
    ]
    assert sum(fired) == 1
    last = judge_absence(observe(y, e, kind="stock"), 100.0, 0.5)
    assert last.silent[0] == 13
    assert last.not_counted[0] == 13
    assert last.active_share[0] == pytest.approx(0.9)


def test_a_doubling_is_told_with_its_ratio_and_then_learnt() -> None:
    rng = np.random.default_rng(8)
    y = np.concatenate([rng.poisson(5.0, 200), rng.poisson(12.0, 120)]).astype(float)
    _, _, alarms = replay(observe(y), 104.0)
    when = np.flatnonzero(alarms[0])
    assert 200 < when[0] < 210
    assert len(when) <= 2
    state, step = fresh_state(1), None
    for i in range(when[0] + 1):
        state, step = update(state, observe(y[i : i + 1]), 104.0)
    assert step is not None
    assert step.ratio[0] == pytest.approx(2.4, abs=0.8)
    assert step.before[0] == pytest.approx(5.0, abs=0.6)


def test_a_step_state_survives_storage() -> None:
    y = counts_of(4.0, 90, seed=3)
    whole, _, _ = replay(observe(y), 104.0)
    half, _, _ = replay(observe(y[:, :50]), 104.0)
    again = state_of([half.row(0)])
    for i in range(50, 90):
        again, _ = update(again, observe(y[:, i : i + 1]), 104.0)
    assert again.row(0) == whole.row(0)


def test_twice_the_previous_quarter_at_equal_exposure() -> None:
    y = np.concatenate([np.full(13, 4.0), np.full(13, 4.0)])
    e = np.concatenate([np.ones(13), np.full(13, 0.5)])
    change = judge_rate_change(observe(y, e), 13, 13)
    assert change.ratio[0] == pytest.approx(2.0)
    assert change.low[0] < 2.0 < change.high[0]
    assert change.low[0] > 1.0
    assert change.answers.fires[0]


def test_a_season_is_expected_and_its_absence_is_not_news() -> None:
    rng = np.random.default_rng(4)
    days = WEEK * np.arange(300)
    mean = np.exp(2.0 + 1.2 * np.cos(2 * np.pi * days / 365.25))
    y = rng.poisson(mean).astype(float)
    peak = 209
    looks, plain = observe(y[: peak + 1]), observe(y[: peak + 1])
    with_season = seasonal(looks, days[: peak + 1])
    assert with_season.rate[0] == pytest.approx(mean[peak], rel=0.2)
    seasonal_p = judge_tail(looks, with_season).p_high[0]
    assert judge_tail(plain).p_high[0] < seasonal_p / 3
    assert seasonal_p > 0.05


def test_weekdays_are_expected() -> None:
    day = np.arange(400)
    mean = np.where(day % 7 < 5, 12.0, 3.0)
    y = np.random.default_rng(2).poisson(mean).astype(float)
    monday = 392
    expectation, factors = daily(observe(y[: monday + 1]), day[: monday + 1], window=3)
    assert (expectation.rate * factors[:, -1])[0] == pytest.approx(12.0, rel=0.15)
    assert factors.shape == (1, 3)
    assert factors[0, 0] == pytest.approx(3.0 / 9.43, rel=0.25)


def test_two_moderate_weeks_are_caught_together() -> None:
    looks = observe(np.concatenate([np.full(100, 4.0), [10.0, 10.0]]))
    single = judge_tail(looks, steady(looks.window(slice(0, 100))), 1e-4)
    both = judge_windows(looks, steady(looks.window(slice(0, 100))), 1e-4)
    assert not single.answers.fires[0]
    assert both.answers.p[0] < single.answers.p[0]


def test_snapshots_are_never_summed() -> None:
    looks = observe(np.concatenate([np.full(100, 4.0), [10.0, 10.0]]), kind="stock")
    assert judge_windows(looks).answers.p[0] == judge_tail(looks).answers.p[0]


# --- laws -------------------------------------------------------------------------------------------


def test_chance_records_obey_the_law() -> None:
    rng = np.random.default_rng(11)
    y = rng.normal(size=(4000, 3 * 52))
    best = np.maximum.accumulate(y, axis=1)
    records = (y[:, 104:] > best[:, 103:-1]).sum(axis=1).mean()
    assert records == pytest.approx(float(chance_records(104, 52)), rel=0.1)
    assert float(chance_records(52, 52)) == pytest.approx(math.log(2))


def test_gaps_end_by_chance_no_oftener_than_the_law_says() -> None:
    rng = np.random.default_rng(12)
    gap_years = 1.0
    gaps = rng.exponential(1.0 / gap_years, 40_000)
    a_year = (gaps > gap_years).sum() / gaps.sum()
    assert a_year == pytest.approx(1 / math.e, rel=0.05)
    assert float(chance_a_year(365.25)) == pytest.approx(1 / math.e)
    assert float(chance_alarms(1.0, 365.25)) == pytest.approx(1 / math.e)
    assert float(chance_alarms(5.0, 365.25)) < float(chance_a_year(365.25))
    assert float(chance_on_a_day(30.0)) == pytest.approx(1 - math.sqrt(30 / 31))


def test_autocorrelated_looks_are_worth_fewer() -> None:
    rng = np.random.default_rng(13)
    noise = rng.normal(size=(200, 400))
    for i in range(1, 400):
        noise[:, i] = 0.8 * noise[:, i - 1] + 0.6 * noise[:, i]
    correlated = effective_looks(observe(noise + 20.0)).mean()
    assert 25 < correlated < 80  # one per (1 + 0.8)/(1 - 0.8) = 9 looks
    assert effective_looks(observe(rng.normal(size=(200, 400)) + 20.0)).mean() > 250


@pytest.mark.parametrize(("n", "mean", "phi"), [(28, 1.0, 2.0), (52, 5.0, 5.0), (260, 1.0, 2.0)])
def test_the_tail_keeps_its_promise_within_the_measured_factor(n: int, mean: float, phi: float) -> None:
    rng = np.random.default_rng(14)
    y = rng.negative_binomial(mean / (phi - 1), 1 / phi, (20_000, n + 1)).astype(float)
    realised = judge_tail(observe(y), alpha=0.005).answers.fires.mean()
    assert 0.2 * 0.005 < realised < 2.2 * 0.005


def test_steps_keep_their_promise() -> None:
    rng = np.random.default_rng(15)
    y = rng.negative_binomial(4.0, 1 / 1.5, (400, 260)).astype(float)
    _, _, alarms = replay(observe(y), 104.0)
    a_year = alarms[:, 52:].sum() / (400 * 4)
    assert a_year < 0.5


def test_silences_keep_their_promise() -> None:
    rng = np.random.default_rng(16)
    y = rng.negative_binomial(0.6, 1 / 1.5, (150, 320)).astype(float)
    alarms = sum(
        int(judge_absence(observe(y[:, : i + 1]), 52.0, 0.5).answers.fires.sum()) for i in range(104, 320)
    )
    assert alarms / (150 * 216 / 52) < 0.5


def test_new_visitors_follow_good_and_turing() -> None:
    assert chance_new([1, 1, 4, 4]) == pytest.approx(0.2)
    assert math.isnan(chance_new([]))
    assert new_identity_fires([50, 50, 1], 20.0, 0.5)
    assert not new_identity_fires([1, 1, 1], 20.0, 0.5)
    assert not new_identity_fires([], 20.0, 0.5)


def test_presence_only_silence_is_a_ratio_of_beta_functions() -> None:
    expected = math.prod((10.5 + j) / (101.0 + j) for j in range(3))
    assert float(silence_p_presence(90, 10, 3)) == pytest.approx(expected)


# --- properties -------------------------------------------------------------------------------------

series = st.lists(st.one_of(st.just(math.nan), st.integers(0, 60).map(float)), min_size=1, max_size=300)
shares = st.floats(0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(series, st.data())
def test_no_rule_for_rises_fires_at_or_below_its_expectation(past: list[float], data: st.DataObject) -> None:
    base = observe(np.append(past, 1.0))
    expected = float(judge_windows(base, seasonal(base, WEEK * np.arange(len(past) + 1))).expected[0])
    if math.isnan(expected):
        return
    today = math.floor(expected * data.draw(shares))
    looks = observe(np.append(past, float(today)))
    tail = judge_windows(looks, seasonal(looks, WEEK * np.arange(len(past) + 1)), 0.5)
    assert not (tail.answers.fires[0] and today <= tail.expected[0] and tail.p_high[0] >= 1.0)
    single = judge_tail(looks, alpha=0.5)
    if today <= single.expected[0]:
        assert not single.answers.fires[0]
    week = ears(looks, alpha=0.4)
    if today <= np.nan_to_num(week.mean[0, -1], nan=np.inf):
        assert not week.alarm[0, -1]


@settings(max_examples=40, deadline=None)
@given(series, st.data())
def test_looks_without_exposure_change_nothing(past: list[float], data: st.DataObject) -> None:
    y, e = np.append(past, 7.0), np.ones(len(past) + 1)
    at = data.draw(st.integers(0, len(past)))
    blind_y = np.insert(y, at, [0.0, 0.0])
    blind_e = np.insert(e, at, [0.0, 0.2])
    plain, blinded = observe(y, e), observe(blind_y, blind_e)
    assert judge_record(plain).answers.p == pytest.approx(judge_record(blinded).answers.p, nan_ok=True)
    assert judge_tail(plain).p_high == pytest.approx(judge_tail(blinded).p_high, nan_ok=True)
    assert replay(plain, 104.0)[0].row(0) == replay(blinded, 104.0)[0].row(0)
    assert judge_since(plain, 1.0, 100.0, 0.5).gap_days == judge_since(blinded, 1.0, 100.0, 0.5).gap_days
    one, two = ears(plain), ears(blinded)
    assert one.statistic[0, -1] == pytest.approx(two.statistic[0, -1], nan_ok=True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40_000).map(float),
            st.one_of(st.just(math.nan), st.integers(0, 9).map(float)),
            st.one_of(st.just(math.nan), st.sampled_from([0.0, 0.4, 1.0])),
        ),
        max_size=12,
    ),
    st.randoms(),
)
def test_the_order_of_arrival_changes_nothing(
    looks: list[tuple[float, float, float]], random: Random
) -> None:
    shuffled = list(looks)
    random.shuffle(shuffled)

    def folded(rows: list[tuple[float, float, float]]) -> tuple[FloatArray, FloatArray, FloatArray]:
        table = np.array(rows, dtype=np.float64).reshape(-1, 3)
        return fold(table[:, 0], table[:, 1], table[:, 2])

    for once, again, repeated in zip(folded(looks), folded(shuffled), folded(shuffled * 2), strict=True):
        np.testing.assert_array_equal(once, again)
        np.testing.assert_array_equal(once, repeated)


# --- bad input --------------------------------------------------------------------------------------

BAD = {
    "negative": np.append(np.full(60, 3.0), -1.0),
    "infinite": np.append(np.full(60, 3.0), math.inf),
    "huge": np.append(np.full(60, 3.0), 1e7),
    "missing": np.append(np.full(60, 3.0), math.nan),
    "all missing": np.full(60, math.nan),
    "length 0": np.zeros(0),
    "length 1": np.array([5.0]),
    "all zeros": np.zeros(300),
    "constant": np.full(300, 4.0),
    "fractional": np.append(np.full(100, 2.5), 3.5),
    "alternating gaps": np.where(np.arange(300) % 2 == 0, math.nan, 2.0),
    "million": np.append(np.full(100, 9e5), 1e6),
}
NOT_OBSERVED = {"negative", "infinite", "huge", "missing", "all missing", "length 0"}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_has_a_defined_answer_and_never_fires(name: str) -> None:
    looks = observe(BAD[name])
    for rule, answers in all_answers(looks).items():
        if rule == "rate_change":
            assert answers.say(0) in ("evaluated", "cannot_tell", "not_observed")
            continue
        if name in NOT_OBSERVED:
            assert answers.say(0) == "not_observed", rule
        elif name == "length 1":
            assert answers.say(0) == "cannot_tell", rule
            assert answers.needs[0] > 0
        if name != "million":
            assert not answers.fires[0], rule


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan, 0.1])
def test_exposure_that_cannot_be_or_says_too_little_hides_zeros_but_no_positives(share: float) -> None:
    zero, some = observe([0.0], [share]), observe([4.0], [share])
    assert not zero.seen[0, 0]
    assert not some.member[0, 0]
    # An impossible share makes the whole look unbelievable; an unknown or small one does not.
    assert some.seen[0, 0] == (not share < 0 and not share > 1)


def test_unknown_exposure_may_be_given_a_value() -> None:
    assert observe([0.0], [math.nan], unknown_exposure=1.0).member[0, 0]


def test_one_giant_outlier_blinds_no_rule() -> None:
    y = counts_of(3.0, 300, seed=21)[0]
    y[100] = 50_000.0
    today = observe(np.append(y, 25.0))
    days = WEEK * np.arange(301)
    assert judge_tail(today).answers.fires[0]
    assert judge_tail(today, seasonal(today, days)).answers.fires[0]
    assert learn_rate(tame(today.past)).per_exposure[0] < 3.5
    rise = np.concatenate([y, np.random.default_rng(1).poisson(9.0, 20)]).astype(float)
    assert replay(observe(rise), 104.0)[2][0, 300:].any()
    week = judge_week(np.append(y, 60.0)[None], np.ones((1, 301)), 300, Options())
    assert week.alarm[0]


def test_a_faulty_look_is_counted_as_a_fault() -> None:
    assert observe([[1.0, -1.0, 2e6]]).faults.tolist() == [[False, True, True]]


def test_series_of_unequal_length_stand_side_by_side() -> None:
    y, e = stack(
        [(np.array([1.0, 2.0]), np.ones(2)), (np.array([3.0]), np.ones(1)), (np.zeros(0), np.zeros(0))]
    )
    np.testing.assert_array_equal(y, [[1.0, 2.0], [np.nan, 3.0], [np.nan, np.nan]])
    assert e.shape == (3, 2)


def test_farrington_says_how_much_history_it_needs() -> None:
    y = counts_of(5.0, 130)
    week = judge_week(y, np.ones_like(y), 129, Options())
    assert week.needs[0] > 0
    assert not week.alarm[0]


# --- one verdict ------------------------------------------------------------------------------------


def test_the_verdict_names_the_strongest_rule_and_all_that_fired() -> None:
    y = np.append(counts_of(4.0, 260, seed=9)[0], 40.0)
    looks = observe(y)
    judged = judge(looks, WEEK * np.arange(261), replay(looks.past, 416.0)[0])
    assert judged.verdict.fires[0]
    assert judged.verdict.strongest[0] == "tail"
    assert "tail" in judged.verdict.fired[0]
    assert judged.verdict.p[0] < 1e-6


def test_the_budget_is_split_whole_and_without_shares_nothing_fires() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert float(split(0.5, 52.0)["tail"]) == pytest.approx(0.5 * 0.4 / 52)
    alone = judge_rate_change(observe(counts_of(3.0, 40)), 13, 13).answers
    assert not combine([alone]).fires[0]
    assert combine([alone]).strongest == ("",)


def test_attainable_is_never_more_than_promised() -> None:
    tail = judge_tail(observe(counts_of(0.3, 120, series=3)))
    for side in SIDES:
        assert (tail.attainable(0.005, side) <= 0.005).all()
