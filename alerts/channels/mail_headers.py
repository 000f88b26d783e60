"""Header fields of a mail, encoded and folded here and never read again.

The library's own headers decode an encoded word that stands in foreign text, and before Python 3.13 write a line
end that was hidden in it as a line end: a site's name became a `Bcc:`. So every field is made of its final bytes.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from email.utils import parseaddr
from typing import Self

from alerts.channels.safe_text import one_line

LINE = 76
"""Columns of a line that holds an encoded word (RFC 2047, section 2)."""
_WORD = 75
_LEAD, _TAIL = "=?utf-8?b?", "?="
_FOLD = "\r\n "
_SPECIALS = re.compile(r'[()<>@,:;".\[\]\\]')
_OURS = re.compile(r"=\?utf-8\?b\?[A-Za-z0-9+/]+={0,2}\?=")
_UNSAFE = re.compile(r"[^\x20-\x7e]|=\?")


class Field(str):
    """The words of a header field, with the lines that say them in a mail."""

    __slots__ = ("_lines", "name")

    name: str
    _lines: str

    @classmethod
    def of(cls, name: str, words: str, lines: str) -> Self:
        """The field `name` that means `words`, written as `lines`, which are one field and hold encoded words of ours alone."""
        assert not _UNSAFE.search(_OURS.sub("", lines.replace(_FOLD, " ")))
        made = cls(words)
        made.name, made._lines = name, lines
        return made

    def fold(self, *, policy: object) -> str:
        """The field as it stands in the mail."""
        return f"{self.name}: {self._lines}\r\n"


def text_field(name: str, text: str) -> Field:
    """A field of free text from anywhere."""
    words = one_line(text)
    return Field.of(name, words, _FOLD.join(_text_lines(words, len(name) + 2)))


def plain_field(name: str, value: str) -> Field:
    """A field of our own making: ASCII, short; raises ValueError for anything that would have to be encoded."""
    if _UNSAFE.search(value):
        raise ValueError(f"The field {name} holds what must not stand in a header: {value!r}.")
    return Field.of(name, value, value)


def address_field(name: str, given: Iterable[str]) -> Field:
    """A field of mail addresses, each with or without a display name, which alone may hold anything."""
    lines: list[str] = []
    words: list[str] = []
    for each in given:
        display, address = parseaddr(each)
        if not address or _UNSAFE.search(address):
            raise ValueError(f"The field {name} cannot hold the address {each!r}.")
        display = one_line(display)
        words.append(f"{display} <{address}>" if display else address)
        lines.append(f"{_phrase(display, len(name) + 2)}<{address}>" if display else address)
    return Field.of(name, ", ".join(words), ("," + _FOLD).join(lines))


def _phrase(text: str, column: int) -> str:
    """A display name with the space behind it."""
    if not _fits_plainly(text, LINE - column):
        return _FOLD.join([*_encoded(text, column), ""])
    if _SPECIALS.search(text):
        text = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return f"{text} "


def _fits_plainly(text: str, room: int) -> bool:
    return not _UNSAFE.search(text) and len(text) <= room


def _text_lines(text: str, column: int) -> Iterator[str]:
    if not all(_fits_plainly(word, LINE - column) for word in text.split(" ")) or _UNSAFE.search(text):
        yield from _encoded(text, column)
        return
    line = ""
    for word in text.split(" "):
        if line and column + len(line) + 1 + len(word) > LINE:
            yield line
            line, column = word, 1
        else:
            line = f"{line} {word}" if line else word
    yield line


def _encoded(text: str, column: int) -> Iterator[str]:
    """Encoded words (RFC 2047), one a line, each of whole characters."""
    piece = b""
    for character in text:
        raw = character.encode("utf-8", "replace")
        if len(piece) + len(raw) > _bytes_in(min(_WORD, LINE - column)):
            yield _encoded_word(piece)
            piece, column = b"", 1
        piece += raw
    yield _encoded_word(piece)


def _bytes_in(columns: int) -> int:
    return (columns - len(_LEAD) - len(_TAIL)) // 4 * 3


def _encoded_word(raw: bytes) -> str:
    return f"{_LEAD}{base64.b64encode(raw).decode()}{_TAIL}"
