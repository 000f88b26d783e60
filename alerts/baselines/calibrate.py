"""Keeping promises: over which past scores a class is judged, what one episode is, and the interval of a rate."""

from alerts.baselines import nb

WARM_UP_DAYS = 180
WINDOW_DAYS = 365
LEFT_OUT_DAYS = 2
EPISODE_GAP_DAYS = 7.0


def rate_interval(events: int, site_years: float, tail: float = 0.025) -> tuple[float, float]:
    """Garwood's exact interval of events a site-year, as χ² quantiles give it, by halving the Poisson mean."""
    low = _poisson_mean(events, tail) if events else 0.0
    return low / site_years, _poisson_mean(events + 1, 1.0 - tail) / site_years


def _poisson_mean(count: int, tail: float) -> float:
    """The mean at which P(Y ≥ count) = tail."""
    low, high = 0.0, 10.0 * count + 50.0
    for _ in range(100):
        middle = (low + high) / 2.0
        if float(nb.sf(count, middle)) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
