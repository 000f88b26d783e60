"""Reading a file of any known kind of aircraft database as a stream: packed or not, CSV or JSON, told by its content."""

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Literal, TextIO, cast

from db.records.claims import KnownAircraft
from monitor.aircraft.rows import from_icao24plus, from_member, from_opensky, from_tar1090
from monitor.errors import InputError

RegisterSource = Literal["tar1090-db", "mictronics", "opensky"]
BytesRead = Callable[[int], None]

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_CHUNK = 1 << 16
_LONGEST_VALUE = 1 << 20
_MEMBERS = (".json", ".csv", ".txt")
_COMMA = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:?\s*")


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row as read: where it comes from, and the record, None where the row is of no use."""

    source: RegisterSource
    record: KnownAircraft | None


def read_aircraft(path: Path, told: BytesRead = lambda _bytes: None) -> Iterator[ReadRow]:
    """Read a file row by row; `told` is given the number of bytes read so far. Raises InputError that names the file."""
    try:
        with path.open("rb") as raw:
            yield from _packed(path, _Counted(raw, told))
    except (OSError, EOFError, zipfile.BadZipFile, csv.Error, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{path} cannot be read as an aircraft database: {why}.") from None


class _Counted(io.RawIOBase):
    """A file that says how far it was read."""

    def __init__(self, raw: IO[bytes], told: BytesRead) -> None:
        super().__init__()
        self._raw, self._told = raw, told

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._told(self._raw.tell())
        return len(data)


def _packed(path: Path, counted: _Counted) -> Iterator[ReadRow]:
    stream = io.BufferedReader(counted, _CHUNK)
    head = stream.peek(len(_ZIP))
    if head.startswith(_ZIP):
        with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(_MEMBERS):
                    with archive.open(name) as member:
                        yield from _plain(PurePosixPath(name).stem, member)
    elif head.startswith(_GZIP):
        with gzip.open(stream) as unpacked:
            yield from _plain(path.stem, cast("BinaryIO", unpacked))
    else:
        yield from _plain(path.stem, stream)


def _plain(stem: str, stream: IO[bytes]) -> Iterator[ReadRow]:
    """Tell the kind from the first line, and read on."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    first = text.readline(_LONGEST_VALUE)
    if first.lstrip().startswith("{"):
        yield from _json(stem, first, text)
    elif "icao24" in first.lower():
        yield from _opensky(first, text)
    elif ";" in first:
        yield from (ReadRow("tar1090-db", from_tar1090(line.split(";"))) for line in _lines(first, text))
    elif "\t" in first:
        yield from (ReadRow("mictronics", from_icao24plus(line.split("\t"))) for line in _lines(first, text))
    else:
        raise ValueError(
            "it is none of the kinds that are known: tar1090-db CSV, Mictronics JSON or text, OpenSky CSV"
        )


def _lines(first: str, rest: TextIO) -> Iterator[str]:
    yield first.rstrip("\r\n")
    for line in rest:
        if line.strip():
            yield line.rstrip("\r\n")


def _opensky(header: str, rest: TextIO) -> Iterator[ReadRow]:
    # The newer files quote with apostrophes.
    quote = "'" if header.lstrip().startswith("'") else '"'
    names = [name.strip().lower() for name in next(csv.reader([header], quotechar=quote))]
    for row in csv.reader(rest, quotechar=quote):
        if row:
            yield ReadRow("opensky", from_opensky(dict(zip(names, row, strict=False))))


def _json(stem: str, head: str, rest: TextIO) -> Iterator[ReadRow]:
    for name, value in _members(head, rest):
        for record in from_member(name, stem, value):
            yield ReadRow("mictronics", record)


def _members(head: str, rest: TextIO) -> Iterator[tuple[str, Any]]:
    """Read the members of one large JSON object one after another, without holding all of it."""
    decoder, text, at = json.JSONDecoder(), head, head.index("{") + 1
    while True:
        at = _between(_COMMA, text, at)
        if text.startswith("}", at):
            return
        try:
            name, end = decoder.raw_decode(text, at)
            value, end = decoder.raw_decode(text, _between(_COLON, text, end))
        except json.JSONDecodeError:
            more = rest.read(_CHUNK)
            if not more or len(text) - at > _LONGEST_VALUE:
                raise ValueError("its JSON is broken or cut short") from None
            text, at = text[at:] + more, 0
            continue
        yield str(name), value
        at = end


def _between(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
