"""`sitewatch demo`: a scenario replayed at speed, with the page open on it; nothing leaves the machine."""

import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.words import numbered
from monitor.commands import say
from monitor.config.clock import monotonic_s
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from monitor.app import App
    from monitor.replay.scenario import Scenario

DEMO_SCENARIO = Path("scenarios/demo")
_LAST_PORT = 65_535


def demo(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=_LAST_PORT, help="Where the page is served; 0 takes any free port.")
    ] = 8000,
    speed: Annotated[
        float, typer.Option(min=0, help="Days of the scenario in a second; 0 is as fast as it goes.")
    ] = 30,
    scenario: Annotated[
        Path, typer.Option(metavar="DIR", help="The scenario: a folder with a scenario.toml.")
    ] = DEMO_SCENARIO,
) -> None:
    """Show sitewatch at work: replay two years in about a minute, and look at them on the page.

    The replay runs through the program's own code into a database of its own, which is deleted at the end.
    The scenario's own files stand in for the network, and messages go nowhere. What of them was recorded, reconstructed
    or invented is said on the console and on every page.
    """
    from monitor.ops.logs import configure
    from monitor.runtime.service import stopping

    configure("auto", ())
    _quieten()
    with stopping() as stop:
        run_demo(scenario, port, speed, say, stop)


def run_demo(
    folder: Path, port: int, speed: float, tell: Callable[[str], None], stop: threading.Event
) -> None:
    """Replay with the page open, and leave it open until `stop` is set; raises InputError or WorkFailed."""
    from monitor.replay.scenario import load_scenario, provenance_lines

    if not (folder / "scenario.toml").exists():
        raise InputError(
            f"There is no scenario in {folder}. Run this in the folder of the project, or name one with --scenario."
        )
    scenario = load_scenario(folder)
    clock = _Clock(scenario.start)
    with (
        _scratch_database() as database_url,
        _page(scenario, database_url, port, clock) as page,
    ):
        tell(f"This replays “{scenario.title}”, from {scenario.start:%Y-%m-%d} to {scenario.end:%Y-%m-%d}.")
        tell(
            "The scenario's own files stand in for the network: nothing is asked, and no message is sent. They are"
        )
        for line in provenance_lines(scenario):
            tell(line)
        tell("Its database is deleted at the end. To ask it from another terminal, set")
        tell(f"  SITEWATCH_DATABASE_URL={database_url}")
        with _served(page, stop, tell, clock):
            if _replayed(folder, database_url, _Pace(scenario, speed, clock, stop)):
                _sum_up(page, tell)
            stop.wait()
    tell("The demo has ended, and its database is deleted.")


@dataclass(slots=True)
class _Clock:
    """What the page takes for now: the scenario's time, as far as the replay has come."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


class _Stopped(Exception):  # noqa: N818 - not an error: somebody pressed Ctrl-C
    """The replay is to end before its time."""


@contextmanager
def _scratch_database() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sitewatch-demo-") as folder:
        yield f"sqlite:///{folder}/demo.db"


@contextmanager
def _page(scenario: "Scenario", database_url: str, port: int, clock: _Clock) -> "Iterator[App]":
    """The program that the page looks at, on a database that is there; it can reach nobody."""
    from db.migrate import migrate
    from monitor.bootstrap import build_app
    from monitor.replay.run import scenario_settings
    from monitor.replay.transport import RecordedTransport

    _check_port(port)
    settings = scenario_settings(scenario, database_url).model_copy(update={"port": port})
    page = build_app(settings, transport=RecordedTransport((), lambda _name, _at: 0, clock))
    try:
        migrate(page.engine)
        yield page
    finally:
        page.close()


def _check_port(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise WorkFailed(
            f"The page cannot be served on port {port}: {os.strerror(error.errno or 0)}. Name another one: sitewatch demo "
            f"--port {port + 1 if port < _LAST_PORT else 0}"
        ) from None


@contextmanager
def _served(page: "App", stop: threading.Event, tell: Callable[[str], None], clock: _Clock) -> Iterator[None]:
    """The page, served by a thread of its own for as long as the block runs."""
    from monitor.runtime.serving import serve

    failed: list[WorkFailed] = []

    def work() -> None:
        try:
            serve(page, stop, tell, clock)
        except WorkFailed as error:
            failed.append(error)
        finally:
            stop.set()

    thread = threading.Thread(target=work, name="demo page")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


class _Pace:
    """Holds a replay to a number of days a second, moves the page's clock along, and ends it when told to."""

    def __init__(
        self, scenario: "Scenario", days_a_second: float, clock: _Clock, stop: threading.Event
    ) -> None:
        self._start, self._whole = scenario.start, scenario.end - scenario.start
        self._lasts_s = self._whole / timedelta(days=days_a_second) if days_a_second else 0.0
        self._clock, self._stop = clock, stop
        self._began = monotonic_s()

    def keep(self, share: float) -> None:
        """Wait until this share of the scenario is due; raises _Stopped."""
        self._clock.now = self._start + share * self._whole
        early_s = self._began + share * self._lasts_s - monotonic_s()
        if self._stop.wait(max(0.0, early_s)):
            raise _Stopped


def _replayed(folder: Path, database_url: str, pace: _Pace) -> bool:
    """Replay the scenario; False where it was stopped before its end."""
    from monitor.commands.progress import progress_bar
    from monitor.replay.run import run_scenario

    with progress_bar(f"Replaying {folder.name}") as show:

        def progress(share: float) -> None:
            show(share)
            pace.keep(share)

        try:
            run_scenario(folder, database_url, progress).close()
        except _Stopped:
            return False
    return True


def _sum_up(page: "App", tell: Callable[[str], None]) -> None:
    from alerts.attribution import alert_attributions, data_line
    from db.alerts import alerts
    from db.engine import reading

    with reading(page.engine) as connection:
        found = alerts(connection)
    tell(f"The replay is over. It raised {numbered(len(found), 'alert')}:")
    for alert in found:
        tell(f"  {alert.opened_at:%Y-%m-%d}  {alert.headline} ({alert.status})")
    tell(data_line(said for alert in found for said in alert_attributions(alert)))
    tell("The page stays open, with its clock at the end of the scenario. Ctrl-C ends the demo.")


def _quieten() -> None:
    # The scenario has feeds that fail; the page shows that, and a log would bury the words here.
    for name in ("monitor", "alerts", "db"):
        logging.getLogger(name).setLevel(logging.ERROR)
