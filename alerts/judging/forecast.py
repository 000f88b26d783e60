"""What is normal now: every rule asked about a look that would come today, and how far each still has to go. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np

from alerts.baselines.budget import BUDGETED_RULES, TAIL_ALTERNATIVES
from alerts.baselines.model import EXPOSURE_GATES
from alerts.baselines.tail import smallest_found
from alerts.baselines.usual import usual_of_series
from alerts.judging.history import history_of
from alerts.judging.verdicts import KnownHistory, context_of, placing_of, verdicts_on
from alerts.metrics import metric_named
from alerts.occasions import HolidayCalendar
from alerts.rules.among import NOWHERE, Placing
from alerts.rules.contract import Rule, Verdict
from alerts.rules.series import certain_count, past_looks, series_of
from alerts.watch import SiteWatch
from db.records import Observation, SeriesKey
from db.said import phrase

_FOUND_WITHIN_YEARS = 1.0 / 6.0
FOUND_WORDS: Mapping[float, str] = MappingProxyType(
    {
        1.5: phrase("half as much again"),
        2.0: phrase("a doubling"),
        3.0: phrase("a trebling"),
        5.0: phrase("five times the usual"),
        10.0: phrase("ten times the usual"),
    }
)
"""What `SeriesBaseline.finds` is called."""
MOST_DRAWN = 180
"""The newest looks that a plot shows with what was expected of each."""


@dataclass(frozen=True, slots=True)
class RuleNow:
    """One rule about a look today: its threshold, or how much it lacks."""

    rule: str
    status: str
    reason: str
    figures: Mapping[str, Any]

    @property
    def judges(self) -> bool:
        """Whether it could judge a look today."""
        return self.status == "evaluated"

    @property
    def missing(self) -> int:
        """How much is missing, in `missing_what`; 0 where it can judge."""
        return 0 if self.judges else int(self.figures.get("missing") or 0)


@dataclass(frozen=True, slots=True)
class Expected:
    """What was expected of one look before it was seen, with the 95 % interval."""

    look: Observation
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SeriesBaseline:
    """What is normal in one series."""

    series: SeriesKey
    kind: str
    looks: int
    usable: int
    newest: Observation | None
    looks_a_year: float
    promised_a_year: float
    rules: tuple[RuleNow, ...]
    placing: Placing
    """Where the newest count stands among the earlier ones."""

    @property
    def judgeable(self) -> bool:
        """Whether a rule that expects a number could judge a look today."""
        return any(each.judges for each in self._deciding)

    @property
    def missing(self) -> int:
        """Usable looks that the nearest of those rules lacks."""
        return 0 if self.judgeable else min((each.missing for each in self._deciding), default=0)

    @property
    def attainable_a_year(self) -> float:
        """False alarms a year that the rules that can judge can really give, with whole counts."""
        return float(
            sum(
                each.figures.get("attainable_a_year", each.figures.get("promised_a_year", 0.0))
                for each in self.rules
                if each.judges and each.rule in BUDGETED_RULES
            )
        )

    @property
    def finds(self) -> float | None:
        """The smallest of a few multiples of the usual that a look of two months would surely enough tell; None where unknown."""
        told = next((each.figures for each in self.rules if each.rule == "tail" and each.judges), {})
        if not {"threshold", "expected", "dispersion"} <= told.keys() or told.get("side") != "high":
            return None
        return smallest_found(
            told["threshold"], told["expected"], told["dispersion"], self.looks_a_year * _FOUND_WITHIN_YEARS
        )

    @property
    def _deciding(self) -> list[RuleNow]:
        expecting = [each for each in self.rules if each.rule in TAIL_ALTERNATIVES]
        return expecting or [each for each in self.rules if each.rule in BUDGETED_RULES]


def series_in(known: KnownHistory, subject: str) -> list[SeriesKey]:
    """The series of a subject, the one with most looks first."""
    found: dict[SeriesKey, int] = {}
    for each in known.looks:
        if each.series.subject == subject:
            found[each.series] = found.get(each.series, 0) + each.usable
    return sorted(found, key=lambda key: (-found[key], key))


def series_baseline(
    key: SeriesKey, known: KnownHistory, site: SiteWatch, rules: Mapping[str, Rule]
) -> SeriesBaseline:
    """Ask every rule that watches a series about a look that would come now, as well seen as is usual."""
    own = [each for each in known.looks if each.series == key]
    usable = [each for each in own if each.usable]
    asked = next_look(key, usable, known.as_of)
    context = context_of(site, key.metric, known)
    said = verdicts_on(asked, known, site, rules, context)
    a_year = next((each.details["looks_a_year"] for each in said if "looks_a_year" in each.details), 0.0)
    return SeriesBaseline(
        series=key,
        kind=metric_named(key.metric).kind,
        looks=len(own),
        usable=len(usable),
        newest=usable[-1] if usable else None,
        looks_a_year=a_year,
        promised_a_year=context.promise.budget["notify"],
        rules=tuple(_rule_now(each) for each in said),
        placing=placing_of(usable[-1], known, site.timezone) if usable else NOWHERE,
    )


def _rule_now(verdict: Verdict) -> RuleNow:
    figures = {
        name: value for name, value in verdict.details.items() if name not in {"value", "p", "score", "odds"}
    }
    return RuleNow(verdict.rule, verdict.status, verdict.reason, figures)


def next_look(key: SeriesKey, usable: Sequence[Observation], now: datetime) -> Observation:
    """A look of the usual kind that would come now: the newest one's count, at the usual exposure."""
    if not usable:
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        end = day + timedelta(days=1)
        kind = metric_named(key.metric).kind
        return Observation(key, kind, day, end, "now", 1.0, end, now, exposure=1.0, assessable=True)
    newest = usable[-1]
    length = max(newest.period_end - newest.period_start, timedelta(hours=1))
    # Whole days, so that a day stays the site's own day.
    step = timedelta(days=max(1, math.ceil(length / timedelta(days=1))))
    ahead = max(1, math.floor((now - newest.period_start) / step))
    shown = [each.exposure for each in usable if each.exposure is not None]
    # As well seen as those looks usually are that tell anything.
    shown = [each for each in shown if each >= EXPOSURE_GATES[newest.kind]] or shown
    return replace(
        newest,
        period_start=newest.period_start + ahead * step,
        period_end=newest.period_end + ahead * step,
        look_key="now",
        value=max(certain_count(newest), 1.0),
        qualifier="=",
        announced=False,
        assessable=True if newest.exposure is None and newest.assessable else newest.assessable,
        exposure=float(np.median(shown)) if shown else None,
    )


def expectations(
    key: SeriesKey, known: KnownHistory, calendar: HolidayCalendar, most: int = MOST_DRAWN
) -> list[Expected]:
    """What was expected of each of the newest looks, from the looks before it alone."""
    return list(_expectations(key, known, calendar, most))


def _expectations(
    key: SeriesKey, known: KnownHistory, calendar: HolidayCalendar, most: int
) -> Iterator[Expected]:
    own = [each for each in known.looks if each.series == key and each.usable and not each.announced]
    if not own:
        return
    history = history_of(
        replace(own[-1], period_start=known.as_of, period_end=known.as_of),
        known.looks,
        (),
        known.as_of,
        changes=known.changes,
    )
    past = past_looks(history.looks, history.implied)
    for look in own[-most:]:
        what = usual_of_series(series_of(look, past, calendar))
        expected = float(what.expected()[0])
        if what.needs[0] > 0 or not np.isfinite(expected):
            continue
        low, high = (float(each[0]) for each in what.band())
        yield Expected(look, expected, low, high)
