"""The command line: what `sitewatch` understands, and how a command ends (0 done, 1 failed, 2 wrong input)."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from monitor.commands.aircraft import aircraft_app
from monitor.commands.alerts import alerts_app
from monitor.commands.backfill import backfill
from monitor.commands.backtest import backtest
from monitor.commands.backup import backup, restore
from monitor.commands.baseline import baseline
from monitor.commands.demo import demo
from monitor.commands.detector import detector_app
from monitor.commands.doctor import doctor
from monitor.commands.evaluate import evaluate_command
from monitor.commands.history import history
from monitor.commands.imagery import imagery_app
from monitor.commands.kept import kept
from monitor.commands.observations import observations_app
from monitor.commands.poll import poll_command
from monitor.commands.replay import replay_command
from monitor.commands.run import run_command
from monitor.commands.sites import sites_app
from monitor.commands.status import status_command
from monitor.commands.tokens import tokens_app
from monitor.commands.visits import visits_command
from monitor.errors import InputError, WorkFailed

app = typer.Typer(
    name="sitewatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Boxes would cost a third of a second for every --help and error.
    rich_markup_mode=None,
    help="Watches places: counts what flight feeds and imagery show, compares it with history, and tells "
    "people when it is unusual. Begin with “sitewatch run”.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("run")(run_command)
app.command("poll")(poll_command)
app.add_typer(sites_app, name="sites")
app.add_typer(observations_app, name="observations")
app.add_typer(imagery_app, name="imagery")
app.add_typer(detector_app, name="detector")
app.command(short_help="Show what was counted at a site, and how it is known.")(history)
app.command("visits", short_help="Show which aircraft were at a site, and how sure that is.")(visits_command)
app.add_typer(aircraft_app, name="aircraft")
app.command(short_help="Show what is normal in a series, and why.")(baseline)
app.command(short_help="Replay history as it was knowable, and say how often the rules were right.")(backtest)
app.add_typer(alerts_app, name="alerts")
app.command("replay", short_help="Replay a recorded scenario with its own clock.")(replay_command)
app.command(short_help="Show sitewatch at work on a recorded scenario.")(demo)
app.command(short_help="Load history from an archive of flight tracks.")(backfill)
app.command("evaluate", short_help="Measure how well visits are found where reports are missing.")(
    evaluate_command
)
app.command(short_help="Copy the whole database into one file, also while a service runs.")(backup)
app.command(short_help="Put a backup in the place of all that is stored.")(restore)
app.command(short_help="Say what is kept, where, why and until when.")(kept)
app.add_typer(tokens_app, name="tokens")
app.command("status")(status_command)
app.command()(doctor)


def _print_version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"sitewatch {version('sitewatch')}")
        raise typer.Exit


@app.callback()
def _sitewatch(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(asked=value),
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; an expected failure is one plain text on stderr, never a traceback."""
    try:
        app(args=arguments, prog_name="sitewatch")
    except InputError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
    except WorkFailed as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
