"""What the API can be asked: filters, times, paging; a parameter that it does not know is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import HTTPException, Query, Request
from fastapi.dependencies.models import Dependant

from db.records import AlertStatus, VisitState
from monitor.reports.asked import AlertWords, DetectionWords, LookWords, VisitWords
from monitor.reports.asked_times import FORMS
from monitor.web.api.formats import ApiFormat

MOST_ITEMS, USUAL_ITEMS = 1000, 200
MOST_EXPORTED = 100_000
"""Of a file that is asked for as a whole: more is refused, with the way to ask for less."""


def only_known_parameters(request: Request) -> None:
    """Refuse a parameter that the address does not know: a filter that does nothing would mislead."""
    known = sorted(parameters_of(request))
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{', '.join(unknown)}: there is no such parameter here. Use {', '.join(known)}.",
        )


def parameters_of(request: Request) -> frozenset[str]:
    """The names of the parameters that the address takes."""
    return frozenset(_names(request.scope["route"].dependant))


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (each.alias for each in dependant.query_params)
    for part in dependant.dependencies:
        yield from _names(part)


QueryTime = Annotated[
    str | None,
    Query(
        max_length=100,
        description=f"{FORMS[0].upper()}{FORMS[1:]}. Days and months are those of the site asked for, of UTC where none is.",
    ),
]
SiteParameter = Annotated[str | None, Query(max_length=200, description="The site's id")]
AreaParameter = Annotated[
    str | None,
    Query(max_length=200, description="The area's id; empty is the whole site, left out every one"),
]
MetricParameter = Annotated[
    str | None, Query(max_length=200, description="What was counted, such as railcars")
]
SubjectParameter = Annotated[
    str | None,
    Query(max_length=200, description="Which of them, such as type:Tu-160; empty is all, left out every one"),
]
RegionParameter = Annotated[
    str | None, Query(max_length=200, description="The id of a region of the sites file: only sites in it")
]
TypeParameter = Annotated[
    str | None,
    Query(
        alias="type",
        max_length=100,
        description="Aircraft of this type: an ICAO designator or a name (Il-62M)",
    ),
]
OperatorParameter = Annotated[
    str | None, Query(max_length=100, description="Aircraft of this operator: ICAO's three letters (KOR)")
]
ClassParameter = Annotated[
    str | None, Query(alias="class", max_length=100, description="Aircraft of this class (bomber)")
]
FormatParameter = Annotated[
    ApiFormat, Query(alias="format", description="json, csv, geojson, parquet (GeoParquet) or xlsx (Excel)")
]
LimitParameter = Annotated[
    int | None,
    Query(
        ge=1,
        le=MOST_ITEMS,
        description="At most so many items; left out, 200 in JSON and all in the other forms",
    ),
]
CursorParameter = Annotated[str | None, Query(max_length=2000, description="`next` of the page before")]


@dataclass(frozen=True, slots=True)
class Paging:
    """In which form and from where on to answer."""

    form: FormatParameter = "json"
    limit: LimitParameter = None
    cursor: CursorParameter = None

    @property
    def size(self) -> int:
        """How many items to give at most: a file that ends early would pass for the whole."""
        if self.limit is not None:
            return self.limit
        return USUAL_ITEMS if self.form == "json" or self.cursor else MOST_EXPORTED


def _given(query: Any, *but: str) -> dict[str, Any]:
    return {each.name: getattr(query, each.name) for each in fields(query) if each.name not in but}


@dataclass(frozen=True, slots=True)
class ObservationQuery:
    """Which observations; `subject=` (empty) is the counts of all, `area=` (empty) the whole site."""

    site: SiteParameter = None
    region: RegionParameter = None
    area: AreaParameter = None
    metric: MetricParameter = None
    subject: SubjectParameter = None
    aircraft_type: TypeParameter = None
    operator: OperatorParameter = None
    aircraft_class: ClassParameter = None
    since: QueryTime = None
    until: QueryTime = None
    as_of: QueryTime = None
    as_recorded: QueryTime = None

    @property
    def words(self) -> LookWords:
        """What is asked."""
        return LookWords(**_given(self))


@dataclass(frozen=True, slots=True)
class VisitQuery:
    """Which visits; all of it must hold."""

    site: SiteParameter = None
    region: RegionParameter = None
    subject: SubjectParameter = None
    aircraft_type: TypeParameter = None
    operator: OperatorParameter = None
    aircraft_class: ClassParameter = None
    address: Annotated[
        str | None,
        Query(max_length=100, description="One watched aircraft by its ICAO 24-bit address (15521f)"),
    ] = None
    registration: Annotated[
        str | None, Query(max_length=100, description="One watched aircraft by its registration (RA-86559)")
    ] = None
    callsign: Annotated[
        str | None, Query(max_length=100, description="Watched aircraft by the callsign of the flight")
    ] = None
    status: Annotated[VisitState | None, Query(description="Visits in this state")] = None
    confidence: Annotated[
        int | None, Query(ge=1, le=4, description="At least so sure, from 1 (weak) to 4")
    ] = None
    since: QueryTime = None
    until: QueryTime = None

    @property
    def words(self) -> VisitWords:
        """What is asked."""
        return VisitWords(**_given(self))


@dataclass(frozen=True, slots=True)
class SiteQuery:
    """Which sites."""

    site: SiteParameter = None


@dataclass(frozen=True, slots=True)
class DetectionQuery:
    """Which detections; those of looks that touch [since, until)."""

    site: SiteParameter = None
    region: RegionParameter = None
    metric: MetricParameter = None
    provider: Annotated[str | None, Query(max_length=200, description="Who found them")] = None
    since: QueryTime = None
    until: QueryTime = None

    @property
    def words(self) -> DetectionWords:
        """What is asked."""
        return DetectionWords(**_given(self))


@dataclass(frozen=True, slots=True)
class AircraftQuery:
    """Which aircraft, and when."""

    address: Annotated[str, Query(max_length=100, description="The aircraft's ICAO 24-bit address (15521f)")]
    since: QueryTime = None
    until: QueryTime = None

    @property
    def words(self) -> VisitWords:
        """What is asked."""
        return VisitWords(**_given(self))


@dataclass(frozen=True, slots=True)
class PollQuery:
    """Which polls: those that an alert or a visit rests on, or one."""

    alert: Annotated[str | None, Query(max_length=200, description="The alert's id")] = None
    visit: Annotated[str | None, Query(max_length=200, description="The visit's id")] = None
    poll: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The poll's number")] = None


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts; those that were open at some time in [since, until)."""

    site: SiteParameter = None
    region: RegionParameter = None
    metric: MetricParameter = None
    subject: SubjectParameter = None
    aircraft_type: TypeParameter = None
    operator: OperatorParameter = None
    aircraft_class: ClassParameter = None
    status: Annotated[AlertStatus | None, Query(description="Alerts that stand so")] = None
    cause: Annotated[
        str | None, Query(max_length=200, description="Alerts that share this cause, by its id")
    ] = None
    since: QueryTime = None
    until: QueryTime = None

    def words(self, alert_ids: tuple[str, ...] | None) -> AlertWords:
        """What is asked; `alert_ids` are those of the cause, None where none is asked for."""
        return AlertWords(**_given(self, "cause"), alert_ids=alert_ids)
