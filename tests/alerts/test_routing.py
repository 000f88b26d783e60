"""Who is told what, and when: routes, hours, caps, reminders, daily digests, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from alerts.channels import Message, Receipt, SendError
from alerts.delivery.compose import compose
from alerts.delivery.digest import enqueue_daily_digests
from alerts.delivery.explain import told_and_why
from alerts.delivery.reminders import enqueue_reminders
from alerts.delivery.worker import deliver_due, gates_at
from alerts.judging.judge import JudgingContext, judge_pending
from alerts.routing import AlertFacts, ChannelPolicy, Matcher, Route, Routing
from alerts.watch import SiteWatch, merge_watch
from db.alerts import acknowledge, alerts
from db.deliveries import claim, deliveries, enqueue, mark_dead, next_due
from db.engine import reading, writing
from db.observations import record_observations
from db.records import Delivery, DeliveryState, Observation
from db.schema import channel_state, delivery
from db.silences import add_silence
from monitor.bootstrap import RULES
from monitor.ops.heartbeat import stuck_outbox
from monitor.sites.kinds import KINDS
from monitor.sites.load import load_sites
from monitor.sites.watching import site_watches
from monitor.web.views.alert_view import _DELIVERY_WORDS
from tests.alerts.test_deliver_store import LONGEST
from tests.kit.builders import at, look
from tests.kit.kills import killed_at

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = ChannelPolicy(BERLIN, quiet=(time(22), time(7)))
WEEKDAYS = ChannelPolicy(BERLIN, working_days=frozenset(range(5)))
HOUR = timedelta(hours=1)
RAILHEAD = AlertFacts(
    "kp-tumangang", "railhead", ("ru-far-east",), "railcars", (), "notify", ("Beyond Parallel",)
)
AIRPORT = AlertFacts("kp-sunan", "airport", (), "arrivals", ("vip_military",), "urgent", ("own",))


# --- hours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "now", "until"),
    [
        (NIGHT, "2026-11-30T12:00", None),
        (NIGHT, "2026-11-30T21:00", "2026-12-01T06:00"),
        (NIGHT, "2026-11-30T20:59", None),
        (NIGHT, "2026-12-01T06:00", None),
        # The clocks go forward at 02:00 and back at 03:00 in Berlin.
        (NIGHT, "2026-03-28T21:00", "2026-03-29T05:00"),
        (NIGHT, "2026-10-24T20:00", "2026-10-25T06:00"),
        (WEEKDAYS, "2026-12-04T23:00", "2026-12-06T23:00"),
        (WEEKDAYS, "2026-12-04T22:59", None),
        (replace(WEEKDAYS, quiet=(time(22), time(7))), "2026-12-04T21:30", "2026-12-07T06:00"),
        (ChannelPolicy(BERLIN, quiet=(time(12), time(13, 30))), "2026-07-01T10:30", "2026-07-01T11:30"),
        (
            ChannelPolicy(ZoneInfo("Asia/Pyongyang"), quiet=(time(0), time(6))),
            "2026-07-01T15:00",
            "2026-07-01T21:00",
        ),
        (ChannelPolicy(), "2026-12-05T03:00", None),
    ],
)
def test_quiet_hours_and_days_off_are_the_receivers(
    policy: ChannelPolicy, now: str, until: str | None
) -> None:
    assert policy.quiet_until(at(now)) == (None if until is None else at(until))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the zone is set below
    st.tuples(st.times(), st.times()).filter(lambda pair: pair[0] != pair[1]),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Pyongyang", "Australia/Lord_Howe"]),
)
def test_quiet_ends_at_the_first_moment_that_is_not_quiet(
    naive: datetime, quiet: tuple[time, time], days: frozenset[int], zone: str
) -> None:
    policy = ChannelPolicy(ZoneInfo(zone), quiet, days)
    now = naive.replace(tzinfo=UTC)
    until = policy.quiet_until(now)
    if until is None:
        return
    assert now < until <= now + timedelta(days=8)
    assert policy.quiet_until(until) is None
    moments = [now + (until - now) * share / 50 for share in range(50)]
    assert all(policy.quiet_until(each) == until for each in moments)


# --- routes --------------------------------------------------------------------------------------

ROUTES = Routing(
    (
        Route("railheads", ("rail",), Matcher(kind=("railhead",))),
        Route("urgent", ("phone",), Matcher(severity=("urgent",)), go_on=True),
        Route("planes", ("air",), Matcher(site=("kp-*",), metric=("arrivals",), aircraft_class=("vip_*",))),
        Route("the rest", ("mail",)),
    )
)
CHANNELS = ("rail", "phone", "air", "mail", "log")


def owed_to(facts: AlertFacts, told: frozenset[str] = frozenset()) -> list[str]:
    return [each.channel for each in ROUTES.decide(CHANNELS, facts, told) if each.state == "queued"]


def test_the_first_route_that_matches_decides_unless_it_goes_on() -> None:
    assert owed_to(RAILHEAD) == ["rail", "log"]
    assert owed_to(AIRPORT) == ["phone", "air", "log"]
    assert owed_to(replace(AIRPORT, severity="notify")) == ["air", "log"]
    assert owed_to(replace(AIRPORT, classes=())) == ["phone", "mail", "log"]


def test_whoever_was_told_hears_how_it_goes_on() -> None:
    assert owed_to(RAILHEAD, frozenset({"phone"})) == ["rail", "phone", "log"]


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("phone", "“urgent” wants severity urgent, and this alert has notify"),
        ("air", "“planes” wants site kp-*, and this alert has ru-knevichi"),
        ("mail", "“the rest” comes after “railheads”, which matched first and goes to rail"),
    ],
)
def test_it_is_said_why_a_channel_is_not_told(channel: str, words: str) -> None:
    facts = replace(RAILHEAD, site="ru-knevichi")
    [why] = [each.why for each in ROUTES.decide(CHANNELS, facts) if each.channel == channel]
    assert words in why


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Matcher(region=("ru-far-east",)), True),
        (Matcher(region=("elsewhere",)), False),
        (Matcher(publisher=("beyond parallel", "NK News")), True),
        (Matcher(publisher=("own",)), False),
        (Matcher(site=("*gang",), severity=("notify",)), True),
        (Matcher(aircraft_class=("*",)), False),
        (Matcher(), True),
    ],
)
def test_a_route_asks_for_any_word_of_every_property(match: Matcher, *, fits: bool) -> None:
    assert (match.misses(RAILHEAD) == "") is fits


# --- the life of an alert through routes ----------------------------------------------------------

PORT = SiteWatch("busy-port", "Busy Port", "railhead", "UTC", metrics=merge_watch(KINDS["railhead"].watch))
WATCHES = {"busy-port": PORT}
TOO_OLD = timedelta(days=7)


def judged(engine: Engine, routing: Routing, channels: tuple[str, ...], *looks: Observation) -> None:
    with writing(engine) as connection:
        record_observations(connection, looks)
    now = max(each.result_time for each in looks)
    judge_pending(engine, JudgingContext(WATCHES, RULES, channels, TOO_OLD, routing=routing), now)


def quiet_year() -> Iterator[Observation]:
    day = at("2023-01-01")
    for number in range(40):
        yield look(f"{day + number * timedelta(days=2):%Y-%m-%d}", 3 + number % 3)


def surge(value: float = 73) -> Observation:
    return look("2023-06-01", value)


def owed(engine: Engine) -> list[Delivery]:
    with reading(engine) as connection:
        return deliveries(connection)


def states(engine: Engine) -> list[tuple[str, int | None, str]]:
    return [(each.channel, each.event_seq, each.state) for each in owed(engine)]


def test_an_alert_goes_where_its_route_says_and_the_decision_is_kept(engine: Engine) -> None:
    judged(engine, ROUTES, CHANNELS, *quiet_year(), surge())
    assert states(engine) == [
        ("rail", 1, "queued"),
        ("phone", 1, "unrouted"),
        ("air", 1, "unrouted"),
        ("mail", 1, "unrouted"),
        ("log", 1, "queued"),
    ]


def test_the_end_of_an_alert_reaches_whom_its_beginning_reached_though_the_routes_have_changed(
    engine: Engine,
) -> None:
    judged(engine, ROUTES, CHANNELS, *quiet_year(), surge())
    elsewhere = Routing(
        (Route("all", ("mail",)), Route("never", ("rail", "phone", "air"), Matcher(kind=("port",))))
    )
    judged(engine, elsewhere, CHANNELS, look("2023-06-05", 2))
    assert [state for channel, seq, state in states(engine) if channel == "rail"] == ["queued", "queued"]
    assert [state for channel, seq, state in states(engine) if channel == "phone"] == ["unrouted", "unrouted"]


# --- the outbox ----------------------------------------------------------------------------------


class Clock:
    def __init__(self, now: str) -> None:
        self.now = at(now)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    min_interval_s = 0.0

    def __init__(self, name: str = "desk", clock: Clock | None = None) -> None:
        self.name = name
        self.got: list[Message] = []
        self.moments: list[datetime] = []
        self.clock = clock
        self.refuse = False

    def send(self, message: Message) -> Receipt:
        if self.refuse:
            raise SendError("Not now.")
        self.got.append(message)
        if self.clock:
            self.moments.append(self.clock())
        return Receipt()


def written(delivery: Delivery) -> Message:
    return Message(
        delivery.identity, "thread", "subject", "New", "headline", ("Words.",), created_at=delivery.created_at
    )


def owe(engine: Engine, number: int, now: datetime, *, pressing: bool = False, channel: str = "desk") -> None:
    with writing(engine) as connection:
        enqueue(connection, identity=f"m{number}", kind="alert", channel=channel, now=now, pressing=pressing)


def deliver(engine: Engine, clock: Clock, desk: Desk, policy: ChannelPolicy) -> datetime | None:
    routing = Routing(policies={desk.name: policy})
    return deliver_due(engine, {desk.name: desk}, written, clock, "worker", routing=routing).next_due


def test_quiet_hours_hold_messages_and_let_urgent_ones_pass(engine: Engine) -> None:
    clock, desk = Clock("2026-11-30T21:00"), Desk()
    owe(engine, 1, clock.now)
    owe(engine, 2, clock.now, pressing=True)
    assert deliver(engine, clock, desk, NIGHT) == at("2026-12-01T06:00")
    assert [each.identity for each in desk.got] == ["m2"]
    clock.now = at("2026-12-01T05:59")
    deliver(engine, clock, desk, NIGHT)
    assert len(desk.got) == 1
    clock.now = at("2026-12-01T06:00")
    assert deliver(engine, clock, desk, NIGHT) is None
    assert [each.identity for each in desk.got] == ["m2", "m1"]


def test_what_failed_by_day_is_not_tried_again_by_night(engine: Engine) -> None:
    clock, desk = Clock("2026-11-30T20:58"), Desk()
    owe(engine, 1, clock.now)
    desk.refuse = True
    deliver(engine, clock, desk, NIGHT)
    desk.refuse = False
    clock.now = at("2026-12-01T02:00")
    deliver(engine, clock, desk, NIGHT)
    assert desk.got == []
    clock.now = at("2026-12-01T07:00")
    deliver(engine, clock, desk, NIGHT)
    assert len(desk.got) == 1


def test_what_waits_for_its_hours_is_no_stuck_outbox(engine: Engine) -> None:
    owe(engine, 1, at("2026-11-30T21:00"))
    with reading(engine) as connection:
        late = at("2026-12-01T05:00")
        assert stuck_outbox(connection, ["desk"], Routing(policies={"desk": NIGHT}), late) == []
        assert len(stuck_outbox(connection, ["desk"], Routing(), late)) == 1


def test_a_cap_holds_and_the_message_that_fills_it_says_how_many_wait(engine: Engine) -> None:
    clock, desk, policy = Clock("2026-11-30T12:00"), Desk(), ChannelPolicy(at_most_an_hour=3)
    for number in range(8):
        owe(engine, number, clock.now)
    assert deliver(engine, clock, desk, policy) == at("2026-11-30T13:00")
    assert [len(each.paragraphs) for each in desk.got] == [1, 1, 2]
    assert desk.got[-1].paragraphs[-1] == (
        "5 more messages wait for this channel until 2026-11-30 13:00 UTC: it takes at most 3 an hour."
    )
    clock.now += HOUR
    deliver(engine, clock, desk, policy)
    assert len(desk.got) == 6
    assert "2 more messages wait" in desk.got[-1].paragraphs[-1]
    owe(engine, 99, clock.now, pressing=True)
    deliver(engine, clock, desk, policy)
    assert desk.got[-1].identity == "m99"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=40), st.integers(1, 4))
def test_no_hour_ever_holds_more_than_the_cap_and_nothing_is_lost(
    sqlite_engine: Engine, steps: list[tuple[int, bool]], most: int
) -> None:
    with writing(sqlite_engine) as connection:
        connection.execute(delete(delivery))
        connection.execute(delete(channel_state))
    clock = Clock("2026-11-30T12:00")
    desk, policy = Desk(clock=clock), ChannelPolicy(at_most_an_hour=most)
    number = 0
    for minutes, another in steps:
        clock.now += timedelta(minutes=minutes)
        if another:
            owe(sqlite_engine, number, clock.now)
            number += 1
        deliver(sqlite_engine, clock, desk, policy)
    for _ in range(number + 1):
        clock.now += HOUR
        deliver(sqlite_engine, clock, desk, policy)
    assert [each.identity for each in desk.got] == [f"m{each}" for each in range(number)]
    for start in desk.moments:
        assert sum(start <= each < start + HOUR for each in desk.moments) <= most


def test_a_sender_that_died_in_the_middle_has_used_up_its_place(engine: Engine) -> None:
    now, policy = at("2026-11-30T12:00"), ChannelPolicy(at_most_an_hour=1)
    owe(engine, 1, now)
    owe(engine, 2, now)
    gates = gates_at(Routing(policies={"desk": policy}), ["desk"], now)
    assert claim(engine, "dies", now, {"desk": 0.0}, LONGEST, gates=gates) is not None
    assert claim(engine, "other", now, {"desk": 0.0}, LONGEST, gates=gates) is None
    after = now + LONGEST.lease
    again = claim(engine, "other", after, {"desk": 0.0}, LONGEST, gates=gates)
    assert again is not None
    assert again.identity == "m1"
    with reading(engine) as connection:
        assert next_due(connection, ["desk"], after, LONGEST, gates) is not None


# --- daily digests -------------------------------------------------------------------------------

# The surge of these tests is urgent.
DAILY = ChannelPolicy(BERLIN, daily_at=time(7, 30), one_by_one=False, urgent_at_once=False)
BY_DAY = Routing(policies={"mail": DAILY})


def digests(engine: Engine, now: datetime, routing: Routing = BY_DAY) -> int:
    return enqueue_daily_digests(engine, 1, routing, ("mail", "log"), now)


def test_alerts_wait_for_the_daily_digest_and_come_in_it_once(engine: Engine) -> None:
    judged(engine, BY_DAY, ("mail", "log"), *quiet_year(), surge())
    assert ("mail", 1, "gathered") in states(engine)
    assert digests(engine, at("2023-06-02T05:29")) == 0
    due = at("2023-06-02T05:30")
    assert [digests(engine, due), digests(engine, due), digests(engine, due + 3 * HOUR)] == [1, 0, 0]
    [notice] = [each for each in owed(engine) if each.kind == "notice"]
    message = compose(engine, notice, None)
    assert message.headline.startswith("1 alert; ")
    assert message.paragraphs[0].startswith("New: 73 railcars at Busy Port")
    assert ("mail", 1, "bundled") in states(engine)


def test_the_next_digest_tells_how_it_went_on_and_one_missed_is_made_up_for(engine: Engine) -> None:
    judged(engine, BY_DAY, ("mail", "log"), *quiet_year(), surge())
    judged(engine, BY_DAY, ("mail", "log"), look("2023-06-05", 2))
    # The service was off for days.
    assert digests(engine, at("2023-06-09T09:00")) == 1
    [notice] = [each for each in owed(engine) if each.kind == "notice"]
    message = compose(engine, notice, None)
    assert [each.split(":")[0] for each in message.paragraphs[:2]] == ["New", "Resolved"]
    assert {state for channel, _, state in states(engine) if channel == "mail"} == {"bundled", "queued"}


def test_an_urgent_alert_does_not_wait_for_the_digest_unless_it_is_told_to() -> None:
    [one] = BY_DAY.decide(("mail",), AIRPORT)
    assert (one.state, one.pressing) == ("gathered", False)
    usual = Routing(policies={"mail": replace(DAILY, urgent_at_once=True)})
    [one] = usual.decide(("mail",), AIRPORT)
    assert (one.state, one.pressing) == ("queued", True)


def test_a_kill_at_any_statement_of_a_digest_costs_nothing(engine: Engine) -> None:
    judged(engine, BY_DAY, ("mail", "log"), *quiet_year(), surge())
    now = at("2023-06-02T05:30")
    for statement in range(1, 60):
        if not killed_at(engine, statement, lambda: digests(engine, now)):
            break
        assert not [each for each in owed(engine) if each.kind == "notice"]
        assert ("mail", 1, "gathered") in states(engine)
    else:
        pytest.fail("the digest never came to its end")
    assert len([each for each in owed(engine) if each.kind == "notice"]) == 1
    assert digests(engine, now) == 0


# --- reminders -----------------------------------------------------------------------------------

NAGGING = Routing(policies={"desk": ChannelPolicy(repeat=timedelta(hours=4))})


def remind(engine: Engine, clock: Clock, desk: Desk) -> None:
    for _ in range(2):
        enqueue_reminders(engine, NAGGING, ("desk", "log"), clock())
    channels = {"desk": desk, "log": Desk("log")}
    deliver_due(engine, channels, lambda each: compose(engine, each, None), clock, "worker", routing=NAGGING)


def test_an_alert_is_said_again_until_somebody_acknowledges_it(engine: Engine) -> None:
    judged(engine, NAGGING, ("desk", "log"), *quiet_year(), surge())
    clock, desk = Clock("2023-06-02T00:00"), Desk()
    for hours in (0, 1, 3, 4, 7, 8):
        clock.now = at("2023-06-02T00:00") + hours * HOUR
        remind(engine, clock, desk)
    assert [each.status for each in desk.got] == ["New", "Reminder", "Reminder"]
    assert "since it was told here at 2023-06-02 00:00 UTC" in desk.got[1].paragraphs[0]
    with writing(engine) as connection:
        [alert] = alerts(connection)
        acknowledge(connection, alert.id, "Kim", clock.now)
    clock.now += 40 * HOUR
    remind(engine, clock, desk)
    assert len(desk.got) == 3


def test_no_reminder_comes_for_a_silenced_site_or_after_the_end(engine: Engine) -> None:
    judged(engine, NAGGING, ("desk", "log"), *quiet_year(), surge())
    clock, desk = Clock("2023-06-02T00:00"), Desk()
    remind(engine, clock, desk)
    with writing(engine) as connection:
        until = clock.now + 10 * HOUR
        add_silence(connection, "busy-port", "", clock.now, until, reason="", by="Kim")
    clock.now += 5 * HOUR
    remind(engine, clock, desk)
    assert len(desk.got) == 1
    judged(engine, NAGGING, ("desk", "log"), look("2023-06-05", 2))
    clock.now = at("2023-06-09")
    remind(engine, clock, desk)
    assert [each.status for each in desk.got] == ["New", "Resolved"]


# --- explaining ----------------------------------------------------------------------------------


def explained(engine: Engine, channels: tuple[str, ...], routing: Routing, now: str) -> Mapping[str, str]:
    with reading(engine) as connection:
        [alert] = alerts(connection)
        told = told_and_why(connection, alert.id, channels, routing, at(now))
    return {each.channel: f"{each.state}: {each.words}" for each in told}


def test_for_every_channel_it_is_said_why_it_was_told_or_not(engine: Engine) -> None:
    policies = {
        "night": replace(NIGHT, urgent_at_once=False),
        "mail": DAILY,
        "capped": ChannelPolicy(at_most_an_hour=1),
    }
    routing = Routing((Route("planes", ("air",), Matcher(kind=("airport",))),), policies)
    channels = ("desk", "night", "mail", "capped", "air", "failing")
    judged(engine, routing, channels, *quiet_year(), surge())
    desk, failing = Desk(), Desk("failing")
    failing.refuse = True
    now = "2023-06-02T21:00"
    with writing(engine) as connection:
        enqueue(connection, identity="other", kind="alert", channel="capped", now=at("2023-06-01"))
    senders = {"desk": desk, "failing": failing, "capped": Desk("capped"), "night": Desk("night")}
    deliver_due(engine, senders, written, Clock(now), "worker", limit=1, routing=routing)
    deliver_due(engine, senders, written, Clock(now), "worker", routing=routing)
    told = explained(engine, (*channels, "new"), routing, now)
    assert "sent: Sent on 2023-06-02 21:00 UTC." in told["desk"]
    assert "No route names this channel" in told["desk"]
    assert "queued: Waits until 2023-06-03 05:00 UTC: it is outside the channel's hours." in told["night"]
    assert "gathered: Waits for the channel's daily digest, due at 2023-06-03 05:30 UTC." in told["mail"]
    assert (
        "unrouted: Not sent. The route “planes” wants kind airport, and this alert has railhead."
        in told["air"]
    )
    assert "queued: Waits: the channel fails since" in told["failing"]
    assert "Not now." in told["failing"]
    assert told["new"] == "none: Nothing was owed: the channel was not set up then."


def test_what_was_not_sent_for_its_age_or_for_a_silence_says_so(engine: Engine) -> None:
    with writing(engine) as connection:
        add_silence(connection, "busy-port", "", at("2023-05-01"), at("2023-07-01"), reason="works", by="Kim")
    judged(engine, Routing(), ("desk",), *quiet_year(), surge())
    assert (
        explained(engine, ("desk",), Routing(), "2023-06-03")["desk"]
        == "silenced: Not sent. Silenced: works."
    )


def test_what_is_given_up_being_sent_digested_or_without_a_channel_is_said(engine: Engine) -> None:
    routing = Routing(policies={"mail": DAILY})
    channels = ("dead", "going", "mail", "gone", "later")
    judged(engine, routing, channels, *quiet_year(), surge())
    now = at("2023-06-02T05:30")
    paces = dict.fromkeys(("dead", "going"), 0.0)
    with reading(engine) as connection:
        [alert] = alerts(connection)
    for name, pace in paces.items():
        held = claim(engine, "worker", now, {name: pace}, LONGEST)
        assert held is not None
        if name == "dead":
            with writing(engine) as connection:
                mark_dead(connection, held, error="Nobody wants it.")
    assert enqueue_daily_digests(engine, 1, routing, channels, now) == 1
    told = explained(engine, ("dead", "going", "mail", "later"), routing, "2023-06-02T06:00")
    assert "dead: Given up after 1 tries: Nobody wants it." in told["dead"]
    assert "sending: Being sent just now, at try 1." in told["going"]
    assert "bundled: Stands in a daily digest that is not sent yet." in told["mail"]
    assert told["gone"].endswith("The channel is no longer set up.")
    assert "queued: Due" in told["later"] or "queued: Waits" in told["later"]
    desk = Desk("mail")
    deliver_due(engine, {"mail": desk}, written, Clock("2023-06-02T06:00"), "worker", routing=routing)
    told = explained(engine, channels, routing, "2023-06-02T07:00")
    assert "bundled: Told in the daily digest that was sent on 2023-06-02 06:00 UTC." in told["mail"]
    assert alert.id


def test_the_page_has_words_for_every_state_of_a_message() -> None:
    assert set(_DELIVERY_WORDS) == set(get_args(DeliveryState))


def test_a_site_lies_in_the_regions_of_the_file_that_hold_it() -> None:
    sites = load_sites(Path(__file__).resolve().parents[2] / "sites.geojson")
    found = site_watches(sites, {})
    assert "ru-far-east" in found["ru-knevichi"].regions
    assert found["ru-far-east"].regions == ("ru-far-east",)
    assert found["kp-sunan"].regions == ("kp",)
    assert found["ru-sochi"].regions == ()
