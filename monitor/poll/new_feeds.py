"""The registry of changes, where the program itself sees them: a feed that is asked from now on beside others."""

from collections.abc import Iterable
from datetime import datetime

from alerts.rules import method
from db.engine import Engine, writing
from db.polls import polls
from db.records import Change
from db.sites import register_change
from monitor.feeds import Feed
from monitor.flights.visits import PROCEDURE


def note_feeds(engine: Engine, feeds: Iterable[Feed], now: datetime) -> list[str]:
    """Register each flight feed that joins others: more is seen from now on, which must not read as a rise.

    A first start has no history that a feed could break. Gives what was registered, in words.
    """
    flights = [feed.provider.name for feed in feeds if feed.watches]
    told = []
    with writing(engine) as connection:
        asked = {name for name in flights if polls(connection, provider=name, limit=1)}
        for name in flights if asked else ():
            what = f"the feed {name} was added"
            change = Change(f"feed:{method(PROCEDURE)}:{name}", "", what, "break", now, None, "")
            if name not in asked and register_change(connection, change, now):
                told.append(what)
    return told
