"""What rules cannot spend is lent to the tail: no look of any series may cost more than is promised."""

from datetime import timedelta

import numpy as np
import pytest

from alerts.baselines.budget import (
    BUDGET_SHARES,
    SEVERITIES,
    FalseAlarmPromise,
    Severity,
    Spending,
    shares_of,
)
from alerts.baselines.budget_reallocation import LEAST_KEPT_SHARE, firing_chances, idle_shares
from alerts.baselines.engine import Judgement, judge_series
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.record import independent_share
from alerts.baselines.special import FloatArray
from alerts.baselines.step import as_last_year, change_day
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.watch import SiteWatch, merge_watch
from db.records import Observation
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS
from tests.kit.builders import DAY, at, look

WEEKS = 260
BUDGET = {name: 0.5 * share for name, share in BUDGET_SHARES.items()}
RAILHEAD = SiteWatch(
    "busy-port",
    "Busy Port",
    "railhead",
    "UTC",
    metrics=merge_watch({"railcars": KINDS["railhead"].watch["railcars"]}),
)


def weekly(values: FloatArray) -> list[Observation]:
    start = at("2019-01-07")
    return [
        look(
            "2019-01-07",
            float(value),
            look_key=str(n),
            period_start=start + timedelta(weeks=n),
            period_end=start + timedelta(weeks=n) + DAY,
            result_time=start + timedelta(weeks=n) + DAY,
            exposure=1.0,
            procedure="yard-detector:2@10m",
        )
        for n, value in enumerate(values.tolist())
    ]


def told(counts: FloatArray, days: FloatArray, false_alarms: float = 0.5) -> Judgement:
    """The default rules about the newest looks, on one promise."""
    rules = ("record", "tail", "first_ever", "first_since", "absence", "step")
    budget: dict[str, float] = dict.fromkeys(SEVERITIES, false_alarms)
    series = Series(days - days[-1], clean_looks(counts), period_days=7.0)
    return judge_series(
        series, FalseAlarmPromise(budget, shares_of(rules)), {name: RULES[name].defaults for name in rules}
    )


def idle_of(counts: FloatArray, gap_a_year: float = 100.0) -> dict[str, float]:
    found = firing_chances(clean_looks(counts), np.array([gap_a_year]))
    return {name: float(part[0]) for name, part in idle_shares(found, BUDGET, 52.0).items()}


def test_each_rule_lends_only_what_history_shows_to_be_idle() -> None:
    rng = np.random.default_rng(1)
    busy = idle_of(rng.poisson(20.0, WEEKS).astype(float))
    assert busy == {"first_since": 1.0, "absence": 1.0 - LEAST_KEPT_SHARE, "step": 0.0}
    # Silences of a place that is often empty use their share; so does a silence of years.
    sparse = idle_of(rng.poisson(0.4, WEEKS).astype(float), gap_a_year=0.01)
    assert sparse == {"first_since": 0.0, "absence": 0.0, "step": 0.0}
    assert idle_of(np.ones(10))["step"] == 1.0


def test_what_is_seen_today_decides_nothing_about_lending() -> None:
    counts = np.random.default_rng(2).poisson(3.0, WEEKS).astype(float)
    assert idle_of(np.append(counts, 0.0)) == idle_of(np.append(counts, 90.0))


def test_the_tail_of_a_batch_has_its_own_share_and_what_is_lent() -> None:
    counts = np.random.default_rng(3).poisson(20.0, (1, WEEKS + 1)).astype(float)
    spending = told(counts, 7.0 * np.arange(WEEKS + 1.0)).spending
    share = (
        BUDGET_SHARES["tail"]
        + BUDGET_SHARES["first_since"]
        + (1 - LEAST_KEPT_SHARE) * BUDGET_SHARES["absence"]
    )
    assert spending.alpha("tail")[0] == pytest.approx(0.5 * share / 52.18, rel=0.02)


@pytest.mark.parametrize("mean", [0.4, 3.0, 20.0])
@pytest.mark.parametrize("n", [15, 100, WEEKS])
def test_what_is_promised_of_all_rules_together_stays_the_budget(mean: float, n: int) -> None:
    looks = weekly(np.random.default_rng(4).poisson(mean, n).astype(float))
    known = KnownHistory(looks[-1].result_time, looks)
    context = context_of(RAILHEAD, "railcars", known)
    said = verdicts_on(looks[-1], known, RAILHEAD, RULES, context)
    told = [
        each.details["promised_a_year"]
        for each in said
        if "promised_a_year" in each.details and each.rule != "rate_change"
    ]
    assert 0 < sum(told) <= context.promise.budget["notify"] * 1.001
    tail = next(each for each in said if each.rule == "tail")
    assert tail.details["promised_a_year"] > context.promise.a_year("tail")


def test_a_busy_place_that_falls_silent_is_told_although_its_share_is_lent() -> None:
    looks = weekly(np.append(np.random.default_rng(5).poisson(20.0, 120), 0.0).astype(float))
    known = KnownHistory(looks[-1].result_time, looks)
    said = verdicts_on(looks[-1], known, RAILHEAD, RULES, context_of(RAILHEAD, "railcars", known))
    absence = next(each for each in said if each.rule == "absence")
    assert absence.exceeded
    assert absence.details["promised_a_year"] == pytest.approx(
        LEAST_KEPT_SHARE * BUDGET_SHARES["absence"] * 0.5, abs=1e-4
    )


def test_severities_lend_apart() -> None:
    looks = weekly(np.random.default_rng(6).permutation(np.arange(200.0) % 9))
    known = KnownHistory(looks[-1].result_time, looks)
    promise = context_of(RAILHEAD, "railcars", known).promise
    one = np.ones(1)
    lent: dict[Severity, dict[str, FloatArray]] = {
        "notify": {"absence": one, "first_ever": one, "first_since": one}
    }
    some = Spending(promise, 52.0 * one, "stock, by look", lent)
    assert some.a_year("absence")[0] == 0.0
    assert some.a_year("absence", "digest")[0] == promise.a_year("absence", "digest")
    lending = BUDGET_SHARES["tail"] + BUDGET_SHARES["absence"] + BUDGET_SHARES["first_since"]
    assert some.a_year("tail")[0] == pytest.approx(0.5 * lending)
    for severity in SEVERITIES[2:]:
        assert some.a_year("tail", severity)[0] == promise.a_year("tail", severity)


def test_a_trend_is_worth_few_independent_looks_and_noise_all() -> None:
    noise = np.random.default_rng(7).poisson(9.0, (200, 150)).astype(float)
    assert np.median(independent_share(clean_looks(noise))) == 1.0
    assert independent_share(clean_looks(noise + np.arange(150.0)))[0] < 0.1


def test_a_step_of_a_batch_that_comes_every_year_is_the_season() -> None:
    weeks = np.arange(4 * 52 + 12)
    rng = np.random.default_rng(8)
    high = (weeks % 52) < 12
    yearly = rng.poisson(np.where(high, 14.0, 4.0)).astype(float)
    lasting = rng.poisson(np.where(weeks < 4 * 52, 4.0, 14.0)).astype(float)
    days = (365.25 / 52 * weeks).astype(np.float64)
    looks = clean_looks(np.stack([yearly, lasting]))
    began = change_day(looks, days, np.array([12, 12]))
    assert began.tolist() == [days[-12], days[-12]]
    assert as_last_year(looks, days, began, rising=np.array([True, True])).tolist() == [True, False]
    fired = []
    for week in range(4 * 52, 4 * 52 + 12):
        counts = looks.counts[:, : week + 1]
        said = told(counts, days[: week + 1], 2.0)
        fired.append(said.rulings["step"].fires)
    assert np.any(fired, axis=0).tolist() == [False, True]
