"""One look, declared baseline or visit as a table shows it: words, sources and links, ready to print. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from alerts.channels.safe_text import safe_url
from alerts.words import (
    capital,
    counted_by,
    exposure_words,
    interval_words,
    look_count,
    look_period,
    looks_behind,
    named,
    numbered,
    quoted_note,
    source_words,
    statement_words,
    subject_phrase,
    window_words,
)
from db.records import Alert, DeclaredBaseline, Evaluation, Evidence, Observation, ObservationKey, Visit
from db.said import Made, Said, chained, phrase, phrase_as
from monitor.flights import words as telling
from monitor.web.charts.marks import LookKey, look_key
from monitor.web.views.verdict_words import reasons, verdict_phrase


@dataclass(frozen=True, slots=True)
class SourceLink:
    """Where a number comes from: a name, and a link where there is one."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class LookRow:
    """One look."""

    when: str
    at: datetime
    subject: str
    count: str
    interval: str
    exposure: str
    source: SourceLink
    links: tuple[SourceLink, ...]
    procedure: str
    certainty: str
    published: datetime
    undated: bool
    revision: int
    announced: bool
    usable: bool
    note: str
    verdict: str
    reasons: tuple[str, ...]
    alert_id: str | None


@dataclass(frozen=True, slots=True)
class DeclaredRow:
    """One declared baseline."""

    statistic: str
    says: str
    subject: str
    window: str
    looks: str
    source: SourceLink
    via: str
    certainty: str
    note: str


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit."""

    visit: Visit
    aircraft: str
    state: str
    confidence: str
    subjects: str
    evidence: tuple[SourceLink, ...]
    """What each step rests on, with a link to the poll where it is one."""
    page: str = ""
    """The path of the aircraft's page, which is not public; '' where it has none."""


@dataclass(frozen=True, slots=True)
class RowContext:
    """What rows are made with: the site's zone and names, the verdicts by revision, and which looks alerts name."""

    zone: str
    site_names: Mapping[str, str]
    evaluations: Mapping[ObservationKey, Sequence[Evaluation]]
    alert_of: Mapping[LookKey, str]
    placed: Mapping[ObservationKey, str] = field(default_factory=dict)
    """Where counts stand among earlier ones, as sentences."""


def look_row(look: Observation, context: RowContext) -> LookRow:
    """One look in words."""
    said = context.evaluations.get(look.key, ())
    links = tuple(_links(look.evidence, look.publisher))
    return LookRow(
        when=look_period(look, context.zone),
        at=look.period_start,
        subject=subject_words(look.series.subject, context.site_names),
        count=look_count(look),
        interval=interval_words(look.low, look.high),
        exposure=exposure_words(look.exposure),
        source=SourceLink(
            source_words(look.publisher, look.via) or counted_by(look), links[0].url if links else None
        ),
        links=links,
        procedure=look.series.procedure,
        certainty=look.certainty,
        published=look.result_time,
        undated=look.undated,
        revision=look.revision,
        announced=look.announced,
        usable=look.usable,
        note=quoted_note(look.note, look.publisher, look.via),
        verdict=verdict_phrase(said),
        reasons=(*reasons(said), *filter(None, [context.placed.get(look.key)])),
        alert_id=context.alert_of.get(look_key(look)),
    )


def runs_of(newest_first: Iterable[Observation]) -> Iterator[list[Observation]]:
    """Each look with a count by itself; between two of them, those without one together by who or what and how."""
    for usable, some in groupby(newest_first, key=lambda each: each.usable):
        if usable:
            yield from ([each] for each in some)
            continue
        alike: dict[object, list[Observation]] = {}
        for each in some:
            alike.setdefault((each.series, each.assessable, each.publisher), []).append(each)
        yield from alike.values()


def run_row(run: Sequence[Observation], context: RowContext) -> LookRow:
    """One look, or several without a count in one row: from the first to the last of them."""
    row = look_row(run[0], context)
    if len(run) == 1:
        return row
    oldest = look_row(run[-1], context)
    return replace(
        row,
        when=phrase("{begins} to {ends}", begins=_ends_of(oldest.when)[0], ends=_ends_of(row.when)[1]),
        interval=numbered(len(run), "look"),
        at=run[-1].period_start,
    )


def declared_row(each: DeclaredBaseline, context: RowContext) -> DeclaredRow:
    """One declared baseline in words."""
    return DeclaredRow(
        statistic=each.statistic,
        says=statement_words(each),
        subject=subject_words(each.series.subject, context.site_names),
        window=window_words(each, context.zone),
        # Behind the day of a last sighting stands one look.
        looks="" if each.statistic == "last_seen" else looks_behind(each.n_looks),
        source=SourceLink(named(each.publisher), safe_url(each.url)),
        via=each.via,
        certainty=each.certainty,
        note=quoted_note(each.note, named(each.publisher), each.via),
    )


def visit_row(visit: Visit, site_names: Mapping[str, str], *, named: bool = False) -> VisitRow:
    """One visit in words; `named` where its aircraft has a page."""
    known = (visit.type_code, visit.registration, visit.callsign)
    told = [each for each in known if each]
    return VisitRow(
        visit=visit,
        aircraft=chained(", ", told)
        if told
        else phrase("ICAO address {address}", address=visit.icao24.upper()),
        state=telling.visit_state_words(visit),
        confidence=telling.confidence_words(visit),
        subjects=chained(", ", [subject_words(each, site_names) for each in visit.subjects]),
        evidence=tuple(
            SourceLink(each.text, evidence_page(each) or None) for each in visit.evidence if each.text
        ),
        page=f"/aircraft/{visit.icao24}" if named else "",
    )


def evidence_page(each: Evidence) -> str:
    """The path of our own page that shows a piece of evidence; '' where there is none."""
    return f"/polls/{each.ref}" if each.kind == "poll" and each.ref.isdecimal() else ""


def subject_words(name: str, site_names: Mapping[str, str]) -> str:
    """A subject in words; '' is all of them."""
    return capital(subject_phrase(name, site_names)) if name else phrase_as("subjects", "All")


def alerted_looks(alerts: Iterable[Alert]) -> dict[LookKey, str]:
    """Which alert names which look; what was withdrawn names none, for the count that it named no longer stands."""
    return {
        (
            entry["subject"],
            entry["procedure"],
            datetime.fromisoformat(entry["period_start"]),
            entry["look_key"],
        ): each.id
        for each in alerts
        if each.status != "withdrawn"
        for entry in each.details.get("entries", ())
    }


def _links(evidence: Iterable[Evidence], publisher: str) -> Iterator[SourceLink]:
    for each in evidence:
        url = safe_url(each.ref) if each.kind in {"url", "scene"} else None
        if url:
            yield SourceLink(each.text or publisher or "Source", url)


def _ends_of(when: str) -> tuple[str, str]:
    """Where a period that was said begins and ends."""
    match when.made if isinstance(when, Said) else None:
        case ["say", "{begins} to {ends}", {"begins": begins, "ends": ends}]:
            first, last = when.split(" to ")
            return _part(first, begins), _part(last, ends)
    return when, when


def _part(english: str, made: Made | str) -> str:
    return made if isinstance(made, str) else Said(english, made)
