"""What tests read of a database and the program never asks for: every version, single rows by id."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, select

from db.evaluations import _evaluation
from db.flights import _from_row
from db.observations import READ_OBSERVATIONS, observation_from_row
from db.records import Evaluation, Observation, Poll, Scene, SeriesKey, Visit
from db.schema import SERIES_KEY, evaluation, observation, poll, scene, visit_version


def poll_by_id(connection: Connection, poll_id: int) -> Poll:
    """Read one poll."""
    columns = [poll.c[each.name] for each in fields(Poll)]
    return Poll(*connection.execute(select(*columns).where(poll.c.id == poll_id)).one())


def visit_versions(connection: Connection, visit_id: str) -> list[Visit]:
    """Read every version of one visit, oldest first."""
    query = select(visit_version).where(visit_version.c.visit_id == visit_id)
    rows = connection.execute(query.order_by(visit_version.c.version))
    return [_from_row(row) for row in rows.mappings()]


def scene_versions(connection: Connection, item_id: str, site_id: str) -> list[Scene]:
    """Read every version of one item over one site, oldest first."""
    columns = [scene.c[each.name] for each in fields(Scene)]
    query = select(*columns).where(scene.c.item_id == item_id, scene.c.site_id == site_id)
    return [Scene(*row) for row in connection.execute(query.order_by(scene.c.version))]


def revisions(
    connection: Connection, key: SeriesKey, period_start: datetime, look_key: str
) -> list[Observation]:
    """Read every revision of one look, in the order of recording."""
    query = READ_OBSERVATIONS.where(
        *(observation.c[name] == getattr(key, name) for name in SERIES_KEY),
        observation.c.period_start == period_start,
        observation.c.look_key == look_key,
    )
    return [observation_from_row(row) for row in connection.execute(query.order_by(observation.c.revision))]


def evaluations(connection: Connection, site_id: str) -> Sequence[Evaluation]:
    """Read the verdicts about a site, by period."""
    query = select(evaluation).where(evaluation.c.site_id == site_id)
    order = (evaluation.c.period_start, evaluation.c.subject, evaluation.c.revision, evaluation.c.rule)
    return [_evaluation(row) for row in connection.execute(query.order_by(*order))]
