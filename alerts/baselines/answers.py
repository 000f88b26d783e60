"""What every rule of a batch answers: evaluated, not observed, or "cannot tell yet, needs n more looks"."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alerts.baselines.special import BoolArray, FloatArray, IntArray

Status = Literal["evaluated", "not_observed", "cannot_tell"]
STATUSES: tuple[Status, ...] = ("evaluated", "not_observed", "cannot_tell")
EVALUATED, NOT_OBSERVED, CANNOT_TELL = range(3)


@dataclass(frozen=True, slots=True)
class Answers:
    """One rule about the newest look of S series; only evaluated ones have a p and may fire."""

    rule: str
    status: NDArray[np.int8]
    p: FloatArray
    fires: BoolArray
    needs: IntArray
    """Usable looks still missing; for `first_since` observed days, for `absence` events."""

    def say(self, row: int) -> Status:
        """The status in words, as evaluations store it."""
        return STATUSES[int(self.status[row])]


def answer(
    rule: str, p: FloatArray, *, observed: BoolArray, needs: IntArray, alpha: FloatArray | float
) -> Answers:
    """Settle status and firing: p at most alpha, of looks that were observed and have enough history."""
    short = needs > 0
    status = np.where(~observed, NOT_OBSERVED, np.where(short | np.isnan(p), CANNOT_TELL, EVALUATED))
    evaluated = status == EVALUATED
    shown = np.where(evaluated, p, np.nan)
    with np.errstate(invalid="ignore"):
        fires = evaluated & (shown <= alpha)
    missing = np.where(observed, needs, 0).astype(np.int64)
    return Answers(rule, status.astype(np.int8), shown, fires, missing)
