"""How the pages say what rules answered: a verdict in a few words, its reasons, and which rules watch what. Pure."""

from collections.abc import Iterable, Sequence

from alerts.watch import SiteWatch
from alerts.words import metric_words, rule_words
from db.records import Evaluation
from db.said import chained, phrase, phrase_n

_STATUS_WORDS = {
    "evaluated": phrase("ordinary"),
    "not_observed": phrase("not observed"),
    "cannot_tell": phrase("cannot tell yet"),
    "baseline_broken": phrase("baseline broken"),
    "suppressed": phrase("recorded, not told"),
    "no_rule": phrase("not judged"),
}
# What a look is called when several rules answered differently.
_STATUS_ORDER = ("not_observed", "suppressed", "baseline_broken", "cannot_tell", "evaluated", "no_rule")
# These say whether something was there before, not whether a count is ordinary.
_PRESENCE_RULES = frozenset({"watchlist", "first_ever", "first_since"})
USABLE_LOOKS = "usable looks"
"""What rules mean that say how many are missing, unless they name another thing."""


def verdict_phrase(evaluations: Sequence[Evaluation]) -> str:
    """What the rules said of one look, in a few words."""
    if not evaluations:
        return phrase("waits to be judged")
    fired = [rule_words(each.rule) for each in evaluations if each.exceeded]
    if fired:
        return phrase("unusual: {rules}", rules=chained(", ", fired))
    said = verdict_status(evaluations)
    words = _STATUS_WORDS[said]
    missing = missing_looks(evaluations) if said == "cannot_tell" else None
    if missing is None:
        return words
    return phrase(
        "{said}, needs {looks}", said=words, looks=phrase_n("{n} more look", "{n} more looks", missing)
    )


def verdict_status(evaluations: Sequence[Evaluation]) -> str:
    """What a look is called when several rules answered differently; `no_rule` where none did."""
    if any(each.status == "evaluated" and each.rule not in _PRESENCE_RULES for each in evaluations):
        return "evaluated"
    return min((each.status for each in evaluations), key=_STATUS_ORDER.index, default="no_rule")


def missing_looks(evaluations: Iterable[Evaluation]) -> int | None:
    """How many more looks the nearest rule needs before it can tell; rules that need other things are left out."""
    known = [
        each.details["missing"]
        for each in evaluations
        if isinstance(each.details.get("missing"), int)
        and each.details.get("missing_what", USABLE_LOOKS) == USABLE_LOOKS
    ]
    return min(known, default=None)


def reasons(evaluations: Iterable[Evaluation]) -> list[str]:
    """Each rule's own sentence, the exceeded ones first; rules that say the same are named together."""
    said: dict[str, list[str]] = {}
    for each in sorted(evaluations, key=lambda each: not each.exceeded):
        if reason := each.details.get("reason"):
            said.setdefault(reason, []).append(rule_words(each.rule))
    return [
        chained(": ", [chained(", ", named), reason])
        if (named := [each for each in rules if each])
        else reason
        for reason, rules in said.items()
    ]


def rules_by_metric(watch: SiteWatch) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is watched at a site: metrics that share the same rules, and these rules."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for each in watch.metrics.values():
        rules = tuple(rule_words(rule) for rule in each.rules)
        shared.setdefault(rules, []).append(metric_words(each.metric))
    return tuple((chained(", ", metrics), rules) for rules, metrics in shared.items())
