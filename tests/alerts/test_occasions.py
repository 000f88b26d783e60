"""Holidays of a site's country in what is expected of days: by the calendar, by the engine, and in what readers are told."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from alerts.baselines.budget import FalseAlarmPromise
from alerts.baselines.engine import TwoSided, judge_series
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import FloatArray
from alerts.baselines.usual import usual_count
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.occasions import HolidayCalendar, occasion_in
from alerts.rules.contract import Verdict
from alerts.watch import SiteWatch, merge_watch
from db.records import Observation
from monitor.bootstrap import RULES
from tests.kit.builders import look

DAY = timedelta(days=1)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00+00:00")


def days_until(day: str, days: int) -> list[date]:
    return [noon(day).date() - n * DAY for n in range(days)][::-1]


def made(
    day: str, country: str, effect: float, *, level: float = 40.0, days: int = 1_100, seed: int = 1
) -> FloatArray:
    """Days with quieter weekends, on whose holidays so many times as much happens."""
    rng = np.random.default_rng(seed)
    mean = np.array(
        [
            level * (0.7 if each.weekday() > 4 else 1.0) * (effect if _free(each, country) else 1.0)
            for each in days_until(day, days)
        ]
    )
    return rng.negative_binomial(mean, 0.5).astype(float)


def _free(day: date, country: str) -> bool:
    name = occasion_in(day, country)
    return bool(name) and not name.startswith("the day")


def series(counts: FloatArray, day: str, country: str) -> Series:
    found = np.atleast_2d(counts)
    width = found.shape[1]
    return Series(
        np.arange(1.0 - width, 1.0),
        clean_looks(found),
        daily=True,
        period_days=1.0,
        occasions=HolidayCalendar(country).occasions(noon(day), width),
    )


FEASTS = [
    pytest.param("PL", "2024-04-01", id="Easter Monday"),
    pytest.param("KR", "2024-09-17", id="Chuseok"),
    pytest.param("CN", "2024-02-10", id="lunar new year"),
    pytest.param("TR", "2024-04-10", id="end of Ramadan"),
    pytest.param("US", "2024-11-28", id="Thanksgiving"),
    pytest.param("RU", "2024-05-09", id="Victory Day"),
]


@pytest.mark.parametrize(("country", "day"), FEASTS)
def test_a_feast_is_known_again_in_other_years_whenever_it_comes(country: str, day: str) -> None:
    found = HolidayCalendar(country).occasions(noon(day), 1_100)
    assert found is not None
    assert found.which[-1] > 0
    again = [
        each
        for each, number in zip(days_until(day, 1_100), found.which, strict=True)
        if number == found.which[-1]
    ]
    # A feast on a weekend is another occasion.
    assert len({each.year for each in again}) > 1
    apart = [(later - earlier).days for earlier, later in pairwise(again) if (later - earlier).days > 30]
    assert apart
    assert all(abs(each / 365.25 - round(each / 365.25)) < 0.09 for each in apart), (
        "moving feasts move by weeks"
    )


def test_days_are_those_of_the_place() -> None:
    """New Year in Vladivostok begins while it is still 2023 by UTC."""
    moment = datetime(2023, 12, 31, 16, tzinfo=UTC)
    here = HolidayCalendar("RU", "Asia/Vladivostok").occasions(moment, 5)
    there = HolidayCalendar("RU", "UTC").occasions(moment, 5)
    assert here is not None
    assert there is not None
    assert HolidayCalendar("RU", "Asia/Vladivostok").occasion(moment).startswith("New Year")
    assert HolidayCalendar("RU", "UTC").occasion(moment).startswith("the day before New Year")


@pytest.mark.parametrize("country", ["", "XX"])
def test_where_the_country_is_not_known_every_day_is_ordinary(country: str) -> None:
    assert HolidayCalendar(country).occasions(noon("2024-01-01"), 400) is None


@pytest.mark.parametrize(("country", "day"), FEASTS)
@pytest.mark.parametrize("effect", [0.4, 1.0, 2.0])
def test_what_a_feast_does_is_learnt_from_its_years_before(country: str, day: str, effect: float) -> None:
    counts = made(day, country, effect)
    known = usual_count(series(counts, day, country)).expected()[0]
    blind = usual_count(series(counts, day, "")).expected()[0]
    assert known / blind == pytest.approx(effect, rel=0.25)


def test_an_occasion_that_was_never_seen_is_as_others_of_its_sort_but_less_surely() -> None:
    """Christmas after half a year of days: no Christmas before, but other holidays."""
    day = "2023-12-25"
    counts = made(day, "PL", 0.4, days=300)
    what = usual_count(series(counts, day, "PL"))
    ordinary = usual_count(series(counts, day, ""))
    assert 0.3 < what.expected()[0] / ordinary.expected()[0] < 0.65
    assert what.expectation.se_log[0] > 1.5 * ordinary.expectation.se_log[0]


def test_the_judged_day_teaches_nothing_of_itself() -> None:
    day = "2024-04-01"
    counts = made(day, "PL", 0.4)
    more = counts.copy()
    more[-3:] *= 9
    assert (
        usual_count(series(counts, day, "PL")).expected() == usual_count(series(more, day, "PL")).expected()
    )


def test_series_answer_alone_as_among_others() -> None:
    day = "2024-04-01"
    counts = np.array(
        [
            made(day, "PL", effect, level=level, seed=n)
            for n, (effect, level) in enumerate([(0.4, 40.0), (1.0, 3.0), (2.0, 0.3)])
        ]
    )
    rules = {"tail": {"sides": "both", "longest_years": 10.0}}
    together = (
        judge_series(series(counts, day, "PL"), FalseAlarmPromise(), rules).rulings["tail"].of(TwoSided)
    )
    for row in range(3):
        alone = (
            judge_series(series(counts[row], day, "PL"), FalseAlarmPromise(), rules)
            .rulings["tail"]
            .of(TwoSided)
        )
        assert alone.spent[0] == together.spent[row]
        assert alone.usual.expected()[0] == together.usual.expected()[row]


def test_of_what_is_no_day_no_holiday_is_known() -> None:
    weeks = Series(
        7.0 * np.arange(-120.0, 1.0), clean_looks(made("2024-04-01", "PL", 1.0, days=121)), period_days=7.0
    )
    assert usual_count(weeks).factors is None


def told(country: str, today: float | None = None) -> Verdict:
    """What `tail` says of Easter Monday at a Polish airport where holidays see a fifth of other days."""
    day = "2024-04-01"
    counts = made(day, "PL", 0.2)
    if today is not None:
        counts[-1] = today
    looks = [_arrivals(each, value) for each, value in zip(days_until(day, len(counts)), counts, strict=True)]
    metrics = merge_watch({"arrivals": {"rules": {"tail": {"sides": "both"}}}})
    site = SiteWatch("airport", "Airport", "airport", "UTC", metrics=metrics, country=country)
    known = KnownHistory(looks[-1].result_time, looks)
    (said,) = verdicts_on(looks[-1], known, site, RULES, context_of(site, "arrivals", known))
    return said


def _arrivals(day: date, value: float) -> Observation:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return look(
        str(day),
        value,
        metric="arrivals",
        site_id="airport",
        precision="day",
        exposure=1.0,
        kind="flow",
        period_start=start,
        period_end=start + DAY,
        look_key=str(day),
        result_time=start + DAY,
        recorded_at=start + DAY,
    )


def test_a_quiet_holiday_is_news_only_where_nobody_knows_of_it() -> None:
    assert told("").exceeded
    known = told("PL")
    assert not known.exceeded
    assert known.details["occasion"] == "Easter Monday"
    assert " on Easter Monday (95 %" in known.reason
    assert "occasion" not in told("").details


def test_what_would_be_usual_on_other_days_is_news_on_a_holiday_and_so_is_nothing_at_all() -> None:
    assert told("PL", 60.0).exceeded
    assert told("PL", 60.0).details["side"] == "high"
    assert not told("", 60.0).exceeded
