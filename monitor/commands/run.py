"""`sitewatch run`: the service."""

from typing import Annotated

import typer

from monitor.commands import opened, say


def run_command(
    *,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Poll, derive, judge and deliver once, then end (for cron). Channels that take one message after "
            "another are waited for, at most two minutes.",
        ),
    ] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Do not serve the page.")] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where the page listens, whatever the setting `host` says."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="At which port, whatever the setting `port` says; 0 takes any free one."
        ),
    ] = None,
) -> None:
    """Watch until stopped: poll, judge and tell.

    Before that the database is brought up to date and the sites and their history are loaded. The first SIGTERM or Ctrl-C finishes what is in hand; a second one stops at once. Of several services on one
    database one watches, and the others wait to take over.
    """
    from monitor.ops.memory import limit_memory
    from monitor.runtime import service

    limit_memory()
    with opened(prepared=False, typed={"host": host, "port": port}) as app:
        if once:
            service.run_once(app, say)
        elif no_web:
            service.run_service(app, say)
        else:
            from monitor.runtime.serving import serve

            service.run_service(app, say, serve)
