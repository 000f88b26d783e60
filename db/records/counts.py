"""Looks with their counts, what others stated of them, and the registry of changes."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Self

from db.records.base import SEEN_FROM_ABOVE, Evidence, JsonMapping, SeriesKey

SeriesKind = Literal["flow", "stock"]
Measure = Literal["count", "continuous"]
Precision = Literal["minute", "hour", "day", "month", "window"]
Qualifier = Literal["=", "~=", ">=", "<="]
Statistic = Literal["max", "none_before", "last_seen", "share"]
LARGEST_COUNT = 1e6
"""More than a million in one look is a defect of the source, not a count."""
UNDATED = "The date of publication is not known: it was known at the earliest when the period had ended."
"""What the remark of a statement ends with whose publisher gave no date, so that it goes wherever the remark goes."""


def remark(text: str, *, undated: bool = False) -> str:
    """A remark that says whether the date of publication is unknown, whatever it said before."""
    plain = text.removesuffix(UNDATED).rstrip()
    return f"{plain} {UNDATED}".lstrip() if undated else plain


@dataclass(frozen=True, slots=True)
class MetricMeaning:
    """What a metric meant when its looks were stored: with another unit they would be other numbers."""

    name: str
    measure: Measure
    kind: SeriesKind
    unit: str
    one: str
    many: str
    heading: str

    def same_numbers(self, other: Self) -> bool:
        """Whether numbers of the one are numbers of the other; words may differ."""
        return (self.measure, self.kind, self.unit) == (other.measure, other.kind, other.unit)


@dataclass(frozen=True, slots=True, order=True)
class ObservationKey:
    """The natural key of one revision of one look."""

    series: SeriesKey
    period_start: datetime
    look_key: str
    revision: int


@dataclass(frozen=True, slots=True)
class Observation:
    """One revision of one look's count; `value` None means not observed, never zero.

    `exposure` is the share of the period or area really observed (None: unknown, not 1). `result_time`
    is when the count was knowable. `closed` is False while a running period may still change.
    `written_start` and `written_end` are the first and last day, or the times in UTC, as an import gave them
    ('' where nobody wrote any); `zone` is whose days they are, '' the site's.
    """

    series: SeriesKey
    kind: SeriesKind
    period_start: datetime
    period_end: datetime
    look_key: str
    value: float | None
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    precision: Precision = "day"
    low: float | None = None
    high: float | None = None
    qualifier: Qualifier = "="
    assessable: bool | None = None
    exposure: float | None = None
    exposure_parts: JsonMapping = field(default_factory=dict)
    detectability: float | None = None
    closed: bool = True
    publisher: str = ""
    origin: str = ""
    via: str = ""
    certainty: str = ""
    announced: bool = False
    evidence: tuple[Evidence, ...] = ()
    note: str = ""
    written_start: str = ""
    written_end: str = ""
    zone: str = ""

    @property
    def key(self) -> ObservationKey:
        """The natural key that evaluations and alert events refer to."""
        return ObservationKey(self.series, self.period_start, self.look_key, self.revision)

    @property
    def data_from(self) -> tuple[str, ...]:
        """Whose data the count rests on: its publisher, or the providers that watched where we counted ourselves."""
        return (self.publisher,) if self.publisher else tuple(filter(None, self.origin.split(", ")))

    @property
    def undated(self) -> bool:
        """Whether nobody knows when its publisher said so: `result_time` is then the earliest."""
        return self.note.endswith(UNDATED)

    @property
    def usable(self) -> bool:
        """Whether this look says anything: a count is there and the look was assessable."""
        return self.value is not None and self.assessable is not False

    def same_finding(self, other: Self) -> bool:
        """Whether the other revision says the same, so that none is owed (DESIGN §6)."""
        return (
            self.value == other.value
            and self.low == other.low
            and self.high == other.high
            and self.qualifier == other.qualifier
            and self.assessable == other.assessable
            and self.closed == other.closed
            and self.announced == other.announced
            # Cloud over a tile of 110 km, and later over the site itself.
            and self.exposure_parts.get("cloud_of") == other.exposure_parts.get("cloud_of")
            and self.seen_from_above == other.seen_from_above
        )

    @property
    def seen_from_above(self) -> tuple[str, ...]:
        """What pictures say of the inferred visits in it."""
        return tuple(each.text for each in self.evidence if each.kind == SEEN_FROM_ABOVE)

    def revised(self, revision: int) -> Self:
        """The same look under another revision number."""
        return replace(self, revision=revision)


@dataclass(frozen=True, slots=True)
class DeclaredBaseline:
    """A published statistic about the past, with its citation; `n_looks` None means not published."""

    key: str
    series: SeriesKey
    statistic: Statistic
    value: float | None
    window_start: datetime
    window_end: datetime
    precision: Precision
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    n_looks: int | None = None
    publisher: str = ""
    via: str = ""
    url: str = ""
    certainty: str = ""
    note: str = ""
    written_start: str = ""
    written_end: str = ""
    zone: str = ""

    @property
    def undated(self) -> bool:
        """Whether nobody knows when its publisher said so: `result_time` is then the earliest."""
        return self.note.endswith(UNDATED)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed at a site ('' = everywhere): it breaks a baseline, excludes a period or is a note.

    The period runs from `starts_at` up to, not including, `ends_at` (None: still so).
    """

    key: str
    site_id: str
    what: str
    effect: str
    starts_at: datetime
    ends_at: datetime | None
    note: str

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether a period lies at least partly within it."""
        return start < (self.ends_at or datetime.max.replace(tzinfo=start.tzinfo)) and end > self.starts_at


@dataclass(frozen=True, slots=True)
class Note:
    """A dated remark about a site that carries no count."""

    key: str
    site_id: str
    metric: str
    subject: str
    starts_at: datetime
    ends_at: datetime
    precision: Precision
    result_time: datetime
    recorded_at: datetime
    revision: int = 1
    area: str = ""
    publisher: str = ""
    via: str = ""
    url: str = ""
    certainty: str = ""
    announced: bool = False
    text: str = ""
    written_start: str = ""
    written_end: str = ""
    zone: str = ""

    @property
    def undated(self) -> bool:
        """Whether nobody knows when its publisher said so: `result_time` is then the earliest."""
        return self.text.endswith(UNDATED)
