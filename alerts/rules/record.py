"""`record`: more than at any earlier look, or than a published maximum."""

from types import MappingProxyType

from alerts.rules import (
    attribution,
    citation,
    comparable,
    counted,
    day,
    looks_behind,
    unjudgeable,
    window,
)
from alerts.verdict import Context, History, Params, Verdict
from db.records import DeclaredBaseline, Observation


class Record:
    """Fires when the count passes every comparable earlier look and every declared maximum.

    Odds by the exact law P ≤ (1 + number at least as high) / (n + 1), over n looks at least as exposed as
    this one. With a declared maximum the number of looks behind it is seldom published: then no odds.
    """

    name = "record"
    strength = 30
    defaults: Params = MappingProxyType({"min_looks": 20})

    def judge(self, look: Observation, history: History, context: Context, params: Params) -> Verdict:
        """Judge one look against the highest count known."""
        refused = unjudgeable(self.name, look)
        if refused:
            return refused
        declared = _declared_maximum(look, history)
        past = [each for each in history.looks if (each.exposure or 1.0) >= (look.exposure or 0.0)]
        if declared is None and len(past) < params["min_looks"]:
            missing = int(params["min_looks"]) - len(past)
            return Verdict(
                self.name,
                "cannot_tell",
                exceeded=False,
                reason=f"Too little history: {len(past)} usable earlier looks, needs {missing} more.",
                details={"n": len(past), "missing": missing},
            )
        highest = max(past, key=counted, default=None)
        return _compare(look, highest, declared, past, context)


def _declared_maximum(look: Observation, history: History) -> DeclaredBaseline | None:
    usable = [
        each
        for each in history.declared
        if each.statistic == "max"
        and each.value is not None
        and each.window_end <= look.period_start
        and comparable(look, each)
    ]
    return max(usable, key=lambda each: each.value or 0.0, default=None)


def _compare(
    look: Observation,
    highest: Observation | None,
    declared: DeclaredBaseline | None,
    past: list[Observation],
    context: Context,
) -> Verdict:
    own = counted(highest) if highest else 0.0
    threshold = max(own, (declared.value or 0.0) if declared else 0.0)
    value = counted(look)
    details: dict[str, object] = {"threshold": threshold, "n": len(past)}
    if threshold > 0:
        details["ratio"] = round(value / threshold, 2)
    if declared is not None:
        details["declared"] = citation(declared)
        basis = (
            f"at most {declared.value:g} from {window(declared, context)} {attribution(declared)}, "
            f"{looks_behind(declared)}"
        )
    else:
        at_least = sum(counted(each) >= value for each in past)
        details["odds"] = round((len(past) + 1) / (1 + at_least), 1)
        basis = f"in {len(past)} usable looks"
    if highest is not None and own >= threshold:
        details["previous"] = {
            "value": own,
            "at": highest.period_start.isoformat(),
            "publisher": highest.publisher,
        }
        source = f", {highest.publisher}" if highest.publisher else ""
        basis = f"{own:g} on {day(highest.period_start, context)}{source}; {basis}"
    metric = context.metric.many
    comparison = "more than" if value > threshold else "not more than"
    reason = f"{value:g} {metric}: {comparison} the highest known before, {threshold:g} ({basis})."
    return Verdict("record", "evaluated", exceeded=value > threshold, reason=reason, details=details)
