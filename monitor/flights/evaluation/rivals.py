"""What a loss of signal says by naive means: the nearest field ahead, the base rate, and losses like it that are known.

Each rival is given more than the rule has: it knows what really became of every other aircraft half an hour after
its loss, heard or not. None of them has a number that was fitted.
"""

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from monitor.flights.evaluation.losses import LANDED, JudgedLoss, OpenedLoss, with_rivals
from monitor.flights.places import Place
from monitor.flights.signal_loss.gaps import GapEnd
from monitor.sites.geodesy import NM_PER_DEGREE, Floats, course_deg, great_circle_nm, turn_deg

BASE_RATE, NEIGHBOURS, NEAREST_AHEAD = "base rate", "nearest-neighbour vote", "nearest field ahead"
_KNOWN_AFTER = timedelta(minutes=30)
_ASKED = 5
_AHEAD_DEG = 90.0
_EVEN = 0.5
_ALIKE = {"nm": 3.0, "ft": 1_500.0, "turn": 0.5, "fpm": 800.0, "kt": 60.0}
"""How far apart losses are that are one step unlike each other."""


def told_beside(opened: Sequence[OpenedLoss], places: Sequence[Place]) -> list[JudgedLoss]:
    """Add to each loss what the rivals say of it, who know of the others of this list alone."""
    if not opened:
        return []
    statements = tuple(dict.fromkeys(name for each in opened for name in each.loss.odds))
    number = sum(name.startswith("place:") for name in statements)
    features = np.array([loss_features(each.lost) for each in opened])
    who = np.array([f"{each.loss.icao24}" for each in opened])
    stages = np.array([each.loss.stage for each in opened])
    at = np.array([each.loss.lost_at.timestamp() for each in opened])
    true = np.array([[_number(each.loss.true(name)) for each in opened] for name in statements])
    ahead = [_nearest_ahead(each, places) for each in opened]
    says = np.array([[_says(place, name) for place in ahead] for name in statements])
    found = []
    for n, each in enumerate(opened):
        others = (who != who[n]) & (stages == stages[n])
        older = others & (at <= at[n] - _KNOWN_AFTER.total_seconds())
        apart = np.where(older, np.sum((features - features[n]) ** 2, axis=1), np.inf)
        asked = np.argsort(apart, kind="stable")[: min(_ASKED, int(older.sum()))]
        base, ahead_says, voted = {}, {}, {}
        for row, name in enumerate(statements):
            if name not in each.loss.odds:
                continue
            prior = 1 / (number + 1) if name.startswith("place:") else _EVEN
            base[name] = _share(true[row][older], prior)
            said = _EVEN if says[row][n] else _EVEN / max(1, number)
            ahead_says[name] = _share(true[row][others & (says[row] == says[row][n])], said)
            voted[name] = _share(true[row][asked], base[name])
        rivals = {NEAREST_AHEAD: ahead_says, BASE_RATE: base, NEIGHBOURS: voted}
        found.append(with_rivals(each, rivals))
    return found


def _number(true: bool | None) -> float:
    return math.nan if true is None else float(true)


def _share(true: Floats, prior: float) -> float:
    """How often it was true; what is said without any case counts as one more."""
    known = true[np.isfinite(true)]
    return round((float(known.sum()) + prior) / (len(known) + 1), 4)


def _says(ahead: Place | None, statement: str) -> bool:
    kind, _, name = statement.partition(":")
    if kind == LANDED:
        return ahead is not None
    return ahead is not None and name == (ahead.id if kind == "place" else ahead.region)


def loss_features(end: GapEnd) -> Floats:
    """Put a loss into a space in which one is one step unlike another: place, height, course, climb and speed."""
    fix, course = end.fix, np.radians(end.course_deg or 0.0)
    east = fix.lon * NM_PER_DEGREE * np.cos(np.radians(fix.lat))
    return np.array(
        [
            east / _ALIKE["nm"],
            fix.lat * NM_PER_DEGREE / _ALIKE["nm"],
            (fix.altitude_ft or 0.0) / _ALIKE["ft"],
            np.sin(course) / _ALIKE["turn"],
            np.cos(course) / _ALIKE["turn"],
            (end.rate_fpm or 0.0) / _ALIKE["fpm"],
            (fix.ground_speed_kt or 0.0) / _ALIKE["kt"],
        ]
    )


def _nearest_ahead(opened: OpenedLoss, places: Sequence[Place]) -> Place | None:
    lost = opened.lost
    away = {
        place.id: (great_circle_nm(lost.fix.lat, lost.fix.lon, place.lat, place.lon), place)
        for place in (*places, *opened.around)
        if _is_ahead(lost, place)
    }
    return min(away.values(), key=lambda each: each[0])[1] if away else None


def _is_ahead(lost: GapEnd, place: Place) -> bool:
    if lost.course_deg is None:
        return True
    bearing = course_deg(lost.fix.lat, lost.fix.lon, place.lat, place.lon)
    return bool(turn_deg(bearing, lost.course_deg) <= _AHEAD_DEG)
