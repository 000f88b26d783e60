"""One count that a person makes beside a picture: the same row as in a file, under that person's own name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from db.records import Scene
from monitor.errors import InputError
from monitor.imports.sources import RawRow
from monitor.sites.faults import printable_value

ANALYST_METHOD = "analyst"


@dataclass(frozen=True, slots=True)
class AnalystCount:
    """What a person says of one look, as text; `reviewer` is who says it, and may correct it later."""

    site_id: str
    metric: str
    value: str
    reviewer: str
    scene: str = ""
    start: str = ""
    end: str = ""
    precision: str = ""
    low: str = ""
    high: str = ""
    comparator: str = ""
    area: str = ""
    subject: str = ""
    assessable: str = ""
    exposure: str = ""
    sensor: str = ""
    certainty: str = ""
    url: str = ""
    note: str = ""


def count_row(count: AnalystCount, scenes: Iterable[Scene], now: datetime, where: str) -> RawRow:
    """The row that says this, published now by the person; `where` says how it came in, for the evidence.

    A known scene gives its time where the count has none. Raises InputError where nobody is named, or no time.
    """
    if not count.reviewer.strip():
        raise InputError("Say who counted (reviewer): a count without a name can never be corrected by it.")
    cells = {
        name: text
        for name in count.__dataclass_fields__
        if name != "reviewer" and (text := str(getattr(count, name)).strip())
    }
    cells |= {
        "publisher": count.reviewer.strip(),
        "reviewer": count.reviewer.strip(),
        "method": ANALYST_METHOD,
        "published": now.astimezone(UTC).isoformat(),
    }
    if "start" not in cells:
        cells |= {"start": _acquired(count.scene.strip(), scenes), "precision": "minute"}
    return RawRow(1, "the count", cells, source=where)


def _acquired(scene: str, scenes: Iterable[Scene]) -> str:
    if not scene:
        raise InputError("Say when it was (start), or which scene shows it.")
    found = next((each for each in scenes if each.item_id == scene), None)
    if found is None:
        raise InputError(
            f"No scene {printable_value(scene)} of this site is on record, so its time is not known: say when it was (start)."
        )
    return found.acquired_at.astimezone(UTC).replace(second=0, microsecond=0).isoformat()
