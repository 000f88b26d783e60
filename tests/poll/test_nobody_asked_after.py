"""Nothing is asked about an aircraft whose operator asked not to be shown, though it be listed by hand."""

from dataclasses import replace

from sqlalchemy import Engine

from db.aircraft import import_aircraft
from db.engine import reading, writing
from db.polls import polls
from db.records.claims import KnownAircraft
from monitor.poll.rounds import poll_provider
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import NOON
from tests.kit.feed_contract import CASES, GOOD_ANSWERS


def test_a_track_of_who_asked_not_to_be_shown_is_not_asked_for(engine: Engine) -> None:
    case = next(each for each in CASES if each.kind == "opensky_tracks")
    provider = replace(case.provider, options={"icao24": "154f53, abc123"})
    feed = replace(case, provider=provider).answering(GOOD_ANSWERS["opensky_tracks"])
    with writing(engine) as connection:
        import_aircraft(connection, "tar1090-db", [KnownAircraft("abc123", "N1", "GLF6", flags=8)], NOON)
    poll_provider(engine, feed, [QUIET_FIELD], NOON)
    with reading(engine) as connection:
        assert {each.scope for each in polls(connection)} == {"track:154f53"}
