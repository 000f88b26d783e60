"""The history that one look is judged against, as it was knowable. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from alerts.baselines.model import LONGEST_SPAN_DAYS
from alerts.occasions import HolidayCalendar
from alerts.rules import HUMAN_METHODS, IDENTITY_PREFIXES, method_of
from alerts.rules.contract import LookHistory, RuleState
from alerts.rules.series import certain_count, look_fault
from db.records import Change, DeclaredBaseline, Observation, SeriesKey

SECONDS_A_DAY = 86_400
LEAST_SERIES_LOOKS = 12
"""A series with fewer usable looks takes no part of the site's budget."""


def history_of(
    look: Observation,
    known: Sequence[Observation],
    declared: Sequence[DeclaredBaseline],
    as_of: datetime,
    *,
    changes: Sequence[Change] = (),
    states: Mapping[str, RuleState] | None = None,
    calendar: HolidayCalendar | None = None,
) -> LookHistory:
    """Choose from what was known of the look's site, area and metric what its rules may see.

    `known` holds the newest revision of each look that was knowable at `as_of`, `declared` likewise; `changes`
    are those in force at the site, `states` what the rules remember of the look's series,
    `calendar` is the place's.
    """
    changes = [each for each in changes if _concerns(each, look)]
    before = [
        each
        for each in known
        if each.period_end <= look.period_start
        # A look of an instant ends where it starts: it is not its own past.
        and each.period_start < look.period_start
        and each.usable
        and not each.announced
        and not look_fault(each)
    ]
    same = [each for each in before if each.series.subject == look.series.subject]
    whole = [each for each in before if not each.series.subject]
    broken_by = _last_break(changes, look)
    fit = _Fitness(changes, broken_by)
    looks = tuple(each for each in same if each.series == look.series and fit.in_baseline(each))
    last = max((each.period_end for each in same if certain_count(each) > 0), default=None)
    watching = _watching(look, same, whole)
    return LookHistory(
        as_of=as_of,
        looks=looks,
        sightings=tuple(same),
        declared=tuple(each for each in declared if each.series.subject == look.series.subject),
        observed_days=sum(_observed_days(watching)),
        observed_days_since=None if last is None else sum(_observed_days(watching, last)),
        implied=tuple(_implied(look, looks, [each for each in whole if fit.in_baseline(each)])),
        changes=tuple(each for each in changes if each.starts_at < look.period_end),
        broken_by=broken_by,
        excluded_by=next((each for each in changes if fit.excludes(each, look)), None),
        identities=_identities(look, before),
        states=states or {},
        calendar=calendar or HolidayCalendar(),
    )


def series_with_history(looks: Iterable[Observation]) -> frozenset[SeriesKey]:
    """The series that these looks give a history of their own."""
    found = Counter(each.series for each in looks if each.usable)
    return frozenset(key for key, n in found.items() if n >= LEAST_SERIES_LOOKS)


def watched_series(known: Iterable[SeriesKey], metric: str, watchlist: Sequence[str]) -> int:
    """How many series with a history share the budget of a metric, in all areas of a site."""
    return sum(
        key.metric == metric and (not key.subject.startswith(IDENTITY_PREFIXES) or key.subject in watchlist)
        for key in known
    )


def _concerns(change: Change, look: Observation) -> bool:
    """Whether a change is about this series: a feed (`feed:METHOD:NAME`) changes only what is counted from it."""
    kind, _, rest = change.key.partition(":")
    return kind != "feed" or rest.split(":", 1)[0] == method_of(look.series.procedure)


def _last_break(changes: Sequence[Change], look: Observation) -> Change | None:
    breaks = [each for each in changes if each.effect == "break" and each.starts_at <= look.period_start]
    return max(breaks, key=lambda each: each.starts_at, default=None)


class _Fitness:
    """Which looks the registry of changes leaves in a baseline."""

    def __init__(self, changes: Sequence[Change], broken_by: Change | None) -> None:
        self._since = broken_by.starts_at if broken_by else None
        self._excluded = [each for each in changes if each.effect == "exclude"]

    def in_baseline(self, look: Observation) -> bool:
        """Whether a look lies after the last break and outside what is excluded."""
        if self._since is not None and look.period_start < self._since:
            return False
        return not any(each.covers(look.period_start, look.period_end) for each in self._excluded)

    @staticmethod
    def excludes(change: Change, look: Observation) -> bool:
        """Whether this change excludes the look."""
        return change.effect == "exclude" and change.covers(look.period_start, look.period_end)


def _watching(
    look: Observation, same: Sequence[Observation], whole: Sequence[Observation]
) -> list[Observation]:
    """The looks that could have shown the subject: of a flow those for all subjects, of a stock its own too."""
    return list(whole) if look.kind == "flow" else list(same) or list(whole)


def _observed_days(looks: Sequence[Observation], since: datetime | None = None) -> Iterable[float]:
    """Days observed look by look: a flow's by exposure, a snapshot's back to the one before it."""
    previous: datetime | None = None
    for each in looks:
        if each.kind == "flow":
            length_s = (each.period_end - each.period_start).total_seconds()
            days = (each.exposure or 0.0) * (length_s / SECONDS_A_DAY)
        elif previous is None:
            days = 0.0
        else:
            gap_s = (each.period_start - previous).total_seconds()
            days = min(max(0.0, gap_s / SECONDS_A_DAY), LONGEST_SPAN_DAYS)
        previous = each.period_start
        if since is None or each.period_start >= since:
            yield days


def _implied(
    look: Observation, looks: Sequence[Observation], whole: Sequence[Observation]
) -> Iterable[Observation]:
    if not look.series.subject or method_of(look.series.procedure) in HUMAN_METHODS:
        return
    counted_at = {each.period_start for each in looks}
    for each in whole:
        if each.series.procedure == look.series.procedure and each.period_start not in counted_at:
            yield each


def _identities(look: Observation, before: Sequence[Observation]) -> tuple[float, ...]:
    prefix = next((each for each in IDENTITY_PREFIXES if look.series.subject.startswith(each)), None)
    if prefix is None:
        return ()
    visits: Counter[str] = Counter()
    for each in before:
        if each.series.subject.startswith(prefix):
            visits[each.series.subject] += int(certain_count(each))
    return tuple(float(each) for _, each in sorted(visits.items()) if each > 0)
