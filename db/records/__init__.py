"""Records that cross module borders: frozen, typed, free of SQL. The project's words, units in names, UTC. Pure."""

from db.records.base import Evidence, JsonMapping, SeriesKey
from db.records.counts import (
    Change,
    DeclaredBaseline,
    Note,
    Observation,
    ObservationKey,
    Precision,
    Qualifier,
    SeriesKind,
    Statistic,
)
from db.records.flights import AWAITED_STATES, INFERRED, PRESENT_STATES, Fix, TimeBounds, Visit, VisitState
from db.records.imagery import Cutout, CutoutFailure, Scene
from db.records.judging import (
    Alert,
    AlertEvent,
    AlertStatus,
    Delivery,
    DeliveryState,
    Evaluation,
    EvaluationStatus,
    EventKind,
)
from db.records.polling import HOUR_S, BlindPeriod, CoverageHour, Outcome, Poll, ProviderState, Purpose

__all__ = [
    "AWAITED_STATES",
    "HOUR_S",
    "INFERRED",
    "PRESENT_STATES",
    "Alert",
    "AlertEvent",
    "AlertStatus",
    "BlindPeriod",
    "Change",
    "CoverageHour",
    "Cutout",
    "CutoutFailure",
    "DeclaredBaseline",
    "Delivery",
    "DeliveryState",
    "Evaluation",
    "EvaluationStatus",
    "EventKind",
    "Evidence",
    "Fix",
    "JsonMapping",
    "Note",
    "Observation",
    "ObservationKey",
    "Outcome",
    "Poll",
    "Precision",
    "ProviderState",
    "Purpose",
    "Qualifier",
    "Scene",
    "SeriesKey",
    "SeriesKind",
    "Statistic",
    "TimeBounds",
    "Visit",
    "VisitState",
]
