"""Keeping secrets and hostile characters out of what a server said, before it is quoted in an error."""

from collections.abc import Iterable
from urllib.parse import quote, quote_plus, urlsplit

from monitor.config.secrets import MASK, mask_secrets, secret_forms

_EXCERPT = 200
_LONG_SEGMENT = 8


class Redactor:
    """Masks every known secret in text and bytes, also where a request encoded it or a URL holds it in parts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = secret_forms(form for secret in secrets for form in _encoded(secret))

    def text(self, text: str) -> str:
        """The text without secrets."""
        return mask_secrets(text, self._forms)

    def body(self, body: bytes) -> bytes:
        """The bytes without secrets, for an answer that echoes what it was sent."""
        for form in self._forms:
            body = body.replace(form.encode(), MASK.encode())
        return body

    def excerpt(self, body: bytes) -> str:
        """The beginning of a foreign answer as one harmless line."""
        text = self.body(body)[: 4 * _EXCERPT].decode("utf-8", "replace")
        line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
        return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "…"


def _encoded(secret: str) -> set[str]:
    forms = {secret, quote(secret), quote_plus(secret)}
    if "://" in secret:
        # A webhook's URL is the secret; a part of its path or query alone would give it away.
        parts = urlsplit(secret)
        forms |= {part for part in parts.path.split("/") if len(part) > _LONG_SEGMENT}
        forms |= {parts.path.strip("/"), parts.query, parts.username or "", parts.password or ""}
    return forms
