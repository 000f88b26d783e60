"""Stories of aircraft that nobody heard land: lost on the way, presumed, heard again; and those that did not land."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from db.records import Fix, Visit
from monitor.flights.places import Place, place_of
from monitor.flights.signal_loss.gaps import SIGNAL_LOST_AFTER, gaps
from monitor.flights.signal_loss.inferred import infer
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.prior import Habit
from monitor.flights.tracks.integrity import believed_track
from monitor.flights.words import visits_story as printable
from monitor.sites import Site
from monitor.sites.geodesy import course_deg, destination, great_circle_nm, turn_deg
from tests.kit.cast import DATELINE_STRIP, DONUT_BASE, QUIET_FIELD
from tests.kit.flying import CLASSES, NOON, VIP, Cruise
from tests.kit.outlooks import heard_on_the_ground, outlook

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FIELD = place_of(QUIET_FIELD)
NEAR_BY = replace(QUIET_FIELD, id="near-by", name="Near By", geometry=QUIET_FIELD.geometry)


@dataclass
class Story:
    """One aircraft heard and not heard: reports come in, and the visits are read again as the service does."""

    places: Sequence[Place] = (FIELD,)
    reports: list[Fix] = field(default_factory=list)
    visits: dict[str, Visit] = field(default_factory=dict)
    versions: list[Visit] = field(default_factory=list)
    before: Mapping[str, int] = field(default_factory=dict)
    """How many earlier flights of its class landed at each place."""
    covered: frozenset[str] = frozenset()
    others: Sequence[Place] = ()
    regions: Sequence[Place] = ()
    feed_works: bool = True

    def hear(self, cruise: Cruise) -> "Story":
        """Take in what an aircraft sent, and read at once."""
        self.reports = sorted([*self.reports, *cruise.fixes], key=lambda fix: fix.at)
        return self.read(max(fix.at for fix in self.reports))

    def read(self, now: datetime) -> "Story":
        """Read the visits at a time."""
        found = infer(
            believed_track(self.reports),
            self.places,
            known=list(self.visits.values()),
            outlook=outlook(
                habits=[Habit(10.0, self.before, 0)] if self.before else [],
                hearing=heard_on_the_ground([each for each in self.places if each.id in self.covered]),
                others=self.others,
                regions=self.regions,
                feed_works=self.feed_works,
            ),
            classes=CLASSES,
            now=now,
        )
        for visit in found:
            earlier = self.visits.get(visit.visit_id)
            if earlier is None or replace(earlier, recorded_at=visit.recorded_at) != visit:
                self.visits[visit.visit_id] = visit
                self.versions.append(visit)
        return self

    @property
    def states(self) -> list[str]:
        """The states of all versions, in order."""
        return [visit.state for visit in self.versions]

    @property
    def last(self) -> Visit:
        """The newest version."""
        return self.versions[-1]


def inbound(away_nm: float = 135, *, bearing: float = 20, **values: object) -> Cruise:
    """An aircraft on its way to Quiet Field, heard until it is so far away; `bearing` is where it comes from."""
    return Cruise(FIELD.lat, FIELD.lon, bearing, **values).towards(away_nm)  # type: ignore[arg-type]


def outbound(at_hours: float, away_nm: float = 135, *, bearing: float = 20, **values: object) -> Cruise:
    """The same aircraft on its way out, first heard so long after noon, so far away."""
    start = NOON + at_hours * HOUR
    return Cruise(FIELD.lat, FIELD.lon, bearing, at=start, **values).away(away_nm)  # type: ignore[arg-type]


def told(visit: Visit) -> str:
    return " ".join(each.text for each in visit.evidence)


def test_a_stay_of_36_hours_is_lost_presumed_and_confirmed_as_one_visit() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    assert story.read(lost + 4 * MINUTE).states == []
    assert story.read(lost + 5 * MINUTE).states == ["lost_toward"]
    assert story.last.confidence == 1
    early, late = story.last.candidates["arrived_between"]
    assert early < story.last.arrived_at.isoformat() < late if story.last.arrived_at else False
    assert story.read(lost + 20 * MINUTE).states == ["lost_toward"]
    assert story.read(lost + 50 * MINUTE).states == ["lost_toward", "presumed"]
    assert story.read(lost + 12 * HOUR).states == ["lost_toward", "presumed"]
    # Longer than an Il-62M can fly: it has landed somewhere.
    assert story.read(lost + 14 * HOUR).states == ["lost_toward", "presumed", "presumed"]
    assert story.last.gap["landed"]
    story.hear(outbound(37.3))
    assert story.states[-1] == "confirmed"
    visit = story.last
    assert len(story.visits) == 1
    assert (visit.confidence, visit.candidates["ground_h"]) == (4, pytest.approx(36.2, abs=0.5))
    assert visit.arrived_at is not None
    assert visit.departed_at is not None
    assert visit.departed_at - visit.arrived_at == pytest.approx(36.2 * HOUR, abs=HOUR / 2)
    assert "about 36 hours on the ground" in told(visit)
    assert "longer than the 13 hours" in told(visit)
    versions = len(story.versions)
    assert story.read(story.reports[-1].at + 5 * HOUR).states[:versions] == story.states[:versions]
    assert len(story.visits) in {1, 2}


def test_a_turnaround_of_an_hour_is_a_visit() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    story.read(lost + 6 * MINUTE)
    back = outbound((lost - NOON) / HOUR + 100 / 60)
    climbing = [replace(fix, altitude_ft=29_000 + 300 * n) for n, fix in enumerate(back.fixes)]
    story.hear(replace(back, fixes=climbing))
    assert story.states == ["lost_toward", "confirmed"]
    assert story.last.confidence == 4
    assert story.last.candidates["ground_h"] == pytest.approx(0.7, abs=0.1)
    # Level at both ends and back so soon, it may as well have circled.
    level = Story().hear(inbound())
    level.read(lost + 6 * MINUTE)
    level.hear(back)
    assert (level.last.state, level.last.confidence) == ("confirmed", 3)


def test_a_history_alone_makes_no_visit_sure_that_fits_a_neighbour_as_well() -> None:
    lat, lon = destination(FIELD.lat, FIELD.lon, 110, 40)
    neighbour = replace(FIELD, site=replace(QUIET_FIELD, id="other", name="Neighbour"), lat=lat, lon=lon)

    def stay(off: float, away_nm: float) -> Visit:
        story = Story(others=(neighbour,), before={FIELD.id: 200}).hear(inbound(away_nm, off_deg=off))
        story.read(story.reports[-1].at + 6 * MINUTE)
        story.hear(outbound(40, away_nm, off_deg=off))
        return story.last

    # Its courses lead to the neighbour rather: what came before makes the field likely, but this flight says little for it.
    between = stay(-9, 300)
    assert between.places[0]["probability"] > 0.95
    assert (between.state, between.confidence) == ("confirmed", 3)
    # Courses that lead away from the neighbour tell the two apart.
    assert stay(3, 135).confidence == 4


def test_a_stay_of_weeks_is_a_visit() -> None:
    story = Story().hear(inbound())
    story.read(story.reports[-1].at + 6 * MINUTE)
    story.hear(outbound(24 * 25))
    assert (story.last.state, story.last.confidence) == ("confirmed", 4)
    assert "about 25 days on the ground" in told(story.last)


def test_an_aircraft_that_flew_on_made_no_visit() -> None:
    story = Story().hear(inbound(bearing=20))
    lost = story.reports[-1].at
    story.read(lost + 6 * MINUTE)
    # 270 NM at 450 kt are 36 minutes; it comes out on the other side.
    story.hear(outbound((lost - NOON) / HOUR + 36 / 60, bearing=200))
    assert story.states == ["lost_toward", "through_flight"]
    assert "as long as a flight without landing takes" in told(story.last)


def test_too_short_a_silence_is_no_stay() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    story.read(lost + 6 * MINUTE)
    story.hear(outbound((lost - NOON) / HOUR + 65 / 60))
    assert story.states == ["lost_toward", "through_flight"]
    assert "too soon to have landed" in told(story.last)


def test_one_noisy_report_does_not_close_a_gap() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    story.read(lost + 50 * MINUTE).read(lost + 51 * MINUTE)
    ghost = outbound(9.0)
    ghost.fixes = ghost.fixes[:2]
    story.hear(ghost)
    assert story.states == ["lost_toward", "presumed"]
    story.hear(outbound(30))
    assert story.states[-1] == "confirmed"
    assert story.last.candidates["ground_h"] > 25


def test_an_outage_is_no_loss() -> None:
    story = Story(feed_works=False).hear(inbound())
    assert story.read(story.reports[-1].at + 3 * HOUR).states == []


def test_nothing_is_presumed_while_the_feed_is_down() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    story.read(lost + 6 * MINUTE)
    story.feed_works = False
    assert story.read(lost + 3 * HOUR).states == ["lost_toward"]


def test_a_covered_field_would_have_shown_the_landing() -> None:
    story = Story(covered=frozenset({FIELD.id})).hear(inbound())
    story.read(story.reports[-1].at + HOUR)
    story.hear(outbound(37))
    assert story.states == []


def test_a_track_that_does_not_point_at_the_field_is_not_lost_towards_it() -> None:
    story = Story().hear(inbound(off_deg=40))
    assert story.read(story.reports[-1].at + HOUR).states == []


def test_far_away_a_direction_proves_little_until_both_ends_point_there() -> None:
    story = Story().hear(inbound(900, bearing=300))
    lost = story.reports[-1].at
    assert story.read(lost + HOUR / 2).states == []
    story.hear(outbound(40, 130, bearing=310))
    assert story.states == ["confirmed"]
    assert story.last.confidence == 4


def test_a_return_from_another_direction_leaves_one_side() -> None:
    story = Story(before={FIELD.id: 4}).hear(inbound(90))
    story.read(story.reports[-1].at + 6 * MINUTE)
    story.hear(outbound(30, 100, off_deg=80))
    assert (story.last.state, story.last.confidence) == ("confirmed", 3)


def test_a_return_from_far_elsewhere_is_a_diversion() -> None:
    lat, lon = destination(FIELD.lat, FIELD.lon, 110, 400)
    there = replace(FIELD, site=replace(QUIET_FIELD, id="there", name="There"), lat=lat, lon=lon)
    story = Story(places=(FIELD, there)).hear(inbound(200))
    story.read(story.reports[-1].at + 6 * MINUTE)
    story.hear(Cruise(lat, lon, 110, at=NOON + 30 * HOUR).away(60))
    assert story.versions[-2].state == "diverted" or story.last.confidence <= 3


def test_of_two_places_the_way_back_decides() -> None:
    other = Place(
        replace(QUIET_FIELD, id="far-side"),
        FIELD.lat - 2.2,
        FIELD.lon - 2.0,
        FIELD.east_scale,
        FIELD.outline,
        FIELD.bounds,
    )
    story = Story(places=(FIELD, other)).hear(inbound(135, bearing=30))
    story.read(story.reports[-1].at + 6 * MINUTE)
    assert (story.last.site_id, story.last.state) == (FIELD.id, "lost_toward")
    assert [each["site"] for each in story.last.candidates["places"]] == [FIELD.id, "far-side"]
    out = Cruise(other.lat, other.lon, 270, at=NOON + 30 * HOUR).away(110)
    story.hear(out)
    assert {visit.site_id: visit.state for visit in story.visits.values()} == {
        FIELD.id: "diverted",
        "far-side": "confirmed",
    }


def test_what_another_airport_explains_as_well_stays_presumed() -> None:
    near = [destination(FIELD.lat, FIELD.lon, bearing, 12) for bearing in (20, 110, 200, 290)]
    others = [
        replace(FIELD, site=replace(QUIET_FIELD, id=f"other-{n}", name=f"Other {n}"), lat=lat, lon=lon)
        for n, (lat, lon) in enumerate(near)
    ]
    story = Story(others=others).hear(inbound())
    story.read(story.reports[-1].at + 6 * MINUTE)
    assert story.states == ["lost_toward"]
    assert "Other" in told(story.last)
    # Heard again on a way that leads away from the field no better than from its neighbours.
    story.hear(outbound(30, off_deg=24))
    visit = story.last
    assert (visit.state, visit.confidence) == ("presumed", 2)
    assert visit.departed_at is not None
    assert 0.25 <= visit.places[0]["probability"] < 0.7
    assert not visit.is_counted
    assert {each["watched"] for each in visit.places} == {True, False}
    assert "That it went there:" in told(visit)
    printed = printable("arrivals", [visit], QUIET_FIELD)
    assert (
        "on the ground. Nobody heard it land; other places or circling fit nearly as well (confidence 2 of 4)"
        in printed
    )
    # Told once: a rank that moves later is no news.
    story.before = {FIELD.id: 50}
    story.read(story.reports[-1].at + HOUR)
    assert story.visits[visit.visit_id] == visit


def test_a_loss_that_leads_to_a_neighbour_as_well_is_told_but_awaited_at_neither() -> None:
    lat, lon = destination(FIELD.lat, FIELD.lon, 20, 6)
    twin = replace(FIELD, site=replace(QUIET_FIELD, id="twin", name="Twin"), lat=lat, lon=lon)
    story = Story(places=(FIELD, twin), before={FIELD.id: 4}).hear(inbound(60))
    lost = story.reports[-1].at
    # Long overdue, and by now it must have landed: it never becomes an arrival at one of the two.
    story.read(lost + 6 * MINUTE).read(lost + 5 * HOUR).read(lost + 14 * HOUR)
    assert story.states == ["lost_toward", "lost_toward"]
    visit = story.last
    assert {each["site"] for each in visit.candidates["places"]} == {FIELD.id, "twin"}
    assert not visit.is_counted
    assert "a place near by is not known (confidence 1 of 4)" in printable("arrivals", [visit], QUIET_FIELD)
    # The same with the field alone is awaited there.
    alone = Story().hear(inbound(135)).read(lost + 5 * HOUR)
    assert alone.last.is_counted


def test_gates_of_the_sites_file_decide_where_a_loss_counts() -> None:
    reports = inbound()
    end = reports.fixes[-1]

    def with_gate(lon: float) -> Place:
        gate = {"id": "gate", "point": [lon, end.lat], "radius_nm": 20.0}
        return place_of(replace(QUIET_FIELD, gates=(gate,)))

    story = Story(places=(with_gate(end.lon),)).hear(reports)
    assert story.read(end.at + 6 * MINUTE).states == ["lost_toward"]
    assert "where signals are usually lost" in told(story.last)
    assert Story(places=(with_gate(end.lon + 9),)).hear(reports).read(end.at + HOUR).states == []


def test_a_departure_whose_arrival_nobody_heard_counts_with_confidence_2() -> None:
    out = outbound(5)
    gate = {"id": "border", "point": [out.fixes[0].lon, out.fixes[0].lat], "radius_nm": 25.0}
    story = Story(places=(place_of(replace(QUIET_FIELD, gates=(gate,))),)).hear(out)
    visit = story.last
    assert (visit.state, visit.confidence, visit.arrived_at) == ("confirmed", 2, None)
    assert visit.departed_at is not None
    assert visit.departed_at < out.fixes[0].at
    assert Story().hear(out).states == []


def test_late_reports_that_fill_a_gap_withdraw_the_visit() -> None:
    story = Story().hear(inbound())
    lost = story.reports[-1].at
    story.read(lost + 50 * MINUTE).read(lost + 51 * MINUTE)
    assert story.states[-1] == "presumed"
    # An archive brings reports of the same time: it turned away and flew on.
    story.hear(Cruise(FIELD.lat, FIELD.lon, 20, at=lost + MINUTE, off_deg=120).away(136, 3600))
    assert story.states[-1] == "withdrawn"


def test_late_reports_change_a_visit_that_was_closed() -> None:
    story = Story().hear(inbound())
    story.read(story.reports[-1].at + 6 * MINUTE)
    story.hear(outbound(37))
    first = story.last
    # Reports from before the return come late: it left two hours earlier than was known.
    story.hear(outbound(35, 132))
    again = story.visits[first.visit_id]
    assert again.state == "confirmed"
    assert again.candidates["ground_h"] == pytest.approx(first.candidates["ground_h"] - 2, abs=0.1)


def test_a_ghost_address_makes_no_visit() -> None:
    ghost = inbound()
    ghost.fixes = ghost.fixes[-1:]
    assert Story().hear(ghost).read(NOON + 3 * HOUR).states == []


def test_a_parked_aircraft_is_not_lost() -> None:
    cruise = inbound()
    cruise.fixes = [replace(fix, on_ground=True, ground_speed_kt=0.0) for fix in cruise.fixes]
    assert Story().hear(cruise).read(NOON + 3 * HOUR).states == []


def test_a_rarely_heard_aircraft_must_be_silent_for_longer() -> None:
    rarely = Cruise(FIELD.lat, FIELD.lon, 20, every_s=240).towards(135, 1200)
    story = Story().hear(rarely)
    lost = story.reports[-1].at
    assert (
        gaps(believed_track(story.reports).fixes)[-1].settled_after
        == timedelta(minutes=8)
        > SIGNAL_LOST_AFTER
    )
    assert story.read(lost + 7 * MINUTE).states == []
    assert story.read(lost + 8 * MINUTE).states == ["lost_toward"]


def test_a_type_that_is_refuelled_in_flight_is_never_proven_to_have_landed() -> None:
    assert performance_of("T160").endurance is None
    assert not performance_of("T160").outlasted_by(timedelta(days=9))
    assert performance_of("IL62").outlasted_by(timedelta(hours=14))
    assert performance_of("nothing").cruise_kt == 430


def test_types_in_no_row_of_their_own_fly_as_their_group_does() -> None:
    helicopter, turboprop = performance_of("MI8"), performance_of("DH8D")
    assert helicopter.cruise_kt < turboprop.cruise_kt < performance_of("nothing").cruise_kt
    assert helicopter.outlasted_by(timedelta(hours=7))
    assert not turboprop.outlasted_by(timedelta(hours=12))
    assert turboprop.trade == "airline"
    assert performance_of("AN26").cruise_kt == 240


@pytest.mark.parametrize("site", [QUIET_FIELD, DATELINE_STRIP, DONUT_BASE], ids=lambda site: site.id)
def test_courses_and_distances_hold_far_south_far_north_and_across_180(site: Site) -> None:
    place = place_of(site)
    cruise = Cruise(place.lat, place.lon, 70).towards(100)
    last = cruise.fixes[-1]
    assert great_circle_nm(last.lat, last.lon, place.lat, place.lon) == pytest.approx(100, rel=0.02)
    assert turn_deg(course_deg(last.lat, last.lon, place.lat, place.lon), 250) < 4
    story = Story(places=(place,)).hear(cruise)
    assert story.read(last.at + 6 * MINUTE).states == ["lost_toward"]
    assert story.last.icao24 == VIP
