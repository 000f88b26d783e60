"""`sitewatch doctor`: what is misconfigured, and how to mend it."""

from dataclasses import asdict
from typing import Annotated

import typer

from monitor.commands import JsonFlag, print_json, say
from monitor.config.clock import utc_now

_MARKS = {"ok": "ok     ", "warning": "WARNING", "broken": "BROKEN "}


def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing outside the database.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check everything, and say how to mend what is wrong.

    Looks at settings, sites, database, disk, channels, providers and clock. Changes nothing and sends no message; a dead-man ping that is set is tried. Ends with 1 if something is broken.
    """
    from monitor.runtime.doctor import examine

    findings = []
    for finding in examine(utc_now, network=not offline):
        findings.append(finding)
        if not as_json:
            say(f"{_MARKS[finding.state]} {finding.check}: {finding.found}")
            if finding.mend:
                say(f"        → {finding.mend}")
    broken = [each for each in findings if each.state == "broken"]
    if as_json:
        print_json({"ok": not broken, "items": [asdict(each) for each in findings]})
    if broken:
        raise typer.Exit(1)
