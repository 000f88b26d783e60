"""How often chance alone does it: one scale over all of 0 to 1, a word beside a figure, no claim beyond the history. Pure."""

import math
from typing import NamedTuple


class Frequency(NamedTuple):
    """One step of the scale: what comes by chance at least so often is said with this word."""

    at_least: float
    word: str


FREQUENCIES = (
    Frequency(0.5, "as a rule"),
    Frequency(0.1, "often"),
    Frequency(0.01, "now and then"),
    Frequency(0.001, "seldom"),
    Frequency(0.0001, "rarely"),
    Frequency(0.0, "very rarely"),
)
"""The steps, from what is ordinary to what hardly comes; each a tenth of the one above, as for side effects of medicines."""
LEAST_CHANCE = 1e-6
"""No law is trusted further out than this, however much stands behind it."""
_NEARLY_ALWAYS = 0.95
_HALF = 0.5
_TWO_DIGITS = 100
# 1/p of a p that was reckoned as 1/45 may fall short of 45 by a rounding error.
_ROUNDING = 1e-9


def supported_chance(n: int | None) -> float:
    """The smallest chance that n earlier looks can speak of: the place above all of them, 1 in n + 1."""
    return LEAST_CHANCE if n is None else max(LEAST_CHANCE, 1.0 / (n + 1))


def frequency_word(chance: float) -> str:
    """How often that is, in one word or two: `seldom`."""
    return next(each.word for each in FREQUENCIES if chance >= each.at_least)


def one_in(chance: float, unit: str = "look") -> str:
    """A chance as a figure that never says more than is true: `about 1 look in 45`, `at least every second look`."""
    if chance >= 1.0:
        return f"every {unit}"
    if chance >= _NEARLY_ALWAYS:
        return f"nearly every {unit}"
    if chance >= _HALF:
        return f"at least every second {unit}"
    return f"about 1 {unit} in {_large(1.0 / max(chance, LEAST_CHANCE))}"


def odds(chance: float, unit: str = "look", n: int | None = None) -> str:
    """A chance in a word and a figure: `seldom, about 1 look in 450`.

    `n` is how many earlier looks it rests on: of what is rarer than they can show, it is said that it is rarer than that, and
    no more. None: it follows from a law alone.
    """
    least = supported_chance(n)
    if chance >= least * (1 - _ROUNDING):
        return f"{frequency_word(chance)}, {one_in(chance, unit)}"
    if n == 0:
        return f"not known, as there was no earlier {unit}"
    figure = f"{frequency_word(math.nextafter(least, 0.0))}, less than 1 {unit} in {_large(1.0 / least)}"
    if n is None:
        return figure
    return (
        f"{figure} ({f'1 earlier {unit} says' if n == 1 else f'{n:,} earlier {_plural(unit)} say'} no more)"
    )


def without_odds(reason: str, words: str) -> str:
    """A rule's sentence without its last part, where that is `words` by chance: they are told elsewhere."""
    told, _, last = reason.removesuffix(".").rpartition("; ")
    return f"{told}." if told and words and last.endswith(f" by chance: {words}") else reason


def times_a_year(rate: float) -> str:
    """How often at most, at a rate a year: `at most once in 12 years`, `up to 3 times a year`; a rate of 0 is never."""
    if rate <= 0:
        return "never"
    years = 1.0 / rate * (1 + _ROUNDING)
    if years >= 2:  # noqa: PLR2004 - the first plural
        return f"at most once in {_large(years)} years"
    times = math.ceil(rate - _ROUNDING)
    return "at most once a year" if times <= 1 else f"up to {times:,} times a year"


def _large(number: float) -> str:
    """A number of whole things, rounded down to two digits; millions in words."""
    whole = int(number * (1 + _ROUNDING))
    if whole >= _TWO_DIGITS:
        step = 10 ** (len(str(whole)) - 2)
        whole = whole // step * step
    if whole < 1 / LEAST_CHANCE:
        return f"{whole:,}"
    return "a million" if whole == 1 / LEAST_CHANCE else f"{whole / 1e6:g} million"


def _plural(unit: str) -> str:
    head, of, rest = unit.partition(" of ")
    return f"{head}{'es' if head.endswith(('ch', 's')) else 's'}{of}{rest}"
