"""Objects that others found: what a source says stands at one place and time, as far as it lies in a watched site."""

from dataclasses import dataclass
from datetime import datetime

from db.records.counts import Precision


@dataclass(frozen=True, slots=True)
class Detection:
    """One version of what a source says of one site and metric; WGS 84, degrees.

    `detection_id` is the source's own name for it, or a digest of source, class, time and place. Those with one `look_key`
    were seen in one look, [look_start, look_end). `amount` is how many it stands for, or how much; 0 says that the source
    looked and saw none. `whole` is True where the source states all that it saw, so that the sum is no lower bound;
    `coverage` is then the share of the site that it saw, if it says so.
    """

    provider: str
    site_id: str
    metric: str
    detection_id: str
    detected_class: str
    at: datetime
    lat: float
    lon: float
    look_key: str
    look_start: datetime
    look_end: datetime
    precision: Precision
    recorded_at: datetime
    amount: float = 1.0
    areas: tuple[str, ...] = ()
    score: float | None = None
    scene: str = ""
    whole: bool = False
    coverage: float | None = None
    remark: str = ""
    version: int = 1
    poll_id: int | None = None
