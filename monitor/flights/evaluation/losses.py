"""What the rule says of each loss of signal, told or not, beside what became of it: the ground of every log score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from db.records import Fix
from monitor.flights.evaluation.recording import StudyContext, TrackRecording
from monitor.flights.evaluation.truth import Truth
from monitor.flights.places import Place, positions
from monitor.flights.signal_loss.candidates import CANDIDATE_REACH_NM
from monitor.flights.signal_loss.gaps import SIGNAL_LOST_AFTER, Gap, GapEnd, TrackSegment, gaps
from monitor.flights.signal_loss.outlook import outlook_of
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.posterior import Posterior, Question, posterior_of, region_ids
from monitor.flights.tracks.identity import flown_as, visit_subjects
from monitor.flights.tracks.integrity import believed_track
from monitor.sites.geodesy import great_circle_nm

Stage = Literal["lost", "heard again"]
"""When a silence is judged: once it has lasted, or when the aircraft is heard again."""
LANDED = "landed"
_FIRST_LOOK = timedelta(minutes=1)
_ON_THE_WAY = timedelta(minutes=90)
"""Who lands so long after the loss, and is not heard in between, was on the way there."""
_HIGH_FT = 5_000.0
_HELD = 2
_HOLE = timedelta(minutes=30)
"""A track with a longer hole on the way does not show where the flight that was lost went."""

Odds = Mapping[str, float]
"""How likely each statement is said to be: `place:ID`, `region:ID`, `landed`."""


@dataclass(frozen=True, slots=True)
class JudgedLoss:
    """One loss of signal after reports were taken away: what is said of it, by whom, and what became of it."""

    mask: str
    darkened: str
    """The place around which reports were taken away."""
    icao24: str
    lost_at: datetime
    stage: Stage
    place: str
    """Where it landed among the places; empty where at none of them."""
    region: str
    """The region in which it landed, as far as a place shows it."""
    landed: bool | None
    """Whether it landed at all; None where the whole track does not show it."""
    odds: Odds
    rivals: Mapping[str, Odds]

    @property
    def key(self) -> tuple[str, str, str, datetime, Stage]:
        """What is the same loss in another run on the same tracks."""
        return self.mask, self.darkened, self.icao24, self.lost_at, self.stage

    def true(self, statement: str) -> bool | None:
        """Whether a statement came true; None where nothing shows it."""
        kind, _, name = statement.partition(":")
        if kind == LANDED:
            return self.landed
        return name == (self.place if kind == "place" else self.region)


@dataclass(frozen=True, slots=True)
class OpenedLoss:
    """A loss that can be judged and whose end is known, with how the aircraft moved: what rivals go by."""

    loss: JudgedLoss
    lost: GapEnd
    around: tuple[Place, ...]
    """The airports around it that nobody watches."""


def judged_losses(
    truth: Truth,
    left: Mapping[str, Sequence[Fix]],
    recording: TrackRecording,
    *,
    mask: str,
    darkened: str,
) -> tuple[list[OpenedLoss], int]:
    """Judge every silence that the mask made, as the service would at its time.

    Gives those whose end is known, and how many there are besides of which nobody knows what became of them.
    """
    found: list[OpenedLoss] = []
    unknown = 0
    for icao24, track in truth.tracks.items():
        if len(left[icao24]) == len(track):
            continue
        for gap in gaps(believed_track(list(left[icao24])).fixes):
            judged = gap.lost.airborne and gap.lost.fix.at >= recording.setting.since
            if not judged or not _made_by_mask(gap, track, left[icao24]):
                continue
            outcome = _outcome(truth, recording.setting.regions, gap)
            if outcome is None:
                unknown += 1
                continue
            place = outcome.place
            for stage, posterior, lost in _posteriors(truth, recording, icao24, gap):
                loss = JudgedLoss(
                    mask,
                    darkened,
                    icao24,
                    lost.fix.at,
                    stage,
                    "" if place is None else place.id,
                    outcome.region,
                    outcome.landed,
                    _odds(posterior, _asked_about(truth.places, lost, place), recording.setting.regions),
                    {},
                )
                around = recording.setting.airports(lost, truth.places)
                found.append(OpenedLoss(loss, lost, tuple(around)))
    return found, unknown


def with_rivals(opened: OpenedLoss, rivals: Mapping[str, Odds]) -> JudgedLoss:
    """The loss with what others say of it."""
    return replace(opened.loss, rivals=rivals)


def _made_by_mask(gap: Gap, track: Sequence[Fix], left: Sequence[Fix]) -> bool:
    """Whether it is the mask that silenced the aircraft: reports that follow the last one at once were taken away."""
    until = gap.lost.fix.at + gap.settled_after
    kept = {fix.at for fix in left}
    return any(gap.lost.fix.at < fix.at <= until and fix.at not in kept for fix in track)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the whole track shows of a loss: where it landed, in which region, and whether it did at all."""

    place: Place | None
    region: str
    landed: bool | None


def _outcome(truth: Truth, regions: Sequence[Place], gap: Gap) -> _Outcome | None:
    """Tell what became of a loss; None where the whole track shows nothing of it."""
    lost, back = gap.lost.fix, gap.back
    until = back.fix.at if back else lost.at + _ON_THE_WAY
    visit = truth.landed_between(lost.icao24, lost.at, until)
    if visit is not None and visit.arrived_at is not None:
        place = next(place for place in truth.places if place.id == visit.site_id)
        on_the_way = truth.heard(lost.icao24, lost.at, visit.arrived_at)
        return _Outcome(place, place.region, True) if _whole(on_the_way, _HOLE) else None
    heard = truth.heard(lost.icao24, lost.at, until)
    ground = [fix for fix in heard if fix.on_ground is True]
    if len(ground) >= _HELD:
        (region,) = region_ids(regions, *positions(ground[:1]))
        return _Outcome(None, region, True)
    if back is not None:
        return _Outcome(None, "", False) if _whole(heard, SIGNAL_LOST_AFTER) else None
    # Who is last heard high has not landed yet: at none of these places, as far as the track goes.
    last = truth.believed(lost.icao24).fixes[-1]
    goes_on = last.at > lost.at + SIGNAL_LOST_AFTER and (last.altitude_ft or 0.0) >= _HIGH_FT
    return _Outcome(None, "", None) if goes_on else None


def _whole(heard: Sequence[Fix], most: timedelta) -> bool:
    """Whether an aircraft was never silent for so long."""
    return all(other.at - one.at < most for one, other in pairwise(heard))


def _posteriors(
    truth: Truth, recording: TrackRecording, icao24: str, gap: Gap
) -> Iterator[tuple[Stage, Posterior, GapEnd]]:
    """Judge a silence when it has lasted and when it ends, each with what is known by then."""
    lost_at = gap.lost.fix.at
    settled = lost_at + gap.settled_after + _FIRST_LOOK
    if gap.back is None or settled < gap.back.fix.at:
        yield from _judged(truth, recording, gap.lost.fix, now=settled, stage="lost")
    if gap.back is not None:
        after = [fix for fix in recording.tracks[icao24] if fix.at >= gap.back.fix.at]
        reliable_at = next(
            (fix.at for n, fix in enumerate(after, 1) if TrackSegment(tuple(after[:n])).reliable), None
        )
        if reliable_at is not None:
            yield from _judged(truth, recording, gap.lost.fix, now=reliable_at, stage="heard again")


def _judged(
    truth: Truth, recording: TrackRecording, lost: Fix, *, now: datetime, stage: Stage
) -> Iterator[tuple[Stage, Posterior, GapEnd]]:
    track = believed_track([fix for fix in recording.tracks[lost.icao24] if fix.at <= now])
    gap = next((each for each in gaps(track.fixes) if each.lost.fix.at == lost.at), None)
    if gap is None or (gap.back is None) != (stage == "lost"):
        return
    aircraft = flown_as(track.fixes, gap.lost.fix.at)
    setting: StudyContext = recording.setting
    outlook = outlook_of(
        track,
        truth.places,
        truth.classes,
        recording.until(now),
        regions=setting.regions,
    )
    if outlook.watched(gap, now) < gap.settled_after.total_seconds() and gap.back is None:
        # It leaves the area that was asked about, or the feed failed: the service says nothing either.
        return
    listed = [name for place in (*truth.places, *setting.regions) for name in place.site.watchlist]
    question = Question(
        gap,
        truth.places,
        outlook,
        performance_of(aircraft.type_code),
        frozenset(visit_subjects(aircraft, truth.classes, listed)),
        aircraft.state,
        now,
    )
    yield stage, posterior_of(question), gap.lost


def _asked_about(places: Sequence[Place], lost: GapEnd, truth: Place | None) -> list[Place]:
    """Give the places within reach, and the right one: of all others nobody would ask."""
    fix = lost.fix
    return [
        place
        for place in places
        if place is truth or great_circle_nm(fix.lat, fix.lon, place.lat, place.lon) <= CANDIDATE_REACH_NM
    ]


def _odds(posterior: Posterior, places: Sequence[Place], regions: Sequence[Place]) -> Odds:
    found = {f"place:{place.id}": 0.0 for place in places} | {
        f"region:{region.id}": 0.0 for region in regions
    }
    told = {f"place:{each.place.id}": each.probability for each in posterior.places if each.watched}
    found |= {name: told.get(name, 0.0) for name in found}
    found |= {f"region:{name}": share for name, share in posterior.regions.items()}
    return {name: round(share, 4) for name, share in (found | {LANDED: posterior.landed}).items()}
