"""Every table, with named constraints, as the migrations build it. Records are in `db.records`.

Append-only tables grow by versions and are never updated; caches (`visit`, `alert`, `rule_state`,
`provider_state`) can be rebuilt from them, `cutout`, `pixel_look` and their failures from the files that scenes
link to, `radar_look` by asking again, `measure_admission` and `radar_admission` from what is kept of looks; `metric`,
`delivery`, `lease`, `silence`, `token` and `units_spent` are mutable.
"""

from db.schema.backfills import backfill_day, backfill_part
from db.schema.base import SERIES_KEY, metadata
from db.schema.counts import declared_baseline, metric, note, observation, series
from db.schema.detections import detection
from db.schema.flights import (
    aircraft,
    alias,
    estimated_position,
    fix,
    flight_claim,
    visit,
    visit_version,
    visitor_key,
)
from db.schema.imagery import (
    cutout,
    cutout_failure,
    measure_admission,
    pixel_failure,
    pixel_look,
    pixels_read,
    scene,
)
from db.schema.judging import alert, alert_event, evaluation, rule_state, shared_cause, shared_cause_alert
from db.schema.places import change, site_version
from db.schema.polling import (
    blind_period,
    coverage_hour,
    extract,
    poll,
    provider_state,
    receiver_hour,
    rejection,
)
from db.schema.radar import radar_admission, radar_look, units_spent
from db.schema.running import channel_state, delivery, lease, silence, token

__all__ = [
    "SERIES_KEY",
    "aircraft",
    "alert",
    "alert_event",
    "alias",
    "backfill_day",
    "backfill_part",
    "blind_period",
    "change",
    "channel_state",
    "coverage_hour",
    "cutout",
    "cutout_failure",
    "declared_baseline",
    "delivery",
    "detection",
    "estimated_position",
    "evaluation",
    "extract",
    "fix",
    "flight_claim",
    "lease",
    "measure_admission",
    "metadata",
    "metric",
    "note",
    "observation",
    "pixel_failure",
    "pixel_look",
    "pixels_read",
    "poll",
    "provider_state",
    "radar_admission",
    "radar_look",
    "receiver_hour",
    "rejection",
    "rule_state",
    "scene",
    "series",
    "shared_cause",
    "shared_cause_alert",
    "silence",
    "site_version",
    "token",
    "units_spent",
    "visit",
    "visit_version",
    "visitor_key",
]
