"""What a measurement takes for known beside the tracks: the area asked about, earlier visits, and who was heard low."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from db.records import Fix, Visit
from monitor.flights.places import Place, positions
from monitor.flights.signal_loss.candidates import others_around
from monitor.flights.signal_loss.estimates import COVERED_BELOW_FT, COVERED_NM, facing
from monitor.flights.signal_loss.gaps import Gap, flew_in, flies_out
from monitor.flights.signal_loss.performance import performance_of
from monitor.flights.signal_loss.ranking import Outlook, past_of
from monitor.flights.tracks.identity import Classes, aircraft_of, kinds_of
from monitor.flights.tracks.phases import height_ft

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
_COVERED_FOR = timedelta(hours=24)

Tracks = Mapping[str, Sequence[Fix]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a measurement takes for known beside the tracks."""

    scope: str = ""
    """The area that was asked about, as a poll names it: who flies out of it has not fallen silent."""
    since: datetime = NEVER
    """Only what happens from then on is measured."""
    before: Mapping[str, Sequence[Visit]] = field(default_factory=dict)
    """The earlier visits of each site."""


EVERYTHING = Setting()


def outlook_of(
    track: Sequence[Fix],
    places: Sequence[Place],
    low: Mapping[str, Sequence[Fix]],
    classes: Classes,
    setting: Setting,
) -> Outlook:
    """A feed that never fails, the fields at which others were heard low, and what is known of earlier visits."""
    aircraft = aircraft_of(track)
    kinds, performance = kinds_of(aircraft, classes), performance_of(aircraft.type_code)

    def covered(place: Place, lost: Fix) -> bool:
        west, south, east, north = facing(place, lost)
        since, until = lost.at - _COVERED_FOR, lost.at + timedelta(hours=1)
        others = [
            fix for fix in low.get(place.id, ()) if fix.icao24 != aircraft.icao24 and since <= fix.at <= until
        ]
        if not others:
            return False
        x, y = place.plane(*positions(others))
        return bool(((west <= x) & (x <= east) & (south <= y) & (y <= north)).any())

    def watched(gap: Gap, until: datetime) -> float:
        if flies_out(gap.lost, setting.scope, performance, gap.settled_after):
            return 0.0
        return (until - gap.lost.fix.at).total_seconds()

    return Outlook(
        {},
        {site: past_of(visits, kinds)[0] for site, visits in setting.before.items()},
        covered,
        watched,
        others=lambda end: others_around(end, places),
        entered=lambda end: flew_in(end, setting.scope, performance),
    )


def heard_low(tracks: Tracks, places: Sequence[Place]) -> dict[str, list[Fix]]:
    """Give the reports from the ground of each place or low over it: they tell where a landing would be heard."""
    found: dict[str, list[Fix]] = {place.id: [] for place in places}
    for track in (track for track in tracks.values() if track):
        for place in places:
            near = place.near(*positions(track), COVERED_NM)
            for fix in (fix for fix, inside in zip(track, near, strict=True) if inside):
                height = height_ft(fix, place)
                if fix.on_ground or (height is not None and height < COVERED_BELOW_FT):
                    found[place.id].append(fix)
    return found
