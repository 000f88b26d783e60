"""Mode S extended squitters of made aircraft, as a receiver hears them (ICAO Doc 9871; DO-260B, 2.2.3.2)."""

import math
from dataclasses import dataclass

_GENERATOR = 0xFFF409
_CPR_ZONES = 15
_CHARACTERS = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"


@dataclass(frozen=True)
class Flying:
    """An aircraft in the air, or with `altitude_ft` None on the ground."""

    icao24: str
    callsign: str
    lat: float
    lon: float
    altitude_ft: int | None
    east_kt: int = 0
    north_kt: int = 0
    climb_fpm: int = 0


def frames(aircraft: Flying) -> list[str]:
    """What it sends in a second, each as hexadecimal: who it is, where it is (even and odd), how it moves."""
    where = _airborne if aircraft.altitude_ft is not None else _surface
    said = [_identification(aircraft.callsign), where(aircraft, 0), where(aircraft, 1)]
    if aircraft.altitude_ft is not None:
        said.append(_velocity(aircraft))
    return [_frame(aircraft.icao24, message) for message in said]


def _frame(icao24: str, message: int) -> str:
    body = (0b10001_101 << 80) | (int(icao24, 16) << 56) | message
    return f"{body << 24 | _parity(body):028X}"


def _parity(body: int) -> int:
    """The remainder of the 88 bits, with 24 zeros behind them, by the generator of Mode S."""
    left = body << 24
    for bit in range(111, 23, -1):
        if left >> bit & 1:
            left ^= (1 << 24 | _GENERATOR) << (bit - 24)
    return left


def _bits(*fields: tuple[int, int]) -> int:
    """Fields (value, width) one after the other."""
    made = 0
    for value, width in fields:
        assert 0 <= value < 1 << width
        made = made << width | value
    return made


def _identification(callsign: str) -> int:
    letters = [(_CHARACTERS.index(each), 6) for each in f"{callsign:<8}"]
    return _bits((4, 5), (3, 3), *letters)


def _airborne(aircraft: Flying, odd: int) -> int:
    assert aircraft.altitude_ft is not None
    steps = (aircraft.altitude_ft + 1000) // 25
    altitude = (steps >> 4) << 5 | 1 << 4 | steps & 0xF
    lat, lon = _cpr(aircraft.lat, aircraft.lon, odd, 360)
    return _bits((11, 5), (0, 2), (0, 1), (altitude, 12), (0, 1), (odd, 1), (lat, 17), (lon, 17))


def _surface(aircraft: Flying, odd: int) -> int:
    lat, lon = _cpr(aircraft.lat, aircraft.lon, odd, 90)
    standing = 1
    return _bits((7, 5), (standing, 7), (0, 1), (0, 7), (0, 1), (odd, 1), (lat, 17), (lon, 17))


def _velocity(aircraft: Flying) -> int:
    def part(value: int) -> list[tuple[int, int]]:
        return [(int(value < 0), 1), (abs(value) + 1, 10)]

    climb = [(int(aircraft.climb_fpm < 0), 1), (abs(aircraft.climb_fpm) // 64 + 1, 9)]
    head = [(19, 5), (1, 3), (0, 1), (0, 1), (0, 3)]
    barometric = [(1, 1)]
    return _bits(
        *head, *part(aircraft.east_kt), *part(aircraft.north_kt), *barometric, *climb, (0, 2), (0, 8)
    )


def _cpr(lat: float, lon: float, odd: int, span: int) -> tuple[int, int]:
    """Compact position reporting: latitude and longitude in zones of `span` degrees in all."""
    scale = 1 << 17
    height = span / (4 * _CPR_ZONES - odd)
    y = math.floor(scale * (lat % height) / height + 0.5)
    seen = height * (y / scale + math.floor(lat / height))
    width = span / max(_zones(seen) - odd, 1)
    x = math.floor(scale * (lon % width) / width + 0.5)
    return y % scale, x % scale


def _zones(lat: float) -> int:
    """How many zones of longitude a latitude has."""
    if abs(lat) >= 87:
        return 1 if abs(lat) > 87 else 2
    part = (1 - math.cos(math.pi / (2 * _CPR_ZONES))) / math.cos(math.radians(lat)) ** 2
    return math.floor(2 * math.pi / math.acos(1 - part))
