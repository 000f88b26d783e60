"""Lengths of stays, new visitors and the traffic between watched sites: what visits tell beside counts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from alerts.metrics import METRICS
from alerts.rules.contract import LookHistory, RuleContext
from alerts.rules.several import SeveralRule
from db.engine import reading
from db.observations import looks
from db.records import Observation, Visit
from monitor.flights.links import linked_visits, links_of
from monitor.flights.measures import NEW_VISITORS_METRIC, STAY_METRIC, new_visitors, stay_looks
from monitor.flights.places import place_of
from tests.kit.builders import look
from tests.kit.cast import DONUT_BASE, QUIET_FIELD
from tests.kit.flying import NOON, VIP, Pilot, World

HOUR = timedelta(hours=1)
FIELDS = (QUIET_FIELD, DONUT_BASE)


def visit(name: str = "v", **values: object) -> Visit:
    base = Visit(
        visit_id=name,
        version=1,
        site_id=QUIET_FIELD.id,
        icao24=VIP,
        state="departed",
        confidence=4,
        arrived_at=NOON,
        departed_at=NOON + 36 * HOUR,
        first_fix_at=NOON,
        last_fix_at=NOON + 36 * HOUR,
        recorded_at=NOON,
        type_code="IL62",
        subjects=("class:vip_military", f"icao24:{VIP}", "type:IL62"),
    )
    return replace(base, **values)  # type: ignore[arg-type]


def lengths(each: Visit, known: list[Observation] | None = None) -> dict[str, float | None]:
    found = stay_looks(each, known or [], NOON + 40 * HOUR, NOON + 40 * HOUR)
    return {made.series.subject: made.value for made in found}


def test_a_stay_has_its_length_under_each_subject() -> None:
    assert lengths(visit()) == dict.fromkeys(["", "class:vip_military", f"icao24:{VIP}", "type:IL62"], 36.0)
    assert lengths(visit(departed_at=None)) == {}
    assert lengths(visit(state="present")) == dict.fromkeys(lengths(visit()), 36.0)
    assert lengths(visit(state="presumed")) == {}


def test_a_length_that_changes_is_revised_and_one_that_no_longer_holds_is_taken_back() -> None:
    known = stay_looks(visit(), [], NOON + 40 * HOUR, NOON + 40 * HOUR)
    assert lengths(visit(), known) == {}
    assert set(lengths(visit(departed_at=NOON + 20 * HOUR), known).values()) == {20.0}
    assert set(lengths(visit(state="withdrawn"), known).values()) == {None}
    # Late reports move the arrival: one look begins anew, the other is taken back.
    moved = stay_looks(visit(arrived_at=NOON + HOUR), known, NOON + 41 * HOUR, NOON + 41 * HOUR)
    assert sorted((each.value is None, each.period_start) for each in moved if not each.series.subject) == [
        (False, NOON + HOUR),
        (True, NOON),
    ]


def test_a_visitor_is_new_once_and_only_if_it_was_not_here_for_a_year() -> None:
    first, again = visit("a"), visit("b", arrived_at=NOON + 2 * HOUR)
    assert new_visitors([again, first], []) == [first]
    last_year = visit("c", arrived_at=NOON - 4000 * HOUR, departed_at=NOON - 3990 * HOUR)
    assert new_visitors([first], [last_year]) == []
    long_ago = visit("d", arrived_at=NOON - 9000 * HOUR, departed_at=NOON - 8990 * HOUR)
    assert new_visitors([first], [long_ago, first]) == [first]
    assert new_visitors([visit("e", subjects=())], []) == []


def test_both_are_recorded_with_the_visit(engine: Engine) -> None:
    world = World(engine, FIELDS)
    pilot = Pilot(QUIET_FIELD).land().park(1800).take_off()
    for fix in pilot.fixes:
        world.poll(fix.at + timedelta(seconds=1), [fix])
    world.derive(pilot.at + HOUR)
    with reading(engine) as connection:
        stays = looks(connection, site_id=QUIET_FIELD.id, metric=STAY_METRIC, subject="class:vip_military")
        new = looks(connection, site_id=QUIET_FIELD.id, metric=NEW_VISITORS_METRIC)
    assert [each.value for each in stays] == [pytest.approx(0.5, abs=0.11)]
    assert [(each.series.subject, each.value, each.qualifier) for each in new] == [("", 1.0, ">=")]


def test_a_flight_between_watched_sites_joins_their_visits() -> None:
    places = {site.id: place_of(site) for site in FIELDS}
    # About 7,800 NM: 17 hours and a half.
    left = visit("here", departed_at=NOON + 2 * HOUR)
    came = visit("there", site_id=DONUT_BASE.id, arrived_at=NOON + 20 * HOUR, departed_at=None)
    one, other = linked_visits([came, left], places)
    assert links_of(one, "departures") == (f"link:{DONUT_BASE.id}",)
    assert links_of(other, "arrivals") == (f"link:{QUIET_FIELD.id}",)
    assert links_of(one, "arrivals") == links_of(other, "departures") == ()
    assert linked_visits([one, other], places) == []
    late = replace(came, arrived_at=NOON + 90 * HOUR)
    assert linked_visits([left, late], places) == []
    assert linked_visits([replace(left, icao24=""), replace(came, icao24="")], places) == []


@pytest.mark.parametrize(
    ("came", "days", "status", "exceeded"),
    [
        (1, 200, "evaluated", False),
        (2, 200, "evaluated", True),
        (3, 200, "evaluated", True),
        (2, 50, "cannot_tell", False),
    ],
)
def test_several_new_visitors_on_one_day_are_told_where_newness_means_something(
    came: float, days: float, status: str, exceeded: bool
) -> None:
    seen = look("2023-08-01", came, NEW_VISITORS_METRIC)
    history = LookHistory(as_of=seen.result_time, observed_days=days)
    rule = SeveralRule()
    verdict = rule.judge(seen, history, RuleContext(METRICS[NEW_VISITORS_METRIC]), rule.defaults)
    assert (verdict.status, verdict.exceeded) == (status, exceeded)
    assert "new visitor" in verdict.reason or "everybody is new" in verdict.reason
