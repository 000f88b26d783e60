"""Flights into North Korea that nobody heard land, at the shipped sites: what is told while they are silent, and afterwards."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from db.records import Fix, Visit
from monitor.bootstrap import rule_defaults
from monitor.feeds.aircraft import AircraftReader
from monitor.flights.evaluation.masking import live_visits
from monitor.flights.evaluation.recording import StudyContext, TrackRecording
from monitor.flights.places import Place, places_of, regions_of
from monitor.flights.tracks.classes import default_classes
from monitor.sites.load import load_sites
from scenarios.reconstruct import AS_SHIPPED, polls, silences

SHIPPED = Path(__file__).resolve().parents[2] / "sites.geojson"
MINUTE = timedelta(minutes=1)


@cache
def shipped() -> tuple[tuple[Place, ...], tuple[Place, ...]]:
    """The places and the regions of the shipped sites."""
    sites = tuple(load_sites(SHIPPED, rule_defaults()))
    return places_of(sites), regions_of(sites)


@dataclass(frozen=True)
class Heard:
    """What was heard of one scenario, aircraft by aircraft, and when it was asked."""

    tracks: dict[str, list[Fix]]
    asked: tuple[datetime, ...]
    scope: str

    @property
    def who(self) -> str:
        """The one that the story is about."""
        return next(icao24 for icao24 in self.tracks if not icao24.startswith("71"))

    def lost_at(self) -> datetime:
        """The last report before the silence."""
        track = self.tracks[self.who]
        return next(one.at for one, other in pairwise(track) if other.at - one.at > 20 * MINUTE)

    def told(self, until: datetime | None = None, known: Sequence[Visit] = ()) -> list[Visit]:
        """What the service would tell by then."""
        places, regions = shipped()
        end = until or self.asked[-1] + MINUTE
        setting = StudyContext(
            scope=self.scope,
            polls=[at for at in self.asked if at <= end],
            regions=regions,
            visits={place.id: [each for each in known if each.site_id == place.id] for place in places},
        )
        tracks = {name: [fix for fix in track if fix.at <= end] for name, track in self.tracks.items()}
        recording = TrackRecording(
            {name: track for name, track in tracks.items() if track}, places, default_classes(), setting
        )
        return live_visits(recording, self.who, places, default_classes(), end)


@cache
def heard(name: str) -> Heard:
    story = silences()[name]
    tracks: dict[str, dict[datetime, Fix]] = {}
    asked = []
    for line in polls(story):
        at = datetime.fromisoformat(line["at"])
        asked.append(at)
        reader = AircraftReader("adsb.lol", feed_time=at, received_at=at, max_age_s=60, circle=None)
        for fix in reader.read(json.loads(line["body"])["ac"]):
            tracks.setdefault(fix.icao24, {})[fix.at] = fix
    (lat, lon), radius_nm = AS_SHIPPED[3 if "vladivostok" in name else 0]
    ordered = {icao24: [track[at] for at in sorted(track)] for icao24, track in tracks.items()}
    return Heard(ordered, tuple(sorted(set(asked))), f"circle:{lat},{lon},{radius_nm}")


def odds(visit: Visit) -> dict[str, float]:
    return {each["site"]: each["probability"] for each in visit.places}


@pytest.mark.parametrize("name", ["vladivostok-36h", "vladivostok-65min"])
def test_the_il_62m_from_vladivostok_is_told_step_by_step(name: str) -> None:
    story = heard(name)
    lost = story.lost_at()
    assert story.tracks[story.who][-1].lon > 130
    (soon,) = story.told(lost + 10 * MINUTE)
    assert (soon.state, soon.site, soon.region) == ("lost_toward", None, "kp")
    (overdue,) = story.told(lost + 75 * MINUTE)
    assert (overdue.state, overdue.region) == ("presumed", "kp")
    assert overdue.is_counted
    (stay,) = story.told()
    assert (stay.visit_id, stay.state, stay.region) == (soon.visit_id, "confirmed", "kp")
    assert stay.confidence == (4 if name == "vladivostok-36h" else 3)
    assert odds(stay)["kp-sunan"] > 0.6
    assert odds(stay)["kp-wonsan-kalma"] > 0.05
    assert stay.arrived_between is not None
    assert stay.departed_between is not None
    assert stay.arrived_between[0] < stay.arrived_between[1] <= stay.departed_between[1]


def test_a_silence_too_short_for_a_stay_is_told_and_taken_back() -> None:
    story = heard("vladivostok-dark-65min")
    (visit,) = [each for each in story.told() if each.region == "kp"]
    # Sunan and back is 80 minutes of flight alone, Wonsan and back leaves none on the ground.
    assert visit.state == "through_flight"


def test_an_overflight_is_told_as_flown_through_and_never_as_landed() -> None:
    story = heard("through-flight")
    (lost,) = story.told(story.lost_at() + 10 * MINUTE)
    assert (lost.state, lost.region) == ("lost_toward", "kp")
    ended = [each for each in story.told() if each.region == "kp"]
    assert [each.state for each in ended] == ["through_flight"]


@pytest.mark.parametrize(
    ("name", "best", "least_confidence"),
    [
        ("air-koryo-pair", "kp-sunan", 3),
        ("il96-to-hanoi", "kp-sunan", 4),
        ("transponder-off", "kp-sunan", 4),
        ("il76-wonsan", "kp-wonsan-kalma", 3),
    ],
)
def test_a_certain_landing_always_has_a_row(name: str, best: str, least_confidence: int) -> None:
    (visit,) = [each for each in heard(name).told() if each.region == "kp"]
    assert (visit.state, next(iter(odds(visit)))) == ("confirmed", best)
    assert visit.confidence >= least_confidence


def test_the_il_76_to_wonsan_is_told_when_it_is_lost() -> None:
    story = heard("il76-wonsan")
    (visit,) = story.told(story.lost_at() + 10 * MINUTE)
    assert (visit.state, visit.region) == ("lost_toward", "kp")


def test_a_dog_leg_leaves_the_place_open() -> None:
    (visit,) = [each for each in heard("dog-leg-sunan").told() if each.region == "kp"]
    assert (visit.site, visit.state) == (None, "confirmed")
    assert odds(visit)["kp-sunan"] > 0.05


def test_a_flight_number_that_came_often_is_near_certain() -> None:
    story = heard("air-koryo-pair")
    before = story.lost_at() - timedelta(days=1)
    seen = Visit(
        "earlier-0",
        1,
        "kp-sunan",
        "7277cf",
        "departed",
        4,
        before,
        before,
        before,
        before,
        before,
        callsign="KOR272",
        subjects=("operator:KOR", "class:air_koryo"),
    )
    known = [
        replace(seen, visit_id=f"earlier-{n}", first_fix_at=before - timedelta(days=n)) for n in range(100)
    ]
    (lost,) = story.told(story.lost_at() + 10 * MINUTE, known)
    assert (lost.site, lost.state) == ("kp-sunan", "lost_toward")
    assert odds(lost)["kp-sunan"] > 0.9
    # It comes back as KOR271: the stay is that of the flight that came, and as sure as a hundred others make it.
    (stay,) = story.told(known=known)
    assert (stay.site, stay.state, stay.confidence) == ("kp-sunan", "confirmed", 4)
    assert odds(stay)["kp-sunan"] > 0.99
    assert (stay.callsign, "operator:KOR" in stay.subjects) == ("KOR272", True)
    # A number that also went elsewhere, or seldom came, leaves a doubt.
    gone = [replace(each, visit_id=f"gone-{each.visit_id}", site_id="kp-wonsan-kalma") for each in known]
    for before_it in (known[:5], [*known, *gone[:10]]):
        assert [each.confidence for each in story.told(known=before_it)] == [3]
