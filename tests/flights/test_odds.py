"""How odds are scored: by hand-reckoned cases, beside rivals, and two runs against each other."""

import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.errors import InputError
from monitor.flights.evaluation.calibration import (
    Statement,
    calibrations,
    mean_of,
    ratio_difference,
    reliability,
)
from monitor.flights.evaluation.comparing import compared, difference_interval
from monitor.flights.evaluation.losses import JudgedLoss, OpenedLoss
from monitor.flights.evaluation.outcomes import EventOutcome, Outcomes, document_of, outcomes_of
from monitor.flights.evaluation.rivals import BASE_RATE, NEAREST_AHEAD, NEIGHBOURS, told_beside
from monitor.flights.evaluation.scoring import Share
from monitor.flights.places import place_of
from monitor.flights.signal_loss.gaps import GapEnd
from tests.kit.cast import QUIET_FIELD
from tests.kit.flying import NOON, Pilot

PLACE = place_of(QUIET_FIELD)
HERE = f"place:{PLACE.id}"


def loss(n: int = 0, *, landed: bool = True, said: float = 0.8, minutes: int = 0) -> JudgedLoss:
    return JudgedLoss(
        "10 km",
        PLACE.id,
        f"1500{n:02x}",
        NOON + timedelta(minutes=minutes),
        "lost",
        PLACE.id if landed else "",
        "",
        landed,
        {HERE: said, "landed": said},
        {},
    )


def opened(case: JudgedLoss, course: float) -> OpenedLoss:
    fix = replace(
        Pilot(QUIET_FIELD, icao24=case.icao24, east_nm=-20, height_ft=3000).fly(60, kt=200).fixes[0],
        at=case.lost_at,
    )
    return OpenedLoss(case, GapEnd(fix, course, -800.0, airborne=True), ())


def test_the_log_score_is_the_surprise_in_bits_and_brier_the_squared_error() -> None:
    half, sure, wrong = Statement("a", 0.5, True), Statement("a", 0.875, False), Statement("b", 0.0, True)
    assert half.log_score == 1.0
    assert sure.log_score == 3.0
    assert sure.brier == pytest.approx(0.875**2)
    # Nothing is surer than odds in thousandths can say.
    assert wrong.log_score == pytest.approx(math.log2(1000))


def test_a_reliability_diagram_counts_what_came_true_of_what_was_told_alike() -> None:
    said = [Statement(str(n), 0.85, n < 6) for n in range(8)] + [
        Statement("x", 0.0, False),
        Statement("y", 1.0, True),
    ]
    low, middle, high = reliability(said)
    assert (low.told, low.true) == (0.0, Share(0, 1))
    assert (middle.low, middle.high, middle.true) == (0.8, 0.9, Share(6, 8))
    assert middle.told == pytest.approx(0.85)
    assert high.true == Share(1, 1)


def test_what_nothing_shows_is_in_no_score() -> None:
    known, unknown = loss(1), replace(loss(2, landed=False), landed=None)
    found = {each.name: each for each in calibrations([known, unknown])}
    assert len(found[HERE].statements) == 2
    assert len(found["landed"].statements) == 1


def test_intervals_are_over_aircraft_not_over_their_many_losses() -> None:
    many = mean_of([(f"{n}", float(n % 2)) for n in range(200)])
    few = mean_of([(f"{n % 4}", float(n % 2)) for n in range(200)])
    assert many.value == few.value == 0.5
    assert few.high - few.low > 3 * (many.high - many.low)
    low, high = ratio_difference([("a", 1.0), ("b", 1.0)], [("a", 0.0), ("b", 0.0)])
    assert (low, high) == (1.0, 1.0)


def test_rivals_know_of_other_aircraft_alone_and_of_losses_half_an_hour_old() -> None:
    first = [opened(loss(n, minutes=n), 90.0) for n in range(6)]
    later = opened(loss(7, landed=False, minutes=60), 90.0)
    away = opened(loss(8, landed=False, minutes=61), 270.0)
    told = told_beside([*first, later, away], [PLACE])
    # Nobody was lost before: half is said of two answers, here or not.
    assert told[0].rivals[BASE_RATE][HERE] == 0.5
    assert told[0].rivals[NEIGHBOURS][HERE] == 0.5
    # Six of six landed here before; one more counts as what is said without any.
    assert told[6].rivals[BASE_RATE][HERE] == pytest.approx((6 + 0.5) / 7, abs=1e-4)
    assert told[6].rivals[NEIGHBOURS][HERE] > 0.9
    # The place lies ahead of all but the last, and of the others that it lay ahead of six in seven landed.
    assert told[6].rivals[NEAREST_AHEAD][HERE] == pytest.approx((6 + 0.5) / 7, abs=1e-4)
    assert told[7].rivals[NEAREST_AHEAD][HERE] == 0.5
    assert told_beside([], [PLACE]) == []


def run_of(*matched: bool, said: float = 0.8) -> Outcomes:
    events = [
        EventOutcome("10 km", PLACE.id, f"1500{n:02x}", "arrival", NOON, "true", hit)
        for n, hit in enumerate(matched)
    ]
    events += [replace(each, side="told") for each in events if each.matched]
    losses = tuple(loss(n, said=said) for n in range(len(matched)))
    totals = {"10 km": {"arrivals": Share(sum(matched), len(matched))}}
    return Outcomes("1", tuple(events), losses, totals)


def test_two_runs_are_split_by_which_of_them_found_each_flight() -> None:
    found = compared(run_of(*[True] * 9, False, said=0.9), run_of(*[False] * 6, *[True] * 4, said=0.5))
    (arrivals,) = found.found
    assert (arrivals.both, arrivals.only_this, arrivals.only_other, arrivals.neither) == (3, 6, 1, 0)
    # McNemar, exact: 2 × (1 + 7) / 2**7.
    assert arrivals.chance == pytest.approx(0.125)
    assert arrivals.difference.value == pytest.approx(0.5)
    places = found.scores[0]
    assert places.difference.value == pytest.approx(math.log2(1 / 0.9) - 1.0)
    assert places.difference.high < 0
    assert found.only_one == 0


def test_events_that_one_run_alone_has_are_left_out_and_counted() -> None:
    assert compared(run_of(True, True), run_of(True)).only_one == 1


def test_a_run_is_the_same_after_it_was_written_and_read() -> None:
    run = run_of(True, False)
    assert outcomes_of(json.loads(json.dumps(document_of(run))), "FILE") == run


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "lacks “cells”"),
        ({"cells": {}, "format_version": 99}, "format version 99"),
        ({"cells": {}, "events": [{"at": "noon"}]}, "broken"),
    ],
)
def test_what_is_no_run_is_said(document: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        outcomes_of(document, "FILE")


def test_shares_of_separate_samples_differ_by_newcombes_interval() -> None:
    # Newcombe 1998, table II, example (a): 56/70 less 48/80, method 10.
    low, high = difference_interval(Share(56, 70), Share(48, 80))
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
