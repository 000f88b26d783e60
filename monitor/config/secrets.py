"""Taking secrets and control characters out of text before a person or a log sees it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, urlsplit

# Shorter texts turn up everywhere by chance; a redacted log of them could not be read.
_SHORTEST = 4
MASK = "***"


def secret_forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Each secret in every form in which it may turn up, longest first."""
    found = {form for secret in secrets for form in _forms(secret)}
    return tuple(sorted((form for form in found if len(form) >= _SHORTEST), key=len, reverse=True))


def _forms(secret: str) -> Iterator[str]:
    # The place of an SQLite file is no secret, and a person needs to read it.
    if secret.startswith("sqlite:"):
        return
    yield secret
    yield quote(secret, safe="")
    if "://" in secret:
        # An error message may hold just the password, or just the path of a webhook.
        parts = urlsplit(secret)
        if parts.password:
            yield parts.password
            yield unquote(parts.password)
        if parts.scheme in {"http", "https"}:
            yield parts.path.rstrip("/")
            yield parts.query


def mask_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text with every secret masked; `secrets` as `secret_forms` gives them."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


# C0 and C1 controls, line and paragraph separators, and the marks that turn the reading direction:
# each lets foreign text (a callsign, an error) pose as a line or word of ours.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with control characters written out (a line feed becomes backslash n)."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
