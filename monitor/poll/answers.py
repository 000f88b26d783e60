"""What an answer, or the lack of one, is worth: made into the result that the database keeps, and told in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import structlog

from alerts.words import utc, utc_seconds
from db.polls import PollResult
from db.provider_states import LONGEST_OWN_WAIT_S
from db.records import Fix, Outcome, Poll, ProviderState, Purpose
from monitor.config.secrets import visible
from monitor.feeds import FeedError, Fetched, Provider, Scope
from monitor.feeds.circles import circle_around
from monitor.sites import Site

NEARBY_NM = 40.0
"""Reports this near to a site show how well the place is heard."""
_THINGS = {
    "stac": "scenes over",
    "opensky_flights": "flights claimed for",
    "opensky_tracks": "waypoints for",
    "flightradar24_airports": "aircraft on their way to or from airports, for",
    "flightradar24_flights": "flights claimed for",
    "detections_file": "rows read for",
    "ogc_features": "features around",
    "stac_detections": "items over",
    "firms": "hot spots around",
    "gfw_port_visits": "port visits around",
}
"""What each kind of feed lists, where it is not aircraft around a place."""
_ILLEGIBLE = {
    "impossible position",
    "no valid address",
    "not a state vector",
    "not an object",
    "position without age",
}
"""Reasons for which a position report is refused that no working feed gives for all of them."""
_log = structlog.get_logger()


def held_back(state: ProviderState, now: datetime, *, force: bool) -> str:
    """Why a provider is not to be asked now, '' where it may be."""
    if force:
        if state.retry_at and state.retry_at > now:
            return f"{state.provider} asked to be left alone until {utc(state.retry_at)}."
        return ""
    if state.health == "disabled":
        return f"{state.provider} refused this program: {state.last_error}"
    return "held back" if state.not_before and state.not_before > now else ""


def shared_rest(provider: str, other: str, until: datetime) -> str:
    """Why a provider is not asked that did not itself say that it is asked too often."""
    return (
        f"{other} is at the same host with the same credentials as {provider} and asked to be left alone until "
        f"{utc(until)}; one limit holds for both."
    )


def back_off_s(failures: int, interval_s: int) -> int:
    """How long to leave a provider alone after so many failed slots on end: not at all, one slot, two, four."""
    if failures <= 1:
        return 0
    # Beyond ten doublings the cap holds anyway.
    return int(min(interval_s * 2 ** min(failures - 2, 10), LONGEST_OWN_WAIT_S))


def answered_result(fetched: Fetched, outcome: Outcome) -> PollResult:
    """The result of a poll that was answered."""
    return PollResult(
        outcome,
        http_status=fetched.http_status,
        item_count=fetched.item_count,
        feed_time=fetched.feed_time,
        bodies=fetched.bodies,
        fixes=fetched.fixes,
        scenes=fetched.scenes,
        detections=fetched.detections,
        claims=fetched.claims,
        estimates=fetched.estimates,
    )


def failed_result(error: FeedError) -> PollResult:
    """The result of a poll that failed."""
    return PollResult(
        "failed",
        http_status=error.status,
        error=visible(error.reason),
        bodies=(error.body,) if error.body else (),
        retry_after_s=error.retry_after_s,
        disable=error.disable,
        ours=error.ours,
    )


def check_advance(fetched: Fetched, earlier: Poll | None, slot: int, where: str) -> None:
    """Refuse an answer that is no newer than that of an earlier slot: a frozen feed repeats itself."""
    if earlier is None or earlier.slot == slot:
        return
    if fetched.feed_time and earlier.feed_time and fetched.feed_time <= earlier.feed_time:
        raise FeedError(
            f"{where}: the feed's clock has stood still since {utc_seconds(earlier.feed_time)}, so its "
            "answer is an old one.",
            status=fetched.http_status,
        )


def check_legible(fetched: Fetched, where: str) -> None:
    """Refuse an answer that lists things of which not one can be read: whoever flew there was not seen."""
    illegible = sum(number for reason, number in fetched.rejected.items() if reason in _ILLEGIBLE)
    if fetched.item_count and illegible >= fetched.item_count:
        reasons = ", ".join(sorted(fetched.rejected.keys() & _ILLEGIBLE))
        raise FeedError(
            f"{where}: not one of the {fetched.item_count} that it lists can be read ({reasons}), so nothing was "
            "seen. If this goes on, the provider has changed its format: look for a newer sitewatch.",
            status=fetched.http_status,
            body=b"".join(fetched.bodies),
        )


def count_nearby(sites: Sequence[Site], fixes: Sequence[Fix]) -> Mapping[str, int]:
    """How many of the reports are near each site."""
    circles = {site.id: circle_around(site) for site in sites}
    return {
        name: sum(circle.distance_nm(fix.lat, fix.lon) <= circle.radius_nm + NEARBY_NM for fix in fixes)
        for name, circle in circles.items()
    }


def describe_answer(provider: Provider, scope: Scope, fetched: Fetched) -> str:
    """Say in words what a good answer brought."""
    things = _THINGS.get(provider.kind, "aircraft around")
    said = f"{provider.name}: {fetched.item_count} {things} {_where_found(scope, fetched)}."
    reasons = ", ".join(f"{count} × {reason}" for reason, count in sorted(fetched.rejected.items()))
    return f"{said} Not believed: {reasons}." if reasons else said


def _where_found(scope: Scope, fetched: Fetched) -> str:
    """The sites over which there are scenes, of those that were asked about."""
    found = {scene.site_id for scene in fetched.scenes}
    got = [each for each in scope.site_ids if each in found]
    if not got or len(got) == len(scope.site_ids):
        return where_of(scope)
    none = len(scope.site_ids) - len(got)
    return f"{', '.join(got)} (none over {none} other {'site' if none == 1 else 'sites'})"


def where_of(scope: Scope) -> str:
    """Which sites, or which busy place, a scope is about."""
    return ", ".join(scope.site_ids) or scope.key


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
    ours: bool = False
    """Whether this machine was at fault that nothing came."""


def log_round(before: ProviderState, after: ProviderState, reports: Sequence[PollReport]) -> None:
    """One line for a round of polls, and one when a provider begins to fail, refuses, or works again."""
    if reports:
        outcomes = [report.outcome for report in reports]
        counts = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
        fixes = sum(report.fixes for report in reports)
        scenes = sum(report.scenes for report in reports)
        _log.info("polled", provider=after.provider, **counts, fixes=fixes, scenes=scenes)
    if before.health == after.health:
        return
    if after.health == "disabled":
        _log.error(
            "provider refuses this program and is not asked again",
            provider=after.provider,
            error=after.last_error,
        )
    elif after.health == "failing":
        _log.warning("provider fails", provider=after.provider, error=after.last_error)
    elif before.health in ("failing", "disabled"):
        _log.info("provider works again", provider=after.provider, failed_since=before.failing_since)
