"""What the API can be asked: filters, times, paging; a parameter that it does not know is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Query, Request
from fastapi.dependencies.models import Dependant

from db.pages import LookFilter, VisitFilter
from db.records import AlertStatus, VisitState
from monitor.reports.asked_times import FORMS, TimeReader
from monitor.web.api.formats import ApiFormat

MOST_ITEMS, USUAL_ITEMS = 1000, 200
MOST_EXPORTED = 100_000
"""Of a CSV or GeoJSON that is asked for as a whole: more is refused, with the way to ask for less."""


def only_known_parameters(request: Request) -> None:
    """Refuse a parameter that the address does not know: a filter that does nothing would mislead."""
    known = sorted(set(_names(request.scope["route"].dependant)))
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{', '.join(unknown)}: there is no such parameter here. Use {', '.join(known)}.",
        )


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
FormatParameter = Annotated[ApiFormat, Query(alias="format", description="json, csv or geojson")]
LimitParameter = Annotated[
    int | None,
    Query(
        ge=1,
        le=MOST_ITEMS,
        description="At most so many items; left out, 200 in JSON and all in CSV and GeoJSON",
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


@dataclass(frozen=True, slots=True)
class ObservationQuery:
    """Which observations; `subject=` (empty) is the counts of all, `area=` (empty) the whole site."""

    site: SiteParameter = None
    area: AreaParameter = None
    metric: MetricParameter = None
    subject: SubjectParameter = None
    since: QueryTime = None
    until: QueryTime = None
    as_of: QueryTime = None
    as_recorded: QueryTime = None

    def filter(self, times: TimeReader) -> LookFilter:
        """The same for the database; raises InputError."""
        return LookFilter(
            None if self.site is None else [self.site],
            self.area,
            self.metric,
            self.subject,
            times.since("since", self.since),
            times.until("until", self.until),
            times.by("as_of", self.as_of),
            times.by("as_recorded", self.as_recorded),
        )


@dataclass(frozen=True, slots=True)
class VisitQuery:
    """Which visits."""

    site: SiteParameter = None
    status: Annotated[VisitState | None, Query(description="Visits in this state")] = None
    since: QueryTime = None
    until: QueryTime = None

    def filter(self, times: TimeReader) -> VisitFilter:
        """The same for the database; raises InputError."""
        since, until = times.since("since", self.since), times.until("until", self.until)
        return VisitFilter(self.site, self.status, since, until)


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
    metric: MetricParameter = None
    subject: SubjectParameter = None
    status: Annotated[AlertStatus | None, Query(description="Alerts that stand so")] = None
    cause: Annotated[
        str | None, Query(max_length=200, description="Alerts that share this cause, by its id")
    ] = None
    since: QueryTime = None
    until: QueryTime = None

    def filter(self, times: TimeReader) -> "AlertFilter":
        """What an alert must be; raises InputError."""
        since, until = times.since("since", self.since), times.until("until", self.until)
        return AlertFilter(self.metric, self.subject, since, until)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts of those that the database gave."""

    metric: str | None
    subject: str | None
    since: datetime | None
    until: datetime | None

    def takes(
        self, metric: str, subjects: tuple[str, ...], opened_at: datetime, closed_at: datetime | None
    ) -> bool:
        """Whether an alert is asked for."""
        return (
            self.metric in {None, metric}
            and (self.subject is None or self.subject in (subjects or ("",)))
            and (self.since is None or closed_at is None or closed_at >= self.since)
            and (self.until is None or opened_at < self.until)
        )
