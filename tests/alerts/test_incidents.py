"""Incidents: what is near in time at linked sites is one thread, each channel hearing of it what it was told itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerts.delivery.compose import compose
from alerts.incidents.incidents import INCIDENT_WINDOW, incident_words, joined_incident, neighbours
from alerts.judging.judge import JudgingContext, judge_pending
from alerts.routing import Matcher, Route, Routing
from alerts.watch import SiteWatch, merge_watch
from db.alerts import alerts, others_of_incident
from db.declared import record_declared
from db.deliveries import deliveries
from db.engine import reading, writing
from db.observations import record_observations
from db.records import Alert, AlertStatus, Observation
from monitor.bootstrap import RULES
from monitor.sites.kinds import KINDS
from tests.kit.builders import DAY, at, look, stated

YARD = SiteWatch(
    "busy-port",
    "Busy Port",
    "railhead",
    "UTC",
    metrics=merge_watch(KINDS["railhead"].watch),
    links=("far-side",),
)
FAR_SIDE = replace(YARD, site_id="far-side", name="Far Side", links=())
ELSEWHERE = replace(YARD, site_id="elsewhere", name="Elsewhere", links=())
WATCHES = {each.site_id: each for each in (YARD, FAR_SIDE, ELSEWHERE)}


def bench(*routes: Route) -> JudgingContext:
    return JudgingContext(
        WATCHES, RULES, ("slack", "email"), too_old=timedelta(days=7), routing=Routing(routes)
    )


def seen(day: str, count: float, site: str) -> Observation:
    return look(day, count, site_id=site)


def judged(engine: Engine, *looks: Observation, context: JudgingContext | None = None) -> list[Alert]:
    """The alerts about these looks, each place having shown at most 20 before, by site."""
    sites = sorted({each.series.site_id for each in looks})
    stood = stated("max", 20, ("2018-10-06", "2023-09-18"), known="2022-01-01")
    declared = [
        replace(stood, key=f"{each} {stood.key}", series=replace(stood.series, site_id=each))
        for each in sites
    ]
    with writing(engine) as connection:
        record_declared(connection, declared)
        record_observations(connection, looks)
    newest = max(each.result_time for each in looks)
    judge_pending(engine, context or bench(), newest + DAY)
    with reading(engine) as connection:
        return sorted(alerts(connection), key=lambda each: each.site_id)


def messages(engine: Engine, channel: str) -> list[str]:
    with reading(engine) as connection:
        found = deliveries(connection)
    owed = [each for each in found if (each.channel, each.state) == (channel, "queued")]
    return [" ".join(compose(engine, each, None).paragraphs) for each in owed]


def test_two_sides_of_a_border_are_one_incident_and_one_thread(engine: Engine) -> None:
    here, there = judged(engine, seen("2023-10-05", 73, "busy-port"), seen("2023-10-06", 60, "far-side"))
    assert here.incident_id == there.incident_id
    with reading(engine) as connection:
        owed = deliveries(connection)
        assert others_of_incident(connection, here) == [there]
        assert others_of_incident(connection, there) == [here]
    assert {compose(engine, each, None).thread for each in owed} == {here.incident_id}
    first, second = messages(engine, "slack")
    assert "Near in time, at Far Side: 60 railcars at Far Side" in first
    assert "Near in time, at Busy Port: 73 railcars at Busy Port" in second


def test_what_is_far_away_or_long_after_is_another_incident(engine: Engine) -> None:
    looks = (seen("2023-10-05", 73, "busy-port"), seen("2023-10-05", 60, "elsewhere"))
    late = seen("2023-10-12", 60, "far-side")
    assert len({each.incident_id for each in judged(engine, *looks, late)}) == 3


def test_a_channel_hears_nothing_of_what_went_elsewhere(engine: Engine) -> None:
    """A desk that is told of one side alone is not told of the other in passing."""
    context = bench(
        Route("here", ("slack",), Matcher(site=("busy-port",))),
        Route("there", ("email",), Matcher(site=("far-side",))),
    )
    judged(engine, seen("2023-10-05", 73, "busy-port"), seen("2023-10-06", 60, "far-side"), context=context)
    for channel in ("slack", "email"):
        (only,) = messages(engine, channel)
        assert "Near in time" not in only


def an_alert(number: int, hours: float, status: AlertStatus = "open") -> Alert:
    when = at("2023-10-05") + timedelta(hours=hours)
    blank = Alert(
        id=f"al_{number}", fingerprint="", site_id="s", site_name="S", area="", metric="railcars", group_key="",
        subjects=(), rule="", rules=(), status="open", phenomenon_time=when, opened_at=when, closed_at=None,
        last_look_at=when, value=1, peak=1, baseline={}, headline=f"number {number}", confidence="",
        details={}, incident_id=f"in_{number}", events=1,
    )  # fmt: skip
    return replace(blank, status=status)


@given(st.lists(st.floats(0, 24 * 30), min_size=1, max_size=30))
def test_no_incident_spans_more_than_the_window_on_both_sides_of_its_beginning(
    hours: Sequence[float],
) -> None:
    known: list[Alert] = []
    for number, hour in enumerate(hours):
        known.append(joined_incident(an_alert(number, hour), known))
    for each in known:
        beginning = next(one for one in known if one.id == f"al_{each.incident_id.removeprefix('in_')}")
        assert beginning.incident_id == each.incident_id
        assert abs(each.phenomenon_time - beginning.phenomenon_time) <= INCIDENT_WINDOW
    starts = [each for each in known if each.incident_id == f"in_{each.id.removeprefix('al_')}"]
    for number, one in enumerate(starts):
        assert all(
            abs(one.phenomenon_time - each.phenomenon_time) > INCIDENT_WINDOW for each in starts[:number]
        )


def test_what_was_withdrawn_draws_nothing_in() -> None:
    new = an_alert(2, 5)
    assert joined_incident(new, [an_alert(1, 0, "withdrawn")]) == new
    assert joined_incident(new, [an_alert(1, 0)]).incident_id == "in_1"


def test_a_link_holds_from_either_side() -> None:
    assert neighbours(YARD, WATCHES) == neighbours(FAR_SIDE, WATCHES) == {"busy-port", "far-side"}
    assert neighbours(ELSEWHERE, WATCHES) == {"elsewhere"}


@pytest.mark.parametrize(
    ("status", "said"), [("open", ""), ("resolved", " It is over."), ("lapsed", " Its outcome is unknown.")]
)
def test_how_the_others_stand_is_said(status: AlertStatus, said: str) -> None:
    assert incident_words([an_alert(1, 0, status)]) == [f"Near in time, at S: number 1.{said}"]
