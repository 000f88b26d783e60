"""Aircraft that a sites file lists by their bare address: why that must be explained, and who is exempt.

Following persons is meant to be hard: an address of no watched class may be anybody's, so whoever lists it says in the
file, where others read it, why the public should know when it comes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from monitor.sites.faults import Spot, printable_value
from monitor.sites.fields import LONG_TEXT, mapping, text
from monitor.sites.subjects import subject_fault

AddressTest = Callable[[str], bool]
"""Whether an ICAO 24-bit address (six lower-case hexadecimal digits) is of a certain sort."""
ADDRESS_PREFIX = "icao24:"
_LEAST_REASON = 20
"""Shorter than this nothing is explained."""


def no_address(_icao24: str) -> bool:
    """Nothing is known of any address."""
    return False


def check_reasons(spot: Spot, value: Any) -> Mapping[str, str]:
    """The written reasons by subject: `{"icao24:a1b2c3": "why"}`."""
    entries = mapping(spot, value)
    found: dict[str, str] = {}
    for subject in entries:
        here = spot.at(subject)
        if fault := subject_fault(subject):
            here.fault(f"{printable_value(subject)} is not a subject: {fault[0]}", fault[1])
            continue
        found[subject] = text(here, entries[subject], longest=LONG_TEXT)
    return found


def refuse_unexplained(
    spot: Spot,
    named: Mapping[tuple[str, ...], Any],
    reasons: Mapping[str, str],
    in_watched_class: AddressTest,
) -> None:
    """Fault every bare address in these lists of subjects that is of no watched class and has no written reason."""
    for keys, subjects in named.items():
        for place, subject in enumerate(subjects if isinstance(subjects, list) else ()):
            if (
                not isinstance(subject, str)
                or not subject.startswith(ADDRESS_PREFIX)
                or subject_fault(subject)
            ):
                continue
            explained = len(reasons.get(subject, "").strip()) >= _LEAST_REASON
            if explained or in_watched_class(subject.removeprefix(ADDRESS_PREFIX)):
                continue
            spot.at(*keys, place).fault(
                f"{printable_value(subject)} is one aircraft that belongs to no watched class, and no reason is written",
                f"Take it out, or say in watchlist_reasons why the public should know when it comes, in at least "
                f'{_LEAST_REASON} characters: {{"{subject}": "…"}}',
            )
