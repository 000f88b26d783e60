"""`sitewatch replay`: a recorded scenario through the real program, on a database of its own."""

import json
import tempfile
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands import JsonFlag, print_json, print_table, say, say_data
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from monitor.replay.run import ReplayProgress

EXPECTED_FILE = "expected.json"


def replay_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The scenario: a folder with a scenario.toml.")
    ],
    *,
    database: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the database in this new SQLite file.", show_default=False),
    ] = None,
    dated_only: Annotated[
        bool, typer.Option("--dated-only", help="Leave out what has no known date of publication.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Replay a recorded scenario with its own clock, and compare with its expected.json if it has one.

    Nothing leaves this machine: the answers of the scenario stand in for the network, and messages go to the log only. What
    of them was recorded, reconstructed or invented is said first.
    """
    from monitor.ops.logs import configure
    from monitor.replay.report import differences, replay_report
    from monitor.replay.run import run_scenario
    from monitor.replay.scenario import load_scenario, provenance_lines

    if database is not None and database.exists():
        raise InputError(f"{database} exists already. A replay needs a new file: name another, or delete it.")
    configure("auto", ())
    scenario = load_scenario(folder)
    if not as_json:
        say(f"This replays “{scenario.title}”. What stands in for the world:")
        for line in provenance_lines(scenario):
            say(line)
    with tempfile.TemporaryDirectory(prefix="sitewatch-replay-") as scratch, _bar(folder) as progress:
        path = database or Path(scratch) / "replay.db"
        app = run_scenario(folder, f"sqlite:///{path}", progress, dated_only=dated_only)
        try:
            found = {"scenario": asdict(scenario.mark), **replay_report(app.engine)}
        finally:
            app.close()
    differing = differences(found, _expected(folder)) if (folder / EXPECTED_FILE).exists() else None
    if as_json:
        print_json(found)
    else:
        _show(found, differing)
    if differing:
        raise WorkFailed("The replay differs from expected.json:\n  " + "\n  ".join(differing))


def _bar(folder: Path) -> "AbstractContextManager[ReplayProgress | None]":
    from monitor.commands.progress import progress_bar

    return progress_bar(f"Replaying {folder.name}")


def _expected(folder: Path) -> dict[str, Any]:
    try:
        wanted: dict[str, Any] = json.loads((folder / EXPECTED_FILE).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{folder / EXPECTED_FILE} is not JSON: {error}.") from None
    return wanted


def _show(found: dict[str, Any], differing: list[str] | None) -> None:
    from alerts.words import numbered, undated_words

    print_table(
        ("opened", "status", "headline"),
        ((each["opened_at"][:10], each["status"], each["headline"]) for each in found["alerts"]),
    )
    say(
        f"{numbered(len(found['alerts']), 'alert')}, {numbered(found['observations'], 'observation')}, "
        f"{numbered(len(found['visits']), 'visit')}, {numbered(len(found['deliveries']), 'message')}."
    )
    if undated := undated_words(found["undated"]):
        say(undated)
    say_data(found["attribution"])
    if differing == []:
        say("This is what expected.json says.")
