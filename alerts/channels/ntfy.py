"""ntfy: push messages to telephones, published as JSON. Limits and keys: docs.ntfy.sh/publish and its server's source."""

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from alerts.channels import HttpPost, Link, Message, Receipt, own_words
from alerts.channels.plain_text import body_lines, title_line
from alerts.channels.posting import WebPost, secret_parts
from alerts.channels.safe_text import cut_text, one_line, safe_url
from db.said import phrase

MESSAGE_BYTES = 4_096
"""The server's own default (`message-size-limit`); a longer one would become a file."""
BODY_BYTES = 2 * MESSAGE_BYTES
"""What the server reads of the JSON before it answers 413."""
_TITLE_LIMIT = 250
_ACTIONS_LIMIT = 3
_LABEL_LIMIT = 60
_URL_LIMIT = 1_000
_DEFAULT, _URGENT = 3, 5
_CUT = phrase("Cut: “sitewatch alerts show” prints all of it.")
_BACKSLASHED = frozenset('"\\\n\t')


class NtfyChannel:
    """Publishes to one topic; whoever knows a topic can read it, so its address is a secret and appears nowhere."""

    min_interval_s = 1.0

    def __init__(self, name: str, topic_url: str, token: str | None, post: HttpPost) -> None:
        parts = urlsplit(topic_url)
        path, _, topic = parts.path.rstrip("/").rpartition("/")
        if not topic:
            raise ValueError(
                "topic_url names no topic. Write the server's address with the topic behind it: https://ntfy.example/TOPIC."
            )
        self.name = name
        self._topic = topic
        self._root = parts._replace(path=f"{path}/", query="", fragment="").geturl()
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        mend = f"Check topic_url and token under [channels.{name}]: the token must be allowed to write to the topic."
        secrets = (topic, *secret_parts(topic_url), *((token,) if token else ()))
        self._web = WebPost("ntfy", name, post, secrets, mend)

    def __repr__(self) -> str:
        return f"NtfyChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Publish once; a repeat has the same sequence id, so that it replaces the one before it."""
        body = json.dumps(ntfy_payload(message, self._topic), ensure_ascii=False).encode()
        self._web.post_once(self._root, body, self._headers)
        return Receipt(sequence_id(message.identity))


def sequence_id(identity: str) -> str:
    """The same for every try of one message: letters and digits, as ntfy wants it."""
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32]


def ntfy_payload(message: Message, topic: str) -> dict[str, Any]:
    """The JSON of one message, inside the server's limits."""
    links = [(one_line(link.text), url) for link in _offered(message) if (url := _short(link.url))]
    payload: dict[str, Any] = {
        "topic": topic,
        "sequence_id": sequence_id(message.identity),
        "title": cut_text(title_line(message) or "sitewatch", _TITLE_LIMIT, _cost),
        "priority": _URGENT if message.urgent else _DEFAULT,
    }
    if links:
        payload["click"] = links[0][1]
        payload["actions"] = [
            {
                "action": "view",
                "label": cut_text(text, _LABEL_LIMIT, _cost) or own_words(message, phrase("Open")),
                "url": url,
            }
            for text, url in links[:_ACTIONS_LIMIT]
        ]
    rest = len(json.dumps(payload, ensure_ascii=False).encode()) + len('"message": "", ')
    return {**payload, "message": _body(message, min(MESSAGE_BYTES, BODY_BYTES - rest))}


def _body(message: Message, limit: int) -> str:
    whole = "\n".join(body_lines(message)) or title_line(message) or "sitewatch"
    cut = own_words(message, _CUT)
    fitting = cut_text(whole, limit - _bytes(cut) - 2, _cost)
    return whole if fitting == whole else f"{fitting}\n{cut}"


def _offered(message: Message) -> tuple[Link, ...]:
    return (*message.links[:1], *message.actions, *message.links[1:])


def _short(url: str) -> str | None:
    safe = safe_url(url)
    return safe if safe and len(safe) <= _URL_LIMIT else None


def _cost(character: str) -> int:
    """Bytes of a character in the JSON."""
    return _bytes(character) + (character in _BACKSLASHED)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
