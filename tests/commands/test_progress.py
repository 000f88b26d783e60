"""Progress is drawn for a person at a terminal, once the work has lasted, and for nobody else."""

import subprocess
import sys

import pytest

from tests.kit.program import COMMAND, ROOT, environment
from tests.kit.terminal import on_a_terminal

WORK = """
import sys
from monitor.commands import progress
progress.PATIENCE_S = float(sys.argv[1])
with progress.progress_bar("Reading the archive") as show:
    show(0.25)
    show(0.5)
print("done")
"""

pytestmark = pytest.mark.untraced


def test_work_that_lasts_is_drawn_and_wiped_away_at_the_end() -> None:
    seen = on_a_terminal(sys.executable, "-c", WORK, "-1")
    assert "Reading the archive" in seen
    assert "50%" in seen
    # The line is cleared before the result is printed.
    assert seen.rindex("\x1b[2K") < seen.index("done")


def test_work_that_ends_soon_is_not_drawn() -> None:
    assert on_a_terminal(sys.executable, "-c", WORK, "1e9").strip() == "done"


def test_nothing_is_drawn_where_nobody_looks() -> None:
    command = [sys.executable, "-c", WORK, "-1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment())
    assert (ended.stdout, ended.stderr) == ("done\n", "")


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_a_replay_at_a_terminal_ends_with_its_result(words: tuple[str, ...]) -> None:
    seen = on_a_terminal(*COMMAND, "replay", "scenarios/ghost-address", *words)
    assert ("This is what expected.json says." in seen) != bool(words)
    assert ('"deliveries"' in seen) == bool(words)
