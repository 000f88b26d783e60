"""What is said of polls: a report of each, one line of log for a round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from db.records import ProviderState, Purpose

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PollReport:
    """How one poll ended, in figures and in plain words; `skipped` means that nothing was asked."""

    provider: str
    scope: str
    purpose: Purpose
    outcome: Literal["ok", "empty", "failed", "skipped"]
    text: str
    site_ids: tuple[str, ...] = ()
    items: int = 0
    fixes: int = 0
    scenes: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)


def log_round(before: ProviderState, after: ProviderState, reports: Sequence[PollReport]) -> None:
    """One line for a round of polls, and one when a provider begins to fail, refuses, or works again."""
    if reports:
        outcomes = [report.outcome for report in reports]
        counts = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
        fixes = sum(report.fixes for report in reports)
        scenes = sum(report.scenes for report in reports)
        log.info("polled", provider=after.provider, **counts, fixes=fixes, scenes=scenes)
    if before.health == after.health:
        return
    if after.health == "disabled":
        log.error(
            "provider refuses this program and is not asked again",
            provider=after.provider,
            error=after.last_error,
        )
    elif after.health == "failing":
        log.warning("provider fails", provider=after.provider, error=after.last_error)
    elif before.health in ("failing", "disabled"):
        log.info("provider works again", provider=after.provider, failed_since=before.failing_since)
