"""The seven questions of docs/asking.md, each as a command, an address and a page, and what the demo's database answers.

`python -m tests.kit.asked_questions > docs/asking.md` writes the page anew: it replays the scenario of the demo.
"""

import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.bootstrap import build_app
from monitor.cli import main
from monitor.ops.logs import configure
from monitor.replay.run import run_scenario, scenario_settings
from monitor.replay.scenario import load_scenario
from monitor.web.app import create_app
from tests.kit.web_rig import Browser

SEEDS = Path("scenarios/seeds")
"""The counts and flights of the demo, without its invented pictures."""
WIDEST = 150
"""A longer line of an answer is cut in the page, and ends in an ellipsis."""
LONGEST = 30
"""So many lines of an answer stand in the page at most."""


@dataclass(frozen=True)
class Question:
    """One question in three ways."""

    title: str
    command: str
    query: str
    """As it stands behind `page` and behind `api`."""
    page: str
    api: str
    remark: str = ""


QUESTIONS = (
    Question(
        "All visits by an Il-62M, anywhere",
        "sitewatch visits --type Il-62M",
        "type=Il-62M",
        "/visits",
        "/api/v1/visits",
        "A type is known by its ICAO designator and by its names.",
    ),
    Question(
        "Arrivals at Sunan by month",
        "sitewatch history kp-sunan arrivals --by month",
        "site=kp-sunan&metric=arrivals&by=month",
        "/observations",
        "/api/v1/totals",
        "A month in which nobody watched has no value: it is not zero. How a count came about stands beside it, and counts of one "
        "procedure are not added to those of another.",
    ),
    Question(
        "What did we know on that day?",
        "sitewatch history kp-tumangang railcars --as-recorded 2023-10-20",
        "site=kp-tumangang&metric=railcars&as_recorded=2023-10-20",
        "/observations",
        "/api/v1/observations",
        "What this database held by the end of the day; `--as-of` (`as_of`) is what was knowable to anybody by then. The command "
        "shows what others declared, too.",
    ),
    Question(
        "Which sites were unusual in that week?",
        "sitewatch alerts list --since 2023-10-02 --until 2023-10-08",
        "since=2023-10-02&until=2023-10-08",
        "/alerts",
        "/api/v1/alerts",
        "Alerts that were open at some time of it.",
    ),
    Question(
        "Everything to QGIS",
        "sitewatch history --format geojson",
        "",
        "/observations",
        "/api/v1/observations",
        "Write it to a file (`> everything.geojson`), or give QGIS the address with `format=geojson` or `format=parquet`: points "
        "inside the sites, with all columns. `sites?format=geojson` has the outlines.",
    ),
    Question(
        "Where were military VIP aircraft in the summer of 2023, and how sure is that?",
        "sitewatch visits --class vip_military --confidence 3 --since 2023-06 --until 2023-08",
        "class=vip_military&confidence=3&since=2023-06&until=2023-08",
        "/visits",
        "/api/v1/visits",
        "Confidence is the least that is asked for, from 1 to 4.",
    ),
    Question(
        "The most railcars of each year, at every site",
        "sitewatch history --metric railcars --by year",
        "metric=railcars&by=year",
        "/observations",
        "/api/v1/totals",
        "Of stocks the highest count is taken; on how many days somebody counted stands beside it.",
    ),
)
_HEAD = """# Asking

Seven questions, each as one command, one address of the API and one page. The answers are those of the demo's database; a test asks
them all and compares. Part of that scenario is invented or reconstructed, and says so. [commands.md](commands.md) has every option,
[api.md](api.md) every parameter: they mean the same everywhere, so that a page's address is the question in the API's words. Written by
`python -m tests.kit.asked_questions > docs/asking.md`.
"""


def answered(question: Question) -> str:
    """What the command prints."""
    out = io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main(shlex.split(question.command)[1:])
    return out.getvalue()


def shown(question: Question, answer: str) -> str:
    """An answer as the page shows it: of a file what it holds."""
    if "geojson" in question.command:
        document = json.loads(answer)
        features = document["features"]
        sites = {each["properties"]["site_id"] for each in features}
        return f"A FeatureCollection of {len(features):,} points at {len(sites)} sites."
    lines = [_cut(line) for line in answer.rstrip().splitlines()]
    if len(lines) > LONGEST:
        lines = [*lines[:LONGEST], f"… and {len(lines) - LONGEST} lines more"]
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1].rstrip()}…"


def address(question: Question, path: str) -> str:
    """Where it is answered."""
    return f"{path}?{question.query}" if question.query else path


def document() -> str:
    """The whole page; the database is named in the environment."""
    return "\n".join([_HEAD, *map(_part, QUESTIONS)])


def _part(question: Question) -> str:
    return (
        f"## {question.title}\n\n{question.remark}\n\n"
        f"- Command: `{question.command}`\n"
        f"- Address: `{address(question, question.api)}`\n"
        f"- Page: `{address(question, question.page)}`\n\n"
        f"~~~\n{shown(question, answered(question))}\n~~~\n"  # a fence whose text is no command to be typed
    )


@contextlib.contextmanager
def replayed(database_url: str) -> Iterator[Browser]:
    """The scenario of the demo in a new database, with its page as it stands at the end."""
    run_scenario(SEEDS, database_url).close()
    scenario = load_scenario(SEEDS)
    app = build_app(scenario_settings(scenario, database_url))
    page = create_app(app, lambda: scenario.end)
    yield Browser(page)
    page.state.version.close()
    page.state.late.app.engine.dispose()
    app.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/asked.db"
        os.environ["SITEWATCH_DATABASE_URL"] = url
        configure("auto", ())
        with replayed(url):
            sys.stdout.write(document())
