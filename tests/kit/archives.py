"""Archives of flight tracks as readsb's globe_history writes them, made from invented flights."""

import gzip
import json
import tarfile
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from db.records import Fix
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import AIRLINER, VIP, Pilot

DAY = date(2023, 8, 1)
LOST = "4ca7b5"
MIDNIGHT = datetime(2023, 8, 1, tzinfo=UTC)


def row(fix: Fix, begin: datetime, details: dict[str, Any] | None = None) -> list[Any]:
    """One row of a trace."""
    altitude = "ground" if fix.on_ground else fix.altitude_ft
    return [
        round((fix.at - begin).total_seconds(), 2), fix.lat, fix.lon, altitude, fix.ground_speed_kt, fix.track_deg, 0,
        fix.vertical_rate_fpm, details, fix.source, fix.altitude_geom_ft, None, None, None,
    ]  # fmt: skip


def trace(fixes: Sequence[Fix], begin: datetime = MIDNIGHT, **more: Any) -> bytes:
    """A trace file, gzipped as in the archive."""
    document = {
        "icao": fixes[0].icao24,
        "r": fixes[0].registration,
        "t": fixes[0].type_code,
        "timestamp": begin.timestamp(),
        "trace": [row(fix, begin) for fix in fixes],
        **more,
    }
    return gzip.compress(json.dumps(document).encode(), mtime=0)


def flights() -> dict[str, bytes]:
    """A day at Quiet Field: the VIP lands at noon and leaves, an airliner lands, one is last heard on the approach.

    Others fly elsewhere all day long.
    """
    vip = Pilot(QUIET_FIELD, VIP, values={"registration": "RA-86559", "type_code": "IL62"})
    vip.land().wait(hours=1)
    vip.take_off()
    airliner = Pilot(QUIET_FIELD, AIRLINER, at=MIDNIGHT.replace(hour=15), values={"type_code": "A320"}).land()
    # Off the archive's grid of five minutes, as nearly all flights are.
    unheard = Pilot(
        QUIET_FIELD, LOST, at=MIDNIGHT.replace(hour=15, minute=33, second=7), values={"type_code": "A320"}
    ).approach(from_nm=10)
    values = {"type_code": "A320"}
    strip = Pilot(DATELINE_STRIP, "c88123", at=MIDNIGHT.replace(hour=3), values=values).land()
    far = Pilot(QUIET_FIELD, "a12345", at=MIDNIGHT, every_s=240, east_nm=300, north_nm=400, height_ft=36_000)
    far.fly(86_000, kt=10)
    ship_spotter = Pilot(
        QUIET_FIELD, "151111", at=MIDNIGHT, every_s=3600, east_nm=500, values={"type_code": "T160"}
    )
    ship_spotter.fly(80_000, kt=1)
    every = (vip, airliner, unheard, strip, far, ship_spotter)
    return {f"trace_full_{pilot.icao24}.json": trace(pilot.fixes) for pilot in every}


def write_folder(root: Path, files: dict[str, bytes], under: str = "2023/08/01") -> Path:
    """Write a day as readsb lays it out: every folder is there, most of them are empty."""
    for number in range(256):
        (root / under / "traces" / f"{number:02x}").mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        folder = root / under / "traces" / name[-7:-5]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return root


def tar_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A dump as adsb.lol publishes it."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, body in files:
            info = tarfile.TarInfo(f"./traces/{name[-7:-5]}/{name}")
            info.size = len(body)
            tar.addfile(info, BytesIO(body))
    return buffer.getvalue()
