"""Asking one provider about the sites, once in each slot: what came, what failed, and what an empty answer is worth.

An answer that shows nobody, be it empty or of positions none of which can be used, is believed only while the
provider is seen to be alive: it gave a usable one in the same slot, to another scope or to the canary, a busy
place elsewhere. Otherwise the poll has failed. A provider that says that it is asked too often ends the round.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from db.aircraft import known_aircraft
from db.engine import Engine, reading, writing
from db.polls import (
    GOOD_OUTCOMES,
    PollKey,
    PollResult,
    answered_since,
    disown_unborn,
    last_good_poll,
    next_sequence,
    polls,
    record_poll,
    start_poll,
    unborn_polls,
)
from db.provider_states import LONGEST_OWN_WAIT_S, note_credits, note_partial, read_state
from db.records import Fix, Outcome, Poll, ProviderState, Purpose
from monitor.derive.screening import NOTHING_SCREENED, Screened, screened
from monitor.feeds import NO_AIRCRAFT, TOO_OFTEN, Feed, FeedError, Fetched, Provider, Scope
from monitor.feeds.options import sharing_a_limit
from monitor.flights.coverage import POLL_WORTH_S
from monitor.flights.tracks.classes import default_classes
from monitor.flights.tracks.identity import Aircraft, Classes, completed_aircraft
from monitor.flights.tracks.pressure import with_geometric_heights
from monitor.poll.answers import (
    PollReport,
    answered_result,
    back_off_s,
    check_advance,
    check_legible,
    count_nearby,
    describe_answer,
    failed_result,
    held_back,
    log_round,
    shared_rest,
    where_of,
)
from monitor.poll.own_receiver import receiver_doubt, remember_hearing
from monitor.poll.plan import in_turn, learnt_room, must_wait, resting, slots_needed, troubled
from monitor.sites import Site

_log = structlog.get_logger()
_ALIVE_AT_LEAST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Begun:
    poll_id: int
    key: PollKey
    scope: Scope
    earlier: Poll | None


def poll_provider(
    engine: Engine,
    feed: Feed,
    sites: Sequence[Site],
    now: datetime,
    *,
    force: bool = False,
    classes: Classes | None = None,
    others: Iterable[Provider] = (),
) -> list[PollReport]:
    """Ask a provider about these sites unless this slot was asked already; nothing that fails is raised.

    `others` are the providers that are asked beside it: those at the same host with the same credentials share its limit.

    `force` (a person asks) asks again within the slot, and asks a provider that is switched off or held
    back by its failures; a provider that asked to be left alone for a while is left alone all the same.
    """
    name = feed.provider.name
    with reading(engine) as connection:
        unborn, before = unborn_polls(connection, name, now), read_state(connection, name, now)
    if unborn:
        with writing(engine) as connection:
            disowned = disown_unborn(connection, name, now)
        _log.warning("polls of a wrong clock disowned", provider=name, polls=disowned)
    sharing = sharing_a_limit(feed.provider, others)
    with reading(engine) as connection:
        rests = resting(connection, sharing, now)
    held = held_back(before, now, force=force) or (shared_rest(name, *rests) if rests else "")
    if held:
        return [PollReport(name, "", "data", "skipped", held)] if force else []
    if feed.ledger is not None:
        feed.ledger.restore(before.credits or {}, now)
        if force:
            feed.ledger.lift()
    run = _Run(engine, feed, sites, now, classes, before=before, force=force, sharing=sharing)
    reports = run.ask_all()
    after = _after(engine, feed, now)
    log_round(before, after, reports)
    return reports


def _after(engine: Engine, feed: Feed, now: datetime) -> ProviderState:
    """The provider's state after a round, with the credits that it has spent."""
    if feed.ledger is not None:
        with writing(engine) as connection:
            note_credits(connection, feed.provider.name, feed.ledger.stored(now), now)
    with reading(engine) as connection:
        return read_state(connection, feed.provider.name, now)


class _Run:
    """One round of questions to one provider in one slot."""

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        sites: Sequence[Site],
        now: datetime,
        classes: Classes | None,
        *,
        before: ProviderState,
        force: bool,
        sharing: Sequence[Provider],
    ) -> None:
        self._engine = engine
        self._sharing = sharing
        self._feed = feed
        self._provider = feed.provider
        self._sites = {site.id: site for site in sites}
        self._now = now
        self._classes = classes
        self._before = before
        self._force = force
        self._slot = int(now.timestamp()) // self._provider.interval_s
        self._turns = 1
        self._scopes: Sequence[Scope] = ()
        self._parts: Mapping[str, int] = {}
        self._unheard: Mapping[str, str] = {}
        self._alive_from = self._slot
        self._alive_for = timedelta(seconds=self._provider.interval_s)

    def ask_all(self) -> list[PollReport]:
        """Ask scope by scope; one that fails does not stop the others, a provider that turns us away does."""
        reports: list[PollReport] = []
        empty: list[tuple[_Begun, Fetched]] = []
        refusal: tuple[_Begun, FeedError] | None = None
        for scope in self._due():
            begun = self._begin(scope, "data")
            if begun is None:
                reports += self._skipped(scope)
                continue
            try:
                fetched = self._fetch(begun)
            except FeedError as error:
                if error.ends_round:
                    refusal = (begun, error)
                    break
                reports.append(self._fail(begun, error))
                continue
            if place := self._doubt(fetched):
                reports.append(self._refute(begun, fetched, place))
            elif self._usable(fetched):
                reports.append(self._keep(begun, fetched, "ok"))
            else:
                empty.append((begun, fetched))
        reports += self._settle(empty, may_ask=refusal is None)
        if refusal:
            # Last, so that what it says about the provider stands.
            begun, turned_away = refusal
            reports.append(self._fail(begun, turned_away, self._leave_alone_s(turned_away, reports)))
        self._note_trouble(reports)
        return reports

    def _doubt(self, fetched: Fetched) -> str:
        """What speaks against the place of one's own receiver; the sites that it cannot hear are remembered."""
        if fetched.receiver is None:
            return ""
        sites = list(self._sites.values())
        receiver = fetched.receiver()
        doubt = receiver_doubt(self._engine, receiver, sites, self._now)
        remember_hearing(self._engine, receiver, self._now)
        self._unheard = doubt.unheard
        return doubt.place

    def _refute(self, begun: _Begun, fetched: Fetched, place: str) -> PollReport:
        """Nobody watched, as the settings are wrong; whoever was heard was there all the same, and is asked for again."""
        result = replace(
            answered_result(fetched, "failed"), error=place, nearby=self._watched(begun.scope, ())
        )
        kept = self._screened(fetched)
        return self._report(begun, result, f"Failed. {place}", fetched.rejected, kept, patient=False)

    def _usable(self, fetched: Fetched) -> int:
        """How much of an answer shows that the provider sees: what was listed alone does not, where nothing can be used."""
        if not self._feed.watches:
            return fetched.item_count
        return len(fetched.fixes) + fetched.rejected.get(NO_AIRCRAFT, 0)

    def _leave_alone_s(self, error: FeedError, reports: Sequence[PollReport]) -> float | None:
        """How long to stay away; longer and longer where it lets nothing through and does not say how long."""
        if error.status != TOO_OFTEN or error.retry_after_s:
            return error.retry_after_s
        if any(report.outcome != "failed" for report in reports):
            return None
        doubled = self._provider.interval_s * 2.0 ** min(self._before.failures, 10)
        return max(float(self._provider.interval_s), min(doubled, LONGEST_OWN_WAIT_S))

    def _note_trouble(self, reports: Sequence[PollReport]) -> None:
        """Say of a provider that answers for some places only that it is not well."""
        if not any(report.outcome in GOOD_OUTCOMES for report in reports):
            return
        with reading(self._engine) as connection:
            bad = troubled(connection, self._provider, self._scopes, self._turns, self._now)
        words = " ".join(self._unheard.values())
        if bad:
            scope, newest = bad[0]
            words = (
                f"{self._provider.name} answers for {len(self._scopes) - len(bad)} of {len(self._scopes)} "
                f"places only, not for {where_of(scope)}: {newest.error}"
            )
        if not words:
            return
        with writing(self._engine) as connection:
            note_partial(connection, self._provider.name, self._now, words, self._before.failing_since)

    def _due(self) -> Sequence[Scope]:
        """The scopes to ask now: all, or those whose turn it is where they are more than may be asked at once."""
        scopes = self._permitted(self._feed.scopes(list(self._sites.values())))
        self._scopes = scopes
        self._parts = Counter(name for scope in scopes for name in scope.site_ids)
        with reading(self._engine) as connection:
            room = learnt_room(connection, self._sharing, self._now)
            if must_wait(connection, self._sharing, room, self._now) and not self._force:
                return []
            needed = slots_needed(self._provider, len(scopes), room)
            everything = self._force or needed == 1
            # The same order each time would leave the last ones out, where not all are answered.
            since = self._slot if everything else self._slot - needed
            waiting = in_turn(connection, self._provider, scopes, since)
        if everything:
            return waiting
        self._turns = needed
        self._alive_from = 0
        self._alive_for = max(self._alive_for * self._turns, _ALIVE_AT_LEAST)
        canary = self._feed.canary(scopes[0])
        if canary and not self._was_alive() and not self._canary_was_asked():
            self._alive_by(canary)
            return []
        return waiting[: math.ceil(len(scopes) / self._turns)]

    def _permitted(self, scopes: Sequence[Scope]) -> Sequence[Scope]:
        """Leave out what would ask after an aircraft whose operator asked not to be shown."""
        asked_after = {scope.icao24 for scope in scopes} - {""}
        if not asked_after:
            return scopes
        with reading(self._engine) as connection:
            known = known_aircraft(connection, asked_after)
        return [
            scope
            for scope in scopes
            if not completed_aircraft(Aircraft(scope.icao24), known.get(scope.icao24)).asked
        ]

    def _begin(self, scope: Scope, purpose: Purpose) -> _Begun | None:
        key = PollKey(self._provider.name, scope.key, self._slot, purpose)
        with writing(self._engine) as connection:
            sequence = next_sequence(connection, key, self._now, force=self._force)
            if sequence is None:
                return None
            poll_id = start_poll(connection, key, sequence, self._now)
            earlier = last_good_poll(connection, key.provider, key.scope)
        return None if poll_id is None else _Begun(poll_id, key, scope, earlier)

    def _skipped(self, scope: Scope) -> list[PollReport]:
        if not self._force:
            return []
        text = f"{self._provider.name}: {where_of(scope)} is being asked by another process right now."
        return [PollReport(self._provider.name, scope.key, "data", "skipped", text, scope.site_ids)]

    def _fetch(self, begun: _Begun) -> Fetched:
        sites = [self._sites[name] for name in begun.scope.site_ids if name in self._sites]
        since = begun.earlier.started_at if begun.earlier else None
        fetched = self._feed.fetch(begun.scope, sites, purpose=begun.key.purpose, now=self._now, since=since)
        where = f"{self._provider.name} {begun.scope.key}"
        check_legible(fetched, where)
        check_advance(fetched, begun.earlier, self._slot, where)
        return fetched

    def _settle(self, empty: Sequence[tuple[_Begun, Fetched]], *, may_ask: bool) -> list[PollReport]:
        """Believe the empty answers, or call them failed, by whether the provider is alive."""
        if not empty:
            return []
        alive = self._is_alive(empty[0][0].scope, may_ask=may_ask)
        seen = alive and self._was_alive()
        return [
            # One's own receiver may truly hear nobody; what lists some and shows none is another matter.
            self._keep(begun, fetched, "empty")
            if seen or (alive and not fetched.item_count)
            else self._fail(begun, self._not_believed(begun, fetched))
            for begun, fetched in empty
        ]

    def _is_alive(self, scope: Scope, *, may_ask: bool) -> bool:
        canary = self._feed.canary(scope)
        if canary is None or self._was_alive():
            return True
        return may_ask and self._turns == 1 and self._alive_by(canary)

    def _was_alive(self) -> bool:
        since = self._now - self._alive_for
        with reading(self._engine) as connection:
            return answered_since(connection, self._provider.name, self._alive_from, since)

    def _canary_was_asked(self) -> bool:
        since = self._now - self._alive_for
        with reading(self._engine) as connection:
            return bool(
                polls(connection, provider=self._provider.name, purpose="canary", since=since, limit=1)
            )

    def _alive_by(self, canary: Scope | None) -> bool:
        begun = self._begin(canary, "canary") if canary else None
        if begun is None:
            return False
        try:
            fetched = self._fetch(begun)
        except FeedError as error:
            self._record(begun, failed_result(error))
            return False
        outcome: Outcome = "ok" if self._usable(fetched) else "empty"
        self._record(begun, answered_result(fetched, outcome))
        return outcome == "ok"

    def _not_believed(self, begun: _Begun, fetched: Fetched) -> FeedError:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in sorted(fetched.rejected.items()))
        what = (
            f"of the {fetched.item_count} that it lists no position can be used ({reasons}), and nothing else showed "
            if fetched.item_count
            else "the answer was an empty list, and nothing else showed "
        )
        return FeedError(
            f"{self._provider.name} {begun.scope.key}: {what}"
            "that the feed works, not even a busy place (or there is none that could be asked), which is no zero.",
            status=fetched.http_status,
            body=b"".join(fetched.bodies),
        )

    def _keep(self, begun: _Begun, fetched: Fetched, outcome: Outcome) -> PollReport:
        result = replace(
            answered_result(fetched, outcome),
            nearby=self._watched(begun.scope, fetched.fixes),
            unheard=frozenset(self._unheard),
            parts=self._parts,
        )
        text = describe_answer(self._provider, begun.scope, fetched)
        return self._report(begun, result, text, fetched.rejected, self._screened(fetched))

    def _screened(self, fetched: Fetched) -> Screened:
        with reading(self._engine) as connection:
            return screened(
                connection,
                list(self._sites.values()),
                self._classes or default_classes(),
                replace(fetched, fixes=with_geometric_heights(fetched.fixes)),
                redistribute=self._provider.redistribute,
            )

    def _fail(self, begun: _Begun, error: FeedError, retry_after_s: float | None = None) -> PollReport:
        result = replace(
            failed_result(error),
            retry_after_s=retry_after_s if error.retry_after_s is None else error.retry_after_s,
            nearby=self._watched(begun.scope, ()),
        )
        return self._report(begun, result, f"Failed. {error.reason}", {})

    def _report(
        self,
        begun: _Begun,
        result: PollResult,
        text: str,
        rejected: Mapping[str, int],
        kept: Screened = NOTHING_SCREENED,
        *,
        patient: bool = True,
    ) -> PollReport:
        stored = self._record(begun, result, kept, patient=patient)
        return PollReport(
            self._provider.name,
            begun.scope.key,
            begun.key.purpose,
            result.outcome if stored else "skipped",
            text if stored else f"{begun.scope.key}: another process has stored this poll already.",
            begun.scope.site_ids,
            result.item_count or 0,
            len(kept.fixes),
            len(result.scenes),
            dict(rejected),
            result.ours,
        )

    def _record(
        self, begun: _Begun, result: PollResult, kept: Screened = NOTHING_SCREENED, *, patient: bool = True
    ) -> bool:
        """Store how a poll ended; `patient`: after failures the provider is left alone for longer and longer."""
        interval_s = self._provider.interval_s
        with writing(self._engine) as connection:
            return record_poll(
                connection,
                begun.poll_id,
                kept.stored(connection, result, self._now),
                interval_s=interval_s,
                now=self._now,
                # A place whose turn comes seldom was not watched all the time between.
                lasts_s=min(interval_s * self._turns, max(interval_s, int(POLL_WORTH_S))),
                back_off=partial(back_off_s, interval_s=interval_s) if patient else None,
            )

    def _watched(self, scope: Scope, fixes: Sequence[Fix]) -> Mapping[str, int]:
        sites = [self._sites[name] for name in scope.site_ids if name in self._sites]
        return count_nearby(sites, fixes) if self._feed.watches else {}
