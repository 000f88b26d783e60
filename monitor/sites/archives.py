"""Taking a zip archive apart in memory, within bounds: its names are labels and never paths, and nothing is written by them."""

import io
import zipfile
import zlib
from collections.abc import Iterator

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
MAX_MEMBERS = 1_000
_CHUNK = 1 << 16
_ENCRYPTED = 0x1


class ArchiveError(ValueError):
    """An archive cannot be read or had better not be; the text says why and what to do instead."""


def members_of(data: bytes, endings: tuple[str, ...]) -> dict[str, bytes]:
    """The members of a zip archive whose names end so (in lower case), by name; raises ArchiveError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return dict(_members(archive, endings))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError("the zip archive is damaged. Make or download it again") from None


def names_in(data: bytes) -> list[str]:
    """The names in a zip archive, folders left out; raises ArchiveError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive.infolist())
            return [each.filename for each in archive.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ArchiveError("the zip archive is damaged. Make or download it again") from error


def _members(archive: zipfile.ZipFile, endings: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    _check(archive.infolist())
    left = MAX_UNPACKED_BYTES
    for each in archive.infolist():
        # What macOS puts beside every file looks like one.
        if each.is_dir() or each.filename.startswith("__MACOSX/"):
            continue
        if each.filename.lower().endswith(endings):
            content = _content(archive, each, left)
            left -= len(content)
            yield each.filename, content


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise ArchiveError(f"the zip archive holds {len(members)} files. Give at most {MAX_MEMBERS}")
    for each in members:
        parts = each.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise ArchiveError("the zip archive holds a name that leads out of it. Do not trust it")
        if each.flag_bits & _ENCRYPTED:
            raise ArchiveError("the zip archive is locked with a password. Unpack it and give what is inside")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> bytes:
    """What is inside, counted while it is unpacked: the size that an archive states may be a lie."""
    parts: list[bytes] = []
    with archive.open(member) as file:
        while chunk := file.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ArchiveError(
                    f"the zip archive unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB. Give less at once"
                )
            parts.append(chunk)
    return b"".join(parts)
