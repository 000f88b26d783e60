"""Scenes and the pictures made of them."""

from dataclasses import dataclass, field
from datetime import datetime

from db.records.base import JsonMapping


@dataclass(frozen=True, slots=True)
class Scene:
    """One STAC Item over one site; shares are 0 to 1 of the site's area, `look_key` names the pass."""

    provider: str
    collection: str
    item_id: str
    site_id: str
    look_key: str
    platform: str
    acquired_at: datetime
    covered_share: float
    recorded_at: datetime
    version: int = 1
    sensor: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    cloud_share: float | None = None
    footprint: JsonMapping | None = None
    links: JsonMapping = field(default_factory=dict)
    properties: JsonMapping = field(default_factory=dict)
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cutout:
    """The part of one scene's picture that shows one site, as a PNG with the site's outline drawn in.

    `bounds` holds `crs`, `west`, `south`, `east`, `north` in its metres, and `corners`, [lon, lat] from the
    top left clockwise. `shown_share` is the share of the site with pixels; `outline` a digest of the shape drawn.
    """

    site_id: str
    provider: str
    collection: str
    item_id: str
    scene_version: int
    platform: str
    acquired_at: datetime
    png: bytes = field(repr=False)
    width_px: int
    height_px: int
    metres_per_pixel: float
    bounds: JsonMapping
    shown_share: float
    outline: str
    attribution: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class SceneFailure:
    """Why the picture, or the pixels, of one site could not be read out of one scene, and when that is tried again."""

    site_id: str
    provider: str
    collection: str
    item_id: str
    acquired_at: datetime
    reason: str
    attempts: int
    failed_at: datetime
    not_before: datetime


@dataclass(frozen=True, slots=True)
class PixelLook:
    """What was read of one pass over one site, on the site's own grid of 10 m pixels.

    `classes`, `codes` and `state` are packed arrays (`monitor.imagery.kept`): scene classes; reflectance in one byte a band,
    None where too little was clear or it cannot be believed, `fault` saying why; which pixels were judged and had changed,
    None where there was too little to hold them against. `shares` has what was seen of each area ('' the whole site).
    """

    site_id: str
    look_key: str
    provider: str
    collection: str
    item_id: str
    platform: str
    sensor: str
    acquired_at: datetime
    grid: str
    epsg: int
    classes: bytes = field(repr=False)
    codes: bytes | None = field(repr=False)
    state: bytes | None = field(repr=False)
    shares: JsonMapping
    facts: JsonMapping
    """How the offset was decided (`offset`, `offset_why`) and the shift (`shift_south_px`, `shift_east_px`, `shift_found`)."""
    fault: str
    spent_bytes: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class MeasureAdmission:
    """What one measure has shown that it can do in one area of a site ('' the whole), and whether it may be judged."""

    site_id: str
    area: str
    metric: str
    outline: str
    """A digest of what was drawn when this was learned."""
    admitted: bool
    clear_looks: int
    words: str
    figures: JsonMapping
    decided_at: datetime
