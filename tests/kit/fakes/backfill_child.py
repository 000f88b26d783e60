"""A back-fill in a process of its own that kills itself at a share of its work."""

import os
import signal
from datetime import timedelta
from pathlib import Path

from db.engine import open_engine
from monitor.backfill.load import Backfill
from monitor.flights.tracks.classes import default_classes
from tests.kit.archives import DAY
from tests.kit.cast import CAST
from tests.kit.fake_feeds import NOON

NOW = NOON + timedelta(days=9)


def loading(database_url: str, root: Path) -> Backfill:
    """The loading that every test does."""
    return Backfill(open_engine(database_url), "adsb.lol-archive", root, tuple(CAST), default_classes())


def main(database_url: str, root: str, die_at: float) -> None:
    """Load until the work has come so far, then die without a word."""

    def told(share: float) -> None:
        if share >= die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    loading(database_url, Path(root)).load([DAY], NOW, told)
