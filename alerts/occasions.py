"""Public holidays in the countries of sites: what day it was, never a cause; and which days are no ordinary ones. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from alerts.baselines.model import Occasions
from db.said import phrase

_DAY = timedelta(days=1)
_MARKS = (" (estimated)", " (observed)", " (observed, estimated)")
"""What a name carries in some years and not in others."""
_BESIDE = ("", "the day after ", "the day before ")


@lru_cache(maxsize=1024)
def _holidays(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country (ISO 3166 code of two letters) by their names in English; none of unknown countries."""
    import holidays  # noqa: PLC0415 - heavy, and seldom asked

    try:
        known = holidays.country_holidays(country, years=year)
    except NotImplementedError:
        return {}
    if "en_US" in known.supported_languages:
        known = holidays.country_holidays(country, years=year, language="en_US")
    return {day: str(name).split("; ", maxsplit=1)[0] for day, name in known.items() if day.year == year}


@lru_cache(maxsize=1024)
def _weekend(country: str) -> frozenset[int]:
    """The days of the week, Monday 0, on which a country rests."""
    import holidays  # noqa: PLC0415 - heavy, and seldom asked

    try:
        return frozenset(holidays.country_holidays(country).weekend)
    except NotImplementedError:
        return frozenset()


@lru_cache(maxsize=1024)
def _occasions(country: str, year: int) -> Mapping[date, tuple[str, int]]:
    """The days of a year that are holidays or beside one: the occasion's name, and its sort."""
    found: dict[date, tuple[str, int]] = {}
    rest = _weekend(country)
    day = date(year, 1, 1)
    while day.year == year:
        if name := occasion_in(day, country):
            beside = next(n for n in (2, 1, 0) if name.startswith(_BESIDE[n]))
            for mark in _MARKS:
                name = name.replace(mark, "")
            free = day.weekday() in rest
            # What a holiday does on a day of rest says little of what it does on a working day.
            found[day] = (f"{name}{' at a weekend' if free else ''}", 1 + beside + len(_BESIDE) * free)
        day += _DAY
    return found


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    """Whose holidays change what is usual at a place, and by whose days; '' where the country is not known."""

    country: str = ""
    timezone: str = "UTC"

    def occasion(self, middle: datetime) -> str:
        """What day this moment's day is; '' for no holiday nor a day beside one."""
        return occasion_in(middle.astimezone(ZoneInfo(self.timezone)).date(), self.country)

    def occasions(self, middle: datetime, days: int) -> Occasions | None:
        """Which of so many consecutive days are no ordinary ones, the last being that of this moment; None where nothing is known."""
        last = middle.astimezone(ZoneInfo(self.timezone)).date()
        first = last - (days - 1) * _DAY
        named = {
            (day - first).days: told
            for year in range(first.year, last.year + 1)
            for day, told in _occasions(self.country, year).items()
            if first <= day <= last
        }
        if not self.country or not named:
            return None
        numbers: dict[str, int] = {}
        which, sorts = np.zeros(days, np.int64), [0]
        for column, (name, sort) in named.items():
            if name not in numbers:
                numbers[name] = len(sorts)
                sorts.append(sort)
            which[column] = numbers[name]
        return Occasions(which, np.array(sorts))


def occasion_in(day: date, country: str) -> str:
    """What day it was in a country: a holiday, or the one before or after one; '' where it was neither."""
    if name := _holiday(day, country):
        return name
    if name := _holiday(day - _DAY, country):
        return phrase("the day after {name}", name=name)
    if name := _holiday(day + _DAY, country):
        return phrase("the day before {name}", name=name)
    return ""


def _holiday(day: date, country: str) -> str:
    return _holidays(country, day.year).get(day, "")


def occasion(day: date, countries: Sequence[str]) -> str:
    """What day it was at most of these places, one entry a place: `Easter Monday in 8 of these 9`; '' where at most half agree."""
    counted = Counter(name for each in countries if (name := occasion_in(day, each)))
    name, number = min(counted.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    if 2 * number <= len(countries):
        return ""
    return (
        name
        if number == len(countries)
        else phrase(
            "{name} in {number} of these {countries}", name=name, number=number, countries=len(countries)
        )
    )
