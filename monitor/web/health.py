"""Is it alive, is it ready, and its figures for Prometheus."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response

from alerts.attribution import data_line
from db.alerts import alerts_by_status
from db.engine import SQLAlchemyError, reading
from db.migrate import current_revision, newest_revision
from db.pages import series_summaries
from monitor.ops.database_health import database_trouble, note_database_error
from monitor.reports.status import WatchStatus, feed_days, gather_status
from monitor.web.context import Here, WebContext
from monitor.web.views.feed_coverage import RECEPTION_OVER

router = APIRouter(include_in_schema=False)
_SUPPRESSED = ("silenced", "too_old")


@router.get("/healthz")
def healthz() -> Response:
    """Whether the process answers at all."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(here: Here) -> Response:
    """Whether the database can be read and written and has the version that this program needs."""
    try:
        found, needed = current_revision(here.app.engine), newest_revision()
    except SQLAlchemyError as error:
        app = here.app
        if note_database_error(app.settings, app.troubles, error, here.clock()):
            return _not_ready(database_trouble(app.settings, app.troubles))
        return _not_ready("The database cannot be read; “sitewatch doctor” says why.")
    if found != needed:
        return _not_ready(f"The database has the version {found}, this sitewatch needs {needed}.")
    if words := database_trouble(here.app.settings, here.app.troubles):
        return _not_ready(words)
    return PlainTextResponse("ready\n")


def _not_ready(text: str) -> Response:
    return PlainTextResponse(f"{text}\n", HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics")
def metrics(here: Here) -> Response:
    """Figures of this process (jobs, polls, sends) and of the database, in the text format of Prometheus."""
    text = generate_latest(REGISTRY) + generate_latest(_database_figures(here))
    # A comment to whoever reads the text, and nothing to Prometheus.
    data = data_line(each.provider.attribution for each in here.app.feeds.values())
    return Response(text + f"# {data}\n".encode(), media_type=CONTENT_TYPE_LATEST)


def _database_figures(here: WebContext) -> CollectorRegistry:
    registry = CollectorRegistry()
    status = gather_status(here.app, here.clock())
    _feeds(registry, status)
    _outbox(registry, status)
    writable = Gauge(
        "sitewatch_database_writable", "0 while nothing can be stored (a full disk).", registry=registry
    )
    writable.set(not status.storage)
    watched = Gauge(
        "sitewatch_site_watched_ratio",
        "Share of the last 24 hours in which a working feed covered the site.",
        ["site"],
        registry=registry,
    )
    for site in status.sites:
        if site.watched_share_24h is not None:
            watched.labels(site.id).set(site.watched_share_24h)
    _heard(registry, here, status)
    _counts(registry, here)
    return registry


def _heard(registry: CollectorRegistry, here: WebContext, status: WatchStatus) -> None:
    """What each flight feed covered of each site in the last day, and when one last did."""
    ratio = Gauge(
        "sitewatch_feed_coverage_ratio",
        "Share of the last 24 hours in which the feed gave good answers about the site.",
        ["provider", "site"],
        registry=registry,
    )
    success = Gauge(
        "sitewatch_site_last_success_timestamp_seconds",
        "When a flight feed last gave a good answer about the site, in the last 24 hours.",
        ["site"],
        registry=registry,
    )
    now = status.now
    with reading(here.app.engine) as connection:
        days = feed_days(connection, [site.id for site in status.sites], now)
    for (name, site_id), day in sorted(days.items()):
        ratio.labels(name, site_id).set(day.share or 0)
    for site in status.sites:
        if site.last_answered_at and now - RECEPTION_OVER <= site.last_answered_at <= now:
            success.labels(site.id).set(site.last_answered_at.timestamp())


def _feeds(registry: CollectorRegistry, status: WatchStatus) -> None:
    ok = Gauge(
        "sitewatch_provider_last_ok_timestamp_seconds",
        "When the provider last gave a good answer.",
        ["provider"],
        registry=registry,
    )
    failing = Gauge(
        "sitewatch_provider_failing", "1 while the provider fails.", ["provider"], registry=registry
    )
    for each in status.providers:
        failing.labels(each.name).set(each.state.health in {"failing", "disabled"})
        if each.state.last_ok_at:
            ok.labels(each.name).set(each.state.last_ok_at.timestamp())


def _outbox(registry: CollectorRegistry, status: WatchStatus) -> None:
    deliveries = Gauge("sitewatch_outbox_deliveries", "Messages by state.", ["state"], registry=registry)
    for state, number in status.outbox.counts.items():
        deliveries.labels(state).set(number)
    registry.register(_Suppressed({reason: status.outbox.counts.get(reason, 0) for reason in _SUPPRESSED}))
    oldest = Gauge(
        "sitewatch_outbox_oldest_seconds", "Age of the oldest message that waits.", registry=registry
    )
    oldest.set(status.outbox.oldest_waiting_s or 0)
    waiting = Gauge(
        "sitewatch_looks_waiting", "Looks that wait to be judged (counted up to 1000).", registry=registry
    )
    waiting.set(status.waiting_looks)


class _Suppressed(Collector):
    """A count that stands in the database: the library's own counter would call each scrape its beginning."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the count of each reason."""
        family = CounterMetricFamily(
            "sitewatch_alerts_suppressed_total",
            "Messages about alerts that were kept back on purpose, by reason.",
            labels=["reason"],
        )
        for reason, number in self._counts.items():
            family.add_metric([reason], number)
        yield family


def _counts(registry: CollectorRegistry, here: WebContext) -> None:
    by_status = Gauge("sitewatch_alerts", "Alerts by status.", ["status"], registry=registry)
    newest = Gauge(
        "sitewatch_site_newest_count_timestamp_seconds",
        "Start of the newest counted period at the site.",
        ["site"],
        registry=registry,
    )
    with reading(here.app.engine) as connection:
        for status, number in alerts_by_status(connection).items():
            by_status.labels(status).set(number)
        counted: dict[str, float] = {}
        for each in series_summaries(connection, list(here.app.sites)):
            if each.newest_counted_at:
                at = each.newest_counted_at.timestamp()
                counted[each.key.site_id] = max(at, counted.get(each.key.site_id, at))
    for site_id, at in counted.items():
        newest.labels(site_id).set(at)
