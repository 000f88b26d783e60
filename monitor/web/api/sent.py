"""What programs send: the shapes of requests that change something, of their answers and of their refusals."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from db.silences import Silence
from monitor.imports import ImportFault, ImportReport
from monitor.imports.columns import IMPORT_COLUMNS, REQUIRED_COLUMNS
from monitor.sites.faults import SitesFault


class SentFault(BaseModel):
    """One thing that is wrong with what was sent."""

    where: str = Field(description="The row, feature or site.")
    field: str = Field(description="The column or key; empty where it is the whole.")
    problem: str = Field(description="What is wrong.")
    mend: str = Field(description="How to mend it.")


class ApiRefusal(BaseModel):
    """Why nothing was done."""

    error: str = Field(description="What is wrong and how to mend it, in a sentence.")
    faults: list[SentFault] = Field(default_factory=list, description="Every fault, where there are several.")


class ImportedCounts(BaseModel):
    """What an import brought."""

    stored: int = Field(description="New looks.")
    revised: int = Field(description="Counts that were corrected.")
    unchanged: int = Field(description="Rows that said nothing new.")
    declared: int = Field(description="Declared baselines.")
    notes: int = Field(description="Notes.")
    notices: list[str] = Field(description="What is no fault and yet worth knowing.")
    zones: dict[str, int] = Field(
        description="Whose days bare dates were taken for, with the number of rows."
    )


class AddedSites(BaseModel):
    """Sites that were added."""

    added: list[str] = Field(description="Their ids.")
    sites: int = Field(description="How many sites there are now.")
    notes: list[str] = Field(description="How the file was read, and what is seldom meant.")


class AcknowledgeWish(BaseModel):
    """Who has seen an alert."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="", max_length=80, description="Who; else the name of the token.")


class SilenceWish(BaseModel):
    """What to be silent about, and for how long."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(max_length=200, description="The site's id.")
    metric: str = Field(default="", max_length=200, description="Only this metric; empty is every one.")
    hours: float = Field(gt=0, le=8_760, description="For how many hours.")
    reason: str = Field(default="", max_length=500, description="Why, for those who wonder later.")
    by: str = Field(default="", max_length=80, description="Who; else the name of the token.")


class SilenceItem(BaseModel):
    """One silence."""

    id: int = Field(description="Its number.")
    site_id: str = Field(description="The site that is silenced.")
    metric: str = Field(description="Empty is every metric of the site.")
    starts_at: datetime = Field(description="From when.")
    ends_at: datetime = Field(description="Until when.")
    reason: str = Field(description="Why; may be empty.")
    created_by: str = Field(description="Who asked for it.")


class Silences(BaseModel):
    """The silences in force."""

    items: list[SilenceItem] = Field(description="One for each, as they began.")


class Lifted(BaseModel):
    """How many silences were lifted."""

    lifted: int = Field(description="How many ended now.")


def imported_counts(report: ImportReport) -> ImportedCounts:
    """An import's report as the API gives it."""
    return ImportedCounts(
        stored=report.stored,
        revised=report.revised,
        unchanged=report.unchanged,
        declared=report.declared,
        notes=report.notes,
        notices=list(report.notices),
        zones=dict(report.zones),
    )


def silence_item(each: Silence) -> SilenceItem:
    """One silence as the API gives it."""
    return SilenceItem(
        id=each.id,
        site_id=each.site_id,
        metric=each.metric,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        reason=each.reason,
        created_by=each.created_by,
    )


MOST_FAULTS_SENT = 500


def import_refusal(faults: Iterable[ImportFault]) -> ApiRefusal:
    """The refusal of an import, with its faults."""
    found = [
        SentFault(where=each.row, field=each.column, problem=each.problem, mend=each.mend) for each in faults
    ]
    return _refusal("Nothing was imported", found)


def sites_refusal(faults: Iterable[SitesFault]) -> ApiRefusal:
    """The refusal of new sites, with its faults."""
    found = [
        SentFault(where=each.feature, field=each.path, problem=each.problem, mend=each.mend)
        for each in faults
    ]
    return _refusal("Nothing was added", found)


def _refusal(what: str, faults: list[SentFault]) -> ApiRefusal:
    count = "is 1 fault" if len(faults) == 1 else f"are {len(faults):,} faults"
    more = f", the first {MOST_FAULTS_SENT} of which are listed" if len(faults) > MOST_FAULTS_SENT else ""
    return ApiRefusal(error=f"{what}: there {count}{more}.", faults=faults[:MOST_FAULTS_SENT])


def _column(name: str) -> dict[str, Any]:
    return {"type": ["string", "number", "boolean", "null"], "description": f"The import column {name}."}


OBSERVATIONS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    # The titles are what programs that are generated call these.
                    "title": "CountsSent",
                    "type": "object",
                    "required": ["observations"],
                    "additionalProperties": False,
                    "properties": {
                        "observations": {
                            "type": "array",
                            "items": {
                                "title": "CountSent",
                                "type": "object",
                                "required": list(REQUIRED_COLUMNS),
                                "properties": {name: _column(name) for name in (*IMPORT_COLUMNS, "id")},
                            },
                        }
                    },
                },
                "example": {
                    "observations": [
                        {"site_id": "kp-tumangang", "start": "2023-10-05", "metric": "railcars", "value": 73}
                    ]
                },
            },
            "application/geo+json": {
                "schema": {
                    "title": "CountFeatures",
                    "type": "object",
                    "description": "A FeatureCollection whose properties are the columns.",
                }
            },
            "text/csv": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
SITES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "A file of any format that “sitewatch sites add” takes; none beside at or airport.",
        "content": {
            "application/geo+json": {"schema": {"title": "SiteFeatures", "type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
