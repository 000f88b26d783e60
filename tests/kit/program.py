"""The whole program as a person runs it: a folder with the cast of sites, and `sitewatch` as a process of its own."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

from monitor.bootstrap import build_app
from monitor.config.settings import load_settings
from monitor.pipeline import start
from tests.kit.cast import write_cast

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
COMMAND = (sys.executable, "-c", "from monitor.cli import main; main()")


def published(now: datetime) -> str:
    """A published fact of yesterday that a rule tells about (a listed class), and one that says nothing new."""
    day, known = (f"{now - timedelta(days=ago):%Y-%m-%d}" for ago in (2, 1))
    return (
        "site_id,start,metric,subject,value,published,publisher,url\n"
        f"quiet-field,{day},arrivals,class:vip_military,1,{known},Harbour Watch,https://watch.example/1\n"
        f"busy-port,{day},ships_present,,3,{known},Harbour Watch,https://watch.example/2\n"
    )


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on loopback that refuses every connection as long as it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def answering(
    body: Callable[[], bytes], status: int = 200, headers: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A server on loopback that answers everything with this body, as a feed does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            content = body()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def begin() -> None:
    """Make the database that the settings of this folder name, as the first start does."""
    app = build_app(load_settings())
    start(app, datetime.now(UTC))
    app.close()


def write_settings(folder: Path, provider_port: int, *more: str) -> None:
    """Write settings under which no provider leaves this machine, with further lines of TOML at the top."""
    (folder / "history").mkdir(exist_ok=True)
    (folder / "history" / "published.csv").write_text(published(datetime.now(UTC)), encoding="utf-8")
    write_cast(folder)
    (folder / "sitewatch.toml").write_text(
        "\n".join(
            [
                'allowed_networks = ["127.0.0.0/8"]',
                *more,
                '[providers."adsb.lol"]',
                f'base_url = "http://127.0.0.1:{provider_port}/v2/"',
                "[providers.earth-search]",
                f'base_url = "http://127.0.0.1:{provider_port}/v1"',
            ]
        ),
        encoding="utf-8",
    )


def environment() -> dict[str, str]:
    """The environment of this process without anything that would change the program's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SITEWATCH_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@dataclass
class Program:
    """A running `sitewatch`, read line by line as it speaks; `errors` is where its log goes."""

    process: subprocess.Popen[str]
    errors: Path
    lines: list[str] = field(default_factory=list)
    _queue: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    def read(self, stream: IO[str]) -> None:
        """Take in lines until the stream ends; for a thread of its own."""
        with stream:
            for line in stream:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def until(self, text: str) -> str:
        """Wait for a line that holds this text, and give it."""
        for line in self.lines:
            if text in line:
                return line
        deadline = time.monotonic() + PATIENCE_S
        while (line_or_end := self._queue.get(timeout=max(0.1, deadline - time.monotonic()))) is not None:
            self.lines.append(line_or_end)
            if text in line_or_end:
                return line_or_end
        raise AssertionError(f"it ended without saying {text!r}: {self.lines} {self.log()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it without any chance to tidy up."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def log(self) -> str:
        """What it logged so far."""
        return self.errors.read_text(encoding="utf-8")

    def until_logged(self, text: str) -> str:
        """Wait for a log line that holds this text, and give it; the file is read as it grows."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self.log().splitlines():
                if text in line:
                    return line
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.1)
        raise AssertionError(f"{text!r} was never logged: {self.log()}")


@contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Program]:
    """Run `sitewatch ARGUMENTS` in a folder; it is killed at the end if it still runs."""
    errors = folder / f"log-{len(list(folder.glob('log-*')))}.txt"
    with errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env={**environment(), **variables},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    program = Program(process, errors)
    reader = threading.Thread(target=program.read, args=(process.stdout,))
    reader.start()
    try:
        yield program
    finally:
        program.kill()
        reader.join()


def run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
