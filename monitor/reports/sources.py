"""Whose data an answer rests on, read from the database where the records themselves do not say: visits and sites."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from alerts.attribution import TIME_ZONES, Attributions, each_once
from alerts.judging.verdicts import KnownHistory
from db.aircraft import sources_of
from db.engine import Connection
from db.observations import looks
from db.polls import providers_of
from db.records import Evidence, SeriesKey, Visit
from monitor.feeds import Provider
from monitor.sites import Site


def polls_behind(evidence: Iterable[Evidence]) -> set[int]:
    """The ids of the polls that something rests on."""
    return {int(each.ref) for each in evidence if each.kind == "poll" and each.ref.isdecimal()}


def visit_attributions(
    connection: Connection, visits: Sequence[Visit], attributions: Attributions
) -> dict[str, list[str]]:
    """Whose reports each visit rests on, and which registers may have completed it, by visit id."""
    behind = {each.visit_id: polls_behind(each.evidence) for each in visits}
    providers = providers_of(connection, {poll for some in behind.values() for poll in some})
    registers = sources_of(connection, {each.icao24 for each in visits})
    found: dict[str, list[str]] = {}
    for each in visits:
        heard = {providers[poll] for poll in behind[each.visit_id] if poll in providers}
        named = each.registration or each.type_code
        completed = registers.get(each.icao24, ()) if named else ()
        # Its polls may be forgotten by now: the words of the evidence name the provider as well.
        told = " ".join(item.text for item in each.evidence)
        heard |= {name for name in attributions.providers if f"({name})" in told}
        found[each.visit_id] = each_once(
            ["visits inferred by sitewatch from position reports", *attributions.heard(heard, completed)]
        )
    return found


def newest_attributions(connection: Connection, site_id: str, attributions: Attributions) -> Iterator[str]:
    """Whose counts there are of a site: of each series the newest."""
    newest = {each.series: each for each in looks(connection, site_id=site_id)}
    for each in newest.values():
        yield from attributions.look(each)


def known_attributions(
    known: KnownHistory, keys: Collection[SeriesKey], attributions: Attributions
) -> list[str]:
    """Whose counts of these series, and whose declared baselines, a judgement rests on."""
    return each_once(
        [
            *(said for each in known.looks if each.series in keys for said in attributions.look(each)),
            *(said for each in known.declared for said in attributions.statement(each)),
        ]
    )


def site_attributions(site: Site) -> Iterator[str]:
    """Who says where a site is and which clock it has."""
    if site.source:
        yield f"outline of {site.name}: {site.source}"
    yield TIME_ZONES


def provider_attributions(
    providers: Iterable[Provider], attributions: Attributions, now: datetime
) -> Iterator[str]:
    """Everybody who is asked: whose answers say what can be seen and heard."""
    for each in providers:
        yield attributions.provider(each.name, now)
