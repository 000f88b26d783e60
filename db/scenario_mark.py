"""The mark of a database that holds a replayed scenario: what of it was recorded, reconstructed and invented."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from db.records.provenance import Provenance
from db.schema import change, observation, poll
from db.upsert import insert_ignore

KEY = "scenario"


@dataclass(frozen=True, slots=True)
class ScenarioPart:
    """One file of a scenario: what its rows are, and in a sentence where they come from."""

    file: str
    provenance: Provenance
    origin: str


@dataclass(frozen=True, slots=True)
class ScenarioMark:
    """Which scenario a database holds, and what its parts are."""

    title: str
    parts: tuple[ScenarioPart, ...]

    @property
    def words(self) -> str:
        """The sentence that stands wherever the database is shown."""
        made = sorted({each.provenance for each in self.parts} - {"recorded"})
        what = (
            f"Part of what it shows was {' or '.join(made)}; the name of each source says which."
            if made
            else "It shows recorded data, at the time of the recording."
        )
        return f"This is the replay of a scenario, “{self.title}”, and no watch. {what}"


def mark_scenario(connection: Connection, mark: ScenarioMark, now: datetime) -> None:
    """Mark the database for good; there is nothing that takes the mark away."""
    parts = [asdict(each) for each in mark.parts]
    row = {
        "key": KEY,
        "site_id": "",
        "what": mark.title,
        "effect": "note",
        "starts_at": now,
        "ends_at": None,
        "note": json.dumps(parts, ensure_ascii=False),
        "recorded_at": now,
    }
    insert_ignore(connection, change, [row])


def scenario_mark(connection: Connection) -> ScenarioMark | None:
    """The mark, or None for a database that watches."""
    row = connection.execute(select(change.c.what, change.c.note).where(change.c.key == KEY)).first()
    if row is None:
        return None
    return ScenarioMark(row.what, tuple(_part(each) for each in json.loads(row.note)))


def _part(values: Mapping[str, str]) -> ScenarioPart:
    return ScenarioPart(**values)  # type: ignore[arg-type] # as mark_scenario wrote it


def holds_data(connection: Connection) -> bool:
    """Whether anything was asked or counted into this database already."""
    return any(
        connection.execute(select(table.c[name]).limit(1)).first() is not None
        for table, name in ((poll, "id"), (observation, "site_id"))
    )
