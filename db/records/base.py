"""What every group of records shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JsonMapping = Mapping[str, Any]


SEEN_FROM_ABOVE = "seen"
"""The kind of evidence that says what a picture showed where an inferred visit should have been."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a reader can follow: `kind` is url, poll, scene, visit, import, note or seen."""

    kind: str
    ref: str
    text: str = ""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """What is counted, where and how; `area` '' is the whole site, `subject` '' is all of them."""

    site_id: str
    area: str
    metric: str
    subject: str
    procedure: str
