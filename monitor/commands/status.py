"""`sitewatch status`: how the watch is going."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.words import numbered
from monitor.commands import JsonFlag, instant_words, opened, print_json, print_table, say, say_data
from monitor.config.clock import utc_now

if TYPE_CHECKING:
    from monitor.imagery.cadence import Cadence, PassState
    from monitor.reports.status import ProviderStatus, SiteStatus, WatchStatus


def status_command(
    *,
    judgeable: Annotated[
        bool,
        typer.Option("--judgeable", help="Which default series can be judged now, and what the others lack."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show feeds, sites, outbox, and which service watches.

    Works beside a running service and without one.
    """
    if judgeable:
        _print_judgeable(as_json=as_json)
        return
    from alerts.attribution import each_once
    from monitor.ops.database_health import try_database
    from monitor.reports.status import gather_status, with_imagery, with_passes

    with opened() as app:
        found = with_passes(app, with_imagery(app, gather_status(app, utc_now())))
        if ailment := try_database(app.settings):
            found = replace(found, storage=str(ailment))
    data = each_once(each.attribution for each in found.providers)
    if as_json:
        print_json({**asdict(found), "attribution": data})
    else:
        _print(found)
        say_data(data)


def _print_judgeable(*, as_json: bool) -> None:
    from alerts.attribution import each_once
    from alerts.judging.judgeability import judgeability
    from db.engine import reading
    from monitor.reports.sources import newest_attributions

    with opened() as app, reading(app.engine) as connection:
        found = judgeability(connection, app.watches, app.rules, utc_now())
        data = each_once(
            each for site in app.sites for each in newest_attributions(connection, site, app.sources)
        )
    can = sum(each.judgeable for each in found)
    if as_json:
        print_json({"series": found, "judgeable": can, "of": len(found), "attribution": data})
        return
    print_table(
        ("site", "metric", "counted by", "usable looks", "now"),
        (
            (each.site_id, each.metric, each.procedure or "nobody yet", str(each.usable), each.words)
            for each in found
        ),
    )
    say("")
    say(f"{can} of {numbered(len(found), 'default series', 'default series')} can be judged now.")
    say_data(data)


def _print(found: "WatchStatus") -> None:
    from monitor.config.secrets import visible
    from monitor.flights.words import cadence_words, rejected_words

    say(f"sitewatch {found.version}, {found.database}")
    if found.storage:
        say(found.storage)
    if found.leader is not None and found.leader_alive:
        say(f"Watching: {found.leader.owner}.")
    elif found.leader is not None and found.storage:
        say(f"Watching until {instant_words(found.leader.expires_at)}: {found.leader.owner}.")
    else:
        say("No service is watching now. Start one with “sitewatch run”.")
    say("")
    print_table(
        ("provider", "health", "last good answer", "last poll", "not before"),
        (_provider(each, found.now) for each in found.providers),
    )
    for each in found.providers:
        if each.state.last_error and each.state.health != "ok":
            say(visible(f"  {each.state.last_error}"))
        if each.rejected_24h:
            say(f"  {each.name}: {rejected_words(each.rejected_24h)}")
        if slow := cadence_words(each.delivered_s):
            say(f"  {each.name}: {slow}")
    say("")
    print_table(
        ("site", "name", "kind", "watched, last 24 h", "last answered", "open alerts"),
        map(_site, found.sites),
    )
    _print_passes(found.sites)
    say("")
    for line in (*found.radar, *found.detectors, *_outbox(found)):
        say(line)


def _provider(each: "ProviderStatus", at: datetime) -> tuple[str, ...]:
    state = each.state
    last = (
        "never asked"
        if each.last_poll_at is None
        else f"{each.last_outcome or 'under way'}, {instant_words(each.last_poll_at)}"
    )
    if each.last_items is not None and each.last_outcome == "ok":
        last += f", {each.last_items} items"
    health = (
        f"failing since {instant_words(state.failing_since)}" if state.health == "failing" else state.health
    )
    if health == "ok" and each.is_idle(at):
        health = "not asked any more"
    return (each.name, health, instant_words(state.last_ok_at), last, instant_words(state.not_before))


def _site(each: "SiteStatus") -> tuple[str, ...]:
    share = each.watched_share_24h
    watched = "no feed covers it" if share is None else f"{share:.0%}"
    if each.blind_since is not None:
        watched += f", blind since {instant_words(each.blind_since)}"
    return (
        each.id,
        each.name,
        each.kind,
        watched,
        instant_words(each.last_answered_at),
        str(each.open_alerts),
    )


def _print_passes(sites: "Iterable[SiteStatus]") -> None:
    known = [(each, each.passes) for each in sites if each.passes is not None]
    if known:
        say("")
        print_table(
            ("site", "passes", "newest listed", "newest clear", "next due", "listed of those due, 60 days"),
            (_passes(site.id, passes) for site, passes in known),
        )
    for site, passes in known:
        if passes.state == "overdue":
            say(f"  {site.name}: {passes.words}")


def _passes(site_id: str, found: "Cadence") -> tuple[str, ...]:
    return (
        site_id,
        _PASSES[found.state],
        instant_words(found.last_at),
        instant_words(found.last_clear_at),
        instant_words(found.next_at),
        f"{found.listed} of {found.expected}" if found.expected else "",
    )


_PASSES: "Mapping[PassState, str]" = {
    "unknown": "cannot tell yet",
    "unasked": "no catalogue answers",
    "overdue": "overdue",
    "awaited": "nothing new yet",
    "cloudy": "was there, cloudy",
    "clear": "clear",
    "unread": "listed, not read yet",
}


def _outbox(found: "WatchStatus") -> "list[str]":
    outbox = found.outbox
    waiting = sum(outbox.waiting.values())
    lines = [
        f"Channels: {', '.join(found.channels) or 'none'}. Messages sent: {outbox.counts.get('sent', 0)}, waiting: {waiting}, given up: {outbox.dead}."
    ]
    if outbox.oldest_waiting_s is not None:
        lines.append(f"The oldest waits for {outbox.oldest_waiting_s:.0f} s.")
    lines += [
        f"Channel {each.channel} fails since {instant_words(each.failing_since)}: {each.last_error}"
        for each in outbox.failing
    ]
    lines += [
        f"Silent until {instant_words(each.ends_at)}: {each.site_id} {each.metric or 'every metric'}"
        for each in found.silences
    ]
    if found.waiting_looks:
        lines.append(f"Looks that wait to be judged: {found.waiting_looks}.")
    return lines
