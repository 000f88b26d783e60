"""What every rule of a batch answers: evaluated, not observed, or "cannot tell yet, needs n more looks"."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alerts.baselines.special import BoolArray, FloatArray, IntArray

AnswerStatus = Literal["evaluated", "not_observed", "cannot_tell"]
ANSWER_STATUSES: tuple[AnswerStatus, ...] = ("evaluated", "not_observed", "cannot_tell")
EVALUATED, NOT_OBSERVED, CANNOT_TELL = range(3)


@dataclass(frozen=True, slots=True)
class Answers:
    """One rule about the newest look of S series; only evaluated ones have a p and may fire."""

    rule: str
    status: NDArray[np.int8]
    p: FloatArray
    needs: IntArray
    """Usable looks still missing; for `first_since` observed days, for `absence` events."""
    news: BoolArray
    """Where a small p is news: a record, the crossing of a bound, a change that today's count agrees with."""

    @property
    def evaluated(self) -> BoolArray:
        """The series that were judged."""
        judged: BoolArray = self.status == EVALUATED
        return judged

    def say(self, row: int) -> AnswerStatus:
        """The status in words, as evaluations store it."""
        return ANSWER_STATUSES[int(self.status[row])]

    def fires(self, alpha: FloatArray | float) -> BoolArray:
        """Whether p is at most alpha and that is news."""
        with np.errstate(invalid="ignore"):
            small: BoolArray = self.evaluated & self.news & (self.p <= alpha)
        return small


def answer_by_p(
    rule: str, p: FloatArray, *, observed: BoolArray, needs: IntArray, news: BoolArray | bool = True
) -> Answers:
    """Settle the status: judged are looks that were observed and have enough history."""
    short = needs > 0
    status = np.where(~observed, NOT_OBSERVED, np.where(short | np.isnan(p), CANNOT_TELL, EVALUATED))
    shown = np.where(status == EVALUATED, p, np.nan)
    missing = np.where(observed, needs, 0).astype(np.int64)
    return Answers(rule, status.astype(np.int8), shown, missing, np.broadcast_to(news, p.shape))
