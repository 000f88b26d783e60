"""Questions to providers, how they fared, and how long a site was watched."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from db.records.base import JsonMapping

Outcome = Literal["ok", "empty", "failed"]
Purpose = Literal["data", "canary", "token", "page"]

HOUR_S = 3600
"""The seconds of an hour of coverage."""


@dataclass(frozen=True, slots=True)
class CoverageHour:
    """How long one provider really watched one site in one UTC hour."""

    provider: str
    site_id: str
    hour: datetime
    expected_s: int
    observed_s: int
    degraded: bool = False
    reports_nearby: int = 0


@dataclass(frozen=True, slots=True)
class BlindPeriod:
    """A time in which no working feed watched a site; `ended_at` None while it lasts."""

    site_id: str
    since: datetime
    noticed_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """One request to one provider for one scope, with its outcome (None while it runs)."""

    id: int
    provider: str
    scope: str
    slot: int
    purpose: Purpose
    started_at: datetime
    sequence: int = 0
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    http_status: int | None = None
    item_count: int | None = None
    feed_time: datetime | None = None
    error: str | None = None
    answer_sha256: str | None = None
    """Of the answer as it came; nothing of it is kept but extracts."""
    answer_size: int | None = None


@dataclass(frozen=True, slots=True)
class Extract:
    """What one answer said of one watched aircraft: the provider's own names and units, and only fields that are used.

    Nothing is said of other aircraft. Whoever has the whole answer can check it by the poll's `answer_sha256`.
    """

    icao24: str
    rows: tuple[JsonMapping, ...]
    request: str = ""
    """The address that was asked, without keys."""
    redistribute: bool = False
    """Whether the provider's terms let it be passed on."""
    poll_id: int | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What is known of one provider's health; `not_before` is the earliest next request.

    `retry_at` is the provider's own wish in it (Retry-After), which holds for a person's poll too.
    """

    provider: str
    health: Literal["unknown", "ok", "failing", "disabled"]
    updated_at: datetime
    not_before: datetime | None = None
    last_ok_at: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    feed_time: datetime | None = None
    failures: int = 0
    credits: JsonMapping | None = None
    retry_at: datetime | None = None
