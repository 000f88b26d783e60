"""What every group of records shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JsonMapping = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a reader can follow: `kind` is url, poll, scene, visit, import or note."""

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
