"""Numbers as cells hold them: plain digits are read, and whatever else people write is refused with the way to mend it."""

import re
import unicodedata
from decimal import Decimal

from db.records.counts import LARGEST_COUNT
from monitor.imports.faults import BadCell
from monitor.sites.faults import printable_value

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:[.,][0-9]{3})")
"""A thousand to one reader, one to the other."""
_SEPARATED = re.compile(r"[0-9]{1,3}(?:[.,'_\u2019 ][0-9]{2,3})+(?:[.,][0-9]+)?")
_PLAIN = r"([0-9]+(?:[.,][0-9]+)?)"
_ABOUT = re.compile(
    rf"(?:~=?|≈|≃|±|c\.?|ca\.?|circa|about|around|approx\.?|approximately|some|roughly) ?{_PLAIN}|{_PLAIN} ?(?:~|\?|ca\.?|approx\.?)",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    rf"(?:>=?|≥|=>|at least|min\.?|minimum|over|more than|not fewer than) ?{_PLAIN}|{_PLAIN} ?(?:\+|or more|and more|plus)",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    rf"(?:<=?|≤|=<|at most|up to|max\.?|maximum|under|less than|fewer than|not more than) ?{_PLAIN}|{_PLAIN} ?(?:or less|or fewer)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    rf"(?:between |from )?{_PLAIN} ?(?:-|–|—|−|to|and|\.\.+|…|/|bis) ?{_PLAIN}", re.IGNORECASE
)
_PLUS_MINUS = re.compile(rf"{_PLAIN} ?(?:±|\+/-|\+-) ?{_PLAIN}")
_SHARE = re.compile(rf"{_PLAIN} ?%")
_WITH_WORDS = re.compile(rf"{_PLAIN} ?[^\W\d_]{{2}}\D*")
_EXPONENT = re.compile(r"[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")
_NOTHING = frozenset(
    {
        *(
            "n/a",
            "na",
            "n.a.",
            "#n/a",
            "#na",
            "nan",
            "none",
            "null",
            "nil",
            "nd",
            "n.d.",
            "no data",
            "nodata",
        ),
        *("-", "--", "–", "—", "−", "?", "??", ".", "..", "…", "x", "unknown", "not known", "missing", "tbd"),
        *("not assessable", "not observed", "no image", "cloud", "clouds", "cloudy"),
    }
)
_FORM = "Write digits, with a point before decimals, as in 73 or 0.5"


def is_ambiguous(text: str) -> bool:
    """Whether a point or comma before three digits may set off thousands as well as decimals."""
    return _GROUPED.fullmatch(text.removeprefix("-")) is not None


def plain_digits(value: object) -> str:
    """A number as an import reads it: no exponent, and a fourth decimal where three might set off thousands."""
    text = repr(value)
    if not isinstance(value, float):
        return text
    if "e-" in text:
        text = f"{Decimal(text):f}"
    return f"{text}0" if is_ambiguous(text) else text


def with_point(text: str) -> str:
    """A number from a file in which a comma may stand before decimals; one that may mean thousands stays as it is."""
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) and not is_ambiguous(text) else text


def number(text: str, most: float = LARGEST_COUNT) -> float:
    """A finite number from 0 to `most`, in plain digits."""
    if is_ambiguous(text):
        raise BadCell(f"{printable_value(text)} is ambiguous", _both_ways(text))
    if not _NUMBER.fullmatch(text):
        raise BadCell(f"{printable_value(text)} is not a number", _as_number(text) or _FORM)
    if text.startswith("-"):
        raise BadCell(
            f"{text} is negative", "A count is 0 or more; where nothing could be counted, write assessable no"
        )
    value = float(text)
    if value > most:
        raise BadCell(f"{printable_value(text)} is more than {most:,.0f}", "Check the digits")
    return value


def counted_number(text: str, most: float = LARGEST_COUNT) -> float:
    """As `number`; what says more than a number is pointed to the column that holds it."""
    if is_ambiguous(text) or _NUMBER.fullmatch(text) or not (mend := _as_count(text)):
        return number(text, most)
    raise BadCell(f"{printable_value(text)} is not a number", mend)


def _both_ways(text: str) -> str:
    whole, decimals = re.split("[.,]", text.removeprefix("-"))
    short = decimals.rstrip("0")
    # A fourth decimal makes it plain.
    point = f"{short}0" if len(short) == len(decimals) else short
    return (
        f"Write {whole}{decimals} where the sign sets off thousands, "
        f"or {whole}{'.' if point else ''}{point} where it stands before decimals"
    )


def _as_count(text: str) -> str:
    """What to write where the cell says more than a number, or nothing where it is only a number badly written."""
    if text.lower() in _NOTHING:
        return "Where nothing could be counted, leave it empty and write assessable no; write 0 where none was there"
    if found := _PLUS_MINUS.fullmatch(text):
        return f"Write {found[1]} and its interval into low and high"
    if found := _BETWEEN.fullmatch(text):
        return f"Write {found[1]} into low, {found[2]} into high, and the likeliest number into value"
    for pattern, comparator in ((_ABOUT, "~="), (_AT_LEAST, ">="), (_AT_MOST, "<=")):
        if found := pattern.fullmatch(text):
            more = "; the number itself is included" if comparator != "~=" else ""
            return f"Write {found[1] or found[2]} into value and {comparator} into comparator{more}"
    return ""


def _as_number(text: str) -> str:
    """How a number that is only written in another way is written here, as far as that can be told."""
    digits = "".join(_digit(each) for each in text)
    if text.lower() in _NOTHING:
        mend = "Leave it empty where it is not known"
    elif found := _SHARE.fullmatch(text):
        mend = f"Write {float(found[1].replace(',', '.')) / 100:g} for {text}"
    elif _DECIMAL_COMMA.fullmatch(text):
        mend = f"Write {text.replace(',', '.')}, with a point before decimals"
    elif _SEPARATED.fullmatch(text):
        mend = "Write digits without separators of thousands, as in 1234, and a point before decimals, as in 1234.5"
    elif _EXPONENT.fullmatch(text):
        mend = f"Write plain digits: {f'{float(text):f}'.rstrip('0').rstrip('.')}"
    elif _NUMBER.fullmatch(digits):
        mend = f"Write plain digits: {digits}"
    elif found := _WITH_WORDS.fullmatch(text):
        mend = f"Write digits alone, {found[1]}: what was counted stands in metric and subject"
    else:
        mend = ""
    return mend


def _digit(each: str) -> str:
    digit = unicodedata.decimal(each, None)
    return each if digit is None else str(digit)
