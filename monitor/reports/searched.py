"""One line of text that a person searches by, as the filter that it means: `Il-62M`, `Sunan`, `bomber`, `RA-86559`."""

import re
from collections.abc import Collection, Iterator, Mapping

from alerts.metrics import METRICS
from alerts.words import metric_words
from monitor.errors import InputError
from monitor.flights.tracks.codes import designators_of, type_names
from monitor.sites import Site
from monitor.sites.faults import printable_value

_ADDRESS = re.compile(r"[0-9a-fA-F]{6}")
_FLIGHT = re.compile(r"[A-Z]{3}[0-9][0-9A-Z]*")
_REGISTRATION = re.compile(r"[A-Z0-9]{1,2}-[A-Z0-9]{2,6}")
_OPERATOR = re.compile(r"[A-Z]{3}")
Meaning = tuple[str, str]
"""The name of a parameter and its value."""


def searched(text: str, sites: Mapping[str, Site], classes: Mapping[str, str], *, flights: bool) -> Meaning:
    """What a text means; of counts (`flights` False) a metric, of visits one aircraft too. Raises InputError."""
    plain = " ".join(text.split())
    meanings = (
        _site(plain, sites),
        None if flights else _metric(plain),
        _class(plain, classes),
        _type(plain),
        _aircraft(plain) if flights else None,
        ("operator", plain.upper()) if _OPERATOR.fullmatch(plain.upper()) else None,
    )
    found = next((each for each in meanings if each is not None), None)
    if found is None:
        also = "a registration, a callsign or an address" if flights else "a metric (railcars)"
        raise InputError(
            f"search: {printable_value(text)} is nothing that is known here. Write a site, a class of aircraft (bomber), a type "
            f"(Il-62M), an operator (KOR), or {also}."
        )
    return found


def _site(plain: str, sites: Mapping[str, Site]) -> Meaning | None:
    folded = plain.casefold()
    exact = [each for each in sites.values() if folded in {each.id.casefold(), each.name.casefold()}]
    part = [each for each in sites.values() if folded and folded in each.name.casefold()]
    found = exact or part
    if len(found) != 1:
        return None
    return ("region" if found[0].is_region else "site", found[0].id)


def _metric(plain: str) -> Meaning | None:
    folded = plain.casefold()
    found = [
        name for name in METRICS if folded in {name, name.replace("_", " "), metric_words(name).casefold()}
    ]
    return ("metric", found[0]) if found else None


def _class(plain: str, classes: Mapping[str, str]) -> Meaning | None:
    folded = plain.casefold()
    found = [name for name, label in classes.items() if folded in set(_spellings(name, label))]
    return ("class", found[0]) if found else None


def _spellings(name: str, label: str) -> Iterator[str]:
    yield from (name.casefold(), name.replace("_", " ").casefold(), label.casefold())


def _type(plain: str) -> Meaning | None:
    # What is only shaped like a designator may be anything.
    known: Collection[str] = [code for code in designators_of(plain) if type_names(code)]
    return ("type", plain) if known else None


def _aircraft(plain: str) -> Meaning | None:
    upper = plain.upper()
    if _ADDRESS.fullmatch(plain):
        return ("address", plain.lower())
    if _FLIGHT.fullmatch(upper):
        return ("callsign", upper)
    return ("registration", upper) if _REGISTRATION.fullmatch(upper) else None
