"""The files that the browser gets: our own style sheet, and what the installation built (it may be missing)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.staticfiles import StaticFiles

_HERE = Path(__file__).parent
PUBLIC_FOLDER = _HERE / "public"
BUILT_FOLDER = _HERE / "static"
_STAMP = "inputs.sha256"
NOT_BUILT = (
    "The scripts for map and charts were not built, so the page shows tables and plain charts. Install sitewatch "
    "again with access to an npm registry (pip install . or make run)."
)


class Files(StaticFiles):
    """Serves the committed and the built files as one folder."""

    def __init__(self, built: Path = BUILT_FOLDER) -> None:
        super().__init__(directory=PUBLIC_FOLDER)
        self.all_directories = [PUBLIC_FOLDER, built]


@dataclass(frozen=True, slots=True)
class Assets:
    """Addresses of files with a version in them, so that browsers keep them until they change."""

    built: bool
    version: str

    @classmethod
    def of(cls, built: Path = BUILT_FOLDER) -> Self:
        """Those of the committed files and of a folder that the installation built."""
        stamp = built / _STAMP
        digest = hashlib.sha256(stamp.read_bytes() if stamp.exists() else b"")
        for file in sorted(PUBLIC_FOLDER.iterdir()):
            digest.update(file.read_bytes())
        return cls(stamp.exists(), digest.hexdigest()[:12])

    def url(self, name: str) -> str:
        """Where a file is, with its version."""
        return f"/static/{name}?v={self.version}"

    def scripts(self, *names: str) -> Iterator[str]:
        """The addresses of these scripts; none where they were not built."""
        return (self.url(name) for name in names if self.built)
