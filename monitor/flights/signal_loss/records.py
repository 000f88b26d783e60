"""What a visit keeps of the loss of signal it rests on, and whether a gap is that one."""

from datetime import datetime
from typing import Any

from db.records import Visit
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.posterior import Candidate
from monitor.flights.tracks.integrity import Track
from monitor.sites.geodesy import great_circle_nm


def gap_note(gap: Gap, performance: Performance) -> dict[str, Any]:
    """Write down a gap for a visit's candidates (JSON types)."""
    found: dict[str, Any] = {
        "id": gap.id,
        "lost": end_position(gap.lost),
        "lost_at": utc_stamp(gap.lost.fix.at),
        "closed": gap.back is not None,
        "longest_before_s": gap.longest_before.total_seconds(),
        "lost_moving": [
            gap.lost.fix.altitude_ft,
            gap.lost.course_deg,
            gap.lost.rate_fpm,
            gap.lost.fix.ground_speed_kt,
        ],
    }
    if gap.back is None:
        return found
    one, other, length = gap.lost.fix, gap.back.fix, gap.length(gap.back.fix.at)
    distance = great_circle_nm(one.lat, one.lon, other.lat, other.lon)
    return found | {
        "back": end_position(gap.back),
        "back_at": utc_stamp(other.at),
        "distance_nm": round(distance, 1),
        "implied_kt": round(distance / length.total_seconds() * 3600, 1),
        "landed": performance.outlasted_by(length),
    }


def end_position(end: GapEnd) -> list[float]:
    """Latitude and longitude of an end of a gap."""
    return [round(end.fix.lat, 4), round(end.fix.lon, 4)]


def utc_stamp(at: datetime) -> str:
    """A time as a visit's candidates hold it."""
    return at.isoformat(timespec="seconds")


def is_about(visit: Visit, gap: Gap) -> bool:
    """Whether a visit rests on this gap, also where late reports have moved one of its ends."""
    began = visit.lost_at
    if began is None:
        return False
    told = visit.gap.get("back_at")
    ended = None if told is None else datetime.fromisoformat(told)
    starts_before_end = ended is None or gap.lost.fix.at < ended
    return starts_before_end and (gap.back is None or began < gap.back.fix.at) and began <= gap.lost.fix.at


def is_unchanged(visit: Visit, gap: Gap) -> bool:
    """Whether a visit rests on this very gap, with the same two ends."""
    told = visit.gap
    return (
        told.get("id") == gap.id
        and gap.back is not None
        and told.get("back_at") == utc_stamp(gap.back.fix.at)
    )


def is_filled(gap: Gap, heard: Visit) -> bool:
    """Whether the aircraft was heard to be somewhere during the gap."""
    began = heard.first_fix_at or heard.recorded_at
    ended = None if heard.state == "present" else heard.departed_at or heard.last_fix_at or began
    after = gap.back is not None and began >= gap.back.fix.at
    return not after and (ended is None or ended > gap.lost.fix.at)


def is_contradicted(visit: Visit, track: Track) -> bool:
    """Whether the reports reach back to the loss behind a visit and tell of no such loss."""
    began = visit.lost_at
    return began is not None and bool(track.fixes) and track.fixes[0].at <= began


def candidate_record(candidate: Candidate) -> dict[str, Any]:
    """Write down a candidate (JSON types); an airport that nobody watches goes by its code."""
    return {
        "site": candidate.place.id,
        "name": candidate.place.site.name,
        "watched": candidate.watched,
        "probability": candidate.probability,
        "away_nm": candidate.away_nm,
    }
