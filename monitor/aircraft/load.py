"""`sitewatch aircraft update`: from a file or an address into SQL, batch by batch; loading again changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from db.aircraft import import_aircraft
from db.engine import Engine, writing
from db.records.claims import KnownAircraft
from monitor.aircraft.reading import read_aircraft
from monitor.errors import InputError, WorkFailed
from monitor.feeds import FeedError
from monitor.feeds.http import GuardedClient

BATCH = 5_000
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What one file brought: rows by source, how many were new or changed, how many were of no use."""

    file: str
    aircraft: Mapping[str, int] = field(default_factory=dict)
    changed: int = 0
    unusable: int = 0


def update_aircraft(
    engine: Engine, place: str, client: GuardedClient, now: datetime, progress: Progress
) -> UpdateReport:
    """Import one file, named by a path or an http(s) address; raises InputError or WorkFailed.

    Each batch is a transaction of its own: what a kill leaves behind is completed by running it again.
    """
    with _local(place, client) as path:
        size = max(1, path.stat().st_size)
        rows = read_aircraft(path, lambda read: progress(min(1.0, read / size)))
        found: Counter[str] = Counter()
        changed = unusable = 0
        while batch := list(islice(rows, BATCH)):
            by_source: dict[str, list[KnownAircraft]] = {}
            for row in batch:
                if row.record is None:
                    unusable += 1
                else:
                    by_source.setdefault(row.source, []).append(row.record)
            with writing(engine) as connection:
                for source, records in by_source.items():
                    changed += import_aircraft(connection, source, records, now)
                    found[source] += len(records)
    if not found:
        raise InputError(
            f"{place} holds no aircraft: none of its {unusable} rows has an address and says anything of it."
        )
    return UpdateReport(place, dict(found), changed, unusable)


@contextmanager
def _local(place: str, client: GuardedClient) -> Iterator[Path]:
    """The file itself, fetched first where an address is given."""
    if urlsplit(place).scheme not in ("http", "https"):
        path = Path(place)
        if not path.is_file():
            raise InputError(
                f"There is no file {place}. Give a file, or an address that begins with https://."
            )
        yield path
        return
    with TemporaryDirectory(prefix="sitewatch-") as folder:
        path = Path(folder) / (Path(urlsplit(place).path).name or "aircraft")
        try:
            with path.open("wb") as into:
                client.download(place, into)
        except FeedError as error:
            raise WorkFailed(f"The aircraft database could not be fetched. {error.reason}") from None
        yield path
