"""How Flightradar24's official API is asked: token, version, credits, and the words that its answers share.

Written after the provider's own Python client (fr24sdk 0.3), against which the tests check requests and shapes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts.words import utc
from db.records import Fix, Purpose
from db.records.claims import EstimatedPosition
from monitor.config.settings import SettingsError
from monitor.feeds import NO_AIRCRAFT, Answer, FeedClient, FeedError, Provider
from monitor.feeds.claims import AIRPORT_PATTERN, matching_text, utc_instant
from monitor.feeds.credits import PAYMENT_REQUIRED, BudgetPeriod, CreditLedger
from monitor.feeds.options import number_option
from monitor.feeds.parsing import (
    CALLSIGN_PATTERN,
    FEED_CLOCK_AHEAD,
    REGISTRATION_PATTERN,
    TYPE_PATTERN,
    json_number,
    parse_json,
    words_in,
    words_of,
)
from monitor.flights.tracks.surface import is_surface

FR24_API_VERSION = "v1"
MOST_IN_A_LIST = 15
ESTIMATED_SOURCE = "ESTIMATED"
"""Nobody heard it there: extrapolated for 10 minutes, or for up to 240 where a destination is known."""
_SOURCES = {"ADSB": "adsb_icao", "MLAT": "mlat"}


class Fr24Access:
    """One provider's way to the API: signs requests and pays for them by the row.

    Credentials `token`. Options: `credits` (the budget of a `credits_period`, `day` or `month`),
    `reserve_credits`, `row_limit` (the most rows that the plan gives in one answer).
    """

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self._provider, self._client = provider, client
        self._token = provider.credentials.get("token", "")
        budget = number_option(provider, "credits", 0)
        self.row_limit = int(number_option(provider, "row_limit", 0))
        self.ledger = CreditLedger(
            budget=budget or None,
            reserve=number_option(provider, "reserve_credits", 0),
            period=_period(provider),
        )

    def get(
        self, path: str, params: Mapping[str, str], *, purpose: Purpose, now: datetime, where: str
    ) -> Answer:
        """Ask for one path; raises FeedError, also where there is no token or no credit left."""
        if not self._token:
            raise FeedError(
                f"{where}: it needs a token. Set credentials = {{ token_file = … }} in [providers.{self._provider.name!r}].",
                status=401,
            )
        # What an answer costs is known by its rows; one row at least must be affordable.
        self.ledger.check(1, now, where)
        headers = {
            "Accept": "application/json",
            "Accept-Version": FR24_API_VERSION,
            "Authorization": f"Bearer {self._token}",
        }
        url = f"{self._provider.base_url.rstrip('/')}/{path}"
        try:
            return self._client.request("GET", url, purpose=purpose, params=params, headers=headers)
        except FeedError as error:
            if error.status != PAYMENT_REQUIRED or error.retry_after_s is not None:
                raise
            wait_s = self.ledger.exhausted(now)
            raise FeedError(
                f"{where}: answered 402, so this {self.ledger.period}'s credits are spent.{words_in(error.body)} It goes "
                f"on after {utc(now + timedelta(seconds=wait_s))}, or when it was topped up and you run `sitewatch "
                f"poll {self._provider.name}` or restart; a longer interval_s spreads them.",
                status=error.status,
                body=error.body,
            ) from None

    def rows(self, answer: Answer, where: str, *, may_be_cut: bool = False) -> list[Any]:
        """The rows of an answer `{"data": […]}`; raises FeedError where it was cut at the plan's limit."""
        document = parse_json(answer.body, where)
        rows = document.get("data") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise FeedError(
                f"{where}: the answer holds no list (data).{words_of(document, answer)} Check base_url.",
                body=answer.body,
            )
        if self.row_limit and len(rows) >= self.row_limit and not may_be_cut:
            raise FeedError(
                f"{where}: the answer has {len(rows)} rows, all that the plan gives at once, so some may be missing. "
                "Ask for less: a smaller margin_nm, or fewer airports."
            )
        return rows


def read_position(item: Any, provider: str, icao24: str, now: datetime) -> Fix | EstimatedPosition | str:
    """Read one position of a live answer or a track, or say why it is not believed.

    An altitude of 0 stands for the ground as well as for one that is not known: it proves neither.
    """
    if not isinstance(item, dict):
        return "not an object"
    at, lat, lon = (
        utc_instant(item.get("timestamp")),
        json_number(item.get("lat"), -90, 90),
        json_number(item.get("lon"), -180, 180),
    )
    if not icao24 or is_surface(type_code=item.get("type")):
        return NO_AIRCRAFT if icao24 else "no valid address"
    if at is None or lat is None or lon is None:
        return "no position"
    if at > now + FEED_CLOCK_AHEAD:
        return "time in the future"
    altitude_ft = json_number(item.get("alt"), -2_000, 150_000) or None
    shared: dict[str, Any] = {
        "provider": provider,
        "icao24": icao24,
        "at": at,
        "received_at": now,
        "lat": lat,
        "lon": lon,
        "altitude_ft": altitude_ft,
        "ground_speed_kt": json_number(item.get("gspeed"), 0, 3_000),
        "track_deg": json_number(item.get("track"), 0, 360),
        "callsign": matching_text(item, "callsign", CALLSIGN_PATTERN),
        "registration": matching_text(item, "reg", REGISTRATION_PATTERN),
        "type_code": matching_text(item, "type", TYPE_PATTERN),
    }
    source = item.get("source")
    if source == ESTIMATED_SOURCE:
        return EstimatedPosition(
            **shared,
            origin=matching_text(item, "orig_icao", AIRPORT_PATTERN),
            destination=matching_text(item, "dest_icao", AIRPORT_PATTERN),
            eta=utc_instant(item.get("eta")),
        )
    return Fix(
        **shared,
        on_ground=None if altitude_ft is None else False,
        vertical_rate_fpm=json_number(item.get("vspeed"), -50_000, 50_000),
        source=_SOURCES.get(source, "other") if isinstance(source, str) else "other",
    )


def split_positions(
    read: Sequence[Fix | EstimatedPosition | str],
) -> tuple[list[Fix], list[EstimatedPosition], list[str]]:
    """Part what was read: reports, estimates, and the reasons for the rest."""
    return (
        [each for each in read if isinstance(each, Fix)],
        [each for each in read if isinstance(each, EstimatedPosition)],
        [each for each in read if isinstance(each, str)],
    )


def _period(provider: Provider) -> BudgetPeriod:
    given = provider.options.get("credits_period", "month")
    if given == "day":
        return "day"
    if given == "month":
        return "month"
    raise SettingsError(f"{provider.name}: the option credits_period is day or month (got {given!r}).")
