"""What a person asks for in words, read alike on the command line, in the API and on the pages: filters, or a sentence why not.

Whatever is not understood, or contradicts something else, is refused: a filter that does nothing would mislead.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import get_args

from db.records import AlertFilter, AlertStatus, DetectionFilter, LookFilter, VisitFilter, VisitState
from monitor.errors import InputError
from monitor.flights.tracks.codes import designators_of, listed_types, type_names
from monitor.reports.asked_times import TimeReader
from monitor.reports.history import HistoryQuery
from monitor.sites import Site
from monitor.sites.faults import did_you_mean, printable_value, word_advice
from monitor.sites.subjects import subject_fault
from monitor.sites.watching import sites_in

VISIT_STATES = get_args(VisitState)
ALERT_STATES = get_args(AlertStatus)
_ADDRESS = re.compile(r"[0-9a-f]{6}")
_OPERATOR = re.compile(r"[A-Z0-9]{3}")
_MOST_CONFIDENT = 4


@dataclass(frozen=True, slots=True)
class World:
    """What words are understood by: the sites as they are now, the classes of aircraft with their labels, and the time."""

    sites: Mapping[str, Site]
    classes: Collection[str]
    now: datetime
    spell: Callable[[str], str] = str
    """How what was asked under a name is called where it was asked: `since`, or `--since`."""

    def times(self, site: str | None) -> TimeReader:
        """Reads days by the clock of the one site that is asked for, else by UTC."""
        watched = self.sites.get(site) if site else None
        return TimeReader(watched.timezone if watched else UTC, self.now)


@dataclass(frozen=True, slots=True)
class _Words:
    """What may be asked of everything."""

    site: str | None = None
    region: str | None = None
    subject: str | None = None
    aircraft_type: str | None = None
    operator: str | None = None
    aircraft_class: str | None = None
    since: str | None = None
    until: str | None = None

    def _site_ids(self, world: World) -> tuple[str, ...] | None:
        if self.region is None:
            return None if self.site is None else (self.site,)
        regions = [each.id for each in world.sites.values() if each.is_region]
        if self.region not in regions:
            raise InputError(
                f"{world.spell('region')}: {printable_value(self.region)} is no region of the sites file. {word_advice(self.region, regions)}"
            )
        inside = sites_in(world.sites[self.region], world.sites.values())
        if self.site is None:
            return inside
        if self.site not in inside:
            raise InputError(
                f"{world.spell('site')} and {world.spell('region')} contradict each other: {self.site} does not lie in {self.region}. Leave one of them out."
            )
        return (self.site,)

    def _span(self, world: World) -> tuple[datetime | None, datetime | None]:
        times = world.times(self.site)
        since, until = (
            times.since(world.spell("since"), self.since),
            times.until(world.spell("until"), self.until),
        )
        if since is not None and until is not None and since >= until:
            raise InputError(
                f"{world.spell('since')} and {world.spell('until')} contradict each other: {self.since} is not before the end of {self.until}. Change one."
            )
        return since, until

    def _kinds(self, world: World) -> Iterator[str]:
        """The subjects that the operator and the class stand for."""
        if self.operator is not None:
            code = self.operator.upper()
            if not _OPERATOR.fullmatch(code):
                raise InputError(
                    f"{world.spell('operator')}: {printable_value(self.operator)} is not an operator. Write ICAO's three letters, as in KOR."
                )
            yield f"operator:{code}"
        if self.aircraft_class is not None:
            if self.aircraft_class not in world.classes:
                raise InputError(
                    f"{world.spell('class')}: {printable_value(self.aircraft_class)} is no class of aircraft. "
                    f"{word_advice(self.aircraft_class, world.classes)}"
                )
            yield f"class:{self.aircraft_class}"

    def _one_of(self, world: World) -> tuple[str, ...] | None:
        """The subjects of which a count has one: all the names of what is asked for; None where nothing is."""
        asked = {
            "subject": self.subject,
            "type": self.aircraft_type,
            "operator": self.operator,
            "class": self.aircraft_class,
        }
        given = [name for name, value in asked.items() if value is not None]
        if len(given) > 1:
            raise InputError(
                f"{' and '.join(map(world.spell, given))}: a count has one subject, so that together they find nothing. Leave all but one out."
            )
        if self.subject is not None:
            return (_checked_subject(self.subject, world),)
        if self.aircraft_type is not None:
            return _type_subjects(self.aircraft_type, world)
        return tuple(self._kinds(world)) or None


@dataclass(frozen=True, slots=True)
class LookWords(_Words):
    """What may be asked of counts; an empty subject is the counts of all, an empty area the whole site."""

    area: str | None = None
    metric: str | None = None
    as_of: str | None = None
    as_recorded: str | None = None

    def filter(self, world: World) -> LookFilter:
        """The same for the database; raises InputError."""
        since, until = self._span(world)
        times = world.times(self.site)
        return LookFilter(
            self._site_ids(world),
            self.area,
            self.metric,
            self._one_of(world),
            since,
            until,
            times.by(world.spell("as_of"), self.as_of),
            times.by(world.spell("as_recorded"), self.as_recorded),
        )

    def history(self, world: World, site: Site, *, dated_only: bool = False) -> HistoryQuery:
        """What is asked of one of the sites, whose own days are meant; raises InputError."""
        asked = replace(self, site=site.id, region=None).filter(world)
        return HistoryQuery(
            metric=asked.metric,
            subjects=asked.subjects,
            since=asked.since,
            until=asked.until,
            as_of=asked.as_of,
            as_recorded=asked.as_recorded,
            dated_only=dated_only,
        )


@dataclass(frozen=True, slots=True)
class VisitWords(_Words):
    """What may be asked of visits; all of it must hold."""

    address: str | None = None
    registration: str | None = None
    callsign: str | None = None
    status: str | None = None
    confidence: int | None = None

    def filter(self, world: World) -> VisitFilter:
        """The same for the database; raises InputError."""
        since, until = self._span(world)
        if self.status not in {None, *VISIT_STATES}:
            raise InputError(
                f"{world.spell('status')}: {printable_value(self.status)} is no state of a visit. {did_you_mean(str(self.status), VISIT_STATES)}."
            )
        if self.confidence is not None and not 1 <= self.confidence <= _MOST_CONFIDENT:
            raise InputError(
                f"{world.spell('confidence')}: {self.confidence} is none. Write 1, 2, 3 or 4: at least so sure."
            )
        subjects = [*self._kinds(world)]
        if self.subject is not None:
            subjects.append(_checked_subject(self.subject, world))
        return VisitFilter(
            self._site_ids(world),
            None if self.address is None else _checked_address(self.address, world),
            None if self.registration is None else self.registration.upper(),
            None if self.callsign is None else self.callsign.upper(),
            None if self.aircraft_type is None else _designators(self.aircraft_type, world),
            tuple(filter(None, subjects)),
            self.status,
            self.confidence,
            since,
            until,
        )


@dataclass(frozen=True, slots=True)
class AlertWords(_Words):
    """What may be asked of alerts: those that were open at some time in [since, until)."""

    metric: str | None = None
    status: str | None = None
    alert_ids: tuple[str, ...] | None = None

    def filter(self, world: World) -> AlertFilter:
        """The same for the database; raises InputError."""
        since, until = self._span(world)
        if self.status not in {None, *ALERT_STATES}:
            raise InputError(
                f"{printable_value(self.status)} is not a status. Use {', '.join(ALERT_STATES[:-1])} or {ALERT_STATES[-1]}."
            )
        return AlertFilter(
            self._site_ids(world),
            self.metric,
            self._one_of(world),
            self.status,
            self.alert_ids,
            since,
            until,
        )


@dataclass(frozen=True, slots=True)
class DetectionWords(_Words):
    """What may be asked of detections: those that were seen in [since, until)."""

    metric: str | None = None
    provider: str | None = None

    def filter(self, world: World, known: Collection[str]) -> DetectionFilter:
        """The same for the database, at the sites `known` to it where none is named; raises InputError."""
        since, until = self._span(world)
        asked = self._site_ids(world)
        return DetectionFilter(
            tuple(known) if asked is None else asked, self.metric, self.provider, since, until
        )


def _checked_subject(subject: str, world: World) -> str:
    fault = subject_fault(subject)
    if fault is not None:
        raise InputError(f"{world.spell('subject')}: {printable_value(subject)}: {fault[0]}. {fault[1]}.")
    return subject


def _checked_address(address: str, world: World) -> str:
    plain = address.lower()
    if not _ADDRESS.fullmatch(plain):
        raise InputError(
            f"{world.spell('address')}: {printable_value(address)} is no ICAO 24-bit address. Write six hexadecimal digits, as in 15521f."
        )
    return plain


def _designators(name: str, world: World) -> tuple[str, ...]:
    """The ICAO type designators that a name of a type stands for."""
    found = designators_of(name)
    if not found:
        raise InputError(
            f"{world.spell('type')}: {printable_value(name)} is no type that is known here. Write its ICAO designator (IL62), or its name (Il-62M)."
        )
    return found


def _type_subjects(name: str, world: World) -> tuple[str, ...]:
    """Every subject under which aircraft of a type are counted: by designator, by name, as watch lists write it."""
    listed = {subject for site in world.sites.values() for subject in site.watchlist}
    codes = _designators(name, world)
    known = (
        each
        for code in codes
        for each in (
            f"type:{code}",
            *(f"type:{told}" for told in type_names(code)),
            *listed_types(code, listed),
        )
    )
    return tuple(dict.fromkeys([*known, f"type:{name}"]))
