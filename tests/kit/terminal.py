"""A terminal with a person before it: what a command writes where its output is no pipe."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from tests.kit.program import ROOT, environment


def on_a_terminal(*command: str, folder: Path = ROOT, columns: int = 80, **variables: str) -> str:
    """What a person sees who runs this: standard error is a terminal of so many columns, standard output too."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    # These would overrule what the terminal says of itself.
    kept = {name: value for name, value in environment().items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**kept, "TERM": "xterm", **variables},
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65_536):
                seen += piece
        except OSError:  # how Linux tells that the other end of a terminal is closed
            pass
        os.close(ours)
    assert process.returncode == 0, seen.decode()
    return seen.decode()
