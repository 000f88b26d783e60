"""Who an aircraft is: state, classes, subjects, and the file of classes that users extend."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.flights.identity import (
    CLASSES_FILE,
    Aircraft,
    ClassesError,
    aircraft_of,
    default_classes,
    is_icao,
    load_classes,
    state_of,
    subjects,
)
from tests.cast import QUIET_FIELD
from tests.flying import Pilot

IL62M = ("1551df", "1551e0", "15520a", "15520b", "15520c", "15521b", "15521f", "155221", "15522c")


@pytest.mark.parametrize(
    ("icao24", "state"),
    [
        ("100000", "RU"),
        ("1fffff", "RU"),
        ("200000", ""),
        ("0fffff", ""),
        ("720000", "KP"),
        ("727fff", "KP"),
        ("728000", ""),
        ("71ffff", "KR"),
        ("780000", "CN"),
        ("840000", "JP"),
        ("682000", "MN"),
        ("510000", "BY"),
        ("~15521f", ""),
        ("", ""),
    ],
)
def test_the_block_of_an_address_hints_at_its_state(icao24: str, state: str) -> None:
    assert state_of(icao24) == state


@given(st.text(alphabet="0123456789abcdefABCDEF~ ", max_size=8))
def test_only_six_hexadecimal_digits_are_an_address(text: str) -> None:
    assert is_icao(text) == (len(text) == 6 and set(text) <= set("0123456789abcdef"))


@pytest.mark.parametrize("icao24", IL62M)
def test_the_listed_il62m_are_vip_aircraft_whatever_a_database_says(icao24: str) -> None:
    assert default_classes().of(Aircraft(icao24)) == ("vip_military",)
    assert default_classes().watches(Aircraft(icao24))


@pytest.mark.parametrize("icao24", ["154f53", "15770c"])
def test_the_listed_government_aircraft_are_known(icao24: str) -> None:
    assert default_classes().of(Aircraft(icao24)) == ("government",)


@pytest.mark.parametrize("type_code", ["T160", "T22M", "TU95"])
def test_bombers_are_known_by_type(type_code: str) -> None:
    assert "bomber" in default_classes().of(Aircraft("15abcd", type_code=type_code))


def test_an_il76_is_a_russian_transport_only_with_a_russian_address() -> None:
    assert "transport" in default_classes().of(Aircraft("15abcd", type_code="IL76"))
    assert default_classes().of(Aircraft("780000", type_code="IL76")) == ()


def test_the_military_mark_of_a_database_is_one_class_among_others() -> None:
    assert default_classes().of(Aircraft("15520b", db_flags=1)) == ("military", "vip_military")


@pytest.mark.parametrize(
    ("callsign", "operator"),
    [
        ("KOR151", "KOR"),
        ("AFR16YA", "AFR"),
        ("RA86559", ""),
        ("FGZHZ", ""),
        ("N518JA", ""),
        ("", ""),
        ("KOR", ""),
    ],
)
def test_an_airline_callsign_names_its_operator(callsign: str, operator: str) -> None:
    assert Aircraft("3950c7", callsign=callsign).operator == operator


def test_an_unwatched_aircraft_has_no_subject_of_its_own() -> None:
    aircraft = Aircraft("3950c7", "AFR13FQ", "F-GUGK", "A318")
    assert subjects(aircraft, default_classes()) == ("operator:AFR", "type:A318")


@pytest.mark.parametrize("listed", ["icao24:3950c7", "operator:AFR", "type:A318"])
def test_an_aircraft_on_the_sites_watchlist_has_one(listed: str) -> None:
    aircraft = Aircraft("3950c7", "AFR13FQ", "F-GUGK", "A318")
    assert "icao24:3950c7" in subjects(aircraft, default_classes(), [listed])


@pytest.mark.parametrize("flags", [4, 8])
def test_an_aircraft_that_asked_not_to_be_named_is_never_named(flags: int) -> None:
    aircraft = Aircraft("15521f", "RFF1", "RA-86559", "IL62", flags)
    assert subjects(aircraft, default_classes(), ["icao24:15521f"]) == ()
    assert not default_classes().watches(aircraft)


def test_what_some_reports_leave_out_others_give() -> None:
    pilot = Pilot(QUIET_FIELD).park(40)
    first, second, third, last = pilot.fixes
    told = [
        first,
        replace(second, callsign="RFF1", db_flags=1),
        replace(third, type_code="IL62", db_flags=2),
        replace(last, callsign="RFF2"),
    ]
    assert aircraft_of(told) == Aircraft("15521f", "RFF1", "", "IL62", 3)


def test_a_class_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "classes.toml"
    path.write_text(
        '[class.mail]\nlabel = "post aircraft"\nwatch = true\n'
        '[[rule]]\nclass = "mail"\nblock = "MN"\noperators = ["MGL"]\n',
        encoding="utf-8",
    )
    classes = load_classes(path)
    assert classes.labels == {"mail": "post aircraft"}
    assert classes.of(Aircraft("682211", "MGL7145")) == ("mail",)
    assert classes.of(Aircraft("3950c7", "MGL7145")) == ()
    assert classes.watches(Aircraft("682211", "MGL7145"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[class", "cannot be read"),
        ("[classes.a]\n", "classes is not known"),
        ("[class.a]\ncolour = 1\n", "in class.a: colour is not known"),
        ('[[rule]]\nclass = "a"\nhex = ["15521f"]\n', "there is no class 'a'"),
        ('[class.a]\n[[rule]]\nclass = "a"\ntail = ["x"]\n', "in rule 1: tail is not known"),
        ('[class.a]\n[[rule]]\nclass = "a"\nhex = ["15521F"]\n', "15521F is not six lower-case"),
        ('[class.a]\n[[rule]]\nclass = "a"\nblock = "XX"\n', "block 'XX' is not one of BY, CN"),
        ('[class.a]\n[[rule]]\nclass = "a"\nflags = ["vip"]\n', "flag vip is not one of military"),
        ('[class.a]\n[[rule]]\nclass = "a"\n', "would fit every aircraft"),
    ],
)
def test_a_bad_file_of_classes_says_which_entry_to_mend(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "classes.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ClassesError, match=r"classes\.toml") as raised:
        load_classes(path)
    assert words in str(raised.value)


def test_a_missing_file_of_classes_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassesError, match=r"nowhere\.toml"):
        load_classes(tmp_path / "nowhere.toml")


def test_every_class_of_the_program_has_words_and_a_rule() -> None:
    classes = load_classes(CLASSES_FILE)
    assert {rule.name for rule in classes.rules} == set(classes.labels)
    assert all(label != name for name, label in classes.labels.items())
