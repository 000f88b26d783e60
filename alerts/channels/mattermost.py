"""Mattermost and Rocket.Chat by incoming webhook: Markdown in which nothing foreign is markup or pings anybody."""

import json
import re
from typing import Any

from alerts.channels import HttpPost, Message, Receipt, own_words
from alerts.channels.plain_text import picture_line
from alerts.channels.posting import WebPost, json_object, secret_parts
from alerts.channels.safe_text import clean_text, cut_text, one_line, safe_url
from db.said import phrase

CHAT_LIMIT = 4_000
"""Mattermost takes 16,383 characters and Rocket.Chat 5,000; more than this is no message but a page."""
IDENTITY = "sitewatch_identity"
_JOINER = "\u2060"
_MARKUP = re.compile(r"([\\`*_~\[\]<>|#])")
_MENTION = re.compile(r"@")
_EMOJI = re.compile(r":(?=[A-Za-z0-9_+-]+:)")
_CUT = phrase("This message was too long and was cut; “sitewatch alerts show” prints all of it.")


class MattermostChannel:
    """Posts to one channel of a Mattermost or Rocket.Chat server; the webhook's address appears nowhere."""

    min_interval_s = 1.0

    def __init__(self, name: str, webhook_url: str, post: HttpPost) -> None:
        self.name = name
        self._url = webhook_url
        mend = (
            f"Make a new incoming webhook there and put its address into webhook_url under [channels.{name}]."
        )
        self._web = WebPost("The chat server", name, post, secret_parts(webhook_url), mend)

    def __repr__(self) -> str:
        return f"MattermostChannel({self.name!r})"

    def send(self, message: Message) -> Receipt:
        """Post once; a webhook gives no reference back."""
        body = json.dumps(mattermost_payload(message), ensure_ascii=False).encode()
        answer = self._web.post_once(self._url, body, {"Content-Type": "application/json; charset=utf-8"})
        # Rocket.Chat answers 200 with success false where its integration's own script failed.
        if json_object(answer.body).get("success") is False:
            return Receipt(
                note=f"The chat server of the channel “{self.name}” took the message and says that it failed. Look whether it arrived."
            )
        return Receipt()


def mattermost_payload(message: Message) -> dict[str, Any]:
    """The body of the POST; `props` carry the identity, so that a repeat can be told."""
    return {"text": _text(message), "props": {IDENTITY: one_line(message.identity)}}


def plain_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no formatting, no link with other words, no mention, no emoji."""
    unmarked = _MARKUP.sub(r"\\\1", clean_text(text))
    return _EMOJI.sub(f":{_JOINER}", _MENTION.sub(f"@{_JOINER}", unmarked))


def _text(message: Message) -> str:
    # Links first: what is cut must not be the way to the rest.
    headline = cut_text(one_line(message.headline) or "sitewatch", 300)
    head = f"**{plain_markdown(headline)}**"
    about = plain_markdown(cut_text(one_line(f"{message.status} · {message.subject}"), 200))
    links = " · ".join(_links(message))
    cut = own_words(message, _CUT)
    whole = [*_body(message)]
    kept: list[str] = []
    room = CHAT_LIMIT - len(head) - len(about) - len(links) - len(cut) - 10
    for line in whole:
        if len(line) + 2 > room:
            kept.append(cut)
            break
        kept.append(line)
        room -= len(line) + 2
    return "\n\n".join(filter(None, (head, about, *kept, links)))


def _body(message: Message) -> list[str]:
    facts = (one_line(f"{name}: {value}").strip(": ") for name, value in message.facts)
    lines = (*message.paragraphs, *facts, picture_line(message), one_line(message.footer))
    return [text for text in map(plain_markdown, lines) if text]


def _links(message: Message) -> list[str]:
    found = []
    room = 1_500
    for link in (*message.links, *message.actions):
        url = safe_url(link.url)
        if url is None:
            continue
        # Parentheses would end the address, and an @ in it could ping.
        url = url.replace("(", "%28").replace(")", "%29").replace("@", "%40")
        said = f"[{plain_markdown(cut_text(one_line(link.text), 80)) or 'Link'}]({url})"
        if len(said) <= room:
            found.append(said)
            room -= len(said) + 3
    return found
