"""What a metric is, and reading its declaration: the same words in a file here and in `sitewatch.toml`. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from db.records import Measure, SeriesKind
from db.records.counts import LARGEST_COUNT
from db.said import phrase, phrase_as

NOTE_METRIC = "note"
"""What stands in a metric's place where a row is a remark."""
LARGEST_AMOUNT = 1e12
"""A larger measured number is a defect of the source unless the declaration allows it."""

_NAME = re.compile(r"[a-z][a-z0-9_]{1,58}[a-z0-9]")
# Beside metrics, severities are keys of a site's promise.
_RESERVED = frozenset({NOTE_METRIC, "urgent", "notify", "digest"})
_KEYS = (
    "measure",
    "kind",
    "unit",
    "what",
    "one",
    "many",
    "heading",
    "event",
    "adds_up",
    "most",
    "also",
    "shares",
    "unknown",
)
_LONGEST, _LONGEST_UNIT, _LONGEST_SENTENCE = 80, 20, 200
_POWERS = {"2": "²", "3": "³"}
_POWER = re.compile(r"(?<=m)([23])\b")


class MetricError(ValueError):
    """A declaration cannot be used; each fault is a sentence that names key and value."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Metric:
    """An observed property: a flow grows with time watched, a stock is a snapshot."""

    name: str
    kind: SeriesKind
    one: str
    """What follows the number one: `railcar`, `m of track occupied`."""
    many: str
    heading: str
    measure: Measure = "count"
    """Counts are whole numbers and are judged by the laws of counts; a continuous metric is any number with a unit."""
    unit: str = ""
    """'' for what is counted."""
    event: bool = False
    """True where each count is something that happened once (an arrival), told as an alert of its own."""
    adds_up: bool = True
    """Whether half the place shows half of it: counts, areas, lengths and powers; not means, shares and radiances."""
    most: float = LARGEST_COUNT
    """What is larger cannot be true."""
    also: tuple[str, ...] = ()
    """What detectors call it, understood in imports."""
    shares: str = ""
    """Metrics with the same word here are read off one and the same look, and share one part of what a site may cost."""
    unknown: str = ""
    """What a message must add that cannot be known from it, as a sentence."""

    @property
    def counted(self) -> bool:
        """Whether only whole numbers of it make sense."""
        return self.measure == "count"

    def noun(self, value: float) -> str:
        """What is counted or measured, for so much of it: `railcar`, `railcars`, `m of track occupied`."""
        return self.one if value == 1 else self.many


def unit_words(unit: str) -> str:
    """A unit as it is printed: `m²` for `m2`."""
    return _POWER.sub(lambda found: _POWERS[found[1]], unit)


def metric_of_file(path: Path) -> Metric:
    """Read the metric that a TOML file describes; the file's name is the metric's."""
    return declared_metric(path.stem, tomllib.loads(path.read_text(encoding="utf-8")), ())


def declared_metric(name: str, given: Mapping[str, Any], taken: Collection[str]) -> Metric:
    """Read one declaration, as a table of TOML has it; raises MetricError with all its faults."""
    faults = list(_faults(name, given, taken))
    if faults:
        raise MetricError([f"metrics.{name}: {fault}" for fault in faults])
    measure: Measure = given["measure"]
    unit = given.get("unit", "")
    heading = _word(given.get("heading") or given.get("what") or given["many"])
    measured = f"{unit_words(unit)} of {given['what']}" if "what" in given else ""
    counted = measure == "count"
    return Metric(
        name=name,
        kind=given["kind"],
        one=_word(given.get("one") or measured),
        many=_word(given.get("many") or measured),
        heading=heading if counted else phrase("{heading} ({unit})", heading=heading, unit=unit_words(unit)),
        measure=measure,
        unit=unit,
        event=given.get("event", False),
        adds_up=given.get("adds_up", True),
        most=float(given.get("most", LARGEST_COUNT if counted else LARGEST_AMOUNT)),
        also=tuple(given.get("also", ())),
        shares=given.get("shares", ""),
        unknown=_word(given.get("unknown", "")),
    )


def _word(text: str) -> str:
    """A metric's word, which the catalogues have for those that are built in."""
    return phrase_as("metric", text) if text else ""


def _faults(name: str, given: Mapping[str, Any], taken: Collection[str]) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield (
            "a name has 3 to 60 small letters, digits and _, begins with a letter and ends without _ "
            "(such as fire_power_mw)"
        )
    elif name in _RESERVED:
        yield "this name means something else in sites files and imports; choose another"
    elif name in taken:
        yield "sitewatch has a metric of this name already; choose another"
    for key in given:
        if key not in _KEYS:
            yield f"{key!s} is not known; a metric has {', '.join(_KEYS)}"
    yield from _choice(given, "measure", get_args(Measure))
    yield from _choice(given, "kind", get_args(SeriesKind))
    for key in ("unit", "what", "one", "many", "heading", "shares"):
        yield from _text(given, key, _LONGEST_UNIT if key == "unit" else _LONGEST)
    yield from _text(given, "unknown", _LONGEST_SENTENCE)
    for key in ("event", "adds_up"):
        if key in given and not isinstance(given[key], bool):
            yield f"{key} is {given[key]!r}; write true or false"
    yield from _largest(given)
    also = given.get("also", [])
    if not isinstance(also, list) or not all(isinstance(each, str) and each for each in also):
        yield f"also is {also!r}; write a list of texts"
    yield from _words(given)


def _choice(given: Mapping[str, Any], key: str, known: Sequence[str]) -> Iterator[str]:
    if given.get(key) not in known:
        said = f"is {given[key]!r}" if key in given else "is missing"
        yield f"{key} {said}; write {' or '.join(repr(each) for each in known)}"


def _text(given: Mapping[str, Any], key: str, longest: int) -> Iterator[str]:
    value = given.get(key, "text")
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > longest:
        yield f"{key} is {value!r}; write a text of 1 to {longest} characters on one line"


def _largest(given: Mapping[str, Any]) -> Iterator[str]:
    most = given.get("most", 1)
    number = isinstance(most, int | float) and not isinstance(most, bool)
    if not number or not 0 < most <= 1e15:  # noqa: PLR2004 - beyond it doubles have no units left
        yield f"most is {most!r}; write the largest number that can be true, up to 1e15"


def _words(given: Mapping[str, Any]) -> Iterator[str]:
    both = "one" in given and "many" in given
    if given.get("measure") == "count":
        if not both:
            yield 'a count needs its words: one = "truck" and many = "trucks"'
        if "unit" in given:
            yield 'a count has no unit; write measure = "continuous" for what is measured in one'
        if given.get("adds_up") is False:
            yield "a count adds up; leave adds_up out"
    elif given.get("measure") == "continuous":
        if "unit" not in given:
            yield 'what is measured needs a unit (unit = "m2"; "1" for a share)'
        if not both and "what" not in given:
            yield 'what is measured needs its words: what = "changed area" is told as “400 m² of changed area”'
