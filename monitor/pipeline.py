"""The straight line of the program, readable top to bottom: poll → derive → judge → deliver, and what goes before.

Each step hands over by rows in the database and may be repeated or killed at any point. `now` is an argument.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from alerts.delivery.blindness import BlindReport, notify_blindness, notify_low_disk, notify_refusals
from alerts.delivery.compose import compose
from alerts.delivery.digest import enqueue_daily_digests, enqueue_weekly_digest
from alerts.delivery.new_pictures import PictureWish, notify_new_pictures, picture_facts
from alerts.delivery.reminders import enqueue_reminders
from alerts.delivery.worker import DeliverReport, deliver_due
from alerts.judging.judge import JudgeReport, JudgingContext, judge_pending
from alerts.metrics import meanings, recall_metrics
from alerts.watch import PICTURES_TOLD_FROM
from alerts.words import digits
from db.aircraft import known_aircraft
from db.alerts import forget_earlier_states
from db.engine import Connection, empty_log, is_missing, reading, write_anew, writing
from db.imports import drop_abandoned
from db.metrics import keep_meanings, looks_of_metric, metric_meanings
from db.migrate import current_revision, is_known, migrate, newest_revision
from db.records import MetricMeaning
from db.records_kept import forget_records
from db.retention import Identity, PurgeReport, purge
from db.scenario_mark import ScenarioMark, scenario_mark
from db.silences import drop_unborn_silences
from db.sites import record_sites
from monitor.app import App
from monitor.derive.corroboration import corroborate
from monitor.derive.days import move_counted_days
from monitor.derive.measuring import study_where_due
from monitor.derive.pending import DeriveReport, close_days, derive_pending
from monitor.derive.pictures import CutoutReport, refresh_cutouts
from monitor.derive.pixels import PixelReport, read_passes
from monitor.derive.radar import RadarReport, read_statistics
from monitor.derive.radar_bursts import read_bursts
from monitor.derive.radar_measuring import study_radar
from monitor.errors import InputError, WorkFailed
from monitor.flights.tracks.identity import Aircraft, completed_aircraft, is_watched
from monitor.imports import ImportClock, load_declared, load_published, move_days, withdraw_published
from monitor.ops.database_health import inside, low_disk_words
from monitor.ops.heartbeat import PingError, stuck_outbox
from monitor.ops.metrics import LOOKS_JUDGED_TOTAL, POLLS_TOTAL, SENDS_TOTAL
from monitor.poll.answers import PollReport
from monitor.poll.new_feeds import note_feeds
from monitor.poll.rounds import poll_provider
from monitor.sites import Site
from monitor.sites.reload import Reload

_log = structlog.get_logger()
PICTURES_AT_ONCE = 4
SCENES_AT_ONCE = 8
BYTES_PER_MB = 1024 * 1024
_NAMED = 20
_THIS_MACHINE = "this machine"
_RADAR = "radar"
_WITHDRAWN_FILE = "withdrawn.csv"


def start(app: App, now: datetime) -> list[str]:
    """Bring the database up to date, record the sites, load the published history; say in words what was done."""
    done = list(_migrate(app))
    _refuse_scenario(app)
    _note_metrics(app, now)
    note_sites(app, now)
    done += [f"Baselines begin anew: {what}." for what in note_feeds(app.engine, app.feeds.values(), now)]
    done.append(f"Sites: {len(app.sites)} watched, from {app.sites_file.path}: {_some(app.sites)}.")
    return [*done, *_load_history(app, now)]


def _some(names: Iterable[str]) -> str:
    first = list(names)
    left = len(first) - _NAMED
    return ", ".join(first[:_NAMED]) + (f" and {left} more" if left > 0 else "")


def prepare(app: App, now: datetime, *, fresh: bool) -> None:
    """Make sure that there is a database of the right version; where there is none it is made and filled if `fresh`.

    An older one is left alone: a service of the older version may be at work on it. Raises InputError where there
    is none and none is to be made: a mistake in an address is no empty watch.
    """
    revision = current_revision(app.engine)
    if revision is None:
        if not fresh:
            raise InputError(
                f"There is no sitewatch database yet: the {app.database} {_lacking(app)}. Check SITEWATCH_DATABASE_URL and the "
                "folder that you are in, or start “sitewatch run”, which makes it. Nothing was made."
            )
        start(app, now)
    elif revision != newest_revision():
        _refuse_newer(app, revision)
        raise WorkFailed(
            f"The database ({app.database}) belongs to an older sitewatch. Stop the service if one runs, then start "
            "the new one with “sitewatch run”: it brings the database up to date."
        )
    elif fresh:
        _refuse_scenario(app)
        _note_metrics(app, now)
    else:
        _recall_metrics(app)


def _note_metrics(app: App, now: datetime) -> None:
    """Keep what every metric means, once no stored look would come to mean something else."""
    known = {each.name: each for each in _recall_metrics(app)}
    changed = [each for each in meanings() if known.get(each.name) != each]
    if changed:
        with writing(app.engine) as connection:
            keep_meanings(connection, changed, now)


def _recall_metrics(app: App) -> list[MetricMeaning]:
    """Read what metrics meant before; raises InputError where a declaration would read stored looks otherwise."""
    declared = {each.name: each for each in meanings()}
    with reading(app.engine) as connection:
        known = metric_meanings(connection)
        for each in known:
            now_says = declared.get(each.name)
            if now_says is None or now_says.same_numbers(each):
                continue
            if looks := looks_of_metric(connection, each.name):
                raise InputError(
                    f"The metric {each.name} is on record as {_meaning_words(each)}, with {looks} looks; it is declared as "
                    f"{_meaning_words(now_says)} now. Put [metrics.{each.name}] back as it was, and give the new one "
                    "another name."
                )
    recall_metrics(each for each in known if each.name not in declared)
    return known


def _meaning_words(meaning: MetricMeaning) -> str:
    unit = f" in {meaning.unit}" if meaning.unit else ""
    return f"{meaning.kind}, {meaning.measure}{unit}"


def scenario_of(app: App) -> ScenarioMark | None:
    """Which scenario the database holds, if it holds one."""
    with reading(app.engine) as connection:
        return scenario_mark(connection)


def _refuse_scenario(app: App) -> None:
    """Nothing that is watched may come to stand among what a scenario made up."""
    if mark := scenario_of(app):
        raise WorkFailed(
            f"The database ({app.database}) holds the replay of a scenario, “{mark.title}”. Nothing can be added to it, and "
            "nothing watches with it: set SITEWATCH_DATABASE_URL to another database."
        )


def _lacking(app: App) -> str:
    return "is not there" if is_missing(app.engine) else "is empty"


def _migrate(app: App) -> Iterator[str]:
    before = current_revision(app.engine)
    if before is not None:
        _refuse_newer(app, before)
        if ailment := inside(app.engine, app.settings):
            raise WorkFailed(str(ailment))
    try:
        removed = migrate(app.engine)
    except OSError as error:
        raise InputError(
            f"The {app.database} cannot be made: {error.strerror}. Make its folder, give the user who runs sitewatch "
            "the right to write there, or set SITEWATCH_DATABASE_URL to another place."
        ) from None
    after = current_revision(app.engine)
    done = "made just now" if before is None else "up to date" if before == after else f"upgraded to {after}"
    yield f"Database: {app.database} ({done})."
    yield from (f"Privacy: {each}." for each in removed)


def _refuse_newer(app: App, revision: str) -> None:
    if not is_known(revision):
        raise WorkFailed(
            f"The database ({app.database}) was made by a newer sitewatch (its schema is {revision}, this one knows "
            f"{newest_revision()}). Install that version, or set SITEWATCH_DATABASE_URL to another database."
        )


def note_sites(app: App, now: datetime) -> None:
    """Record the sites as they are watched from now on, and what they declare; only what changed is written."""
    with writing(app.engine) as connection:
        record_sites(connection, app.sites_file.sites.features, now)
    flying = [site for site in app.sites.values() if site.flies]
    if moved := move_days(app.engine, app.sites.values()) + move_counted_days(app.engine, flying):
        _log.info("days moved with the time zone of their site", moved=moved)
    with writing(app.engine) as connection:
        faults = load_declared(connection, app.sites, ImportClock(now))
    for fault in faults:
        _log.warning("declared baseline left out", file=str(app.sites_file.path), fault=str(fault))


def _load_history(app: App, now: datetime) -> Iterator[str]:
    path = app.settings.history_file
    if not path.exists():
        yield f"History: there is no file {path}, so what was published before is not known."
        return
    report = load_published(app.engine, path, app.sites, now)
    new = report.stored + report.revised + report.declared + report.notes
    yield (
        f"History: {new} published facts loaded from {path}."
        if new
        else f"History: the published facts in {path} are loaded already."
    )
    yield from _taken_back(app, path.with_name(_WITHDRAWN_FILE), now)
    others = [fault for fault in report.faults if fault.column != "site_id"]
    if elsewhere := len(report.faults) - len(others):
        yield (
            f"History: {elsewhere} of its facts are about sites that are not in {app.sites_file.path}, and are left out."
        )
    for fault in others:
        _log.warning("published fact left out", file=str(path), fault=str(fault))


def _taken_back(app: App, path: Path, now: datetime) -> Iterator[str]:
    """Counts that an earlier version shipped by mistake, taken out of a database that loaded them."""
    if not path.exists():
        return
    for look, why in withdraw_published(app.engine, path, app.sites, now):
        key = look.series
        when = (
            look.written_start
            if look.written_start == look.written_end
            else f"{look.written_start} to {look.written_end}"
        )
        yield (
            f"History: taken back: {key.site_id}, {key.metric}{f' {key.subject}' if key.subject else ''}, {when}, {digits(look.value or 0.0)}. "
            f"{why} What was told because of it is judged again."
        )


def reload_sites(app: App, now: datetime) -> Reload:
    """Take up an edited sites file; a bad edit changes nothing and is told once."""
    reload = app.sites_file.refresh()
    if reload.outcome == "refused":
        faults = [str(fault) for fault in reload.faults]
        _log.error("sites file refused, the old sites go on", file=str(app.sites_file.path), faults=faults)
    elif reload.outcome == "changed":
        note_sites(app, now)
        _log.info("sites changed", added=reload.added, removed=reload.removed, changed=reload.changed)
    elif reload.mended:
        _log.info("sites file mended", file=str(app.sites_file.path))
    return reload


def poll(
    app: App,
    now: datetime,
    provider: str | None = None,
    site: str | None = None,
    *,
    force: bool = False,
    progress: Callable[[float], None] | None = None,
) -> list[PollReport]:
    """Ask the providers (or one) about the sites (or one); a failed poll is a row and a report, not an error.

    `progress` is told the share of the providers that were asked.
    """
    if provider is not None and provider not in app.feeds:
        there = ", ".join(sorted(app.feeds)) or "none"
        raise InputError(
            f"No provider that is switched on is called {provider!r}. There are: {there}. docs/settings.md says how "
            "to switch one on."
        )
    sites = list(app.sites.values()) if site is None else [app.known_site(site)]
    reports = []
    providers = [feed.provider for feed in app.feeds.values()]
    asked = [feed for name, feed in app.feeds.items() if provider in {None, name}]
    for number, feed in enumerate(asked, start=1):
        reports += poll_provider(
            app.engine, feed, sites, now, force=force, classes=app.classes, others=providers
        )
        if progress is not None:
            progress(number / len(asked))
    if ours := next((each.text for each in reports if each.ours), ""):
        app.troubles.failed(_THIS_MACHINE, ours, now)
    elif reports:
        app.troubles.worked(_THIS_MACHINE)
    for report in reports:
        POLLS_TOTAL.labels(report.provider, report.outcome).inc()
    return reports


def derive(app: App, now: datetime, *, stop: Callable[[], bool] = lambda: False) -> DeriveReport:
    """Turn position reports and scenes into visits and looks, and close the days that ended.

    `stop` is asked between batches of polls and between days: the rest waits.
    """
    sites = list(app.sites.values())
    report = derive_pending(app.engine, sites, now, classes=app.classes, stop=stop)
    report += close_days(app.engine, sites, now, stop=stop)
    if report.visits:
        report += DeriveReport(visits=corroborate(app.engine, sites, now))
    if report.visits or report.looks:
        _log.info("derived", polls=report.polls, visits=report.visits, looks=report.looks)
    return report


def judge(
    app: App,
    now: datetime,
    *,
    not_before: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> JudgeReport:
    """Judge each look that waits by the rules of its site; alerts and the messages owed are written with it.

    What was knowable before `not_before` is judged and not sent. `stop` is asked between looks: the rest waits.
    """
    too_old = timedelta(days=app.settings.too_old_to_send_days)
    judging_context = JudgingContext(
        app.watches, app.rules, tuple(app.channels), too_old, not_before, app.attributions, app.routing
    )
    report = judge_pending(app.engine, judging_context, now, stop)
    LOOKS_JUDGED_TOTAL.inc(report.judged)
    if report.judged or report.changes:
        _log.info("judged", looks=report.judged, changes=report.changes, told=report.told)
    return report


def make_pictures(app: App, now: datetime) -> list[CutoutReport]:
    """Make a few of the pictures of sites that are due; one that cannot be made is a report, not an error."""
    sites = list(app.sites.values())
    reports = refresh_cutouts(
        app.engine,
        sites,
        app.pictures,
        now,
        limit=PICTURES_AT_ONCE,
        hosts=app.picture_hosts,
        clients=app.picture_clients,
    )
    if any(report.made for report in reports):
        app.troubles.worked("pictures")
    elif reports:
        app.troubles.failed("pictures", reports[0].text, now)
    return reports


def read_pixels(app: App, now: datetime) -> list[PixelReport]:
    """Read and measure a few of the passes that are due, and learn where it is time what can be measured at a site."""
    sites = list(app.sites.values())
    reports = read_passes(
        app.engine,
        sites,
        app.pictures,
        now,
        limit=SCENES_AT_ONCE,
        most_bytes=app.settings.imagery_mb_a_day * BYTES_PER_MB,
        hosts=app.picture_hosts,
        clients=app.picture_clients,
    )
    for site_id in sorted({report.site_id for report in reports if report.read}):
        study_where_due(app.engine, app.sites[site_id], now)
    if any(report.read for report in reports):
        corroborate(app.engine, sites, now)
    if any(report.read for report in reports):
        app.troubles.worked("pixels of scenes")
    elif reports:
        app.troubles.failed("pixels of scenes", reports[0].text, now)
    return reports


def read_radar(app: App, now: datetime) -> list[RadarReport]:
    """Ask for numbers and pixels of a few of the radar passes that are due, and measure the sites of which some came."""
    sites = list(app.sites.values())
    reports = read_statistics(app.engine, sites, app.statistics, now, limit=SCENES_AT_ONCE)
    reports += read_bursts(
        app.engine,
        sites,
        app.burst_files,
        now,
        limit=SCENES_AT_ONCE,
        most_bytes=app.settings.imagery_mb_a_day * BYTES_PER_MB,
    )
    for site_id in sorted({report.site_id for report in reports if report.read}):
        study_radar(app.engine, app.sites[site_id], now)
    if any(report.read for report in reports):
        app.troubles.worked(_RADAR)
    elif reports:
        app.troubles.failed(_RADAR, reports[0].text, now)
    return reports


EVERY_SITE = "all"


def tell_pictures(app: App, now: datetime) -> int:
    """Owe a message for each new clear picture of a site of which somebody wants to be told; give their number."""
    named, watches = app.settings.tell_clear_pictures, app.watches
    wishes = {
        site.id: PictureWish(
            site.name,
            share,
            {area.id: area.name for area in site.areas},
            app.routing.takers(tuple(app.channels), picture_facts(watches[site.id])),
        )
        for site in app.sites.values()
        if (share := _told_from(site, named)) is not None
    }
    if not wishes:
        return 0
    too_old = timedelta(days=app.settings.too_old_to_send_days)
    return notify_new_pictures(
        app.engine,
        wishes,
        now,
        too_old=too_old,
        public_url=app.settings.public_url,
    )


def _told_from(site: Site, named: Sequence[str]) -> float | None:
    if site.tell_clear_pictures is None and (site.id in named or EVERY_SITE in named):
        return PICTURES_TOLD_FROM
    return site.tell_clear_pictures


def watch_self(app: App, now: datetime) -> BlindReport:
    """Tell once that sites went blind or are watched again or a provider refuses, and weekly that the watch goes on."""
    channels = app.noticed
    heard = any(feed.watches for feed in app.feeds.values())
    names = {site.id: site.name for site in app.sites.values() if site.flies and heard}
    after = timedelta(hours=app.settings.blind_after_hours)
    report = notify_blindness(app.engine, names, channels, after, now)
    notify_refusals(app.engine, app.feeds, channels, now)
    corroborate(app.engine, app.sites.values(), now)
    if report.began or report.ended:
        began, ended = ([each.site_id for each in periods] for periods in (report.began, report.ended))
        _log.warning("blind sites", began=began, ended=ended)
    if app.settings.weekly_digest:
        enqueue_weekly_digest(app.engine, len(app.sites), channels, now)
    enqueue_daily_digests(
        app.engine,
        len(app.sites),
        app.routing,
        tuple(app.channels),
        now,
        public_url=app.settings.public_url,
    )
    enqueue_reminders(app.engine, app.routing, tuple(app.channels), now)
    return report


def watch_room(app: App, now: datetime) -> None:
    """Tell, at most once a week, that the disk of the database is nearly full."""
    if words := low_disk_words(app.settings):
        notify_low_disk(app.engine, words, app.noticed, now)


def sign_of_life(app: App, ailments: Sequence[str], now: datetime) -> str:
    """Ping whoever waits outside, if all is well here; say in words what was done, '' where nobody waits."""
    if app.deadman is None:
        return ""
    with reading(app.engine) as connection:
        wrong = [*ailments, *stuck_outbox(connection, list(app.channels), app.routing, now)]
    if wrong:
        app.troubles.failed("signs of life, withheld", "; ".join(wrong), now)
        return f"Withheld, so that the alarm is raised outside: {'; '.join(wrong)}."
    app.troubles.worked("signs of life, withheld")
    try:
        status = app.deadman.ping()
    except PingError as error:
        app.troubles.failed("dead-man ping", str(error), now)
        return f"Not taken: {error}"
    app.troubles.worked("dead-man ping")
    return f"Taken (HTTP {status})."


class RoundReport(NamedTuple):
    """What one round of the whole line did."""

    polls: list[PollReport]
    derived: DeriveReport
    judged: JudgeReport


def tick(app: App, now: datetime) -> RoundReport:
    """Do once what the service does all the time, save delivering."""
    return RoundReport(poll(app, now), derive(app, now), judge(app, now))


def deliver(
    app: App,
    clock: Callable[[], datetime],
    owner: str,
    pause: Callable[[float], object] = lambda _seconds: None,
) -> DeliverReport:
    """Send what is due through the channels; `pause` waits so many seconds before a closed door is tried again."""
    report = deliver_due(
        app.engine,
        app.channels,
        partial(compose, app.engine, public_url=app.settings.public_url),
        clock,
        owner,
        routing=app.routing,
        max_attempts=app.settings.max_attempts,
        pause=pause,
    )
    for (channel, result), number in report.results.items():
        SENDS_TOTAL.labels(channel, result).inc(number)
    return report


def retain(app: App, now: datetime) -> PurgeReport:
    """Forget what need not be kept: identities of aircraft that nobody watches, extracts that no alert rests on."""
    settings = app.settings
    if dropped := drop_abandoned(app.engine):
        _log.warning("rows of an import that was killed dropped", rows=dropped)
    watchlist = {subject for site in app.sites.values() for subject in site.watchlist}
    keep_identities = timedelta(hours=settings.keep_identities_hours)

    def watched(connection: Connection, who: Identity) -> bool:
        return is_watched(_completed(connection, who), app.classes, watchlist)

    with writing(app.engine) as connection:
        if unborn := drop_unborn_silences(connection, now):
            _log.warning("silences of a wrong clock dropped", silences=unborn)
    report = purge(
        app.engine,
        now,
        keep_identities=keep_identities,
        keep_extracts=timedelta(days=settings.keep_payloads_days),
        watched=watched,
        sites=app.sites,
    )
    gone = forget_records(
        app.engine,
        now,
        keep_records=timedelta(days=settings.keep_records_days),
        keep_verdicts=timedelta(days=settings.keep_verdicts_days),
        sites=app.sites,
    )
    if any(astuple(gone)):
        _log.info("records forgotten", **asdict(gone))
    # Only a late page needs what an alert was before it changed; a little longer, for the delay may be raised.
    recorded_before = now - 2 * timedelta(hours=settings.public_delay_hours) - timedelta(days=1)
    with writing(app.engine) as connection:
        forget_earlier_states(connection, recorded_before)
    if any(astuple(report)):
        _log.info("forgotten", **asdict(report))
    if report.fixes or report.visits or report.extracts or report.claims:
        write_anew(app.engine, now)
    empty_log(app.engine)
    return report


def _completed(connection: Connection, who: Identity) -> Aircraft:
    """What is remembered of an aircraft, with what the aircraft database adds."""
    return completed_aircraft(Aircraft(*who), known_aircraft(connection, [who.icao24]).get(who.icao24))
