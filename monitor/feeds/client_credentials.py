"""Tokens by client credentials (OAuth2): fetched when needed, renewed before they end, and never shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from monitor.feeds import Answer, FeedClient, FeedError, Provider
from monitor.feeds.parsing import json_number, parse_json, words_in

_WRONG_KEYS = (400, 401)


class TokenError(FeedError):
    """The token server refused; another token is not asked for."""


class ClientCredentials:
    """The tokens of one provider, for its credentials `client_id` and `client_secret`."""

    def __init__(
        self, provider: Provider, client: FeedClient, token_url: str, *, renew_before_s: float
    ) -> None:
        self._provider, self._client, self._url = provider, client, token_url
        self._renew_before_s = renew_before_s
        self._token = ""
        self._turned_away = False
        self._until = datetime.min.replace(tzinfo=UTC)

    def forget(self) -> None:
        """Forget a token that was refused: it may have been revoked before its time."""
        self._token = ""

    def signed(self, send: Callable[[str], Answer], now: datetime) -> Answer:
        """Send with a token that is good now, and once more with another where it is refused: it may have been revoked.

        Raises what `send` raises, and what `bearer` does.
        """
        try:
            return send(self.bearer(now))
        except FeedError as error:
            if error.status != HTTPStatus.UNAUTHORIZED or isinstance(error, TokenError):
                raise
        self.forget()
        return send(self.bearer(now))

    def bearer(self, now: datetime) -> str:
        """Give a token that is good now; raises FeedError, `TokenError` where the credentials are refused."""
        if self._token and now < self._until:
            return self._token
        keys = {name: self._provider.credentials.get(name, "") for name in ("client_id", "client_secret")}
        where = f"{self._provider.name} token"
        try:
            answer = self._client.request(
                "POST", self._url, purpose="token", form={"grant_type": "client_credentials", **keys}
            )
        except FeedError as error:
            raise self._refusal(error, where) from None
        self._turned_away = False
        document = parse_json(answer.body, where)
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token:
            raise FeedError(f"{where}: the answer holds no access_token. Check the credentials.")
        lasts_s = json_number(document.get("expires_in"), 1, 86_400) or 60.0
        self._token, self._until = (
            token,
            now + timedelta(seconds=max(1.0, lasts_s - self._renew_before_s)),
        )
        return token

    def _refusal(self, error: FeedError, where: str) -> FeedError:
        """What a refusal of the token server means: wrong keys are said as that, and one 403 is not for good."""
        if error.status in _WRONG_KEYS:
            return TokenError(
                f"{where}: client_id and client_secret are refused ({error.status}).{words_in(error.body)} They are "
                f"wrong, were replaced, or belong to another account: set credentials in [providers.{self._provider.name!r}].",
                status=error.status,
                body=error.body,
            )
        again, self._turned_away = self._turned_away, error.disable
        if not error.disable or again:
            return error
        return TokenError(
            f"{where}: answered 403.{words_in(error.body)} It is asked once more at the next poll.",
            status=error.status,
            retry_after_s=error.retry_after_s,
            body=error.body,
        )
