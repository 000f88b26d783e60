"""Pictures of sites: which is due, read from its scene's file through the guarded client, kept or noted as failed."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError

from alerts.words import utc
from db.cutouts import (
    cutout_failures,
    drop_failures,
    last_attempts,
    newest_made,
    store_cutout,
    store_cutout_failure,
)
from db.engine import Connection, Engine, reading, writing
from db.imagery import scenes
from db.records import Cutout, Scene, SceneFailure
from db.records.provenance import provenance_of
from monitor.config.settings import SettingsError
from monitor.feeds import FeedClient, FeedError, Provider
from monitor.feeds.answers import status_phrase
from monitor.feeds.http import Caps
from monitor.feeds.ranges import RangeBudget, RemoteFile
from monitor.imagery.cutout import (
    CUTOUT_LOOK_BACK,
    VISUAL_LINK,
    CutoutImage,
    clear_scenes,
    copernicus_attribution,
    cut_out,
    outline_digest,
)
from monitor.imagery.geotiff import GeoTiff
from monitor.imagery.windows import RasterError
from monitor.sites import Site

PICTURE_HOSTS_OPTION = "picture_hosts"
DEFAULT_PICTURE_HOSTS = ("amazonaws.com", "element84.com")
PICTURES_KEPT_A_SITE, MONTHS_KEPT = 6, 24
"""How many pictures of a site are kept, and for how many months one of each beside them."""
PICTURE_BUDGET = RangeBudget()
PICTURE_CAPS = Caps(body_bytes=PICTURE_BUDGET.size, connect_s=10, read_s=10, total_s=30)
"""For the client that reads pictures: no answer is larger than what one picture may cost."""
_HEADROOM = 1024 * 1024
_FIRST_WAIT, _LONGEST_WAIT = timedelta(hours=1), timedelta(days=2)
_MOST_DOUBLINGS = 8
_NEVER = datetime.min.replace(tzinfo=UTC)

_UNREADABLE = (RasterioError, CRSError, UnicodeDecodeError, NotGeoreferencedWarning)
"""What the library raises for files that are damaged, each of them seen."""

_log = structlog.get_logger()
HostsByProvider = Mapping[str, Sequence[str]]
"""Host suffixes that pictures are read from, by provider."""


@dataclass(frozen=True, slots=True)
class CutoutReport:
    """One picture that was made or could not be made; `text` says so to a person."""

    site_id: str
    item_id: str
    made: bool
    text: str
    spent_bytes: int
    requests: int
    status: int | None = None
    """The HTTP status that refused it, if one did."""


@dataclass(frozen=True, slots=True)
class _Due:
    site: Site
    scene: Scene
    attempts: int


def picture_hosts(providers: Iterable[Provider]) -> dict[str, tuple[str, ...]]:
    """The hosts named by each provider's option `picture_hosts` (separated by commas), else the default ones."""
    return {provider.name: _hosts_of(provider) for provider in providers}


def refresh_cutouts(
    engine: Engine,
    sites: Collection[Site],
    client: FeedClient,
    now: datetime,
    *,
    limit: int,
    hosts: HostsByProvider | None = None,
    clients: Mapping[str, FeedClient] | None = None,
) -> list[CutoutReport]:
    """Make the pictures that are due, at most `limit`: the sites first that waited longest, else as they are given.

    `hosts` is what `picture_hosts` gives; `clients` are those of providers that need one of their own. The database is not held while a picture is read.
    """
    quieten_library()
    reports: list[CutoutReport] = []
    busy: set[str | None] = set()
    for due in _all_due(engine, sites, now)[:limit]:
        host = urlsplit(due.scene.links[VISUAL_LINK]).hostname
        if host in busy:
            continue
        allowed = (hosts or {}).get(due.scene.provider, DEFAULT_PICTURE_HOSTS)
        reader = (clients or {}).get(due.scene.provider, client)
        report = _make(engine, due, reader, now, allowed)
        if report.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            busy.add(host)
        if report.made:
            _log.info("picture", site=report.site_id, scene=report.item_id, bytes=report.spent_bytes)
        reports.append(report)
    with writing(engine) as connection:
        drop_failures(connection, now - CUTOUT_LOOK_BACK)
    return reports


def _all_due(engine: Engine, sites: Collection[Site], now: datetime) -> list[_Due]:
    with reading(engine) as connection:
        tried, made = last_attempts(connection), newest_made(connection)
        found = [due for site in sites if (due := _due(connection, site, made.get(site.id), now))]
    return sorted(found, key=lambda due: tried.get(due.site.id, _NEVER))


def _due(
    connection: Connection, site: Site, newest: tuple[datetime, str] | None, now: datetime
) -> _Due | None:
    """The newest clear scene of a site that has no picture yet and is not waiting after a failure."""
    since = now - CUTOUT_LOOK_BACK
    known = scenes(connection, site_id=site.id, since=since, as_recorded=now)
    failed = {
        (each.provider, each.collection, each.item_id): each
        for each in cutout_failures(connection, site.id, since=since)
    }
    # A site that was drawn anew needs a new picture of the same scene.
    drawn = newest is not None and newest[1] == outline_digest(site)
    for scene in clear_scenes(known, now):
        if newest is not None and (
            scene.acquired_at < newest[0] or (drawn and scene.acquired_at == newest[0])
        ):
            return None
        before = failed.get((scene.provider, scene.collection, scene.item_id))
        if before is None or before.not_before <= now:
            return _Due(site, scene, before.attempts if before else 0)
    return None


def _make(engine: Engine, due: _Due, client: FeedClient, now: datetime, hosts: Sequence[str]) -> CutoutReport:
    scene = due.scene
    remote = RemoteFile(client, scene.links[VISUAL_LINK], PICTURE_BUDGET)
    try:
        check_link(scene.links[VISUAL_LINK], hosts)
        cut = _cut(remote, due)
    except (RasterError, FeedError) as error:
        failure = scene_failure(scene, VISUAL_LINK, error, due.attempts, now)
        with writing(engine) as connection:
            store_cutout_failure(connection, failure)
        text = f"{due.site.name}: no picture from the scene of {scene.acquired_at:%Y-%m-%d}: {failure.reason}"
        status = error.status if isinstance(error, FeedError) else None
        return CutoutReport(scene.site_id, scene.item_id, False, text, remote.spent, remote.requests, status)
    with writing(engine) as connection:
        store_cutout(connection, _record(due, cut, now), keep=PICTURES_KEPT_A_SITE, months=MONTHS_KEPT)
    text = f"{due.site.name}: picture of {utc(scene.acquired_at)} by {scene.platform}."
    return CutoutReport(scene.site_id, scene.item_id, True, text, remote.spent, remote.requests)


def _cut(remote: RemoteFile, due: _Due) -> CutoutImage:
    texts = dict(_texts(due))
    with damaged_words(remote):
        raster = GeoTiff(remote.open, remote.fetch)
        return cut_out(raster, due.site, most_bytes=PICTURE_BUDGET.size - _HEADROOM, texts=texts)


@contextmanager
def damaged_words(remote: RemoteFile) -> Iterator[None]:
    """Turn what the library raises for a file into words, and what could not be read of it into its own error."""
    try:
        yield
    except _UNREADABLE:
        if remote.failure is not None:
            raise remote.failure from None
        raise RasterError("the file is damaged, or it is no GeoTIFF") from None
    if remote.failure is not None:
        raise remote.failure


def _texts(due: _Due) -> Iterator[tuple[str, str]]:
    scene = due.scene
    yield "Title", f"{due.site.name}, {utc(scene.acquired_at)}"
    yield "Copyright", _attribution(scene)
    yield "Source", f"{scene.provider}/{scene.collection}/{scene.item_id}"


def _record(due: _Due, cut: CutoutImage, now: datetime) -> Cutout:
    scene = due.scene
    return Cutout(
        site_id=scene.site_id,
        provider=scene.provider,
        collection=scene.collection,
        item_id=scene.item_id,
        scene_version=scene.version,
        platform=scene.platform,
        acquired_at=scene.acquired_at,
        png=cut.png,
        width_px=cut.width_px,
        height_px=cut.height_px,
        metres_per_pixel=cut.metres_per_pixel,
        bounds=cut.bounds,
        shown_share=cut.shown_share,
        outline=outline_digest(due.site),
        attribution=_attribution(scene),
        made_at=now,
    )


def _attribution(scene: Scene) -> str:
    """Whose picture it is; what was made up for a scenario is nobody's."""
    made = provenance_of(scene.provider)
    return (
        copernicus_attribution(scene.acquired_at)
        if made == "recorded"
        else f"{made.capitalize()} for a scenario: no picture of this place"
    )


def check_link(link: str, hosts: Sequence[str]) -> None:
    """Raise RasterError for a link that is not read from."""
    parts = urlsplit(link)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise RasterError("its link is not https")
    if not any(host == each or host.endswith(f".{each}") for each in hosts):
        raise RasterError(
            f"its link leads to {host}, and pictures are read from {', '.join(hosts)} only. If that is the "
            f"provider's own server, add it to the provider's option {PICTURE_HOSTS_OPTION}"
        )


def scene_failure(
    scene: Scene, link: str, error: RasterError | FeedError, attempts: int, now: datetime
) -> SceneFailure:
    """Say why the file behind a link of a scene was not read, after so many earlier attempts, and when it is tried again."""
    return SceneFailure(
        scene.site_id,
        scene.provider,
        scene.collection,
        scene.item_id,
        scene.acquired_at,
        reason=_failure_reason(error, scene.links.get(link, "")),
        attempts=attempts + 1,
        failed_at=now,
        not_before=now + _retry_wait(attempts, error),
    )


def _failure_reason(error: RasterError | FeedError, link: str) -> str:
    """Why there is no picture, without advice that is meant for feeds."""
    if isinstance(error, RasterError):
        return f"{error}."
    host = urlsplit(link).hostname
    if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED):
        return f"{host} answered {error.status}: the picture is not there, or not for everybody."
    if error.status is not None:
        return f"{host} answered {error.status} {status_phrase(error.status)}."
    return error.reason


def _retry_wait(attempts: int, error: RasterError | FeedError) -> timedelta:
    """How long a file is left alone after so many failures, later if the server asks for more."""
    wait = min(_FIRST_WAIT * (1 << min(attempts, _MOST_DOUBLINGS)), _LONGEST_WAIT)
    asked_s = error.retry_after_s if isinstance(error, FeedError) else None
    return max(wait, timedelta(seconds=asked_s or 0))


def _hosts_of(provider: Provider) -> tuple[str, ...]:
    text = provider.options.get(PICTURE_HOSTS_OPTION)
    if text is None:
        return DEFAULT_PICTURE_HOSTS
    named = tuple(name.strip().lower().lstrip(".") for name in text.split(",") if name.strip())
    if not named or any("/" in name or ":" in name or "*" in name for name in named):
        raise SettingsError(
            f"{provider.name}: the option {PICTURE_HOSTS_OPTION} must name hosts, separated by commas, as in "
            f"“{', '.join(DEFAULT_PICTURE_HOSTS)}” (got {text!r})."
        )
    return named


def quieten_library() -> None:
    """Let our own lines alone speak of damaged files."""
    # It logs each fault of a file at once; our own line says it in words, with the site.
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
