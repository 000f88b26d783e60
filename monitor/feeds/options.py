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


def turns(provider: Provider, scopes: int) -> int:
    """How many slots it takes to ask for so many places once, at most `most_at_once` of them in a slot."""
    text = provider.options.get("most_at_once", "")
    if not text:
        return 1
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(
            f"{provider.name}: the option most_at_once must be a whole number from 1 on (got {text!r})."
        )
    return max(1, math.ceil(scopes / int(text)))


def list_option(provider: Provider, name: str, default: str = "") -> tuple[str, ...]:
    """Read an option that holds several words, separated by commas."""
    text = provider.options.get(name, default)
    return tuple(part.strip() for part in text.split(",") if part.strip())
