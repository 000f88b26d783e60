"""Bounds from the class's own past scores, worked out once a day and kept in a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.baselines.calibrate import GUARD_DAYS, WARM_UP_DAYS, WINDOW_DAYS
from alerts.judging.verdicts import Scores
from alerts.promise import ALTERNATIVES, ClassScores
from alerts.rules.contract import State
from db.engine import Connection
from db.rule_states import class_state, first_evaluation, keep_class_state, past_scores

RECALIBRATED = tuple(ALTERNATIVES)
"""Rules whose p depends on a model of the counts; the others hold by exact laws."""
_MOST_KEPT = 2_000
_NAME = "tail"


@dataclass(frozen=True, slots=True)
class Calibration:
    """The highest scores of each class as of one day, as a row keeps them; `is_new` where no row does yet."""

    kept: State
    is_new: bool

    @property
    def scores(self) -> Scores:
        """The scores by rule and class."""
        return scores_of(self.kept)


def calibration_at(connection: Connection, at: datetime) -> Calibration:
    """The highest scores of each class as of this day: those of the past 365 days less the newest two.

    Nothing is told before 180 days of verdicts, so that a bound is not learnt from a season.
    """
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    kept = class_state(connection, _NAME)
    if kept is not None and kept["day"] == day.isoformat():
        return Calibration(kept, is_new=False)
    return Calibration({"day": day.isoformat(), "classes": _classes(connection, day)}, is_new=True)


def keep_calibration(connection: Connection, calibration: Calibration, at: datetime) -> None:
    """Keep what was worked out, for the other looks of the day."""
    keep_class_state(connection, _NAME, calibration.kept, at)


def scores_of(kept: State) -> Scores:
    """Read the scores of a kept row."""
    return {
        (each["rule"], each["class"]): ClassScores(each["n"], tuple(each["top"])) for each in kept["classes"]
    }


def _classes(connection: Connection, day: datetime) -> list[Mapping[str, object]]:
    began = first_evaluation(connection, RECALIBRATED)
    if began is None or day - began < timedelta(days=WARM_UP_DAYS):
        return []
    until = day - timedelta(days=GUARD_DAYS)
    found = past_scores(connection, RECALIBRATED, until - timedelta(days=WINDOW_DAYS), until)
    return [
        {"rule": rule, "class": kind, "n": len(scores), "top": sorted(scores, reverse=True)[:_MOST_KEPT]}
        for (rule, kind), scores in sorted(found.items())
    ]
