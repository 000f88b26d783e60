"""What goes wrong for a while: told in the log once when it begins and once when it is over, never every time."""

import threading
from datetime import datetime

import structlog

_log = structlog.get_logger()


class OutageRegister:
    """The troubles of one process, by what fails; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[str, datetime] = {}
        self._errors: dict[str, str] = {}

    def failed(self, what: str, error: str, now: datetime) -> None:
        """Note that something failed; only the first failure on end is logged."""
        with self._lock:
            first = what not in self._since
            self._since.setdefault(what, now)
            self._errors[what] = error
        if first:
            _log.warning("failing", what=what, error=error)

    def now(self, what: str) -> str:
        """What is wrong with it now, '' where nothing is."""
        with self._lock:
            return self._errors.get(what, "")

    def worked(self, what: str) -> None:
        """Note that something worked; logged where it had failed before."""
        with self._lock:
            since = self._since.pop(what, None)
            self._errors.pop(what, None)
        if since is not None:
            _log.info("works again", what=what, failed_since=since)
