"""How the pages say times, counts and verdicts: plain, in UTC with the site's own day, no finer than the source."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.judging.forecast import Expected
from alerts.metrics import METRICS
from alerts.watch import SiteWatch
from alerts.words import capital, local_day, own_count
from db.records import DeclaredBaseline, Evaluation, Observation

_QUALIFIERS = {"=": "", "~=": "about ", ">=": "at least ", "<=": "at most "}
_UNITS = (
    (timedelta(days=730), timedelta(days=365.25), "year"),
    (timedelta(days=60), timedelta(days=30.44), "month"),
    (timedelta(days=2), timedelta(days=1), "day"),
    (timedelta(hours=2), timedelta(hours=1), "hour"),
    (timedelta(minutes=2), timedelta(minutes=1), "minute"),
)
_STATUS_WORDS = {
    "evaluated": "ordinary",
    "not_observed": "not observed",
    "cannot_tell": "cannot tell yet",
    "baseline_broken": "baseline broken",
    "suppressed": "recorded, not told",
    "no_rule": "not judged",
}
# What a look is called when several rules answered differently.
_STATUS_ORDER = ("not_observed", "suppressed", "baseline_broken", "cannot_tell", "evaluated", "no_rule")
# These say whether something was there before, not whether a count is ordinary.
_PRESENCE_RULES = frozenset({"watchlist", "first_ever", "first_since"})
USABLE_LOOKS = "usable looks"
"""What rules mean that say how many are missing, unless they name another thing."""
STATE_WORDS = {
    "lost_toward": "lost on the way here",
    "undecided": "lost on the way here or to a place near by",
    "presumed": "presumed here",
    "present": "here",
    "confirmed": "was here, confirmed",
    "departed": "left",
    "through_flight": "flew past",
    "diverted": "landed elsewhere",
    "withdrawn": "withdrawn",
}
CONFIDENCE_WORDS = {
    1: "weak",
    2: "one side seen, or another place fits nearly as well",
    3: "one side confirmed, or another place possible",
    4: "both sides seen, nothing else fits",
}


def utc(at: datetime) -> str:
    """A moment in UTC: `2023-10-05 09:24 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def known_since(at: datetime, zone: str) -> str:
    """When something was knowable; a publication is dated by its day, which is stored as that day's first moment."""
    local = at.astimezone(ZoneInfo(zone))
    midnight = any((each.hour, each.minute, each.second) == (0, 0, 0) for each in (at, local))
    return f"{(at if at.hour == 0 else local):%Y-%m-%d}" if midnight else utc(at)


def every(seconds: int) -> str:
    """A cadence in the largest unit that divides it: `minute`, `6 hours`, `90 seconds`."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return unit if seconds == size else f"{seconds // size} {unit}s"
    return "second" if seconds == 1 else f"{seconds} seconds"


def local_time(at: datetime, zone: str) -> str:
    """The same moment on the site's own clock: `18:24 on 5 Oct`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M} on {local.day} {local:%b}"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says enough: `3 minutes ago`."""
    return f"{duration(now - at)} ago" if now - at >= timedelta(minutes=1) else "just now"


def duration(length: timedelta) -> str:
    """A length of time in the largest unit that says enough."""
    for least, unit, name in _UNITS:
        if length >= least:
            return f"{length / unit:.0f} {name}s"
    minutes = max(0, round(length / timedelta(minutes=1)))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def period(start: datetime, end: datetime, precision: str, zone: str) -> str:
    """When a look was, no finer than its source said: a month, days, or a minute in UTC."""
    if precision in {"minute", "hour"}:
        return utc(start)
    first, last = local_day(start, zone), local_day(max(start, end - timedelta(microseconds=1)), zone)
    if precision == "month":
        return first[:7] if first[:7] == last[:7] else f"{first[:7]} to {last[:7]}"
    return first if first == last else f"{first} to {last}"


def look_period(look: Observation, zone: str) -> str:
    """When a look was."""
    return period(look.period_start, look.period_end, look.precision, zone)


def window(declared: DeclaredBaseline, zone: str) -> str:
    """Which time a declared baseline is about."""
    return period(declared.window_start, declared.window_end, declared.precision, zone)


def counted(look: Observation) -> str:
    """A count as a reader takes it: `about 73`, `at least 1`, or that there is none."""
    if look.assessable is False:
        return "not assessable"
    if look.value is None:
        return "no count"
    return qualified(look.qualifier, look.value)


def qualified(qualifier: str, value: float) -> str:
    """A count with what is known of its exactness."""
    return f"{_QUALIFIERS.get(qualifier, '')}{value:g}"


def short_count(look: Observation) -> str:
    """A count as short as a label in a chart must be."""
    signs = {"~=": "~", ">=": "≥", "<=": "≤"}
    return "" if look.value is None else f"{signs.get(look.qualifier, '')}{look.value:g}"


def source(look: Observation) -> str:
    """Who counted: the publisher, or the procedure where we counted ourselves."""
    return look.publisher or own_count(look.series.procedure, look.data_from)


def usual(each: Expected, zone: str) -> str:
    """What was expected of a look, from the looks before it alone."""
    return (
        f"{look_period(each.look, zone)}: usually {each.low:g} to {each.high:g}, {each.expected:.3g} expected"
    )


def exposure(look: Observation) -> str:
    """How much of the period or area was really observed."""
    return "not stated" if look.exposure is None else f"{look.exposure:.0%}"


def statement(declared: DeclaredBaseline) -> str:
    """What a declared baseline says: `at most 20 railcars`, `none before`."""
    many = METRICS[declared.series.metric].many if declared.series.metric in METRICS else ""
    match declared.statistic:
        case "max" if declared.value is not None:
            return f"at most {declared.value:g} {many}"
        case "none_before":
            return f"no {many} before"
        case "last_seen":
            return "last seen before"
        case "share" if declared.value is not None and declared.n_looks:
            return f"there at {declared.value:g} of {declared.n_looks} looks"
    return declared.statistic.replace("_", " ")


def looks_behind(declared: DeclaredBaseline) -> str:
    """How many looks stand behind it, or that nobody said."""
    return f"{declared.n_looks} looks" if declared.n_looks else "number of looks not published"


def metric_words(metric: str) -> str:
    """A metric as a heading says it."""
    if metric == "container_stack_length_m":
        return "Length of the container stack (m)"
    return capital(METRICS[metric].many if metric in METRICS else metric.replace("_", " "))


def verdict(evaluations: Sequence[Evaluation]) -> str:
    """What the rules said of one look, in a few words."""
    if not evaluations:
        return "waits to be judged"
    fired = [each.rule.replace("_", " ") for each in evaluations if each.exceeded]
    if fired:
        return f"unusual: {', '.join(fired)}"
    said = status(evaluations)
    words = _STATUS_WORDS[said]
    missing = missing_looks(evaluations) if said == "cannot_tell" else None
    if missing is None:
        return words
    return f"{words}, needs {missing} more {'look' if missing == 1 else 'looks'}"


def status(evaluations: Sequence[Evaluation]) -> str:
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
            said.setdefault(reason, []).append(each.rule.replace("_", " "))
    return [
        f"{named}: {reason}" if (named := ", ".join(filter(None, rules))) else reason
        for reason, rules in said.items()
    ]


def rules_by_metric(watch: SiteWatch) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is watched at a site: metrics that share the same rules, and these rules."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for each in watch.metrics.values():
        rules = tuple(rule.replace("_", " ") for rule in each.rules)
        shared.setdefault(rules, []).append(metric_words(each.metric))
    return tuple((", ".join(metrics), rules) for rules, metrics in shared.items())
