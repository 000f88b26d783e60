"""What is known beside an aircraft's reports, as a test wants it: nothing, but what it names."""

from collections.abc import Callable, Mapping, Sequence

from monitor.flights.places import Place
from monitor.flights.signal_loss.candidates import Gate
from monitor.flights.signal_loss.ranking import Outlook, Past


def outlook(
    *,
    gates: Mapping[str, Sequence[Gate]] | None = None,
    before: Mapping[str, int] | None = None,
    passed: Mapping[str, int] | None = None,
    others: Sequence[Place] = (),
    hinted: frozenset[str] = frozenset(),
    entered: bool = False,
    covered: Callable[[Place], bool] = lambda _place: False,
    feed_works: bool = True,
) -> Outlook:
    """Give an outlook in which nothing is known but what is given."""
    past = Past(gates=gates or {}, before=before or {}, passed=passed or {})
    return Outlook(
        past=lambda _at: past,
        covered=lambda place, _lost: covered(place),
        watched=lambda gap, until: (until - gap.lost.fix.at).total_seconds() if feed_works else 0.0,
        others=lambda _end: others,
        hinted=lambda _at: hinted,
        entered=lambda _end: entered,
    )
