"""How often each value occurs among what was found, as links that narrow it down or let it go again. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

MOST_VALUES = 8
Asked = Mapping[str, str]
"""The parameters of an address, in order."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value: in words, how often it occurs (None: it is the one chosen), and where a click leads."""

    words: str
    number: int | None
    address: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to narrow down: its values, the commonest first, and how many more there are."""

    name: str
    choices: tuple[FacetValue, ...]
    more: int


def page_address(path: str, asked: Asked, **changed: str | None) -> str:
    """A page with these parameters; None takes one away. What belongs to one page of a list goes."""
    kept = {name: value for name, value in {**asked, **changed}.items() if value is not None}
    if "after" not in changed:
        kept.pop("after", None)
    query = urlencode(kept, safe=":,")
    return f"{path}?{query}" if query else path


@dataclass(frozen=True, slots=True)
class AskedPage:
    """A page with what is asked there."""

    path: str
    asked: Asked

    def leads(self, **changed: str | None) -> str:
        """Its address with something changed."""
        return page_address(self.path, self.asked, **changed)

    def facet(
        self, parameter: str, title: str, values: Iterable[str], words: Callable[[str], str] = str
    ) -> Facet:
        """The values of one parameter among what was found; where one is chosen, that one alone, to be let go."""
        if parameter in self.asked:
            chosen = FacetValue(words(self.asked[parameter]), None, self.leads(**{parameter: None}))
            return Facet(title, (chosen,), 0)
        counted = sorted(Counter(values).items(), key=lambda each: (-each[1], words(each[0])))
        choices = tuple(
            FacetValue(words(value), number, self.leads(**{parameter: value}))
            for value, number in counted[:MOST_VALUES]
        )
        return Facet(title, choices, max(0, len(counted) - MOST_VALUES))


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column: its name, where a click leads ('' where it does not sort), and how it is sorted now."""

    name: str
    address: str = ""
    sorted: str = ""
    """`ascending`, `descending`, or nothing."""


def columns(spot: AskedPage, names: Mapping[str, str], first: str) -> tuple[Column, ...]:
    """The heads of a table: `names` are titles by what `sort` calls them, '' where it cannot; `first` is sorted by unless asked."""
    sort = spot.asked.get("sort", first)
    by, down = sort.removeprefix("-"), sort.startswith("-")
    found = []
    for title, name in names.items():
        if not name:
            found.append(Column(title))
            continue
        turned = f"-{name}" if (name == by and not down) else name
        told = ("descending" if down else "ascending") if name == by else ""
        leads = spot.leads(sort=None if turned == first else turned)
        found.append(Column(title, leads, told))
    return tuple(found)


def part_after(ids: Sequence[str], after: str | None, size: int) -> tuple[int, int]:
    """Where the part of a list begins and ends that follows an entry; from the first on where that entry is gone."""
    start = ids.index(after) + 1 if after in ids else 0
    return start, min(len(ids), start + size)
