"""Bundles as files: written with a list of SHA-256 sums, and read back without believing anything that they say."""

import hashlib
import stat
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

MANIFEST = "manifest-sha256.txt"
MOST_FILES = 5_000
MOST_BYTES = 256 * 1024 * 1024
"""Of all files together, unpacked."""
MOST_RATIO = 200
"""Unpacked bytes for each packed one; what JSON and tables come to is below 50."""
_SMALL = 1024 * 1024
_CHUNK = 64 * 1024
_LONGEST_NAME = 200

BundleFiles = Mapping[str, bytes]


class BundleError(ValueError):
    """A file is no bundle, or not a safe one; the text is a sentence."""


def manifest_of(files: BundleFiles) -> bytes:
    """The list of sums, in the form that `sha256sum --check` reads."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def write_zip(path: Path, files: BundleFiles, now: datetime) -> None:
    """Write the files and their list of sums; the same files give the same bytes."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted({**files, MANIFEST: manifest_of(files)}.items()):
            entry = zipfile.ZipInfo(name, now.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def write_folder(path: Path, files: BundleFiles) -> None:
    """Write the files and their list of sums into a new folder."""
    path.mkdir()
    for name, content in {**files, MANIFEST: manifest_of(files)}.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def read_bundle(path: Path) -> dict[str, bytes]:
    """Every file of a bundle, zip or folder; raises BundleError for what is none or would do harm."""
    try:
        return _read_folder(path) if path.is_dir() else _read_zip(path)
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path} is no readable zip file: {error}.") from None
    except (OSError, NotImplementedError, RuntimeError, EOFError) as error:
        raise BundleError(f"{path} cannot be read: {error}.") from None


def sum_faults(files: BundleFiles) -> Iterator[str]:
    """What differs from the list of sums: files that are changed, missing, or not in the list."""
    if MANIFEST not in files:
        yield f"There is no {MANIFEST}, so nothing can be checked."
        return
    listed = dict(_listed(files[MANIFEST]))
    for name in sorted(listed.keys() - files.keys()):
        yield f"{name} is missing."
    for name in sorted(files.keys() - listed.keys() - {MANIFEST}):
        yield f"{name} is not in the list of sums: it was added."
    for name in sorted(listed.keys() & files.keys()):
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            yield f"{name} was changed: its SHA-256 is not the one in the list."


def bundle_digest(files: BundleFiles) -> str:
    """The SHA-256 of the list of sums, which stands for the whole bundle: whoever knows it knows every file."""
    return hashlib.sha256(files.get(MANIFEST) or manifest_of(files)).hexdigest()


def _listed(manifest: bytes) -> Iterator[tuple[str, str]]:
    for line in manifest.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _read_zip(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise BundleError(f"{path} holds {len(entries)} files; a bundle has at most {MOST_FILES}.")
        for entry in entries:
            _check_name(entry.filename)
            _check_entry(entry)
            if entry.is_dir():
                continue
            if entry.filename in files:
                raise BundleError(f"{entry.filename} stands in the zip file twice.")
            files[entry.filename] = _unpacked(archive, entry, left)
            left -= len(files[entry.filename])
    return files


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes:
    """Read one file no further than the limits, whatever size the zip file claims."""
    most = min(left, max(_SMALL, entry.compress_size * MOST_RATIO))
    parts, size = [], 0
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise BundleError(
                    f"{entry.filename} unpacks to far more than a bundle holds; it may be made to fill a disk."
                )
            parts.append(chunk)
    return b"".join(parts)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise BundleError(f"{entry.filename} is a link or a device, and a bundle has none.")
    if entry.flag_bits & 1:
        raise BundleError(f"{entry.filename} is encrypted, and a bundle is not.")


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    outside = name.startswith("/") or ".." in parts or "\\" in name or ":" in name or "\0" in name
    if outside or not parts or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BundleError(f"The zip file names {name[:80]!r}, which leads out of it or is no plain name.")


def _read_folder(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    for each in sorted(path.rglob("*")):
        if each.is_symlink() or not (each.is_file() or each.is_dir()):
            raise BundleError(f"{each} is a link or a device, and a bundle has none.")
        if each.is_dir():
            continue
        left -= each.stat().st_size
        if left < 0 or len(files) >= MOST_FILES:
            raise BundleError(f"{path} holds more than a bundle does.")
        files[each.relative_to(path).as_posix()] = each.read_bytes()
    return files
