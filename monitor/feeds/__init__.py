"""The contract of a feed: one kind of source, asked for one scope at a time. Copy `readsb.py` to add one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from db.records import Fix, Purpose, Scene
from db.records.claims import EstimatedPosition, FlightClaim
from db.records.detections import Detection
from monitor.sites import Site

if TYPE_CHECKING:
    from monitor.feeds.receiver import Receiver

_ABOUT_US = frozenset({401, 402, 429})
"""Statuses that hold for every question of ours: no key, no credits, too often."""
TOO_OFTEN = 429
NO_AIRCRAFT = "no aircraft"
"""The reason for which vehicles and masts are refused: they prove that a feed works, and fly nowhere."""


class FeedError(Exception):
    """A poll failed; the text says what, where and how to mend it, and never holds a secret.

    `retry_after_s` moves the provider's `not_before`; `disable` stops polling it until a person acts (403). `ours`
    says that this machine is at fault and not the provider, against which it does not count.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        disable: bool = False,
        body: bytes = b"",
        ours: bool = False,
    ) -> None:
        super().__init__(reason)
        self.ours = ours
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s
        self.disable = disable
        self.body = body

    @property
    def ends_round(self) -> bool:
        """Whether the provider turned us away, not this one question: asking on would only make it worse."""
        return self.disable or self.retry_after_s is not None or self.status in _ABOUT_US


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured instance of a feed (`adsb.lol` is a `readsb`), with its manners and its terms."""

    name: str
    kind: str
    base_url: str
    interval_s: int
    licence: str
    attribution: str
    enabled: bool = True
    redistribute: bool = False
    """Whether what it answers may be passed on."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    terms_url: str = ""
    limits: str = ""
    ca_file: Path | None = None
    """Certificate authorities of the operator's own that may vouch for this provider."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one request asks for: a circle, a box, or the outlines of its sites; one may serve many sites."""

    key: str
    site_ids: tuple[str, ...]
    lat: float | None = None
    lon: float | None = None
    radius_nm: int | None = None
    box: tuple[float, float, float, float] | None = None
    """South, west, north, east in degrees; never across 180°."""
    icao24: str = ""
    """The one aircraft that is asked about, if it is one: nothing is asked about who asked not to be shown."""


QuotedRow = Mapping[str, Any]
Quote = Callable[[str], Sequence[QuotedRow]]
"""Gives what an answer says of one address, in the provider's own names and units, as far as it is used."""


def nothing_quoted(_icao24: str) -> Sequence[QuotedRow]:
    """Quote nothing: the answer speaks of no aircraft."""
    return ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A good answer. `bodies` are the raw pages, which are hashed and not kept; `feed_time` is the feed's own clock."""

    bodies: tuple[bytes, ...]
    http_status: int
    item_count: int
    feed_time: datetime | None = None
    fixes: tuple[Fix, ...] = ()
    scenes: tuple[Scene, ...] = ()
    detections: tuple[Detection, ...] = ()
    """Objects that the provider says it found."""
    claims: tuple[FlightClaim, ...] = ()
    """What the provider says of flights: evidence, never counts."""
    estimates: tuple[EstimatedPosition, ...] = ()
    """Positions that nobody heard: stored apart, never counted."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Items that were read but not believed, counted by reason."""
    receiver: "Callable[[], Receiver] | None" = field(default=None, compare=False)
    """One's own receiver, where one answered, so that its settings can be held against what it hears; may ask it more."""
    request: str = ""
    """The address that was asked, without secrets."""
    marked: frozenset[str] = frozenset()
    """The aircraft of which the answer would say that their operators asked not to be shown (PIA, LADD)."""
    quote: Quote = field(default=nothing_quoted, repr=False, compare=False)


class FeedClient(Protocol):
    """The guarded HTTP client as a feed sees it; raises FeedError for every way a request can fail.

    Only answers with a status in `accept` come back; 403, 429, 5xx and the rest are FeedErrors with
    Retry-After read. Follows no redirect to another host, caps size and time, sends the User-Agent.
    """

    def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        purpose: Purpose,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (200,),
    ) -> "Answer":
        """Send one request."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, already size-capped."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    url: str
    quote: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Takes secrets out of words that are quoted from the body: a server may repeat what it was sent."""

    @property
    def asked(self) -> str:
        """The address that was asked, without secrets."""
        return self.quote(self.url)


class Ledger(Protocol):
    """The credits of a provider that charges for requests, as far as polling keeps them over restarts."""

    def restore(self, stored: Mapping[str, Any], now: datetime) -> None:
        """Take up what the database remembers."""
        ...

    def lift(self) -> None:
        """Forget that the provider said that all is spent, for a person asks."""
        ...

    def stored(self, now: datetime) -> Mapping[str, Any]:
        """Give what the database is to remember."""
        ...


class Feed(Protocol):
    """A kind of source. A feed parses and checks; it stores nothing, sleeps never and reads no clock."""

    provider: Provider
    watches: bool
    """True where a good answer means that the sites were watched meanwhile, so that observed time is counted."""

    @property
    def ledger(self) -> Ledger | None:
        """What it has spent, where it charges."""
        ...

    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Plan the fewest requests that cover these sites."""
        ...

    def canary(self, scope: Scope) -> Scope | None:
        """Give a busy scope that must answer with something before an empty answer is believed, if any."""
        ...

    def fetch(
        self, scope: Scope, sites: Sequence[Site], *, purpose: Purpose, now: datetime, since: datetime | None
    ) -> Fetched:
        """Ask once (following pages) or raise FeedError; `since` is the start of the last good poll of the scope."""
        ...
