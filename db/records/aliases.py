"""Names that tell nobody who an aircraft is: aliases of those that may not be named, and ids of visits. Pure.

An alias and an id are keyed digests (HMAC-SHA-256): there are only 2^24 addresses, so that a plain hash is undone in
seconds by trying all of them.
"""

import hmac
from datetime import datetime

_MARK = "@"
_ALIAS_DIGITS = 16
_ID_DIGITS = 20
_BETWEEN = "|"


def alias_of(key: bytes, name: str) -> str:
    """Give the alias of an address, or of another name that is not kept."""
    return _MARK + _digest(key, name)[:_ALIAS_DIGITS]


def is_alias(name: str) -> bool:
    """Whether a name is an alias and no address."""
    return name.startswith(_MARK)


def draft_visit_id(icao24: str, site_id: str, first: datetime) -> str:
    """Name a visit by its aircraft, its site and the minute of its first sign; it is sealed where it is stored."""
    return _BETWEEN.join((icao24, site_id, f"{first:%Y-%m-%dT%H:%M}"))


def is_draft(visit_id: str) -> bool:
    """Whether an id still names the aircraft."""
    return _BETWEEN in visit_id


def day_of_draft(draft: str) -> str:
    """Give the UTC day of the first sign, which decides the key."""
    return draft.rpartition(_BETWEEN)[2].partition("T")[0]


def sealed_visit_id(key: bytes, draft: str) -> str:
    """Give the id that is stored."""
    return _digest(key, draft)[:_ID_DIGITS]


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()
