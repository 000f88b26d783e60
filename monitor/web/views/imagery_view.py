"""The newest clear picture of a site as the pages show it, or why there is none, and when the next pass is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from alerts.words import ago, capital, local_day, utc
from db.cutouts import cutout_failures, newest_cutout
from db.engine import Connection
from db.imagery import scenes
from db.pixels import admissions, pixel_summaries
from db.radar import radar_admissions
from db.records import Cutout, Scene
from db.said import chained, numeral, percent, phrase
from monitor.derive.detecting import detector_sentences
from monitor.imagery.cadence import Cadence, PassState
from monitor.imagery.cutout import CUTOUT_LOOK_BACK, clear_scenes
from monitor.imagery.grid import TOO_LARGE, site_grid
from monitor.imagery.history import LEAST_LOOKS
from monitor.imagery.map_zone import map_of_site
from monitor.imagery.study import LEAST_MEASURED
from monitor.imagery.windows import RasterError
from monitor.sites import Site

_SATELLITES: Mapping[str, str] = {
    "sentinel-2a": "Sentinel-2A",
    "sentinel-2b": "Sentinel-2B",
    "sentinel-2c": "Sentinel-2C",
}
_WHOLE = 0.995
"""A larger share of a site rounds to all of it."""


@dataclass(frozen=True, slots=True)
class SitePicture:
    """What a page shows of a site's newest picture; `url` empty: there is none, and `missing` says why."""

    url: str
    width_px: int
    height_px: int
    alt: str
    caption: str
    attribution: str
    missing: str
    next_pass: str
    passes: str
    """How the passes go: nothing new yet, a cloudy one, or one that is overdue."""
    passes_kind: str
    """seen, blind or unknown, as it is drawn."""


_DRAWN: Mapping[PassState, str] = {"clear": "seen", "cloudy": "blind", "overdue": "blind"}


def site_picture(connection: Connection, site: Site, passes: Cadence, now: datetime) -> SitePicture:
    """Read the newest picture of one site and the scenes from which the next pass follows."""
    known = scenes(connection, site_id=site.id, since=now - CUTOUT_LOOK_BACK, until=now)
    made = newest_cutout(connection, site.id)
    if made is None:
        missing = _why_none(connection, site, known, now)
        return SitePicture("", 0, 0, "", "", "", missing, passes.next_words, passes.words, _drawn(passes))
    return SitePicture(
        url=f"/sites/{site.id}/picture?taken={_mark(made)}",
        width_px=made.width_px,
        height_px=made.height_px,
        alt=phrase(
            "Satellite picture of {site} with its outline, {metres} m a pixel",
            site=site.name,
            metres=numeral(f"{made.metres_per_pixel:g}"),
        ),
        caption=picture_caption(made, now),
        attribution=made.attribution,
        missing="",
        next_pass=passes.next_words,
        passes=passes.words,
        passes_kind=_drawn(passes),
    )


def _drawn(passes: Cadence) -> str:
    return _DRAWN.get(passes.state, "unknown")


def measurable(connection: Connection, site: Site) -> tuple[str, ...]:
    """What pictures and radar can measure here, in a sentence for each measure, those that are judged first."""
    seen_by_radar = sorted(
        radar_admissions(connection, site.id), key=lambda each: (not each.admitted, each.area)
    )
    return (
        *_measurable_in_pictures(connection, site),
        *(each.words for each in seen_by_radar),
        *detector_sentences(connection, site.id),
    )


def _measurable_in_pictures(connection: Connection, site: Site) -> tuple[str, ...]:
    decided = sorted(admissions(connection, site.id), key=lambda each: (not each.admitted, each.area))
    if decided:
        return tuple(each.words for each in decided)
    try:
        grid = site_grid(site, map_of_site(site))
    except RasterError as error:
        return (phrase("Not measurable here: {reason}.", reason=str(error)),)
    if not grid.is_kept:
        return (phrase("Not measurable here: {reason}.", reason=TOO_LARGE),)
    read = pixel_summaries(connection, [site.id]).get(site.id)
    if read is None:
        return (phrase("Not measurable here yet: no pass has been read."),)
    needed = LEAST_LOOKS + LEAST_MEASURED
    return (
        phrase(
            "Not measurable here yet: {clear} of {passes} passes read were clear, and {needed} clear ones are needed before "
            "anything can be said.",
            clear=read.clear,
            passes=read.passes,
            needed=needed,
        ),
    )


def picture_url(made: Cutout) -> str:
    """Where one kept picture is; the address changes with the picture, so that browsers may keep it."""
    return f"/sites/{quote(made.site_id)}/picture?item={quote(made.item_id)}&taken={_mark(made)}"


def _mark(made: Cutout) -> str:
    return f"{made.acquired_at:%Y%m%dT%H%M%S}-{made.outline}"


def picture_caption(made: Cutout, now: datetime) -> str:
    """Who took a picture, when, and how much of the site it shows."""
    satellite = _SATELLITES.get(made.platform, made.platform)
    parts = [satellite, utc(made.acquired_at), ago(made.acquired_at, now)]
    if made.shown_share < _WHOLE:
        parts.append(phrase("{share} of the site", share=percent(made.shown_share)))
    return chained(", ", parts)


def _why_none(connection: Connection, site: Site, known: list[Scene], now: datetime) -> str:
    failures = cutout_failures(connection, site.id, since=now - CUTOUT_LOOK_BACK)
    if failures:
        last = max(failures, key=lambda each: each.failed_at)
        return phrase(
            "No picture: the scene of {day} could not be read. {reason}",
            day=local_day(last.acquired_at, "UTC"),
            reason=capital(last.reason),
        )
    if not known:
        return phrase("No picture yet: no catalogue has listed a scene of this place.")
    if not clear_scenes(known, now):
        return phrase(
            "No picture: none of the scenes of the last {days} days is clear.", days=CUTOUT_LOOK_BACK.days
        )
    return phrase("No picture yet: the newest clear scene waits to be read.")
