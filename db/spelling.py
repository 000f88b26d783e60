"""How a name is spelled: what is shown of it, and what its spellings have in common. Pure."""

import re
import unicodedata
from functools import lru_cache

# A file of a hundred thousand rows names the same few publishers, methods and places again and again.
_REMEMBERED = 4096
_BLANKS = re.compile(r"\s+")
# Joiners are letters' business in Persian and Indic scripts; at the edge of a name they are nobody's.
_JOINERS = "\u200c\u200d"
# Fillers, variation selectors and marks that are drawn as nothing, and that are not of the category Cf.
_DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4\u0060", "'"))
_DOUBLE_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'))


@lru_cache(_REMEMBERED)
def tidy(text: str) -> str:
    """The text as it is shown: composed (NFC), with plain blanks, without characters that are drawn as nothing."""
    if text.isascii():
        return _BLANKS.sub(" ", text).strip()
    seen = "".join(each for each in text if each in _JOINERS or not _invisible(each))
    kept = unicodedata.normalize("NFC", seen)
    return _BLANKS.sub(" ", kept).strip(f" {_JOINERS}")


@lru_cache(_REMEMBERED)
def spelled(text: str) -> str:
    """The one spelling of texts that look alike (NFKC, one kind of blank, dash and quotation mark); case is kept."""
    if text.isascii():
        return tidy(text)
    # Before NFKC, which takes an accent that stands for an apostrophe apart.
    quoted = text.translate(_QUOTES).translate(_DOUBLE_QUOTES)
    wide = unicodedata.normalize("NFKC", "".join(each for each in quoted if not _invisible(each)))
    return tidy("".join("-" if _is_dash(each) else each for each in wide))


@lru_cache(_REMEMBERED)
def folded(text: str) -> str:
    """What all spellings of a name have in common, whatever their case: two names are one where this is the same."""
    once = spelled(text).casefold()
    # Folding may take a letter apart, so that it is composed again.
    return once if once.isascii() else spelled(once).casefold()


def _is_dash(each: str) -> bool:
    return each == "\u2212" or unicodedata.category(each) == "Pd"


def _invisible(each: str) -> bool:
    return unicodedata.category(each) == "Cf" or _DRAWN_AS_NOTHING.match(each) is not None
