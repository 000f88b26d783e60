"""When to tell: one file per rule, each a function of look and history. Pure. Copy `record.py` to add one.

What several rules ask of a look or its history stands here.
"""

from datetime import datetime

from alerts.rules.contract import LookHistory, RuleContext, Verdict
from alerts.rules.series import certain_count, look_fault
from alerts.words import local_day, named, quoted_note, window_words
from db.records import DeclaredBaseline, Observation
from db.said import capitalised, phrase

HUMAN_METHODS = frozenset({"analyst", "published"})
IDENTITY_PREFIXES = ("icao24:", "type:", "operator:", "ship:")


def method_of(procedure: str) -> str:
    """The method's name, without version and sensor."""
    return procedure.split("@", 1)[0].split(":", 1)[0]


def comparable(look: Observation, declared: DeclaredBaseline) -> bool:
    """Whether a declared number may judge this look: people's counts by people's, a detector's only by its own."""
    ours, theirs = look.series.procedure, declared.series.procedure
    return ours == theirs or {method_of(ours), method_of(theirs)} <= HUMAN_METHODS


def unjudgeable(rule: str, look: Observation, history: LookHistory | None = None) -> Verdict | None:
    """The answer for a look that no rule can judge: nothing was observed, the event was announced or excluded."""
    if not look.usable:
        return Verdict(rule, "not_observed", exceeded=False, reason=_why_not_observed(look))
    impossible = look_fault(look)
    if impossible:
        reason = phrase("{fault} cannot be true, so the look was not judged.", fault=capitalised(impossible))
        return Verdict(rule, "not_observed", exceeded=False, reason=reason)
    if look.announced:
        reason = phrase("The event was announced beforehand: recorded, not told.")
        return Verdict(rule, "suppressed", exceeded=False, reason=reason)
    if history is not None and history.excluded_by is not None:
        reason = phrase("Excluded from judging: {what}.", what=history.excluded_by.what)
        return Verdict(rule, "suppressed", exceeded=False, reason=reason)
    return None


def _why_not_observed(look: Observation) -> str:
    if look.assessable is False:
        return phrase("The look was not assessable, so there is no count; this is not a zero.")
    return phrase("Nothing was counted in this period; this is not a zero.")


def seen_before(history: LookHistory) -> tuple[Observation, ...]:
    """The earlier looks, by any procedure, at which this subject was there."""
    return tuple(look for look in history.sightings if certain_count(look) > 0)


def last_seen(history: LookHistory) -> Observation | None:
    """The last of those looks."""
    return max(seen_before(history), key=lambda each: each.period_end, default=None)


def unlisted_identity(subject: str, watchlist: tuple[str, ...]) -> bool:
    """Whether the subject is one of the endless identities that are news only when somebody listed them.

    At a busy place most visitors are new: a share n₁/n of all identities was seen just once (Good–Turing).
    """
    return subject.startswith(IDENTITY_PREFIXES) and subject not in watchlist


def attribution(declared: DeclaredBaseline) -> str:
    """Whose statistic it is, as a reader must be told."""
    return phrase("according to {publisher}", publisher=named(declared.publisher))


def citation(declared: DeclaredBaseline) -> dict[str, object]:
    """The declared baseline as evidence beside a verdict."""
    return {
        "statistic": declared.statistic,
        "value": declared.value,
        "n": declared.n_looks,
        "window": [declared.window_start.isoformat(), declared.window_end.isoformat()],
        "publisher": declared.publisher,
        "via": declared.via,
        "url": declared.url,
        "note": quoted_note(declared.note, named(declared.publisher), declared.via),
    }


def site_day(at: datetime, context: RuleContext) -> str:
    """The site's own calendar day of an instant."""
    return local_day(at, context.timezone)


def declared_window(declared: DeclaredBaseline, context: RuleContext) -> str:
    """A declared window in the site's own calendar: `2018-10-06 to 2023-09-17`, or by months."""
    return window_words(declared, context.timezone, month_names=True)
