"""Whose data an answer rests on, and how each wants to be named: the one place that says so, for every way out. Pure.

Licences ask for it in each copy: ODbL (adsb.lol, OpenStreetMap), ODC-By (Mictronics), Copernicus, and the terms of the
other providers. A list of attributions is in the order in which its sources appear, each once.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts.words import named, own_count, source_words
from db.records import Alert, DeclaredBaseline, Note, Observation

ODBL = "https://opendatacommons.org/licenses/odbl/1-0/"
"""The licence's address, which it wants to be given with the data."""
TIME_ZONES = f"time zones of places: © OpenStreetMap contributors, ODbL 1.0 ({ODBL}), through timezone-boundary-builder and tzfpy"
"""The outlines of time zones, by which a place gets its zone and is checked against it."""
MAP = "map: Natural Earth (https://www.naturalearthdata.com/), public domain, borders as drawn there"
"""The map behind the sites on the pages."""
REGISTERS: Mapping[str, str] = {
    "tar1090-db": "aircraft: tar1090-db (https://github.com/wiedehopf/tar1090-db), no licence given",
    "mictronics": "aircraft: Mictronics (https://github.com/Mictronics/aircraft-database), ODC-By 1.0",
    "opensky": "aircraft: The OpenSky Network's aircraft database (https://opensky-network.org)",
}
"""The databases of aircraft that fill in registrations and types, by the name of their kind."""
NOBODY_ELSE = "nobody else's data"
_COPERNICUS = re.compile(r"(Copernicus Sentinel data)(?! \d{4})")

_Entry = Mapping[str, Any]
"""A look inside an alert, as `alerts.incidents.findings` keeps it."""


@dataclass(frozen=True, slots=True)
class Attributions:
    """Names every source of an answer; `providers` says how each provider wants to be named."""

    providers: Mapping[str, str] = field(default_factory=dict)

    def provider(self, name: str, *times: datetime) -> str:
        """One provider; Copernicus asks for the years in which the scenes were taken."""
        text = self.providers.get(name, name)
        years = sorted({at.year for at in times})
        return _COPERNICUS.sub(rf"\1 {', '.join(map(str, years))}", text) if years else text

    def look(self, look: Observation) -> Iterator[str]:
        """Who counted: the publisher, or sitewatch and whose data it counted in."""
        if look.publisher in self.providers:
            yield self.provider(look.publisher, look.period_start)
        elif look.publisher or look.via:
            yield source_words(look.publisher, look.via)
        else:
            yield own_count(look.series.procedure, ())
            for name in look.data_from:
                yield self.provider(name, look.period_start)

    def statement(self, said: DeclaredBaseline | Note) -> Iterator[str]:
        """Who published a baseline or a note."""
        if said.publisher in self.providers:
            yield self.provider(said.publisher, said.result_time)
        else:
            yield source_words(said.publisher, said.via) or "publisher not named"

    def heard(self, providers: Iterable[str], registers: Iterable[str] = ()) -> Iterator[str]:
        """Whose reports a visit or a sentence about reception rests on, and which registers completed it."""
        yield from map(self.provider, sorted(set(providers)))
        yield from (REGISTERS[each] for each in sorted(set(registers)) if each in REGISTERS)


def entry_attributions(entry: _Entry) -> Iterator[str]:
    """Who counted one look of an alert, as they were named when it was told: a provider may be gone since."""
    yield source_words(entry["publisher"], entry["via"]) or own_count(entry["procedure"], ())
    yield from entry.get("attributions", ())


def alert_attributions(alert: Alert) -> Iterator[str]:
    """Everybody whose counts or baseline an alert rests on."""
    for each in (*alert.details.get("entries", ()), *alert.details.get("others", ())):
        yield from entry_attributions(each)
    declared = alert.baseline.get("declared")
    if declared:
        yield source_words(declared["publisher"], declared.get("via", "")) or named("")


def each_once(sources: Iterable[str]) -> list[str]:
    """The sources of an answer in their order, each once: what JSON carries as `attribution`."""
    return list(dict.fromkeys(filter(None, sources)))


def one_cell(sources: Iterable[str]) -> str:
    """The same in one cell of a table, or one fact of a message."""
    return "; ".join(each_once(sources))


def data_line(sources: Iterable[str]) -> str:
    """The same as a line of text under an answer."""
    return f"Data: {one_cell(sources) or NOBODY_ELSE}."
