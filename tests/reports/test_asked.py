"""What is asked in words: filters for the database, or a sentence that says what is wrong and how to mend it."""

from typing import Any

import pytest

from db.records import AlertFilter, LookFilter, VisitFilter
from monitor.errors import InputError
from monitor.flights.tracks.classes import default_classes
from monitor.reports.asked import AlertWords, LookWords, VisitWords, World
from monitor.reports.searched import searched
from tests.kit.builders import at
from tests.kit.cast import CAST_BY_ID

CLASSES = default_classes().labels
WORLD = World(CAST_BY_ID, CLASSES, at("2023-10-07T12:00"))
TYPES = {"aircraft_type": "Il-62M"}


def test_what_is_left_out_takes_all() -> None:
    assert VisitWords().filter(WORLD) == VisitFilter()
    assert LookWords().filter(WORLD) == LookFilter()
    assert AlertWords().filter(WORLD) == AlertFilter()


@pytest.mark.parametrize("name", ["Il-62M", "il62", "IL 62", "IL62"])
def test_a_type_is_known_by_each_of_its_names(name: str) -> None:
    assert VisitWords(aircraft_type=name).filter(WORLD).type_codes == ("IL62",)
    assert {"type:IL62", "type:Il-62M"} <= set(LookWords(aircraft_type=name).filter(WORLD).subjects or ())


def test_counts_are_found_as_a_watch_list_writes_their_type() -> None:
    assert "type:Tu-160" in (LookWords(aircraft_type="T160").filter(WORLD).subjects or ())


def test_names_are_read_as_feeds_write_them() -> None:
    asked = VisitWords(address="15521F", registration="ra-86559", callsign="kor151", operator="kor")
    found = asked.filter(WORLD)
    assert (found.icao24, found.registration, found.callsign) == ("15521f", "RA-86559", "KOR151")
    assert found.subjects == ("operator:KOR",)


def test_days_are_those_of_the_one_site_that_is_asked_for_else_of_utc() -> None:
    here = LookWords(site="busy-port", since="2023-07-05").filter(WORLD)
    assert (here.since, here.site_ids) == (at("2023-07-04T22:00"), ("busy-port",))
    assert LookWords(since="2023-07-05").filter(WORLD).since == at("2023-07-05")


REFUSED: list[tuple[Any, str]] = [
    (VisitWords(aircraft_type="Zeppelin NT"), 'type: "Zeppelin NT" is no type that is known here'),
    (VisitWords(operator="K"), "operator: \"K\" is not an operator. Write ICAO's three letters"),
    (VisitWords(aircraft_class="bombers"), 'class: "bombers" is no class of aircraft. Did you mean "bomber"?'),
    (VisitWords(address="RA-86559"), 'address: "RA-86559" is no ICAO 24-bit address'),
    (VisitWords(address="~15521"), "is no ICAO 24-bit address"),
    (VisitWords(status="here"), 'status: "here" is no state of a visit'),
    (VisitWords(confidence=5), "confidence: 5 is none. Write 1, 2, 3 or 4"),
    (VisitWords(subject="vip"), 'subject: "vip": it has no known prefix'),
    (VisitWords(region="busy-port"), 'region: "busy-port" is no region of the sites file'),
    (VisitWords(since="2023-10", until="2023-09"), "since and until contradict each other"),
    (LookWords(aircraft_type="Il-62M", aircraft_class="vip"), "type and class: a count has one subject"),
    (AlertWords(subject="", operator="KOR"), "subject and operator: a count has one subject"),
    (AlertWords(status="closed"), '"closed" is not a status. Use open, resolved, withdrawn or lapsed'),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "said"), REFUSED)
def test_what_is_not_understood_or_contradicts_is_refused_with_a_sentence(asked: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        asked.filter(WORLD)
    assert said in str(refused.value)


def test_an_option_is_called_as_it_is_written() -> None:
    world = World(CAST_BY_ID, CLASSES, WORLD.now, lambda name: f"--{name}")
    with pytest.raises(InputError, match=r"^--since and --until contradict"):
        VisitWords(since="2023-10", until="2023-09").filter(world)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Il-62M", ("type", "Il-62M")),
        ("quiet", ("site", "quiet-field")),
        ("Busy Port", ("site", "busy-port")),
        ("bomber", ("class", "bomber")),
        ("vip military", ("class", "vip_military")),
        ("KOR", ("operator", "KOR")),
        ("15521F", ("address", "15521f")),
        ("kor151", ("callsign", "KOR151")),
        ("ra-86559", ("registration", "RA-86559")),
    ],
)
def test_a_search_is_the_filter_that_it_means(text: str, meaning: tuple[str, str]) -> None:
    assert searched(text, CAST_BY_ID, CLASSES, flights=True) == meaning


def test_of_counts_metrics_are_searched_and_no_single_aircraft() -> None:
    assert searched("ships present", CAST_BY_ID, CLASSES, flights=False) == ("metric", "ships_present")
    for text in ("RA-86559", "15521f", "what is this"):
        with pytest.raises(InputError, match=r"is nothing that is known here\. Write a site"):
            searched(text, CAST_BY_ID, CLASSES, flights=False)
