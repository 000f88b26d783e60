"""Foreign strings made safe to show: cleaned, cut to a limit, secrets taken out."""

import base64
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

ELLIPSIS = "…"
_NEWLINES = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
# Control characters but tab and newline, and the characters that turn the order of the words around them.
_HIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_URL_SAFE = ":/?#[]@!$&'()*+,;=%-._~"


def clean_text(text: str) -> str:
    """Keep the words, with plain newlines; drop controls and bidirectional overrides, mend lone surrogates."""
    return _SURROGATES.sub("\ufffd", _HIDDEN.sub("", _NEWLINES.sub("\n", text))).strip()


def one_line(text: str) -> str:
    """Clean the text and set it on a single line."""
    return " ".join(clean_text(text).split())


def cut_text(text: str, limit: int, cost: Callable[[str], int] = len) -> str:
    """Shorten to a cost of at most `limit`, the ellipsis included; `cost` prices one character."""
    total = 0
    room = 0
    for index, character in enumerate(text):
        total += cost(character)
        if total <= limit - cost(ELLIPSIS):
            room = index + 1
        if total > limit:
            return text[:room].rstrip() + ELLIPSIS if limit > 0 else ""
    return text


def total_cost(text: str, cost: Callable[[str], int] = len) -> int:
    """What the whole text costs."""
    return sum(map(cost, text))


def safe_url(url: str) -> str | None:
    """Give an http(s) URL with every unsafe character percent-encoded, or None where it is no such URL."""
    cleaned = clean_text(url)
    try:
        parts = urlsplit(cleaned)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return quote(cleaned, safe=_URL_SAFE)


def remove_secrets(text: str, secrets: Iterable[str]) -> str:
    """Take every secret out, also in base64, which is how mail servers echo them."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        encoded = base64.b64encode(secret.encode()).decode()
        for form in (secret, encoded, quote(secret, safe="")):
            text = text.replace(form, "***")
    return text


def server_words(text: str, secrets: Iterable[str], limit: int = 200) -> str:
    """Quote what a server answered: one line, without secrets, not too long."""
    return cut_text(remove_secrets(one_line(text), secrets), limit)
