"""What is said to people: an English text that knows how it was made, so that it can be said in another language. Pure.

A `Said` is a `str`: whoever compares, stores or prints it has the English words. Beside them it keeps the message and what
stands in it, and `alerts.speech` says the same in another language from these. Text that is put together by other means, with
an f-string or `+`, is a plain `str` again, and stays English. `docs/decisions/0030-languages.md` has the reasons.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self

Made = list[Any]
"""How a text was made, in JSON types: the sort of it, then what that needs; the texts inside are `Made` or plain."""
MomentForm = Literal[
    "day",
    "short_day",
    "day_month",
    "month",
    "month_name",
    "short_month",
    "short_month_year",
    "weekday",
    "hour",
    "minute",
    "second",
    "clock_day",
]
TOLD_TEXT = "told"
"""Where stored details keep a text that has a column of its own, which has room for its words alone."""
_KEY = "said"
"""Where stored JSON keeps how the texts in it were made, by their English words."""


class Said(str):
    """English words with how they were made."""

    __slots__ = ("made",)
    made: Made

    def __new__(cls, text: str, made: Made) -> Self:
        """Keep the words, and how they were made."""
        said = super().__new__(cls, text)
        said.made = made
        return said

    def __getnewargs__(self) -> tuple[str, Made]:  # type: ignore[override]
        return str(self), self.made

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __copy__(self) -> Self:
        return self


def phrase(message: str, /, **parts: object) -> str:
    """A message with its parts in the places that their names have: `phrase("{count} at {site}", count=…, site=…)`.

    The message stands here as it is, not put together: so the catalogues find it.
    """
    return Said(message.format(**parts) if parts else message, ["say", message, _kept(parts)])


def message(text: str) -> str:
    """Mark a message for the catalogues that is said elsewhere, by this name."""
    return text


def phrase_as(context: str, message: str, /, **parts: object) -> str:
    """As `phrase`, for a word that other languages have several of: `context` says which is meant."""
    return Said(message.format(**parts) if parts else message, ["as", context, message, _kept(parts)])


def phrase_n(one: str, many: str, number: float, /, **parts: object) -> str:
    """As `phrase`, in the form that a number wants; it stands in the message as `{n}`."""
    values = {"n": grouped(number), **parts}
    form = one if number == 1 else many
    return Said(form.format(**values), ["n", one, many, number, _kept(values)])


def numeral(english: str) -> str:
    """A number in figures, as English writes it: `1,204.5`."""
    return Said(english, ["number", english])


def grouped(number: float) -> str:
    """A whole number with its thousands apart: `1,204`."""
    return numeral(f"{number:,.0f}")


def percent(share: float, digits: int = 0) -> str:
    """A share as `45%`."""
    english = f"{share:.{digits}%}"
    return Said(english, ["percent", english])


def moment(english: str, at: datetime, zone: str, form: MomentForm) -> str:
    """A moment as `english` writes it; other languages write it from the moment, the zone and the form."""
    return Said(english, ["time", at.isoformat(), zone, form])


def chained(between: str, parts: Sequence[str]) -> str:
    """Texts one after the other, with the same between them in every language."""
    return Said(between.join(parts), ["join", between, [made_of_text(each) for each in parts]])


def spaced(sentences: Iterable[str]) -> str:
    """Sentences one after the other; those that are '' are left out, and '' where none is left."""
    told = [each for each in sentences if each]
    return chained(" ", told) if len(told) > 1 else told[0] if told else ""


def listing(parts: Sequence[str]) -> str:
    """Texts as a sentence lists them: `a, b and c`."""
    if len(parts) == 1:
        return parts[0]
    return Said(f"{', '.join(parts[:-1])} and {parts[-1]}", ["list", [made_of_text(each) for each in parts]])


def capitalised(text: str) -> str:
    """Begin with a capital letter, leaving the rest alone."""
    english = text[:1].upper() + text[1:]
    return Said(english, ["capital", text.made]) if isinstance(text, Said) else english


def made_of_text(text: str) -> Made | str:
    """How a text was made; what is plain is itself."""
    return text.made if isinstance(text, Said) else str(text)


def _kept(parts: Mapping[str, object]) -> dict[str, Made | str]:
    return {name: made_of_text(each if isinstance(each, str) else str(each)) for name, each in parts.items()}


def packed_texts(value: Any) -> Any:
    """A JSON object as it is stored: with how the texts in it were made beside them."""
    if not isinstance(value, Mapping):
        return value
    known = {str(each): each.made for each in _texts(value)}
    return {**value, _KEY: {**value.get(_KEY, {}), **known}} if known else value


def unpacked_texts(value: Any) -> Any:
    """What `packed_texts` was given: the texts of a stored JSON object know again how they were made."""
    if not isinstance(value, Mapping) or not (known := value.get(_KEY)):
        return value
    return {name: _revived(each, known) for name, each in value.items() if name != _KEY}


def _texts(value: Any) -> Iterator[Said]:
    if isinstance(value, Said):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _revived(value: Any, known: Mapping[str, Made]) -> Any:
    if isinstance(value, str):
        made = known.get(value)
        return value if made is None else Said(value, made)
    if isinstance(value, Mapping):
        # What was packed on its own, an alert as it stood before, is unpacked where it is read.
        return value if _KEY in value else {name: _revived(each, known) for name, each in value.items()}
    return [_revived(each, known) for each in value] if isinstance(value, list) else value
