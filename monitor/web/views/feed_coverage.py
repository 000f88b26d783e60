"""What the feeds can and cannot see at a site, in plain words: silence is not zero. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.words import ago, counted_by, duration, look_period, numbered, utc
from db.records import HOUR_S, BlindPeriod, CoverageHour, Observation, Scene
from db.said import grouped, percent, phrase
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
            "unknown", phrase("{name} has not been asked about this place in the last 24 hours.", name=name)
        )
    if observed_s == 0:
        return CoverageSentence(
            "blind",
            phrase(
                "{name} gave no good answer in the last 24 hours. Nothing is known of flights here in that time, which is not the same as no flights.",
                name=name,
            ),
        )
    answered = phrase("{name} answered for {hours} of the last 24 hours", name=name, hours=_hours(observed_s))
    if any(each.degraded for each in hours):
        answered = phrase("{answered} (some of them disturbed by jamming or spoofing)", answered=answered)
    if reports:
        return CoverageSentence(
            "seen",
            phrase(
                "{answered} and passed on {reports} position reports near this place.",
                answered=answered,
                reports=grouped(reports),
            ),
        )
    other = reception.busiest_other(site.id, name)
    if other is not None and other.aircraft:
        return CoverageSentence(
            "blind",
            phrase(
                "{answered}: {aircraft} aircraft heard near {place} when it was last asked there, none near {name}. No receiver hears this place: no coverage, not no flights.",
                answered=answered,
                aircraft=grouped(other.aircraft),
                place=other.place,
                name=site.name,
            ),
        )
    return CoverageSentence(
        "blind",
        phrase(
            "{answered} and heard nothing here or anywhere else that it was asked about.", answered=answered
        ),
    )


def _hours(seconds: int) -> str:
    hours = seconds / HOUR_S
    return grouped(hours) if hours >= 1 else duration(timedelta(seconds=max(60, seconds)))


def outage_sentence(period: BlindPeriod) -> CoverageSentence:
    """Say since when no working feed has watched a site."""
    return CoverageSentence(
        "blind",
        phrase(
            "No working feed has watched this place since {since}. What happened meanwhile is not known, and nothing is concluded from it.",
            since=utc(period.since),
        ),
    )


def imagery_sentence(provider: Provider, scenes: Sequence[Scene], now: datetime) -> CoverageSentence:
    """Say how many satellite passes a catalogue lists of the last month, and how clear the newest was."""
    days = PASSES_OVER // RECEPTION_OVER
    passes = {each.look_key: each for each in scenes if each.provider == provider.name}
    if not passes:
        return CoverageSentence(
            "unknown",
            phrase("{name} lists no satellite pass of the last {days} days.", name=provider.name, days=days),
        )
    newest = max(passes.values(), key=lambda each: each.acquired_at)
    clear = sum(each.cloud_share is not None and each.cloud_share < _CLOUDY for each in passes.values())
    cloud = (
        phrase("cloud cover not stated")
        if newest.cloud_share is None
        else phrase("{cloud_share} under cloud", cloud_share=percent(newest.cloud_share))
    )

    return CoverageSentence(
        "seen" if clear else "blind",
        phrase(
            "{name} lists {passes} of the last {days} days, {clear} of them mostly clear; the newest {ago} ({platform}, {cloud}). A pass is a picture that can be looked at, not a count.",
            name=provider.name,
            passes=numbered(len(passes), "satellite pass", "satellite passes"),
            days=days,
            clear=clear,
            ago=ago(newest.acquired_at, now),
            platform=newest.platform,
            cloud=cloud,
        ),
    )


def published_sentence(newest: Observation | None, zone: str, now: datetime) -> CoverageSentence:
    """Say how old the newest count is, and whose."""
    if newest is None:
        return CoverageSentence("unknown", phrase("Nobody has counted anything here yet."))
    kind = "seen" if now - newest.period_end < CURRENT_FOR else "blind"
    when = look_period(newest, zone)
    age = ago(newest.period_end, now)
    return CoverageSentence(
        kind,
        phrase(
            "The newest count is from {when}, {age} ({counted_by}).",
            when=when,
            age=age,
            counted_by=counted_by(newest),
        ),
    )
