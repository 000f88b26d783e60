"""The credits of a provider that charges for requests: what is left, what is spent, and when it must wait.

The ledger is kept with the provider's state in the database, so that a restart does not forget what was spent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from alerts.words import utc
from monitor.feeds import FeedError

BudgetPeriod = Literal["day", "month"]
PAYMENT_REQUIRED = 402


class CreditLedger:
    """Counts the credits of one bucket; `budget` None means that only the provider knows what is left.

    `reserve` credits of each period (UTC) are left for the operator.
    """

    def __init__(self, *, budget: float | None, reserve: float = 0.0, period: BudgetPeriod = "day") -> None:
        self._budget, self._reserve, self.period = budget, reserve, period
        self._begun: datetime | None = None
        self._spent = 0.0
        self._left: float | None = None
        self._refused = False

    def restore(self, stored: Mapping[str, Any], now: datetime) -> None:
        """Take up what the database remembers of this period, unless more is known.

        That the provider gave nothing more is asked anew after a restart: it may have been topped up.
        """
        begun, spent, left = stored.get("since"), stored.get("spent"), stored.get("left")
        if self._begun is not None or begun != self._start(now).isoformat():
            return
        self._begun = self._start(now)
        self._spent = float(spent) if isinstance(spent, int | float) else 0.0
        # What was reckoned from the budget is reckoned anew: the budget may be another one now.
        said = isinstance(left, int | float) and bool(stored.get("said")) and not stored.get("refused")
        self._left = float(left) if said and left is not None else None

    def lift(self) -> None:
        """Ask again although the provider said that all is spent: a person may have topped it up."""
        if self._refused:
            self._refused, self._left = False, None

    def stored(self, now: datetime) -> dict[str, Any]:
        """Give what the database is to remember."""
        self._turn(now)
        told = {"since": self._start(now).isoformat(), "spent": self._spent, "left": self.left(now)}
        flags = {"said": self._left is not None, "refused": self._refused}
        return {**told, **{name: True for name, is_so in flags.items() if is_so}}

    def left(self, now: datetime) -> float | None:
        """How many credits are left, by the provider's word, else by the budget; None where neither is known."""
        self._turn(now)
        if self._left is not None:
            return self._left
        return None if self._budget is None else self._budget - self._spent

    def check(self, price: float, now: datetime, where: str) -> None:
        """Raise FeedError where a request would touch the reserve; nothing is asked until more credits are known."""
        left = self.left(now)
        if left is None or left - price >= self._reserve:
            return
        until = self._next(now)
        raise FeedError(
            f"{where}: only {left:g} of this {self.period}'s credits are left and this request costs {price:g}. It "
            f"goes on after {utc(until)}, or with more credits in the options; a longer interval_s spreads them.",
            status=PAYMENT_REQUIRED,
        )

    def charge(self, price: float, now: datetime, left: float | None = None) -> None:
        """Note what an answered request cost, and what the provider says is left after it."""
        self._turn(now)
        self._spent += price
        if left is not None:
            self._left = left
        elif self._left is not None:
            self._left -= price

    def exhausted(self, now: datetime) -> float:
        """Note that the provider says all is spent; give the seconds until the next period."""
        self._turn(now)
        self._left, self._refused = 0.0, True
        return (self._next(now) - now).total_seconds()

    def _turn(self, now: datetime) -> None:
        begun = self._start(now)
        if self._begun != begun:
            self._begun, self._spent, self._left, self._refused = begun, 0.0, None, False

    def _start(self, now: datetime) -> datetime:
        day = 1 if self.period == "month" else now.day
        return datetime(now.year, now.month, day, tzinfo=UTC)

    def _next(self, now: datetime) -> datetime:
        start = self._start(now)
        if self.period == "day":
            return start + timedelta(days=1)
        return (start + timedelta(days=32)).replace(day=1)
