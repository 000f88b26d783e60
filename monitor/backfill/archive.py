"""Where the files of one archived day are: folders as readsb writes them, or adsb.lol's daily tar, in pieces or whole."""

import io
import re
import tarfile
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from monitor.errors import InputError

_TRACE = re.compile(r"trace_full_(~?[0-9a-f]{6})\.json")
_FOLDERS = (
    "{0:%Y/%m/%d}",
    "globe_history/{0:%Y/%m/%d}",
    "{0:%Y.%m.%d}",
    "{0:%Y-%m-%d}",
    "v{0:%Y.%m.%d}*",
)
FOLDERS = 256
_BYTE = re.compile(r"[0-9a-f]{2}")
_PIECE = re.compile(r"\.tar(?:\.[a-z]{2})?")
_LARGEST_MEMBER = 256 * 1024 * 1024
_SMALL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a day that is read at once: files of a folder, or stretches (name, start, size) of a tar."""

    name: str
    files: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    members: tuple[tuple[str, int, int], ...] = ()

    def read(self) -> Iterator[tuple[str, bytes]]:
        """Give each file's name and content; an OSError is the caller's."""
        for path in self.files:
            yield Path(path).name, Path(path).read_bytes()
        if self.members:
            with _Joined(self.pieces) as tar:
                for name, start, size in self.members:
                    tar.seek(start)
                    yield name, tar.read(size)


def find_parts(root: Path, day: date) -> list[Part]:
    """Find the parts of a day under a folder; raises InputError that says where it looked."""
    if not root.is_dir():
        raise InputError(f"There is no folder {root}. Name the folder that holds the archive with --folder.")
    folders = [folder for pattern in _FOLDERS for folder in sorted(root.glob(pattern.format(day)))]
    for folder in (*folders, root):
        if parts := _of_folder(folder):
            return parts
    if pieces := _tar_pieces(root, day):
        return _of_tar(pieces)
    raise InputError(
        f"{root} holds no traces of {day}. Expected are folders such as {day:%Y/%m/%d}/traces/1f/trace_full_15521f.json, "
        f"or adsb.lol's tar of that day (v{day:%Y.%m.%d}-planes-readsb-prod-0.tar, also in pieces .aa, .ab)."
    )


def missing_folders(every: Sequence[Part]) -> int:
    """How many of the 256 folders of a day, one for each last byte of an address, are not there.

    readsb makes all of them, so that an empty one is no gap. A tar names only what holds files: there half as
    many as so many aircraft would fill by chance are taken for whole.
    """
    if any(part.pieces for part in every):
        files = sum(len(part.members) for part in every)
        filled = FOLDERS * (1 - (1 - 1 / FOLDERS) ** files)
        return 0 if len(every) >= _SMALL_SHARE * filled else FOLDERS - len(every)
    folders = {Path(file).parent for part in every for file in part.files}
    traces = {folder.parent for folder in folders if _BYTE.fullmatch(folder.name)}
    there = {each.name for root in traces for each in root.iterdir() if _BYTE.fullmatch(each.name)}
    return FOLDERS - len(there) if there else 0


def _of_folder(folder: Path) -> list[Part]:
    traces = folder / "traces"
    if not traces.is_dir():
        return []
    parts = []
    for each in [traces, *sorted(path for path in traces.iterdir() if path.is_dir())]:
        files = tuple(str(path) for path in sorted(each.iterdir()) if _TRACE.fullmatch(path.name))
        if files:
            parts.append(Part(each.name, files=files))
    return parts


def _tar_pieces(root: Path, day: date) -> tuple[str, ...]:
    """The pieces of the day's tar; of production and staging dumps the production one, unless it is much smaller."""
    dumps: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(root.rglob(f"*{day:%Y.%m.%d}*.tar*")):
        stem, found = _PIECE.split(path.name)[0], _PIECE.search(path.name)
        if path.is_file() and found and path.name == stem + found[0]:
            dumps[str(path.parent / stem)].append(path)
    if not dumps:
        return ()
    sizes = {name: sum(path.stat().st_size for path in paths) for name, paths in dumps.items()}
    whole = [name for name in sorted(dumps) if sizes[name] >= _SMALL_SHARE * max(sizes.values())]
    best = min(whole, key=lambda name: ("prod" not in name, -sizes[name], name))
    return tuple(str(path) for path in dumps[best])


def _of_tar(pieces: Sequence[str]) -> list[Part]:
    """Group the members of a tar by the last two digits of the address, as the folders do; only headers are read."""
    groups: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    end = 0
    try:
        with _Joined(pieces) as joined, tarfile.open(fileobj=cast("BinaryIO", joined), mode="r:") as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                name = PurePosixPath(member.name).name
                found = _TRACE.fullmatch(name)
                if found and member.isfile() and member.size <= _LARGEST_MEMBER:
                    groups[found[1][-2:]].append((name, member.offset_data, member.size))
            # Where a piece is missing in the middle tarfile takes the gap for the end.
            joined.seek(end)
            if joined.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"it breaks off at byte {end}")
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{pieces[0]} cannot be read as a tar: {error}. Is a piece missing?") from None
    return [
        Part(name, pieces=tuple(pieces), members=tuple(sorted(members)))
        for name, members in sorted(groups.items())
    ]


class _Joined(io.RawIOBase):
    """Files read as one, one after the other."""

    def __init__(self, pieces: Sequence[str]) -> None:
        super().__init__()
        self._files = [Path(piece).open("rb") for piece in pieces]  # noqa: SIM115 - closed with it
        self._ends = list(accumulate(Path(piece).stat().st_size for piece in pieces))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        piece = bisect_right(self._ends, self._at)
        if piece == len(self._files):
            return 0
        start = self._ends[piece - 1] if piece else 0
        self._files[piece].seek(self._at - start)
        # At the end of a piece fewer bytes come; `read` of RawIOBase would stop there, so it is asked again.
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and piece < len(self._files):
            count = self._files[piece].readinto(view[filled:])
            filled += count
            if filled < len(view):
                piece += 1
                if piece < len(self._files):
                    self._files[piece].seek(0)
        self._at += filled
        return filled

    def close(self) -> None:
        for each in self._files:
            each.close()
        super().close()
