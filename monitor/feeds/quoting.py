"""What of an answer may be quoted as evidence: an allow-list of fields, of each of them numbers, signs and single words."""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from monitor.feeds.parsing import json_text

_WORD = re.compile(r"[A-Za-z0-9_~:+./-]{1,32}")


def quoted_row(item: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Take over the fields of an item that are used; what is more than a number, a sign or one word is left out.

    A provider may write a person's name, or anything else, where a callsign belongs.
    """
    found = {name: _plain(item[name]) for name in item if name in fields}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: object) -> str | int | float | None:
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    return (json_text(value, _WORD) or None) if isinstance(value, str) else None
