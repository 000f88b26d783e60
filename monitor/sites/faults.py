"""Faults in a sites file: each says which feature, which key, what is wrong and how to mend it."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from monitor.errors import InputError

FAULTS_SHOWN = 200
_PLAIN_KEY = re.compile(r"[\w:-]{1,60}")
_LONGEST_SHOWN = 80
_MOST_NAMED = 20


def printable_value(value: Any) -> str:
    """A foreign value as it may be printed: as JSON, cut short, with no control character left in it."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN - 1]}…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


@dataclass(frozen=True, slots=True)
class SitesFault:
    """One thing wrong; `feature` is an id, `feature 3` (counted from 0) where there is none, or `the file`."""

    feature: str
    path: str
    problem: str
    mend: str

    def __str__(self) -> str:
        where = f"{self.feature}, {self.path}" if self.path else self.feature
        return f"{where}: {self.problem}. {as_sentence(self.mend)}"


def as_sentence(mend: str) -> str:
    """Advice as a whole sentence; a question has its mark already."""
    return mend if mend.endswith("?") else f"{mend}."


class SitesError(InputError):
    """The sites cannot be used; `faults` holds every fault that was found, and the text lists them."""

    def __init__(self, source: str, faults: Sequence[SitesFault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        shown = [f"  {fault}" for fault in self.faults[:FAULTS_SHOWN]]
        if len(self.faults) > FAULTS_SHOWN:
            shown.append(f"  and {len(self.faults) - FAULTS_SHOWN} more.")
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"{source} has {count}:", *shown]))


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the file that can be at fault; faults from all spots of a file gather in one list."""

    faults: list[SitesFault]
    feature: str = "the file"
    path: str = ""

    def at(self, *keys: str | int) -> Self:
        """The spot below this one, by key or index."""
        path = self.path
        for key in keys:
            if isinstance(key, int):
                path += f"[{key}]"
            elif _PLAIN_KEY.fullmatch(key):
                path += f".{key}" if path else key
            else:
                path += f"[{printable_value(key)}]"
        return type(self)(self.faults, self.feature, path)

    def of(self, feature: str) -> Self:
        """The top of one feature."""
        return type(self)(self.faults, feature)

    def fault(self, problem: str, mend: str) -> None:
        """Note a fault here; both texts are sentences without their full stop."""
        self.faults.append(SitesFault(self.feature, self.path, problem, mend))


def word_advice(word: str, known: Iterable[str]) -> str:
    """What to write in place of an unknown word, as a sentence."""
    return as_sentence(did_you_mean(word, known))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice for an unknown word: the nearest known one, or those there are."""
    ordered = sorted(known)
    close = difflib.get_close_matches(word, ordered, n=1)
    if close:
        return f'Did you mean "{close[0]}"?'
    more = f" and {len(ordered) - _MOST_NAMED} more" if len(ordered) > _MOST_NAMED else ""
    return f"Known are {', '.join(ordered[:_MOST_NAMED]) or 'none'}{more}"
