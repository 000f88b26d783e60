"""How OpenSky is asked: OAuth2 client credentials, a daily budget of credits for each kind of request, its units."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from db.records import Purpose
from monitor.config.settings import SettingsError
from monitor.feeds import Answer, FeedClient, FeedError, Provider
from monitor.feeds.credits import CreditLedger
from monitor.feeds.options import number_option
from monitor.feeds.parsing import json_number, parse_json, words_in

TOKEN_URL = "https://auth.opensky-network.org/auth/realms/opensky-network/protocol/openid-connect/token"  # noqa: S105 - an address
RENEW_BEFORE_S = 30.0
FEET_A_METRE = 1 / 0.3048
KNOTS_A_METRE_A_SECOND = 3600 / 1852
FEET_A_MINUTE_A_METRE_A_SECOND = 60 / 0.3048
DAY_PRICE = 4
"""What a request for flights or tracks of less than a day costs."""
CREDITS_A_DAY, ANONYMOUS_CREDITS_A_DAY = 4_000, 400
_UNAUTHORISED = 401
_WRONG_KEYS = (400, 401)
_NOT_FOUND = 404


class OpenSkyAccess:
    """One provider's way to OpenSky's API: signs requests, pays for them, renews its token once when refused.

    Credentials `client_id` and `client_secret`; without them OpenSky counts by network address. Options:
    `token_url`, `credits_a_day`, `reserve_credits`.
    """

    def __init__(self, provider: Provider, client: FeedClient) -> None:
        self._provider, self._client = provider, client
        self._id = provider.credentials.get("client_id", "")
        self._secret = provider.credentials.get("client_secret", "")
        if bool(self._id) != bool(self._secret):
            raise SettingsError(
                f"{provider.name}: set both credentials client_id and client_secret, or neither."
            )
        usual = CREDITS_A_DAY if self._id else ANONYMOUS_CREDITS_A_DAY
        self.ledger = CreditLedger(
            budget=number_option(provider, "credits_a_day", usual),
            reserve=number_option(provider, "reserve_credits", 0),
        )
        self._token = ""
        self._turned_away = False
        self._token_until = datetime.min.replace(tzinfo=UTC)

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
        try:
            return self._send(path, params, purpose, now, accept)
        except FeedError as error:
            if error.status != _UNAUTHORISED or not self._id or isinstance(error, _TokenError):
                raise
        # A token can be revoked before its time: get another, once.
        self._token = ""
        return self._send(path, params, purpose, now, accept)

    def _send(
        self, path: str, params: Mapping[str, str], purpose: Purpose, now: datetime, accept: Sequence[int]
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._bearer(now)}"} if self._id else {}
        url = f"{self._provider.base_url.rstrip('/')}/{path}"
        return self._client.request(
            "GET", url, purpose=purpose, params=params, headers=headers, accept=accept
        )

    def _bearer(self, now: datetime) -> str:
        if self._token and now < self._token_until:
            return self._token
        form = {"grant_type": "client_credentials", "client_id": self._id, "client_secret": self._secret}
        url = self._provider.options.get("token_url", TOKEN_URL)
        where = f"{self._provider.name} token"
        try:
            answer = self._client.request("POST", url, purpose="token", form=form)
        except FeedError as error:
            raise self._token_error(error, where) from None
        self._turned_away = False
        document = parse_json(answer.body, where)
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token:
            raise FeedError(f"{where}: the answer holds no access_token. Check the credentials.")
        lasts_s = json_number(document.get("expires_in"), 1, 86_400) or 60.0
        self._token, self._token_until = token, now + timedelta(seconds=max(1.0, lasts_s - RENEW_BEFORE_S))
        return token

    def _token_error(self, error: FeedError, where: str) -> FeedError:
        """What a refusal of the token server means: wrong keys are said as that, and one 403 is not for good."""
        if error.status in _WRONG_KEYS:
            return _TokenError(
                f"{where}: client_id and client_secret are refused ({error.status}).{words_in(error.body)} They are "
                f"wrong, were replaced, or belong to another account: set credentials in [providers.{self._provider.name!r}].",
                status=error.status,
                body=error.body,
            )
        again, self._turned_away = self._turned_away, error.disable
        if not error.disable or again:
            return error
        return _TokenError(
            f"{where}: answered 403.{words_in(error.body)} It is asked once more at the next poll.",
            status=error.status,
            retry_after_s=error.retry_after_s,
            body=error.body,
        )


class _TokenError(FeedError):
    """The token server refused; another token is not asked for."""


def converted_unit(value: object, factor: float, low: float, high: float) -> float | None:
    """A number in another unit, rounded to a tenth and within bounds, or None."""
    found = json_number(value, -1e9, 1e9)
    return None if found is None else json_number(round(found * factor, 1), low, high)
