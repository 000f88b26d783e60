"""Reading the options of a provider; all of them are text."""

import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from monitor.config.settings import SettingsError
from monitor.feeds import Provider

MAX_AGE_S = 120.0
"""A feed clock or a last message older than this means that the feed has stopped; `max_age_s` changes it."""
MAX_POSITION_AGE_S = 60.0
"""A position older than this is no position of its answer's time; `max_position_age_s` changes it."""
_DAY_S = 86_400
_APART = ("opensky", "opensky_flights", "opensky_tracks")


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


def spacing_of(provider: Provider) -> float:
    """The seconds that the provider wants between two requests."""
    spacing_s = number_option(provider, "spacing_s", 0)
    if spacing_s < 0:
        raise SettingsError(
            f"{provider.name}: the option spacing_s must not be negative (got {spacing_s:g})."
        )
    return spacing_s


def sharing_a_limit(provider: Provider, others: Iterable[Provider]) -> tuple[Provider, ...]:
    """Those of the providers that one limit holds for, this one first: the same host knows them by the same credentials."""
    mine = _account(provider)
    return (provider, *(each for each in others if each.name != provider.name and _account(each) == mine))


def _account(provider: Provider) -> tuple[Any, ...]:
    url = urlsplit(provider.base_url)
    # OpenSky gives each kind of question credits of its own.
    bucket = provider.kind if provider.kind in _APART else ""
    keys = (*sorted(provider.headers.items()), *sorted(provider.credentials.items()))
    return url.netloc.lower(), bucket, keys


def rotation_slots(provider: Provider, scopes: int) -> int:
    """How many slots it takes to ask for so many places once, at most `most_at_once` of them in a slot.

    Where requests are `spacing_s` apart, no more than a slot has room for, with one for a canary.
    """
    text, spacing_s = provider.options.get("most_at_once", ""), spacing_of(provider)
    if text and (not text.isdecimal() or int(text) < 1):
        raise SettingsError(
            f"{provider.name}: the option most_at_once must be a whole number from 1 on (got {text!r})."
        )
    most = [int(text)] if text else []
    if spacing_s:
        most.append(max(1, int(provider.interval_s / spacing_s) - 1))
    return max(1, math.ceil(scopes / min(most))) if most else 1


def requests_a_day(provider: Provider, scopes: int) -> int:
    """How many requests for data a whole day takes, for so many places."""
    return scopes * _DAY_S // (provider.interval_s * rotation_slots(provider, scopes))


def list_option(provider: Provider, name: str, default: str = "") -> tuple[str, ...]:
    """Read an option that holds several words, separated by commas."""
    text = provider.options.get(name, default)
    return tuple(part.strip() for part in text.split(",") if part.strip())
