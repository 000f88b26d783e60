"""What the API can be asked: filters, times, paging; a parameter that it does not know is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Query, Request
from fastapi.dependencies.models import Dependant
from pydantic import BeforeValidator, WithJsonSchema

from db.pages import LookFilter, VisitFilter
from db.records import AlertStatus, VisitState
from monitor.web.api.formats import ApiFormat

MOST_ITEMS, USUAL_ITEMS = 1000, 200


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


def _moment(value: object) -> object:
    """Read an instant (with a zone) or a day (its first moment in UTC)."""
    if not isinstance(value, str):
        return value
    try:
        day = date.fromisoformat(value) if len(value) <= len("2023-10-05") else None
        at = datetime.combine(day, time(), UTC) if day else datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("write a time with its zone, such as 2023-10-05T12:00Z")
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("this lies outside the calendar") from None


QueryTime = Annotated[
    datetime | None,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "description": "A day (UTC) or an instant in ISO 8601 with its zone."}),
    Query(),
]
TextParameter = Annotated[str | None, Query(max_length=200)]
FormatParameter = Annotated[ApiFormat, Query(alias="format", description="json, csv or geojson")]
LimitParameter = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="At most so many items")]
CursorParameter = Annotated[str | None, Query(max_length=2000, description="`next` of the page before")]


@dataclass(frozen=True, slots=True)
class Paging:
    """In which form and from where on to answer."""

    form: FormatParameter = "json"
    limit: LimitParameter = USUAL_ITEMS
    cursor: CursorParameter = None


@dataclass(frozen=True, slots=True)
class ObservationQuery:
    """Which observations; `subject=` (empty) is the counts of all, `area=` (empty) the whole site."""

    site: TextParameter = None
    area: TextParameter = None
    metric: TextParameter = None
    subject: TextParameter = None
    since: QueryTime = None
    until: QueryTime = None
    as_of: QueryTime = None
    as_recorded: QueryTime = None

    def filter(self) -> LookFilter:
        """The same for the database."""
        ids = None if self.site is None else [self.site]
        return LookFilter(
            ids, self.area, self.metric, self.subject, self.since, self.until, self.as_of, self.as_recorded
        )


@dataclass(frozen=True, slots=True)
class VisitQuery:
    """Which visits."""

    site: TextParameter = None
    status: Annotated[VisitState | None, Query()] = None
    since: QueryTime = None
    until: QueryTime = None

    def filter(self) -> VisitFilter:
        """The same for the database."""
        return VisitFilter(self.site, self.status, self.since, self.until)


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts; those that were open at some time in [since, until)."""

    site: TextParameter = None
    metric: TextParameter = None
    subject: TextParameter = None
    status: Annotated[AlertStatus | None, Query()] = None
    since: QueryTime = None
    until: QueryTime = None

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
