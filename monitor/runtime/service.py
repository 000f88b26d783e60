"""The running service: start, say what it does, keep at it until told to stop, finish what is in hand."""

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import FrameType

from alerts.words import every, numbered
from db.deliveries import outbox_summary
from db.engine import reading
from db.pages import series_summaries
from monitor import pipeline
from monitor.aircraft.listed import cannot_fire_words, entries_that_cannot_fire
from monitor.app import App
from monitor.config.clock import monotonic_s, sleep_s, utc_now
from monitor.ops import database_health as storage
from monitor.runtime.jobs import Job, Jobs
from monitor.runtime.leader import Leader

Say = Callable[[str], None]
Serve = Callable[[App, threading.Event, Say], None]
JUDGE_EVERY_S = 10
DELIVER_EVERY_S = 2
SELF_EVERY_S = 300
PING_EVERY_S = 300
RETAIN_EVERY_S = 3600
PICTURE_EVERY_S = 3600
PIXELS_EVERY_S = 3600
RELOAD_EVERY_S = 5
NEXT_PICTURES = timedelta(seconds=10)
"""Between new scenes and their pictures, and between a few pictures and the next few."""
BEATS_PER_LEASE = 3
SENDING_LASTS = timedelta(minutes=2)
"""How long a single run waits for messages that are due soon."""
_SHORTEST_WAIT_S = 1.0
SAME_SIGNAL_S = 0.5
"""`timeout` and some supervisors send one signal to the process and to its group: that is still one wish."""


def run_service(app: App, say: Say, serve: Serve | None = None) -> None:
    """Work until SIGTERM or SIGINT; a second signal ends the process at once. `serve` serves the page meanwhile."""
    with stopping() as stop:
        for line in [*pipeline.start(app, utc_now()), *describe_service(app)]:
            say(line)
        service = Service(app, say)
        service.start()
        try:
            if serve is not None:
                serve(app, stop, say)
            stop.wait()
        finally:
            say("Stopping: finishing what is in hand. A second signal stops at once.")
            service.stop()
    say("Stopped. Nothing is lost: what was not sent yet waits in the database.")


def run_once(
    app: App, say: Say, clock: Callable[[], datetime] = utc_now, wait: Callable[[float], None] = sleep_s
) -> None:
    """Do everything once (poll, derive, judge, deliver) and return; for cron, and for a first look.

    A channel takes one message after another with a pause between, so this waits for its turn, within limits.
    """
    for line in [*pipeline.start(app, clock()), *describe_service(app)]:
        say(line)
    done = pipeline.tick(app, clock())
    for report in done.polls:
        say(f"Poll: {report.text}")
    changes = ", ".join(f"{number} {what}" for what, number in done.judged.changes.items()) or "no change"
    say(f"Judged: {numbered(done.judged.judged, 'look')}; alerts: {changes}.")
    for made in pipeline.make_pictures(app, clock()):
        say(f"Picture: {made.text}")
    for read in pipeline.read_pixels(app, clock()):
        say(f"Pixels: {read.text}")
    for passed in pipeline.read_radar(app, clock()):
        say(f"Radar: {passed.text}")
    pipeline.tell_pictures(app, clock())
    pipeline.judge(app, clock())
    pipeline.watch_self(app, clock())
    sent = _send_all(app, say, clock, wait)
    pipeline.retain(app, clock())
    if told := pipeline.sign_of_life(app, (), clock()):
        say(f"Dead-man ping: {told}")
    say(f"Done once: {message_count_words(sent)} sent.{_left(app, clock())}")


def _send_all(app: App, say: Say, clock: Callable[[], datetime], wait: Callable[[float], None]) -> int:
    """Send what is owed, waiting for the next turn of each channel as long as it comes soon; give how many went."""
    owner, until = owner_name(), clock() + SENDING_LASTS
    report = pipeline.deliver(app, clock, owner, wait)
    sent = report.count("sent")
    if report.next_due is not None and report.next_due <= until:
        say(
            "More messages are owed; each channel takes them one by one. They are waited for, at most two minutes."
        )
    while report.next_due is not None and report.next_due <= until:
        wait(max(_SHORTEST_WAIT_S, (report.next_due - clock()).total_seconds()))
        report = pipeline.deliver(app, clock, owner, wait)
        sent += report.count("sent")
    return sent


def _left(app: App, now: datetime) -> str:
    with reading(app.engine) as connection:
        waiting = outbox_summary(connection, now).waiting
    left = sum(number for channel, number in waiting.items() if channel in app.channels)
    return f" {message_count_words(left)} still owed, for the next run or a running service." if left else ""


def message_count_words(number: int) -> str:
    """So many messages, in words."""
    return "1 message" if number == 1 else f"{number} messages"


class Service:
    """The jobs of one service, and its part in the election of who schedules."""

    def __init__(self, app: App, say: Say) -> None:
        self._app, self._say = app, say
        self.owner = owner_name()
        ttl_s = app.settings.lease_s
        beat = Job("lease", ttl_s / BEATS_PER_LEASE, self._beat, always=True, executor="lease")
        ping = Job("ping", PING_EVERY_S, self._ping)
        stopping = threading.Event()
        jobs = [beat, *jobs_of(app, self.owner, self._soon, stopping), ping]
        self.jobs = Jobs(
            jobs, told=partial(storage.note_database_error, app.settings, app.troubles), stopping=stopping
        )
        self._leader = Leader(app.engine, self.owner, ttl_s, self, say)

    def start(self) -> None:
        """Start the clock; scheduling begins when the lease is held."""
        self.jobs.start()

    def stop(self) -> None:
        """Finish what is in hand, then let a waiting service take over at once."""
        self.jobs.stop()
        self._leader.let_go(utc_now())

    def lead(self) -> None:
        """Start scheduling."""
        self.jobs.lead()
        self._say("Watching. Ctrl-C stops it.")

    def stand_by(self) -> None:
        """Stop scheduling."""
        self.jobs.stand_by()

    def _beat(self, now: datetime) -> None:
        self._leader.beat(now)
        storage.note_database_written(self._app.settings, self._app.troubles, now)

    def _ping(self, now: datetime) -> None:
        ailments = self.jobs.ailments(now)
        if ailments is not None:
            pipeline.sign_of_life(self._app, ailments, now)

    def _soon(self, job_id: str) -> None:
        self.jobs.soon(job_id, utc_now() + NEXT_PICTURES)


def jobs_of(app: App, owner: str, soon: Callable[[str], None], stopping: threading.Event) -> list[Job]:
    """Everything that is done by the clock: one job a provider, so that a slow one holds up no other.

    `soon` has a job done before its time; a long one ends between two steps once `stopping` is set.
    """
    polls = [
        Job(f"poll {name}", feed.provider.interval_s, partial(_poll, app, name, soon), vital=True)
        for name, feed in app.feeds.items()
    ]
    return [
        Job("sites", RELOAD_EVERY_S, partial(pipeline.reload_sites, app), always=True),
        *polls,
        Job("judge", JUDGE_EVERY_S, partial(_judge, app, stopping), vital=True),
        Job("pictures", PICTURE_EVERY_S, partial(_picture, app, soon)),
        Job("pixels", PIXELS_EVERY_S, partial(_pixels, app, soon)),
        Job("radar", PIXELS_EVERY_S, partial(_radar, app, soon)),
        Job("self", SELF_EVERY_S, partial(_watch_self, app)),
        Job("retain", RETAIN_EVERY_S, partial(pipeline.retain, app)),
        Job("deliver", DELIVER_EVERY_S, partial(_deliver, app, owner), vital=True),
    ]


def _poll(app: App, provider: str, soon: Callable[[str], None], now: datetime) -> None:
    if any(report.scenes for report in pipeline.poll(app, now, provider)):
        soon("pictures")
        soon("pixels")
        if app.statistics or app.burst_files:
            soon("radar")


def _picture(app: App, soon: Callable[[str], None], now: datetime) -> None:
    made = [report.made for report in pipeline.make_pictures(app, now)]
    pipeline.tell_pictures(app, now)
    # Where none could be made, the next few would hardly fare better now.
    if len(made) == pipeline.PICTURES_AT_ONCE and any(made):
        soon("pictures")


def _pixels(app: App, soon: Callable[[str], None], now: datetime) -> None:
    read = [report.read for report in pipeline.read_pixels(app, now)]
    pipeline.tell_pictures(app, now)
    if any(read):
        soon("pixels")


def _radar(app: App, soon: Callable[[str], None], now: datetime) -> None:
    if any(report.read for report in pipeline.read_radar(app, now)):
        soon("radar")


def _watch_self(app: App, now: datetime) -> None:
    pipeline.watch_self(app, now)
    pipeline.watch_room(app, now)


def _judge(app: App, stopping: threading.Event, now: datetime) -> None:
    pipeline.derive(app, now, stop=stopping.is_set)
    pipeline.judge(app, now, stop=stopping.is_set)


def _deliver(app: App, owner: str, _now: datetime) -> None:
    pipeline.deliver(app, utc_now, owner)


def owner_name() -> str:
    """A name for this process that no other has: the machine, the process, and a random part for a reused number."""
    return f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(3)}"


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process.

    The kernel may give a signal to any thread, and Python runs handlers in the main thread only, which may be
    asleep on a lock: so a thread of its own is woken through a socket, whoever took the signal.
    """
    stop = threading.Event()
    heard, told = socket.socketpair()
    told.setblocking(False)
    listener = threading.Thread(target=_heed, args=(heard, stop), name="signals", daemon=True)
    listener.start()
    earlier_fd = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    earlier = {number: signal.signal(number, _leave_to_listener) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(earlier_fd)
        told.close()
        listener.join()
        heard.close()


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _leave_to_listener(_number: int, _frame: FrameType | None) -> None:
    """Without a handler of ours the signal would end the process before the listener hears of it."""


def _heed(heard: socket.socket, stop: threading.Event) -> None:
    first_at = 0.0
    while told := heard.recv(1):
        number = told[0]
        if number not in _STOP_SIGNALS:
            continue
        if not stop.is_set():
            first_at = monotonic_s()
            stop.set()
        elif monotonic_s() - first_at > SAME_SIGNAL_S:
            os._exit(128 + number)  # pragma: no cover - ends the process before coverage is written


def describe_service(app: App) -> list[str]:
    """Say what this service is about to do, and what to try next."""
    return [
        *_describe_providers(app),
        *_describe_contact(app),
        *_describe_listed(app),
        _describe_channels(app),
        _describe_next(app),
    ]


def _describe_providers(app: App) -> Iterator[str]:
    if not app.feeds:
        yield "Providers: none is switched on, so nothing is polled. docs/settings.md says how to switch one on."
    for name, feed in app.feeds.items():
        provider = feed.provider
        yield f"Provider {name}: {provider.kind}, asked every {every(provider.interval_s)}; {provider.attribution}."


def _describe_contact(app: App) -> Iterator[str]:
    if app.feeds and not app.settings.contact:
        yield (
            "Contact: none is set, so a provider that is troubled by these requests can only block them. Set "
            "SITEWATCH_CONTACT to a URL or mail address of yours."
        )


def _describe_listed(app: App) -> Iterator[str]:
    with reading(app.engine) as connection:
        words = cannot_fire_words(entries_that_cannot_fire(connection, app.sites.values()))
    if words:
        yield words


def _describe_channels(app: App) -> str:
    told = [name for name in app.channels if name != "log"]
    if told:
        return f"Channels: {', '.join(app.channels)}. To try them: sitewatch alerts test."
    return (
        f"Channels: {', '.join(app.channels) or 'none'}. No Slack or email yet: set SITEWATCH_SLACK_WEBHOOK_URL, or "
        "SITEWATCH_SMTP_HOST with SITEWATCH_EMAIL_FROM and SITEWATCH_EMAIL_TO (docs/settings.md)."
    )


def _describe_next(app: App) -> str:
    with reading(app.engine) as connection:
        known = series_summaries(connection, app.sites)
    counted = [each for each in known if each.newest_counted_at]
    # The one that goes back farthest has most to show.
    best = min(counted, key=lambda each: each.first_at, default=None)
    history = f"sitewatch history {best.key.site_id} {best.key.metric}, " if best else ""
    return f"Try next, in another terminal: sitewatch status, {history}sitewatch alerts list."


_UNITS: Sequence[tuple[int, str]] = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
