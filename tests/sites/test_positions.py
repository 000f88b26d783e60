"""Places as people write them: read right, or refused with what is open; never asked of anybody."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from monitor.sites.positions import PlaceError, place_in

SUNAN = (39.2241, 125.67)
A_SECOND = 1 / 3600


@pytest.mark.parametrize(
    "text",
    [
        "39.2241, 125.6700",
        "39.2241 125.6700",
        "39.2241/125.6700",
        "39.2241;125.6700",
        "(39.2241, 125.6700)",
        "39.2241\t125.6700",
        "39.2241N, 125.67E",
        "125.67° E, 39.2241° N",
        "N39.2241 E125.67",
        "lat 39.2241 lon 125.67",
        "Latitude: 39.2241, Longitude: 125.67",
        "39,2241 125,6700",
        "39,2241; 125,6700",
        "39,2241, 125,6700",
        "39,2241,125,6700",
        "39,2241°N 125,67°E",
        "+39.2241 +125.67",
        "39°13'27\"N 125°40'12\"E",
        "39°13′26.8″N, 125°40′12″E",
        "39º 13’ 27” N 125º 40’ 12” E",
        "39 13 27 N 125 40 12 E",
        "N 39 13 27 E 125 40 12",
        "39-13-27N 125-40-12E",
        "39:13:27, 125:40:12",
        "39d13m27s N 125d40m12s E",
        "N39°13.446 E125°40.200",
        "39° 13.446' N, 125° 40.2' E",
        "391327N1254012E",
        "391326.8N 1254012E",
        "39°13'27\" с.ш. 125°40'12\" в.д.",
        "39° 13' 27\" Nord, 125° 40' 12\" Ost",
        "39 degrees 13 minutes 27 seconds north, 125 deg 40 min 12 sec east",
        "39deg 13min 27sec N 125deg 40min 12sec E",
        "39°13'27\" северной широты 125°40'12\" восточной долготы",
        "51S YD 30480 45044",
        "51SYD3048045044",
        "51s yd 30480 45044",
        "MGRS 51SYD 30480 45044",
        "geo:39.2241,125.67;u=35",
        "https://www.google.com/maps/@39.2241,125.67,15z",
        "https://www.google.com/maps/place/X/@39.3,125.5,17z/data=!3m1!4b1!4m6!3m5!1s0x0:0x0!8m2!3d39.2241!4d125.67",
        "https://maps.google.com/?q=39.2241,125.67",
        "https://www.google.com/maps/search/?api=1&query=39.2241%2C125.67",
        "https://www.google.com/maps/embed?pb=!1m18!2d125.67!3d39.2241",
        "https://www.google.com/maps/place/39%C2%B013'27.0%22N+125%C2%B040'12.0%22E/",
        "https://www.google.com/maps/dir//39.2241,125.67/@39.1,125.5,12z",
        "https://wego.here.com/?map=39.2241,125.67,12,normal",
        "https://www.openstreetmap.org/#map=15/39.2241/125.6700",
        "https://www.openstreetmap.org/?mlat=39.2241&mlon=125.67#map=12/38.1/124.2",
        "https://www.bing.com/maps?cp=39.2241~125.67&lvl=15",
        "https://maps.apple.com/?ll=39.2241,125.67&q=Airport",
        "https://yandex.ru/maps/?ll=125.67%2C39.2241&z=12",
        "https://yandex.com/maps/?pt=125.67,39.2241&z=12",
        "https://2gis.ru/moscow?m=125.67%2C39.2241%2F12",
        "http://wikimapia.org/#lang=en&lat=39.2241&lon=125.67&z=12&m=w",
        "https://geohack.toolforge.org/geohack.php?params=39_13_27_N_125_40_12_E_type:airport",
        "https://browser.dataspace.copernicus.eu/?zoom=14&lat=39.2241&lng=125.67",
        "https://globe.adsbexchange.com/?lat=39.2241&lon=125.67&zoom=12",
        "https://www.flightradar24.com/39.2241,125.67/12",
        "https://zoom.earth/#view=39.2241,125.67,12z",
        "https://earth.google.com/web/@39.2241,125.67,30.5a,1000d,35y,0h,0t,0r",
        "https://www.marinetraffic.com/en/ais/home/centerx:125.67/centery:39.2241/zoom:10",
    ],
)
def test_one_place_however_it_is_written(text: str) -> None:
    found = place_in(text)
    assert found is not None
    assert [found.lat, found.lon] == pytest.approx(SUNAN, abs=A_SECOND / 3)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("-51.9, -70.6", (-51.9, -70.6)),
        ("33°52′S 151°12′E", (-33.866667, 151.2)),
        ("51.9S 70.6W", (-51.9, -70.6)),
        ("−51,9 −70,6", (-51.9, -70.6)),
        ("0, 0", (0, 0)),
        ("39,125", (39, 125)),
        ("16°48'S 179°59'59\"W", (-16.8, -179.999722)),
        ("90, 180", (90, 180)),
        ("https://www.openstreetmap.org/#map=9/-51.9/-70.6", (-51.9, -70.6)),
    ],
)
def test_the_other_halves_of_the_earth(text: str, place: tuple[float, float]) -> None:
    found = place_in(text)
    assert found is not None
    assert [found.lat, found.lon] == pytest.approx(place, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("125.67, 39.2241", "look swapped"),
        ("91.0, 125.0", "is none"),
        ("39°61'N 125°40'E", "minutes and seconds below 60"),
        ("396127N1254012E", "60 or more"),
        ("39.2N 40N", "latitude twice"),
        ("52° 31' N, 13° 24' O", "east in German and west in French"),
        ("1,234,5", "is none"),
        ("39.2241", None),
        ("52S DJ 123 4567", "same number of digits"),
        ("61S ABC", None),
        ("99S DJ 1234 5678", "no such square"),
        ("8Q98+XG Pyongyang", "Plus Code"),
        ("https://maps.app.goo.gl/abcdef", "short link"),
        ("https://osm.org/go/0MbEUuTq=", "short link"),
        ("https://yandex.ru/maps/-/CDabc", "short link"),
        ("51S 730480 4345043", "southern half"),
        ("99N 730480 4345043", "is none"),
        ("https://what3words.com/a.b.c", "what3words"),
        ("https://example.org/places/7", "no coordinates"),
        ("https://[bad/@1,2", "cannot be read"),
        ("drawn.kml", None),
        ("Pyongyang", None),
        ("", None),
        ("9" * 5_000, None),
    ],
)
def test_what_is_no_place_or_may_be_several_is_not_guessed(text: str, words: str | None) -> None:
    if words is None:
        assert place_in(text) is None
        return
    with pytest.raises(PlaceError, match=words):
        place_in(text)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_degrees_minutes_and_seconds_say_the_same_place(lat: float, lon: float) -> None:
    def sexagesimal(value: float, letters: str) -> str:
        hundredths = round(abs(value) * 360_000)
        degrees, rest = divmod(hundredths, 360_000)
        minutes, seconds = divmod(rest, 6_000)
        return f"{degrees}°{minutes}'{seconds / 100:.2f}\"{letters[value < 0]}"

    found = place_in(f"{sexagesimal(lat, 'NS')} {sexagesimal(lon, 'EW')}")
    assert found is not None
    assert [found.lat, found.lon] == pytest.approx([lat, lon], abs=2e-6)


# --- MGRS against the projection that it is defined by ----------------------------------------------

_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_BANDS = "CDEFGHJKLMNPQRSTUVWX"


def mgrs_of(lat: float, lon: float) -> str:
    """The MGRS code of a place, by the transverse Mercator projection of PROJ and the lettering of the standard."""
    zone = int((lon + 180) // 6) + 1
    south = lat < 0
    turn = Transformer.from_crs(
        "EPSG:4326", f"+proj=utm +zone={zone} {'+south ' if south else ''}+datum=WGS84", always_xy=True
    )
    east, north = turn.transform(lon, lat)
    column = _COLUMNS[(zone - 1) % 3][int(east // 100_000) - 1]
    row = _ROWS[(int(north // 100_000) + (5 if zone % 2 == 0 else 0)) % 20]
    band = _BANDS[min(int((lat + 80) // 8), 19)]
    return f"{zone}{band} {column}{row} {int(east % 100_000):05d} {int(north % 100_000):05d}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("52N 631676.68 4695429.23", (42.4, 130.6)),
        ("19F 527530 4249890", (-51.9, -68.6)),
        ("33U, 500000mE, 5000000mN", (45.153, 15)),
    ],
)
def test_utm(text: str, place: tuple[float, float]) -> None:
    found = place_in(text)
    assert found is not None
    assert [found.lat, found.lon] == pytest.approx(place, abs=0.002)


@given(st.floats(-79, 55), st.floats(-179.9, 179.9))
def test_mgrs_is_the_place_that_the_projection_says(lat: float, lon: float) -> None:
    found = place_in(mgrs_of(lat, lon))
    assert found is not None
    north_m = (found.lat - lat) * 111_200
    east_m = (found.lon - lon) * 111_320 * math.cos(math.radians(lat))
    # A code names a square of one metre.
    assert math.hypot(north_m, east_m) < 1.6


def test_a_coarse_square_is_taken_by_its_middle_and_said() -> None:
    found = place_in("51SYD3045")
    assert found is not None
    assert found.how == "MGRS, the middle of a square of 1,000 m"
    assert mgrs_of(found.lat, found.lon).split()[2:] in (
        ["30500", "45499"],
        ["30500", "45500"],
        ["30499", "45500"],
    )
