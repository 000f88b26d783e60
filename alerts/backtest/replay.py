"""Replaying a series as it was knowable at each moment: what the rules would have said. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from alerts.judging.history import series_with_history
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.rules.contract import Rule, RuleState, Verdict
from alerts.watch import SiteWatch
from db.records import Observation, SeriesKey
from db.records.revisions import in_force


@dataclass(frozen=True, slots=True)
class ReplayedLook:
    """One look with what the rules said of its last revision, and whether any revision raised an alarm."""

    look: Observation
    verdicts: tuple[Verdict, ...]
    told: Mapping[str, datetime]
    """The rules that fired at any revision, and when that was."""
    promised_a_year: float

    def said(self, rule: str) -> Verdict | None:
        """One rule's word."""
        return next((each for each in self.verdicts if each.rule == rule), None)


def replay_series(
    revisions: Sequence[Observation],
    known: KnownHistory,
    key: SeriesKey,
    site: SiteWatch,
    rules: Mapping[str, Rule],
    *,
    progress: Callable[[float], None] = lambda _share: None,
) -> Iterator[ReplayedLook]:
    """Judge each look of a series when it became knowable, with what was knowable then; later revisions never leak.

    `revisions` are all of the site's metric in that area, in the order of their result time; of `known` the declared
    baselines, the changes, and which other metrics of the site share its promise today are used. Bounds come from the promise alone: the class's past scores at each moment
    are not rebuilt. `progress` is told the share that is done.
    """
    revised: dict[tuple[SeriesKey, datetime, str], list[Observation]] = {}
    current: dict[tuple[SeriesKey, datetime, str], Observation] = {}
    states: dict[SeriesKey, Mapping[str, RuleState]] = {}
    others = frozenset(
        each for each in known.histories or () if (each.area, each.metric) != (key.area, key.metric)
    )
    done: dict[tuple[datetime, str], ReplayedLook] = {}
    read = 0
    for at, group in groupby(revisions, key=lambda each: each.result_time):
        fresh = []
        for each in group:
            read += 1
            identity = (each.series, each.period_start, each.look_key)
            revised.setdefault(identity, []).append(each)
            current[identity] = in_force(revised[identity], Observation.same_finding)
            if each.series == key:
                fresh.append(current[identity])
        progress(read / len(revisions))
        if not fresh:
            continue
        ordered = sorted(current.values(), key=lambda each: (each.period_start, each.look_key, each.series))
        stated = [each for each in known.declared if each.result_time <= at]
        moment = KnownHistory(
            at, ordered, stated, known.changes, states, histories=others | series_with_history(ordered)
        )
        context = context_of(site, key.metric, moment)
        for look in sorted(fresh, key=lambda each: each.period_start):
            verdicts = verdicts_on(look, moment, site, rules, context)
            states[key] = {each.rule: each.state for each in verdicts if each.state is not None}
            name = (look.period_start, look.look_key)
            told = dict(done[name].told) if name in done else {}
            for said in verdicts:
                if said.exceeded:
                    told.setdefault(said.rule, at)
            done[name] = ReplayedLook(look, verdicts, told, context.promise.budget["notify"])
    yield from sorted(done.values(), key=lambda each: (each.look.period_start, each.look.look_key))
