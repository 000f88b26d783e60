"""What data are: recorded, reconstructed from what was published, or invented. Pure.

What was not recorded says so in the name of its source, the provider that watched or the publisher that counted: that
name is stored with every row, and goes wherever the row goes.
"""

from collections.abc import Iterable
from typing import Literal

from db.said import phrase

Provenance = Literal["recorded", "reconstructed", "invented"]
MADE: tuple[Provenance, ...] = ("invented", "reconstructed")
"""What nobody recorded; what is further from the truth comes first."""


def marked_publisher(publisher: str, provenance: Provenance) -> str:
    """A publisher's name that says what its counts are."""
    return publisher if provenance == "recorded" else f"{publisher or 'unnamed source'} ({provenance})"


def provenance_of(name: str) -> Provenance:
    """What the data of a source are, by its name."""
    return next(
        (each for each in MADE if name.startswith(f"{each}-") or name.endswith(f"({each})")), "recorded"
    )


def made_of(names: Iterable[str]) -> Provenance:
    """What data from several sources are: as little recorded as the worst of them."""
    found = {provenance_of(each) for each in names}
    return next((each for each in MADE if each in found), "recorded")


def made_words(names: Iterable[str]) -> str:
    """The sentence about data that nobody recorded; '' where all of them were recorded."""
    match made_of(names):
        case "invented":
            return phrase("This rests on data that were invented for a scenario, and is no record.")
        case "reconstructed":
            return phrase("This rests on data that were reconstructed for a scenario, and is no record.")
    return ""
