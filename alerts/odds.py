"""How often chance alone does it: one scale over all of 0 to 1, a word beside a figure, no claim beyond the history. Pure."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from db.said import Said, chained, grouped, made_of_text, message, numeral, phrase, phrase_as


class _UnitWords(NamedTuple):
    one: str
    many: str


_UNITS: Mapping[str, _UnitWords] = {
    "look": _UnitWords(phrase("look"), phrase("looks")),
    "day": _UnitWords(phrase_as("unit", "day"), phrase("days")),
    "week": _UnitWords(phrase("week"), phrase("weeks")),
    "comparison": _UnitWords(phrase("comparison"), phrase("comparisons")),
    "stretch of looks": _UnitWords(phrase("stretch of looks"), phrase("stretches of looks")),
    "series": _UnitWords(phrase_as("unit", "series"), phrase_as("units", "series")),
}


class Frequency(NamedTuple):
    """One step of the scale: what comes by chance at least so often is said with this word."""

    at_least: float
    word: str


FREQUENCIES = (
    Frequency(0.5, phrase("as a rule")),
    Frequency(0.1, phrase("often")),
    Frequency(0.01, phrase("now and then")),
    Frequency(0.001, phrase("seldom")),
    Frequency(0.0001, phrase("rarely")),
    Frequency(0.0, phrase("very rarely")),
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
    words = _UNITS[unit]
    if chance >= 1.0:
        return phrase("every {unit}", unit=words.one)
    if chance >= _NEARLY_ALWAYS:
        return phrase("nearly every {unit}", unit=words.one)
    if chance >= _HALF:
        return phrase("at least every second {unit}", unit=words.one)
    return phrase("about {one_in}", one_in=_one_in(words, 1.0 / max(chance, LEAST_CHANCE)))


def rarer_than(chance: float, unit: str = "look") -> str:
    """A chance that is the most it may be: `less than 1 day in 7,300`."""
    return phrase("less than {one_in}", one_in=_one_in(_UNITS[unit], 1.0 / chance))


def _one_in(words: "_UnitWords", number: float) -> str:
    return phrase("1 {unit} in {number}", unit=words.one, number=_large(number))


def odds(chance: float, unit: str = "look", n: int | None = None) -> str:
    """A chance in a word and a figure: `seldom, about 1 look in 450`.

    `n` is how many earlier looks it rests on: of what is rarer than they can show, it is said that it is rarer than that, and
    no more. None: it follows from a law alone.
    """
    least = supported_chance(n)
    if chance >= least * (1 - _ROUNDING):
        return chained(", ", [frequency_word(chance), one_in(chance, unit)])
    words = _UNITS[unit]
    if n == 0:
        return phrase("not known, as there was no earlier {unit}", unit=words.one)
    figure = chained(", ", [frequency_word(math.nextafter(least, 0.0)), rarer_than(least, unit)])
    if n is None:
        return figure
    if n == 1:
        return phrase("{figure} (1 earlier {unit} says no more)", figure=figure, unit=words.one)
    return phrase("{figure} ({n} earlier {units} say no more)", figure=figure, n=grouped(n), units=words.many)


def without_odds(reason: str, words: str) -> str:
    """A rule's sentence without its last part, where that is `words` by chance: they are told elsewhere."""
    if isinstance(reason, Said) and words:
        return _without_last_part(reason, words)
    # Alerts of earlier versions keep their sentences in English alone.
    told, _, last = reason.removesuffix(".").rpartition("; ")
    return f"{told}." if told and words and last.endswith(f" by chance: {words}") else reason


def told_by_chance(told: str, so_many: str, by_chance: str) -> str:
    """A rule's sentence that ends with how often it comes by chance; `without_odds` takes that part off again."""
    return phrase(_BY_CHANCE, told=told, so_many=so_many, odds=by_chance)


def _without_last_part(reason: Said, words: str) -> str:
    match reason.made:
        case ["say", message, {"told": told, "odds": by_chance}] if message == _BY_CHANCE:
            if by_chance == made_of_text(words):
                english = reason.removesuffix(".").rpartition("; ")[0]
                return Said(f"{english}.", ["say", "{told}.", {"told": told}])
    return reason


_BY_CHANCE = message("{told}; {so_many} by chance: {odds}.")


def times_a_year(rate: float) -> str:
    """How often at most, at a rate a year: `at most once in 12 years`, `up to 3 times a year`; a rate of 0 is never."""
    if rate <= 0:
        return phrase("never")
    years = 1.0 / rate * (1 + _ROUNDING)
    if years >= 2:  # noqa: PLR2004 - the first plural
        return phrase("at most once in {years} years", years=_large(years))
    times = math.ceil(rate - _ROUNDING)
    return (
        phrase("at most once a year")
        if times <= 1
        else phrase("up to {times} times a year", times=grouped(times))
    )


def _large(number: float) -> str:
    """A number of whole things, rounded down to two digits; millions in words."""
    whole = int(number * (1 + _ROUNDING))
    if whole >= _TWO_DIGITS:
        step = 10 ** (len(str(whole)) - 2)
        whole = whole // step * step
    if whole < 1 / LEAST_CHANCE:
        return grouped(whole)
    return (
        phrase("a million")
        if whole == 1 / LEAST_CHANCE
        else phrase("{number} million", number=numeral(f"{whole / 1e6:g}"))
    )
