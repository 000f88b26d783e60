"""What a visit keeps of the loss of signal it rests on, whether a gap is that one, and which visits are counted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from db.records import Visit
from monitor.flights.signal_loss.gaps import End, Gap
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.ranking import Candidate
from monitor.flights.tracks.integrity import Track
from monitor.sites.geodesy import great_circle_nm

HERE = frozenset({"present", "departed", "confirmed"})
"""States in which an aircraft is held to have been here."""
AWAITED = frozenset({"lost_toward", "presumed"})
"""States in which it may be here: counted, with a lower bound that leaves it out."""


def gap_of(visit: Visit) -> Mapping[str, Any]:
    """Give the gap that an inferred visit rests on."""
    found: Mapping[str, Any] = visit.candidates.get("gap") or {}
    return found


def is_undecided(visit: Visit) -> bool:
    """Whether the aircraft is lost somewhere near the site, and may as well have gone to a neighbour of it."""
    return bool(visit.candidates.get("undecided"))


def lost_at(visit: Visit) -> datetime | None:
    """When the signal was lost behind an inferred visit; None where only the departure was heard."""
    told = gap_of(visit).get("lost_at")
    return None if told is None else datetime.fromisoformat(told)


def gap_note(gap: Gap, performance: Performance) -> dict[str, Any]:
    """Write down a gap for a visit's candidates (JSON types)."""
    found: dict[str, Any] = {
        "id": gap.id,
        "lost": position(gap.lost),
        "lost_at": stamp(gap.lost.fix.at),
        "closed": gap.back is not None,
        "longest_before_s": gap.longest_before.total_seconds(),
    }
    if gap.back is None:
        return found
    one, other, length = gap.lost.fix, gap.back.fix, gap.length(gap.back.fix.at)
    distance = great_circle_nm(one.lat, one.lon, other.lat, other.lon)
    return found | {
        "back": position(gap.back),
        "back_at": stamp(other.at),
        "distance_nm": round(distance, 1),
        "implied_kt": round(distance / length.total_seconds() * 3600, 1),
        "landed": performance.outlasted_by(length),
    }


def position(end: End) -> list[float]:
    """Latitude and longitude of an end of a gap."""
    return [round(end.fix.lat, 4), round(end.fix.lon, 4)]


def stamp(at: datetime) -> str:
    """A time as a visit's candidates hold it."""
    return at.isoformat(timespec="seconds")


def is_about(visit: Visit, gap: Gap) -> bool:
    """Whether a visit rests on this gap, also where late reports have moved one of its ends."""
    began = lost_at(visit)
    if began is None:
        return False
    told = gap_of(visit).get("back_at")
    ended = None if told is None else datetime.fromisoformat(told)
    starts_before_end = ended is None or gap.lost.fix.at < ended
    return starts_before_end and (gap.back is None or began < gap.back.fix.at) and began <= gap.lost.fix.at


def is_unchanged(visit: Visit, gap: Gap) -> bool:
    """Whether a visit rests on this very gap, with the same two ends."""
    told = gap_of(visit)
    return told.get("id") == gap.id and gap.back is not None and told.get("back_at") == stamp(gap.back.fix.at)


def is_filled(gap: Gap, heard: Visit) -> bool:
    """Whether the aircraft was heard to be somewhere during the gap."""
    began = heard.first_fix_at or heard.recorded_at
    ended = None if heard.state == "present" else heard.departed_at or heard.last_fix_at or began
    after = gap.back is not None and began >= gap.back.fix.at
    return not after and (ended is None or ended > gap.lost.fix.at)


def is_contradicted(visit: Visit, track: Track) -> bool:
    """Whether the reports reach back to the loss behind a visit and tell of no such loss."""
    began = lost_at(visit)
    return began is not None and bool(track.fixes) and track.fixes[0].at <= began


def noted(candidate: Candidate) -> dict[str, Any]:
    """Write down a candidate (JSON types); an airport that nobody watches goes by its code and has its name."""
    found: dict[str, Any] = {
        "site": candidate.place.id,
        "probability": candidate.probability,
        "own": candidate.own,
        "away_nm": candidate.away_nm,
    }
    return found if candidate.watched else found | {"name": candidate.place.site.name}


def is_counted(visit: Visit) -> bool:
    """Whether it is here or awaited here; who may as well have gone to a neighbour is awaited at neither."""
    return visit.state in HERE or (visit.state in AWAITED and not is_awaited_near(visit))


def is_awaited_near(visit: Visit) -> bool:
    """Whether it is awaited here or at a neighbour, and nothing tells which."""
    return visit.state in AWAITED and is_undecided(visit)
