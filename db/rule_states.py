"""What rules remember of a series between looks, and what a class of series has scored: caches, one row each."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from db.records import SeriesKey
from db.schema import SERIES_KEY, alert, alert_event, evaluation, rule_state
from db.upsert import upsert

StoredState = Mapping[str, Any]
_KEY = (*SERIES_KEY, "rule")
_CLASS = "class"


def read_rule_states(
    connection: Connection, site_id: str, area: str, metric: str
) -> dict[SeriesKey, dict[str, StoredState]]:
    """Read what each rule remembers of each series of a site, area and metric."""
    query = select(rule_state).where(
        rule_state.c.site_id == site_id, rule_state.c.area == area, rule_state.c.metric == metric
    )
    found: dict[SeriesKey, dict[str, StoredState]] = defaultdict(dict)
    for row in connection.execute(query):
        key = SeriesKey(row.site_id, row.area, row.metric, row.subject, row.procedure)
        found[key][row.rule] = row.state
    return dict(found)


def store_rule_state(
    connection: Connection, series: SeriesKey, rule: str, state: StoredState, now: datetime
) -> None:
    """Keep what a rule remembers of a series."""
    row = {name: getattr(series, name) for name in SERIES_KEY}
    upsert(connection, rule_state, {**row, "rule": rule, "state": dict(state), "updated_at": now}, _KEY)


def read_class_state(connection: Connection, rule: str) -> StoredState | None:
    """Read what was worked out about the classes of one rule."""
    query = select(rule_state.c.state).where(
        rule_state.c.site_id == "", rule_state.c.metric == _CLASS, rule_state.c.rule == rule
    )
    state: StoredState | None = connection.execute(query).scalar()
    return state


def store_class_state(connection: Connection, rule: str, state: StoredState, now: datetime) -> None:
    """Keep what was worked out about the classes of one rule."""
    store_rule_state(connection, SeriesKey("", "", _CLASS, "", ""), rule, state, now)


def past_scores(
    connection: Connection, rules: Collection[str], since: datetime, until: datetime
) -> dict[tuple[str, str], list[float]]:
    """Read the scores (-log₁₀ p) by rule and class of looks judged as of [since, until).

    Looks of alerts that somebody acknowledged are left out: they were real.
    """
    kind = evaluation.c.details["class"].as_string()
    score = evaluation.c.details["score"].as_float()
    confirmed = (
        select(alert_event.c.alert_id)
        .join(alert, alert.c.id == alert_event.c.alert_id)
        .where(
            alert.c.acknowledged_at.is_not(None),
            alert.c.site_id == evaluation.c.site_id,
            alert.c.metric == evaluation.c.metric,
            alert_event.c.subject == evaluation.c.subject,
            alert_event.c.period_start == evaluation.c.period_start,
        )
    )
    query = select(evaluation.c.rule, kind, score).where(
        evaluation.c.rule.in_(sorted(rules)),
        evaluation.c.status == "evaluated",
        evaluation.c.as_of >= since,
        evaluation.c.as_of < until,
        kind.is_not(None),
        ~confirmed.exists(),
    )
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for rule, each, value in connection.execute(query):
        found[rule, each].append(value)
    return dict(found)


def first_evaluation(connection: Connection, rules: Collection[str]) -> datetime | None:
    """When the oldest verdict of these rules was given, as of the time it is about."""
    query = select(func.min(evaluation.c.as_of)).where(
        evaluation.c.rule.in_(sorted(rules)), evaluation.c.status == "evaluated"
    )
    found: datetime | None = connection.execute(query).scalar()
    return found
