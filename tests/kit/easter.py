"""Eight railheads with thirty quiet weeks each, and an Easter Monday on which some of them are busy."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from alerts.judging.judge import JudgingContext
from alerts.watch import SiteWatch, merge_watch
from db.records import Observation
from monitor.bootstrap import RULES
from tests.kit.builders import DAY, at, look

EASTER_MONDAY = "2024-04-01"
ZONE = "Europe/Berlin"
WEEKS = 30
SITES = [f"port-{n}" for n in range(8)]
WATCHES = {
    site: SiteWatch(
        site,
        site.replace("-", " ").title(),
        "railhead",
        ZONE,
        metrics=merge_watch({"railcars": {"rules": {"tail": {"sides": "both"}}}}),
        country="DE",
    )
    for site in SITES
}
BENCH = JudgingContext(WATCHES, RULES, ("slack", "email"), too_old=timedelta(days=7))
NOW = at("2024-04-02T06:00")


def week(site: str, n: int, value: float) -> Observation:
    """One look a week; that of week `WEEKS` is on Easter Monday."""
    start = at("2024-03-31T22:00") - 7 * (WEEKS - n) * DAY
    if n < WEEKS and start < at("2024-03-31T01:00"):
        # Clocks went forward that weekend.
        start += DAY / 24
    return look(
        EASTER_MONDAY,
        value,
        site_id=site,
        procedure="analyst",
        exposure=1.0,
        period_start=start,
        period_end=start + DAY,
        look_key=f"w{n}",
        result_time=start + DAY,
        recorded_at=start + DAY,
    )


def quiet_weeks() -> list[Observation]:
    """What is usual at all of them."""
    return [week(site, n, 6 + (3 * n + k) % 5) for k, site in enumerate(SITES) for n in range(WEEKS)]


def easter(busy: Sequence[str], value: float = 90) -> list[Observation]:
    """The looks of Easter Monday."""
    return [week(site, WEEKS, value if site in busy else 8) for site in SITES]


def write_railheads(folder: Path) -> Path:
    """The same sites as a file."""
    path = folder / "sites.geojson"
    features = [
        {
            "type": "Feature",
            "id": site,
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [
                        [8 + n / 10 + east, 53 + north]
                        for east, north in ((0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05), (0, 0))
                    ]
                ],
            },
            "properties": {
                "name": WATCHES[site].name,
                "kind": "railhead",
                "timezone": ZONE,
                "source": "invented",
            },
        }
        for n, site in enumerate(SITES)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path
