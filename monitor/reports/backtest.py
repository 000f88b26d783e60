"""A backtest of one series from the database, as a document and in Markdown."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alerts.attribution import Attributions, data_line
from alerts.backtest.fit import (
    CalibrationCheck,
    DetectionPower,
    check_calibration,
    detection_power,
    fit_words,
)
from alerts.backtest.replay import ReplayedLook, replay_series
from alerts.backtest.summary import AlarmRate, BacktestSummary, LabelledEvent, summarise
from alerts.judging.forecast import Expected, series_in
from alerts.judging.knowable import known_at
from alerts.watch import SiteWatch
from alerts.words import digits, local_day, numbered, rounded_number, undated_words
from db.engine import Engine, reading
from db.observations import every_revision
from db.records import Observation, SeriesKey
from monitor.bootstrap import RULES
from monitor.errors import InputError
from monitor.imports.faults import BadCell
from monitor.imports.periods import import_period, parse_time
from monitor.imports.sources import unguarded
from monitor.reports.sources import known_attributions
from monitor.reports.tables import safe_cell

_REPLAYING = 0.7
"""The share of the time that goes into replaying, about; the rest into surges that are planted."""
EPISODE_COLUMNS = ("start", "end", "real", "label", "alarms", "highest", "rules")
_REAL: Mapping[str, bool | None] = {"yes": True, "no": False, "": None}


@dataclass(frozen=True, slots=True)
class Backtest:
    """What the rules would have said of one series, with all that is needed to repeat it."""

    series: SeriesKey
    since: datetime | None
    until: datetime | None
    seed: int
    code: str
    input_sha256: str
    summary: BacktestSummary
    zone: str
    """The site's time zone: its days are those of its calendar."""
    fit: CalibrationCheck
    power: tuple[DetectionPower, ...]
    judged: tuple[ReplayedLook, ...]
    undated: int = 0
    """How many statements have no known date of publication; they are left out where the query says so."""
    dated_only: bool = False
    attribution: tuple[str, ...] = ()
    """Whose counts and baselines were replayed."""

    def document(self) -> dict[str, Any]:
        """Everything but the looks themselves, with the alarms, as plain data."""
        return {
            "series": asdict(self.series),
            "since": self.since,
            "until": self.until,
            "seed": self.seed,
            "code": self.code,
            "input_sha256": self.input_sha256,
            "undated": self.undated,
            "dated_only": self.dated_only,
            "summary": asdict(self.summary),
            "fit": {**asdict(self.fit), "words": fit_words(self.fit)},
            "power": [asdict(each) for each in self.power],
            "alarms": list(self._alarms()),
            "attribution": list(self.attribution),
        }

    def expected(self) -> list[Expected]:
        """What `tail` expected of each look that it could judge."""
        return [
            Expected(each.look, said.details["expected"], said.details["low"], said.details["high"])
            for each in self.judged
            if (said := each.said("tail")) is not None and "expected" in said.details
        ]

    def _alarms(self) -> Iterator[dict[str, Any]]:
        for each in self.judged:
            if each.told:
                yield {
                    "start": each.look.period_start,
                    "value": each.look.value,
                    "told_at": min(each.told.values()),
                    "rules": sorted(each.told),
                    "reasons": [said.reason for said in each.verdicts if said.exceeded],
                }


@dataclass(frozen=True, slots=True)
class BacktestQuery:
    """Which series is tested, over which time and how."""

    metric: str
    subject: str = ""
    area: str = ""
    since: datetime | None = None
    until: datetime | None = None
    events: tuple[LabelledEvent, ...] = ()
    starts: int = 200
    seed: int = 1
    dated_only: bool = False
    """Whether what has no known date of publication is left out."""
    sources: Attributions = field(default_factory=Attributions)
    """How providers are named."""


def run_backtest(
    engine: Engine,
    site: SiteWatch,
    question: BacktestQuery,
    now: datetime,
    progress: Callable[[float], None] = lambda _share: None,
) -> Backtest:
    """Replay the series with most looks; raises InputError where there is none. `progress` is told the share done."""
    with reading(engine) as connection:
        known = known_at(connection, site, question.metric, question.area, now)
        revisions = every_revision(connection, site.site_id, question.area, question.metric)
    undated = sum(each.undated for each in revisions) + sum(each.undated for each in known.declared)
    if question.dated_only:
        revisions = [each for each in revisions if not each.undated]
        known = replace(
            known,
            looks=[each for each in known.looks if not each.undated],
            declared=[each for each in known.declared if not each.undated],
        )
    keys = series_in(known, question.subject)
    if not keys:
        raise InputError(
            f"Nothing is recorded for {question.metric} at {site.name}, so there is no history to replay. “sitewatch "
            "observations import FILE” brings counts in."
        )
    key = keys[0]

    def replayed(share: float) -> None:
        progress(share * _REPLAYING)

    judged = [
        each
        for each in replay_series(revisions, replace(known, scores={}), key, site, RULES, progress=replayed)
        if _within(each, question)
    ]
    looks = [each for each in known.looks if each.series == key]
    return Backtest(
        series=key,
        since=question.since,
        until=question.until,
        seed=question.seed,
        code=version("sitewatch"),
        input_sha256=_digest(revisions),
        summary=summarise(judged, question.events),
        zone=site.timezone,
        fit=check_calibration(judged, question.seed),
        power=tuple(
            detection_power(
                looks,
                judged,
                site.calendar,
                starts=question.starts,
                seed=question.seed,
                progress=lambda share: progress(_REPLAYING + share * (1 - _REPLAYING)),
            )
        ),
        judged=tuple(judged),
        undated=undated,
        dated_only=question.dated_only,
        attribution=tuple(known_attributions(known, [key], question.sources)),
    )


def _within(judged: ReplayedLook, question: BacktestQuery) -> bool:
    at = judged.look.period_start
    return not (question.since and at < question.since) and not (question.until and at >= question.until)


def _digest(revisions: Sequence[Observation]) -> str:
    told = [
        [
            *asdict(each.series).values(),
            each.period_start.isoformat(),
            each.look_key,
            each.revision,
            each.value,
            each.exposure,
        ]
        for each in revisions
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def read_events(path: Path, zone: ZoneInfo) -> tuple[LabelledEvent, ...]:
    """Read labelled events, columns `start`, and where there are any `end`, `label` and `real`; raises InputError.

    Rows with `real` "no" are told beside the episodes that they explain; rows with an empty one are not labelled yet.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    found = [_event(path, line, row, zone) for line, row in enumerate(rows, start=2)]
    return tuple(each for each in found if each is not None)


def _event(path: Path, line: int, row: dict[str, str | None], zone: ZoneInfo) -> LabelledEvent | None:
    said = "yes" if "real" not in row else (row["real"] or "").strip().lower()
    if said not in _REAL:
        raise InputError(f"{path}, line {line}: real is {said!r}. Write yes, no, or nothing.")
    real = _REAL[said]
    if real is None:
        return None
    start = row.get("start") or ""
    try:
        span = import_period(
            parse_time(start, zone), parse_time(row.get("end") or start, zone), "window", zone
        )
    except BadCell as bad:
        raise InputError(f"{path}, line {line}: {bad.problem}. {bad.mend}.") from None
    return LabelledEvent(span.start, span.end, unguarded(row.get("label") or ""), real)


def episodes_csv(found: Backtest) -> str:
    """Every episode with what was said of it, to be labelled in a spreadsheet and read back with `read_events`."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(EPISODE_COLUMNS)
    for each in found.summary.episodes:
        real = next(word for word, value in _REAL.items() if value is each.real)
        highest = "" if each.highest is None else digits(each.highest)
        days = (local_day(each.start, found.zone), local_day(each.end, found.zone))
        table.writerow(map(safe_cell, (*days, real, each.label, each.alarms, highest, " ".join(each.rules))))
    return text.getvalue()


def markdown(found: Backtest) -> str:
    """The backtest as a page of Markdown."""
    return (
        "\n".join(
            [
                *_head(found),
                *_rates(found),
                *_episodes(found),
                *_events(found),
                *_fit(found.fit),
                *_power(found.power),
            ]
        )
        + "\n"
    )


def _head(found: Backtest) -> Iterator[str]:
    key, summary = found.series, found.summary
    what = f"{key.metric}{f' {key.subject}' if key.subject else ''}{f' ({key.area})' if key.area else ''}"
    yield f"# Backtest: {what} at {key.site_id}, counted by {key.procedure}"
    yield ""
    skips = (
        ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in summary.skips.items()) or "none"
    )
    yield (
        f"{numbered(summary.looks, 'look')}, each judged as of the moment when it was knowable; not judged: {skips}. "
        f"{summary.site_years:g} site-years were judged."
    )
    yield ""
    if said := undated_words(found.undated, kept=not found.dated_only):
        yield said
        yield ""
    yield f"sitewatch {found.code}, seed {found.seed}, input {found.input_sha256[:16]}."
    yield ""
    yield data_line(found.attribution)
    yield ""


def _rates(found: Backtest) -> Iterator[str]:
    yield "| rule | judged | alarms | episodes | false | realised a year [95 %] | promised | attainable | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for each in (found.summary.verdict, *found.summary.rules):
        yield _rate_row(each)
    yield ""
    yield "| exposure | looks | judged | alarms |"
    yield "|---|---|---|---|"
    for row in found.summary.by_exposure:
        yield f"| {row['exposure']} | {row['looks']} | {row['judged']} | {row['alarms']} |"
    yield ""


def _episodes(found: Backtest) -> Iterator[str]:
    """Each episode by its dates: those that nobody labelled count as false."""
    if not found.summary.episodes:
        return
    open_ones = sum(each.real is None for each in found.summary.episodes)
    yield (
        f"{numbered(open_ones, 'episode')} without a label {'counts' if open_ones == 1 else 'count'} as false. “--episodes FILE” "
        "writes all of them down, with a column to say which were real; “--events FILE” reads it back."
    )
    yield ""
    yield "| episode | from | to | alarms | highest | rules | real | label |"
    yield "|---|---|---|---|---|---|---|---|"
    for number, each in enumerate(found.summary.episodes, start=1):
        first, last = local_day(each.start, found.zone), local_day(each.end, found.zone)
        highest = "–" if each.highest is None else digits(each.highest)
        real = {True: "yes", False: "no", None: "not labelled"}[each.real]
        label = each.label.replace("|", "\\|") or "–"
        yield f"| {number} | {first} | {last} | {each.alarms} | {highest} | {', '.join(each.rules)} | {real} | {label} |"
    yield ""


def _rate_row(each: AlarmRate) -> str:
    realised = (
        "–"
        if each.realised_a_year is None
        else f"{each.realised_a_year:.2f} [{each.low:.2f}, {each.high:.2f}]"
    )
    attainable = "–" if each.attainable_a_year is None else rounded_number(each.attainable_a_year)
    return (
        f"| {each.rule} | {each.statuses.get('evaluated', 0)} | {each.alarms} | {each.episodes} | "
        f"{each.false_episodes} | {realised} | {rounded_number(each.promised_a_year)} | {attainable} | {each.verdict} |"
    )


def _events(found: Backtest) -> Iterator[str]:
    if not found.summary.events:
        return
    yield "| event | looks | caught | by | after days |"
    yield "|---|---|---|---|---|"
    for each in found.summary.events:
        name = each.event.label or f"{each.event.start:%Y-%m-%d}"
        delay = "–" if each.delay_days is None else f"{each.delay_days:g}"
        yield f"| {name} | {each.looks} | {'yes' if each.caught else 'no'} | {each.by or '–'} | {delay} |"
    yield ""


def _fit(found: CalibrationCheck) -> Iterator[str]:
    if not found.n:
        return
    deciles = ", ".join(map(str, found.deciles))
    yield f"Predictions of `tail` for {numbered(found.n, 'look')}, randomised PIT by deciles: {deciles}. {fit_words(found)}"
    inside = ", ".join(f"{share:.1%} within the {band} band" for band, share in found.coverage.items())
    yield f"Coverage: {inside}."
    yield ""


def _power(found: Sequence[DetectionPower]) -> Iterator[str]:
    if not found:
        return
    yield "| surge | days | starts | caught | at the first look | median delay: looks | days |"
    yield "|---|---|---|---|---|---|---|"
    for each in found:
        looks, days = (
            "–" if value is None else f"{value:g}"
            for value in (each.median_delay_looks, each.median_delay_days)
        )
        yield f"| {each.surge} | {each.days} | {each.starts} | {each.caught:.0%} | {each.at_first_look:.0%} | {looks} | {days} |"
    yield ""
