"""Which default series can be judged now, and how many looks the others lack: for `status` and the page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from alerts.baselines.budget import BUDGETED_RULES
from alerts.judging.forecast import FOUND_WORDS, SeriesBaseline, series_baseline, series_in
from alerts.judging.knowable import histories_at, known_at
from alerts.rules.contract import Rule
from alerts.watch import SiteWatch
from alerts.words import numbered, rule_words
from db.engine import Connection
from db.records import SeriesKey
from db.said import chained, phrase


@dataclass(frozen=True, slots=True)
class Judgeability:
    """One default series: a metric of a site's watch, counted for the whole site and all subjects together."""

    site_id: str
    metric: str
    procedure: str
    """'' where nobody has counted yet."""
    looks: int
    usable: int
    judgeable: bool
    missing: int
    """Usable looks that are lacking before any rule that expects a number can judge."""
    rules: Mapping[str, int]
    """What each rule under the promise lacks; 0 where it can judge."""
    words: str


def judgeability(
    connection: Connection, watches: Mapping[str, SiteWatch], rules: Mapping[str, Rule], now: datetime
) -> list[Judgeability]:
    """Say of every default series of these sites whether it can be judged now."""
    return [each for site in watches.values() for each in _site(connection, site, rules, now)]


def _site(
    connection: Connection, site: SiteWatch, rules: Mapping[str, Rule], now: datetime
) -> Iterator[Judgeability]:
    histories = histories_at(connection, site.site_id, now)
    for metric, watch in site.metrics.items():
        if not watch.rules.keys() & BUDGETED_RULES or not watch.covers(""):
            continue
        known = known_at(connection, site, metric, "", now, histories=histories)
        keys = series_in(known, "") or [SeriesKey(site.site_id, "", metric, "", "")]
        for key in keys:
            yield _judgeability(series_baseline(key, known, site, rules))


def _judgeability(found: SeriesBaseline) -> Judgeability:
    missing = {each.rule: each.missing for each in found.rules if each.rule in BUDGETED_RULES}
    return Judgeability(
        site_id=found.series.site_id,
        metric=found.series.metric,
        procedure=found.series.procedure,
        looks=found.looks,
        usable=found.usable,
        judgeable=found.judgeable,
        missing=found.missing,
        rules=missing,
        words=judgeability_words(found),
    )


def judgeability_words(found: SeriesBaseline) -> str:
    """Say it in a few words: `can be judged`, or what is lacking."""
    if found.judgeable:
        waiting = [
            phrase("{rule} needs {missing} more", rule=rule_words(each.rule), missing=each.missing)
            for each in found.rules
            if each.missing
        ]
        if found.finds is not None:
            waiting.append(phrase("{what} is found within about two months", what=FOUND_WORDS[found.finds]))
        return (
            phrase("can be judged; {waiting}", waiting=chained(", ", waiting))
            if waiting
            else phrase("can be judged")
        )
    if not found.usable:
        return phrase(
            "cannot be judged yet: nobody has counted; needs {looks}",
            looks=numbered(found.missing, "usable look"),
        )
    return phrase("cannot be judged yet: needs {looks}", looks=numbered(found.missing, "more usable look"))
