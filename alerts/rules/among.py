"""Where a count stands among the earlier ones: between which notable counts, since when there was no such count, what came last. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.baselines.model import EXPOSURE_GATES
from alerts.metrics import metric_named
from alerts.rules import HUMAN_METHODS, comparable, method_of
from alerts.rules.contract import LookHistory
from alerts.words import count_words, digits, local_day, month_words
from db.records import DeclaredBaseline, Observation
from db.said import chained, grouped, phrase

ABOUT_FACTOR = 1.25
"""By this factor “about” may be off."""
_LAST = 5
_NUMBERS = ("", "one", phrase("two"), phrase("three"), phrase("four"), phrase("five"))
_SINCE_FROM = 20
"""From so many earlier counts on it says more since when there was no such count than which one is nearest."""
_LIKE_LENGTH = 1.15
"""Months differ by so much; a flow of a day is not compared with one of a month."""
_MICROSECOND = timedelta(microseconds=1)


def bounds_of_count(
    value: float, low: float | None, high: float | None, qualifier: str
) -> tuple[float, float]:
    """Between which numbers the true one lies, as far as its source says: “about 258” may be 206 to 322."""
    least = value if low is None else min(value, low)
    most = value if high is None else max(value, high)
    match qualifier:
        case "~=":
            return min(least, value / ABOUT_FACTOR), max(most, value * ABOUT_FACTOR)
        case ">=":
            return least, float("inf")
        case "<=":
            return 0.0, most
    return least, most


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a count stands: beside notable earlier ones, and beside the last looks; each may be ''."""

    beside: str
    recent: str

    def __str__(self) -> str:
        return str(self.words)

    @property
    def words(self) -> str:
        """Both, one after the other."""
        return chained("; ", [each for each in (self.beside, self.recent) if each])


NOWHERE = Placing("", "")


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An earlier count, or the most of a stretch of time that somebody published."""

    low: float
    high: float
    value: float
    at: datetime
    count: str
    when: str
    day: str
    most_of: bool = False

    def words(self, beside: str = "") -> str:
        """With its month, or its day where another one of that month is named."""
        when = self.day if self.when == beside else self.when
        return (
            phrase("the {count} at most of {when}", count=self.count, when=when)
            if self.most_of
            else phrase("the {count} of {when}", count=self.count, when=when)
        )


def placing(look: Observation, history: LookHistory, timezone: str) -> Placing:
    """Place a look among what was known before it, in words; '' where there was nothing to compare it with."""
    if not look.usable or look.value is None:
        return NOWHERE
    zone = ZoneInfo(timezone)
    seen = [each for each in history.sightings if _compares(each, look)]
    earlier = sorted(
        [*_counted(seen, zone), *_published(look, history.declared, zone)], key=lambda each: each.at
    )
    low, high = bounds_of_count(look.value, look.low, look.high, look.qualifier)
    if not _well_seen(look):
        # Only the least is known of it.
        high = float("inf")
    month = month_words(look.period_start, timezone)
    words = _COUNTED if metric_named(look.series.metric).counted else _MEASURED
    # A published maximum says something of what passes it; below it, nothing.
    earlier = [each for each in earlier if not each.most_of or each.value < low]
    beside = _beside(earlier, (low, high, look.value), month, words) if earlier else ""
    return Placing(beside, _recent(seen))


class _Words(NamedTuple):
    """What is many or few, much or little."""

    many: str
    few: str
    fewer: str
    fewest: str


_COUNTED = _Words(phrase("many"), phrase("few"), phrase("fewer"), phrase("fewest"))
_MEASURED = _Words(phrase("much"), phrase("little"), phrase("less"), phrase("least"))


def _beside(earlier: Sequence[_Earlier], today: tuple[float, float, float], month: str, words: _Words) -> str:
    low, high, value = today
    below = [each for each in earlier if each.high < low]
    above = [each for each in earlier if each.low > high]
    alike = [each for each in earlier if each.high >= low and each.low <= high]
    if not alike and not (above and below):
        return _extreme(below, above, month, words)
    about = "" if low == high and all(each.low == each.high for each in alike) else phrase("about ")
    if not above:
        top = max(alike, key=lambda each: (each.value, each.at))
        return phrase(
            "{about}as {many} as the highest count known before, {words}",
            about=about,
            many=words.many,
            words=top.words(month),
        )
    if not below:
        last = max(alike, key=lambda each: each.at)
        return phrase(
            "{about}as {few} as the lowest count known before, last {words}",
            about=about,
            few=words.few,
            words=last.words(month),
        )
    if len(earlier) >= _SINCE_FROM:
        return _since((below, above, alike), value, month, words)
    same = max(alike, key=lambda each: each.at, default=None)
    return _near(_between(below, above, month), same, about, month, words)


def _extreme(below: Sequence[_Earlier], above: Sequence[_Earlier], month: str, words: _Words) -> str:
    """What is beyond all that was counted before, above it or below it."""
    if not above:
        top = max(below, key=lambda each: (each.value, each.at))
        return phrase(
            "more than was ever counted here before, where the highest was {highest}",
            highest=top.words(month),
        )
    bottom = min(above, key=lambda each: (each.value, -each.at.timestamp()))
    lowest = bottom.words(month)
    if words is _COUNTED:
        return phrase(
            "fewer than were ever counted here before, where the lowest was {lowest}", lowest=lowest
        )
    return phrase("less than was ever counted here before, where the lowest was {lowest}", lowest=lowest)


def _near(between: str, same: _Earlier | None, about: str, month: str, words: _Words) -> str:
    if same is None:
        return between
    return phrase(
        "{about}as {many} as {same}, {between}",
        about=about,
        many=words.many,
        same=same.words(month),
        between=between,
    )


def _between(below: Sequence[_Earlier], above: Sequence[_Earlier], month: str) -> str:
    lower = max(below, key=lambda each: (each.value, each.at))
    upper = min(above, key=lambda each: (each.value, -each.at.timestamp()))
    together = upper.when if upper.when == lower.when else month
    return phrase("between {lower} and {upper}", lower=lower.words(together), upper=upper.words(together))


def _since(
    sides: tuple[Sequence[_Earlier], Sequence[_Earlier], Sequence[_Earlier]],
    value: float,
    month: str,
    words: _Words,
) -> str:
    below, above, alike = ([each for each in side if not each.most_of] for side in sides)
    earlier = [*below, *above, *alike]
    if value >= median(each.value for each in earlier):
        last = max([*above, *alike], key=lambda each: each.at)
        return phrase(
            "the most since {words}, more than in {below} of {earlier} earlier looks",
            words=last.words(month),
            below=grouped(len(below)),
            earlier=grouped(len(earlier)),
        )
    last = max([*below, *alike], key=lambda each: each.at)
    less = phrase(
        "{fewer} than in {above} of {earlier} earlier looks",
        fewer=words.fewer,
        above=grouped(len(above)),
        earlier=grouped(len(earlier)),
    )
    return phrase(
        "the {fewest} since {words}, {less}", fewest=words.fewest, words=last.words(month), less=less
    )


def _recent(seen: Sequence[Observation]) -> str:
    """What the last looks show, as a range."""
    times = sorted({each.period_start for each in seen if _well_seen(each)})[-_LAST:]
    values = [each.value for each in seen if each.value is not None and each.period_start in times]
    if not values:
        return ""
    least, most = digits(min(values)), digits(max(values))
    shown = (
        phrase("{least} each", least=least)
        if least == most
        else phrase("{least} to {most}", least=least, most=most)
    )
    if len(times) == 1:
        return phrase("the look before shows {least}", least=least if least == most else shown)
    return phrase("the last {number} looks show {shown}", number=_NUMBERS[len(times)], shown=shown)


def _compares(earlier: Observation, look: Observation) -> bool:
    """Whether an earlier look counted the same thing: people like people, a detector like itself, for as long."""
    ours, theirs = look.series.procedure, earlier.series.procedure
    same = ours == theirs or {method_of(ours), method_of(theirs)} <= HUMAN_METHODS
    if not same or look.kind == "stock":
        return same
    long, short = (each.period_end - each.period_start for each in (look, earlier))
    return short <= long * _LIKE_LENGTH and long <= short * _LIKE_LENGTH


def _well_seen(look: Observation) -> bool:
    return look.exposure is None or look.exposure >= EXPOSURE_GATES[look.kind]


def _counted(seen: Sequence[Observation], zone: ZoneInfo) -> Iterator[_Earlier]:
    for each in seen:
        if each.value is None or not _well_seen(each):
            continue
        low, high = bounds_of_count(each.value, each.low, each.high, each.qualifier)
        # Of “at least 70” no more is known than 70.
        known = each.value if each.qualifier == ">=" else high
        at = each.period_start
        count = count_words(each.value, each.qualifier)
        yield _Earlier(
            low,
            known,
            each.value,
            each.period_start,
            count,
            month_words(at, zone.key),
            local_day(at, zone.key),
        )


def _published(look: Observation, declared: Sequence[DeclaredBaseline], zone: ZoneInfo) -> Iterator[_Earlier]:
    """Published maxima: nothing of their time was higher, so they are below whatever passes them."""
    for each in declared:
        if each.statistic != "max" or each.value is None or each.window_end > look.period_start:
            continue
        if comparable(look, each):
            first, last = (
                each.window_start.astimezone(zone),
                (each.window_end - _MICROSECOND).astimezone(zone),
            )
            when = phrase(
                "{begins} to {ends}", begins=month_words(first, zone.key), ends=month_words(last, zone.key)
            )
            yield _Earlier(0.0, each.value, each.value, last, digits(each.value), when, when, most_of=True)
