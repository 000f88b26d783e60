"""Servers that others wrote, as the real other side of each wire: found on this machine, run on loopback, stopped.

The tests' own fakes say what we believe of a format; these say what it is.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV_OF_SERVERS = ROOT / ".venv-servers"
PATIENCE_S = 90.0
HOST = "127.0.0.1"


def needed(found: object, what: str) -> None:
    """Skip the test where a server is missing; CI fails."""
    if found:
        return
    reason = f"{what} is not installed (“make servers” does it where Debian's packages can be had)"
    if os.environ.get("CI"):
        pytest.fail(f"CI must have the real other side, but {reason}")
    pytest.skip(reason)


def installed(name: str, *folders: str | Path) -> str:
    """The path of a server's program, also where only root looks for it."""
    path = os.pathsep.join(map(str, (*folders, os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    found = shutil.which(name, path=path)
    needed(found, name)
    assert found is not None
    return found


def in_their_venv(name: str) -> str:
    """A program of the servers that come from the Python registry, in their own environment."""
    found = VENV_OF_SERVERS / "bin" / name
    needed(found.exists(), name)
    return str(found)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        return int(held.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex((HOST, port)) == 0


def wait_until(
    ready: Callable[[], bool], what: str, process: "subprocess.Popen[bytes] | None" = None
) -> None:
    """Wait for something that another program does."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode} before {what}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{PATIENCE_S} s are over, and still waiting: {what}")
        time.sleep(0.02)


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[Path]:
    """Run a server until the end of the block; gives the file that holds what it says."""
    said = folder / f"{Path(command[0]).name}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**_plain_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        try:
            wait_until(lambda: listens(port), f"{command[0]} listens on {port}", process)
            yield said
        except BaseException:
            print(said.read_text(errors="replace")[-4000:])  # noqa: T201 - what a person needs when a test fails
            raise
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_S)


def _plain_environment() -> dict[str, str]:
    """This process's environment without what would measure, warn or set up another program."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SITEWATCH_", "COVERAGE_", "COV_", "PYTEST_", "PYTHON"))
    }


# --- nginx --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its address, the folder that it serves, and what it was asked."""

    url: str
    port: int
    folder: Path

    @property
    def asked(self) -> list[str]:
        """Each request line with the status and the size of its answer, as nginx logged it."""
        return (self.folder / "access.log").read_text().splitlines()


@contextmanager
def nginx(
    folder: Path,
    locations: str,
    *,
    chain: Path | None = None,
    key: Path | None = None,
    http: str = "",
) -> Iterator[Nginx]:
    """Run nginx over `folder`/www with these locations, with TLS where a certificate is given."""
    program, port = installed("nginx"), free_port()
    (folder / "www").mkdir(exist_ok=True)
    tls = f"ssl_certificate {chain}; ssl_certificate_key {key};" if chain else ""
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
        {user} pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; daemon off;
        events {{ worker_connections 64; }}
        http {{
            include /etc/nginx/mime.types; default_type application/octet-stream; {temporary}
            log_format lines '$request $status $body_bytes_sent';
            access_log {folder}/access.log lines;
            {http}
            server {{
                listen {HOST}:{port} {"ssl" if chain else ""}; {tls}
                root {folder}/www;
                {locations}
            }}
        }}
        """
    )
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", str(folder)]
    with running(command, port, folder):
        yield Nginx(f"{'https' if chain else 'http'}://{HOST}:{port}", port, folder)
