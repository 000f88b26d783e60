"""The words of a visit's evidence: what was seen at its two ends, by whom, and what was not."""

from alerts.words import utc_seconds
from db.records import Evidence, Fix
from monitor.flights.stays import STAY_SILENCE, Stay
from monitor.sites.geodesy import great_circle_nm


def stay_evidence(stay: Stay) -> tuple[Evidence, ...]:
    """Tell both ends of a stay, each with the poll that it rests on."""
    told = [] if stay.prior is not None else [poll_evidence(stay.first, _arrival(stay))]
    if stay.off is not None and (stay.departure or stay.prior):
        told.append(poll_evidence(stay.off, _departure(stay, stay.off)))
    return tuple(told)


def poll_evidence(fix: Fix, text: str) -> Evidence:
    """A sentence with the poll that it rests on."""
    if fix.poll_id is None:
        return Evidence("note", "", text)
    return Evidence("poll", str(fix.poll_id), text)


def _arrival(stay: Stay) -> str:
    first, before = stay.first, stay.before
    if stay.arrival == "unseen" and not stay.grounded:
        return (
            f"First heard {flying(first)} at {utc_seconds(first.at)} ({first.provider}), climbing away from the site. "
            "Its arrival was not observed."
        )
    if stay.arrival == "unseen":
        return (
            f"Already on the ground inside the site when first heard, at {utc_seconds(first.at)} ({first.provider}). "
            "Its arrival was not observed."
        )
    if stay.arrival == "approach":
        how = "rolling on the ground" if first.on_ground else f"{flying(first)}, descending towards the site"
        return f"Last heard at {utc_seconds(first.at)} ({first.provider}) {how}, {_silence(stay)}"
    # Only a stay whose aircraft was heard before can have this kind of arrival.
    assert before is not None
    return f"{_coming(before, first)}on the ground inside the site at {utc_seconds(first.at)} ({first.provider})."


def _silence(stay: Stay) -> str:
    if not stay.lost:
        return "then silent until it reported from the ground inside the site."
    minutes = int(STAY_SILENCE.total_seconds() // 60)
    return f"then silent for at least {minutes} minutes. No report from the ground confirmed the landing."


def _coming(before: Fix, first: Fix) -> str:
    if first.at - before.at <= STAY_SILENCE:
        return f"In the air at {utc_seconds(before.at)}, "
    away = great_circle_nm(before.lat, before.lon, first.lat, first.lon)
    return f"Heard {away:.0f} NM away at {utc_seconds(before.at)}, then silent until heard "


def _departure(stay: Stay, off: Fix) -> str:
    if stay.departure == "ground":
        return f"Last on the ground at {utc_seconds(stay.last.at)}, in the air at {utc_seconds(off.at)} ({off.provider})."
    if stay.departure == "first_fixes":
        return f"Heard {flying(off)} at {utc_seconds(off.at)} ({off.provider}), climbing away from the site."
    away = great_circle_nm(stay.last.lat, stay.last.lon, off.lat, off.lon)
    where = "on the ground" if stay.departure == "elsewhere" else "in the air"
    return (
        f"Next heard {where} {away:.0f} NM away at {utc_seconds(off.at)} ({off.provider}). "
        f"It left at an unknown time after {utc_seconds(stay.last.at)}."
    )


def flying(fix: Fix) -> str:
    """How an aircraft flew, as far as the report says."""
    known = []
    if fix.altitude_ft is not None:
        known.append(f"at {fix.altitude_ft:.0f} ft (pressure altitude)")
    if fix.ground_speed_kt is not None:
        known.append(f"at {fix.ground_speed_kt:.0f} kt")
    return " and ".join(known) or "in the air"
