"""What an alert was judged by, written down so that it can be judged again without a database; and judging it again. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.baselines.budget import ClassScores
from alerts.channels import Message
from alerts.channels.plain_text import body_lines, title_line
from alerts.delivery.messages import compose_alert
from alerts.judging.verdicts import KnownHistory, ScoresByClass, context_of, verdicts_on
from alerts.rules.contract import Rule
from alerts.watch import SiteWatch
from db.records import Alert, AlertEvent, Change, DeclaredBaseline, Delivery, MetricMeaning, Observation


@dataclass(frozen=True, slots=True)
class RuleWords:
    """What one rule said of a look, with its figures; `replays` says whether the same words came out again at the export."""

    rule: str
    status: str
    exceeded: bool
    reason: str
    figures: Mapping[str, Any]
    replays: bool = True


@dataclass(frozen=True, slots=True)
class KnownScores:
    """The highest past scores of a class of series under one rule, as the bounds of that day were learnt from them."""

    rule: str
    series_class: str
    n: int
    top: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class JudgedLook:
    """One look with all that its rules were given, and what they said."""

    look: Observation
    as_of: datetime
    recorded_at: datetime
    site: SiteWatch | None
    """As it is watched at the export; None where it is no longer."""
    known: tuple[Observation, ...]
    declared: tuple[DeclaredBaseline, ...]
    changes: tuple[Change, ...]
    scores: tuple[KnownScores, ...]
    said: tuple[RuleWords, ...]


@dataclass(frozen=True, slots=True)
class AlertStory:
    """An alert with its life, and the meaning of its metric."""

    alert: Alert
    events: tuple[AlertEvent, ...]
    metric: MetricMeaning


def words_again(judged: JudgedLook, rules: Mapping[str, Rule]) -> dict[str, tuple[str, bool, str]]:
    """What every rule says of the look by what is written down: status, whether it exceeds, and its words."""
    if judged.site is None:
        return {}
    known = KnownHistory(
        judged.as_of, judged.known, judged.declared, judged.changes, scores=_scores(judged.scores)
    )
    context = context_of(judged.site, judged.look.series.metric, known)
    found = verdicts_on(judged.look, known, judged.site, rules, context)
    return {each.rule: (each.status, each.exceeded, each.reason) for each in found}


def same_words(said: RuleWords, again: Mapping[str, tuple[str, bool, str]]) -> bool:
    """Whether the rule says again what it said."""
    return again.get(said.rule) == (said.status, said.exceeded, said.reason)


def message_words(story: AlertStory) -> str:
    """The message about the newest event, as it is composed from the alert alone."""
    newest = story.events[-1]
    blank = Delivery(0, "", "alert", "", "queued", newest.recorded_at, newest.recorded_at)
    message: Message = compose_alert(story.alert, newest, blank, None)
    return "\n".join((title_line(message), *body_lines(message))) + "\n"


def replay_faults(
    story: AlertStory, judged: Sequence[JudgedLook], message: str, rules: Mapping[str, Rule]
) -> Iterator[str]:
    """What does not come out again as it is written, in sentences."""
    for each in judged:
        again = words_again(each, rules)
        for said in each.said:
            if said.replays and not same_words(said, again):
                now = again.get(said.rule, ("", False, "nothing"))[2]
                yield f"The rule {said.rule} does not say the same again. Written: {said.reason} Now: {now}"
    if message_words(story) != message:
        yield "message.txt is not what the alert says: its words were changed, or this sitewatch words alerts differently."


def _scores(kept: Sequence[KnownScores]) -> ScoresByClass:
    return {(each.rule, each.series_class): ClassScores(each.n, each.top) for each in kept}
