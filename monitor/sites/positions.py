"""A place as people write it: degrees, minutes and seconds, MGRS, a link of a map service. Nothing is asked of anybody. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import mgrs
from mgrs.core import MGRSError
from pyproj import Transformer

_HIGHEST_LAT, _HIGHEST_LON = 90.0, 180.0
_LONGEST = 4_000
_SIXTY = 60.0
_HALF_SQUARE = "50000"
_DIGITS_AT_ONE_METRE = 10


class PlaceError(ValueError):
    """A text is meant as a place and cannot be taken as one; the text says why and what to write."""


@dataclass(frozen=True, slots=True)
class WrittenPlace:
    """Where a text says that a place is, in degrees; `how` names how it was written, with what is uncertain of it."""

    lat: float
    lon: float
    how: str


def place_in(text: str) -> WrittenPlace | None:
    """The place that a text or a link says, or None where it is none; raises PlaceError where it is open which."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if re.match(r"(https?|geo):", text, re.IGNORECASE):
        return _of_link(text)
    if (found := _of_mgrs(text) or _of_utm(text)) is not None:
        return found
    if _PLUS_CODE.fullmatch(text):
        raise PlaceError(
            f"“{text}” looks like a Plus Code. Write degrees (the map service that gave it shows both)."
        )
    return _of_degrees(text)


# --- degrees ------------------------------------------------------------------------------------------------------

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("′’‘´`ʹ′＇", "'"),
        **dict.fromkeys("″”“„ʺ″＂", '"'),
        **dict.fromkeys("º˚ᵒ∘", "°"),
        **dict.fromkeys("−–—‒", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f\u200a\t\r\n", " "),
    }
)
_WORDS = (
    (r"северн\w*", "N"),
    (r"южн\w*", "S"),
    (r"восточн\w*", "E"),
    (r"западн\w*", "W"),
    (r"\b(latitude|longitude|lat|lon|long|lng|breite|länge)\b\.?\s*[:=]?|(широт|долгот)\w*\s*[:=]?", " "),
    (r"с\.?\s*ш\.?", "N"),
    (r"ю\.?\s*ш\.?", "S"),
    (r"в\.?\s*д\.?", "E"),
    (r"з\.?\s*д\.?", "W"),
    (r"\b(north|nord|norte)\b", "N"),
    (r"\b(south|süd|sud|sur)\b", "S"),
    (r"\b(east|ost|est|este)\b", "E"),
    (r"\b(west|ouest|oeste)\b", "W"),
    (r"(?<![^\W\d_])(degrees?|deg|grad)\b\.?", "°"),
    (r"(?<![^\W\d_])(minutes?|min)\b\.?", "'"),
    (r"(?<![^\W\d_])(seconds?|sec)\b\.?", '"'),
    ("''", '"'),
)
_NUMBER = r"\d{1,3}(?:\.\d+)?"
_HALF = re.compile(
    rf"\s*(?P<before>[NSEW])?\s*(?P<sign>[+-])?\s*(?P<degrees>{_NUMBER})\s*[°:]?"
    rf"(?:\s*(?P<minutes>\d{{1,2}}(?:\.\d+)?)\s*[':]?(?:\s*(?P<seconds>\d{{1,2}}(?:\.\d+)?)\s*\"?)?)?"
    rf"\s*(?P<after>[NSEW])?\s*"
)
_COMPACT = re.compile(
    r"(?P<a>\d{4}(?:\d{2})?(?:\.\d+)?)\s*(?P<ns>[NS])[\s,/]*(?P<b>\d{5}(?:\d{2})?(?:\.\d+)?)\s*(?P<ew>[EW])",
    re.IGNORECASE,
)
_LOOKS_LIKE_ONE = re.compile(r"[\d\s.,;:+\-/|°'\"()\[\]NSEWO]+", re.IGNORECASE)
_PLUS_CODE = re.compile(r"[23456789CFGHJMPQRVWX]{4,8}\+[23456789CFGHJMPQRVWX]{2,}(?:[ ,].*)?", re.IGNORECASE)


def _of_degrees(text: str) -> WrittenPlace | None:
    plain = unicodedata.normalize("NFC", text).translate(_SIGNS)
    for pattern, letter in _WORDS:
        plain = re.sub(pattern, letter, plain, flags=re.IGNORECASE)
    if re.search(r"\d\s*d\s*\d", plain, re.IGNORECASE):
        for letter, mark in (("d", "°"), ("m", "'"), ("s", '"')):
            plain = re.sub(rf"(?<=\d){letter}", mark, plain, flags=re.IGNORECASE)
    if _LOOKS_LIKE_ONE.fullmatch(plain) is None:
        return None
    plain = plain.strip().strip("()[]").strip()
    if re.search(r"[\d\"'°]\s*O\b|\bO\s*\d", plain, re.IGNORECASE):
        raise PlaceError(
            f"{text} has an O, which is east in German and west in French and Spanish. Write E or W."
        )
    plain = plain.upper()
    if (compact := _COMPACT.fullmatch(plain)) is not None:
        return _of_compact(compact, text)
    found = {place: None for halves in _halves(plain) if (place := _pair(*halves, text)) is not None}
    if len(found) > 1:
        raise PlaceError(
            f"{text} can be read in {len(found)} ways. Write decimal degrees with points, as in 39.2241, 125.67."
        )
    if not found and len(re.findall(r"\d+(?:\.\d+)?", plain)) > 1:
        raise PlaceError(
            f"“{text}” looks like a place and is none: latitudes lie within ±90, longitudes within ±180, minutes and seconds "
            "below 60. Write it as in 39.2241, 125.67 or 39°13'27\"N 125°40'12\"E."
        )
    return next(iter(found), None)


def _halves(plain: str) -> Iterator[tuple[str, str]]:
    """Every way in which a text falls into two coordinates: at a mark between, at a letter, or in the middle."""
    texts = [plain]
    if re.search(r"\d,\d", plain) and "." not in plain:
        # Where points stand the comma separates; else it may be a decimal comma.
        texts.append(re.sub(r"(?<=\d),(?=\d)", ".", plain))
        parts = plain.split(",")
        if len(parts) == 4 and all(part.strip().lstrip("+-").isdigit() for part in parts):  # noqa: PLR2004
            texts = [f"{parts[0]}.{parts[1]};{parts[2]}.{parts[3]}"]
        elif len(parts) == 4 and all(parts):  # noqa: PLR2004 - as in 39,22°N, 125,67°E
            texts = [re.sub(r"(?<=\d),(?=\d)", ".", plain)]
    for each in texts:
        one = re.split(r"\s*[;|/]\s*|\s*,\s+|\s+,\s*|,", each)
        if len(one) == 2:  # noqa: PLR2004
            yield one[0], one[1]
            continue
        if len(one) > 2:  # noqa: PLR2004
            continue
        spaced = re.sub(r"(?<=\d)-(?=\d)", " ", each) if re.search(r"[NSEW]", each) else each
        if lettered := re.fullmatch(r"(.*?\d.*?[NSEW])(.*\d.*[NSEW])", spaced) or re.fullmatch(
            r"([NSEW].*?\d.*?)([NSEW].*)", spaced
        ):
            yield lettered[1], lettered[2]
            continue
        words = re.findall(rf"[+-]?{_NUMBER}[°'\":]?", spaced)
        if len(words) in {2, 4, 6} and "".join(words) == spaced.replace(" ", ""):
            half = len(words) // 2
            yield " ".join(words[:half]), " ".join(words[half:])


def _pair(one: str, other: str, text: str) -> WrittenPlace | None:
    read = [_coordinate(each) for each in (one, other)]
    if read[0] is None or read[1] is None:
        return None
    (first, first_axis, exact), (second, second_axis, _) = read[0], read[1]
    if first_axis and first_axis == second_axis:
        raise PlaceError(
            f"{text} says {'latitude' if first_axis == 'lat' else 'longitude'} twice. Write one of each."
        )
    if first_axis == "lon" or second_axis == "lat":
        first, second = second, first
    if (
        not (first_axis or second_axis)
        and _HIGHEST_LAT < abs(first) <= _HIGHEST_LON
        and abs(second) <= _HIGHEST_LAT
    ):
        raise PlaceError(
            f"{text}: a latitude of {first:g} does not exist, so latitude and longitude look swapped. "
            f"If {second:g}, {first:g} is meant, write that: latitude comes first."
        )
    return _sound(first, second, "degrees" if exact else "degrees and minutes")


def _coordinate(text: str) -> tuple[float, str, bool] | None:
    """One coordinate in degrees, which it is where a letter says so, and whether it was written in decimals."""
    found = _HALF.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        return None
    letter = found["before"] or found["after"] or ""
    if letter and found["sign"]:
        return None
    minutes, seconds = (float(found[key] or 0) for key in ("minutes", "seconds"))
    fraction_above = (found["minutes"] and "." in found["degrees"]) or (
        found["seconds"] and "." in found["minutes"]
    )
    if minutes >= _SIXTY or seconds >= _SIXTY or fraction_above:
        return None
    value = float(found["degrees"]) + minutes / 60 + seconds / 3600
    negative = found["sign"] == "-" or letter in {"S", "W"}
    axis = {"N": "lat", "S": "lat", "E": "lon", "W": "lon"}.get(letter, "")
    return (-value if negative else value), axis, not found["minutes"]


def _of_compact(found: re.Match[str], text: str) -> WrittenPlace:
    """As charts and notices to airmen have it: 391327N1254012E."""
    lat, lon = (_compact(found[key], width) for key, width in (("a", 2), ("b", 3)))
    if lat is None or lon is None:
        raise PlaceError(f"{text} has minutes or seconds of 60 or more. Look at the digits.")
    south, west = found["ns"].upper() == "S", found["ew"].upper() == "W"
    place = _sound(-lat if south else lat, -lon if west else lon, "degrees and minutes")
    if place is None:
        raise PlaceError(f"{text} is beyond ±90° or ±180°. Look at the digits.")
    return place


def _compact(digits: str, width: int) -> float | None:
    whole, _, fraction = digits.partition(".")
    parts = [whole[:width], whole[width : width + 2], whole[width + 2 :]]
    values = [float(part) for part in parts if part]
    values[-1] += float(f"0.{fraction or 0}")
    if any(value >= _SIXTY for value in values[1:]):
        return None
    return sum((value / 60.0**power for power, value in enumerate(values)), 0.0)


def _sound(lat: float, lon: float, how: str) -> WrittenPlace | None:
    if abs(lat) > _HIGHEST_LAT or abs(lon) > _HIGHEST_LON:
        return None
    return WrittenPlace(round(lat, 7), round(lon, 7), how)


# --- MGRS ---------------------------------------------------------------------------------------------------------

_MGRS = re.compile(
    r"(?P<zone>\d{1,2}\s*[C-HJ-NP-X]|[ABYZ])\s*(?P<square>[A-HJ-NP-Z]{2})\s*(?P<digits>(?:\d[\d\s]*)?)",
    re.IGNORECASE,
)


def _of_mgrs(text: str) -> WrittenPlace | None:
    found = _MGRS.fullmatch(re.sub(r"^mgrs:?\s*", "", text, flags=re.IGNORECASE))
    # Without a digit, or without a zone, too many words would be one.
    if found is None or not found["digits"].strip() or not found["zone"][0].isdigit():
        return None
    groups = found["digits"].split()
    digits = "".join(groups)
    uneven = len(digits) % 2 or (len(groups) == 2 and len(groups[0]) != len(groups[1]))  # noqa: PLR2004
    if uneven or len(digits) > _DIGITS_AT_ONE_METRE:
        raise PlaceError(
            f"“{text}” looks like MGRS, but easting and northing need the same number of digits, one to five."
        )
    half = len(digits) // 2
    # The library gives the south-western corner of the square that is named: half a square on lies its middle.
    middle = "".join((part + _HALF_SQUARE)[:5] for part in (digits[:half], digits[half:]))
    code = f"{''.join(found['zone'].split())}{found['square']}{middle}".upper()
    try:
        lat, lon = mgrs.MGRS().toLatLon(code)
    except MGRSError:
        raise PlaceError(
            f"“{text}” looks like MGRS, but there is no such square. Look at its zone and letters."
        ) from None
    metres = 10 ** (5 - half)
    how = "MGRS" if metres == 1 else f"MGRS, the middle of a square of {metres:,} m"
    return WrittenPlace(round(lat, 6), round(lon, 6), how)


_UTM = re.compile(
    r"(?P<zone>\d{1,2})\s*(?P<band>[C-HJ-NP-X])[\s,]+(?P<east>\d{6}(?:\.\d+)?)\s*(?:m\s*)?E?[\s,]+"
    r"(?P<north>\d{1,8}(?:\.\d+)?)\s*(?:m\s*)?N?",
    re.IGNORECASE,
)
_ZONES = 60


def _of_utm(text: str) -> WrittenPlace | None:
    found = _UTM.fullmatch(text)
    if found is None or not 1 <= int(found["zone"]) <= _ZONES:
        return None
    band = found["band"].upper()
    if band == "S":
        raise PlaceError(
            f"“{text}” looks like UTM, and S may be the southern half of the earth or the band from 32° to 40° north. "
            "Write degrees or MGRS."
        )
    half = "+south" if band < "N" else ""
    turn = Transformer.from_crs(
        f"+proj=utm +zone={int(found['zone'])} {half} +datum=WGS84", "EPSG:4326", always_xy=True
    )
    lon, lat = turn.transform(float(found["east"]), float(found["north"]))
    return _sound(lat, lon, "UTM") if abs(lat) <= _HIGHEST_LAT else None


# --- links --------------------------------------------------------------------------------------------------------

_PAIR = rf"([+-]?{_NUMBER})\s*(?:,|~|%2C|\s)\s*([+-]?{_NUMBER})"
_PIN = re.compile(rf"!3d([+-]?{_NUMBER})!4d([+-]?{_NUMBER})")
_EMBEDDED = re.compile(rf"!2d([+-]?{_NUMBER})!3d([+-]?{_NUMBER})")
_AT = re.compile(rf"@([+-]?{_NUMBER}),([+-]?{_NUMBER})")
_MAP = re.compile(rf"(?:^|[#&?/=])(\d{{1,2}}(?:\.\d+)?)z?/([+-]?{_NUMBER})/([+-]?{_NUMBER})(?:/|$|&)")
_CENTRED = re.compile(rf"centerx:([+-]?{_NUMBER})/centery:([+-]?{_NUMBER})")
_BEHIND_SLASH = re.compile(rf"[/#]([+-]?{_NUMBER}),([+-]?{_NUMBER})(?:[,/?#]|$)")
_GEOHACK = re.compile(r"(\d+(?:\.\d+)?)_(?:(\d+(?:\.\d+)?)_)?(?:(\d+(?:\.\d+)?)_)?([NSEW])")
# Each with the groups that are latitude and longitude.
_IN_TEXT = ((_CENTRED, 2, 1), (_MAP, 2, 3), (_BEHIND_SLASH, 1, 2), (_AT, 1, 2), (_EMBEDDED, 2, 1))
_LON_FIRST = ("yandex.", "2gis.")
_SHORT = (
    "maps.app.goo.gl",
    "goo.gl",
    "g.co",
    "bit.ly",
    "t.co",
    "binged.it",
    "apple.co",
    "tinyurl.com",
    "naver.me",
)
_NAMED = (("mlat", "mlon"), ("lat", "lon"), ("lat", "lng"), ("lat", "long"), ("latitude", "longitude"))
_PIN_KEYS = (
    *("q", "query", "daddr", "destination", "coordinate", "marker", "pt", "whatshere[point]", "viewpoint"),
    *("ll", "center", "cp", "cbll", "sll", "loc", "at", "view", "map", "m"),
)


def _of_link(text: str) -> WrittenPlace:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        raise PlaceError("This link cannot be read. Write the degrees instead.") from None
    if parts.scheme.lower() == "geo":
        found = re.match(rf"([+-]?{_NUMBER}),([+-]?{_NUMBER})", parts.path)
        pairs = [(float(found[1]), float(found[2]))] if found else []
    else:
        values = dict(_values(parts.query) | _values(parts.fragment.rpartition("?")[2]))
        pairs = list(_in_link(unquote(text), values, lon_first=_is_of(host, _LON_FIRST)))
    for lat, lon in pairs:
        place = _sound(lat, lon, "a link")
        if place is not None:
            return place
    if host in _SHORT or host.endswith(".goo.gl") or parts.path.startswith(("/go/", "/maps/-/")):
        raise PlaceError(
            "This short link holds no coordinates. Open it and copy the address that it leads to, or the coordinates."
        )
    if host.endswith("what3words.com") or host == "w3w.co":
        raise PlaceError("what3words gives words instead of coordinates. Write the degrees instead.")
    raise PlaceError("This link holds no coordinates that are known here. Write the degrees instead.")


def _is_of(host: str, marks: tuple[str, ...]) -> bool:
    """Whether a host belongs to one of these services, in whatever country."""
    return any(host.startswith(mark) or f".{mark}" in host for mark in marks)


def _values(query: str) -> dict[str, str]:
    return {key.lower(): value for key, value in parse_qsl(query, max_num_fields=200)}


def _in_link(text: str, values: Mapping[str, str], *, lon_first: bool) -> Iterator[tuple[float, float]]:
    """Every place in a link, what was chosen before where the map was looking."""
    yield from ((float(found[1]), float(found[2])) for found in _PIN.finditer(text))
    yield from _in_values(values, lon_first=lon_first)
    for written in (*values.values(), *text.split("/")):
        # Services put a pin into the address as they show it.
        if "°" in written and (place := _written_out(written)) is not None:
            yield place.lat, place.lon
    for pattern, lat, lon in _IN_TEXT:
        yield from ((float(found[lat]), float(found[lon])) for found in pattern.finditer(text))


def _written_out(text: str) -> WrittenPlace | None:
    try:
        return _of_degrees(text.replace("+", " "))
    except PlaceError:
        return None


def _in_values(values: Mapping[str, str], *, lon_first: bool) -> Iterator[tuple[float, float]]:
    for keys in _NAMED:
        given = [values.get(key, "").strip() for key in keys]
        if all(re.fullmatch(rf"[+-]?{_NUMBER}", each) for each in given):
            yield float(given[0]), float(given[1])
    for key in _PIN_KEYS:
        if (found := re.match(rf"(?:loc:)?{_PAIR}", values.get(key, ""))) is not None:
            one, other = float(found[1]), float(found[2])
            yield (other, one) if lon_first else (one, other)
    hacked = _GEOHACK.findall(values.get("params", ""))
    halves = ["{}° {} {} {}".format(*each) for each in hacked[:2]]
    if len(halves) > 1 and (place := _pair(halves[0], halves[1], "This link")):
        yield place.lat, place.lon
