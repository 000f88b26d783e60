"""The simplest channel: one line a message, into whatever takes lines. Copy this file to add a channel."""

from collections.abc import Callable

from alerts.channels import Message, Receipt, SendError
from alerts.channels.safe_text import cut_text, one_line

LINE_LIMIT = 4_000


class LogChannel:
    """Writes each message as one line, so that a fresh installation tells somebody something."""

    min_interval_s = 0.0

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self.name = name
        self._write = write

    def send(self, message: Message) -> Receipt:
        """Write one line; SendError where the line could not be written."""
        try:
            self._write(_line(message))
        except OSError as error:
            raise SendError(
                f"The log channel “{self.name}” could not write its line: {error.strerror or 'no reason given'}. "
                "Look whether the disk is full or the log was closed.",
                fault="channel",
            ) from None
        return Receipt()


def _line(message: Message) -> str:
    facts = (f"{name}: {value}" for name, value in message.facts)
    links = (f"{link.text} {link.url}" for link in message.links)
    said = (f"{message.status}: {message.headline}", *message.paragraphs, *facts, *links, message.footer)
    return f"{cut_text(' | '.join(filter(None, map(one_line, said))), LINE_LIMIT)} [{one_line(message.identity)}]"
