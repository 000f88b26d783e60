"""Where a count stands among the earlier ones: what an analyst would say of it, as known then."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.messages import placed
from alerts.incidents.findings import Finding, look_snapshot
from alerts.incidents.headline import entry_count, headline
from alerts.metrics import METRICS
from alerts.rules.among import bounds_of_count, placing
from alerts.rules.contract import LookHistory, RuleContext, Verdict
from alerts.rules.record import RecordRule
from db.records import DeclaredBaseline, Observation
from tests.kit.builders import DAY, at, look, stated

BEFORE = stated("max", 20, ("2018-10-06", "2023-09-17"), publisher="CSIS Beyond Parallel")
RAILHEAD = (
    look("2022-11-04", 3),
    look("2022-11-18", 5),
    look("2022-11-30", 8),
    look("2023-10-05", 73, qualifier="~="),
    look("2024-06-17", 258, qualifier="~="),
)
YEAR = (
    look("2025-02-03", 60),
    look("2025-04-07", 150),
    look("2025-06-02", 12),
    look("2025-08-04", 0),
    look("2025-10-06", 270),
)


def said(seen: Observation, earlier: Sequence[Observation], *declared: DeclaredBaseline) -> str:
    history = LookHistory(seen.period_start, sightings=tuple(earlier), declared=declared)
    return str(placing(seen, history, "Asia/Pyongyang"))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (
            0,
            (
                "about as many as the about 73 of October 2023, between the 20 at most of October 2018 to September 2023 and the "
                "about 258 of June 2024; the last five looks show 3 to 258"
            ),
        ),
        (
            1,
            "between the about 73 of October 2023 and the about 258 of June 2024; the last five looks show 5 to 258",
        ),
        (
            2,
            "between the 8 of November 2022 and the 60 of February 2025; the last five looks show 8 to 258",
        ),
        (
            3,
            (
                "fewer than were ever counted here before, where the lowest was the 3 of November 2022; the last five looks show "
                "12 to 258"
            ),
        ),
        (
            4,
            "about as many as the highest count known before, the about 258 of June 2024; the last five looks show 0 to 258",
        ),
    ],
)
def test_the_year_after_the_record_reads_like_an_analysts(place: int, words: str) -> None:
    assert said(YEAR[place], (*RAILHEAD, *YEAR[:place]), BEFORE) == words


def test_the_record_itself_is_more_than_was_ever_counted() -> None:
    assert said(RAILHEAD[4], RAILHEAD[:4], BEFORE).startswith(
        "more than was ever counted here before, where the highest was the about 73 of October 2023"
    )
    assert said(RAILHEAD[3], RAILHEAD[:3], BEFORE).startswith(
        "more than was ever counted here before, where the highest was the 20 at most of October 2018 to September 2023"
    )


def test_two_counts_of_one_month_are_told_by_their_days() -> None:
    words = said(look("2023-10-20", 30), (look("2023-10-05", 10), look("2023-10-12", 50)))
    assert words == "between the 10 of 2023-10-05 and the 50 of 2023-10-12; the last two looks show 10 to 50"


def test_without_an_earlier_count_nothing_is_said() -> None:
    assert said(YEAR[0], ()) == ""
    assert said(look("2025-01-01", None), RAILHEAD) == ""
    assert said(YEAR[0], (look("2024-01-01", 7, procedure="detector@2"),)) == ""


def test_one_earlier_look_is_singular() -> None:
    assert said(look("2025-01-01", 9), (look("2024-12-01", 4),)).endswith("; the look before shows 4")


def test_a_month_of_arrivals_is_not_placed_among_days() -> None:
    month = look("2025-01-01", 90, "arrivals", period_end=at("2025-02-01"), precision="month")
    assert said(month, [look(f"2024-12-{day:02}", 3, "arrivals") for day in range(1, 30)]) == ""
    before = look("2024-02-01", 80, "arrivals", period_end=at("2024-03-01"), precision="month")
    assert "the 80 of February 2024" in said(month, [before])


def test_a_long_series_says_since_when_there_was_no_such_count() -> None:
    start = at("2023-01-02")
    values = [n * 7 % 11 for n in range(60)]
    values[10] = 40
    weeks = [
        look(
            "2023-01-02",
            value,
            period_start=start + 7 * n * DAY,
            period_end=start + (7 * n + 1) * DAY,
            exposure=0.9,
        )
        for n, value in enumerate(values)
    ]
    assert said(look("2024-06-03", 35, exposure=0.9), weeks).startswith(
        "the most since the 40 of March 2023, more than in 59 of 60 earlier looks; the last five looks show "
    )
    arrivals = [look(f"2024-03-{day:02}", 30 + day % 5, "arrivals", exposure=0.9) for day in range(1, 31)]
    dip = look("2024-03-05", 2, "arrivals", exposure=0.9)
    arrivals[4] = dip
    low = said(look("2024-03-31", 3, "arrivals", exposure=0.9), arrivals)
    assert low.startswith("the fewest since the 2 of 2024-03-05, fewer than in 29 of 30 earlier looks")


def test_a_look_through_clouds_is_no_low_count() -> None:
    assert "fewer" not in said(look("2025-01-01", 1, exposure=0.1), RAILHEAD)
    poor = look("2024-12-01", 0, exposure=0.1)
    assert "the lowest was the 3 of" in said(look("2025-01-01", 1, exposure=0.9), (*RAILHEAD, poor))


def test_what_is_measured_is_less_and_not_fewer() -> None:
    looks = [look("2024-01-01", 300.0, "occupied_track_m"), look("2024-02-01", 500.0, "occupied_track_m")]
    assert "less than was ever" in said(look("2024-03-01", 100.0, "occupied_track_m"), looks)


COUNTS = st.integers(0, 10**6)
QUALIFIERS = st.sampled_from(("=", "~=", ">=", "<="))


@given(
    value=COUNTS,
    qualifier=QUALIFIERS,
    earlier=st.lists(st.tuples(COUNTS, QUALIFIERS, st.sampled_from((None, 0.1, 0.9))), max_size=40),
)
def test_no_words_are_stronger_than_the_numbers(
    value: int, qualifier: str, earlier: list[tuple[int, str, float | None]]
) -> None:
    start = at("2020-01-06")
    past = [
        look(
            "2020-01-06",
            n,
            qualifier=how,
            exposure=seen,
            period_start=start + 7 * k * DAY,
            period_end=start + (7 * k + 1) * DAY,
        )
        for k, (n, how, seen) in enumerate(earlier)
    ]
    words = said(look("2025-01-01", value, qualifier=qualifier), past)
    assert not re.search(r"e\+|nan|inf|None|; ;|^;|;$", words)
    known = [n for n, _, seen in earlier if seen != 0.1]
    low, high = bounds_of_count(value, None, None, qualifier)
    if words.startswith("more than"):
        assert all(n < low for n in known)
    if words.startswith("fewer than"):
        assert all(n > high for n in known)
    if words.startswith("between"):
        assert min(known) < value < max(known)


def ruled(seen: Observation, earlier: Sequence[Observation], *declared: DeclaredBaseline) -> Verdict:
    history = LookHistory(
        seen.period_start, looks=tuple(earlier), sightings=tuple(earlier), declared=declared
    )
    context = RuleContext(METRICS["railcars"], (), "Asia/Pyongyang")
    return RecordRule().judge(seen, history, context, RecordRule.defaults)


def line(seen: Observation, verdict: Verdict) -> str:
    entry = look_snapshot(Finding(seen, (verdict,)), {}, {})
    return headline(("Tumangang", "Asia/Pyongyang"), "railcars", [entry], "record", verdict.details)


def test_270_is_not_more_than_about_258() -> None:
    verdict = ruled(YEAR[4], (*RAILHEAD, *YEAR[:4]), BEFORE)
    assert not verdict.exceeded
    assert verdict.reason.startswith(
        "270 railcars: about as many as the highest known before, 258 (about 258 on 2024-06-17"
    )
    assert "ratio" not in verdict.details
    assert "times" not in line(YEAR[4], verdict)


@pytest.mark.parametrize(
    ("value", "told", "words"),
    [
        # Once a published maximum was passed, only a doubling is told before there are looks enough for odds.
        (325, False, "more than the highest known before (258)"),
        (1000, True, "3.88 times the highest known before (258)"),
    ],
)
def test_what_is_surely_more_is_said_and_a_ratio_only_where_it_says_something(
    value: int, told: bool, words: str
) -> None:
    seen = look("2025-10-06", value)
    verdict = ruled(seen, RAILHEAD, BEFORE)
    assert verdict.exceeded == told
    assert words in line(seen, verdict)


def test_at_least_so_many_does_not_hide_every_later_count() -> None:
    assert ruled(look("2025-10-06", 150), [look("2024-01-01", 70, qualifier=">=")], BEFORE).exceeded


def test_a_message_places_the_count_and_says_no_figure_twice() -> None:
    history = LookHistory(YEAR[1].period_start, sightings=(*RAILHEAD, YEAR[0]))
    placed_at = placing(YEAR[1], history, "Asia/Pyongyang")
    entry = look_snapshot(Finding(YEAR[1], (), placed_at), {}, {})
    assert placed(entry, entry_count(entry, "railcars")) == (
        "150 railcars: between the about 73 of October 2023 and the about 258 of June 2024; the last five looks show 5 to 258."
    )
    first = LookHistory(RAILHEAD[4].period_start, sightings=RAILHEAD[:4])
    record = Verdict("record", "evaluated", exceeded=True, reason="More.")
    of_record = look_snapshot(Finding(RAILHEAD[4], (record,), placing(RAILHEAD[4], first, "UTC")), {}, {})
    assert (
        placed(of_record, entry_count(of_record, "railcars"))
        == "About 258 railcars: the last four looks show 3 to 73."
    )
    assert placed({**entry, "beside": "", "recent": ""}, "railcars") == ""
