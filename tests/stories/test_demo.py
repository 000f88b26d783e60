"""The demo: the real program on a scenario, the page open meanwhile, and nothing left behind."""

import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from monitor.commands.demo import DEMO_SCENARIO, run_demo
from monitor.errors import InputError, WorkFailed
from monitor.replay.scenario import load_scenario
from monitor.sites.load import load_sites
from tests.kit.cast import write_cast
from tests.kit.program import PATIENCE_S, ROOT, Program, environment

pytestmark = [pytest.mark.long, pytest.mark.untraced]

SCENARIO = """
title = "Five quiet days"
start = 2023-08-01T00:00:00Z
end = 2023-08-06T00:00:00Z
sites = "sites.geojson"

[[observations]]
file = "observations.csv"
provenance = "invented"
origin = "Invented for a test of the demo."
"""
ROWS = """site_id,start,metric,subject,value,published,publisher,url
quiet-field,2023-08-03,arrivals,class:vip_military,1,2023-08-04,Harbour Watch,https://watch.example/1
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    folder = tmp_path / "five-days"
    folder.mkdir()
    write_cast(folder)
    (folder / "scenario.toml").write_text(SCENARIO, encoding="utf-8")
    (folder / "observations.csv").write_text(ROWS, encoding="utf-8")
    return folder


@dataclass
class Demo:
    """A demo in a thread, heard line by line."""

    stop: threading.Event
    thread: threading.Thread
    heard: "queue.Queue[str]"
    lines: list[str] = field(default_factory=list)

    def until(self, text: str) -> str:
        """Wait for a line that holds this text, and give it."""
        found = next((line for line in self.lines if text in line), None)
        while found is None:
            self.lines.append(self.heard.get(timeout=PATIENCE_S))
            found = self.lines[-1] if text in self.lines[-1] else None
        return found

    @property
    def database(self) -> Path:
        return Path(self.until("SITEWATCH_DATABASE_URL=").split("sqlite:///")[1])

    def page(self, path: str = "") -> str:
        """What the page shows."""
        answer = httpx.get(f"{self.until('Page: ').removeprefix('Page: ')}{path}", timeout=PATIENCE_S)
        assert answer.status_code == 200
        return answer.text

    def end(self) -> None:
        """Do what Ctrl-C does."""
        self.stop.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        while not self.heard.empty():
            self.lines.append(self.heard.get())


@contextmanager
def shown(folder: Path, speed: float) -> Iterator[Demo]:
    stop, heard = threading.Event(), queue.Queue[str]()
    thread = threading.Thread(target=run_demo, args=(folder, 0, speed, heard.put, stop))
    thread.start()
    demo = Demo(stop, thread, heard)
    try:
        yield demo
    finally:
        demo.end()


def test_the_page_stays_open_at_the_end_of_the_scenario_and_nothing_is_left(scenario: Path) -> None:
    with shown(scenario, 0) as demo:
        demo.until("The page stays open, with its clock at the end of the scenario.")
        assert demo.until("Five quiet days").startswith("This replays “Five quiet days”, from 2023-08-01 to")
        demo.until("  observations.csv: invented. Invented for a test of the demo.")
        assert "1 arrival at Quiet Field on 2023-08-03" in demo.until("  2023-08-0")
        page = demo.page()
        assert "2023-08-06 00:00 UTC" in page
        assert "Busy Port" in page
        assert "<strong>Not a watch.</strong> This is the replay of a scenario, “Five quiet days”" in page
        assert "1 arrival at Quiet Field" in demo.page("alerts")
        database = demo.database
        assert database.exists()
    assert not database.parent.exists()
    assert demo.lines[-1] == "The demo has ended, and its database is deleted."


def test_the_page_is_open_while_the_replay_goes_on_and_it_can_be_ended(scenario: Path) -> None:
    with shown(scenario, 0.0001) as demo:
        assert "2023-08-0" in demo.page()
        database = demo.database
    assert not any("The replay is over" in line for line in demo.lines)
    assert demo.lines[-1] == "The demo has ended, and its database is deleted."
    assert not database.parent.exists()


def test_a_taken_port_is_said_before_anything_begins(scenario: Path) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            WorkFailed, match=rf"port {port}: Address already in use\. .* sitewatch demo --port"
        ):
            run_demo(scenario, port, 0, told.append, threading.Event())
    assert told == []


def test_a_folder_without_scenario_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no scenario in .* or name one with --scenario"):
        run_demo(tmp_path, 0, 0, print, threading.Event())


def test_the_demo_watches_the_shipped_sites_and_one_line_that_was_invented() -> None:
    scenario = load_scenario(ROOT / DEMO_SCENARIO)
    shown, shipped = (load_sites(each).by_id for each in (scenario.sites, ROOT / "sites.geojson"))
    sidings = next(each for each in shown["kp-tumangang"].areas if each.id == "sidings")
    assert sidings.geometry is not None
    named = [
        replace(each, geometry=None) if each.id == "sidings" else each for each in shown["kp-tumangang"].areas
    ]
    same = {
        name: replace(each, feature={}, areas=tuple(named) if name == "kp-tumangang" else each.areas)
        for name, each in shown.items()
    }
    assert same == {name: replace(each, feature={}) for name, each in shipped.items()}
    (sky,) = scenario.skies
    assert sky.provenance == "invented"


def test_the_seeds_are_shown_as_a_person_sees_them(tmp_path: Path) -> None:
    command = "import typer; from monitor.commands.demo import demo; typer.run(demo)"
    options = ("--port", "0", "--speed", "0", "--scenario", str(ROOT / "scenarios" / "seeds"))
    errors = tmp_path / "log.txt"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", command, *options],
            cwd=tmp_path,
            env={**environment(), "TMPDIR": str(scratch)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    program = Program(process, errors)
    reader = threading.Thread(target=program.read, args=(process.stdout,))
    reader.start()
    try:
        program.until("Ctrl-C ends the demo")
        assert re.search(r"About 73 railcars at Tumangang .* \(lapsed\)", "\n".join(program.lines))
        assert list(scratch.iterdir()) != []
        assert program.stop(signal.SIGINT) == 0
    finally:
        program.kill()
        reader.join()
    assert list(scratch.iterdir()) == []
    assert program.log() == ""
