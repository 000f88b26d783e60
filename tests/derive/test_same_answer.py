"""The live line and the study give the same answer: polls in a database on one side, tracks in memory on the other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Engine

from db.drafts import DerivingDraft
from db.engine import reading, writing
from db.flight_claims import insert_claims, insert_estimates
from db.flights import fixes, record_visits
from db.records import Fix, Visit, VisitState
from db.records.claims import EstimatedPosition, FlightClaim
from monitor.derive.signal_loss import DatabaseReaders
from monitor.flights.evaluation.masking import live_visits
from monitor.flights.evaluation.recording import NEVER, StudyContext, TrackRecording
from monitor.flights.places import Place, place_of
from monitor.flights.signal_loss.outlook import OutlookReaders
from monitor.sites import Site
from monitor.sites.geodesy import destination
from tests.kit.cast import DATELINE_STRIP, QUIET_FIELD
from tests.kit.flying import AIRLINER, CLASSES, NOON, VIP, Cruise, Pilot, World

pytestmark = [pytest.mark.long, pytest.mark.untraced]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIELD = place_of(QUIET_FIELD)


def beside(bearing: float, away_nm: float) -> Site:
    """Another site that is watched, as seen from Quiet Field."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    moved = np.array([lon - FIELD.lon, lat - FIELD.lat])
    geometry = shapely.transform(QUIET_FIELD.geometry, lambda at: at + moved)
    runway = {"name": "09/27", "ends": [[lon - 0.015, lat], [lon + 0.015, lat]]}
    named = replace(QUIET_FIELD, id="other-field", name="Other Field", codes={"icao": "XOTF"}, links=())
    return replace(named, geometry=geometry, runways=(runway,))


def around(bearing: float, away_nm: float, radius_nm: float) -> str:
    """The scope of a circle somewhere else."""
    lat, lon = destination(FIELD.lat, FIELD.lon, bearing, away_nm)
    return f"circle:{lat},{lon},{radius_nm}"


SITES = (QUIET_FIELD, beside(180, 55))
GATE = {
    "id": "north",
    "name": "North Gate",
    "point": destination(FIELD.lat, FIELD.lon, 20, 130)[::-1],
    "radius_nm": 20.0,
}


def inbound(away_nm: float = 135, *, bearing: float = 20, **values: Any) -> Cruise:
    return Cruise(FIELD.lat, FIELD.lon, bearing, **values).towards(away_nm)


def outbound(minutes: float, away_nm: float = 135, *, bearing: float = 20, **values: Any) -> Cruise:
    return Cruise(FIELD.lat, FIELD.lon, bearing, at=NOON + minutes * MINUTE, **values).away(away_nm)


def from_punta_arenas(minutes: float) -> Cruise:
    """The same aircraft on its way out of an airport that nobody watches."""
    return Cruise(-53.0026, -70.8546, 270, at=NOON + minutes * MINUTE).away(20)


def earlier(day: int, state: VisitState = "confirmed", **fields: Any) -> Visit:
    """An earlier visit of another aircraft of the same class, lost some 135 NM to the north-north-east."""
    at = NOON - day * DAY
    lost = destination(FIELD.lat, FIELD.lon, 20 + day, 135)
    gap = {
        "id": f"gap-{day}",
        "lost": list(lost),
        "lost_at": at.isoformat(timespec="seconds"),
        "closed": True,
    }
    gap["back_at"] = (at + 3 * HOUR).isoformat(timespec="seconds")
    values: dict[str, Any] = {
        "visit_id": f"earlier-{day}",
        "version": 1,
        "site_id": QUIET_FIELD.id,
        "icao24": "15520a",
        "state": state,
        "confidence": 3,
        "arrived_at": at + HOUR / 2,
        "departed_at": at + 2 * HOUR,
        "first_fix_at": at,
        "last_fix_at": at + 3 * HOUR,
        "recorded_at": at + 3 * HOUR,
        "subjects": ("class:military", "class:vip_military", "icao24:15520a"),
        "candidates": {"inferred": "lost", "gap": gap},
    }
    return Visit(**{**values, **fields})


CAME = tuple(earlier(day) for day in (2, 3, 4, 5))
PASSED = tuple(earlier(day, "through_flight", departed_at=None) for day in (6, 7, 8))
CLAIM = FlightClaim(
    "flightradar24-flights",
    "1",
    NOON,
    icao24=VIP,
    destination="XQUF",
    first_seen_at=NOON - HOUR,
    last_seen_at=NOON + HOUR,
)
ESTIMATE = EstimatedPosition(
    "opensky", VIP, NOON + 5 * MINUTE, NOON + 5 * MINUTE, 0.0, 0.0, destination="XOTF"
)


@dataclass(frozen=True)
class Story:
    """What is heard, for how long after the last report, what is known from before, and how it must end."""

    heard: Callable[[], Sequence[Cruise | Pilot]]
    states: tuple[str, ...]
    wait: timedelta = 8 * MINUTE
    others: tuple[Pilot, ...] = ()
    sites: tuple[Site, ...] = SITES
    known: tuple[Visit, ...] = ()
    claims: tuple[FlightClaim, ...] = ()
    estimates: tuple[EstimatedPosition, ...] = ()
    scope: str = "circle"
    down: tuple[float, float] = (0, 0)
    """The minutes after noon between which no answer is good."""
    step: timedelta = timedelta(seconds=20)

    @property
    def fixes(self) -> list[Fix]:
        """The reports of the one aircraft, by time."""
        return sorted((fix for each in self.heard() for fix in each.fixes), key=lambda fix: fix.at)

    @property
    def times(self) -> list[datetime]:
        """When the feed is asked."""
        first = min(fix.at for each in (*self.heard(), *self.others) for fix in each.fixes).replace(second=0)
        steps = (self.fixes[-1].at + self.wait - first) // self.step
        return [first + n * self.step for n in range(steps + 1)]

    @property
    def plain(self) -> "Story":
        """The same reports with nothing known beside them."""
        return Story(self.heard, (), self.wait)


def climbing(cruise: Cruise, first_ft: float = 16_000) -> Cruise:
    return replace(
        cruise, fixes=[replace(fix, altitude_ft=first_ft + 600 * n) for n, fix in enumerate(cruise.fixes)]
    )


def descending(cruise: Cruise, last_ft: float = 24_000) -> Cruise:
    last = len(cruise.fixes) - 1
    return replace(
        cruise,
        fixes=[replace(fix, altitude_ft=last_ft + 600 * (last - n)) for n, fix in enumerate(cruise.fixes)],
    )


def landed_at(site: Site) -> Pilot:
    """An airliner that is heard to land, from the east."""
    return (
        Pilot(site, icao24=AIRLINER, at=NOON - HOUR / 6, every_s=30).approach(from_nm=5).roll_out().park(120)
    )


def past_the_field() -> Pilot:
    """Hours of level flight over the field, a climb beyond it, and hours more."""
    pilot = Pilot(QUIET_FIELD, every_s=30, east_nm=50, height_ft=6_000)
    return pilot.fly(750, kt=240).fly(600, kt=240, fpm=1_500).fly(2.2 * 3600, kt=240)


def through_the_hole(edge_nm: float) -> Pilot:
    """An approach that is lost so far out, and the climb to the other side, heard again an hour later."""
    pilot = Pilot(QUIET_FIELD).approach(from_nm=edge_nm + 15, end_ft=318 * edge_nm, kt=170).wait(minutes=60)
    pilot.east_nm = -edge_nm
    return pilot.climb(420)


STORIES = {
    "lost towards the field": Story(lambda: [descending(inbound(80))], ("lost_toward",)),
    "long overdue": Story(lambda: [descending(inbound(80))], ("presumed",), wait=45 * MINUTE),
    "where others were lost before": Story(lambda: [inbound(160)], ("lost_toward",), known=CAME),
    "others flew on": Story(lambda: [inbound(120)], ("lost_toward",), known=PASSED),
    "others came and others flew on": Story(
        lambda: [descending(inbound(110))], ("lost_toward",), known=(*CAME, *PASSED)
    ),
    "a destination is claimed": Story(lambda: [inbound(200)], ("lost_toward",), claims=(CLAIM,)),
    "a destination next door is reckoned": Story(
        lambda: [inbound(120)], ("lost_toward",), estimates=(ESTIMATE,)
    ),
    "at a gate of the sites file": Story(
        lambda: [inbound(130)], ("lost_toward",), sites=(replace(QUIET_FIELD, gates=(GATE,)), SITES[1])
    ),
    "somebody was heard to land next door": Story(
        lambda: [inbound(120)], ("lost_toward",), others=(landed_at(SITES[1]),)
    ),
    "somebody was heard to land here": Story(
        lambda: [inbound(120)], ("lost_toward",), others=(landed_at(QUIET_FIELD),)
    ),
    "back after a stay": Story(
        lambda: [descending(inbound(60)), climbing(outbound(110, 60))], ("confirmed",), step=MINUTE
    ),
    "back after a stay, with a history": Story(
        lambda: [inbound(135), outbound(140, 135)], ("confirmed",), known=CAME, step=MINUTE
    ),
    "lost on the approach and heard again": Story(
        lambda: [through_the_hole(5.5)], ("confirmed",), step=MINUTE
    ),
    "lost before the approach and heard again": Story(
        lambda: [through_the_hole(12)], ("confirmed",), step=MINUTE
    ),
    "back too soon to have landed": Story(
        lambda: [inbound(135), outbound(48, 135, bearing=200)], ("through_flight",), known=CAME
    ),
    "back from somewhere else": Story(
        lambda: [descending(inbound(80)), climbing(from_punta_arenas(120), 6_000)],
        ("confirmed", "diverted"),
        step=MINUTE,
    ),
    "first heard on the way out": Story(lambda: [climbing(outbound(0, 20), 6_000)], ("confirmed",)),
    "first heard where it flew in": Story(
        lambda: [climbing(outbound(0, 20), 6_000)], (), scope=around(20, 50, 30)
    ),
    "it flies out of the area": Story(lambda: [descending(inbound(80))], (), scope=around(20, 160, 80)),
    "the feed failed when the signal was lost": Story(lambda: [descending(inbound(80))], (), down=(10, 60)),
    "longer silent than it can fly, but never awaited": Story(
        lambda: [inbound(260, off_deg=30)], (), step=4 * MINUTE, wait=14 * HOUR
    ),
    "a climb in the middle of a flight": Story(lambda: [past_the_field()], (), step=MINUTE, wait=2 * MINUTE),
}
ALONE = {"lost towards the field", "long overdue", "back after a stay", "back from somewhere else"}
ALONE |= {"first heard on the way out", "a climb in the middle of a flight"}
ALONE |= {"lost on the approach and heard again", "lost before the approach and heard again"}
ALONE |= {"longer silent than it can fly, but never awaited"}
"""The stories in which nothing is known beside the reports."""


@pytest.mark.parametrize("name", STORIES)
def test_the_live_line_and_the_study_tell_the_same_visits(name: str, sqlite_engine: Engine) -> None:
    story = STORIES[name]
    world = World(sqlite_engine, story.sites, scope=story.scope)
    with writing(sqlite_engine) as connection:
        record_visits(connection, story.known)
        insert_claims(connection, story.claims)
        insert_estimates(connection, story.estimates)
    told = heard_live(world, story)
    assert told == study(story, world.answered)
    assert tuple(visit["state"] for visit in told) == story.states
    # What is known beside the reports makes the difference, or the story shows nothing of it.
    assert (told == study(story.plain, story.times)) == (name in ALONE)


def heard_live(world: World, story: Story) -> list[dict[str, Any]]:
    """Poll and derive step by step, as the service does."""
    every = [*story.fixes, *(fix for pilot in story.others for fix in pilot.fixes)]
    for at in story.times:
        down = story.down[0] * MINUTE < at - NOON < story.down[1] * MINUTE
        fixes = [fix for fix in every if at - story.step < fix.at <= at]
        world.poll(at, [] if down else fixes, "failed" if down else "ok")
        world.derive(at)
    return in_order(visit for visit in world.visits() if visit.icao24 == VIP)


def study(story: Story, polls: Sequence[datetime]) -> list[dict[str, Any]]:
    """Read the same reports from memory."""
    tracks = {VIP: story.fixes, **{pilot.icao24: pilot.fixes for pilot in story.others}}
    setting = StudyContext(
        scope=story.scope,
        polls=polls,
        visits={QUIET_FIELD.id: story.known},
        claims=story.claims,
        estimates=story.estimates,
    )
    places = [place_of(site) for site in story.sites]
    recording = TrackRecording(tracks, places, CLASSES, setting)
    found = live_visits(recording, VIP, places, CLASSES, story.fixes[-1].at + story.wait)
    return in_order(found)


def in_order(visits: Iterable[Visit]) -> list[dict[str, Any]]:
    return [
        said(each) for each in sorted(visits, key=lambda each: (each.first_fix_at or NEVER, each.site_id))
    ]


def said(visit: Visit) -> dict[str, Any]:
    """Everything that a visit says, to the last digit, but when and how often it was written down."""
    # An id is sealed where it is stored.
    found = asdict(replace(visit, version=1, recorded_at=NEVER, visit_id=""))
    # The ends of one flight are joined afterwards, from the visits of all sites.
    # Only what was heard by a poll can name it.
    found["evidence"] = [each.text for each in visit.evidence]
    found["candidates"] = {
        key: value for key, value in visit.candidates.items() if key not in visit.flight_ends
    }
    return found


def test_a_database_and_memory_read_the_same_of_the_same_reports(sqlite_engine: Engine) -> None:
    """Across 180°, on the edges of times and boxes, on the ground, low, high and without altitude."""
    strip = place_of(DATELINE_STRIP)
    heard = [
        Fix(
            "adsb.lol",
            icao24,
            NOON + n * MINUTE,
            NOON + n * MINUTE,
            strip.lat + north / 60,
            (strip.lon + east / 60 + 180) % 360 - 180,
            on_ground=ground,
            altitude_ft=height,
        )
        for icao24 in (VIP, AIRLINER)
        for n, (east, north, ground, height) in enumerate(
            [(-3, 0, None, 900), (2, 1, True, None), (0, -2, False, None), (3, 3, False, 1_515), (-1, 0, None, 9_000)]
        )
    ]  # fmt: skip
    world = World(sqlite_engine, (DATELINE_STRIP,), scope="circle:-16.8,180,250")
    for n in range(6):
        world.poll(NOON + n * MINUTE, [fix for fix in heard if fix.at == NOON + n * MINUTE], "ok")
    claims = tuple(
        replace(CLAIM, flight_id=str(n), first_seen_at=NOON + n * HOUR, last_seen_at=NOON + (n + 1) * HOUR)
        for n in range(3)
    )
    estimates = tuple(replace(ESTIMATE, at=NOON + n * HOUR) for n in range(3))
    with writing(sqlite_engine) as connection:
        insert_claims(connection, claims)
        insert_estimates(connection, estimates)
    tracks = {icao24: [fix for fix in heard if fix.icao24 == icao24] for icao24 in (VIP, AIRLINER)}
    setting = StudyContext(
        scope="circle:-16.8,180,250", polls=world.answered, claims=claims, estimates=estimates
    )
    memory = TrackRecording(tracks, [strip], CLASSES, setting).until(NOON + 10 * MINUTE)
    times = [NOON + n * HOUR / 2 for n in range(-1, 4)]
    with reading(sqlite_engine) as connection:
        stored = fixes(connection, icao24s=[VIP])
        readers: tuple[OutlookReaders, OutlookReaders] = (
            DatabaseReaders(DerivingDraft(connection, NOON)),
            memory,
        )
        database = readers[0]
        boxes = [
            (lon(strip, west), strip.lat + south / 60, lon(strip, east), strip.lat + north / 60)
            for west, east in ((-3, 3), (-3, 0), (-1, 1), (2, 3), (0, 2))
            for south, north in ((-2, 0), (1, 3), (-2, 3))
        ]
        heard_by = [
            [
                each.heard_cells(box, NOON + first * MINUTE, NOON + last * MINUTE, but=AIRLINER)
                for box in boxes
                for first, last in ((0, 4), (1, 1), (2, 3), (4, 9))
            ]
            for each in readers
        ]
        assert heard_by[0] == heard_by[1]
        assert {0, 1, 2, 4} <= {len(each.cells) for each in heard_by[0]}
        for first, last in ((0, 4), (1, 3), (4, 9)):
            span = NOON + first * MINUTE, NOON + last * MINUTE
            stored_losses, kept_losses = (each.losses(VIP, *span) for each in readers)
            assert [fix.at for fix in stored_losses] == [fix.at for fix in kept_losses]
        for codes in (["XQUF"], ["XOTF"], ["XQUF", "XOTF"]):
            span = NOON - HOUR, NOON + 3 * HOUR
            assert readers[0].flights_claimed(codes, *span) == readers[1].flights_claimed(codes, *span)
        for fix, mine in zip(stored, tracks[VIP], strict=True):
            assert database.heard_before(VIP, fix.at) == memory.heard_before(VIP, mine.at)
            assert database.scope_of(fix) == memory.scope_of(mine)
            for until in (fix.at, NOON + 4 * MINUTE, NOON + 9 * MINUTE):
                assert database.good_polls(fix, until) == memory.good_polls(mine, until)
        for since in times:
            assert database.estimates(VIP, since) == memory.estimates(VIP, since)
            for until in times:
                assert database.claims(VIP, since, until) == memory.claims(VIP, since, until)


def lon(place: Place, east: float) -> float:
    """A longitude so many minutes of arc east of a place."""
    return (place.lon + east / 60 + 180) % 360 - 180
