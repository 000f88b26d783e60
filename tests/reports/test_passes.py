"""Who may say that a pass is missing: only a catalogue that lists the pictures that are told of."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Engine

from db.engine import reading, writing
from db.imagery import insert_scenes
from db.observations import record_observations
from db.records import Scene
from db.schema import poll
from monitor.derive.orbit_files import OrbitFiles
from monitor.feeds import Scope
from monitor.reports.passes import PassReader
from tests.imagery.test_cadence import DAY, FIRST, HOUR, looks_of, passes
from tests.kit.cast import BUSY_PORT, QUIET_FIELD

SITES = (QUIET_FIELD, BUSY_PORT)
APP: Any = SimpleNamespace(
    orbits=OrbitFiles(()),
    sites={site.id: site for site in SITES},
    feeds={
        name: SimpleNamespace(
            watches=False,
            provider=SimpleNamespace(interval_s=3600),
            scopes=lambda sites: [Scope("all", tuple(site.id for site in sites))],
        )
        for name in ("earth-search", "copernicus")
    },
)
RADAR = [
    replace(each, provider="copernicus", collection="sentinel-1-grd", sensor="sar")
    for each in passes(3, 15, 27, 39, platform="sentinel-1a")
]


def answered(engine: Engine, provider: str, at: datetime) -> None:
    values = {"slot": int(at.timestamp()), "purpose": "data", "sequence": 0, "outcome": "ok", "item_count": 1}
    with writing(engine) as connection:
        connection.execute(
            poll.insert(),
            {"provider": provider, "scope": "all", **values, "started_at": at, "finished_at": at},
        )


def store(engine: Engine, known: Sequence[Scene]) -> None:
    here = [replace(each, site_id=site.id) for each in known for site in SITES]
    with writing(engine) as connection:
        insert_scenes(connection, here)
        seen = looks_of(passes(0, 10, 20, 30))
        record_observations(
            connection, [replace(each, series=replace(each.series, site_id=QUIET_FIELD.id)) for each in seen]
        )


def test_no_pass_is_overdue_on_the_word_of_a_catalogue_of_radar(engine: Engine) -> None:
    now = FIRST + 42 * DAY
    store(engine, [*passes(0, 10, 20, 30), *RADAR])
    answered(engine, "copernicus", now - HOUR)
    answered(engine, "earth-search", FIRST + 35 * DAY)
    with reading(engine) as connection:
        reader = PassReader(connection, APP, now)
        reader.read(SITES)
        silent = [reader.cadence_of(site) for site in SITES]
    assert {each.state for each in silent} == {"unasked"}
    assert "No catalogue has answered since 2026-10-08 02:16 UTC" in silent[0].words
    assert silent[0].missing == ()
    answered(engine, "earth-search", now)
    with reading(engine) as connection:
        heard = PassReader(connection, APP, now).cadence_of(QUIET_FIELD)
    assert heard.state == "overdue"
    assert heard.words.startswith("Overdue: the pass of 2026-10-13 02:16 UTC by sentinel-2b")


def test_radar_alone_is_told_on_its_own_word(engine: Engine) -> None:
    store(engine, RADAR)
    answered(engine, "copernicus", FIRST + 53 * DAY)
    with reading(engine) as connection:
        reader = PassReader(connection, APP, FIRST + 53 * DAY)
        found = [reader.cadence_of(site) for site in SITES]
    assert [each.state for each in found] == ["overdue", "overdue"]
    assert found[0].last_at == FIRST + timedelta(days=39)
