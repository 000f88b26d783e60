"""`sitewatch kept`: what is kept, where, why and until when."""

from typing import Annotated

import typer

from monitor.commands import JsonFlag, print_json, print_table, say


def kept(
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the table as the docs hold it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say what is kept, where, why and until when, with the times that are set here.

    docs/responsible-use.md has the same table with the times that are set by default.
    """
    from monitor.config.settings import load_settings
    from monitor.reports.kept import KEPT_TITLES, kept_markdown, kept_rows, kept_things

    settings = load_settings()
    if as_json:
        print_json({"items": list(kept_things(settings))})
    elif markdown:
        say(kept_markdown(settings))
    else:
        print_table(KEPT_TITLES, kept_rows(settings))
