"""Inferred visits held against what was measured on the aprons of their sites: the shell with a database around the pure part."""

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from db.drafts import DerivingDraft, StaleDraftError
from db.engine import Connection, Engine, reading, writing
from db.observations import looks
from db.pixels import admissions, sites_admitting
from db.records import MeasureAdmission, Observation
from monitor.derive.days import changed_looks
from monitor.derive.measuring import drawn
from monitor.derive.tracks import VisitChange
from monitor.flights.corroboration import Apron, ApronLook, corroborated
from monitor.imagery.grid import OPEN_GROUND_KINDS
from monitor.imagery.measures import BRIGHT
from monitor.sites import Site

CORROBORATED_FOR = timedelta(days=60)
"""So long after a visit ended a picture that comes late, or is taken back, still counts."""
_log = structlog.get_logger()


def corroborate(engine: Engine, sites: Collection[Site], now: datetime) -> int:
    """Let pictures raise or lower the confidence of inferred visits; give how many say something new.

    May be repeated and killed at any point: what pictures say is reckoned anew each time from what flights alone say, so a
    picture counts once, and no more once it is taken back.
    """
    with reading(engine) as connection:
        able = sites_admitting(connection, BRIGHT)
    return sum(_site(engine, site, now) for site in sites if site.flies and site.id in able)


def _site(engine: Engine, site: Site, now: datetime) -> int:
    with reading(engine) as connection:
        aprons = _aprons(connection, site)
        if not aprons:
            return 0
        draft = DerivingDraft(connection, now)
        since = now - CORROBORATED_FOR
        seen = _looks(connection, site, since)
        known = [each for each in draft.visits(site_id=site.id, since=since) if each.is_inferred]
        pairs = [(each, corroborated(each, aprons, seen, now)) for each in known]
        wanted = {before.visit_id: (before, after) for before, after in pairs if before != after}
        new = draft.record_visits([after for _, after in wanted.values()])
        changes = [VisitChange(wanted[each.visit_id][0], each) for each in new]
        if not changes:
            return 0
        draft.record_looks(changed_looks(draft, site, changes, now))
    try:
        with writing(engine) as connection:
            draft.store(connection, [])
    except StaleDraftError:
        # Whoever wrote meanwhile derived: the next round reckons on that.
        return 0
    _log.info("visits seen from above", site=site.id, visits=len(changes))
    return len(changes)


def _aprons(connection: Connection, site: Site) -> list[Apron]:
    """Where an aircraft may stand, with what the measure of bright targets has shown there; nothing where it has nowhere."""
    learned = {
        each.area: each
        for each in admissions(connection, site.id)
        if each.metric == BRIGHT and each.admitted and each.outline == drawn(site)
    }
    areas = [each for each in site.areas if each.kind in OPEN_GROUND_KINDS and each.geometry is not None]
    found = [_apron(each.id, each.name, learned.get(each.id)) for each in areas]
    return found if any(each.highest is not None for each in found) else []


def _apron(area_id: str, name: str, learned: MeasureAdmission | None) -> Apron:
    if learned is None:
        return Apron(area_id, name, None)
    said = learned.figures
    trials = [(float(size), int(seen), int(tried)) for size, seen, tried in said.get("trials", ())]
    return Apron(area_id, name, said.get("highest"), said.get("above", 0), said.get("measured", 0), trials)


def _looks(connection: Connection, site: Site, since: datetime) -> list[ApronLook]:
    found = looks(connection, site_id=site.id, metric=BRIGHT, since=since)
    return [_shown(each) for each in found if each.usable and each.exposure]


def _shown(look: Observation) -> ApronLook:
    whole = (look.value or 0.0) / (look.exposure or 1.0)
    return ApronLook(look.series.area, look.look_key, look.period_start, look.origin, whole)
