"""Flightradar24 live positions: in boxes around the sites, and of whatever flies to or from given airports."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from db.records import Fix, Purpose
from db.records.claims import EstimatedPosition
from monitor.config.settings import SettingsError
from monitor.feeds import Feed, FeedClient, Fetched, Provider, Scope
from monitor.feeds.boxes import BOX_MARGIN_NM, BoundingBox, boxes_around, merge_boxes
from monitor.feeds.claims import CANARY_AIRPORT, claimed_icao24
from monitor.feeds.credits import CreditLedger
from monitor.feeds.fr24 import MOST_IN_A_LIST, Fr24Access, quoted_positions, read_position, split_positions
from monitor.feeds.opensky import CANARY_BOXES, box_scope
from monitor.feeds.options import MAX_POSITION_AGE_S, list_option, number_option
from monitor.feeds.planned import kept_plan
from monitor.sites import Site

FR24_BOX_SQDEG = 25.0
HEARD_SOURCES = "ADSB,MLAT"
"""What is asked for where positions are counted: never the estimates."""
DEFAULT_AIRPORTS = "both:KP"
CREDITS_A_ROW = {"light": 6.0, "full": 8.0}
"""Not published for machines, and they change: set credits_a_row to what your plan says."""
_SLACK_DEG = 0.05


class Fr24LiveFeed:
    """Asks for the boxes around the sites where aircraft come and go; estimated positions are not asked for.

    Options: `detail` (`light` or `full`), `margin_nm`, `largest_box_sqdeg`, `max_position_age_s`,
    `credits_a_row`, and those of `Fr24Access`.
    """

    watches = True

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self.provider = provider
        self._access = Fr24Access(provider, client)
        self._detail = provider.options.get("detail", "full")
        if self._detail not in CREDITS_A_ROW:
            raise SettingsError(
                f"{provider.name}: the option detail is light or full (got {self._detail!r})."
            )
        self._row_price = number_option(provider, "credits_a_row", CREDITS_A_ROW[self._detail])
        self._margin_nm = number_option(provider, "margin_nm", BOX_MARGIN_NM)
        self._largest_sqdeg = number_option(provider, "largest_box_sqdeg", FR24_BOX_SQDEG)
        self._max_age_s = number_option(provider, "max_position_age_s", MAX_POSITION_AGE_S)

    @property
    def ledger(self) -> CreditLedger:
        """The plan's credits."""
        return self._access.ledger

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Few boxes: near sites share one while its area stays within the limit."""
        wanted = [
            (site.id, box) for site in sites if site.flies for box in boxes_around(site, self._margin_nm)
        ]
        return [box_scope(box, names) for box, names in merge_boxes(wanted, self._largest_sqdeg)]

    def canary(self, scope: Scope) -> Scope | None:
        """A busy box elsewhere; one row of it is enough."""
        return box_scope(BoundingBox(*CANARY_BOXES[0]), ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for one box."""
        assert scope.box is not None
        south, west, north, east = scope.box
        wanted = {"bounds": f"{north},{south},{west},{east}", "data_sources": HEARD_SOURCES}
        fetched = self._positions(wanted, scope, purpose, now)
        inside = BoundingBox(south - _SLACK_DEG, west - _SLACK_DEG, north + _SLACK_DEG, east + _SLACK_DEG)
        fixes = tuple(fix for fix in fetched.fixes if _within(inside, fix))
        lost = len(fetched.fixes) - len(fixes)
        rejected = {**fetched.rejected, **({"outside the box": lost} if lost else {})}
        return Fetched(
            bodies=fetched.bodies,
            http_status=fetched.http_status,
            item_count=fetched.item_count,
            fixes=fixes,
            estimates=fetched.estimates,
            rejected=rejected,
            request=fetched.request,
            quote=fetched.quote,
        )

    def _positions(self, wanted: dict[str, str], scope: Scope, purpose: Purpose, now: datetime) -> Fetched:
        where = f"{self.provider.name} {scope.key}"
        params = {**wanted, **({"limit": "1"} if purpose == "canary" else {})}
        path = f"api/live/flight-positions/{self._detail}"
        answer = self._access.get(path, params, purpose=purpose, now=now, where=where)
        rows = self._access.rows(answer, where, may_be_cut=purpose == "canary")
        self.ledger.charge(self._row_price * len(rows), now)
        fixes, estimates, reasons = split_positions([self._read(row, now) for row in rows])
        kept = {fix.icao24: fix for fix in sorted(fixes, key=lambda fix: fix.at)}
        twice = len(fixes) - len(kept)
        return Fetched(
            bodies=(answer.body,),
            http_status=answer.status,
            item_count=len(rows),
            fixes=tuple(kept.values()),
            estimates=tuple(estimates),
            rejected=Counter(reasons) + Counter({"the same aircraft twice": twice}),
            request=answer.asked,
            quote=lambda icao24: quoted_positions([row for row in rows if _address(row) == icao24]),
        )

    def _read(self, row: Any, now: datetime) -> Fix | EstimatedPosition | str:
        read = read_position(row, self.provider.name, _address(row), now)
        if isinstance(read, Fix) and now - read.at > timedelta(seconds=self._max_age_s):
            return "stale position"
        return read


class Fr24AirportsFeed(Fr24LiveFeed):
    """Asks for whatever flies to or from given airports or states, wherever it is, with the estimates.

    It watches no place: that nothing is listed is no zero. Option `airports`: `both:KP, inbound:UHWW` and the like.
    """

    watches = False

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        super().__init__(provider, client)
        self._airports = list_option(provider, "airports", DEFAULT_AIRPORTS)

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """One request for each fifteen airports; it serves every site that aircraft come to."""
        names = tuple(sorted(site.id for site in sites if site.flies))
        parts = range(0, len(self._airports), MOST_IN_A_LIST) if names else []
        return [
            Scope("airports:" + ",".join(self._airports[at : at + MOST_IN_A_LIST]), names) for at in parts
        ]

    def canary(self, scope: Scope) -> Scope | None:
        """A busy airport."""
        return Scope(f"airports:both:{CANARY_AIRPORT}", ())

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask for one list of airports."""
        return self._positions({"airports": scope.key.partition(":")[2]}, scope, purpose, now)


def _fits(feed: Fr24LiveFeed | Fr24AirportsFeed) -> Feed:
    return feed


def _address(row: Any) -> str:
    return claimed_icao24(row.get("hex")) if isinstance(row, dict) else ""


def _within(box: BoundingBox, fix: Fix) -> bool:
    return box.south <= fix.lat <= box.north and box.west <= fix.lon <= box.east
