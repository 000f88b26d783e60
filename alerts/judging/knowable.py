"""What is knowable now about one site and metric, read from the database."""

from datetime import datetime

from alerts.judging.archive import day_of
from alerts.judging.history import LEAST_SERIES_LOOKS
from alerts.judging.recalibration import scores_of
from alerts.judging.verdicts import KnownHistory
from alerts.watch import SiteWatch
from db.declared import declared
from db.engine import Connection
from db.observations import looks, series_counted
from db.records import SeriesKey
from db.rule_states import read_class_state, read_rule_states
from db.sites import site_changes


def histories_at(connection: Connection, site_id: str, now: datetime) -> frozenset[SeriesKey]:
    """The series of a site that share its promise today."""
    return series_counted(connection, site_id, day_of(now), LEAST_SERIES_LOOKS)


def known_at(
    connection: Connection,
    site: SiteWatch,
    metric: str,
    area: str,
    now: datetime,
    *,
    histories: frozenset[SeriesKey] | None = None,
) -> KnownHistory:
    """Everything that is knowable now about a site's metric in one area; `histories` are those of `histories_at`, if at hand."""
    stated = declared(connection, site.site_id, metric, as_of=now)
    kept = read_class_state(connection, "tail")
    from_class = scores_of(kept) if kept else {}
    return KnownHistory(
        now,
        looks(connection, site_id=site.site_id, area=area, metric=metric, as_of=now),
        [each for each in stated if each.series.area == area],
        site_changes(connection, [site.site_id]),
        # Learning a step's state anew takes longest of all.
        read_rule_states(connection, site.site_id, area, metric),
        from_class,
        histories_at(connection, site.site_id, now) if histories is None else histories,
    )
