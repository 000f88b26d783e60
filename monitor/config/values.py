"""What single values of settings may be."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from alerts.baselines.budget import SEVERITIES
from alerts.promise import whole_budget


def without_false(layer: Any) -> Any:
    """A layer of watches in which a rule that is false is switched off: TOML has no null."""
    if not isinstance(layer, Mapping):
        return layer
    return {
        metric: {
            **spec,
            "rules": {name: None if params is False else params for name, params in spec["rules"].items()},
        }
        if isinstance(spec, Mapping) and isinstance(spec.get("rules"), Mapping)
        else spec
        for metric, spec in layer.items()
    }


def severities(value: Any) -> Any:
    """A budget for every severity: from a number (alerts), from `notify=0.5,urgent=0.05`, or from a table."""
    if isinstance(value, Mapping):
        return _known(value)
    if isinstance(value, str) and "=" in value:
        pairs = [part.partition("=") for part in value.split(",")]
        return _known({name.strip(): _positive(number) for name, _, number in pairs})
    return whole_budget(_positive(value))


def _known(given: Mapping[str, Any]) -> Mapping[str, float]:
    unknown = sorted(given.keys() - set(SEVERITIES))
    if unknown:
        raise ValueError(f"knows {', '.join(SEVERITIES)}, not {', '.join(unknown)}")
    return whole_budget(given)


def _positive(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("must be a number of false alarms a year, or one for each severity") from None
    if not 0 < number < float("inf"):
        raise ValueError("must be more than 0")
    return number


def http_url(value: str | None) -> str | None:
    """An http or https URL without its last slash; raises ValueError for anything else."""
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    return value.rstrip("/")


def is_database_url(value: str) -> bool:
    """Whether this is the URL of a kind of database that can be used."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    if value.startswith("sqlite:///"):
        return len(value) > len("sqlite:///")
    return (
        parts.scheme in {"postgres", "postgresql", "postgresql+psycopg"} and len(parts.path) > 1 and port != 0
    )
