"""What of an answer is stored, and under which names: reports near sites, extracts about watched aircraft, and who stays nameless.

An aircraft whose operator asked not to be shown (PIA, LADD) is stored under an alias and without callsign, registration
and type. So is every aircraft that is not watched where nobody can tell whether its operator asked: the answer
does not say, and no database that lists them was imported.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from typing import Any

from db.aircraft import known_aircraft, lists_unnamed
from db.engine import Connection
from db.identities import Standing, nameless_ids, stored_names
from db.polls import PollResult
from db.records import Extract, Fix
from db.records.aliases import is_alias
from db.records.claims import EstimatedPosition, FlightClaim, KnownAircraft
from monitor.feeds import Fetched
from monitor.flights.selection import worth_storing
from monitor.flights.tracks.identity import (
    Aircraft,
    Classes,
    aircraft_in,
    completed_aircraft,
    completed_fixes,
    is_watched,
)
from monitor.sites import Site

_ORDER: tuple[Standing, ...] = ("asked", "watched", "open", "unknown")
_NO_NAMES: Mapping[str, Any] = {"callsign": "", "registration": "", "type_code": ""}


@dataclass(frozen=True, slots=True)
class Screen:
    """What decides who may be named: the classes, the sites' watch lists, the aircraft databases."""

    classes: Classes
    listed: frozenset[str]
    register: Mapping[str, KnownAircraft]
    list_known: bool

    def standing_of(self, aircraft: Aircraft, *, marked: bool) -> Standing:
        """Say whether an aircraft may be named; `marked` where its report would say that its operator asked."""
        known = completed_aircraft(aircraft, self.register.get(aircraft.icao24))
        if known.asked:
            return "asked"
        if is_watched(known, self.classes, self.listed):
            return "watched"
        return "open" if marked or self.list_known else "unknown"


@dataclass(frozen=True, slots=True)
class Screened:
    """What is to be stored of an answer, and how each aircraft in it stands."""

    fixes: tuple[Fix, ...] = ()
    claims: tuple[FlightClaim, ...] = ()
    estimates: tuple[EstimatedPosition, ...] = ()
    extracts: tuple[Extract, ...] = ()
    standings: Mapping[str, Standing] = field(default_factory=dict)

    def stored(self, connection: Connection, result: PollResult, now: datetime) -> PollResult:
        """Give the result of the poll as it is stored, in the transaction of its storing."""
        if self is NOTHING_SCREENED:
            return replace(result, fixes=(), claims=(), estimates=())
        names = stored_names(connection, self.standings, now)
        hidden = {each.flight_id for each in self.claims if _is_hidden(each, names)}
        ids = nameless_ids(connection, hidden, now)
        return replace(
            result,
            fixes=tuple(_under(names, each) for each in self.fixes),
            claims=tuple(
                replace(each, flight_id=ids[each.flight_id], icao24="", operator="", **_NO_NAMES)
                if each.flight_id in hidden
                else each
                for each in self.claims
            ),
            estimates=tuple(each for each in self.estimates if not _is_hidden(each, names)),
            extracts=tuple(each for each in self.extracts if not is_alias(names[each.icao24])),
        )


NOTHING_SCREENED = Screened()
"""Nothing is stored: the poll failed, or asked about a place that nobody watches."""


def screened(
    connection: Connection, sites: Sequence[Site], classes: Classes, fetched: Fetched, *, redistribute: bool
) -> Screened:
    """Choose what to store: reports near a site, and those of watched aircraft anywhere, these with extracts."""
    reports: tuple[Fix | FlightClaim | EstimatedPosition, ...] = (
        *fetched.fixes,
        *fetched.claims,
        *fetched.estimates,
    )
    register = known_aircraft(connection, {each.icao24 for each in reports})
    listed = frozenset(subject for site in sites for subject in site.watchlist)
    screen = Screen(classes, listed, register, lists_unnamed(connection))
    named = completed_fixes(fetched.fixes, register)
    fixes = tuple(compress(fetched.fixes, worth_storing(sites, named, classes)))
    standings: dict[str, Standing] = {}
    kept: tuple[Fix | FlightClaim | EstimatedPosition, ...] = (*fixes, *fetched.claims, *fetched.estimates)
    for each in kept:
        standing = screen.standing_of(aircraft_in(each), marked=each.icao24 in fetched.marked)
        standings[each.icao24] = min(standings.get(each.icao24, standing), standing, key=_ORDER.index)
    # Without an address nobody knows who it is, unless by its operator.
    standings.pop("", None)
    watched = {icao24 for icao24, standing in standings.items() if standing == "watched"}
    return Screened(
        fixes,
        fetched.claims,
        fetched.estimates,
        tuple(_extracts(fetched, watched, redistribute=redistribute)),
        standings,
    )


def _extracts(fetched: Fetched, watched: Collection[str], *, redistribute: bool) -> Iterator[Extract]:
    for icao24 in sorted(watched):
        if rows := tuple(fetched.quote(icao24)):
            yield Extract(icao24, rows, fetched.request, redistribute)


def _is_hidden(report: FlightClaim | EstimatedPosition, names: Mapping[str, str]) -> bool:
    return is_alias(names.get(report.icao24, "")) or not report.icao24


def _under(names: Mapping[str, str], fix: Fix) -> Fix:
    name = names[fix.icao24]
    return replace(fix, icao24=name, **_NO_NAMES) if is_alias(name) else fix
