"""What was measured of a pass as looks of their series, with what it was held against and the share that was seen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from db.records import Evidence, Observation, Scene, SeriesKey
from monitor.imagery.looks import clearest, knowable_at, scene_evidence
from monitor.imagery.measures import Measured

PROCEDURE = "imagery/msi/history-1"
"""Every measure by this way of seeing; a change of it begins new series, for its noise is another."""


def measured_looks(
    site_id: str,
    scenes: Sequence[Scene],
    found: Iterable[Measured],
    *,
    told: Mapping[tuple[str, str], str],
    recorded_at: datetime,
) -> Iterator[Observation]:
    """One look for each measure that is told (by area and metric, with what it can do in words); `scenes` are those of the pass."""
    tiles = clearest(scenes)
    first = tiles[0]
    evidence = tuple(scene_evidence(tiles))
    for each in found:
        words = told.get((each.area_id, each.metric))
        if words is None:
            continue
        yield Observation(
            series=SeriesKey(site_id, each.area_id, each.metric, "", each.procedure or PROCEDURE),
            kind="stock",
            period_start=first.acquired_at,
            period_end=first.acquired_at,
            look_key=first.look_key,
            value=each.value,
            low=each.low,
            high=each.high,
            result_time=knowable_at(scenes),
            recorded_at=recorded_at,
            precision="minute",
            assessable=each.value is not None,
            exposure=round(each.seen_share, 4),
            exposure_parts={"judged": round(each.seen_share, 4)},
            publisher=first.provider,
            origin=first.platform,
            evidence=(*evidence, Evidence("note", "", words)),
            note=f"Not measured: {each.fault}." if each.fault else each.note,
        )
