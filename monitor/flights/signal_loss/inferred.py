"""Visits that are inferred from a loss of signal, as a state machine: lost_toward, presumed, confirmed and their ends.

Every step is a new version of the same visit. What was told once is kept as it was told until the gap itself
changes: a rank that moves with every poll would be news about nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from db.records import INFERRED, Evidence, Visit, VisitState
from db.records.aliases import draft_visit_id
from monitor.flights.places import Place
from monitor.flights.signal_loss import wording as words
from monitor.flights.signal_loss.answer import (
    DOUBTFUL,
    Whereabouts,
    answer_of_loss,
    answer_of_return,
    arrival_of,
    departure_of,
    graded,
    ground_of,
)
from monitor.flights.signal_loss.estimates import MIN_GROUND, estimate_departure, on_approach
from monitor.flights.signal_loss.gaps import Gap, GapEnd, gaps, segment_start, split_segments
from monitor.flights.signal_loss.performance import Performance, performance_of
from monitor.flights.signal_loss.posterior import (
    LIKELY,
    Outlook,
    Posterior,
    Question,
    emerged_from,
    posterior_of,
)
from monitor.flights.signal_loss.records import (
    candidate_record,
    end_position,
    gap_note,
    is_about,
    is_contradicted,
    is_filled,
    is_unchanged,
    utc_stamp,
)
from monitor.flights.stays import STAY_SILENCE, STAY_SILENCE_JUDGED
from monitor.flights.tracks.identity import Aircraft, Classes, aircraft_of, flown_as, visit_subjects
from monitor.flights.tracks.integrity import Track
from monitor.flights.visits import ADSB_PROCEDURE

_KEPT = 4
_OVER = frozenset({"through_flight", "diverted"})


def infer(
    track: Track,
    places: Sequence[Place],
    *,
    known: Sequence[Visit],
    outlook: Outlook,
    classes: Classes,
    now: datetime,
) -> list[Visit]:
    """Read the inferred visits out of the believed reports of one aircraft, which must not be empty.

    `known` are its visits so far, heard and inferred. Each inferred one comes back as it now stands; one whose
    gap later reports have filled comes back as withdrawn.
    """
    newest = aircraft_of(list(reversed(track.fixes)))
    case = _Case(places, newest, performance_of(newest.type_code), outlook, classes, now)
    heard = [visit for visit in known if not visit.is_inferred and visit.state != "withdrawn"]
    left = [visit for visit in known if visit.is_inferred and visit.state != "withdrawn"]
    found: list[Visit] = []
    for gap in gaps(track.fixes):
        about = [visit for visit in left if is_about(visit, gap)]
        left = [visit for visit in left if visit not in about]
        # Where it was told to have gone elsewhere, that stays told beside the visit there.
        earlier = next((visit for visit in about if visit.state not in _OVER), about[0] if about else None)
        silent = gap.lost.airborne and not case.left_to_the_approach(gap)
        if silent and not any(is_filled(gap, visit) for visit in heard):
            # The visit is that of the flight that was lost, under whatever number it left again.
            lost = replace(case, aircraft=flown_as(track.fixes, gap.lost.fix.at))
            found += lost.step(gap, earlier)
        else:
            found += [case.withdrawn(visit) for visit in about]
    found += case.emerged(track, [*heard, *found, *left])
    return found + [case.withdrawn(visit) for visit in left if is_contradicted(visit, track)]


@dataclass(frozen=True, slots=True)
class _Case:
    """One aircraft, and all that is needed to judge its silences."""

    places: Sequence[Place]
    aircraft: Aircraft
    performance: Performance
    outlook: Outlook
    classes: Classes
    now: datetime

    def step(self, gap: Gap, earlier: Visit | None) -> list[Visit]:
        """Give the visit of a gap as it now stands, and another one where the aircraft went elsewhere."""
        if gap.back is None:
            return self._open(gap, earlier)
        if earlier is not None and is_unchanged(earlier, gap):
            return [earlier]
        return self._closed(gap, gap.back, earlier)

    def left_to_the_approach(self, gap: Gap) -> bool:
        """Whether landing is judged from the approach itself: always first, and alone where the feed failed then."""
        if not on_approach(gap.lost, self.places):
            return False
        judged_at = gap.lost.fix.at + STAY_SILENCE_JUDGED
        if gap.length(self.now) <= STAY_SILENCE_JUDGED:
            return True
        return self.outlook.watched(gap, judged_at) < STAY_SILENCE.total_seconds()

    def withdrawn(self, visit: Visit) -> Visit:
        """The visit, taken back."""
        return replace(visit, state="withdrawn", recorded_at=self.now)

    def _open(self, gap: Gap, earlier: Visit | None) -> list[Visit]:
        if earlier is not None and earlier.gap.get("id") == gap.id:
            return [self._waited(gap, earlier)]
        if self.outlook.watched(gap, self.now) < gap.settled_after.total_seconds():
            return [] if earlier is None else [self._still_bound(gap, earlier)]
        posterior = self._judged(gap)
        answer = answer_of_loss(posterior, self.outlook.regions)
        if answer is None:
            return [] if earlier is None else [self.withdrawn(earlier)]
        return self._replacing(earlier, self._lost_toward(gap, answer, posterior))

    def _judged(self, gap: Gap) -> Posterior:
        return posterior_of(self._question(gap))

    def _question(self, gap: Gap) -> Question:
        state = self.aircraft.state
        return Question(gap, self.places, self.outlook, self.performance, self.subjects, state, self.now)

    def _still_bound(self, gap: Gap, earlier: Visit) -> Visit:
        """Keep a visit whose aircraft was heard a little longer, if it went on towards the place."""
        posterior = self._judged(gap)
        shares = dict(posterior.regions) | {each.place.id: each.probability for each in posterior.places}
        return earlier if shares.get(earlier.site_id, 0.0) >= LIKELY / 2 else self.withdrawn(earlier)

    def _waited(self, gap: Gap, visit: Visit) -> Visit:
        """Presume the arrival once it is overdue and a working feed heard nothing; prove it by endurance."""
        late = datetime.fromisoformat(visit.candidates["arrived_between"][1])
        if visit.state == "lost_toward" and not visit.is_undecided:
            heard_nothing = self.outlook.watched(gap, self.now) >= gap.settled_after.total_seconds()
            if self.now < late or not heard_nothing:
                return visit
            return self._next(visit, "presumed", words.overdue_sentence(gap, late))
        if self.performance.outlasted_by(gap.length(self.now)) and not visit.gap.get("landed"):
            landed = {**visit.candidates, "gap": {**visit.gap, "landed": True}}
            text = words.outlasted_sentence(gap, self.performance)
            return self._next(replace(visit, candidates=landed), visit.state, text)
        return visit

    def _closed(self, gap: Gap, back: GapEnd, earlier: Visit | None) -> list[Visit]:
        posterior = self._judged(gap)
        if posterior.landed < LIKELY:
            turned = posterior.circled > posterior.flew_on
            sentence = words.turned_sentence if turned else words.through_flight_sentence
            return self._ended(earlier, gap, "through_flight", sentence(gap, back))
        answer = answer_of_return(posterior, self.outlook.regions, earlier)
        if answer is None:
            return self._ended(earlier, gap, "diverted", words.elsewhere_sentence(back))
        answer = graded(answer, posterior, posterior_of(self._question(gap), by_itself=True))
        return self._replacing(earlier, self._returned(gap, back, answer, posterior), gap)

    def _ended(self, earlier: Visit | None, gap: Gap, state: VisitState, text: Evidence) -> list[Visit]:
        if earlier is None:
            return []
        closed = {**earlier.candidates, "gap": {**earlier.gap, **gap_note(gap, self.performance)}}
        return [self._next(replace(earlier, candidates=closed), state, text)]

    def _replacing(self, earlier: Visit | None, visit: Visit, gap: Gap | None = None) -> list[Visit]:
        """Continue the earlier visit of the gap, or end it where the aircraft went to another place."""
        if earlier is None:
            return [visit]
        if earlier.site_id == visit.site_id:
            told = earlier.evidence if earlier.gap.get("id") == visit.gap["id"] else ()
            kept = [each for each in told if each not in visit.evidence][:_KEPT]
            first = {"first_sign": earlier.candidates["first_sign"], **earlier.flight_ends}
            return [
                replace(
                    visit,
                    visit_id=earlier.visit_id,
                    evidence=(*kept, *visit.evidence[1:]) if kept else visit.evidence,
                    candidates={**visit.candidates, **first},
                )
            ]
        text = words.other_site_sentence(visit)
        if gap is None:
            return [self._next(earlier, "diverted", text), visit]
        return [*self._ended(earlier, gap, "diverted", text), visit]

    def _lost_toward(self, gap: Gap, answer: Whereabouts, posterior: Posterior) -> Visit:
        expected = arrival_of(gap.lost, answer, self.performance)
        visit = self._visit(gap.lost.fix.at, answer, "lost", gap_note(gap, self.performance), posterior)
        bounds = [utc_stamp(expected.early), utc_stamp(expected.late)]
        doubt = {} if answer.told_apart else {"undecided": True}
        return replace(
            visit,
            state="lost_toward",
            confidence=1,
            arrived_at=expected.at,
            candidates={**visit.candidates, "arrived_between": bounds, **doubt},
            evidence=(words.lost_sentence(gap, answer, posterior, expected),),
        )

    def _returned(self, gap: Gap, back: GapEnd, answer: Whereabouts, posterior: Posterior) -> Visit:
        """Confirm a stay between two flights; where another answer explains them as well, it stays presumed."""
        visit = self._lost_toward(gap, answer, posterior)
        left = departure_of(back, answer, self.performance)
        ground = ground_of(gap, answer, self.performance)
        told = words.return_sentence(gap, back, answer, posterior, ground)
        found: dict[str, Any] = {
            "departure": "emerged",
            "departed_between": [utc_stamp(max(left.early, gap.lost.fix.at)), utc_stamp(left.late)],
            "ground_h": round(ground.total_seconds() / 3600, 2),
        }
        return replace(
            visit,
            state="confirmed" if answer.confidence > DOUBTFUL else "presumed",
            confidence=answer.confidence,
            departed_at=left.at,
            last_fix_at=back.fix.at,
            candidates={**visit.candidates, **found},
            evidence=(*visit.evidence, told),
        )

    def emerged(self, track: Track, others: Sequence[Visit]) -> list[Visit]:
        """Count the departure of an aircraft whose way in nobody heard, where it appears at a known gate."""
        flown = split_segments(track.fixes)
        if not flown:
            return []
        back = segment_start(flown[0])
        before = back.fix.at - (self.performance.endurance or MIN_GROUND)
        if not back.airborne or any((each.last_fix_at or each.recorded_at) >= before for each in others):
            return []
        best = emerged_from(self._question(Gap(back, None, timedelta(0))), back)
        if best is None:
            return []
        answer = Whereabouts(best.place, best, best.region, best.probability, DOUBTFUL, (best,))
        left = estimate_departure(back, best.place, self.performance)
        gap = {"back": end_position(back), "back_at": utc_stamp(back.fix.at)}
        alone = Posterior((best,), {}, best.probability, 1 - best.probability, 0.0)
        visit = self._visit(back.fix.at, answer, "emerged", gap, alone)
        bounds = {"departure": "emerged", "departed_between": [utc_stamp(left.early), utc_stamp(left.late)]}
        return [
            replace(
                visit,
                state="confirmed",
                confidence=2,
                departed_at=left.at,
                last_fix_at=back.fix.at,
                candidates={**visit.candidates, **bounds},
                evidence=(words.emerged_sentence(back, best),),
            )
        ]

    @property
    def subjects(self) -> frozenset[str]:
        """What the aircraft is counted under, as watch lists name it."""
        listed = [name for place in (*self.places, *self.outlook.regions) for name in place.site.watchlist]
        return frozenset(visit_subjects(self.aircraft, self.classes, listed))

    def _visit(
        self, first: datetime, answer: Whereabouts, how: str, gap: Mapping[str, Any], posterior: Posterior
    ) -> Visit:
        aircraft, place = self.aircraft, answer.site
        told = answer.odds[:_KEPT]
        candidates: dict[str, Any] = {
            "procedure": ADSB_PROCEDURE,
            "first_sign": first.isoformat(timespec="minutes"),
            INFERRED: how,
            "arrival": how,
            "gap": dict(gap),
            "places": [candidate_record(each) for each in told],
            "elsewhere": round(1 - sum(each.probability for each in told), 3),
            "landed": round(posterior.landed, 3),
            "probability": round(answer.probability, 3),
        }
        if answer.region:
            candidates["region"] = answer.region
        if answer.is_region:
            candidates["only_region"] = place.site.name
        return Visit(
            visit_id=draft_visit_id(aircraft.icao24, place.id, first),
            version=1,
            site_id=place.id,
            icao24=aircraft.icao24,
            state="lost_toward",
            confidence=1,
            arrived_at=None,
            departed_at=None,
            first_fix_at=first,
            last_fix_at=first,
            recorded_at=self.now,
            callsign=aircraft.callsign,
            registration=aircraft.registration,
            type_code=aircraft.type_code,
            subjects=visit_subjects(aircraft, self.classes, place.site.watchlist),
            candidates=candidates,
        )

    def _next(self, visit: Visit, state: VisitState, text: Evidence) -> Visit:
        return replace(visit, state=state, evidence=(*visit.evidence, text), recorded_at=self.now)
