"""What makes two rows the same look: who says it, about what, and for which period as written. Pure.

Spelling, the zone of a site and the number of a row in its file are no part of that.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from db.records import DeclaredBaseline, Note, Observation, SeriesKey
from db.spelling import folded, spelled

_ROW_NUMBER = re.compile(r"[#-]?\s*\d+(?:\.0*)?")
_OF_A_PERIOD = re.compile(r"import-[0-9a-f]{16}")
_OF_A_SCENE = re.compile(r"scene-[0-9a-f]{16}")

Name = tuple[str, ...]
LookIdentity = tuple[SeriesKey, Name, tuple[str, ...]]


def is_name(row_id: str) -> bool:
    """Whether an id can name a look: a bare number is the place of a row in somebody's export."""
    return bool(row_id) and not _ROW_NUMBER.fullmatch(row_id)


def source_of(publisher: str, url: str) -> str:
    """Who said it first; retellers and addresses are left out, so that a retelling is the same look."""
    return publisher or (urlsplit(url).hostname or "").removeprefix("www.")


@lru_cache(1024)
def series_like(key: SeriesKey) -> SeriesKey:
    """What a series has in common with those that are only written in another way."""
    return SeriesKey(key.site_id, spelled(key.area), key.metric, spelled(key.subject), folded(key.procedure))


def look_name(look: Observation) -> Name:
    """What an imported look is called by its source: an id, a scene, or its period."""
    source = _source(look)
    own_id = look.look_key.removeprefix(f"{source}/") if source else look.look_key
    if _OF_A_SCENE.fullmatch(look.look_key):
        scene = next((each.ref for each in look.evidence if each.kind == "scene"), "")
        return ("scene", folded(source), spelled(scene))
    if _OF_A_PERIOD.fullmatch(look.look_key) or not is_name(spelled(own_id)):
        return ("period", folded(source))
    return ("id", folded(source), spelled(own_id))


def look_identities(look: Observation, days: tuple[str, str]) -> Iterator[LookIdentity]:
    """The identity of a look by its period as written, then by its days, by which older databases know it."""
    name = look_name(look)
    for first, last in ((look.written_start, look.written_end), days):
        # An id and a scene stay what they are where an end is corrected.
        period = (first, last, look.precision) if name[0] == "period" else (first,)
        yield series_like(look.series), name, period


def about_the_same(look: Observation) -> tuple[object, ...]:
    """What two looks share that count the same for one source, whatever they are called."""
    series = series_like(look.series)
    what = (series.site_id, series.area, series.metric, series.subject, folded(_source(look)))
    return *what, look.written_start, look.written_end, look.precision


def statement_identity(each: DeclaredBaseline | Note) -> tuple[object, ...]:
    """The identity of a declared baseline or a note that has no id."""
    if isinstance(each, Note):
        key = SeriesKey(each.site_id, each.area, each.metric, each.subject, "")
        says = "trend" if "/trend/" in each.key else "note"
    else:
        key, says = each.series, each.statistic
    source = folded(source_of(each.publisher, each.url))
    return series_like(key), says, source, each.written_start, each.written_end, each.precision


def _source(look: Observation) -> str:
    url = next((each.ref for each in look.evidence if each.kind == "url"), "")
    return source_of(look.publisher, url)
