"""A language as an argument: says what `db.said` holds in the words, numbers and dates of its reader. Pure.

The catalogues are the `.po` files beside `alerts/catalogues/`, read once: nothing has to be compiled, and a clean clone has
all of them. What a catalogue does not have is said in English.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from db.said import Made, Said, capitalised, message

CATALOGUES = Path(__file__).parent / "catalogues"
ENGLISH_NAME = "en"
_PLURALS = ("zero", "one", "two", "few", "many", "other")
_Parts = Mapping[str, Made | str]
_PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")
_Key = tuple[str | None, str]


def language_names() -> tuple[str, ...]:
    """The languages that can be spoken, English first: `en`, `de`."""
    return (ENGLISH_NAME, *sorted(each.stem for each in CATALOGUES.glob("*.po")))


@dataclass(frozen=True)
class Speech:
    """One language, with its messages: `speech(text)` says a text in it."""

    language: str
    locale: Locale
    messages: Mapping[_Key, str | tuple[str, ...]] = field(repr=False)
    plural: Any = field(repr=False, default=None)
    """Which form a number wants."""

    def __call__(self, text: str) -> str:
        """The text in this language; what is plain, or not in its catalogue, as it is."""
        return (
            self._made(text.made) if isinstance(text, Said) and self.language != ENGLISH_NAME else str(text)
        )

    @property
    def own_name(self) -> str:
        """What the language calls itself: `Deutsch`."""
        name: str = self.locale.get_display_name(self.locale) or self.language
        return capitalised(name)

    def message(self, context: str | None, message: str) -> str:
        """The form of a message in this language, with the places for its parts; itself where there is none."""
        said = self.messages.get((context, message)) or message
        return said if isinstance(said, str) else said[0]

    def message_for(self, one: str, many: str, number: float) -> str:
        """The form that a number wants."""
        forms = self.messages.get((None, one))
        if isinstance(forms, tuple):
            chosen: str = forms[self.plural(number)]
            return chosen
        return one if number == 1 else many

    def _made(self, made: Made | str) -> str:
        if isinstance(made, str):
            return made
        sort, *rest = made
        said: str = getattr(self, f"_of_{sort}")(*rest)
        return said

    def _of_say(self, message: str, parts: _Parts) -> str:
        return self._filled(None, message, parts)

    def _of_as(self, context: str, message: str, parts: _Parts) -> str:
        return self._filled(context, message, parts)

    def _of_n(self, one: str, many: str, number: float, parts: _Parts) -> str:
        return self._with(self.message_for(one, many, number), parts)

    def _of_number(self, english: str) -> str:
        symbols = self.locale.number_symbols["latn"]
        signs = {",": symbols["group"], ".": symbols["decimal"], "-": "−"}
        return "".join(signs.get(each, each) for each in english)

    def _of_percent(self, english: str) -> str:
        return f"{self._of_number(english.removesuffix('%'))}\N{NO-BREAK SPACE}%"

    def _of_join(self, between: str, parts: Sequence[Made | str]) -> str:
        return between.join(map(self._made, parts))

    def _of_list(self, parts: Sequence[Made | str]) -> str:
        *first, last = map(self._made, parts)
        return self._filled(None, _LIST, {"first": ", ".join(first), "last": last})

    def _of_unstopped(self, inner: Made | str) -> str:
        return self._made(inner).rstrip(".")

    def _of_capital(self, inner: Made | str) -> str:
        text = self._made(inner)
        return text[:1].upper() + text[1:]

    def _filled(self, context: str | None, message: str, parts: _Parts) -> str:
        return self._with(self.message(context, message), parts)

    def _with(self, message: str, parts: _Parts) -> str:
        return (
            message.format(**{name: self._made(each) for name, each in parts.items()}) if parts else message
        )

    def _of_time(self, iso: str, zone: str, form: str) -> str:
        at = (
            datetime.fromisoformat(iso).replace(tzinfo=UTC)
            if "+" not in iso[10:]
            else datetime.fromisoformat(iso)
        )
        local = at.astimezone(ZoneInfo(zone))
        patterns = [_FORMS[form]] if form in _FORMS else [_FORMS["short_day"], _CLOCKS[form]]
        return ", ".join(
            format_date(local, each, locale=self.locale)
            if each in {"long", "medium"}
            else format_datetime(local, each, locale=self.locale)
            for each in patterns
        )


_FORMS = {
    "day": "long",
    "short_day": "medium",
    "month": "MMMM yyyy",
    "month_name": "MMMM",
    "weekday": "EEEE",
    "clock_day": "HH:mm, d. MMM",
    "short_month": "LLL",
    "short_month_year": "LLL yyyy",
    "day_month": "d. MMM",
}
_CLOCKS = {"hour": "HH 'h'", "minute": "HH:mm", "second": "HH:mm:ss"}
_LIST = message("{first} and {last}")


@lru_cache(maxsize=8)
def speech_of(language: str) -> Speech:
    """The language of this name; English where there is none of it."""
    if language not in language_names() or language == ENGLISH_NAME:
        return ENGLISH
    catalogue = read_catalogue(language)
    locale = Locale.parse(language)
    messages: dict[_Key, str | tuple[str, ...]] = {}
    for each in catalogue:
        if not each.id or each.fuzzy:
            continue
        one = each.id if isinstance(each.id, str) else each.id[0]
        said = each.string if isinstance(each.string, str) else tuple(each.string or ())
        # What has other places than its message would break a page: better English.
        if said and all(said) and _places(said) == _places(each.id):
            messages[each.context or None, one] = said
    return Speech(language, locale, messages, catalogue_plural(locale))


def _places(text: str | Sequence[str]) -> set[str]:
    forms = [text] if isinstance(text, str) else text
    return {place for form in forms for place in _PLACE.findall(form)}


def read_catalogue(language: str) -> Catalog:
    """The catalogue of a language, as it stands in its file."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def catalogue_plural(locale: Locale) -> Any:
    """Which of its forms a language uses for a number."""
    order = [each for each in _PLURALS if each in locale.plural_form.tags or each == "other"]
    return lambda number: order.index(cast(Any, locale.plural_form(number)))


def chosen_language(*wishes: str) -> str:
    """The first language of these that is spoken here: tags such as `de-AT`, or a header `de;q=0.9, en`; else English."""
    known = language_names()
    for wish in wishes:
        for each in _by_preference(wish):
            if (name := each.replace("_", "-").split("-")[0].split(".")[0].lower()) in known:
                return name
    return ENGLISH_NAME


def _by_preference(header: str) -> list[str]:
    weighed = []
    for each in header[:500].split(","):
        tag, _, quality = each.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if tag and weight > 0:
            weighed.append((-weight, tag))
    return [tag for _, tag in sorted(weighed, key=lambda each: each[0])]


ENGLISH = Speech(ENGLISH_NAME, Locale.parse("en"), {})
