"""Reading a GeoJSON file that may be broken or hostile: size, depth, numbers and texts, before any meaning."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.sites.faults import SitesError, SitesFault, Spot, printable_value
from monitor.sites.recognise import other_format

MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 48
MAX_DIGITS = 300
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
# PostgreSQL's JSON cannot hold NUL, UTF-8 cannot hold half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE_TEXT = re.compile(r"\\u0000|[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as read, with the SHA-256 of its bytes."""

    source: str
    value: dict[str, Any]
    digest: str


def read_bytes(
    path: Path, missing: str = "Make it with `sitewatch sites add`, or set SITEWATCH_SITES_FILE"
) -> bytes:
    """Read a file of at most MAX_BYTES or raise SitesError; `missing` says what to do where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refusal(path, "the file does not exist", missing) from None
    except IsADirectoryError:
        raise _refusal(path, "it is a folder", "Name the file in it") from None
    except OSError as error:
        raise _refusal(
            path,
            f"the file cannot be read: {error.strerror}",
            "Give the user that runs sitewatch the right to read it",
        ) from None
    if len(data) > MAX_BYTES:
        limit = MAX_BYTES // (1024 * 1024)
        raise _refusal(
            path,
            f"the file is larger than {limit} MiB",
            "Simplify the outlines or split off what is not a site",
        )
    return data


def parse_json_object(source: str | Path, data: bytes) -> Document:
    """Turn bytes into a JSON object whose numbers are finite and whose texts can be stored, or raise SitesError."""
    if (named := _other_format(data)) is not None:
        raise _refusal(source, *named)
    _check_depth(source, data)
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise _refusal(source, f"byte {error.start} is not UTF-8", "Save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _refusal(source, f"it is not JSON: {error.msg} at {where}", "Mend that line") from None
    except _RepeatedKeyError as error:
        raise _refusal(source, f"the key {error} stands twice in one object", "Keep one of them") from None
    if not isinstance(value, dict):
        raise _refusal(source, "it is not a GeoJSON object", 'Begin with {"type": "FeatureCollection", …}')
    return Document(str(source), value, hashlib.sha256(data).hexdigest())


def _refusal(source: str | Path, problem: str, mend: str) -> SitesError:
    return SitesError(str(source), [SitesFault("the file", "", problem, mend)])


def _other_format(data: bytes) -> tuple[str, str] | None:
    # Most files are what they should be: only what does not begin as JSON, or holds many objects, is looked at.
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n\x1e")
    if text.startswith(b"{") and b"\n{" not in text:
        return None
    return other_format(text)


def _check_depth(source: str | Path, data: bytes) -> None:
    # Counted on the bytes: the parser itself fails with RecursionError on 100,000 brackets.
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", data)):
        depth += 1 if bracket.group() in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _refusal(
                source, f"it is nested deeper than {MAX_DEPTH} levels", "GeoJSON needs about twelve"
            )


class _RepeatedKeyError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise _RepeatedKeyError(printable_value(key))
        value[key] = item
    return value


def _integer(digits: str) -> int | float:
    # Longer integers cost quadratic time and fit no float; `check_leaves` refuses infinity with its place.
    return int(digits) if len(digits) <= MAX_DIGITS else math.inf


def check_leaves(spot: Spot, value: dict[str, Any]) -> None:
    """Note every number that is not finite and every text that no database could hold."""
    # A file can hold a million numbers: the encoder looks at them faster than we could.
    with suppress(ValueError):
        if not _UNSTORABLE_TEXT.search(json.dumps(value, allow_nan=False, ensure_ascii=False)):
            return
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        keys, item = waiting.pop()
        children = list(item.items()) if isinstance(item, dict) else list(enumerate(item))
        for key, child in children:
            if isinstance(child, dict | list):
                waiting.append(((*keys, key), child))
            else:
                _check_leaf(spot, (*keys, key), child)
            if isinstance(key, str):
                _check_leaf(spot, (*keys, key), key)


def _check_leaf(spot: Spot, keys: tuple[str | int, ...], item: Any) -> None:
    if isinstance(item, float) and not math.isfinite(item):
        spot.at(*keys).fault(
            "the number is not finite (NaN, infinity or too large)", "Give an ordinary number"
        )
    elif isinstance(item, str) and _UNSTORABLE.search(item):
        spot.at(*keys).fault("the text holds a character that cannot be stored", "Remove it")


def page_words(document: Any) -> list[str]:
    """A sentence where a GeoJSON document is one page of a server's longer answer, else none.

    OGC API Features and STAC say so by `numberMatched` or a link `next`, GeoServer by `totalFeatures`, ArcGIS by
    `exceededTransferLimit`.
    """
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        return []
    matched = [document.get(key) for key in ("numberMatched", "totalFeatures")]
    in_all = max((each for each in matched if isinstance(each, int)), default=0)
    if in_all > len(features):
        held = f"{len(features)} of the {in_all} features that the server has"
    elif leads_on(document):
        held = f"only a part ({len(features)}) of the features, and the server has more"
    else:
        return []
    return [
        f"The file holds {held}: it is one page of an answer. Ask for more at once (limit=), or take every page."
    ]


def leads_on(document: Mapping[str, Any]) -> bool:
    """Whether a GeoJSON document says that its server has more: by a link `next`, or ArcGIS's `exceededTransferLimit`."""
    links, inside = document.get("links"), document.get("properties")
    followed = (
        any(isinstance(each, dict) and each.get("rel") == "next" for each in links)
        if isinstance(links, list)
        else False
    )
    exceeded = inside.get("exceededTransferLimit") if isinstance(inside, dict) else None
    return followed or document.get("exceededTransferLimit") is True or exceeded is True
