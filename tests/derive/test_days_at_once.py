"""Days of many sites that end at once are closed in few transactions, and say what each by itself would say."""

from datetime import date, timedelta

from sqlalchemy import Engine, event

from db.engine import reading
from db.observations import looks
from db.records import Observation
from monitor.derive.days import close_ended
from tests.kit.cast import CAST
from tests.kit.flying import NOON, World

FLYING = [site for site in CAST if site.flies]
LATER = NOON + timedelta(days=3)


def known(engine: Engine) -> list[Observation]:
    with reading(engine) as connection:
        return [each for site in FLYING for each in looks(connection, site_id=site.id)]


def days(found: list[Observation], site_id: str) -> list[date]:
    """The days of a site that are closed, in order."""
    return sorted(
        {
            date.fromisoformat(each.look_key)
            for each in found
            if each.closed and each.series.site_id == site_id
        }
    )


def test_the_days_of_all_sites_are_closed_in_one_transaction(engine: Engine) -> None:
    world = World(engine, CAST)
    world.poll(NOON, [])
    world.derive(NOON)
    begun: list[str] = []
    event.listen(engine, "begin", lambda connection: begun.append(str(connection.get_execution_options())))
    assert close_ended(engine, FLYING, LATER, lambda: False) > 0
    assert len([each for each in begun if "read_only" not in each]) == 1
    closed = [each for each in known(engine) if each.closed]
    assert {each.series.site_id for each in closed} == {site.id for site in FLYING}
    assert all(len(days(closed, site.id)) >= 2 for site in FLYING)


def test_a_stop_between_two_days_keeps_those_that_are_closed_and_the_rest_is_taken_up_again(
    engine: Engine,
) -> None:
    world = World(engine, CAST)
    world.poll(NOON, [])
    world.derive(NOON)
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > 2

    first = close_ended(engine, FLYING, LATER, stop)
    assert 0 < first == len(known(engine))
    assert close_ended(engine, FLYING, LATER, lambda: False) > 0
    assert close_ended(engine, FLYING, LATER, lambda: False) == 0
    for site in FLYING:
        closed = days(known(engine), site.id)
        assert closed == [closed[0] + number * timedelta(days=1) for number in range(len(closed))], (
            "none was left out"
        )
        assert len(closed) >= 2
