"""What the rules with a probability have in common: refusing, settling a p, and saying it in figures and words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from alerts.baselines.answers import CANNOT_TELL, NOT_OBSERVED
from alerts.baselines.budget import ORDINARY, SEVERITIES, Spending
from alerts.baselines.engine import Judgement, Ruling
from alerts.baselines.model import Series
from alerts.odds import odds, supported_chance
from alerts.rules import site_day, unjudgeable, unlisted_identity
from alerts.rules.contract import LookHistory, Params, RuleContext, RuleState, Verdict
from alerts.rules.engine_input import ask_engine
from alerts.words import exposure_words, numbered
from db.records import Observation
from db.said import chained, grouped, phrase, phrase_n

FiredSide = Literal["high", "low"]
Lacking = Literal["usable looks", "events", "weeks", "events in two spans"]
"""Of what a rule may know too little."""
_SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class Case:
    """One look before one rule: the look, its history, and what the engine says of it."""

    rule: str
    look: Observation
    history: LookHistory
    context: RuleContext
    judgement: Judgement

    @property
    def series(self) -> Series:
        """The look behind its past, as arrays of one series."""
        return self.judgement.series

    @property
    def spending(self) -> Spending:
        """What is promised of the look."""
        return self.judgement.spending

    @property
    def ruling(self) -> Ruling:
        """The engine's answer to this rule."""
        return self.judgement.rulings[self.rule]

    @property
    def p(self) -> float:
        """The chance that this rule gives the look."""
        return float(self.ruling.answers.p[0])

    @property
    def usable(self) -> int:
        """Earlier looks that belong to the baseline."""
        return int(self.series.looks.past.member.sum())

    @property
    def exposure(self) -> float | None:
        """The look's exposure, None where it is unknown."""
        value = float(self.series.looks.today_exposure[0])
        return None if math.isnan(value) or self.series.alike else value

    @property
    def noun(self) -> str:
        """What is counted."""
        return self.context.metric.many


def open_case(
    rule: str, look: Observation, history: LookHistory, context: RuleContext, params: Params
) -> "Case | Verdict":
    """The look as a case, or the answer where no rule with a probability can judge it."""
    refused = unjudgeable(rule, look, history)
    if refused:
        return refused
    if unlisted_identity(look.series.subject, context.watchlist):
        reason = phrase("Identities that nobody listed have no baseline of their own.")
        return Verdict(rule, "suppressed", exceeded=False, reason=reason)
    judgement = context.judgement or ask_engine(look, history, context, {rule: params})
    return Case(rule, look, history, context, judgement)


def cannot_tell(
    case: Case, what: Lacking = "usable looks", state: RuleState | None = None, n: int | None = None
) -> Verdict | None:
    """The answer where the rule cannot judge: too little history, or a zero that nobody could have seen.

    `n` are the looks there are, where not all usable ones count.
    """
    answers = case.ruling.answers
    status, needs = int(answers.status[0]), int(answers.needs[0])
    if status == NOT_OBSERVED and not case.series.looks.seen[0, -1]:
        reason = phrase(
            "A count of zero at {exposure} exposure says nothing: this is not a zero.",
            exposure=exposure_words(case.exposure),
        )
        return Verdict(case.rule, "not_observed", exceeded=False, reason=reason, state=state)
    if status == NOT_OBSERVED:
        reason = phrase("Seen too badly to compare with whole looks: only its least count is known.")
        return Verdict(case.rule, "not_observed", exceeded=False, reason=reason, state=state)
    if status == CANNOT_TELL and needs == 0:
        reason = phrase("Something was there, but a count at unknown exposure says too little of the level.")
        return Verdict(case.rule, "cannot_tell", exceeded=False, reason=reason, state=state)
    if status == CANNOT_TELL:
        return too_little(case, needs, what, state, n)
    return None


def too_little(
    case: Case,
    needs: int,
    what: Lacking = "usable looks",
    state: RuleState | None = None,
    n: int | None = None,
) -> Verdict:
    """Say “cannot tell yet, needs n more”, or that a change began the baseline anew; `n` are the looks there are."""
    missing, n = max(1, needs), case.usable if n is None else n
    details: dict[str, Any] = {"n": n, "missing": missing, "missing_what": what}
    have = phrase(
        "{looks}, needs {more}", looks=numbered(n, "usable earlier look"), more=_more(missing, what)
    )
    broken = case.history.broken_by
    if broken is not None:
        details["change"] = broken.what
        since = site_day(broken.starts_at, case.context)
        reason = phrase(
            "The history before {since} no longer counts ({what}): {have}.",
            since=since,
            what=broken.what,
            have=have,
        )
        return Verdict(
            case.rule, "baseline_broken", exceeded=False, reason=reason, details=details, state=state
        )
    reason = phrase("Too little history: {have}.", have=have)
    return Verdict(case.rule, "cannot_tell", exceeded=False, reason=reason, details=details, state=state)


def needs_words(missing: int, what: str = "looks") -> str:
    """How much more of something is needed: `needs 3 more looks`."""
    return phrase("needs {more}", more=_more(missing, what))


def _more(missing: int, what: str) -> str:
    match what:
        case "events":
            return phrase_n("{n} more event", "{n} more events", missing)
        case "weeks":
            return phrase_n("{n} more week", "{n} more weeks", missing)
        case "looks":
            return phrase_n("{n} more look", "{n} more looks", missing)
        case "observed days":
            return phrase_n("{n} more observed day", "{n} more observed days", missing)
        case "events in two spans":
            return phrase_n("{n} more event in two spans", "{n} more events in two spans", missing)
    return phrase("{n} more", n=grouped(missing))


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """What a rule found: p, the side, the most ordinary count, and the sentence that says why."""

    p: float
    side: FiredSide
    threshold: float
    sentence: str
    expected: float | None = None
    band: tuple[float, float] | None = None
    chance: float | None = None
    """The real chance of an alarm by this look, which whole counts keep below what is promised."""
    more: Mapping[str, Any] = field(default_factory=dict)
    n: int | None = None
    """Looks that the odds rest on, where those are not all usable ones."""


def verdict_of_finding(case: Case, found: RuleFinding, state: RuleState | None = None) -> Verdict:
    """The verdict of one finding, with every figure that a reader needs."""
    spending, ruling = case.spending, case.judgement.rulings.get(case.rule)
    severity = ORDINARY if ruling is None else int(ruling.severity[0])
    a_year = float(spending.looks_a_year[0])
    details: dict[str, Any] = {
        "value": case.series.looks.today[0].item(),
        "side": found.side,
        "threshold": found.threshold,
        **_basis(case),
        "p": found.p,
        "score": score_of(found.p),
        "class": case.series.kind,
        "alpha": float(spending.alpha(case.rule)[0]),
        "looks_a_year": round(a_year, 1),
        "promised_a_year": round(float(spending.a_year(case.rule)[0]), 4),
        "recalibrated": bool(spending.recalibrated(case.rule)[0]),
        **found.more,
    }
    if found.expected is not None:
        details["expected"] = _short(found.expected)
    if found.band is not None:
        details["low"], details["high"] = found.band
    if found.chance is not None:
        details["chance"] = found.chance
        details["attainable_a_year"] = round(found.chance * a_year, 4)
    if found.p < 1:
        # As the words: p says what the law gives, and the odds no more than so many looks can show.
        details["odds"] = _short(
            1 / max(found.p, supported_chance(case.usable if found.n is None else found.n))
        )
    if severity != ORDINARY:
        details["severity"] = SEVERITIES[severity]
    notes = [
        phrase("On record since {day}: {what}.", day=site_day(each.starts_at, case.context), what=each.what)
        for each in _noted(case)
    ]
    return Verdict(
        case.rule,
        "evaluated",
        exceeded=ruling is not None and bool(ruling.fires[0]),
        reason=chained(" ", [found.sentence, *notes]) if notes else found.sentence,
        details=details,
        state=state,
    )


def score_of(p: float) -> float:
    """How unusual, as a number that grows; a class's bound is learnt from what decided."""
    # Subtracted, so that a p of 1 is 0 in every database and not -0.
    return round(0.0 - math.log10(max(p, _SMALLEST)), 4)


def by_chance(case: Case, p: float, unit: str = "look", n: int | None = None) -> str:
    """How often that comes by chance, as far as the history can say; `n` where other looks count than all usable ones."""
    return odds(p, unit, case.usable if n is None else n)


def _noted(case: Case) -> list[Any]:
    """Changes that a reader should know of: notes in force, and a break within the last quarter of the baseline."""
    return [
        each
        for each in case.history.changes
        if each.effect == "note" and each.covers(case.look.period_start, case.look.period_end)
    ]


def _basis(case: Case) -> dict[str, Any]:
    member = case.series.looks.past.member[0]
    details: dict[str, Any] = {"n": int(member.sum())}
    if member.any():
        first, last = (case.series.days[:-1][member][at] for at in (0, -1))
        start = case.look.period_start
        details["window"] = [(start + timedelta(days=float(each))).isoformat() for each in (first, last)]
    if case.exposure is not None:
        details["exposure"] = round(case.exposure, 4)
    return details


def history_words(case: Case) -> str:
    """How much history stands behind it: `in 121 usable looks since 2019-05-03`."""
    basis = _basis(case)
    if "window" not in basis:
        return phrase("without usable looks")
    first = case.look.period_start + timedelta(
        days=float(case.series.days[:-1][case.series.looks.past.member[0]][0])
    )
    return phrase(
        "{looks} since {first}",
        looks=numbered(basis["n"], "usable look"),
        first=site_day(first, case.context),
    )


def at_exposure(case: Case) -> str:
    """How much of today was seen, for a sentence."""
    if case.series.alike:
        return phrase("exposure not published, taken as alike")
    return phrase("at {exposure} exposure", exposure=exposure_words(case.exposure))


def _short(value: float) -> float:
    return float(f"{value:.6g}")
