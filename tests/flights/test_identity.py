"""Who an aircraft is: state, classes, subjects, and the file of classes that users extend."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records.claims import KnownAircraft
from monitor.flights.tracks.classes import CLASSES_FILE, ClassesError, default_classes, load_classes
from monitor.flights.tracks.codes import (
    icao24_of,
    is_icao,
    listed_types,
    registration_of,
    registry_state,
    registry_states,
    type_names,
)
from monitor.flights.tracks.identity import (
    Aircraft,
    aircraft_of,
    completed_aircraft,
    completed_fixes,
    visit_subjects,
)
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import Pilot

IL62M = ("1551df", "1551e0", "15520a", "15520b", "15520c", "15521b", "15521f", "155221", "15522c")


@pytest.mark.parametrize(
    ("icao24", "state"),
    [
        ("100000", "RU"),
        ("1fffff", "RU"),
        ("200000", ""),
        ("0fffff", ""),
        ("a00000", "US"),
        ("3950c7", "FR"),
        ("899123", "TW"),
        ("000000", ""),
        ("ffffff", ""),
        ("720000", "KP"),
        ("727fff", "KP"),
        ("728000", "IQ"),
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
    assert registry_state(icao24) == state


@given(st.text(alphabet="0123456789abcdefABCDEF~ ", max_size=8))
def test_only_six_hexadecimal_digits_are_an_address(text: str) -> None:
    assert is_icao(text) == (len(text) == 6 and set(text) <= set("0123456789abcdef"))


@pytest.mark.parametrize("icao24", IL62M)
def test_the_listed_il62m_are_vip_aircraft_whatever_a_database_says(icao24: str) -> None:
    assert default_classes().of(Aircraft(icao24)) == ("military", "vip", "vip_military")
    assert default_classes().watches(Aircraft(icao24))


@pytest.mark.parametrize("icao24", ["154f53", "15770c"])
def test_the_listed_government_aircraft_are_known(icao24: str) -> None:
    assert default_classes().of(Aircraft(icao24)) == ("government", "state", "vip")


@pytest.mark.parametrize("type_code", ["T160", "T22M", "TU95"])
def test_bombers_are_known_by_type(type_code: str) -> None:
    assert "bomber" in default_classes().of(Aircraft("15abcd", type_code=type_code))


def test_an_il76_is_a_russian_transport_only_with_a_russian_address() -> None:
    assert "transport" in default_classes().of(Aircraft("15abcd", type_code="IL76"))
    assert default_classes().of(Aircraft("780000", type_code="IL76")) == ("cargo",)


def test_the_military_mark_of_a_database_is_one_class_among_others() -> None:
    assert default_classes().of(Aircraft("3950c7", db_flags=1)) == ("military",)


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
    assert visit_subjects(aircraft, default_classes()) == ("class:airliner", "operator:AFR", "type:A318")


@pytest.mark.parametrize("listed", ["icao24:3950c7", "operator:AFR", "type:A318"])
def test_an_aircraft_on_the_sites_watchlist_has_one(listed: str) -> None:
    aircraft = Aircraft("3950c7", "AFR13FQ", "F-GUGK", "A318")
    assert "icao24:3950c7" in visit_subjects(aircraft, default_classes(), [listed])


@pytest.mark.parametrize("flags", [4, 8])
def test_an_aircraft_that_asked_not_to_be_named_is_never_named(flags: int) -> None:
    aircraft = Aircraft("15521f", "RFF1", "RA-86559", "IL62", flags)
    assert visit_subjects(aircraft, default_classes(), ["icao24:15521f"]) == ()
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
        ('[class.a]\n[[rule]]\nclass = "a"\nblock = "XX"\n', "block 'XX' is not a state"),
        ('[class.a]\nwatch = "yes"\n', "in class.a: watch is true or false"),
        ('[class.a]\n[[rule]]\nclass = "a"\ntypes = "IL62"\n', "types is a list of texts"),
        ('[class.a]\n[[rule]]\nclass = ["a", "b"]\ntypes = ["X"]\n', "there is no class 'b'"),
        ('[class.a]\n[[rule]]\nclass = []\ntypes = ["X"]\n', "there is no class ''"),
        (
            '[class.a]\n[[rule]]\nclass = "a"\noperators = ["kor"]\n',
            "operator kor is not three capital letters",
        ),
        (
            '[class.a]\n[[rule]]\nclass = "a"\ntypes = ["X"]\nunless = ["c"]\n',
            "unless names c, which is no class",
        ),
        ('[class.a]\n[[rule]]\nclass = "a"\nunless = ["a"]\n', "would fit every aircraft"),
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


def test_blocks_of_addresses_do_not_overlap() -> None:
    found = [registry_state(f"{number:06x}") for number in range(0, 1 << 24, 1 << 10)]
    assert {state for state in found if state} == registry_states()
    assert len(registry_states()) > 180


def test_a_registration_says_more_than_the_block() -> None:
    assert Aircraft("72482f", registration="JY-RAO").state == "JO"
    assert Aircraft("72482f").state == "KP"
    assert Aircraft("15521f", registration="RA-86559").state == "RU"


@pytest.mark.parametrize(
    ("icao24", "registration"),
    [
        ("15521f", "RA-86559"),
        ("15520a", "RA-86538"),
        ("154f53", "RA-85843"),
        ("15770c", "RA-96012"),
        ("140000", "RA-00000"),
        ("15869f", "RA-99999"),
        ("1586a0", ""),
        ("13ffff", ""),
        ("727761", "P-561"),
        ("7278a1", "P-881"),
        ("7278c2", "P-914"),
        ("72785d", "P-813"),
        ("72482f", ""),
        ("~15521f", ""),
        ("3950c7", ""),
    ],
)
def test_russia_and_the_dprk_number_their_aircraft_by_rule(icao24: str, registration: str) -> None:
    assert registration_of(icao24) == registration
    assert not registration or icao24_of(registration) == icao24


@given(st.integers(0, (1 << 24) - 1))
def test_an_address_by_rule_leads_back_to_itself(number: int) -> None:
    registration = registration_of(f"{number:06x}")
    assert not registration or icao24_of(registration) == f"{number:06x}"


@pytest.mark.parametrize("registration", ["RA-8655", "RA-086559", "P-42", "P-1000", "F-GUGK", "ra-86559", ""])
def test_a_registration_outside_the_rules_has_no_address(registration: str) -> None:
    assert icao24_of(registration) == ""


def test_state_aviation_keeps_the_number_of_the_rule() -> None:
    assert icao24_of("RF-88456") == icao24_of("RA-88456") == "155988"


@pytest.mark.shared
def test_the_rules_hold_for_the_rows_of_a_public_database(shared_data: Path) -> None:
    text = gzip.decompress((shared_data / "reference/aircraft-ru-kp-excerpt.csv.gz").read_bytes()).decode()
    rows = [line.split(";")[:2] for line in text.splitlines()]
    covered = [(icao24.lower(), name) for icao24, name in rows if registration_of(icao24.lower())]
    right = [name for icao24, name in covered if registration_of(icao24)[-5:].lstrip("RAP-") in name]
    assert len(covered) > 1900
    assert 0.96 < len(right) / len(covered) < 0.98


@pytest.mark.parametrize(
    ("aircraft", "classes"),
    [
        (Aircraft("15abcd", type_code="T160"), ("bomber", "military")),
        (Aircraft("15abcd", callsign="RFF7052", type_code="IL76"), ("cargo", "military", "transport")),
        (Aircraft("15abcd", callsign="RSD86"), ("state", "vip")),
        (Aircraft("115988", registration="RF-88456", type_code="BER2"), ("state",)),
        (Aircraft("ae1234", callsign="RCH285", type_code="K35R"), ("military", "tanker")),
        (Aircraft("7278a5"), ("air_koryo",)),
        (Aircraft("7277a8", callsign="KOR151", type_code="T204"), ("air_koryo", "airliner")),
        (Aircraft("3c1234", type_code="B744", listed_operator="CLX"), ("cargo",)),
        (Aircraft("3c1234", type_code="B744"), ("airliner",)),
        (Aircraft("3c1234", type_code="A320", db_flags=1), ("military",)),
    ],
)
def test_a_class_is_told_by_list_type_operator_or_register(
    aircraft: Aircraft, classes: tuple[str, ...]
) -> None:
    assert default_classes().of(aircraft) == classes


def test_a_tail_number_of_ones_own_is_found_by_its_address(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[class.mine]\nlabel = "my list"\nwatch = true\n'
        '[[rule]]\nclass = "mine"\nregistrations = ["RA-64520"]\n'
        'reason = "a freighter that carries what is under embargo"\n'
        "[class.cargo]\nwatch = true\n",
        encoding="utf-8",
    )
    classes = load_classes(CLASSES_FILE, path)
    assert classes.of(Aircraft(icao24_of("RA-64520"))) == ("mine",)
    assert classes.of(Aircraft("15abcd", registration="RA-64520")) == ("mine",)
    assert classes.of(Aircraft("15abcd", registration="RA-64521")) == ()
    assert classes.labels["cargo"] == "freighter"
    assert classes.watches(Aircraft("3c1234", callsign="CLX1"))
    assert set(default_classes().addresses) >= set(IL62M)


def test_the_database_fills_in_what_reports_leave_out() -> None:
    known = KnownAircraft("15521f", "RA-86559", "IL62", "RFF", 1)
    assert completed_aircraft(Aircraft("15521f", type_code="A320"), known) == Aircraft(
        "15521f", "", "RA-86559", "A320", 1, "RFF"
    )
    assert completed_aircraft(Aircraft("15521f"), None) == Aircraft("15521f")
    pilot = Pilot(QUIET_FIELD).park(20)
    told, kept = completed_fixes([*pilot.fixes, replace(pilot.fixes[0], icao24="3950c7")], {"15521f": known})[
        1:
    ]
    assert (told.registration, told.type_code, told.db_flags) == ("RA-86559", "IL62", 1)
    assert kept == replace(pilot.fixes[0], icao24="3950c7")


def test_an_aircraft_that_a_database_marks_as_unnamed_is_never_named() -> None:
    known = KnownAircraft("15521f", "RA-86559", "IL62", flags=8)
    assert visit_subjects(completed_aircraft(Aircraft("15521f"), known), default_classes()) == ()


@pytest.mark.parametrize("listed", ["type:Tu-160", "type:tu160", "type:T160", "type:TU 160M"])
def test_a_watch_list_may_name_a_type_as_people_do(listed: str) -> None:
    aircraft = Aircraft("15abcd", type_code="T160")
    found = visit_subjects(aircraft, default_classes(), [listed, "type:Tu-95MS", "class:x"])
    assert {listed, "type:T160", "icao24:15abcd"} <= set(found)
    assert "type:Tu-95MS" not in found


def test_one_designator_stands_for_several_variants() -> None:
    assert listed_types("TU95", ["type:Tu-95MS", "type:Tu-142", "type:Tu-160"]) == [
        "type:Tu-95MS",
        "type:Tu-142",
    ]
    assert listed_types("", ["type:Tu-160"]) == []
    assert listed_types("A318", ["type:A318"]) == ["type:A318"]
    assert type_names("T160")[0] == "Tu-160"
