"""How OpenSky is asked: OAuth2 client credentials, a daily budget of credits for each kind of request, its units."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from db.records import Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Provider
from monitor.feeds.client_credentials import ClientCredentials
from monitor.feeds.credits import CreditLedger
from monitor.feeds.options import number_option
from monitor.feeds.parsing import json_number

TOKEN_URL = "https://auth.opensky-network.org/auth/realms/opensky-network/protocol/openid-connect/token"  # noqa: S105 - an address
RENEW_BEFORE_S = 30.0
FEET_A_METRE = 1 / 0.3048
KNOTS_A_METRE_A_SECOND = 3600 / 1852
FEET_A_MINUTE_A_METRE_A_SECOND = 60 / 0.3048
DAY_PRICE = 4
"""What a request for flights or tracks of less than a day costs."""
CREDITS_A_DAY, ANONYMOUS_CREDITS_A_DAY = 4_000, 400
_NOT_FOUND = 404


class OpenSkyAccess:
    """One provider's way to OpenSky's API: signs requests, pays for them, renews its token once when refused.

    Credentials `client_id` and `client_secret`; without them OpenSky counts by network address. Options:
    `token_url`, `credits_a_day`, `reserve_credits`.
    """

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self._provider, self._client = provider, client
        self._id = provider.credentials.get("client_id", "")
        if bool(self._id) != bool(provider.credentials.get("client_secret", "")):
            raise SettingsError(
                f"{provider.name}: set both credentials client_id and client_secret, or neither."
            )
        usual = CREDITS_A_DAY if self._id else ANONYMOUS_CREDITS_A_DAY
        self.ledger = CreditLedger(
            budget=number_option(provider, "credits_a_day", usual),
            reserve=number_option(provider, "reserve_credits", 0),
        )
        self._tokens = ClientCredentials(
            provider, client, provider.options.get("token_url", TOKEN_URL), renew_before_s=RENEW_BEFORE_S
        )

    def get(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        price: float,
        purpose: Purpose,
        now: datetime,
        where: str,
        may_be_missing: bool = False,
    ) -> Answer:
        """Ask for one path or raise FeedError, before anything is sent where the day's credits would run out.

        With `may_be_missing` a 404 without body comes back: so OpenSky says that there is nothing. One with
        a body is a failure.
        """
        self.ledger.check(price, now, where)
        accept = (200, _NOT_FOUND) if may_be_missing else (200,)
        answer = self._ask(path, params, purpose, now, accept)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        left = headers.get("x-rate-limit-remaining", "")
        self.ledger.charge(price, now, float(left) if left.isdecimal() and left.isascii() else None)
        if answer.status == _NOT_FOUND and answer.body.strip():
            raise FeedError(
                f"{where}: answered 404 with a text, which is not how it says that there is nothing. Check base_url.",
                status=answer.status,
                body=answer.body,
            )
        return answer

    def _ask(
        self, path: str, params: Mapping[str, str], purpose: Purpose, now: datetime, accept: Sequence[int]
    ) -> Answer:
        url = f"{self._provider.base_url.rstrip('/')}/{path}"

        def send(token: str) -> Answer:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return self._client.request(
                "GET", url, purpose=purpose, params=params, headers=headers, accept=accept
            )

        return self._tokens.signed(send, now) if self._id else send("")


def converted_unit(value: object, factor: float, low: float, high: float) -> float | None:
    """A number in another unit, rounded to a tenth and within bounds, or None."""
    found = json_number(value, -1e9, 1e9)
    return None if found is None else json_number(round(found * factor, 1), low, high)
