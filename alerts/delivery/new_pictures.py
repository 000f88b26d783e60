"""Telling of a new clear picture of a site, to whoever asked for that: once a pass, with what was measured in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.channels import Link
from alerts.delivery.notices import PICTURE, enqueue_notice, notice_payload
from alerts.metrics import METRICS
from alerts.routing import OWN_COUNTS, AlertFacts
from alerts.watch import SiteWatch
from alerts.words import count_words, interval_words, metric_words, utc
from db.alerts import silenced
from db.cutouts import pictures
from db.deliveries import delivery_by_identity
from db.engine import Connection, Engine, writing
from db.observations import looks
from db.records import Cutout, Observation
from db.said import chained, numeral, percent, phrase, spaced

PASSES = METRICS["passes"].name
WAITS = timedelta(days=1)
"""So long the picture, and the cloud over the site itself, are waited for."""
_RADAR = "/sar"
_TILES = timedelta(minutes=20)
"""Between the times of one pass's tiles, copies and pictures."""


@dataclass(frozen=True, slots=True)
class PictureWish:
    """Somebody wants to be told of clear pictures of a site, from this share of it on."""

    name: str
    least_clear: float
    areas: Mapping[str, str]
    """Names of its areas by id."""
    channels: tuple[str, ...]


def picture_facts(site: SiteWatch) -> AlertFacts:
    """What routes can ask about a new picture of a site."""
    return AlertFacts(site.site_id, site.kind, site.regions, PASSES, (), "notify", (OWN_COUNTS,))


def notify_new_pictures(
    engine: Engine,
    wishes: Mapping[str, PictureWish],
    now: datetime,
    *,
    too_old: timedelta,
    public_url: str | None,
) -> int:
    """Owe a message for each pass over these sites (by id) that showed enough and was not told; give their number.

    A pass is told when its picture is made and its pixels are read, or a day later without what is still missing; never one
    that is older than `too_old`, nor while the site is silenced.
    """
    told = 0
    with writing(engine) as connection:
        for site_id, wish in wishes.items():
            if silenced(connection, site_id, PASSES, now) is not None:
                continue
            wanted = [
                each
                for each in _clear_passes(connection, site_id, wish, now - too_old, now)
                if not _is_told(connection, each, wish)
            ]
            made = pictures(connection, site_id) if wanted else []
            for look in wanted:
                picture = next((each for each in made if _shows(each, look)), None)
                if picture is None and now - look.recorded_at < WAITS:
                    continue
                payload = _payload(wish, look, picture, _measured(connection, look), public_url)
                told += enqueue_notice(
                    connection,
                    _identity(look),
                    wish.channels,
                    reason="new picture",
                    payload=payload,
                    now=now,
                )
    return told


def _identity(look: Observation) -> str:
    return f"picture:{look.look_key}"


def _is_told(connection: Connection, look: Observation, wish: PictureWish) -> bool:
    """Whether every channel was told of a pass, or is owed that."""
    return all(delivery_by_identity(connection, f"{_identity(look)}:{each}") for each in wish.channels)


def _clear_passes(
    connection: Connection, site_id: str, wish: PictureWish, since: datetime, now: datetime
) -> list[Observation]:
    known = looks(connection, site_id=site_id, metric=PASSES, area="", subject="", since=since, until=now)
    return [
        each
        for each in known
        if each.period_start >= since
        and not each.series.procedure.endswith(_RADAR)
        and (each.exposure or 0.0) >= wish.least_clear
        and (_of_site(each) or now - each.recorded_at >= WAITS)
    ]


def _of_site(look: Observation) -> bool:
    """Whether the cloud is that over the site itself."""
    return look.exposure_parts.get("cloud_of") == "site"


def _shows(picture: Cutout, look: Observation) -> bool:
    return look.period_start - _TILES <= picture.acquired_at <= look.period_end + _TILES


def _measured(connection: Connection, look: Observation) -> list[Observation]:
    """What was measured in the pixels of a pass."""
    found = looks(
        connection,
        site_id=look.series.site_id,
        since=look.period_start - _TILES,
        until=look.period_end + _TILES,
    )
    return [each for each in found if each.look_key == look.look_key and each.series.metric != PASSES]


def _payload(
    wish: PictureWish,
    look: Observation,
    picture: Cutout | None,
    measured: Collection[Observation],
    public_url: str | None,
) -> dict[str, object]:
    site_id, taken = look.series.site_id, utc(look.period_start)
    lines = [_measured_words(each, wish) for each in measured]
    passed = {"origin": look.origin or look.publisher, "taken": taken, "share": percent(look.exposure or 0.0)}
    paragraphs = [
        phrase("{origin} passed on {taken}; {share} of the site was clear.", **passed)
        if _of_site(look)
        else phrase(
            "{origin} passed on {taken}; {share} of its tile of 110 km, for the site itself was not read, was clear.",
            **passed,
        ),
        phrase("Measured in it:")
        if lines
        else phrase("Nothing was measured in it: no measure has shown here what it can do.")
        if _of_site(look)
        else phrase("Nothing was measured in it: its pixels were not read."),
        *lines,
        *([] if picture else [phrase("No picture could be made of it yet.")]),
        phrase("This is no alarm: what is unusual is told by the rules of the site."),
        phrase("Data: {attribution}", attribution=picture.attribution if picture else look.publisher),
    ]
    page = f"{public_url.rstrip('/')}/sites/{site_id}" if public_url else ""
    payload = notice_payload(
        subject=phrase("[sitewatch] {name}: clear pictures", name=wish.name),
        headline=phrase("A new clear picture of {name}, {taken}", name=wish.name, taken=taken),
        paragraphs=paragraphs,
        status=phrase("New picture"),
        thread=f"pictures:{site_id}",
        links=[Link(phrase("{name}, its pictures and counts", name=wish.name), page)] if page else [],
        footer=phrase("You asked for this in the sites file or the settings (tell_clear_pictures)."),
    )
    if picture is not None:
        payload[PICTURE] = {
            "site_id": site_id,
            "item_id": picture.item_id,
            "alt": phrase(
                "{name}, {taken}, {metres} m a pixel. {attribution}",
                name=wish.name,
                taken=utc(picture.acquired_at),
                metres=numeral(f"{picture.metres_per_pixel:g}"),
                attribution=picture.attribution,
            ),
        }
    return payload


def _measured_words(look: Observation, wish: PictureWish) -> str:
    area = wish.areas.get(look.series.area, look.series.area)
    name = metric_words(look.series.metric)
    what = chained(", ", [name, area]) if area else name
    if look.value is None:
        return spaced([phrase("- {what}: not assessable.", what=what), look.note])
    within = interval_words(look.low, look.high)
    count = count_words(look.value, look.qualifier)
    if within:
        return phrase("- {what}: {count} ({within})", what=what, count=count, within=within)
    return phrase("- {what}: {count}", what=what, count=count)
