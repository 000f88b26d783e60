"""Causes that several alerts of one kind and day share: whether so many come together by chance, and how that is said. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import numpy as np

from alerts.baselines.model import DAYS_A_YEAR
from alerts.incidents.findings import is_low
from alerts.metrics import metric_named
from alerts.occasions import occasion
from alerts.rules.combined import false_alarm_chance
from alerts.words import local_day, rounded_number
from db.records import Alert, SharedCause
from db.said import chained, moment, phrase

GATHER_FOR = timedelta(minutes=10)
"""How long a message waits at most for others of its kind; a round of judging that ends lets it go at once."""
WRONG_A_YEAR = 0.05
"""How often a year a cause may be named that is none, for one kind of series: once in 20 years."""
WRONG_A_DAY = WRONG_A_YEAR / DAYS_A_YEAR
UNIVERSE = timedelta(days=7)
"""A series that was judged so lately may alarm on a day, whether or not its look of that day has come yet."""
Unit = tuple[str, str, str]
"""Site, area and subject: what is counted as one among many."""


class CauseClass(NamedTuple):
    """Series that may have a cause in common: one metric, sort of subject, side and day."""

    metric: str
    sort: str
    side: Literal["high", "low"]
    day: str


def sort_of(subject: str) -> str:
    """The sort of a subject: `class` of `class:vip`; '' for the counts of all."""
    return subject.partition(":")[0] if subject else ""


def class_of(alert: Alert) -> CauseClass | None:
    """What an alert may share a cause with; None where no rule that fired has a chance: a listed subject is no coincidence."""
    fired = [
        (rule, said["details"]) for each in alert.details["entries"] for rule, said in each["rules"].items()
    ]
    if all(false_alarm_chance(rule, details) is None for rule, details in fired):
        return None
    sorts = {sort_of(each["subject"]) for each in alert.details["entries"]}
    day = local_day(alert.phenomenon_time, alert.details["timezone"])
    return CauseClass(alert.metric, min(sorts), "low" if is_low(alert) else "high", day)


def units_alarmed(alert: Alert) -> frozenset[Unit]:
    """The series of an alert."""
    return frozenset((alert.site_id, alert.area, each["subject"]) for each in alert.details["entries"])


def chance_of_so_many(chances: Collection[float], number: int) -> float:
    """P(at least `number` of independent events), each with its own chance: the upper tail of the Poisson-binomial law."""
    # law[k] is the chance of k so far; the last place gathers `number` and more, so that nothing small is lost by subtraction.
    law = np.zeros(number + 1)
    law[0] = 1.0
    for each in chances:
        chance = min(1.0, max(0.0, each))
        come = law * chance
        law = law * (1.0 - chance)
        law[1:] += come[:-1]
        law[-1] += come[-1]
    return float(min(1.0, law[-1]))


@dataclass(frozen=True, slots=True)
class Judged:
    """The series of a class that may alarm on a day: the chance of each, and those whose look of that day was judged."""

    chances: Mapping[Unit, float]
    that_day: frozenset[Unit]
    usual_a_day: float
    """How many of them open a day as it was over the year before, a shared cause counted once."""

    def scaled(self) -> list[float]:
        """The chances, no less in sum than what was usual: where a class alarms more often than promised, so does chance."""
        promised = sum(self.chances.values())
        factor = max(1.0, self.usual_a_day / promised) if promised > 0 else 1.0
        return [min(1.0, each * factor) for each in self.chances.values()]


def find_cause(
    kind: CauseClass,
    members: Sequence[Alert],
    judged: Judged,
    countries: Mapping[str, str],
    *,
    before: SharedCause | None,
    recorded_at: datetime,
) -> SharedCause | None:
    """The cause that these alerts share, or its next revision; None where chance alone may bring so many together.

    A cause that was told stays told, with whatever alert of its kind and day comes later. `countries` are those of sites.
    """
    units = frozenset(unit for each in members for unit in units_alarmed(each))
    if before is None and (len(members) < 2 or len(units) < 2):  # noqa: PLR2004 - one alone shares nothing
        return None
    chances = judged.scaled()
    if before is None and chance_of_so_many(chances, len(units)) > WRONG_A_DAY:
        return None
    ids = tuple(each.id for each in members)
    if before is not None and set(ids) <= set(before.alert_ids):
        return None
    many = len(judged.that_day | units)
    sites = {site for site, _, _ in units}
    noun = phrase("sites") if len(sites) == len(units) else phrase("series")
    where = [countries.get(site, "") for site in sorted(sites)]
    said = occasion(date.fromisoformat(kind.day), where)
    headline = phrase(
        "{units} of {many} {noun} {direction} at once on {day}",
        units=len(units),
        many=many,
        noun=noun,
        direction=_direction(kind),
        day=_day_words(kind.day),
    )
    if said:
        headline = phrase("{headline}, {occasion}", headline=headline, occasion=said)
    return SharedCause(
        id=f"ca_{blake2b('|'.join(kind).encode(), digest_size=8).hexdigest()}",
        revision=1 if before is None else before.revision + 1,
        metric=kind.metric,
        sort=kind.sort,
        side=kind.side,
        day=kind.day,
        at=max(each.opened_at for each in members),
        recorded_at=recorded_at,
        headline=headline,
        alert_ids=ids,
        details={
            "alarmed": len(units),
            "judged": many,
            "noun": noun,
            "expected": round(sum(chances), 4),
            "occasion": said,
            "wrong_a_year": WRONG_A_YEAR,
        },
    )


def _direction(kind: CauseClass) -> str:
    metric = metric_named(kind.metric)
    many = metric.many
    if kind.side == "high":
        return phrase("with more {many} than usual", many=many)
    if metric.counted:
        return phrase("with fewer {many} than usual", many=many)
    return phrase("with less {many} than usual", many=many)


def _day_words(day: str) -> str:
    at = datetime.combine(date.fromisoformat(day), time(12), UTC)
    return chained(" ", [moment(f"{at:%A}", at, "UTC", "weekday"), moment(day, at, "UTC", "day")])


def cause_object(cause: SharedCause) -> dict[str, Any]:
    """A cause as the API and the command line give it beside an alert."""
    figures = {name: cause.details[name] for name in ("alarmed", "judged", "expected", "occasion")}
    return {"id": cause.id, "headline": cause.headline, "day": cause.day, **figures}


def counted_once(alerts: Iterable[Alert], causes: Mapping[str, SharedCause]) -> int:
    """How many alerts there are, those that share a cause counted as one."""
    return len({causes[each.id].id if each.id in causes else each.id for each in alerts})


def together_words(cause: SharedCause) -> str:
    """Why alerts are told as one, with the error that this has."""
    figures = cause.details
    years = round(1 / figures["wrong_a_year"])
    return phrase(
        "{alarmed} of the {judged} {noun} whose looks of that day were judged alarmed together. If each kept its promise and none had to do with another, {expected} alarms would be expected; so many come together by chance on less than 1 day in {years} years. So they are told as one. What they share is not known from this.",
        alarmed=figures["alarmed"],
        judged=figures["judged"],
        noun=figures["noun"],
        expected=rounded_number(figures["expected"]),
        years=years,
    )


def common(parts: Iterable[Iterable[str]]) -> list[str]:
    """What all have."""
    sets = [set(each) for each in parts]
    return sorted(set.intersection(*sets)) if sets else []
