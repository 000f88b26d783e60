"""How counts, subjects, sources, times and periods are said, in messages, pages and tables alike. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.metrics import metric_named
from db.records import DeclaredBaseline, Observation, Precision
from db.records.counts import remark

QUALIFIERS = {"=": ("", ""), "~=": ("about ", "~"), ">=": ("at least ", "≥"), "<=": ("at most ", "≤")}
"""What is known of a count's exactness: the words before it, and the sign that a chart has room for."""
_CLASSES = {
    "vip_military": "military VIP aircraft",
    "vip": "VIP aircraft",
    "military": "military aircraft",
    "state": "state aircraft",
    "government": "government aircraft",
    "government_kp": "North Korean government aircraft",
    "air_koryo": "Air Koryo aircraft",
    "transport": "heavy transport aircraft",
    "tanker": "tanker aircraft",
    "cargo": "freighters",
    "kinzhal_carrier": "carrier of the Kinzhal system",
    "dark": "ships without a transponder signal",
}
_LENGTHS = (
    (timedelta(days=730), timedelta(days=365.25), "year"),
    (timedelta(days=60), timedelta(days=30.44), "month"),
    (timedelta(days=2), timedelta(days=1), "day"),
    (timedelta(hours=2), timedelta(hours=1), "hour"),
    (timedelta(minutes=2), timedelta(minutes=1), "minute"),
)
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
        return str(int(value))
    if abs(value) >= 1000:  # noqa: PLR2004 - four figures
        return f"{value:.0f}"
    short = f"{value:.4g}"
    return f"{value:.12f}".rstrip("0").rstrip(".") if "e" in short else short


def rounded_number(value: float) -> str:
    """A figure that was reckoned, for a sentence: two significant digits below ten, whole above, never a power of ten."""
    if abs(value) >= 9.95:  # noqa: PLR2004 - two digits
        return f"{value:,.0f}"
    return f"{float(f'{value:.2g}'):.12f}".rstrip("0").rstrip(".")


def times_words(ratio: float) -> str:
    """How many times a number is another, without powers of ten: `3.6 times`, `twice`, `less than a hundredth of`."""
    if ratio < _HUNDREDTH:
        return "less than a hundredth of"
    said = rounded_number(ratio)
    return {"1": "the same as", "2": "twice"}.get(said, f"{said} times")


def numbered(number: float, noun: str, nouns: str = "") -> str:
    """A whole number with its noun: `1 look`, `1,204 looks`."""
    return f"{number:,.0f} {noun if number == 1 else nouns or f'{noun}s'}"


def units(number_of: int, what: str) -> str:
    """What is counted or missing, in the singular for one: `event in two spans`."""
    if number_of != 1:
        return what
    return what.replace("looks", "look").replace("events", "event").replace("days", "day")


def count_words(value: float, qualifier: str = "=", metric: str = "") -> str:
    """A count with its qualifier, and what was counted: `about 73`, `at least 1 railcar`."""
    noun = f" {metric_named(metric).noun(value)}" if metric else ""
    return f"{QUALIFIERS[qualifier][0]}{digits(value)}{noun}"


def count_label(look: Observation) -> str:
    """A count as short as a label in a chart must be: `≥70`."""
    return "" if look.value is None else f"{QUALIFIERS[look.qualifier][1]}{digits(look.value)}"


def look_count(look: Observation) -> str:
    """The count of a look, or that there is none."""
    if look.assessable is False:
        return "not assessable"
    return "no count" if look.value is None else count_words(look.value, look.qualifier)


def placed_words(look: Observation, place: str, zone: str) -> str:
    """A look with where it stands among the earlier ones: `150 railcars on 2025-04-07: between the 73 of …`."""
    count = count_words(look.value or 0.0, look.qualifier, look.series.metric)
    when = when_words(look.period_start, look.period_end, look.precision, zone)
    return f"{capital(count)} {when}: {place}."


def look_status(look: Observation) -> str:
    """What became of a look, and why: counted, none seen, not assessable, no count."""
    if look.assessable is False:
        cloud = look.exposure_parts.get("cloud_fraction")
        why = (
            f"cloud {cloud:.0%}"
            if cloud
            else quoted_note(remark(look.note).rstrip("."), look.publisher, look.via)
        )
        said = f"not assessable: {why}" if why else "not assessable"
    elif look.value is None:
        said = "no count"
    else:
        said = "none seen" if look.value == 0 else "counted"
    running = "" if look.closed else ", period still running"
    return said + running + (", announced" if look.announced else "")


def hidden_by(look: Observation) -> str:
    """What kept a look from being assessable; '' where nobody said."""
    parts = look.exposure_parts
    if "cloud_fraction" in parts or "clear" in parts or "covered" in parts:
        return "outside the picture" if parts.get("covered", 1) < parts.get("clear", 1) else "cloud"
    by_radio = not look.publisher and look.series.procedure.startswith("adsb")
    return "too little radio coverage" if by_radio and look.precision == "day" else ""


def interval_words(low: float | None, high: float | None) -> str:
    """The bounds of a count: `3 to 5`, `from 3`, `up to 5`; '' where none is known."""
    if low is None:
        return "" if high is None else f"up to {digits(high)}"
    return f"from {digits(low)}" if high is None else f"{digits(low)} to {digits(high)}"


def exposure_words(share: float | None) -> str:
    """The share of a period or area that was really observed."""
    return "unknown" if share is None else f"{share:.0%}"


def statement_words(declared: DeclaredBaseline) -> str:
    """What a declared baseline says: `at most 20 railcars`, `no railcars before`."""
    value = "?" if declared.value is None else digits(declared.value)
    many = metric_named(declared.series.metric).many
    match declared.statistic:
        case "max":
            return f"at most {value} {many}"
        case "none_before":
            return f"no {many} before"
        case "last_seen":
            return "last seen then"
    return f"seen in {value} of {declared.n_looks} looks"


def looks_behind(n_looks: int | None) -> str:
    """How many looks stand behind a declared baseline, or that nobody said."""
    return f"{n_looks} {units(n_looks, 'looks')}" if n_looks else "number of looks not published"


def metric_words(metric: str) -> str:
    """A metric as a heading says it."""
    return capital(metric_named(metric).heading)


def rule_words(rule: str) -> str:
    """A rule as a reader would say it: `first ever`."""
    return rule.replace("_", " ")


def subject_phrase(name: str, site_names: Mapping[str, str] | None = None) -> str:
    """A subject as a reader would say it: `military VIP aircraft`, `traffic with Knevichi`."""
    prefix, _, rest = name.partition(":")
    match prefix:
        case "class":
            return _CLASSES.get(rest, rest.replace("_", " "))
        case "type" | "ship" | "train":
            return rest
        case "link":
            return f"traffic with {(site_names or {}).get(rest, rest)}"
        case "operator":
            return f"operator {rest}"
        case "icao24":
            return f"aircraft with ICAO address {rest.upper()}"
    return f"{prefix} {rest}".strip()


def named(publisher: str) -> str:
    """Who says it, or that nobody is named."""
    return publisher or "an unnamed source"


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
    return f"counted by sitewatch ({procedure}){f' from {listed(data_from)}' if data_from else ''}"


def counted_by(look: Observation) -> str:
    """Who counted: the publisher, or the procedure where we counted ourselves."""
    return look.publisher or own_count(look.series.procedure, look.data_from)


def utc(at: datetime) -> str:
    """A moment in UTC: `2023-10-05 09:24 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def utc_seconds(at: datetime) -> str:
    """A moment in UTC to the second, as evidence gives it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def local_day(at: datetime | str, zone: str) -> str:
    """The site's own calendar day."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


def local_time(at: datetime, zone: str) -> str:
    """A moment on the site's own clock: `18:24 on 5 Oct`."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M} on {local.day} {local:%b}"


def undated_words(number: int, *, kept: bool = True) -> str:
    """The sentence about statements whose date of publication nobody knows; '' where there is none."""
    if not number:
        return ""
    have = "1 published statement has" if number == 1 else f"{number} published statements have"
    if not kept:
        return (
            f"{have} no known date of publication, and was left out."
            if number == 1
            else (f"{have} no known date of publication, and were left out.")
        )
    return (
        f"{have} no known date of publication: each is taken as known from the end of its period, the earliest "
        "possible, and may have been known later."
    )


def known_words(said: str, *, undated: bool) -> str:
    """When something was knowable, as said, or that this is only the earliest."""
    return f"not known, at the earliest {said}" if undated else said


def known_since(at: datetime, zone: str) -> str:
    """When something was knowable; a publication is dated by its day, which is stored as that day's first moment."""
    local = at.astimezone(ZoneInfo(zone))
    midnight = any((each.hour, each.minute, each.second) == (0, 0, 0) for each in (at, local))
    return f"{(at if at.hour == 0 else local):%Y-%m-%d}" if midnight else utc(at)


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
    first, last = (each.astimezone(ZoneInfo(zone)) for each in (start, max(start, end - _MICROSECOND)))
    if precision == "month" and month_names:
        return _months(first, last)
    form = "%Y-%m" if precision == "month" else "%Y-%m-%d"
    if precision in {"minute", "hour"} or (
        precision == "window" and first.date() == last.date() and end - start < _SHORTEST_DAY
    ):
        if not site_clock:
            return _times(start, end, precision)
        form = "%Y-%m-%d %H h" if precision == "hour" else "%Y-%m-%d %H:%M"
    begins, ends = f"{first:{form}}", f"{last:{form}}"
    return begins if begins == ends else f"{begins} to {ends}"


def _months(first: datetime, last: datetime) -> str:
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%B %Y}"
    return f"{first:%B} to {last:%B %Y}" if first.year == last.year else f"{first:%B %Y} to {last:%B %Y}"


def _times(start: datetime, end: datetime, precision: Precision) -> str:
    begins, ends = utc(start), utc(max(start, end - _MICROSECOND))
    within = timedelta(hours=1) if precision == "hour" else timedelta(minutes=1)
    return begins if end - start <= within else f"{begins.removesuffix(' UTC')} to {ends}"


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
    said = period_words(start, end, precision, zone, month_names=True)
    if " to " in said:
        return f"from {said}"
    if precision == "month":
        return f"in {said}"
    day, _, time = said.partition(" ")
    return f"on {day} at {time}" if time else f"on {day}"


def duration(length: timedelta) -> str:
    """A length of time in the largest unit that says enough: `3 days`."""
    for least, unit, name in _LENGTHS:
        if length >= least:
            return f"{length / unit:.0f} {name}s"
    minutes = max(0, round(length / timedelta(minutes=1)))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def measured_duration(length: timedelta) -> str:
    """A length of time that was measured: minutes, hours with their tenths, then days."""
    hours = length.total_seconds() / 3600
    if hours < _HOURS_FROM:
        minutes = round(hours * 60)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    if hours < _WHOLE_HOURS_FROM:
        return f"{hours:.1f} hours"
    return f"{hours:.0f} hours" if hours < _DAYS_FROM else f"{hours / 24:.0f} days"


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says enough: `3 minutes ago`."""
    return f"{duration(now - at)} ago" if now - at >= timedelta(minutes=1) else "just now"


def every(seconds: int) -> str:
    """A cadence in the largest unit that divides it: `minute`, `6 hours`, `90 seconds`."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return unit if seconds == size else f"{seconds // size} {unit}s"
    return "second" if seconds == 1 else f"{seconds} seconds"


def listed(parts: Sequence[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def capital(text: str) -> str:
    """Begin with a capital letter, leaving the rest alone."""
    return text[:1].upper() + text[1:]
