"""Tracks from files: traces of globe_history in folders, or recorded answers of the readsb family, one a line."""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from db.records import Fix
from monitor.backfill.traces import TraceError, read_trace
from monitor.errors import InputError
from monitor.feeds.aircraft import AircraftReader
from monitor.feeds.options import MAX_POSITION_AGE_S
from monitor.feeds.parsing import feed_instant

_COLUMNS = ("time", "address", "latitude", "longitude", "altitude", "speed", "track", "on_ground")
_TRUTH: Mapping[str, bool | None] = {"": None, "true": True, "1": True, "false": False, "0": False}
_EVER_S = (0.0, 1e11)


def read_tracks(path: Path) -> dict[str, list[Fix]]:
    """Read every track of a folder or file, by aircraft and time; raises InputError that says what is expected."""
    found: dict[str, list[Fix]] = defaultdict(list)
    for fix in _reports(path):
        found[fix.icao24].append(fix)
    if not found:
        raise InputError(
            f"{path} holds no tracks. Expected is a folder with trace_full_*.json (readsb's globe_history), one such "
            "file, recorded answers of the readsb family, one a line (.ndjson, .ndjson.gz), or a table (.csv, .csv.gz)."
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
    elif ".csv" in path.name:
        yield from _table(path)
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


def _table(path: Path) -> Iterator[Fix]:
    """Read a CSV table: time (ISO 8601, or seconds since 1970), address, latitude, longitude, altitude (ft), speed (kt), track, on ground."""
    unpack = gzip.open if path.name.endswith(".gz") else open
    with unpack(path, "rt", encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        rows.fieldnames = [name.strip().lower().replace(" ", "_") for name in rows.fieldnames or ()]
        if missing := [name for name in _COLUMNS[:4] if name not in rows.fieldnames]:
            raise InputError(
                f"{path} lacks the columns {', '.join(missing)}. Expected are {', '.join(_COLUMNS)}."
            )
        for number, row in enumerate(rows, 2):
            try:
                yield _row(row)
            except ValueError:
                raise InputError(
                    f"{path}, line {number}: a value is not what its column holds. Times are ISO 8601 or seconds since "
                    "1970, on_ground is true or false, all else are numbers; what is not known stays empty."
                ) from None


def _row(row: Mapping[str, str | None]) -> Fix:
    text = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    stamp = text["time"]
    numeric = stamp.replace(".", "", 1).isdecimal()
    at = datetime.fromtimestamp(float(stamp), UTC) if numeric else datetime.fromisoformat(stamp)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    altitude, speed, track = (float(text[name]) if text[name] else None for name in _COLUMNS[4:7])
    if text["on_ground"].lower() not in _TRUTH:
        raise ValueError(text["on_ground"])
    return Fix(
        "recording",
        text["address"].lower(),
        at,
        at,
        float(text["latitude"]),
        float(text["longitude"]),
        on_ground=_TRUTH[text["on_ground"].lower()],
        altitude_ft=altitude,
        ground_speed_kt=speed,
        track_deg=track,
        source="adsb_icao",
    )


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
