"""Hostile files: too large, too deep, too long numbers. They are refused in a sentence, never by a crash."""

from pathlib import Path

import pytest

from monitor.sites.document import MAX_BYTES, MAX_DEPTH, parse_json_object, read_bytes
from monitor.sites.faults import SitesError
from monitor.sites.load import load_sites, sites_from_bytes

HERE = Path("sites.geojson")


def refusal(data: bytes) -> str:
    with pytest.raises(SitesError) as caught:
        sites_from_bytes(HERE, data)
    return str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match=r"does not exist.*sitewatch sites add"):
        load_sites(tmp_path / "sites.geojson")


def test_a_folder_is_not_a_sites_file(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="it is a folder"):
        load_sites(tmp_path)


def test_a_file_beyond_the_cap_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "sites.geojson"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: it takes no room on the disk
    with pytest.raises(SitesError, match="larger than 32 MiB"):
        read_bytes(path)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_hundred_thousand_levels_are_refused(opening: bytes) -> None:
    assert f"deeper than {MAX_DEPTH} levels" in refusal(opening * 100_000)


def test_brackets_inside_texts_are_not_levels() -> None:
    text = "[" * 1000 + '\\"' + "{" * 1000
    data = b'{"type": "FeatureCollection", "features": [], "x-note": "%s"}' % text.encode()
    assert len(sites_from_bytes(HERE, data)) == 0


def test_a_number_of_five_thousand_digits_is_refused_with_its_place() -> None:
    data = b'{"type": "FeatureCollection", "features": [], "x-big": [0, %s]}' % (b"9" * 5000)
    assert "x-big[1]: the number is not finite" in refusal(data)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_are_not_finite_are_refused_anywhere(number: bytes) -> None:
    data = b'{"type": "FeatureCollection", "features": [], "x": {"deep": [[%s]]}}' % number
    assert "x.deep[0][0]: the number is not finite" in refusal(data)


@pytest.mark.parametrize("escape", [b"\\u0000", b"\\ud800", b"a\\udfffb"])
def test_texts_that_no_database_holds_are_refused(escape: bytes) -> None:
    as_value = b'{"type": "FeatureCollection", "features": [], "x-note": "%s"}' % escape
    as_key = b'{"type": "FeatureCollection", "features": [], "x-%s": 1}' % escape
    assert "cannot be stored" in refusal(as_value)
    assert "cannot be stored" in refusal(as_key)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe{}", "byte 0 is not UTF-8"),
        (b'{"a": 1}{', "it is not JSON"),
        (b'{"a": 1, "a": 2}', 'the key "a" stands twice'),
        (b'{"a": "unfinished', "it is not JSON"),
        (b"7", "it is not a GeoJSON object"),
        (b'"\\', "it is not JSON"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_json_object(HERE, b'\xef\xbb\xbf{"a": 1}').value == {"a": 1}
