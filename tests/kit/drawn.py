"""Places out of the bytes of a file, as the command and the page read them."""

from monitor.sites.choosing import Choice
from monitor.sites.drawings import read_drawing
from monitor.sites.incoming import NO_CHOICE, NOTHING_TOLD, NewSites, Told, sites_in_drawing


def places_from_bytes(
    source: str, data: bytes, told: Told = NOTHING_TOLD, choice: Choice = NO_CHOICE
) -> NewSites:
    """The sites that the bytes hold; raises SitesError."""
    return sites_in_drawing(source, read_drawing(source, data), told, choice)
