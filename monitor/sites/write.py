"""Writing a sites file: readable, one ring a line, never half written, the earlier version kept beside it."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_INDENT = " "
_LONGEST_LINE = 120


def dump_geojson(document: Mapping[str, Any]) -> str:
    """GeoJSON text: a ring, a list of plain values and a short object take one line each, all else a line a key."""
    return f"{_text(document, '')}\n"


def _text(value: Any, indent: str) -> str:
    inner = indent + _INDENT
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, dict) and value and not _is_short(value, line):
        lines = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_text(item, inner)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value and not _is_flat(value):
        return "[\n" + ",\n".join(f"{inner}{_text(item, inner)}" for item in value) + f"\n{indent}]"
    return line


def _is_short(value: dict[str, Any], line: str) -> bool:
    plain = all(not isinstance(item, dict) for item in value.values())
    return plain and len(line) <= _LONGEST_LINE


def _is_flat(value: list[Any]) -> bool:
    """Whether a list belongs on one line: plain values, or positions of numbers."""
    if all(not isinstance(item, dict | list) for item in value):
        return True
    return all(
        isinstance(item, list) and all(isinstance(part, int | float) for part in item) for item in value
    )


def backup_path(path: Path) -> Path:
    """Where the earlier version of a file is kept: `sites.geojson.bak`."""
    return path.with_name(f"{path.name}.bak")


def replace_file(path: Path, text: str) -> None:
    """Replace a file in one step, safe from a crash or power cut at any moment; the old one becomes the backup."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        _write_beside(backup_path(target), target.read_bytes(), like=target)
    _write_beside(target, text.encode("utf-8"), like=target)


def _write_beside(target: Path, data: bytes, *, like: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if like.exists():
            shutil.copymode(like, temporary)
        else:
            # mkstemp makes private files; a new sites file is an ordinary one.
            temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
