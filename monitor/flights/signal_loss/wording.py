"""The words of an inferred visit's evidence: what was heard, what was not, and what follows from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.words import measured_duration, utc_seconds
from db.records import Evidence, Fix, Visit
from monitor.flights.evidence import flying, poll_evidence
from monitor.flights.signal_loss.estimates import ArrivalEstimate
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.ranking import Candidate
from monitor.flights.tracks.kinematics import apart_nm

_TOLD = 3
_WORTH_TELLING = 0.02


def lost_sentence(
    gap: Gap, best: Candidate, ranked: Sequence[Candidate], expected: ArrivalEstimate
) -> Evidence:
    """Tell of the loss of signal and where it points."""
    fix = gap.lost.fix
    off = "" if best.off_deg is None else f", {best.off_deg:.0f}° off the direct way"
    gate = f", where signals are usually lost on that way ({best.gate})" if best.gate else ""
    return poll_evidence(
        fix,
        f"Last heard {flying(fix)} at {utc_seconds(fix.at)} ({fix.provider}), {best.away_nm:.0f} NM from "
        f"{best.place.site.name} and flying towards it{off}{gate}. It would have arrived between "
        f"{expected.early:%H:%M} and {expected.late:%H:%M} UTC. That it went there: {best.probability:.0%}; {_rest(best, ranked)}.",
    )


def _rest(best: Candidate, ranked: Sequence[Candidate]) -> str:
    """Name the likeliest alternatives, and what is left for all others."""
    told = [each for each in ranked if each is not best and each.probability >= _WORTH_TELLING][:_TOLD]
    others = [f"{each.place.site.name} {each.probability:.0%}" for each in told]
    elsewhere = max(0.0, 1 - best.probability - sum(each.probability for each in told))
    return ", ".join([*others, f"anywhere else {elsewhere:.0%}"])


def overdue_sentence(gap: Gap, late: datetime) -> Evidence:
    """Say that it should have arrived."""
    return Evidence(
        "note",
        "",
        f"Not heard again by {utc_seconds(late)}, when it should have arrived; the feed was working. "
        f"Nobody heard it land, and other places remain possible ({gap.lost.fix.icao24} is still awaited).",
    )


def outlasted_sentence(gap: Gap, performance: Performance) -> Evidence:
    """Say that it can no longer be in the air."""
    assert performance.endurance is not None
    hours = performance.endurance.total_seconds() / 3600
    return Evidence(
        "note",
        "",
        f"Silent since {utc_seconds(gap.lost.fix.at)}, longer than the {hours:.0f} hours that its type can stay in the air: "
        "it has landed. Where is not proven.",
    )


def through_flight_sentence(gap: Gap, back: GapEnd) -> Evidence:
    """Say that it flew on."""
    return poll_evidence(
        back.fix,
        f"Heard again at {utc_seconds(back.fix.at)} ({back.fix.provider}), {apart_nm(gap.lost.fix, back.fix):.0f} NM on, after "
        f"{measured_duration(gap.length(back.fix.at))}: as long as a flight without landing takes.",
    )


def too_short_sentence(gap: Gap, back: GapEnd) -> Evidence:
    """Say that the silence leaves no time for a stay."""
    return poll_evidence(
        back.fix,
        f"Heard again at {utc_seconds(back.fix.at)} ({back.fix.provider}) after {measured_duration(gap.length(back.fix.at))}: "
        "too soon to have landed and left again.",
    )


def elsewhere_sentence(back: GapEnd) -> Evidence:
    """Say that it came back from another direction."""
    return poll_evidence(
        back.fix,
        f"Heard again {flying(back.fix)} at {utc_seconds(back.fix.at)} ({back.fix.provider}), not coming from this site.",
    )


def other_site_sentence(visit: Visit) -> Evidence:
    """Say that it went to another site."""
    return Evidence("visit", visit.visit_id, f"It went to {visit.site_id} instead.")


def return_sentence(
    gap: Gap,
    end: GapEnd,
    best: Candidate,
    ranked: Sequence[Candidate],
    ground: timedelta,
    *,
    certain: bool,
) -> Evidence:
    """Tell of the return, of the time that it leaves on the ground, and of other places that explain both."""
    away = apart_nm(end.fix, _at(best, end.fix))
    doubt = ""
    if not certain:
        alone = f", {best.own:.0%} by this flight alone" if best.own < best.probability else ""
        doubt = f" That it was there: {best.probability:.0%}{alone}; {_rest(best, ranked)}."
    return poll_evidence(
        end.fix,
        f"Heard again {flying(end.fix)} at {utc_seconds(end.fix.at)} ({end.fix.provider}), {away:.0f} NM from "
        f"{best.place.site.name}, after {measured_duration(gap.length(end.fix.at))} of silence. "
        f"That leaves about {measured_duration(ground)} on the ground.{doubt}",
    )


def emerged_sentence(end: GapEnd, best: Candidate) -> Evidence:
    """Tell of a departure without an arrival."""
    return poll_evidence(
        end.fix,
        f"First heard {flying(end.fix)} at {utc_seconds(end.fix.at)} ({end.fix.provider}), {best.away_nm:.0f} NM from "
        f"{best.place.site.name}, flying away from it ({best.gate}). Its arrival was not observed.",
    )


def _at(best: Candidate, like: Fix) -> Fix:
    return Fix(like.provider, like.icao24, like.at, like.received_at, best.place.lat, best.place.lon)
