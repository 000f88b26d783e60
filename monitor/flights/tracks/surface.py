"""Who is no aircraft: vehicles, masts and other senders on the surface, and addresses that belong to nobody."""

SURFACE_SENDER = "no_aircraft"
"""The reason under which a stored report of such a sender is counted."""
GROUND_TYPES = frozenset({"GND", "SERV", "TWR", "GRND"})
"""What stands for a type where a vehicle or a mast is meant (tar1090's databases; Flightradar24)."""
NO_TRANSPONDER = "adsb_icao_nt"
"""readsb's source for senders that are no transponder: vehicles, masts, balloons."""
SURFACE_CATEGORIES = frozenset(f"C{number}" for number in range(8))
"""Emitter categories of set C: vehicles and obstacles (DO-260B, 2.2.3.2.5.2)."""
OPENSKY_SURFACE_CATEGORIES = frozenset(range(16, 21))
"""The same in OpenSky's numbers: emergency and service vehicles, point, cluster and line obstacles."""
NOBODY = frozenset({"000000", "ffffff"})
"""Addresses that ICAO gives to no aircraft: all bits 0 and all bits 1."""


def is_surface(*, source: object = None, type_code: object = None, category: object = None) -> bool:
    """Whether one of these says that a sender is no aircraft."""
    return (
        source == NO_TRANSPONDER
        or _plain(type_code) in GROUND_TYPES
        or _plain(category) in SURFACE_CATEGORIES
    )


def _plain(text: object) -> str:
    return text.strip().upper() if isinstance(text, str) else ""
