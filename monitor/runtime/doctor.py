"""What is misconfigured or does not work, and how to mend it; looks without changing anything."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from db.engine import DBAPIError, Engine, open_engine, reading, server_time, writing
from db.leases import holder, is_alive
from db.migrate import current_revision, is_known, newest_revision
from monitor.bootstrap import build_channels, build_deadman, build_feed, rule_defaults
from monitor.config.settings import Settings, load_settings
from monitor.errors import InputError
from monitor.feeds import Feed, FeedError
from monitor.feeds.http import GuardedClient
from monitor.feeds.providers import configured_providers
from monitor.ops.database_health import LITTLE, ailment_of, attempt, describe_database, size, sqlite_file
from monitor.ops.heartbeat import PingError
from monitor.sites.faults import SitesError
from monitor.sites.load import load_sites

State = Literal["ok", "warning", "broken"]
_DISK_WARNING = 1024**3
_SKEW_WARNING_S = 30
_SKEW_BROKEN_S = 300
_ANY_STATUS = range(100, 600)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `mend` says what to do unless all is well."""

    check: str
    state: State
    found: str
    mend: str = ""


def examine(clock: Callable[[], datetime], *, network: bool = True) -> Iterator[Finding]:
    """Look at everything that a service needs; without `network` nothing outside the database is asked."""
    try:
        settings = load_settings()
    except InputError as error:
        yield Finding(
            "settings", "broken", str(error), "Correct each setting named above; nothing else was checked."
        )
        return
    yield Finding("settings", "ok", "Every setting is known and can be used.")
    yield _sites(settings)
    yield _history(settings)
    yield from _database(settings, clock())
    yield _disk(settings)
    yield _channels(settings)
    yield from _links(settings)
    yield _deadman(settings, network=network)
    yield from _providers(settings, clock, network=network)


def _sites(settings: Settings) -> Finding:
    try:
        sites = load_sites(settings.sites_file, rule_defaults())
    except SitesError as error:
        return Finding(
            "sites",
            "broken",
            str(error),
            "Correct each feature named above; “sitewatch sites check” checks again.",
        )
    if not len(sites):
        return Finding(
            "sites", "warning", f"{settings.sites_file} holds no site.", "Add one with “sitewatch sites add”."
        )
    return Finding("sites", "ok", f"{len(sites)} sites in {settings.sites_file}.")


def _history(settings: Settings) -> Finding:
    if settings.history_file.exists():
        return Finding("history", "ok", f"Published facts are in {settings.history_file}.")
    return Finding(
        "history",
        "warning",
        f"There is no file {settings.history_file}.",
        "Set SITEWATCH_HISTORY_FILE, or import counts with “sitewatch observations import”; without history the rules "
        "cannot tell what is normal.",
    )


def _database(settings: Settings, now: datetime) -> Iterator[Finding]:
    where = describe_database(settings)
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        yield Finding("database", "ok", f"{where} is not there yet; the first start makes it.")
        return
    engine = open_engine(settings.database_url.get_secret_value())
    try:
        with writing(engine):
            # Taking the writer's lock fails where the file or its folder may not be written.
            pass
        yield _revision(engine, where)
        if ailment := attempt(settings):
            yield Finding("storing", "broken", ailment.found, ailment.mend)
        yield from _service(engine, settings.lease_s, now)
        if path is None:
            with reading(engine) as connection:
                yield _skew("the database server", server_time(connection), now)
    except DBAPIError as error:
        ailment = ailment_of(error, settings)
        if ailment is None:
            raise
        yield Finding("database", "broken", ailment.found, ailment.mend)
    finally:
        engine.dispose()


def _revision(engine: Engine, where: str) -> Finding:
    revision = current_revision(engine)
    if revision == newest_revision():
        return Finding("database", "ok", f"{where} is reachable and up to date.")
    if revision is None:
        return Finding("database", "ok", f"{where} is empty; the first start fills it.")
    if is_known(revision):  # pragma: no cover - there is no second migration yet
        return Finding(
            "database",
            "warning",
            f"{where} belongs to an older sitewatch.",
            "“sitewatch run” brings it up to date.",
        )
    return Finding(
        "database",
        "broken",
        f"{where} was made by a newer sitewatch ({revision}).",
        "Install that version, or set SITEWATCH_DATABASE_URL to another database.",
    )


def _service(engine: Engine, lease_s: float, now: datetime) -> Iterator[Finding]:
    if current_revision(engine) is None:
        return
    with reading(engine) as connection:
        lease = holder(connection)
    if lease is not None and is_alive(lease, now, lease_s):
        yield Finding("service", "ok", f"A service is watching: {lease.owner}.")
    else:
        yield Finding("service", "warning", "No service is watching now.", "Start one with “sitewatch run”.")


def _disk(settings: Settings) -> Finding:
    path = sqlite_file(settings)
    folder = path.absolute().parent if path else Path().absolute()
    while not folder.exists():
        folder = folder.parent
    return disk_finding(folder, shutil.disk_usage(folder).free)


def disk_finding(folder: Path, free: int) -> Finding:
    """Whether so many free bytes are enough for a database that grows."""
    found = f"{size(free)} are free in {folder}."
    if free >= _DISK_WARNING:
        return Finding("disk", "ok", found)
    state: State = "broken" if free < LITTLE else "warning"
    return Finding("disk", state, found, "Make room, or move the database; a full disk stops every write.")


def _channels(settings: Settings) -> Finding:
    clients: list[GuardedClient] = []
    try:
        channels = build_channels(settings, clients)
    except InputError as error:
        return Finding("channels", "broken", str(error), "Correct the channel's settings (docs/channels.md).")
    finally:
        _close(clients)
    if set(channels) <= {"log"}:
        return Finding(
            "channels",
            "warning",
            "No Slack or email is set, so alerts reach only the log and “sitewatch alerts list”.",
            "Set SITEWATCH_SLACK_WEBHOOK_URL, or SITEWATCH_SMTP_HOST with SITEWATCH_EMAIL_FROM and SITEWATCH_EMAIL_TO.",
        )
    return Finding("channels", "ok", f"{', '.join(channels)}; “sitewatch alerts test” tries them.")


def _links(settings: Settings) -> Iterator[Finding]:
    if settings.public_url is None:
        yield Finding(
            "links",
            "warning",
            "Messages hold no link to an alert, because the page's public address is not known.",
            "Set SITEWATCH_PUBLIC_URL to the address under which readers reach the page.",
        )


def _deadman(settings: Settings, *, network: bool) -> Finding:
    clients: list[GuardedClient] = []
    try:
        deadman = build_deadman(settings, clients)
        if deadman is None:
            return Finding(
                "dead man",
                "warning",
                "Nobody outside would notice if this machine died.",
                "Set SITEWATCH_DEADMAN_URL to an address that raises the alarm when no ping comes (docs/settings.md).",
            )
        if not network:
            return Finding("dead man", "ok", "Configured; not pinged (--offline).")
        return Finding("dead man", "ok", f"The ping was taken (HTTP {deadman.ping()}): one sign of life.")
    except PingError as error:
        return Finding(
            "dead man", "broken", str(error), "Check SITEWATCH_DEADMAN_URL and this machine's network."
        )
    finally:
        _close(clients)


def _providers(settings: Settings, clock: Callable[[], datetime], *, network: bool) -> Iterator[Finding]:
    wanted = [each for each in configured_providers(settings) if each.enabled]
    if not wanted:
        yield Finding(
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
            else:
                yield Finding(f"provider {provider.name}", "ok", "Configured; not asked (--offline).")
        except InputError as error:
            yield Finding(
                f"provider {provider.name}", "broken", str(error), "Correct [providers] in sitewatch.toml."
            )
        finally:
            _close(clients)


def _reach(feed: Feed, client: GuardedClient, clock: Callable[[], datetime]) -> Iterator[Finding]:
    name = feed.provider.name
    try:
        answer = client.request("GET", feed.provider.base_url, purpose="canary", accept=_ANY_STATUS)
    except FeedError as error:
        yield Finding(
            f"provider {name}",
            "broken",
            error.reason,
            "Check this machine's network and base_url. Until it answers, nothing is counted; that is never a zero.",
        )
        return
    yield Finding(f"provider {name}", "ok", f"{feed.provider.base_url} answers (HTTP {answer.status}).")
    with suppress(ValueError):
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        yield _skew(name, theirs.replace(tzinfo=theirs.tzinfo or UTC), clock())


def _skew(whose: str, theirs: datetime, ours: datetime) -> Finding:
    skew_s = abs((theirs - ours).total_seconds())
    found = f"This machine's clock and that of {whose} differ by {skew_s:.0f} s."
    if skew_s < _SKEW_WARNING_S:
        return Finding("clock", "ok", found)
    state: State = "broken" if skew_s > _SKEW_BROKEN_S else "warning"
    return Finding("clock", state, found, "Set this machine's clock by NTP; counts are filed by time.")


def _close(clients: list[GuardedClient]) -> None:
    for client in clients:
        client.close()
