"""The words of an inferred visit's evidence: what was heard, what was not, and what follows from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.words import span, utc_seconds
from db.records import Evidence, Fix, Visit
from monitor.flights.evidence import flying, note
from monitor.flights.signal_loss.estimates import Arrival
from monitor.flights.signal_loss.gaps import End, Gap
from monitor.flights.signal_loss.performance import Performance
from monitor.flights.signal_loss.ranking import Candidate
from monitor.flights.tracks.kinematics import apart_nm

_TOLD = 3
_WORTH_TELLING = 0.02


def lost(gap: Gap, best: Candidate, ranked: Sequence[Candidate], expected: Arrival) -> Evidence:
    """Tell of the loss of signal and where it points."""
    fix = gap.lost.fix
    off = "" if best.off_deg is None else f", {best.off_deg:.0f}° off the direct way"
    gate = f", where signals are usually lost on that way ({best.gate})" if best.gate else ""
    return note(
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


def overdue(gap: Gap, late: datetime) -> Evidence:
    """Say that it should have arrived."""
    return Evidence(
        "note",
        "",
        f"Not heard again by {utc_seconds(late)}, when it should have arrived; the feed was working. "
        f"Nobody heard it land, and other places remain possible ({gap.lost.fix.icao24} is still awaited).",
    )


def outlasted(gap: Gap, performance: Performance) -> Evidence:
    """Say that it can no longer be in the air."""
    assert performance.endurance is not None
    hours = performance.endurance.total_seconds() / 3600
    return Evidence(
        "note",
        "",
        f"Silent since {utc_seconds(gap.lost.fix.at)}, longer than the {hours:.0f} hours that its type can stay in the air: "
        "it has landed. Where is not proven.",
    )


def through(gap: Gap, back: End) -> Evidence:
    """Say that it flew on."""
    return note(
        back.fix,
        f"Heard again at {utc_seconds(back.fix.at)} ({back.fix.provider}), {apart_nm(gap.lost.fix, back.fix):.0f} NM on, after "
        f"{span(gap.length(back.fix.at))}: as long as a flight without landing takes.",
    )


def too_short(gap: Gap, back: End) -> Evidence:
    """Say that the silence leaves no time for a stay."""
    return note(
        back.fix,
        f"Heard again at {utc_seconds(back.fix.at)} ({back.fix.provider}) after {span(gap.length(back.fix.at))}: "
        "too soon to have landed and left again.",
    )


def elsewhere(back: End) -> Evidence:
    """Say that it came back from another direction."""
    return note(
        back.fix,
        f"Heard again {flying(back.fix)} at {utc_seconds(back.fix.at)} ({back.fix.provider}), not coming from this site.",
    )


def another(visit: Visit) -> Evidence:
    """Say that it went to another site."""
    return Evidence("visit", visit.visit_id, f"It went to {visit.site_id} instead.")


def back(
    gap: Gap,
    end: End,
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
    return note(
        end.fix,
        f"Heard again {flying(end.fix)} at {utc_seconds(end.fix.at)} ({end.fix.provider}), {away:.0f} NM from "
        f"{best.place.site.name}, after {span(gap.length(end.fix.at))} of silence. "
        f"That leaves about {span(ground)} on the ground.{doubt}",
    )


def emerged(end: End, best: Candidate) -> Evidence:
    """Tell of a departure without an arrival."""
    return note(
        end.fix,
        f"First heard {flying(end.fix)} at {utc_seconds(end.fix.at)} ({end.fix.provider}), {best.away_nm:.0f} NM from "
        f"{best.place.site.name}, flying away from it ({best.gate}). Its arrival was not observed.",
    )


def _at(best: Candidate, like: Fix) -> Fix:
    return Fix(like.provider, like.icao24, like.at, like.received_at, best.place.lat, best.place.lon)
