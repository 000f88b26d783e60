"""Files behind NASA's Earthdata login: the token goes to the hosts that it is meant for, and to none to which they lead on.

The archive answers with a redirect to a signed address, which carries its own leave; whoever sent the token along would give it
away. Where the way leads to the login page instead, the token is not good, or its owner has not let the archive in.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal
from urllib.parse import urljoin, urlsplit

from db.records import Purpose
from monitor.feeds import Answer, FeedError, Provider
from monitor.feeds.http import GuardedClient

TOKEN_HOSTS = ("asf.alaska.edu", "asf.earthdatacloud.nasa.gov")
"""The archive of Sentinel-1: hosts that take the token, with everything below them."""
SIGNED_HOSTS = ("cloudfront.net", "amazonaws.com")
"""Where its signed addresses lead."""
LOGIN_HOST = "urs.earthdata.nasa.gov"
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_HOPS = 4
_MOST_SIGNED = 6
"""Files of one burst are read one after the other, three at the most."""
_RUN_OUT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class EarthdataFiles:
    """Fits `FeedClient` for reading files; needs the credential `token`."""

    def __init__(self, provider: Provider, client: GuardedClient) -> None:
        self._provider, self._client = provider, client
        self._token = provider.credentials.get("token", "")
        self._signed: OrderedDict[str, str] = OrderedDict()

    @staticmethod
    def has_token(provider: Provider) -> bool:
        """Whether a provider has what is needed to read."""
        return bool(provider.credentials.get("token"))

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
    ) -> Answer:
        """Read a file or a part of it, over the signed address that was given for it as long as that holds."""
        signed = self._signed.get(url)
        if signed is not None:
            try:
                return self._client.request(
                    method, signed, purpose=purpose, headers=headers, accept=accept, follow=False
                )
            except FeedError as error:
                if error.status not in _RUN_OUT:
                    raise
            # It holds for an hour or so.
            del self._signed[url]
        return self._led(method, url, purpose, headers or {}, accept)

    def _led(
        self,
        method: Literal["GET", "POST"],
        url: str,
        purpose: Purpose,
        headers: Mapping[str, str],
        accept: Sequence[int],
    ) -> Answer:
        """Follow the way from the archive to the file, step by step."""
        here = url
        for _ in range(_MOST_HOPS):
            trusted = _is_below(here, TOKEN_HOSTS)
            token = {"Authorization": f"Bearer {self._token}"} if trusted else {}
            answer = self._client.request(
                method,
                here,
                purpose=purpose,
                headers={**headers, **token},
                accept=(*accept, *_REDIRECTS),
                follow=False,
            )
            if answer.status not in _REDIRECTS:
                if not trusted:
                    self._keep(url, here)
                return answer
            here = self._next(here, answer)
        raise FeedError(f"{self._provider.name}: the archive led on more than {_MOST_HOPS} times.")

    def _keep(self, url: str, signed: str) -> None:
        """Keep the address of a file that is being read; one of long ago has run out, and is not asked for again."""
        self._signed[url] = signed
        if len(self._signed) > _MOST_SIGNED:
            self._signed.popitem(last=False)

    def _next(self, here: str, answer: Answer) -> str:
        found = {name.lower(): value for name, value in answer.headers.items()}.get("location", "")
        target = urljoin(here, found)
        parts = urlsplit(target)
        if parts.hostname == LOGIN_HOST:
            raise FeedError(
                f"{self._provider.name}: the archive wants a login instead of the token. It has ended, or “Alaska Satellite Facility "
                "Data Access” is not among the applications that its owner let in: make a new one in your Earthdata profile, approve "
                f"that application there, and set credentials = {{ token_file = … }} in [providers.{self._provider.name!r}].",
                status=HTTPStatus.UNAUTHORIZED,
            )
        if parts.scheme != "https" or not _is_below(target, (*TOKEN_HOSTS, *SIGNED_HOSTS)):
            raise FeedError(
                f"{self._provider.name}: the archive leads to {parts.hostname or 'nowhere'}, which is not read from."
            )
        return target


def _is_below(url: str, hosts: Sequence[str]) -> bool:
    host = urlsplit(url).hostname or ""
    return any(host == each or host.endswith(f".{each}") for each in hosts)
