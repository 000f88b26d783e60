"""The words of an inferred visit's evidence: what was heard, what was not, and what follows from it."""

from datetime import datetime, timedelta

from alerts.words import measured_duration, utc_seconds
from db.records import Evidence, Fix, Visit
from monitor.flights.evidence import flying, poll_evidence
from monitor.flights.signal_loss.answer import Whereabouts
from monitor.flights.signal_loss.estimates import ArrivalEstimate
from monitor.flights.signal_loss.gaps import Gap, GapEnd
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.posterior import Candidate, Posterior
from monitor.flights.tracks.kinematics import apart_nm

_TOLD = 3
_WORTH_TELLING = 0.02


def lost_sentence(gap: Gap, answer: Whereabouts, posterior: Posterior, expected: ArrivalEstimate) -> Evidence:
    """Tell of the loss of signal and where it points."""
    fix, best = gap.lost.fix, answer.best
    off = "" if best.off_deg is None else f", {best.off_deg:.0f}° off the direct way"
    gate = f", where signals are usually lost on that way ({best.gate})" if best.gate else ""
    return poll_evidence(
        fix,
        f"Last heard {flying(fix)} at {utc_seconds(fix.at)} ({fix.provider}), {best.away_nm:.0f} NM from "
        f"{best.place.site.name}{off}{gate}. It would have arrived between "
        f"{expected.early:%H:%M} and {expected.late:%H:%M} UTC. {odds_sentence(answer, posterior)}",
    )


def odds_sentence(answer: Whereabouts, posterior: Posterior) -> str:
    """Say how likely the answer is, how that is shared out among places, and what is left for everything else."""
    told = [each for each in answer.odds if each.probability >= _WORTH_TELLING][:_TOLD]
    named = ", ".join(f"{each.place.site.name} {each.probability:.0%}" for each in told)
    elsewhere = max(0.0, posterior.landed - sum(each.probability for each in told))
    rest = f"another field {elsewhere:.0%}, not landed {posterior.flew_on + posterior.circled:.0%}"
    if answer.is_region:
        return f"That it went down in {answer.site.site.name}: {answer.probability:.0%}; {', '.join(filter(None, [named, rest]))}."
    return f"That it went there: {', '.join(filter(None, [named, rest]))}."


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


def turned_sentence(gap: Gap, back: GapEnd) -> Evidence:
    """Say that the silence leaves no time for a stay, or is likelier one of turning round or circling."""
    return poll_evidence(
        back.fix,
        f"Heard again at {utc_seconds(back.fix.at)} ({back.fix.provider}) after {measured_duration(gap.length(back.fix.at))}: "
        "too soon to have landed and left again, or as an aircraft that turned round or circled.",
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
    gap: Gap, end: GapEnd, answer: Whereabouts, posterior: Posterior, ground: timedelta
) -> Evidence:
    """Tell of the return, of the time that it leaves on the ground, and of other places that explain both."""
    away = apart_nm(end.fix, _at(answer.best, end.fix))
    return poll_evidence(
        end.fix,
        f"Heard again {flying(end.fix)} at {utc_seconds(end.fix.at)} ({end.fix.provider}), {away:.0f} NM from "
        f"{answer.best.place.site.name}, after {measured_duration(gap.length(end.fix.at))} of silence. "
        f"That leaves about {measured_duration(ground)} on the ground. {odds_sentence(answer, posterior)}",
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
