"""A small poster on httpx for loopback servers; the service uses its guarded client, which refuses loopback."""

from collections.abc import Mapping

import httpx

from alerts.channels import HttpAnswer, SendError


class LoopbackPost:
    """Keeps the contract of `HttpPost`: SendError, not permanent, where no answer came."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        try:
            # No TLS on loopback; loading the certificates would cost more than the post.
            answer = httpx.post(
                url,
                content=body,
                headers=dict(headers),
                timeout=self._timeout_s,
                trust_env=False,
                verify=False,
            )
        except httpx.HTTPError as error:
            # The address is in the text on purpose: the channel has to take it out again.
            raise SendError(f"POST {url} got no answer: {type(error).__name__}") from None
        return HttpAnswer(answer.status_code, answer.text, dict(answer.headers))
