"""Before and after: two kept pictures of one site beside or upon each other, on its pages and on those of its alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.cutouts import pictures
from db.engine import Connection
from db.records import Alert, Cutout
from monitor.web.views.imagery_view import picture_caption, picture_url


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """One picture of a site, with the words beside it."""

    made: Cutout
    url: str
    caption: str

    @property
    def scene(self) -> str:
        """The id of its scene."""
        return self.made.item_id


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Two pictures of one site, the older one first."""

    name: str
    before: ShownPicture
    after: ShownPicture

    @property
    def together(self) -> bool:
        """Whether both show the same frame, so that one can lie upon the other."""
        one, other = self.before.made.bounds, self.after.made.bounds
        frame = ("crs", "west", "south", "east", "north")
        return bool(one) and all(one.get(name) == other.get(name) for name in frame)


def shown_pictures(connection: Connection, site_id: str, now: datetime) -> list[ShownPicture]:
    """All pictures of a site that are kept, the newest first."""
    return [
        ShownPicture(each, picture_url(each), picture_caption(each, now))
        for each in pictures(connection, site_id)
    ]


def newest_two(name: str, shown: Sequence[ShownPicture]) -> BeforeAfter | None:
    """The newest picture beside the one before it; None where there are not two."""
    return BeforeAfter(name, shown[1], shown[0]) if len(shown) > 1 else None


def around(alert: Alert, shown: Sequence[ShownPicture]) -> BeforeAfter | None:
    """What was seen when an alert opened beside what was seen before it; None where nothing is kept of either.

    The picture is that of a scene in the alert's evidence, else the first one taken from then on.
    """
    named = {
        each["ref"].rpartition("/")[2]
        for entry in alert.details["entries"]
        for each in entry["evidence"]
        if each["kind"] == "scene"
    }
    later = [each for each in shown if each.made.acquired_at >= alert.phenomenon_time]
    after = next((each for each in shown if each.scene in named), later[-1] if later else None)
    if after is None:
        return None
    earlier = [each for each in shown if each.made.acquired_at < min(after.made.acquired_at, _began(alert))]
    return BeforeAfter(alert.site_name, earlier[0], after) if earlier else None


def _began(alert: Alert) -> datetime:
    return min(
        (datetime.fromisoformat(each["period_start"]) for each in alert.details["entries"]),
        default=alert.phenomenon_time,
    )
