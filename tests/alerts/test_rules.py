"""Every rule keeps one contract, and each says what it is for."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.metrics import METRICS
from alerts.rules.combined import combine_verdicts
from alerts.rules.contract import LookHistory, Rule, RuleContext, Verdict
from alerts.rules.first_ever import FirstEverRule
from alerts.rules.first_since import FirstSinceRule
from alerts.rules.record import RecordRule
from alerts.rules.tail import TailRule
from alerts.rules.watchlist import WatchlistRule
from db.records import Observation
from monitor.bootstrap import RULES
from tests.kit.builders import DAY, at, look, stated

RAILCARS = RuleContext(METRICS["railcars"], ("class:vip_military", "type:Tu-160"), "Asia/Pyongyang")
ARRIVALS = RuleContext(METRICS["arrivals"], ("class:vip_military", "type:Tu-160"), "Asia/Pyongyang")
NOW = at("2023-10-06")


def judge(rule: Rule, seen: Observation, history: LookHistory, **params: float) -> Verdict:
    context = RuleContext(METRICS[seen.series.metric], RAILCARS.watchlist, RAILCARS.timezone)
    return rule.judge(seen, history, context, {**rule.defaults, **params})


def past(*values: float, metric: str = "railcars", subject: str = "") -> tuple[Observation, ...]:
    return tuple(
        look(f"2023-{1 + index // 28:02}-{1 + index % 28:02}", value, metric, subject)
        for index, value in enumerate(values)
    )


def history(looks: tuple[Observation, ...] = (), **fields: object) -> LookHistory:
    return LookHistory(NOW, looks, looks, **fields)  # type: ignore[arg-type]


@pytest.fixture(params=sorted(RULES))
def rule(request: pytest.FixtureRequest) -> Rule:
    return RULES[request.param]


def test_the_registry_knows_each_rule_by_its_own_name(rule: Rule) -> None:
    assert RULES[rule.name] is rule


@pytest.mark.parametrize(
    "seen",
    [
        look("2023-10-05", None),
        look("2023-10-05", None, assessable=False),
        look("2023-10-05", 500, assessable=False),
    ],
)
def test_a_look_that_saw_nothing_is_never_judged(rule: Rule, seen: Observation) -> None:
    verdict = judge(rule, seen, history(past(*[1.0] * 40)))
    assert (verdict.status, verdict.exceeded) == ("not_observed", False)
    assert "not a zero" in verdict.reason


def test_what_was_announced_is_recorded_and_not_told(rule: Rule) -> None:
    seen = look("2023-10-05", 500, "arrivals", "class:vip_military", announced=True)
    assert judge(rule, seen, history(past(*[1.0] * 40))).status == "suppressed"


def test_zero_is_never_unusual_on_the_high_side(rule: Rule) -> None:
    for looks in ((), past(*[0.0] * 40), past(*[9.0] * 40)):
        verdict = judge(rule, look("2023-10-05", 0), history(looks))
        assert not verdict.exceeded or verdict.details["side"] == "low"


def test_without_history_only_the_watch_list_speaks(rule: Rule) -> None:
    verdict = judge(rule, look("2023-10-05", 500, "arrivals", "class:vip_military"), history())
    assert verdict.exceeded == (rule.name == "watchlist")
    if rule.name != "watchlist":
        assert verdict.status == "cannot_tell"
        assert "history" in verdict.reason


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.integers(0, 50), max_size=60), value=st.integers(0, 60), seed=st.randoms())
def test_the_order_of_history_changes_no_verdict(values: list[int], value: int, seed: object) -> None:
    ordered = past(*values)
    shuffled = list(ordered)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    for each in RULES.values():
        one = judge(each, look("2023-10-05", value), history(ordered))
        other = judge(
            each, look("2023-10-05", value), history(tuple(sorted(shuffled, key=lambda o: o.period_start)))
        )
        assert one == other


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.integers(0, 50), max_size=60), value=st.integers(0, 60))
def test_no_rule_fires_at_or_below_its_threshold(values: list[int], value: int) -> None:
    for each in RULES.values():
        verdict = judge(each, look("2023-10-05", value), history(past(*values)))
        if verdict.exceeded and verdict.details.get("side") == "low":
            assert value <= verdict.details["threshold"]
        elif verdict.exceeded:
            assert value > verdict.details["threshold"]


def test_every_reason_is_a_sentence(rule: Rule) -> None:
    for value in (0, 5, 500):
        for looks in ((), past(*[1.0] * 40)):
            reason = judge(rule, look("2023-10-05", value), history(looks)).reason
            assert reason.endswith(".")
            assert reason[0].isupper() or reason[0].isdigit()


class TestRecord:
    declared = stated("max", 20, ("2018-10-06", "2023-09-18"))

    def test_73_railcars_against_a_published_20(self) -> None:
        verdict = judge(
            RecordRule(), look("2023-10-05", 73, qualifier="~="), history(declared=(self.declared,))
        )
        assert verdict.exceeded
        assert verdict.details["ratio"] == 3.65
        assert "odds" not in verdict.details
        assert "according to Institute of Yards" in verdict.reason
        assert "number of looks not published" in verdict.reason

    def test_a_published_maximum_stands_until_something_higher_was_seen(self) -> None:
        seen = (look("2023-10-05", 73),)
        verdict = judge(RecordRule(), look("2024-06-17", 258), history(seen, declared=(self.declared,)))
        assert (verdict.exceeded, verdict.details["threshold"]) == (True, 73)
        assert "73 on 2023-10-05" in verdict.reason
        assert not judge(
            RecordRule(), look("2024-06-17", 60), history(seen, declared=(self.declared,))
        ).exceeded

    def test_a_window_that_reaches_into_the_judged_day_is_no_baseline(self) -> None:
        late = stated("max", 20, ("2018-10-06", "2023-10-06"))
        assert judge(RecordRule(), look("2023-10-05", 73), history(declared=(late,))).status == "cannot_tell"

    def test_a_detector_is_never_judged_by_an_analysts_maximum(self) -> None:
        seen = look("2023-10-05", 73, procedure="yard-detector:2@10m")
        assert judge(RecordRule(), seen, history(declared=(self.declared,))).status == "cannot_tell"

    def test_own_history_needs_twenty_looks_and_says_how_many_are_missing(self) -> None:
        verdict = judge(RecordRule(), look("2023-10-05", 73), history(past(*[3.0] * 15)))
        assert verdict.status == "cannot_tell"
        assert "needs 5 more" in verdict.reason

    def test_own_history_gives_odds_by_the_exact_law(self) -> None:
        shuffled = [n * 7 % 40 for n in range(40)]
        verdict = judge(RecordRule(), look("2023-10-05", 73), history(past(*shuffled)))
        assert (verdict.details["odds"], verdict.details["is_record"]) == (41, True)
        assert "so many by chance: now and then, about 1 look in 41." in verdict.reason

    def test_where_neighbouring_looks_are_alike_a_record_is_commoner_than_their_number_says(self) -> None:
        verdict = judge(RecordRule(), look("2023-10-05", 73), history(past(*range(40))))
        assert verdict.details["odds"] == verdict.details["independent"] + 1 < 10
        assert f"worth {verdict.details['independent']} independent ones" in verdict.reason

    def test_odds_that_the_promise_does_not_allow_are_told_only_with_an_unusual_margin(self) -> None:
        for value, told in ((8, False), (73, True)):
            seen, before = look("2023-10-05", value), history(past(*[float(n % 8) for n in range(40)]))
            both = combine_verdicts(
                [judge(RecordRule(), seen, before), judge(TailRule(), seen, before)], None
            )
            assert [each.exceeded for each in both] == [told, told]

    def test_a_record_of_however_many_looks_explains_and_raises_no_alarm(self) -> None:
        start = at("2003-01-01")
        many = tuple(
            look("2003-01-01", n * n % 11 % 8, period_start=start + n * DAY, period_end=start + (n + 1) * DAY)
            for n in range(0, 7_500, 7)
        )
        verdict = judge(RecordRule(), look("2023-10-05", 8), history(many))
        assert verdict.details["is_record"]
        assert not verdict.exceeded

    def test_an_upper_bound_is_no_record(self) -> None:
        seen = look("2023-10-05", 73, qualifier="<=")
        assert not judge(RecordRule(), seen, history(past(*[3.0] * 40))).exceeded

    def test_only_looks_that_saw_as_much_can_say_most(self) -> None:
        cloudy = tuple(look(f"2023-08-{n:02}", 3, exposure=0.4) for n in range(1, 26))
        assert (
            judge(RecordRule(), look("2023-10-05", 73, exposure=0.9), history(cloudy)).status == "cannot_tell"
        )


class TestFirstEver:
    def test_a_published_none_before_makes_the_first_sighting_news(self) -> None:
        none = stated("none_before", 0, ("2018-10-06", "2023-09-18"), "containers")
        verdict = judge(
            FirstEverRule(), look("2023-10-05", 1, "containers", qualifier=">="), history(declared=(none,))
        )
        assert verdict.exceeded
        assert "according to Institute of Yards" in verdict.reason

    def test_the_second_sighting_is_not_the_first(self) -> None:
        assert not judge(FirstEverRule(), look("2023-10-05", 4), history(past(*[0.0] * 40, 1.0))).exceeded

    def test_twenty_looks_that_saw_none_are_history(self) -> None:
        listed = {"metric": "aircraft_present", "subject": "type:Tu-160"}
        seen = look("2023-10-05", 4, **listed)
        assert judge(FirstEverRule(), seen, history(past(*[0.0] * 20, **listed))).exceeded
        assert judge(FirstEverRule(), seen, history(past(*[0.0] * 19, **listed))).status == "cannot_tell"

    def test_an_unlisted_first_must_fit_the_promise(self) -> None:
        """At any steady rate a silence of g years ends by chance at most 1/(2.718·g) times a year."""
        for years, told in ((14, False), (15, True)):
            verdict = judge(
                FirstEverRule(),
                look("2023-10-05", 1),
                history(past(*[0.0] * 20), observed_days=365.25 * years),
            )
            assert verdict.exceeded == told
            assert verdict.details["chance_a_year"] == pytest.approx(1 / (math.e * years), abs=0.001)

    def test_new_identities_are_news_where_they_are_rare(self) -> None:
        seen = look("2023-10-05", 1, "arrivals", "type:B738")
        busy = history(observed_days=400, identities=(1.0, 1.0, 1.0, 40.0))
        verdict = judge(FirstEverRule(), seen, busy)
        assert (verdict.status, verdict.details["chance_new"]) == (
            "suppressed",
            pytest.approx(0.07, abs=0.001),
        )
        closed = history(observed_days=400 * 40, identities=(2000.0, 3000.0))
        assert judge(FirstEverRule(), seen, closed).exceeded

    def test_a_named_last_sighting_contradicts_a_first(self) -> None:
        seen = stated("last_seen", 1, ("2019-06-01", "2019-08-01"), "arrivals", "class:vip_military")
        verdict = judge(
            FirstEverRule(),
            look("2023-07-31", 1, "arrivals", "class:vip_military"),
            history(declared=(seen,)),
        )
        assert not verdict.exceeded

    def test_a_new_type_at_a_busy_place_is_news_only_when_listed(self) -> None:
        plenty = history(observed_days=400)
        assert (
            judge(FirstEverRule(), look("2023-10-05", 1, "arrivals", "type:B738"), plenty).status
            == "suppressed"
        )
        assert judge(FirstEverRule(), look("2023-10-05", 1, "arrivals", "type:Tu-160"), plenty).exceeded


class TestFirstSince:
    last = stated(
        "last_seen", 1, ("2019-06-01", "2019-08-01"), "arrivals", "class:vip_military", precision="month"
    )

    def test_four_years_after_a_published_last_sighting(self) -> None:
        verdict = judge(
            FirstSinceRule(),
            look("2023-07-31", 1, "arrivals", "class:vip_military"),
            history(declared=(self.last,)),
        )
        assert verdict.exceeded
        assert "June to August 2019" in verdict.reason or "June to July 2019" in verdict.reason
        assert "chance_a_year" not in verdict.details

    def test_a_visit_two_months_later_is_not_the_first_since(self) -> None:
        seen = (look("2023-07-31", 1, "arrivals", "class:vip_military"),)
        verdict = judge(
            FirstSinceRule(),
            look("2023-09-26", 1, "arrivals", "class:vip_military"),
            history(seen, declared=(self.last,)),
        )
        assert (verdict.status, verdict.exceeded) == ("evaluated", False)

    def test_our_own_gap_must_have_been_watched(self) -> None:
        seen = (look("2021-07-31", 1, "arrivals", "class:vip_military"),)
        later = look("2023-09-26", 1, "arrivals", "class:vip_military")
        assert judge(FirstSinceRule(), later, history(seen, observed_days=30)).status == "cannot_tell"
        verdict = judge(FirstSinceRule(), later, history(seen, observed_days=700))
        assert verdict.exceeded
        assert verdict.details["chance_a_year"] == pytest.approx(1 / (math.e * 700 / 365.25), abs=0.001)


class TestWatchlist:
    def test_a_listed_type_without_history_says_so(self) -> None:
        verdict = judge(
            WatchlistRule(),
            look("2023-09-16", 1, "aircraft_present", "type:Tu-160", qualifier=">="),
            history(),
        )
        assert verdict.exceeded
        assert "no history" in verdict.reason

    def test_with_history_it_says_when_last(self) -> None:
        seen = past(1.0, metric="aircraft_present", subject="type:Tu-160")
        verdict = judge(
            WatchlistRule(), look("2023-09-16", 1, "aircraft_present", "type:Tu-160"), history(seen)
        )
        assert "last on 2023-01-01" in verdict.reason

    def test_other_subjects_are_not_its_business(self) -> None:
        assert not judge(
            WatchlistRule(), look("2023-09-16", 1, "aircraft_present", "type:B738"), history()
        ).exceeded
