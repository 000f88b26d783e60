"""A message as it was first sent, kept with its delivery: each later try says the same, and so does the page. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from alerts.channels import Link, Message
from db.records import Delivery, JsonMapping

_MESSAGE, _ACCEPTED = "message", "accepted"
_OF_THE_TRY = frozenset({"identity", "delivered_to", "thread_ref", "repeated"})


def freeze(message: Message) -> JsonMapping:
    """Write a message down as JSON; its identity and its recipients stand in the delivery."""
    plain = {
        each.name: getattr(message, each.name) for each in fields(message) if each.name not in _OF_THE_TRY
    }
    image = message.image_png
    return {
        _MESSAGE: {
            **plain,
            "created_at": message.created_at.isoformat(),
            "links": [[link.text, link.url] for link in message.links],
            "actions": [[link.text, link.url] for link in message.actions],
            "about": dict(message.about),
            "image_png": None if image is None else b64encode(image).decode("ascii"),
        }
    }


def thaw(delivery: Delivery) -> Message | None:
    """Read back what `freeze` wrote; None where the delivery was never sent."""
    stored = delivery.payload.get(_MESSAGE)
    if stored is None:
        return None
    image = stored["image_png"]
    values: dict[str, Any] = {
        **stored,
        "created_at": datetime.fromisoformat(stored["created_at"]),
        "paragraphs": tuple(stored["paragraphs"]),
        "facts": tuple((name, value) for name, value in stored["facts"]),
        "links": tuple(Link(text, url) for text, url in stored["links"]),
        # Versions before had no actions.
        "actions": tuple(Link(text, url) for text, url in stored.get("actions", ())),
        "image_png": None if image is None else b64decode(image),
    }
    return Message(identity=delivery.identity, **values)


def accepted_by(delivery: Delivery) -> tuple[str, ...]:
    """The recipients who took the message at an earlier try."""
    return tuple(delivery.payload.get(_ACCEPTED, ()))


def with_accepted(payload: JsonMapping, recipients: tuple[str, ...]) -> Mapping[str, Any]:
    """Note who has the message now."""
    return {**payload, _ACCEPTED: list(recipients)}
