"""Sites and status as the API gives them."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from alerts.attribution import one_cell
from alerts.words import numbered
from db.engine import Connection
from monitor.app import App
from monitor.flights.words import cadence_words, rejected_words
from monitor.imagery.cadence import Cadence
from monitor.reports.status import ProviderStatus, WatchStatus, gather_status
from monitor.web.api.models import AreaItem, PassesItem, SiteItem, StatusItem
from monitor.web.views.overview import OverviewReader, SiteCard

OWN = "sitewatch itself"
"""Of figures about the program no other source is to be named."""


def site_items(connection: Connection, app: App, now: datetime, site_id: str | None) -> list[SiteItem]:
    """Every watched site, or one."""
    wanted = [site for site in app.sites.values() if site_id in {None, site.id}]
    surveyor = OverviewReader(connection, app, now, None if site_id is None else [site.id for site in wanted])
    surveyor.read_passes()
    return [
        _site(
            surveyor.card(site, charted=False),
            surveyor.opened(site.id),
            surveyor.sources_of(site),
            surveyor.passes(site),
        )
        for site in wanted
    ]


def _passes(found: Cadence) -> PassesItem:
    return PassesItem(
        state=found.state,
        text=found.words,
        last_at=found.last_at,
        last_clear_at=found.last_clear_at,
        clear_share=found.clear_share,
        next_at=found.next_at,
        expected=found.expected,
        listed=found.listed,
    )


def _site(card: SiteCard, open_alerts: int, sources: Iterable[str], passes: Cadence) -> SiteItem:
    site, state = card.site, card.state
    return SiteItem(
        id=site.id,
        name=site.name,
        kind=site.kind,
        timezone=site.timezone.key,
        codes=dict(site.codes),
        watchlist=list(site.watchlist),
        watchlist_reasons=dict(site.watchlist_reasons),
        links=list(site.links),
        areas=[
            AreaItem(id=area.id, name=area.name, kind=area.kind, located=area.geometry is not None)
            for area in site.areas
        ],
        elevation_ft=site.elevation_ft,
        precision=site.precision,
        notes=site.notes,
        source=site.source,
        finding=state.finding,
        current=state.current,
        seen_until=state.since,
        open_alerts=open_alerts,
        passes=_passes(passes),
        attribution=one_cell(sources),
    )


def status_items(app: App, now: datetime) -> list[StatusItem]:
    """Every part of the program."""
    status = gather_status(app, now)
    return [_program(status), _outbox(status), *map(_provider, status.providers), *_channels(status)]


def _program(status: WatchStatus) -> StatusItem:
    leads = status.leader.owner if status.leader and status.leader_alive else None
    text = (
        f"Scheduling: {leads}." if leads else "No service schedules just now; start one with “sitewatch run”."
    )
    if status.storage:
        return StatusItem(part="program", state="failing", since=None, text=status.storage, attribution=OWN)
    return StatusItem(part="program", state="ok" if leads else "idle", since=None, text=text, attribution=OWN)


def _outbox(status: WatchStatus) -> StatusItem:
    box = status.outbox
    waiting = sum(box.waiting.values())
    text = (
        f"{numbered(waiting, 'message')} {'waits' if waiting == 1 else 'wait'}, {box.dead} {'was' if box.dead == 1 else 'were'} "
        "given up."
    )
    return StatusItem(
        part="outbox", state="failing" if box.failing else "ok", since=None, text=text, attribution=OWN
    )


def _provider(each: ProviderStatus) -> StatusItem:
    state = each.state
    since = state.last_ok_at if state.health == "ok" else state.failing_since
    text = state.last_error or f"{each.kind}, asked every {each.interval_s} s; {each.attribution}."
    text = " ".join(
        part for part in (text, rejected_words(each.rejected_24h), cadence_words(each.delivered_s)) if part
    )
    return StatusItem(
        part=f"provider:{each.name}", state=state.health, since=since, text=text, attribution=each.attribution
    )


def _channels(status: WatchStatus) -> Iterator[StatusItem]:
    failing = {each.channel: each for each in status.outbox.failing}
    for name in status.channels:
        trouble = failing.get(name)
        yield StatusItem(
            part=f"channel:{name}",
            state="failing" if trouble else "ok",
            since=trouble.failing_since if trouble else None,
            text=(trouble.last_error or "") if trouble else "Messages go out.",
            attribution=OWN,
        )
