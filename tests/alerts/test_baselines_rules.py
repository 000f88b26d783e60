import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baselines.absence import Absence, judge_absence
from alerts.baselines.answers import Answers
from alerts.baselines.budget import BUDGET_SHARES, DEFAULT_BUDGET, FalseAlarmPromise, shares_of
from alerts.baselines.change_rate import judge_rate_change
from alerts.baselines.ears import ears
from alerts.baselines.engine import RULE_QUESTIONS, Judgement, judge_series
from alerts.baselines.farrington import FarringtonOptions, judge_week
from alerts.baselines.model import Looks, Series, cap_outliers, clean_looks, learn_rate, merge_near_looks
from alerts.baselines.record import effective_looks, judge_record
from alerts.baselines.since import First, chance_a_year, chance_new
from alerts.baselines.special import BoolArray, FloatArray
from alerts.baselines.step import (
    Memory,
    Step,
    StepState,
    fresh_step_state,
    judge_step,
    learn,
    step_state,
    update_step,
)
from alerts.baselines.tail import (
    Tail,
    TailSide,
    attainable_tail_chance,
    judge_newest,
    seasonless_expectation,
)
from alerts.baselines.tail_daily import daily_expectation
from alerts.baselines.tail_weekly import seasonal_expectation
from monitor.bootstrap import RULES

WEEK = 7.0
SIDES: tuple[TailSide, ...] = ("high", "low")
DEFAULTS = ("record", "tail", "first_ever", "first_since", "absence", "step")


def counts_of(mean: float, looks: int, seed: int = 1, series: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.poisson(mean, (series, looks)).astype(np.float64)


def weekly(looks: Looks) -> Series:
    """Weekly looks with the newest today."""
    return Series(WEEK * np.arange(1.0 - looks.counts.shape[1], 1.0), looks, period_days=WEEK)


def every_day(looks: Looks) -> Series:
    return Series(np.arange(1.0 - looks.counts.shape[1], 1.0), looks, daily=True, period_days=1.0)


def ask(series: Series, *rules: str, promise: FalseAlarmPromise | None = None) -> Judgement:
    """What the engine says by these rules alone, each with its usual parameters."""
    return judge_series(
        series,
        promise or FalseAlarmPromise(shares=shares_of(rules)),
        {name: RULES[name].defaults for name in rules},
    )


def single(looks: Looks, *, season: bool = False) -> Tail:
    """R2 on the newest look alone."""
    expectation = seasonal_expectation(looks, weekly(looks).days) if season else None
    return judge_newest(looks, expectation, 1)


def absence_fires(looks: Looks, a_year: float, false_alarms_a_year: float) -> BoolArray:
    found: Absence = judge_absence(looks)
    every = np.ones(len(looks.counts))
    return found.crosses(false_alarms_a_year * every, a_year * every)


def replay(looks: Looks, alarm_at: float) -> tuple[StepState, Step, BoolArray]:
    """Run R7 over all looks from the start: final state, last answer, alarms [S, T]."""
    state = fresh_step_state(len(looks.counts))
    alarms = np.zeros(looks.counts.shape, dtype=bool)
    for column in range(looks.counts.shape[1]):
        state, step = update_step(state, looks.window(slice(column, column + 1)), alarm_at)
        alarms[:, column] = step.answers.fires(1.0 / alarm_at)
    return state, step, alarms


def all_answers(looks: Looks) -> dict[str, Answers]:
    """Every rule about the newest look."""
    rules = {name: dict(RULES[name].defaults) for name in RULE_QUESTIONS}
    said = judge_series(weekly(looks), FalseAlarmPromise(), rules)
    low = judge_series(weekly(looks), FalseAlarmPromise(), {"tail": {**rules["tail"], "sides": "low"}})
    return {
        **{name: ruling.answers for name, ruling in said.rulings.items()},
        "low": low.rulings["tail"].answers,
        "daily": ask(every_day(looks), "tail").rulings["tail"].answers,
        "rate_change": judge_rate_change(looks, 13, 13).answers,
    }


# --- stories ----------------------------------------------------------------------------------------


def test_seventy_three_railcars_after_five_years_of_at_most_twenty() -> None:
    rng = np.random.default_rng(5)
    past = np.minimum(rng.negative_binomial(2.0, 1 / 4.0, 121), 20).astype(float)
    looks = clean_looks(np.append(past, 73.0), kind="stock")
    record = judge_record(looks)
    assert record.is_record[0]
    assert record.answers.p[0] == 1 / 122
    assert record.previous[0] == past.max()
    tail = single(looks)
    assert tail.answers.fires(1e-4)[0]
    assert tail.p_high[0] < 1e-5


def test_first_visit_since_mid_2019_is_at_most_one_chance_in_nine_years() -> None:
    past = np.zeros(1300)
    past[109] = 1
    said = ask(every_day(clean_looks(np.append(past, 1.0))), "first_since")
    assert said.watched.since_days[0] == 1190
    assert said.watched.seen[0]
    assert 1 / said.rulings["first_since"].of(First).chance_a_year[0] == pytest.approx(8.86, abs=0.01)
    assert said.fires[0]


def test_a_first_visit_without_history_cannot_be_judged_yet() -> None:
    said = ask(every_day(clean_looks(np.append(np.zeros(15), 1.0))), "first_ever", "first_since")
    assert not said.watched.seen[0]
    assert said.rulings["first_ever"].answers.say(0) == "cannot_tell"
    assert said.rulings["first_ever"].answers.needs[0] == 5
    assert said.rulings["first_since"].answers.say(0) == "cannot_tell"
    # A gap of a year, of which too little was watched.
    hidden = np.where(np.arange(400) % 8 == 0, 0.0, np.nan)
    hidden[0] = 1.0
    blind = clean_looks(np.append(hidden, 1.0), np.append(np.where(np.isnan(hidden), np.nan, 1.0), 1.0))
    since = ask(every_day(blind), "first_since").rulings["first_since"].answers
    assert (since.say(0), since.needs[0]) == ("cannot_tell", 41)


def test_outages_do_not_lengthen_the_gap() -> None:
    past, exposure = np.zeros(400), np.ones(401)
    past[100:300] = exposure[100:300] = np.nan
    assert ask(every_day(clean_looks(np.append(past, 1.0), exposure))).watched.observed_days[0] == 200


def test_a_snapshot_stands_for_the_time_since_the_one_before_but_for_no_more_than_a_month() -> None:
    series = Series(np.array([-100.0, -90.0, -10.0, 0.0]), clean_looks([0.0, 1.0, 0.0, 1.0], kind="stock"))
    known = ask(series).watched
    assert (known.looks[0], known.observed_days[0], known.since_days[0]) == (3, 40.0, 40.0)
    assert known.gap_days[0] == 90.0


def test_absence_counts_clear_looks_only_and_is_told_once() -> None:
    past = np.where(np.arange(100) % 10 == 0, 0.0, 3.0)
    silence = np.zeros(26)
    cloud = np.where(np.arange(26) % 2 == 0, np.nan, 1.0)
    y, e = np.append(past, silence), np.append(np.ones(100), cloud)
    fired = [
        bool(absence_fires(clean_looks(y[: i + 1], e[: i + 1], kind="stock"), 100.0, 0.5)[0])
        for i in range(100, 126)
    ]
    assert sum(fired) == 1
    last = judge_absence(clean_looks(y, e, kind="stock"))
    assert last.silent[0] == 13
    assert last.not_counted[0] == 13
    assert last.active_share[0] == pytest.approx(0.9)


def test_a_doubling_is_told_with_its_ratio_and_then_learnt() -> None:
    rng = np.random.default_rng(8)
    y = np.concatenate([rng.poisson(5.0, 200), rng.poisson(12.0, 120)]).astype(float)
    _, _, alarms = replay(clean_looks(y), 104.0)
    when = np.flatnonzero(alarms[0])
    assert 200 < when[0] < 210
    assert len(when) <= 2
    state, step = fresh_step_state(1), None
    for i in range(when[0] + 1):
        state, step = update_step(state, clean_looks(y[i : i + 1]), 104.0)
    assert step is not None
    assert step.ratio[0] == pytest.approx(2.4, abs=0.8)
    assert step.before[0] == pytest.approx(5.0, abs=0.6)


def test_a_step_state_survives_storage() -> None:
    y = counts_of(4.0, 90, seed=3)
    whole, _, _ = replay(clean_looks(y), 104.0)
    half, _, _ = replay(clean_looks(y[:, :50]), 104.0)
    again = step_state([half.row(0)])
    for i in range(50, 90):
        again, _ = update_step(again, clean_looks(y[:, i : i + 1]), 104.0)
    assert again.row(0) == whole.row(0)


def test_twice_the_previous_quarter_at_equal_exposure() -> None:
    y = np.concatenate([np.full(13, 4.0), np.full(13, 4.0)])
    e = np.concatenate([np.ones(13), np.full(13, 0.5)])
    change = judge_rate_change(clean_looks(y, e), 13, 13)
    assert change.ratio[0] == pytest.approx(2.0)
    assert change.low[0] < 2.0 < change.high[0]
    assert change.low[0] > 1.0
    assert change.answers.fires(0.01)[0]


def test_a_season_is_expected_and_its_absence_is_not_news() -> None:
    rng = np.random.default_rng(4)
    days = WEEK * np.arange(300)
    mean = np.exp(2.0 + 1.2 * np.cos(2 * np.pi * days / 365.25))
    y = rng.poisson(mean).astype(float)
    peak = 209
    looks, plain = clean_looks(y[: peak + 1]), clean_looks(y[: peak + 1])
    with_season = seasonal_expectation(looks, days[: peak + 1])
    assert with_season.rate[0] == pytest.approx(mean[peak], rel=0.2)
    seasonal_p = judge_newest(looks, with_season, 1).p_high[0]
    # Without a season its waves are levels that came and went, and the peak is a new one.
    assert single(plain).p_high[0] < seasonal_p / 2
    assert seasonal_p > 0.05


def test_weekdays_are_expected() -> None:
    day = np.arange(400)
    mean = np.where(day % 7 < 5, 12.0, 3.0)
    y = np.random.default_rng(2).poisson(mean).astype(float)
    monday = 392
    expectation, factors = daily_expectation(clean_looks(y[: monday + 1]), day[: monday + 1], window=3)
    assert (expectation.rate * factors[:, -1])[0] == pytest.approx(12.0, rel=0.15)
    assert factors.shape == (1, 3)
    assert factors[0, 0] == pytest.approx(3.0 / 9.43, rel=0.25)


def test_two_moderate_weeks_are_caught_together() -> None:
    looks = clean_looks(np.concatenate([counts_of(4.0, 100, seed=3)[0], [10.0, 10.0]]))
    alone = judge_newest(looks, seasonless_expectation(looks.window(slice(0, 100))), 1)
    both = judge_newest(looks, seasonless_expectation(looks.window(slice(0, 100))))
    assert not alone.answers.fires(1e-4)[0]
    assert both.answers.p[0] < alone.answers.p[0]


def test_snapshots_are_never_summed() -> None:
    looks = clean_looks(np.concatenate([np.full(100, 4.0), [10.0, 10.0]]), kind="stock")
    assert judge_newest(looks).answers.p[0] == single(looks).answers.p[0]


# --- laws -------------------------------------------------------------------------------------------


def test_chance_records_obey_the_law() -> None:
    rng = np.random.default_rng(11)
    y = rng.normal(size=(4000, 3 * 52))
    best = np.maximum.accumulate(y, axis=1)
    records = (y[:, 104:] > best[:, 103:-1]).sum(axis=1).mean()
    assert records == pytest.approx(math.log1p(52 / 104), rel=0.1)
    told = [judge_record(clean_looks(y[:, :n] + 10.0)).is_record.mean() for n in range(105, 157)]
    assert sum(told) == pytest.approx(records)


def test_gaps_end_by_chance_no_oftener_than_the_law_says() -> None:
    rng = np.random.default_rng(12)
    gap_years = 1.0
    gaps = rng.exponential(1.0 / gap_years, 40_000)
    a_year = (gaps > gap_years).sum() / gaps.sum()
    assert a_year == pytest.approx(1 / math.e, rel=0.05)
    assert float(chance_a_year(365.25)) == pytest.approx(1 / math.e)


def test_autocorrelated_looks_are_worth_fewer() -> None:
    rng = np.random.default_rng(13)
    noise = rng.normal(size=(200, 400))
    for i in range(1, 400):
        noise[:, i] = 0.8 * noise[:, i - 1] + 0.6 * noise[:, i]
    correlated = effective_looks(clean_looks(noise + 20.0)).mean()
    assert 25 < correlated < 80  # one per (1 + 0.8)/(1 - 0.8) = 9 looks
    assert effective_looks(clean_looks(rng.normal(size=(200, 400)) + 20.0)).mean() > 250


@pytest.mark.parametrize(("n", "mean", "phi"), [(28, 1.0, 2.0), (52, 5.0, 5.0), (260, 1.0, 2.0)])
def test_the_tail_keeps_its_promise_within_the_measured_factor(n: int, mean: float, phi: float) -> None:
    rng = np.random.default_rng(14)
    y = rng.negative_binomial(mean / (phi - 1), 1 / phi, (20_000, n + 1)).astype(float)
    realised = single(clean_looks(y)).answers.fires(0.005).mean()
    assert 0.2 * 0.005 < realised < 2.2 * 0.005


def test_steps_keep_their_promise() -> None:
    rng = np.random.default_rng(15)
    y = rng.negative_binomial(4.0, 1 / 1.5, (400, 260)).astype(float)
    _, _, alarms = replay(clean_looks(y), 104.0)
    a_year = alarms[:, 52:].sum() / (400 * 4)
    assert a_year < 0.5


def test_silences_keep_their_promise() -> None:
    rng = np.random.default_rng(16)
    y = rng.negative_binomial(0.6, 1 / 1.5, (150, 320)).astype(float)
    alarms = sum(int(absence_fires(clean_looks(y[:, : i + 1]), 52.0, 0.5).sum()) for i in range(104, 320))
    assert alarms / (150 * 216 / 52) < 0.5


def test_new_visitors_follow_good_and_turing() -> None:
    assert chance_new([1, 1, 4, 4]) == pytest.approx(0.2)
    assert math.isnan(chance_new([]))


# --- properties -------------------------------------------------------------------------------------

series = st.lists(st.one_of(st.just(math.nan), st.integers(0, 60).map(float)), min_size=1, max_size=300)
shares = st.floats(0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(series, st.data())
def test_no_rule_for_rises_fires_at_or_below_its_expectation(past: list[float], data: st.DataObject) -> None:
    base = clean_looks(np.append(past, 1.0))
    expected = float(judge_newest(base, seasonal_expectation(base, weekly(base).days)).expected[0])
    if math.isnan(expected):
        return
    today = math.floor(expected * data.draw(shares))
    looks = clean_looks(np.append(past, float(today)))
    tail = judge_newest(looks, seasonal_expectation(looks, weekly(looks).days))
    assert not (tail.answers.fires(0.5)[0] and today <= tail.expected[0] and tail.p_high[0] >= 1.0)
    alone = single(looks)
    if today <= alone.expected[0]:
        assert not alone.answers.fires(0.5)[0]
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
    plain, blinded = clean_looks(y, e), clean_looks(blind_y, blind_e)
    assert judge_record(plain).answers.p == pytest.approx(judge_record(blinded).answers.p, nan_ok=True)
    assert single(plain).p_high == pytest.approx(single(blinded).p_high, nan_ok=True)
    assert replay(plain, 104.0)[0].row(0) == replay(blinded, 104.0)[0].row(0)
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
        return merge_near_looks(table[:, 0], table[:, 1], table[:, 2])

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
    looks = clean_looks(BAD[name])
    for rule, answers in all_answers(looks).items():
        if rule == "rate_change":
            assert answers.say(0) in ("evaluated", "cannot_tell", "not_observed")
            continue
        if rule == "first_since" and name in {"length 1", "fractional"}:
            assert answers.say(0) in ("evaluated", "cannot_tell")
            continue
        if name in NOT_OBSERVED:
            assert answers.say(0) == "not_observed", rule
        elif name == "length 1":
            assert answers.say(0) == "cannot_tell", rule
            assert answers.needs[0] > 0
        if name != "million":
            assert not answers.fires(0.001)[0], rule


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan, 0.1])
def test_exposure_that_cannot_be_or_says_too_little_hides_zeros_but_no_positives(share: float) -> None:
    zero, some = clean_looks([0.0], [share]), clean_looks([4.0], [share])
    assert not zero.seen[0, 0]
    assert not some.member[0, 0]
    # An impossible share makes the whole look unbelievable; an unknown or small one does not.
    assert some.seen[0, 0] == (not share < 0 and not share > 1)


def test_one_giant_outlier_blinds_no_rule() -> None:
    y = counts_of(3.0, 300, seed=21)[0]
    y[100] = 50_000.0
    today = clean_looks(np.append(y, 25.0))
    days = WEEK * np.arange(301)
    assert single(today).answers.fires(0.005)[0]
    assert judge_newest(today, seasonal_expectation(today, days), 1).answers.fires(0.005)[0]
    assert learn_rate(cap_outliers(today.past)).per_exposure[0] < 3.5
    rise = np.concatenate([y, np.random.default_rng(1).poisson(9.0, 20)]).astype(float)
    assert replay(clean_looks(rise), 104.0)[2][0, 300:].any()
    week = judge_week(np.append(y, 60.0)[None], np.ones((1, 301)), 300, FarringtonOptions())
    assert week.alarm[0]


def test_a_faulty_look_is_counted_as_a_fault() -> None:
    assert clean_looks([[1.0, -1.0, 2e6]]).faults.tolist() == [[False, True, True]]


def test_farrington_says_how_much_history_it_needs() -> None:
    y = counts_of(5.0, 130)
    week = judge_week(y, np.ones_like(y), 129, FarringtonOptions())
    assert week.needs[0] > 0
    assert not week.alarm[0]


# --- one verdict ------------------------------------------------------------------------------------


def test_the_engine_says_which_rules_fire_and_how_severe_each_is() -> None:
    y = np.append(counts_of(4.0, 260, seed=9)[0], 40.0)
    calm = np.append(y[:-1], 4.0)
    said = ask(weekly(clean_looks(np.stack([y, calm]))), *DEFAULTS)
    assert said.fires.tolist() == [True, False]
    tail = said.rulings["tail"]
    assert (tail.severity[0], tail.severity[1]) == (0, 3)
    assert tail.answers.p[0] < 1e-6
    assert said.rulings["record"].answers.news.tolist() == [True, False]
    with pytest.raises(TypeError, match="tail found TwoSided, not Step"):
        tail.of(Step)


def test_the_budget_is_split_whole_and_without_rules_nothing_fires() -> None:
    assert sum(BUDGET_SHARES.values()) == pytest.approx(1.0)
    series = weekly(clean_looks(counts_of(3.0, 40)))
    assert float(ask(series, "tail").spending.alpha("tail")[0]) == pytest.approx(0.5 / 52.18, rel=0.03)
    nothing = judge_series(series, FalseAlarmPromise(DEFAULT_BUDGET, {}), {"tail": RULES["tail"].defaults})
    assert not nothing.fires[0]
    assert not ask(series).fires[0]


def test_after_a_pause_the_promise_is_spread_over_looks_as_they_usually_come() -> None:
    days = np.concatenate([WEEK * np.arange(-150.0, -50.0), WEEK * np.arange(-3.0, 1.0)])
    paused = Series(days, clean_looks(counts_of(3.0, len(days)), kind="stock"))
    assert paused.a_year[0] == pytest.approx(104 / (1050 / 365.25))
    assert weekly(clean_looks(counts_of(3.0, 104))).a_year[0] == pytest.approx(52.2, abs=1)
    hidden = counts_of(3.0, 104)
    hidden[0, ::2] = np.nan
    assert weekly(clean_looks(hidden)).a_year[0] == pytest.approx(26, abs=1)


def test_what_step_remembers_says_the_same_as_history() -> None:
    series = weekly(clean_looks(counts_of(4.0, 90, seed=3, series=4)))
    bounds = np.full(series.looks.counts.shape, 104.0)
    half = Series(series.days[:50], series.looks.window(slice(0, 51)))
    early = learn(half, bounds[:, :51])
    assert early.columns == 50
    whole, resumed = learn(series, bounds), learn(series, bounds, early)
    for one, other in ((whole, resumed), (whole, learn(series, bounds, Memory(99, early.state)))):
        np.testing.assert_array_equal(
            judge_step(series, bounds, one).evidence, judge_step(series, bounds, other).evidence
        )


def test_attainable_is_never_more_than_promised() -> None:
    tail = single(clean_looks(counts_of(0.3, 120, series=3)))
    for side in SIDES:
        assert (attainable_tail_chance(np.full(3, 0.005), tail.expected, tail.size, side) <= 0.005).all()
