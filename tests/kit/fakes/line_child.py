"""The whole line over a recorded scenario, in a process of its own that can be told to die at any statement."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from db.engine import reading
from db.polls import polls
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.imports import load_published
from monitor.replay.run import SteppedClock, scenario_settings
from monitor.replay.scenario import Scenario, load_scenario, read_recordings
from monitor.replay.timeline import slot_of
from monitor.replay.transport import RecordedTransport

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "scenarios" / "turnaround-il62m"
HISTORY = ROOT / "history" / "published.csv"
STEP = timedelta(minutes=4)
DAYS_AFTER = 2
NEVER = 0


class Statements:
    """Counts what a process asks of its database, and ends the process before one of them; NEVER: at none."""

    def __init__(self, engine: Engine, die_at: int) -> None:
        self.asked = 0
        self._die_at = die_at
        event.listen(engine, "before_cursor_execute", self._executes)
        event.listen(engine, "commit", self._commits)

    def _executes(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # Only SQLite is told to begin; the count is to be the same for both databases.
        if not statement.startswith("BEGIN"):
            self._statement()

    def _commits(self, _connection: Any) -> None:
        self._statement()

    def _statement(self) -> None:
        self.asked += 1
        if self.asked == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def moments(scenario: Scenario) -> Iterator[datetime]:
    """Every four minutes of the scenario, then as many days as it takes to close what is open."""
    moment = scenario.start
    while moment <= scenario.end:
        yield moment
        moment += STEP
    for day in range(1, DAYS_AFTER + 1):
        yield scenario.end + timedelta(days=day)


@dataclass(frozen=True)
class Diary:
    """What outlives a process, in a folder: how many moments are done, and at which of them a question was lost."""

    folder: Path

    @property
    def done(self) -> int:
        """How many moments are done."""
        return len(self._lines("done"))

    @property
    def lost(self) -> frozenset[int]:
        """The moments at which a process died between a question and its answer."""
        return frozenset(int(line) for line in self._lines("lost"))

    @property
    def statements(self) -> int:
        """How many statements the process took that came to the end."""
        return int(self._lines("statements")[-1])

    def note(self, what: str, number: int) -> None:
        """Add a line."""
        with (self.folder / what).open("a") as file:
            file.write(f"{number}\n")

    def _lines(self, what: str) -> list[str]:
        path = self.folder / what
        return path.read_text().split() if path.exists() else []


def main(database_url: str, diary: Diary, die_at: int, unasked: frozenset[int]) -> None:
    """Go on where the process before died; nobody is asked at the moments of `unasked`."""
    scenario = load_scenario(SCENARIO)
    app, clock = _app(scenario, database_url)
    done = diary.done
    with reading(app.engine) as connection:
        if any(each.outcome is None for each in polls(connection, since=[*moments(scenario)][done])):
            diary.note("lost", done)
    statements = Statements(app.engine, die_at)
    for number, moment in enumerate(moments(scenario)):
        if number < done:
            continue
        clock.now = moment
        if number == 0:
            pipeline.note_sites(app, moment)
            load_published(app.engine, HISTORY, app.sites, moment)
        _step(app, scenario, clock, asks=number not in unasked)
        diary.note("done", number)
    app.close()
    diary.note("statements", statements.asked)


def _app(scenario: Scenario, database_url: str) -> tuple[App, SteppedClock]:
    clock = SteppedClock(scenario.start)
    intervals: dict[str, int] = {}
    transport = RecordedTransport(
        read_recordings(scenario), lambda name, at: slot_of(at, intervals[name]), clock
    )
    app = build_app(scenario_settings(scenario, database_url), transport=transport)
    intervals.update({name: feed.provider.interval_s for name, feed in app.feeds.items()})
    return app, clock


def _step(app: App, scenario: Scenario, clock: SteppedClock, *, asks: bool) -> None:
    """What the service does all the time, at one moment."""
    for name, provider in scenario.providers.items() if asks else ():
        for site in provider.sites or (None,):
            pipeline.poll(app, clock.now, name, site)
    pipeline.derive(app, clock.now)
    pipeline.judge(app, clock.now)
    pipeline.deliver(app, clock, f"process {os.getpid()}")
    pipeline.watch_self(app, clock.now)
    pipeline.retain(app, clock.now)
