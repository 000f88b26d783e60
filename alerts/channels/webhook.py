"""A signed webhook: the whole message as JSON to a server of one's own, as the Standard Webhooks specification says.

`webhook-id` stays the same over tries, so a receiver drops what it has; `webhook-signature` is an HMAC over id, timestamp and
body, so nothing can be changed or sent again later. Specification: standardwebhooks.com, version 1.0.0.
"""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import datetime
from typing import Any

from alerts.channels import HttpPost, Link, Message, Receipt
from alerts.channels.posting import WebPost, secret_parts
from alerts.channels.safe_text import clean_text, one_line, safe_url

SECRET_PREFIX = "whsec_"  # noqa: S105 - how the specification marks a secret in base64
MESSAGE_TYPE = "sitewatch.message"


class WebhookChannel:
    """Posts signed JSON to one address; the address and the secret appear nowhere."""

    min_interval_s = 0.0

    def __init__(
        self, name: str, url: str, secret: str, post: HttpPost, clock: Callable[[], datetime]
    ) -> None:
        self.name = name
        self._url = url
        self._key = signing_key(secret)
        self._clock = clock
        mend = f"Check url and signing key under [channels.{name}], and that the server takes POST there."
        self._web = WebPost("The webhook", name, post, (secret, *secret_parts(url)), mend)

    def __repr__(self) -> str:
        return f"WebhookChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Post once; any 2xx is an acceptance."""
        body = json.dumps(webhook_payload(message), ensure_ascii=False).encode()
        identity = webhook_id(message.identity)
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "webhook-id": identity,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._key, identity, timestamp, body),
        }
        self._web.post_once(self._url, body, headers)
        return Receipt(identity)


def webhook_id(identity: str) -> str:
    """The id of a message: without dots, which separate what is signed."""
    return f"msg_{hashlib.sha256(identity.encode('utf-8', 'replace')).hexdigest()[:32]}"


def signing_key(secret: str) -> bytes:
    """The bytes of a secret: base64 behind `whsec_`, else the text itself; raises ValueError."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (Base64Error, ValueError):
        raise ValueError(
            f"The signing key begins with {SECRET_PREFIX}, and what follows is no base64."
        ) from None


def signature(key: bytes, identity: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = hmac.new(key, b".".join((identity.encode(), timestamp.encode(), body)), hashlib.sha256)
    return f"v1,{b64encode(signed.digest()).decode()}"


def webhook_payload(message: Message) -> dict[str, Any]:
    """The body; docs/channels.md describes each key. Every string is text, in no markup."""
    image = message.image_png
    return {
        "type": MESSAGE_TYPE,
        "timestamp": message.created_at.isoformat(),
        "data": {
            "identity": one_line(message.identity),
            "thread": one_line(message.thread),
            "status": one_line(message.status),
            "subject": one_line(message.subject),
            "headline": one_line(message.headline),
            "urgent": message.urgent,
            "paragraphs": [text for text in map(clean_text, message.paragraphs) if text],
            "facts": [{"name": one_line(name), "value": clean_text(value)} for name, value in message.facts],
            "links": _links(message.links),
            "actions": _links(message.actions),
            "footer": clean_text(message.footer),
            "picture": None
            if image is None
            else {"alt": one_line(message.image_alt), "png_base64": b64encode(image).decode()},
            "alert": dict(message.about) or None,
        },
    }


def _links(links: tuple[Link, ...]) -> list[dict[str, str]]:
    found = ((one_line(link.text), safe_url(link.url)) for link in links)
    return [{"text": text, "url": url} for text, url in found if url]
