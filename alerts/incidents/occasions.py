"""Public holidays of a day in the countries of sites: told as what day it was, never as a cause. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

from db.said import phrase

_DAY = timedelta(days=1)


@lru_cache(maxsize=4096)
def holiday(day: date, country: str) -> str:
    """The name in English of a country's public holiday (ISO 3166 code of two letters); '' on other days and of unknown countries."""
    import holidays  # noqa: PLC0415 - heavy, and seldom asked

    try:
        known = holidays.country_holidays(country, years=day.year)
    except NotImplementedError:
        return ""
    if "en_US" in known.supported_languages:
        known = holidays.country_holidays(country, years=day.year, language="en_US")
    return str(known.get(day, "")).split("; ", maxsplit=1)[0]


def occasion_in(day: date, country: str) -> str:
    """What day it was in a country: a holiday, or the one before or after one; '' where it was neither."""
    if name := holiday(day, country):
        return name
    if name := holiday(day - _DAY, country):
        return phrase("the day after {name}", name=name)
    if name := holiday(day + _DAY, country):
        return phrase("the day before {name}", name=name)
    return ""


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
