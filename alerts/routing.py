"""Who is told what, and when: routes that pick channels for an alert, and each channel's hours and limits. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Literal
from zoneinfo import ZoneInfo

from alerts.watch import SiteWatch
from alerts.words import capital, listed
from db.records import Alert, DeliveryState
from db.spelling import folded

OWN_COUNTS = "own"
"""How a route names counts that no publisher gave: those made here."""
CLASS_PREFIX = "class:"
EVERY_DAY = frozenset(range(7))
_DAYS_AHEAD = 9
# A week and a day, for the last day of a week may begin in another offset of the zone.


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What a route can ask about an alert."""

    site: str
    kind: str
    regions: tuple[str, ...]
    metric: str
    classes: tuple[str, ...]
    severity: str
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matcher:
    """What an alert must be: any of the words of each property, of every property that is named; `site` takes `*`."""

    site: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    metric: tuple[str, ...] = ()
    aircraft_class: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    publisher: tuple[str, ...] = ()

    def misses(self, facts: AlertFacts) -> str:
        """What is not as this asks, in words; '' where all is."""
        asked = (
            ("site", self.site, (facts.site,)),
            ("kind", self.kind, (facts.kind,)),
            ("region", self.region, facts.regions),
            ("metric", self.metric, (facts.metric,)),
            ("class", self.aircraft_class, facts.classes),
            ("severity", self.severity, (facts.severity,)),
            ("publisher", self.publisher, facts.publishers),
        )
        for name, wanted, found in asked:
            if wanted and not any(_fits(each, pattern) for each in found for pattern in wanted):
                have = listed(found) if found else "none"
                return f"wants {name} {' or '.join(wanted)}, and this alert has {have}"
        return ""


def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(folded(value), folded(pattern))


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts that match go to these channels, and no further unless `go_on`."""

    name: str
    channels: tuple[str, ...]
    match: Matcher = field(default_factory=Matcher)
    go_on: bool = False


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """When a channel is told, in its receiver's own zone, and how much of it.

    `quiet` are two times of day, the second not included; on days outside `working_days` (0 is Monday) it is quiet all
    day. Urgent alerts pass both, and the cap, where `urgent_at_once`. `daily_at` is when the daily digest is due; without
    `one_by_one` alerts wait for it.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    quiet: tuple[time, time] | None = None
    working_days: frozenset[int] = EVERY_DAY
    urgent_at_once: bool = True
    at_most_an_hour: int | None = None
    repeat: timedelta | None = None
    daily_at: time | None = None
    one_by_one: bool = True
    notices: bool = True
    language: str = "en"

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet that reigns at `now` ends; None where there is none."""
        if not self._is_quiet(now):
            return None
        ends = (time(0), self.quiet[1]) if self.quiet else (time(0),)
        today = now.astimezone(self.zone).date()
        moments = sorted(
            datetime.combine(today + timedelta(days=days), at, self.zone).astimezone(UTC)
            for days in range(_DAYS_AHEAD)
            for at in ends
        )
        return next((each for each in moments if each > now and not self._is_quiet(each)), moments[-1])

    def _is_quiet(self, now: datetime) -> bool:
        local = now.astimezone(self.zone)
        if local.weekday() not in self.working_days:
            return True
        if self.quiet is None:
            return False
        start, end = self.quiet
        at = local.time()
        return start <= at < end if start < end else at >= start or at < end

    def daily_slot(self, now: datetime) -> datetime | None:
        """The moment of the newest daily digest that is due by now; None where the channel gets none."""
        if self.daily_at is None:
            return None
        today = now.astimezone(self.zone).date()
        days = (today, today - timedelta(days=1), today - timedelta(days=2))
        moments = (datetime.combine(day, self.daily_at, self.zone).astimezone(UTC) for day in days)
        return next(each for each in moments if each <= now)


AS_BEFORE = ChannelPolicy()
"""How a channel is told of which the settings say nothing more: at once, and of everything."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one event of an alert at one channel, and why, as a sentence."""

    channel: str
    state: Literal["queued", "gathered", "unrouted"]
    why: str
    pressing: bool = False

    def within(self, state: DeliveryState) -> DeliveryState:
        """The state of the delivery where the event itself is too old or silenced."""
        return self.state if state == "queued" or self.state == "unrouted" else state


@dataclass(frozen=True, slots=True)
class Routing:
    """The routes in their order, and the policy of each channel that has one."""

    routes: Sequence[Route] = ()
    policies: Mapping[str, ChannelPolicy] = field(default_factory=dict)

    def policy(self, channel: str) -> ChannelPolicy:
        """How a channel wants to be told."""
        return self.policies.get(channel, AS_BEFORE)

    def noticed(self, channels: Sequence[str]) -> tuple[str, ...]:
        """Those of the channels that are told about sitewatch itself."""
        return tuple(each for each in channels if self.policy(each).notices)

    def takers(self, channels: Sequence[str], facts: AlertFacts) -> tuple[str, ...]:
        """Those of the channels that are told something of which no alert is kept; none of it waits for a digest."""
        return tuple(each.channel for each in self.decide(channels, facts) if each.state != "unrouted")

    def decide(
        self, channels: Sequence[str], facts: AlertFacts, told: frozenset[str] = frozenset()
    ) -> Iterator[Decision]:
        """Decide for every channel; `told` are those that carried something of this alert: they hear how it goes on."""
        taken = self._taken(facts)
        for channel in channels:
            why = self._why(channel, facts, taken, channel in told)
            if why is None:
                yield Decision(channel, "unrouted", self._why_not(channel, facts, taken))
                continue
            policy = self.policy(channel)
            pressing = policy.urgent_at_once and facts.severity == "urgent"
            waits = not (policy.one_by_one or pressing)
            yield Decision(channel, "gathered" if waits else "queued", why, pressing)

    def _taken(self, facts: AlertFacts) -> list[Route]:
        found = []
        for route in self.routes:
            if not route.match.misses(facts):
                found.append(route)
                if not route.go_on:
                    break
        return found

    def _why(self, channel: str, facts: AlertFacts, taken: Sequence[Route], told: bool) -> str | None:
        if not any(channel in route.channels for route in self.routes):
            return "No route names this channel, so it is told everything."
        if route := next((each for each in taken if channel in each.channels), None):
            return f"The route “{route.name}” matches and names this channel."
        return "This channel was told of the alert before, so it hears how it goes on." if told else None

    def _why_not(self, channel: str, facts: AlertFacts, taken: Sequence[Route]) -> str:
        last = taken[-1] if taken and not taken[-1].go_on else None
        said = []
        for route in self.routes:
            if channel in route.channels:
                missed = route.match.misses(facts)
                if not missed and last is not None:
                    missed = (
                        f"comes after “{last.name}”, which matched first and goes to {listed(last.channels)}"
                    )
                said.append(f"the route “{route.name}” {missed}")
        return f"{capital('; '.join(said))}."


def alert_facts(alert: Alert, site: SiteWatch | None) -> AlertFacts:
    """What routes can ask about an alert; a site that is no longer watched has no kind and lies in no region."""
    entries = alert.details.get("entries", ())
    subjects = dict.fromkeys((*alert.subjects, *(each["subject"] for each in entries)))
    return AlertFacts(
        site=alert.site_id,
        kind=site.kind if site else "",
        regions=site.regions if site else (),
        metric=alert.metric,
        classes=tuple(each.removeprefix(CLASS_PREFIX) for each in subjects if each.startswith(CLASS_PREFIX)),
        severity=alert.details.get("severity", "notify"),
        publishers=tuple(dict.fromkeys(each["publisher"] or OWN_COUNTS for each in entries)),
    )
