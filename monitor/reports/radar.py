"""How far radar of the sites is read, what that costs of what a month allows, and what it lacks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from alerts.words import listed, utc
from db.engine import Connection
from db.imagery import scenes
from db.radar import passes_by_orbit, radar_admissions, units_of
from monitor.derive.radar import RADAR_LOOK_BACK, STATISTICS_COLLECTIONS
from monitor.feeds import Provider
from monitor.feeds.options import list_option
from monitor.feeds.sentinel_hub import SentinelHubStatistics
from monitor.imagery.radar_passes import NO_DAY_ALONE, day_alone, radar_passes
from monitor.sites import Site

_KEY_ADVICE = (
    "an account at the Copernicus Data Space is free, and its client_id and client_secret go into credentials in "
    "[providers.{name}] (docs/imagery.md)"
)


def radar_sentences(
    connection: Connection,
    providers: Sequence[Provider],
    sources: Mapping[str, SentinelHubStatistics],
    sites: Sequence[Site],
    now: datetime,
) -> Iterator[str]:
    """Say what is asked, what it has cost and what is lacking; a missing key is said, and is no zero."""
    able = [each for each in providers if set(list_option(each, "collections")) & set(STATISTICS_COLLECTIONS)]
    if not able:
        return
    for source in sources.values():
        yield _spent_words(connection, source, now)
    if not sources:
        name = next((each.name for each in able if each.enabled), able[0].name)
        off = "" if any(each.enabled for each in able) else ", with enabled = true"
        yield f"Radar through cloud is not read, for it needs a key: {_KEY_ADVICE.format(name=name)}{off}."
        return
    kept = passes_by_orbit(connection)
    yield from (
        f"{site.name}: radar of {listed([f'{number} passes from orbit {orbit}' for orbit, number in sorted(kept[site.id].items())])} "
        f"is kept; {_judged_words(connection, site)}."
        for site in sites
        if site.id in kept
    )
    yield from _unusable(connection, sites, now)


def _judged_words(connection: Connection, site: Site) -> str:
    decided = radar_admissions(connection, site.id)
    if not decided:
        return "no measure can be told yet"
    judged = sum(each.admitted for each in decided)
    return f"{judged} of {len(decided)} measures may be judged"


def _spent_words(connection: Connection, source: SentinelHubStatistics, now: datetime) -> str:
    spent = units_of(connection, source.provider.name, f"{now:%Y-%m}")
    said = (
        f"{source.provider.name}: {spent.units:,.1f} of {source.units_a_month:,.0f} processing units and {spent.requests:,} of "
        f"{source.requests_a_month:,.0f} requests of this month (UTC) are used."
    )
    if spent.not_before is not None and spent.not_before > now:
        said += f" It is left alone until {utc(spent.not_before)}: {spent.words}"
    return said


def _unusable(connection: Connection, sites: Sequence[Site], now: datetime) -> Iterator[str]:
    for site in sites:
        known = scenes(connection, site_id=site.id, since=now - RADAR_LOOK_BACK, until=now)
        passes, refused = radar_passes(known, STATISTICS_COLLECTIONS)
        for each in passes:
            if day_alone(each, passes) is None:
                refused[each.look_key] = NO_DAY_ALONE
        for why in sorted(set(refused.values())):
            number = list(refused.values()).count(why)
            yield f"{site.name}: {number} radar {'pass is' if number == 1 else 'passes are'} not read: {why}."
