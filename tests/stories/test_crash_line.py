"""kill -9 anywhere in poll, derive, judge and deliver: the database ends as if nobody had been killed."""

import json
import multiprocessing
import random
import re
import shutil
import signal
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, select

from db.engine import open_engine, reading
from db.schema import (
    alert,
    alert_event,
    blind_period,
    change,
    coverage_hour,
    declared_baseline,
    delivery,
    evaluation,
    fix,
    note,
    observation,
    poll,
    rule_state,
    series,
    site_version,
    visit,
    visit_version,
)
from tests.kit.fakes.line_child import NEVER, Diary, main

pytestmark = [pytest.mark.long, pytest.mark.untraced]

KEPT = (
    *(alert, alert_event, blind_period, change, coverage_hour, declared_baseline, evaluation, fix, note),
    *(observation, rule_state, series, site_version, visit, visit_version, delivery),
)
OF_THE_RUN = {"id", "poll_id", "attempts", "owner", "lease_until", "not_before", "sent_at"}
"""What differs between two runs of the same: numbers given out, who sent a message and how often it was tried."""
POLL_REF = re.compile(r'"kind": "poll", "ref": "(\d+)"')


def run(
    database_url: str, diary: Diary, die_at: int = NEVER, unasked: frozenset[int] = frozenset()
) -> int | None:
    """One process; give how it ended."""
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["tests.kit.fakes.line_child"])
    process = start.Process(target=main, args=(database_url, diary, die_at, unasked))
    process.start()
    process.join(120)
    code = process.exitcode
    process.close()
    return code


def rows(connection: Connection, table: Table, slots: dict[str, str], visits: dict[str, str]) -> list[str]:
    """The rows of a table as sorted text, a poll named by what was asked and when, a visit by its place and begin.

    The ids of visits are sealed with keys that are made by chance in each database.
    """
    columns = [each for each in table.c if each.name not in OF_THE_RUN]
    found = []
    for row in connection.execute(select(*columns)).mappings():
        values: dict[str, Any] = {
            name: str(value) if hasattr(value, "hour") else value for name, value in row.items()
        }
        text = json.dumps(values, sort_keys=True, default=str)
        for visit_id, name in visits.items():
            text = text.replace(visit_id, name)
        found.append(POLL_REF.sub(lambda match: f'"poll": "{slots[match[1]]}"', text))
    return sorted(found)


def everything(engine: Engine) -> dict[str, list[str]]:
    with reading(engine) as connection:
        asked = select(poll.c.id, poll.c.provider, poll.c.scope, poll.c.slot)
        slots = {str(row.id): f"{row.provider} {row.scope} {row.slot}" for row in connection.execute(asked)}
        known = select(visit.c.visit_id, visit.c.site_id, visit.c.first_fix_at, visit.c.arrived_at)
        visits = {row[0]: f"{row[1]} {row[2]} {row[3]}" for row in connection.execute(known)}
        assert len(set(visits.values())) == len(visits)
        return {table.name: rows(connection, table, slots, visits) for table in KEPT}


class Undisturbed:
    """The same line, run by a process that nobody kills."""

    def __init__(self, migrated: Path, folder: Path, unasked: frozenset[int]) -> None:
        diary = Diary(folder)
        url = f"sqlite:///{shutil.copy(migrated, folder / 'whole.db')}"
        assert run(url, diary, unasked=unasked) == 0
        engine = open_engine(url)
        self.rows, self.statements = everything(engine), diary.statements
        engine.dispose()


Undisturbing = Callable[[frozenset[int]], Undisturbed]


@pytest.fixture(scope="module")
def undisturbed(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbing:
    """Run the line without kills, with nobody asked at some moments; the same is not run twice."""
    return cache(lambda unasked: Undisturbed(migrated_sqlite, tmp_path_factory.mktemp("whole"), unasked))


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_a_line_that_is_killed_again_and_again_ends_as_one_that_never_was(
    database_url: str,
    tmp_path: Path,
    undisturbed: Undisturbing,
    kills: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    length = undisturbed(frozenset()).statements
    seed = random.SystemRandom().getrandbits(32)
    diary = Diary(tmp_path)
    cuts = sorted(random.Random(seed).sample(range(1, length), kills))
    for begin, end in pairwise([0, *cuts]):
        # What was in hand is done again, so that the line is never at its end before the last cut.
        assert run(database_url, diary, end - begin) == -signal.SIGKILL, seed
    assert run(database_url, diary) == 0
    engine = open_engine(database_url)
    found = everything(engine)
    engine.dispose()
    with capsys.disabled():
        print(  # noqa: T201 — where it was killed is worth seeing
            f"\n{engine.dialect.name}: {kills} kills in a line of {length} statements, {len(diary.lost)} questions "
            f"lost with their answers, seed {seed}"
        )
    # An answer that died with its process is time that nobody watched, as if it had not been asked.
    for name, lines in undisturbed(diary.lost).rows.items():
        assert found[name] == lines, f"{name}, seed {seed}"
    assert {json.loads(line)["state"] for line in found["delivery"]} <= {"sent", "too_old"}
    # Answers that died with their process may have been those of the landing: what there is to find is in the twin.
    whole = undisturbed(frozenset()).rows
    assert (len(whole["visit"]), len(whole["alert"]) > 1) == (1, True)
