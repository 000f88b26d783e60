"""Reading the options of a provider; all of them are text."""

import math

from monitor.feeds import Provider
from monitor.settings import SettingsError


def number_option(provider: Provider, name: str, default: float | None = None) -> float:
    """Read an option that is a finite number; raises SettingsError, also where it must be set and is not."""
    text = provider.options.get(name, "" if default is None else str(default))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(f"{provider.name}: the option {name} must be a number (got {text!r}).")
    return value


def list_option(provider: Provider, name: str, default: str = "") -> tuple[str, ...]:
    """Read an option that holds several words, separated by commas."""
    text = provider.options.get(name, default)
    return tuple(part.strip() for part in text.split(",") if part.strip())
