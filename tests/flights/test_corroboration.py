"""Pictures of an apron and an inferred visit: likelihood ratios out of what was measured there, once, and never beyond its times."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from db.records import SEEN_FROM_ABOVE, Visit
from monitor.flights.corroboration import SEEN, Apron, ApronLook, chance_there, corroborated
from monitor.flights.signal_loss.posterior import still_there
from monitor.flights.words import confidence_words
from tests.flights.test_inferred import Story, inbound, outbound

HOUR = timedelta(hours=1)
APRON = Apron("apron", "Apron", 300.0, above=2, measured=40, trials=((400.0, 17, 20), (1_000.0, 20, 20)))
RECALL, FALSE = 18 / 22, 3 / 42


@pytest.fixture(scope="module")
def stay() -> Visit:
    """An Il-62M lost on its way here and heard again after 36 hours; by the flight alone three in five."""
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    visit = story.read(lost + 14 * HOUR).hear(outbound(37.3)).last
    return replace(visit, confidence=2, candidates={**visit.candidates, "probability": 0.6})


def during(visit: Visit, hours: float = 12) -> datetime:
    assert visit.arrived_between is not None
    return visit.arrived_between[1] + hours * HOUR


def seen(
    visit: Visit, value: float, at: datetime | None = None, area: str = "apron", key: str = "a"
) -> ApronLook:
    return ApronLook(area, key, at or during(visit), "sentinel-2b", value)


def held(visit: Visit, *looks: ApronLook, aprons: Any = (APRON,)) -> Visit:
    return corroborated(visit, aprons, looks, during(visit, 1_000))


def ratio(visit: Visit) -> float:
    return float(visit.candidates[SEEN]["likelihood_ratio"])


def test_something_bright_raises_it_by_recall_over_false_rate(stay: Visit) -> None:
    found = held(stay, seen(stay, 600))
    assert ratio(found) == pytest.approx(RECALL / FALSE, abs=0.001)
    odds = 0.6 / 0.4 * RECALL / FALSE
    assert found.candidates[SEEN]["probability"] == pytest.approx(odds / (1 + odds), abs=0.001)
    assert (stay.confidence, found.confidence) == (2, 3)
    (told,) = found.seen_from_above
    assert "something bright of 600 m² stood on Apron; what it was is not known" in told.text
    assert (
        "17 of 20 times something of 400 m² drawn there was seen, and 2 of 40 looks say so without it"
        in told.text
    )
    assert "That makes a visit 11 times as likely." in told.text
    assert "60% by the flight alone, 94% with the pictures" in told.text
    assert confidence_words(found).startswith("3 of 4, raised from 2 by what pictures show: ")


def test_an_apron_that_looks_empty_lowers_it_by_how_seldom_one_is_missed(stay: Visit) -> None:
    found = held(stay, seen(stay, 300))
    assert ratio(found) == pytest.approx((1 - RECALL) / (1 - FALSE), abs=0.001)
    assert found.confidence == 1
    assert "nothing bright stood on Apron" in found.seen_from_above[0].text
    assert "5.1 times less likely" in found.seen_from_above[0].text
    assert confidence_words(found).startswith("1 of 4, lowered from 2")


@pytest.mark.parametrize(
    "apron",
    [
        replace(APRON, highest=None),
        replace(APRON, trials=()),
        replace(APRON, trials=((1_000.0, 20, 20),)),
    ],
    ids=["not admitted", "nothing was tried", "only larger things were tried"],
)
def test_a_measure_that_has_not_shown_it_there_says_nothing(stay: Visit, apron: Apron) -> None:
    assert held(stay, seen(stay, 600), aprons=(apron,)) == stay


@pytest.mark.parametrize("changes", [{"type_code": "GLF6"}, {"type_code": ""}, {"state": "through_flight"}])
def test_nor_of_what_is_too_small_or_was_not_here(stay: Visit, changes: dict[str, Any]) -> None:
    other = replace(stay, **changes)
    assert held(other, seen(other, 600)) == other


def test_it_counts_only_while_it_can_have_stood_there(stay: Visit) -> None:
    assert stay.arrived_between
    assert stay.departed_between
    (early, late), (first, last) = stay.arrived_between, stay.departed_between
    for at in (early - HOUR, early, last, last + HOUR):
        assert held(stay, seen(stay, 600, at)) == stay
    middle = early + (late - early) / 2
    assert chance_there(stay, middle) == pytest.approx(0.5)
    assert chance_there(stay, first + (last - first) / 4) == pytest.approx(0.75)
    half = held(stay, seen(stay, 600, middle))
    assert ratio(half) == pytest.approx((0.5 * RECALL + 0.5 * FALSE) / FALSE, abs=0.001)
    assert ", when it was there with a chance of 50%:" in half.seen_from_above[0].text
    gone = held(stay, seen(stay, 0, middle))
    assert ratio(gone) == pytest.approx(0.5 * (1 - RECALL) / (1 - FALSE) + 0.5, abs=0.001)


def test_who_is_not_heard_again_may_have_left_unheard() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    for minutes in (5, 20, 50):
        waiting = story.read(lost + timedelta(minutes=minutes)).last
    assert waiting.state == "presumed"
    assert waiting.departed_between is None
    chances = [chance_there(waiting, during(waiting, hours)) for hours in (0, 3, 24, 24 * 60)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.9
    assert chances[1] == pytest.approx(0.5, abs=0.05)
    assert chances[-1] < 0.05
    assert held(waiting, seen(waiting, 600, during(waiting, 24 * 60))) == waiting
    assert still_there(0) == 1


def test_the_same_picture_twice_and_many_pictures_count_as_one(stay: Visit) -> None:
    once = held(stay, seen(stay, 600))
    assert held(once, seen(stay, 600)) == once
    again = held(stay, *(seen(stay, 600, during(stay, hours), key=str(hours)) for hours in (4, 12, 20)))
    assert ratio(again) == ratio(once)
    assert len(again.seen_from_above) == 1


def test_for_and_against_are_both_said(stay: Visit) -> None:
    both = held(stay, seen(stay, 600, key="a"), seen(stay, 0, during(stay, 20), key="b"))
    assert ratio(both) == pytest.approx(RECALL / FALSE * (1 - RECALL) / (1 - FALSE), abs=0.001)
    assert [each.kind for each in both.seen_from_above] == [SEEN_FROM_ABOVE] * 2


def test_a_picture_that_is_taken_back_leaves_nothing(stay: Visit) -> None:
    once = held(stay, seen(stay, 600))
    assert held(once) == stay
    assert held(once, seen(stay, 0)) == held(stay, seen(stay, 0))


def test_where_another_apron_is_not_seen_an_empty_one_says_less(stay: Visit) -> None:
    far = Apron("far", "Far apron", None)
    both = held(stay, seen(stay, 0), aprons=(APRON, far))
    assert ratio(both) == pytest.approx((0.5 * (1 - RECALL) + 0.5 * (1 - FALSE)) / (1 - FALSE), abs=0.001)
    second = replace(APRON, area_id="far", name="Far apron")
    seen_both = held(stay, seen(stay, 0), seen(stay, 900, area="far"), aprons=(APRON, second))
    assert ratio(seen_both) > 1
    assert "stood on Far apron" in seen_both.seen_from_above[0].text
