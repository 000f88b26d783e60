"""How the program logs: one line an event on stderr, JSON unless a person watches, secrets taken out."""

import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from monitor.config.secrets import mask_secrets, visible

LogFormat = Literal["auto", "console", "json"]
_OURS = ("monitor", "alerts", "db")


def configure(log_format: LogFormat, secrets: Sequence[str], stream: TextIO | None = None) -> None:
    """Send our own events from `info` on, and other libraries' from `warning` on, to one stream."""
    stream = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    stamp: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*stamp, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stamp,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                Scrubber(secrets),
                _renderer(console=console, colours=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    # The scheduler's own words repeat, less plainly, what the listeners in `monitor.runtime.jobs` say.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    # A form that cannot be read is answered with a sentence; what a stranger sends need not fill the log.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _renderer(*, console: bool, colours: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(sort_keys=False)


class Scrubber:
    """Takes secrets out of every value, and writes control characters out so that no value forges a line."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Clean one event; a traceback keeps its lines, each behind a bar."""
        return {
            key: self._traceback(value) if key == "exception" else self._clean(value)
            for key, value in event.items()
        }

    def _clean(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, Mapping):
            return {self._text(str(key)): self._clean(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item) for item in value]
        return self._text(str(value))

    def _text(self, text: str) -> str:
        return visible(mask_secrets(text, self._secrets))

    def _traceback(self, value: Any) -> str:
        return "\n".join(
            f"  | {visible(line)}" for line in mask_secrets(str(value), self._secrets).splitlines()
        )
