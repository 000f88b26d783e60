"""Three real hours around Paris, poll by poll through the real adapter, against labels and runway alignment."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.flights_accuracy import Paris, lines, measure
from benchmarks.flights_cadence import CADENCES, CadenceRow, measure_cadences
from benchmarks.flights_events import events_of
from benchmarks.flights_paris import labels, polls, sites
from db.records import Fix
from monitor.flights.evaluation.scoring import FlightEvent, Share, score
from tests.kit.flying import World

pytestmark = [pytest.mark.long, pytest.mark.untraced]


def live(world: World, recording: Iterator[tuple[datetime, Sequence[Fix] | None]]) -> None:
    """Poll answer by answer, and derive every minute, as the service does."""
    for number, (now, fixes) in enumerate(recording):
        world.poll(now, fixes or (), "failed" if fixes is None else "ok" if fixes else "empty")
        if number % 6 == 0:
            world.derive(now)


@pytest.fixture(scope="module", params=[False, True], ids=["all aircraft", "held-back half"])
def slow(request: pytest.FixtureRequest, shared_data: Path) -> list[CadenceRow]:
    """Every 60 s, 60 to 70 s and 300 s, and every 60 to 70 s without a ground report."""
    wanted = [each for each in CADENCES if each.every_s in {60, 300}]
    return measure_cadences(wanted, shared_data, held_back=request.param)


@pytest.fixture(scope="module")
def paris(shared_data: Path) -> Paris:
    return measure(shared_data)


def figures(paris: Paris, truth_from: str, way: str = "visits") -> dict[str, tuple[int, int, int]]:
    """True events found, true events there are, and false ones, by field."""
    return {
        field.site_id: (result.recall.hits, result.recall.of, len(result.false))
        for field in paris.fields
        if field.truth_from.startswith(truth_from)
        for result in [getattr(field, way)]
    }


@pytest.mark.shared
def test_take_offs_and_landings_at_orly_are_those_that_were_labelled(
    sqlite_engine: Engine, shared_data: Path, record_property: Callable[[str, object], None]
) -> None:
    world = World(sqlite_engine, [site for site in sites(shared_data) if site.id == "lfpo"])
    live(world, polls(shared_data))
    result = score(events_of(world.visits()), labels(shared_data))
    record_property("recall", result.recall.value)
    record_property("precision", result.precision.value)
    # One label is no take-off: 3950c7 stood still at 14:35, flagged "in the air at 39,025 ft", and left at 14:42.
    assert result.missed == (
        FlightEvent(datetime(2021, 10, 7, 14, 35, 14, tzinfo=UTC), "departure", "3950c7", "lfpo"),
    )
    assert [(each.kind, each.icao24, f"{each.at:%H:%M}") for each in result.false] == [
        ("departure", "3950c7", "14:42")
    ]
    assert {each.state for each in world.visits()} == {"present", "departed"}


@pytest.mark.shared
def test_the_table_of_the_three_fields_holds(paris: Paris) -> None:
    assert figures(paris, "labels as given") == {"lfpo": (57, 58, 1)}
    assert figures(paris, "labels, the refuted") == {"lfpo": (58, 58, 0)}
    # Orly's alignment row differs by one aircraft that turned off its runway's line at once.
    assert figures(paris, "runway alignment") == {
        "lfpo": (57, 58, 1),
        "lfpg": (114, 114, 0),
        "lfpb": (49, 49, 1),
    }
    assert [event.icao24 for event in paris.refuted] == ["3950c7"]
    assert len(list(lines(paris))) == 2 + 3 * len(paris.fields)


@pytest.mark.shared
def test_counting_ground_flags_is_worse_everywhere(paris: Paris) -> None:
    for way in ("flags", "settled_flags"):
        for field in paris.fields:
            assert len(getattr(field, way).false) > len(field.visits.false)
    # Coverage ends above the runways of Charles-de-Gaulle: the ground is hardly ever heard.
    assert figures(paris, "runway alignment", "flags")["lfpg"][0] == 8


def test_a_share_of_few_cases_has_a_wide_interval() -> None:
    assert Share(58, 58).interval == pytest.approx((0.938, 1.0), abs=1e-3)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(0, 0).value is None


def pooled(rows: Sequence[CadenceRow], end: str, share: str) -> float:
    """Recall or precision of one end of the flights over several rows."""
    shares = [getattr(getattr(row, end), share) for row in rows]
    return float(sum(each.hits for each in shares) / sum(each.of for each in shares))


@pytest.mark.shared
@pytest.mark.parametrize("cadence", [each.name for each in CADENCES if each.every_s == 60])
def test_the_cadence_of_the_default_provider_is_enough(slow: list[CadenceRow], cadence: str) -> None:
    rows = [row for row in slow if row.cadence.name == cadence]
    assert pooled(rows, "arrivals", "recall") >= 0.95
    assert pooled(rows, "departures", "recall") >= 0.90
    assert pooled(rows, "arrivals", "precision") >= 0.97
    assert pooled(rows, "departures", "precision") >= 0.97


@pytest.mark.shared
def test_every_five_minutes_is_enough_for_arrivals_where_the_ground_is_reported(
    slow: list[CadenceRow],
) -> None:
    rows = [row for row in slow if row.cadence.every_s == 300 and row.site_id in {"lfpo", "lfpb"}]
    assert len(rows) == 2
    assert pooled(rows, "arrivals", "recall") >= 0.90
    assert pooled(rows, "arrivals", "precision") >= 0.97
