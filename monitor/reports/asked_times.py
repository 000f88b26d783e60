"""When somebody asks about: days, months, `today`, `yesterday` and instants, read alike on the command line and in the API.

A day or month is meant whole, by one clock: from its first instant, to its end, or by its last instant.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from monitor.errors import InputError
from monitor.imports.faults import BadCell
from monitor.imports.periods import Period, import_period, parse_time
from monitor.sites.faults import printable_value

FORMS = "a day (2023-10-05), a month (2023-10), today, yesterday, or a time with its zone (2023-10-05T01:24Z)"
_DAYS_AGO = {"today": 0, "yesterday": 1}


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads what was asked for under a name; `zone` is whose days they are, `now` is when it was asked."""

    zone: tzinfo
    now: datetime

    def since(self, name: str, text: str | None) -> datetime | None:
        """The first instant of a day or month, or the instant itself; raises InputError."""
        return None if text is None else self._period(name, text).start

    def until(self, name: str, text: str | None) -> datetime | None:
        """When a day or month is over, or the instant itself; raises InputError."""
        return None if text is None else self._period(name, text).end

    def by(self, name: str, text: str | None) -> datetime | None:
        """The last instant of a day or month, or the instant itself; raises InputError."""
        if text is None:
            return None
        asked = self._period(name, text)
        return max(asked.start, asked.end - timedelta(microseconds=1))

    def _period(self, name: str, text: str) -> Period:
        ago = _DAYS_AGO.get(text.lower())
        day = None if ago is None else self.now.astimezone(self.zone).date() - timedelta(days=ago)
        try:
            when = parse_time(day.isoformat() if day else text, self.zone)
            return import_period(when, when, "window", self.zone)
        except BadCell as bad:
            raise InputError(f"{name}: {bad.problem}. {self._mend(text)}.") from None

    def _mend(self, text: str) -> str:
        with suppress(BadCell):
            local = (
                parse_time(f"{text}Z", self.zone).at.replace(tzinfo=self.zone).isoformat(timespec="minutes")
            )
            own = "" if self.zone is UTC else f", or {local} where it is the site's own time"
            return f"Write {printable_value(f'{text}Z')[1:-1]} where it is UTC{own}"
        return f"Write {FORMS}"
