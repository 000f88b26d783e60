"""Words: what is said of counts, times and sources is said once, by one module, and never more than is known."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from alerts.words import (
    QUALIFIERS,
    count_label,
    count_words,
    counted_by,
    digits,
    duration,
    every,
    exposure_words,
    interval_words,
    known_since,
    look_count,
    look_status,
    looks_behind,
    measured_duration,
    named,
    period_words,
    rounded_number,
    source_words,
    statement_words,
    utc,
    utc_seconds,
    when_words,
)
from db.records import Precision, Qualifier, Statistic, VisitState
from monitor.flights.words import STATES
from tests.kit.builders import DAY, at, look, stated

PYONGYANG = "Asia/Pyongyang"
OSLO = "Europe/Oslo"
OCTOBER_5 = at("2023-10-04T22:00")
ROOT = Path(__file__).parents[2]
CODE = [
    path
    for folder in ("alerts", "db", "monitor")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]


@pytest.mark.parametrize(
    ("change", "count", "interval", "status"),
    [
        ({}, "about 73", "", "counted"),
        ({"qualifier": ">=", "low": 70.0}, "at least 73", "from 70", "counted"),
        ({"qualifier": "<=", "high": 75.5}, "at most 73", "up to 75.5", "counted"),
        ({"qualifier": "=", "low": 0.0, "high": 80.0}, "73", "0 to 80", "counted"),
        ({"value": 1e6, "qualifier": "="}, "1000000", "", "counted"),
        ({"value": 0.0, "qualifier": "="}, "0", "", "none seen"),
        ({"value": None}, "no count", "", "no count"),
        ({"value": None, "assessable": False}, "not assessable", "", "not assessable"),
        (
            {"value": None, "assessable": False, "exposure_parts": {"cloud_fraction": 0.9}},
            "not assessable",
            "",
            "not assessable: cloud 90%",
        ),
        (
            {"value": None, "assessable": False, "note": "Fog."},
            "not assessable",
            "",
            "not assessable: Harbour Watch: “Fog”",
        ),
        ({"closed": False}, "about 73", "", "counted, period still running"),
        ({"announced": True}, "about 73", "", "counted, announced"),
    ],
    ids=str,
)
def test_a_look(change: dict[str, Any], count: str, interval: str, status: str) -> None:
    one = replace(look("2023-10-05", 73, qualifier="~="), **change)
    assert (look_count(one), interval_words(one.low, one.high), look_status(one)) == (count, interval, status)


def test_a_count_names_what_was_counted() -> None:
    assert count_words(1, ">=", "railcars") == "at least 1 railcar"
    assert count_words(2, metric="railcars") == "2 railcars"
    assert [count_label(look("2023-10-05", 7, qualifier=each)) for each in QUALIFIERS] == [
        "7",
        "~7",
        "≥7",
        "≤7",
    ]
    assert count_label(look("2023-10-05", None)) == ""


def test_figures_claim_no_more_digits_than_they_have() -> None:
    assert [rounded_number(each) for each in (0.0123, 3.14159, 9.96, 12.6, 45_000.4)] == [
        "0.012",
        "3.1",
        "10",
        "13",
        "45,000",
    ]
    assert [digits(each) for each in (3, 3.5, 1234567)] == ["3", "3.5", "1234567"]


@pytest.mark.parametrize(
    ("statistic", "value", "n_looks", "words", "behind"),
    [
        ("max", 20.0, None, "at most 20 railcars", "number of looks not published"),
        ("none_before", 0.0, None, "no railcars before", "number of looks not published"),
        ("last_seen", None, None, "last seen then", "number of looks not published"),
        ("share", 49.0, 109, "seen in 49 of 109 looks", "109 looks"),
        ("max", None, 1, "at most ? railcars", "1 look"),
    ],
)
def test_a_statement(
    statistic: Statistic, value: float | None, n_looks: int | None, words: str, behind: str
) -> None:
    declared = stated(statistic, value, ("2018-10-06", "2023-09-17"), n_looks=n_looks)
    assert (statement_words(declared), looks_behind(n_looks)) == (words, behind)


def test_sources_and_exposure() -> None:
    assert source_words("Analysts", "a newspaper") == "Analysts (via a newspaper)"
    assert source_words("Analysts", "") == "Analysts"
    assert source_words("", "a newspaper") == "a newspaper"
    assert named("") == "an unnamed source"
    assert [exposure_words(each) for each in (None, 0.256, 0.0)] == ["unknown", "26%", "0%"]
    own = look("2023-10-05", 1, publisher="", origin="roof, adsb.lol")
    assert counted_by(own) == "counted by sitewatch (published) from roof and adsb.lol"


@pytest.mark.parametrize(
    ("length", "precision", "on_site_clock", "in_utc", "in_a_sentence"),
    [
        (DAY, "day", "2023-10-05", "2023-10-05", "on 2023-10-05"),
        (2 * DAY, "day", *2 * ("2023-10-05 to 2023-10-06",), "from 2023-10-05 to 2023-10-06"),
        (timedelta(), "minute", "2023-10-05 00:00", "2023-10-04 22:00 UTC", "on 2023-10-04 at 22:00 UTC"),
        (
            timedelta(minutes=10),
            "minute",
            "2023-10-05 00:00 to 2023-10-05 00:09",
            "2023-10-04 22:00 to 2023-10-04 22:09 UTC",
            "from 2023-10-04 22:00 to 2023-10-04 22:09 UTC",
        ),
        (timedelta(hours=1), "hour", "2023-10-05 00 h", "2023-10-04 22:00 UTC", "on 2023-10-04 at 22:00 UTC"),
        (27 * DAY, "month", "2023-10", "2023-10", "in October 2023"),
        (30 * DAY, "month", *2 * ("2023-10 to 2023-11",), "from October to November 2023"),
        (100 * DAY, "month", *2 * ("2023-10 to 2024-01",), "from October 2023 to January 2024"),
        (
            timedelta(hours=2),
            "window",
            "2023-10-05 00:00 to 2023-10-05 01:59",
            "2023-10-04 22:00 to 2023-10-04 23:59 UTC",
            "from 2023-10-04 22:00 to 2023-10-04 23:59 UTC",
        ),
        (timedelta(), "window", "2023-10-05 00:00", "2023-10-04 22:00 UTC", "on 2023-10-04 at 22:00 UTC"),
        (DAY, "window", "2023-10-05", "2023-10-05", "on 2023-10-05"),
        (30 * DAY, "window", *2 * ("2023-10-05 to 2023-11-03",), "from 2023-10-05 to 2023-11-03"),
    ],
)
def test_a_period_is_no_finer_than_its_source(
    length: timedelta, precision: Precision, on_site_clock: str, in_utc: str, in_a_sentence: str
) -> None:
    start, end = OCTOBER_5, OCTOBER_5 + length
    assert period_words(start, end, precision, OSLO, site_clock=True) == on_site_clock
    assert period_words(start, end, precision, OSLO) == in_utc
    assert when_words(start, end, precision, OSLO) == in_a_sentence


def test_periods_are_told_in_the_sites_own_days() -> None:
    start = at("2023-06-30T15:00")  # the first of July in Pyongyang
    assert period_words(start, start + 31 * DAY, "month", PYONGYANG) == "2023-07"
    assert period_words(start, start + 62 * DAY, "month", PYONGYANG) == "2023-07 to 2023-08"
    assert period_words(start, start + DAY, "day", PYONGYANG) == "2023-07-01"
    assert period_words(start, start + 3 * DAY, "window", PYONGYANG) == "2023-07-01 to 2023-07-03"
    assert period_words(start, start, "minute", PYONGYANG) == "2023-06-30 15:00 UTC"
    assert period_words(start, start, "minute", "Pacific/Fiji", site_clock=True) == "2023-07-01 03:00"


def test_a_day_of_publication_claims_no_hour() -> None:
    assert known_since(at("2023-10-05T15:00"), PYONGYANG) == "2023-10-06"
    assert known_since(at("2023-10-06"), PYONGYANG) == "2023-10-06"
    assert known_since(at("2023-10-06T02:30"), PYONGYANG) == "2023-10-06 02:30 UTC"


@pytest.mark.parametrize(
    ("length", "rounded", "measured"),
    [
        (timedelta(seconds=10), "0 minutes", "0 minutes"),
        (timedelta(seconds=70), "1 minute", "1 minute"),
        (timedelta(minutes=90), "90 minutes", "1.5 hours"),
        (timedelta(hours=30), "30 hours", "30 hours"),
        (timedelta(days=3), "3 days", "72 hours"),
        (timedelta(days=100), "3 months", "100 days"),
        (timedelta(days=1100), "3 years", "1100 days"),
    ],
)
def test_lengths_of_time_in_one_unit(length: timedelta, rounded: str, measured: str) -> None:
    assert (duration(length), measured_duration(length)) == (rounded, measured)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "minute"), (90, "90 seconds"), (3600, "hour"), (21_600, "6 hours"), (86_400, "day"), (1, "second")],
)
def test_cadences(seconds: int, words: str) -> None:
    assert every(seconds) == words


def test_moments_are_told_in_utc() -> None:
    assert (utc(OCTOBER_5), utc_seconds(OCTOBER_5)) == ("2023-10-04 22:00 UTC", "2023-10-04 22:00:00 UTC")


def test_every_qualifier_and_state_has_words() -> None:
    assert set(QUALIFIERS) == set(get_args(Qualifier))
    assert set(STATES) == set(get_args(VisitState))


def tables(tree: ast.AST, keys: Collection[str]) -> Iterator[ast.AST]:
    """Places that turn at least two of these keys into text: tables, and `match` statements; numbers are no words."""
    for node in ast.walk(tree):
        found: Iterable[ast.expr | None] = ()
        if isinstance(node, ast.Dict):
            found = node.keys
        elif isinstance(node, ast.Match):
            patterns = (each.pattern for each in node.cases if not _gives_numbers(each))
            found = [each.value for each in patterns if isinstance(each, ast.MatchValue)]
        if sum(isinstance(each, ast.Constant) and each.value in keys for each in found) > 1:
            yield node


def _gives_numbers(case: ast.match_case) -> bool:
    return all(isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple) for each in case.body)


def printed_parts(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, parts and formats of f-strings too, but no docstring."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@cache
def trees() -> dict[str, ast.Module]:
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in CODE}


@cache
def all_printed() -> dict[str, tuple[str, ...]]:
    return {name: tuple(printed_parts(tree)) for name, tree in trees().items()}


def rooms_with(keys: Collection[str]) -> set[str]:
    return {name for name, tree in trees().items() if any(tables(tree, keys))}


def rooms_that_print(phrase: str) -> set[str]:
    return {name for name, parts in all_printed().items() if any(phrase in each for each in parts)}


@pytest.mark.parametrize(
    ("keys", "room"),
    [(get_args(Qualifier), "alerts/words.py"), (get_args(VisitState), "monitor/flights/words.py")],
    ids=["qualifiers", "states"],
)
def test_one_table_says_it(keys: tuple[str, ...], room: str) -> None:
    assert rooms_with(keys) == {room}


@pytest.mark.parametrize(
    ("phrase", "room"),
    [
        (looks_behind(None), "alerts/words.py"),
        (named(""), "alerts/words.py"),
        ("counted by sitewatch", "alerts/words.py"),
        (look_status(replace(look("2023-10-05", 0), closed=False)).partition(", ")[2], "alerts/words.py"),
        *((words, "monitor/flights/words.py") for words in STATES.values()),
    ],
)
def test_one_room_has_the_phrase(phrase: str, room: str) -> None:
    assert rooms_that_print(phrase) == {room}


def test_one_module_says_a_moment_in_utc() -> None:
    spelled = "%Y-%m-%d %H:%M"
    text = {path.relative_to(ROOT).as_posix(): path.read_text() for path in CODE}
    assert {
        name
        for name, code in text.items()
        for end in ("}", ":%S}")
        if f"{spelled}{end} UTC" in code or f'{spelled}{end}", at, "UTC"' in code
    } == {"alerts/words.py"}


@pytest.mark.parametrize(
    "code",
    [
        'SIGNS = {"~=": "about", ">=": "at least"}',
        'def f():\n    return {"=": "", "<=": "up to"}.get(x)',
        'match x:\n    case "~=":\n        y = 1\n    case ">=":\n        y = 2',
    ],
)
def test_a_second_table_would_be_seen(code: str) -> None:
    assert list(tables(ast.parse(code), get_args(Qualifier)))


def test_a_second_phrase_would_be_seen() -> None:
    code = ast.parse('"""Has left."""\nx = f"{n} has left"\n')
    assert [each for each in printed_parts(code) if "left" in each] == [" has left"]


_PLURALS = re.compile(
    r"^ (?:[a-z]+ ){0,2}(?:looks|alerts|sites|messages|visits|days|weeks|counts|events|polls|scenes|passes|series)\b"
)
_NEVER_ONE = {
    # At least two, by what stands around them.
    "alerts/words.py",
    "alerts/delivery/notices.py",
    "alerts/rules/watchlist.py",
    "monitor/web/views/rows.py",
    "monitor/commands/sites.py",
    "monitor/commands/alerts.py",
    "monitor/runtime/service.py",
    # A twentieth, five of a window, a whole week and more: set in the code.
    "alerts/rules/among.py",
    "alerts/rules/ears.py",
    "monitor/web/views/feed_coverage.py",
    "monitor/web/views/imagery_view.py",
    "monitor/imports/contradictions.py",
    "monitor/web/charts/marks.py",
    # Settings in words of their own.
    "monitor/reports/kept.py",
    # Read by whoever runs a benchmark or mends a database.
    "monitor/pipeline.py",
    "monitor/replay/report.py",
    "monitor/reports/evaluation.py",
}


_NO_NUMBER = re.compile(r"noun|share|since|numbered|utc\(")


def _unnumbered(path: Path) -> Iterator[str]:
    """A number that is put straight before a plural, which reads as “1 looks” where it is one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for part, following in pairwise(node.values) if isinstance(node, ast.JoinedStr) else ():
            if not (isinstance(part, ast.FormattedValue) and isinstance(following, ast.Constant)):
                continue
            number, found = ast.unparse(part.value), _PLURALS.match(str(following.value))
            if found and not _NO_NUMBER.search(number):
                yield f"{path.relative_to(ROOT)}:{part.lineno}: {{{number}}}{found[0]}"


def test_no_number_is_put_before_a_plural_without_asking_whether_it_is_one() -> None:
    asked = [
        path
        for path in CODE
        if (name := path.relative_to(ROOT).as_posix()) not in _NEVER_ONE
        # What is told of flights, scenes and databases has words of its own.
        and not name.startswith(("db/", "monitor/flights/", "monitor/imagery/"))
    ]
    found = [each for path in asked for each in _unnumbered(path)]
    assert not found, "Say it with alerts.words.numbered:\n" + "\n".join(found)
