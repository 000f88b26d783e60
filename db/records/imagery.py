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
class CutoutFailure:
    """Why a picture of one site could not be cut out of one scene, and when it is tried again."""

    site_id: str
    provider: str
    collection: str
    item_id: str
    acquired_at: datetime
    reason: str
    attempts: int
    failed_at: datetime
    not_before: datetime
