"""How a subject is written: `class:vip_military`, `type:Tu-160`, `link:SITE`; the empty subject is all of them."""

import re

_LABEL = r"[a-z0-9][a-z0-9_-]{0,39}"
# Names as people write them (Tu-95MS, An-124-100, Marshal Shaposhnikov): printable, no colon, no edge spaces.
_NAME = r"[^\W_](?:[\w .,'()/+-]{0,58}[\w.)+])?"
_SYNTAX = {
    "class": (_LABEL, "class:vip_military"),
    "type": (_NAME, "type:Tu-160"),
    "operator": (r"[A-Z0-9]{3}", "operator:KOR, the ICAO telephony code's three letters"),
    "icao24": (r"~?[0-9a-f]{6}", "icao24:15521f, six lower-case hexadecimal digits"),
    "ship": (_NAME, "ship:Lady R"),
    "link": (r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", "link:ru-knevichi, the id of another site"),
    "size": (_LABEL, "size:large"),
    "train": (_LABEL, "train:armoured"),
}
SUBJECT_PREFIXES = tuple(_SYNTAX)


def subject_fault(subject: str) -> tuple[str, str] | None:
    """What is wrong with a subject and how to mend it, or None; the empty subject is sound."""
    if not subject:
        return None
    prefix, colon, name = subject.partition(":")
    if not colon or prefix not in _SYNTAX:
        return (
            "it has no known prefix",
            f"Begin it with one of {', '.join(f'{p}:' for p in SUBJECT_PREFIXES)}",
        )
    pattern, example = _SYNTAX[prefix]
    if not re.fullmatch(pattern, name):
        return (f"what follows {prefix}: is not written rightly", f"Write it as in {example}")
    return None


def linked_site(subject: str) -> str | None:
    """The site that a `link:` subject names."""
    return subject.removeprefix("link:") if subject.startswith("link:") else None
