"""Versions of sites and their changes in the database."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from db.engine import reading, writing
from db.schema import change, site_version
from db.sites import record_sites, site_changes, site_names
from tests.kit.builders import at
from tests.kit.cast import CAST

NOW = at("2023-10-05T12:00")


def cast() -> dict[str, Any]:
    return {site.id: copy.deepcopy(dict(site.feature)) for site in CAST}


def record(engine: Engine, features: dict[str, Any], days: int = 0) -> list[str]:
    with writing(engine) as connection:
        return record_sites(connection, features, NOW + timedelta(days=days))


def versions(connection: Connection, site_id: str) -> list[tuple[int, bool]]:
    wanted = select(site_version).where(site_version.c.site_id == site_id).order_by(site_version.c.version)
    return [(row.version, row.removed) for row in connection.execute(wanted)]


def test_new_sites_get_a_first_version(engine: Engine) -> None:
    assert record(engine, cast()) == [site.id for site in CAST]
    with reading(engine) as connection:
        rows = connection.execute(select(site_version)).all()
        assert {row.site_id: row.feature for row in rows} == cast()
        assert {(row.version, row.removed, row.recorded_at) for row in rows} == {(1, False, NOW)}


def test_the_same_sites_get_no_new_version(engine: Engine) -> None:
    record(engine, cast())
    again = {site_id: dict(reversed(feature.items())) for site_id, feature in reversed(cast().items())}
    assert record(engine, again, days=1) == []


def test_a_changed_site_gets_another_version_and_keeps_the_first(engine: Engine) -> None:
    record(engine, cast())
    features = cast()
    features["busy-port"]["properties"]["name"] = "Busier Port"
    assert record(engine, features, days=1) == ["busy-port"]
    with reading(engine) as connection:
        assert versions(connection, "busy-port") == [(1, False), (2, False)]
        assert versions(connection, "quiet-field") == [(1, False)]
        assert site_names(connection)["busy-port"] == "Busier Port"


def test_a_site_that_is_gone_is_marked_once_and_may_come_back(engine: Engine) -> None:
    record(engine, cast())
    fewer = cast()
    del fewer["donut-base"]
    assert record(engine, fewer, days=1) == ["donut-base"]
    assert record(engine, fewer, days=2) == []
    with reading(engine) as connection:
        assert site_names(connection)["donut-base"] == "Donut Base"
    assert record(engine, cast(), days=3) == ["donut-base"]
    with reading(engine) as connection:
        assert versions(connection, "donut-base") == [(1, False), (2, True), (3, False)]


def test_nothing_recorded_means_no_names(engine: Engine) -> None:
    with reading(engine) as connection:
        assert site_names(connection) == {}
        assert site_changes(connection, ["busy-port"]) == []


def with_changes(*entries: dict[str, Any]) -> dict[str, Any]:
    features = cast()
    features["quiet-field"]["properties"]["changes"] = list(entries)
    return features


OPENED = {"what": "Second runway opened", "effect": "break", "starts_at": "2021-05-01"}


def test_a_change_runs_in_whole_days_of_the_site(engine: Engine) -> None:
    # Río Gallegos is three hours behind UTC all year.
    record(
        engine,
        with_changes(
            OPENED,
            {
                "what": "Closed",
                "effect": "exclude",
                "starts_at": "2019-12",
                "ends_at": "2020-02",
                "note": "snow",
            },
            {"what": "Repair", "effect": "note", "starts_at": "2022-03-01", "ends_at": "2022-03-31"},
            {
                "what": "Power cut",
                "effect": "exclude",
                "starts_at": "2022-06-01T10:00:00Z",
                "ends_at": "2022-06-01T09:30:00-03:00",
            },
        ),
    )
    with reading(engine) as connection:
        found = site_changes(connection, ["quiet-field"])
    assert [(each.what, each.effect, each.starts_at, each.ends_at, each.note) for each in found] == [
        ("Closed", "exclude", at("2019-12-01T03:00"), at("2020-03-01T03:00"), "snow"),
        ("Second runway opened", "break", at("2021-05-01T03:00"), None, ""),
        ("Repair", "note", at("2022-03-01T03:00"), at("2022-04-01T03:00"), ""),
        ("Power cut", "exclude", at("2022-06-01T10:00"), at("2022-06-01T12:30"), ""),
    ]
    assert {each.site_id for each in found} == {"quiet-field"}


def test_a_december_ends_with_its_year(engine: Engine) -> None:
    record(engine, with_changes(OPENED | {"starts_at": "2019-12", "ends_at": "2019-12"}))
    with reading(engine) as connection:
        assert site_changes(connection, ["quiet-field"])[0].ends_at == at("2020-01-01T03:00")


def test_changes_follow_the_offset_that_their_day_had(engine: Engine) -> None:
    features = cast()
    # Pyongyang was at +08:30 from August 2015 to May 2018.
    features["busy-port"]["properties"] |= {
        "timezone": "Asia/Pyongyang",
        "changes": [OPENED | {"starts_at": "2016-01-01"}, OPENED | {"starts_at": "2019-01-01"}],
    }
    record(engine, features)
    with reading(engine) as connection:
        found = site_changes(connection, ["busy-port"])
    assert [each.starts_at for each in found] == [at("2015-12-31T15:30"), at("2018-12-31T15:00")]


def test_a_corrected_change_is_kept_but_no_longer_in_force(engine: Engine) -> None:
    record(engine, with_changes(OPENED))
    record(engine, with_changes(OPENED | {"starts_at": "2021-06-01"}), days=1)
    with reading(engine) as connection:
        assert len(connection.execute(select(change)).all()) == 2
        assert [each.starts_at for each in site_changes(connection, ["quiet-field"])] == [
            at("2021-06-01T03:00")
        ]
    record(engine, with_changes(), days=2)
    with reading(engine) as connection:
        assert site_changes(connection, ["quiet-field"]) == []


def test_a_null_in_a_change_is_as_good_as_nothing(engine: Engine) -> None:
    record(engine, with_changes(OPENED | {"ends_at": None, "note": None}))
    record(engine, with_changes(OPENED), days=1)
    with reading(engine) as connection:
        assert len(connection.execute(select(change)).all()) == 1
        assert len(site_changes(connection, ["quiet-field"])) == 1


def test_changes_of_feeds_hold_everywhere_and_those_of_other_sites_do_not(engine: Engine) -> None:
    record(engine, with_changes(OPENED))
    with writing(engine) as connection:
        connection.execute(
            change.insert(),
            [
                {
                    "key": f"feed:{site_id}",
                    "site_id": site_id,
                    "what": "New receiver",
                    "effect": "break",
                    "starts_at": NOW,
                    "recorded_at": NOW,
                }
                for site_id in ("", "busy-port")
            ],
        )
    with reading(engine) as connection:
        assert [each.site_id for each in site_changes(connection, ["quiet-field"])] == ["quiet-field", ""]
        assert [each.site_id for each in site_changes(connection, ["busy-port"])] == ["", "busy-port"]


@pytest.mark.parametrize("name", ['Robert"); drop table site_version;--', "Ünïcødé 港", "a" * 160])
def test_names_come_back_as_they_were(engine: Engine, name: str) -> None:
    features = cast()
    features["busy-port"]["properties"]["name"] = name
    record(engine, features)
    with reading(engine) as connection:
        assert site_names(connection)["busy-port"] == name
