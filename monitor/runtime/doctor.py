"""What is misconfigured or does not work, and how to mend it; looks without changing anything."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from alerts.metrics import declare_metrics
from alerts.words import numbered
from db.engine import DBAPIError, Engine, open_engine, reading, server_time, writing
from db.leases import is_alive, lease_holder
from db.migrate import current_revision, is_known, newest_revision
from db.provider_states import read_state
from monitor.aircraft.listed import cannot_fire_words, entries_that_cannot_fire
from monitor.bootstrap import (
    address_test,
    build_channels,
    build_classes,
    build_deadman,
    build_feed,
    rule_defaults,
)
from monitor.config.channels import ServerSettings
from monitor.config.settings import Settings, load_settings
from monitor.errors import InputError
from monitor.feeds import Feed, FeedError, Scope
from monitor.feeds.authorities import CaFileError, authorities
from monitor.feeds.http import ANY_STATUS, GuardedClient
from monitor.feeds.providers import configured_providers
from monitor.feeds.receiver import NOTHING_EARLIER, misplaced
from monitor.ops.database_health import (
    LOW_DISK_BYTES,
    database_failure_or_lack,
    describe_database,
    inside,
    size_words,
    sqlite_file,
    try_database,
)
from monitor.ops.heartbeat import PingError
from monitor.sites import Site
from monitor.sites.faults import SitesError
from monitor.sites.load import load_sites

CheckState = Literal["ok", "warning", "broken"]
_DISK_WARNING = 1024**3
_RENEWAL = timedelta(days=30)
"""A certificate of an authority is passed from hand to hand, which takes its time."""
_SKEW_WARNING_S = 30
_SKEW_BROKEN_S = 300


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing looked at; `mend` says what to do unless all is well."""

    check: str
    state: CheckState
    found: str
    mend: str = ""


def run_checks(clock: Callable[[], datetime], *, network: bool = True) -> Iterator[CheckResult]:
    """Look at everything that a service needs; without `network` nothing outside the database is asked."""
    try:
        settings = load_settings()
    except InputError as error:
        yield CheckResult(
            "settings", "broken", str(error), "Correct each setting named above; nothing else was checked."
        )
        return
    declare_metrics(settings.metrics)
    yield CheckResult("settings", "ok", "Every setting is known and can be used.")
    yield _sites(settings)
    yield _history(settings)
    yield from _database(settings, clock())
    yield _disk(settings)
    yield from _ca_files(settings, clock())
    yield _channels(settings)
    yield from _links(settings)
    yield _deadman(settings, network=network)
    yield from _providers(settings, clock, network=network)


def _sites(settings: Settings) -> CheckResult:
    try:
        sites = load_sites(settings.sites_file, rule_defaults(), address_test(build_classes(settings)))
    except SitesError as error:
        return CheckResult(
            "sites",
            "broken",
            str(error),
            "Correct each feature named above; “sitewatch sites check” checks again.",
        )
    if not len(sites):
        return CheckResult(
            "sites", "warning", f"{settings.sites_file} holds no site.", "Add one with “sitewatch sites add”."
        )
    return CheckResult("sites", "ok", f"{numbered(len(sites), 'site')} in {settings.sites_file}.")


def _history(settings: Settings) -> CheckResult:
    if settings.history_file.exists():
        return CheckResult("history", "ok", f"Published facts are in {settings.history_file}.")
    return CheckResult(
        "history",
        "warning",
        f"There is no file {settings.history_file}.",
        "Set SITEWATCH_HISTORY_FILE, or import counts with “sitewatch observations import”; without history the rules "
        "cannot tell what is normal.",
    )


def _database(settings: Settings, now: datetime) -> Iterator[CheckResult]:
    where = describe_database(settings)
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        yield CheckResult(
            "database",
            "warning",
            f"{where} is not there yet; the first start makes it.",
            "If it should be there, check SITEWATCH_DATABASE_URL and the folder that you are in.",
        )
        return
    if path is not None and path.stat().st_size == 0:
        # Even taking the lock would write to it.
        yield CheckResult("database", "ok", f"{where} is empty; the first start fills it.")
        return
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        with writing(engine):
            # Taking the writer's lock fails where the file or its folder may not be written.
            pass
        yield _revision(engine, where)
        if ailment := inside(engine, settings):
            yield CheckResult("file", "broken", ailment.found, ailment.mend)
        if ailment := try_database(settings):
            yield CheckResult("storing", "broken", ailment.found, ailment.mend)
        yield from _service(engine, settings.lease_s, now)
        if current_revision(engine) == newest_revision():
            yield from _last_answers(engine, settings, now)
        yield from _listed(engine, settings)
        if path is None:
            with reading(engine) as connection:
                yield _skew("the database server", server_time(connection), now)
    except DBAPIError as error:
        ailment = database_failure_or_lack(error, settings)
        if ailment is None:
            raise
        yield CheckResult("database", "broken", ailment.found, ailment.mend)
    finally:
        engine.dispose()


def _revision(engine: Engine, where: str) -> CheckResult:
    revision = current_revision(engine)
    if revision == newest_revision():
        return CheckResult("database", "ok", f"{where} is reachable and up to date.")
    if revision is None:
        return CheckResult("database", "ok", f"{where} is empty; the first start fills it.")
    if is_known(revision):  # pragma: no cover - there is no second migration yet
        return CheckResult(
            "database",
            "warning",
            f"{where} belongs to an older sitewatch.",
            "“sitewatch run” brings it up to date.",
        )
    return CheckResult(
        "database",
        "broken",
        f"{where} was made by a newer sitewatch ({revision}).",
        "Install that version, or set SITEWATCH_DATABASE_URL to another database.",
    )


def _listed(engine: Engine, settings: Settings) -> Iterator[CheckResult]:
    if current_revision(engine) != newest_revision():
        return
    with suppress(SitesError), reading(engine) as connection:
        found = entries_that_cannot_fire(
            connection, load_sites(settings.sites_file, rule_defaults(), lambda _icao24: True)
        )
        if found:
            yield CheckResult(
                "watch lists",
                "warning",
                cannot_fire_words(found),
                "Take them off the list; only the count of all aircraft can tell of them.",
            )


def _service(engine: Engine, lease_s: float, now: datetime) -> Iterator[CheckResult]:
    if current_revision(engine) is None:
        return
    with reading(engine) as connection:
        lease = lease_holder(connection)
    if lease is not None and is_alive(lease, now, lease_s):
        yield CheckResult("service", "ok", f"A service is watching: {lease.owner}.")
    else:
        yield CheckResult(
            "service", "warning", "No service is watching now.", "Start one with “sitewatch run”."
        )


def _disk(settings: Settings) -> CheckResult:
    path = sqlite_file(settings)
    folder = path.absolute().parent if path else Path().absolute()
    while not folder.exists():
        folder = folder.parent
    return disk_finding(folder, shutil.disk_usage(folder).free)


def disk_finding(folder: Path, free: int) -> CheckResult:
    """Whether so many free bytes are enough for a database that grows."""
    found = f"{size_words(free)} are free in {folder}."
    if free >= _DISK_WARNING:
        return CheckResult("disk", "ok", found)
    state: CheckState = "broken" if free < LOW_DISK_BYTES else "warning"
    return CheckResult(
        "disk", state, found, "Make room, or move the database; a full disk stops every write."
    )


def _ca_files(settings: Settings, now: datetime) -> Iterator[CheckResult]:
    named = {"ca_file": settings.ca_file}
    named |= {f"providers.{name}.ca_file": each.ca_file for name, each in settings.providers.items()}
    named |= {
        f"channels.{name}.ca_file": each.ca_file
        for name, each in settings.channels.items()
        if isinstance(each, ServerSettings)
    }
    for where, path in named.items():
        if path is not None:
            yield _ca_file(where, path, now)


def _ca_file(where: str, path: Path, now: datetime) -> CheckResult:
    renew = "Ask whoever runs the authority for its new certificate, and put it into the file."
    try:
        found = authorities(path)
    except CaFileError as error:
        return CheckResult(
            where,
            "broken",
            f"{str(error)[:1].upper()}{str(error)[1:]}",
            "Name the file (PEM) that whoever runs the authority gives out.",
        )
    if not found:
        return CheckResult(where, "ok", f"{path} holds certificates that vouch for one server each.")
    listed = "; ".join(f"{each.name}, until {each.not_after:%Y-%m-%d}" for each in found)
    if all(each.not_after <= now for each in found):
        return CheckResult(where, "broken", f"Every authority in {path} has expired: {listed}.", renew)
    if any(each.not_after - now < _RENEWAL for each in found):
        return CheckResult(where, "warning", f"{path} is soon out of date: {listed}.", renew)
    return CheckResult(where, "ok", f"{path} is trusted: {listed}.")


def _channels(settings: Settings) -> CheckResult:
    clients: list[GuardedClient] = []
    try:
        channels = build_channels(settings, clients)
    except InputError as error:
        return CheckResult(
            "channels", "broken", str(error), "Correct the channel's settings (docs/channels.md)."
        )
    finally:
        _close(clients)
    if set(channels) <= {"log"}:
        return CheckResult(
            "channels",
            "warning",
            "No Slack or email is set, so alerts reach only the log and “sitewatch alerts list”.",
            "Set SITEWATCH_SLACK_WEBHOOK_URL, or SITEWATCH_SMTP_HOST with SITEWATCH_EMAIL_FROM and SITEWATCH_EMAIL_TO.",
        )
    return CheckResult("channels", "ok", f"{', '.join(channels)}; “sitewatch alerts test” tries them.")


def _links(settings: Settings) -> Iterator[CheckResult]:
    if settings.public_url is None:
        yield CheckResult(
            "links",
            "warning",
            "Messages hold no link to an alert, because the page's public address is not known.",
            "Set SITEWATCH_PUBLIC_URL to the address under which readers reach the page.",
        )


def _deadman(settings: Settings, *, network: bool) -> CheckResult:
    clients: list[GuardedClient] = []
    try:
        deadman = build_deadman(settings, clients)
        if deadman is None:
            return CheckResult(
                "dead man",
                "warning",
                "Nobody outside would notice if this machine died.",
                "Set SITEWATCH_DEADMAN_URL to an address that raises the alarm when no ping comes (docs/settings.md).",
            )
        if not network:
            return CheckResult("dead man", "ok", "Configured; not pinged (--offline).")
        return CheckResult("dead man", "ok", f"The ping was taken (HTTP {deadman.ping()}): one sign of life.")
    except PingError as error:
        return CheckResult(
            "dead man", "broken", str(error), "Check SITEWATCH_DEADMAN_URL and this machine's network."
        )
    finally:
        _close(clients)


def _providers(settings: Settings, clock: Callable[[], datetime], *, network: bool) -> Iterator[CheckResult]:
    wanted = [each for each in configured_providers(settings) if each.enabled]
    if not wanted:
        yield CheckResult(
            "providers",
            "warning",
            "No provider is switched on.",
            "docs/settings.md says how to switch one on.",
        )
    for provider in wanted:
        clients: list[GuardedClient] = []
        try:
            feed = build_feed(provider, settings, clients)
            if network:
                yield from _reach(feed, clients[0], clock)
                yield from _own_receiver(feed, settings, clock())
            else:
                yield CheckResult(f"provider {provider.name}", "ok", "Configured; not asked (--offline).")
        except InputError as error:
            yield CheckResult(
                f"provider {provider.name}", "broken", str(error), "Correct [providers] in sitewatch.toml."
            )
        finally:
            _close(clients)


def _reach(feed: Feed, client: GuardedClient, clock: Callable[[], datetime]) -> Iterator[CheckResult]:
    name = feed.provider.name
    try:
        answer = client.request("GET", feed.provider.base_url, purpose="canary", accept=ANY_STATUS)
    except FeedError as error:
        yield CheckResult(
            f"provider {name}",
            "broken",
            error.reason,
            "Check this machine's network and base_url. Until it answers, nothing is counted; that is never a zero.",
        )
        return
    yield CheckResult(f"provider {name}", "ok", f"{feed.provider.base_url} answers (HTTP {answer.status}).")
    with suppress(ValueError):
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        yield _skew(name, theirs.replace(tzinfo=theirs.tzinfo or UTC), clock())


def _own_receiver(feed: Feed, settings: Settings, now: datetime) -> Iterator[CheckResult]:
    """Whether a receiver of one's own stands where the settings say: only its options name a place."""
    if "lat" not in feed.provider.options:
        return
    check = f"provider {feed.provider.name}"
    with suppress(SitesError):
        sites = list(load_sites(settings.sites_file, rule_defaults()).by_id.values())
        scopes = feed.scopes(sites)
        if not scopes:
            yield CheckResult(
                check,
                "warning",
                f"No site lies within the range that the settings give {feed.provider.name}, so it watches nothing.",
                "Check lat, lon and range_nm in its options (docs/sources.md).",
            )
            return
        yield _receiver_place(feed, check, scopes[0], sites, now)


def _receiver_place(
    feed: Feed, check: str, scope: Scope, sites: Sequence[Site], now: datetime
) -> CheckResult:
    mend = "Set lat, lon and range_nm in its options to what is true (docs/sources.md)."
    try:
        fetched = feed.fetch(scope, sites, purpose="data", now=now, since=None)
    except FeedError as error:
        return CheckResult(check, "broken", error.reason, "Until it answers, nothing is counted by it.")
    wrong = misplaced(fetched.receiver(), NOTHING_EARLIER) if fetched.receiver else ""
    if wrong:
        return CheckResult(check, "broken", wrong, mend)
    return CheckResult(check, "ok", "Nothing that it hears now speaks against the place in the settings.")


def _last_answers(engine: Engine, settings: Settings, now: datetime) -> Iterator[CheckResult]:
    """What the providers' last answers were worth: a provider can answer and still be of no use."""
    with reading(engine) as connection:
        states = [
            read_state(connection, each.name, now) for each in configured_providers(settings) if each.enabled
        ]
    for state in states:
        if state.health in ("failing", "disabled"):
            yield CheckResult(
                f"polls of {state.provider}",
                "broken" if state.health == "disabled" else "warning",
                state.last_error or "The last poll failed.",
                f"Mend what it says, then run “sitewatch poll {state.provider}”.",
            )


def _skew(whose: str, theirs: datetime, ours: datetime) -> CheckResult:
    skew_s = abs((theirs - ours).total_seconds())
    found = f"This machine's clock and that of {whose} differ by {skew_s:.0f} s."
    if skew_s < _SKEW_WARNING_S:
        return CheckResult("clock", "ok", found)
    state: CheckState = "broken" if skew_s > _SKEW_BROKEN_S else "warning"
    return CheckResult("clock", state, found, "Set this machine's clock by NTP; counts are filed by time.")


def _close(clients: list[GuardedClient]) -> None:
    for client in clients:
        client.close()
