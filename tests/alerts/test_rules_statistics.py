"""The rules with a probability, through records: what they fire on, what they need, and what changes do to them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.baselines.budget import ClassScores, FalseAlarmPromise, shares_of
from alerts.judging.history import history_of, series_with_history, watched_series
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.metrics import METRICS
from alerts.promise import site_budget
from alerts.rules.contract import LookHistory, Rule, RuleContext, Verdict
from alerts.watch import SiteWatch, merge_watch
from db.records import Change, Observation
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS
from tests.kit.builders import DAY, at, look, stated

START = at("2021-01-04")
WEEK = timedelta(days=7)
STATISTICAL = ("tail", "ears_c1", "ears_c2", "ears_c3", "farrington", "absence", "step")


def every(
    step: timedelta, values: Sequence[float | None], metric: str = "railcars", **fields: Any
) -> list[Observation]:
    return [
        look(
            "2021-01-04",
            value,
            metric,
            look_key=str(number),
            period_start=START + number * step,
            period_end=START + number * step + (step if METRICS[metric].kind == "flow" else DAY),
            result_time=START + number * step + step,
            exposure=1.0,
            **fields,
        )
        for number, value in enumerate(values)
    ]


def judge(
    name: str, looks: Sequence[Observation], changes: Sequence[Change] = (), **fields: object
) -> Verdict:
    """Judge the last of these looks by one rule."""
    newest = looks[-1]
    rule: Rule = RULES[name]
    context = RuleContext(METRICS[newest.series.metric], ("type:Tu-160",), "UTC", **fields)  # type: ignore[arg-type]
    known = history_of(newest, looks[:-1], (), newest.result_time, changes=changes)
    return rule.judge(newest, known, context, rule.defaults)


CALM = [3.0, 5.0, 4.0, 6.0, 2.0, 4.0, 5.0, 3.0] * 30


@pytest.mark.parametrize("name", ["tail", "ears_c1", "ears_c2", "ears_c3", "farrington"])
def test_a_burst_fires_high_with_every_figure(name: str) -> None:
    verdict = judge(name, every(WEEK, [*CALM, 60.0], "arrivals"))
    assert verdict.exceeded
    said = verdict.details
    assert said["low"] <= said["expected"] <= said["high"] < 60
    assert (said["side"], said["value"], said["exposure"], said["severity"]) == ("high", 60, 1.0, "urgent")
    assert said["threshold"] < 60
    assert said["odds"] > 100
    assert said["n"] == 240
    assert said["window"][0] == START.isoformat()
    assert said["attainable_a_year"] <= said["promised_a_year"] * 1.001
    assert not judge(name, every(WEEK, [*CALM, 5.0], "arrivals")).exceeded


@pytest.mark.parametrize("name", STATISTICAL)
def test_too_little_history_says_how_much_is_missing(name: str) -> None:
    verdict = judge(name, every(WEEK, [1.0, 0.0, 60.0], "arrivals"))
    assert (verdict.status, verdict.exceeded) == ("cannot_tell", False)
    assert verdict.details["missing"] >= 1
    assert f"needs {verdict.details['missing']} more" in verdict.reason


def test_a_silence_fires_once_for_each_severity_and_clouds_are_not_silence() -> None:
    busy = [1.0, 2.0, 0.0, 1.0] * 30
    said = [judge("absence", every(WEEK, [*busy, *[0.0] * n])) for n in range(1, 25)]
    told = [each for each in said if each.exceeded]
    assert [each.details["severity"] for each in told] == ["notify", "urgent"]
    assert (told[0].details["side"], told[0].details["threshold"]) == ("low", 0)
    hidden: list[float | None] = [*busy, *[None] * 30, 0.0, 0.0]
    assert not judge("absence", every(WEEK, hidden)).exceeded


def test_a_lasting_change_fires_in_both_directions() -> None:
    for after, side in (((12.0, 9.0, 11.0, 10.0), "high"), ((0.0, 1.0, 0.0, 0.0), "low")):
        changed = [*CALM[:120], *list(after) * 10]
        fired = [v for n in range(121, 160) if (v := judge("step", every(WEEK, changed[:n]))).exceeded]
        assert fired, side
        assert fired[0].details["side"] == side
        assert "times the usual rate since 2023-04" in fired[0].reason


def test_a_season_that_comes_every_year_is_no_step() -> None:
    rng = np.random.default_rng(2)
    mean = 12 * np.exp(0.8 * np.cos(2 * np.pi * np.arange(208) / 52.18))
    looks = every(WEEK, rng.poisson(mean).astype(float).tolist())
    rule, context, state = RULES["step"], RuleContext(METRICS["railcars"]), None
    fired, held = 0, 0
    for n in range(52, 208):
        told = history_of(
            looks[n], looks[:n], (), looks[n].result_time, states={"step": state} if state else {}
        )
        verdict = rule.judge(looks[n], told, context, {})
        state = verdict.state
        fired += n >= 104 and verdict.exceeded
        held += "same season a year before" in verdict.reason
    assert held
    assert fired <= held / 2


def test_step_says_the_same_from_its_state_and_from_history() -> None:
    values = [*CALM[:60], *[12.0, 9.0, 11.0, 10.0] * 5]
    looks = every(WEEK, values)
    rule, context = RULES["step"], RuleContext(METRICS["railcars"])
    state = None
    for n in range(2, len(looks)):
        newest, known = looks[n], looks[:n]
        fresh = history_of(newest, known, (), newest.result_time)
        told = history_of(newest, known, (), newest.result_time, states={"step": state} if state else {})
        one = rule.judge(newest, fresh, context, rule.defaults)
        other = rule.judge(newest, told, context, rule.defaults)
        assert one == other
        state = other.state
    late = [look_ for look_ in looks if look_ is not looks[30]]
    assert state is not None
    without = rule.judge(looks[-1], history_of(looks[-1], late[:-1], (), at("2024-01-01")), context, {})
    stale = history_of(looks[-1], late[:-1], (), at("2024-01-01"), states={"step": state})
    assert rule.judge(looks[-1], stale, context, {}) == without


def test_this_quarter_against_the_last_is_for_digests() -> None:
    doubled = [2.0] * 13 + [5.0] * 13
    verdict = judge("rate_change", every(WEEK, doubled, "arrivals"))
    assert (verdict.exceeded, verdict.details["severity"]) == (False, "digest")
    assert verdict.details["rate_ratio"] == pytest.approx(2.5)


def change(effect: str, start: datetime, end: datetime | None = None) -> Change:
    return Change("k", "busy-port", "a second camera was mounted", effect, start, end, "")


@pytest.mark.parametrize("name", ["record", "tail", "step", "farrington"])
def test_a_break_begins_the_baseline_anew(name: str) -> None:
    looks = every(WEEK, [*CALM, 60.0], "arrivals")
    verdict = judge(name, looks, [change("break", START + 236 * WEEK)])
    assert (verdict.status, verdict.exceeded) == ("baseline_broken", False)
    assert "a second camera was mounted" in verdict.reason


def test_excluded_periods_leave_the_baseline_and_are_not_judged() -> None:
    fair = [*CALM[:100], *[60.0] * 10, *CALM[:50], 60.0]
    period = change("exclude", START + 100 * WEEK, START + 110 * WEEK)
    assert judge("record", every(WEEK, fair), [period]).details["is_record"]
    assert not judge("record", every(WEEK, fair)).details["is_record"]
    assert judge("tail", every(WEEK, fair[:105]), [period]).status == "suppressed"


def test_a_feed_that_is_added_breaks_only_what_was_counted_from_feeds() -> None:
    added = replace(change("break", START + 236 * WEEK), key="feed:adsb:second.example", site_id="")
    counted = every(WEEK, [*CALM, 60.0], "arrivals", procedure="adsb:1")
    assert judge("tail", counted, [added]).status == "baseline_broken"
    assert judge("tail", every(WEEK, [*CALM, 60.0], "arrivals"), [added]).exceeded


def test_a_note_is_told_with_the_verdict() -> None:
    verdict = judge("tail", every(WEEK, [*CALM, 60.0]), [change("note", START + 200 * WEEK)])
    assert verdict.exceeded
    assert "a second camera was mounted" in verdict.reason


def test_a_subject_that_is_seldom_there_is_judged_by_the_days_without_it() -> None:
    days = every(DAY, [4.0] * 200, "arrivals", procedure="adsb/visits:1")
    named = replace(days[0].series, subject="class:vip_military")
    seen = [replace(days[n], series=named, value=1.0) for n in (20, 199)]
    newest = seen[-1]
    history = history_of(newest, [*days[:199], seen[0]], (), newest.result_time)
    assert len(history.implied) == 198
    verdict = RULES["tail"].judge(newest, history, RuleContext(METRICS["arrivals"]), RULES["tail"].defaults)
    assert verdict.details["expected"] < 0.05
    by_people = replace(named, procedure="published")
    assert history_of(replace(newest, series=by_people), days, (), newest.result_time).implied == ()


def test_daily_looks_never_lose_what_they_could_judge() -> None:
    days = every(DAY, [4.0, 5.0, 3.0] * 30, "arrivals")
    told = [judge("tail", days[:n]).status for n in range(2, 90)]
    assert told.index("evaluated") == 11
    assert set(told[11:]) == {"evaluated"}


def test_bounds_come_from_the_class_where_it_has_scored_enough() -> None:
    looks = every(WEEK, [*CALM, 16.0])
    assert judge("tail", looks).exceeded
    wild = ClassScores(5_000, tuple(float(50 - n / 100) for n in range(2_000)))
    promise = FalseAlarmPromise(scores={("tail", "stock, by look"): wild})
    verdict = judge("tail", looks, promise=promise)
    assert (verdict.exceeded, verdict.details["recalibrated"]) == (False, True)
    few = FalseAlarmPromise(scores={("tail", "stock, by look"): ClassScores(10, (50.0,))})
    assert judge("tail", looks, promise=few).exceeded


def test_the_budget_is_split_among_metrics_series_and_rules() -> None:
    site = SiteWatch("s", "S", "railhead", "UTC", metrics=merge_watch(KINDS["railhead"].watch))
    promise = site.promise("railcars", series=2)
    assert promise.budget["notify"] == pytest.approx(0.5 / 4 / 2)
    assert sum(promise.a_year(name) for name in promise.shares if name != "first_ever") == pytest.approx(
        0.5 / 8
    )
    own = replace(site, false_alarms={"railcars": 2.0})
    assert own.promise("railcars").budget == pytest.approx({"notify": 2.0, "urgent": 0.2, "digest": 16.0})
    assert site_budget(site.budget, {"urgent": 0.01}, "railcars", 1)["urgent"] == 0.01
    assert shares_of(["tail", "farrington"]) == {"tail": 0.5, "farrington": 0.5}


def test_only_series_with_a_history_share_the_budget() -> None:
    known = every(WEEK, [1.0] * 12)
    types = [replace(each, series=replace(each.series, subject="type:B738")) for each in known]
    listed = [replace(each, series=replace(each.series, subject="type:Tu-160")) for each in known]
    few = every(WEEK, [1.0] * 3, "containers")
    found = series_with_history([*known, *types, *listed, *few])
    assert len(found) == 3
    assert watched_series(found, "railcars", ["type:Tu-160"]) == 2
    assert watched_series(found, "containers", []) == 0


def test_metrics_without_a_history_take_no_part_of_the_budget() -> None:
    """What nobody counts here cannot spend its part: the metric that is counted has all of it."""
    site = SiteWatch(
        "busy-port", "Busy Port", "railhead", "UTC", metrics=merge_watch(KINDS["railhead"].watch)
    )
    looks = every(WEEK, [1.0] * 20)
    known = KnownHistory(looks[-1].result_time, looks, histories=series_with_history(looks))
    assert context_of(site, "railcars", known).promise.budget["notify"] == pytest.approx(0.5)
    other = replace(looks[0].series, metric="locomotives")
    both = replace(known, histories=frozenset({looks[0].series, other}))
    assert context_of(site, "railcars", both).promise.budget["notify"] == pytest.approx(0.25)
    # A metric that has no history yet is promised what it would have.
    assert context_of(site, "containers", both).promise.budget["notify"] == pytest.approx(0.5 / 3)


def test_the_leading_verdict_carries_what_all_rules_together_say() -> None:
    looks = every(WEEK, [*CALM, 60.0])
    watch = merge_watch({"railcars": {"rules": {name: {} for name in ("record", "tail", "step")}}})
    site = SiteWatch("busy-port", "Busy Port", "railhead", "UTC", metrics=watch)
    known = KnownHistory(looks[-1].result_time, looks)
    said = verdicts_on(looks[-1], known, site, RULES, context_of(site, "railcars", known))
    (leading,) = [each for each in said if "combined" in each.details]
    assert leading.rule == "tail"
    assert leading.details["combined"]["rules"] == ["tail", "step"]
    assert 0 < leading.details["combined"]["chance"] <= leading.details["combined"]["alpha"] * 1.001


BAD = (-1.0, 2.5, float("nan"), 1e30, float("inf"))


@pytest.mark.parametrize("name", sorted(RULES.keys() - {"several"}))
@pytest.mark.parametrize("value", BAD)
def test_what_cannot_be_true_has_a_defined_answer(name: str, value: float) -> None:
    newest = judge(name, every(WEEK, [*CALM, value], "arrivals"))
    assert newest.exceeded == (False if value != 2.5 else newest.exceeded)
    assert newest.status in {"evaluated", "not_observed", "cannot_tell"}
    assert newest.reason.endswith(".")
    earlier = judge(name, every(WEEK, [*CALM, value, 4.0], "arrivals"))
    assert not earlier.exceeded


@pytest.mark.parametrize("name", [*RULES])
@pytest.mark.parametrize("value", [-1.0, float("nan"), 1e30, float("inf")])
def test_what_cannot_be_true_is_judged_by_no_rule_and_stands_in_nobodys_history(
    name: str, value: float
) -> None:
    assert judge(name, every(WEEK, [*CALM, value], "arrivals")).status == "not_observed"
    plain, odd = every(WEEK, [*CALM, None, 9.0], "arrivals"), every(WEEK, [*CALM, value, 9.0], "arrivals")
    assert judge(name, odd) == judge(name, plain)


@pytest.mark.parametrize("name", sorted(RULES.keys() - {"several"}))
@pytest.mark.parametrize(
    "values", [[0.0] * 300, [None] * 300, [7.0] * 300, [4.0]], ids=["zeros", "missing", "constant", "one"]
)
def test_odd_series_have_a_defined_answer(name: str, values: list[float | None]) -> None:
    verdict = judge(name, every(WEEK, values))
    assert not verdict.exceeded
    assert verdict.reason.endswith(".")


def test_a_sighting_at_unknown_exposure_is_never_called_a_zero() -> None:
    seen = replace(every(WEEK, [1.0])[0], qualifier=">=", exposure=None)
    verdict = judge("step", [seen])
    assert verdict.status == "cannot_tell"
    assert "zero" not in verdict.reason


def test_exposure_outside_0_to_1_is_not_observed() -> None:
    looks = every(WEEK, [*CALM, 60.0])
    wrong = [replace(each, exposure=1.7) for each in looks]
    assert judge("tail", wrong).status == "not_observed"
    assert judge("tail", [*wrong[:-1], looks[-1]]).status == "cannot_tell"


@pytest.mark.parametrize("name", ["tail", "ears_c1", "farrington"])
def test_one_giant_outlier_blinds_no_rule_for_years(name: str) -> None:
    values = [*CALM[:150], 5_000.0, *CALM[:89], 60.0]
    assert judge(name, every(WEEK, values, "arrivals")).exceeded


@pytest.mark.parametrize("name", [*RULES])
def test_duplicates_and_looks_without_exposure_change_nothing(name: str) -> None:
    looks = every(WEEK, [*CALM, 30.0])
    again = [replace(each, look_key=f"{each.look_key}-again") for each in looks[5:60]]
    unseen = [
        replace(
            each,
            value=0.0,
            exposure=0.05,
            look_key="unseen",
            period_start=each.period_start + 2 * DAY,
            period_end=each.period_end + 2 * DAY,
        )
        for each in looks[5:60]
    ]
    more = sorted([*looks[:-1], *again, *unseen], key=lambda each: each.period_start)
    one, other = judge(name, looks), judge(name, [*more, looks[-1]])
    assert (one.status, one.exceeded) == (other.status, other.exceeded)
    for figure in ("p", "threshold", "expected"):
        assert one.details.get(figure, 0.0) == pytest.approx(other.details.get(figure, 0.0), rel=1e-9)


@settings(max_examples=12, deadline=None)
@given(values=st.lists(st.integers(0, 30), min_size=30, max_size=70), value=st.integers(0, 60))
def test_no_rule_fires_at_or_below_its_expectation(values: list[int], value: int) -> None:
    looks = every(WEEK, [*map(float, values), float(value)], "arrivals")
    for name in RULES:
        verdict = judge(name, looks)
        if not verdict.exceeded:
            continue
        if name not in STATISTICAL:
            # Records expect no more than was ever there, firsts nothing.
            assert value > verdict.details["threshold"]
        elif verdict.details["side"] == "high":
            assert value > verdict.details["threshold"]
            assert value > min(verdict.details["expected"], max(values)) or name == "farrington"
        else:
            assert value < verdict.details["expected"]


def test_history_is_empty_by_default() -> None:
    assert LookHistory(START).past.counts.size == 0


# --- published maxima -------------------------------------------------------------------------------


def beside_a_maximum(values: Sequence[float], *, of: float = 20.0, **newest: object) -> Verdict:
    """`record` about the last of these counts by people, after a published maximum of five years."""
    looks = every(WEEK, values)
    looks[-1] = replace(looks[-1], **newest)  # type: ignore[arg-type]
    maximum = stated("max", of, ("2015-01-01", "2020-12-31"))
    known = history_of(looks[-1], looks[:-1], (maximum,), looks[-1].result_time)
    return RULES["record"].judge(looks[-1], known, RuleContext(METRICS["railcars"]), RULES["record"].defaults)


def test_a_published_maximum_counts_until_a_count_passed_it_and_then_is_history() -> None:
    assert beside_a_maximum([3.0, 5.0, 73.0]).exceeded
    passed = beside_a_maximum([3.0, 5.0, 73.0, 80.0])
    assert not passed.exceeded
    assert "was passed on 2021-01-18 and is history" in passed.reason
    assert beside_a_maximum([3.0, 5.0, 73.0, 258.0]).exceeded
    # Own counts round three times the maximum, for ever: it says nothing more once they are known.
    rng = np.random.default_rng(3)
    own = rng.poisson(60.0, 150).astype(float)
    told = [n for n in range(1, 150) if beside_a_maximum(own[:n].tolist()).exceeded]
    assert told == [1]


def test_whoever_passed_a_maximum_for_certain_did_though_a_higher_count_may_be_less() -> None:
    looks = every(WEEK, [3.0, 24.0, 21.0, 30.0])
    looks[1] = replace(looks[1], qualifier="~=")
    maximum = stated("max", 20.0, ("2015-01-01", "2020-12-31"))
    known = history_of(looks[-1], looks[:-1], (maximum,), looks[-1].result_time)
    told = RULES["record"].judge(looks[-1], known, RuleContext(METRICS["railcars"]), RULES["record"].defaults)
    assert "is history" in told.reason
    assert not told.exceeded


def test_about_is_an_interval_on_both_sides() -> None:
    looks = every(WEEK, [3.0, 258.0, 270.0])
    looks[1] = replace(looks[1], qualifier="~=")
    known = history_of(
        looks[-1], looks[:-1], (stated("max", 20.0, ("2015-01-01", "2020-12-31")),), looks[-1].result_time
    )
    verdict = RULES["record"].judge(
        looks[-1], known, RuleContext(METRICS["railcars"]), RULES["record"].defaults
    )
    assert not verdict.exceeded
    assert "about as many as the highest known before" in verdict.reason
    assert not beside_a_maximum([3.0, 22.0], qualifier="~=").exceeded
    assert beside_a_maximum([3.0, 22.0]).exceeded


def test_every_alarm_names_the_budget_it_draws_on() -> None:
    looks = every(WEEK, [*CALM, 60.0])
    watch = merge_watch(
        {"railcars": {"rules": {name: {} for name in ("record", "tail", "step", "first_ever")}}}
    )
    site = SiteWatch("busy-port", "Busy Port", "railhead", "UTC", metrics=watch)
    known = KnownHistory(looks[-1].result_time, looks)
    said = {
        each.rule: each
        for each in verdicts_on(looks[-1], known, site, RULES, context_of(site, "railcars", known))
    }
    assert said["tail"].details["budget"] == {"from": "promise", "part": "tail"}
    assert said["record"].exceeded
    assert said["record"].details["budget"] == {"from": "promise", "part": "tail"}
    maximum = stated("max", 20.0, ("2015-01-01", "2020-12-31"))
    few = every(WEEK, [3.0, 60.0])
    told = verdicts_on(
        few[-1],
        KnownHistory(few[-1].result_time, few[:-1], [maximum]),
        site,
        RULES,
        context_of(site, "railcars", known),
    )
    (record,) = [each for each in told if each.exceeded]
    assert record.details["budget"] == {"from": "published statistic", "until": "any count has passed it"}
