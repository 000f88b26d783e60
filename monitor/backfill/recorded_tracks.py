"""Tracks from files: traces of globe_history in folders, or recorded answers of the readsb family, one a line."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from db.records import Fix
from monitor.backfill.traces import TraceError, read_trace
from monitor.errors import InputError
from monitor.feeds.aircraft import AircraftReader
from monitor.feeds.options import MAX_POSITION_AGE_S
from monitor.feeds.parsing import feed_instant

_EVER_S = (0.0, 1e11)


def read_tracks(path: Path) -> dict[str, list[Fix]]:
    """Read every track of a folder or file, by aircraft and time; raises InputError that says what is expected."""
    found: dict[str, list[Fix]] = defaultdict(list)
    for fix in _reports(path):
        found[fix.icao24].append(fix)
    if not found:
        raise InputError(
            f"{path} holds no tracks. Expected is a folder with trace_full_*.json (readsb's globe_history), one such "
            "file, or recorded answers of the readsb family, one a line (.ndjson, .ndjson.gz)."
        )
    return {icao24: sorted(track, key=lambda fix: fix.at) for icao24, track in found.items()}


def _reports(path: Path) -> Iterator[Fix]:
    if path.is_dir():
        for each in sorted(path.rglob("trace_full_*.json*")):
            yield from _trace(each)
    elif not path.is_file():
        raise InputError(f"There is no file or folder {path}.")
    elif ".ndjson" in path.name:
        yield from _answers(path)
    else:
        yield from _trace(path)


def _trace(path: Path) -> Iterator[Fix]:
    try:
        trace = read_trace(path.read_bytes(), path.name, _EVER_S)
    except TraceError as error:
        raise InputError(f"{path} cannot be used: {error}") from None
    if trace.rows and not trace.is_no_aircraft:
        last = datetime.fromtimestamp(float(trace.at_s[-1]), UTC)
        yield from trace.fixes("archive", last, range(len(trace.rows)))


def _answers(path: Path) -> Iterator[Fix]:
    unpack = gzip.open if path.name.endswith(".gz") else open
    with unpack(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                answer = json.loads(line)
                now = feed_instant(float(answer["now"]))
                listed = answer.get("ac", answer.get("aircraft"))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise InputError(f"{path}, line {number}: this is no answer of the readsb family.") from None
            reader = AircraftReader(
                "recording", feed_time=now, received_at=now, max_age_s=MAX_POSITION_AGE_S, circle=None
            )
            yield from reader.read(listed if isinstance(listed, list) else ())
