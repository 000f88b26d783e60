"""A progress bar for long work: shown on a terminal only, and only once the work has taken two seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.config.clock import monotonic_s

PATIENCE_S = 2.0


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    """Give a function that takes the share of the work done, 0 to 1; it draws on stderr where a person looks."""
    if not sys.stderr.isatty():
        yield lambda _share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=1.0)
    began = monotonic_s()

    def show(share: float) -> None:
        if not bar.live.is_started and monotonic_s() - began > PATIENCE_S:
            bar.start()
        bar.update(task, completed=share)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
