"""A message in the language of its channel: composed without one, said in one when it is sent. Pure."""

from dataclasses import replace

from alerts.channels import Link, Message
from alerts.speech import Speech, speech_of


def spoken(message: Message, language: str) -> Message:
    """The message with every text of it in this language; what has been sent before is in one already."""
    speech = speech_of(language)
    return replace(
        message,
        language=speech.language,
        subject=speech(message.subject),
        status=speech(message.status),
        headline=speech(message.headline),
        paragraphs=tuple(map(speech, message.paragraphs)),
        facts=tuple((speech(name), speech(value)) for name, value in message.facts),
        links=_links(message.links, speech),
        footer=speech(message.footer),
        image_alt=speech(message.image_alt),
        actions=_links(message.actions, speech),
    )


def _links(links: tuple[Link, ...], speech: Speech) -> tuple[Link, ...]:
    return tuple(Link(speech(each.text), each.url) for each in links)
