"""Commands run in this process, as a terminal would show them."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from monitor.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


@contextmanager
def in_process(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Answer]]:
    """Run commands one by one; logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def command(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Answer(code, captured.out, captured.err)

    yield command
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
