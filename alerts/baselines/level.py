"""The level of each series: the stretches in which it was another, found as what makes the counts likeliest.

A surge that ended and a change that lasts are the same thing here: looks whose level is told apart from that of the rest. Every
look carries how its level relates to the present one, so that nothing of the past is thrown away and nothing blinds.
"""

from dataclasses import dataclass

import numpy as np

from alerts.baselines.special import BoolArray, FloatArray, IntArray

LEVEL_LEAST_LOOKS = 4
"""Looks that a new level must have shown before anything is expected of it; fewer are a surge."""
LOWER_LEAST_LOOKS = 30
"""Looks that a level below all before must have shown: a season of them, in which a collapse can be told before it is expected."""
LEVEL_EVIDENCE, _EVIDENCE_BRIEF, _BRIEF = 9.0, 12.0, 3
"""Log likelihood ratios (over the dispersion) that a level takes, and one of fewer than three looks."""
_MOST_LEVELS = 5
_NEWEST_ALONE, _OLDER_BLOCKS = 8, 20
_PRIOR_DISPERSION, _PRIOR_LOOKS, _MOST_DISPERSED = 2.0, 10.0, 40.0


@dataclass(frozen=True, slots=True)
class Levels:
    """The level of every past look of S series beside the present one."""

    ratio: FloatArray
    """[S, T] level of a look over the present level; 1 throughout where it never changed."""
    changes: IntArray
    """Stretches told apart, [S]."""

    @property
    def moved(self) -> BoolArray:
        """Series with any stretch of another level."""
        found: BoolArray = self.changes > 0
        return found

    @property
    def present(self) -> BoolArray:
        """The looks of the present level, [S, T]."""
        here: BoolArray = np.abs(np.log(self.ratio)) < 1e-9  # noqa: PLR2004 - rounding
        return here

    def rows(self, rows: BoolArray | IntArray) -> "Levels":
        """The levels of some of the series."""
        return Levels(self.ratio[rows], self.changes[rows])


def steady(series: int, looks: int) -> Levels:
    """Levels of series that never changed."""
    return Levels(np.ones((series, looks)), np.zeros(series, dtype=np.int64))


def find_levels(
    counts: FloatArray,
    mean: FloatArray,
    member: BoolArray,
    dispersion: FloatArray | None = None,
    *,
    most: int = _MOST_LEVELS,
) -> Levels:
    """Tell apart stretches of past looks, [S, T] oldest first, whose counts lie at another multiple of their `mean`.

    `mean` is what each look would show at one level (exposure, season, day of the week), up to a factor. Stretch after
    stretch the likeliest one is taken as long as it is likely enough (quasi-likelihood with the `dispersion` of
    neighbouring looks [S], which no change of level inflates), `most` of them at most.
    """
    series, looks = counts.shape
    found = steady(series, looks)
    used = member & (mean > 0)
    enough = np.flatnonzero(used.sum(axis=1) > 2 * LEVEL_LEAST_LOOKS)
    if not enough.size:
        return found
    y, e = (np.where(used[enough], part[enough], 0.0) for part in (counts, mean))
    phi = neighbour_dispersion(y, e, used[enough]) if dispersion is None else dispersion[enough]
    level = np.ones_like(y)
    open_, edges = np.arange(len(enough)), _edges(looks)
    for _ in range(most):
        first, last, likely = _likeliest(y[open_], (e * level)[open_], used[enough][open_], phi[open_], edges)
        open_, first, last = open_[likely], first[likely], last[likely]
        if not open_.size:
            break
        first, last = _sharpened(y[open_], (e * level)[open_], first, last, edges)
        at = np.arange(looks)
        inside = (at >= first[:, None]) & (at < last[:, None])
        level[open_] *= _relative(y[open_], (e * level)[open_], inside)
        found.changes[enough[open_]] += 1
    moved = np.flatnonzero(found.changes[enough] > 0)
    for row in moved.tolist():
        _join_unlikely_end(level[row], y[row], e[row], float(phi[row]))
    now = _present_level(level[moved], used[enough][moved])
    found.ratio[enough[moved]] = level[moved] / now[:, None]
    return found


def neighbour_dispersion(counts: FloatArray, mean: FloatArray, member: BoolArray) -> FloatArray:
    """Variance over mean by how neighbouring usable looks differ, [S], shrunk by ten looks with twice the mean.

    A change of level counts in one pair of neighbours alone.
    """
    order = np.argsort(~member, axis=1, kind="stable")
    y, e = (np.take_along_axis(part, order, axis=1) for part in (counts, mean))
    n = member.sum(axis=1)
    both = np.arange(y.shape[1] - 1) < n[:, None] - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (y[:, 1:] + y[:, :-1]) / (e[:, 1:] + e[:, :-1])
        apart = (y[:, 1:] / e[:, 1:] - y[:, :-1] / e[:, :-1]) ** 2
        each = np.minimum(apart / (rate * (1.0 / e[:, 1:] + 1.0 / e[:, :-1])), _MOST_DISPERSED)
    told = both & (rate > 0)
    total = np.where(told, each, 0.0).sum(axis=1)
    shrunk: FloatArray = (total + _PRIOR_LOOKS * _PRIOR_DISPERSION) / (told.sum(axis=1) + _PRIOR_LOOKS)
    return shrunk


def _edges(looks: int) -> IntArray:
    """Where stretches may begin or end: at each of the newest looks, and between blocks of older ones."""
    older = max(0, looks - _NEWEST_ALONE)
    blocks = np.unique(np.linspace(0, older, min(older, _OLDER_BLOCKS) + 1).astype(np.int64))
    return np.concatenate([blocks, np.arange(older + 1, looks + 1)])


def _likeliest(
    y: FloatArray, e: FloatArray, used: BoolArray, phi: FloatArray, edges: IntArray
) -> tuple[IntArray, IntArray, BoolArray]:
    """First and last column (exclusive) of the likeliest stretch of each series, and whether it is likely enough."""
    # Stretches in rows: a row is taken several times faster than a column.
    sums = [_upto(part, edges) for part in (y, e, used.astype(np.float64))]
    begin, end = np.triu_indices(len(edges), 1)
    s, m, n = (part[end] - part[begin] for part in sums)
    whole, mean, looks = (part[-1] for part in sums)
    gain = (_weighed(s, m) + _weighed(whole - s, mean - m) - _weighed(whole, mean)) / phi
    gain -= np.where(np.minimum(n, looks - n) < _BRIEF, _EVIDENCE_BRIEF, LEVEL_EVIDENCE)
    gain[(n < 1) | (looks - n < LEVEL_LEAST_LOOKS)] = -np.inf
    best = gain.argmax(axis=0)
    likely: BoolArray = gain[best, np.arange(len(best))] > 0
    return edges[begin[best]], edges[end[best]], likely


def _upto(part: FloatArray, edges: IntArray) -> FloatArray:
    """Sums up to each edge, [edges, S]."""
    return np.ascontiguousarray(_running(part)[:, edges].T)


def _running(part: FloatArray) -> FloatArray:
    """Sums before each look and after the last, [S, T + 1]."""
    summed = np.zeros((len(part), part.shape[1] + 1))
    np.cumsum(part, axis=1, out=summed[:, 1:])
    return summed


def gain_of_two(
    events: FloatArray, mean: FloatArray, other_events: FloatArray, other_mean: FloatArray
) -> FloatArray:
    """How much likelier (log, Poisson) two levels make two sums of counts than one level does."""
    together = _weighed(events + other_events, mean + other_mean)
    gain: FloatArray = _weighed(events, mean) + _weighed(other_events, other_mean) - together
    return gain


def _weighed(events: FloatArray, mean: FloatArray) -> FloatArray:
    """Events × log(events/mean), 0 for none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        part = events * np.log(events / mean)
    return np.where((events > 0) & (mean > 0), part, 0.0)


def _sharpened(
    y: FloatArray, e: FloatArray, first: IntArray, last: IntArray, edges: IntArray
) -> tuple[IntArray, IntArray]:
    """Move each end to the likeliest look within the blocks beside it, one end after the other."""
    looks = y.shape[1]
    sums = [_running(part) for part in (y, e)]
    place = {int(edge): at for at, edge in enumerate(edges)}
    for row in range(len(y)):
        cy, ce = (part[row] for part in sums)
        for side in (0, 1):
            fixed = int(last[row]) if side == 0 else int(first[row])
            moving = int(first[row]) if side == 0 else int(last[row])
            at = place.get(moving)
            if at is None or moving in (0, looks):
                continue
            low, high = int(edges[max(at - 1, 0)]), int(edges[min(at + 1, len(edges) - 1)])
            tries = np.arange(max(low, 0), high + 1)
            tries = tries[(tries < fixed) if side == 0 else (tries > fixed)]
            s, m = np.abs(cy[fixed] - cy[tries]), np.abs(ce[fixed] - ce[tries])
            gain = _weighed(s, m) + _weighed(cy[-1] - s, ce[-1] - m)
            moved = int(tries[gain.argmax()])
            if side == 0:
                first[row] = moved
            else:
                last[row] = moved
    return first, last


def _relative(y: FloatArray, e: FloatArray, inside: BoolArray) -> FloatArray:
    """The level inside and outside of a stretch, each over what is expected there."""
    ratio = [
        (np.where(part, y, 0.0).sum(axis=1) + 0.5) / (np.where(part, e, 0.0).sum(axis=1) + 0.5)
        for part in (inside, ~inside)
    ]
    relative: FloatArray = np.where(inside, ratio[0][:, None], ratio[1][:, None])
    return relative


def _join_unlikely_end(level: FloatArray, counts: FloatArray, mean: FloatArray, phi: float) -> None:
    """Give the newest looks [T] the level before them where they do not differ from it clearly by themselves.

    A stretch is found by what sets it apart from everything else. Where it ends is not: a few low looks after a lasting
    rise would be a return to the level of old, and what is usual there would be unusual from then on.
    """
    starts = np.flatnonzero(np.diff(level) != 0) + 1
    while starts.size:
        before, last = (
            slice(int(starts[-2]) if starts.size > 1 else 0, int(starts[-1])),
            slice(int(starts[-1]), None),
        )
        sums = [part[side].sum() for side in (last, before) for part in (counts, mean)]
        brief = np.count_nonzero(mean[last]) < _BRIEF
        if gain_of_two(*sums) > phi * (_EVIDENCE_BRIEF if brief else LEVEL_EVIDENCE):
            break
        level[last] = level[before.stop - 1]
        starts = starts[:-1]


def _present_level(level: FloatArray, used: BoolArray) -> FloatArray:
    """The level of the newest stretch with enough looks, [S]: fewer are a surge, or the first looks of what is new.

    A level below all before takes longer to be believed: a single low look is never unlikely, and were it expected at
    once nobody would be told of a collapse.
    """
    now = np.ones(len(level))
    for row in range(len(level)):
        own = level[row][used[row]]
        starts = np.flatnonzero(np.diff(own, prepend=np.nan) != 0)
        lengths = np.diff(np.append(starts, len(own)))
        each = own[starts]
        lowest = np.minimum.accumulate(np.append(np.inf, each[:-1])) > each
        lowest[0] = False
        long = np.flatnonzero(lengths >= np.where(lowest, LOWER_LEAST_LOOKS, LEVEL_LEAST_LOOKS))
        now[row] = each[long[-1]] if long.size else own[-1]
    return now
