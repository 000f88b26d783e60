"""Odds: one scale over the whole of 0 to 1, in words that may be printed, and no claim that the history cannot carry."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.odds import (
    FREQUENCIES,
    LEAST_CHANCE,
    frequency_word,
    odds,
    one_in,
    supported_chance,
    times_a_year,
    without_odds,
)
from alerts.words import digits, numbered, rounded_number, times_words

CHANCES = st.one_of(st.floats(0.0, 1.0), st.floats(-400.0, 0.0).map(lambda power: 10.0**power))
HISTORIES = st.one_of(st.none(), st.integers(0, 10_000))
ORDER = [each.word for each in FREQUENCIES]
UNITS = ("look", "week", "stretch of looks", "comparison")
ABSURD = re.compile(
    r"\d\.\d+ (look|week)s?|in 1 |in 1\.|e[+-]?\d|inf|nan|million million|\b1 looks|\b1 weeks|--"
)


def claimed(text: str) -> float:
    """The chance that words claim at most."""
    if text.startswith(("every", "nearly every")):
        return 0.95
    if text.startswith("at least every second"):
        return 0.5
    number = text.rpartition(" in ")[2]
    return 1 / (LEAST_CHANCE**-1 if number == "a million" else float(number.replace(",", "")))


@given(chance=CHANCES, n=HISTORIES, unit=st.sampled_from(UNITS))
@example(chance=1.0, n=None, unit="look")
@example(chance=0.0, n=None, unit="look")
@example(chance=0.0, n=1, unit="look")
@example(chance=0.0, n=0, unit="look")
@example(chance=1.0, n=0, unit="look")
@example(chance=math.nextafter(1.0, 0.0), n=None, unit="look")
@example(chance=math.nextafter(0.5, 0.0), n=260, unit="look")
def test_no_chance_reads_absurdly(chance: float, n: int | None, unit: str) -> None:
    said = odds(chance, unit, n)
    assert said
    assert not ABSURD.search(said), said


@given(chance=CHANCES, unit=st.sampled_from(UNITS))
def test_a_figure_never_says_that_it_is_rarer_than_it_is(chance: float, unit: str) -> None:
    said = one_in(chance, unit)
    # The three words above a half are bounds from below, and hold.
    assert chance >= claimed(said) if chance >= 0.5 else chance <= claimed(said) * (1 + 1e-9)


@given(chance=st.floats(LEAST_CHANCE, 0.5))
def test_a_figure_is_right_to_two_digits(chance: float) -> None:
    number = 1 / claimed(one_in(chance)) * 1.0
    assert number <= 1 / chance * (1 + 1e-6)
    assert number > 1 / chance / 1.5


@given(one=CHANCES, other=CHANCES)
def test_the_scale_goes_one_way(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert ORDER.index(frequency_word(less)) >= ORDER.index(frequency_word(more))
    assert claimed(one_in(less)) <= claimed(one_in(more))


@given(chance=st.floats(0.0, 1.0), n=st.integers(1, 2_000))
def test_so_many_looks_can_show_no_less_than_one_in_so_many_and_one(chance: float, n: int) -> None:
    said = odds(chance, n=n)
    if chance < supported_chance(n) * (1 - 1e-6):
        assert "less than 1 look in" in said
        assert "no more" in said
        assert claimed(said.partition(" (")[0]) >= 1 / (n + 1) * (1 - 1e-9)
    else:
        assert "no more" not in said


@pytest.mark.parametrize(
    ("chance", "n", "said"),
    [
        (1.0, None, "as a rule, every look"),
        (0.97, 12, "as a rule, nearly every look"),
        (0.5, 12, "as a rule, at least every second look"),
        (0.4, 12, "often, about 1 look in 2"),
        (1 / 45, 260, "now and then, about 1 look in 45"),
        (1 / 262, 261, "seldom, about 1 look in 260"),
        (1e-12, 261, "seldom, less than 1 look in 260 (261 earlier looks say no more)"),
        (1e-300, 1_826, "rarely, less than 1 look in 1,800 (1,826 earlier looks say no more)"),
        (0.2, 1, "often, less than 1 look in 2 (1 earlier look says no more)"),
        (0.2, 0, "not known, as there was no earlier look"),
        (0.0, None, "very rarely, less than 1 look in a million"),
        (3.1e-5, None, "very rarely, about 1 look in 32,000"),
    ],
)
def test_odds_as_they_are_printed(chance: float, n: int | None, said: str) -> None:
    assert odds(chance, n=n) == said


def test_the_head_of_a_unit_is_what_is_many() -> None:
    assert odds(1e-9, "stretch of looks", 120).endswith("(120 earlier stretches of looks say no more)")


@given(rate=st.one_of(st.just(0.0), st.floats(1e-6, 1e4)))
def test_a_rate_a_year_is_no_less_than_said(rate: float) -> None:
    said = times_a_year(rate)
    assert not ABSURD.search(said)
    assert not re.search(r"\b1 (years|times)", said.replace(",", ""))
    if found := re.search(r"once in ([\d,]+) years", said):
        assert rate <= 1 / float(found[1].replace(",", "")) * (1 + 1e-6)


def test_rates_in_words() -> None:
    assert [times_a_year(each) for each in (0.0, 0.04, 0.5, 0.7, 1.0, 1.2, 8.0)] == [
        "never",
        "at most once in 25 years",
        "at most once in 2 years",
        "at most once a year",
        "at most once a year",
        "up to 2 times a year",
        "up to 8 times a year",
    ]


def test_odds_told_elsewhere_are_left_out_of_a_sentence() -> None:
    words = odds(1e-9, n=30)
    assert without_odds(f"9 railcars; so many by chance: {words}.", words) == "9 railcars."
    assert without_odds("9 railcars; expected 3.", words) == "9 railcars; expected 3."
    assert without_odds("9 railcars; expected 3.", "") == "9 railcars; expected 3."


@given(value=st.floats(1e-9, 1e9))
def test_no_figure_has_a_power_of_ten(value: float) -> None:
    for said in (rounded_number(value), digits(value), times_words(value)):
        assert not re.search(r"e[+-]\d", said), said
        assert not said.endswith("."), said


@given(value=st.floats(1e-9, 1e9))
def test_a_reckoned_figure_is_right_to_two_digits(value: float) -> None:
    assert float(rounded_number(value).replace(",", "")) == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.001, "less than a hundredth of"),
        (0.33, "0.33 times"),
        (1.04, "the same as"),
        (2.0, "twice"),
        (123.4, "123 times"),
    ],
)
def test_how_many_times_another(ratio: float, said: str) -> None:
    assert times_words(ratio) == said


@given(number=st.integers(0, 10**9))
def test_one_is_singular(number: int) -> None:
    assert numbered(number, "look").endswith("look") is (number == 1)
