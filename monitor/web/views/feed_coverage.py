"""What the feeds can and cannot see at a site, in plain words: silence is not zero. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.words import ago, counted_by, duration, look_period, utc
from db.records import HOUR_S, BlindPeriod, CoverageHour, Observation, Scene
from monitor.feeds import Provider
from monitor.sites import Site

RECEPTION_OVER = timedelta(days=1)
PASSES_OVER = timedelta(days=30)
CURRENT_FOR = timedelta(days=30)
"""A look older than this says nothing of today."""
_CLOUDY = 0.5


@dataclass(frozen=True, slots=True)
class CoverageSentence:
    """One thing that is seen or not: `kind` is seen, blind or unknown, and is drawn as well as said."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class BusyPlace:
    """How many aircraft a feed heard around one place when it was last asked there."""

    provider: str
    place: str
    aircraft: int
    site_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reception:
    """What the flight feeds heard near every site in the last day, and around which places they heard most."""

    hours: Mapping[str, Sequence[CoverageHour]]
    crowds: Sequence[BusyPlace] = ()

    def of(self, site_id: str, provider: str) -> list[CoverageHour]:
        """One provider's hours at one site."""
        return [each for each in self.hours.get(site_id, ()) if each.provider == provider]

    def busiest_other(self, site_id: str, provider: str) -> BusyPlace | None:
        """Where else the same provider heard most aircraft."""
        others = (each for each in self.crowds if each.provider == provider and site_id not in each.site_ids)
        return max(others, key=lambda each: each.aircraft, default=None)


def flight_sentence(site: Site, provider: Provider, reception: Reception) -> CoverageSentence:
    """Say what one flight feed heard near a site in the last 24 hours, and what its silence means."""
    hours = reception.of(site.id, provider.name)
    observed_s = sum(each.observed_s for each in hours)
    reports = sum(each.reports_nearby for each in hours)
    name = provider.name
    if not hours:
        return CoverageSentence(
            "unknown", f"{name} has not been asked about this place in the last 24 hours."
        )
    if observed_s == 0:
        return CoverageSentence(
            "blind",
            f"{name} gave no good answer in the last 24 hours. Nothing is known of flights here in that time, "
            "which is not the same as no flights.",
        )
    answered = f"{name} answered for {_hours(observed_s)} of the last 24 hours"
    if any(each.degraded for each in hours):
        answered += " (some of them disturbed by jamming or spoofing)"
    if reports:
        return CoverageSentence(
            "seen", f"{answered} and passed on {reports:,} position reports near this place."
        )
    other = reception.busiest_other(site.id, name)
    if other is not None and other.aircraft:
        return CoverageSentence(
            "blind",
            f"{answered}: {other.aircraft:,} aircraft heard near {other.place} when it was last asked there, none near "
            f"{site.name}. No receiver hears this place: no coverage, not no flights.",
        )
    return CoverageSentence(
        "blind", f"{answered} and heard nothing here or anywhere else that it was asked about."
    )


def _hours(seconds: int) -> str:
    hours = seconds / HOUR_S
    return f"{hours:.0f}" if hours >= 1 else duration(timedelta(seconds=max(60, seconds)))


def outage_sentence(period: BlindPeriod) -> CoverageSentence:
    """Say since when no working feed has watched a site."""
    return CoverageSentence(
        "blind",
        f"No working feed has watched this place since {utc(period.since)}. What happened meanwhile is not "
        "known, and nothing is concluded from it.",
    )


def imagery_sentence(provider: Provider, scenes: Sequence[Scene], now: datetime) -> CoverageSentence:
    """Say how many satellite passes a catalogue lists of the last month, and how clear the newest was."""
    days = PASSES_OVER // RECEPTION_OVER
    passes = {each.look_key: each for each in scenes if each.provider == provider.name}
    if not passes:
        return CoverageSentence(
            "unknown", f"{provider.name} lists no satellite pass of the last {days} days."
        )
    newest = max(passes.values(), key=lambda each: each.acquired_at)
    clear = sum(each.cloud_share is not None and each.cloud_share < _CLOUDY for each in passes.values())
    cloud = (
        "cloud cover not stated" if newest.cloud_share is None else f"{newest.cloud_share:.0%} under cloud"
    )
    plural = "pass" if len(passes) == 1 else "passes"
    return CoverageSentence(
        "seen" if clear else "blind",
        f"{provider.name} lists {len(passes)} satellite {plural} of the last {days} days, {clear} of them mostly clear; "
        f"the newest {ago(newest.acquired_at, now)} ({newest.platform}, {cloud}). "
        "A pass is a picture that can be looked at, not a count.",
    )


def published_sentence(newest: Observation | None, zone: str, now: datetime) -> CoverageSentence:
    """Say how old the newest count is, and whose."""
    if newest is None:
        return CoverageSentence("unknown", "Nobody has counted anything here yet.")
    kind = "seen" if now - newest.period_end < CURRENT_FOR else "blind"
    when = look_period(newest, zone)
    age = ago(newest.period_end, now)
    return CoverageSentence(kind, f"The newest count is from {when}, {age} ({counted_by(newest)}).")
