"""The only reader of the clock: what time it is, a watch that never jumps, and waiting.

Commands, jobs and the assembly hand it down; whatever lies below them is told `now`, and so can be replayed.
"""

import time  # noqa: TID251 - this is the one place
from datetime import UTC, datetime

monotonic_s = time.monotonic
sleep_s = time.sleep


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place
