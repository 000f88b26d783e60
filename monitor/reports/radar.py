"""How far radar of the sites is read, what that costs of what a month allows, and what it lacks."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from alerts.words import listed, numbered, utc
from db.engine import Connection
from db.imagery import scenes
from db.radar import passes_by_orbit, radar_decided, units_of
from db.records import Scene
from monitor.derive.radar import RADAR_LOOK_BACK, STATISTICS_COLLECTION
from monitor.derive.radar_bursts import BURST_COLLECTION
from monitor.feeds import Provider
from monitor.feeds.options import list_option
from monitor.feeds.sentinel_hub import SentinelHubStatistics
from monitor.imagery.radar_passes import NO_DAY_ALONE, day_alone, radar_passes
from monitor.sites import Site

_LACKS = {
    STATISTICS_COLLECTION: (
        "an account at the Copernicus Data Space is free, and its client_id and client_secret go into credentials in "
        "[providers.{name}]"
    ),
    BURST_COLLECTION: (
        "for aircraft on aprons a free Earthdata token goes into credentials = {{ token_file = … }} in [providers.{name}]"
    ),
}
"""What a provider of each collection lacks where nothing can be read of what it lists."""


def radar_sentences(
    connection: Connection,
    providers: Sequence[Provider],
    access: tuple[Mapping[str, SentinelHubStatistics], Collection[str]],
    sites: Sequence[Site],
    now: datetime,
) -> Iterator[str]:
    """Say what is asked, what it has cost and what is lacking; a missing key is said, and is no zero.

    `access` has who reckons numbers, by provider, and the providers whose files can be read.
    """
    sources, files = access
    able = [each for each in providers if _collection_of(each) in _LACKS]
    lacking = [each for each in able if each.name not in {*sources, *files}]
    read = len(lacking) < len(able)
    yield from (_spent_words(connection, source, now) for source in sources.values())
    # Who reads radar in one way is told of the other only where it is switched on and cannot be used.
    missing = [each for each in lacking if each.enabled] if read else lacking
    if missing:
        keys = "; ".join(_LACKS[_collection_of(each)].format(name=each.name) for each in missing)
        off = "" if any(each.enabled for each in missing) else ", with enabled = true"
        what = "Some radar" if read else "Radar through cloud"
        yield f"{what} is not read, for it needs a key: {keys}{off} (docs/imagery.md)."
    kept, decided = passes_by_orbit(connection), radar_decided(connection)
    for site in sites:
        if site.id in kept:
            orbits = listed(
                [
                    f"{numbered(number, 'pass', 'passes')} from orbit {orbit}"
                    for orbit, number in sorted(kept[site.id].items())
                ]
            )
            yield f"{site.name}: radar of {orbits} is kept; {_judged_words(*decided.get(site.id, (0, 0)))}."
    if sources:
        yield from _unusable(connection, sites, now)


def _collection_of(provider: Provider) -> str:
    """The radar collection that a provider lists, '' where it lists none."""
    named = list_option(provider, "collections") if provider.kind == "stac" else ()
    return next((each for each in named if each in _LACKS), "")


def _judged_words(judged: int, decided: int) -> str:
    return f"{judged} of {decided} measures may be judged" if decided else "no measure can be told yet"


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
    listed_at: dict[str, list[Scene]] = defaultdict(list)
    for scene in scenes(
        connection,
        site_ids=[site.id for site in sites],
        since=now - RADAR_LOOK_BACK,
        until=now,
        collections=(STATISTICS_COLLECTION,),
    ):
        listed_at[scene.site_id].append(scene)
    for site in sites:
        passes, refused = radar_passes(listed_at[site.id], (STATISTICS_COLLECTION,))
        for each in passes:
            if day_alone(each, passes) is None:
                refused[each.look_key] = NO_DAY_ALONE
        for why in sorted(set(refused.values())):
            number = list(refused.values()).count(why)
            yield f"{site.name}: {number} radar {'pass is' if number == 1 else 'passes are'} not read: {why}."
