"""How counts, subjects, sources, times and periods are said, in messages, pages and tables alike. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from alerts.metrics import metric_named
from db.records import DeclaredBaseline, Observation, Precision
from db.records.counts import remark
from db.said import (
    MomentForm,
    Said,
    capitalised,
    chained,
    grouped,
    listing,
    moment,
    numeral,
    percent,
    phrase,
    phrase_as,
    phrase_n,
)

QUALIFIERS = {
    "=": ("", ""),
    "~=": (phrase("about"), "~"),
    ">=": (phrase("at least"), "≥"),
    "<=": (phrase("at most"), "≤"),
}
"""What is known of a count's exactness: in words, and as the sign that a chart has room for."""
_CLASSES = {
    "vip_military": phrase("military VIP aircraft"),
    "vip": phrase("VIP aircraft"),
    "military": phrase("military aircraft"),
    "state": phrase("state aircraft"),
    "government": phrase("government aircraft"),
    "government_kp": phrase("North Korean government aircraft"),
    "air_koryo": phrase("Air Koryo aircraft"),
    "transport": phrase("heavy transport aircraft"),
    "tanker": phrase("tanker aircraft"),
    "cargo": phrase("freighters"),
    "kinzhal_carrier": phrase("carrier of the Kinzhal system"),
    "dark": phrase("ships without a transponder signal"),
}
_LENGTHS = (
    (timedelta(days=730), timedelta(days=365.25), "year"),
    (timedelta(days=60), timedelta(days=30.44), "month"),
    (timedelta(days=2), timedelta(days=1), "day"),
    (timedelta(hours=2), timedelta(hours=1), "hour"),
)
_RULES = {
    "absence": phrase("absence"),
    "ears_c1": phrase("ears c1"),
    "ears_c2": phrase("ears c2"),
    "ears_c3": phrase("ears c3"),
    "farrington": phrase("farrington"),
    "first_ever": phrase("first ever"),
    "first_since": phrase("first since"),
    "rate_change": phrase("rate change"),
    "record": phrase("record"),
    "several": phrase("several"),
    "step": phrase("step"),
    "tail": phrase("tail"),
    "watchlist": phrase("watchlist"),
}
_HUNDREDTH = 0.01
_HOURS_FROM = 1.5
_WHOLE_HOURS_FROM = 10.0
_DAYS_FROM = 96.0
_MICROSECOND = timedelta(microseconds=1)
# The shortest day is the one on which clocks go forward.
_SHORTEST_DAY = timedelta(hours=23)


def digits(value: float) -> str:
    """A number as it was counted or measured: whole ones in all their digits, others to four figures, no powers of ten."""
    if float(value).is_integer():
        return numeral(str(int(value)))
    if abs(value) >= 1000:  # noqa: PLR2004 - four figures
        return numeral(f"{value:.0f}")
    short = f"{value:.4g}"
    return numeral(f"{value:.12f}".rstrip("0").rstrip(".") if "e" in short else short)


def rounded_number(value: float) -> str:
    """A figure that was reckoned, for a sentence: two significant digits below ten, whole above, never a power of ten."""
    if abs(value) >= 9.95:  # noqa: PLR2004 - two digits
        return grouped(value)
    return numeral(f"{float(f'{value:.2g}'):.12f}".rstrip("0").rstrip("."))


def times_words(ratio: float) -> str:
    """How many times a number is another, without powers of ten: `3.6 times`, `twice`, `less than a hundredth of`."""
    if ratio < _HUNDREDTH:
        return phrase("less than a hundredth of")
    said = rounded_number(ratio)
    match str(said):
        case "1":
            return phrase("the same as")
        case "2":
            return phrase("twice")
    return phrase("{ratio} times", ratio=said)


def numbered(number: float, noun: str, nouns: str = "") -> str:
    """A whole number with its noun, which stands here as it is: `1 look`, `1,204 looks`."""
    # What extracts messages knows this function, and makes the same of its nouns.
    return phrase_n(f"{{n}} {noun}", f"{{n}} {nouns or f'{noun}s'}", number)


def count_words(value: float, qualifier: str = "=", metric: str = "") -> str:
    """A count with its qualifier, and what was counted: `about 73`, `at least 1 railcar`."""
    number = digits(value)
    counted = (
        phrase("{number} {noun}", number=number, noun=metric_named(metric).noun(value)) if metric else number
    )
    match qualifier:
        case "~=":
            return phrase("about {count}", count=counted)
        case ">=":
            return phrase("at least {count}", count=counted)
        case "<=":
            return phrase("at most {count}", count=counted)
    return counted


def count_label(look: Observation) -> str:
    """A count as short as a label in a chart must be: `≥70`."""
    return "" if look.value is None else chained("", [QUALIFIERS[look.qualifier][1], digits(look.value)])


def look_count(look: Observation) -> str:
    """The count of a look, or that there is none."""
    if look.assessable is False:
        return phrase("not assessable")
    return phrase("no count") if look.value is None else count_words(look.value, look.qualifier)


def placed_words(look: Observation, place: str, zone: str) -> str:
    """A look with where it stands among the earlier ones: `150 railcars on 2025-04-07: between the 73 of …`."""
    count = count_words(look.value or 0.0, look.qualifier, look.series.metric)
    when = when_words(look.period_start, look.period_end, look.precision, zone)
    return phrase("{count} {when}: {place}.", count=capital(count), when=when, place=place)


def look_status(look: Observation) -> str:
    """What became of a look, and why: counted, none seen, not assessable, no count."""
    if look.assessable is False:
        cloud = look.exposure_parts.get("cloud_fraction")
        why = (
            phrase("cloud {share}", share=percent(cloud))
            if cloud
            else quoted_note(remark(look.note).rstrip("."), look.publisher, look.via)
        )
        said = phrase("not assessable: {why}", why=why) if why else phrase("not assessable")
    elif look.value is None:
        said = phrase("no count")
    else:
        said = phrase("none seen") if look.value == 0 else phrase("counted")
    running = [] if look.closed else [phrase("period still running")]
    return chained(", ", [said, *running, *([phrase("announced")] if look.announced else [])])


def hidden_by(look: Observation) -> str:
    """What kept a look from being assessable; '' where nobody said."""
    parts = look.exposure_parts
    if "cloud_fraction" in parts or "clear" in parts or "covered" in parts:
        return (
            phrase("outside the picture")
            if parts.get("covered", 1) < parts.get("clear", 1)
            else phrase("cloud")
        )
    by_radio = not look.publisher and look.series.procedure.startswith("adsb")
    return phrase("too little radio coverage") if by_radio and look.precision == "day" else ""


def interval_words(low: float | None, high: float | None) -> str:
    """The bounds of a count: `3 to 5`, `from 3`, `up to 5`; '' where none is known."""
    if low is None:
        return "" if high is None else phrase("up to {high}", high=digits(high))
    return (
        phrase("from {low}", low=digits(low))
        if high is None
        else phrase("{low} to {high}", low=digits(low), high=digits(high))
    )


def exposure_words(share: float | None) -> str:
    """The share of a period or area that was really observed."""
    return phrase("unknown") if share is None else percent(share)


def statement_words(declared: DeclaredBaseline) -> str:
    """What a declared baseline says: `at most 20 railcars`, `no railcars before`."""
    value = "?" if declared.value is None else digits(declared.value)
    many = metric_named(declared.series.metric).many
    match declared.statistic:
        case "max":
            return phrase("at most {value} {many}", value=value, many=many)
        case "none_before":
            return phrase("no {many} before", many=many)
        case "last_seen":
            return phrase("last seen then")
    return phrase("seen in {value} of {looks}", value=value, looks=numbered(declared.n_looks or 0, "look"))


def looks_behind(n_looks: int | None) -> str:
    """How many looks stand behind a declared baseline, or that nobody said."""
    return numbered(n_looks, "look") if n_looks else phrase("number of looks not published")


def metric_words(metric: str) -> str:
    """A metric as a heading says it."""
    return capital(metric_named(metric).heading)


def within_sentence(text: str) -> str:
    """A heading inside a sentence: in small letters where the language writes its nouns so."""
    return Said(text.lower(), text.made) if isinstance(text, Said) else text.lower()


def rule_words(rule: str) -> str:
    """A rule as a reader would say it: `first ever`."""
    return _RULES.get(rule, rule.replace("_", " "))


def subject_phrase(name: str, site_names: Mapping[str, str] | None = None) -> str:
    """A subject as a reader would say it: `military VIP aircraft`, `traffic with Knevichi`."""
    prefix, _, rest = name.partition(":")
    match prefix:
        case "class":
            return _CLASSES.get(rest, rest.replace("_", " "))
        case "type" | "ship" | "train":
            return rest
        case "link":
            return phrase("traffic with {site}", site=(site_names or {}).get(rest, rest))
        case "operator":
            return phrase("operator {name}", name=rest)
        case "icao24":
            return phrase("aircraft with ICAO address {address}", address=rest.upper())
    return f"{prefix} {rest}".strip()


def named(publisher: str) -> str:
    """Who says it, or that nobody is named."""
    return publisher or phrase("an unnamed source")


def source_words(publisher: str, via: str) -> str:
    """Who says it, and who retold it; '' where nobody is named."""
    return f"{publisher} (via {via})" if publisher and via else publisher or via


def quoted_note(note: str, publisher: str, via: str = "") -> str:
    """A remark as it may be passed on: under its source's name and in quotation marks, for the words are theirs.

    What has no source is our own and stays as it is; what is quoted already is not quoted again.
    """
    source = source_words(publisher, via)
    lead, plain = f"{source}: ", remark(note)
    if not plain or not source or _quoted_words(plain, lead) is not None:
        return note
    # Marks that the note does not use itself, so that its words can be read back as they were.
    marks = next((each for each in _QUOTATION_MARKS if not set(each) & set(plain)), _QUOTATION_MARKS[0])
    # That nobody dated it is our own remark.
    return remark(f"{lead}{marks[0]}{plain}{marks[1]}", undated=note != plain)


def unquoted_note(text: str, publisher: str, via: str = "") -> str:
    """The words of a source as `quoted_note` was given them."""
    plain = remark(text)
    words = _quoted_words(plain, f"{source_words(publisher, via)}: ")
    return text if words is None else remark(words, undated=text != plain)


_QUOTATION_MARKS = ("“”", "«»", "‹›")


def _quoted_words(text: str, lead: str) -> str | None:
    words = text.removeprefix(lead)
    marked = text.startswith(lead) and (words[:1] + words[-1:]) in _QUOTATION_MARKS
    return words[1:-1] if marked else None


def own_count(procedure: str, data_from: Sequence[str]) -> str:
    """Who counted where no publisher did, and from whose data."""
    if data_from:
        return phrase(
            "counted by sitewatch ({procedure}) from {sources}",
            procedure=procedure,
            sources=listed(data_from),
        )
    return phrase("counted by sitewatch ({procedure})", procedure=procedure)


def counted_by(look: Observation) -> str:
    """Who counted: the publisher, or the procedure where we counted ourselves."""
    return look.publisher or own_count(look.series.procedure, look.data_from)


def utc(at: datetime) -> str:
    """A moment in UTC: `2023-10-05 09:24 UTC`."""
    return phrase("{time} UTC", time=moment(f"{at.astimezone(UTC):%Y-%m-%d %H:%M}", at, "UTC", "minute"))


def utc_seconds(at: datetime) -> str:
    """A moment in UTC to the second, as evidence gives it."""
    return phrase("{time} UTC", time=moment(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", at, "UTC", "second"))


def local_day(at: datetime | str, zone: str) -> str:
    """The site's own calendar day."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment(f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d}", instant, zone, "day")


def month_words(at: datetime, zone: str) -> str:
    """The site's own calendar month, with its name: `June 2019`."""
    return moment(f"{at.astimezone(ZoneInfo(zone)):%B %Y}", at, zone, "month")


def local_time(at: datetime, zone: str) -> str:
    """A moment on the site's own clock: `18:24 on 5 Oct`."""
    local = at.astimezone(ZoneInfo(zone))
    return moment(f"{local:%H:%M} on {local.day} {local:%b}", at, zone, "clock_day")


def undated_words(number: int, *, kept: bool = True) -> str:
    """The sentence about statements whose date of publication nobody knows; '' where there is none."""
    if not number:
        return ""
    if not kept:
        return phrase_n(
            "1 published statement has no known date of publication, and was left out.",
            "{n} published statements have no known date of publication, and were left out.",
            number,
        )
    return phrase_n(
        "1 published statement has no known date of publication: each is taken as known from the end of its period, the earliest "
        "possible, and may have been known later.",
        "{n} published statements have no known date of publication: each is taken as known from the end of its period, the earliest "
        "possible, and may have been known later.",
        number,
    )


def known_words(said: str, *, undated: bool) -> str:
    """When something was knowable, as said, or that this is only the earliest."""
    return phrase("not known, at the earliest {said}", said=said) if undated else said


def known_since(at: datetime, zone: str) -> str:
    """When something was knowable; a publication is dated by its day, which is stored as that day's first moment."""
    local = at.astimezone(ZoneInfo(zone))
    midnight = any((each.hour, each.minute, each.second) == (0, 0, 0) for each in (at, local))
    return local_day(at, "UTC" if at.astimezone(UTC).hour == 0 else zone) if midnight else utc(at)


def period_words(
    start: datetime,
    end: datetime,
    precision: Precision,
    zone: str,
    *,
    month_names: bool = False,
    site_clock: bool = False,
) -> str:
    """When it was, no finer than the source said: months, days of the site's calendar, or times in UTC.

    Sentences may have `month_names`: `June to July 2019`. With `site_clock` times are the site's own and do not
    name their zone: for a table that does.
    """
    return _spanned(_period(start, end, precision, zone, month_names=month_names, site_clock=site_clock))


class _Span(NamedTuple):
    """Two texts of times; the second is '' where one says all."""

    begins: str
    ends: str


def _spanned(span: _Span) -> str:
    return phrase("{begins} to {ends}", begins=span.begins, ends=span.ends) if span.ends else span.begins


def _period(
    start: datetime, end: datetime, precision: Precision, zone: str, *, month_names: bool, site_clock: bool
) -> _Span:
    final = max(start, end - _MICROSECOND)
    first, last = (each.astimezone(ZoneInfo(zone)) for each in (start, final))
    if precision == "month" and month_names:
        return _months(start, final, zone)
    form, sort = (
        ("%Y-%m", "month") if precision == "month" else ("%Y-%m-%d", "short_day" if site_clock else "day")
    )
    if precision in {"minute", "hour"} or (
        precision == "window" and first.date() == last.date() and end - start < _SHORTEST_DAY
    ):
        if not site_clock:
            return _times(start, end, precision)
        form, sort = ("%Y-%m-%d %H h", "hour") if precision == "hour" else ("%Y-%m-%d %H:%M", "minute")
    begins, ends = (moment(f"{each:{form}}", each, zone, cast(MomentForm, sort)) for each in (first, last))
    return _Span(begins, "" if begins == ends else ends)


def _months(start: datetime, final: datetime, zone: str) -> _Span:
    first, last = (each.astimezone(ZoneInfo(zone)) for each in (start, final))
    if (first.year, first.month) == (last.year, last.month):
        return _Span(month_words(start, zone), "")
    same_year = first.year == last.year
    begins = moment(f"{first:%B}", start, zone, "month_name") if same_year else month_words(start, zone)
    return _Span(begins, month_words(final, zone))


def _times(start: datetime, end: datetime, precision: Precision) -> _Span:
    final = max(start, end - _MICROSECOND)
    within = timedelta(hours=1) if precision == "hour" else timedelta(minutes=1)
    if end - start <= within:
        return _Span(utc(start), "")
    return _Span(moment(f"{start.astimezone(UTC):%Y-%m-%d %H:%M}", start, "UTC", "minute"), utc(final))


def look_period(look: Observation, zone: str) -> str:
    """When a look was."""
    return period_words(look.period_start, look.period_end, look.precision, zone)


def window_words(declared: DeclaredBaseline, zone: str, *, month_names: bool = False) -> str:
    """Which time a declared baseline is about."""
    return period_words(
        declared.window_start, declared.window_end, declared.precision, zone, month_names=month_names
    )


def when_words(start: datetime, end: datetime, precision: Precision, zone: str) -> str:
    """A period with the word that a sentence needs: `on 2023-10-05`, `on 2023-10-05 at 01:24 UTC`, `in June 2019`."""
    span = _period(start, end, precision, zone, month_names=True, site_clock=False)
    if span.ends and precision == "month":
        return phrase("from {begins} to {ends}", begins=span.begins, ends=span.ends)
    if span.ends:
        return phrase_as("days", "from {begins} to {ends}", begins=span.begins, ends=span.ends)
    if precision == "month":
        return phrase("in {month}", month=span.begins)
    if precision in {"day", "window"} and " " not in span.begins:
        return phrase("on {day}", day=span.begins)
    at = start.astimezone(UTC)
    return phrase(
        "on {day} at {time} UTC", day=moment(f"{at:%Y-%m-%d}", start, "UTC", "day"), time=f"{at:%H:%M}"
    )


def duration(length: timedelta) -> str:
    """A length of time in the largest unit that says enough: `3 days`."""
    for least, unit, name in _LENGTHS:
        if length >= least:
            return _length(round(length / unit), name)
    return _length(max(0, round(length / timedelta(minutes=1))), "minute")


def _length(number: int, unit: str) -> str:
    match unit:
        case "year":
            return numbered(number, "year")
        case "month":
            return numbered(number, "month")
        case "day":
            return numbered(number, "day")
        case "hour":
            return numbered(number, "hour")
    return numbered(number, "minute")


def measured_duration(length: timedelta) -> str:
    """A length of time that was measured: minutes, hours with their tenths, then days."""
    hours = length.total_seconds() / 3600
    if hours < _HOURS_FROM:
        return numbered(round(hours * 60), "minute")
    if hours < _WHOLE_HOURS_FROM:
        return phrase("{number} hours", number=numeral(f"{hours:.1f}"))
    return numbered(round(hours), "hour") if hours < _DAYS_FROM else _days(round(hours / 24))


def _days(number: int) -> str:
    """Days in all their digits, as what is measured has them."""
    return phrase_n("{n} day", "{n} days", number, n=digits(number))


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says enough: `3 minutes ago`."""
    length = now - at
    if length < timedelta(minutes=1):
        return phrase("just now")
    for least, unit, name in _LENGTHS:
        if length >= least:
            return _long_ago(round(length / unit), name)
    return _long_ago(round(length / timedelta(minutes=1)), "minute")


def _long_ago(number: int, unit: str) -> str:
    match unit:
        case "year":
            return phrase_n("{n} year ago", "{n} years ago", number)
        case "month":
            return phrase_n("{n} month ago", "{n} months ago", number)
        case "day":
            return phrase_n("{n} day ago", "{n} days ago", number)
        case "hour":
            return phrase_n("{n} hour ago", "{n} hours ago", number)
    return phrase_n("{n} minute ago", "{n} minutes ago", number)


def every(seconds: int) -> str:
    """A cadence in the largest unit that divides it: `minute`, `6 hours`, `90 seconds`."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return _EVERY[unit] if seconds == size else _length(seconds // size, unit)
    return _EVERY["second"] if seconds == 1 else numbered(seconds, "second")


_EVERY = {
    "day": phrase_as("every", "day"),
    "hour": phrase_as("every", "hour"),
    "minute": phrase_as("every", "minute"),
    "second": phrase_as("every", "second"),
}


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    return listing(parts)


def capital(text: str) -> str:
    """Begin with a capital letter, leaving the rest alone."""
    return capitalised(text)
