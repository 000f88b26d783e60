"""Finds English that was left over in texts of another language, by the words of the messages themselves."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html.parser import HTMLParser

from alerts.speech import read_catalogue

# What is written with digits, dashes or underlines is a code or a name.
_WORD = re.compile(r"(?<![\w-])[A-Za-zÄÖÜäöüß]{2,}(?![\w-])")
_PLACE = re.compile(r"%\(\w+\)s|\{\w+\}")
_SHOWN = frozenset({"title", "alt", "aria-label", "data-title", "data-hint", "data-label", "data-zoom-in"})
_EMPTY = frozenset({"meta", "link", "img", "input", "br", "hr", "path", "circle", "line", "rect"})
_SILENT = frozenset({"script", "style", "pre", "code"})
# Words that are the same in both languages, of which German messages happen to use none.
_BOTH = frozenset({"in", "an", "so", "of", "am", "was", "hat", "also", "name", "from", "icao", "iata"})


@cache
def english_words(language: str) -> frozenset[str]:
    """The words of the English messages that no message of the language uses."""
    theirs: set[str] = set()
    ours: set[str] = set()
    for each in read_catalogue(language):
        if each.id:
            ours.update(_words(_forms(each.id)))
            theirs.update(_words(_forms(each.string)))
    return frozenset(ours - theirs - _BOTH)


def _forms(text: str | Iterable[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else [each for each in text or () if each]


def _words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (each.lower() for each in _WORD.findall(_PLACE.sub(" ", text)))


def english_in(texts: Iterable[str], language: str, foreign: Iterable[str] = ()) -> dict[str, list[str]]:
    """The texts that have English words, with these; what is `foreign` (names, the words of sources) is left out."""
    known, names = english_words(language), sorted(foreign, key=len, reverse=True)
    found = {}
    for text in texts:
        plain = text
        for name in names:
            plain = plain.replace(name, " ")
        if left := [each for each in _words([plain]) if each in known]:
            found[text] = left
    return found


def shown_texts(html: str) -> list[str]:
    """What a page shows or reads out: its texts, and the attributes that are words."""
    reader = _Reader()
    reader.feed(html)
    return reader.texts


def _is_english(attributes: dict[str, str | None]) -> bool:
    """Whether an element says itself that its words are English, or names sources as their licences want it."""
    return attributes.get("lang") == "en" or attributes.get("class") == "data"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the attributes that are words."""
        if tag not in _EMPTY and (self._silent or tag in _SILENT or _is_english(dict(attrs))):
            self._silent += 1
        if not self._silent:
            self.texts += [value for name, value in attrs if name in _SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        """Hear again what follows."""
        if self._silent and tag not in _EMPTY:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if not self._silent and data.strip():
            self.texts.append(re.sub(r"\s+", " ", data.strip()))
