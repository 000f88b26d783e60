"""Writes the polls of the scenarios whose flights nobody recorded: `python -m scenarios.reconstruct [NAME]`.

The answers have the real wire format of readsb (v2); the aircraft in them are made up to tell what was published
or what could happen. Nothing here was recorded.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from monitor.sites.geodesy import SECONDS_PER_HOUR, course_deg, destination, great_circle_nm

HERE = Path(__file__).parent
POLLS = "flights.ndjson"
STEP = timedelta(minutes=2)
SUNAN = (39.2241, 125.67)
WONSAN = (39.1668, 127.486)
KNEVICHI = (43.3963, 132.1482)
SHANGHAI = (31.1434, 121.8052)
VNUKOVO = (55.5915, 37.2615)
INCHEON = (37.469, 126.451)
SHEREMETYEVO = (55.9726, 37.4146)

Position = tuple[float, float]
Flight = Callable[[datetime], Mapping[str, Any] | None]
"""What one aircraft sends at a time; None while it is silent."""


@dataclass(frozen=True, slots=True)
class Who:
    """An aircraft, as feeds name it."""

    hex: str
    registration: str
    type_code: str
    callsign: str
    kt: float = 450.0


RA_86559 = Who("15521f", "RA-86559", "IL62", "RFF7091")
RA_86555 = Who("15521b", "RA-86555", "IL62", "RFF7055")
RA_85843 = Who("154f53", "RA-85843", "T154", "RFF7411", kt=440.0)
RA_78840 = Who("153498", "RA-78840", "IL76", "RFF8106", kt=415.0)


@dataclass(frozen=True, slots=True)
class Story:
    """One scenario: its provider, the time it is polled, who flies, and what comes instead of an answer."""

    provider: str
    windows: Sequence[tuple[datetime, datetime]]
    flights: Sequence[Flight]
    silent: Callable[[datetime], bool] = lambda _at: False
    """Whether nothing answers at that time."""
    empty: Callable[[datetime], bool] = lambda _at: False
    """Whether the answer, and the one about a busy place, is an empty list."""
    step: timedelta = STEP
    circles: Sequence[tuple[Position, float]] = ()
    """The circles that are asked about, each with its own answer; one answer holds all where there are none."""


def main() -> None:
    """Write the polls of the scenarios named, or of all."""
    for name in sys.argv[1:] or list(stories()):
        lines = [json.dumps(line, separators=(",", ":")) for line in polls(stories()[name])]
        (HERE / name / POLLS).write_text("\n".join(lines) + "\n")


def polls(story: Story) -> Iterator[Mapping[str, Any]]:
    """Give the recorded lines of a story, in order."""
    for begins, ends in story.windows:
        at = begins
        while at < ends:
            if not story.silent(at):
                yield from _answers(story, at)
            at += story.step


def _answers(story: Story, at: datetime) -> Iterator[Mapping[str, Any]]:
    if story.empty(at):
        yield _line(story.provider, "data", at, [])
        yield _line(story.provider, "canary", at, [])
        return
    heard = [flight(at) for flight in story.flights]
    every = [each for each in heard if each is not None]
    if not story.circles:
        yield _line(story.provider, "data", at, every)
    for middle, radius_nm in story.circles:
        inside = [each for each in every if great_circle_nm(*middle, each["lat"], each["lon"]) <= radius_nm]
        yield _line(story.provider, "data", at, inside)


def _line(
    provider: str, purpose: str, at: datetime, aircraft: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    moment = int(at.timestamp() * 1000)
    body = {
        "ac": list(aircraft),
        "msg": "No error",
        "now": moment,
        "total": len(aircraft),
        "ctime": moment,
        "ptime": 0,
    }
    return {
        "at": at.isoformat().replace("+00:00", "Z"),
        "provider": provider,
        "purpose": purpose,
        "request": "",
        "status": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, separators=(",", ":")),
    }


def sent(
    who: Who, at: Position, course: float, altitude: float | str, kt: float, **more: Any
) -> dict[str, Any]:
    """One aircraft object of an answer."""
    return {
        "hex": who.hex,
        "type": "adsb_icao",
        "flight": f"{who.callsign:<8}",
        "r": who.registration,
        "t": who.type_code,
        "alt_baro": altitude,
        "gs": kt,
        "track": round(course, 2),
        "lat": round(at[0], 5),
        "lon": round(at[1], 5),
        "nic": 8,
        "nac_p": 9,
        "seen_pos": 0.5,
        "seen": 0.3,
        **more,
    }


def inbound(who: Who, to: Position, bearing: float, lost_at: datetime, lost_nm: float) -> Flight:
    """Flying straight in from a bearing, heard until it is so far away."""
    edge = destination(*to, bearing, lost_nm)
    course = course_deg(*edge, *to)

    def flight(at: datetime) -> Mapping[str, Any] | None:
        left_nm = (lost_at - at).total_seconds() * who.kt / SECONDS_PER_HOUR
        if not 0 <= left_nm <= 80:  # noqa: PLR2004 - ten minutes of it are enough
            return None
        return sent(who, destination(*edge, course + 180, left_nm), course, 33000, who.kt, baro_rate=-64)

    return flight


def outbound(who: Who, place: Position, bearing: float, back_at: datetime, back_nm: float) -> Flight:
    """Flying straight out, first heard so far away."""
    edge = destination(*place, bearing, back_nm)
    course = (course_deg(*edge, *place) + 180) % 360

    def flight(at: datetime) -> Mapping[str, Any] | None:
        gone_nm = (at - back_at).total_seconds() * who.kt / SECONDS_PER_HOUR
        if not 0 <= gone_nm <= 140:  # noqa: PLR2004 - out of the area that is asked about
            return None
        altitude = min(34000, 29000 + 150 * gone_nm)
        return sent(who, destination(*edge, course, gone_nm), course, round(altitude), who.kt, baro_rate=900)

    return flight


def airliners(around: Position, hexes: Sequence[str]) -> Iterator[Flight]:
    """Others who are heard all the time: they show that the feed works."""
    for number, name in enumerate(hexes):
        who = Who(name, f"HL8{number}77", "B738", f"KAL{number}23")
        yield _circling(who, destination(*around, 40.0 * number, 30.0 + 8 * number), 90.0 * number)


def _circling(who: Who, middle: Position, phase: float) -> Flight:
    def flight(at: datetime) -> Mapping[str, Any]:
        turn = (phase + at.timestamp() / 20) % 360
        return sent(who, destination(*middle, turn, 12), (turn + 90) % 360, 28000, 380)

    return flight


def jumping(
    who: Who, real: Position, false: Position, since: datetime, until: datetime, **said: Any
) -> Flight:
    """Flying round a place, but said to be elsewhere for a while."""
    true = _circling(who, real, int(who.hex, 16) % 360)

    def flight(at: datetime) -> Mapping[str, Any] | None:
        told = true(at)
        if told is None or not since <= at < until:
            return told
        return {**told, "lat": round(false[0], 5), "lon": round(false[1], 5), **said}

    return flight


def once(who: Who, at: datetime, place: Position, altitude: float | str, kt: float) -> Flight:
    """A single message."""

    def flight(moment: datetime) -> Mapping[str, Any] | None:
        return sent(who, place, 45.0, altitude, kt) if moment == at else None

    return flight


def utc(text: str) -> datetime:
    """A time of the story."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stories() -> dict[str, Story]:
    """Every reconstructed scenario by the name of its folder."""
    return {
        "seeds": _seeds(),
        "turnaround-il62m": _turnaround(),
        "ra-85843-wonsan": _wonsan(),
        "through-flight": _through(),
        "total-outage": _outage(),
        "vnukovo-spoof": _spoof(),
        "empty-answers": _empty(),
        "ghost-address": _ghost(),
        "vladivostok-36h": _vladivostok(timedelta(hours=36)),
        "vladivostok-65min": _vladivostok(timedelta(minutes=160)),
    }


def silences() -> dict[str, Story]:
    """More flights into North Korea that nobody heard land; tests read them from memory, as replaying them takes minutes."""
    return {
        "vladivostok-36h": _vladivostok(timedelta(hours=36)),
        "vladivostok-65min": _vladivostok(timedelta(minutes=160)),
        "vladivostok-dark-65min": _vladivostok(timedelta(minutes=65)),
        "air-koryo-pair": _pair(),
        "il96-to-hanoi": _hanoi(),
        "transponder-off": _switched_off(),
        "il76-wonsan": _il76(),
        "dog-leg-sunan": _dog_leg(),
        "through-flight": _through(),
    }


_SEOUL = ("71be01", "71be02", "71c0a3")


def _seeds() -> Story:
    """RA-86559 at Sunan for about 36 hours: heard last and first off the east coast (published: the stay alone)."""
    first = utc("2023-07-31T10:00"), utc("2023-07-31T11:50")
    second = utc("2023-08-01T23:20"), utc("2023-08-01T23:56")
    flights = [
        inbound(RA_86559, SUNAN, 52, utc("2023-07-31T10:40"), 135),
        outbound(RA_86559, SUNAN, 50, utc("2023-08-01T23:38"), 130),
        *airliners(INCHEON, _SEOUL),
    ]
    return Story("reconstructed-flights", (first, second), flights)


def _turnaround() -> Story:
    lost = utc("2024-11-28T03:20")
    flights = [
        inbound(RA_86555, SUNAN, 52, lost, 140),
        outbound(RA_86555, SUNAN, 50, lost + timedelta(minutes=100), 140),
        *airliners(INCHEON, _SEOUL),
    ]
    return Story("reconstructed-flights", [(utc("2024-11-28T03:00"), utc("2024-11-28T05:30"))], flights)


def _wonsan() -> Story:
    # 10:30 UTC off Vladivostok (19:30 in Korea), silent at 11:19 (20:19), nearly there.
    flights = [
        inbound(RA_85843, WONSAN, 48, utc("2025-07-01T11:19"), 55),
        *airliners(destination(*WONSAN, 110, 130), _SEOUL),
    ]
    return Story("reconstructed-flights", [(utc("2025-07-01T11:00"), utc("2025-07-01T13:00"))], flights)


def _through() -> Story:
    course = course_deg(*SHANGHAI, *KNEVICHI)
    # Abeam of Sunan on the straight way, then 216 NM (400 km) further: 31 minutes at 415 kt.
    lost = destination(*SUNAN, course + 180, 110)
    back = destination(*lost, course, 216)
    lost_at = utc("2022-01-18T05:20")
    back_at = lost_at + timedelta(minutes=32)
    flights = [
        inbound(RA_78840, back, course_deg(*back, *lost), lost_at, 216),
        outbound(RA_78840, lost, course_deg(*lost, *back), back_at, 216),
        *airliners(INCHEON, _SEOUL),
    ]
    return Story("reconstructed-flights", [(utc("2022-01-18T05:00"), utc("2022-01-18T07:30"))], flights)


def along(
    who: Who, way: Sequence[Position], begins: datetime, *, altitude: float = 33000, rate: float = 0
) -> Flight:
    """Flying from point to point at cruise, heard all the way; the height is that at the last point."""
    legs = list(pairwise(way))
    miles = [great_circle_nm(*one, *other) for one, other in legs]

    def flight(at: datetime) -> Mapping[str, Any] | None:
        flown = (at - begins).total_seconds() * who.kt / SECONDS_PER_HOUR
        if not 0 <= flown <= sum(miles):
            return None
        left = sum(miles) - flown
        for (one, other), length in zip(legs, miles, strict=True):
            if flown <= length:
                course = course_deg(*one, *other)
                height = altitude - rate * left / who.kt * 60
                return sent(
                    who,
                    destination(*one, course, flown),
                    course,
                    round(min(35000, height)),
                    who.kt,
                    baro_rate=rate,
                )
            flown -= length
        return None

    return flight


def ends_at(way: Sequence[Position], who: Who, begins: datetime) -> datetime:
    """When such a flight is over."""
    miles = sum(great_circle_nm(*one, *other) for one, other in pairwise(way))
    return begins + timedelta(hours=miles / who.kt)


RA_86540 = Who("15520c", "RA-86540", "IL62", "RFF7040")
P_633 = Who("7277a9", "P-633", "T204", "KOR272")
RA_96012 = Who("15770c", "RA-96012", "IL96", "RSD412", kt=470.0)
RA_78816 = Who("153480", "RA-78816", "IL76", "RFF8816", kt=415.0)
AS_SHIPPED = (
    ((39.2002, 126.5659), 245),
    ((55.7385, 37.6584), 218),
    ((50.605, 137.0817), 202),
    ((43.3979, 132.149), 202),
    ((43.4464, 39.9425), 202),
)
"""The circles that the default settings ask about, in their order: Sunan with Wonsan, Moscow, Dzyomgi, Knevichi, Sochi."""
EDGE = (42.18, 130.5)
"""Where the way from Vladivostok to Sunan crosses 130.5° E."""


def _vladivostok(dark: timedelta) -> Story:
    """An Il-62M from Vladivostok, heard to 130.5° E, and again at the same place after so long."""
    begins = utc("2025-03-04T02:00")
    course = course_deg(*SUNAN, *KNEVICHI)
    edge = destination(*SUNAN, course, _edge_nm())
    way = [destination(*KNEVICHI, course_deg(*KNEVICHI, *SUNAN), 12), edge]
    lost = ends_at(way, RA_86540, begins)
    back = lost + dark
    flights = [
        along(RA_86540, way, begins, rate=900),
        along(RA_86540, list(reversed(way)), back, rate=-600, altitude=27000),
        *airliners(INCHEON, _SEOUL),
        *(
            _circling(Who(f"71c1{n:02x}", f"HL90{n:02}", "B738", f"KAL90{n}"), middle, 90.0 * n)
            for n, (middle, _) in enumerate(AS_SHIPPED)
        ),
    ]
    windows = [(begins - timedelta(minutes=2), lost + timedelta(minutes=76))]
    windows.append((back - timedelta(minutes=4), back + timedelta(minutes=10)))
    return Story("reconstructed-flights", windows, flights, step=timedelta(minutes=1), circles=AS_SHIPPED)


def _edge_nm() -> float:
    """How far from Sunan the way to Vladivostok crosses 130.5° E."""
    course = course_deg(*SUNAN, *KNEVICHI)
    return next(nm for nm in range(400) if destination(*SUNAN, course, nm)[1] >= EDGE[1])


def _pair() -> Story:
    """KOR272 from Vladivostok, dark from off the coast, and KOR271 back the same day."""
    begins = utc("2025-05-12T08:30")
    course = course_deg(*SUNAN, *KNEVICHI)
    way = [destination(*SUNAN, course, 330), destination(*SUNAN, course, 200)]
    lost = ends_at(way, P_633, begins)
    back = lost + timedelta(hours=4)
    home = replace(P_633, callsign="KOR271")
    flights = [
        along(P_633, way, begins),
        along(home, list(reversed(way)), back),
        *airliners(INCHEON, _SEOUL),
    ]
    windows = [
        (begins, lost + timedelta(hours=2)),
        (back - timedelta(minutes=10), back + timedelta(minutes=16)),
    ]
    return Story("reconstructed-flights", windows, flights, circles=AS_SHIPPED)


def _hanoi() -> Story:
    """An Il-96 from Yakutsk by way of Pyongyang to Hanoi: lost in the north, heard again over the Yellow Sea 20 hours later."""
    begins = utc("2024-06-18T15:00")
    yakutsk, hanoi = (62.0933, 129.7706), (21.2212, 105.8072)
    course = course_deg(*SUNAN, *yakutsk)
    way = [destination(*SUNAN, course, 235), destination(*SUNAN, course, 150)]
    lost = ends_at(way, RA_96012, begins)
    out = course_deg(*SUNAN, *hanoi)
    back = lost + timedelta(hours=20)
    away = [destination(*SUNAN, out, 110), destination(*SUNAN, out, 230)]
    flights = [
        along(RA_96012, way, begins, altitude=36000),
        along(RA_96012, away, back),
        *airliners(INCHEON, _SEOUL),
    ]
    windows = [
        (begins, lost + timedelta(hours=2)),
        (back - timedelta(minutes=10), back + timedelta(minutes=16)),
    ]
    return Story("reconstructed-flights", windows, flights, circles=AS_SHIPPED)


def _switched_off() -> Story:
    """The transponder is switched off 30 NM out, and on again there 30 hours later."""
    begins = utc("2025-01-20T04:00")
    way = [destination(*SUNAN, 40, 150), destination(*SUNAN, 40, 30)]
    lost = ends_at(way, RA_86559, begins)
    back = lost + timedelta(hours=30)
    flights = [
        along(RA_86559, way, begins, altitude=11000, rate=-1500),
        along(RA_86559, list(reversed(way)), back, altitude=33000, rate=1200),
        *airliners(INCHEON, _SEOUL),
    ]
    windows = [
        (begins, lost + timedelta(hours=2)),
        (back - timedelta(minutes=10), back + timedelta(minutes=16)),
    ]
    return Story("reconstructed-flights", windows, flights, circles=AS_SHIPPED)


def _il76() -> Story:
    """An Il-76 to Wonsan, lost over the sea and heard again five hours later."""
    begins = utc("2025-07-10T01:00")
    way = [destination(*WONSAN, 48, 190), destination(*WONSAN, 48, 95)]
    lost = ends_at(way, RA_78816, begins)
    back = lost + timedelta(hours=5)
    flights = [
        along(RA_78816, way, begins),
        along(RA_78816, list(reversed(way)), back),
        *airliners(destination(*WONSAN, 110, 130), _SEOUL),
    ]
    windows = [
        (begins, lost + timedelta(hours=2)),
        (back - timedelta(minutes=10), back + timedelta(minutes=16)),
    ]
    return Story("reconstructed-flights", windows, flights, circles=AS_SHIPPED)


def _dog_leg() -> Story:
    """Over the sea as if to Wonsan, with a dog-leg to Sunan in the dark, and back the same way after seven hours."""
    begins = utc("2025-09-02T03:00")
    way = [destination(*WONSAN, 50, 250), destination(*WONSAN, 50, 130)]
    lost = ends_at(way, RA_86555, begins)
    back = lost + timedelta(hours=7)
    flights = [
        along(RA_86555, way, begins),
        along(RA_86555, list(reversed(way)), back),
        *airliners(INCHEON, _SEOUL),
    ]
    windows = [
        (begins, lost + timedelta(hours=2)),
        (back - timedelta(minutes=10), back + timedelta(minutes=16)),
    ]
    return Story("reconstructed-flights", windows, flights, circles=AS_SHIPPED)


def _outage() -> Story:
    lost = utc("2024-03-05T02:20")
    flights = [inbound(RA_86559, SUNAN, 52, lost, 135), *airliners(INCHEON, _SEOUL)]
    return Story(
        "invented-flights",
        [(utc("2024-03-05T02:00"), utc("2024-03-05T07:00"))],
        flights,
        silent=lambda at: lost < at < lost + timedelta(hours=4),
    )


def _empty() -> Story:
    lost = utc("2024-03-06T02:20")
    flights = [inbound(RA_86559, SUNAN, 52, lost, 135), *airliners(INCHEON, _SEOUL)]
    return Story(
        "invented-flights",
        [(utc("2024-03-06T02:00"), utc("2024-03-06T05:00"))],
        flights,
        empty=lambda at: at > lost,
    )


def _spoof() -> Story:
    """Aircraft over Moscow are put on Vnukovo: five on one point in flight, six about its aprons."""
    since, until = utc("2024-12-11T12:10"), utc("2024-12-11T12:28")
    crowd = [
        jumping(Who(f"1521{n:02x}", f"RA-7{n}101", "A320", f"AFL{n}01"), SHEREMETYEVO, VNUKOVO, since, until)
        for n in range(5)
    ]
    parked = [
        jumping(
            Who(f"1523{n:02x}", f"RA-8{n}202", "SU95", f"SDM{n}02"),
            SHEREMETYEVO,
            destination(*VNUKOVO, 60 * n, 0.4),
            since + timedelta(seconds=40 * n),
            until,
            alt_baro="ground",
            gs=4,
        )
        for n in range(6)
    ]
    window = utc("2024-12-11T12:06"), utc("2024-12-11T12:34")
    return Story("invented-flights", [window], [*crowd, *parked], step=timedelta(seconds=30))


def _ghost() -> Story:
    """The address of RA-86559, misread from others': alone on the approach and on the apron, and one bit off."""
    start = utc("2024-05-01T04:00")
    close = destination(*SUNAN, 175, 4)
    twin = Who("15521d", "", "", "KAL023")
    flights = [
        once(RA_86559, start + timedelta(minutes=10), close, 1400, 140),
        once(RA_86559, start + timedelta(minutes=30), SUNAN, "ground", 8),
        once(RA_86559, start + timedelta(minutes=62), destination(*SUNAN, 52, 120), 33000, 450),
        once(twin, start + timedelta(minutes=40), SUNAN, "ground", 8),
        *airliners(INCHEON, _SEOUL),
    ]
    return Story("invented-flights", [(start, start + timedelta(hours=2))], flights)


if __name__ == "__main__":
    main()
