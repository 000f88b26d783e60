"""Gathering: messages of one round that have a cause in common become one; the others go out as they are.

What is told is settled in one transaction: whoever is killed before has told nobody, and the next round does it. A message waits at
most `GATHER_FOR` for a round that never ends, and then goes out by itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from alerts.baselines.budget import BUDGETED_RULES
from alerts.incidents.causes import (
    UNIVERSE,
    CauseClass,
    Judged,
    Unit,
    class_of,
    counted_once,
    find_cause,
    sort_of,
)
from alerts.rules.combined import false_alarm_chance
from alerts.watch import SiteWatch
from alerts.words import local_day
from db.alerts import alert_by_id, alerts_between
from db.causes import causes_of, rule_chances, store_cause
from db.deliveries import let_go, tell_with, waiting_together
from db.engine import Connection, Engine, reading, writing
from db.records import Delivery, EventKind, SharedCause

_ONE_DAY = timedelta(days=1)
_A_YEAR = timedelta(days=365)
_LOOK_BACK = timedelta(days=1)
"""After a longer stop what waited goes out as it is."""
_TOLD_TOGETHER: frozenset[EventKind] = frozenset({"opened", "resolved", "withdrawn", "lapsed"})


def gather(engine: Engine, watches: Mapping[str, SiteWatch], now: datetime) -> None:
    """Tell what waits: alerts of one kind and day that chance does not bring together as one message."""
    with reading(engine) as connection:
        held = waiting_together(connection, now - _LOOK_BACK)
        if not held:
            return
        opened = [alert_by_id(connection, each.alert_id or "") for each, told in held if told == "opened"]
    for kind in dict.fromkeys(kind for each in opened if each and (kind := class_of(each))):
        # Reckoned on a view that holds nobody up; a cause that is noted and not yet told is told by whoever comes next.
        with reading(engine) as connection:
            cause = _cause(connection, kind, watches, now)
        if cause is not None:
            with writing(engine) as connection:
                store_cause(connection, cause)
    with writing(engine) as connection:
        held = waiting_together(connection, now - _LOOK_BACK)
        _settle(connection, held, causes_of(connection, [each.alert_id for each, _ in held if each.alert_id]))


def _cause(
    connection: Connection, kind: CauseClass, watches: Mapping[str, SiteWatch], now: datetime
) -> SharedCause | None:
    """The cause that the alerts of a class share, or that further ones share with them."""
    middle = datetime.combine(date.fromisoformat(kind.day), datetime.min.time(), now.tzinfo)
    around = alerts_between(connection, kind.metric, middle - _ONE_DAY, middle + 2 * _ONE_DAY)
    members = [each for each in around if each.status != "withdrawn" and class_of(each) == kind]
    before = next(iter(causes_of(connection, [each.id for each in members]).values()), None)
    # One alone is not worth the reading.
    if before is None and len(members) < 2:  # noqa: PLR2004 - as said
        return None
    judged = _judged(connection, kind, middle, watches)
    countries = {site_id: watch.country for site_id, watch in watches.items()}
    return find_cause(kind, members, judged, countries, before=before, recorded_at=now)


def _judged(
    connection: Connection, kind: CauseClass, middle: datetime, watches: Mapping[str, SiteWatch]
) -> Judged:
    newest: dict[tuple[Unit, str, str], float] = {}
    that_day = set()
    for each in rule_chances(
        connection, kind.metric, middle - _ONE_DAY - UNIVERSE, middle + 2 * _ONE_DAY, BUDGETED_RULES
    ):
        chance = false_alarm_chance(each.rule, each.details)
        watch = watches.get(each.site_id)
        if chance is None or watch is None or sort_of(each.subject) != kind.sort:
            continue
        day = local_day(each.period_start, watch.timezone)
        unit = (each.site_id, each.area, each.subject)
        if day <= kind.day:
            newest[unit, each.procedure, each.rule] = chance
        if day == kind.day:
            that_day.add(unit)
    chances: dict[Unit, float] = defaultdict(float)
    for (unit, _, _), chance in newest.items():
        chances[unit] += chance
    return Judged(dict(chances), frozenset(that_day), _usual_a_day(connection, kind, middle))


def _usual_a_day(connection: Connection, kind: CauseClass, middle: datetime) -> float:
    """How many alerts of the class opened a day over the year before, those of one cause counted as one."""
    past = alerts_between(connection, kind.metric, middle - _A_YEAR, middle - _ONE_DAY)
    alike = [
        each
        for each in past
        if (of := class_of(each)) and (of.sort, of.side) == (kind.sort, kind.side) and of.day < kind.day
    ]
    return counted_once(alike, causes_of(connection, [each.id for each in alike])) / _A_YEAR.days


def _settle(
    connection: Connection,
    held: Sequence[tuple[Delivery, EventKind]],
    causes: Mapping[str, SharedCause],
) -> None:
    """Let one message of each cause go, for all of a channel; the others are told with it, or as they are."""
    groups: dict[tuple[str, str, EventKind], list[Delivery]] = defaultdict(list)
    for each, kind in held:
        cause = causes.get(each.alert_id or "")
        if cause is not None and each.state == "queued" and kind in _TOLD_TOGETHER:
            groups[each.channel, cause.id, kind].append(each)
        else:
            let_go(connection, each)
    for (_, _, kind), members in groups.items():
        if kind == "opened" or len(members) > 1:
            _tell_once(connection, members, kind, causes[members[0].alert_id or ""])
        else:
            let_go(connection, members[0])


def _tell_once(
    connection: Connection, members: Sequence[Delivery], kind: EventKind, cause: SharedCause
) -> None:
    told = [[each.alert_id, each.event_seq] for each in members]
    payload = {
        "cause": {
            "id": cause.id,
            "revision": cause.revision,
            "headline": cause.headline,
            "kind": kind,
            "told": told,
        }
    }
    # One that presses leads, so that what is urgent among them waits for no hours and no cap.
    waiting = iter(sorted(members, key=lambda each: not each.pressing))
    # Whoever went out by itself meanwhile, because it had waited too long, leads nothing.
    if not any(let_go(connection, each, payload) for each in waiting):
        return
    for each in waiting:
        tell_with(connection, each, f"{cause.headline}.", payload)
