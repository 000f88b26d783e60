"""Detections that polls brought become looks: sums within a site and within its areas; for one batch of polls."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from alerts.metrics import metric_named
from db.detections import LookOfDetections, detections_of_look, looks_touched
from db.engine import Connection
from db.observations import looks
from db.records import Evidence, Observation, SeriesKey
from db.records.detections import Detection
from monitor.sites import Site

DETECTIONS_METHOD = "detections"
_AROUND = timedelta(days=1)
MOVED_NOTE = "The source has moved what it had found here to another time."
AT_LEAST_NOTE = "At least: the source does not say where it looked and saw none."


def looks_of_detections(
    connection: Connection, poll_ids: Collection[int], sites: Mapping[str, Site], now: datetime
) -> Iterator[Observation]:
    """Give the looks of everything that these polls brought a detection of."""
    for touched in looks_touched(connection, poll_ids):
        if touched[0] in sites:
            whole = detections_of_look(connection, touched)
            known = _known(connection, touched, whole)
            yield from detection_looks(whole, known, now) if whole else _taken_back(known, now)


def detection_looks(
    whole: Sequence[Detection], known: Sequence[Observation], recorded_at: datetime
) -> Iterator[Observation]:
    """One look for the site and one for each area in which something was found, or was looked for in vain.

    An area that a source says nothing of has no look: what was not looked for was not seen to be absent.
    """
    # A look begins when it first did, though an earlier object of the same scene come later: else it were another look.
    start = min([each.period_start for each in known] or [each.look_start for each in whole])
    for area in sorted({"", *(name for each in whole for name in each.areas)}):
        here = [each for each in whole if not area or area in each.areas]
        yield _look(area, here, start, recorded_at)


def _look(area: str, here: Sequence[Detection], start: datetime, recorded_at: datetime) -> Observation:
    first = here[0]
    stated = all(each.whole for each in here)
    coverage = [each.coverage for each in here if each.coverage is not None]
    remarks = dict.fromkeys(
        [*(each.remark for each in here if each.remark), *([] if stated else [AT_LEAST_NOTE])]
    )
    return Observation(
        series=SeriesKey(first.site_id, area, first.metric, "", f"{DETECTIONS_METHOD}@{first.provider}"),
        kind=metric_named(first.metric).kind,
        period_start=start,
        period_end=max(start, *(each.look_end for each in here)),
        look_key=first.look_key,
        value=round(sum(each.amount for each in here), 6),
        result_time=recorded_at,
        recorded_at=recorded_at,
        precision=first.precision,
        qualifier="=" if stated else ">=",
        assessable=True,
        exposure=min(coverage) if coverage and not area else None,
        origin=first.provider,
        evidence=tuple(_evidence(here)),
        note=" ".join(remarks),
    )


def _evidence(here: Sequence[Detection]) -> Iterator[Evidence]:
    for scene in sorted({each.scene for each in here if each.scene}):
        yield Evidence("scene", scene, "")
    for poll_id in sorted({each.poll_id for each in here if each.poll_id is not None}):
        brought = [each for each in here if each.poll_id == poll_id]
        kinds = ", ".join(sorted({each.detected_class for each in brought if each.detected_class}))
        found = "1 detection" if len(brought) == 1 else f"{len(brought)} detections"
        yield Evidence("poll", str(poll_id), f"{found}{f' ({kinds})' if kinds else ''}")


def _taken_back(known: Sequence[Observation], now: datetime) -> Iterator[Observation]:
    for each in known:
        yield Observation(
            series=each.series,
            kind=each.kind,
            period_start=each.period_start,
            period_end=each.period_end,
            look_key=each.look_key,
            value=None,
            result_time=now,
            recorded_at=now,
            precision=each.precision,
            assessable=False,
            origin=each.origin,
            note=MOVED_NOTE,
        )


def _known(
    connection: Connection, touched: LookOfDetections, whole: Sequence[Detection]
) -> list[Observation]:
    site_id, provider, metric, look_key = touched
    procedure = f"{DETECTIONS_METHOD}@{provider}"
    since = min((each.look_start for each in whole), default=None)
    until = max((each.look_end for each in whole), default=None)
    found = looks(
        connection,
        site_id=site_id,
        metric=metric,
        since=since and since - _AROUND,
        until=until and until + _AROUND,
    )
    return [each for each in found if each.look_key == look_key and each.series.procedure == procedure]
