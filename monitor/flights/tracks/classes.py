"""The classes of aircraft: the file that comes with the program, and the one with which users extend it."""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from db.said import phrase_as
from monitor.flights.tracks.codes import is_icao, registry_states
from monitor.flights.tracks.identity import Classes, ClassRule

CLASSES_FILE = Path(__file__).with_name("classes.toml")

_FLAGS = {"military": 1}
_LISTS = ("hex", "types", "operators", "registrations", "flags", "unless")
LEAST_REASON = 20
"""So many characters must explain why single aircraft are followed; shorter than this nothing is explained."""
_OPERATOR = re.compile(r"[A-Z]{3}")


class ClassesError(Exception):
    """The file of aircraft classes cannot be used; the text names the entry at fault."""


@cache
def default_classes() -> Classes:
    """Read the classes that come with the program."""
    return load_classes(CLASSES_FILE)


def load_classes(*paths: Path) -> Classes:
    """Read files of classes, later ones adding to earlier ones, or raise ClassesError that says which entry to mend.

    A later file may give a class of an earlier one more rules, another label or another `watch`.
    """
    named: dict[str, dict[str, Any]] = {}
    rules: list[ClassRule] = []
    unexplained: list[tuple[str, ClassRule]] = []
    for path in paths:
        document = _read(path)
        _merge(path, document.get("class", {}), named)
        for number, entry in enumerate(document.get("rule", ()), start=1):
            made = _rules(path, number, entry, named)
            rules += made
            if path != CLASSES_FILE and len(str(entry.get("reason", "")).strip()) < LEAST_REASON:
                unexplained += [(f"{path}, in rule {number}", rule) for rule in made if rule.singles]
    labels = {name: phrase_as("class", str(entry.get("label", name))) for name, entry in named.items()}
    watched = frozenset(name for name, entry in named.items() if entry.get("watch"))
    for where, rule in unexplained:
        if rule.name in watched:
            raise ClassesError(
                f"{where}: it follows single aircraft ({', '.join(rule.singles)}) and does not say why. Add reason = "
                f'"…", in at least {LEAST_REASON} characters: why the public should know where they are.'
            )
    return Classes(tuple(rules), labels, watched)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClassesError(f"The aircraft classes in {path} cannot be read: {error}.") from None
    _refuse_unknown(path, "at the top", document, {"class", "rule"})
    return document


def _merge(path: Path, entries: Mapping[str, Any], named: dict[str, dict[str, Any]]) -> None:
    for name, entry in entries.items():
        _refuse_unknown(path, f"in class.{name}", entry, {"label", "watch"})
        if not isinstance(entry.get("watch", False), bool):
            raise ClassesError(f"{path}, in class.{name}: watch is true or false.")
        named[name] = {**named.get(name, {}), **entry}


def _rules(path: Path, number: int, entry: Mapping[str, Any], named: Collection[str]) -> list[ClassRule]:
    """Read one entry: a rule for each class that it names."""
    where = f"in rule {number}"
    _refuse_unknown(path, where, entry, {"class", "block", "reason", *_LISTS})
    given = entry.get("class", "")
    classes = _texts(path, where, "class", [given] if isinstance(given, str) else given)
    for name in classes or [""]:
        if name not in named:
            raise ClassesError(
                f"{path}, {where}: there is no class {name!r}. Add a table [class.{name or 'NAME'}]."
            )
    lists = {key: _texts(path, where, key, entry.get(key, ())) for key in _LISTS}
    rule = ClassRule(
        "",
        frozenset(lists["hex"]),
        entry.get("block", ""),
        frozenset(lists["types"]),
        frozenset(lists["operators"]),
        tuple(lists["registrations"]),
        sum(_FLAGS.get(flag, 0) for flag in lists["flags"]),
        frozenset(lists["unless"]),
    )
    _check(path, where, rule, lists["flags"], named)
    return [replace(rule, name=name) for name in classes]


def _texts(path: Path, where: str, key: str, values: Any) -> Sequence[str]:
    if not isinstance(values, list | tuple) or not all(isinstance(each, str) for each in values):
        raise ClassesError(f'{path}, {where}: {key} is a list of texts, as in {key} = ["…"].')
    return values


def _check(path: Path, where: str, rule: ClassRule, flags: Collection[str], named: Collection[str]) -> None:
    bad = sorted(each for each in rule.hex if not is_icao(each))
    if bad:
        raise ClassesError(f"{path}, {where}: {', '.join(bad)} is not six lower-case hexadecimal digits.")
    odd = sorted(each for each in rule.operators if not _OPERATOR.fullmatch(each))
    if odd:
        raise ClassesError(f"{path}, {where}: operator {', '.join(odd)} is not three capital letters.")
    if rule.block and rule.block not in registry_states():
        raise ClassesError(
            f"{path}, {where}: block {rule.block!r} is not a state with addresses of its own. Write two letters, as RU."
        )
    unknown = sorted(set(flags) - _FLAGS.keys())
    if unknown:
        raise ClassesError(f"{path}, {where}: flag {', '.join(unknown)} is not one of {', '.join(_FLAGS)}.")
    missing = sorted(rule.unless - set(named))
    if missing:
        raise ClassesError(f"{path}, {where}: unless names {', '.join(missing)}, which is no class.")
    if rule == ClassRule("", unless=rule.unless):
        raise ClassesError(f"{path}, {where}: it has no condition and would fit every aircraft. Give it one.")


def _refuse_unknown(path: Path, where: str, entry: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise ClassesError(
            f"{path}, {where}: {', '.join(unknown)} is not known. Known are {', '.join(sorted(known))}."
        )
